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
    /// Since when it was held for what would go along with it. Whoever approved of another hold was told nothing of that.
    contents: Option<Timestamp>,
}

/// Takes in what these holds, all of them approved, had held. Of several of one object the last one has to be approved, too.
pub(in crate::engine) fn take_approved<'h>(
    approved: &mut BTreeMap<ResourceKey, Approved>,
    holds: impl Iterator<Item = &'h Hold>,
) {
    for hold in holds {
        for key in &hold.finding.keys {
            let of = approved.entry(key.clone()).or_insert_with(|| Approved {
                since: hold.since,
                held: hold.result(),
                contents: None,
            });
            if of.since < hold.since {
                (of.since, of.held) = (hold.since, hold.result());
            }
            if hold.finding.rule.is_of_contents() {
                of.contents = of.contents.max(Some(hold.since));
            }
        }
    }
}

impl OperationRun {
    /// Was what held an object approved, and is it still?
    pub(crate) fn is_approved(&self, key: &ResourceKey, approval: &Approval) -> bool {
        self.approved.get(key).is_some_and(|of| stands(approval, of.since))
    }

    /// Was it approved that everything in it goes along, and is it still?
    pub(super) fn may_take_everything(&self, key: &ResourceKey, approval: &Approval) -> bool {
        let since = self.approved.get(key).and_then(|of| of.contents);
        since.is_some_and(|since| stands(approval, since))
    }

    /// What the prune of an object says whose approval was taken back since.
    pub(super) fn taken_back(&self, key: &ResourceKey, approval: &Approval) -> Option<String> {
        let of = self.approved.get(key)?;
        (!self.is_approved(key, approval)).then(|| of.held.clone())
    }
}

fn stands(approval: &Approval, since: Timestamp) -> bool {
    approval.counts(since) || sabotage::is(Sabotage::KeepsApprovals)
}
