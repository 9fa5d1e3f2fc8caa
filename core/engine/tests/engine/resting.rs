//! Objects that will not become healthy by waiting for them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::rig::{Rig, Run, config, workload};

const MINUTE: Duration = Duration::from_secs(60);

fn claim(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name, "namespace": "prod"}})
}

fn mounting(name: &str, wave: i32, claim: &str) -> Value {
    let mut object = workload("Deployment", name, wave, "1");
    object["spec"]["template"]["spec"]["volumes"] =
        json!([{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]);
    object
}

/// Synced, where claims of this name bind at their first consumer.
fn synced(objects: Vec<Value>, lazy: &str) -> Run {
    let mut rig = Rig::new(objects);
    rig.cluster.lazy.insert(lazy.to_owned());
    let mut run = rig.start(Vec::new());
    run.settle(MINUTE);
    run
}

fn assert_succeeded(run: &Run) {
    let phase = run.rig.status("/operationState/phase");
    assert_eq!(phase, "Succeeded", "{}", run.log.join("\n"));
}

#[test]
fn a_claim_that_binds_at_its_first_consumer_does_not_hold_up_that_consumer() {
    let run = synced(vec![claim("data"), mounting("web", 1, "data")], "data");
    assert_succeeded(&run);
    assert_eq!(run.rig.status("/health/status"), "Healthy");
}

#[test]
fn a_claim_of_the_same_wave_is_waited_for_with_its_consumer() {
    let objects = vec![claim("data"), mounting("web", 0, "data"), config("after", 1, "1")];
    let run = synced(objects, "data");
    assert_succeeded(&run);
}

#[test]
fn a_claim_that_nothing_in_this_sync_mounts_is_waited_for_and_named() {
    let run = synced(vec![claim("data"), mounting("web", 1, "another")], "data");
    assert_eq!(run.rig.status("/operationState/phase"), "Running");
    let message = run.rig.status("/operationState/message");
    assert!(
        message.starts_with("waiting for healthy state of PersistentVolumeClaim/prod/data, since "),
        "{message}"
    );
}

#[test]
fn what_git_declares_as_paused_holds_up_no_wave() {
    let mut paused = workload("Deployment", "web", 0, "1");
    paused["spec"]["paused"] = json!(true);
    let run = synced(vec![paused, config("after", 1, "1")], "");
    assert_succeeded(&run);
    assert_eq!(run.rig.status("/health/status"), "Suspended");
}
