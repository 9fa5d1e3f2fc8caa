//! The right to delete one object, and its last check.

use std::collections::BTreeSet;

use capstan_model::annotations::{INSTALLATION_ID, TRACKING_ID};
use capstan_model::{DeleteOption, GroupVersionKind, ObjectMeta, PruneOption, ResourceKey, SyncOptions};
use serde_json::Value;

use super::contents::{self, Content, Survey};
use super::fence::{Fence, LostLease};
use super::grounds::{DeleteReason, Grounds};
use super::hold::{Rule, of_contents};
use super::protected::is_protected;
use crate::sabotage::{self, Sabotage};

/// The right to delete one object of one identity. Built only inside the engine, from a complete render and a complete live view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletePermit {
    key: ResourceKey,
    gvk: GroupVersionKind,
    uid: String,
    grounds: Grounds,
    tracking_id: String,
    installation_id: String,
    /// Of a Namespace or a definition: what may go along with it. `None`: whatever is in it.
    contents: Option<BTreeSet<ResourceKey>>,
    /// A person has approved what this operation deletes.
    is_approved: bool,
    /// The lease that was held when it was given. `None`: there is no election.
    fence: Option<Fence>,
}

/// Objects that a refusal names before it counts the rest.
const NAMED: usize = 5;

/// Preconditions of the DELETE request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletePreconditions {
    /// UID of the live object.
    pub uid: String,
    /// resourceVersion of the read that was checked.
    pub resource_version: String,
}

/// The live object is not what the permit was given for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeleteRefusal {
    /// Another object has its name now.
    #[error("{key} was replaced: its UID is {live}, not {expected}")]
    Replaced {
        /// Which.
        key: Box<ResourceKey>,
        /// UID the permit was given for.
        expected: String,
        /// UID it has.
        live: String,
    },
    /// It is not tracked by this application (any more).
    #[error("{key} is not tracked by this application: its {annotation} is {live:?}, not {expected:?}")]
    NotTracked {
        /// Which.
        key: Box<ResourceKey>,
        /// The annotation.
        annotation: &'static str,
        /// What it must say.
        expected: String,
        /// What it says.
        live: String,
    },
    /// Another controller owns it.
    #[error("{key} is controlled by {owner}")]
    Owned {
        /// Which.
        key: Box<ResourceKey>,
        /// `Kind/name` of the owner.
        owner: String,
    },
    /// Objects that are not to be deleted would go along.
    #[error("{} not to be deleted would go along with {key}: {}", objects(*.count), .others.join(", "))]
    InUse {
        /// Which.
        key: Box<ResourceKey>,
        /// How many.
        count: usize,
        /// Some of them.
        others: Vec<String>,
    },
    /// What would go along could not be listed.
    #[error("it is not known what would go along with {key}: {reason}")]
    NotSurveyed {
        /// Which.
        key: Box<ResourceKey>,
        /// Why.
        reason: String,
    },
    /// Its own options forbid it.
    #[error("{key} says {option}")]
    Protected {
        /// Which.
        key: Box<ResourceKey>,
        /// The option.
        option: &'static str,
    },
    /// It wants to be asked about, as it stands now, and nobody was.
    #[error("{key} says {option}, and nobody has approved that it goes")]
    Unapproved {
        /// Which.
        key: Box<ResourceKey>,
        /// The option.
        option: &'static str,
    },
}

impl DeletePermit {
    pub(crate) fn new(
        key: ResourceKey,
        gvk: GroupVersionKind,
        uid: String,
        grounds: Grounds,
        tracking_id: String,
        installation_id: String,
    ) -> Self {
        Self {
            key,
            gvk,
            uid,
            grounds,
            tracking_id,
            installation_id,
            contents: None,
            is_approved: false,
            fence: None,
        }
    }

    /// Only these may go along with it.
    pub(crate) fn with_contents(mut self, ours: BTreeSet<ResourceKey>) -> Self {
        self.contents = Some(ours);
        self
    }

    /// Also if it wants to be asked about (`Prune=confirm`, `Delete=confirm`) where a person has approved it.
    pub(crate) fn with_approval(mut self, is_approved: bool) -> Self {
        self.is_approved = is_approved;
        self
    }

