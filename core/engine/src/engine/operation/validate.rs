//! Every task before any of them: what [`Validation`] finds, as the results of an operation that writes nothing.

use capstan_model::{AppProject, OperationPhase, ResourceResult, ResultCode, SyncOptions};

use super::prepare::Obstacle;
use crate::engine::Engine;
use crate::engine::state::ApplicationState;
use crate::plan::{InvalidTask, Plan, Validation, reasons};
use crate::targets::Targets;

impl Engine {
    pub(super) fn validate(
        &self,
        app: &ApplicationState,
        plan: &Plan,
        targets: &Targets,
        project: &AppProject,
        options: &SyncOptions,
    ) -> Result<(), Obstacle> {
        let Some(cluster) = self.cluster(app) else {
            return Ok(());
        };
        let validation = Validation {
            plan,
            targets,
            options,
            project,
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
