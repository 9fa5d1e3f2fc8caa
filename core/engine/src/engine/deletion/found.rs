//! What is live under the name of a hook of a deletion.

use capstan_live::Node;
use capstan_model::{ObjectMeta, Timestamp};

use super::super::operation::{hook_outcome, is_held};
use crate::machine::HookTask;

/// What is read of an object of a hook's name.
pub(super) struct Found {
    pub(super) uid: String,
    pub(super) operation: String,
    pub(super) is_deleting: bool,
    /// It is no run of any hook.
    pub(super) is_ordinary: bool,
    /// Argo CD's hook finalizer.
    pub(super) is_held: bool,
    pub(super) created_at: Option<Timestamp>,
    pub(super) outcome: Option<HookTask>,
    pub(super) message: String,
}

impl Found {
    pub(super) fn of(node: &Node) -> Self {
        let object = node.manifest().and_then(|manifest| manifest.value().ok());
        Self {
            is_ordinary: node.operation().is_none() && object.is_some_and(|object| !ObjectMeta::of(&object).is_hook),
            uid: node.uid(),
            operation: node.operation().unwrap_or_default().to_owned(),
            is_deleting: node.is_deleting(),
            is_held: is_held(node),
            created_at: node.created_at(),
            outcome: hook_outcome(node),
            message: node.health().map(|health| health.message).unwrap_or_default(),
        }
    }
}
