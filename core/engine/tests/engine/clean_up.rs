//! Hooks that a sync deletes: after it is recorded how they ended, each until it is gone, and over crashes.

use std::time::Duration;

use capstan_engine::event::{Outcome, WriteError};
use capstan_engine::{EffectKind, Event};
use capstan_model::{ClusterId, ResourceKey};
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

fn stop(run: &mut Run) {
    run.handle(Event::TerminateRequested {
        id: id(),
        by: "ada".into(),
    });
}

/// Told to stop, which is recorded; the hook is not deleted yet.
pub(crate) fn stopping() -> Run {
    let mut run = begun(vec![hook("before", "PreSync"), config("c", 0, "1")], &job("before"));
    stop(&mut run);
    while run.rig.status("/operationState/phase") != "Terminating" {
        assert!(!run.drive(1), "{}", run.journal());
    }
    assert!(run.rig.cluster.objects.contains_key(&job("before")));
    run
}

fn assert_stopped(run: &Run) {
    assert!(
        !run.rig.cluster.objects.contains_key(&job("before")),
        "{}",
        run.journal()
    );
    assert_eq!(run.rig.status("/operationState/phase"), "Failed", "{}", run.journal());
    let row = &run.rig.resource["status"]["operationState"]["syncResult"]["resources"][0];
    assert_eq!(
        (&row["hookPhase"], &row["message"]),
        (&json!("Failed"), &json!("terminated"))
    );
}

/// What was recorded is enough to stop: no plan is needed, nor the repository.
#[test]
fn a_termination_needs_no_repository() {
    let mut rig = stopping().rig;
    rig.commits[0].1 = Err("the repository does not answer".into());
    let mut run = rig.start(Vec::new());
    run.settle(10 * MINUTE);
    assert_stopped(&run);
}

/// The kind of the hook cannot be listed when it is to be stopped: that is waited for.
#[test]
fn a_hook_whose_kind_cannot_be_listed_is_stopped_later() {
    let mut run = begun(vec![hook("before", "PreSync"), config("c", 0, "1")], &job("before"));
    run.handle(Event::KindUnavailable {
        cluster: ClusterId::in_cluster(),
        kind: job("before").group_kind(),
        reason: "410 Gone".into(),
    });
    stop(&mut run);
    run.settle(MINUTE);
    assert_eq!(
        run.rig.status("/operationState/phase"),
        "Terminating",
        "{}",
        run.journal()
    );
    let message = run.rig.status("/operationState/message").to_owned();
    assert!(message.contains("waiting for the list of Job.batch"), "{message}");
    run.list_all();
    run.settle(MINUTE);
    assert_stopped(&run);
}

/// The creation of the hook was not answered, and it cannot be looked at when the sync is told to stop.
#[test]
fn a_hook_that_may_have_been_created_is_looked_at_before_the_end() {
    let rig = Rig::new(vec![hook("before", "PreSync"), config("c", 0, "1")]);
    let mut run = rig.start(Vec::new());
    run.rig.cluster.silent.insert("before".into());
    let mut looks = 0;
    while looks < 2 {
        let Some(effect) = run.pending.pop_front() else {
            let at = run.engine.poll_timeout().unwrap();
            run.rig.now = at;
            run.engine.handle_timeout(at);
            run.pending.extend(std::iter::from_fn(|| run.engine.poll_effect()));
            continue;
        };
        match &effect.kind {
            EffectKind::Apply(task) if task.key == job("before") => {
                run.rig.cluster.apply(task).unwrap();
                let lost = WriteError::OutcomeUnknown("timeout".into());
                run.complete(&effect, Outcome::Applied(Err(lost)));
            }
            EffectKind::Observe { .. } => {
                looks += 1;
                let lost = WriteError::Transient("connection refused".into());
                run.complete(&effect, Outcome::Observed(Err(lost)));
                if looks == 1 {
                    stop(&mut run);
                }
            }
            _ => run.perform(&effect),
        }
    }
    run.settle(10 * MINUTE);
    assert!(
        !run.rig.cluster.objects.contains_key(&job("before")),
        "{}",
        run.journal()
    );
    assert_eq!(run.rig.status("/operationState/phase"), "Failed", "{}", run.journal());
}

/// The Application is gone, and the watch has not told it yet: what is to be recorded is not written again and again.
#[test]
fn a_status_that_nobody_has_is_not_written_at_once_again() {
    let mut run = Rig::new(vec![hook("before", "PreSync"), config("c", 0, "1")]).start(Vec::new());
    let mut writes = 0;
    for _ in 0..200 {
        let Some(effect) = run.pending.pop_front() else { break };
        match &effect.kind {
            EffectKind::PatchStatus { .. } => {
                writes += 1;
                let gone = WriteError::NotFound("not found".into());
                run.complete(&effect, Outcome::Patched(Err(gone)));
            }
            _ => run.perform(&effect),
        }
    }
    assert!(writes < 3, "{writes} writes by {:?}", run.rig.now);
}
