//! An automated sync that failed is begun anew after a while: a revision is never given up.

use std::time::Duration;

use capstan_engine::effect::EffectKind;
use capstan_engine::{Event, Settings};
use capstan_model::Timestamp;
use serde_json::{Value, json};

use crate::rig::{Rig, Run, config, id};

const MINUTE: Duration = Duration::from_secs(60);

/// One attempt a sync, and an object that the server refuses.
fn failed() -> Run {
    let mut rig = Rig::new(vec![config("a", 0, "1")]);
    rig.resource["spec"]["syncPolicy"]["retry"] = json!({"limit": 0});
    rig.cluster.refused.insert("a".into());
    let mut run = rig.start(Vec::new());
    pass(&mut run, MINUTE);
    assert_eq!(run.rig.status("/operationState/phase"), "Failed");
    run
}

/// Time goes on, also when nothing is waited for.
fn pass(run: &mut Run, time: Duration) {
    let until = run.rig.now + time;
    run.settle(time);
    run.rig.now = until;
    run.handle_timeout();
    run.settle(Duration::ZERO);
}

fn started(run: &Run) -> Timestamp {
    run.rig.status("/operationState/startedAt").parse().unwrap()
}

fn info<'a>(run: &'a Run, name: &str) -> &'a Value {
    let entries = run.rig.resource.pointer("/status/operationState/operation/info");
    let entry = entries.and_then(Value::as_array).into_iter().flatten();
    entry
        .into_iter()
        .find(|entry| entry["name"] == name)
        .map_or(&Value::Null, |entry| &entry["value"])
}

#[test]
fn it_is_begun_anew_after_waits_that_grow_and_says_when() {
    let mut run = failed();
    let mut before = started(&run);
    for minutes in [5, 10, 20, 40, 60, 60] {
        let message = run.rig.status("/operationState/message");
        assert!(message.contains("begun anew at "), "{message}");
        let elapsed = run.rig.now.since(before);
        pass(&mut run, Duration::from_secs(minutes * 60).saturating_sub(elapsed));
        assert_eq!(started(&run), before, "{minutes}: too early");
        pass(&mut run, MINUTE);
        let waited = started(&run).since(before).as_secs();
        assert!(
            (minutes * 60..minutes * 60 + 30).contains(&waited),
            "{minutes}: {waited}"
        );
        before = started(&run);
    }
    assert_eq!(info(&run, "capstan.dev/resumed"), "6");

    run.rig.cluster.refused.clear();
    pass(&mut run, 61 * MINUTE);
    assert_eq!(run.sync(), "Synced Healthy");
    run.rig.cluster.refused.insert("a".into());
    run.push(vec![config("a", 0, "2")]);
    pass(&mut run, MINUTE);
    assert_eq!(
        info(&run, "capstan.dev/resumed"),
        &Value::Null,
        "other objects are counted anew"
    );
}

#[test]
fn a_restart_does_not_begin_to_count_again() {
    let mut run = failed();
    pass(&mut run, 6 * MINUTE);
    assert_eq!(info(&run, "capstan.dev/resumed"), "1");
    let before = started(&run);
    let mut run = run.rig.start(Vec::new());
    pass(&mut run, 7 * MINUTE);
    assert_eq!(started(&run), before, "ten minutes come next");
    pass(&mut run, 3 * MINUTE);
    assert_eq!(info(&run, "capstan.dev/resumed"), "2");
}

#[test]
fn a_commit_does_not_wait() {
    let mut run = failed();
    run.rig.cluster.refused.clear();
    run.push(vec![config("a", 0, "2")]);
    pass(&mut run, MINUTE);
    assert_eq!(run.sync(), "Synced Healthy");
}

