//! `capstan.dev/depends-on` as a law: whatever is pushed, breaks or disappears in whatever order, no commit of an Application is written
//! before each that it names was seen at its own newest commit, healthy, since that commit came. The oracle reads the repositories and the
//! cluster, and asks the engine nothing.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use capstan_engine::effect::{DryRun, Effect, EffectKind};
use proptest::prelude::*;
use serde_json::Value;

use crate::cluster::key_of;
use crate::fleet::{Fleet, application, waiting};
use crate::rig::{config, workload};

const MINUTE: Duration = Duration::from_secs(60);
const NAMES: [&str; 4] = ["db", "cache", "api", "web"];

/// Who waits for whom.
fn named(name: &str) -> &'static [&'static str] {
    match name {
        "api" => &["db", "cache"],
        "web" => &["api"],
        _ => &[],
    }
}

#[derive(Clone, Copy, Debug)]
enum Act {
    /// A commit to the n-th repository.
    Push(usize),
    /// The n-th workload no longer comes up, or does again.
    Break(usize),
    Mend(usize),
    /// Somebody deletes an object of the n-th application.
    Vanish(usize),
    Drive(usize),
    /// What was asked for last is carried out first.
    Newest(usize),
    Wait,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0..NAMES.len()).prop_map(Act::Push),
        1 => (0..NAMES.len()).prop_map(Act::Break),
        2 => (0..NAMES.len()).prop_map(Act::Mend),
        1 => (0..NAMES.len()).prop_map(Act::Vanish),
        3 => (0usize..12).prop_map(Act::Drive),
        3 => (1usize..12).prop_map(Act::Newest),
        1 => Just(Act::Wait),
    ]
}

/// What a commit declares; no two say the same.
fn objects(name: &str, commit: usize) -> Vec<Value> {
    let value = commit.to_string();
    vec![
        config(&format!("{name}-map"), 0, &value),
        workload("Deployment", name, 1, &value),
    ]
}

/// Of which commit an object is.
fn commit_of(object: &Value) -> String {
    let value = object.pointer("/data/v").or(object.pointer("/spec/image"));
    value.and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Is what is declared in the cluster, as it is declared and working?
fn is_there(fleet: &Fleet, declared: &Value) -> bool {
    let Some(live) = fleet.cluster.objects.get(&key_of(declared)) else {
        return false;
    };
    let is_same = live["data"] == declared["data"] && live["spec"] == declared["spec"];
    let works = live["kind"] != "Deployment"
        || live["status"]["observedGeneration"] == live["metadata"]["generation"]
            && live["status"]["availableReplicas"] == live["spec"]["replicas"];
    is_same && works
}

/// Is an Application at its newest commit?
fn is_ready(fleet: &Fleet, name: &str) -> bool {
    let newest = fleet.commits.get(name).and_then(|commits| commits.last());
    newest.is_some_and(|(_, objects)| objects.as_ref().unwrap().iter().all(|object| is_there(fleet, object)))
}

#[derive(Default)]
struct Seen {
    /// Commits of an Application that waits: was everything it names there at some moment since it came?
    may_begin: BTreeMap<(String, String), bool>,
    /// Operations whose first write was seen. What has begun goes on.
    begun: BTreeSet<(String, u64)>,
    /// How often another one had to be there.
    checks: usize,
}

thread_local! {
    static SEEN: RefCell<Seen> = RefCell::default();
}

fn oracle(fleet: &Fleet, effect: Option<&Effect>) {
    SEEN.with_borrow_mut(|seen| match effect {
        None => {
            for ((name, _), may_begin) in &mut seen.may_begin {
                *may_begin |= named(name).iter().all(|other| is_ready(fleet, other));
            }
        }
        Some(effect) => seen.look(fleet, effect),
    });
}

impl Seen {
    fn look(&mut self, fleet: &Fleet, effect: &Effect) {
        let EffectKind::Apply(task) = &effect.kind else { return };
        let name = &effect.id.application.name;
        let is_first = self.begun.insert((name.clone(), effect.id.epoch));
        if task.dry_run != DryRun::No || !is_first || named(name).is_empty() {
            return;
        }
        let commit = commit_of(&task.object.value().unwrap());
        let may_begin = self.may_begin[&(name.clone(), commit.clone())];
        let story = fleet.journal();
        assert!(
            may_begin,
            "{name} writes {} of {commit}, and never was there what it waits for\n{story}",
            task.key
        );
        self.checks += 1;
    }
}

/// A commit to a repository.
fn push(fleet: &mut Fleet, name: &str, commit: usize) {
    SEEN.with_borrow_mut(|seen| seen.may_begin.insert((name.to_owned(), commit.to_string()), false));
    fleet.push(name, objects(name, commit));
}

fn play(acts: &[Act]) {
    SEEN.with_borrow_mut(|seen| {
        seen.begun.clear();
        seen.may_begin.clear();
    });
    let mut fleet = Fleet::new();
    fleet.oracle = Some(oracle);
    // In the order of names who waits is seen before what it waits for.
    for name in ["api", "cache", "db", "web"] {
        let resource = match named(name) {
            [] => application(name),
            others => waiting(name, &others.join(",")),
        };
        SEEN.with_borrow_mut(|seen| seen.may_begin.insert((name.to_owned(), "0".to_owned()), false));
        fleet.create(resource, objects(name, 0));
    }
    for (act, commit) in acts.iter().zip(1..) {
        match *act {
            Act::Push(n) => push(&mut fleet, NAMES[n], commit),
            Act::Break(n) => drop(fleet.cluster.broken.insert(NAMES[n].to_owned())),
            Act::Mend(n) => drop(fleet.cluster.broken.remove(NAMES[n])),
            Act::Vanish(n) => {
                let keys: Vec<_> = fleet.cluster.objects.keys().cloned().collect();
                if let Some(key) = keys.get(n) {
                    fleet.vanish(key);
                }
            }
            Act::Drive(steps) => drop(fleet.drive(steps)),
            Act::Newest(steps) => fleet.drive_newest(steps),
            Act::Wait => fleet.settle(Duration::from_secs(5)),
        }
    }
    // Once everything works, and each has a commit more, nothing is waited for.
    fleet.cluster.broken.clear();
    for (name, commit) in NAMES.iter().zip(acts.len() + 1..) {
        push(&mut fleet, name, commit);
        fleet.settle(2 * MINUTE);
    }
    for name in NAMES {
        assert_eq!(fleet.sync(name), "Synced Healthy", "{name}\n{}", fleet.journal());
    }
}

#[test]
pub(crate) fn a_commit_waits_for_the_one_that_comes_with_it() {
    // Whoever waits is read and compared first.
    play(&[Act::Wait, Act::Push(0), Act::Push(2), Act::Newest(10)]);
    // What it waits for is at its newest commit, and does not work.
    play(&[
        Act::Wait,
        Act::Break(0),
        Act::Push(0),
        Act::Wait,
        Act::Push(2),
        Act::Wait,
    ]);
}

#[test]
fn nothing_is_written_before_what_it_waits_for_is_there() {
    let config = ProptestConfig {
        cases: 64,
        max_shrink_iters: 100,
        ..ProptestConfig::default()
    };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let result = runner.run(&proptest::collection::vec(act(), 0..16), |acts| {
        play(&acts);
        Ok(())
    });
    if let Err(failed) = result {
        panic!("{failed}");
    }
    let checks = SEEN.with_borrow(|seen| seen.checks);
    assert!(checks > 100, "{checks}");
}
