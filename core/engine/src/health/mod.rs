//! Does a live object work?
//!
//! **Problem.** A wave is done when its objects work, not when they are written. Each built-in kind says so in its own words; Argo CD's
//! rules for them are the standard that people tune their manifests to, so these are the same rules, one file a kind, with its messages.
//!
//! **Invariants.** A pure function of the object. Never panics on any JSON. `None` means that the kind has no health, which counts as
//! neither good nor bad; it never means "not known" ([`HealthStatusCode::Unknown`]).
//!
//! **Deliberately absent.** An `Application` has no health of its own, as in Argo CD since 1.8. Time: no rule looks at a clock.

mod aggregate;
mod apiservice;
mod cronjob;
mod custom_resource_definition;
mod daemonset;
mod deployment;
mod horizontal_pod_autoscaler;
mod ingress;
mod job;
mod persistent_volume_claim;
mod pod;
mod pod_disruption_budget;
mod replicaset;
mod rules;
mod service;
mod statefulset;
mod workflow;

pub(crate) use aggregate::Aggregate;
pub use aggregate::{ManagedResource, aggregate};
pub use rules::{BuiltIn, HealthRules, HealthVerdict, assess_with, judge};

use capstan_model::{HealthStatus, HealthStatusCode};
use serde_json::Value;

/// The finalizer that Argo CD puts on hooks: a finished hook that is being deleted still shows how it ended.
const HOOK_FINALIZER: &str = "argocd.argoproj.io/hook-finalizer";

/// The health of `object`, a whole Kubernetes object; `None` for a kind that has none.
pub fn assess(object: &Value) -> Option<HealthStatus> {
    if is_deleting(object) {
        return Some(progressing("Pending deletion"));
    }
    let api_version = text(object, "/apiVersion");
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    Some(match (group, text(object, "/kind")) {
        ("apps" | "extensions", "Deployment") => deployment::assess(object),
        ("apps" | "extensions", "DaemonSet") => daemonset::assess(object),
        ("apps" | "extensions", "ReplicaSet") => replicaset::assess(object),
        ("apps", "StatefulSet") => statefulset::assess(object),
        ("", "Pod") => pod::assess(object),
        ("", "PersistentVolumeClaim") => persistent_volume_claim::assess(object),
        ("", "Service") => service::assess(object),
        ("networking.k8s.io" | "extensions", "Ingress") => ingress::assess(object),
        ("batch", "Job") => job::assess(object),
        ("batch", "CronJob") => cronjob::assess(object),
        ("autoscaling", "HorizontalPodAutoscaler") => horizontal_pod_autoscaler::assess(object),
        ("policy", "PodDisruptionBudget") => pod_disruption_budget::assess(object),
        ("apiregistration.k8s.io", "APIService") => apiservice::assess(object),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => custom_resource_definition::assess(object),
        ("argoproj.io", "Workflow") => workflow::assess(object),
        _ => return None,
    })
}

fn is_deleting(object: &Value) -> bool {
    let is_hook = array(object, "/metadata/finalizers")
        .iter()
        .any(|finalizer| finalizer == HOOK_FINALIZER);
    !is_hook
        && object
            .pointer("/metadata/deletionTimestamp")
            .is_some_and(Value::is_string)
}

fn healthy(message: impl Into<String>) -> HealthStatus {
    HealthStatus::new(HealthStatusCode::Healthy, message)
}

fn progressing(message: impl Into<String>) -> HealthStatus {
    HealthStatus::new(HealthStatusCode::Progressing, message)
}

fn degraded(message: impl Into<String>) -> HealthStatus {
    HealthStatus::new(HealthStatusCode::Degraded, message)
}

fn suspended(message: impl Into<String>) -> HealthStatus {
    HealthStatus::new(HealthStatusCode::Suspended, message)
}

fn unknown(message: impl Into<String>) -> HealthStatus {
    HealthStatus::new(HealthStatusCode::Unknown, message)
}

/// One of `status.conditions`; what is absent is empty.
#[derive(Clone, Copy)]
struct Condition<'a> {
    kind: &'a str,
    status: &'a str,
    reason: &'a str,
    message: &'a str,
}

impl<'a> Condition<'a> {
    fn read(value: &'a Value) -> Self {
        Self {
            kind: text(value, "/type"),
            status: text(value, "/status"),
            reason: text(value, "/reason"),
            message: text(value, "/message"),
        }
    }

    fn is_true(&self) -> bool {
        self.status == "True"
    }

    /// `reason: message`, or the one that there is.
    fn sentence(&self) -> String {
        match (self.reason, self.message) {
            (reason, "") => reason.to_owned(),
            ("", message) => message.to_owned(),
            (reason, message) => format!("{reason}: {message}"),
        }
    }
}

fn conditions(object: &Value) -> impl Iterator<Item = Condition<'_>> {
    array(object, "/status/conditions").iter().map(Condition::read)
}

fn condition<'a>(object: &'a Value, kind: &str) -> Option<Condition<'a>> {
    conditions(object).find(|condition| condition.kind == kind)
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn number(object: &Value, pointer: &str) -> Option<i64> {
    object.pointer(pointer).and_then(Value::as_i64)
}

/// A counter of a status: absent is 0.
fn count(object: &Value, pointer: &str) -> i64 {
    number(object, pointer).unwrap_or(0)
}

fn array<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    let array = object.pointer(pointer).and_then(Value::as_array);
    array.map(Vec::as_slice).unwrap_or_default()
}

/// Has the object's controller not yet seen what is wanted now?
fn is_unobserved(object: &Value) -> bool {
    count(object, "/metadata/generation") > count(object, "/status/observedGeneration")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_deleted_object_of_any_kind_is_pending_deletion_but_not_a_hook() {
        let mut object =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}});
        assert_eq!(assess(&object), Some(progressing("Pending deletion")));
        object["metadata"]["finalizers"] = json!([HOOK_FINALIZER]);
        assert_eq!(assess(&object), None);
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a-zA-Z]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            let name = prop_oneof![
                Just("conditions"),
                Just("replicas"),
                Just("containerStatuses"),
                Just("state"),
                Just("phase"),
                Just("type")
            ];
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map(name.prop_map(str::to_owned), inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_object_panics(spec in any_json(), status in any_json(), metadata in any_json()) {
            for (api_version, kind) in [
                ("apps/v1", "Deployment"), ("apps/v1", "StatefulSet"), ("apps/v1", "DaemonSet"), ("apps/v1", "ReplicaSet"), ("v1", "Pod"),
                ("v1", "Service"), ("v1", "PersistentVolumeClaim"), ("batch/v1", "Job"), ("batch/v1", "CronJob"),
                ("networking.k8s.io/v1", "Ingress"), ("autoscaling/v1", "HorizontalPodAutoscaler"), ("autoscaling/v2", "HorizontalPodAutoscaler"),
                ("policy/v1", "PodDisruptionBudget"), ("apiregistration.k8s.io/v1", "APIService"),
                ("apiextensions.k8s.io/v1", "CustomResourceDefinition"), ("argoproj.io/v1alpha1", "Workflow"),
            ] {
                let object = json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec, "status": status});
                prop_assert!(assess(&object).is_some());
            }
        }
    }
}
