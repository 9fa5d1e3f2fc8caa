//! A digest of what comparisons look at.

use capstan_model::{CLIENT_SIDE_MANAGERS, Digest, FIELD_MANAGERS};
use serde_json::Value;

/// Metadata that a server writes by itself, and that no comparison looks at.
const SERVER_METADATA: [&str; 7] = [
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
];

/// Equal for two observations of an object that compare equally with everything: without status and without what the server itself
/// writes into metadata, but with the sets of fields that we own or that are to be handed over to us, because a field which is ours and no
/// longer declared is a difference. Nothing is copied.
pub fn content_digest(object: &Value) -> Digest {
    let mut parts = Vec::new();
    for (name, value) in object.as_object().into_iter().flatten() {
        match name.as_str() {
            "status" => {}
            "metadata" => metadata(value, &mut parts),
            _ => push(&mut parts, name, value),
        }
    }
    Digest::of_all(parts)
}

/// Was anything of the object applied by us, or by Argo CD before us?
pub fn is_applied(object: &Value) -> bool {
    let entries = object.pointer("/metadata/managedFields").and_then(Value::as_array);
    entries.into_iter().flatten().any(|entry| {
        let manager = entry.get("manager").and_then(Value::as_str);
        entry.get("operation").and_then(Value::as_str) == Some("Apply")
            && manager.is_some_and(|manager| FIELD_MANAGERS.contains(&manager))
    })
}

fn metadata(metadata: &Value, parts: &mut Vec<Digest>) {
    for (name, value) in metadata.as_object().into_iter().flatten() {
        if !SERVER_METADATA.contains(&name.as_str()) {
            push(parts, name, value);
        }
    }
    for entry in metadata
        .get("managedFields")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let is_ours = entry
            .get("manager")
            .and_then(Value::as_str)
            .is_some_and(|manager| FIELD_MANAGERS.contains(&manager) || CLIENT_SIDE_MANAGERS.contains(&manager));
        if let Some(fields) = entry.get("fieldsV1").filter(|_| is_ours) {
            let operation = entry.get("operation").and_then(Value::as_str).unwrap_or_default();
            push(parts, operation, fields);
        }
    }
}

fn push(parts: &mut Vec<Digest>, name: &str, value: &Value) {
    parts.push(Digest::of_bytes(name.as_bytes()));
    parts.push(Digest::of_json(value));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object() -> Value {
        json!({
            "kind": "Deployment",
            "metadata": {"name": "web", "resourceVersion": "7", "generation": 1, "labels": {"a": "b"},
                "managedFields": [
                    {"manager": "capstan", "operation": "Apply", "time": "2026-01-01T00:00:00Z", "fieldsV1": {"f:spec": {}}},
                    {"manager": "kubelet", "operation": "Update", "fieldsV1": {"f:status": {}}}]},
            "spec": {"replicas": 1},
            "status": {"replicas": 1}
        })
    }

    #[test]
    fn what_the_server_writes_does_not_count() {
        let mut other = object();
        other["metadata"]["resourceVersion"] = json!("8");
        other["metadata"]["generation"] = json!(2);
        other["status"]["replicas"] = json!(3);
        other["metadata"]["managedFields"][0]["time"] = json!("2026-02-02T00:00:00Z");
        other["metadata"]["managedFields"][1]["fieldsV1"] = json!({"f:status": {"f:x": {}}});
        assert_eq!(content_digest(&object()), content_digest(&other));
    }

    #[test]
    fn spec_labels_and_owned_fields_count() {
        for (pointer, value) in [
            ("/spec/replicas", json!(2)),
            ("/metadata/labels/a", json!("c")),
            (
                "/metadata/managedFields/0/fieldsV1",
                json!({"f:spec": {"f:replicas": {}}}),
            ),
        ] {
            let mut other = object();
            *other.pointer_mut(pointer).expect("the pointer is in the object") = value;
            assert_ne!(content_digest(&object()), content_digest(&other), "{pointer}");
        }
    }
}
