//! Moving an operation on, as far as it goes without anything happening.

use capstan_model::{OperationPhase, SyncPhase, Timestamp};
use petgraph::stable_graph::NodeIndex;

use super::deadline::INFO_EXPIRED;
use super::resume::INFO_STOPPED;
use super::start::names_commits;
use super::waiting::waiting_message;
use super::work::{Work, wants_place};
use super::{INFO_NAMED, OperationRun, Stage, info};
use crate::effect::Freshness;
use crate::engine::Engine;
use crate::engine::gate::Gate;
use crate::engine::state::ApplicationState;
use crate::journal::Cause;
use crate::limits::{MAX_WRITES_IN_FLIGHT, MESSAGE_LENGTH};
use crate::machine::TaskState;
use crate::plan::TaskAction;
use crate::sabotage::{self, Sabotage};
use crate::settings::Guards;

/// What the journal says of an operation that goes on from its intent, and of one that is rehearsed.
const RECORDED: &str = "what is to be done is recorded in the status";
const TRIED: &str = "every write is tried first, as a dry run of the server";

/// How what failed is told.
const FAILED: &str = "one or more tasks failed: ";

impl Engine {
    pub(in crate::engine) fn advance(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        operation: &mut OperationRun,
        gate: &Gate,
    ) {
        if operation.is_cleaned_up_again() {
            return;
        }
        // A pass of Argo CD's has to be made before it can be stopped; else what an earlier process recorded is enough.
        if self.settings.guards == Guards::Capstan || !operation.has_unknown_hooks() {
            self.take_termination(now, app, operation);
        }
        self.pause(now, app, operation, gate);
        if self.settings.guards == Guards::Capstan && !app.is_paused {
            self.expire(now, app, operation);
        }
        self.next_attempt(now, app, operation);
        if operation.stage == Stage::Planning {
            self.prepare(now, app, operation, gate);
        }
        if operation.stage != Stage::Planning {
            self.take_termination(now, app, operation);
        }
        if operation.parity.is_some() && matches!(operation.stage, Stage::Running | Stage::Terminating { .. }) {
            return self.step_parity(now, app, operation, gate);
        }
        if operation.stage == Stage::Rehearsing {
            self.rehearse(now, app, operation, gate);
        }
        self.step_running(now, app, operation, gate);
        if operation.stage == Stage::Failing {
            self.expire_tasks(now, app, operation);
            self.run_tasks(now, app, operation, gate);
            self.tell_failing(operation);
            // Its hooks have not run yet while it is paused.
            if !operation.is_active() && !app.is_paused {
                self.enter(now, app, operation, Stage::Ended(OperationPhase::Failed));
            }
        }
        if let Stage::Terminating { by } = operation.stage.clone() {
            self.step_termination(now, app, operation, &by, gate);
        }
    }

    fn step_running(&mut self, now: Timestamp, app: &mut ApplicationState, operation: &mut OperationRun, gate: &Gate) {
        if operation.stage == Stage::Running {
            self.expire_tasks(now, app, operation);
            self.yield_to_newer(app, operation);
            self.run_tasks(now, app, operation, gate);
            // The last hook may just have ended; and what has come to its own end is not superseded.
            if !operation.work.is_done() && !operation.work.has_failed() {
                self.supersede(now, app, operation);
            }
        }
        if operation.stage == Stage::Running {
            self.conclude(now, app, operation);
        }
    }

    fn step_termination(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        operation: &mut OperationRun,
        by: &str,
        gate: &Gate,
    ) {
        if sabotage::is(Sabotage::WritesAfterStop) {
            self.run_tasks(now, app, operation, gate);
        }
        self.terminate(now, app, operation, by, gate);
    }

    /// Begins another attempt when its time has come.
    fn next_attempt(&mut self, now: Timestamp, app: &mut ApplicationState, operation: &mut OperationRun) {
        if let Stage::BackingOff { until } = operation.stage
            && until <= now
            && self.may_write(app)
        {
            let from = operation.stage.name();
            operation.begin_attempt();
            let message = format!("attempt {}", operation.attempt + 1);
            self.note(now, app, None, "operation", from, "Planning", message, Cause::Timer);
            let names = self.names_its_commits(operation);
            if operation.retry(&app.application.spec).refresh && !(names && names_commits(operation)) {
                // What the branch is now, not what it was; of a branch or a tag that was named, what that one is.
                operation.revisions.clear();
                operation.targets = None;
                if let Some(sync) = operation.operation.sync.as_mut().filter(|_| !names) {
                    sync.revision.clear();
                    sync.revisions.clear();
                }
                app.want_refresh(Freshness::Remote, false);
            }
            self.enter(now, app, operation, Stage::Planning);
        }
    }

