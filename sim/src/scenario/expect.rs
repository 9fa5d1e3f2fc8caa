//! What must come of a scenario: a window in time, and a condition.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use super::duration::Span;
use super::object::ObjectRef;

/// One expectation. The window is one of: `at` (right after an entry), `within` (at some moment of that long after an entry or the
/// start), `never` and `always` (from `after` or the start to the end, or `for` so long), or none: at the end.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Expectation {
    pub(super) at: Option<String>,
    pub(super) within: Option<Span>,
    pub(super) after: Option<String>,
    pub(super) never: bool,
    pub(super) always: bool,
    /// How long `never` and `always` last.
    #[serde(rename = "for")]
    pub(super) lasting: Option<Span>,
    /// `namespace/name` of an Application whose status is judged.
    pub(super) application: Option<String>,
    pub(super) sync: Option<String>,
    pub(super) health: Option<String>,
    /// Name of a revision in the scenario.
    pub(super) revision: Option<String>,
    /// Of which operation phase.
    pub(super) phase: Option<String>,
    pub(super) object: Option<ObjectRef>,
    /// JSON pointer into the object.
    pub(super) field: Option<String>,
    pub(super) equals: Option<Value>,
    /// Part of the text that the field holds.
    pub(super) contains: Option<String>,
    pub(super) absent: bool,
    pub(super) journal: Option<JournalMatch>,
    /// Objects in the order in which they are first created.
    pub(super) order: Option<Vec<ObjectRef>>,
    pub(super) writes: Option<Writes>,
    pub(super) creates: Option<Bounds>,
}

/// A journal entry; what is not given may be anything.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct JournalMatch {
    pub(super) machine: Option<String>,
    pub(super) object: Option<ObjectRef>,
    /// State after.
    pub(super) to: Option<String>,
    pub(super) manager: Option<String>,
    /// Part of it.
    pub(super) message: Option<String>,
}

/// How many writes somebody commits in the window.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Writes {
    pub(super) manager: String,
    #[serde(default)]
    pub(super) min: usize,
    pub(super) max: usize,
}

/// How often.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Bounds {
    #[serde(default)]
    pub(super) min: usize,
    pub(super) max: usize,
}

impl Expectation {
    pub(super) fn check(&self, ids: &BTreeSet<&str>) -> Result<(), String> {
        for id in [&self.at, &self.after].into_iter().flatten() {
            if !ids.contains(id.as_str()) {
                return Err(format!("no entry has the id {id:?}"));
            }
        }
        let windows = [self.at.is_some(), self.within.is_some(), self.never, self.always];
        if windows.iter().filter(|given| **given).count() > 1 {
            return Err("at, within, never and always exclude each other".into());
        }
        if self.lasting.is_some() && !self.never && !self.always {
            return Err("for is how long never and always last".into());
        }
        let subjects = [
            self.application.is_some(),
            self.object.is_some(),
            self.journal.is_some(),
            self.order.is_some(),
            self.writes.is_some(),
        ];
        if subjects.iter().filter(|given| **given).count() != 1 {
            return Err("expects one thing: application, object, journal, order or writes".into());
        }
        self.check_condition()
    }

    fn check_condition(&self) -> Result<(), String> {
        let of_application = [&self.sync, &self.health, &self.revision, &self.phase];
        let has_state = of_application.into_iter().any(Option::is_some);
        if self.application.is_some() != has_state {
            return Err("sync, health, revision and phase are said of an application, and one of them must be".into());
        }
        let of_object = [
            self.equals.is_some(),
            self.contains.is_some(),
            self.absent,
            self.creates.is_some(),
        ];
        let wanted = usize::from(self.object.is_some());
        if of_object.iter().filter(|given| **given).count() != wanted {
            return Err("of an object, say one of equals, contains, absent and creates".into());
        }
        if (self.equals.is_some() || self.contains.is_some()) && self.field.is_none() {
            return Err("equals and contains are said of a field: name it, such as /spec/replicas".into());
        }
        match &self.field {
            Some(field) if !field.starts_with('/') => Err(format!("{field:?} is no JSON pointer: it begins with /")),
            Some(_) if self.object.is_none() => Err("a field is one of an object".into()),
            _ => Ok(()),
        }
    }
}
