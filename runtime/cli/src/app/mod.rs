//! `capstan app`: commands on Applications.

mod diff;
mod get;
mod history;
mod list;
mod rollback;
mod sync;
mod terminate;
mod wait;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use capstan_model::parse_duration;
use clap::{Args, Subcommand};

use crate::error::CommandError;
use crate::session::in_session;

/// Arguments of `capstan app`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Kubeconfig of the cluster that the Applications are in.
    #[arg(long, global = true)]
    kubeconfig: Option<PathBuf>,
    /// Namespace of the Application, where its name does not say it.
    #[arg(long, short, global = true, default_value = "argocd")]
    namespace: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// All Applications.
    List(list::Arguments),
    /// One Application, with its objects and what it waits for.
    Get(get::Arguments),
    /// Ask for a sync, and wait for its end.
    Sync(sync::Arguments),
    /// Stop the operation that runs. What was not begun is not begun; its running hooks are deleted, its objects stay as they are.
    Terminate(terminate::Arguments),
    /// Wait until an Application is Synced and Healthy.
    Wait(wait::Arguments),
    /// What differs between Git and the cluster, and who wrote it. Exit code 1 when something does.
    Diff(diff::Arguments),
    /// Successful syncs.
    History(history::Arguments),
    /// Go back to a row of the history. Refused while the Application is synced automatically: revert the commit instead.
    Rollback(rollback::Arguments),
}

/// Runs one of the commands.
pub(crate) fn run(arguments: Arguments) -> Result<ExitCode, CommandError> {
    let Arguments {
        kubeconfig,
        namespace,
        command,
    } = arguments;
    in_session(kubeconfig, &namespace, async |session| match command {
        Command::List(arguments) => list::run(session, &arguments).await,
        Command::Get(arguments) => get::run(session, &arguments).await,
        Command::Sync(arguments) => sync::run(session, &arguments).await,
        Command::Terminate(arguments) => terminate::run(session, &arguments).await,
        Command::Wait(arguments) => wait::run(session, &arguments).await,
        Command::Diff(arguments) => diff::run(session, &arguments).await,
        Command::History(arguments) => history::run(session, &arguments).await,
        Command::Rollback(arguments) => rollback::run(session, &arguments).await,
    })
}

/// A duration of the command line.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| format!("{text:?} is no duration such as 30s or 5m"))
}
