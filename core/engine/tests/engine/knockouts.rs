//! What a story of the engine rests on is broken on purpose, and the story turns red. The knock-outs of guards are beside the guards, those of laws
//! beside the laws.

use std::panic::catch_unwind;

use capstan_engine::sabotage::{Sabotage, SeenBy, set};

use crate::guards::{approvals, becomes_hook, needed};
use crate::{cascade, crash, depends_on, holders, recreate, rehearsal, selective};

/// What is broken, and the test that sees it.
const SEEN_BY: [(Sabotage, fn()); 11] = [
    (Sabotage::RecreatesHolders, holders::what_holds_things_stays),
    (Sabotage::LetsHooksVanish, crash::a_hook_that_removes_itself),
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
    (
        Sabotage::TriesHooksInPlace,
        rehearsal::a_changed_hook_is_no_obstacle_to_a_prune,
    ),
];

#[test]
fn every_story_that_is_broken_is_seen() {
    for (what, test) in SEEN_BY {
        set(Some(what));
        let seen = catch_unwind(test).is_err();
        set(None);
        assert!(seen, "{what:?} is not seen");
    }
}

#[test]
fn every_switch_of_a_story_is_thrown() {
    let of_stories = Sabotage::ALL.iter().filter(|switch| switch.seen_by() == SeenBy::Story);
    for switch in of_stories {
        assert!(
            SEEN_BY.iter().any(|(what, _)| what == switch),
            "{switch:?} is not thrown"
        );
    }
}
