//! The built-in kinds that are served in two shapes and stored in one: Events and HorizontalPodAutoscalers.
//!
//! Everything else that is served in several versions has one shape; there only `apiVersion` changes.

use serde_json::{Map, Value, json};

use crate::fields::{as_map, child_mut, metadata_mut};
use crate::registry::{Registry, ResourceType, split_api_version};

/// The same fields of an Event under their names in `v1` and in `events.k8s.io/v1`.
const EVENT: [(&str, &str); 7] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("source", "deprecatedSource"),
    ("reportingComponent", "reportingController"),
];

const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
const BEHAVIOR: &str = "autoscaling.alpha.kubernetes.io/behavior";

/// Brings an object into the shape of a version of its kind.
pub(crate) fn convert(object: &mut Value, to: &str) {
    let from = object["apiVersion"].as_str().unwrap_or_default().to_owned();
    if from == to {
        return;
    }
    match (object["kind"].as_str().unwrap_or_default(), from.as_str(), to) {
        ("Event", "v1", "events.k8s.io/v1") => rename(object, EVENT),
        ("Event", "events.k8s.io/v1", "v1") => rename(object, EVENT.map(|(core, events)| (events, core))),
        ("HorizontalPodAutoscaler", "autoscaling/v1", "autoscaling/v2") => to_metrics(object),
        ("HorizontalPodAutoscaler", "autoscaling/v2", "autoscaling/v1") => from_metrics(object),
        _ => {}
    }
    as_map(object).insert("apiVersion".into(), json!(to));
}

impl Registry {
    /// The type of an object, told by its version and kind.
    pub(crate) fn type_of(&self, object: &Value) -> Option<&ResourceType> {
        let (group, version) = split_api_version(object["apiVersion"].as_str().unwrap_or_default());
        self.kind(group, version, object["kind"].as_str().unwrap_or_default())
            .map(AsRef::as_ref)
    }
}

fn rename(object: &mut Value, names: [(&str, &str); 7]) {
    let map = as_map(object);
    for (from, to) in names {
        if let Some(value) = map.remove(from) {
            map.insert(to.to_owned(), value);
        }
    }
}

/// `autoscaling/v1` knows one metric and keeps the rest of the specification in annotations.
fn to_metrics(object: &mut Value) {
    let mut metrics: Vec<Value> = Vec::new();
    let mut noted = |key: &str| take(object, key).and_then(|text| serde_json::from_str::<Value>(&text).ok());
    let (others, behavior) = (noted(METRICS), noted(BEHAVIOR));
    let spec = child_mut(object, "spec");
    if let Some(percent) = spec.remove("targetCPUUtilizationPercentage") {
        metrics.push(json!({"type": "Resource", "resource": {
            "name": "cpu", "target": {"type": "Utilization", "averageUtilization": percent},
        }}));
    }
    metrics.extend(others.and_then(|o| o.as_array().cloned()).unwrap_or_default());
    if !metrics.is_empty() {
        spec.insert("metrics".into(), Value::Array(metrics));
    }
    if let Some(behavior) = behavior {
        spec.insert("behavior".into(), behavior);
    }
}

fn from_metrics(object: &mut Value) {
    let spec = child_mut(object, "spec");
    let metrics = spec
        .remove("metrics")
        .and_then(|m| m.as_array().cloned())
        .unwrap_or_default();
    let behavior = spec.remove("behavior");
    let mut others = Vec::new();
    for metric in metrics {
        let percent = metric
            .pointer("/resource/target/averageUtilization")
            .filter(|_| metric["type"] == "Resource" && metric["resource"]["name"] == "cpu");
        match percent.filter(|_| !spec.contains_key("targetCPUUtilizationPercentage")) {
            Some(percent) => {
                spec.insert("targetCPUUtilizationPercentage".into(), percent.clone());
            }
            None => others.push(metric),
        }
    }
    if !others.is_empty() {
        note(object, METRICS, &Value::Array(others));
    }
    if let Some(behavior) = behavior {
        note(object, BEHAVIOR, &behavior);
    }
    if let Some(status) = object.get_mut("status").and_then(Value::as_object_mut) {
        let current = status.remove("currentMetrics");
        let percent = current
            .as_ref()
            .and_then(|c| c.pointer("/0/resource/current/averageUtilization"));
        if let Some(percent) = percent {
            status.insert("currentCPUUtilizationPercentage".into(), percent.clone());
        }
        status.entry("currentReplicas").or_insert(json!(0));
        status.remove("conditions");
    }
}

fn note(object: &mut Value, key: &str, value: &Value) {
    let annotations = metadata_mut(object).entry("annotations").or_insert_with(|| json!({}));
    as_map(annotations).insert(key.to_owned(), json!(value.to_string()));
}

/// Takes an annotation out, and the annotations when none is left.
fn take(object: &mut Value, key: &str) -> Option<String> {
    let metadata: &mut Map<String, Value> = metadata_mut(object);
    let annotations = metadata.get_mut("annotations")?.as_object_mut()?;
    let text = annotations.remove(key)?.as_str().map(str::to_owned);
    if annotations.is_empty() {
        metadata.remove("annotations");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_shapes_say_the_same() {
        let event = json!({"apiVersion": "events.k8s.io/v1", "kind": "Event", "note": "n", "regarding": {"name": "a"}});
        let mut core = event.clone();
        convert(&mut core, "v1");
        assert_eq!(
            (&core["message"], &core["involvedObject"]["name"]),
            (&json!("n"), &json!("a"))
        );
        convert(&mut core, "events.k8s.io/v1");
        assert_eq!(core, event);
    }

    #[test]
    fn autoscalers_keep_their_metrics() {
        let memory = json!({"type": "Resource", "resource": {
            "name": "memory", "target": {"type": "Utilization", "averageUtilization": 70}}});
        let cpu = json!({"type": "Resource", "resource": {
            "name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}});
        let v2 = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "a"},
            "spec": {"maxReplicas": 3, "metrics": [cpu, memory], "behavior": {"scaleDown": {}}}});
        let mut v1 = v2.clone();
        convert(&mut v1, "autoscaling/v1");
        assert_eq!(
            v1["spec"],
            json!({"maxReplicas": 3, "targetCPUUtilizationPercentage": 80})
        );
        convert(&mut v1, "autoscaling/v2");
        assert_eq!(v1, v2);
    }
}
