//! `Observe`.

use capstan_engine::event::WriteError;
use capstan_kubernetes::Cluster;
use capstan_model::{GroupVersionKind, ResourceKey};
use serde_json::Value;

pub(super) async fn observe(
    cluster: Cluster,
    key: ResourceKey,
    gvk: GroupVersionKind,
) -> Result<Option<Box<Value>>, WriteError> {
    cluster.observe(&key, &gvk).await
}
