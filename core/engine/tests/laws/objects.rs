//! What the oracles read off objects. Written by hand from Argo CD's documentation: nothing here asks the engine or its model.

use std::collections::BTreeSet;

use capstan_model::ResourceKey;
use serde_json::Value;

pub(crate) const PREFIX: &str = "argocd.argoproj.io/";
pub(crate) const HELD: &str = "argocd.argoproj.io/hook-finalizer";
/// Namespace that the application goes to.
pub(crate) const HOME: &str = "prod";

/// A label that no API takes.
pub(crate) const INVALID: &str = "not a label!";

pub(crate) fn text<'v>(object: &'v Value, pointer: &str) -> &'v str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

pub(crate) fn annotation<'v>(object: &'v Value, name: &str) -> Option<&'v str> {
    object.pointer("/metadata/annotations")?.get(name)?.as_str()
}

pub(crate) fn key_of(object: &Value) -> ResourceKey {
    let group = text(object, "/apiVersion")
        .split_once('/')
        .map_or("", |(group, _)| group);
    let [kind, namespace, name] = ["/kind", "/metadata/namespace", "/metadata/name"].map(|at| text(object, at));
    ResourceKey::new(group, kind, namespace, name)
}

pub(crate) fn uid(object: &Value) -> &str {
    text(object, "/metadata/uid")
}

pub(crate) fn version(object: &Value) -> u64 {
    text(object, "/metadata/resourceVersion").parse().unwrap_or(0)
}

/// The wave, as Go's `Atoi` reads the annotation: a sign and digits that fit 64 bits; anything else does not count.
pub(crate) fn wave(object: &Value) -> i64 {
    let Some(written) = annotation(object, &format!("{PREFIX}sync-wave")) else {
        return 0;
    };
    let digits = written.strip_prefix(['+', '-']).unwrap_or(written);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return 0;
    }
    let (mut value, negative) = (0i128, written.starts_with('-'));
    for byte in digits.bytes() {
        value = (value * 10 + i128::from(byte - b'0')).min(i128::from(u64::MAX));
    }
    i64::try_from(if negative { -value } else { value }).unwrap_or(0)
}

/// The phases of a sync, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Before,
    Sync,
    After,
    OnFailure,
}

/// The phases in which an object is written; none for one that is not written by a sync.
pub(crate) fn phases(object: &Value) -> BTreeSet<Phase> {
    let Some(words) = annotation(object, &format!("{PREFIX}hook")) else {
        return BTreeSet::from([Phase::Sync]);
    };
    words.split(',').filter_map(|word| phase_of(word.trim())).collect()
}

pub(crate) fn phase_of(word: &str) -> Option<Phase> {
    match word {
        "PreSync" => Some(Phase::Before),
        "Sync" => Some(Phase::Sync),
        "PostSync" => Some(Phase::After),
        "SyncFail" => Some(Phase::OnFailure),
        _ => None,
    }
}

pub(crate) fn is_hook(object: &Value) -> bool {
    annotation(object, &format!("{PREFIX}hook")).is_some_and(|words| words.trim() != "Skip")
}

pub(crate) fn is_ordinary(object: &Value) -> bool {
    annotation(object, &format!("{PREFIX}hook")).is_none()
}

pub(crate) fn has_option(object: &Value, option: &str) -> bool {
    annotation(object, &format!("{PREFIX}sync-options"))
        .is_some_and(|words| words.split(',').any(|word| word.trim() == option))
}

/// The tracking id that an object of `shop` must carry.
pub(crate) fn tracking_id(key: &ResourceKey) -> String {
    let namespace = if key.namespace.is_empty() { HOME } else { &key.namespace };
    format!("shop:{}/{}:{namespace}/{}", key.group, key.kind, key.name)
}

/// Is it this application's? What another object owns is not, whatever it carries.
pub(crate) fn is_tracked(object: &Value) -> bool {
    let id = annotation(object, &format!("{PREFIX}tracking-id")).unwrap_or_default();
    id == tracking_id(&key_of(object)) && !is_owned(object)
}

