//! A few words for structural schemas.

use serde_json::{Map, Value, json};

/// Text.
pub(super) fn text() -> Value {
    json!({"type": "string"})
}

/// `true` or `false`.
pub(super) fn flag() -> Value {
    json!({"type": "boolean"})
}

/// A whole number.
pub(super) fn number() -> Value {
    json!({"type": "integer", "format": "int64"})
}

/// A time.
pub(super) fn time() -> Value {
    json!({"type": "string", "format": "date-time"})
}

/// Anything, kept as written.
pub(super) fn anything() -> Value {
    json!({"x-kubernetes-preserve-unknown-fields": true})
}

/// An object, kept as written.
pub(super) fn open() -> Value {
    json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

/// A list.
#[expect(clippy::needless_pass_by_value, reason = "schemas are written as nested calls")]
pub(super) fn list(items: Value) -> Value {
    json!({"type": "array", "items": items})
}

/// Texts by name.
pub(super) fn texts() -> Value {
    json!({"type": "object", "additionalProperties": text()})
}

/// An object with these fields, whose other fields are kept as written.
pub(super) fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    let properties: Map<String, Value> = fields
        .into_iter()
        .map(|(name, schema)| (name.to_owned(), schema))
        .collect();
    json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": properties})
}

/// With a sentence for `kubectl explain`.
pub(super) fn describe(mut schema: Value, description: &str) -> Value {
    schema["description"] = description.into();
    schema
}
