//! Moving an operation on, as far as it goes without anything happening.

use std::collections::BTreeMap;

use capstan_model::{OperationPhase, SyncPhase, Timestamp};
use petgraph::stable_graph::NodeIndex;

use super::{OperationRun, Stage};
use crate::effect::Freshness;
use crate::engine::Engine;
use crate::engine::gate::Gate;
use crate::engine::state::ApplicationState;
use crate::limits::NAMED_IN_MESSAGE;
use crate::machine::{HookTask, TaskState, WriteTask};
use crate::plan::{HealthGate, TaskAction};
use crate::sabotage::{self, Sabotage};
use crate::settings::Guards;

impl Engine {
    pub(super) fn advance(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        operation: &mut OperationRun,
        gate: &Gate,
    ) {
        // Of what an earlier process began, the hooks that run must be known before they can be stopped.
        if !operation.has_unknown_hooks() {
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
            self.rehearse(now, app, operation);
        }
        if operation.stage == Stage::Running {
            self.expire_tasks(now, app, operation);
            self.run_tasks(now, app, operation, gate);
            self.conclude(now, app, operation);
        }
        if operation.stage == Stage::Failing {
            self.expire_tasks(now, app, operation);
            self.run_tasks(now, app, operation, gate);
            self.tell_failing(operation);
            // Its hooks have not run yet while it is paused.
            if !operation.is_active() && !app.is_paused {
                self.enter(now, app, operation, Stage::Ended(OperationPhase::Failed));
            }
        }
        if let Stage::Terminating { by } = &operation.stage {
            let by = by.clone();
            if sabotage::is(Sabotage::WritesAfterStop) {
                self.run_tasks(now, app, operation, gate);
            }
            self.terminate(now, app, operation, &by);
        }
    }

    /// Begins another attempt when its time has come.
    fn next_attempt(&mut self, now: Timestamp, app: &mut ApplicationState, operation: &mut OperationRun) {
        if let Stage::BackingOff { until } = operation.stage
            && until <= now
            && self.may_write(app)
        {
            operation.begin_attempt();
            if operation.retry(&app.application.spec).refresh {
                // What the branch is now, not what it was.
                operation.revisions.clear();
                operation.targets = None;
                if let Some(sync) = &mut operation.operation.sync {
                    sync.revision.clear();
                    sync.revisions.clear();
                }
                app.want_refresh(Freshness::Remote, false);
            }
            self.enter(now, app, operation, Stage::Planning);
        }
    }

    fn take_termination(&mut self, now: Timestamp, app: &mut ApplicationState, operation: &mut OperationRun) {
        if let Some(by) = app.terminate_by.take()
            && !matches!(operation.stage, Stage::Ended(_))
        {
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
            let message = match &to {
                Stage::Terminating { by } => format!("terminated by {by}"),
                _ => operation.message.clone(),
            };
            self.note(now, app, None, "operation", from, to.name(), message, cause);
        }
        operation.stage = to;
    }

