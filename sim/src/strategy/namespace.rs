//! Namespaces: the `kubernetes` finalizer and the label with their own name.

use serde_json::{Value, json};

use crate::fields::{child_mut, meta, metadata_mut};

/// A new namespace is held by the namespace controller and labelled with its name.
pub(super) fn prepare(object: &mut Value) {
    let spec = child_mut(object, "spec");
    let list = spec.entry("finalizers").or_insert_with(|| json!([]));
    if let Some(list) = list.as_array_mut()
        && !list.iter().any(|f| f == "kubernetes")
    {
        list.push(json!("kubernetes"));
    }
    label(object);
}

/// An update cannot take the finalizers away; only `finalize` can.
pub(super) fn keep(old: &Value, object: &mut Value) {
    super::keep(old, object, "spec");
    label(object);
}

fn label(object: &mut Value) {
    let name = meta(object, "name").to_owned();
    if name.is_empty() {
        return;
    }
    let labels = metadata_mut(object).entry("labels").or_insert_with(|| json!({}));
    if let Some(labels) = labels.as_object_mut() {
        labels.insert("kubernetes.io/metadata.name".into(), json!(name));
    }
}
