//! `Force=true`: an object that cannot be changed in place is deleted and created anew.

use capstan_live::Node;
use capstan_model::{ResourceKey, Timestamp};
use petgraph::stable_graph::NodeIndex;

use super::OperationRun;
use super::write::located;
use crate::effect::Propagation;
use crate::engine::Engine;
use crate::engine::grounds::{delete, of_operation};
use crate::engine::state::{ApplicationState, InFlight};
use crate::event::{Deletion, WriteError};
use crate::guard::{DeleteReason, may_not_be_recreated};
use crate::machine::{TaskState, WriteTask};

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
        let task = operation.plan.task(node).clone();
        let target = task
            .target
            .and_then(|index| operation.targets.as_ref()?.objects().get(index));
        let own = target.and_then(|target| target.meta.sync_options.force) == Some(true);
        let forced = own || operation.is_forced() && !may_not_be_recreated(&task.key);
        let uid = self
            .cluster(app)
            .and_then(|cluster| cluster.node(&task.key))
            .map(Node::uid);
        let Some(uid) = uid.filter(|_| forced) else {
            return false;
        };
        let why = format!("it cannot be changed in place and is made anew (Force=true): {why}");
        let grounds = of_operation(app, operation, DeleteReason::Recreate, why.clone());
        let message = grounds.to_string();
        let Some(permit) = self.identity_permit(app, &task.key, &uid, grounds) else {
            return false;
        };
        self.emit(app, delete(app, permit, Propagation::Foreground), InFlight::Task(node));
        let state = WriteTask::Recreating { uid, why };
        self.set(now, app, operation, node, TaskState::Write(state), message);
        true
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
