//! `capstan app`: commands on Applications.

mod diff;
mod get;
mod history;
mod list;
mod rollback;
mod sync;
mod wait;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use capstan_kubernetes::{Cluster, ClusterSettings, KubeconfigSource, application_key, application_kind};
use capstan_model::{Application, ApplicationId, ClusterId, parse_duration};
use clap::{Args, Subcommand};

use crate::error::CommandError;

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
    /// Wait until an Application is Synced and Healthy.
    Wait(wait::Arguments),
    /// What differs between Git and the cluster, and who wrote it. Exit code 1 when something does.
    Diff(diff::Arguments),
    /// Successful syncs.
    History(history::Arguments),
    /// Go back to a row of the history. Refused while the Application is synced automatically: revert the commit instead.
    Rollback(rollback::Arguments),
}

/// A connection, and how names are meant.
pub(crate) struct Session {
    pub(crate) cluster: Cluster,
    namespace: String,
}

impl Session {
    /// Namespace of Applications whose name does not say it: the controller's.
    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// `NAME` or `NAMESPACE/NAME`.
    pub(crate) fn id(&self, text: &str) -> Result<ApplicationId, CommandError> {
        if text.contains('/') {
            return text
                .parse()
                .map_err(|error: capstan_model::UnparsableKey| CommandError::Usage(error.to_string()));
        }
        Ok(ApplicationId::new(&self.namespace, text))
    }

    /// Reads an Application from the API.
    pub(crate) async fn application(&self, id: &ApplicationId) -> Result<Application, CommandError> {
        let read = self.cluster.observe(&application_key(id), &application_kind()).await;
        let object = read.map_err(|error| CommandError::Api(error.to_string()))?;
        let object = object.ok_or_else(|| CommandError::NoApplication(id.clone()))?;
        Application::parse(&object).map_err(|error| CommandError::Invalid {
            id: id.clone(),
            reason: error.to_string(),
        })
    }
}

/// Runs one of the commands.
pub(crate) fn run(arguments: Arguments) -> Result<ExitCode, CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CommandError::Connect(error.to_string()))?;
    runtime.block_on(async {
        let source = arguments
            .kubeconfig
            .map_or(KubeconfigSource::Inferred, KubeconfigSource::File);
        let cluster = Cluster::connect(ClusterId::in_cluster(), &source, ClusterSettings::default());
        let cluster = cluster.await.map_err(|error| CommandError::Connect(chain(&error)))?;
        cluster
            .discover()
            .await
            .map_err(|error| CommandError::Connect(error.to_string()))?;
        let session = Session {
            cluster,
            namespace: arguments.namespace,
        };
        match arguments.command {
            Command::List(arguments) => list::run(&session, &arguments).await,
            Command::Get(arguments) => get::run(&session, &arguments).await,
            Command::Sync(arguments) => sync::run(&session, &arguments).await,
            Command::Wait(arguments) => wait::run(&session, &arguments).await,
            Command::Diff(arguments) => diff::run(&session, &arguments).await,
            Command::History(arguments) => history::run(&session, &arguments).await,
            Command::Rollback(arguments) => rollback::run(&session, &arguments).await,
        }
    })
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

/// A duration of the command line.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| format!("{text:?} is no duration such as 30s or 5m"))
}
