//! The statuses of a Pod on its way.

use capstan_model::{Digest, Timestamp};
use serde_json::{Value, json};

use super::super::build::{conditions, set_condition};
use crate::{at, meta, text, time};

/// Does any container have a readiness probe?
pub(super) fn has_readiness_probe(pod: &Value) -> bool {
    containers(pod).any(|container| container.get("readinessProbe").is_some())
}

fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    at(pod, &["spec", "containers"])
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// Could not be bound.
pub(super) fn unschedulable(pod: &Value, now: Timestamp, message: &str) -> Value {
    let mut list = conditions(pod);
    set_condition(&mut list, now, "PodScheduled", "False", "Unschedulable", message);
    let mut status = pod.get("status").cloned().unwrap_or_else(|| json!({}));
    status["phase"] = json!("Pending");
    status["conditions"] = json!(list);
    status
}

/// Bound, images on their way.
pub(super) fn creating(pod: &Value, now: Timestamp) -> Value {
    waiting(pod, now, "ContainerCreating", "")
}

/// Bound, containers cannot start.
pub(super) fn waiting(pod: &Value, now: Timestamp, reason: &str, message: &str) -> Value {
    let mut state = json!({"waiting": {"reason": reason}});
    if !message.is_empty() {
        state["waiting"]["message"] = json!(message);
    }
    let statuses = containers(pod)
        .map(|container| container_status(pod, container, state.clone(), false, 0))
        .collect();
    assemble(pod, now, "Pending", false, statuses)
}

/// Containers run.
pub(super) fn running(pod: &Value, now: Timestamp, began: Timestamp, ready: bool) -> Value {
    let state = json!({"running": {"startedAt": time(began)}});
    let statuses = containers(pod)
        .map(|container| container_status(pod, container, state.clone(), ready, 0))
        .collect();
    assemble(pod, now, "Running", ready, statuses)
}

/// Containers ended: for good, or to be tried again for ever, as the restart policy says.
pub(super) fn exited(pod: &Value, now: Timestamp, began: Timestamp, code: i32) -> Value {
    let policy = text(pod, &["spec", "restartPolicy"]);
    let reason = if code == 0 { "Completed" } else { "Error" };
    let ended = json!({"terminated": {
        "exitCode": code, "reason": reason, "startedAt": time(began), "finishedAt": time(now),
    }});
    let over = policy == "Never" || policy == "OnFailure" && code == 0;
    if over {
        let statuses = containers(pod)
            .map(|container| container_status(pod, container, ended.clone(), false, 0))
            .collect();
        return assemble(
            pod,
            now,
            if code == 0 { "Succeeded" } else { "Failed" },
            false,
            statuses,
        );
    }
    let already = at(pod, &["status", "containerStatuses"])
        .and_then(Value::as_array)
        .is_some_and(|list| {
            list.iter()
                .any(|status| text(status, &["state", "waiting", "reason"]) == "CrashLoopBackOff")
        });
    if already {
        return pod.get("status").cloned().unwrap_or_default();
    }
    let statuses = containers(pod).map(|container| {
        let name = text(container, &["name"]);
        let message = format!(
            "back-off 10s restarting failed container={name} pod={}",
            meta(pod, "name")
        );
        let state = json!({"waiting": {"reason": "CrashLoopBackOff", "message": message}});
        let mut status = container_status(pod, container, state, false, 1);
        status["lastState"] = ended.clone();
        status
    });
    assemble(pod, now, "Running", false, statuses.collect())
}

#[expect(clippy::needless_pass_by_value, reason = "callers build it for this call")]
fn container_status(pod: &Value, container: &Value, state: Value, ready: bool, restarts: u32) -> Value {
    let name = text(container, &["name"]);
    let started = state.get("running").is_some();
    let mut status = json!({
        "name": name, "image": text(container, &["image"]), "imageID": "", "ready": ready, "restartCount": restarts,
        "started": started, "state": state, "lastState": {},
    });
    if state_has_run(&status) {
        let id = Digest::of_bytes(format!("{}/{name}", meta(pod, "uid")).as_bytes());
        status["containerID"] = json!(format!("containerd://{id}"));
        status["imageID"] = json!(format!(
            "{}@sha256:{}",
            text(container, &["image"]),
            Digest::of_bytes(text(container, &["image"]).as_bytes())
        ));
    }
    status
}

fn state_has_run(status: &Value) -> bool {
    at(status, &["state", "waiting"]).is_none()
}

#[expect(clippy::needless_pass_by_value, reason = "callers build it for this call")]
fn assemble(pod: &Value, now: Timestamp, phase: &str, ready: bool, statuses: Vec<Value>) -> Value {
    let mut list = conditions(pod);
    let over = matches!(phase, "Succeeded" | "Failed");
    let reason = match (phase, ready) {
        (_, true) => "",
        ("Succeeded", _) => "PodCompleted",
        ("Failed", _) => "PodFailed",
        _ => "ContainersNotReady",
    };
    let names: Vec<&str> = containers(pod).map(|container| text(container, &["name"])).collect();
    let message = if ready || over {
        String::new()
    } else {
        format!("containers with unready status: [{}]", names.join(" "))
    };
    let word = if ready { "True" } else { "False" };
    let started = if phase == "Pending" { "False" } else { "True" };
    set_condition(
        &mut list,
        now,
        "PodReadyToStartContainers",
        if over { "False" } else { started },
        "",
        "",
    );
    set_condition(
        &mut list,
        now,
        "Initialized",
        "True",
        if over { reason } else { "" },
        "",
    );
    set_condition(&mut list, now, "Ready", word, reason, &message);
    set_condition(&mut list, now, "ContainersReady", word, reason, &message);
    set_condition(&mut list, now, "PodScheduled", "True", "", "");
    let host = u32::from(text(pod, &["spec", "nodeName"]).bytes().last().unwrap_or(b'0')) % 10;
    let mut status = json!({
        "phase": phase,
        "conditions": list,
        "containerStatuses": statuses,
        "hostIP": format!("192.0.2.{}", 10 + host),
        "hostIPs": [{"ip": format!("192.0.2.{}", 10 + host)}],
        "qosClass": text(pod, &["status", "qosClass"]),
        "startTime": at(pod, &["status", "startTime"]).cloned().unwrap_or_else(|| time(now)),
    });
    if text(pod, &["status", "qosClass"]).is_empty() {
        status["qosClass"] = json!("BestEffort");
    }
    if phase != "Pending" {
        let address = address(meta(pod, "uid"));
        status["podIP"] = json!(address);
        status["podIPs"] = json!([{"ip": address}]);
    }
    status
}

/// An address of the Pod network, the same for the whole life of a Pod. Two Pods may share one: nothing routes by it.
fn address(uid: &str) -> String {
    let digits = Digest::of_bytes(uid.as_bytes()).to_string();
    let byte = |at: usize| u8::from_str_radix(digits.get(at..at + 2).unwrap_or("1"), 16).unwrap_or(1);
    format!("10.244.{}.{}", byte(0), byte(2).max(1))
}
