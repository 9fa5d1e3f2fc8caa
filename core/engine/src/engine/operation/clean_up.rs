//! Deleting hooks: those whose policy says so when the operation has ended, and those that run when it is told to stop.
//!
//! **Invariants.**
//! - An operation has not ended before its hooks are cleaned up, as long as the cluster can be written to. So a process that comes after a
//!   crash cleans up what is left, and a hook does not go on in an operation that is said to be terminated.
//! - A hook is deleted only when the status says how it ended, or that the operation is being terminated: it would be run again after a crash.
//! - A request that failed in passing is made again, some times. What cannot be deleted is left, and said to be: its next run deletes it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use capstan_model::{HookDeletePolicy, OperationPhase, ResourceKey, ResourceResult, ResultCode, Timestamp};
use petgraph::stable_graph::NodeIndex;

use super::prune::hook_propagation;
use super::record::closed;
use super::write::retry_at;
use super::{OperationRun, Stage};
use crate::engine::Engine;
use crate::engine::gate::Gate;
use crate::engine::grounds::{delete, of_operation};
use crate::engine::state::{ApplicationState, InFlight};
use crate::event::{Deletion, WriteError};
use crate::guard::{DeleteReason, stays_between_runs};
use crate::machine::{HookTask, TaskState};
use crate::settings::Guards;

/// Requests to delete a hook before it is left where it is.
const ATTEMPTS: u32 = 6;
/// So long a delete waits until it can be asked for.
const PATIENCE: Duration = Duration::from_mins(10);
const TERMINATED: &str = "terminated";
const DELETION: &str = "the deletion of the Application";
const STOPS: &str = "the operation is being terminated";

/// The hooks that are to be deleted before the operation ends.
#[derive(Debug, Default)]
pub(crate) struct CleanUp {
    left: BTreeMap<ResourceKey, Left>,
    /// Objects whose delete was accepted.
    going: BTreeSet<String>,
    /// What deletes wait for that were not asked for yet.
    waits: BTreeMap<ResourceKey, String>,
    /// Since when it is known which hooks there are, or waited for that.
    since: Option<Timestamp>,
    /// Those whose policy says so were taken in.
    has_begun: bool,
}

#[derive(Debug)]
struct Left {
    uid: String,
    /// Why it goes.
    why: String,
    since: Timestamp,
    attempts: u32,
    /// When the request is made again, and why it failed.
    again: Option<(Timestamp, String)>,
}

impl CleanUp {
    /// When a request is made again, or is given up.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        let due = |left: &Left| left.again.as_ref().map_or(left.since + PATIENCE, |(at, _)| *at);
        let known = self.since.map(|since| since + PATIENCE);
        self.left.values().map(due).chain(known).min()
    }

    fn insert(&mut self, now: Timestamp, key: ResourceKey, uid: String, why: String) {
        if self.going.contains(&uid) {
            return;
        }
        self.left.entry(key).or_insert(Left {
            uid,
            why,
            since: now,
            attempts: 0,
            again: None,
        });
    }

    /// What is waited for.
    fn message(&self) -> Option<String> {
        let (key, left, why, then) = self.left.iter().find_map(|(key, left)| {
            let (why, then) = match (&left.again, self.waits.get(key)) {
                (Some((at, why)), _) => (why, format!("tried again at {at}")),
                (None, why) => (why?, format!("until {}", left.since + PATIENCE)),
            };
            Some((key, left, why, then))
        })?;
        Some(format!(
            "waiting for deletion of hook {key} ({why}), since {}, {then}",
            left.since
        ))
    }
}

impl OperationRun {
    /// Is it at its end but for hooks to be deleted? Then it is looked at again whether that is done.
    pub(crate) fn is_cleaned_up_again(&mut self) -> bool {
        let Stage::CleaningUp(phase) = self.stage else {
            return false;
        };
        self.stage = Stage::Ended(phase);
        true
    }
}

impl Engine {
    /// Deletes hooks whose policy says so now that it is known how the operation ended. Gives whether nothing is left of that.
    pub(super) fn clean_up_hooks(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        operation: &mut OperationRun,
        phase: OperationPhase,
    ) -> bool {
        if !self.may_write(app) {
            return true;
        }
        if !std::mem::replace(&mut operation.clean_up.has_begun, true) {
            let policy = match phase {
                OperationPhase::Succeeded => HookDeletePolicy::HookSucceeded,
                _ => HookDeletePolicy::HookFailed,
            };
            // What is in the way of a hook is none of its runs; nor is what holds others, or data, and could not be written over.
            let runs = finished(operation, policy).into_iter();
            let runs = runs.filter(|key| !self.is_ordinary(app, key));
            let runs: Vec<ResourceKey> = runs
                .filter(|key| !stays_between_runs(key) || self.is_of_attempt(app, operation, key))
                .collect();
            for key in runs {
                let node = self.cluster(app).and_then(|cluster| cluster.node(&key));
                if let Some(uid) = node.map(capstan_live::Node::uid) {
                    let why = format!("hook-delete-policy {policy:?}");
                    operation.clean_up.insert(now, key, uid, why);
                }
            }
        }
        self.go_on_cleaning(now, app, operation)
    }

