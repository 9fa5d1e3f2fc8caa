//! A 404 that is not about the object itself proves nothing: nothing is taken for gone because of it.

use std::time::Duration;

use capstan_model::ResourceKey;
use serde_json::json;

use crate::deletion::{finalizers, job, settled};
use crate::rig::{Rig, config, hook};

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_prune_that_finds_no_path_is_tried_until_the_object_is_gone() {
    let mut run = Rig::new(vec![config("a", 0, "1"), config("b", 0, "1")]).start(Vec::new());
    run.settle(MINUTE);
    run.rig.cluster.loses_deletes = true;
    run.push(vec![config("a", 0, "1")]);
    run.settle(MINUTE);
    assert_eq!(run.rig.status("/operationState/phase"), "Running");
    let message = run.rig.status("/operationState/message").to_owned();
    assert!(message.contains("404 page not found"), "{message}");
    assert_eq!(run.rig.cluster.objects.len(), 2);
    assert_eq!(run.engine.view(&crate::rig::id()).unwrap().resources.len(), 2);

    run.rig.cluster.loses_deletes = false;
    run.settle(MINUTE);
    assert_eq!(
        run.rig.status("/operationState/phase"),
        "Succeeded",
        "{}",
        run.log.join("\n")
    );
    assert_eq!(run.rig.cluster.objects.len(), 1);
}

#[test]
fn an_application_whose_objects_have_no_path_stays() {
    let mut fleet = settled(vec![config("a", 0, "1")]);
    fleet.cluster.loses_deletes = true;
    fleet.delete("shop");
    fleet.settle(MINUTE);
    assert_eq!(finalizers(&fleet, "shop").len(), 1, "{}", fleet.tail());
    let told = fleet.conditions("shop");
    assert!(told.contains("404 page not found"), "{told}");

    fleet.cluster.loses_deletes = false;
    fleet.settle(MINUTE);
    assert!(fleet.cluster.objects.is_empty(), "{}", fleet.tail());
    assert!(!fleet.resources.contains_key("shop"));
}

#[test]
fn a_hook_whose_earlier_run_has_no_path_runs_when_that_one_is_gone() {
    let mut fleet = settled(vec![config("a", 0, "1"), hook("migrate", "PreSync")]);
    let first = fleet.cluster.objects[&job("migrate")]["metadata"]["uid"].clone();
    fleet.cluster.loses_deletes = true;
    fleet.push("shop", vec![config("a", 0, "2"), hook("migrate", "PreSync")]);
    fleet.settle(MINUTE);
    assert_eq!(
        fleet.status("shop", "/operationState/phase"),
        "Running",
        "{}",
        fleet.tail()
    );
    assert_eq!(fleet.cluster.objects[&job("migrate")]["metadata"]["uid"], first);

    fleet.cluster.loses_deletes = false;
    fleet.settle(MINUTE);
    assert_eq!(fleet.sync("shop"), "Synced Healthy", "{}", fleet.tail());
    assert_ne!(fleet.cluster.objects[&job("migrate")]["metadata"]["uid"], first);
}

/// A running hook of another Application has the name of a hook of this deletion: its finalizer is not ours to take off.
#[test]
fn a_deletion_lets_nothing_of_others_go() {
    let mut run = Rig::new(vec![hook("bye", "PreDelete"), config("c", 0, "1")]).start(Vec::new());
    run.rig.resource["metadata"]["finalizers"] = json!(["resources-finalizer.argocd.argoproj.io"]);
    run.observe_application();
    run.settle(MINUTE);
    let mut theirs = hook("bye", "PreSync");
    for (pointer, value) in [
        ("uid", json!("theirs")),
        ("resourceVersion", json!("900")),
        ("finalizers", json!(["argocd.argoproj.io/hook-finalizer"])),
    ] {
        theirs["metadata"][pointer] = value;
    }
    theirs["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"] = json!("bank:batch/Job:prod/bye");
    theirs["metadata"]["annotations"]["capstan.dev/operation"] = json!("bank-uid:7:0:PreSync");
    run.rig.cluster.silent.insert("bye".into());
    let key = ResourceKey::new("batch", "Job", "prod", "bye");
    run.rig.cluster.objects.insert(key, theirs.clone());
    run.see(theirs);
    run.rig.resource["metadata"]["deletionTimestamp"] = json!("2026-03-14T09:00:00Z");
    run.rig.patch_resource(&["metadata"], &json!({}));
    run.observe_application();
    run.drive(300);
    assert!(
        !run.log.iter().any(|line| line.contains("unfinalize")),
        "{}",
        run.journal()
    );
}
