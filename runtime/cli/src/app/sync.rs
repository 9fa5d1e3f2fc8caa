//! `capstan app sync`.

use std::process::ExitCode;
use std::time::Duration;

use capstan_model::{Application, Operation, OperationInitiator, OperationPhase, OperationState, SyncOperation};
use clap::Args;
use serde_json::json;

use super::{duration, wait};
use crate::error::CommandError;
use crate::output::{complain, one_line};
use crate::session::Session;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// `NAME` or `NAMESPACE/NAME`.
    name: String,
    /// Delete what is no longer in Git.
    #[arg(long)]
    prune: bool,
    /// Commit, branch or tag to sync to; the Application's own when absent.
    #[arg(long, default_value = "")]
    revision: String,
    /// Do not wait for the end.
    #[arg(long = "async")]
    no_wait: bool,
    /// How long to wait.
    #[arg(long, default_value = "5m", value_parser = duration)]
    timeout: Duration,
}

/// Who asks.
pub(crate) const USERNAME: &str = "capstan-cli";

pub(crate) async fn run(session: &Session, arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let id = session.id(&arguments.name)?;
    let application = session.application(&id).await?;
    let sync = SyncOperation {
        prune: arguments.prune,
        revision: arguments.revision.clone(),
        ..SyncOperation::default()
    };
    let initiated_by = OperationInitiator {
        username: USERNAME.into(),
        automated: false,
    };
    let operation = Operation {
        initiated_by,
        sync: Some(sync),
        ..Operation::default()
    };
    request(session, &application, &operation, arguments.no_wait, arguments.timeout).await
}

/// Asks for an operation by the resource's field, and waits for its end.
pub(crate) async fn request(
    session: &Session,
    before: &Application,
    operation: &Operation,
    no_wait: bool,
    timeout: Duration,
) -> Result<ExitCode, CommandError> {
    let id = before.id();
    if before.operation.is_some() {
        return Err(CommandError::Usage(format!(
            "an operation of {id} is asked for already: wait for it, or stop it"
        )));
    }
    let patch = json!({"operation": operation});
    let patched = session
        .cluster
        .patch_application(&id, &before.metadata.uid, patch)
        .await;
    patched.map_err(|error| CommandError::Api(error.to_string()))?;
    if no_wait {
        complain("asked for");
        return Ok(ExitCode::SUCCESS);
    }
    let last = before.status.operation_state.as_ref();
    wait::until(session, &id, timeout, |application| ended(application, last)).await
}

/// Is there an operation that ended, and is it not the one from before?
fn ended(application: &Application, last: Option<&OperationState>) -> Option<ExitCode> {
    let state = application.status.operation_state.as_ref()?;
    let news = last != Some(state);
    if application.operation.is_some() || !state.phase.is_completed() || !news {
        return None;
    }
    complain(&format!("{}: {}", state.phase, one_line(&state.message)));
    Some(if state.phase == OperationPhase::Succeeded {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(4)
    })
}
