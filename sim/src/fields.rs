//! Small readers and writers of object metadata, so that the verbs say what they mean.

use capstan_model::Timestamp;
use serde_json::{Map, Value, json};

/// A string at a path of keys; empty when absent or no string.
pub fn text<'a>(object: &'a Value, path: &[&str]) -> &'a str {
    at(object, path).and_then(Value::as_str).unwrap_or_default()
}

/// The value at a path of keys.
pub fn at<'a>(object: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(object, |value, key| value.get(key))
}

/// A field of `metadata` as text; empty when absent.
pub fn meta<'a>(object: &'a Value, field: &str) -> &'a str {
    text(object, &["metadata", field])
}

/// The object's version as a number; 0 when it has none.
pub fn revision(object: &Value) -> u64 {
    meta(object, "resourceVersion").parse().unwrap_or(0)
}

/// `metadata`, made when absent.
pub fn metadata_mut(object: &mut Value) -> &mut Map<String, Value> {
    child_mut(object, "metadata")
}

/// The object under `key`, made when absent or of another type. A value that is no object becomes one.
pub fn child_mut<'a>(object: &'a mut Value, key: &str) -> &'a mut Map<String, Value> {
    as_map(as_map(object).entry(key).or_insert_with(|| json!({})))
}

/// The value as an object; anything else becomes an empty one.
pub(crate) fn as_map(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = json!({});
    }
    match value {
        Value::Object(map) => map,
        _ => unreachable!("made an object above"),
    }
}

/// Whether the object is marked for deletion.
pub fn is_going(object: &Value) -> bool {
    !meta(object, "deletionTimestamp").is_empty()
}

/// The object's finalizers.
pub fn finalizers(object: &Value) -> Vec<String> {
    let list = at(object, &["metadata", "finalizers"]).and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(|v| v.as_str().map(str::to_owned))
        .collect()
}

/// Writes the finalizers; none removes the field.
pub(crate) fn set_finalizers(object: &mut Value, finalizers: &[String]) {
    let metadata = metadata_mut(object);
    if finalizers.is_empty() {
        metadata.remove("finalizers");
    } else {
        metadata.insert("finalizers".into(), json!(finalizers));
    }
}

/// A time as Kubernetes writes it: RFC 3339, UTC, whole seconds.
pub fn time(now: Timestamp) -> Value {
    json!(now.truncated().to_string())
}
