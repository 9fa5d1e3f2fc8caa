//! The whole controller against an API server: the simulated one with a paused clock, and a real one when there is one.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test says what it found, and fails by panicking"
)]

mod crashes;
mod impersonation;
mod leader;
mod outages;
mod support;
mod undelete;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use capstan_controller::{Clock, Compute, Controller, ControllerHandle, ControllerSettings};
use capstan_engine::view::ApplicationView;
use capstan_kubernetes::{Cluster, ClusterSettings, KubeconfigSource};
use capstan_model::{ApplicationId, ClusterId, GroupVersionKind, ResourceKey};
use serde_json::{Value, json};
use support::{EPOCH, Plain, Repository, application, apply, install, map, world};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// What a test talks to.
struct Bench {
    cluster: Cluster,
    repository: Arc<Repository>,
    renderer: Arc<Plain>,
    clock: fn() -> Clock,
}

/// A controller that runs; dropping it is a crash.
struct Running {
    handle: ControllerHandle,
    _tasks: JoinSet<()>,
}

impl Bench {
    fn new(cluster: Cluster, clock: fn() -> Clock) -> Self {
        Self {
            cluster,
            repository: Arc::default(),
            renderer: Arc::default(),
            clock,
        }
    }

    /// Over a new connection, as a new process has.
    fn start(&self) -> Running {
        self.start_with(ControllerSettings::default())
    }

    fn start_with(&self, settings: ControllerSettings) -> Running {
        let settings = ControllerSettings {
            poll_interval: Duration::from_secs(1),
            compute: Compute::Inline,
            ..settings
        };
        let (sources, renderer) = (self.repository.clone(), self.renderer.clone());
        let controller = Controller::new(self.cluster.clone(), sources, renderer, settings, (self.clock)());
        let handle = controller.handle();
        let mut tasks = JoinSet::new();
        tasks.spawn(controller.run(CancellationToken::new()));
        Running { handle, _tasks: tasks }
    }

    async fn live(&self, namespace: &str, name: &str) -> Option<Box<Value>> {
        let key = ResourceKey::new("", "ConfigMap", namespace, name);
        let gvk = GroupVersionKind::from_api_version("v1", "ConfigMap");
        self.cluster.observe(&key, &gvk).await.unwrap()
    }

    fn writes(&self) -> u64 {
        let requests = self.cluster.requests();
        ["apply", "create", "replace", "delete", "patch"]
            .into_iter()
            .map(|verb| requests.of_verb(verb))
            .sum()
    }

    fn requests(&self) -> u64 {
        self.cluster.requests().snapshot().values().sum()
    }
}

impl Running {
    async fn until(&self, what: &str, mut wanted: impl FnMut(&ApplicationView) -> bool) {
        let id = ApplicationId::new("argocd", "shop");
        let mut snapshots = self.handle.snapshots();
        let waited = tokio::time::timeout(Duration::from_secs(60), async {
            loop {
                if self.handle.application(&id).is_some_and(|view| wanted(&view)) {
                    return;
                }
                snapshots.changed().await.unwrap();
            }
        });
        let done = waited.await;
        let journal = || -> Vec<String> {
            let entries = self.handle.journal_after(0);
            entries
                .iter()
                .map(|entry| format!("{} {}→{}: {}", entry.machine, entry.from, entry.to, entry.message))
                .collect()
        };
        let seen = self.handle.application(&id).map(|view| {
            let operation = view
                .operation
                .as_ref()
                .map(|operation| (operation.phase, operation.message.clone()));
            (
                view.revision.clone(),
                view.sentence.clone(),
                view.conditions.clone(),
                operation,
            )
        });
        let metrics = self.handle.metrics();
        assert!(done.is_ok(), "not {what}: {seen:#?}\n{:#?}\n{metrics}", journal());
    }

    async fn synced(&self, revision: usize) {
        let revision = format!("{revision:040x}");
        self.until(&format!("synced at {revision}"), |view| {
            view.revision == revision
                && view.sync.to_string() == "Synced"
                && view.health.status.to_string() == "Healthy"
                && view
                    .operation
                    .as_ref()
                    .is_some_and(|operation| operation.phase.to_string() == "Succeeded")
        })
        .await;
    }
}

