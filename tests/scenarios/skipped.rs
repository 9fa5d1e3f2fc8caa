//! Every reason not to sync by itself, and not to put drift right, is shown: by a scenario, or by a test of the engine where no scenario can
//! bring it about.
//!
//! **Invariant.** The tables have a row for each reason by the compiler's word: a reason without one does not compile. Each row's proof exists,
//! and each scenario of `scenarios/skipped` is played, on both layers.

use std::collections::BTreeSet;
use std::path::Path;

use capstan_engine::policy::{HealSkip, HeldBy, SkipReason, Unwritable};

use crate::tests::both_ways;

/// Where a reason is shown.
#[derive(Clone, Copy, Debug)]
enum Shown {
    /// By this folder of `scenarios/skipped`.
    Scenario(&'static str),
    /// By this test of `core/engine/tests/engine/skipped.rs`: what is to be shown lies between two events, or in what the simulated cluster
    /// does not do by a scenario's word (it does not go away, and nobody else leads).
    Engine(&'static str),
}

use Shown::{Engine, Scenario};

/// A row a reason: a `match` that the compiler holds to be complete, and all rows.
macro_rules! table {
    ($name:ident, $of:ty, $($reason:pat => $($shown:expr),+;)*) => {
        const $name: &[Shown] = &{
            const fn _complete(reason: &$of) -> &'static [Shown] {
                match reason {
                    $($reason => &[$($shown),+],)*
                }
            }
            [$($($shown),+),*]
        };
    };
}

table! { OF_AUTO_SYNC, SkipReason,
    SkipReason::Suspended => Scenario("suspended");
    SkipReason::NotAutomated => Scenario("not-automated");
    SkipReason::OperationPending => Scenario("operation-pending");
    SkipReason::Deleting => Scenario("deleting");
    SkipReason::Unknown => Scenario("unknown"), Engine("what_is_not_known_to_differ_is_neither_synced_nor_put_right");
    SkipReason::Synced => Scenario("synced");
    SkipReason::PruneNotAllowed => Scenario("prune-not-allowed");
    SkipReason::Drifted => Scenario("self-heal-off");
    SkipReason::AlreadyFailed => Scenario("already-failed");
    SkipReason::WouldWipe => Scenario("would-wipe");
    SkipReason::Held(HeldBy::Dependencies) => Scenario("held-by-dependencies");
    SkipReason::Held(HeldBy::Application) => Scenario("held-by-application");
    SkipReason::Held(HeldBy::Window) => Scenario("held-by-window");
    SkipReason::Unwritable(Unwritable::NotLeading) => Engine("who_does_not_lead_neither_syncs_nor_heals");
    SkipReason::Unwritable(Unwritable::Unreachable) => Engine("a_cluster_that_does_not_answer_is_neither_synced_nor_healed");
    SkipReason::Refreshing => Engine("a_newer_commit_is_looked_at_before_an_older_one_is_synced");
    SkipReason::Writing => Engine("a_sync_waits_for_a_repair_that_is_under_way");
}

table! { OF_SELF_HEAL, HealSkip,
    HealSkip::Synced => Scenario("synced");
    HealSkip::Unknown => Engine("what_is_not_known_to_differ_is_neither_synced_nor_put_right");
    HealSkip::NotDeclared => Scenario("prune-not-allowed");
    HealSkip::NotSynced => Scenario("already-failed");
    HealSkip::UnderWay => Engine("a_sync_waits_for_a_repair_that_is_under_way");
    HealSkip::Suspended => Scenario("suspended");
    HealSkip::Off => Scenario("self-heal-off");
    HealSkip::BeingDeleted => Scenario("being-deleted");
    HealSkip::Window(_) => Scenario("window");
    HealSkip::Unwritable(Unwritable::NotLeading) => Engine("who_does_not_lead_neither_syncs_nor_heals");
    HealSkip::Unwritable(Unwritable::Unreachable) => Engine("a_cluster_that_does_not_answer_is_neither_synced_nor_healed");
    HealSkip::Contended(_) => Scenario("contended");
    HealSkip::Refused(_) => Scenario("refused");
    HealSkip::Rival(_) => Scenario("rival");
    HealSkip::BackOff { .. } => Scenario("back-off");
}

fn all() -> impl Iterator<Item = Shown> {
    OF_AUTO_SYNC.iter().chain(OF_SELF_HEAL).copied()
}

#[test]
fn every_reason_is_shown() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let engine =
        std::fs::read_to_string(root.join("core/engine/tests/engine/skipped.rs")).expect("the tests are there");
    let mut named = BTreeSet::from(["common".to_owned()]);
    for shown in all() {
        match shown {
            Scenario(folder) => drop(named.insert(folder.to_owned())),
            Engine(test) => assert!(
                engine.contains(&format!("#[test]\nfn {test}(")),
                "there is no test {test}"
            ),
        }
    }
    let entries = std::fs::read_dir(root.join("scenarios/skipped")).expect("the scenarios are there");
    let there: BTreeSet<String> = entries
        .map(|entry| {
            entry
                .expect("a folder can be listed")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    assert_eq!(named, there, "the tables name these scenarios, and these are there");
}

#[test]
fn each_is_skipped_and_then_is_not() {
    let folders: BTreeSet<&str> = all()
        .filter_map(|shown| match shown {
            Scenario(folder) => Some(folder),
            Engine(_) => None,
        })
        .collect();
    for folder in folders {
        println!("{folder}");
        both_ways(&format!("skipped/{folder}"));
    }
}
