//! Keeping, listing and letting go, over a simulated API server. That a delete keeps first is a test of the controller's, since only an
//! engine makes permits.

use std::time::Duration;

use capstan_engine::effect::{ApplyMode, ApplyTask, DryRun};
use capstan_engine::event::{Keeping, WriteError};
use capstan_engine::guard::{DeleteReason, Grounds};
use capstan_model::{ApplicationId, Blob, ClusterId, ResourceKey, Timestamp};
use capstan_sim::front_ends::{Cluster as WorldCluster, WorldService};
use capstan_sim::{Options, World};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::*;
use crate::ClusterSettings;

const EPOCH: Timestamp = Timestamp::from_seconds(1_772_000_000);
const DAY: Duration = Duration::from_secs(24 * 3600);

struct Bench {
    world: WorldCluster,
    cluster: Cluster,
    keeper: Keeper,
}

impl Bench {
    /// A namespace `argocd`, and a keeper that keeps there.
    async fn new(namespace: &str) -> Self {
        let world = WorldCluster::new(World::new(EPOCH, Options::default()), EPOCH);
        let service = WorldService::new(world.clone());
        let cluster = Cluster::from_service(ClusterId::in_cluster(), service, ClusterSettings::default());
        cluster.discover().await.unwrap();
        let (events, _) = mpsc::channel(8);
        let clock = world.clone();
        let keeper = Keeper::new(cluster.clone(), namespace, DAY, move || clock.now(), events);
        let bench = Self { world, cluster, keeper };
        bench
            .apply(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argocd"}}))
            .await;
        bench
    }

    async fn apply(&self, object: Value) {
        self.apply_as("capstan", object).await;
    }

    async fn apply_as(&self, manager: &str, object: Value) {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let gvk = GroupVersionKind::from_api_version(text("/apiVersion"), text("/kind"));
        let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
        let task = ApplyTask {
            cluster: ClusterId::in_cluster(),
            key: ResourceKey::new(&gvk.group, &gvk.kind, namespace, name),
            gvk,
            object: Blob::new(&object),
            mode: ApplyMode::ServerSide { force: true },
            dry_run: DryRun::No,
            validate: true,
            recreate: false,
        };
        let settings = ClusterSettings {
            field_manager: manager.to_owned(),
            ..ClusterSettings::default()
        };
        self.cluster.under(settings).apply(&task).await.unwrap();
    }

    async fn keep(&self, object: &Value) -> Result<Keeping, WriteError> {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let gvk = GroupVersionKind::from_api_version(text("/apiVersion"), text("/kind"));
        let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
        let key = ResourceKey::new(&gvk.group, &gvk.kind, namespace, name);
        self.keeper.write(&key, text("/metadata/uid"), &grounds(), object).await
    }

    async fn kept(&self) -> Vec<KeptObject> {
        let kept = self.cluster.kept("argocd").await.unwrap();
        kept.into_iter().map(Result::unwrap).collect()
    }

    /// Names of the Secrets there are.
    fn secrets(&self) -> Vec<String> {
        let history = self.world.with(|world| world.history().to_vec());
        let mut names = std::collections::BTreeSet::new();
        for write in history.iter().filter(|write| write.resource.resource == "secrets") {
            match write.verb.as_str() {
                "delete" => names.remove(&write.name.name),
                _ => names.insert(write.name.name.clone()),
            };
        }
        names.into_iter().collect()
    }

    /// Lets time pass while the keeper expires what is due.
    async fn pass(&self, time: Duration) {
        tokio::select! {
            () = self.keeper.expire() => unreachable!("it never ends"),
            () = tokio::time::sleep(time) => {}
        }
    }
}

fn grounds() -> Grounds {
    Grounds {
        application: ApplicationId::new("argocd", "shop"),
        reason: DeleteReason::Prune,
        operation: "automated sync 3".into(),
        revisions: vec!["0123456789abcdef0123456789abcdef01234567".into()],
        digest: "0123456789abcdef".into(),
        decision: "no rule holds it".into(),
    }
}

fn map(name: &str, uid: &str, value: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"k": value}, "status": {"x": 1},
        "metadata": {"name": name, "namespace": "prod", "uid": uid, "managedFields": [{"manager": "m"}]}})
}

/// Bytes that no compression makes shorter.
fn noise(length: usize) -> String {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[(state >> 40) as usize % 64])
    };
    (0..length).map(next).collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_says_what_it_was_and_keeping_twice_is_keeping_once() {
    let bench = Bench::new("argocd").await;
    bench.keep(&map("a", "11111111-aaaa", "1")).await.unwrap();
    let keeping = bench.keep(&map("a", "11111111-aaaa", "2")).await.unwrap();
    let until = (EPOCH + DAY).truncated();
    let secret = "argocd/undelete-11111111-aaaa".to_owned();
    assert_eq!(keeping, Keeping::Kept { secret, until });
    let kept = bench.kept().await;
    let [kept] = kept.as_slice() else { panic!("{kept:?}") };
    assert_eq!(kept.manifest().unwrap()["data"]["k"], "2", "the newest counts");
    assert_eq!(kept.manifest().unwrap().get("status"), None);
    assert_eq!(kept.manifest().unwrap()["metadata"].get("managedFields"), None);
    assert_eq!(
        (kept.object.as_str(), kept.reason.as_str()),
        ("ConfigMap/prod/a", "Prune")
    );
    assert_eq!(kept.application, ApplicationId::new("argocd", "shop"));
    assert_eq!(kept.commit, "0123456789abcdef0123456789abcdef01234567");
    assert_eq!(kept.cause, grounds().to_string());
    assert_eq!((kept.deleted_at, kept.expires_at), (EPOCH, EPOCH + DAY));
}

