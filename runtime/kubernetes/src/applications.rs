//! Applications, for those who only want to read them once.

use capstan_model::{ApplicationId, GroupVersionKind, ResourceKey};
use serde_json::Value;

use crate::cluster::Cluster;
use crate::list::Form;
use crate::request::RequestError;

/// Kind of Argo CD's Application.
pub fn application_kind() -> GroupVersionKind {
    GroupVersionKind {
        group: "argoproj.io".into(),
        version: "v1alpha1".into(),
        kind: "Application".into(),
    }
}

/// Key of an Application in the control cluster.
pub fn application_key(id: &ApplicationId) -> ResourceKey {
    ResourceKey::new("argoproj.io", "Application", &id.namespace, &id.name)
}

impl Cluster {
    /// All Applications of all namespaces, whole.
    ///
    /// # Errors
    /// When any page of the list cannot be had: a part of it is never given.
    pub async fn applications(&self) -> Result<Vec<Value>, RequestError> {
        let listed = self
            .list(
                "/apis/argoproj.io/v1alpha1/applications",
                &application_kind(),
                Form::Whole,
            )
            .await?;
        Ok(listed.objects)
    }
}
