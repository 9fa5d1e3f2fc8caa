//! One process after another: what another one began goes on, and what this one knew before is over.
//!
//! **Problem.** Processes follow one another by what the status of an Application says, and whoever gets the lead may not have seen yet what the one
//! before wrote last. So it may begin an operation that has the number of one that runs already, of another commit perhaps, and would take
//! that one's hooks for its own.
//!
//! **Invariants.** An operation in the status that this process neither began nor restored is another's, and is what counts: it is taken up, and
//! what this process has begun beside it is dropped. Nothing of that was written: its intent insists on the version of the resource that it
//! was made for, and whoever does not lead writes nothing. What a person asked for by it is asked for again. What needs no intent (one wave
//! of applies, with no hook and no prune) may have been written, and is written again.

use std::collections::BTreeSet;

use capstan_model::{Application, ApplicationId, ApplicationStatus, Operation, OperationState, Timestamp};

use super::Engine;
use super::operation::{OWN_INFO, OperationRun, recorded_number};
use super::refresh::claims;
use super::state::ApplicationState;
use crate::effect::EffectKind;
use crate::guard::Fence;
use crate::journal::Cause;
use crate::sabotage::{self, Sabotage};

impl ApplicationState {
    /// Does this status tell of an operation that is not known here, and came after those that are?
    pub(super) fn is_behind(&self, status: &ApplicationStatus) -> bool {
        let Some(state) = &status.operation_state else {
            return false;
        };
        let name = |state: &OperationState| (recorded_number(state), state.started_at.truncated());
        let running = self
            .operation
            .as_ref()
            .map(|operation| (operation.number, operation.started_at.truncated()));
        let last = self.last_operation.as_ref().map(name);
        let known = || running.into_iter().chain(last);
        let newest = known().map(|(number, _)| number).max().unwrap_or(0);
        let number = recorded_number(state);
        // Argo CD's have no number.
        let may_be_newer = number > 0 && number >= newest;
        may_be_newer && (known().all(|known| known != name(state)) || self.is_beside(state))
    }

    /// Was it begun in the same second as the operation that runs here and that nobody was told of yet, and is it of another commit?
    fn is_beside(&self, state: &OperationState) -> bool {
        let untold = self.operation.as_ref();
        let Some(untold) = untold.filter(|operation| self.releases.told() != operation.number) else {
            return false;
        };
        let sync = state.operation.sync.as_ref();
        let theirs = sync.map_or("", |sync| &sync.revision);
        let ours = untold.revision();
        !theirs.is_empty() && !ours.is_empty() && theirs != ours
    }

    /// Another process leads: how far its operation is, is what the resource says.
    pub(super) fn follow_leader(&mut self) {
        self.operation = running(&self.application);
        self.history.clone_from(&self.application.status.history);
        self.releases.remember(self.application.status.operation_state.as_ref());
        self.last_operation.clone_from(&self.application.status.operation_state);
    }
}

impl Engine {
    /// Goes on from what the resource says of an application; `told` is the operation that it told of before.
    pub(super) fn catch_up(&mut self, now: Timestamp, id: &ApplicationId, told: u64) {
        let Some(mut app) = self.applications.remove(id) else {
            return;
        };
        self.claim(id, &BTreeSet::new(), &claims(&app));
        if let Some(deadline) = app.deadline {
            self.deadlines.remove(&(deadline, id.clone()));
        }
        let asked = Asked::of(&mut app, told);
        start_over(&mut app);
        let dropped = asked.again(&mut app);
        self.kinds_changed = true;
        self.journal_restored(now, &app);
        if let Some(name) = dropped {
            let why =
                format!("the sync that {name} asked for gives way to a later one: another process's was under way");
            let cause = Cause::User {
                name,
                action: "sync".into(),
            };
            self.note(now, &app, None, "operation", "Planning", "Dropped", why, cause);
        }
        self.applications.insert(id.clone(), app);
    }

    /// What was under way when leadership went belongs to nobody: whoever leads next looks for himself. Whoever gets it starts from what
    /// the resource says now, not from what it said when he had it last: another led meanwhile.
    pub(super) fn leadership_changed(&mut self, leads: bool, fence: Option<Fence>) {
        if self.leads == leads && self.fence == fence {
            return;
        }
        (self.leads, self.fence) = (leads, fence);
        for (id, app) in &mut self.applications {
            start_over(app);
            self.dirty.insert(id.clone());
        }
        // What is to be watched depends on nobody's lead, and is told once.
        self.effects
            .retain(|effect| matches!(effect.kind, EffectKind::WatchKinds { .. }));
        self.claims.clear();
        self.deadlines.clear();
        self.kinds_changed = true;
    }
}

/// What somebody asked of this process alone: the resource does not say it, so it would be lost with what is forgotten.
struct Asked {
    operation: Option<Operation>,
    /// Whose sync gives way to a later one: there is room for one.
    dropped: Option<String>,
    terminate_by: Option<String>,
}

impl Asked {
    fn of(app: &mut ApplicationState, told: u64) -> Self {
        let is_untold = |run: &mut OperationRun| !run.is_automated() && !run.from_field && run.number != told;
        let begun = app.operation.take_if(is_untold);
        let begun = begun.map(|run| {
            let mut operation = run.operation;
            // What was noted of it as it began.
            operation.info.retain(|info| !info.name.starts_with(OWN_INFO));
            operation
        });
        let waiting = app.requested.take().filter(|_| !app.requested_by_field);
        // Who stops it means what runs here: that is over with it, and the other process's goes on.
        let stopped = app.terminate_by.take_if(|_| begun.is_some());
        let begun = begun.filter(|_| stopped.is_none());
        let dropped = begun.clone().filter(|_| waiting.is_some());
        Self {
            operation: waiting.or(begun),
            dropped: dropped.map(|operation| operation.initiated_by.username),
            terminate_by: app.terminate_by.take(),
        }
    }

    /// Asks for it again. Gives whose sync is not.
    fn again(self, app: &mut ApplicationState) -> Option<String> {
        app.requested = self.operation;
        app.terminate_by = app.terminate_by.take().or(self.terminate_by);
        self.dropped
    }
}

/// What the resource says is all that is known. Answers to what was asked before are those of another epoch.
fn start_over(app: &mut ApplicationState) {
    let (epoch, invalid) = (app.epoch + 1, app.invalid.take());
    *app = ApplicationState::restore(std::mem::take(&mut app.application));
    (app.epoch, app.invalid) = (app.epoch.max(epoch), invalid);
}

/// The operation that an earlier process began and did not end.
pub(super) fn running(application: &Application) -> Option<OperationRun> {
    let state = application.status.operation_state.as_ref();
    let is_running = |state: &&OperationState| !state.phase.is_completed() && !sabotage::is(Sabotage::ForgetsOperation);
    let mut running = OperationRun::restore(state.filter(is_running)?);
    // The process that took the request up may have ended before it took it off the resource.
    running.from_field = application.operation.is_some();
    Some(running)
}
