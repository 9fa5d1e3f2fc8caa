//! What the server lets pass but warns of: specifications that will not do what they seem to say.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::fields::{at, text};

/// Warnings of an object that is created (`old` absent) or changed.
pub(super) fn of(name: (&str, &str), old: Option<&Value>, object: &Value) -> Vec<String> {
    let mut out = Vec::new();
    if let Some(path) = template(name) {
        let generation = |o: &Value| o["metadata"]["generation"].clone();
        if old.is_none_or(|old| generation(old) != generation(object)) {
            pod(
                object
                    .pointer(&format!("/{}", path.replace('.', "/")))
                    .unwrap_or(&Value::Null),
                path,
                &mut out,
            );
        }
    }
    if name == ("", "services") {
        service(object, &mut out);
    }
    out
}

/// Where a kind keeps its pod's specification.
fn template(name: (&str, &str)) -> Option<&'static str> {
    match name {
        ("", "pods") => Some("spec"),
        ("apps", "deployments" | "replicasets" | "statefulsets" | "daemonsets") | ("batch", "jobs") => {
            Some("spec.template.spec")
        }
        ("batch", "cronjobs") => Some("spec.jobTemplate.spec.template.spec"),
        _ => None,
    }
}

fn pod(spec: &Value, path: &str, out: &mut Vec<String>) {
    const OLD_LABELS: [(&str, &str, &str); 4] = [
        ("beta.kubernetes.io/arch", "v1.14", "kubernetes.io/arch"),
        ("beta.kubernetes.io/os", "v1.14", "kubernetes.io/os"),
        (
            "failure-domain.beta.kubernetes.io/region",
            "v1.17",
            "topology.kubernetes.io/region",
        ),
        (
            "failure-domain.beta.kubernetes.io/zone",
            "v1.17",
            "topology.kubernetes.io/zone",
        ),
    ];
    for (old, since, new) in OLD_LABELS {
        if at(spec, &["nodeSelector", old]).is_some() {
            out.push(format!(
                "{path}.nodeSelector[{old}]: deprecated since {since}; use {new:?} instead"
            ));
        }
    }
    for (i, constraint) in list(spec, "topologySpreadConstraints").enumerate() {
        if constraint.get("labelSelector").is_none_or(Value::is_null) {
            out.push(format!(
                "{path}.topologySpreadConstraints[{i}].labelSelector: a null labelSelector results in matching no pod"
            ));
        }
    }
    for containers in ["initContainers", "containers"] {
        for (i, container) in list(spec, containers).enumerate() {
            environment(container, &format!("{path}.{containers}[{i}]"), out);
        }
    }
}

/// A variable that is given twice hides its first value.
fn environment(container: &Value, path: &str, out: &mut Vec<String>) {
    let mut seen: BTreeMap<&str, &Value> = BTreeMap::new();
    for (i, variable) in list(container, "env").enumerate() {
        let name = text(variable, &["name"]);
        let earlier = seen.insert(name, variable);
        // A later value that refers to the earlier one means it.
        let refers = text(variable, &["value"]).contains(&format!("$({name})"));
        if earlier.is_some() && !refers {
            out.push(format!(
                "{path}.env[{i}]: hides previous definition of {name:?}, which may be dropped when using apply"
            ));
        }
    }
}

fn service(object: &Value, out: &mut Vec<String>) {
    let spec = &object["spec"];
    if !text(spec, &["loadBalancerIP"]).is_empty() {
        out.push("spec.loadBalancerIP is deprecated".to_owned());
    }
    if spec["clusterIP"] == "None" && !matches!(text(spec, &["sessionAffinity"]), "" | "None") {
        out.push("spec.SessionAffinity is ignored for headless services".to_owned());
    }
}

fn list<'v>(value: &'v Value, field: &str) -> impl Iterator<Item = &'v Value> {
    value.get(field).and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_selector_that_matches_nothing_is_warned_of_once() {
        let object = |generation: u64| {
            json!({"metadata": {"generation": generation}, "spec": {"template": {"spec": {
                "topologySpreadConstraints": [{"topologyKey": "zone"}],
                "containers": [{"env": [{"name": "A"}, {"name": "A"}, {"name": "A", "value": "$(A)x"}]}],
            }}}})
        };
        let warnings = of(("apps", "deployments"), None, &object(1));
        assert_eq!(warnings.len(), 2);
        assert!(warnings[0].starts_with("spec.template.spec.topologySpreadConstraints[0]"));
        assert!(of(("apps", "deployments"), Some(&object(1)), &object(1)).is_empty());
    }
}
