//! `batch/Job`.

use capstan_model::HealthStatus;
use serde_json::Value;

use super::{Condition, condition, degraded, healthy, progressing, suspended};

/// A condition counts where it is True. Argo CD takes the mere presence of one for the end of the Job, so that a Job which was
/// suspended and goes on is Healthy to it before it has done anything.
pub(super) fn assess(object: &Value) -> HealthStatus {
    let holds = |kind| condition(object, kind).filter(Condition::is_true);
    if let Some(failed) = holds("Failed") {
        let words = if failed.message.is_empty() {
            failed.reason
        } else {
            failed.message
        };
        return degraded(words);
    }
    if let Some(complete) = holds("Complete") {
        return healthy(complete.message);
    }
    match holds("Suspended") {
        Some(condition) => suspended(condition.message),
        None => progressing(""),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_job_that_goes_on_after_a_suspension_is_not_done() {
        let job = |conditions| json!({"status": {"conditions": conditions}});
        let resumed = json!([{"type": "Suspended", "status": "False", "message": "Job resumed"}]);
        assert_eq!(assess(&job(resumed)), progressing(""));
        let failed = json!([{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "Job has reached the specified backoff limit"}]);
        assert_eq!(
            assess(&job(failed)),
            degraded("Job has reached the specified backoff limit")
        );
        assert_eq!(assess(&job(json!([]))), progressing(""));
    }
}
