//! An automated sync that failed, its retries included, is begun anew after a while; so is one that ended well and of which nothing is left,
//! the first time at once.
//!
//! **Problem.** What made it fail is often not in Git: an admission webhook that was down, a quota that was full, an image that was not
//! there yet. Argo CD gives up on the commit then, and the cluster stays different until somebody notices.
//!
//! **Invariants.** Only automated ones, and never one that a person ended. The waits grow up to a cap, and what was waited is counted in
//! the operation's `info`, so that a restart does not begin to count again. A new commit, a changed Application or a person does not wait.

use capstan_model::{OperationPhase, OperationState, Timestamp};

use super::attempted::is_whole;
use super::{OperationRun, info, last_attempt};
use crate::engine::Engine;
use crate::engine::state::ApplicationState;
use crate::journal::Cause;
use crate::policy::LastAttempt;
use crate::settings::{Guards, Settings};
use crate::targets::Targets;

/// Entry of `operation.info`: how often it was begun anew.
pub(super) const INFO_RESUMED: &str = "capstan.dev/resumed";
/// Entry of `operation.info`: who ended it.
pub(super) const INFO_STOPPED: &str = "capstan.dev/stopped";

/// When it is begun anew, if it is: it failed, or is a sync of some objects or a dry run that came after one which did; or nothing `is_lost`
/// of what it made.
fn resumes_at(state: &OperationState, is_lost: bool, settings: &Settings) -> Option<Timestamp> {
    let operation = &state.operation;
    let times = resumed(state);
    if is_lost && settings.guards == Guards::Capstan {
        // Whoever deleted everything once is not to be waited for; what takes away each sync's objects is.
        let wait = times.checked_sub(1).map(|times| settings.resume_wait(times));
        return Some(state.finished_at? + wait.unwrap_or_default());
    }
    let has_failed = match is_whole(state) {
        true => operation.initiated_by.automated && state.phase != OperationPhase::Succeeded,
        false => info(operation, INFO_RESUMED).is_some(),
    };
    let is_wanted = settings.guards == Guards::Capstan && !settings.resume_backoff.is_zero();
    let is_ours = has_failed && is_wanted && info(operation, INFO_STOPPED).is_none();
    let ended = state.finished_at.filter(|_| is_ours)?;
    Some(ended + settings.resume_wait(times))
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
        let last = last_attempt(app);
        let at = resumes_at(state, last == LastAttempt::Lost, &self.settings)?;
        matches!(last, LastAttempt::Failed | LastAttempt::Lost).then_some(at)
    }

    /// Is it time?
    pub(super) fn resumes(&self, now: Timestamp, app: &ApplicationState) -> bool {
        self.resume_deadline(app).is_some_and(|at| at <= now)
    }

    /// Of an operation that ended: when it is begun anew, for people.
    pub(super) fn tell_resume(&mut self, now: Timestamp, app: &ApplicationState, operation: &mut OperationRun) {
        if let Some(at) = resumes_at(&operation.record(Some(now)), false, &self.settings) {
            let when = format!("begun anew at {at}, or with what changes before");
            operation.message = format!("{}; {when}", operation.message);
            // A newer commit does not wait.
            let digest = operation.targets.as_ref().map(Targets::digest);
            if digest == app.desired.as_ref().map(|desired| desired.targets.digest()) {
                let from = operation.stage.name();
                self.note(now, app, None, "operation", from, "Waiting", when, Cause::Timer);
            }
        }
    }

    /// Counts on from the sync that failed, or came to nothing; what is not a sync of everything keeps the count. `last` is as it was before this
    /// one was asked for.
    pub(super) fn count_on(&self, app: &ApplicationState, last: LastAttempt, run: &mut OperationRun) {
        let before = app.last_operation.as_ref();
        let counts = matches!(last, LastAttempt::Failed | LastAttempt::Lost);
        let Some(before) = before.filter(|_| counts) else {
            return;
        };
        let is_part = run.is_selective() || run.is_dry_run();
        let keeps = || last == LastAttempt::Failed && resumes_at(before, false, &self.settings).is_some();
        if is_part && keeps() {
            run.set_info(INFO_RESUMED, resumed(before).to_string());
        } else if !is_part && run.is_automated() {
            run.set_info(INFO_RESUMED, resumed(before).saturating_add(1).to_string());
        }
    }
}
