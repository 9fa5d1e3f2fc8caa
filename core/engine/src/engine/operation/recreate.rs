//! `Force=true`: an object that cannot be changed in place is deleted and created anew.

use capstan_model::{ResourceKey, Timestamp};
use petgraph::stable_graph::NodeIndex;
use serde_json::Value;

use super::write::{attempts, located, retry_at};
use super::{OperationRun, TaskRun};
use crate::effect::{EffectKind, Propagation};
use crate::engine::Engine;
use crate::engine::gate::Gate;
use crate::engine::grounds::{delete, of_operation};
use crate::engine::state::{ApplicationState, Existence, InFlight};
use crate::event::{Deletion, WriteError};
use crate::guard::{DeleteReason, DeleteRefusal, may_not_be_recreated};
use crate::machine::{TaskState, WriteTask, write_backoff};
use crate::plan::TaskAction;
use crate::policy::Verb;
use crate::sabotage::{self, Sabotage};

impl Engine {
    /// `Force=true`: an object that cannot be changed in place is deleted and made anew. What holds others, or data, only where its own
    /// annotation says so.
    pub(super) fn recreate(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        operation: &mut OperationRun,
        node: NodeIndex,
        refusal: &str,
    ) {
        let key = operation.plan.task(node).key.clone();
        let why = format!("it cannot be changed in place and is made anew (Force=true): {refusal}");
        let grounds = of_operation(app, operation, DeleteReason::Recreate, why.clone());
        let message = grounds.to_string();
        let uid = self.makes_anew(app, operation, node);
        let permit = uid.and_then(|uid| Some((self.identity_permit(app, &key, &uid, grounds)?, uid)));
        let by = self.authorize_of(app, operation, &key, Verb::Delete);
        let (Some((permit, uid)), Ok(by)) = (permit, by) else {
            let message = located(operation, node, refusal);
            let state = TaskState::Write(WriteTask::SyncFailed(message.clone()));
            return self.set(now, app, operation, node, state, message);
        };
        let effect = delete(app, permit, Propagation::Foreground);
        self.emit_as(app, by, effect, InFlight::Task(node));
        let state = WriteTask::Recreating { uid, why, look: None };
        self.set(now, app, operation, node, TaskState::Write(state), message);
    }

    /// The identity of the object that a task deletes to make it anew, should the server refuse to change it in place.
    pub(super) fn makes_anew(
        &self,
        app: &ApplicationState,
        operation: &OperationRun,
        node: NodeIndex,
    ) -> Option<String> {
        let task = operation.plan.task(node);
        let target = operation.targets.as_ref()?.objects().get(task.target?)?;
        let own = target.meta.sync_options.force == Some(true);
        let forced = own || operation.is_forced() && !may_not_be_recreated(&task.key);
        let live = self.cluster(app)?.node(&task.key)?;
        let is_ours = live.tracked_by() == Some(&app.id());
        (task.action == TaskAction::Apply && forced && is_ours).then(|| live.uid())
    }

    /// Makes it anew once it is gone, and looks at it where that is not known.
    pub(super) fn evolve_recreating(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        operation: &mut OperationRun,
        node: NodeIndex,
        (gate, uid, look): (&Gate, &str, Option<(u32, Timestamp)>),
    ) {
        let task = operation.plan.task(node);
        let is_gone = match self.cluster(app).map(|cluster| cluster.existence(&task.key)) {
            Some((_, Some(live))) => live.uid() != uid,
            Some((existence, None)) => existence == Existence::Missing,
            None => false,
        };
        let is_asked = app.is_in_flight(|what| matches!(what, InFlight::Task(other) if *other == node));
        if is_asked || !self.may_write(app) {
            return;
        }
        if is_gone {
            self.launch_write(now, app, operation, node, gate);
        } else if look.is_some_and(|(_, until)| until <= now) {
            let effect = EffectKind::Observe {
                cluster: app.application.spec.destination.cluster(),
                key: task.key.clone(),
                gvk: task.gvk.clone(),
            };
            self.emit(app, effect, InFlight::Task(node));
        }
    }

