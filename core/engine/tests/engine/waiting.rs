//! What the status says of a sync that waits: for whom, and what somebody can do about it.

use std::time::Duration;

use capstan_model::ResourceKey;
use serde_json::json;

use crate::rig::{Rig, Run, config, hook, workload};

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
fn to_prune(annotations: serde_json::Value) -> Run {
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
    let mut run = to_prune(json!({"argocd.argoproj.io/sync-options": "Prune=confirm"}));
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
    let run = to_prune(json!({}));
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
    let mut run = to_prune(json!({}));
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
