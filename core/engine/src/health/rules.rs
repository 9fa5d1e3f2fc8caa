//! What decides an object's health: the built-in rules, or rules of the installation before them.

use std::fmt;

use capstan_model::{HealthStatus, HealthStatusCode};
use serde_json::Value;

use super::{assess, is_deleting, progressing};

/// What a rule says about one object.
#[derive(Clone, Debug, PartialEq)]
pub enum HealthVerdict {
    /// Nothing: the built-in rules decide.
    BuiltIn,
    /// Its kind has no health.
    NoHealth,
    /// This.
    Is(HealthStatus),
    /// The rule itself broke, and how: nothing is known of the object.
    Failed(String),
}

/// Rules of an installation, asked before the built-in ones. A pure function of the object, as those are.
pub trait HealthRules: fmt::Debug + Send + Sync {
    /// The verdict on `object`, a whole Kubernetes object.
    fn assess(&self, object: &Value) -> HealthVerdict;
}

/// No rules of one's own.
#[derive(Debug)]
pub struct BuiltIn;

impl HealthRules for BuiltIn {
    fn assess(&self, _object: &Value) -> HealthVerdict {
        HealthVerdict::BuiltIn
    }
}

/// The verdict on `object`; never [`HealthVerdict::BuiltIn`]. What is being deleted is on its way out, whatever the rules say.
pub fn judge(rules: &dyn HealthRules, object: &Value) -> HealthVerdict {
    if is_deleting(object) {
        return HealthVerdict::Is(progressing("Pending deletion"));
    }
    match rules.assess(object) {
        HealthVerdict::BuiltIn => match assess(object) {
            Some(health) => HealthVerdict::Is(health),
            None => HealthVerdict::NoHealth,
        },
        verdict => verdict,
    }
}

/// The same as a health: a broken rule leaves the object Unknown.
pub fn assess_with(rules: &dyn HealthRules, object: &Value) -> Option<HealthStatus> {
    match judge(rules, object) {
        HealthVerdict::Is(health) => Some(health),
        HealthVerdict::Failed(why) => Some(HealthStatus::new(HealthStatusCode::Unknown, why)),
        HealthVerdict::BuiltIn | HealthVerdict::NoHealth => None,
    }
}
