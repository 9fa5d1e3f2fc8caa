//! Pod templates and what is in them.

use serde_json::{Value, json};

use super::names;
use super::report::{Report, items, word};
use crate::schema::Quantity;

const ALWAYS: &[&str] = &["Always", "OnFailure", "Never"];
const PULL: &[&str] = &["Always", "IfNotPresent", "Never"];
const DNS: &[&str] = &["Default", "ClusterFirst", "ClusterFirstWithHostNet", "None"];
const PROTOCOLS: &[&str] = &["SCTP", "TCP", "UDP"];

/// Checks a pod's specification at `path`.
pub(super) fn spec(report: &mut Report, path: &str, spec: &Value) {
    let mut volumes: Vec<&str> = Vec::new();
    for (i, volume) in items(spec, "volumes") {
        let name = word(volume, "name");
        let at = format!("{path}.volumes[{i}].name");
        if name.is_empty() {
            report.required(&at, "");
        } else {
            names::label(name)
                .iter()
                .for_each(|why| report.invalid(&at, &json!(name), why));
        }
        if volumes.contains(&name) {
            report.duplicate(&at, &json!(name));
        }
        volumes.push(name);
    }
    if spec["containers"].as_array().is_none_or(Vec::is_empty) {
        report.required(&format!("{path}.containers"), "");
    }
    let mut seen: Vec<&str> = Vec::new();
    for list in ["containers", "initContainers"] {
        for (i, one) in items(spec, list) {
            let at = format!("{path}.{list}[{i}]");
            container(report, &at, one, &volumes, &mut seen);
        }
    }
    one_of(report, &format!("{path}.restartPolicy"), &spec["restartPolicy"], ALWAYS);
    one_of(report, &format!("{path}.dnsPolicy"), &spec["dnsPolicy"], DNS);
    if let Some(seconds) = spec["activeDeadlineSeconds"].as_i64()
        && !(1..=i64::from(i32::MAX)).contains(&seconds)
    {
        let why = "must be between 1 and 2147483647, inclusive";
        report.invalid(&format!("{path}.activeDeadlineSeconds"), &json!(seconds), why);
    }
    if let Some(seconds) = spec["terminationGracePeriodSeconds"].as_i64().filter(|s| *s < 0) {
        let at = format!("{path}.terminationGracePeriodSeconds");
        report.invalid(&at, &json!(seconds), "must be greater than or equal to 0");
    }
}

fn one_of(report: &mut Report, path: &str, value: &Value, supported: &[&str]) {
    match value.as_str() {
        None | Some("") => report.required(path, ""),
        Some(text) if !supported.contains(&text) => report.unsupported(path, value, supported),
        Some(_) => {}
    }
}

fn container<'v>(report: &mut Report, at: &str, container: &'v Value, volumes: &[&str], seen: &mut Vec<&'v str>) {
    let name = word(container, "name");
    let path = format!("{at}.name");
    if name.is_empty() {
        report.required(&path, "");
    } else {
        names::label(name)
            .iter()
            .for_each(|why| report.invalid(&path, &json!(name), why));
        if seen.contains(&name) {
            report.duplicate(&path, &json!(name));
        }
    }
    seen.push(name);
    let image = word(container, "image");
    if image.is_empty() {
        report.required(&format!("{at}.image"), "");
    } else if image != image.trim() {
        report.invalid(
            &format!("{at}.image"),
            &json!(image),
            "must not have leading or trailing whitespace",
        );
    }
    one_of(
        report,
        &format!("{at}.imagePullPolicy"),
        &container["imagePullPolicy"],
        PULL,
    );
    environment(report, at, container);
    ports(report, at, container);
    mounts(report, at, container, volumes);
    resources(report, at, &container["resources"]);
}

fn environment(report: &mut Report, at: &str, container: &Value) {
    for (i, variable) in items(container, "env") {
        let at = format!("{at}.env[{i}]");
        if word(variable, "name").is_empty() {
            report.required(&format!("{at}.name"), "");
        }
        let from = &variable["valueFrom"];
        if from.is_object() && !word(variable, "value").is_empty() {
            let why = "may not be specified when `value` is not empty";
            report.invalid(&format!("{at}.valueFrom"), &json!(""), why);
        }
    }
}

fn ports(report: &mut Report, at: &str, container: &Value) {
    let mut seen: Vec<&str> = Vec::new();
    for (i, port) in items(container, "ports") {
        let at = format!("{at}.ports[{i}]");
        let name = word(port, "name");
        if !name.is_empty() && seen.contains(&name) {
            report.duplicate(&format!("{at}.name"), &json!(name));
        }
        seen.push(name);
        match port["containerPort"].as_i64().unwrap_or(0) {
            0 => report.required(&format!("{at}.containerPort"), ""),
            number => range(report, &format!("{at}.containerPort"), number),
        }
        if let Some(number) = port["hostPort"].as_i64().filter(|n| *n != 0) {
            range(report, &format!("{at}.hostPort"), number);
        }
        one_of(report, &format!("{at}.protocol"), &port["protocol"], PROTOCOLS);
    }
}

/// Checks a port number.
pub(super) fn range(report: &mut Report, path: &str, number: i64) {
    if !(1..=65535).contains(&number) {
        report.invalid(path, &json!(number), "must be between 1 and 65535, inclusive");
    }
}

fn mounts(report: &mut Report, at: &str, container: &Value, volumes: &[&str]) {
    let mut seen: Vec<&str> = Vec::new();
    for (i, mount) in items(container, "volumeMounts") {
        let at = format!("{at}.volumeMounts[{i}]");
        let (name, place) = (word(mount, "name"), word(mount, "mountPath"));
        if name.is_empty() {
            report.required(&format!("{at}.name"), "");
        } else if !volumes.contains(&name) {
            report.not_found(&format!("{at}.name"), &json!(name));
        }
        if place.is_empty() {
            report.required(&format!("{at}.mountPath"), "");
        } else if seen.contains(&place) {
            report.invalid(&format!("{at}.mountPath"), &json!(place), "must be unique");
        }
        seen.push(place);
    }
}

fn resources(report: &mut Report, at: &str, resources: &Value) {
    for side in ["limits", "requests"] {
        for (name, amount) in resources[side].as_object().into_iter().flatten() {
            let text = amount.as_str().unwrap_or_default();
            if Quantity::parse(text).is_ok_and(|q| q.is_negative()) {
                let path = format!("{at}.resources.{side}[{name}]");
                report.invalid(&path, amount, "must be greater than or equal to 0");
            }
        }
    }
    for (name, request) in resources["requests"].as_object().into_iter().flatten() {
        let Some(limit) = resources["limits"].get(name) else {
            continue;
        };
        let parse = |v: &Value| Quantity::parse(v.as_str().unwrap_or_default());
        if let (Ok(r), Ok(l)) = (parse(request), parse(limit))
            && r.exceeds(&l)
        {
            let why = format!("must be less than or equal to {name} limit of {}", l.canonical());
            report.invalid(&format!("{at}.resources.requests"), request, &why);
        }
    }
}
