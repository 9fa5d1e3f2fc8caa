//! What a pass needs to know of one live object.

use capstan_model::annotations::HOOK_FINALIZER;
use serde_json::Value;

use super::task::Live;
use crate::health::{HealthRules, judge};

/// Reads `object`. `manager` is whose fields count as client-side apply's.
pub(super) fn live(rules: &dyn HealthRules, object: &Value, manager: &str) -> Live {
    let text = |pointer: &str| {
        let text = object.pointer(pointer).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let list = |pointer: &str| object.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
    let is_theirs = |entry: &Value| {
        entry.get("manager").and_then(Value::as_str) == Some(manager)
            && entry.get("operation").and_then(Value::as_str) == Some("Update")
    };
    Live {
        uid: text("/metadata/uid"),
        resource_version: text("/metadata/resourceVersion"),
        is_deleting: object
            .pointer("/metadata/deletionTimestamp")
            .is_some_and(Value::is_string),
        is_held: list("/metadata/finalizers").any(|finalizer| finalizer == HOOK_FINALIZER),
        health: judge(rules, object),
        is_client_side: list("/metadata/managedFields").any(is_theirs),
    }
}
