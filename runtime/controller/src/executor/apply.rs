//! `Apply` and `MigrateFields`.

use capstan_engine::effect::ApplyTask;
use capstan_engine::event::WriteError;
use capstan_engine::writing::FormerFields;
use capstan_kubernetes::Cluster;
use capstan_model::{GroupVersionKind, ResourceKey};
use serde_json::Value;

pub(super) async fn apply(cluster: Cluster, task: Box<ApplyTask>) -> Result<Box<Value>, WriteError> {
    cluster.apply(&task).await
}

pub(super) async fn migrate_fields(
    cluster: Cluster,
    key: ResourceKey,
    gvk: GroupVersionKind,
    from: FormerFields,
) -> Result<String, WriteError> {
    cluster.migrate_fields(&key, &gvk, &from).await
}
