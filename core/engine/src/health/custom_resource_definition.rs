//! `apiextensions.k8s.io/CustomResourceDefinition`: objects of it can be written once it is established.

use capstan_model::HealthStatus;
use serde_json::Value;

use super::{Condition, condition, degraded, healthy, progressing};

pub(super) fn assess(object: &Value) -> HealthStatus {
    let holds = |kind| condition(object, kind).filter(Condition::is_true);
    if holds("Terminating").is_some() {
        return progressing("CRD is terminating");
    }
    if let Some(refused) = condition(object, "NamesAccepted").filter(|found| found.status == "False") {
        return degraded(format!("CRD names have not been accepted: {}", refused.message));
    }
    if let Some(wrong) = holds("NonStructuralSchema") {
        return degraded(format!("Schema violations found: {}", wrong.message));
    }
    match condition(object, "Established") {
        Some(established) if established.is_true() => healthy("CRD is healthy"),
        Some(waiting) if waiting.reason == "Installing" => progressing("CRD is being installed"),
        _ => progressing("Waiting for the CRD to be established"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_that_collide_degrade_an_established_definition() {
        let conditions = json!([{"type": "Established", "status": "True"}, {"type": "NamesAccepted", "status": "False", "message": "\"widgets\" is already in use"}]);
        assert_eq!(
            assess(&json!({"status": {"conditions": conditions}})),
            degraded("CRD names have not been accepted: \"widgets\" is already in use")
        );
        let conditions =
            json!([{"type": "Established", "status": "True"}, {"type": "NamesAccepted", "status": "True"}]);
        assert_eq!(
            assess(&json!({"status": {"conditions": conditions}})),
            healthy("CRD is healthy")
        );
        assert_eq!(assess(&json!({})), progressing("Waiting for the CRD to be established"));
    }
}
