//! Generated sessions: three managers, a person and a controller write one object in turn, with parts drawn at random. The seed is
//! fixed, so that a failure is the same tomorrow.

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use crate::cases::{APPLY, JSON, MERGE, STRATEGIC, get, step};
use crate::{Session, Step};

/// Parts of an object, drawn.
#[derive(Clone, Debug)]
struct Parts {
    replicas: Option<u8>,
    image: u8,
    second: bool,
    env: Vec<u8>,
    labels: Vec<u8>,
    annotation: Option<u8>,
    ports: Vec<u8>,
    strategy: u8,
}

fn parts() -> impl Strategy<Value = Parts> {
    let optional = |max: u8| prop_oneof![Just(None), (0..max).prop_map(Some)];
    (
        optional(4),
        1..4_u8,
        any::<bool>(),
        vec(0..4_u8, 0..3),
        vec(0..4_u8, 0..3),
        optional(3),
        vec(0..3_u8, 0..3),
        0..4_u8,
    )
        .prop_map(
            |(replicas, image, second, env, labels, annotation, ports, strategy)| Parts {
                replicas,
                image,
                second,
                env,
                labels,
                annotation,
                ports,
                strategy,
            },
        )
}

/// What is done with them.
#[derive(Clone, Copy, Debug)]
enum Action {
    Apply { manager: u8, force: bool, dry: bool },
    Update,
    Merge,
    Strategic,
    Status,
    Create,
    Get,
    Delete,
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        6 => (0..3_u8, any::<bool>(), 0..6_u8).prop_map(|(manager, force, dry)| Action::Apply { manager, force, dry: dry == 0 }),
        2 => Just(Action::Update),
        2 => Just(Action::Merge),
        2 => Just(Action::Strategic),
        1 => Just(Action::Status),
        1 => Just(Action::Create),
        1 => Just(Action::Get),
        1 => Just(Action::Delete),
    ]
}

/// The kinds drawn from.
const KINDS: [(&str, &str, &str); 4] = [
    ("/apis/apps/v1/namespaces/{ns}/deployments", "apps/v1", "Deployment"),
    ("/api/v1/namespaces/{ns}/configmaps", "v1", "ConfigMap"),
    ("/api/v1/namespaces/{ns}/services", "v1", "Service"),
    ("/apis/apps/v1/namespaces/{ns}/statefulsets", "apps/v1", "StatefulSet"),
];

fn object(kind: (&str, &str, &str), parts: &Parts) -> Value {
    let mut object = json!({"apiVersion": kind.1, "kind": kind.2, "metadata": {"name": "one"}});
    if !parts.labels.is_empty() {
        object["metadata"]["labels"] = parts
            .labels
            .iter()
            .map(|n| (format!("l{n}"), json!(format!("v{}", parts.image))))
            .collect();
    }
    if let Some(n) = parts.annotation {
        object["metadata"]["annotations"] = json!({format!("example.org/a{n}"): "x"});
    }
    match kind.2 {
        "ConfigMap" => {
            object["data"] = parts
                .env
                .iter()
                .map(|n| (format!("k{n}"), json!(parts.image.to_string())))
                .collect();
        }
        "Service" => {
            let mut ports: Vec<u8> = parts.ports.clone();
            ports.sort_unstable();
            ports.dedup();
            let ports: Vec<Value> = ports
                .iter()
                .map(|n| json!({"name": format!("p{n}"), "port": 80 + u16::from(*n)}))
                .collect();
            object["spec"] = json!({"ports": ports, "selector": {"app": format!("s{}", parts.strategy)}});
        }
        _ => object["spec"] = workload(kind.2, parts),
    }
    object
}

fn workload(kind: &str, parts: &Parts) -> Value {
    let mut env: Vec<u8> = parts.env.clone();
    env.sort_unstable();
    env.dedup();
    let variables: Vec<Value> = env
        .iter()
        .map(|n| json!({"name": format!("E{n}"), "value": parts.image.to_string()}))
        .collect();
    let mut ports: Vec<u8> = parts.ports.clone();
    ports.sort_unstable();
    ports.dedup();
    let ports: Vec<Value> = ports
        .iter()
        .map(|n| json!({"containerPort": 8080 + u16::from(*n)}))
        .collect();
    let mut containers =
        vec![json!({"name": "main", "image": format!("main:{}", parts.image), "env": variables, "ports": ports})];
    if parts.second {
        containers.push(json!({"name": "side", "image": "side", "resources": {"limits": {"memory": format!("{}Mi", 1024 * u32::from(parts.image))}}}));
    }
    let mut spec = json!({
        "selector": {"matchLabels": {"app": "one"}},
        "template": {"metadata": {"labels": {"app": "one"}}, "spec": {"containers": containers}},
    });
    if let Some(replicas) = parts.replicas {
        spec["replicas"] = json!(replicas);
    }
    match (kind, parts.strategy) {
        ("Deployment", 0) => spec["strategy"] = json!({"type": "Recreate"}),
        ("Deployment", 1) => spec["strategy"] = json!({"rollingUpdate": {"maxSurge": 2}}),
        ("StatefulSet", 0) => spec["updateStrategy"] = json!({"type": "OnDelete"}),
        ("StatefulSet", 1) => spec["podManagementPolicy"] = json!("Parallel"),
        _ => {}
    }
    spec
}

fn request(kind: (&str, &str, &str), action: Action, parts: &Parts) -> Step {
    let (all, one) = (kind.0, format!("{}/one", kind.0));
    let object = object(kind, parts);
    match action {
        Action::Apply { manager, force, dry } => {
            let manager = ["controller", "autoscaler", "team"][usize::from(manager)];
            let force = if force { "&force=true" } else { "" };
            let dry = if dry { "&dryRun=All" } else { "" };
            step(
                "PATCH",
                format!("{one}?fieldManager={manager}{force}{dry}"),
                APPLY,
                object,
            )
        }
        Action::Update => step("PUT", format!("{one}?fieldManager=person"), JSON, object),
        Action::Merge => {
            let patch = json!({"metadata": object["metadata"], "spec": {"replicas": parts.replicas}});
            let patch = if kind.2 == "ConfigMap" {
                json!({"data": {"k0": parts.replicas.map(|r| r.to_string()), "k1": "m"}})
            } else {
                patch
            };
            step("PATCH", format!("{one}?fieldManager=person"), MERGE, patch)
        }
        Action::Strategic => step("PATCH", format!("{one}?fieldManager=editor"), STRATEGIC, object),
        Action::Status => step(
            "PATCH",
            format!("{one}/status?fieldManager=actor"),
            MERGE,
            json!({"status": {"replicas": parts.replicas.unwrap_or(0)}}),
        ),
        Action::Create => step("POST", format!("{all}?fieldManager=person"), JSON, object),
        Action::Get => get(one),
        Action::Delete => Step {
            method: "DELETE",
            ..get(one)
        },
    }
}

/// Draws sessions.
pub(crate) fn sessions(count: usize) -> Vec<Session> {
    let seed = *b"capstan conformance, the 1st se\0";
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let strategy = (0..KINDS.len(), vec((action(), parts()), 6..14));
    (0..count)
        .map(|n| {
            let (kind, writes) = strategy
                .new_tree(&mut runner)
                .expect("the strategy refuses nothing")
                .current();
            Session {
                name: format!("drawn-{n}"),
                steps: writes
                    .iter()
                    .map(|(action, parts)| request(KINDS[kind], *action, parts))
                    .collect(),
            }
        })
        .collect()
}
