//! Discovery, watches and writes, the same against the simulated API server and a real one.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test says what it found, and fails by panicking"
)]

mod support;

use std::collections::BTreeSet;
use std::path::PathBuf;

use capstan_engine::Event;
use capstan_engine::effect::{ApplyMode, DryRun};
use capstan_kubernetes::{Cluster, ControlWatches, KubeconfigSource, LiveWatches, Monitor};
use capstan_model::{ApplicationId, ClusterId, GroupKind, GroupVersionKind, ResourceKey};
use serde_json::{Value, json};
use support::{apply, install, settings, task, until, world};
use tokio::sync::mpsc;

#[tokio::test(start_paused = true)]
async fn the_simulated_server() {
    let (world, cluster) = world();
    let driver = async move { world.drive().await };
    tokio::select! {
        biased;
        () = everything(&cluster) => {}
        () = driver => panic!("the world stopped"),
    }
}

#[tokio::test]
async fn a_real_server() {
    let Some(path) = std::env::var_os("CAPSTAN_API_KUBECONFIG").map(PathBuf::from) else {
        println!("no CAPSTAN_API_KUBECONFIG: a real API server was not asked");
        return;
    };
    let source = KubeconfigSource::File(path);
    let cluster = Cluster::connect(ClusterId::in_cluster(), &source, settings())
        .await
        .unwrap();
    everything(&cluster).await;
}

async fn everything(cluster: &Cluster) {
    discovery(cluster).await;
    install(cluster).await;
    let namespace = |name: &str| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    for name in ["argocd", "api-test"] {
        apply(cluster, &namespace(name)).await.unwrap();
    }
    writes(cluster).await;
    finalizers(cluster).await;
    live(cluster).await;
    wanted_again(cluster).await;
    applications(cluster).await;
}

async fn discovery(cluster: &Cluster) {
    let table = cluster.discover().await.unwrap();
    let discovery = &table.discovery;
    assert!(discovery.version.starts_with("v1."), "{}", discovery.version);
    assert!(!discovery.cluster_uid.is_empty());
    assert_eq!(discovery.incomplete_groups, Vec::<String>::new());
    let deployment = GroupKind::new("apps", "Deployment");
    let served = &discovery.kinds[&deployment];
    assert!(served.namespaced && served.watchable && served.plural == "deployments");
    assert!(!discovery.kinds[&GroupKind::new("", "Namespace")].namespaced);
    assert!(table.status_subresources.contains(&deployment));
    let before = cluster.requests().of_verb("discover");
    cluster.discover().await.unwrap();
    assert_eq!(
        cluster.requests().of_verb("discover") - before,
        2,
        "requests of a discovery"
    );
}

fn settings_map(name: &str, value: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "api-test"}, "data": {"k": value}})
}

fn version(object: &Value) -> String {
    object["metadata"]["resourceVersion"].as_str().unwrap().to_owned()
}

async fn writes(cluster: &Cluster) {
    let object = settings_map("written", "1");
    let first = apply(cluster, &object).await.unwrap();
    let again = apply(cluster, &object).await.unwrap();
    assert_eq!(
        version(&first),
        version(&again),
        "an apply without a change changes nothing"
    );

    let mut dry = task(&settings_map("dry", "1"));
    dry.dry_run = DryRun::Server;
    cluster.apply(&dry).await.unwrap();
    let gvk = dry.gvk.clone();
    assert!(
        cluster.observe(&dry.key, &gvk).await.unwrap().is_none(),
        "a dry run writes nothing"
    );

    let mut create = task(&object);
    create.mode = ApplyMode::Create;
    assert_eq!(cluster.apply(&create).await.unwrap_err().name(), "Conflict");
    let mut stale = task(&settings_map("written", "2"));
    stale.mode = ApplyMode::Replace {
        resource_version: version(&first),
    };
    cluster.apply(&stale).await.unwrap();
    assert_eq!(cluster.apply(&stale).await.unwrap_err().name(), "Conflict");

    let mut unknown_field = settings_map("written", "3");
    unknown_field["dta"] = json!({});
    assert_eq!(apply(cluster, &unknown_field).await.unwrap_err().name(), "Invalid");
    let mut bad_name = settings_map("Not A Name", "1");
    assert_eq!(apply(cluster, &bad_name).await.unwrap_err().name(), "Invalid");
    bad_name["metadata"]["name"] = json!("../../namespaces");
    assert_eq!(apply(cluster, &bad_name).await.unwrap_err().name(), "Invalid");
    let unserved =
        json!({"apiVersion": "example.org/v1", "kind": "Thing", "metadata": {"name": "x", "namespace": "api-test"}});
    assert_eq!(apply(cluster, &unserved).await.unwrap_err().name(), "PathNotFound");
    let mut homeless = settings_map("x", "1");
    homeless["metadata"]["namespace"] = json!("no-such-namespace");
    assert_eq!(apply(cluster, &homeless).await.unwrap_err().name(), "PathNotFound");
}

