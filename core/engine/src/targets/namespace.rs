//! The namespace that `CreateNamespace=true` makes.

use capstan_model::ManagedNamespaceMetadata;
use serde_json::{Value, json};

/// It as it is applied: without a tracking id, so that it is never pruned and never deleted with the application.
pub(crate) fn namespace_object(name: &str, metadata: Option<&ManagedNamespaceMetadata>) -> Value {
    let mut object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    let Some(metadata) = metadata else { return object };
    if !metadata.labels.is_empty() {
        object["metadata"]["labels"] = json!(metadata.labels);
    }
    if !metadata.annotations.is_empty() {
        object["metadata"]["annotations"] = json!(metadata.annotations);
    }
    object
}
