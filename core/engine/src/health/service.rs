//! `Service`: one that asks for a load balancer waits for it.

use capstan_model::HealthStatus;
use serde_json::Value;

use super::{array, healthy, progressing, text};

pub(super) fn assess(object: &Value) -> HealthStatus {
    let waits =
        text(object, "/spec/type") == "LoadBalancer" && array(object, "/status/loadBalancer/ingress").is_empty();
    if waits { progressing("") } else { healthy("") }
}
