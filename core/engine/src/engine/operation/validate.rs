//! Every task before any of them: what [`Validation`] finds, as the results of an operation that writes nothing.

use capstan_model::{
    AppProject, OperationPhase, RefusedByProject, ResourceKey, ResourceResult, ResultCode, SyncOperation,
    SyncOperationResource,
};

use super::OperationRun;
use super::prepare::Obstacle;
use crate::engine::Engine;
use crate::engine::sentence::some_of;
use crate::engine::state::ApplicationState;
use crate::plan::{InvalidTask, Plan, Selection, SyncTask, TaskAction, Validation, reasons};
use crate::settings::Guards;
use crate::targets::Targets;

impl Engine {
    pub(super) fn validate(
        &self,
        app: &ApplicationState,
        operation: &OperationRun,
        plan: &Plan,
        targets: &Targets,
        project: &AppProject,
    ) -> Result<(), Obstacle> {
        let Some(cluster) = self.cluster(app) else {
            return Ok(());
        };
        let sync = operation.operation.sync.as_ref().filter(|_| operation.is_selective());
        // The namespace is made for what is written there, asked for or not.
        let is_asked = |sync: &SyncOperation, task: &SyncTask| match task.action {
            TaskAction::Milestone => false,
            TaskAction::CreateNamespace => Selection::of(&sync.resources).has(&task.key),
            _ => true,
        };
        let is_empty = |sync: &&SyncOperation| !plan.tasks().any(|(_, task)| is_asked(sync, task));
        if let Some(sync) = sync.filter(|sync| self.settings.guards == Guards::Capstan && is_empty(sync)) {
            let message = nothing_named(&sync.resources);
            return Err(Obstacle::Fail(OperationPhase::Error, message, Vec::new()));
        }
        let refused =
            |refusal: RefusedByProject| Obstacle::Fail(OperationPhase::Error, refusal.to_string(), Vec::new());
        let validation = Validation {
            plan,
            targets,
            options: &operation.options(&app.application.spec),
            project,
            identity: operation.identity(project).map_err(refused)?,
            destination: &app.application.spec.destination,
        };
        let invalid = validation.invalid(|kind| cluster.kind(kind), |_| true);
        let invalid = invalid.map_err(|unknown| Obstacle::Wait(unknown.to_string()))?;
        if invalid.is_empty() {
            return Ok(());
        }
        let message = format!(
            "one or more synchronization tasks are not valid, and nothing was written: {}",
            reasons(&invalid)
        );
        let results = invalid.into_iter().map(|invalid| result(plan, invalid)).collect();
        Err(Obstacle::Fail(OperationPhase::Failed, message, results))
    }
}

fn result(plan: &Plan, invalid: InvalidTask) -> ResourceResult {
    let task = plan.task(invalid.node);
    ResourceResult {
        status: Some(ResultCode::SyncFailed),
        message: invalid.why,
        sync_phase: Some(task.phase),
        ..ResourceResult::of(&task.key, &task.gvk)
    }
}

/// Why a sync of these objects alone comes to nothing.
fn nothing_named(resources: &[SyncOperationResource]) -> String {
    let name = |wanted: &SyncOperationResource| {
        ResourceKey::new(&wanted.group, &wanted.kind, &wanted.namespace, &wanted.name).to_string()
    };
    format!(
        "nothing to sync: neither declared as an ordinary object, nor to be deleted with prune, is {}",
        some_of(resources.iter().map(name))
    )
}
