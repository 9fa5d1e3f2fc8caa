//! Rows of everything else that has columns: configuration, storage, nodes, access, policies.

use capstan_model::Timestamp;
use serde_json::{Value, json};

use super::age::since;
use super::{Cells, age, joined, list, number, or_none};
use crate::fields::{at, is_going, text};

pub(super) fn cells(group: &str, plural: &str, object: &Value, now: Timestamp) -> Cells {
    match (group, plural) {
        ("", _) => core(plural, object, now),
        ("rbac.authorization.k8s.io", "rolebindings" | "clusterrolebindings") => binding(object, now),
        ("storage.k8s.io" | "resource.k8s.io", _) => storage(plural, object, now),
        ("policy", _) => vec![
            int_or_string(&object["spec"]["minAvailable"]),
            int_or_string(&object["spec"]["maxUnavailable"]),
            json!(number(object, &["status", "disruptionsAllowed"])),
            age(object, now),
        ],
        ("autoscaling", _) => autoscaler(object, now),
        _ => other(plural, object, now),
    }
}

fn core(plural: &str, object: &Value, now: Timestamp) -> Cells {
    let count = |field: &str| {
        at(object, &[field])
            .and_then(Value::as_object)
            .map_or(0, serde_json::Map::len)
    };
    match plural {
        "configmaps" => vec![json!(count("data") + count("binaryData")), age(object, now)],
        "secrets" => vec![json!(text(object, &["type"])), json!(count("data")), age(object, now)],
        "serviceaccounts" => vec![age(object, now)],
        "namespaces" => vec![json!(text(object, &["status", "phase"])), age(object, now)],
        "resourcequotas" => quota(object, now),
        "events" => event(object, now),
        "nodes" => node(object, now),
        "persistentvolumeclaims" => claim(object, now),
        "persistentvolumes" => volume(object, now),
        _ => Vec::new(),
    }
}

fn quota(object: &Value, now: Timestamp) -> Cells {
    let (mut requests, mut limits) = (Vec::new(), Vec::new());
    for (name, hard) in at(object, &["status", "hard"])
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        let used = text(object, &["status", "used", name]);
        let entry = format!("{name}: {used}/{}", hard.as_str().unwrap_or_default());
        if name.starts_with("limits") {
            limits.push(entry);
        } else {
            requests.push(entry);
        }
    }
    vec![json!(requests.join(", ")), json!(limits.join(", ")), age(object, now)]
}

/// Everything but the name, which an event shows last.
fn event(object: &Value, now: Timestamp) -> Cells {
    let time = |fields: &[&[&str]]| {
        let found = fields
            .iter()
            .map(|path| text(object, path))
            .find(|t| !t.is_empty())
            .unwrap_or_default();
        since(found, now)
    };
    let involved = &object["involvedObject"];
    let target = match text(involved, &["name"]) {
        "" => text(involved, &["kind"]).to_lowercase(),
        name => format!("{}/{name}", text(involved, &["kind"]).to_lowercase()),
    };
    let count = match number(object, &["series", "count"]) {
        0 => number(object, &["count"]).max(1),
        count => count,
    };
    let source = match text(object, &["source", "component"]) {
        "" => text(object, &["reportingComponent"]),
        component => component,
    };
    let source = match text(object, &["source", "host"]) {
        "" => source.to_owned(),
        host => format!("{source}, {host}"),
    };
    vec![
        time(&[
            &["series", "lastObservedTime"],
            &["lastTimestamp"],
            &["eventTime"],
            &["firstTimestamp"],
        ]),
        json!(text(object, &["type"])),
        json!(text(object, &["reason"])),
        json!(target),
        json!(text(involved, &["fieldPath"])),
        json!(source),
        json!(text(object, &["message"]).trim()),
        time(&[&["firstTimestamp"], &["eventTime"]]),
        json!(count),
    ]
}