    /// Did a person say which revisions? A row of the history above all: the newest commit is what they go back from.
    fn names_its_commits(&self, operation: &OperationRun) -> bool {
        let names = info(&operation.operation, INFO_NAMED).is_some() && !sabotage::is(Sabotage::ForgetsTheRow);
        names && self.settings.guards == Guards::Capstan
    }

    fn take_termination(&mut self, now: Timestamp, app: &mut ApplicationState, operation: &mut OperationRun) {
        if let Some(by) = app.terminate_by.take()
            && !matches!(operation.stage, Stage::Ended(_))
        {
            // Its deadline is nobody's word.
            if info(&operation.operation, INFO_EXPIRED).is_none() {
                operation.set_info(INFO_STOPPED, by.clone());
            }
            operation.is_stopping = true;
            if self.settings.guards == Guards::Capstan {
                operation.stopped_in = failure_so_far(operation);
            }
            self.enter(now, app, operation, Stage::Terminating { by });
        }
    }

    pub(in crate::engine) fn enter(
        &mut self,
        now: Timestamp,
        app: &ApplicationState,
        operation: &mut OperationRun,
        to: Stage,
    ) {
        let from = operation.stage.name();
        if from != to.name() && to != Stage::PersistingIntent {
            let cause = operation.cause.clone();
            let message = match (&operation.stage, &to) {
                (_, Stage::Terminating { by }) if by.is_empty() => "terminated".into(),
                (_, Stage::Terminating { by }) => format!("terminated by {by}"),
                (Stage::PersistingIntent, Stage::Running) => RECORDED.into(),
                (Stage::PersistingIntent, Stage::Rehearsing) => format!("{RECORDED}; {TRIED}"),
                (_, Stage::Rehearsing) => TRIED.into(),
                (Stage::Rehearsing, Stage::Running) => "the server would accept what could be tried".into(),
                _ => operation.message.clone(),
            };
            self.note(now, app, None, "operation", from, to.name(), message, cause);
        }
        operation.stage = to;
        operation.work.wake_all();
    }

    /// Looks at the tasks that were woken, each once and in an order in which each comes after what it waits for: what becomes possible by
    /// one of them is begun with it.
    fn run_tasks(&mut self, now: Timestamp, app: &mut ApplicationState, operation: &mut OperationRun, gate: &Gate) {
        if self.exhaustive {
            operation.work = operation
                .work
                .anew(Work::new(&operation.plan, &operation.tasks, &operation.recorded));
        }
        operation.work.wake_due(now);
        if prunes_after_failure(operation, TaskAction::Prune) {
            operation.work.wake_all();
        }
        let mut last = None;
        loop {
            let has_place = app.writes_in_flight() < MAX_WRITES_IN_FLIGHT;
            let Some(position) = operation.work.next(last, has_place) else {
                return;
            };
            last = Some(position);
            let node = operation.plan.order()[position];
            self.look_at_task(now, app, operation, (node, position), gate);
            operation.refresh(node);
            let wants_place = operation
                .tasks
                .get(&node)
                .is_some_and(|run| wants_place(&run.state, now));
            if wants_place && app.writes_in_flight() >= MAX_WRITES_IN_FLIGHT {
                operation.work.queue(position);
            }
        }
    }

    fn look_at_task(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        operation: &mut OperationRun,
        (node, position): (NodeIndex, usize),
        gate: &Gate,
    ) {
        let (action, phase) = (operation.plan.task(node).action, operation.plan.task(node).phase);
        let Some(run) = operation.tasks.get_mut(&node) else {
            return;
        };
        if action == TaskAction::Milestone {
            run.state = operation.work.milestone(position);
            return;
        }
        if !run.state.is_blocked() {
            return self.evolve(now, app, operation, node, gate);
        }
        let fails = operation.stage == Stage::Failing;
        // A failure stops everything that has not begun; what is under way ends.
        let is_stopped = !fails && (operation.work.has_failed() || operation.yields);
        let is_last_resort = phase == SyncPhase::SyncFail;
        let is_wanted = is_last_resort == fails || sabotage::is(Sabotage::AlwaysRunsSyncFail);
        let is_its_turn = operation.work.is_its_turn(position) && !is_stopped;
        let is_its_turn = is_its_turn || prunes_after_failure(operation, action);
        if is_wanted && is_its_turn && self.may_write(app) {
            self.launch(now, app, operation, node, gate);
            self.begin_waiting(now, app, operation, node);
        }
    }

    /// Begins a task whose turn has come.
    fn launch(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        operation: &mut OperationRun,
        node: NodeIndex,
        gate: &Gate,
    ) {
        match operation.plan.task(node).action {
            TaskAction::Apply | TaskAction::CreateNamespace => {
                self.launch_write(now, app, operation, node, gate);
                self.evolve(now, app, operation, node, gate);
            }
            TaskAction::Hook(_) => self.launch_hook(now, app, operation, node, gate),
            TaskAction::Prune => self.launch_prune(now, app, operation, node, gate),
            TaskAction::Milestone => {}
        }
    }