#[tokio::test(start_paused = true)]
async fn large_manifests_are_compressed_and_one_that_is_too_large_is_told_of() {
    let bench = Bench::new("argocd").await;
    let long = "capstan ".repeat(100_000);
    bench.keep(&map("large", "22222222", &long)).await.unwrap();
    let keeping = bench.keep(&map("huge", "33333333", &noise(2_000_000))).await.unwrap();
    let Keeping::NotKept { why } = &keeping else {
        panic!("{keeping:?}")
    };
    assert!(
        why.contains("bytes when compressed, and a Secret holds 1048576"),
        "{why}"
    );
    let kept = bench.kept().await;
    let of = |name: &str| kept.iter().find(|kept| kept.object.ends_with(name)).unwrap();
    assert_eq!(of("large").manifest().unwrap()["data"]["k"], json!(long));
    assert_eq!(of("huge").manifest(), Err(why.as_str()));
}

#[tokio::test(start_paused = true)]
async fn objects_are_named_as_people_name_them() {
    let bench = Bench::new("argocd").await;
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "r", "namespace": "prod", "uid": "4"}});
    let web = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "prod", "uid": "5"}});
    let node = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n", "uid": "6"}});
    for object in [&role, &web, &node] {
        bench.keep(object).await.unwrap();
    }
    let kept = bench.kept().await;
    for (text, object) in [
        ("Role/prod/r", "Role.rbac.authorization.k8s.io/prod/r"),
        (
            "Role.rbac.authorization.k8s.io/prod/r",
            "Role.rbac.authorization.k8s.io/prod/r",
        ),
        (
            "rbac.authorization.k8s.io/Role/prod/r",
            "Role.rbac.authorization.k8s.io/prod/r",
        ),
        ("Deployment/prod/web", "Deployment/prod/web"),
        ("Deployment.apps/prod/web", "Deployment/prod/web"),
        ("apps/Deployment/prod/web", "Deployment/prod/web"),
        ("Namespace/n", "Namespace/n"),
        ("undelete-6", "Namespace/n"),
    ] {
        let named: Vec<&str> = kept
            .iter()
            .filter(|kept| kept.is_named(text))
            .map(|kept| kept.object.as_str())
            .collect();
        assert_eq!(named, [object], "{text}");
    }
    for nobody in [
        "deployment/prod/web",
        "Deployment/web",
        "Deployment/prod/we",
        "/Namespace/n",
        "",
    ] {
        assert!(!kept.iter().any(|kept| kept.is_named(nobody)), "{nobody}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_expired_goes_and_nothing_else() {
    let bench = Bench::new("argocd").await;
    let metadata = |name: &str, expires: &str| {
        json!({"name": name, "namespace": "argocd", "labels": {"capstan.dev/undelete": "true"},
            "annotations": {"capstan.dev/expires-at": expires}})
    };
    let past = (EPOCH + Duration::from_secs(1)).to_string();
    // Of our label and another type; of our type without the label; without a time.
    bench
        .apply(json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata("theirs", &past)}))
        .await;
    let mut unlabelled =
        json!({"apiVersion": "v1", "kind": "Secret", "type": TYPE, "metadata": metadata("unlabelled", &past)});
    unlabelled["metadata"]["labels"] = json!({});
    bench.apply(unlabelled).await;
    bench
        .apply(json!({"apiVersion": "v1", "kind": "Secret", "type": TYPE, "metadata": metadata("timeless", "soon")}))
        .await;
    bench
        .apply(json!({"apiVersion": "v1", "kind": "Secret", "type": TYPE, "metadata": metadata("left-behind", &past)}))
        .await;
    bench.keep(&map("a", "1", "1")).await.unwrap();
    bench.pass(Duration::from_secs(60)).await;
    assert!(
        bench.secrets().contains(&"left-behind".to_owned()),
        "who does not lead deletes nothing"
    );
    bench.keeper.lead(true);
    bench.pass(Duration::from_secs(3600)).await;
    assert_eq!(bench.secrets(), ["theirs", "timeless", "undelete-1", "unlabelled"]);
    bench.keep(&map("b", "2", "1")).await.unwrap();
    let lists = || bench.cluster.requests().of_verb("list");
    let before = lists();
    bench.pass(DAY - Duration::from_secs(3600 + 120)).await;
    assert_eq!(lists(), before, "nothing ticks");
    assert!(bench.secrets().contains(&"undelete-1".to_owned()));
    bench.pass(Duration::from_secs(120)).await;
    assert_eq!(bench.secrets(), ["theirs", "timeless", "undelete-2", "unlabelled"]);
    bench.pass(DAY).await;
    assert_eq!(bench.secrets(), ["theirs", "timeless", "unlabelled"]);
}

