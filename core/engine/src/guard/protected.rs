//! Kinds that hold others' objects, or data: a prune of one cannot be undone by a revert.
//!
//! Prevents: a namespace, a definition or a claim that left Git by mistake, or by a rename, and took everything in it along. Argo CD prunes
//! them like a ConfigMap, unless each says `Prune=confirm`.

use capstan_model::ResourceKey;

use crate::sabotage::{self, Sabotage};

/// Namespace, CustomResourceDefinition, PersistentVolumeClaim, PersistentVolume.
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

/// Is it deleted and made anew by its own word only?
pub(crate) fn may_not_be_recreated(key: &ResourceKey) -> bool {
    is_protected(key) && !sabotage::is(Sabotage::RecreatesProtected)
}

/// Is what a hook of this kind made written over for its next run, and not deleted? A hook of such a kind does not run: it is there, and holds
/// things.
pub(crate) fn stays_between_runs(key: &ResourceKey) -> bool {
    is_protected(key) && !sabotage::is(Sabotage::RecreatesHolders)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_group_and_kind() {
        for (group, kind, is) in [
            ("", "Namespace", true),
            ("", "PersistentVolumeClaim", true),
            ("", "PersistentVolume", true),
            ("apiextensions.k8s.io", "CustomResourceDefinition", true),
            ("", "ConfigMap", false),
            ("a.io", "Namespace", false),
        ] {
            assert_eq!(
                is_protected(&ResourceKey::new(group, kind, "", "x")),
                is,
                "{group}/{kind}"
            );
        }
    }
}