    /// Was what is live written by this attempt, in whichever phase?
    fn is_of_attempt(&self, app: &ApplicationState, operation: &OperationRun, key: &ResourceKey) -> bool {
        let node = self.cluster(app).and_then(|cluster| cluster.node(key));
        let Some(by) = node.and_then(capstan_live::Node::operation) else {
            return false;
        };
        let mut tasks = operation.plan.tasks().filter(|(_, task)| task.key == *key);
        tasks.any(|(_, task)| operation.hook_identity(&app.application.metadata.uid, task.phase) == by)
    }

    /// Asks for the deletes that are due. Gives whether none is left.
    fn go_on_cleaning(&mut self, now: Timestamp, app: &mut ApplicationState, operation: &mut OperationRun) -> bool {
        let is_due = |left: &Left| left.again.as_ref().is_none_or(|(at, _)| *at <= now);
        let due = operation.clean_up.left.iter().filter(|(_, left)| is_due(left));
        let due: Vec<ResourceKey> = due.map(|(key, _)| key.clone()).collect();
        for key in due {
            if app.is_in_flight(|what| matches!(what, InFlight::Cleanup(other) if *other == key)) {
                continue;
            }
            let until = operation.clean_up.left.get(&key).map(|left| left.since + PATIENCE);
            let why = self.waits_to_be_deleted(app, operation, &key);
            match why {
                Some(why) if until.is_some_and(|until| until <= now) => {
                    self.leave_hook(now, app, operation, &key, &why);
                    continue;
                }
                Some(why) => {
                    operation.clean_up.waits.insert(key, why);
                    continue;
                }
                None => drop(operation.clean_up.waits.remove(&key)),
            }
            if let Err(why) = self.clean_up_hook(now, app, operation, &key) {
                self.leave_hook(now, app, operation, &key, &why);
            }
        }
        if let Some(message) = operation.clean_up.message() {
            operation.brief = message;
        }
        operation.clean_up.left.is_empty()
    }

    /// What a delete waits for.
    fn waits_to_be_deleted(
        &self,
        app: &ApplicationState,
        operation: &mut OperationRun,
        key: &ResourceKey,
    ) -> Option<String> {
        let cluster = self.cluster(app)?;
        let kind = key.group_kind();
        // Whose it is, is known only of what is listed.
        if !cluster.live.is_complete(&kind) {
            return Some(format!("waiting for the list of {kind}"));
        }
        // A process that came after this one would run it again.
        let is_unrecorded = self.is_unrecorded(app, operation, key);
        operation.awaits_record |= is_unrecorded;
        is_unrecorded.then(|| "waiting until the status says so".to_owned())
    }

    /// Asks for the delete of one hook. Or why it may not be deleted.
    fn clean_up_hook(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        operation: &mut OperationRun,
        key: &ResourceKey,
    ) -> Result<(), String> {
        let Some(left) = operation.clean_up.left.get_mut(key) else {
            return Ok(());
        };
        (left.attempts, left.again) = (left.attempts + 1, None);
        let (uid, why, is_first) = (left.uid.clone(), left.why.clone(), left.attempts == 1);
        let node = self.cluster(app).and_then(|cluster| cluster.node(key));
        if node.is_none_or(|node| node.uid() != uid) {
            // It is gone already.
            operation.clean_up.left.remove(key);
            self.stopped(now, app, operation, key, TERMINATED);
            return Ok(());
        }
        let grounds = of_operation(app, operation, DeleteReason::Hook, why);
        let (message, cause) = (grounds.to_string(), operation.cause.clone());
        let permit = self.identity_permit(app, key, &uid, grounds);
        let permit = permit.ok_or("it is not tracked by this application any more")?;
        let by = self.authorize_stop(app, operation, key)?;
        if is_first {
            self.note(now, app, Some(key), "hook", "", "Deleting", message, cause);
        }
        let effect = delete(app, permit, hook_propagation(&operation.options(&app.application.spec)));
        self.emit_as(app, by, effect, InFlight::Cleanup(key.clone()));
        Ok(())
    }

