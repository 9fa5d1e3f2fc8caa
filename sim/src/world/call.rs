//! One request to a resource, as the verbs see it: who, what, in which form, with which options.

use std::sync::Arc;

use capstan_model::Timestamp;
use serde_json::Value;

use crate::decode::{self, Decoded};
use crate::protobuf;
use crate::registry::{ResourceType, api_version};
use crate::request::{Body, Request, User};
use crate::status::{ApiError, Cause};
use crate::store::ObjectName;

/// How strictly unknown and duplicate fields are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldValidation {
    /// Drop them silently.
    Ignore,
    /// Drop them with a warning.
    Warn,
    /// Refuse the request.
    Strict,
}

/// A request to one resource.
#[derive(Debug)]
pub(crate) struct Call<'r> {
    pub(crate) now: Timestamp,
    pub(crate) request: &'r Request,
    pub(crate) id: String,
    pub(crate) user: User,
    pub(crate) verb: &'static str,
    pub(crate) resource: Arc<ResourceType>,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) subresource: String,
    pub(crate) dry_run: bool,
    pub(crate) manager: String,
    pub(crate) validation: FieldValidation,
    pub(crate) warnings: Vec<String>,
    /// Ownership of an object that an apply creates.
    pub(crate) owned: Option<Value>,
}

