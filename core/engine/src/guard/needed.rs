//! A Namespace or a definition that nothing declares any more, and that what is declared needs.
//!
//! Prevents: a Namespace whose manifest gave way to `CreateNamespace=true`, or was forgotten, pruned by the very sync that writes objects into
//! it; a definition pruned with the objects of its kind that Git declares. Argo CD prunes both. There is nothing to approve: a commit, or
//! an option, says that it is needed, and another one says that it is not.

use capstan_model::{GroupKind, ResourceKey};
use serde_json::Value;

use crate::sabotage::{self, Sabotage};
use crate::targets::Targets;

/// Why what is declared needs the object of this key, which is not. `home` is the namespace that `CreateNamespace=true` makes; `live` is
/// asked only for a definition.
pub(crate) fn need(
    key: &ResourceKey,
    live: impl FnOnce() -> Option<Value>,
    targets: &Targets,
    home: Option<&str>,
) -> Option<String> {
    if sabotage::is(Sabotage::ForgetsNeeded) {
        return None;
    }
    let objects = || targets.objects().iter().map(|target| &target.key);
    match (key.group.as_str(), key.kind.as_str()) {
        ("", "Namespace") if is_home(key, home) => {
            Some("left as it is: CreateNamespace=true says that it has to be there".to_owned())
        }
        ("", "Namespace") => {
            let user = objects().find(|user| user.namespace == key.name)?;
            Some(format!("left as it is: {user} is declared in it"))
        }
        ("apiextensions.k8s.io", "CustomResourceDefinition") => {
            let live = live()?;
            let text = |pointer| live.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            let kind = GroupKind::new(text("/spec/group"), text("/spec/names/kind"));
            let user = objects().find(|user| user.group_kind() == kind)?;
            Some(format!("left as it is: {user} of its kind is declared"))
        }
        _ => None,
    }
}

/// Is it the namespace that `CreateNamespace=true` makes?
pub(crate) fn is_home(key: &ResourceKey, home: Option<&str>) -> bool {
    key.group.is_empty() && key.kind == "Namespace" && home == Some(key.name.as_str())
}
