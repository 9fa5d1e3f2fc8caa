//! `apps/Deployment`: the rules of `kubectl rollout status`.

use capstan_model::HealthStatus;
use serde_json::Value;

use super::{condition, count, degraded, healthy, is_unobserved, number, progressing, suspended, text};

pub(super) fn assess(object: &Value) -> HealthStatus {
    if object.pointer("/spec/paused") == Some(&Value::Bool(true)) {
        return suspended("Deployment is paused");
    }
    if is_unobserved(object) {
        return progressing(
            "Waiting for rollout to finish: observed deployment generation less than desired generation",
        );
    }
    let name = text(object, "/metadata/name");
    if let Some(stalled) = condition(object, "Progressing").filter(|found| found.reason == "ProgressDeadlineExceeded") {
        // Argo CD's sentence, and then why: the reason and the controller's own words.
        return degraded(format!(
            "Deployment {name:?} exceeded its progress deadline: {}",
            stalled.sentence()
        ));
    }
    let (updated, total) = (
        count(object, "/status/updatedReplicas"),
        count(object, "/status/replicas"),
    );
    let available = count(object, "/status/availableReplicas");
    let waiting = match number(object, "/spec/replicas") {
        Some(wanted) if updated < wanted => {
            format!("{updated} out of {wanted} new replicas have been updated...")
        }
        _ if total > updated => format!(
            "{} old replicas are pending termination...",
            total.saturating_sub(updated)
        ),
        _ if available < updated => format!("{available} of {updated} updated replicas are available..."),
        _ => return healthy(""),
    };
    let failure = condition(object, "ReplicaFailure").filter(super::Condition::is_true);
    let failure = failure
        .map(|failure| format!(" ({})", failure.sentence()))
        .unwrap_or_default();
    progressing(format!("Waiting for rollout to finish: {waiting}{failure}"))
}

#[cfg(test)]
mod tests {
    use capstan_model::HealthStatusCode;
    use serde_json::json;

    use super::*;

    fn deployment(status: &Value) -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "generation": 2},
            "spec": {"replicas": 3}, "status": status})
    }

    #[test]
    fn a_rollout_is_followed_step_by_step() {
        for (status, message) in [
            (
                json!({"observedGeneration": 1}),
                "Waiting for rollout to finish: observed deployment generation less than desired generation",
            ),
            (
                json!({"observedGeneration": 2, "replicas": 4, "updatedReplicas": 1}),
                "Waiting for rollout to finish: 1 out of 3 new replicas have been updated...",
            ),
            (
                json!({"observedGeneration": 2, "replicas": 4, "updatedReplicas": 3}),
                "Waiting for rollout to finish: 1 old replicas are pending termination...",
            ),
            (
                json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 2}),
                "Waiting for rollout to finish: 2 of 3 updated replicas are available...",
            ),
        ] {
            assert_eq!(assess(&deployment(&status)), progressing(message));
        }
        let done = json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3});
        assert_eq!(assess(&deployment(&done)), healthy(""));
    }

    #[test]
    fn a_stalled_rollout_says_why() {
        let status = json!({"observedGeneration": 2, "conditions": [
            {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "ReplicaSet \"web-1\" has timed out progressing."}]});
        let health = assess(&deployment(&status));
        assert_eq!(health.status, HealthStatusCode::Degraded);
        assert_eq!(
            health.message,
            "Deployment \"web\" exceeded its progress deadline: ProgressDeadlineExceeded: ReplicaSet \"web-1\" has timed out progressing."
        );
    }

    #[test]
    fn pods_that_cannot_be_made_are_named_while_waiting() {
        let status = json!({"observedGeneration": 2, "conditions": [
            {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota"}]});
        assert_eq!(
            assess(&deployment(&status)).message,
            "Waiting for rollout to finish: 0 out of 3 new replicas have been updated... (FailedCreate: exceeded quota)"
        );
    }
}
