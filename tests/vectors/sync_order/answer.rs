//! What the simulated cluster says, as outcomes of effects.

use capstan_engine::event::{Outcome, WriteError};
use capstan_engine::health::{HealthRules, HealthVerdict};
use capstan_model::{HealthStatus, HealthStatusCode};
use serde_json::{Value, json};

use super::world::Refusal;

/// The health that the cluster's script gives an object.
#[derive(Debug)]
pub(crate) struct Scripted;

impl HealthRules for Scripted {
    fn assess(&self, object: &Value) -> HealthVerdict {
        let message = object["status"]["message"].as_str().unwrap_or_default();
        let code = match object["status"]["scripted"].as_str() {
            None | Some("none") => return HealthVerdict::NoHealth,
            Some("error") => return HealthVerdict::Failed("the health check broke".into()),
            Some("Healthy") => HealthStatusCode::Healthy,
            Some("Progressing") => HealthStatusCode::Progressing,
            Some("Suspended") => HealthStatusCode::Suspended,
            Some("Degraded") => HealthStatusCode::Degraded,
            Some("Unknown") => HealthStatusCode::Unknown,
            // An empty status is neither good nor bad, as Missing is.
            Some("Missing" | "") => HealthStatusCode::Missing,
            Some(other) => panic!("unknown health {other:?}"),
        };
        HealthVerdict::Is(HealthStatus::new(code, message))
    }
}

/// An outcome, and the row of the recording: operation, key, flags.
pub(crate) type Answered = (Outcome, Option<(String, String, Vec<&'static str>)>);

pub(crate) fn patched(op: &str, key: String, result: Result<(), Refusal>, flag: Option<&'static str>) -> Answered {
    let mut flags = flags_of(&result);
    flags.extend(flag);
    let outcome = result.map(|()| String::new()).map_err(write_error);
    (Outcome::Patched(outcome), Some((op.to_owned(), key, flags)))
}

pub(crate) fn flags_of<T>(result: &Result<T, Refusal>) -> Vec<&'static str> {
    match result {
        Ok(_) => Vec::new(),
        Err(Refusal::NotFound) => vec!["notfound"],
        Err(Refusal::Because(_)) => vec!["fail"],
    }
}

/// What the cluster refuses here is nothing that goes away, and nothing that a new object would be spared.
pub(crate) fn write_error(refusal: Refusal) -> WriteError {
    match refusal {
        Refusal::NotFound => WriteError::NotFound("not found".into()),
        Refusal::Because(why) => WriteError::Forbidden(why),
    }
}

pub(crate) fn merge_patch(into: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    for (name, value) in fields {
        if value.is_null() {
            if let Some(into) = into.as_object_mut() {
                into.remove(name);
            }
        } else {
            merge_patch(&mut into[name.as_str()], value);
        }
    }
}
