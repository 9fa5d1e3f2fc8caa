//! The two servers that are asked: the simulated one, and a real one when `CAPSTAN_API_KUBECONFIG` names its kubeconfig.

use std::time::Duration;

use capstan_engine::Event;
use capstan_engine::effect::{ApplyMode, ApplyTask, DryRun};
use capstan_engine::event::WriteError;
use capstan_kubernetes::{Cluster, ClusterSettings, crds};
use capstan_model::{Blob, ClusterId, GroupVersionKind, ResourceKey, Timestamp};
use capstan_sim::front_ends::{Cluster as WorldCluster, WorldService};
use capstan_sim::{Options, World};
use serde_json::Value;
use tokio::sync::mpsc;

pub(crate) fn world() -> (WorldCluster, Cluster) {
    let epoch = Timestamp::from_seconds(1_772_000_000);
    let world = WorldCluster::new(World::new(epoch, Options::default()), epoch);
    let cluster = Cluster::from_service(ClusterId::in_cluster(), WorldService::new(world.clone()), settings());
    (world, cluster)
}

pub(crate) fn settings() -> ClusterSettings {
    ClusterSettings {
        page: 2,
        ..ClusterSettings::default()
    }
}

pub(crate) fn task(object: &Value) -> ApplyTask {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let gvk = GroupVersionKind::from_api_version(text("/apiVersion"), text("/kind"));
    ApplyTask {
        cluster: ClusterId::in_cluster(),
        key: ResourceKey::new(
            &gvk.group,
            &gvk.kind,
            text("/metadata/namespace"),
            text("/metadata/name"),
        ),
        gvk,
        object: Blob::new(object),
        mode: ApplyMode::ServerSide { force: true },
        dry_run: DryRun::No,
        recreate: false,
        validate: true,
    }
}

pub(crate) async fn apply(cluster: &Cluster, object: &Value) -> Result<Box<Value>, WriteError> {
    cluster.apply(&task(object)).await
}

/// Installs the definitions and waits until they are served.
pub(crate) async fn install(cluster: &Cluster) {
    for definition in crds::definitions() {
        apply(cluster, &definition.value).await.unwrap();
    }
    for _ in 0..100 {
        let table = cluster.discover().await.unwrap();
        if table
            .discovery
            .kinds
            .keys()
            .filter(|kind| kind.group == "argoproj.io")
            .count()
            == 3
        {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the definitions were never served");
}

/// Reads events until one is what is waited for.
pub(crate) async fn until<T>(events: &mut mpsc::Receiver<Event>, mut wanted: impl FnMut(&Event) -> Option<T>) -> T {
    let wait = async {
        loop {
            let event = events.recv().await.expect("the watches ended");
            if let Some(found) = wanted(&event) {
                return found;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(600), wait)
        .await
        .expect("it never came")
}
