//! Every task before any of them: what [`Validation`] finds, as the results of an operation that writes nothing.

use capstan_model::{AppProject, OperationPhase, RefusedByProject, ResourceResult, ResultCode};

use super::OperationRun;
use super::prepare::Obstacle;
use crate::engine::Engine;
use crate::engine::state::ApplicationState;
use crate::plan::{InvalidTask, Plan, Validation, reasons};
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
