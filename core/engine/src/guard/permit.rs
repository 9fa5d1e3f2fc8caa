//! The right to delete one object, and its last check.

use capstan_model::annotations::{INSTALLATION_ID, TRACKING_ID};
use capstan_model::{DeleteOption, GroupVersionKind, ObjectMeta, PruneOption, ResourceKey};
use serde_json::Value;

use crate::sabotage::{self, Sabotage};
/// The right to delete one object of one identity. Built only inside the engine, from a complete render and a complete live view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletePermit {
    key: ResourceKey,
    gvk: GroupVersionKind,
    uid: String,
    reason: DeleteReason,
    tracking_id: String,
    installation_id: String,
}

/// Why an object is to be deleted: which of its own options may forbid it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeleteReason {
    /// It is no longer in the source.
    Prune,
    /// Its application is deleted with cascade.
    Cascade,
    /// It is a hook whose delete policy says so.
    Hook,
}

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
    /// Its own options forbid it.
    #[error("{key} says {option}")]
    Protected {
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
        reason: DeleteReason,
        tracking_id: String,
        installation_id: String,
    ) -> Self {
        Self {
            key,
            gvk,
            uid,
            reason,
            tracking_id,
            installation_id,
        }
    }

    /// Which object.
    pub fn key(&self) -> &ResourceKey {
        &self.key
    }

    /// At which version to address it.
    pub fn gvk(&self) -> &GroupVersionKind {
        &self.gvk
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
        let key = || Box::new(self.key.clone());
        let uid = text("/metadata/uid");
        if uid != self.uid {
            return Err(DeleteRefusal::Replaced {
                key: key(),
                expected: self.uid.clone(),
                live: uid,
            });
        }
        let annotations = live.pointer("/metadata/annotations");
        for (annotation, expected) in [
            (TRACKING_ID, &self.tracking_id),
            (INSTALLATION_ID, &self.installation_id),
        ] {
            let found = annotations
                .and_then(|all| all.get(annotation))
                .and_then(Value::as_str)
                .unwrap_or_default();
            if !expected.is_empty() && found != expected && !sabotage::is(Sabotage::DeletesUntracked) {
                let (expected, live) = (expected.clone(), found.to_owned());
                return Err(DeleteRefusal::NotTracked {
                    key: key(),
                    annotation,
                    expected,
                    live,
                });
            }
        }
        if let Some(owner) = controller(live) {
            return Err(DeleteRefusal::Owned { key: key(), owner });
        }
        let options = ObjectMeta::of(live).sync_options;
        let protection = match self.reason {
            _ if sabotage::is(Sabotage::DeletesProtected) => None,
            DeleteReason::Prune if options.prune == Some(PruneOption::Never) => Some("Prune=false"),
            DeleteReason::Cascade if options.delete == Some(DeleteOption::Never) => Some("Delete=false"),
            _ => None,
        };
        match protection {
            Some(option) => Err(DeleteRefusal::Protected { key: key(), option }),
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

fn controller(live: &Value) -> Option<String> {
    let owners = live.pointer("/metadata/ownerReferences")?.as_array()?;
    let owner = owners
        .iter()
        .find(|owner| owner.get("controller") == Some(&Value::Bool(true)))?;
    let text = |field: &str| owner.get(field).and_then(Value::as_str).unwrap_or_default();
    Some(format!("{}/{}", text("kind"), text("name")))
}
