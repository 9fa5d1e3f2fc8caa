//! `PatchApplication` and `PatchStatus`.

use capstan_engine::event::WriteError;
use capstan_kubernetes::Cluster;
use capstan_model::ApplicationId;
use serde_json::Value;

pub(super) async fn application(
    cluster: Cluster,
    id: ApplicationId,
    uid: String,
    patch: Value,
) -> Result<String, WriteError> {
    cluster.patch_application(&id, &uid, patch).await
}

pub(super) async fn status(
    cluster: Cluster,
    id: ApplicationId,
    uid: String,
    patch: Value,
    version: Option<String>,
) -> Result<String, WriteError> {
    cluster.patch_status(&id, &uid, patch, version.as_deref()).await
}
