//! Each guard is taken out on purpose, and its own scenarios turn red: one that stays green without its guard does not test it.
//!
//! The guards are listed once, here. One without a knock-out does not compile, a switch that no guard and no law names fails, and where a
//! part of a guard lives in another crate the test of that part is named, and is there.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use capstan_engine::sabotage::Sabotage::*;
use capstan_engine::sabotage::{Sabotage, SeenBy, set};

use super::*;

/// What keeps deletes from being wrong, rule by rule.
#[derive(Clone, Copy, Debug)]
enum Guard {
    /// A delete needs a complete render and a complete live view.
    CompleteViews,
    /// An empty render deletes nothing, unless that is allowed.
    EmptyRender,
    /// Much at once is held.
    MassPrune,
    /// Two renders have to agree.
    SecondRender,
    /// Identity, owner and options are read again before each delete, which insists on what was read.
    LastLook,
    /// What could not be read keeps what was.
    LastGoodState,
    /// A path that vanished is an error.
    VanishedPath,
    /// A namespace with others' objects is held, a reserved one never goes.
    Namespaces,
    /// So is a definition; none goes with its application; and what holds others, or data, is made anew by its own word only.
    Definitions,
    /// Kinds that hold others, or data, go by a person's word only.
    ProtectedKinds,
    /// After a start deletes wait.
    WarmUp,
    /// Whose an object is: its tracking id and its installation.
    Ownership,
    /// Another cluster behind the address.
    Destination,
    /// A delete holds the lease.
    Fence,
    /// Everything is tried before the first delete, and a failure stops those that come after it.
    TriedFirst,
    /// A branch that was moved elsewhere.
    RewrittenHistory,
    /// A repair that is undone waits longer and longer, and is given up field by field.
    Contended,
    /// Deletes can be paused, and each says why.
    KillSwitch,
    /// A window of the project keeps syncs from beginning, and pauses those that run.
    SyncWindows,
}

const GUARDS: [Guard; 19] = [
    Guard::CompleteViews,
    Guard::EmptyRender,
    Guard::MassPrune,
    Guard::SecondRender,
    Guard::LastLook,
    Guard::LastGoodState,
    Guard::VanishedPath,
    Guard::Namespaces,
    Guard::Definitions,
    Guard::ProtectedKinds,
    Guard::WarmUp,
    Guard::Ownership,
    Guard::Destination,
    Guard::Fence,
    Guard::TriedFirst,
    Guard::RewrittenHistory,
    Guard::Contended,
    Guard::KillSwitch,
    Guard::SyncWindows,
];

type Scenario = (Sabotage, fn());

/// Where it shows that a guard is tested.
struct Shown {
    /// Scenarios here, each with the switch that takes away what it tests.
    here: Vec<Scenario>,
    /// Switches that laws have to see.
    by_laws: Vec<Sabotage>,
    /// Tests of what lives in another crate: file and name.
    elsewhere: Vec<(&'static str, &'static str)>,
}

impl Shown {
    fn here<const N: usize>(here: [Scenario; N]) -> Self {
        Self {
            here: here.to_vec(),
            by_laws: Vec::new(),
            elsewhere: Vec::new(),
        }
    }

    fn and_by_laws<const N: usize>(mut self, switches: [Sabotage; N]) -> Self {
        self.by_laws = switches.to_vec();
        self
    }

    fn and_elsewhere<const N: usize>(mut self, tests: [(&'static str, &'static str); N]) -> Self {
        self.elsewhere = tests.to_vec();
        self
    }
}

fn shown(guard: Guard) -> Shown {
    match guard {
        Guard::CompleteViews => of_complete_views(),
        Guard::EmptyRender => of_empty_render(),
        Guard::MassPrune => of_mass_prune(),
        Guard::SecondRender => of_second_render(),
        Guard::LastLook => of_last_look(),
        Guard::LastGoodState => of_last_good_state(),
        Guard::VanishedPath => of_vanished_path(),
        Guard::Namespaces => of_namespaces(),
        Guard::Definitions => of_definitions(),
        Guard::ProtectedKinds => of_protected_kinds(),
        Guard::WarmUp => of_warm_up(),
        Guard::Ownership => of_ownership(),
        Guard::Destination => of_destination(),
        Guard::Fence => of_fence(),
        Guard::TriedFirst => of_tried_first(),
        Guard::RewrittenHistory => of_rewritten_history(),
        Guard::Contended => of_contended(),
        Guard::KillSwitch => of_kill_switch(),
        Guard::SyncWindows => of_sync_windows(),
    }
}

fn of_complete_views() -> Shown {
    Shown::here([(
        EmptiesBrokenRender,
        complete_views::a_source_that_cannot_be_read_declares_what_it_declared as fn(),
    )])
    .and_by_laws([
        PrunesUnlisted,
        CallsUnreadableMissing,
        EmptiesBrokenRender,
        PrunesDeclared,
    ])
}