    /// Looks at a task that has begun.
    fn evolve(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        operation: &mut OperationRun,
        node: NodeIndex,
        gate: &Gate,
    ) {
        match operation.tasks.get(&node).map(|run| &run.state) {
            Some(TaskState::Write(_)) => self.evolve_write(now, app, operation, node, gate),
            Some(TaskState::Hook(_)) => self.evolve_hook(now, app, operation, node, gate),
            Some(TaskState::Prune(_)) => self.evolve_prune(now, app, operation, node, gate),
            Some(TaskState::Milestone { .. }) | None => {}
        }
    }

    /// Changes the state of a task, and says so.
    pub(in crate::engine) fn set(
        &mut self,
        now: Timestamp,
        app: &ApplicationState,
        operation: &mut OperationRun,
        node: NodeIndex,
        state: TaskState,
        message: impl Into<String>,
    ) {
        let message = message.into();
        let Some(run) = operation.tasks.get_mut(&node) else {
            return;
        };
        let (from, to) = (run.state.name(), state.name());
        run.attempts = state.attempts().unwrap_or(run.attempts);
        run.state = state;
        run.message.clone_from(&message);
        if from != to {
            run.since = now;
        }
        operation.work.note_change(operation.plan.task(node).action);
        operation.wake(node);
        if from == to {
            return;
        }
        let task = operation.plan.task(node);
        let machine = match task.action {
            TaskAction::Prune => "prune",
            TaskAction::Hook(_) => "hook",
            _ => "task",
        };
        let (key, cause) = (task.key.clone(), operation.cause.clone());
        self.note(now, app, Some(&key), machine, from, to, message, cause);
    }

    /// While the hooks of a failure run, what failed and what is waited for are both told.
    fn tell_failing(&self, operation: &mut OperationRun) {
        let failed = failed_message(operation);
        operation.message = also(&failed, &waiting_message(operation, true));
        operation.brief = also(&failed, &waiting_message(operation, false));
    }

    /// Is it over, or what does it wait for?
    fn conclude(&mut self, now: Timestamp, app: &mut ApplicationState, operation: &mut OperationRun) {
        if operation.work.has_failed() {
            if operation.is_active() {
                return self.tell_failing(operation);
            }
            let failed = failed_message(operation);
            operation.message.clone_from(&failed);
            operation.brief = failed;
            let to = if operation.work.has_last_resort() {
                Stage::Failing
            } else {
                Stage::Ended(OperationPhase::Failed)
            };
            return self.enter(now, app, operation, to);
        }
        if operation.work.is_done() {
            operation.message = "successfully synced".into();
            return self.enter(now, app, operation, Stage::Ended(OperationPhase::Succeeded));
        }
        operation.message = waiting_message(operation, true);
        operation.brief = waiting_message(operation, false);
    }
}

/// Broken on purpose: a failure does not stop what is to be deleted.
fn prunes_after_failure(operation: &OperationRun, action: TaskAction) -> bool {
    action == TaskAction::Prune && operation.work.has_failed() && sabotage::is(Sabotage::PrunesAfterFailure)
}

/// What an operation has failed by that is not over: what follows, or followed, is told behind it.
fn failure_so_far(operation: &OperationRun) -> String {
    let message = &operation.message;
    match operation.stage {
        Stage::BackingOff { .. } => before_attempt(message).to_owned(),
        _ if operation.work.has_failed() => failed_message(operation),
        // As an earlier process recorded it.
        _ if message.starts_with(FAILED) => before_attempt(message).to_owned(),
        _ => String::new(),
    }
}

/// Without the attempt that is not made.
fn before_attempt(message: &str) -> &str {
    message.rsplit_once("; attempt ").map_or(message, |(why, _)| why)
}

/// What failed, as far as a status holds it.
fn failed_message(operation: &OperationRun) -> String {
    let mut message = FAILED.to_owned();
    let mut failed = operation.work.failed().filter_map(|position| operation.at(position));
    let mut separator = "";
    for (_, task, run) in failed.by_ref() {
        let failure = run.state.failure().unwrap_or_default();
        message.push_str(&format!("{separator}{}: {failure}", task.key));
        separator = "; ";
        if message.len() > MESSAGE_LENGTH {
            break;
        }
    }
    if failed.next().is_some() {
        message.push_str("; and more");
    }
    message
}

/// A failure, and what is waited for all the same.
fn also(failed: &str, waiting: &str) -> String {
    match waiting {
        "" => failed.to_owned(),
        waiting => format!("{failed}; {waiting}"),
    }
}
