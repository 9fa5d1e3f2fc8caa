//! `apiregistration.k8s.io/APIService`.

use capstan_model::HealthStatus;
use serde_json::Value;

use super::{condition, healthy, progressing};

pub(super) fn assess(object: &Value) -> HealthStatus {
    match condition(object, "Available") {
        Some(available) if available.is_true() => healthy(available.sentence()),
        Some(waiting) => progressing(waiting.sentence()),
        None => progressing("Waiting to be processed"),
    }
}
