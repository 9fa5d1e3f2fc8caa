//! Configuration, network, access and policy kinds.

use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::names;
use super::pods::range;
use super::report::{Report, items, word};
use super::workloads::percents;

const IMMUTABLE: &str = "field is immutable when `immutable` is set";

/// Checks a ConfigMap or Secret.
pub(super) fn config(report: &mut Report, kind: &str, object: &Value) {
    for part in ["data", "binaryData"] {
        for key in object[part].as_object().into_iter().flat_map(Map::keys) {
            let at = format!("{part}[{key}]");
            names::config_key(key)
                .iter()
                .for_each(|why| report.invalid(&at, &json!(key), why));
            if part == "data" && object["binaryData"].get(key).is_some() {
                report.invalid(&at, &json!(key), "duplicate of key present in binaryData");
            }
        }
    }
    let needed: &[&str] = match word(object, "type") {
        _ if kind != "Secret" => &[],
        "kubernetes.io/tls" => &["tls.crt", "tls.key"],
        "kubernetes.io/dockerconfigjson" => &[".dockerconfigjson"],
        "kubernetes.io/dockercfg" => &[".dockercfg"],
        "kubernetes.io/ssh-auth" => &["ssh-privatekey"],
        _ => &[],
    };
    for key in needed {
        if object["data"].get(*key).is_none() {
            report.required(&format!("data[{key}]"), "");
        }
    }
}

/// What may not change in a ConfigMap or Secret.
pub(super) fn config_change(report: &mut Report, kind: &str, old: &Value, new: &Value) {
    if kind == "Secret" && old["type"] != new["type"] {
        report.invalid("type", &new["type"], "field is immutable");
    }
    if old["immutable"] != true {
        return;
    }
    if new["immutable"] != true {
        report.forbidden("immutable", IMMUTABLE);
    }
    for part in ["data", "binaryData"] {
        if old[part] != new[part] {
            report.forbidden(part, IMMUTABLE);
        }
    }
}

/// Checks a Service.
pub(super) fn service(report: &mut Report, object: &Value) {
    let spec = &object["spec"];
    let kind = word(spec, "type");
    let headless = spec["clusterIP"] == "None";
    if !matches!(kind, "ClusterIP" | "ExternalName" | "LoadBalancer" | "NodePort") {
        report.unsupported(
            "spec.type",
            &spec["type"],
            &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"],
        );
    }
    let ports = spec["ports"].as_array().map_or(0, Vec::len);
    if ports == 0 && !headless && kind != "ExternalName" {
        report.required("spec.ports", "");
    }
    if kind == "ExternalName" && word(spec, "externalName").is_empty() {
        report.required("spec.externalName", "");
    }
    if !matches!(word(spec, "sessionAffinity"), "ClientIP" | "None") {
        report.unsupported("spec.sessionAffinity", &spec["sessionAffinity"], &["ClientIP", "None"]);
    }
    let mut seen: Vec<&str> = Vec::new();
    for (i, port) in items(spec, "ports") {
        let at = format!("spec.ports[{i}]");
        let name = word(port, "name");
        if name.is_empty() && ports > 1 {
            report.required(&format!("{at}.name"), "");
        } else if !name.is_empty() && seen.contains(&name) {
            report.duplicate(&format!("{at}.name"), &json!(name));
        }
        seen.push(name);
        range(report, &format!("{at}.port"), port["port"].as_i64().unwrap_or(0));
        if let Some(target) = port["targetPort"].as_i64() {
            range(report, &format!("{at}.targetPort"), target);
        }
        if !matches!(word(port, "protocol"), "TCP" | "UDP" | "SCTP") {
            report.unsupported(&format!("{at}.protocol"), &port["protocol"], &["SCTP", "TCP", "UDP"]);
        }
        let given = port["nodePort"].as_i64().unwrap_or(0);
        if given != 0 && !(30_000..=32_767).contains(&given) {
            let why = "provided port is not in the valid range. The range of valid ports is 30000-32767";
            report.invalid(&format!("{at}.nodePort"), &json!(given), why);
        }
    }
}

/// What may not change in a Service.
pub(super) fn service_change(report: &mut Report, old: &Value, new: &Value) {
    let (before, after) = (&old["spec"], &new["spec"]);
    let external = |spec: &Value| spec["type"] == "ExternalName";
    if external(before) || external(after) || before["clusterIP"].is_null() {
        return;
    }
    if before["clusterIP"] != after["clusterIP"] {
        let sent = match &after["clusterIPs"] {
            Value::Array(list) if !list.is_empty() && list[0] == after["clusterIP"] => after["clusterIPs"].clone(),
            _ => json!([after["clusterIP"]]),
        };
        report.invalid("spec.clusterIPs[0]", &sent, "may not change once set");
    }
}

/// Checks an Ingress.
pub(super) fn ingress(report: &mut Report, object: &Value) {
    let spec = &object["spec"];
    if items(spec, "rules").next().is_none() && spec["defaultBackend"].is_null() {
        report.invalid(
            "spec",
            &Value::Null,
            "either `defaultBackend` or `rules` must be specified",
        );
    }
    for (i, rule) in items(spec, "rules") {
        let host = word(rule, "host");
        let at = format!("spec.rules[{i}].host");
        if host.parse::<IpAddr>().is_ok() {
            report.invalid(&at, &json!(host), "must be a DNS name, not an IP address");
        } else if !host.is_empty() && !host.starts_with("*.") {
            names::subdomain(host)
                .iter()
                .for_each(|why| report.invalid(&at, &json!(host), why));
        }
        for (j, path) in items(&rule["http"], "paths") {
            ingress_path(report, &format!("spec.rules[{i}].http.paths[{j}]"), path);
        }
    }
}

