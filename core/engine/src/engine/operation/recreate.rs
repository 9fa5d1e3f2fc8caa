//! `Force=true`: an object that cannot be changed in place is deleted and created anew.

use capstan_model::{ResourceKey, Timestamp};
use petgraph::stable_graph::NodeIndex;

use super::OperationRun;
use super::write::located;
use crate::effect::Propagation;
use crate::engine::Engine;
use crate::engine::grounds::{delete, of_operation};
use crate::engine::state::{ApplicationState, InFlight};
use crate::event::{Deletion, WriteError};
use crate::guard::{DeleteReason, is_protected};
use crate::machine::{TaskState, WriteTask};
use crate::plan::TaskAction;

impl Engine {
    /// `Force=true`: an object that cannot be changed in place is deleted and made anew. What holds others, or data, only where its own
    /// annotation says so. Gives whether that has begun.
    pub(super) fn recreate(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        operation: &mut OperationRun,
        node: NodeIndex,
        why: &str,
    ) -> bool {
        let Some(uid) = self.makes_anew(app, operation, node) else {
            return false;
        };
        let key = operation.plan.task(node).key.clone();
        let why = format!("it cannot be changed in place and is made anew (Force=true): {why}");
        let grounds = of_operation(app, operation, DeleteReason::Recreate, why.clone());
        let message = grounds.to_string();
        let Some(permit) = self.identity_permit(app, &key, &uid, grounds) else {
            return false;
        };
        self.emit(app, delete(app, permit, Propagation::Foreground), InFlight::Task(node));
        let state = WriteTask::Recreating { uid, why };
        self.set(now, app, operation, node, TaskState::Write(state), message);
        true
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
        let forced = own || operation.is_forced() && !is_protected(&task.key);
        let live = self.cluster(app)?.node(&task.key)?;
        let is_ours = live.tracked_by() == Some(&app.id());
        (task.action == TaskAction::Apply && forced && is_ours).then(|| live.uid())
    }

    /// The answer to the delete of an object that is made anew.
    pub(in crate::engine) fn recreating(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        node: NodeIndex,
        result: Result<Deletion, WriteError>,
    ) {
        let Some(mut operation) = app.operation.take() else {
            return;
        };
        let (key, uid) = match operation.tasks.get(&node).map(|run| &run.state) {
            Some(TaskState::Write(WriteTask::Recreating { uid, .. })) => {
                (operation.plan.task(node).key.clone(), uid.clone())
            }
            _ => (ResourceKey::default(), String::new()),
        };
        let failure = match result {
            Ok(Deletion::Gone) | Err(WriteError::NotFound(_)) => {
                let cluster = app.application.spec.destination.cluster();
                self.gone(&cluster, &key, &uid);
                None
            }
            Ok(Deletion::Accepted) => None,
            Ok(Deletion::Refused(refusal)) => Some(refusal.to_string()),
            Err(error) => Some(error.to_string()),
        };
        if let Some(why) = failure {
            let message = located(
                &operation,
                node,
                &format!("it could not be deleted to be made anew: {why}"),
            );
            let state = TaskState::Write(WriteTask::SyncFailed(message.clone()));
            self.set(now, app, &mut operation, node, state, message);
        }
        app.operation = Some(operation);
    }
}
