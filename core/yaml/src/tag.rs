//! What a scalar with or without a tag becomes.

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use libyaml_safer::Mark;
use serde_json::Value;

use crate::number::{Floats, float_value};
use crate::problem::error_at;
use crate::scalar::{Scalar, resolve};
use crate::{Mode, YamlError, YamlErrorKind};

/// The value; within, why it has no form in JSON.
pub(crate) fn scalar_value(
    tag: Option<&str>,
    text: String,
    plain: bool,
    mark: Mark,
    (mode, floats): (Mode, Floats),
) -> Result<Result<Value, YamlError>, YamlError> {
    let short = tag.and_then(|tag| tag.strip_prefix("tag:yaml.org,2002:"));
    let resolved = match (tag, short) {
        (None, _) if !plain => Scalar::Str,
        (None, _) => resolve(&text, mode),
        (Some(_), Some("int" | "float" | "bool" | "null" | "timestamp")) => {
            tagged(short.unwrap_or_default(), &text, mark, mode)?
        }
        (Some(_), Some("binary")) => return binary(&text, mark).map(Ok),
        (Some(_), _) => Scalar::Str,
    };
    Ok(match resolved {
        Scalar::Null => Ok(Value::Null),
        Scalar::Bool(flag) => Ok(Value::Bool(flag)),
        Scalar::Int(integer) => Ok(Value::from(integer)),
        Scalar::Unsigned(integer) => Ok(Value::from(integer)),
        Scalar::Float(float) => float_value(float, floats).ok_or_else(|| {
            let shown = match float {
                f64::INFINITY => "+Inf",
                f64::NEG_INFINITY => "-Inf",
                _ => "NaN",
            };
            YamlError {
                go_message: format!("json: unsupported value: {shown}"),
                ..error_at(
                    mark,
                    YamlErrorKind::Value,
                    format!("unsupported value: {text} has no form in JSON (quote it to keep the text)"),
                )
            }
        }),
        Scalar::Timestamp | Scalar::Str => Ok(Value::String(text)),
    })
}

/// A scalar whose tag demands a type.
fn tagged(tag: &str, text: &str, mark: Mark, mode: Mode) -> Result<Scalar, YamlError> {
    let resolved = resolve(text, mode);
    match (tag, &resolved) {
        ("float", Scalar::Int(integer)) => {
            #[expect(clippy::cast_precision_loss, reason = "the tag asks for a float")]
            let float = *integer as f64;
            Ok(Scalar::Float(float))
        }
        _ if resolved.tag()[2..] == *tag => Ok(resolved),
        _ => {
            let message = format!("cannot decode {} `{text}` as a !!{tag}", resolved.tag());
            Err(error_at(mark, YamlErrorKind::Value, message))
        }
    }
}

fn binary(text: &str, mark: Mark) -> Result<Value, YamlError> {
    let config = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical);
    let compact: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    match GeneralPurpose::new(&base64::alphabet::STANDARD, config).decode(compact) {
        Ok(bytes) => Ok(Value::String(String::from_utf8_lossy(&bytes).into_owned())),
        Err(_) => Err(error_at(
            mark,
            YamlErrorKind::Value,
            "!!binary value contains invalid base64 data".to_owned(),
        )),
    }
}
