//! What the status says of a sync that waits: for whom, and what somebody can do about it.

use std::time::Duration;

use capstan_engine::Event;
use capstan_model::ResourceKey;
use serde_json::json;

use crate::rig::{Rig, Run, config, hook, id, workload};

const MINUTE: Duration = Duration::from_secs(60);

fn message(run: &Run) -> String {
    let message = run.rig.status("/operationState/message").to_owned();
    assert_eq!(run.rig.status("/operationState/phase"), "Running", "{message}");
    for part in ["waiting for ", ", since ", ", until "] {
        assert!(message.contains(part), "{part:?}: {message}");
    }
    message
}

fn map(name: &str) -> ResourceKey {
    ResourceKey::new("", "ConfigMap", "prod", name)
}

/// Synced with two objects, of which the newest commit declares one.
fn to_prune(annotations: &serde_json::Value) -> Run {
    let mut goes = config("goes", 0, "1");
    for (name, value) in annotations.as_object().into_iter().flatten() {
        goes["metadata"]["annotations"][name] = value.clone();
    }
    let mut run = Rig::new(vec![config("stays", 0, "1"), goes]).start(Vec::new());
    run.settle(MINUTE);
    assert_eq!(run.sync(), "Synced Healthy");
    run
}

#[test]
fn an_approval_that_is_missing_is_asked_for_and_one_that_does_not_count_is_told() {
    let mut run = to_prune(&json!({"argocd.argoproj.io/sync-options": "Prune=confirm"}));
    let before = run.rig.now.to_string();
    run.rig.now = run.rig.now + MINUTE;
    run.push(vec![config("stays", 0, "1")]);
    run.settle(MINUTE);
    let asked = message(&run);
    let how = "waiting for confirmation to prune ConfigMap/prod/goes \
               (annotate the Application with argocd.argoproj.io/deletion-approved: <time> to delete it)";
    assert!(asked.contains(how), "{asked}");
    run.rig.resource["metadata"]["annotations"] = json!({"argocd.argoproj.io/deletion-approved": before});
    run.observe_application();
    run.settle(MINUTE);
    let told = message(&run);
    let why = format!("what it says, {before}, is not later than what waits for it");
    assert!(told.contains(&why), "{told}");
}

#[test]
fn what_is_not_deleted_yet_is_said_to_be_left_and_until_when() {
    let run = to_prune(&json!({}));
    let mut rig = run.rig;
    rig.commit(vec![config("stays", 0, "1")]);
    let mut run = rig.start(Vec::new());
    assert!(run.drive(5000));
    let told = message(&run);
    let why = "waiting for a safe moment to delete ConfigMap/prod/goes \
               (this controller has worked on the Application for a moment only: nothing is deleted before ";
    assert!(told.contains(why), "{told}");
    run.settle(MINUTE);
    assert!(!run.rig.cluster.objects.contains_key(&map("goes")), "{}", run.journal());
}

#[test]
fn who_holds_an_object_that_is_pruned_is_named() {
    let mut run = to_prune(&json!({}));
    run.edit(
        &map("goes"),
        &["metadata", "finalizers"],
        json!(["example.com/hold"]),
        "kubectl",
    );
    run.settle(MINUTE);
    run.push(vec![config("stays", 0, "1")]);
    run.settle(MINUTE);
    let object = run.rig.cluster.objects[&map("goes")].clone();
    let since = object["metadata"]["deletionTimestamp"]
        .as_str()
        .expect("it is on its way out");
    run.see(object.clone());
    run.settle(MINUTE);
    let told = message(&run);
    let why =
        format!("waiting for deletion of ConfigMap/prod/goes (held by finalizer example.com/hold, since {since})");
    assert!(told.contains(&why), "{told}");
}

#[test]
fn who_holds_the_earlier_run_of_a_hook_is_named() {
    let before = hook("before", "PreSync");
    let mut run = Rig::new(vec![before.clone(), workload("Deployment", "web", 0, "1")]).start(Vec::new());
    run.settle(MINUTE);
    let job = ResourceKey::new("batch", "Job", "prod", "before");
    run.edit(
        &job,
        &["metadata", "finalizers"],
        json!(["example.com/hold"]),
        "kubectl",
    );
    run.settle(MINUTE);
    run.push(vec![before, workload("Deployment", "web", 0, "2")]);
    run.settle(MINUTE);
    let object = run.rig.cluster.objects[&job].clone();
    run.see(object);
    run.settle(MINUTE);
    let told = message(&run);
    let why = "waiting for deletion of the earlier hook Job/prod/before (held by finalizer example.com/hold, since ";
    assert!(told.contains(why), "{told}");
}