    /// Only as long as this lease is held.
    pub(crate) fn fenced(&mut self, fence: Option<Fence>) {
        self.fence = fence;
    }

    /// The lease that has to be read after everything else, right before the DELETE.
    pub fn fence(&self) -> Option<&Fence> {
        self.fence.as_ref()
    }

    /// Holds that lease against the permit; `None`: there is no such Lease.
    pub fn check_lease(&self, lease: Option<&Value>) -> Result<(), LostLease> {
        match &self.fence {
            Some(fence) if !sabotage::is(Sabotage::DeletesUnfenced) => fence.check(lease),
            _ => Ok(()),
        }
    }

    /// What has to be listed before the object, as it was just read, may be deleted.
    pub fn survey(&self, live: &Value) -> Option<Survey> {
        self.contents.as_ref()?;
        contents::survey(live)
    }

    /// Holds what was listed against the permit.
    pub fn check_contents(&self, found: &[Content]) -> Result<(), DeleteRefusal> {
        let Some(ours) = &self.contents else { return Ok(()) };
        in_use(&self.key, found, ours).map_or(Ok(()), Err)
    }

    /// What has to be listed cannot be: not known is not nothing.
    pub fn not_surveyed(&self, reason: impl Into<String>) -> DeleteRefusal {
        not_surveyed(&self.key, reason)
    }

    /// Which object.
    pub fn key(&self) -> &ResourceKey {
        &self.key
    }

    /// At which version to address it.
    pub fn gvk(&self) -> &GroupVersionKind {
        &self.gvk
    }

    /// Its identity.
    pub fn uid(&self) -> &str {
        &self.uid
    }

    /// Why it goes.
    pub fn grounds(&self) -> &Grounds {
        &self.grounds
    }

    /// Is what goes to be kept before it does? Hooks are made to go, but for those that hold things.
    pub fn keeps(&self) -> bool {
        self.grounds.reason != DeleteReason::Hook || is_protected(&self.key)
    }