fn node(object: &Value, now: Timestamp) -> Cells {
    let mut status = match list(object, &["status", "conditions"]).find(|c| c["type"] == "Ready") {
        Some(ready) if ready["status"] == "True" => "Ready".to_owned(),
        Some(_) => "NotReady".to_owned(),
        None => "Unknown".to_owned(),
    };
    if object["spec"]["unschedulable"] == true {
        status.push_str(",SchedulingDisabled");
    }
    let labels = at(object, &["metadata", "labels"]).and_then(Value::as_object);
    let roles: Vec<&str> = labels
        .into_iter()
        .flatten()
        .filter_map(|(k, _)| k.strip_prefix("node-role.kubernetes.io/"))
        .collect();
    let address = |kind: &str| {
        let found = list(object, &["status", "addresses"]).find(|a| text(a, &["type"]) == kind);
        or_none(found.map_or("", |a| text(a, &["address"])))
    };
    let info = |field: &str| text(object, &["status", "nodeInfo", field]);
    let unknown = |text: &str| json!(if text.is_empty() { "<unknown>" } else { text });
    vec![
        json!(status),
        or_none(&roles.join(",")),
        age(object, now),
        json!(info("kubeletVersion")),
        address("InternalIP"),
        address("ExternalIP"),
        unknown(info("osImage")),
        unknown(info("kernelVersion")),
        unknown(info("containerRuntimeVersion")),
    ]
}

fn access_modes(modes: &Value) -> String {
    let all: Vec<&str> = modes
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let short = [
        ("ReadWriteOnce", "RWO"),
        ("ReadOnlyMany", "ROX"),
        ("ReadWriteMany", "RWX"),
        ("ReadWriteOncePod", "RWOP"),
    ];
    joined(
        short
            .into_iter()
            .filter(|(long, _)| all.contains(long))
            .map(|(_, short)| short),
    )
}

fn claim(object: &Value, now: Timestamp) -> Cells {
    let phase = if is_going(object) {
        "Terminating"
    } else {
        text(object, &["status", "phase"])
    };
    let bound = text(object, &["spec", "volumeName"]);
    let (capacity, modes) = if bound.is_empty() {
        (String::new(), String::new())
    } else {
        (
            text(object, &["status", "capacity", "storage"]).to_owned(),
            access_modes(&object["status"]["accessModes"]),
        )
    };
    vec![
        json!(phase),
        json!(bound),
        json!(capacity),
        json!(modes),
        json!(text(object, &["spec", "storageClassName"])),
        unset(object),
        age(object, now),
        json!(text(object, &["spec", "volumeMode"])),
    ]
}

fn unset(object: &Value) -> Value {
    match text(object, &["spec", "volumeAttributesClassName"]) {
        "" => json!("<unset>"),
        class => json!(class),
    }
}

fn volume(object: &Value, now: Timestamp) -> Cells {
    let phase = if is_going(object) {
        "Terminating"
    } else {
        text(object, &["status", "phase"])
    };
    let claim = &object["spec"]["claimRef"];
    let claim = if claim.is_object() {
        format!("{}/{}", text(claim, &["namespace"]), text(claim, &["name"]))
    } else {
        String::new()
    };
    vec![
        json!(text(object, &["spec", "capacity", "storage"])),
        json!(access_modes(&object["spec"]["accessModes"])),
        json!(text(object, &["spec", "persistentVolumeReclaimPolicy"])),
        json!(phase),
        json!(claim),
        json!(text(object, &["spec", "storageClassName"])),
        unset(object),
        json!(text(object, &["status", "reason"])),
        age(object, now),
        json!(text(object, &["spec", "volumeMode"])),
    ]
}

