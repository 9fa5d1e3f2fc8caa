//! Verdicts on a scenario, from the history of the cluster and the journal of the controller.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use capstan_model::Timestamp;
use serde_json::Value;

use super::duration::Span;
use super::expect::{Expectation, JournalMatch};
use super::file::Scenario;
use super::object::ObjectRef;
use crate::history::Write;
use crate::store::Change;

/// When an entry happened.
#[derive(Clone, Debug)]
pub struct Mark {
    /// Time.
    pub time: Timestamp,
    /// Writes of the history that were committed when it had happened.
    pub position: usize,
    /// What happened, for people.
    pub what: String,
}

/// One entry of the controller's journal, as far as scenarios speak of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// When.
    pub time: Timestamp,
    /// What changes: `sync`, `drift`, …
    pub machine: String,
    /// Of which object; `None` for the application itself.
    pub object: Option<ObjectRef>,
    /// State before.
    pub from: String,
    /// State after.
    pub to: String,
    /// Field manager who caused it; empty when it was something else.
    pub manager: String,
    /// Why.
    pub message: String,
}

/// What happened in a run.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Every committed write.
    pub history: Vec<Write>,
    /// Everything the controller noted, over all its lives.
    pub journal: Vec<Note>,
    /// The entries that have an id, and `start`.
    pub marks: BTreeMap<String, Mark>,
    /// Commit of each revision, by its name in the scenario.
    pub commits: BTreeMap<String, String>,
}

/// What an expectation came to.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The number of the expectation, from 0.
    pub expectation: usize,
    /// When it came true, counted from its window's beginning; or why it did not.
    pub result: Result<Span, String>,
}

/// Judges every expectation, in order.
pub fn judge(scenario: &Scenario, record: &Record) -> Vec<Verdict> {
    let end = record.start().time + scenario.end.0;
    let verdict = |(expectation, wanted): (usize, &Expectation)| Verdict {
        expectation,
        result: Window::of(wanted, record, end).judge(wanted),
    };
    scenario.expect.iter().enumerate().map(verdict).collect()
}

impl Record {
    /// The start of the controller.
    pub fn start(&self) -> Mark {
        self.marks.get("start").cloned().unwrap_or(Mark {
            time: Timestamp::from_millis(0),
            position: 0,
            what: String::new(),
        })
    }

    /// The object after the first `position` writes.
    fn object(&self, named: &ObjectRef, position: usize) -> Option<&Arc<Value>> {
        let last = self.history[..position]
            .iter()
            .rfind(|write| is(named, &write.object))?;
        (last.change != Change::Deleted).then_some(&last.object)
    }
}

/// Is this the object of that name? Looks at the name first: most are not.
fn is(named: &ObjectRef, object: &Value) -> bool {
    crate::meta(object, "name") == named.name && ObjectRef::of(object) == *named
}

/// A part of a run.
struct Window<'a> {
    record: &'a Record,
    begin: Timestamp,
    end: Timestamp,
    /// Writes before it.
    first: usize,
    /// Writes up to its end.
    last: usize,
}

impl<'a> Window<'a> {
    fn of(wanted: &Expectation, record: &'a Record, end: Timestamp) -> Self {
        let id = wanted.at.as_deref().or(wanted.after.as_deref()).unwrap_or("start");
        let mark = record.marks.get(id).cloned().unwrap_or_else(|| record.start());
        let until = match (&wanted.at, wanted.within.or(wanted.lasting)) {
            (Some(_), _) => mark.time,
            (None, Some(length)) => (mark.time + length.0).min(end),
            (None, None) => end,
        };
        let last = match wanted.at {
            Some(_) => mark.position,
            None => record.history.partition_point(|write| write.time <= until),
        };
        // Without a window it is the end that counts.
        let is_window = wanted.at.is_some() || wanted.within.is_some() || wanted.never || wanted.always;
        let counts =
            wanted.writes.is_some() || wanted.creates.is_some() || wanted.order.is_some() || wanted.journal.is_some();
        let first = if is_window || counts { mark.position } else { last };
        Self {
            record,
            begin: mark.time,
            end: until,
            first: first.min(last),
            last,
        }
    }

    fn judge(&self, wanted: &Expectation) -> Result<Span, String> {
        if let Some(order) = &wanted.order {
            return self.order(order);
        }
        if let Some(writes) = &wanted.writes {
            let mut all = self.writes().filter(|write| write.manager == writes.manager);
            let count = all.clone().count();
            return match (writes.min..=writes.max).contains(&count) {
                true => Ok(Span::default()),
                false => Err(format!(
                    "{} wrote {count} times, not {} to {} times; first {}",
                    writes.manager,
                    writes.min,
                    writes.max,
                    all.next()
                        .map_or_else(|| "nothing".into(), |write| ObjectRef::of(&write.object).to_string())
                )),
            };
        }
        if let Some(journal) = &wanted.journal {
            return self.journal(journal, wanted.never);
        }
        if let (Some(object), Some(bounds)) = (&wanted.object, wanted.creates) {
            let created = |write: &&Write| write.change == Change::Added && is(object, &write.object);
            let count = self.writes().filter(created).count();
            return match (bounds.min..=bounds.max).contains(&count) {
                true => Ok(Span::default()),
                false => Err(format!(
                    "{object} was created {count} times, not {} to {} times",
                    bounds.min, bounds.max
                )),
            };
        }
        self.state(wanted)
    }

