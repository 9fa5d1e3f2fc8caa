//! `Pod`.
//!
//! A container that cannot start degrades a Pod only where something restarts it for ever: a Pod that runs once may be a hook, and a
//! hook that is called failed because an image was briefly not to be had would fail the whole sync, and run all the same later.

use capstan_model::{HealthStatus, ObjectMeta};
use serde_json::Value;

use super::{array, degraded, healthy, number, progressing, text, unknown};

/// A Pod that runs once and is no hook may ask to be judged like one that always runs.
const IGNORE_RESTART_POLICY: &str = "argocd.argoproj.io/ignore-restart-policy";

pub(super) fn assess(object: &Value) -> HealthStatus {
    let always = text(object, "/spec/restartPolicy") == "Always" || ignores_restart_policy(object);
    if always && let Some(reasons) = start_failures(object) {
        return degraded(reasons);
    }
    let message = text(object, "/status/message");
    match text(object, "/status/phase") {
        "Pending" => progressing(message),
        "Succeeded" => healthy(message),
        "Failed" => degraded(failure(object)),
        "Running" if !always => progressing(message),
        "Running" => running(object, message),
        _ => unknown(message),
    }
}

fn ignores_restart_policy(object: &Value) -> bool {
    let annotation = object
        .pointer("/metadata/annotations")
        .and_then(|all| all.get(IGNORE_RESTART_POLICY));
    annotation.is_some_and(|text| text == "true") && !ObjectMeta::of(object).is_hook
}

fn running(object: &Value, message: &str) -> HealthStatus {
    let is_ready = super::condition(object, "Ready").is_some_and(|ready| ready.is_true());
    if is_ready {
        return healthy(message);
    }
    let ended = array(object, "/status/containerStatuses")
        .iter()
        .find(|container| container.pointer("/lastState/terminated").is_some_and(Value::is_object));
    match ended {
        Some(container) if message.is_empty() => degraded(termination(container, "/lastState/terminated")),
        Some(_) => degraded(message),
        None => progressing(message),
    }
}

/// Why containers cannot start, if any cannot: `ErrImagePull`, `CreateContainerConfigError`, `CrashLoopBackOff`, ….
fn start_failures(object: &Value) -> Option<String> {
    let reasons: Vec<&str> = array(object, "/status/containerStatuses")
        .iter()
        .filter_map(|container| {
            let reason = text(container, "/state/waiting/reason");
            let failed = reason.starts_with("Err") || reason.ends_with("Error") || reason.ends_with("BackOff");
            let message = text(container, "/state/waiting/message");
            failed.then_some(if message.is_empty() { reason } else { message })
        })
        .collect();
    (!reasons.is_empty()).then(|| reasons.join(", "))
}

/// Why a Pod failed: its own words, else those of the first container that did.
fn failure(object: &Value) -> String {
    let message = text(object, "/status/message");
    if !message.is_empty() {
        return message.to_owned();
    }
    ["/status/initContainerStatuses", "/status/containerStatuses"]
        .iter()
        .flat_map(|list| array(object, list))
        .map(|container| {
            let at = "/state/terminated";
            match (
                text(container, &format!("{at}/message")),
                text(container, &format!("{at}/reason")),
            ) {
                ("", "OOMKilled") => "OOMKilled".to_owned(),
                ("", _) => exit(container, at),
                (message, _) => message.to_owned(),
            }
        })
        .find(|message| !message.is_empty())
        .unwrap_or_else(|| text(object, "/status/reason").to_owned())
}

fn exit(container: &Value, terminated: &str) -> String {
    match number(container, &format!("{terminated}/exitCode")) {
        Some(code) if code != 0 => format!("container {:?} failed with exit code {code}", text(container, "/name")),
        _ => String::new(),
    }
}

/// How the last run of a container ended.
fn termination(container: &Value, at: &str) -> String {
    let (reason, message) = (
        text(container, &format!("{at}/reason")),
        text(container, &format!("{at}/message")),
    );
    match (exit(container, at), reason, message) {
        (exit, _, message) if !message.is_empty() && !exit.is_empty() => format!("{exit}: {message}"),
        (_, "OOMKilled", _) => format!("container {:?} was OOMKilled", text(container, "/name")),
        (exit, "" | "Error", _) => exit,
        (exit, reason, _) if !exit.is_empty() => format!("{exit} ({reason})"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(restart_policy: &str, status: &Value) -> Value {
        json!({"apiVersion": "v1", "kind": "Pod", "spec": {"restartPolicy": restart_policy}, "status": status})
    }

    #[test]
    fn an_image_that_cannot_be_pulled_degrades_only_where_it_is_retried_for_ever() {
        let status = json!({"phase": "Pending", "containerStatuses": [
            {"name": "main", "state": {"waiting": {"reason": "ErrImagePull", "message": "not found"}}}]});
        assert_eq!(assess(&pod("Always", &status)), degraded("not found"));
        assert_eq!(assess(&pod("Never", &status)), progressing(""));
    }

    #[test]
    fn a_failed_pod_names_the_container() {
        let status = json!({"phase": "Failed", "containerStatuses": [
            {"name": "fine", "state": {"terminated": {"exitCode": 0}}}, {"name": "bad", "state": {"terminated": {"exitCode": 3}}}]});
        assert_eq!(
            assess(&pod("Never", &status)),
            degraded("container \"bad\" failed with exit code 3")
        );
    }

    #[test]
    fn a_pod_that_ended_before_and_is_not_ready_says_how() {
        let status = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}], "containerStatuses": [
            {"name": "main", "state": {"running": {}}, "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}]});
        assert_eq!(
            assess(&pod("Always", &status)),
            degraded("container \"main\" was OOMKilled")
        );
    }
}