#[test]
fn what_a_person_ended_or_asked_for_is_not_begun_anew() {
    let mut rig = Rig::new(vec![config("a", 0, "1")]);
    rig.cluster.refused.insert("a".into());
    let mut run = rig.start(Vec::new());
    pass(&mut run, Duration::from_secs(1));
    assert_eq!(
        run.rig.status("/operationState/phase"),
        "Running",
        "it waits for its next attempt"
    );
    run.handle(Event::TerminateRequested {
        id: id(),
        by: "ada".into(),
    });
    pass(&mut run, MINUTE);
    let (phase, before) = (run.rig.status("/operationState/phase").to_owned(), started(&run));
    assert_eq!(phase, "Failed");
    pass(&mut run, 600 * MINUTE);
    assert_eq!(started(&run), before);
    // Nor by the next process.
    let mut run = run.rig.start(Vec::new());
    pass(&mut run, 600 * MINUTE);
    assert_eq!(started(&run), before);

    run.rig.resource["operation"] = json!({"sync": {}, "initiatedBy": {"username": "ada"}});
    run.observe_application();
    pass(&mut run, MINUTE);
    let asked = started(&run);
    assert_ne!(asked, before);
    pass(&mut run, 600 * MINUTE);
    assert_eq!(started(&run), asked);
}

/// As Argo CD is asked to: by the phase of the operation's state.
#[test]
fn an_operation_can_be_ended_by_its_phase() {
    let mut rig = Rig::new(vec![config("a", 0, "1")]);
    rig.cluster.refused.insert("a".into());
    let mut run = rig.start(Vec::new());
    run.settle(Duration::from_secs(1));
    assert_eq!(run.rig.status("/operationState/phase"), "Running");
    let patch = json!({"operationState": {"phase": "Terminating"}});
    run.rig.patch_resource(&["status"], &patch);
    run.observe_application();
    pass(&mut run, MINUTE);
    assert_eq!(run.rig.status("/operationState/phase"), "Failed");
    let message = run.rig.status("/operationState/message");
    assert!(
        message.starts_with("operation terminated; before: one or more tasks failed: ConfigMap/prod/a: "),
        "{message}"
    );
    assert!(!message.contains("attempt "), "{message}");
    let before = started(&run);
    // What it said then does not end a later one.
    run.rig.resource["operation"] = json!({"sync": {}, "retry": {"limit": 3}});
    run.observe_application();
    pass(&mut run, Duration::from_secs(1));
    assert_ne!(started(&run), before);
    assert_eq!(run.rig.status("/operationState/phase"), "Running");
}

#[test]
fn a_dry_run_or_a_sync_of_some_objects_does_not_end_it() {
    for sync in [
        json!({"dryRun": true}),
        json!({"resources": [{"kind": "ConfigMap", "name": "a"}]}),
    ] {
        let mut run = failed();
        pass(&mut run, 6 * MINUTE);
        assert_eq!(info(&run, "capstan.dev/resumed"), "1");
        run.rig.resource["operation"] = json!({"sync": sync, "initiatedBy": {"username": "ada"}});
        run.observe_application();
        pass(&mut run, MINUTE);
        let asked = started(&run);
        assert_eq!(run.rig.status("/operationState/operation/initiatedBy/username"), "ada");
        pass(&mut run, 10 * MINUTE);
        assert_ne!(started(&run), asked, "{sync}");
        assert_eq!(info(&run, "capstan.dev/resumed"), "2");
    }
}

#[test]
fn it_can_be_switched_off() {
    let mut rig = Rig::new(vec![config("a", 0, "1")]);
    rig.resource["spec"]["syncPolicy"]["retry"] = json!({"limit": 0});
    rig.cluster.refused.insert("a".into());
    let settings = Settings {
        resume_backoff: Duration::ZERO,
        ..Settings::default()
    };
    let mut run = rig.start_with(settings, Vec::new());
    pass(&mut run, 600 * MINUTE);
    let writes = run.log.iter().filter(|line| line.contains("apply")).count();
    assert_eq!(writes, 1, "{}", run.log.join("\n"));
    assert!(
        run.pending
            .iter()
            .all(|effect| !matches!(effect.kind, EffectKind::Apply(_)))
    );
}
