//! What the controller had been told of the Application by a moment: its spec, a person's approval, and with that which commit it follows.

use capstan_model::Timestamp;

use crate::evidence::Timeline;
use crate::generate::{Action, Follow, Policy, Spec};
use crate::history::{Fact, Record};

impl Timeline<'_> {
    /// The spec that was told last before `at`.
    pub(crate) fn spec(&self, at: usize) -> Spec {
        let told = self.specs.partition_point(|(told, ..)| *told < at);
        let last = told.checked_sub(1).map(|last| self.specs[last].1);
        last.unwrap_or_else(|| Spec::of(&self.record.case))
    }

    pub(crate) fn policy(&self, at: usize) -> Policy {
        self.spec(at).policy
    }

    /// Every policy that was in force between, both ends included.
    pub(crate) fn policies(&self, from: usize, to: usize) -> Vec<Policy> {
        let within = self.specs.iter().filter(|(told, ..)| (from..to).contains(told));
        let within = within.map(|(_, spec, _)| spec.policy);
        std::iter::once(self.policy(from)).chain(within).collect()
    }

    /// When deletes were approved last, as told before `at`.
    pub(crate) fn approval(&self, at: usize) -> Option<Timestamp> {
        let told = self.specs.partition_point(|(told, ..)| *told < at);
        self.specs[told.checked_sub(1)?].2
    }

    /// The commit that the Application follows just before `at`, and since when.
    pub(crate) fn followed(&self, at: usize) -> (usize, Option<usize>) {
        let spec = self.spec(at);
        let told = self.specs.partition_point(|(told, ..)| *told < at);
        let edited = self.specs[..told]
            .iter()
            .rposition(|(_, other, _)| other.follows != spec.follows);
        let edited = edited.and_then(|before| Some(self.specs[..told].get(before + 1)?.0));
        let count = self.record.case.revisions.len();
        match spec.follows {
            Follow::Commit(n) | Follow::Tag(n) => (usize::from(n) % count, edited),
            Follow::Branch => {
                let moved = self.record.history[..at].iter().enumerate().rev();
                let moved = moved.filter_map(|(at, entry)| match entry.fact {
                    Fact::Moved { head } => Some((head, at)),
                    _ => None,
                });
                let moved = moved.into_iter().next();
                let (head, moved) = moved.map_or((0, None), |(head, moved)| (head, Some(moved)));
                (head, moved.max(edited))
            }
        }
    }
}

/// Does somebody ask for syncs in this run, beside what is done by itself?
pub(crate) fn is_asked_for_syncs(record: &Record) -> bool {
    let asks = |(_, action): &(u8, Action)| matches!(action, Action::Sync(_) | Action::Rollback(_));
    record.case.script.iter().any(asks)
}
