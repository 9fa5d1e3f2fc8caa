//! What an observation changed.

use std::collections::BTreeSet;
use std::sync::Arc;

use capstan_model::{ApplicationId, ResourceKey};

/// What one observation changed in the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Of which object.
    pub key: ResourceKey,
    /// Its identity after the change; before it, where the object is gone.
    pub uid: String,
    /// Identity of the object of the same name that was known before and is gone, where its going was not seen.
    pub replaced: Option<String>,
    /// What happened.
    pub kind: ChangeKind,
    /// Which application it says it belongs to.
    pub tracked_by: TrackedBy,
    /// Applications to look at: those that track the object or something that owns it, before or after. In order, each once.
    pub applications: Vec<ApplicationId>,
    /// Objects that own it, directly or not, before or after: what is told of them may rest on it. In order, each once.
    pub owners: Vec<ResourceKey>,
}

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It was not known.
    Added,
    /// It was known, and something of it is different. All three are false when only bookkeeping moved (such as a resourceVersion,
    /// owners or the mark of deletion).
    Updated {
        /// What comparisons look at: spec, data, labels, annotations, the fields we own.
        content: bool,
        /// Its health.
        health: bool,
        /// Its status, or its generation.
        status: bool,
    },
    /// It is gone, and that is proven.
    Removed,
    /// Nothing new: known already, older than what is known, or not an object.
    Unchanged,
}

/// Which application an object says it belongs to, before and after a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrackedBy {
    /// Before; `None` also for an object that was not known.
    pub before: Option<ApplicationId>,
    /// After; `None` also for an object that is gone.
    pub after: Option<ApplicationId>,
}

impl Change {
    pub(crate) fn unchanged(key: ResourceKey, uid: String) -> Self {
        Self {
            key,
            uid,
            replaced: None,
            kind: ChangeKind::Unchanged,
            tracked_by: TrackedBy::default(),
            applications: Vec::new(),
            owners: Vec::new(),
        }
    }

    /// Was there anything new?
    pub fn is_change(&self) -> bool {
        self.kind != ChangeKind::Unchanged
    }
}

/// What hangs on an object.
#[derive(Default)]
pub(crate) struct Above {
    pub(crate) applications: BTreeSet<Arc<ApplicationId>>,
    pub(crate) owners: BTreeSet<ResourceKey>,
}

impl Above {
    pub(crate) fn extend(&mut self, other: Self) {
        self.applications.extend(other.applications);
        self.owners.extend(other.owners);
    }

    pub(crate) fn applications(&self) -> Vec<ApplicationId> {
        let all = self.applications.iter();
        all.map(|application| (**application).clone()).collect()
    }

    pub(crate) fn owners(self) -> Vec<ResourceKey> {
        self.owners.into_iter().collect()
    }
}
