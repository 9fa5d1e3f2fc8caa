//! What goes wrong in a command, with what to do next.

use capstan_model::ApplicationId;
use miette::Diagnostic;

/// Why a command could not be carried out.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub(crate) enum CommandError {
    /// No connection to a cluster.
    #[error("the cluster cannot be used: {0}")]
    #[diagnostic(help("give --kubeconfig FILE or set KUBECONFIG; `capstan demo` prints one"))]
    Connect(String),
    /// The cluster did not answer, or not well.
    #[error("the Kubernetes API: {0}")]
    Api(String),
    /// No such application.
    #[error("application {0} does not exist")]
    #[diagnostic(help("`capstan app list` shows those that do; -n names another namespace"))]
    NoApplication(ApplicationId),
    /// An Application that cannot be understood.
    #[error("application {id} is invalid: {reason}")]
    Invalid {
        /// Which.
        id: ApplicationId,
        /// What is wrong.
        reason: String,
    },
    /// A source cannot be read or rendered.
    #[error("{0}")]
    Source(String),
    /// A file of this machine cannot be read.
    #[error("{path}: {reason}")]
    File {
        /// Which.
        path: String,
        /// Why.
        reason: String,
    },
    /// An argument makes no sense.
    #[error("{0}")]
    Usage(String),
}
