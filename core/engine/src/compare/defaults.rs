//! What a server puts where nobody says anything, for built-in kinds: facts about the API, by the end of a field's path.
//!
//! Two things need them. A field that Git declared and no longer declares is no difference when the cluster has it at its default, for
//! applying would bring it back. And what stands beside the declared fields in an item of an atomic list, which is Git's as a whole, is
//! a difference unless it is a default.

use serde_json::{Map, Value};

use super::path::Segment;
use super::schema;

/// A default.
enum Default {
    Text(&'static str),
    Number(i64),
    Flag(bool),
}

use Default::{Flag, Number, Text};

/// End of a field's path (list items left out), and the value. The kind, where a default is not that of every kind, comes first.
const DEFAULTS: &[(&str, &[&str], Default)] = &[
    // Pods, wherever they stand.
    ("", &["spec", "restartPolicy"], Text("Always")),
    ("", &["spec", "dnsPolicy"], Text("ClusterFirst")),
    ("", &["spec", "schedulerName"], Text("default-scheduler")),
    ("", &["spec", "terminationGracePeriodSeconds"], Number(30)),
    ("", &["spec", "enableServiceLinks"], Flag(true)),
    ("", &["spec", "preemptionPolicy"], Text("PreemptLowerPriority")),
    ("", &["terminationMessagePath"], Text("/dev/termination-log")),
    ("", &["terminationMessagePolicy"], Text("File")),
    ("", &["ports", "protocol"], Text("TCP")),
    ("", &["fieldRef", "apiVersion"], Text("v1")),
    ("", &["resourceFieldRef", "divisor"], Text("0")),
    ("", &["httpGet", "scheme"], Text("HTTP")),
    ("", &["httpGet", "path"], Text("/")),
    ("", &["grpc", "service"], Text("")),
    ("", &["timeoutSeconds"], Number(1)),
    ("", &["periodSeconds"], Number(10)),
    ("", &["successThreshold"], Number(1)),
    ("", &["failureThreshold"], Number(3)),
    ("", &["defaultMode"], Number(420)),
    ("", &["serviceAccountToken", "expirationSeconds"], Number(3600)),
    ("", &["hostPath", "type"], Text("")),
    ("", &["iscsi", "iscsiInterface"], Text("default")),
    ("", &["topologySpreadConstraints", "nodeAffinityPolicy"], Text("Honor")),
    ("", &["topologySpreadConstraints", "nodeTaintsPolicy"], Text("Ignore")),
    ("", &["volumeMounts", "recursiveReadOnly"], Text("Disabled")),
    // Workloads.
    ("Deployment", &["spec", "replicas"], Number(1)),
    ("Deployment", &["strategy", "type"], Text("RollingUpdate")),
    ("Deployment", &["rollingUpdate", "maxSurge"], Text("25%")),
    ("Deployment", &["rollingUpdate", "maxUnavailable"], Text("25%")),
    ("Deployment", &["spec", "revisionHistoryLimit"], Number(10)),
    ("Deployment", &["spec", "progressDeadlineSeconds"], Number(600)),
    ("ReplicaSet", &["spec", "replicas"], Number(1)),
    ("StatefulSet", &["spec", "replicas"], Number(1)),
    ("StatefulSet", &["spec", "podManagementPolicy"], Text("OrderedReady")),
    ("StatefulSet", &["spec", "revisionHistoryLimit"], Number(10)),
    ("StatefulSet", &["updateStrategy", "type"], Text("RollingUpdate")),
    ("StatefulSet", &["rollingUpdate", "partition"], Number(0)),
    (
        "StatefulSet",
        &["persistentVolumeClaimRetentionPolicy", "whenDeleted"],
        Text("Retain"),
    ),
    (
        "StatefulSet",
        &["persistentVolumeClaimRetentionPolicy", "whenScaled"],
        Text("Retain"),
    ),
    ("StatefulSet", &["volumeClaimTemplates", "apiVersion"], Text("v1")),
    (
        "StatefulSet",
        &["volumeClaimTemplates", "kind"],
        Text("PersistentVolumeClaim"),
    ),
    ("StatefulSet", &["status", "phase"], Text("Pending")),
    ("DaemonSet", &["updateStrategy", "type"], Text("RollingUpdate")),
    ("DaemonSet", &["rollingUpdate", "maxUnavailable"], Number(1)),
    ("DaemonSet", &["rollingUpdate", "maxSurge"], Number(0)),
    ("DaemonSet", &["spec", "revisionHistoryLimit"], Number(10)),
    ("Job", &["spec", "backoffLimit"], Number(6)),
    ("Job", &["spec", "completions"], Number(1)),
    ("Job", &["spec", "parallelism"], Number(1)),
    ("Job", &["spec", "completionMode"], Text("NonIndexed")),
    ("Job", &["spec", "podReplacementPolicy"], Text("TerminatingOrFailed")),
    ("Job", &["spec", "manualSelector"], Flag(false)),
    ("Job", &["spec", "suspend"], Flag(false)),
    ("Job", &["onPodConditions", "status"], Text("True")),
    ("CronJob", &["spec", "concurrencyPolicy"], Text("Allow")),
    ("CronJob", &["spec", "suspend"], Flag(false)),
    ("CronJob", &["spec", "successfulJobsHistoryLimit"], Number(3)),
    ("CronJob", &["spec", "failedJobsHistoryLimit"], Number(1)),
    // Networking.
    ("Service", &["spec", "type"], Text("ClusterIP")),
    ("Service", &["spec", "sessionAffinity"], Text("None")),
    ("Service", &["spec", "internalTrafficPolicy"], Text("Cluster")),
    ("Service", &["spec", "externalTrafficPolicy"], Text("Cluster")),
    ("Service", &["spec", "ipFamilyPolicy"], Text("SingleStack")),
    ("Service", &["spec", "allocateLoadBalancerNodePorts"], Flag(true)),
    ("Service", &["clientIP", "timeoutSeconds"], Number(10800)),
    ("IngressClass", &["parameters", "scope"], Text("Cluster")),
    // Configuration and storage.
    ("Secret", &["type"], Text("Opaque")),
    ("", &["spec", "volumeMode"], Text("Filesystem")),
    (
        "PersistentVolume",
        &["spec", "persistentVolumeReclaimPolicy"],
        Text("Retain"),
    ),
    ("StorageClass", &["reclaimPolicy"], Text("Delete")),
    ("StorageClass", &["volumeBindingMode"], Text("Immediate")),
    ("PriorityClass", &["preemptionPolicy"], Text("PreemptLowerPriority")),
    ("HorizontalPodAutoscaler", &["spec", "minReplicas"], Number(1)),
    // Access.
    (
        "RoleBinding",
        &["roleRef", "apiGroup"],
        Text("rbac.authorization.k8s.io"),
    ),
    (
        "ClusterRoleBinding",
        &["roleRef", "apiGroup"],
        Text("rbac.authorization.k8s.io"),
    ),
    // Extension of the API.
    ("", &["webhooks", "failurePolicy"], Text("Fail")),
    ("", &["webhooks", "matchPolicy"], Text("Equivalent")),
    ("", &["webhooks", "timeoutSeconds"], Number(10)),
    ("", &["webhooks", "reinvocationPolicy"], Text("Never")),
    ("", &["rules", "scope"], Text("*")),
    ("", &["service", "port"], Number(443)),
    ("CustomResourceDefinition", &["conversion", "strategy"], Text("None")),
    (
        "CustomResourceDefinition",
        &["spec", "preserveUnknownFields"],
        Flag(false),
    ),
];

/// Is `live`, at `path` of a built-in `kind`, what a server puts there by itself? `parent` is the live map it stands in.
pub(super) fn is_default(kind: &str, path: &[Segment<'_>], live: &Value, parent: Option<&Map<String, Value>>) -> bool {
    match live {
        Value::Null => true,
        _ if is_allocated(kind, path) => true,
        Value::Object(fields) if is_derived_map(kind, path, fields, parent) => true,
        Value::Object(fields) => fields.iter().all(|(name, value)| {
            let mut inner = path.to_vec();
            inner.push(Segment::Field(name));
            is_default(kind, &inner, value, Some(fields))
        }),
        Value::Array(items) => items.is_empty() || is_derived_list(kind, path, live, parent),
        _ => {
            is_default_scalar(kind, path, live)
                || is_derived(path, live, parent)
                || (is_zero(live) && schema::is_plain_scalar(path))
        }
    }
}

fn is_default_scalar(kind: &str, path: &[Segment<'_>], live: &Value) -> bool {
    DEFAULTS.iter().any(|(of, end, default)| {
        let same = match default {
            Text(text) => live == text,
            Number(number) => live == number,
            Flag(flag) => live == flag,
        };
        same && (of.is_empty() || *of == kind) && ends_with(path, end)
    })
}

/// Does `path`, list items left out, end with `names`?
pub(super) fn ends_with(path: &[Segment<'_>], names: &[&str]) -> bool {
    let mut fields = path.iter().rev().filter_map(|segment| match segment {
        Segment::Field(name) => Some(*name),
        _ => None,
    });
    names.iter().rev().all(|name| fields.next() == Some(name))
}

/// Does the default of the field at `path` follow from what stands beside it?
pub(super) fn has_derived_default(path: &[Segment<'_>]) -> bool {
    let names = [
        "imagePullPolicy",
        "targetPort",
        "serviceAccount",
        "apiGroup",
        "listKind",
        "singular",
    ];
    matches!(path.last(), Some(Segment::Field(name)) if names.contains(name))
}

/// Defaults that follow from what stands beside them.
fn is_derived(path: &[Segment<'_>], live: &Value, parent: Option<&Map<String, Value>>) -> bool {
    let Some(Segment::Field(name)) = path.last() else {
        return false;
    };
    let sibling = |name: &str| parent.and_then(|parent| parent.get(name));
    match *name {
        "imagePullPolicy" => {
            let image = sibling("image").and_then(Value::as_str).unwrap_or_default();
            live == pull_policy(image)
        }
        "targetPort" => sibling("port") == Some(live),
        "serviceAccount" => sibling("serviceAccountName") == Some(live),
        "apiGroup" => match sibling("kind").and_then(Value::as_str) {
            Some("User" | "Group" | "Role" | "ClusterRole") => live == "rbac.authorization.k8s.io",
            _ => false,
        },
        "listKind" => sibling("kind")
            .and_then(Value::as_str)
            .is_some_and(|kind| *live == format!("{kind}List")),
        "singular" => sibling("kind")
            .and_then(Value::as_str)
            .is_some_and(|kind| *live == kind.to_lowercase()),
        _ => false,
    }
}

/// What a server or a controller gives an object of its own accord, and nobody can say beforehand.
fn is_allocated(kind: &str, path: &[Segment<'_>]) -> bool {
    let is = |name: &str| ends_with(path, &["spec", name]);
    match kind {
        "Service" => {
            is("clusterIP")
                || is("clusterIPs")
                || is("ipFamilies")
                || is("healthCheckNodePort")
                || ends_with(path, &["ports", "nodePort"])
        }
        "Namespace" => ends_with(path, &["metadata", "labels", "kubernetes.io/metadata.name"]),
        "PersistentVolumeClaim" => is("volumeName"),
        "PersistentVolume" => is("claimRef"),
        "Pod" => is("nodeName"),
        // Of one item of `limits`; see `is_derived_map` for a whole map.
        "LimitRange" => path.len() == 5 && matches!(path[3], Segment::Field("default" | "defaultRequest")),
        _ => false,
    }
}

/// A container's default limit follows from the maximum, its default request from the default limit or the minimum.
fn is_derived_map(
    kind: &str,
    path: &[Segment<'_>],
    live: &Map<String, Value>,
    parent: Option<&Map<String, Value>>,
) -> bool {
    let Some(Segment::Field(name)) = path.last() else {
        return false;
    };
    let sources: &[&str] = match *name {
        "default" => &["max"],
        "defaultRequest" => &["default", "min"],
        _ => return false,
    };
    kind == "LimitRange"
        && live.iter().all(|(resource, value)| {
            let mut given = sources.iter().filter_map(|source| parent?.get(*source)?.get(resource));
            given.next() == Some(value)
        })
}

fn pull_policy(image: &str) -> &'static str {
    let name = image.rsplit('/').next().unwrap_or_default();
    let tag = name
        .split('@')
        .next()
        .and_then(|name| name.split_once(':'))
        .map(|(_, tag)| tag);
    match tag {
        Some("latest") => "Always",
        None if !image.contains('@') => "Always",
        _ => "IfNotPresent",
    }
}

/// `policyTypes` of a NetworkPolicy follows from its rules.
fn is_derived_list(kind: &str, path: &[Segment<'_>], live: &Value, parent: Option<&Map<String, Value>>) -> bool {
    if kind != "NetworkPolicy" || !ends_with(path, &["policyTypes"]) {
        return false;
    }
    let has_egress = parent.and_then(|spec| spec.get("egress")).is_some();
    let expected: &[&str] = if has_egress {
        &["Ingress", "Egress"]
    } else {
        &["Ingress"]
    };
    live.as_array()
        .is_some_and(|types| types.iter().map(Value::as_str).eq(expected.iter().copied().map(Some)))
}

/// What Go leaves out when it writes a field that is no pointer.
pub(super) fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}
