//! `PersistentVolumeClaim`.

use capstan_model::HealthStatus;
use serde_json::Value;

use super::{degraded, healthy, progressing, text, unknown};

pub(super) fn assess(object: &Value) -> HealthStatus {
    match text(object, "/status/phase") {
        "Lost" => degraded(""),
        "Pending" => progressing(""),
        "Bound" => healthy(""),
        _ => unknown(""),
    }
}
