//! Hooks that a sync deletes: after it is recorded how they ended, each until it is gone, and over crashes.

use std::time::Duration;

use capstan_engine::Event;
use capstan_model::ResourceKey;
use serde_json::{Value, json};

use crate::cluster::Fact;
use crate::rig::{Rig, Run, config, hook, id};

const MINUTE: Duration = Duration::from_secs(60);

fn job(name: &str) -> ResourceKey {
    ResourceKey::new("batch", "Job", "prod", name)
}

/// A hook that is deleted when the sync has succeeded.
fn fleeting(name: &str, kind: &str) -> Value {
    let mut hook = hook(name, kind);
    hook["metadata"]["annotations"]["argocd.argoproj.io/hook-delete-policy"] = json!("HookSucceeded");
    hook
}

fn created(run: &Run, hook: &ResourceKey) -> usize {
    let history = run.rig.cluster.history.iter();
    let made = history.filter(|fact| matches!(fact, Fact::Written { key, create: true, .. } if key == hook));
    made.count()
}

/// Until the hook runs.
fn begun(objects: Vec<Value>, hook: &ResourceKey) -> Run {
    let mut rig = Rig::new(objects);
    rig.cluster.silent.insert(hook.name.clone());
    let mut run = rig.start(Vec::new());
    while !run.rig.cluster.objects.contains_key(hook) {
        assert!(!run.drive(1), "{}", run.journal());
    }
    run
}

#[test]
fn a_delete_that_fails_in_passing_is_made_again() {
    let mut run = begun(vec![fleeting("before", "PreSync"), config("c", 0, "1")], &job("before"));
    run.rig.cluster.silent.clear();
    run.rig.cluster.loses_deletes = true;
    run.drive(200);
    assert_eq!(run.rig.status("/operationState/phase"), "Running", "{}", run.journal());
    let message = run.rig.status("/operationState/message").to_owned();
    assert!(
        message.starts_with("waiting for deletion of hook Job/prod/before (404 page not found), since "),
        "{message}"
    );
    run.rig.cluster.loses_deletes = false;
    run.settle(MINUTE);
    assert_eq!(
        run.rig.status("/operationState/phase"),
        "Succeeded",
        "{}",
        run.journal()
    );
    assert!(!run.rig.cluster.objects.contains_key(&job("before")));
}

#[test]
fn what_cannot_be_deleted_is_left_and_told() {
    let mut run = begun(vec![fleeting("before", "PreSync"), config("c", 0, "1")], &job("before"));
    run.rig.cluster.silent.clear();
    run.rig.cluster.loses_deletes = true;
    run.settle(5 * MINUTE);
    assert_eq!(
        run.rig.status("/operationState/phase"),
        "Succeeded",
        "{}",
        run.journal()
    );
    assert!(
        run.journal()
            .contains("hook Job/prod/before: Deleting → Left — it could not be deleted: 404 page not found"),
        "{}",
        run.journal()
    );
}

/// A process that dies at any point of a termination is followed by one that ends it: the hook is neither run again nor left running.
#[test]
fn a_termination_is_not_forgotten() {
    for steps in 0..12 {
        for unheard in [false, true] {
            let mut run = begun(vec![hook("before", "PreSync"), config("c", 0, "1")], &job("before"));
            run.handle(Event::TerminateRequested {
                id: id(),
                by: "ada".into(),
            });
            run.drive(steps);
            if unheard && let Some(effect) = run.pending.pop_front() {
                run.carry_out(&effect);
            }
            let is_told = run.rig.status("/operationState/phase") != "Running";
            let mut run = run.rig.start(Vec::new());
            run.settle(MINUTE);
            let seen = format!("after {steps} steps (unheard: {unheard}):\n{}", run.journal());
            assert_eq!(created(&run, &job("before")), 1, "{seen}");
            if is_told {
                assert_eq!(run.rig.status("/operationState/phase"), "Failed", "{seen}");
                assert!(!run.rig.cluster.objects.contains_key(&job("before")), "{seen}");
            } else {
                assert!(run.rig.cluster.objects.contains_key(&job("before")), "{seen}");
            }
        }
    }
}

/// The same of a sync whose hooks are deleted when it has succeeded, one of them between its two phases.
#[test]
fn a_hook_that_is_deleted_is_not_run_again() {
    for steps in 0..60 {
        for unheard in [false, true] {
            let objects = vec![fleeting("both", "PreSync,PostSync"), config("c", 0, "1")];
            let mut run = Rig::new(objects).start(Vec::new());
            run.drive(steps);
            if unheard && let Some(effect) = run.pending.pop_front() {
                run.carry_out(&effect);
            }
            let mut run = run.rig.start(Vec::new());
            run.settle(5 * MINUTE);
            let seen = format!("after {steps} steps (unheard: {unheard}):\n{}", run.journal());
            assert_eq!(created(&run, &job("both")), 2, "{seen}");
            assert_eq!(run.rig.status("/operationState/phase"), "Succeeded", "{seen}");
            assert!(!run.rig.cluster.objects.contains_key(&job("both")), "{seen}");
        }
    }
}
