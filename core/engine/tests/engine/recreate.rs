//! `Force=true`: whatever becomes of the delete and of its answer, the object is there in the end, made anew once, and only what was to be
//! replaced was deleted.

use std::time::Duration;

use capstan_engine::Event;
use capstan_engine::effect::{DryRun, Effect, EffectKind};
use capstan_engine::event::{Outcome, WriteError};
use capstan_model::ResourceKey;
use serde_json::{Value, json};

use crate::cluster::Fact;
use crate::rig::{Rig, Run, config, id};

const MINUTE: Duration = Duration::from_secs(60);

fn key() -> ResourceKey {
    ResourceKey::new("", "ConfigMap", "prod", "a")
}

fn forced(value: &str) -> Value {
    let mut object = config("a", 0, value);
    object["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] = json!("Force=true");
    object
}

fn is_delete(effect: &Effect) -> bool {
    matches!(&effect.kind, EffectKind::Delete { permit, .. } if *permit.key() == key())
}

fn is_write(effect: &Effect) -> bool {
    matches!(&effect.kind, EffectKind::Apply(task) if task.key == key() && task.dry_run == DryRun::No)
}

fn at_the_delete() -> (Run, Effect) {
    until(is_delete)
}

/// Until this is asked for; nobody tries again what a sync has failed at, and drift stays.
fn until(is_it: fn(&Effect) -> bool) -> (Run, Effect) {
    let mut rig = Rig::new(vec![forced("1")]);
    rig.resource["spec"]["syncPolicy"] = json!({"automated": {"prune": true}, "retry": {"limit": 0}});
    let mut run = rig.start(Vec::new());
    run.settle(MINUTE);
    run.rig.cluster.immutable.insert("a".into());
    run.push(vec![forced("2")]);
    loop {
        if let Some(at) = run.pending.iter().position(is_it) {
            let effect = run.pending.remove(at).unwrap();
            return (run, effect);
        }
        assert!(!run.drive(1), "it is not asked for: {}", run.journal());
    }
}

fn uid(run: &Run) -> &str {
    run.rig.cluster.objects[&key()]["metadata"]["uid"].as_str().unwrap()
}

fn deletes(run: &Run) -> usize {
    let facts = run.rig.cluster.history.iter();
    facts.filter(|fact| matches!(fact, Fact::Deleted { .. })).count()
}

fn unknown() -> Outcome {
    Outcome::Deleted(Err(WriteError::OutcomeUnknown("timed out".into())))
}

fn assert_anew(run: &Run, before: &str, times: usize) {
    assert_eq!(run.sync(), "Synced Healthy", "{}", run.journal());
    assert_eq!(run.rig.cluster.objects[&key()]["data"]["v"], "2");
    assert_ne!(uid(run), before, "{}", run.journal());
    assert_eq!(deletes(run), times, "{}", run.journal());
    assert_eq!(run.rig.status("/operationState/phase"), "Succeeded");
}

#[test]
pub(crate) fn a_delete_that_worked_and_was_not_answered() {
    let (mut run, delete) = at_the_delete();
    let before = uid(&run).to_owned();
    // The watch has not told it either.
    let EffectKind::Delete { permit, .. } = &delete.kind else {
        unreachable!()
    };
    run.rig.cluster.delete(permit).unwrap();
    run.complete(&delete, unknown());
    run.settle(MINUTE);
    assert_anew(&run, &before, 1);
}

#[test]
fn a_delete_that_did_not_work_and_was_not_answered() {
    let (mut run, delete) = at_the_delete();
    let before = uid(&run).to_owned();
    run.complete(&delete, unknown());
    run.settle(MINUTE);
    assert_anew(&run, &before, 1);
    for error in [WriteError::Transient("503".into()), WriteError::Conflict("409".into())] {
        let (mut run, delete) = at_the_delete();
        let before = uid(&run).to_owned();
        run.complete(&delete, Outcome::Deleted(Err(error)));
        run.settle(MINUTE);
        assert_anew(&run, &before, 1);
    }
    // What is forbidden is not tried again, and nothing was deleted.
    let (mut run, delete) = at_the_delete();
    run.complete(&delete, Outcome::Deleted(Err(WriteError::Forbidden("403".into()))));
    run.settle(MINUTE);
    assert_eq!(run.rig.status("/operationState/phase"), "Failed");
    assert_eq!((deletes(&run), run.rig.cluster.objects.len()), (0, 1));
}

/// What may not be written any more when the server refuses the change is not deleted either: it stays until it may be.
#[test]
fn nothing_is_deleted_for_an_application_that_is_left_alone_since() {
    let (mut run, write) = until(is_write);
    let before = uid(&run).to_owned();
    run.rig.resource["metadata"]["annotations"] = json!({"argocd.argoproj.io/skip-reconcile": "true"});
    run.observe_application();
    run.perform(&write);
    run.settle(MINUTE);
    assert_eq!((deletes(&run), uid(&run)), (0, &*before), "{}", run.journal());
    run.rig.resource["metadata"]["annotations"] = json!({});
    run.observe_application();
    run.settle(MINUTE);
    assert_anew(&run, &before, 1);
}

/// The same where the sync is stopped: then it stays for good.
#[test]
fn nothing_is_deleted_for_a_sync_that_is_stopped_since() {
    let (mut run, write) = until(is_write);
    let before = uid(&run).to_owned();
    run.handle(Event::TerminateRequested {
        id: id(),
        by: "ada".into(),
    });
    run.perform(&write);
    run.settle(MINUTE);
    assert_eq!((deletes(&run), uid(&run)), (0, &*before), "{}", run.journal());
}

#[test]
fn what_somebody_made_meanwhile_is_not_deleted() {
    let (mut run, delete) = at_the_delete();
    let before = uid(&run).to_owned();
    let mut theirs = run.rig.cluster.objects[&key()].clone();
    theirs["metadata"]["uid"] = json!("theirs");
    run.rig.cluster.immutable.clear();
    run.rig.cluster.objects.insert(key(), theirs);
    // The executor refuses: another object has the name; or nobody knows.
    let mut again = run.rig.clone().start(Vec::new());
    run.perform(&delete);
    run.settle(MINUTE);
    assert_anew(&run, &before, 0);
    assert_eq!(uid(&run), "theirs");
    again.settle(MINUTE);
    assert_eq!((uid(&again), deletes(&again)), ("theirs", 0), "{}", again.journal());

    let (mut run, delete) = at_the_delete();
    let before = uid(&run).to_owned();
    let mut theirs = run.rig.cluster.objects[&key()].clone();
    theirs["metadata"]["uid"] = json!("theirs");
    run.rig.cluster.immutable.clear();
    run.rig.cluster.objects.insert(key(), theirs);
    run.complete(&delete, unknown());
    run.settle(MINUTE);
    assert_anew(&run, &before, 0);
    assert_eq!(uid(&run), "theirs");
}

#[test]
fn a_look_that_fails_is_repeated() {
    let (mut run, delete) = at_the_delete();
    let before = uid(&run).to_owned();
    let EffectKind::Delete { permit, .. } = &delete.kind else {
        unreachable!()
    };
    run.rig.cluster.delete(permit).unwrap();
    run.complete(&delete, unknown());
    for _ in 0..3 {
        let at = loop {
            let looks = |effect: &Effect| matches!(effect.kind, EffectKind::Observe { .. });
            match run.pending.iter().position(looks) {
                Some(at) => break at,
                None if run.drive(1) => {
                    run.rig.now = run.engine.poll_timeout().unwrap();
                    run.handle_timeout();
                }
                None => {}
            }
        };
        let look = run.pending.remove(at).unwrap();
        let failed = Outcome::Observed(Err(WriteError::Transient("the server does not answer".into())));
        run.complete(&look, failed);
    }
    run.settle(MINUTE);
    assert_anew(&run, &before, 1);
}

#[test]
fn a_process_that_ends_at_any_point_leaves_it_made_anew() {
    for answered in [false, true] {
        for steps in 0..8 {
            let (mut run, delete) = at_the_delete();
            let before = uid(&run).to_owned();
            if answered {
                run.perform(&delete);
            } else {
                run.carry_out(&delete);
            }
            run.drive(steps);
            let mut run = run.rig.start(Vec::new());
            run.settle(MINUTE);
            assert_anew(&run, &before, 1);
        }
    }
}

#[test]
fn a_sync_that_is_stopped_does_not_leave_it_deleted() {
    for held in [false, true] {
        let (mut run, delete) = at_the_delete();
        let before = uid(&run).to_owned();
        if held {
            let live = run.rig.cluster.objects.get_mut(&key()).unwrap();
            live["metadata"]["finalizers"] = json!(["example.com/hold"]);
        }
        run.handle(Event::TerminateRequested {
            id: id(),
            by: "ada".into(),
        });
        if held {
            run.perform(&delete);
            run.settle(MINUTE);
            let live = run.rig.cluster.release(&key(), "example.com/hold").unwrap();
            run.handle(Event::LiveGone {
                cluster: capstan_model::ClusterId::in_cluster(),
                key: key(),
                uid: live["metadata"]["uid"].as_str().unwrap().to_owned(),
            });
        } else {
            let EffectKind::Delete { permit, .. } = &delete.kind else {
                unreachable!()
            };
            run.rig.cluster.delete(permit).unwrap();
            run.complete(&delete, unknown());
        }
        run.settle(MINUTE);
        assert_ne!(uid(&run), before, "{}", run.journal());
        assert_eq!(
            run.rig.status("/operationState/phase"),
            "Failed",
            "it was stopped all the same"
        );
        assert_eq!(deletes(&run), 1);
    }
}