fn ingress_path(report: &mut Report, at: &str, path: &Value) {
    const TYPES: &[&str] = &["Exact", "ImplementationSpecific", "Prefix"];
    match path["pathType"].as_str() {
        None => report.required(&format!("{at}.pathType"), "pathType must be specified"),
        Some(kind) if !TYPES.contains(&kind) => report.unsupported(&format!("{at}.pathType"), &path["pathType"], TYPES),
        Some(kind) => {
            let place = word(path, "path");
            let absolute = kind == "ImplementationSpecific" && place.is_empty() || place.starts_with('/');
            if !absolute {
                report.invalid(&format!("{at}.path"), &json!(place), "must be an absolute path");
            }
        }
    }
}

/// Checks a NetworkPolicy.
pub(super) fn network_policy(report: &mut Report, object: &Value) {
    for (direction, side) in [("ingress", "from"), ("egress", "to")] {
        for (i, rule) in items(&object["spec"], direction) {
            for (j, peer) in items(rule, side) {
                let block = &peer["ipBlock"];
                let cidr = word(block, "cidr");
                if block.is_object() && !is_cidr(cidr) {
                    let at = format!("spec.{direction}[{i}].{side}[{j}].ipBlock.cidr");
                    report.invalid(
                        &at,
                        &json!(cidr),
                        "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)",
                    );
                }
            }
        }
    }
}

fn is_cidr(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else {
        return false;
    };
    match (address.parse(), bits.parse::<u8>()) {
        (Ok(IpAddr::V4(_)), Ok(bits)) => bits <= 32,
        (Ok(IpAddr::V6(_)), Ok(bits)) => bits <= 128,
        _ => false,
    }
}

/// Checks a PodDisruptionBudget.
pub(super) fn disruption_budget(report: &mut Report, object: &Value) {
    let spec = &object["spec"];
    if !spec["minAvailable"].is_null() && !spec["maxUnavailable"].is_null() {
        report.invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set");
    }
    percents(report, "spec", spec, &["minAvailable", "maxUnavailable"]);
}

/// Checks a HorizontalPodAutoscaler.
pub(super) fn autoscaler(report: &mut Report, object: &Value) {
    let spec = &object["spec"];
    let (least, most) = (spec["minReplicas"].as_i64(), spec["maxReplicas"].as_i64().unwrap_or(0));
    if let Some(least) = least.filter(|n| *n < 1) {
        report.invalid("spec.minReplicas", &json!(least), "must be greater than or equal to 1");
    }
    if most < 1 {
        report.required("spec.maxReplicas", "must be set and greater than 0");
    }
    if least.is_some_and(|least| most < least) {
        report.invalid(
            "spec.maxReplicas",
            &json!(most),
            "must be greater than or equal to `minReplicas`",
        );
    }
    for field in ["kind", "name"] {
        if word(&spec["scaleTargetRef"], field).is_empty() {
            report.required(&format!("spec.scaleTargetRef.{field}"), "");
        }
    }
}

/// Checks a Role or ClusterRole.
pub(super) fn role(report: &mut Report, object: &Value) {
    for (i, rule) in items(object, "rules") {
        let at = format!("rules[{i}]");
        if items(rule, "verbs").next().is_none() {
            report.required(&format!("{at}.verbs"), "verbs must contain at least one value");
        }
        if items(rule, "nonResourceURLs").next().is_some() {
            continue;
        }
        if items(rule, "apiGroups").next().is_none() {
            report.required(
                &format!("{at}.apiGroups"),
                "resource rules must supply at least one api group",
            );
        }
        if items(rule, "resources").next().is_none() {
            report.required(
                &format!("{at}.resources"),
                "resource rules must supply at least one resource",
            );
        }
    }
}

/// Checks a RoleBinding or ClusterRoleBinding.
pub(super) fn binding(report: &mut Report, object: &Value) {
    let reference = &object["roleRef"];
    if word(reference, "name").is_empty() {
        report.required("roleRef.name", "");
    }
    if !matches!(word(reference, "kind"), "Role" | "ClusterRole") {
        report.unsupported("roleRef.kind", &reference["kind"], &["Role", "ClusterRole"]);
    }
    for (i, subject) in items(object, "subjects") {
        let at = format!("subjects[{i}]");
        if word(subject, "name").is_empty() {
            report.required(&format!("{at}.name"), "");
        }
        match word(subject, "kind") {
            "ServiceAccount" if object["kind"] == "ClusterRoleBinding" && word(subject, "namespace").is_empty() => {
                report.required(&format!("{at}.namespace"), "");
            }
            "ServiceAccount" | "User" | "Group" => {}
            _ => report.unsupported(
                &format!("{at}.kind"),
                &subject["kind"],
                &["ServiceAccount", "User", "Group"],
            ),
        }
    }
}

/// What may not change in a binding.
pub(super) fn binding_change(report: &mut Report, old: &Value, new: &Value) {
    if old["roleRef"] != new["roleRef"] {
        report.invalid("roleRef", &new["roleRef"], "cannot change roleRef");
    }
}

/// What may not change in a claim.
pub(super) fn claim_change(report: &mut Report, old: &Value, new: &Value) {
    let fixed = |object: &Value| {
        let mut spec = object["spec"].clone();
        if let Some(map) = spec.as_object_mut() {
            map.remove("volumeAttributesClassName");
            if word(&object["status"], "phase") == "Bound" {
                map.remove("resources");
            }
        }
        spec
    };
    if fixed(old) != fixed(new) {
        let why =
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
        report.forbidden("spec", why);
    }
}
