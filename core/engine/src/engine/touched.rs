//! What happened to an application since its last step: what that step has to look at.
//!
//! **Invariant.** What is not touched is as the last step left it. So a step that looks at what is touched gives what one that looks at
//! everything would give; a property test holds the two against each other.

use std::collections::BTreeSet;

use capstan_model::{GroupKind, ResourceKey};

/// Objects to look at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Touched {
    /// Every one: the cluster, the project or the application itself changed.
    pub(crate) all: bool,
    pub(crate) keys: BTreeSet<ResourceKey>,
    /// Kinds of which it may be another thing now that an object is absent.
    pub(crate) kinds: BTreeSet<GroupKind>,
}

impl Touched {
    pub(crate) fn everything() -> Self {
        Self {
            all: true,
            ..Self::default()
        }
    }
}

/// From the first key that there may be of a kind.
pub(crate) fn first_of(kind: &GroupKind) -> ResourceKey {
    ResourceKey::new(&kind.group, &kind.kind, "", "")
}

/// Is it of this kind? By which the keys from [`first_of`] on end.
pub(crate) fn is_of(key: &ResourceKey, kind: &GroupKind) -> bool {
    key.group == kind.group && key.kind == kind.kind
}
