//! An automated sync that failed, its retries included, is begun anew after a while.
//!
//! **Problem.** What made it fail is often not in Git: an admission webhook that was down, a quota that was full, an image that was not
//! there yet. Argo CD gives up on the commit then, and the cluster stays different until somebody notices.
//!
//! **Invariants.** Only automated ones, and never one that a person ended. The waits grow up to a cap, and what was waited is counted in
//! the operation's `info`, so that a restart does not begin to count again. A new commit, a changed Application or a person does not wait.

use capstan_model::{OperationPhase, OperationState, Timestamp};

use super::start::last_attempt;
use super::{OperationRun, info};
use crate::engine::Engine;
use crate::engine::state::ApplicationState;
use crate::policy::LastAttempt;
use crate::settings::{Guards, Settings};

/// Entry of `operation.info`: how often it was begun anew.
pub(super) const INFO_RESUMED: &str = "capstan.dev/resumed";
/// Entry of `operation.info`: who ended it.
pub(super) const INFO_STOPPED: &str = "capstan.dev/stopped";

/// When it is begun anew, if it is.
fn resumes_at(state: &OperationState, settings: &Settings) -> Option<Timestamp> {
    let operation = &state.operation;
    let has_failed = matches!(state.phase, OperationPhase::Failed | OperationPhase::Error);
    let is_ours = operation.initiated_by.automated && info(operation, INFO_STOPPED).is_none();
    let is_wanted = settings.guards == Guards::Capstan && !settings.resume_backoff.is_zero();
    let ended = state.finished_at.filter(|_| has_failed && is_ours && is_wanted)?;
    Some(ended + settings.resume_wait(resumed(state)))
}

fn resumed(state: &OperationState) -> u32 {
    let count = info(&state.operation, INFO_RESUMED).and_then(|count| count.parse().ok());
    count.unwrap_or(0)
}

impl Engine {
    /// When the sync that failed is begun anew, if nothing is in the way.
    pub(in crate::engine) fn resume_deadline(&self, app: &ApplicationState) -> Option<Timestamp> {
        let is_automated = app.application.spec.sync_policy.automation().is_some();
        let state = app
            .last_operation
            .as_ref()
            .filter(|_| is_automated && app.operation.is_none())?;
        let at = resumes_at(state, &self.settings)?;
        (last_attempt(app) == LastAttempt::Failed).then_some(at)
    }

    /// Is it time?
    pub(super) fn resumes(&self, now: Timestamp, app: &ApplicationState) -> bool {
        self.resume_deadline(app).is_some_and(|at| at <= now)
    }

    /// Of an operation that ended: when it is begun anew, for people.
    pub(super) fn tell_resume(&self, now: Timestamp, operation: &mut OperationRun) {
        if let Some(at) = resumes_at(&operation.record(Some(now)), &self.settings) {
            operation.message = format!("{}; begun anew at {at}, or with what changes before", operation.message);
        }
    }
}

/// Counts on from the one that failed.
pub(super) fn count_on(app: &ApplicationState, run: &mut OperationRun) {
    let failed = app
        .last_operation
        .as_ref()
        .filter(|_| last_attempt(app) == LastAttempt::Failed);
    if let Some(failed) = failed.filter(|_| run.is_automated()) {
        run.set_info(INFO_RESUMED, resumed(failed).saturating_add(1).to_string());
    }
}
