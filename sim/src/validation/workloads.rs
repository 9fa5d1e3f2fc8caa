//! Workloads: selectors that must match, strategies, and what may not change.

use serde_json::{Map, Value, json};

use super::report::{Report, items, word};
use super::{names, pods};
use crate::selector::LabelSelector;

/// Checks a workload; `path` is where its specification is.
pub(super) fn workload(report: &mut Report, kind: &str, object: &Value) {
    let spec = &object["spec"];
    not_negative(
        report,
        "spec",
        spec,
        &["replicas", "minReadySeconds", "revisionHistoryLimit"],
    );
    selector(report, spec, kind);
    if kind == "StatefulSet" {
        // Its pods are checked when they are made: their volumes come from claims.
        template_metadata(report, "spec.template", &spec["template"]);
    } else {
        template(report, "spec.template", &spec["template"]);
    }
    if word(&spec["template"]["spec"], "restartPolicy") != "Always" {
        let value = &spec["template"]["spec"]["restartPolicy"];
        if value.is_string() {
            report.unsupported("spec.template.spec.restartPolicy", value, &["Always"]);
        }
    }
    match kind {
        "Deployment" => deployment(report, spec),
        "StatefulSet" => stateful_set(report, spec),
        _ => {}
    }
}

fn not_negative(report: &mut Report, at: &str, value: &Value, fields: &[&str]) {
    for field in fields {
        if let Some(number) = value[*field].as_i64().filter(|n| *n < 0) {
            report.invalid(
                &format!("{at}.{field}"),
                &json!(number),
                "must be greater than or equal to 0",
            );
        }
    }
}

fn selector(report: &mut Report, spec: &Value, kind: &str) {
    let selector = &spec["selector"];
    if selector.is_null() {
        report.required("spec.selector", "");
    } else if selector.as_object().is_some_and(Map::is_empty) {
        let why = format!("empty selector is invalid for {}", kind.to_lowercase());
        report.invalid("spec.selector", selector, &why);
        return;
    }
    let labels = &spec["template"]["metadata"]["labels"];
    let pod = json!({"metadata": {"labels": labels}});
    let matches = LabelSelector::from_value(selector).is_some_and(|s| s.matches(&pod)) && !selector.is_null();
    if !matches {
        let why = "`selector` does not match template `labels`";
        report.invalid("spec.template.metadata.labels", labels, why);
    }
}

fn template(report: &mut Report, path: &str, template: &Value) {
    template_metadata(report, path, template);
    pods::spec(report, &format!("{path}.spec"), &template["spec"]);
}

fn template_metadata(report: &mut Report, path: &str, template: &Value) {
    names::labels(report, &format!("{path}.labels"), &template["metadata"]["labels"]);
    names::annotations(
        report,
        &format!("{path}.annotations"),
        &template["metadata"]["annotations"],
    );
}

fn stateful_set(report: &mut Report, spec: &Value) {
    if !matches!(word(spec, "podManagementPolicy"), "OrderedReady" | "Parallel") {
        let why = "must be 'OrderedReady' or 'Parallel'";
        report.invalid("spec.podManagementPolicy", &spec["podManagementPolicy"], why);
    }
    let strategy = &spec["updateStrategy"];
    if strategy["type"] == "OnDelete" && strategy["rollingUpdate"].is_object() {
        let path = "spec.updateStrategy.rollingUpdate";
        report.invalid(
            path,
            &strategy["rollingUpdate"],
            "only allowed for updateStrategy 'RollingUpdate'",
        );
    }
}