    /// The answer to the delete of an object that is made anew. Where it is not known what became of the delete, the object is looked at:
    /// nothing else tells whether it is to be made anew, to be deleted still, or another one already.
    pub(in crate::engine) fn recreating(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        node: NodeIndex,
        result: Result<Deletion, WriteError>,
    ) {
        let Some((mut operation, key, uid, why)) = self.recreation(app, node) else {
            return;
        };
        let failure = match result {
            Ok(Deletion::Gone) | Err(WriteError::NotFound(_)) => {
                let cluster = app.application.spec.destination.cluster();
                self.gone(&cluster, &key, &uid);
                None
            }
            Ok(Deletion::Accepted) => None,
            Ok(Deletion::Refused(DeleteRefusal::Replaced { .. })) => {
                self.look_soon(now, app, &mut operation, node, (uid, why), 0);
                None
            }
            Ok(Deletion::Refused(refusal)) => Some(refusal.to_string()),
            Err(error) => match retry_at(now, attempts(&operation, node) + 1, &error) {
                Some((looks, _)) if !sabotage::is(Sabotage::GivesUpHalfway) => {
                    self.look_soon(now, app, &mut operation, node, (uid, format!("{why} ({error})")), looks);
                    None
                }
                _ => Some(error.to_string()),
            },
        };
        if let Some(why) = failure {
            let text = format!("it could not be deleted to be made anew: {why}");
            let message = located(&operation, node, &text);
            let state = TaskState::Write(WriteTask::SyncFailed(message.clone()));
            self.set(now, app, &mut operation, node, state, message);
        }
        app.operation = Some(operation);
    }

    /// The answer to a look at it.
    pub(in crate::engine) fn recreating_looked_at(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        node: NodeIndex,
        result: Result<Option<Box<Value>>, WriteError>,
    ) {
        let Some((mut operation, key, uid, why)) = self.recreation(app, node) else {
            return;
        };
        let cluster = app.application.spec.destination.cluster();
        match result {
            Ok(None) => self.gone(&cluster, &key, &uid),
            Ok(Some(object)) => {
                self.observed(&cluster, &object);
                let node_of = self.cluster(app).and_then(|cluster| cluster.node(&key));
                let is_as_it_was = node_of.is_some_and(|live| live.uid() == uid && !live.is_deleting());
                let looks = attempts(&operation, node);
                let state = match is_as_it_was {
                    // The delete did not happen: from the beginning.
                    true => WriteTask::BackingOff {
                        attempts: looks,
                        until: now + write_backoff(looks),
                        why,
                    },
                    false => WriteTask::Recreating { uid, why, look: None },
                };
                self.set(now, app, &mut operation, node, TaskState::Write(state), "");
            }
            Err(_) => {
                let looks = attempts(&operation, node) + 1;
                self.look_soon(now, app, &mut operation, node, (uid, why), looks);
            }
        }
        app.operation = Some(operation);
    }

    /// The operation is being stopped, and what was deleted to be made anew would be missing: it is finished, until its own deadline. Gives
    /// whether there is any.
    pub(super) fn finish_recreating(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        operation: &mut OperationRun,
        gate: &Gate,
    ) -> bool {
        let active = operation.work.active().filter_map(|position| operation.at(position));
        let is_halfway = |run: &TaskRun| {
            let is_due = run.until.is_none_or(|until| now < until);
            is_due && matches!(run.state, TaskState::Write(WriteTask::Recreating { .. }))
        };
        let halfway = active.filter(|(_, _, run)| is_halfway(run)).map(|(node, ..)| node);
        let halfway: Vec<NodeIndex> = halfway.collect();
        for &node in &halfway {
            self.evolve_write(now, app, operation, node, gate);
            operation.refresh(node);
        }
        let mut runs = halfway.iter().filter_map(|node| operation.tasks.get(node));
        runs.any(is_halfway)
    }

    /// The operation, and what of it is being made anew.
    fn recreation(
        &self,
        app: &mut ApplicationState,
        node: NodeIndex,
    ) -> Option<(OperationRun, ResourceKey, String, String)> {
        let state = &app.operation.as_ref()?.tasks.get(&node)?.state;
        let TaskState::Write(WriteTask::Recreating { uid, why, .. }) = state else {
            return None;
        };
        let (uid, why) = (uid.clone(), why.clone());
        let operation = app.operation.take()?;
        let key = operation.plan.task(node).key.clone();
        Some((operation, key, uid, why))
    }

    fn look_soon(
        &mut self,
        now: Timestamp,
        app: &ApplicationState,
        operation: &mut OperationRun,
        node: NodeIndex,
        (uid, why): (String, String),
        looks: u32,
    ) {
        let until = if looks == 0 { now } else { now + write_backoff(looks) };
        let message = why.clone();
        let look = Some((looks, until));
        let state = WriteTask::Recreating { uid, why, look };
        self.set(now, app, operation, node, TaskState::Write(state), message);
    }
}
