//! Hooks that meet what the properties do not make up.

use std::time::Duration;

use capstan_engine::event::{Outcome, WriteError};
use capstan_engine::{Effect, EffectKind, Event};
use capstan_model::{ClusterId, GroupKind, ResourceKey};
use serde_json::json;

use crate::rig::{Rig, config, hook, workload};

const MINUTE: Duration = Duration::from_secs(60);

/// The earlier run of a hook is in the way of its next phase, and its kind cannot be listed any more: whose it is is not known then, and
/// that is waited for. It is not called somebody else's.
#[test]
fn an_earlier_run_that_cannot_be_seen_is_waited_for() {
    let objects = vec![hook("both", "PreSync,PostSync"), workload("Deployment", "web", 0, "1")];
    let mut run = Rig::new(objects).start(Vec::new());
    let web = ResourceKey::new("apps", "Deployment", "prod", "web");
    while !run.rig.cluster.objects.contains_key(&web) {
        let effect = run.pending.pop_front();
        match effect {
            Some(effect) => run.perform(&effect),
            None => assert!(!run.drive(1), "the Job of PreSync is worked on"),
        }
    }
    let (cluster, kind) = (ClusterId::in_cluster(), GroupKind::new("batch", "Job"));
    run.handle(Event::KindUnavailable {
        cluster: cluster.clone(),
        kind: kind.clone(),
        reason: "403 Forbidden".into(),
    });
    run.settle(MINUTE);
    let message = run.rig.status("/operationState/message").to_owned();
    assert!(
        message.contains("waiting for the list of Job.batch"),
        "{message}\n{}",
        run.journal()
    );
    assert!(!run.journal().contains("does not belong"), "{}", run.journal());
    let of_kind = run
        .rig
        .cluster
        .objects
        .iter()
        .filter(|(key, _)| key.group_kind() == kind);
    let objects = of_kind.map(|(_, object)| object.clone()).collect();
    run.handle(Event::Relisted { cluster, kind, objects });
    run.settle(MINUTE);
    assert_eq!(
        run.rig.status("/operationState/phase"),
        "Succeeded",
        "{}",
        run.journal()
    );
}

/// The answer to a write of the status may come after something newer was read: what was read stays what is known, or every later write
/// would insist on a version that is over, for ever.
#[test]
fn an_answer_that_is_older_than_what_was_read_changes_nothing() {
    let objects = vec![
        hook("before", "PreSync"),
        hook("after", "PostSync"),
        workload("Deployment", "web", 0, "1"),
    ];
    let mut run = Rig::new(objects).start(Vec::new());
    let is_status = |effect: &Effect| matches!(effect.kind, EffectKind::PatchStatus { version: Some(_), .. });
    while !run.pending.iter().any(is_status) {
        let effect = run.pending.pop_front().expect("an operation with hooks is recorded");
        run.perform(&effect);
    }
    let at = run.pending.iter().position(is_status).expect("it is there");
    let effect = run.pending.remove(at).expect("it is there");
    let outcome = run.carry_out(&effect).expect("it is answered");
    run.rig.resource["metadata"]["annotations"]["example.com/note"] = json!("somebody was here");
    run.rig.resource["metadata"]["resourceVersion"] = json!("1000");
    run.observe_application();
    run.complete(&effect, outcome);
    let next = loop {
        match run.pending.pop_front() {
            Some(effect) if is_status(&effect) => break effect,
            Some(effect) => run.perform(&effect),
            None => assert!(!run.drive(1), "it goes on"),
        }
    };
    let EffectKind::PatchStatus { version, .. } = next.kind else {
        unreachable!("that was looked for")
    };
    assert_eq!(version.as_deref(), Some("1000"));
}

/// Neither the answer to its creation nor the one to the look after it comes: the hook is looked at until it is seen, and never created again.
#[test]
fn a_hook_that_may_have_been_created_is_looked_at_until_it_is_seen() {
    let mut run = Rig::new(vec![hook("before", "PreSync"), workload("Deployment", "web", 0, "1")]).start(Vec::new());
    let lost = || WriteError::OutcomeUnknown("timeout".into());
    let (mut creations, mut looks) = (0, 0);
    for _ in 0..200 {
        let Some(effect) = run.pending.pop_front() else {
            match run.engine.poll_timeout() {
                Some(at) if looks < 5 => {
                    run.rig.now = at;
                    run.handle_timeout();
                    continue;
                }
                _ => break,
            }
        };
        match &effect.kind {
            EffectKind::Apply(task) if task.key.kind == "Job" => {
                creations += 1;
                // It arrives, and nothing is heard of it, by the watch neither.
                run.rig.cluster.watched.clear();
                let _ = run.carry_out(&effect);
                run.complete(&effect, Outcome::Applied(Err(lost())));
            }
            EffectKind::Observe { .. } if looks < 4 => {
                looks += 1;
                run.complete(&effect, Outcome::Observed(Err(lost())));
            }
            EffectKind::Observe { .. } => {
                looks += 1;
                run.perform(&effect);
            }
            _ => run.perform(&effect),
        }
    }
    assert_eq!((creations, looks), (1, 5), "{}", run.log.join("\n"));
    let message = run.rig.status("/operationState/message");
    assert_eq!(run.rig.status("/operationState/phase"), "Running", "{message}");
}

/// It is not there after its creation was not answered, and nothing held it: it may have been consumed already, so it is not created again.
#[test]
fn a_hook_that_nothing_holds_and_that_may_have_been_created_is_not_created_again() {
    let mut consumed = config("before", 0, "1");
    consumed["metadata"]["annotations"]["argocd.argoproj.io/hook"] = json!("PreSync");
    let mut run = Rig::new(vec![consumed, workload("Deployment", "web", 0, "1")]).start(Vec::new());
    let mut creations = 0;
    for _ in 0..200 {
        if run
            .rig
            .status("/operationState/message")
            .contains("one or more tasks failed")
        {
            break;
        }
        let Some(effect) = run.pending.pop_front() else {
            let Some(at) = run.engine.poll_timeout() else { break };
            run.rig.now = at;
            run.handle_timeout();
            continue;
        };
        match &effect.kind {
            EffectKind::Apply(task) if task.key.name == "before" => {
                creations += 1;
                let lost = WriteError::OutcomeUnknown("timeout".into());
                run.complete(&effect, Outcome::Applied(Err(lost)));
            }
            _ => run.perform(&effect),
        }
    }
    let message = run.rig.status("/operationState/message");
    assert!(message.contains("may have finished and removed itself"), "{message}");
    assert_eq!(creations, 1, "{}", run.log.join("\n"));
}
