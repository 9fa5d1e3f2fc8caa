//! `Delete`.

use capstan_engine::effect::Propagation;
use capstan_engine::event::{Deletion, WriteError};
use capstan_engine::guard::DeletePermit;
use capstan_kubernetes::{Cluster, Keeper};

pub(super) async fn delete(
    cluster: Cluster,
    permit: Box<DeletePermit>,
    propagation: Propagation,
    keeper: Keeper,
    control: Cluster,
) -> Result<Deletion, WriteError> {
    cluster.delete(&permit, propagation, &keeper, &control).await
}