    /// It cannot be deleted, and stays.
    fn leave_hook(
        &mut self,
        now: Timestamp,
        app: &ApplicationState,
        operation: &mut OperationRun,
        key: &ResourceKey,
        why: &str,
    ) {
        operation.clean_up.left.remove(key);
        operation.clean_up.waits.remove(key);
        let (message, cause) = (format!("it could not be deleted: {why}"), operation.cause.clone());
        self.note(now, app, Some(key), "hook", "Deleting", "Left", message.clone(), cause);
        self.stopped(now, app, operation, key, &format!("{TERMINATED}; {message}"));
    }

    /// The answer to the delete of a hook.
    pub(in crate::engine) fn hook_cleaned_up(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        key: &ResourceKey,
        result: Result<Deletion, WriteError>,
    ) {
        let Some(mut operation) = app.operation.take() else {
            return;
        };
        if let Some(left) = operation.clean_up.left.get_mut(key) {
            let failure = match result {
                Ok(Deletion::Gone | Deletion::Accepted) | Err(WriteError::NotFound(_)) => None,
                Ok(Deletion::Refused(refusal)) => Some((None, refusal.to_string())),
                Err(error) => {
                    let again = retry_at(now, left.attempts, &error).map(|(_, at)| at);
                    Some((again.filter(|_| left.attempts < ATTEMPTS), error.to_string()))
                }
            };
            match failure {
                Some((Some(at), why)) => left.again = Some((at, why)),
                Some((None, why)) => self.leave_hook(now, app, &mut operation, key, &why),
                None => {
                    let uid = left.uid.clone();
                    operation.clean_up.left.remove(key);
                    operation.clean_up.going.insert(uid);
                    self.stopped(now, app, &mut operation, key, TERMINATED);
                }
            }
        }
        app.operation = Some(operation);
    }

    /// A hook of an operation that is told to stop was stopped, or could not be.
    fn stopped(
        &mut self,
        now: Timestamp,
        app: &ApplicationState,
        operation: &mut OperationRun,
        key: &ResourceKey,
        message: &str,
    ) {
        let is_stopping = matches!(operation.stage, Stage::Terminating { .. });
        let running = self.running_hooks(app, operation);
        let of_key = running
            .iter()
            .filter(|(node, _)| operation.plan.task(*node).key == *key);
        let nodes: Vec<NodeIndex> = of_key.map(|(node, _)| *node).filter(|_| is_stopping).collect();
        for node in nodes {
            let state = TaskState::Hook(HookTask::Failed(message.to_owned()));
            self.set(now, app, operation, node, state, message);
        }
    }

    /// Hooks that run, those included that an earlier process created and that this one has not looked at yet.
    fn running_hooks(&self, app: &ApplicationState, operation: &OperationRun) -> Vec<(NodeIndex, String)> {
        let may_run = operation.maybe_created.iter().copied();
        let active = operation
            .work
            .active()
            .filter_map(|position| Some(operation.at(position)?.0));
        let nodes: BTreeSet<NodeIndex> = active.chain(may_run).collect();
        let running = nodes.into_iter().filter_map(|node| {
            match operation.tasks.get(&node).map(|run| &run.state) {
                Some(TaskState::Hook(HookTask::Running { uid })) => return Some((node, uid.clone())),
                Some(TaskState::Hook(HookTask::Succeeded | HookTask::Failed(_))) => return None,
                _ => {}
            }
            let task = operation.plan.task(node);
            let live = self.cluster(app)?.node(&task.key)?;
            let identity = operation.hook_identity(&app.application.metadata.uid, task.phase);
            let is_found = operation.maybe_created.contains(&node) && live.operation() == Some(&identity);
            is_found.then(|| (node, live.uid()))
        });
        running.collect()
    }

    /// A hook of which it is not known whether it was created is looked at as long as that may tell.
    fn look_before_the_end(&mut self, now: Timestamp, app: &mut ApplicationState, operation: &mut OperationRun) {
        for node in operation.unlooked.clone() {
            let run = operation.tasks.get(&node);
            let is_over = run.and_then(|run| run.until).is_none_or(|until| until <= now);
            let is_due = run.and_then(|run| run.state.deadline()).is_none_or(|at| at <= now);
            if is_over || is_due {
                operation.unlooked.remove(&node);
            }
            if is_due && !is_over {
                self.look_at_created(now, app, operation, node);
            }
        }
    }

