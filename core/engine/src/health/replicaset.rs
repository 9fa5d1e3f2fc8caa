//! `apps/ReplicaSet`.

use capstan_model::HealthStatus;
use serde_json::Value;

use super::{Condition, condition, count, degraded, healthy, is_unobserved, number, progressing};

pub(super) fn assess(object: &Value) -> HealthStatus {
    if is_unobserved(object) {
        return progressing(
            "Waiting for rollout to finish: observed replica set generation less than desired generation",
        );
    }
    if let Some(failure) = condition(object, "ReplicaFailure").filter(Condition::is_true) {
        return degraded(failure.message);
    }
    let available = count(object, "/status/availableReplicas");
    match number(object, "/spec/replicas") {
        Some(wanted) if available < wanted => progressing(format!(
            "Waiting for rollout to finish: {available} out of {wanted} new replicas are available..."
        )),
        _ => healthy(""),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pods_that_cannot_be_made_degrade() {
        let set = |status| json!({"metadata": {"generation": 1}, "spec": {"replicas": 1}, "status": status});
        let failing = json!({"observedGeneration": 1, "conditions": [{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}]});
        assert_eq!(assess(&set(failing)), degraded("exceeded quota"));
        assert_eq!(
            assess(&set(json!({"observedGeneration": 1}))).message,
            "Waiting for rollout to finish: 0 out of 1 new replicas are available..."
        );
        assert_eq!(
            assess(&set(json!({"observedGeneration": 1, "availableReplicas": 1}))),
            healthy("")
        );
    }
}
