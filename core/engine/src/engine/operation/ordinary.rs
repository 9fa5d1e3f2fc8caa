//! An ordinary object that is declared as a hook now.
//!
//! **Problem.** A hook deletes its earlier run before it runs again, and asks nobody. What bears its name and was an ordinary object until
//! now is no earlier run: it may be a Namespace, a claim, a Deployment that serves.
//!
//! **Invariant.** It goes as a prune goes: by a sync that prunes, by its own options, past the rules, with what is in it looked at, and kept
//! for `undelete`. Else the hook does not run, and says what is in its way.

use capstan_model::{AppProject, ObjectMeta, ResourceKey, Timestamp};
use petgraph::stable_graph::NodeIndex;

use super::OperationRun;
use super::prune::{is_approved, propagation};
use crate::engine::Engine;
use crate::engine::grounds::{delete, of_operation};
use crate::engine::state::{ApplicationState, InFlight};
use crate::guard::{DeletePermit, DeleteReason, stays_ordinary};
use crate::limits::MAX_WRITES_IN_FLIGHT;
use crate::machine::{HookTask, TaskState};
use crate::policy::Verb;
use crate::sabotage::{self, Sabotage};

impl Engine {
    /// Is what is live under a hook's name no run of a hook?
    pub(super) fn is_ordinary(&self, app: &ApplicationState, key: &ResourceKey) -> bool {
        let node = self.cluster(app).and_then(|cluster| cluster.node(key));
        let node = node.filter(|node| node.tracked_by() == Some(&app.id()) && node.operation().is_none());
        let object = node.and_then(|node| node.manifest()?.value().ok());
        object.is_some_and(|object| !ObjectMeta::of(&object).is_hook) && !sabotage::is(Sabotage::RunsOverOrdinary)
    }

    /// Why it may not be deleted for the hook.
    pub(super) fn ordinary_stays(
        &self,
        app: &ApplicationState,
        operation: &OperationRun,
        key: &ResourceKey,
    ) -> Option<String> {
        let options = operation.options(&app.application.spec);
        let paused = || self.paused(app).filter(|_| operation.is_automated());
        stays_ordinary(key, self.prune_option(app, key, &options), operation.prunes())
            .or_else(|| operation.held.get(key).cloned())
            .or_else(|| operation.taken_back(key, &app.guarding.approval))
            .or_else(|| paused().map(|why| app.guarding.pause_result(&why)))
            .or_else(|| {
                let waits = self.needs_confirmation(app, key, &options) && !is_approved(app, operation);
                waits.then(|| format!("{} to delete {key}", app.guarding.approval.how(operation.started_at)))
            })
    }

    pub(super) fn convert_permit(
        &self,
        app: &ApplicationState,
        operation: &OperationRun,
        key: &ResourceKey,
        uid: &str,
    ) -> Option<Box<DeletePermit>> {
        let decision = self.prune_grounds(app, operation, key).decision;
        let grounds = of_operation(app, operation, DeleteReason::Convert, decision);
        let permit = self.identity_permit(app, key, uid, grounds)?;
        Some(Box::new(self.with_contents(app, operation, *permit)))
    }

    /// Deletes it, where a prune could.
    pub(super) fn replace_ordinary(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        operation: &mut OperationRun,
        node: NodeIndex,
        (project, uid): (&AppProject, String),
    ) {
        let key = operation.plan.task(node).key.clone();
        let options = operation.options(&app.application.spec);
        if let Some(why) = self.ordinary_stays(app, operation, &key) {
            // A confirmation of this sync can only be given while it runs.
            return match self.needs_confirmation(app, &key, &options) && !operation.held.contains_key(&key) {
                true => set_message(operation, node, why),
                false => self.set_hook(now, app, operation, node, HookTask::Failed(why)),
            };
        }
        let by = match operation.authorize(app, project, &key, Verb::Delete) {
            Ok(by) => by,
            Err(refusal) => return self.set_hook(now, app, operation, node, HookTask::Failed(refusal.to_string())),
        };
        let must_wait = operation.is_automated() && self.must_wait(app, operation, node);
        if must_wait || app.writes_in_flight() >= MAX_WRITES_IN_FLIGHT {
            return;
        }
        let Some(permit) = self.convert_permit(app, operation, &key, &uid) else {
            let why = crate::plan::foreign_hook(&key);
            return self.set_hook(now, app, operation, node, HookTask::Failed(why));
        };
        let (state, why) = (HookTask::DeletingPrevious { uid }, permit.grounds().to_string());
        self.emit_as(
            app,
            by,
            delete(app, permit, propagation(&options)),
            InFlight::Task(node),
        );
        self.set(now, app, operation, node, TaskState::Hook(state), why);
    }
}

/// What a task waits for.
pub(super) fn set_message(operation: &mut OperationRun, node: NodeIndex, message: String) {
    if let Some(run) = operation.tasks.get_mut(&node) {
        run.message = message;
    }
}
