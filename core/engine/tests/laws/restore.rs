//! I-RES: what a new process makes of the Application's status and the live objects is something that a run without a crash comes to as
//! well: whatever the moment at which the first one dies, the second brings the cluster to the same end, creates each hook as often, and
//! keeps every other law over both; and to carry out the last request once more changes nothing.

use std::collections::BTreeMap;

use capstan_model::ResourceKey;
use proptest::prelude::*;
use serde_json::Value;

use crate::generate::{Action, Bias, Case, Hook, Item, Kind, Nature, case};
use crate::history::{Actor, Fact, Record};
use crate::objects::{annotation, key_of};
use crate::search;
use crate::world::{self, running};

/// What counts at the end: what is there, without what differs from run to run.
fn end(record: &Record) -> BTreeMap<ResourceKey, Value> {
    let bare = |object: &Value| {
        let mut metadata = object["metadata"].clone();
        for field in [
            "uid",
            "resourceVersion",
            "generation",
            "managedFields",
            "deletionTimestamp",
            "ownerReferences",
        ] {
            metadata.as_object_mut().map(|metadata| metadata.remove(field));
        }
        serde_json::json!([metadata, object["spec"], object["data"]])
    };
    let objects = record
        .objects
        .iter()
        .filter(|object| annotation(object, "capstan.dev/operation").is_none());
    objects.map(|object| (key_of(object), bare(object))).collect()
}

/// How often each object was created and removed. A hook without a name is counted by what its name begins with: after it comes which
/// operation it is of, and a new process counts those on.
fn counts(record: &Record) -> BTreeMap<ResourceKey, (usize, usize)> {
    let mut counts: BTreeMap<ResourceKey, (usize, usize)> = BTreeMap::new();
    let name = |object: &Value| {
        let mut key = key_of(object);
        if let Some((name, _)) = key.name.split_once("-0000") {
            key.name = name.to_owned();
        }
        key
    };
    for (_, fact) in record.facts() {
        match fact {
            Fact::Written {
                by: Actor::Us,
                object,
                created: true,
                ..
            } => counts.entry(name(object)).or_default().0 += 1,
            Fact::Removed { object, .. } => counts.entry(name(object)).or_default().1 += 1,
            _ => {}
        }
    }
    counts
}

/// The case with a crash after so many steps from its beginning.
fn with_crash(case: &Case, steps: u8, unheard: u8) -> Case {
    let mut case = case.clone();
    let at = case.script.len();
    case.script.insert(at, (steps, Action::Crash { unheard, down: 0 }));
    case
}

fn same_end(calm: &Record, crashed: &Record) -> Result<(), String> {
    search::all(crashed)?;
    let (wanted, found) = (end(calm), end(crashed));
    if wanted != found {
        return Err(format!("it ends otherwise: {found:#?}, not {wanted:#?}"));
    }
    let state = |record: &Record| {
        let status = &record.resource["status"];
        (
            running(status),
            status["sync"].clone(),
            status["health"]["status"].clone(),
            status["operationState"]["phase"].clone(),
        )
    };
    if state(calm) != state(crashed) {
        return Err(format!(
            "it says otherwise: {:?}, not {:?}",
            state(crashed),
            state(calm)
        ));
    }
    if counts(calm) != counts(crashed) {
        return Err(format!(
            "other objects were made: {:?}, not {:?}",
            counts(crashed),
            counts(calm)
        ));
    }
    Ok(())
}

pub(crate) fn holds_at(case: &Case, steps: u8, unheard: u8) -> Result<(), String> {
    holds_against(&world::run(case), case, steps, unheard)
}

/// The same, against a run without the crash.
pub(crate) fn holds_against(calm: &Record, case: &Case, steps: u8, unheard: u8) -> Result<(), String> {
    let crashed = world::run(&with_crash(case, steps, unheard));
    same_end(calm, &crashed)
        .map_err(|why| format!("after {steps} steps, {unheard} unheard: {why}\n{}", crashed.story()))
}

/// A sync that has everything: hooks before and after, waves, a rollout, a prune.
pub(crate) fn full_case() -> Case {
    let policy = Hook {
        types: "PostSync",
        policy: "HookSucceeded",
        unnamed: true,
        vanishes: false,
    };
    let after = Item {
        hook: Some(policy),
        ..Item::new(Kind::Job, 1, "")
    };
    let first = vec![
        Item::new(Kind::Config, 0, "1"),
        Item::new(Kind::Config, 1, ""),
        Item::new(Kind::Deployment, 0, ""),
    ];
    let mut changed = Item::new(Kind::Deployment, 0, "");
    changed.value = 1;
    let second = vec![
        Item::hook("PreSync", 0, ""),
        changed,
        Item::new(Kind::Deployment, 1, "1"),
        Item::new(Kind::Config, 0, "2"),
        after,
    ];
    let mut case = Case::of(vec![first, second]);
    case.script = vec![(u8::MAX, Action::Wait(5)), (0, Action::Push)];
    case
}

/// Every step of it, completely, with what was sent lost or carried out.
#[test]
fn every_step_of_a_full_sync() {
    let case = full_case();
    let calm = world::run(&case);
    for steps in 0..110 {
        for unheard in [0, 3] {
            holds_against(&calm, &case, steps, unheard).unwrap_or_else(|why| panic!("{why}"));
        }
    }
}

/// Anything without third parties and faults: what is random is only when it dies.
fn calm(mut case: Case) -> Case {
    case.faults = 0;
    case.tape.clear();
    case.natures = vec![Nature::Prompt, Nature::Slow];
    case.policy.automated = true;
    case.policy.ignores = false;
    // What was rendered last is not in the status: a new process does not know what stood there before a commit broke.
    case.revisions.retain(Option::is_some);
    for items in case.revisions.iter_mut().flatten() {
        // What removes itself, and is not there when the next process looks, counts as failed: another attempt runs it again.
        items.retain(|item| item.hook.is_none_or(|hook| !hook.vanishes));
    }
    case.script = vec![(u8::MAX, Action::Wait(9)), (0, Action::Push)];
    case
}

proptest! {
    #![proptest_config(ProptestConfig { cases: search::config().cases / 2, ..search::config() })]
    #[test]
    fn holds(case in case(Bias::Order), steps in 0u8..120, unheard in 0u8..4) {
        holds_at(&calm(case), steps, unheard).map_err(TestCaseError::fail)?;
    }
}