    /// Takes in the hooks that an earlier process recorded and that run, where no plan names them yet. Gives whether all are known.
    fn take_recorded(&self, now: Timestamp, app: &ApplicationState, operation: &mut OperationRun) -> bool {
        let (Some(cluster), uid) = (self.cluster(app), &app.application.metadata.uid) else {
            return true;
        };
        let mut is_known = true;
        for row in operation.restored.iter().filter(|row| may_run(row)) {
            let key = ResourceKey::new(&row.group, &row.kind, &row.namespace, &row.name);
            is_known &= cluster.live.is_complete(&key.group_kind());
            let identity = row.sync_phase.map(|phase| operation.hook_identity(uid, phase));
            let live = cluster
                .node(&key)
                .filter(|live| live.operation() == identity.as_deref());
            if let Some(live) = live.filter(|_| identity.is_some()) {
                operation.clean_up.insert(now, key, live.uid(), STOPS.to_owned());
            }
        }
        let since = *operation.clean_up.since.get_or_insert(now);
        is_known || since + PATIENCE <= now
    }

    /// Stops: running hooks are deleted, objects stay as they are, and no further attempt is made. What is being made anew is made anew.
    pub(super) fn terminate(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        operation: &mut OperationRun,
        by: &str,
        gate: &Gate,
    ) {
        for (node, uid) in self.running_hooks(app, operation) {
            let key = operation.plan.task(node).key.clone();
            operation.clean_up.insert(now, key, uid, STOPS.to_owned());
        }
        let is_known = self.take_recorded(now, app, operation);
        self.look_before_the_end(now, app, operation);
        let is_clean = self.go_on_cleaning(now, app, operation) && operation.unlooked.is_empty() && is_known;
        // What goes with its Application is not made anew for that.
        let goes = app.application.metadata.deletion_timestamp.is_some() && app.application.cascades();
        let is_halfway = !goes && self.finish_recreating(now, app, operation, gate);
        if !is_clean || is_halfway || app.in_flight.has_tasks() {
            return;
        }
        for row in operation.restored.iter_mut().filter(|row| may_run(row)) {
            (row.status, row.hook_phase) = (Some(ResultCode::SyncFailed), Some(OperationPhase::Failed));
            TERMINATED.clone_into(&mut row.message);
        }
        operation.is_final = true;
        operation.message = match by {
            "" => "operation terminated".to_owned(),
            by => format!("operation terminated by {by}"),
        };
        if !operation.stopped_in.is_empty() {
            operation
                .message
                .push_str(&format!("; before: {}", operation.stopped_in));
        }
        self.enter(now, app, operation, Stage::Ended(OperationPhase::Failed));
    }
}

impl Engine {
    /// The Application is being deleted: the operation is stopped as at a person's word, before anything else of the deletion. Gives what that
    /// waits for, as long as it is not over.
    pub(in crate::engine) fn stop_for_deletion(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        gate: &Gate,
    ) -> Option<String> {
        // What was at its end may want another attempt: that is stopped in its turn.
        for _ in 0..2 {
            let mut operation = app.operation.take()?;
            if self.settings.guards == Guards::Argo {
                let mut ended = operation.record(Some(now));
                ended.phase = OperationPhase::Failed;
                ended.message = format!("operation terminated by {DELETION}");
                let rows = ended.sync_result.iter_mut().flat_map(|result| &mut result.resources);
                rows.for_each(|row| *row = closed(row.clone()));
                app.remember(ended);
                return None;
            }
            if !matches!(operation.stage, Stage::Terminating { .. }) {
                app.terminate_by = Some(DELETION.to_owned());
            }
            self.advance(now, app, &mut operation, gate);
            if operation.ended().is_none() {
                app.operation = Some(operation);
                break;
            }
            self.finish(now, app, operation);
        }
        let operation = app.operation.as_ref()?;
        let what = match &operation.clean_up.message() {
            Some(message) => format!(": {message}"),
            None => String::new(),
        };
        Some(format!("the sync that runs is stopped first{what}"))
    }
}

/// Is it of a hook of which an earlier process did not know how it ended?
pub(super) fn may_run(row: &ResourceResult) -> bool {
    row.hook_type.is_some() && row.hook_phase.is_none_or(|phase| !phase.is_completed())
}

/// Hooks that ended, and that this policy deletes.
fn finished(operation: &OperationRun, policy: HookDeletePolicy) -> Vec<ResourceKey> {
    let finished = operation.plan.tasks().filter(|(node, task)| {
        let state = operation.tasks.get(node).map(|run| &run.state);
        let has_ended = matches!(state, Some(TaskState::Hook(HookTask::Succeeded | HookTask::Failed(_))));
        let targets = operation.targets.as_ref();
        let target = task.target.and_then(|index| targets?.objects().get(index));
        has_ended && target.is_some_and(|target| target.meta.hook_delete_policies.contains(&policy))
    });
    finished.map(|(_, task)| task.key.clone()).collect()
}