fn of_empty_render() -> Shown {
    Shown::here([
        (
            WipesWhenEmpty,
            complete_views::nothing_at_all_is_what_somebody_has_to_mean as fn(),
        ),
        (WipesWhenEmpty, crate::transcripts::an_empty_render_deletes_nothing),
    ])
    .and_by_laws([WipesWhenEmpty])
}

fn of_mass_prune() -> Shown {
    Shown::here([
        (
            PrunesMuch,
            mass_prune::much_at_once_is_held_and_everything_else_goes_on as fn(),
        ),
        (PrunesMuch, mass_prune::what_is_held_stays_held_until_it_is_approved),
        (PrunesMuch, mass_prune::more_that_is_to_go_needs_another_approval),
        (PrunesMuch, mass_prune::an_application_sets_its_own_limits),
    ])
}

fn of_second_render() -> Shown {
    Shown::here([
        (
            TrustsOneRender,
            second_render::two_renders_that_disagree_are_held as fn(),
        ),
        (
            TrustsOneRender,
            second_render::a_second_render_that_fails_is_tried_again,
        ),
    ])
}

fn of_last_look() -> Shown {
    Shown::here([
        (
            DeletesUntracked,
            ownership::what_another_application_took_over_stays as fn(),
        ),
        (
            DeletesProtected,
            ownership::what_says_at_the_last_moment_that_it_stays_stays,
        ),
        (DeletesOwned, ownership::what_another_controller_took_over_stays),
    ])
    .and_by_laws([NoPreconditions, BlindReplace, DeletesUntracked, DeletesProtected])
}

fn of_last_good_state() -> Shown {
    Shown::here([
        (
            ForgetsFailure,
            crate::options::a_source_that_fails_stays_unknown_while_it_is_asked_again as fn(),
        ),
        (
            EmptiesBrokenRender,
            crate::transcripts::a_broken_commit_keeps_the_last_good_state,
        ),
    ])
    .and_by_laws([ForgetsFailure, EmptiesBrokenRender])
}

fn of_vanished_path() -> Shown {
    Shown::here([(
        EmptiesBrokenRender,
        complete_views::a_source_that_cannot_be_read_declares_what_it_declared as fn(),
    )])
    .and_elsewhere([(
        "core/render/tests/vanished.rs",
        "a_path_that_vanished_is_no_empty_source",
    )])
}

fn of_namespaces() -> Shown {
    Shown::here([
        (
            DeletesNamespacesInUse,
            namespaces_and_definitions::a_namespace_with_others_objects_is_held as fn(),
        ),
        (
            DeletesNamespacesInUse,
            namespaces_and_definitions::what_cannot_be_listed_is_not_empty,
        ),
        (
            DeletesNamespacesInUse,
            namespaces_and_definitions::it_goes_once_it_is_empty_and_somebody_looks,
        ),
        (
            DeletesReserved,
            namespaces_and_definitions::namespaces_of_kubernetes_and_of_the_controller_are_never_deleted,
        ),
        (
            DeletesReserved,
            namespaces_and_definitions::a_cascade_leaves_reserved_namespaces,
        ),
    ])
}

fn of_definitions() -> Shown {
    Shown::here([
        (
            DeletesDefinitionsInUse,
            namespaces_and_definitions::a_definition_with_objects_of_others_is_held_whoever_asks as fn(),
        ),
        (
            CascadesDefinitions,
            namespaces_and_definitions::a_cascade_leaves_definitions,
        ),
        (
            RecreatesProtected,
            protected_kinds::only_its_own_word_makes_a_claim_anew,
        ),
    ])
}

fn of_protected_kinds() -> Shown {
    Shown::here([
        (
            PrunesProtectedKinds,
            protected_kinds::a_claim_is_pruned_by_a_person_s_word_only as fn(),
        ),
        (PrunesProtectedKinds, protected_kinds::an_administrator_protects_more),
        (
            PrunesProtectedKinds,
            namespaces_and_definitions::a_definition_goes_with_its_own_objects,
        ),
    ])
}

fn of_warm_up() -> Shown {
    Shown::here([
        (
            SkipsWarmUp,
            warm_up::after_a_start_deletes_wait_until_the_same_was_seen_twice as fn(),
        ),
        (SkipsWarmUp, warm_up::who_leads_anew_warms_up_anew),
    ])
}

fn of_ownership() -> Shown {
    Shown::here([
        (
            IgnoresInstallation,
            ownership::what_another_installation_took_over_stays as fn(),
        ),
        (DeletesUntracked, ownership::what_another_application_took_over_stays),
    ])
    .and_by_laws([DeletesUntracked])
}

fn of_destination() -> Shown {
    Shown::here([
        (
            DeletesInAnotherCluster,
            destination::nothing_is_deleted_in_another_cluster_than_the_one_that_was_synced_to as fn(),
        ),
        (SpeaksToStrangers, destination::a_stranger_is_not_spoken_to),
    ])
}