    /// One pass over the tasks in an order in which each comes after what it waits for, so that one pass is enough.
    fn run_tasks(&mut self, now: Timestamp, app: &mut ApplicationState, operation: &mut OperationRun, gate: &Gate) {
        let order = operation.plan.order().to_vec();
        let fails = operation.stage == Stage::Failing;
        // A failure stops everything that has not begun; what is under way ends.
        let mut is_stopped = !fails && operation.tasks.values().any(|task| task.state.failure().is_some());
        let mut passed: BTreeMap<NodeIndex, (bool, bool)> = BTreeMap::new();
        for node in order {
            let action = operation.plan.task(node).action;
            let is_last_resort = operation.plan.task(node).phase == SyncPhase::SyncFail;
            let Some(run) = operation.tasks.get(&node) else {
                continue;
            };
            let is_blocked = run.state.is_blocked();
            if action == TaskAction::Milestone {
                let of = |settled: bool| {
                    operation.plan.dependencies(node).all(|(before, _)| {
                        passed
                            .get(&before)
                            .is_some_and(|(is_applied, is_settled)| if settled { *is_settled } else { *is_applied })
                    })
                };
                let (applied, settled) = (of(false), of(true));
                if let Some(run) = operation.tasks.get_mut(&node) {
                    run.state = TaskState::Milestone { applied, settled };
                }
            } else if !is_blocked {
                self.evolve(now, app, operation, node, gate);
            } else if (is_last_resort == fails || sabotage::is(Sabotage::AlwaysRunsSyncFail)) && !is_stopped {
                let is_ready = operation.plan.dependencies(node).all(|(before, why)| {
                    passed.get(&before).is_some_and(
                        |(is_applied, is_settled)| if why.needs_settled() { *is_settled } else { *is_applied },
                    )
                });
                if is_ready && self.may_write(app) {
                    self.launch(now, app, operation, node, gate);
                    self.begin_waiting(now, app, operation, node);
                }
            }
            if let Some(run) = operation.tasks.get(&node) {
                is_stopped |= !fails && run.state.failure().is_some();
                passed.insert(node, (run.state.is_applied(), run.state.is_settled()));
            }
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
    pub(super) fn set(
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
        if from == to {
            return;
        }
        run.since = now;
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
        let failures: Vec<String> = operation
            .plan
            .tasks()
            .filter_map(|(node, task)| {
                let failure = operation.tasks.get(&node)?.state.failure()?;
                Some(format!("{}: {failure}", task.key))
            })
            .collect();
        let failed = format!("one or more tasks failed: {}", failures.join("; "));
        operation.message = also(&failed, &waiting_message(operation, true));
        operation.brief = also(&failed, &waiting_message(operation, false));
    }

    /// Is it over, or what does it wait for?
    fn conclude(&mut self, now: Timestamp, app: &mut ApplicationState, operation: &mut OperationRun) {
        let failures: Vec<String> = operation
            .plan
            .tasks()
            .filter_map(|(node, task)| {
                let failure = operation.tasks.get(&node)?.state.failure()?;
                Some(format!("{}: {failure}", task.key))
            })
            .collect();
        if !failures.is_empty() {
            let failed = format!("one or more tasks failed: {}", failures.join("; "));
            if operation.is_active() {
                operation.message = also(&failed, &waiting_message(operation, true));
                operation.brief = also(&failed, &waiting_message(operation, false));
                return;
            }
            operation.message.clone_from(&failed);
            operation.brief = failed;
            let has_hooks = operation
                .plan
                .tasks()
                .any(|(_, task)| task.phase == SyncPhase::SyncFail);
            let to = if has_hooks {
                Stage::Failing
            } else {
                Stage::Ended(OperationPhase::Failed)
            };
            return self.enter(now, app, operation, to);
        }
        let gate = operation.plan.health_gate();
        let is_done = operation
            .plan
            .tasks()
            .filter(|(_, task)| task.phase != SyncPhase::SyncFail)
            .all(|(node, _)| {
                operation.tasks.get(&node).is_some_and(|run| match gate {
                    HealthGate::Wait => run.state.is_settled(),
                    HealthGate::Skip => {
                        run.state.is_settled()
                            || matches!(run.state, TaskState::Write(WriteTask::AwaitingHealth { .. }))
                    }
                })
            });
        if is_done {
            operation.message = "successfully synced".into();
            return self.enter(now, app, operation, Stage::Ended(OperationPhase::Succeeded));
        }
        operation.message = waiting_message(operation, true);
        operation.brief = waiting_message(operation, false);
    }
}

/// A failure, and what is waited for all the same.
fn also(failed: &str, waiting: &str) -> String {
    match waiting {
        "" => failed.to_owned(),
        waiting => format!("{failed}; {waiting}"),
    }
}

/// What an operation waits for, why, since when and until when. How far a rollout is changes with every pod: the brief message leaves that out.
fn waiting_message(operation: &OperationRun, with_progress: bool) -> String {
    let waiting: Vec<(String, &super::TaskRun)> = operation
        .plan
        .tasks()
        .filter_map(|(node, task)| {
            let run = operation.tasks.get(&node)?;
            if run.state.is_blocked() && run.message.is_empty() || run.state.is_settled() {
                return None;
            }
            let what = match &run.state {
                TaskState::Write(WriteTask::AwaitingHealth { .. }) => "healthy state of",
                TaskState::Write(_) => "write of",
                TaskState::Hook(
                    HookTask::Releasing { .. }
                    | HookTask::DeletingPrevious { .. }
                    | HookTask::PreviousFinalizing { .. },
                ) => "deletion of the earlier hook",
                TaskState::Hook(_) => "completion of hook",
                TaskState::Prune(crate::machine::PruneTask::AwaitingConfirmation) => "confirmation to prune",
                TaskState::Prune(_) => "deletion of",
                TaskState::Milestone { .. } => return None,
            };
            Some((format!("{what} {}", task.key), run))
        })
        .collect();
    let Some((first, run)) = waiting.first() else {
        return String::new();
    };
    let why = run.message.as_str();
    let is_told = !why.is_empty() && (with_progress || why.starts_with("Degraded"));
    let why = if is_told { format!(" ({why})") } else { String::new() };
    let times = match (run.begun, run.until) {
        (Some(since), Some(until)) => format!(", since {since}, until {until}"),
        _ => String::new(),
    };
    match waiting.len() - NAMED_IN_MESSAGE {
        0 => format!("waiting for {first}{why}{times}"),
        more => format!("waiting for {first}{why}{times}, and for {more} more"),
    }
}