async fn everything(bench: &Bench) {
    install(&bench.cluster).await;
    let repository = &bench.repository;
    repository.commit(|files| {
        for number in 0..10 {
            let object = map(&format!("map-{number}"), "1");
            files.insert(format!("shop/{number}.json"), object.to_string().into_bytes());
        }
    });
    let before = (bench.writes(), bench.requests());
    let running = bench.start();
    apply(&bench.cluster, &application("shop", "shop")).await;
    running.synced(1).await;
    let (writes, requests) = (bench.writes() - before.0 - 1, bench.requests() - before.1 - 1);
    println!("ten objects and a namespace: {writes} writes, {requests} requests with discovery, lists and watches");
    assert!(writes <= 13, "eleven objects and two of the status: {writes}");

    let before = (bench.writes(), bench.requests());
    repository.write("shop/0.json", &map("map-0", "2"));
    running.synced(2).await;
    let (writes, requests) = (bench.writes() - before.0, bench.requests() - before.1);
    println!("one object changed: {writes} writes, {requests} requests");
    assert!(writes <= 2, "the object and the status: {writes}");
    assert_eq!(bench.live("shop", "map-0").await.unwrap()["data"]["k"], "2");

    drift(bench, &running).await;
    repository.commit(|files| {
        files.remove("shop/9.json");
    });
    running.synced(3).await;
    assert!(bench.live("shop", "map-9").await.is_none(), "what left Git is pruned");
    let namespace = ResourceKey::new("", "Namespace", "", "shop");
    let gvk = GroupVersionKind::from_api_version("v1", "Namespace");
    assert!(
        bench.cluster.observe(&namespace, &gvk).await.unwrap().is_some(),
        "a namespace is never pruned"
    );

    let renders = *bench.renderer.renders.lock().unwrap();
    repository.write("elsewhere/0.json", &map("x", "1"));
    running.synced(4).await;
    assert_eq!(
        *bench.renderer.renders.lock().unwrap(),
        renders,
        "a commit that touches others renders nothing"
    );
}

/// Somebody edits a managed object: it is put right, and the journal says who it was.
async fn drift(bench: &Bench, running: &Running) {
    let mut edited = map("map-1", "edited");
    edited["metadata"]["namespace"] = json!("shop");
    let settings = ClusterSettings {
        field_manager: "somebody".into(),
        ..ClusterSettings::default()
    };
    let before = running.handle.journal_after(0).last().map_or(0, |entry| entry.sequence);
    apply(&bench.cluster.under(settings), &edited).await;
    for _ in 0..100 {
        if bench.live("shop", "map-1").await.unwrap()["data"]["k"] == "1" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(
        bench.live("shop", "map-1").await.unwrap()["data"]["k"],
        "1",
        "drift is put right"
    );
    running.synced(2).await;
    let entries = running.handle.journal_after(before);
    let named = entries
        .iter()
        .any(|entry| format!("{:?}", entry.cause).contains("somebody"));
    assert!(named, "the journal names who did it: {entries:#?}");
}

#[tokio::test]
async fn a_real_server() {
    let Some(path) = std::env::var_os("CAPSTAN_API_KUBECONFIG").map(PathBuf::from) else {
        println!("no CAPSTAN_API_KUBECONFIG: a real API server was not asked");
        return;
    };
    let (id, source) = (ClusterId::in_cluster(), KubeconfigSource::File(path));
    let cluster = Cluster::connect(id, &source, ClusterSettings::default()).await.unwrap();
    everything(&Bench::new(cluster, Clock::system)).await;
}

#[tokio::test(start_paused = true)]
async fn the_simulated_server() {
    let (world, cluster) = world();
    let bench = Bench::new(cluster, || Clock::starting_at(EPOCH));
    tokio::select! {
        biased;
        () = everything(&bench) => {}
        () = world.drive() => panic!("the world stopped"),
    }
}
