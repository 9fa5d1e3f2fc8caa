//! A connection to the cluster that the Applications are in, by kubeconfig.

use std::path::PathBuf;

use capstan_kubernetes::{Cluster, ClusterSettings, KubeconfigSource, application_key, application_kind};
use capstan_model::{AppProject, Application, ApplicationId, ClusterId, GroupVersionKind, ResourceKey};

use crate::error::CommandError;

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
        let (application, invalid) = self.readable(id).await?;
        match invalid {
            None => Ok(application),
            Some(reason) => Err(CommandError::Invalid { id: id.clone(), reason }),
        }
    }

    /// The same of one that cannot be understood, too: what can be read of it, and why the rest cannot.
    pub(crate) async fn readable(&self, id: &ApplicationId) -> Result<(Application, Option<String>), CommandError> {
        let read = self.cluster.observe(&application_key(id), &application_kind()).await;
        let object = read.map_err(|error| CommandError::Api(error.to_string()))?;
        let object = object.ok_or_else(|| CommandError::NoApplication(id.clone()))?;
        Ok(match Application::parse(&object) {
            Ok(application) => (application, None),
            Err(error) => (Application::readable(&object), Some(error.to_string())),
        })
    }

    /// Reads a project from the API; `None` where there is none. What cannot be read, or not be understood, is an error: not known is not none.
    pub(crate) async fn project(&self, name: &str) -> Result<Option<AppProject>, String> {
        let key = ResourceKey::new("argoproj.io", "AppProject", &self.namespace, name);
        let kind = GroupVersionKind::from_api_version("argoproj.io/v1alpha1", "AppProject");
        let read = self
            .cluster
            .observe(&key, &kind)
            .await
            .map_err(|error| error.to_string())?;
        let project = read.map(|object| serde_json::from_value(*object)).transpose();
        project.map_err(|error| format!("it cannot be understood: {error}"))
    }
}

/// Connects, finds out what the cluster serves, and does `work`.
pub(crate) fn in_session<T>(
    kubeconfig: Option<PathBuf>,
    namespace: &str,
    work: impl AsyncFnOnce(&Session) -> Result<T, CommandError>,
) -> Result<T, CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CommandError::Connect(error.to_string()))?;
    runtime.block_on(async {
        let source = kubeconfig.map_or(KubeconfigSource::Inferred, KubeconfigSource::File);
        let cluster = Cluster::connect(ClusterId::in_cluster(), &source, ClusterSettings::default());
        let cluster = cluster.await.map_err(|error| CommandError::Connect(chain(&error)))?;
        cluster
            .discover()
            .await
            .map_err(|error| CommandError::Connect(error.to_string()))?;
        let session = Session {
            cluster,
            namespace: namespace.to_owned(),
        };
        work(&session).await
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
