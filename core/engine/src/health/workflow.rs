//! `argoproj.io/Workflow` of Argo Workflows.

use capstan_model::HealthStatus;
use serde_json::Value;

use super::{degraded, healthy, progressing, text, unknown};

pub(super) fn assess(object: &Value) -> HealthStatus {
    let message = text(object, "/status/message");
    match text(object, "/status/phase") {
        "" | "Pending" | "Running" => progressing(message),
        "Succeeded" => healthy(message),
        "Failed" | "Error" => degraded(message),
        _ => unknown(message),
    }
}
