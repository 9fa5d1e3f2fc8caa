//! `autoscaling/HorizontalPodAutoscaler`; version 1 carries its conditions as JSON in an annotation.

use capstan_model::HealthStatus;
use serde_json::Value;

use super::{Condition, conditions, degraded, healthy, progressing};

const CONDITIONS_OF_V1: &str = "autoscaling.alpha.kubernetes.io/conditions";

const FAILED: [&str; 8] = [
    "FailedComputeMetricsReplicas",
    "FailedGetExternalMetric",
    "FailedGetObjectMetric",
    "FailedGetPodsMetric",
    "FailedGetResourceMetric",
    "FailedGetScale",
    "FailedUpdateScale",
    "InvalidSelector",
];

pub(super) fn assess(object: &Value) -> HealthStatus {
    let annotation = object
        .pointer("/metadata/annotations")
        .and_then(|all| all.get(CONDITIONS_OF_V1));
    let parsed: Vec<Value> = annotation
        .and_then(Value::as_str)
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let all: Vec<Condition<'_>> = conditions(object).chain(parsed.iter().map(Condition::read)).collect();
    if let Some(failed) = all.iter().find(|condition| FAILED.contains(&condition.reason)) {
        return degraded(failed.message);
    }
    match all
        .iter()
        .find(|condition| matches!(condition.kind, "AbleToScale" | "ScalingLimited") && condition.is_true())
    {
        Some(able) => healthy(able.message),
        None => progressing("Waiting to Autoscale"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_failure_outweighs_what_works() {
        let object = json!({"status": {"conditions": [
            {"type": "AbleToScale", "status": "True", "reason": "SucceededGetScale", "message": "fine"},
            {"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric", "message": "no metrics"}]}});
        assert_eq!(assess(&object), degraded("no metrics"));
        assert_eq!(assess(&json!({})), progressing("Waiting to Autoscale"));
    }
}
