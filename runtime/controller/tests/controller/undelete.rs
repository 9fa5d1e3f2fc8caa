//! What is deleted is kept first, in the requests that a server sees; and what cannot be kept is not deleted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use capstan_controller::{Clock, ControllerSettings};
use capstan_kubernetes::{Cluster, KeptObject};
use capstan_model::Timestamp;
use capstan_sim::front_ends::Cluster as WorldCluster;
use capstan_sim::{ApiError, Faults, Method, Request, Verdict};
use serde_json::{Value, json};

use crate::support::{EPOCH, application, apply, install, map, world};
use crate::{Bench, Running};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Runs a story over a world that goes on meanwhile.
async fn over_a_world(story: impl AsyncFnOnce(&WorldCluster, &Bench)) {
    let (world, cluster) = world();
    let bench = Bench::new(cluster, || Clock::starting_at(EPOCH));
    let driven = world.clone();
    tokio::select! {
        biased;
        () = story(&world, &bench) => {}
        () = driven.drive() => panic!("the world stopped"),
    }
}

/// `shop` with so many maps, synced.
async fn synced(bench: &Bench, maps: usize, settings: ControllerSettings) -> Running {
    install(&bench.cluster).await;
    bench.repository.commit(|files| {
        for number in 0..maps {
            let object = map(&format!("map-{number}"), "sealed-word");
            files.insert(format!("shop/{number}.json"), object.to_string().into_bytes());
        }
    });
    let running = bench.start_with(settings);
    apply(&bench.cluster, &application("shop", "shop")).await;
    running.synced(1).await;
    running
}

async fn kept(cluster: &Cluster) -> Vec<KeptObject> {
    let kept = cluster.kept("argocd").await.unwrap();
    kept.into_iter().map(Result::unwrap).collect()
}

/// Writes of Secrets and deletes of anything else, in order: `verb name`.
fn order(world: &WorldCluster) -> Vec<String> {
    let history = world.with(|world| world.history().to_vec());
    let told = history
        .iter()
        .filter(|write| write.resource.resource == "secrets" || write.verb == "delete");
    told.map(|write| format!("{} {}/{}", write.verb, write.resource.resource, write.name.name))
        .collect()
}

fn uid(object: &Value) -> &str {
    object["metadata"]["uid"].as_str().unwrap()
}

