//! What was approved of what held an operation's deletes: it has to stand when the delete is asked for, not only when the plan is made.

use std::collections::BTreeMap;

use capstan_model::{ResourceKey, Timestamp};

use super::OperationRun;
use crate::guard::{Approval, Hold};
use crate::sabotage::{self, Sabotage};

/// An approval by which an object may go: of what was held since when, and what the prune says where it was taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Approved {
    since: Timestamp,
    pub(super) held: String,
}

/// What these holds, all of them approved, had held. Of several of one object the last one has to be approved, too.
pub(in crate::engine) fn approved<'h>(holds: impl Iterator<Item = &'h Hold>) -> BTreeMap<ResourceKey, Approved> {
    let mut approved: BTreeMap<ResourceKey, Approved> = BTreeMap::new();
    for hold in holds {
        for key in &hold.finding.keys {
            if approved.get(key).is_none_or(|known| known.since < hold.since) {
                let of = Approved {
                    since: hold.since,
                    held: hold.result(),
                };
                approved.insert(key.clone(), of);
            }
        }
    }
    approved
}

impl OperationRun {
    /// Was what held an object approved, and is it still?
    pub(crate) fn is_approved(&self, key: &ResourceKey, approval: &Approval) -> bool {
        let stands = |of: &Approved| approval.counts(of.since) || sabotage::is(Sabotage::KeepsApprovals);
        self.approved.get(key).is_some_and(stands)
    }

    /// What the prune of an object says whose approval was taken back since.
    pub(super) fn taken_back(&self, key: &ResourceKey, approval: &Approval) -> Option<String> {
        let of = self.approved.get(key)?;
        (!self.is_approved(key, approval)).then(|| of.held.clone())
    }
}
