//! Until when something is waited for: an object, a wave, the whole sync. What is overdue fails, and says for how long and what it was.
//!
//! With `guards: argo` nothing of this holds: Argo CD waits for ever.

use std::time::Duration;

use capstan_model::annotations::{SYNC_TIMEOUT, WAVE_TIMEOUT};
use capstan_model::{OperationPhase, Timestamp, parse_duration};
use petgraph::stable_graph::NodeIndex;

use super::{OperationRun, Stage};
use crate::engine::Engine;
use crate::engine::state::ApplicationState;
use crate::machine::{HookTask, PruneTask, TaskState, WriteTask};
use crate::plan::TaskAction;
use crate::sabotage::{self, Sabotage};

/// Entry of `operation.info`: when it had lasted too long.
pub(super) const INFO_EXPIRED: &str = "capstan.dev/expired";

impl Engine {
    /// The turn of a task has come: from now on it is waited for.
    pub(super) fn begin_waiting(
        &self,
        now: Timestamp,
        app: &ApplicationState,
        operation: &mut OperationRun,
        node: NodeIndex,
    ) {
        if operation.tasks.get(&node).is_none_or(|run| run.begun.is_some()) {
            return;
        }
        let task = operation.plan.task(node);
        let group = (task.phase, task.wave);
        let own = own_timeout(operation, node);
        let mut limit = own.unwrap_or(self.settings.object_timeout);
        let is_for_person = is_unconfirmed(operation, node);
        if is_for_person {
            limit = limit.max(self.settings.confirmation_timeout);
        }
        let wave = *operation.waves_begun.entry(group).or_insert(now)
            + of_application(app, WAVE_TIMEOUT).unwrap_or(self.settings.wave_timeout);
        // Somebody who says more for one object says it for its wave, too; and people do not keep to the times of waves.
        let until = match own.is_some() || is_for_person {
            true => now + limit,
            false => (now + limit).min(wave.max(now)),
        };
        if let Some(run) = operation.tasks.get_mut(&node) {
            run.begun.get_or_insert(now);
            run.until.get_or_insert(until);
        }
    }

    /// Fails what was waited for too long.
    pub(super) fn expire_tasks(&mut self, now: Timestamp, app: &mut ApplicationState, operation: &mut OperationRun) {
        // Deadlines stand still while it is paused.
        if app.is_paused || sabotage::is(Sabotage::NeverExpires) {
            return;
        }
        let overdue = operation.work.take_overdue(&operation.plan, now);
        for node in overdue {
            let Some(run) = operation.tasks.get(&node) else {
                continue;
            };
            let since = run.begun.unwrap_or(run.since);
            let last = match run.message.as_str() {
                "" => String::new(),
                message => format!(": {message}"),
            };
            let (late, how) = self.overdue(now, app, operation, node, since);
            let why = format!("{late} since {since}{last}; {how}");
            let state = match operation.plan.task(node).action {
                TaskAction::Prune if is_unconfirmed(operation, node) => TaskState::Prune(PruneTask::PruneSkipped(
                    format!("left: it was not confirmed since {since}"),
                )),
                TaskAction::Prune => TaskState::Prune(PruneTask::PruneFailed(why.clone())),
                TaskAction::Hook(_) => TaskState::Hook(HookTask::Failed(why.clone())),
                TaskAction::Apply | TaskAction::CreateNamespace => TaskState::Write(WriteTask::SyncFailed(why.clone())),
                TaskAction::Milestone => continue,
            };
            self.set(now, app, operation, node, state, why);
        }
    }

    /// Whose time is over and how long that was, and how to say otherwise.
    fn overdue(
        &self,
        now: Timestamp,
        app: &ApplicationState,
        operation: &OperationRun,
        node: NodeIndex,
        since: Timestamp,
    ) -> (String, String) {
        let own = own_timeout(operation, node);
        let limit = own.unwrap_or(self.settings.object_timeout);
        if own.is_some() || now.since(since) >= limit {
            let how = format!("say how long with the annotation {SYNC_TIMEOUT}");
            return (format!("not done within {},", text(limit)), how);
        }
        // It has not had as long as its wave: that began before it.
        let limit = of_application(app, WAVE_TIMEOUT).unwrap_or(self.settings.wave_timeout);
        let how = format!("say how long that may take with the annotation {WAVE_TIMEOUT} of the Application");
        let late = format!("its wave was not done within {}; this was waited for", text(limit));
        (late, how)
    }

    /// Ends an operation that lasts too long. Gives whether it did.
    pub(super) fn expire(&mut self, now: Timestamp, app: &mut ApplicationState, operation: &mut OperationRun) {
        let limit = of_application(app, SYNC_TIMEOUT).unwrap_or(self.settings.sync_timeout);
        let until = operation.started_at + limit + operation.pauses;
        operation.until = Some(until);
        let may_end = !matches!(
            operation.stage,
            Stage::CleaningUp(_) | Stage::Ended(_) | Stage::Terminating { .. }
        );
        if until > now || !may_end || sabotage::is(Sabotage::NeverExpires) {
            return;
        }
        operation.is_final = true;
        let was = match operation.message.as_str() {
            "" => "waiting",
            message => message,
        };
        let how = format!("which the annotation {SYNC_TIMEOUT} of the Application or the default allows; it was {was}");
        operation.message = format!("it lasted longer than {}, {how}", text(limit));
        let stage = match operation.stage {
            Stage::BackingOff { .. } | Stage::Planning => Stage::Ended(OperationPhase::Failed),
            _ => {
                operation.is_stopping = true;
                operation.set_info(INFO_EXPIRED, now.to_string());
                Stage::Terminating {
                    by: format!("its deadline of {}, {how}", text(limit)),
                }
            }
        };
        self.enter(now, app, operation, stage);
    }
}

/// What the object itself says.
fn own_timeout(operation: &OperationRun, node: NodeIndex) -> Option<Duration> {
    let index = operation.plan.task(node).target?;
    operation.targets.as_ref()?.objects().get(index)?.meta.sync_timeout
}

fn is_unconfirmed(operation: &OperationRun, node: NodeIndex) -> bool {
    let state = operation.tasks.get(&node).map(|run| &run.state);
    matches!(state, Some(TaskState::Prune(PruneTask::AwaitingConfirmation)))
}

fn of_application(app: &ApplicationState, annotation: &str) -> Option<Duration> {
    parse_duration(app.application.metadata.annotations.get(annotation)?)
}

/// A duration for people: `90s`, `15m`, `2h`.
fn text(duration: Duration) -> String {
    match duration.as_secs() {
        seconds if seconds >= 3600 && seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
        seconds if seconds >= 60 && seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        seconds => format!("{seconds}s"),
    }
}
