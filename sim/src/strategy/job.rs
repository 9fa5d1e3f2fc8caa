//! Jobs: the selector and labels that tie pods to their Job.

use serde_json::{Value, json};

use crate::fields::{child_mut, meta, metadata_mut};

/// A Job without a selector of its own gets one by its uid, and its pods the labels for it.
pub(super) fn prepare(object: &mut Value) {
    let (uid, name) = (meta(object, "uid").to_owned(), meta(object, "name").to_owned());
    let spec = child_mut(object, "spec");
    if spec.get("manualSelector") == Some(&json!(true)) {
        return;
    }
    let pods = json!({
        "batch.kubernetes.io/controller-uid": uid, "batch.kubernetes.io/job-name": name, "controller-uid": uid, "job-name": name,
    });
    if spec.get("selector").is_none_or(Value::is_null) {
        spec.insert(
            "selector".into(),
            json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}),
        );
    }
    let template = spec.entry("template").or_insert_with(|| json!({}));
    label(template, &pods);
    let own = object["spec"]["template"]["metadata"]["labels"].clone();
    default_labels(object, own);
}

fn label(object: &mut Value, labels: &Value) {
    let own = metadata_mut(object).entry("labels").or_insert_with(|| json!({}));
    if let (Some(own), Some(labels)) = (own.as_object_mut(), labels.as_object()) {
        own.extend(labels.iter().map(|(k, v)| (k.clone(), v.clone())));
    }
}

/// A Job without labels takes those of its pods.
fn default_labels(object: &mut Value, labels: Value) {
    let metadata = metadata_mut(object);
    if metadata
        .get("labels")
        .and_then(Value::as_object)
        .is_none_or(serde_json::Map::is_empty)
    {
        metadata.insert("labels".into(), labels);
    }
}
