//! `capstan app rollback`.

use std::process::ExitCode;
use std::time::Duration;

use capstan_engine::policy::rollback;
use clap::Args;

use super::{duration, sync};
use crate::error::CommandError;
use crate::session::Session;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// `NAME` or `NAMESPACE/NAME`.
    name: String,
    /// Row of the history, as `capstan app history` shows them.
    id: u64,
    /// Delete what was not there then.
    #[arg(long)]
    prune: bool,
    /// Do not wait for the end.
    #[arg(long = "async")]
    no_wait: bool,
    /// How long to wait.
    #[arg(long, default_value = "5m", value_parser = duration)]
    timeout: Duration,
}

pub(crate) async fn run(session: &Session, arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let id = session.id(&arguments.name)?;
    let application = session.application(&id).await?;
    let operation = rollback(&application, arguments.id, sync::USERNAME, arguments.prune);
    let operation = operation.map_err(|refusal| CommandError::Usage(refusal.to_string()))?;
    sync::request(session, &application, &operation, arguments.no_wait, arguments.timeout).await
}