    fn writes(&self) -> impl Iterator<Item = &'a Write> + Clone + use<'a> {
        self.record.history[self.first..self.last].iter()
    }

    fn since(&self, time: Timestamp) -> Span {
        Span(time.since(self.begin))
    }

    fn order(&self, order: &[ObjectRef]) -> Result<Span, String> {
        let mut before = 0;
        for object in order {
            let created = |write: &Write| write.change == Change::Added && is(object, &write.object);
            let Some(at) = self.record.history[..self.last].iter().position(created) else {
                return Err(format!("{object} was never created"));
            };
            if at < before {
                return Err(format!("{object} was created before the one that should come first"));
            }
            before = at;
        }
        Ok(Span::default())
    }

    fn journal(&self, wanted: &JournalMatch, never: bool) -> Result<Span, String> {
        let fits = |note: &&Note| {
            let says = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
            (self.begin..=self.end).contains(&note.time)
                && says(&wanted.machine, &note.machine)
                && says(&wanted.to, &note.to)
                && says(&wanted.manager, &note.manager)
                && wanted.message.as_deref().is_none_or(|part| note.message.contains(part))
                && (wanted.object.is_none() || wanted.object == note.object)
        };
        match (self.record.journal.iter().find(fits), never) {
            (Some(note), false) => Ok(self.since(note.time)),
            (Some(note), true) => Err(format!("after {}: {}", self.since(note.time), note.message)),
            (None, true) => Ok(Span::default()),
            (None, false) => Err("the journal says nothing of it".into()),
        }
    }

    /// Walks the states of one object through the window.
    fn state(&self, wanted: &Expectation) -> Result<Span, String> {
        let named = match (&wanted.object, &wanted.application) {
            (Some(object), _) => object.clone(),
            (None, application) => {
                let id = application.as_deref().unwrap_or_default();
                let (namespace, name) = id.split_once('/').unwrap_or(("argocd", id));
                ObjectRef {
                    kind: "Application".into(),
                    namespace: namespace.into(),
                    name: name.into(),
                }
            }
        };
        let first = (
            self.begin,
            self.record.object(&named, self.first).map(|object| &**object),
        );
        let later = self.writes().filter(|write| is(&named, &write.object)).map(|write| {
            let live = (write.change != Change::Deleted).then_some(&*write.object);
            (write.time, live)
        });
        let mut last = String::new();
        for (time, object) in std::iter::once(first).chain(later) {
            let found = self.holds(wanted, object);
            match (found, wanted.never, wanted.always) {
                (Ok(()), true, _) => return Err(format!("{named}: so it was after {}", self.since(time))),
                (Err(found), false, true) => return Err(format!("{named}: after {}: {found}", self.since(time))),
                (Ok(()), false, false) => return Ok(self.since(time)),
                (Err(found), _, _) => last = found,
                (Ok(()), false, true) => {}
            }
        }
        match wanted.never || wanted.always {
            true => Ok(Span(Duration::ZERO)),
            false => Err(format!("{named}: {last}")),
        }
    }

    /// Does a state of the object fulfil the condition? If not: what it is instead.
    fn holds(&self, wanted: &Expectation, object: Option<&Value>) -> Result<(), String> {
        let Some(object) = object else {
            return match wanted.absent && wanted.field.is_none() {
                true => Ok(()),
                false => Err("does not exist".into()),
            };
        };
        if wanted.application.is_some() {
            return self.holds_of_application(wanted, object);
        }
        let found = match &wanted.field {
            Some(field) => object.pointer(field),
            None => Some(object),
        };
        let part = wanted.contains.as_deref();
        let is_part = |found: &Value| part.is_some_and(|part| found.as_str().is_some_and(|text| text.contains(part)));
        match (&wanted.equals, found) {
            (Some(equals), Some(found)) if equals == found => Ok(()),
            (None, Some(found)) if is_part(found) => Ok(()),
            (None, None) if part.is_none() => Ok(()),
            (_, Some(_)) if wanted.field.is_none() => Err("exists".into()),
            (_, found) => {
                let field = wanted.field.as_deref().unwrap_or_default();
                Err(format!("{field} is {}", found.unwrap_or(&Value::Null)))
            }
        }
    }

    fn holds_of_application(&self, wanted: &Expectation, object: &Value) -> Result<(), String> {
        let commit = |name: &String| self.record.commits.get(name).unwrap_or(name).clone();
        for (field, wanted) in [
            ("/status/sync/status", wanted.sync.clone()),
            ("/status/health/status", wanted.health.clone()),
            ("/status/sync/revision", wanted.revision.as_ref().map(commit)),
            ("/status/operationState/phase", wanted.phase.clone()),
        ] {
            let found = object.pointer(field).and_then(Value::as_str).unwrap_or("nothing");
            if wanted.as_deref().is_some_and(|wanted| wanted != found) {
                return Err(format!("{field} is {found}"));
            }
        }
        Ok(())
    }
}
