//! What the server fills in when a client leaves it out.
//!
//! Rules hang on types, not on places: a container is completed wherever a pod template is. [`complete`] walks an object by its type,
//! parents before children, applies the type's rule and then the defaults its schema declares.

use capstan_model::schema::{Shape, Type, type_named};
use serde_json::{Map, Value, json};

use crate::schema::Quantity;

type Object = Map<String, Value>;

/// Fills in an object of a built-in type.
pub(crate) fn complete(of: &Type, object: &mut Value) {
    let Value::Object(map) = object else { return };
    rule(of.name, map);
    for field in &of.fields {
        if let (Some(default), None) = (&field.default, map.get(field.name)) {
            map.insert(field.name.into(), default.clone());
        }
        if let Some(value) = map.get_mut(field.name) {
            descend(&field.shape, value);
        }
    }
    late_rule(of.name, map);
}

fn descend(shape: &Shape, value: &mut Value) {
    match shape {
        Shape::Struct(name) => {
            if let Some(of) = type_named(name) {
                complete(of, value);
            }
        }
        Shape::List(item) => value
            .as_array_mut()
            .into_iter()
            .flatten()
            .for_each(|v| descend(item, v)),
        Shape::Map(item) => value
            .as_object_mut()
            .into_iter()
            .for_each(|m| m.values_mut().for_each(|v| descend(item, v))),
        Shape::Scalar(_) | Shape::Any => {}
    }
}

/// Sets a field that is absent, null or empty text.
fn put(map: &mut Object, key: &str, value: Value) {
    if absent(map, key) {
        map.insert(key.into(), value);
    }
}

fn absent(map: &Object, key: &str) -> bool {
    match map.get(key) {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(_) => false,
    }
}

fn put_all(map: &mut Object, values: &Value) {
    for (key, value) in values.as_object().into_iter().flatten() {
        put(map, key, value.clone());
    }
}

fn word<'m>(map: &'m Object, key: &str) -> &'m str {
    map.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn inner<'m>(map: &'m mut Object, key: &str) -> Option<&'m mut Object> {
    map.get_mut(key).and_then(Value::as_object_mut)
}

/// A struct below, made when absent.
fn made<'m>(map: &'m mut Object, key: &str) -> Option<&'m mut Object> {
    if absent(map, key) {
        map.insert(key.into(), json!({}));
    }
    inner(map, key)
}

