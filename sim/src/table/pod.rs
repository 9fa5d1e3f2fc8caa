//! The row of a pod: how many containers are ready, and the one word that says how it is.

use capstan_model::Timestamp;
use serde_json::{Value, json};

use super::age::short;
use super::{Cells, age, list, number, or_none};
use crate::fields::{is_going, text};

/// Ready, Status, Restarts, Age, IP, Node, Nominated Node, Readiness Gates.
pub(super) fn cells(pod: &Value, now: Timestamp) -> Cells {
    let initial = initial_state(pod);
    let containers: Vec<&Value> = list(pod, &["status", "containerStatuses"]).collect();
    let ready = containers.iter().filter(|c| c["ready"] == true).count() + initial.ready;
    let total = list(pod, &["spec", "containers"]).count() + initial.total;
    let (status, restarts, last) = match initial.word {
        Some(word) => (word, initial.restarts, initial.last.clone()),
        None => running_state(pod, &containers, &initial),
    };
    let status = if is_going(pod) {
        if text(pod, &["status", "reason"]) == "NodeLost" {
            "Unknown".to_owned()
        } else {
            "Terminating".to_owned()
        }
    } else {
        status
    };
    let restarts = match last.parse::<Timestamp>() {
        Ok(at) if restarts > 0 => {
            format!("{restarts} ({} ago)", short(now.as_seconds() - at.as_seconds()))
        }
        _ => restarts.to_string(),
    };
    let address = list(pod, &["status", "podIPs"])
        .next()
        .map_or("", |ip| text(ip, &["ip"]));
    let address = if address.is_empty() {
        text(pod, &["status", "podIP"])
    } else {
        address
    };
    vec![
        json!(format!("{ready}/{total}")),
        json!(status),
        json!(restarts),
        age(pod, now),
        or_none(address),
        or_none(text(pod, &["spec", "nodeName"])),
        or_none(text(pod, &["status", "nominatedNodeName"])),
        gates(pod),
    ]
}

fn gates(pod: &Value) -> Value {
    let all: Vec<&str> = list(pod, &["spec", "readinessGates"])
        .map(|g| text(g, &["conditionType"]))
        .collect();
    if all.is_empty() {
        return json!("<none>");
    }
    let met = all.iter().filter(|gate| {
        list(pod, &["status", "conditions"]).any(|c| text(c, &["type"]) == **gate && c["status"] == "True")
    });
    json!(format!("{}/{}", met.count(), all.len()))
}

/// What the init containers say: a word while they are not done, and the restartable ones among the ready.
struct Initial {
    word: Option<String>,
    restarts: i64,
    last: String,
    ready: usize,
    total: usize,
}

fn initial_state(pod: &Value) -> Initial {
    let restartable = |name: &str| {
        list(pod, &["spec", "initContainers"]).any(|c| text(c, &["name"]) == name && c["restartPolicy"] == "Always")
    };
    let all = list(pod, &["spec", "initContainers"]).count();
    let total = list(pod, &["spec", "initContainers"])
        .filter(|c| c["restartPolicy"] == "Always")
        .count();
    let mut state = Initial {
        word: None,
        restarts: 0,
        last: String::new(),
        ready: 0,
        total,
    };
    for (i, container) in list(pod, &["status", "initContainerStatuses"]).enumerate() {
        state.restarts += number(container, &["restartCount"]);
        later(
            &mut state.last,
            text(container, &["lastState", "terminated", "finishedAt"]),
        );
        let sidecar = restartable(text(container, &["name"]));
        let finished = container["state"]["terminated"].is_object();
        if finished && number(container, &["state", "terminated", "exitCode"]) == 0 {
            continue;
        }
        if sidecar && container["started"] == true {
            state.ready += usize::from(container["ready"] == true);
            continue;
        }
        let waiting = text(container, &["state", "waiting", "reason"]);
        state.word = Some(if finished {
            format!("Init:{}", terminated(container))
        } else if !waiting.is_empty() && waiting != "PodInitializing" {
            format!("Init:{waiting}")
        } else {
            format!("Init:{i}/{all}")
        });
        break;
    }
    state
}

fn terminated(container: &Value) -> String {
    let state = &container["state"]["terminated"];
    match text(state, &["reason"]) {
        "" if number(state, &["signal"]) != 0 => format!("Signal:{}", number(state, &["signal"])),
        "" => format!("ExitCode:{}", number(state, &["exitCode"])),
        reason => reason.to_owned(),
    }
}

fn running_state(pod: &Value, containers: &[&Value], initial: &Initial) -> (String, i64, String) {
    let reason = text(pod, &["status", "reason"]);
    let mut word = if reason.is_empty() {
        text(pod, &["status", "phase"])
    } else {
        reason
    }
    .to_owned();
    let gated =
        list(pod, &["status", "conditions"]).find(|c| c["type"] == "PodScheduled" && c["reason"] == "SchedulingGated");
    if gated.is_some() {
        word = "SchedulingGated".into();
    }
    let (mut restarts, mut last, mut running) = (0, String::new(), false);
    for container in containers.iter().rev() {
        restarts += number(container, &["restartCount"]);
        later(&mut last, text(container, &["lastState", "terminated", "finishedAt"]));
        let waiting = text(container, &["state", "waiting", "reason"]);
        if !waiting.is_empty() {
            word = waiting.to_owned();
        } else if container["state"]["terminated"].is_object() {
            word = terminated(container);
        } else if container["ready"] == true && container["state"]["running"].is_object() {
            running = true;
        }
    }
    if word == "Completed" && running {
        let ready = list(pod, &["status", "conditions"]).any(|c| c["type"] == "Ready" && c["status"] == "True");
        word = if ready { "Running".into() } else { "NotReady".into() };
    }
    let sidecars = if initial.total > 0 { initial.restarts } else { 0 };
    (word, restarts + sidecars, last)
}

/// Keeps the later of two times in RFC 3339, which sort as text.
fn later(kept: &mut String, time: &str) {
    if time > kept.as_str() {
        time.clone_into(kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_word_says_how_a_pod_is() {
        let now = Timestamp::from_seconds(1_773_478_800);
        let word = |status: Value| {
            let pod = json!({"spec": {"containers": [{}], "initContainers": [{"name": "i"}]}, "status": status});
            cells(&pod, now)[1].clone()
        };
        assert_eq!(word(json!({"phase": "Pending"})), "Pending");
        let waiting = json!([{"state": {"waiting": {"reason": "ImagePullBackOff"}}}]);
        assert_eq!(
            word(json!({"phase": "Pending", "containerStatuses": waiting})),
            "ImagePullBackOff"
        );
        let initial = json!([{"name": "i", "state": {"running": {}}}]);
        assert_eq!(
            word(json!({"phase": "Pending", "initContainerStatuses": initial})),
            "Init:0/1"
        );
        let exited = json!([{"state": {"terminated": {"exitCode": 3}}}]);
        assert_eq!(
            word(json!({"phase": "Failed", "containerStatuses": exited})),
            "ExitCode:3"
        );
    }
}
