//! What kind of list, what kind of value: facts about built-in kinds, by the end of a field's path.

use serde_json::Value;

use super::defaults::ends_with;
use super::path::Segment;

/// How a list is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ListKind {
    /// Items are told apart by these fields; their order has no meaning, and items of others stand beside ours.
    Map(&'static [&'static str]),
    /// Items are values; their order has no meaning.
    Set,
    /// The list is one value.
    Atomic,
}

/// List-maps of built-in kinds: end of the path, keys.
const MAPS: &[(&[&str], &[&str])] = &[
    (&["spec", "containers"], &["name"]),
    (&["spec", "initContainers"], &["name"]),
    (&["spec", "ephemeralContainers"], &["name"]),
    (&["spec", "volumes"], &["name"]),
    (&["spec", "imagePullSecrets"], &["name"]),
    (&["spec", "hostAliases"], &["ip"]),
    (&["spec", "resourceClaims"], &["name"]),
    (&["spec", "schedulingGates"], &["name"]),
    (
        &["spec", "topologySpreadConstraints"],
        &["topologyKey", "whenUnsatisfiable"],
    ),
    (&["containers", "ports"], &["containerPort", "protocol"]),
    (&["initContainers", "ports"], &["containerPort", "protocol"]),
    (&["spec", "ports"], &["port", "protocol"]),
    (&["containers", "env"], &["name"]),
    (&["initContainers", "env"], &["name"]),
    (&["containers", "volumeMounts"], &["mountPath"]),
    (&["initContainers", "volumeMounts"], &["mountPath"]),
    (&["containers", "volumeDevices"], &["devicePath"]),
    (&["initContainers", "volumeDevices"], &["devicePath"]),
    (&["resources", "claims"], &["name"]),
    (&["metadata", "ownerReferences"], &["uid"]),
    (&["webhooks"], &["name"]),
    (&["matchConditions"], &["name"]),
];

