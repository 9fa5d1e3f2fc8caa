//! Bodies in `application/vnd.kubernetes.protobuf`, which typed Go clients send: to the value their JSON would give.
//!
//! The problem: the wire names fields by number, and what Go writes without need (empty strings, zeros) must not become something the
//! client said. Numbers, JSON names and what `omitempty` leaves out are facts in `table.txt`, written from the Go types by
//! `tests/oracles/kubernetes/schema --protobuf`. Pointer fields are on the wire only when they are set, so that a zero of theirs is kept.
//! The value then goes the way of a JSON body: same checks, same typed decoding.
//!
//! Table format, a line each: `T <type>`, then `<number>:<JSON name>:<shape>` for every field. An empty name: the fields of its message
//! are the outer object's. `/` and the Go name after a name where it is not the JSON name with a capital. `?` before a shape: left out when zero. Shapes: `[]` list, `{}` map, a scalar, the name of a type, or one of
//! the messages with a JSON form of their own: `time`, `microtime`, `quantity`, `intstr`, `raw` (embedded JSON), `items` (a list).
//!
//! Deliberately absent: encoding. Answers are JSON, which every client of this format accepts too.

mod message;
mod table;
mod wire;

use serde_json::Value;

use self::wire::{Raw, Wire};

/// The media type.
pub(crate) const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";

const PREFIX: &[u8] = b"k8s\0";

const OPTIONS: &str = "DeleteOptions";

/// A body that is no object; the text is the server's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct ProtobufError {
    /// The `apiVersion` and `kind` the body claims (or defaults to), when it could be read so far.
    pub(crate) claimed: Option<(String, String)>,
    /// What is wrong.
    pub(crate) message: String,
}

/// `runtime.Unknown`: an object with its kind beside it.
#[derive(Default)]
struct Envelope<'a> {
    api_version: String,
    kind: String,
    raw: &'a [u8],
}

/// Whether the server could read this kind from this format: custom kinds it cannot.
pub(crate) fn knows(api_version: &str, kind: &str) -> bool {
    message_of(api_version, kind).is_some()
}

/// Decodes a body. The kind it leaves out is the expected one; another version of it than the expected is not refused here.
///
/// # Errors
/// [`ProtobufError`] when it is no such body, is truncated, or is of another kind.
pub(crate) fn decode(bytes: &[u8], api_version: &str, kind: &str) -> Result<Value, ProtobufError> {
    let refused = |message: String| ProtobufError { claimed: None, message };
    let Some(body) = bytes.strip_prefix(PREFIX) else {
        return Err(refused(match bytes {
            [] => "empty data".into(),
            _ => "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]".into(),
        }));
    };
    if body.is_empty() {
        return Err(refused("empty body".into()));
    }
    let mut envelope = envelope(body).map_err(refused)?;
    if envelope.api_version.is_empty() {
        envelope.api_version = api_version.into();
    }
    if envelope.kind.is_empty() {
        envelope.kind = kind.into();
    }
    let claimed = Some((envelope.api_version.clone(), envelope.kind.clone()));
    let refused = |message: String| ProtobufError { claimed, message };
    let Some(of) = message_of(&envelope.api_version, &envelope.kind) else {
        return Err(refused(format!(
            "no kind {:?} is registered for version {:?} in scheme \"pkg/runtime/scheme.go:111\"",
            envelope.kind, envelope.api_version
        )));
    };
    let mut object = match message::object(of, envelope.raw, 0) {
        Ok(object) => object,
        Err(message) => return Err(refused(message)),
    };
    // A deletion says in its own words that these are no options.
    let other = envelope.kind != kind && kind != OPTIONS;
    if let Some(into) = message_of(api_version, kind).filter(|_| other) {
        return Err(refused(unconvertible(&envelope.api_version, of, into)));
    }
    object.insert("apiVersion".into(), envelope.api_version.into());
    object.insert("kind".into(), envelope.kind.into());
    Ok(Value::Object(object))
}

/// How the server refuses an object of another kind that it knows.
fn unconvertible(api_version: &str, of: &table::Message, into: &table::Message) -> String {
    let version = crate::registry::split_api_version(api_version).1;
    let group = into.name.split('.').next().unwrap_or_default();
    format!(
        "converting ({version}.{}) to ({group}.{}): unknown conversion",
        of.short(),
        into.short()
    )
}

fn message_of(api_version: &str, kind: &str) -> Option<&'static table::Message> {
    match capstan_model::schema::kind(api_version, kind) {
        Some(of) => table::named(of.name),
        // Every group has these options in each of its versions.
        None if kind == OPTIONS => table::named("meta.v1.DeleteOptions"),
        None => None,
    }
}

fn envelope(bytes: &[u8]) -> Result<Envelope<'_>, String> {
    let mut out = Envelope::default();
    let mut wire = Wire::new(bytes, "Unknown");
    while let Some(item) = wire.next()? {
        match item.number {
            1 => type_meta(delimited(item.value, "TypeMeta")?, &mut out)?,
            2 => out.raw = delimited(item.value, "Raw")?,
            _ => {}
        }
    }
    Ok(out)
}

fn type_meta(bytes: &[u8], into: &mut Envelope<'_>) -> Result<(), String> {
    let mut wire = Wire::new(bytes, "TypeMeta");
    while let Some(item) = wire.next()? {
        match item.number {
            1 => into.api_version = String::from_utf8_lossy(delimited(item.value, "APIVersion")?).into_owned(),
            2 => into.kind = String::from_utf8_lossy(delimited(item.value, "Kind")?).into_owned(),
            _ => {}
        }
    }
    Ok(())
}

fn delimited<'a>(raw: Raw<'a>, name: &str) -> Result<&'a [u8], String> {
    match raw {
        Raw::Bytes(bytes) => Ok(bytes),
        other => Err(format!(
            "proto: wrong wireType = {} for field {name}",
            other.wire_type()
        )),
    }
}

#[cfg(test)]
mod tests;