fn rule(name: &str, map: &mut Object) {
    match name {
        "apps.v1.DeploymentSpec" => {
            put_all(
                map,
                &json!({"replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600}),
            );
        }
        "apps.v1.DeploymentStrategy" => {
            put(map, "type", json!("RollingUpdate"));
            if word(map, "type") == "RollingUpdate"
                && let Some(rolling) = made(map, "rollingUpdate")
            {
                put_all(rolling, &json!({"maxUnavailable": "25%", "maxSurge": "25%"}));
            }
        }
        "apps.v1.ReplicaSetSpec" => put(map, "replicas", json!(1)),
        "apps.v1.StatefulSetSpec" => stateful_set(map),
        "apps.v1.DaemonSet" => {
            if let Some(metadata) = made(map, "metadata")
                && let Some(annotations) = made(metadata, "annotations")
            {
                put(annotations, "deprecated.daemonset.template.generation", json!("0"));
            }
        }
        "apps.v1.DaemonSetSpec" => put(map, "revisionHistoryLimit", json!(10)),
        "apps.v1.DaemonSetUpdateStrategy" => {
            put(map, "type", json!("RollingUpdate"));
            if word(map, "type") == "RollingUpdate"
                && let Some(rolling) = made(map, "rollingUpdate")
            {
                put_all(rolling, &json!({"maxUnavailable": 1, "maxSurge": 0}));
            }
        }
        "core.v1.ReplicationController" => replication_controller(map),
        "batch.v1.Job" => job(map),
        "batch.v1.CronJobSpec" => put_all(
            map,
            &json!({"concurrencyPolicy": "Allow", "suspend": false, "successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 1}),
        ),
        "autoscaling.v2.HorizontalPodAutoscalerSpec" => autoscaler(map),
        "autoscaling.v1.HorizontalPodAutoscalerSpec" => put(map, "minReplicas", json!(1)),
        "networking.v1.NetworkPolicySpec" => policy_types(map),
        "networking.v1.NetworkPolicyPort" => put(map, "protocol", json!("TCP")),
        "networking.v1.IngressClassParametersReference" => put(map, "scope", json!("Cluster")),
        "rbac.v1.RoleRef" => put(map, "apiGroup", json!("rbac.authorization.k8s.io")),
        "rbac.v1.Subject" if matches!(word(map, "kind"), "User" | "Group") => {
            put(map, "apiGroup", json!("rbac.authorization.k8s.io"));
        }
        "rbac.v1.ClusterRole" | "rbac.v1.Role" => {}
        "storage.v1.StorageClass" => put_all(
            map,
            &json!({"reclaimPolicy": "Delete", "volumeBindingMode": "Immediate"}),
        ),
        "storage.v1.CSIDriverSpec" => put_all(
            map,
            &json!({"attachRequired": true, "podInfoOnMount": false, "storageCapacity": false, "fsGroupPolicy": "ReadWriteOnceWithFSType",
                    "requiresRepublish": false, "seLinuxMount": false, "volumeLifecycleModes": ["Persistent"]}),
        ),
        "scheduling.v1.PriorityClass" => put(map, "preemptionPolicy", json!("PreemptLowerPriority")),
        "discovery.v1.EndpointPort" => put_all(map, &json!({"protocol": "TCP"})),
        other if other.starts_with("admissionregistration.") => admission_rule(other, map),
        other => core_rule(other, map),
    }
}

/// Types of admission configuration.
fn admission_rule(name: &str, map: &mut Object) {
    match name {
        "admissionregistration.v1.ValidatingWebhook" => webhook(map),
        "admissionregistration.v1.MutatingWebhook" => {
            webhook(map);
            put(map, "reinvocationPolicy", json!("Never"));
        }
        "admissionregistration.v1.Rule" | "admissionregistration.v1.RuleWithOperations" => {
            put(map, "scope", json!("*"));
        }
        "admissionregistration.v1.ServiceReference" => put(map, "port", json!(443)),
        _ => {}
    }
}

fn core_rule(name: &str, map: &mut Object) {
    match name {
        "core.v1.Namespace" => own_name_label(map),
        "core.v1.Pod" => pod(map),
        "core.v1.PodSpec" => put_all(
            map,
            &json!({"dnsPolicy": "ClusterFirst", "restartPolicy": "Always", "securityContext": {}, "terminationGracePeriodSeconds": 30,
                    "schedulerName": "default-scheduler"}),
        ),
        "core.v1.Container" | "core.v1.EphemeralContainer" => container(map),
        "core.v1.Probe" => put_all(
            map,
            &json!({"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}),
        ),
        "core.v1.HTTPGetAction" => put_all(map, &json!({"path": "/", "scheme": "HTTP"})),
        "core.v1.GRPCAction" if absent(map, "service") => {
            map.insert("service".into(), json!(""));
        }
        "core.v1.ObjectFieldSelector" => put(map, "apiVersion", json!("v1")),
        "core.v1.Volume" if map.keys().all(|key| key == "name") => put(map, "emptyDir", json!({})),
        "core.v1.SecretVolumeSource"
        | "core.v1.ConfigMapVolumeSource"
        | "core.v1.DownwardAPIVolumeSource"
        | "core.v1.ProjectedVolumeSource" => put(map, "defaultMode", json!(420)),
        "core.v1.ServiceAccountTokenProjection" => put(map, "expirationSeconds", json!(3600)),
        "core.v1.HostPathVolumeSource" if !map.contains_key("type") => {
            map.insert("type".into(), json!(""));
        }
        "core.v1.ServiceSpec" => service(map),
        "core.v1.Secret" => put(map, "type", json!("Opaque")),
        "core.v1.PersistentVolumeClaim" => {
            if let Some(status) = made(map, "status") {
                put(status, "phase", json!("Pending"));
            }
        }
        "core.v1.PersistentVolumeClaimSpec" => put(map, "volumeMode", json!("Filesystem")),
        "core.v1.PersistentVolumeSpec" => {
            put_all(
                map,
                &json!({"persistentVolumeReclaimPolicy": "Retain", "volumeMode": "Filesystem"}),
            );
        }
        "core.v1.EndpointPort" => put(map, "protocol", json!("TCP")),
        "core.v1.LimitRangeItem" => limit_range(map),
        _ => {}
    }
}

/// Rules that look at what is below.
fn late_rule(name: &str, map: &mut Object) {
    if name == "core.v1.PodSpec" {
        let account = [word(map, "serviceAccountName"), word(map, "serviceAccount")]
            .into_iter()
            .find(|a| !a.is_empty());
        if let Some(account) = account.map(str::to_owned) {
            map.insert("serviceAccountName".into(), json!(account));
            map.insert("serviceAccount".into(), json!(account));
        }
    }
}

fn stateful_set(map: &mut Object) {
    put_all(
        map,
        &json!({"replicas": 1, "revisionHistoryLimit": 10, "podManagementPolicy": "OrderedReady"}),
    );
    if let Some(strategy) = made(map, "updateStrategy") {
        put(strategy, "type", json!("RollingUpdate"));
        if word(strategy, "type") == "RollingUpdate"
            && let Some(rolling) = made(strategy, "rollingUpdate")
        {
            put(rolling, "partition", json!(0));
        }
    }
    if let Some(policy) = made(map, "persistentVolumeClaimRetentionPolicy") {
        put_all(policy, &json!({"whenDeleted": "Retain", "whenScaled": "Retain"}));
    }
    for claim in map
        .get_mut("volumeClaimTemplates")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        if let Value::Object(claim) = claim {
            put_all(claim, &json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim"}));
        }
    }
}

fn replication_controller(map: &mut Object) {
    let labels = map
        .get("spec")
        .and_then(|s| s.pointer("/template/metadata/labels"))
        .cloned();
    if let Some(labels) = labels.filter(|l| l.as_object().is_some_and(|l| !l.is_empty())) {
        if let Some(spec) = inner(map, "spec") {
            put(spec, "selector", labels.clone());
        }
        if let Some(metadata) = inner(map, "metadata") {
            put(metadata, "labels", labels);
        }
    }
    if let Some(spec) = made(map, "spec") {
        put(spec, "replicas", json!(1));
    }
}

fn job(map: &mut Object) {
    let Some(spec) = made(map, "spec") else { return };
    if absent(spec, "completions") && absent(spec, "parallelism") {
        spec.insert("completions".into(), json!(1));
    }
    put(spec, "parallelism", json!(1));
    let limit = if absent(spec, "backoffLimitPerIndex") {
        6
    } else {
        i32::MAX
    };
    put_all(
        spec,
        &json!({"backoffLimit": limit, "completionMode": "NonIndexed", "suspend": false}),
    );
    let policy = if absent(spec, "podFailurePolicy") {
        "TerminatingOrFailed"
    } else {
        "Failed"
    };
    put(spec, "podReplacementPolicy", json!(policy));
    if !absent(spec, "manualSelector") || absent(spec, "selector") {
        put(spec, "manualSelector", json!(false));
    }
    let labels = spec
        .get("template")
        .and_then(|t| t.pointer("/metadata/labels"))
        .cloned();
    if let (Some(labels), Some(metadata)) = (labels, inner(map, "metadata")) {
        put(metadata, "labels", labels);
    }
}

fn autoscaler(map: &mut Object) {
    put(map, "minReplicas", json!(1));
    if map.get("metrics").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        let metric = json!({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}});
        map.insert("metrics".into(), json!([metric]));
    }
    let Some(behavior) = inner(map, "behavior") else { return };
    let up = json!({"stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": [
        {"type": "Pods", "value": 4, "periodSeconds": 15}, {"type": "Percent", "value": 100, "periodSeconds": 15}]});
    let down = json!({"selectPolicy": "Max", "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}]});
    for (side, rules) in [("scaleUp", up), ("scaleDown", down)] {
        if let Some(given) = made(behavior, side) {
            put_all(given, &rules);
        }
    }
}

fn policy_types(map: &mut Object) {
    if absent(map, "policyTypes") {
        let egress = map
            .get("egress")
            .and_then(Value::as_array)
            .is_some_and(|e| !e.is_empty());
        map.insert(
            "policyTypes".into(),
            if egress {
                json!(["Ingress", "Egress"])
            } else {
                json!(["Ingress"])
            },
        );
    }
}

fn webhook(map: &mut Object) {
    put_all(
        map,
        &json!({"failurePolicy": "Fail", "matchPolicy": "Equivalent", "namespaceSelector": {}, "objectSelector": {}, "timeoutSeconds": 10}),
    );
}

fn own_name_label(map: &mut Object) {
    let name = map
        .get("metadata")
        .and_then(|m| m["name"].as_str())
        .unwrap_or_default()
        .to_owned();
    if !name.is_empty()
        && let Some(metadata) = made(map, "metadata")
        && let Some(labels) = made(metadata, "labels")
    {
        put(labels, "kubernetes.io/metadata.name", json!(name));
    }
}

/// What a bare pod gets and a template does not.
fn pod(map: &mut Object) {
    let Some(spec) = made(map, "spec") else { return };
    put(spec, "enableServiceLinks", json!(true));
    let host = spec.get("hostNetwork") == Some(&json!(true));
    for list in ["containers", "initContainers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            let Value::Object(container) = container else { continue };
            if host {
                for port in container
                    .get_mut("ports")
                    .and_then(Value::as_array_mut)
                    .into_iter()
                    .flatten()
                {
                    let number = port["containerPort"].clone();
                    if let Value::Object(port) = port {
                        put(port, "hostPort", number);
                    }
                }
            }
            requests_from_limits(container);
        }
    }
}

fn requests_from_limits(container: &mut Object) {
    let Some(resources) = inner(container, "resources") else {
        return;
    };
    let Some(limits) = resources.get("limits").and_then(Value::as_object).cloned() else {
        return;
    };
    if let Some(requests) = made(resources, "requests") {
        for (name, amount) in limits {
            requests.entry(name).or_insert(amount);
        }
    }
}

fn container(map: &mut Object) {
    let image = word(map, "image");
    let last = image.rsplit('/').next().unwrap_or(image);
    let untagged = !last.contains(':') && !last.contains('@');
    let policy = if untagged || last.ends_with(":latest") {
        "Always"
    } else {
        "IfNotPresent"
    };
    put_all(
        map,
        &json!({"imagePullPolicy": policy, "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"}),
    );
}

fn service(map: &mut Object) {
    put_all(map, &json!({"sessionAffinity": "None", "type": "ClusterIP"}));
    match word(map, "sessionAffinity") {
        "ClientIP" => {
            let config = map
                .get("sessionAffinityConfig")
                .and_then(|c| c.pointer("/clientIP/timeoutSeconds"));
            if config.is_none() {
                map.insert(
                    "sessionAffinityConfig".into(),
                    json!({"clientIP": {"timeoutSeconds": 10800}}),
                );
            }
        }
        "None" => {
            map.remove("sessionAffinityConfig");
        }
        _ => {}
    }
    let kind = word(map, "type").to_owned();
    for port in map.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        let Value::Object(port) = port else { continue };
        put(port, "protocol", json!("TCP"));
        let same = port.get("port").cloned().unwrap_or(json!(0));
        if absent(port, "targetPort") || port["targetPort"] == 0 {
            port.insert("targetPort".into(), same);
        }
    }
    let external = map
        .get("externalIPs")
        .and_then(Value::as_array)
        .is_some_and(|l| !l.is_empty());
    if matches!(kind.as_str(), "NodePort" | "LoadBalancer") || (external && kind == "ClusterIP") {
        put(map, "externalTrafficPolicy", json!("Cluster"));
    }
    if kind != "ExternalName" {
        put(map, "internalTrafficPolicy", json!("Cluster"));
    }
    if kind == "LoadBalancer" {
        put(map, "allocateLoadBalancerNodePorts", json!(true));
    }
}

fn limit_range(map: &mut Object) {
    if word(map, "type") != "Container" {
        return;
    }
    let copy = |map: &mut Object, from: &str, to: &str| {
        let Some(given) = map.get(from).and_then(Value::as_object).cloned() else {
            return;
        };
        if let Some(target) = made(map, to) {
            for (name, amount) in given {
                target.entry(name).or_insert(amount);
            }
        }
    };
    copy(map, "max", "default");
    copy(map, "default", "defaultRequest");
    copy(map, "min", "defaultRequest");
}

/// Whether text is a quantity above zero.
pub(super) fn positive(text: &str) -> bool {
    Quantity::parse(text).is_ok_and(|q| q.is_positive())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(version: &str, kind: &str, mut object: Value) -> Value {
        complete(capstan_model::schema::kind(version, kind).unwrap(), &mut object);
        object
    }

    #[test]
    fn a_deployment_is_completed_down_to_its_ports() {
        let object = json!({"spec": {"strategy": {}, "template": {"spec": {"containers": [
            {"name": "a", "image": "registry.example:5000/a", "ports": [{"containerPort": 80}], "livenessProbe": {"httpGet": {"port": 1}}}]}}}});
        let object = completed("apps/v1", "Deployment", object);
        assert_eq!(object["spec"]["strategy"]["rollingUpdate"]["maxSurge"], "25%");
        let container = &object["spec"]["template"]["spec"]["containers"][0];
        assert_eq!(container["imagePullPolicy"], "Always");
        assert_eq!(container["ports"][0]["protocol"], "TCP");
        assert_eq!(container["livenessProbe"]["httpGet"]["scheme"], "HTTP");
        assert_eq!(object["spec"]["template"]["spec"].get("enableServiceLinks"), None);
    }

    #[test]
    fn a_service_is_completed_by_its_type() {
        let object = completed(
            "v1",
            "Service",
            json!({"spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}}),
        );
        assert_eq!(object["spec"]["externalTrafficPolicy"], "Cluster");
        assert_eq!(object["spec"]["ports"][0]["targetPort"], 80);
        let object = completed(
            "v1",
            "Service",
            json!({"spec": {"type": "ExternalName", "externalName": "a"}}),
        );
        assert_eq!(object["spec"].get("internalTrafficPolicy"), None);
    }
}
