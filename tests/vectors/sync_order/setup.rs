//! A case as the engine is to meet it: the Application, the operation, what the cluster serves, the rendered objects.

use std::collections::BTreeMap;

use capstan_engine::event::{Discovery, ServedKind};
use capstan_engine::targets::{TargetContext, Targets};
use capstan_model::annotations::TRACKING_ID;
use capstan_model::tracking::tracking_id;
use capstan_model::{ApplicationId, ClusterId, GroupKind, Manifest, Operation, ResourceKey, SourceLocation};
use serde_json::{Value, json};

use super::case::Case;
use super::world::World;

pub(crate) fn id() -> ApplicationId {
    ApplicationId::new("argocd", "app1")
}

/// Live objects that the application tracks say so.
pub(crate) fn track(case: &Case, world: &mut World) {
    for live in case.live.iter().filter(|live| !live.unmanaged) {
        let key = super::case::key_of(&live.obj);
        let id = tracking_id(&id(), "argocd", &case.app.namespace, &resource_key(&key));
        let Some(object) = world.objects.get_mut(&key) else {
            continue;
        };
        object.value["metadata"]["annotations"][TRACKING_ID] = json!(id);
    }
}

pub(crate) fn resource_key(key: &str) -> ResourceKey {
    let mut parts = key.splitn(4, '/');
    let mut next = || parts.next().unwrap_or_default().to_owned();
    let (group, kind, namespace, name) = (next(), next(), next(), next());
    ResourceKey::new(group, kind, namespace, name)
}

/// As the recordings name an object: without a namespace where its kind has none, even while nobody serves the kind.
pub(crate) fn key_text(key: &ResourceKey) -> String {
    if super::world::is_cluster_scoped(&key.group, &key.kind) {
        return format!("{}/{}//{}", key.group, key.kind, key.name);
    }
    format!("{}/{}/{}/{}", key.group, key.kind, key.namespace, key.name)
}

pub(crate) fn application(case: &Case, world: &World) -> Value {
    let tracked = world.objects.iter().filter(|(_, object)| {
        object
            .value
            .pointer("/metadata/annotations")
            .is_some_and(|all| all.get(TRACKING_ID).is_some())
    });
    let resources: Vec<Value> = tracked
        .map(|(key, _)| {
            let key = resource_key(key);
            json!({"group": key.group, "version": "v1", "kind": key.kind, "namespace": key.namespace, "name": key.name})
        })
        .collect();
    let mut policy = json!({"syncOptions": case.op.sync_options});
    if let Some(labels) = &case.app.managed_namespace_labels {
        policy["managedNamespaceMetadata"] = json!({"labels": labels});
    }
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
        "metadata": {"name": "app1", "namespace": "argocd", "uid": "app-uid", "resourceVersion": "1"},
        "spec": {
            "project": "default",
            "source": {"repoURL": "https://example.com/r.git", "path": "x", "targetRevision": "main"},
            "destination": {"server": ClusterId::IN_CLUSTER, "namespace": case.app.namespace},
            "syncPolicy": policy
        },
        "status": {"resources": resources}
    })
}

/// The `operation` of the case.
pub(crate) fn operation(case: &Case) -> Operation {
    let op = &case.op;
    let strategy = if op.apply_strategy { "apply" } else { "hook" };
    let value = json!({
        "initiatedBy": {"username": "ada"},
        "sync": {
            "prune": op.prune, "dryRun": op.dry_run, "resources": op.resources, "syncOptions": op.sync_options,
            "syncStrategy": {strategy: {"force": op.force}},
        }
    });
    serde_json::from_value(value).expect("an operation")
}

/// What the cluster serves: the kinds that the case speaks of, each where its objects live, and custom ones while they are defined.
pub(crate) fn discovery(case: &Case, world: &World) -> Discovery {
    let always = [
        ("", "v1", "Namespace", false),
        ("apiextensions.k8s.io", "v1", "CustomResourceDefinition", false),
    ];
    let mut kinds = BTreeMap::new();
    let objects = case.desired.iter().chain(case.live.iter().map(|live| &live.obj));
    for object in objects {
        let text = |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let (group, version) = text("/apiVersion").split_once('/').unwrap_or(("", text("/apiVersion")));
        if !super::world::is_custom(group) {
            let namespaced = !text("/metadata/namespace").is_empty();
            kinds.insert(
                GroupKind::new(group, text("/kind")),
                served(version, text("/kind"), namespaced),
            );
        }
    }
    for (group, version, kind, namespaced) in always.into_iter().chain(world.custom_kinds()) {
        kinds.insert(GroupKind::new(group, kind), served(version, kind, namespaced));
    }
    Discovery {
        cluster_uid: "c".into(),
        version: "v1.36.0".into(),
        kinds,
        incomplete_groups: Vec::new(),
    }
}

fn served(version: &str, kind: &str, namespaced: bool) -> ServedKind {
    ServedKind {
        version: version.to_owned(),
        versions: vec![version.to_owned()],
        plural: format!("{}s", kind.to_lowercase()),
        namespaced,
        watchable: true,
    }
}

pub(crate) fn targets(case: &Case, context: &TargetContext) -> Targets {
    let manifests = case.desired.iter().map(|value| {
        let location = SourceLocation {
            file: "all.yaml".into(),
            line: 1,
        };
        Manifest::parse(value.clone(), location).expect("a manifest")
    });
    Targets::prepare(manifests.collect(), context, "Directory").expect("a complete set")
}
