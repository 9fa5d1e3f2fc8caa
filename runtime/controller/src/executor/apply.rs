//! `Apply`.

use capstan_engine::effect::ApplyTask;
use capstan_engine::event::WriteError;
use capstan_kubernetes::Cluster;
use serde_json::Value;

pub(super) async fn apply(cluster: Cluster, task: Box<ApplyTask>) -> Result<Box<Value>, WriteError> {
    cluster.apply(&task).await
}
