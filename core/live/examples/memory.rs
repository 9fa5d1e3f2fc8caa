//! Prints what one object costs at rest: `cargo run --release -p capstan-live --example memory [objects]`.
//!
//! The mix is that of a cluster full of Deployments: for each, a ReplicaSet and eight Pods; one object in ten is tracked. Memory is the
//! growth of the process's resident set, so the allocator's losses are in it.
#![expect(clippy::print_stdout, reason = "printing is what this program is for")]
#![expect(
    clippy::disallowed_methods,
    reason = "a measurement, not a part of the core: reads its own memory use and arguments"
)]

use capstan_live::LiveIndex;
use capstan_model::annotations::TRACKING_ID;
use capstan_model::{HealthStatus, HealthStatusCode};
use serde_json::{Value, json};

const PODS: usize = 8;

fn main() {
    let objects: usize = std::env::args()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(100_000);
    let mut index = LiveIndex::new("argocd");
    let before = resident();
    let (mut number, mut manifests) = (0, 0);
    while index.len() < objects {
        for object in family(number) {
            index.apply(&object, &|_| Some(HealthStatus::new(HealthStatusCode::Healthy, "")));
        }
        let owner = index.by_uid(&uid("deployment", number, 0));
        manifests += owner
            .and_then(|node| node.manifest())
            .map_or(0, capstan_model::Blob::len);
        number += 1;
    }
    let bytes = resident().saturating_sub(before);
    let count = index.len();
    println!(
        "{count} objects, {number} of them tracked: {} bytes an object, of which {} are documents of the tracked ones ({} bytes each)",
        bytes / count,
        manifests / count,
        manifests / number
    );
}

fn family(number: usize) -> Vec<Value> {
    let mut family = vec![
        object("apps/v1", "Deployment", number, 0, None),
        object("apps/v1", "ReplicaSet", number, 0, Some(uid("deployment", number, 0))),
    ];
    for pod in 0..PODS {
        family.push(object("v1", "Pod", number, pod, Some(uid("replicaset", number, 0))));
    }
    family
}

fn uid(kind: &str, number: usize, pod: usize) -> String {
    let kind = kind
        .bytes()
        .fold(0u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    format!("{kind:08x}-{:04x}-4000-8000-{number:012x}", pod)
}

fn object(api_version: &str, kind: &str, number: usize, pod: usize, owner: Option<String>) -> Value {
    let namespace = format!("team-{}", number % 200);
    let name = match kind {
        "Deployment" => format!("service-{number}"),
        "ReplicaSet" => format!("service-{number}-6d4cf56db6"),
        _ => format!("service-{number}-6d4cf56db6-x7k{pod}"),
    };
    let image = format!(
        "registry.example/team-{}/service-{number}:1.27.{}",
        number % 200,
        number % 7
    );
    let container = json!({
        "name": "main", "image": image, "imagePullPolicy": "IfNotPresent",
        "env": (0..12).map(|n| json!({"name": format!("SETTING_{n}"), "value": format!("value of {n} for {number}")})).collect::<Vec<_>>(),
        "resources": {"limits": {"cpu": "500m", "memory": "512Mi"}, "requests": {"cpu": "100m", "memory": "256Mi"}},
        "ports": [{"containerPort": 8080, "name": "http", "protocol": "TCP"}],
        "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"
    });
    let mut object = json!({
        "apiVersion": api_version, "kind": kind,
        "metadata": {
            "namespace": namespace, "name": name, "uid": uid(&kind.to_lowercase(), number, pod),
            "resourceVersion": (number * 10 + pod).to_string(), "generation": 3, "creationTimestamp": "2026-01-05T08:00:00Z",
            "labels": {"app.kubernetes.io/name": format!("service-{number}"), "app.kubernetes.io/part-of": "shop"},
            "managedFields": [{"manager": "capstan", "operation": "Apply", "apiVersion": api_version, "time": "2026-01-05T08:00:00Z",
                "fieldsType": "FieldsV1", "fieldsV1": {"f:metadata": {"f:labels": {"f:app.kubernetes.io/name": {}, "f:app.kubernetes.io/part-of": {}}},
                    "f:spec": {"f:replicas": {}, "f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"main\"}": {".": {}, "f:image": {}, "f:name": {}, "f:env": {}}}}}}}}]
        },
        "spec": {"replicas": PODS, "template": {"spec": {"containers": [container]}}},
        "status": {"observedGeneration": 3, "replicas": PODS, "readyReplicas": PODS, "availableReplicas": PODS}
    });
    if let Some(owner) = owner {
        object["metadata"]["ownerReferences"] = json!([{"uid": owner, "controller": true}]);
    } else {
        let id = format!("app-{}:apps/Deployment:{namespace}/{name}", number / 4);
        object["metadata"]["annotations"] = json!({TRACKING_ID: id});
    }
    if kind == "Pod" {
        object["spec"] = json!({"containers": [object["spec"]["template"]["spec"]["containers"][0]], "nodeName": format!("node-{}", number % 50)});
        object["status"] =
            json!({"phase": "Running", "containerStatuses": [{"name": "main", "ready": true, "restartCount": 0}]});
    }
    object
}

/// Bytes of memory that this process occupies; 0 where the system does not say.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse::<usize>().ok());
    kilobytes.unwrap_or(0) * 1024
}
