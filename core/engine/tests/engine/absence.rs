//! A 404 that is not about the object itself proves nothing: nothing is taken for gone because of it.

use std::time::Duration;

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