pub(crate) fn is_owned(object: &Value) -> bool {
    let owners = object.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    owners.is_some_and(|owners| !owners.is_empty())
}

/// What Kubernetes puts into every namespace.
pub(crate) fn is_furniture(key: &ResourceKey) -> bool {
    matches!(
        (key.kind.as_str(), key.name.as_str()),
        ("ServiceAccount", "default") | ("ConfigMap", "kube-root-ca.crt")
    )
}

/// Is it of a kind that only the cluster's controllers make here?
pub(crate) fn is_child(kind: &str) -> bool {
    matches!(kind, "ReplicaSet" | "Pod")
}

/// Is it the Deployment whose replicas somebody keeps changing, where the Application ignores them?
pub(crate) fn is_contested(object: &Value) -> bool {
    text(object, "/kind") == "Deployment" && text(object, "/metadata/name") == "d1"
}

/// Works, does not, or not yet; `None` for a kind without health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    Good,
    Bad,
    Unsettled,
}

pub(crate) fn has_health(kind: &str) -> bool {
    matches!(
        kind,
        "Deployment" | "Job" | "CustomResourceDefinition" | "PersistentVolumeClaim"
    )
}

pub(crate) fn health(object: &Value) -> Option<Health> {
    let kind = text(object, "/kind");
    if !has_health(kind) {
        return None;
    }
    if is_going(object) && !is_held(object) {
        return Some(Health::Unsettled);
    }
    let has = |name: &str, status: &str| {
        let all = object.pointer("/status/conditions").and_then(Value::as_array);
        all.into_iter()
            .flatten()
            .any(|one| text(one, "/type") == name && text(one, "/status") == status)
    };
    let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
    let (good, bad) = match kind {
        "Deployment" => {
            let is_seen = number("/status/observedGeneration") >= number("/metadata/generation");
            (
                is_seen && has("Available", "True") && !has("Progressing", "False"),
                is_seen && has("Progressing", "False"),
            )
        }
        "Job" => (has("Complete", "True"), has("Failed", "True")),
        "PersistentVolumeClaim" => (text(object, "/status/phase") == "Bound", false),
        _ => (has("Established", "True"), false),
    };
    Some(match (good, bad) {
        (_, true) => Health::Bad,
        (true, false) => Health::Good,
        (false, false) => Health::Unsettled,
    })
}

/// Is it a hook that cannot disappear before it is let go?
pub(crate) fn is_held(object: &Value) -> bool {
    let finalizers = object.pointer("/metadata/finalizers").and_then(Value::as_array);
    finalizers.is_some_and(|all| all.iter().any(|one| one == HELD))
}

/// Is it being deleted?
pub(crate) fn is_going(object: &Value) -> bool {
    object
        .pointer("/metadata/deletionTimestamp")
        .is_some_and(Value::is_string)
}

/// Does `live` have everything that `declared` says? What the controller adds to every object is left out.
pub(crate) fn agrees(live: &Value, declared: &Value) -> bool {
    match (live, declared) {
        (Value::Object(live), Value::Object(declared)) => declared.iter().all(|(name, value)| {
            let is_added = name == &format!("{PREFIX}tracking-id") || name == "capstan.dev/operation";
            is_added || name == "generateName" || live.get(name).is_some_and(|found| agrees(found, value))
        }),
        (live, declared) => live == declared,
    }
}

/// The same, both ways round where Git decides: no annotation is live that we own and that is not declared.
pub(crate) fn is_as_declared(live: &Value, declared: &Value) -> bool {
    let owned = live
        .pointer("/metadata/managedFields/0/fieldsV1/f:metadata/f:annotations")
        .and_then(Value::as_object);
    let mut said = declared.clone();
    if is_contested(declared)
        && let Some(spec) = said["spec"].as_object_mut()
    {
        spec.remove("replicas");
    }
    let is_declared = |name: &String| {
        let name = name.trim_start_matches("f:");
        name.ends_with("tracking-id") || annotation(declared, name).is_some() || annotation(live, name).is_none()
    };
    agrees(live, &said) && is_tracked(live) && owned.is_none_or(|owned| owned.keys().all(is_declared))
}
