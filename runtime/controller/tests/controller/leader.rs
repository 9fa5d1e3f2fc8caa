//! Several replicas over one simulated API server, with a paused clock: one writes, and the next one takes over.

use std::sync::Arc;
use std::time::Duration;

use capstan_controller::{Clock, Compute, Controller, ControllerHandle, ControllerSettings};
use capstan_kubernetes::{Cluster, ClusterSettings, ElectionSettings};
use capstan_model::{ApplicationId, ClusterId, GroupVersionKind, ResourceKey};
use capstan_sim::front_ends::{Cluster as WorldCluster, WorldService};
use capstan_sim::{Method, Request};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::support::{EPOCH, Plain, Repository, application, apply, install, map, world};

/// A replica with a connection of its own, so that its requests can be counted.
struct Replica {
    cluster: Cluster,
    handle: ControllerHandle,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Replica {
    fn start(world: &WorldCluster, repository: &Arc<Repository>, identity: &str) -> Self {
        let service = WorldService::new(world.clone());
        let cluster = Cluster::from_service(ClusterId::in_cluster(), service, ClusterSettings::default());
        let settings = ControllerSettings {
            poll_interval: Duration::from_secs(1),
            compute: Compute::Inline,
            election: Some(ElectionSettings::new("argocd", identity)),
            ..ControllerSettings::default()
        };
        let renderer = Arc::new(Plain::default());
        let controller = Controller::new(
            cluster.clone(),
            repository.clone(),
            renderer,
            settings,
            Clock::starting_at(EPOCH),
        );
        let (handle, shutdown) = (controller.handle(), CancellationToken::new());
        let task = tokio::spawn(controller.run(shutdown.clone()));
        Self {
            cluster,
            handle,
            shutdown,
            task,
        }
    }

    /// Writes of anything but the Lease.
    fn writes(&self) -> u64 {
        let requests = self.cluster.requests().snapshot().into_iter();
        let is_write = |verb: &str| matches!(verb, "apply" | "create" | "replace" | "delete" | "patch");
        let ours = requests.filter(|(labels, _)| is_write(labels.verb) && labels.kind.kind != "Lease");
        ours.map(|(_, count)| count).sum()
    }

    fn is_synced(&self, revision: usize) -> bool {
        let view = self.handle.application(&ApplicationId::new("argocd", "shop"));
        view.is_some_and(|view| view.revision == format!("{revision:040x}") && view.sync.to_string() == "Synced")
    }
}

async fn until(what: &str, patience: u64, mut is: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    let waited = timeout(Duration::from_secs(patience), async {
        while !is() {
            sleep(Duration::from_millis(100)).await;
        }
    });
    assert!(waited.await.is_ok(), "not within {patience} s: {what}");
    begun.elapsed()
}

async fn lease(cluster: &Cluster) -> Value {
    let key = ResourceKey::new("coordination.k8s.io", "Lease", "argocd", "capstan");
    let kind = GroupVersionKind::from_api_version("coordination.k8s.io/v1", "Lease");
    *cluster.observe(&key, &kind).await.unwrap().unwrap()
}

/// A world with an Application of ten objects, and the work of a test over it.
async fn over_a_world(work: impl AsyncFnOnce(WorldCluster, Cluster, Arc<Repository>)) {
    let (world, cluster) = world();
    let body = async {
        install(&cluster).await;
        let repository: Arc<Repository> = Arc::default();
        repository.commit(|files| {
            for number in 0..10 {
                let object = map(&format!("map-{number}"), "1");
                files.insert(format!("shop/{number}.json"), object.to_string().into_bytes());
            }
        });
        apply(&cluster, &application("shop", "shop")).await;
        work(world.clone(), cluster, repository).await;
    };
    tokio::select! {
        biased;
        () = body => {}
        () = world.drive() => panic!("the world stopped"),
    }
}

#[tokio::test(start_paused = true)]
async fn one_of_two_writes_and_a_crash_is_taken_over_within_lease_and_retry() {
    over_a_world(async |world, cluster, repository| {
        let first = Replica::start(&world, &repository, "a");
        until("a leads and syncs", 30, || first.is_synced(1)).await;
        let second = Replica::start(&world, &repository, "b");
        sleep(Duration::from_secs(60)).await;
        assert_eq!(second.writes(), 0, "who does not lead writes nothing");
        assert_eq!(lease(&cluster).await["spec"]["holderIdentity"], "a");

        first.task.abort();
        repository.write("shop/0.json", &map("map-0", "2"));
        let took = until("b takes over and syncs", 30, || second.is_synced(2)).await;
        assert!(took <= Duration::from_secs(15 + 2 + 2), "{took:?}");
        let lease = lease(&cluster).await;
        let spec = &lease["spec"];
        assert_eq!(
            (&spec["holderIdentity"], &spec["leaseTransitions"]),
            (&json!("b"), &json!(2))
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_ends_in_order_gives_the_lease_back() {
    over_a_world(async |world, cluster, repository| {
        let first = Replica::start(&world, &repository, "a");
        until("a leads and syncs", 30, || first.is_synced(1)).await;
        let second = Replica::start(&world, &repository, "b");
        sleep(Duration::from_secs(5)).await;
        first.shutdown.cancel();
        first.task.await.unwrap();
        assert_eq!(lease(&cluster).await["spec"]["holderIdentity"], "");
        repository.write("shop/0.json", &map("map-0", "2"));
        let took = until("b takes over and syncs", 30, || second.is_synced(2)).await;
        assert!(
            took <= Duration::from_secs(4),
            "nobody waits for a lease to run out: {took:?}"
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_process_of_the_same_name_goes_on_at_once_in_a_new_term() {
    over_a_world(async |world, cluster, repository| {
        let first = Replica::start(&world, &repository, "pod-0");
        until("it leads and syncs", 30, || first.is_synced(1)).await;
        first.task.abort();
        repository.write("shop/0.json", &map("map-0", "2"));
        let again = Replica::start(&world, &repository, "pod-0");
        let took = until("it goes on", 30, || again.is_synced(2)).await;
        assert!(took <= Duration::from_secs(3), "{took:?}");
        assert_eq!(lease(&cluster).await["spec"]["leaseTransitions"], 2);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_finds_the_lease_taken_stops_writing_and_deleting() {
    over_a_world(async |world, cluster, repository| {
        let first = Replica::start(&world, &repository, "a");
        until("a leads and syncs", 30, || first.is_synced(1)).await;
        // Past the warm-up, in which nothing is deleted anyway.
        sleep(Duration::from_secs(30)).await;
        let mut stolen = lease(&cluster).await;
        stolen["spec"]["holderIdentity"] = json!("thief");
        stolen["spec"]["leaseTransitions"] = json!(9);
        stolen["metadata"] = json!({"name": "capstan", "namespace": "argocd"});
        apply(&cluster, &stolen).await;
        // Not told yet, and with a delete to do: the fence is what stops it.
        repository.commit(|files| {
            files.remove("shop/9.json");
        });
        sleep(Duration::from_secs(8)).await;
        let key = ResourceKey::new("", "ConfigMap", "shop", "map-9");
        let kind = GroupVersionKind::from_api_version("v1", "ConfigMap");
        assert!(
            cluster.observe(&key, &kind).await.unwrap().is_some(),
            "deleted by one that does not lead"
        );
        let before = first.writes();
        repository.write("shop/0.json", &map("map-0", "2"));
        sleep(Duration::from_secs(4)).await;
        assert_eq!(first.writes(), before, "it knows by now, and writes nothing");
        // The thief never renews: its lease runs out.
        until("a leads again and prunes", 60, || first.is_synced(3)).await;
        assert!(
            cluster.observe(&key, &kind).await.unwrap().is_none(),
            "what left Git is pruned"
        );
        assert_eq!(lease(&cluster).await["spec"]["leaseTransitions"], 10);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_somebody_deletes_is_made_anew_in_a_later_term_and_deletes_go_on() {
    over_a_world(async |world, cluster, repository| {
        let first = Replica::start(&world, &repository, "a");
        until("a leads and syncs", 30, || first.is_synced(1)).await;
        let before = lease(&cluster).await;
        let path = "/apis/coordination.k8s.io/v1/namespaces/argocd/leases/capstan";
        assert!(world.handle(Request::new(Method::Delete, path)).is_success());
        sleep(Duration::from_secs(5)).await;
        let after = lease(&cluster).await;
        assert_ne!(after["metadata"]["uid"], before["metadata"]["uid"]);
        assert_eq!(after["spec"]["leaseTransitions"], 2, "{after:#}");
        assert_eq!(after["spec"]["holderIdentity"], "a");

        repository.commit(|files| {
            files.remove("shop/9.json");
        });
        until("a prunes", 60, || first.is_synced(2)).await;
        let key = ResourceKey::new("", "ConfigMap", "shop", "map-9");
        let kind = GroupVersionKind::from_api_version("v1", "ConfigMap");
        assert!(cluster.observe(&key, &kind).await.unwrap().is_none());
        assert_eq!(lease(&cluster).await["spec"]["leaseTransitions"], 2, "the term goes on");
    })
    .await;
}