fn journal(running: &Running) -> Vec<String> {
    let entries = running.handle.journal_after(0);
    let of_deletes = entries
        .iter()
        .filter(|entry| matches!(entry.to.as_str(), "Deleting" | "Kept" | "NotKept"));
    of_deletes
        .map(|entry| format!("{} {}", entry.to, entry.message))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_pruned_is_kept_first_and_for_a_day() {
    over_a_world(async |world, bench| {
        let running = synced(bench, 3, ControllerSettings::default()).await;
        let live = bench.live("shop", "map-2").await.unwrap();
        bench.repository.commit(|files| {
            files.remove("shop/2.json");
        });
        running.synced(2).await;
        assert!(bench.live("shop", "map-2").await.is_none());
        let secret = format!("undelete-{}", uid(&live));
        assert_eq!(
            order(world),
            [format!("apply secrets/{secret}"), "delete configmaps/map-2".to_owned()]
        );
        let all = kept(&bench.cluster).await;
        let [one] = all.as_slice() else { panic!("{all:?}") };
        assert_eq!(
            (one.object.as_str(), one.reason.as_str()),
            ("ConfigMap/shop/map-2", "Prune")
        );
        assert_eq!(one.commit, format!("{:040x}", 2));
        let manifest = one.manifest().unwrap();
        assert_eq!((&manifest["data"], uid(manifest)), (&live["data"], uid(&live)));
        let lines = journal(&running);
        let [deleting, kept_line] = lines.as_slice() else {
            panic!("{lines:#?}")
        };
        assert!(deleting.ends_with(one.cause.split(" → ").last().unwrap()), "{deleting}");
        assert!(
            kept_line.starts_with(&format!("Kept kept as Secret argocd/{secret} until ")),
            "{kept_line}"
        );
        assert!(!lines.concat().contains("sealed-word"));
        tokio::time::sleep(DAY - Duration::from_secs(3600)).await;
        assert_eq!(kept(&bench.cluster).await.len(), 1);
        tokio::time::sleep(Duration::from_secs(3601)).await;
        assert_eq!(kept(&bench.cluster).await.len(), 0);
        assert_eq!(order(world).last(), Some(&format!("delete secrets/{secret}")));
    })
    .await;
}

/// Refuses every write of Secrets while it is set.
struct NoSecrets(Arc<AtomicBool>);

impl Faults for NoSecrets {
    fn before(&mut self, _: Timestamp, request: &Request) -> Verdict {
        let is_write = request.path.contains("/secrets/") && request.method == Some(Method::Patch);
        match is_write && self.0.load(Ordering::Relaxed) {
            true => Verdict::Fail(ApiError::internal("etcd has no space")),
            false => Verdict::Pass,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_kept_is_not_deleted_until_it_can() {
    over_a_world(async |world, bench| {
        let is_broken = Arc::new(AtomicBool::new(true));
        let running = synced(bench, 3, ControllerSettings::default()).await;
        world.with(|world| world.set_faults(Box::new(NoSecrets(is_broken.clone()))));
        bench.repository.commit(|files| {
            files.remove("shop/2.json");
        });
        running
            .until("told why it is not deleted", |view| {
                let told = format!("{view:?}");
                told.contains("ConfigMap/shop/map-2 was not deleted") && told.contains("--undelete-keep 0")
            })
            .await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(bench.live("shop", "map-2").await.is_some());
        assert_eq!(order(world), Vec::<String>::new());
        is_broken.store(false, Ordering::Relaxed);
        running.synced(2).await;
        assert!(bench.live("shop", "map-2").await.is_none());
        assert_eq!(kept(&bench.cluster).await.len(), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_kept_when_keeping_is_off() {
    over_a_world(async |world, bench| {
        let settings = ControllerSettings {
            undelete_keep: Duration::ZERO,
            ..ControllerSettings::default()
        };
        let running = synced(bench, 3, settings).await;
        bench.repository.commit(|files| {
            files.remove("shop/2.json");
        });
        running.synced(2).await;
        assert_eq!(order(world), ["delete configmaps/map-2"]);
        assert_eq!(journal(&running).len(), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn hooks_are_not_kept_and_what_goes_with_its_application_is() {
    over_a_world(async |world, bench| {
        let running = synced(bench, 1, ControllerSettings::default()).await;
        let mut hook = map("hook", "1");
        hook["metadata"]["annotations"] = json!({"argocd.argoproj.io/hook": "PreSync",
            "argocd.argoproj.io/hook-delete-policy": "HookSucceeded"});
        // A hook alone is no reason to sync.
        bench.repository.commit(|files| {
            files.insert("shop/hook.json".into(), hook.to_string().into_bytes());
            files.insert("shop/0.json".into(), map("map-0", "2").to_string().into_bytes());
        });
        running.synced(2).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(order(world), ["delete configmaps/hook"]);
        let live = bench.live("shop", "map-0").await.unwrap();
        let mut resource = application("shop", "shop");
        resource["metadata"]["finalizers"] = json!(["resources-finalizer.argocd.argoproj.io"]);
        apply(&bench.cluster, &resource).await;
        let path = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/shop";
        world.handle(Request::new(Method::Delete, path));
        for _ in 0..100 {
            if bench.live("shop", "map-0").await.is_none() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let all = kept(&bench.cluster).await;
        let [one] = all.as_slice() else { panic!("{all:?}") };
        assert_eq!(
            (one.object.as_str(), one.reason.as_str()),
            ("ConfigMap/shop/map-0", "Cascade")
        );
        assert!(one.cause.contains("deletion of the Application"), "{}", one.cause);
        let secret = format!("apply secrets/undelete-{}", uid(&live));
        let order = order(world);
        let at = |what: &str| order.iter().position(|line| line == what);
        assert!(
            at(&secret).unwrap() < at("delete configmaps/map-0").unwrap(),
            "{order:#?}"
        );
    })
    .await;
}

/// `Force=true`: what cannot be changed is deleted and made anew. What was there before is kept.
#[tokio::test(start_paused = true)]
async fn what_is_made_anew_is_kept_as_it_was() {
    over_a_world(async |_, bench| {
        install(&bench.cluster).await;
        let forced = |value: &str| {
            let mut object = map("fixed", value);
            object["immutable"] = json!(true);
            object["metadata"]["annotations"] = json!({"argocd.argoproj.io/sync-options": "Force=true"});
            object
        };
        bench.repository.write("shop/a.json", &forced("1"));
        let running = bench.start();
        apply(&bench.cluster, &application("shop", "shop")).await;
        running.synced(1).await;
        bench.repository.write("shop/a.json", &forced("2"));
        running.synced(2).await;
        assert_eq!(bench.live("shop", "fixed").await.unwrap()["data"]["k"], "2");
        let all = kept(&bench.cluster).await;
        let [one] = all.as_slice() else { panic!("{all:?}") };
        assert_eq!(one.reason, "Recreate");
        assert_eq!(one.manifest().unwrap()["data"]["k"], "1");
    })
    .await;
}

/// A kept Secret that an Application tracks, by a manifest that somebody copied into Git, is not kept once more.
#[tokio::test(start_paused = true)]
async fn what_keeps_something_is_not_kept_itself() {
    over_a_world(async |world, bench| {
        let running = synced(bench, 1, ControllerSettings::default()).await;
        let metadata = json!({"name": "copied", "labels": {"capstan.dev/undelete": "true"}});
        let copied =
            json!({"apiVersion": "v1", "kind": "Secret", "type": "capstan.dev/deleted-object", "metadata": metadata});
        bench.repository.write("shop/copied.json", &copied);
        running.synced(2).await;
        bench.repository.commit(|files| {
            files.remove("shop/copied.json");
        });
        running.synced(3).await;
        let order = order(world);
        assert_eq!(order[..2], ["apply secrets/copied", "delete secrets/copied"]);
        assert!(!order.iter().any(|line| line.contains("undelete-")), "{order:#?}");
        let lines = journal(&running);
        let is_told = lines
            .iter()
            .any(|line| line.starts_with("NotKept") && line.contains("left of a deleted object"));
        assert!(is_told, "{lines:#?}");
    })
    .await;
}

#[test]
fn a_day_is_the_default() {
    assert_eq!(ControllerSettings::default().undelete_keep, DAY);
}
