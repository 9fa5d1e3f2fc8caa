//! What an earlier run of a hook left in its place: it is let go, deleted and waited for, or written over.
//!
//! **Invariants.** Only what this application tracks is touched, by its identity; and what holds others' objects, or data, is no run that could be
//! made anew: it is written as it is declared, and stays.

use capstan_live::Node;
use capstan_model::{AppProject, ResourceKey, Timestamp};
use petgraph::stable_graph::NodeIndex;

use super::OperationRun;
use super::prune::hook_propagation;
use crate::effect::{ApplyMode, EffectKind};
use crate::engine::Engine;
use crate::engine::grounds::{delete, of_operation};
use crate::engine::state::{ApplicationState, InFlight};
use crate::event::{Deletion, WriteError};
use crate::guard::{DeletePermit, DeleteReason, stays_between_runs};
use crate::machine::{HookTask, TaskState};
use crate::plan::foreign_hook;
use crate::policy::{Authorized, Verb};

impl Engine {
    /// An object of its name is there that this attempt did not make: its identity, whether it is on its way out, and whether a finalizer holds it.
    pub(super) fn make_room(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        operation: &mut OperationRun,
        node: NodeIndex,
        (project, by): (&AppProject, Authorized),
        (uid, is_deleting, is_held): (String, bool, bool),
    ) {
        let key = operation.plan.task(node).key.clone();
        match () {
            () if !is_deleting && self.is_ordinary(app, &key) => {
                self.replace_ordinary(now, app, operation, node, (project, uid));
            }
            () if is_held => self.release_previous(now, app, operation, node, (uid, by)),
            () if is_deleting => self.set_hook(now, app, operation, node, HookTask::PreviousFinalizing { uid }),
            () => self.delete_previous(now, app, operation, node, uid),
        }
    }

    /// An earlier run that is held by the hook finalizer: nobody else would take it off.
    fn release_previous(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        operation: &mut OperationRun,
        node: NodeIndex,
        (uid, by): (String, Authorized),
    ) {
        let task = operation.plan.task(node).clone();
        if self.previous_permit(app, operation, &task.key, &uid).is_none() {
            return self.delete_previous(now, app, operation, node, uid);
        }
        let cluster = app.application.spec.destination.cluster();
        let effect = EffectKind::let_go(cluster, task.key, task.gvk, uid.clone());
        self.emit_as(app, by, effect, InFlight::Task(node));
        self.set_hook(now, app, operation, node, HookTask::Releasing { uid });
    }

    /// The answer to taking the finalizer off an earlier run.
    pub(in crate::engine) fn previous_released(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        node: NodeIndex,
        result: Result<String, WriteError>,
    ) {
        let Some(mut operation) = app.operation.take() else {
            return;
        };
        let uid = match operation.tasks.get(&node).map(|run| &run.state) {
            Some(TaskState::Hook(HookTask::Releasing { uid })) => uid.clone(),
            _ => String::new(),
        };
        let key = operation.plan.task(node).key.clone();
        let is_going = self
            .cluster(app)
            .and_then(|cluster| cluster.node(&key))
            .is_none_or(Node::is_deleting);
        match result {
            Err(WriteError::NotFound(_)) => {
                let cluster = app.application.spec.destination.cluster();
                self.gone(&cluster, &key, &uid);
                self.set_hook(now, app, &mut operation, node, HookTask::PreviousFinalizing { uid });
            }
            Ok(_) if is_going => self.set_hook(now, app, &mut operation, node, HookTask::PreviousFinalizing { uid }),
            Ok(_) => self.set_hook(now, app, &mut operation, node, HookTask::Released { uid }),
            Err(error) => self.hook_put_off(now, app, &mut operation, node, &error),
        }
        app.operation = Some(operation);
    }

    /// An object of its name that this attempt did not make: an earlier run of it.
    pub(super) fn delete_previous(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        operation: &mut OperationRun,
        node: NodeIndex,
        uid: String,
    ) {
        let key = operation.plan.task(node).key.clone();
        if stays_between_runs(&key) {
            return self.write_over(now, app, operation, node, &uid);
        }
        let by = match self.authorize_of(app, operation, &key, Verb::Delete) {
            Ok(by) => by,
            Err(why) => return self.set_hook(now, app, operation, node, HookTask::Failed(why)),
        };
        match self.previous_permit(app, operation, &key, &uid) {
            Some(permit) => {
                let (state, why) = (HookTask::DeletingPrevious { uid }, permit.grounds().to_string());
                let effect = delete(app, permit, hook_propagation(&operation.options(&app.application.spec)));
                self.emit_as(app, by, effect, InFlight::Task(node));
                self.set(now, app, operation, node, TaskState::Hook(state), why);
            }
            None => {
                self.set_hook(now, app, operation, node, HookTask::Failed(foreign_hook(&key)));
            }
        }
    }

    /// What holds others, or data, is no run that could be made anew: the one that is there is written as it is declared, and is this run then.
    fn write_over(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        operation: &mut OperationRun,
        node: NodeIndex,
        uid: &str,
    ) {
        let task = operation.plan.task(node).clone();
        if self.previous_permit(app, operation, &task.key, uid).is_none() {
            return self.set_hook(now, app, operation, node, HookTask::Failed(foreign_hook(&task.key)));
        }
        let by = match self.authorize_of(app, operation, &task.key, Verb::Apply) {
            Ok(by) => by,
            Err(why) => return self.set_hook(now, app, operation, node, HookTask::Failed(why)),
        };
        let identity = operation.hook_identity(&app.application.metadata.uid, task.phase);
        self.create_hook(
            now,
            app,
            operation,
            node,
            (&identity, by),
            ApplyMode::ServerSide { force: true },
        );
    }

    fn previous_permit(
        &self,
        app: &ApplicationState,
        operation: &OperationRun,
        key: &ResourceKey,
        uid: &str,
    ) -> Option<Box<DeletePermit>> {
        let decision = "an earlier run of the hook is in its way".to_owned();
        let grounds = of_operation(app, operation, DeleteReason::Hook, decision);
        self.identity_permit(app, key, uid, grounds)
    }

    /// The answer to the delete of an earlier run.
    pub(in crate::engine) fn previous_deleted(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        node: NodeIndex,
        result: Result<Deletion, WriteError>,
    ) {
        let Some(mut operation) = app.operation.take() else {
            return;
        };
        let key = operation.plan.task(node).key.clone();
        let uid = match operation.tasks.get(&node).map(|run| &run.state) {
            Some(TaskState::Hook(HookTask::DeletingPrevious { uid })) => uid.clone(),
            _ => String::new(),
        };
        match result {
            Ok(Deletion::Gone) | Err(WriteError::NotFound(_)) => {
                let cluster = app.application.spec.destination.cluster();
                self.gone(&cluster, &key, &uid);
                self.set_hook(now, app, &mut operation, node, HookTask::PreviousFinalizing { uid });
            }
            Ok(Deletion::Accepted) => {
                self.set_hook(now, app, &mut operation, node, HookTask::PreviousFinalizing { uid });
            }
            Ok(Deletion::Refused(refusal)) => {
                let error = WriteError::Conflict(refusal.to_string());
                self.hook_put_off(now, app, &mut operation, node, &error);
            }
            Err(error) => self.hook_put_off(now, app, &mut operation, node, &error),
        }
        app.operation = Some(operation);
    }
}