async fn finalizers(cluster: &Cluster) {
    let mut object = settings_map("guarded", "1");
    object["metadata"]["finalizers"] = json!(["example.org/a", "example.org/b"]);
    let live = apply(cluster, &object).await.unwrap();
    let key = ResourceKey::new("", "ConfigMap", "api-test", "guarded");
    let gvk = GroupVersionKind::from_api_version("v1", "ConfigMap");
    let uid = live["metadata"]["uid"].as_str().unwrap();
    let foreign = cluster.remove_finalizer(&key, &gvk, "another", "example.org/a").await;
    assert_eq!(foreign.unwrap_err().name(), "Conflict");
    cluster
        .remove_finalizer(&key, &gvk, uid, "example.org/a")
        .await
        .unwrap();
    cluster
        .remove_finalizer(&key, &gvk, uid, "example.org/a")
        .await
        .unwrap();
    let live = cluster.observe(&key, &gvk).await.unwrap().unwrap();
    assert_eq!(live["metadata"]["finalizers"], json!(["example.org/b"]));
    cluster
        .remove_finalizer(&key, &gvk, uid, "example.org/b")
        .await
        .unwrap();
}

async fn live(cluster: &Cluster) {
    let (sender, mut events) = mpsc::channel(64);
    let kind = GroupKind::new("", "ConfigMap");
    let watches = LiveWatches::start(cluster.clone(), sender);
    watches.want(BTreeSet::from([kind.clone()]));
    let listed = until(&mut events, |event| match event {
        Event::Relisted { kind: of, objects, .. } if *of == kind => Some(objects.clone()),
        _ => None,
    })
    .await;
    let written = listed.iter().find(|object| object["metadata"]["name"] == "written");
    let written = written.expect("all pages were listed");
    assert_eq!(
        (&written["kind"], &written["apiVersion"]),
        (&json!("ConfigMap"), &json!("v1"))
    );
    assert!(
        written["metadata"]["managedFields"].is_array(),
        "who wrote what is needed"
    );

    // A value that no run before has written.
    let value = version(written);
    apply(cluster, &settings_map("watched", &value)).await.unwrap();
    until(&mut events, |event| match event {
        Event::LiveObserved(_, object) => {
            (object["metadata"]["name"] == "watched" && object["data"]["k"] == value).then_some(())
        }
        _ => None,
    })
    .await;
}

/// A kind that is let go and wanted again is listed again, also when both come at once.
async fn wanted_again(cluster: &Cluster) {
    let (sender, mut events) = mpsc::channel(64);
    let (map, secret) = (GroupKind::new("", "ConfigMap"), GroupKind::new("", "Secret"));
    let both = BTreeSet::from([map.clone(), secret.clone()]);
    let watches = LiveWatches::start(cluster.clone(), sender);
    watches.want(both.clone());
    let mut unlisted = both.clone();
    until(&mut events, |event| match event {
        Event::Relisted { kind, .. } => (unlisted.remove(kind) && unlisted.is_empty()).then_some(()),
        _ => None,
    })
    .await;
    watches.want(BTreeSet::from([secret.clone()]));
    watches.want(both);
    until(&mut events, |event| match event {
        Event::Relisted { kind, .. } => {
            assert_ne!(*kind, secret, "it was watched all the time");
            Some(())
        }
        _ => None,
    })
    .await;
}

