//! What must be true before something is deleted.

mod permit;
mod witness;

use capstan_model::ResourceKey;

/// Kinds that hold others' objects, or data: Namespace, CustomResourceDefinition, PersistentVolumeClaim, PersistentVolume.
pub(crate) fn is_protected(key: &ResourceKey) -> bool {
    match key.group.as_str() {
        "" => matches!(
            key.kind.as_str(),
            "Namespace" | "PersistentVolumeClaim" | "PersistentVolume"
        ),
        "apiextensions.k8s.io" => key.kind == "CustomResourceDefinition",
        _ => false,
    }
}

pub use permit::{DeletePermit, DeletePreconditions, DeleteRefusal};
pub(crate) use witness::{CompleteLive, CompleteRender};