fn of_fence() -> Shown {
    Shown::here([]).and_by_laws([DeletesUnfenced])
}

fn of_tried_first() -> Shown {
    Shown::here([
        (
            DeletesUntried,
            tried::nothing_is_deleted_before_the_server_would_take_everything as fn(),
        ),
        (PrunesAfterFailure, tried::nothing_is_deleted_after_something_failed),
    ])
}

fn of_rewritten_history() -> Shown {
    Shown::here([
        (
            PrunesRewrittenHistory,
            rewritten_history::a_branch_that_was_moved_elsewhere_prunes_nothing as fn(),
        ),
        (
            PrunesRewrittenHistory,
            rewritten_history::not_known_is_held_and_where_there_is_no_branch_nothing_is,
        ),
    ])
}

fn of_contended() -> Shown {
    Shown::here([
        (
            FightsForEver,
            contended::a_field_that_somebody_keeps_changing_is_left_to_them_and_they_are_named as fn(),
        ),
        (HealsAtOnce, crate::transcripts::a_fight_is_slowed_and_never_given_up),
    ])
}

fn of_kill_switch() -> Shown {
    Shown::here([
        (
            DeletesWhilePaused,
            kill_switch::a_pause_holds_and_its_end_lets_go as fn(),
        ),
        (
            DeletesWhilePaused,
            kill_switch::a_project_and_an_application_are_paused_by_annotation,
        ),
        (DeletesWhilePaused, kill_switch::a_pause_holds_at_once),
        (
            DeletesWhilePaused,
            kill_switch::a_person_s_sync_passes_and_a_cascade_waits,
        ),
        (
            DeletesUntold,
            crate::grounds::a_prune_names_operation_commit_objects_and_rules,
        ),
    ])
    .and_elsewhere([
        (
            "runtime/kubernetes/src/undelete/tests.rs",
            "what_has_expired_goes_and_nothing_else",
        ),
        (
            "runtime/kubernetes/src/undelete/tests.rs",
            "what_is_kept_says_what_it_was_and_keeping_twice_is_keeping_once",
        ),
    ])
}

fn of_sync_windows() -> Shown {
    Shown::here([
        (
            IgnoresWindows,
            crate::windows::an_automated_sync_waits_for_the_window_and_begins_with_it as fn(),
        ),
        (
            IgnoresWindows,
            crate::windows::a_person_is_refused_at_once_and_told_until_when,
        ),
        (
            IgnoresWindows,
            crate::windows::a_window_that_cannot_be_understood_is_told,
        ),
        (
            OverrunsWindows,
            crate::windows::a_running_sync_is_paused_and_its_deadlines_stand_still,
        ),
    ])
}

/// What a scenario says when it is red: that an assertion of its own failed.
fn red(switch: Sabotage, scenario: fn()) -> Option<String> {
    set(Some(switch));
    let result = catch_unwind(AssertUnwindSafe(scenario));
    set(None);
    let payload = result.err()?;
    let text = payload.downcast_ref::<String>().cloned();
    Some(text.unwrap_or_else(|| {
        payload
            .downcast_ref::<&str>()
            .map_or_else(String::new, |text| (*text).to_owned())
    }))
}

#[test]
#[expect(clippy::disallowed_methods, reason = "looks whether a test is there")]
fn every_guard_that_is_taken_out_is_missed() {
    let mut unseen = Vec::new();
    for guard in GUARDS {
        let shown = shown(guard);
        assert!(
            !shown.here.is_empty() || !shown.by_laws.is_empty(),
            "{guard:?} has no knock-out"
        );
        for (number, (switch, scenario)) in shown.here.into_iter().enumerate() {
            if red(switch, scenario).is_none() {
                unseen.push(format!("{guard:?}: its scenario {number} stays green with {switch:?}"));
            }
        }
        let other = shown.by_laws.iter().find(|switch| switch.seen_by() != SeenBy::Law);
        assert!(other.is_none(), "{guard:?}: no law has to see {other:?}");
        for (file, test) in shown.elsewhere {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file);
            let text = std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
            assert!(
                text.contains(&format!("fn {test}(")),
                "{guard:?}: {file} has no test {test}"
            );
        }
    }
    assert!(unseen.is_empty(), "{}", unseen.join("\n"));
}

#[test]
fn every_switch_of_a_guard_is_thrown() {
    let thrown: BTreeSet<Sabotage> = GUARDS
        .into_iter()
        .flat_map(|guard| shown(guard).here)
        .map(|(switch, _)| switch)
        .collect();
    let all = Sabotage::ALL
        .iter()
        .filter(|switch| switch.seen_by() == SeenBy::Scenario);
    let missed: Vec<&Sabotage> = all.filter(|switch| !thrown.contains(switch)).collect();
    assert!(missed.is_empty(), "no scenario is held against {missed:?}");
}
