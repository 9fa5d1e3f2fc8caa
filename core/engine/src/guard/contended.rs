//! Two controllers that want different things of one field: the fight is ended, and the other one named.
//!
//! Prevents: a self-heal that writes the same field for ever against an autoscaler or an operator, and hammers the API server, the audit log
//! and whatever rolls out with every change. A person who edits a few times is no fight.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use capstan_model::Timestamp;

use crate::sabotage::{self, Sabotage};

/// A field that is put right more often than this within [`WITHIN`] is left.
const REVERTS: usize = 10;
/// See [`REVERTS`].
const WITHIN: Duration = Duration::from_secs(3600);
/// An object that was as desired for so long is not fought about any more.
const CALM: Duration = Duration::from_secs(600);

/// The fights about one object, by the path of the field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Contention {
    fields: BTreeMap<String, Field>,
    /// Since when the object is as desired, if it is.
    in_sync_since: Option<Timestamp>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Field {
    /// When it was put right, the newest ones.
    reverts: VecDeque<Timestamp>,
    /// Who wrote it last; empty when nobody knows.
    manager: String,
    is_left: bool,
}

impl Contention {
    /// The field differs again at `now`, by this manager, and would be put right. Gives whether it may be: otherwise it is contended.
    pub(crate) fn may_revert(&mut self, path: &str, manager: &str, now: Timestamp) -> bool {
        let calm = self.in_sync_since.take().map(|since| now.since(since));
        if calm.is_some_and(|calm| calm >= CALM) {
            self.fields.clear();
        }
        let field = self.fields.entry(path.to_owned()).or_default();
        manager.clone_into(&mut field.manager);
        while field.reverts.front().is_some_and(|at| now.since(*at) >= WITHIN) {
            field.reverts.pop_front();
        }
        field.is_left |= field.reverts.len() >= REVERTS && !sabotage::is(Sabotage::FightsForEver);
        !field.is_left
    }

    /// It is put right now.
    pub(crate) fn reverted(&mut self, path: &str, now: Timestamp) {
        let field = self.fields.entry(path.to_owned()).or_default();
        field.reverts.push_back(now);
        if field.reverts.len() > REVERTS {
            field.reverts.pop_front();
        }
    }

    /// Is the field left to whoever changes it?
    pub(crate) fn is_left(&self, path: &str) -> bool {
        self.fields.get(path).is_some_and(|field| field.is_left)
    }

    /// Fields that are left, each with who changes it.
    pub(crate) fn left(&self) -> impl Iterator<Item = (&str, &str)> {
        let left = self.fields.iter().filter(|(_, field)| field.is_left);
        left.map(|(path, field)| (path.as_str(), field.manager.as_str()))
    }

    /// The object is as desired at `now`.
    pub(crate) fn settle(&mut self, now: Timestamp) {
        self.in_sync_since.get_or_insert(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Put right every `every` seconds, as long as that is allowed; gives how often.
    fn fight(every: i64, times: i64) -> (Contention, usize) {
        let mut contention = Contention::default();
        let mut reverts = 0;
        for n in 0..times {
            let now = Timestamp::from_seconds(1000 + n * every);
            if contention.may_revert("spec.replicas", "scaler", now) {
                contention.reverted("spec.replicas", now);
                reverts += 1;
            }
        }
        (contention, reverts)
    }

    #[test]
    fn the_eleventh_time_within_an_hour_is_left_and_the_other_one_named() {
        let (contention, reverts) = fight(60, 30);
        assert_eq!(reverts, 10);
        assert_eq!(contention.left().collect::<Vec<_>>(), [("spec.replicas", "scaler")]);
        assert!(contention.is_left("spec.replicas") && !contention.is_left("spec.paused"));
    }

    #[test]
    fn now_and_then_is_no_fight() {
        assert_eq!(fight(361, 100).1, 100);
    }

    #[test]
    fn a_field_that_is_left_stays_so_until_the_object_was_as_desired_for_long() {
        let (mut contention, _) = fight(1, 20);
        let later = Timestamp::from_seconds(100_000);
        assert!(!contention.may_revert("spec.replicas", "scaler", later));
        assert!(
            contention.may_revert("spec.paused", "scaler", later),
            "another field is another matter"
        );
        contention.settle(later);
        let soon = later + Duration::from_secs(60);
        assert!(
            !contention.may_revert("spec.replicas", "scaler", soon),
            "our own last write made it so"
        );
        contention.settle(soon);
        assert!(contention.may_revert("spec.replicas", "scaler", soon + CALM));
    }
}
