//! Rows of what runs pods: Deployments, ReplicaSets, StatefulSets, DaemonSets, Jobs, CronJobs.

use capstan_model::Timestamp;
use serde_json::{Value, json};

use super::age::{short, since};
use super::{Cells, age, joined, list, number, or_none};
use crate::fields::{at, text};
use crate::selector::LabelSelector;

pub(super) fn cells(plural: &str, object: &Value, now: Timestamp) -> Cells {
    let status = |field: &str| json!(number(object, &["status", field]));
    let wanted = number(object, &["spec", "replicas"]);
    let template = &object["spec"]["template"];
    match plural {
        "deployments" => vec![
            json!(format!("{}/{wanted}", number(object, &["status", "readyReplicas"]))),
            status("updatedReplicas"),
            status("availableReplicas"),
            age(object, now),
            containers(template),
            images(template),
            selector(&object["spec"]["selector"]),
        ],
        "replicasets" | "replicationcontrollers" => vec![
            json!(wanted),
            status("replicas"),
            status("readyReplicas"),
            age(object, now),
            containers(template),
            images(template),
            selector(&object["spec"]["selector"]),
        ],
        "statefulsets" => vec![
            json!(format!("{}/{wanted}", number(object, &["status", "readyReplicas"]))),
            age(object, now),
            containers(template),
            images(template),
        ],
        "daemonsets" => vec![
            status("desiredNumberScheduled"),
            status("currentNumberScheduled"),
            status("numberReady"),
            status("updatedNumberScheduled"),
            status("numberAvailable"),
            labels(template.pointer("/spec/nodeSelector")),
            age(object, now),
            containers(template),
            images(template),
            selector(&object["spec"]["selector"]),
        ],
        "jobs" => job(object, now),
        "cronjobs" => cron_job(object, now),
        "controllerrevisions" => vec![owner(object), json!(number(object, &["revision"])), age(object, now)],
        "podtemplates" => {
            let template = &object["template"];
            vec![
                containers(template),
                images(template),
                labels(template.pointer("/metadata/labels")),
            ]
        }
        _ => Vec::new(),
    }
}

fn owner(object: &Value) -> Value {
    let owner = list(object, &["metadata", "ownerReferences"]).find(|o| o["controller"] == true);
    let Some(owner) = owner else { return json!("<none>") };
    let group = text(owner, &["apiVersion"])
        .split_once('/')
        .map_or(String::new(), |(group, _)| format!(".{group}"));
    json!(format!(
        "{}{group}/{}",
        text(owner, &["kind"]).to_lowercase(),
        text(owner, &["name"])
    ))
}

fn job(object: &Value, now: Timestamp) -> Cells {
    let done = number(object, &["status", "succeeded"]);
    let parallelism = number(object, &["spec", "parallelism"]);
    let completions = match at(object, &["spec", "completions"]).and_then(Value::as_i64) {
        Some(completions) => format!("{done}/{completions}"),
        None if parallelism > 1 => format!("{done}/1 of {parallelism}"),
        None => format!("{done}/1"),
    };
    let (start, end) = (
        text(object, &["status", "startTime"]),
        text(object, &["status", "completionTime"]),
    );
    let duration = match (start.parse::<Timestamp>(), end.parse::<Timestamp>()) {
        (Ok(start), Ok(end)) => json!(short(end.as_seconds() - start.as_seconds())),
        (Ok(_), Err(_)) => since(start, now),
        _ => json!(""),
    };
    let has = |kind: &str| {
        list(object, &["status", "conditions"]).any(|c| text(c, &["type"]) == kind && c["status"] == "True")
    };
    let status = if has("Complete") {
        "Complete"
    } else if has("Failed") {
        "Failed"
    } else if !text(object, &["metadata", "deletionTimestamp"]).is_empty() {
        "Terminating"
    } else if has("Suspended") {
        "Suspended"
    } else if has("FailureTarget") {
        "FailureTarget"
    } else if has("SuccessCriteriaMet") {
        "SuccessCriteriaMet"
    } else {
        "Running"
    };
    let template = &object["spec"]["template"];
    vec![
        json!(status),
        json!(completions),
        duration,
        age(object, now),
        containers(template),
        images(template),
        selector(&object["spec"]["selector"]),
    ]
}

fn cron_job(object: &Value, now: Timestamp) -> Cells {
    let zone = text(object, &["spec", "timeZone"]);
    let last = text(object, &["status", "lastScheduleTime"]);
    let job = &object["spec"]["jobTemplate"]["spec"];
    let suspended = at(object, &["spec", "suspend"]).and_then(Value::as_bool);
    let suspended = suspended.map_or("<unset>", |s| if s { "True" } else { "False" });
    vec![
        json!(text(object, &["spec", "schedule"])),
        or_none(zone),
        json!(suspended),
        json!(list(object, &["status", "active"]).count()),
        if last.is_empty() {
            json!("<none>")
        } else {
            since(last, now)
        },
        age(object, now),
        containers(&job["template"]),
        images(&job["template"]),
        selector(&job["selector"]),
    ]
}

fn containers(template: &Value) -> Value {
    json!(joined(
        list(template, &["spec", "containers"]).map(|c| text(c, &["name"]))
    ))
}

fn images(template: &Value) -> Value {
    json!(joined(
        list(template, &["spec", "containers"]).map(|c| text(c, &["image"]))
    ))
}

/// A selector as text; `<none>` when it asks for nothing or is not there.
pub(super) fn selector(value: &Value) -> Value {
    let structured = value.get("matchLabels").is_some() || value.get("matchExpressions").is_some();
    let parsed = if structured {
        LabelSelector::from_value(value)
    } else {
        Some(LabelSelector::from_labels(value))
    };
    or_none(&parsed.map(|s| s.to_string()).unwrap_or_default())
}

/// Labels as text; `<none>` when there are none.
pub(super) fn labels(value: Option<&Value>) -> Value {
    or_none(&LabelSelector::from_labels(value.unwrap_or(&Value::Null)).to_string())
}