impl Call<'_> {
    /// The same call with another body.
    pub(crate) fn with_body<'n>(&self, request: &'n Request) -> Call<'n> {
        Call {
            now: self.now,
            request,
            id: self.id.clone(),
            user: self.user.clone(),
            verb: self.verb,
            resource: self.resource.clone(),
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            subresource: self.subresource.clone(),
            dry_run: self.dry_run,
            manager: self.manager.clone(),
            validation: self.validation,
            warnings: Vec::new(),
            owned: None,
        }
    }

    /// The stored name of the object called.
    pub(crate) fn object_name(&self) -> ObjectName {
        ObjectName::new(&self.namespace, &self.name)
    }

    /// 404 of the object called.
    pub(crate) fn not_found(&self) -> ApiError {
        self.resource.not_found(&self.name)
    }

    /// Adds a warning of the server.
    pub(crate) fn warn(&mut self, text: &str) {
        self.warnings.push(format!("299 - {:?}", text));
    }

    /// The raw body as text.
    pub(crate) fn raw_body(&self) -> Vec<u8> {
        match &self.request.body {
            Body::Empty => Vec::new(),
            Body::Bytes(bytes) => bytes.clone(),
            Body::Json(value) => value.to_string().into_bytes(),
        }
    }

    /// Whether a body was sent.
    pub(crate) fn has_body(&self) -> bool {
        match &self.request.body {
            Body::Empty => false,
            Body::Bytes(bytes) => !bytes.is_empty(),
            Body::Json(_) => true,
        }
    }

    /// The content type without parameters.
    pub(crate) fn content_type(&self) -> &str {
        let full = self.request.content_type.as_deref().unwrap_or("application/json");
        full.split(';').next().unwrap_or(full).trim()
    }

    /// The body as an object of `kind` in `group/version`: JSON, YAML or protobuf, with its kind checked and set. Duplicate fields warn or refuse.
    pub(crate) fn object(&mut self, group: &str, version: &str, kind: &str) -> Result<Value, ApiError> {
        let expected = api_version(group, version);
        let decoded = self.decoded(&expected, kind)?;
        let mut value = decoded.value;
        check_kind(&value, &expected, kind)?;
        if let Some(map) = value.as_object_mut() {
            map.insert("apiVersion".into(), expected.into());
            map.insert("kind".into(), kind.into());
        }
        if !decoded.duplicates.is_empty() {
            self.duplicates(&decoded.duplicates, version, kind)?;
        }
        Ok(value)
    }

    fn duplicates(&mut self, paths: &[String], version: &str, kind: &str) -> Result<(), ApiError> {
        let texts: Vec<String> = paths.iter().map(|path| format!("duplicate field {path:?}")).collect();
        self.strict_problems(&texts, &api_version(&self.resource.group.clone(), version), kind)
    }

    /// Problems of the strict decoding: nothing, warnings or a refusal, by `fieldValidation`.
    pub(crate) fn strict_problems(&mut self, problems: &[String], version: &str, kind: &str) -> Result<(), ApiError> {
        match self.validation {
            _ if problems.is_empty() => {}
            FieldValidation::Ignore => {}
            FieldValidation::Warn => problems.iter().for_each(|text| self.warn(text)),
            FieldValidation::Strict => {
                let list = problems.join(", ");
                return Err(ApiError::bad_request(format!(
                    "{kind} in version {version:?} cannot be handled as a {kind}: strict decoding error: {list}"
                )));
            }
        }
        Ok(())
    }

    /// The body as a value, whatever it is an object of; `kind` in `expected` where it does not say.
    fn decoded(&self, expected: &str, kind: &str) -> Result<Decoded, ApiError> {
        if let Body::Json(value) = &self.request.body {
            return match value {
                Value::Object(_) => Ok(Decoded {
                    value: value.clone(),
                    duplicates: Vec::new(),
                }),
                other => unrecognized(other, kind, other.to_string().as_bytes()),
            };
        }
        let bytes = self.raw_body();
        match self.content_type() {
            "application/json" | "" => decode_json(&bytes, kind),
            "application/yaml" => decode_yaml(&bytes, kind),
            protobuf::MEDIA_TYPE if protobuf::knows(expected, kind) => decode_protobuf(&bytes, expected, kind),
            _ => {
                let formats = match protobuf::knows(expected, kind) {
                    true => "application/json, application/yaml, application/vnd.kubernetes.protobuf",
                    false => "application/json, application/yaml",
                };
                Err(ApiError::new(
                    415,
                    "UnsupportedMediaType",
                    format!(
                        "the body of the request was in an unknown format - accepted media types include: {formats}"
                    ),
                ))
            }
        }
    }

    /// Checks the options every write has: `dryRun`, `fieldManager`, `fieldValidation`. `options` is the kind errors speak of.
    pub(crate) fn check_write_options(&self, options: &str) -> Result<(), ApiError> {
        let mut causes = Vec::new();
        let dry_runs = self.request.query.iter().filter(|(key, _)| key == "dryRun");
        for (_, value) in dry_runs.filter(|(_, value)| value != "All") {
            let message = format!("Unsupported value: {value:?}: supported values: \"All\"");
            causes.push(Cause::field("FieldValueNotSupported", "dryRun", message));
        }
        if options != "DeleteOptions" {
            causes.extend(manager_causes(
                self.request.parameter("fieldManager").unwrap_or_default(),
            ));
            let validation = self.request.parameter("fieldValidation").unwrap_or_default();
            if !matches!(validation, "" | "Ignore" | "Warn" | "Strict") {
                let message = format!(
                    "Unsupported value: {validation:?}: supported values: \"\", \"Ignore\", \"Strict\", \"Warn\""
                );
                causes.push(Cause::field("FieldValueNotSupported", "fieldValidation", message));
            }
        }
        if causes.is_empty() {
            Ok(())
        } else {
            Err(ApiError::invalid("meta.k8s.io", options, "", causes))
        }
    }
}

fn manager_causes(manager: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    if manager.len() > 128 {
        causes.push(Cause::field(
            "FieldValueTooLong",
            "fieldManager",
            "Too long: may not be more than 128 bytes",
        ));
    }
    if manager.chars().any(char::is_control) {
        let message = format!("Invalid value: {manager:?}: should only contain printable characters");
        causes.push(Cause::field("FieldValueInvalid", "fieldManager", message));
    }
    causes
}

