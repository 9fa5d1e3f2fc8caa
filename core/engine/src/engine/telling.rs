//! When the resource's status is put together.
//!
//! **Problem.** A status of n objects is as long as n, and an operation of n tasks changes it at least n times: written at every change, it
//! would cost the square of n, here, on the wire and in the store. So it is put together only where something that it tells changed, and
//! the longer it is, the longer the next one waits. What a status of up to [`SMALL_STATUS`] rows tells is written at once.
//!
//! **Invariant.** What is new is told: at once, or at [`Telling::due`].

use std::time::Duration;

use capstan_model::{
    ApplicationCondition, ApplicationStatus, ConditionType, HealthStatus, Info, OperationPhase, OptionPlace,
    SyncStatusCode, Timestamp, odd_retry, odd_sync_options,
};
use serde_json::{Map, Value};

use super::state::ApplicationState;
use crate::event::WriteError;
use crate::limits::{NAMED_CONDITIONS, PROGRESS_INTERVAL, PROGRESS_PER_ROW, SMALL_STATUS, STATUS_PER_ROW};
use crate::machine::write_backoff;
use crate::policy::odd_options;

/// What a status tells besides its rows and the progress of an operation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Summary {
    pub(crate) sync: SyncStatusCode,
    pub(crate) health: HealthStatus,
    /// Are the rows told as they are, or as they were?
    pub(crate) is_known: bool,
    pub(crate) conditions: Vec<ApplicationCondition>,
    history: Option<(usize, u64)>,
    reconciled_at: Option<Timestamp>,
    operation: Option<OperationSummary>,
    last: Option<(OperationPhase, Timestamp, Option<Timestamp>, u64)>,
}

#[derive(Clone, Debug, PartialEq)]
struct OperationSummary {
    number: u64,
    attempt: u64,
    stage: &'static str,
    revision: String,
    /// The first failure is news; the others are progress.
    has_failed: bool,
    hook_changes: u64,
    passes: u64,
    refused: usize,
    info: Vec<Info>,
}

impl Summary {
    pub(crate) fn of(app: &ApplicationState, sync: SyncStatusCode, health: HealthStatus, is_known: bool) -> Self {
        let operation = app.operation.as_ref().map(|operation| OperationSummary {
            number: operation.number,
            attempt: operation.attempt,
            stage: operation.stage.name(),
            revision: operation.revision().to_owned(),
            has_failed: operation.work.has_failed(),
            hook_changes: operation.work.hook_changes(),
            passes: operation.parity.as_ref().map_or(0, |parity| parity.passes),
            refused: operation.refused.len(),
            info: operation.operation.info.clone(),
        });
        let last = app.last_operation.as_ref();
        Self {
            sync,
            health,
            is_known,
            conditions: app.conditions.clone(),
            history: app.history.last().map(|last| (app.history.len(), last.id)),
            reconciled_at: app.reconciled_at,
            operation,
            last: last.map(|last| (last.phase, last.started_at, last.finished_at, last.retry_count)),
        }
    }
}

/// How new is what there is to tell?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    Nothing,
    /// How far an operation is, which object is what.
    Progress,
    /// A verdict, a condition, a stage of an operation, what a hook does.
    Urgent,
}

/// A write of the status that failed.
#[derive(Debug)]
pub(crate) struct StatusFailure {
    attempts: u32,
    /// When it is written again.
    pub(crate) until: Timestamp,
    pub(crate) why: String,
    /// Somebody wrote the resource between, or it is gone: what comes of that is read soon.
    pub(crate) is_passing: bool,
}

impl StatusFailure {
    /// Another one, after this one before.
    pub(crate) fn after(before: Option<&Self>, now: Timestamp, error: &WriteError) -> Self {
        let attempts = before.map_or(0, |failure| failure.attempts) + 1;
        Self {
            attempts,
            until: now + write_backoff(attempts),
            why: error.to_string(),
            is_passing: matches!(error, WriteError::Conflict(_) | WriteError::NotFound(_)),
        }
    }
}

/// The version of the resource that is known.
#[derive(Debug)]
pub(crate) struct SaidVersion {
    newest: String,
    /// The newest one of which all is known: it was read, or made by a write that insisted on the one before.
    sure: String,
}

impl SaidVersion {
    pub(crate) fn of(version: &str) -> Self {
        Self {
            newest: version.to_owned(),
            sure: version.to_owned(),
        }
    }

    pub(crate) fn newest(&self) -> &str {
        &self.newest
    }

    /// The version that a write may insist on which rests on the status; `None` as long as another may have written between.
    pub(crate) fn sure(&self) -> Option<&str> {
        (self.sure == self.newest).then_some(&self.sure)
    }

    /// This version was read. Gives whether it is not one of before what is known.
    pub(crate) fn read(&mut self, version: &str) -> bool {
        let is_newest = !self.is_over(version);
        if is_newest {
            *self = Self::of(version);
        }
        is_newest
    }

    /// A write made this version; `insisted` on the one before. What was read of a newer one before the answer came stays what is known.
    /// Gives whether this is the newest.
    pub(crate) fn wrote(&mut self, version: String, insisted: bool) -> bool {
        let is_newest = !self.is_over(&version);
        if is_newest {
            if insisted {
                self.sure.clone_from(&version);
            }
            self.newest = version;
        }
        is_newest
    }

