//! Each guard is broken on purpose, and its test turns red: the laws' knock-outs are beside the laws.

use std::panic::catch_unwind;

use capstan_engine::sabotage::{Sabotage, set};

use crate::guards::{approvals, becomes_hook, needed};
use crate::{cascade, depends_on, recreate, selective};

/// What is broken, and the test that sees it.
const SEEN_BY: [(Sabotage, fn()); 8] = [
    (
        Sabotage::DeletesInUse,
        cascade::a_namespace_with_others_objects_is_kept_and_everything_else_goes,
    ),
    (
        Sabotage::ForgetsNeeded,
        needed::a_namespace_that_objects_are_declared_in_stays_whoever_asks,
    ),
    (
        Sabotage::RunsOverOrdinary,
        becomes_hook::what_a_sync_may_not_delete_is_not_deleted_for_a_hook,
    ),
    (
        Sabotage::KeepsApprovals,
        approvals::an_approval_can_be_taken_back_until_something_is_deleted,
    ),
    (
        Sabotage::ForgetsWholeSyncs,
        selective::no_sync_of_everything_follows_a_sync_of_some_objects,
    ),
    (
        Sabotage::GivesUpHalfway,
        recreate::a_delete_that_worked_and_was_not_answered,
    ),
    (
        Sabotage::DoesNotAwaitApplications,
        depends_on::a_commit_waits_for_the_one_that_comes_with_it,
    ),
    (
        Sabotage::TakesOldForNewest,
        depends_on::a_commit_waits_for_the_one_that_comes_with_it,
    ),
];

#[test]
fn every_guard_that_is_broken_is_seen() {
    for (what, test) in SEEN_BY {
        set(Some(what));
        let seen = catch_unwind(test).is_err();
        set(None);
        assert!(seen, "{what:?} is not seen");
    }
}