    /// Holds the permit against the object as it was just read from the API (not from a cache). Only then the DELETE may be sent,
    /// with the preconditions that this gives.
    pub fn check(&self, live: &Value) -> Result<DeletePreconditions, DeleteRefusal> {
        let text = |pointer: &str| {
            live.pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let uid = text("/metadata/uid");
        if uid != self.uid {
            return Err(DeleteRefusal::Replaced {
                key: Box::new(self.key.clone()),
                expected: self.uid.clone(),
                live: uid,
            });
        }
        let expected = [
            (TRACKING_ID, self.tracking_id.as_str()),
            (INSTALLATION_ID, self.installation_id.as_str()),
        ];
        match refusal(&self.key, live, expected, (self.grounds.reason, self.is_approved)) {
            Some(refusal) => Err(refusal),
            // What is stored of it goes along all the same.
            None if of_contents(&self.key).is_some() && self.contents.is_some() && self.survey(live).is_none() => {
                Err(self.not_surveyed("no version of its kind is served, so that nothing of it can be listed"))
            }
            None if sabotage::is(Sabotage::NoPreconditions) => Ok(DeletePreconditions {
                uid: String::new(),
                resource_version: String::new(),
            }),
            None => Ok(DeletePreconditions {
                uid,
                resource_version: text("/metadata/resourceVersion"),
            }),
        }
    }
}

/// Why an object, as it was just read, may not be deleted for `reason`, approved by a person or not. `expected` is what its annotations must say, by their names; an
/// empty text is not asked for.
pub(crate) fn refusal(
    key: &ResourceKey,
    live: &Value,
    expected: [(&'static str, &str); 2],
    (reason, is_approved): (DeleteReason, bool),
) -> Option<DeleteRefusal> {
    let boxed = || Box::new(key.clone());
    let annotations = live.pointer("/metadata/annotations");
    let found = |annotation: &str| {
        annotations
            .and_then(|all| all.get(annotation)?.as_str())
            .unwrap_or_default()
    };
    let other = expected.into_iter().find(|(annotation, expected)| {
        let is_other = !expected.is_empty() && found(annotation) != *expected;
        let is_waived = *annotation == INSTALLATION_ID && sabotage::is(Sabotage::IgnoresInstallation);
        is_other && !is_waived && !sabotage::is(Sabotage::DeletesUntracked)
    });
    if let Some((annotation, expected)) = other {
        return Some(DeleteRefusal::NotTracked {
            key: boxed(),
            annotation,
            expected: expected.to_owned(),
            live: found(annotation).to_owned(),
        });
    }
    if let Some(owner) = controller(live).filter(|_| !sabotage::is(Sabotage::DeletesOwned)) {
        return Some(DeleteRefusal::Owned { key: boxed(), owner });
    }
    let options = ObjectMeta::of(live).sync_options;
    let protection = match reason {
        _ if sabotage::is(Sabotage::DeletesProtected) => None,
        DeleteReason::Cascade if sabotage::is(Sabotage::DeletesKept) => None,
        DeleteReason::Prune | DeleteReason::Convert if options.prune == Some(PruneOption::Never) => Some("Prune=false"),
        DeleteReason::Cascade if options.delete == Some(DeleteOption::Never) => Some("Delete=false"),
        _ => None,
    };
    let protected = protection.map(|option| DeleteRefusal::Protected { key: boxed(), option });
    protected.or_else(|| {
        let option = unapproved(&options, reason).filter(|_| !is_approved)?;
        Some(DeleteRefusal::Unapproved { key: boxed(), option })
    })
}

/// The option by which an object wants to be asked about before it is deleted for `reason`.
fn unapproved(options: &SyncOptions, reason: DeleteReason) -> Option<&'static str> {
    match reason {
        DeleteReason::Prune | DeleteReason::Convert => {
            let asks = options.prune == Some(PruneOption::Confirm) && !sabotage::is(Sabotage::PrunesUnconfirmed);
            asks.then_some("Prune=confirm")
        }
        DeleteReason::Cascade => {
            let asks = options.delete == Some(DeleteOption::Confirm) && !sabotage::is(Sabotage::DeletesUnconfirmed);
            asks.then_some("Delete=confirm")
        }
        DeleteReason::Recreate | DeleteReason::Hook => None,
    }
}

/// Why an object may not be deleted with what is in it, of which only `ours` may go along.
pub(crate) fn in_use(key: &ResourceKey, found: &[Content], ours: &BTreeSet<ResourceKey>) -> Option<DeleteRefusal> {
    let others = contents::others(found, ours);
    (!others.is_empty()).then(|| DeleteRefusal::InUse {
        key: Box::new(key.clone()),
        count: others.len(),
        others: others.iter().take(NAMED).map(ToString::to_string).collect(),
    })
}

/// What would go along could not be listed.
pub(crate) fn not_surveyed(key: &ResourceKey, reason: impl Into<String>) -> DeleteRefusal {
    DeleteRefusal::NotSurveyed {
        key: Box::new(key.clone()),
        reason: reason.into(),
    }
}

impl DeleteRefusal {
    /// The rule that holds, when the object may be deleted once that is approved or its reason is gone.
    pub(crate) fn rule(&self) -> Option<Rule> {
        match self {
            Self::InUse { key, .. } | Self::NotSurveyed { key, .. } => of_contents(key),
            Self::Replaced { .. }
            | Self::NotTracked { .. }
            | Self::Owned { .. }
            | Self::Protected { .. }
            | Self::Unapproved { .. } => None,
        }
    }
}

fn objects(count: usize) -> String {
    match count {
        1 => "1 object that is".to_owned(),
        more => format!("{more} objects that are"),
    }
}

fn controller(live: &Value) -> Option<String> {
    let owners = live.pointer("/metadata/ownerReferences")?.as_array()?;
    let owner = owners
        .iter()
        .find(|owner| owner.get("controller") == Some(&Value::Bool(true)))?;
    let text = |field: &str| owner.get(field).and_then(Value::as_str).unwrap_or_default();
    Some(format!("{}/{}", text("kind"), text("name")))
}
