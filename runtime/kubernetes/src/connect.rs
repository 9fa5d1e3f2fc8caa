//! How a cluster is found: a kubeconfig file, `KUBECONFIG`, or the pod's service account.

use std::path::PathBuf;
use std::time::Duration;

use capstan_model::ClusterId;
use kube::config::{KubeConfigOptions, Kubeconfig};

use crate::cluster::{Cluster, ClusterSettings};

/// Where the address and credentials come from.
#[derive(Clone, Debug, Default)]
pub enum KubeconfigSource {
    /// `KUBECONFIG` or `~/.kube/config`, else the pod's service account.
    #[default]
    Inferred,
    /// This file.
    File(PathBuf),
}

/// No connection can be made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The kubeconfig cannot be read.
    #[error("{what} cannot be used")]
    Kubeconfig {
        /// Which.
        what: String,
        /// Why.
        source: kube::config::KubeconfigError,
    },
    /// There is no kubeconfig, and this is no pod.
    #[error("no cluster is configured: give --kubeconfig FILE, set KUBECONFIG, or run in a pod with a service account")]
    Inferred(#[source] kube::config::InferConfigError),
    /// It wants a program to be run.
    #[error(
        "user {user:?} of the kubeconfig gets its credentials from a program ({program}), and Capstan starts none: \
         use a token, a token file or a client certificate"
    )]
    ExecPlugin {
        /// Whose.
        user: String,
        /// The program.
        program: String,
    },
    /// It makes somebody else of whoever connects.
    #[error(
        "the kubeconfig impersonates {user:?} itself, whose groups would be added to those of every service account that is impersonated: \
         connect as the one who may impersonate"
    )]
    Disguised {
        /// Whom.
        user: String,
    },
    /// The client cannot be built of it.
    #[error("the connection to the cluster cannot be set up")]
    Client(#[source] Box<kube::Error>),
}

impl Cluster {
    /// Reads the configuration and makes a client. Sends nothing yet.
    pub async fn connect(
        id: ClusterId,
        source: &KubeconfigSource,
        settings: ClusterSettings,
    ) -> Result<Self, ConnectError> {
        let mut config = match source {
            KubeconfigSource::File(path) => {
                let what = path.display().to_string();
                let unusable = |source| ConnectError::Kubeconfig {
                    what: what.clone(),
                    source,
                };
                let kubeconfig = Kubeconfig::read_from(path).map_err(unusable)?;
                from_kubeconfig(kubeconfig, &what).await?
            }
            KubeconfigSource::Inferred => match Kubeconfig::from_env() {
                Ok(Some(kubeconfig)) => from_kubeconfig(kubeconfig, "KUBECONFIG").await?,
                Ok(None) => kube::Config::infer().await.map_err(ConnectError::Inferred)?,
                Err(source) => {
                    let what = "KUBECONFIG".to_owned();
                    return Err(ConnectError::Kubeconfig { what, source });
                }
            },
        };
        refuse_programs("current", &config.auth_info)?;
        if settings.impersonation {
            refuse_disguise(&config.auth_info)?;
        }
        config.default_retry = false;
        config.connect_timeout = Some(Duration::from_secs(10));
        // Deadlines are ours, a request; a watch must be allowed to be silent.
        config.read_timeout = None;
        config.write_timeout = None;
        let client = kube::Client::try_from(config).map_err(|error| ConnectError::Client(Box::new(error)))?;
        Ok(Self::new(id, client, settings))
    }
}

async fn from_kubeconfig(kubeconfig: Kubeconfig, what: &str) -> Result<kube::Config, ConnectError> {
    // Before kube looks at it: it would run the program at once.
    let context = kubeconfig.current_context.as_deref().unwrap_or_default();
    let user = kubeconfig
        .contexts
        .iter()
        .find(|named| named.name == context)
        .and_then(|named| {
            let user = named.context.as_ref()?.user.as_deref()?;
            kubeconfig.auth_infos.iter().find(|info| info.name == user)
        });
    if let Some(named) = user
        && let Some(info) = &named.auth_info
    {
        refuse_programs(&named.name, info)?;
    }
    kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .map_err(|source| ConnectError::Kubeconfig {
            what: what.to_owned(),
            source,
        })
}

fn refuse_programs(user: &str, info: &kube::config::AuthInfo) -> Result<(), ConnectError> {
    let program = match (&info.exec, &info.auth_provider) {
        (Some(exec), _) => exec.command.clone().unwrap_or_default(),
        (None, Some(provider)) => provider.name.clone(),
        (None, None) => return Ok(()),
    };
    Err(ConnectError::ExecPlugin {
        user: user.to_owned(),
        program,
    })
}

/// The client adds to every request whom the kubeconfig impersonates, beside whom the request does.
fn refuse_disguise(info: &kube::config::AuthInfo) -> Result<(), ConnectError> {
    let has_none = info.impersonate.is_none() && info.impersonate_uid.is_none();
    if has_none && info.impersonate_groups.is_none() && info.impersonate_user_extra.is_none() {
        return Ok(());
    }
    let user = info.impersonate.clone().unwrap_or_default();
    Err(ConnectError::Disguised { user })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_is_somebody_else_already_does_not_impersonate() {
        let dir = std::env::temp_dir().join(format!("capstan-disguise-{}", std::process::id()));
        let text = "{current-context: c, contexts: [{name: c, context: {cluster: k, user: u}}], \
                    clusters: [{name: k, cluster: {server: 'https://127.0.0.1:1'}}], \
                    users: [{name: u, user: {token: t, as-groups: [system:masters]}}]}";
        std::fs::write(&dir, text).unwrap();
        let connect = async |impersonation| {
            let settings = ClusterSettings {
                impersonation,
                ..ClusterSettings::default()
            };
            Cluster::connect(ClusterId::in_cluster(), &KubeconfigSource::File(dir.clone()), settings).await
        };
        let error = connect(true).await.unwrap_err();
        assert!(matches!(error, ConnectError::Disguised { .. }), "{error}");
        assert!(connect(false).await.is_ok(), "it is nobody else's business otherwise");
        std::fs::remove_file(&dir).unwrap();
    }

    #[tokio::test]
    async fn a_program_for_credentials_is_refused_and_not_run() {
        let text = "{current-context: c, contexts: [{name: c, context: {cluster: k, user: u}}], \
                    clusters: [{name: k, cluster: {server: 'https://127.0.0.1:1'}}], \
                    users: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: touch, args: [/nonexistent/x], interactiveMode: Never}}}]}";
        let kubeconfig = Kubeconfig::from_yaml(text).unwrap();
        let error = from_kubeconfig(kubeconfig, "test").await.unwrap_err();
        assert!(
            matches!(error, ConnectError::ExecPlugin { ref program, .. } if program == "touch"),
            "{error}"
        );
    }
}