fn application(name: &str) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": {
            "project": "healthcare",
            "source": {"repoURL": "https://github.com/commitx/infra.git", "targetRevision": "main", "path": "services/patient-portal",
                "helm": {"valueFiles": ["values-prod.yaml"], "somethingNew": {"kept": [1, "two"]}}},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": "production"},
            "syncPolicy": {"automated": {"prune": true, "selfHeal": true}, "syncOptions": ["CreateNamespace=true"]},
        },
    })
}

async fn applications(cluster: &Cluster) {
    let (sender, mut events) = mpsc::channel(64);
    let _monitor = Monitor::start(cluster.clone(), sender.clone());
    let served = until(&mut events, |event| match event {
        Event::ClusterConnected(_, discovery) => Some(discovery.clone()),
        _ => None,
    });
    assert!(
        served
            .await
            .kinds
            .contains_key(&GroupKind::new("argoproj.io", "Application"))
    );

    // From here on, so that what a run before has left is seen in the first list.
    let _watches = ControlWatches::start(cluster, &sender);
    let created = apply(cluster, &application("patient-portal")).await.unwrap();
    assert_eq!(
        created["spec"]["source"]["helm"]["somethingNew"],
        json!({"kept": [1, "two"]}),
        "nothing is pruned"
    );
    let mut invalid = application("nowhere");
    invalid["spec"]["destination"] = json!({"namespace": "production"});
    apply(cluster, &invalid).await.unwrap();
    let project = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": {"name": "healthcare", "namespace": "argocd"},
        "spec": {"sourceRepos": ["*"], "destinations": [{"server": "*", "namespace": "*"}]}});
    apply(cluster, &project).await.unwrap();
    let mut missing = BTreeSet::from(["application", "invalid", "project"]);
    until(&mut events, |event| {
        let (name, what) = match event {
            Event::ApplicationObserved(application) => (&application.metadata.name, "application"),
            Event::ApplicationInvalid { application, .. } => (&application.metadata.name, "invalid"),
            Event::ProjectObserved(project) => (&project.metadata.name, "project"),
            _ => return None,
        };
        let is_it = ["patient-portal", "nowhere", "healthcare"].contains(&&**name);
        (is_it && missing.remove(what) && missing.is_empty()).then_some(())
    })
    .await;
    patches(cluster, created["metadata"]["uid"].as_str().unwrap()).await;
    let status = until(&mut events, |event| match event {
        Event::ApplicationObserved(application) if application.metadata.labels.contains_key("seen") => {
            Some(application.status.clone())
        }
        _ => None,
    });
    assert_eq!(status.await.sync.status.to_string(), "Synced");
}

async fn patches(cluster: &Cluster, uid: &str) {
    let id = ApplicationId::new("argocd", "patient-portal");
    let before: u64 = cluster.requests().snapshot().values().sum();
    let status = json!({"sync": {"status": "Synced"}, "health": {"status": "Healthy"}});
    let first = cluster.patch_status(&id, uid, status.clone(), None).await.unwrap();
    let after: u64 = cluster.requests().snapshot().values().sum();
    assert_eq!(after - before, 1, "requests of a status write");
    assert_eq!(
        cluster.patch_status(&id, uid, status.clone(), None).await.unwrap(),
        first,
        "nothing changed"
    );
    let another = "3b6ab2ad-0000-4000-8000-000000000000";
    assert_eq!(
        cluster
            .patch_status(&id, another, status, None)
            .await
            .unwrap_err()
            .name(),
        "Conflict"
    );
    let label = json!({"metadata": {"labels": {"seen": first}}});
    assert_eq!(
        cluster
            .patch_application(&id, another, label.clone())
            .await
            .unwrap_err()
            .name(),
        "Conflict"
    );
    assert_ne!(cluster.patch_application(&id, uid, label).await.unwrap(), first);
    let nobody = ApplicationId::new("argocd", "nobody");
    assert_eq!(
        cluster
            .patch_status(&nobody, uid, json!({}), None)
            .await
            .unwrap_err()
            .name(),
        "NotFound"
    );
}
