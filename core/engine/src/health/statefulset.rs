//! `apps/StatefulSet`.

use capstan_model::HealthStatus;
use serde_json::Value;

use super::{count, healthy, is_unobserved, number, progressing, text};

pub(super) fn assess(object: &Value) -> HealthStatus {
    if count(object, "/status/observedGeneration") == 0 || is_unobserved(object) {
        return progressing("Waiting for statefulset spec update to be observed...");
    }
    let wanted = number(object, "/spec/replicas");
    let ready = count(object, "/status/readyReplicas");
    let missing = wanted.map_or(0, |wanted| wanted.saturating_sub(ready));
    if missing > 0 {
        return progressing(format!("Waiting for {missing} pods to be ready..."));
    }
    let strategy = text(object, "/spec/updateStrategy/type");
    if strategy == "RollingUpdate"
        && object
            .pointer("/spec/updateStrategy/rollingUpdate")
            .is_some_and(Value::is_object)
    {
        return partitioned(object, wanted);
    }
    if strategy == "OnDelete" {
        return healthy(format!("statefulset has {ready} ready pods"));
    }
    let update = text(object, "/status/updateRevision");
    if update != text(object, "/status/currentRevision") {
        let updated = count(object, "/status/updatedReplicas");
        return progressing(format!(
            "waiting for statefulset rolling update to complete {updated} pods at revision {update}..."
        ));
    }
    let current = count(object, "/status/currentReplicas");
    healthy(format!(
        "statefulset rolling update complete {current} pods at revision {update}..."
    ))
}

/// Pods below the partition keep the old revision on purpose.
fn partitioned(object: &Value, wanted: Option<i64>) -> HealthStatus {
    let updated = count(object, "/status/updatedReplicas");
    let partition = number(object, "/spec/updateStrategy/rollingUpdate/partition");
    if let (Some(wanted), Some(partition)) = (wanted, partition) {
        let expected = wanted.saturating_sub(partition);
        if updated < expected {
            return progressing(format!(
                "Waiting for partitioned roll out to finish: {updated} out of {expected} new pods have been updated..."
            ));
        }
    }
    healthy(format!(
        "partitioned roll out complete: {updated} new pods have been updated..."
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(strategy: &Value, status: &Value) -> Value {
        json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"generation": 1},
            "spec": {"replicas": 3, "updateStrategy": strategy}, "status": status})
    }

    #[test]
    fn a_partition_holds_pods_back_on_purpose() {
        let strategy = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}});
        let status = |updated| json!({"observedGeneration": 1, "readyReplicas": 3, "updatedReplicas": updated, "currentRevision": "a", "updateRevision": "b"});
        assert_eq!(
            assess(&set(&strategy, &status(0))).message,
            "Waiting for partitioned roll out to finish: 0 out of 1 new pods have been updated..."
        );
        assert_eq!(
            assess(&set(&strategy, &status(1))),
            healthy("partitioned roll out complete: 1 new pods have been updated...")
        );
    }

    #[test]
    fn never_observed_and_not_ready_are_progress() {
        let strategy = json!({"type": "OnDelete"});
        assert_eq!(
            assess(&set(&strategy, &json!({}))).message,
            "Waiting for statefulset spec update to be observed..."
        );
        let status = json!({"observedGeneration": 1, "readyReplicas": 1});
        assert_eq!(
            assess(&set(&strategy, &status)).message,
            "Waiting for 2 pods to be ready..."
        );
    }
}
