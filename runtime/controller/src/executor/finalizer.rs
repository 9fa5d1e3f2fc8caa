//! `RemoveFinalizer`.

use capstan_engine::event::WriteError;
use capstan_kubernetes::Cluster;
use capstan_model::{GroupVersionKind, ResourceKey};

pub(super) async fn remove(
    cluster: Cluster,
    key: ResourceKey,
    gvk: GroupVersionKind,
    uid: String,
    finalizer: String,
) -> Result<String, WriteError> {
    cluster.remove_finalizer(&key, &gvk, &uid, &finalizer).await
}