fn binding(object: &Value, now: Timestamp) -> Cells {
    let subjects = |kind: &str| {
        let of_kind = list(object, &["subjects"]).filter(|s| text(s, &["kind"]) == kind);
        let names = of_kind.map(|s| match kind {
            "ServiceAccount" => format!("{}/{}", text(s, &["namespace"]), text(s, &["name"])),
            _ => text(s, &["name"]).to_owned(),
        });
        json!(names.collect::<Vec<_>>().join(", "))
    };
    vec![
        json!(format!(
            "{}/{}",
            text(object, &["roleRef", "kind"]),
            text(object, &["roleRef", "name"])
        )),
        age(object, now),
        subjects("User"),
        subjects("Group"),
        subjects("ServiceAccount"),
    ]
}

fn storage(plural: &str, object: &Value, now: Timestamp) -> Cells {
    match plural {
        "storageclasses" => vec![
            json!(text(object, &["provisioner"])),
            json!(text(object, &["reclaimPolicy"])),
            json!(text(object, &["volumeBindingMode"])),
            json!(object["allowVolumeExpansion"].as_bool().unwrap_or(false)),
            age(object, now),
        ],
        "csinodes" => vec![json!(list(object, &["spec", "drivers"]).count()), age(object, now)],
        "volumeattachments" => vec![
            json!(text(object, &["spec", "attacher"])),
            json!(text(object, &["spec", "source", "persistentVolumeName"])),
            json!(text(object, &["spec", "nodeName"])),
            json!(object["status"]["attached"].as_bool().unwrap_or(false)),
            age(object, now),
        ],
        "volumeattributesclasses" => vec![json!(text(object, &["driverName"])), age(object, now)],
        "csidrivers" => driver(object, now),
        "deviceclasses" | "resourceclaimtemplates" => vec![age(object, now)],
        "resourceclaims" => {
            let state = if object["status"]["allocation"].is_object() {
                "allocated"
            } else {
                "pending"
            };
            vec![json!(state), age(object, now)]
        }
        "resourceslices" => vec![
            json!(text(object, &["spec", "nodeName"])),
            json!(text(object, &["spec", "driver"])),
            json!(text(object, &["spec", "pool", "name"])),
            age(object, now),
        ],
        _ => Vec::new(),
    }
}

fn driver(object: &Value, now: Timestamp) -> Cells {
    let flag = |field: &str, default: bool| json!(object["spec"][field].as_bool().unwrap_or(default));
    let modes = joined(list(object, &["spec", "volumeLifecycleModes"]).filter_map(Value::as_str));
    let audiences = joined(list(object, &["spec", "tokenRequests"]).map(|t| text(t, &["audience"])));
    vec![
        flag("attachRequired", true),
        flag("podInfoOnMount", false),
        flag("storageCapacity", false),
        json!(if audiences.is_empty() {
            "<unset>"
        } else {
            audiences.as_str()
        }),
        flag("requiresRepublish", false),
        or_none(&modes),
        age(object, now),
    ]
}

fn int_or_string(value: &Value) -> Value {
    match value {
        Value::Number(n) => json!(n.to_string()),
        Value::String(text) => json!(text),
        _ => json!("N/A"),
    }
}

fn autoscaler(object: &Value, now: Timestamp) -> Cells {
    let spec = &object["spec"];
    let reference = format!(
        "{}/{}",
        text(spec, &["scaleTargetRef", "kind"]),
        text(spec, &["scaleTargetRef", "name"])
    );
    let current: Vec<&Value> = list(object, &["status", "currentMetrics"]).collect();
    let metrics: Vec<String> = list(spec, &["metrics"])
        .enumerate()
        .map(|(i, metric)| target(metric, current.get(i).copied().unwrap_or(&Value::Null)))
        .collect();
    let targets = match metrics.len() {
        0 => "<none>".to_owned(),
        1 | 2 => metrics.join(", "),
        n => format!("{} + {} more...", metrics[..2].join(", "), n - 2),
    };
    let least = spec["minReplicas"]
        .as_i64()
        .map_or("<unset>".to_owned(), |n| n.to_string());
    vec![
        json!(reference),
        json!(targets),
        json!(least),
        json!(number(object, &["spec", "maxReplicas"])),
        json!(number(object, &["status", "currentReplicas"])),
        age(object, now),
    ]
}