/// How the list at `path` of an object of `group` and `kind` is compared; `None` where nothing is known of it.
pub(super) fn list_kind(group: &str, kind: &str, path: &[Segment<'_>]) -> Option<ListKind> {
    if ends_with(path, &["metadata", "finalizers"]) {
        return Some(ListKind::Set);
    }
    if (group, kind) == ("", "ServiceAccount") && ends_with(path, &["secrets"]) && path.len() == 1 {
        return Some(ListKind::Map(&["name"]));
    }
    let known = is_built_in(group) || is_known_type(group, kind);
    let map = MAPS
        .iter()
        .find(|(end, _)| ends_with(path, end))
        .map(|(_, keys)| ListKind::Map(keys));
    match map {
        Some(map) if known => Some(map),
        _ if is_built_in(group) => Some(ListKind::Atomic),
        _ => None,
    }
}

/// Is `group` served by every API server itself, so that its defaults and types are known?
pub(super) fn is_built_in(group: &str) -> bool {
    const GROUPS: [&str; 21] = [
        "",
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "apps",
        "authentication.k8s.io",
        "authorization.k8s.io",
        "autoscaling",
        "batch",
        "certificates.k8s.io",
        "coordination.k8s.io",
        "discovery.k8s.io",
        "events.k8s.io",
        "extensions",
        "flowcontrol.apiserver.k8s.io",
        "networking.k8s.io",
        "node.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
        "scheduling.k8s.io",
        "storage.k8s.io",
    ];
    GROUPS.contains(&group)
}

/// Custom resources that carry the built-in Pod template.
pub(super) fn is_known_type(group: &str, kind: &str) -> bool {
    (group, kind) == ("argoproj.io", "Rollout")
}

/// Does the field at `path` hold a quantity?
pub(super) fn is_quantity(group: &str, kind: &str, path: &[Segment<'_>]) -> bool {
    if !is_built_in(group) && !is_known_type(group, kind) {
        return false;
    }
    let mut fields = path.iter().rev().filter_map(|segment| match segment {
        Segment::Field(name) => Some(*name),
        _ => None,
    });
    let (Some(name), parent) = (fields.next(), fields.next().unwrap_or_default()) else {
        return false;
    };
    match parent {
        "limits" | "requests" | "hard" | "capacity" | "overhead" => true,
        "max" | "min" | "default" | "defaultRequest" | "maxLimitRequestRatio" => kind == "LimitRange",
        "target" => matches!(name, "averageValue" | "value"),
        "scaleUp" | "scaleDown" => name == "tolerance",
        _ => matches!(name, "sizeLimit" | "divisor"),
    }
}

/// Does the field at `path` hold bytes in base64, so that white space in it has no meaning?
pub(super) fn is_bytes(group: &str, kind: &str, path: &[Segment<'_>]) -> bool {
    match (group, kind) {
        ("", "Secret") => matches!(path, [Segment::Field("data"), _]),
        ("", "ConfigMap") => matches!(path, [Segment::Field("binaryData"), _]),
        ("admissionregistration.k8s.io" | "apiextensions.k8s.io" | "apiregistration.k8s.io", _) => {
            ends_with(path, &["caBundle"])
        }
        ("certificates.k8s.io", _) => ends_with(path, &["request"]),
        _ => false,
    }
}

/// Maps whose keys are people's own: an empty text in one is a value, not an absent field.
const FREE_MAPS: [&str; 12] = [
    "annotations",
    "binaryData",
    "data",
    "labels",
    "matchLabels",
    "nodeSelector",
    "options",
    "parameters",
    "selector",
    "stringData",
    "userAnnotations",
    "volumeAttributes",
];

/// Scalars of built-in kinds that are pointers in Go: `false` or 0 in one is a value that is kept, not an absent field.
const POINTERS: [&str; 81] = [
    "activeDeadlineSeconds",
    "allocateLoadBalancerNodePorts",
    "allowPrivilegeEscalation",
    "allowVolumeExpansion",
    "appProtocol",
    "attachRequired",
    "automountServiceAccountToken",
    "averageUtilization",
    "backoffLimit",
    "backoffLimitPerIndex",
    "blockOwnerDeletion",
    "borrowingLimitPercent",
    "completionMode",
    "completions",
    "controller",
    "defaultMode",
    "enableServiceLinks",
    "endPort",
    "expirationSeconds",
    "failedJobsHistoryLimit",
    "fsGroup",
    "fsGroupChangePolicy",
    "fsGroupPolicy",
    "gmsaCredentialSpec",
    "gmsaCredentialSpecName",
    "hostProcess",
    "hostUsers",
    "hostnameOverride",
    "immutable",
    "ingressClassName",
    "internalTrafficPolicy",
    "ipFamilyPolicy",
    "leaseDurationSeconds",
    "lendablePercent",
    "loadBalancerClass",
    "localhostProfile",
    "lun",
    "managedBy",
    "manualSelector",
    "maxFailedIndexes",
    "maxSurge",
    "maxUnavailable",
    "minAvailable",
    "minDomains",
    "minReplicas",
    "mode",
    "nominalConcurrencyShares",
    "optional",
    "parallelism",
    "partition",
    "podInfoOnMount",
    "priority",
    "privileged",
    "procMount",
    "progressDeadlineSeconds",
    "readOnlyRootFilesystem",
    "replicas",
    "requiresRepublish",
    "revisionHistoryLimit",
    "runAsGroup",
    "runAsNonRoot",
    "runAsUser",
    "runAsUserName",
    "runtimeClassName",
    "seLinuxMount",
    "setHostnameAsFQDN",
    "shareProcessNamespace",
    "stabilizationWindowSeconds",
    "startingDeadlineSeconds",
    "storageCapacity",
    "storageClassName",
    "successfulJobsHistoryLimit",
    "suspend",
    "targetCPUUtilizationPercentage",
    "terminationGracePeriodSeconds",
    "timeZone",
    "tolerationSeconds",
    "trafficDistribution",
    "ttlSecondsAfterFinished",
    "volumeAttributesClassName",
    "volumeMode",
];

/// Is `desired`, declared at `path` where nothing is live, what a server writes as nothing?
pub(super) fn is_void(group: &str, path: &[Segment<'_>], desired: &Value) -> bool {
    match desired {
        Value::Null => true,
        Value::Object(fields) => fields.iter().all(|(name, value)| {
            let mut inner = path.to_vec();
            inner.push(Segment::Field(name));
            is_void(group, &inner, value)
        }),
        Value::Array(items) => items.is_empty(),
        scalar => is_built_in(group) && super::defaults::is_zero(scalar) && is_plain_scalar(path),
    }
}

/// Is the scalar at `path` of a built-in kind left out when it is `false`, 0 or empty?
pub(super) fn is_plain_scalar(path: &[Segment<'_>]) -> bool {
    let mut fields = path.iter().rev();
    let (Some(Segment::Field(name)), parent) = (fields.next(), fields.next()) else {
        return false;
    };
    let in_free_map = matches!(parent, Some(Segment::Field(parent)) if FREE_MAPS.contains(parent));
    !in_free_map && !POINTERS.contains(name)
}
