//! `batch/CronJob`: judged by how its last finished Job ended.

use capstan_model::{HealthStatus, Timestamp};
use serde_json::Value;

use super::{array, degraded, healthy, progressing, text};

pub(super) fn assess(object: &Value) -> HealthStatus {
    if object.pointer("/spec/suspend") == Some(&Value::Bool(true)) {
        return healthy("CronJob is suspended");
    }
    let Some(status) = object.get("status").filter(|status| status.is_object()) else {
        return progressing("Waiting for the CronJob to be observed");
    };
    let Some(scheduled) = time(status, "/lastScheduleTime") else {
        return healthy("CronJob has not been scheduled yet");
    };
    if !array(status, "/active").is_empty() {
        return healthy("CronJob is running");
    }
    match time(status, "/lastSuccessfulTime") {
        None => healthy("CronJob has not succeeded yet"),
        Some(succeeded) if succeeded < scheduled => degraded(format!(
            "The last run of the CronJob, of {scheduled}, did not succeed; the last success was at {succeeded}"
        )),
        Some(succeeded) => healthy(format!("The last run of the CronJob succeeded at {succeeded}")),
    }
}

fn time(status: &Value, pointer: &str) -> Option<Timestamp> {
    text(status, pointer).parse().ok()
}

#[cfg(test)]
mod tests {
    use capstan_model::HealthStatusCode::{Degraded, Healthy, Progressing};
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_finished_run_without_success_degrades() {
        let (early, late) = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z");
        for (status, expected) in [
            (json!(null), Progressing),
            (json!({}), Healthy),
            (json!({"lastScheduleTime": late}), Healthy),
            (json!({"lastScheduleTime": late, "lastSuccessfulTime": early}), Degraded),
            (
                json!({"lastScheduleTime": late, "lastSuccessfulTime": early, "active": [{"name": "run"}]}),
                Healthy,
            ),
            (json!({"lastScheduleTime": early, "lastSuccessfulTime": late}), Healthy),
        ] {
            assert_eq!(assess(&json!({"status": status})).status, expected, "{status}");
        }
        let suspended =
            json!({"spec": {"suspend": true}, "status": {"lastScheduleTime": late, "lastSuccessfulTime": early}});
        assert_eq!(assess(&suspended).status, Healthy);
    }
}