/// One metric of an autoscaler: what is and what should be.
fn target(metric: &Value, current: &Value) -> String {
    let (key, prefix) = match text(metric, &["type"]) {
        "Resource" => ("resource", format!("{}: ", text(metric, &["resource", "name"]))),
        "ContainerResource" => (
            "containerResource",
            format!("{}: ", text(metric, &["containerResource", "name"])),
        ),
        "Pods" => ("pods", String::new()),
        "Object" => ("object", String::new()),
        "External" => ("external", String::new()),
        _ => return "<unknown type>".to_owned(),
    };
    let wanted = &metric[key]["target"];
    let (field, unit) = match wanted["averageUtilization"].as_i64() {
        Some(_) => ("averageUtilization", "%"),
        None if wanted.get("averageValue").is_some() => ("averageValue", ""),
        None => ("value", ""),
    };
    let shown = |value: &Value| match value {
        Value::Number(n) => format!("{n}{unit}"),
        Value::String(text) => text.clone(),
        _ => "<unknown>".to_owned(),
    };
    let average = if field == "averageValue" && matches!(key, "object" | "external") {
        " (avg)"
    } else {
        ""
    };
    format!(
        "{prefix}{}/{}{average}",
        shown(&current[key]["current"][field]),
        shown(&wanted[field])
    )
}

fn other(plural: &str, object: &Value, now: Timestamp) -> Cells {
    match plural {
        "priorityclasses" => vec![
            json!(number(object, &["value"])),
            json!(object["globalDefault"].as_bool().unwrap_or(false)),
            age(object, now),
            json!(text(object, &["preemptionPolicy"])),
        ],
        "leases" => vec![json!(text(object, &["spec", "holderIdentity"])), age(object, now)],
        "runtimeclasses" => vec![json!(text(object, &["handler"])), age(object, now)],
        "mutatingwebhookconfigurations" | "validatingwebhookconfigurations" => {
            vec![json!(list(object, &["webhooks"]).count()), age(object, now)]
        }
        "mutatingadmissionpolicies" | "validatingadmissionpolicies" => {
            let rules = if plural.starts_with("mutating") {
                "mutations"
            } else {
                "validations"
            };
            let kind = &object["spec"]["paramKind"];
            let kind = if kind.is_object() {
                format!("{}/{}", text(kind, &["apiVersion"]), text(kind, &["kind"]))
            } else {
                "<unset>".to_owned()
            };
            vec![
                json!(list(object, &["spec", rules]).count()),
                json!(kind),
                age(object, now),
            ]
        }
        "mutatingadmissionpolicybindings" | "validatingadmissionpolicybindings" => {
            let reference = &object["spec"]["paramRef"];
            let reference = if reference.is_object() {
                match text(reference, &["namespace"]) {
                    "" => text(reference, &["name"]).to_owned(),
                    namespace => format!("{namespace}/{}", text(reference, &["name"])),
                }
            } else {
                "<unset>".to_owned()
            };
            vec![
                json!(text(object, &["spec", "policyName"])),
                json!(reference),
                age(object, now),
            ]
        }
        "apiservices" => api_service(object, now),
        _ => Vec::new(),
    }
}

fn api_service(object: &Value, now: Timestamp) -> Cells {
    let service = &object["spec"]["service"];
    let service = if service.is_object() {
        format!("{}/{}", text(service, &["namespace"]), text(service, &["name"]))
    } else {
        "Local".to_owned()
    };
    let available = list(object, &["status", "conditions"]).find(|c| c["type"] == "Available");
    let available = match available {
        Some(c) if c["status"] == "True" => "True".to_owned(),
        Some(c) => format!("{} ({})", text(c, &["status"]), text(c, &["reason"])),
        None => "Unknown".to_owned(),
    };
    vec![json!(service), json!(available), age(object, now)]
}