fn deployment(report: &mut Report, spec: &Value) {
    let strategy = &spec["strategy"];
    let rolling = &strategy["rollingUpdate"];
    match word(strategy, "type") {
        "Recreate" if rolling.is_object() => {
            let why = "may not be specified when strategy `type` is 'Recreate'";
            report.forbidden("spec.strategy.rollingUpdate", why);
        }
        "Recreate" => {}
        "RollingUpdate" => {
            let zero = |v: &Value| v == 0 || v == "0%";
            if zero(&rolling["maxUnavailable"]) && zero(&rolling["maxSurge"]) {
                let path = "spec.strategy.rollingUpdate.maxUnavailable";
                report.invalid(path, &rolling["maxUnavailable"], "may not be 0 when `maxSurge` is 0");
            }
            percents(
                report,
                "spec.strategy.rollingUpdate",
                rolling,
                &["maxUnavailable", "maxSurge"],
            );
        }
        kind => {
            let shown = format!("{{\"Type\":{kind:?},\"RollingUpdate\":{rolling}}}");
            report.unsupported_shown("spec.strategy", &shown, &["Recreate", "RollingUpdate"]);
        }
    }
    let ready = spec["minReadySeconds"].as_i64().unwrap_or(0);
    if let Some(deadline) = spec["progressDeadlineSeconds"].as_i64().filter(|d| *d <= ready) {
        let path = "spec.progressDeadlineSeconds";
        report.invalid(path, &json!(deadline), "must be greater than minReadySeconds");
    }
}

/// Numbers or percents.
pub(super) fn percents(report: &mut Report, at: &str, value: &Value, fields: &[&str]) {
    const PERCENT: &str = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";
    for field in fields {
        let path = format!("{at}.{field}");
        match &value[*field] {
            Value::String(text) => {
                let digits = text.strip_suffix('%').unwrap_or_default();
                if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
                    report.invalid(&path, &value[*field], PERCENT);
                }
            }
            Value::Number(n) if n.as_i64().is_some_and(|n| n < 0) => {
                report.invalid(&path, &value[*field], "must be greater than or equal to 0");
            }
            _ => {}
        }
    }
}

/// Checks a Job's specification at `path`.
pub(super) fn job(report: &mut Report, object: &Value) {
    let spec = &object["spec"];
    not_negative(
        report,
        "spec",
        spec,
        &[
            "parallelism",
            "completions",
            "activeDeadlineSeconds",
            "backoffLimit",
            "ttlSecondsAfterFinished",
        ],
    );
    let selector = &spec["selector"];
    if spec["manualSelector"] != true && selector.is_object() {
        let uid = word(&object["metadata"], "uid");
        let generated = selector["matchLabels"].as_object().is_some_and(|labels| {
            labels
                .iter()
                .all(|(k, v)| matches!(k.as_str(), "controller-uid" | "batch.kubernetes.io/controller-uid") && v == uid)
        });
        if !generated {
            report.invalid("spec.selector", selector, "`selector` not auto-generated");
        }
    }
    if selector.is_null() {
        report.required("spec.selector", "");
    }
    let labels = &spec["template"]["metadata"]["labels"];
    let matches =
        LabelSelector::from_value(selector).is_some_and(|s| s.matches(&json!({"metadata": {"labels": labels}})));
    if !matches || selector.is_null() {
        report.invalid(
            "spec.template.metadata.labels",
            labels,
            "`selector` does not match template `labels`",
        );
    }
    job_template(report, "spec.template", &spec["template"]);
}

fn job_template(report: &mut Report, path: &str, of: &Value) {
    template(report, path, of);
    let at = format!("{path}.spec.restartPolicy");
    match word(&of["spec"], "restartPolicy") {
        "Always" => report.required(&at, "valid values: \"OnFailure\", \"Never\""),
        "OnFailure" | "Never" | "" => {}
        _ => report.unsupported(&at, &of["spec"]["restartPolicy"], &["OnFailure", "Never"]),
    }
}

/// Checks a CronJob.
pub(super) fn cron_job(report: &mut Report, object: &Value) {
    let name = word(&object["metadata"], "name");
    if name.len() > 52 {
        report.invalid("metadata.name", &json!(name), "must be no more than 52 characters");
    }
    let spec = &object["spec"];
    if word(spec, "schedule").is_empty() {
        report.required("spec.schedule", "");
    }
    let zone = word(spec, "timeZone");
    if !zone.is_empty() && !is_zone(zone) {
        report.invalid("spec.timeZone", &json!(zone), &format!("unknown time zone {zone}"));
    }
    job_template(
        report,
        "spec.jobTemplate.spec.template",
        &spec["jobTemplate"]["spec"]["template"],
    );
}

