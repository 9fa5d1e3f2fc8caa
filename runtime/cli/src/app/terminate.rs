//! `capstan app terminate`.

use std::process::ExitCode;
use std::time::Duration;

use capstan_engine::event::WriteError;
use capstan_model::{Application, OperationPhase, OperationState};
use clap::Args;
use serde_json::json;

use super::{duration, wait};
use crate::error::CommandError;
use crate::output::{complain, one_line};
use crate::session::Session;

/// So often the Application is read again when somebody wrote between.
const ATTEMPTS: usize = 10;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// `NAME` or `NAMESPACE/NAME`.
    name: String,
    /// Do not wait for the end.
    #[arg(long = "async")]
    no_wait: bool,
    /// How long to wait.
    #[arg(long, default_value = "5m", value_parser = duration)]
    timeout: Duration,
}

/// Asks as Argo CD is asked: by the phase of the operation that runs, in the very version that was read, so that no later operation is ended.
pub(crate) async fn run(session: &Session, arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let id = session.id(&arguments.name)?;
    let mut attempts = 0;
    let running = loop {
        let (application, _) = session.readable(&id).await?;
        let Some(running) = running(&application) else {
            return Err(CommandError::Usage(format!(
                "no operation of {id} runs: there is nothing to terminate"
            )));
        };
        let metadata = &application.metadata;
        let patch = json!({"operationState": {"phase": OperationPhase::Terminating}});
        let version = Some(metadata.resource_version.as_str());
        match session.cluster.patch_status(&id, &metadata.uid, patch, version).await {
            Ok(_) => break running.clone(),
            Err(WriteError::Conflict(_)) if attempts < ATTEMPTS => attempts += 1,
            Err(error) => return Err(CommandError::Api(error.to_string())),
        }
    };
    if arguments.no_wait {
        complain("asked for");
        return Ok(ExitCode::SUCCESS);
    }
    wait::until(session, &id, arguments.timeout, |application| {
        ended(application, &running)
    })
    .await
}

fn running(application: &Application) -> Option<&OperationState> {
    let state = application.status.operation_state.as_ref();
    state.filter(|state| !state.phase.is_completed())
}

/// Has the operation ended, or does another one run by now?
fn ended(application: &Application, before: &OperationState) -> Option<ExitCode> {
    let state = application.status.operation_state.as_ref()?;
    let is_over = state.phase.is_completed() || state.started_at != before.started_at;
    is_over.then(|| {
        complain(&format!("{}: {}", state.phase, one_line(&state.message)));
        ExitCode::SUCCESS
    })
}
