//! `policy/PodDisruptionBudget`: too few Pods is what it is there for, anything else is wrong.

use capstan_model::HealthStatus;
use serde_json::Value;

use super::{conditions, degraded, healthy, progressing};

pub(super) fn assess(object: &Value) -> HealthStatus {
    let says = |reason: &str| format!("PodDisruptionBudget has {reason}");
    if let Some(bad) = conditions(object).find(|found| found.status == "False" && found.reason != "InsufficientPods") {
        return degraded(says(bad.reason));
    }
    match conditions(object).next() {
        Some(first) => healthy(says(first.reason)),
        None => progressing("Waiting for status"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn too_few_pods_is_healthy() {
        let budget = |reason| json!({"status": {"conditions": [{"type": "DisruptionAllowed", "status": "False", "reason": reason}]}});
        assert_eq!(
            assess(&budget("InsufficientPods")),
            healthy("PodDisruptionBudget has InsufficientPods")
        );
        assert_eq!(
            assess(&budget("SyncFailed")),
            degraded("PodDisruptionBudget has SyncFailed")
        );
        assert_eq!(assess(&json!({})), progressing("Waiting for status"));
    }
}