#[tokio::test(start_paused = true)]
async fn a_later_time_that_somebody_writes_is_heeded() {
    let bench = Bench::new("argocd").await;
    bench.keeper.lead(true);
    bench.keep(&map("a", "1", "1")).await.unwrap();
    let later = (EPOCH + 3 * DAY).to_string();
    let metadata =
        json!({"name": "undelete-1", "namespace": "argocd", "annotations": {"capstan.dev/expires-at": later}});
    let object = json!({"apiVersion": "v1", "kind": "Secret", "type": TYPE, "metadata": metadata});
    bench.apply_as("somebody", object).await;
    bench.pass(2 * DAY).await;
    assert_eq!(bench.secrets(), ["undelete-1"]);
    bench.pass(DAY + Duration::from_secs(60)).await;
    assert!(bench.secrets().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_place_that_is_missing_says_nothing_about_the_object() {
    let bench = Bench::new("elsewhere").await;
    let error = bench.keep(&map("a", "1", "secret-word")).await.unwrap_err();
    // `NotFound` would be taken for the object's absence.
    assert_eq!(error.name(), "Transient");
    let text = error.to_string();
    for part in ["ConfigMap/prod/a was not deleted", "elsewhere", "--undelete-keep 0"] {
        assert!(text.contains(part), "{text}");
    }
    assert!(!text.contains("secret-word"), "{text}");
}

#[test]
fn what_cannot_be_understood_is_named_and_never_shown() {
    let secret = |annotations: Value, data: Value| json!({"metadata": {"name": "undelete-1", "annotations": annotations}, "data": data});
    let annotations = json!({"capstan.dev/application": "argocd/shop", "capstan.dev/object": "ConfigMap/prod/a",
        "capstan.dev/deleted-at": "2026-01-01T00:00:00Z", "capstan.dev/expires-at": "2026-01-02T00:00:00Z"});
    let mut timeless = annotations.clone();
    timeless["capstan.dev/expires-at"] = json!("soon");
    let error = KeptObject::of(&secret(timeless, json!({}))).unwrap_err();
    assert!(error.contains("undelete-1") && error.contains("\"soon\""), "{error}");
    // `aHVudGVyMg==` is "hunter2", `W10=` is "[]".
    for (data, why) in [
        (json!({}), "neither"),
        (json!({"manifest.json": "?"}), "no base64"),
        (json!({"manifest.json": "aHVudGVyMg=="}), "no JSON at line 1"),
        (json!({"manifest.json": "W10="}), "no object"),
        (json!({"manifest.json.gz": "aHVudGVyMg=="}), "cannot be decompressed"),
    ] {
        let kept = KeptObject::of(&secret(annotations.clone(), data)).unwrap();
        let found = kept.manifest().unwrap_err();
        assert!(found.contains(why) && !found.contains("hunter2"), "{found}");
        assert!(kept.identity().is_err() && kept.is_named("ConfigMap/prod/a"));
    }
}

#[test]
fn what_is_kept_is_not_in_what_is_printed_of_it() {
    let secret = json!({"metadata": {"name": "undelete-1", "annotations": {"capstan.dev/application": "argocd/shop",
        "capstan.dev/deleted-at": "2026-01-01T00:00:00Z", "capstan.dev/expires-at": "2026-01-02T00:00:00Z"}},
        "data": {"manifest.json": "eyJrIjogImh1bnRlcjIifQ=="}});
    let kept = KeptObject::of(&secret).unwrap();
    assert_eq!(kept.manifest().unwrap(), &json!({"k": "hunter2"}));
    assert!(!format!("{kept:?}").contains("hunter2"));
}

/// What failed was the write of the Secret. Of the object itself nothing is known to be gone, and nothing is open.
#[tokio::test(start_paused = true)]
async fn a_failed_write_is_never_an_absence_and_says_what_to_do() {
    let bench = Bench::new("argocd").await;
    let why = || "why".to_owned();
    let retry_after = Some(Duration::from_secs(7));
    for (error, name) in [
        (WriteError::Forbidden(why()), "Forbidden"),
        (WriteError::Invalid(why()), "Invalid"),
        (WriteError::Transient(why()), "Transient"),
        (WriteError::Conflict(why()), "Transient"),
        (WriteError::NotFound(why()), "Transient"),
        (WriteError::PathNotFound(why()), "Transient"),
        (WriteError::OutcomeUnknown(why()), "Transient"),
        (
            WriteError::RateLimited {
                message: why(),
                retry_after,
            },
            "RateLimited",
        ),
    ] {
        let told = bench
            .keeper
            .explain(&ResourceKey::new("", "ConfigMap", "prod", "a"), &error);
        assert_eq!(told.name(), name);
        let text = told.to_string();
        assert!(
            text.starts_with("ConfigMap/prod/a was not deleted") && text.contains(": why."),
            "{text}"
        );
        if let WriteError::RateLimited { retry_after: kept, .. } = told {
            assert_eq!(kept, retry_after);
        }
    }
}
