//! Somebody writes to the cluster past Git.

use std::time::Duration;

use crate::harness::{Demo, eventually};

#[test]
fn scale_edit_and_delete_are_reverted_in_under_a_second() {
    let Some(demo) = Demo::start() else { return };
    let kubectl = &demo.kubectl;
    let replicas = || {
        kubectl
            .object(&["-n", "production", "deployment", "patient-portal"])
            .map(|o| o["spec"]["replicas"].clone())
    };
    let revision = |kind: &str, name: &str| {
        kubectl
            .object(&["-n", "production", kind, name])
            .map(|object| object["metadata"]["generation"].clone())
    };
    let before = revision("deployment", "patient-portal");
    kubectl.run(&[
        "-n",
        "production",
        "scale",
        "deployment",
        "patient-portal",
        "--replicas",
        "9",
    ]);
    let took = eventually("the scale is reverted", Duration::from_secs(1), || {
        revision("deployment", "patient-portal") != before && replicas() == Some(3.into())
    });
    println!("scale → reverted {} ms, kubectl's own start included", took.as_millis());

    kubectl.run(&[
        "-n",
        "production",
        "delete",
        "configmap",
        "platform-config",
        "--wait=false",
    ]);
    let took = eventually("the ConfigMap is back", Duration::from_secs(1), || {
        kubectl
            .object(&["-n", "production", "configmap", "platform-config"])
            .is_some()
    });
    println!("delete → back {} ms", took.as_millis());

    let mut edit = kubectl.command(&["-n", "production", "edit", "configmap", "platform-config"]);
    edit.env("EDITOR", "sed -i s/info/debug/");
    crate::harness::run(&mut edit);
    eventually("the edit is reverted", Duration::from_secs(1), || {
        let map = kubectl.object(&["-n", "production", "configmap", "platform-config"]);
        map.is_some_and(|map| map["data"]["LOG_LEVEL"] == "info")
    });
    eventually("the journal names who did it", Duration::from_secs(2), || {
        let drift: Vec<String> = demo
            .journal()
            .iter()
            .filter(|entry| entry["machine"] == "drift")
            .map(|entry| entry["cause"]["manager"].as_str().unwrap_or_default().to_owned())
            .collect();
        drift.iter().any(|manager| manager == "kubectl-edit")
            && drift.iter().any(|manager| manager.starts_with("kubectl"))
    });
}