/// Whether a name is that of a zone: an area the tz database has, or UTC. Which places an area has is not checked.
fn is_zone(name: &str) -> bool {
    const AREAS: &[&str] = &[
        "Africa",
        "America",
        "Antarctica",
        "Arctic",
        "Asia",
        "Atlantic",
        "Australia",
        "Brazil",
        "Canada",
        "Chile",
        "Etc",
        "Europe",
        "Indian",
        "Mexico",
        "Pacific",
        "US",
    ];
    match name.split_once('/') {
        Some((area, place)) => AREAS.contains(&area) && !place.is_empty(),
        None => matches!(
            name,
            "UTC" | "GMT" | "CET" | "EET" | "MET" | "WET" | "EST" | "MST" | "HST" | "Japan" | "Singapore" | "Turkey"
        ),
    }
}

/// What may not change in a workload.
pub(super) fn change(report: &mut Report, kind: &str, old: &Value, new: &Value) {
    let (before, after) = (&old["spec"], &new["spec"]);
    let same = |field: &str| before[field] == after[field];
    let immutable = |report: &mut Report, field: &str| {
        if before[field] != after[field] {
            report.invalid(&format!("spec.{field}"), &after[field], "field is immutable");
        }
    };
    match kind {
        "Deployment" | "ReplicaSet" | "DaemonSet" => immutable(report, "selector"),
        "StatefulSet" => {
            const FREE: &[&str] = &[
                "replicas",
                "ordinals",
                "template",
                "updateStrategy",
                "revisionHistoryLimit",
                "persistentVolumeClaimRetentionPolicy",
                "minReadySeconds",
            ];
            if fixed(before, FREE) != fixed(after, FREE) {
                let why = "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', \
                           'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";
                report.forbidden("spec", why);
            }
        }
        "Job" => {
            let elastic = after["completionMode"] == "Indexed" && after["completions"] == after["parallelism"];
            if !elastic {
                immutable(report, "completions");
            }
            for field in ["selector", "completionMode", "podFailurePolicy", "backoffLimitPerIndex"] {
                immutable(report, field);
            }
            let paused = before["suspend"] == true && after["suspend"] == true;
            if !same("template") && !paused {
                report.invalid("spec.template", &after["template"], "field is immutable");
            }
        }
        _ => {}
    }
}

fn fixed(spec: &Value, free: &[&str]) -> Value {
    let mut spec = spec.clone();
    if let Some(map) = spec.as_object_mut() {
        map.retain(|key, _| !free.contains(&key.as_str()));
        for claim in map
            .get_mut("volumeClaimTemplates")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            if let Some(claim) = claim.as_object_mut() {
                claim.remove("status");
            }
        }
    }
    spec
}

/// What may change in a pod: nothing but these.
pub(super) fn pod_change(report: &mut Report, old: &Value, new: &Value) {
    let bare = |pod: &Value| {
        let mut spec = pod["spec"].clone();
        for list in ["containers", "initContainers"] {
            for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                container["image"] = Value::Null;
            }
        }
        for field in [
            "activeDeadlineSeconds",
            "tolerations",
            "schedulingGates",
            "nodeSelector",
        ] {
            spec[field] = Value::Null;
        }
        spec
    };
    if bare(old) != bare(new) {
        report.forbidden(
            "spec",
            "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,\
             `spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),\
             `spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
        );
    }
}

/// Checks the claims of a volume.
pub(super) fn claim(report: &mut Report, object: &Value) {
    let spec = &object["spec"];
    if items(spec, "accessModes").next().is_none() {
        report.required("spec.accessModes", "at least 1 access mode is required");
    }
    let at = "spec.resources[storage]";
    match spec["resources"]["requests"]["storage"].as_str() {
        None => report.required(at, ""),
        Some(text) if !super::defaults::positive(text) => report.invalid(at, &json!(text), "must be greater than zero"),
        Some(_) => {}
    }
}
