//! `networking.k8s.io/Ingress`: waits for an address.

use capstan_model::HealthStatus;
use serde_json::Value;

use super::{array, healthy, progressing};

pub(super) fn assess(object: &Value) -> HealthStatus {
    if array(object, "/status/loadBalancer/ingress").is_empty() {
        progressing("")
    } else {
        healthy("")
    }
}