fn check_kind(value: &Value, expected: &str, kind: &str) -> Result<(), ApiError> {
    let sent_version = value.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
    let sent_kind = value.get("kind").and_then(Value::as_str).unwrap_or_default();
    if !sent_kind.is_empty() && sent_kind != kind {
        let version = if sent_version.is_empty() {
            expected
        } else {
            sent_version
        };
        return Err(ApiError::bad_request(format!(
            "{sent_kind} in version {:?} cannot be handled as a {kind}: no kind {sent_kind:?} is registered for version {version:?} \
             in scheme \"pkg/api/legacyscheme/scheme.go:30\"",
            crate::registry::split_api_version(version).1,
        )));
    }
    let known = sent_version == expected || capstan_model::schema::kind(sent_version, kind).is_some();
    let built_in = capstan_model::schema::kind(expected, kind).is_some();
    if !sent_version.is_empty() && !known && built_in {
        return Err(ApiError::bad_request(format!(
            "{kind} in version {:?} cannot be handled as a {kind}: no kind {kind:?} is registered for version {sent_version:?} \
             in scheme \"pkg/runtime/scheme.go:111\"",
            crate::registry::split_api_version(sent_version).1,
        )));
    }
    if !sent_version.is_empty() && sent_version != expected {
        return Err(ApiError::bad_request(format!(
            "the API version in the data ({sent_version}) does not match the expected API version ({expected})"
        )));
    }
    Ok(())
}

fn decode_json(bytes: &[u8], kind: &str) -> Result<Decoded, ApiError> {
    let decoded = decode::json(bytes).map_err(|error| {
        ApiError::bad_request(format!(
            "the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; json parse error: {error} ({})",
            excerpt(bytes)
        ))
    })?;
    match &decoded.value {
        Value::Object(_) => Ok(decoded),
        other => unrecognized(other, kind, bytes),
    }
}

fn decode_yaml(bytes: &[u8], kind: &str) -> Result<Decoded, ApiError> {
    let value = yaml(bytes).map_err(|error| {
        ApiError::bad_request(format!(
            "the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; {error} ({})",
            excerpt(bytes)
        ))
    })?;
    match value {
        Value::Object(_) => Ok(Decoded {
            value,
            duplicates: Vec::new(),
        }),
        other => unrecognized(&other, kind, bytes),
    }
}

/// A body in protobuf; one that is none is refused as the server refuses it.
fn decode_protobuf(bytes: &[u8], expected: &str, kind: &str) -> Result<Decoded, ApiError> {
    let value = protobuf::decode(bytes, expected, kind).map_err(|error| {
        ApiError::bad_request(match &error.claimed {
            Some((version, claimed)) => format!(
                "{claimed} in version {:?} cannot be handled as a {kind}: {error}",
                crate::registry::split_api_version(version).1
            ),
            None => format!(
                "the object provided is unrecognized (must be of type {kind}): {error} ({})",
                excerpt(bytes)
            ),
        })
    })?;
    Ok(Decoded {
        value,
        duplicates: Vec::new(),
    })
}

/// One YAML document as a value. JSON is YAML too and takes the shorter way.
pub(crate) fn yaml(bytes: &[u8]) -> Result<Value, String> {
    if bytes.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{') {
        return decode::json(bytes)
            .map(|decoded| decoded.value)
            .map_err(|error| error.message);
    }
    let text = std::str::from_utf8(bytes).map_err(|e| format!("yaml: {e}"))?;
    capstan_yaml::parse_one(text, capstan_yaml::Mode::Kube11).map_err(|e| format!("yaml: {e}"))
}

fn unrecognized(value: &Value, kind: &str, bytes: &[u8]) -> Result<Decoded, ApiError> {
    let what = match value {
        Value::Array(_) => "array",
        Value::String(_) => "string",
        Value::Number(_) => "number",
        Value::Bool(_) => "bool",
        Value::Null | Value::Object(_) => "null",
    };
    Err(ApiError::bad_request(format!(
        "the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; json parse error: json: cannot \
         unmarshal {what} into Go value of type struct {{ APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \
         \"json:\\\"kind,omitempty\\\"\" }} ({})",
        excerpt(bytes)
    )))
}

/// The start of a body as the server shows it: text when it could be an object, else hexadecimal.
fn excerpt(bytes: &[u8]) -> String {
    const SHOWN: usize = 30;
    let start = bytes.get(..SHOWN).unwrap_or(bytes);
    let mut out = match bytes.first() {
        None => return "<empty>".to_owned(),
        Some(b'{') => String::from_utf8_lossy(start).into_owned(),
        Some(_) => start.iter().map(|b| format!("{b:02x}")).collect(),
    };
    if bytes.len() > SHOWN {
        out.push_str(" ...");
    }
    out
}
