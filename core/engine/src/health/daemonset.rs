//! `apps/DaemonSet`.

use capstan_model::HealthStatus;
use serde_json::Value;

use super::{count, healthy, is_unobserved, progressing, text};

pub(super) fn assess(object: &Value) -> HealthStatus {
    if is_unobserved(object) {
        return progressing(
            "Waiting for rollout to finish: observed daemon set generation less than desired generation",
        );
    }
    let name = text(object, "/metadata/name");
    let wanted = count(object, "/status/desiredNumberScheduled");
    let updated = count(object, "/status/updatedNumberScheduled");
    if text(object, "/spec/updateStrategy/type") == "OnDelete" {
        return healthy(format!(
            "daemon set {updated} out of {wanted} new pods have been updated"
        ));
    }
    if updated < wanted {
        return progressing(format!(
            "Waiting for daemon set {name:?} rollout to finish: {updated} out of {wanted} new pods have been updated..."
        ));
    }
    let available = count(object, "/status/numberAvailable");
    if available < wanted {
        return progressing(format!(
            "Waiting for daemon set {name:?} rollout to finish: {available} of {wanted} updated pods are available..."
        ));
    }
    healthy("")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_node_must_have_an_available_new_pod() {
        let set = |status| json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "agent", "generation": 1}, "status": status});
        let status = json!({"observedGeneration": 1, "desiredNumberScheduled": 3, "updatedNumberScheduled": 2});
        assert_eq!(
            assess(&set(status)).message,
            "Waiting for daemon set \"agent\" rollout to finish: 2 out of 3 new pods have been updated..."
        );
        let status = json!({"observedGeneration": 1, "desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberAvailable": 1});
        assert_eq!(
            assess(&set(status)).message,
            "Waiting for daemon set \"agent\" rollout to finish: 1 of 3 updated pods are available..."
        );
        let status = json!({"observedGeneration": 1, "desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberAvailable": 3});
        assert_eq!(assess(&set(status)), healthy(""));
    }
}