/// No row of a sync that was stopped says that it goes on.
#[test]
fn what_waited_for_its_approval_when_the_sync_was_stopped_was_left() {
    let mut run = to_prune(&json!({"argocd.argoproj.io/sync-options": "Prune=confirm"}));
    let mut deployment = workload("Deployment", "web", 0, "1");
    deployment["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"] = json!("0");
    run.push(vec![config("stays", 0, "1"), deployment]);
    run.settle(MINUTE);
    message(&run);
    run.handle(Event::TerminateRequested {
        id: id(),
        by: "ada".into(),
    });
    run.settle(MINUTE);
    assert_eq!(run.rig.status("/operationState/phase"), "Failed", "{}", run.journal());
    let rows = run.rig.resource["status"]["operationState"]["syncResult"]["resources"].clone();
    let rows = rows.as_array().expect("there are rows");
    let row = rows.iter().find(|row| row["name"] == "goes").expect("it is told");
    assert_eq!(row["status"], "PruneSkipped", "{row}");
    assert_eq!(
        row["message"], "left: it was not confirmed before the sync ended",
        "{row}"
    );
    assert!(rows.iter().all(|row| row["hookPhase"] != "Running"), "{rows:?}");
}

/// Nor does one of a sync that was stopped while it waited for a rollout.
#[test]
fn what_was_waited_for_when_the_sync_ended_is_said_to_be_written() {
    let mut rig = Rig::new(vec![workload("Deployment", "web", 0, "1"), config("later", 1, "1")]);
    rig.cluster.silent.insert("web".into());
    let mut run = rig.start(Vec::new());
    run.settle(MINUTE);
    run.handle(Event::TerminateRequested {
        id: id(),
        by: "ada".into(),
    });
    run.settle(MINUTE);
    let rows = run.rig.resource["status"]["operationState"]["syncResult"]["resources"].clone();
    let row = &rows[0];
    assert_eq!(
        (&row["name"], &row["status"]),
        (&json!("web"), &json!("Synced")),
        "{rows}"
    );
    assert_eq!(row["message"], "not seen to be healthy before the sync ended", "{rows}");
    assert_eq!(row["hookPhase"], "Failed", "{rows}");
}

/// Whoever stops a sync does not take away why it had failed.
#[test]
fn why_a_sync_had_failed_is_still_said_when_it_is_stopped() {
    for hooks in [vec![], vec![hook("undo", "SyncFail")]] {
        let mut rig = Rig::new([vec![config("a", 0, "1")], hooks].concat());
        rig.cluster.refused.insert("a".into());
        rig.cluster.silent.insert("undo".into());
        let mut run = rig.start(Vec::new());
        run.settle(Duration::from_secs(1));
        assert_eq!(run.rig.status("/operationState/phase"), "Running", "{}", run.journal());
        run.handle(Event::TerminateRequested {
            id: id(),
            by: "ada".into(),
        });
        run.settle(Duration::from_secs(1));
        let told = run.rig.status("/operationState/message");
        let expected = "operation terminated by ada; before: one or more tasks failed: ConfigMap/prod/a: ";
        assert!(told.starts_with(expected), "{told}");
        assert!(!told.contains("attempt ") && !told.contains("undo"), "{told}");
    }
}

/// What comes late in its wave is told how long the wave may take, and not what was left of that.
#[test]
fn the_deadline_of_a_wave_is_told_as_it_was_set() {
    let mut second = workload("Deployment", "second", 0, "1");
    second["metadata"]["annotations"]["capstan.dev/depends-on"] = json!("apps/Deployment/first");
    let mut rig = Rig::new(vec![
        workload("Deployment", "first", 0, "1"),
        second,
        config("later", 1, "1"),
    ]);
    rig.resource["metadata"]["annotations"] = json!({"capstan.dev/wave-timeout": "5s"});
    rig.resource["spec"]["syncPolicy"]["retry"] = json!({"limit": 0});
    rig.cluster.silent.extend(["first".to_owned(), "second".to_owned()]);
    let mut run = rig.start(Vec::new());
    run.settle(Duration::from_secs(1));
    run.rig.now = run.rig.now + Duration::from_secs(1);
    let first = run
        .rig
        .cluster
        .work(&ResourceKey::new("apps", "Deployment", "prod", "first"));
    run.see(first);
    run.settle(Duration::from_secs(5));
    let message = run.rig.status("/operationState/message");
    assert!(
        message.contains("Deployment/prod/second: its wave was not done within 5s; this was waited for since "),
        "{message}\n{}",
        run.journal()
    );
    assert!(
        message.contains("capstan.dev/wave-timeout of the Application"),
        "{message}"
    );
}