    fn is_over(&self, version: &str) -> bool {
        match (version.parse::<u64>(), self.newest.parse::<u64>()) {
            (Ok(version), Ok(newest)) => version < newest,
            _ => false,
        }
    }
}

/// What was told, and when.
#[derive(Debug, Default)]
pub(crate) struct Telling {
    summary: Option<Summary>,
    brief: String,
    changes: u64,
    /// When it was last put together, and how many rows it had.
    last: Option<(Timestamp, usize)>,
    due: Option<Timestamp>,
}

impl Telling {
    /// What is there to tell?
    pub(crate) fn news(app: &ApplicationState, summary: &Summary) -> News {
        let told = &app.telling;
        if told.summary.as_ref() != Some(summary) {
            return News::Urgent;
        }
        let operation = app.operation.as_ref();
        let is_same =
            operation.is_none_or(|operation| operation.brief == told.brief && operation.work.changes() == told.changes);
        match is_same && !app.assessment.rows_changed {
            true => News::Nothing,
            false => News::Progress,
        }
    }

    /// May it be put together now? Otherwise it is due later.
    pub(crate) fn may_tell(&mut self, now: Timestamp, news: News) -> bool {
        let Some((last, rows)) = self.last.filter(|(_, rows)| *rows > SMALL_STATUS) else {
            return true;
        };
        let rows = u32::try_from(rows).unwrap_or(u32::MAX);
        let wait: Duration = match news {
            News::Nothing | News::Urgent => STATUS_PER_ROW * rows,
            News::Progress => PROGRESS_INTERVAL.max(PROGRESS_PER_ROW * rows),
        };
        let due = last + wait;
        self.due = (due > now).then_some(due);
        due <= now
    }

    /// It was put together, of so many rows.
    pub(crate) fn told(app: &mut ApplicationState, now: Timestamp, summary: Summary, rows: usize) {
        app.telling = Self {
            summary: Some(summary),
            brief: app
                .operation
                .as_ref()
                .map_or_else(String::new, |operation| operation.brief.clone()),
            changes: app.operation.as_ref().map_or(0, |operation| operation.work.changes()),
            last: Some((now, rows)),
            due: None,
        };
        app.assessment.rows_changed = false;
    }

    /// What the resource says is not what was told.
    pub(crate) fn forget(&mut self) {
        self.summary = None;
    }

    pub(crate) fn wait_for_nothing(&mut self) {
        self.due = None;
    }

    /// When it is to be put together.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        self.due
    }
}

/// Names the first messages of one cause, and says whether there are more: a status does not hold one for each of many objects.
pub(super) fn name_some(
    conditions: &mut Vec<(ConditionType, String)>,
    kind: ConditionType,
    mut messages: impl Iterator<Item = String>,
) {
    conditions.extend(messages.by_ref().take(NAMED_CONDITIONS).map(|message| (kind, message)));
    if messages.next().is_some() {
        conditions.push((kind, format!("and more like the {NAMED_CONDITIONS} that are named")));
    }
}

/// A status as the resource has it. A verdict that is not there is read as `Unknown`: it has to be written all the same, for people to see it.
pub(super) fn said(status: &ApplicationStatus) -> Value {
    let mut said = serde_json::to_value(status).unwrap_or_default();
    if let Some(fields) = said.as_object_mut().filter(|_| status.lacks_verdicts) {
        fields.remove("sync");
        fields.remove("health");
    }
    said
}

/// The JSON merge patch that makes `old` into `new`; `None` when they are equal.
pub(super) fn difference(old: &Value, new: &Value) -> Option<Value> {
    if old == new {
        return None;
    }
    let (Value::Object(old), Value::Object(new)) = (old, new) else {
        return Some(new.clone());
    };
    let mut patch = Map::new();
    for name in old.keys().filter(|name| !new.contains_key(*name)) {
        patch.insert(name.clone(), Value::Null);
    }
    for (name, value) in new {
        match old.get(name) {
            None => drop(patch.insert(name.clone(), value.clone())),
            Some(old) => {
                if let Some(inner) = difference(old, value) {
                    patch.insert(name.clone(), inner);
                }
            }
        }
    }
    Some(Value::Object(patch))
}

/// What is odd in the manifests, in the Application and in the operation that runs.
pub(super) fn warnings(app: &ApplicationState) -> impl Iterator<Item = String> {
    let operation = app.operation.iter().filter_map(|run| run.operation.sync.as_ref());
    // What it takes over from the spec is told of that.
    let of_spec = &app.application.spec.sync_policy.sync_options;
    let operation: Vec<&str> = operation
        .flat_map(|sync| &sync.sync_options)
        .filter(|option| !of_spec.contains(option))
        .map(String::as_str)
        .collect();
    let retry = app.operation.iter().filter_map(|run| run.operation.retry.as_ref());
    // That of the spec, which an automated operation takes over, is refused.
    let retry: Vec<String> = retry.flat_map(odd_retry).collect();
    let operation = odd_sync_options(operation, OptionPlace::Application).into_iter();
    let manifests = app.desired.iter().flat_map(|desired| desired.targets.warnings());
    manifests
        .cloned()
        .chain(odd_options(&app.application))
        .chain(operation.map(|odd| format!("operation.sync.syncOptions: {odd}")))
        .chain(retry.into_iter().map(|odd| format!("operation.retry: {odd}")))
}
