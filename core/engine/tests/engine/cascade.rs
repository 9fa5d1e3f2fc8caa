//! What an Application's deletion takes along with a Namespace, and what it does not: everything in it goes with it, whoever's it is.

use std::time::Duration;

use capstan_engine::Event;
use capstan_engine::Settings;
use capstan_engine::settings::Guards;
use capstan_model::{ApplicationId, ResourceKey};
use serde_json::{Value, json};

use crate::cluster::{Fact, key_of};
use crate::fleet::{Fleet, application};
use crate::rig::config;

const MINUTE: Duration = Duration::from_secs(60);

fn object(api: &str, kind: &str, namespace: &str, name: &str) -> Value {
    let mut object = json!({"apiVersion": api, "kind": kind, "metadata": {"name": name, "annotations": {}}});
    if !namespace.is_empty() {
        object["metadata"]["namespace"] = json!(namespace);
    }
    object
}

fn inside(name: &str, wave: i32) -> Value {
    let mut inside = config(name, wave, "1");
    inside["metadata"]["namespace"] = json!("team");
    inside
}

fn namespace(wave: i32) -> Value {
    let mut namespace = object("v1", "Namespace", "", "team");
    namespace["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"] = json!(wave.to_string());
    namespace
}

fn with_option(mut object: Value, option: &str) -> Value {
    object["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] = json!(option);
    object
}

/// An object that nobody of ours made.
fn plant(fleet: &mut Fleet, mut object: Value) {
    for (field, value) in [
        ("uid", json!(format!("theirs-{}", object["metadata"]["name"]))),
        ("resourceVersion", json!("1")),
        ("generation", json!(1)),
        ("managedFields", json!([])),
    ] {
        object["metadata"][field] = value;
    }
    fleet.cluster.objects.insert(key_of(&object), object);
}

fn secret() -> Value {
    object("v1", "Secret", "team", "theirs")
}

/// Synced, with these objects.
fn settled_with(settings: Settings, objects: Vec<Value>) -> Fleet {
    let mut fleet = Fleet::with(settings);
    let mut resource = application("shop");
    resource["metadata"]["finalizers"] = json!(["resources-finalizer.argocd.argoproj.io"]);
    fleet.create(resource, objects);
    fleet.settle(MINUTE);
    assert_eq!(fleet.sync("shop"), "Synced Healthy", "{}", fleet.tail());
    fleet
}

fn settled(objects: Vec<Value>) -> Fleet {
    settled_with(Settings::default(), objects)
}

/// A namespace of ours with an object of ours in it, one of ours elsewhere, and somebody's.
fn shared() -> Fleet {
    let mut fleet = settled(vec![namespace(0), inside("inner", 0), config("below", -1, "1")]);
    plant(&mut fleet, secret());
    fleet
}

fn has(fleet: &Fleet, object: &Value) -> bool {
    fleet.cluster.objects.contains_key(&key_of(object))
}

fn is_over(fleet: &Fleet) -> bool {
    !fleet.resources.contains_key("shop")
}

fn approve(fleet: &mut Fleet, at: &str) {
    let patch = json!({"metadata": {"annotations": {"argocd.argoproj.io/deletion-approved": at}}});
    fleet.patch("shop", &patch);
}

fn deleted(fleet: &Fleet) -> Vec<String> {
    let facts = fleet.cluster.history.iter();
    let deleted = facts.filter_map(|fact| match fact {
        Fact::Deleted { key } => Some(key.name.clone()),
        _ => None,
    });
    deleted.collect()
}

fn refresh(fleet: &mut Fleet) {
    let id = ApplicationId::new("argocd", "shop");
    fleet.handle(Event::RefreshRequested { id, hard: false });
}

#[test]
pub(crate) fn a_namespace_with_others_objects_is_kept_and_everything_else_goes() {
    for guards in [Guards::Capstan, Guards::Argo] {
        let settings = Settings {
            guards,
            ..Settings::default()
        };
        let mut fleet = settled_with(
            settings,
            vec![namespace(0), inside("inner", 0), config("below", -1, "1")],
        );
        plant(&mut fleet, secret());
        fleet.delete("shop");
        fleet.settle(MINUTE);
        assert!(
            has(&fleet, &namespace(0)) && has(&fleet, &secret()),
            "{}",
            fleet.journal()
        );
        assert!(!has(&fleet, &inside("inner", 0)), "what is ours in it goes");
        assert!(!fleet.has("ConfigMap", "below"), "so does what comes after it");
        assert!(
            !is_over(&fleet),
            "the application stays as long as it has something to delete"
        );
        let conditions = fleet.conditions("shop");
        for part in [
            "PruneHeld",
            "NamespaceInUse [plan ",
            "Secret/team/theirs",
            "1 object is not deleted: Namespace/team",
            "Delete=false",
            "deletion-approved",
        ] {
            assert!(conditions.contains(part), "{part}: {conditions}");
        }
        assert!(!conditions.contains("sync with prune"), "nobody can: {conditions}");
        let view = fleet.view("shop");
        assert_eq!(view.holds.len(), 1);
        assert!(view.sentence.contains("Namespace/team"), "{}", view.sentence);
    }
}

#[test]
fn an_approval_lets_it_go_and_says_so() {
    let mut fleet = shared();
    fleet.delete("shop");
    // Nobody has seen what is held by then.
    let before = fleet.now.to_string();
    approve(&mut fleet, &before);
    fleet.settle(MINUTE);
    assert!(has(&fleet, &namespace(0)), "{}", fleet.journal());
    approve(&mut fleet, "2036-01-01T00:00:00Z");
    fleet.settle(MINUTE);
    assert!(has(&fleet, &namespace(0)), "an approval in the future");
    let now = fleet.now.to_string();
    approve(&mut fleet, &now);
    fleet.settle(MINUTE);
    assert!(is_over(&fleet) && !has(&fleet, &namespace(0)), "{}", fleet.journal());
    let journal = fleet.journal();
    assert!(
        journal.contains(&format!(
            "approved by argocd.argoproj.io/deletion-approved: {now}, of NamespaceInUse"
        )),
        "{journal}"
    );
}

#[test]
fn it_is_known_again_after_a_restart() {
    let mut fleet = shared();
    fleet.delete("shop");
    fleet.settle(MINUTE);
    let held = fleet.conditions("shop");
    fleet.restart();
    fleet.settle(10 * MINUTE);
    assert_eq!(fleet.conditions("shop"), held, "since the same time");
    assert!(has(&fleet, &namespace(0)));
    // Approved while nobody was there.
    let now = fleet.now.to_string();
    approve(&mut fleet, &now);
    fleet.restart();
    fleet.settle(MINUTE);
    assert!(is_over(&fleet), "{}", fleet.journal());
}

#[test]
fn it_goes_once_it_is_empty() {
    let theirs = key_of(&secret());
    let mut fleet = shared();
    fleet.delete("shop");
    fleet.settle(MINUTE);
    fleet.cluster.objects.remove(&theirs);
    fleet.settle(60 * MINUTE);
    assert!(is_over(&fleet), "it is looked at again by itself: {}", fleet.journal());

    let mut fleet = shared();
    fleet.delete("shop");
    fleet.settle(60 * MINUTE);
    let looks = fleet
        .log
        .iter()
        .filter(|line| line.contains("delete Namespace/team"))
        .count();
    assert!((4..20).contains(&looks), "ever more slowly: {looks}");
    let statuses = fleet.log.iter().filter(|line| line.contains(" status ")).count();
    fleet.settle(600 * MINUTE);
    let later = fleet.log.iter().filter(|line| line.contains(" status ")).count();
    assert_eq!(statuses, later, "a look that finds the same is not told again");
    fleet.cluster.objects.remove(&theirs);
    refresh(&mut fleet);
    fleet.settle(Duration::from_secs(1));
    assert!(is_over(&fleet), "whoever refreshes need not wait: {}", fleet.journal());
}

#[test]
fn what_cannot_be_listed_is_not_empty() {
    let mut fleet = settled(vec![namespace(0), inside("inner", 0)]);
    fleet.cluster.forbids_lists = true;
    fleet.delete("shop");
    fleet.settle(MINUTE);
    assert!(has(&fleet, &namespace(0)), "{}", fleet.journal());
    let conditions = fleet.conditions("shop");
    assert!(
        conditions.contains("it is not known what would go along with Namespace/team"),
        "{conditions}"
    );
}

#[test]
fn what_is_ours_or_kubernetes_own_holds_nothing() {
    let mut fleet = settled(vec![namespace(3), inside("first", -1), inside("inner", 3)]);
    let owner = fleet.cluster.objects[&key_of(&inside("first", -1))]["metadata"]["uid"].clone();
    let mut owned = object("v1", "Pod", "team", "owned");
    owned["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "first", "uid": owner}]);
    plant(&mut fleet, owned.clone());
    plant(&mut fleet, object("v1", "ConfigMap", "team", "kube-root-ca.crt"));
    plant(&mut fleet, object("v1", "ServiceAccount", "team", "default"));
    plant(&mut fleet, object("v1", "Event", "team", "something-happened"));
    plant(&mut fleet, object("discovery.k8s.io/v1", "EndpointSlice", "team", "s"));
    fleet.delete("shop");
    fleet.settle(MINUTE);
    assert!(is_over(&fleet), "{}", fleet.journal());
    assert!(!has(&fleet, &namespace(3)));
    // In a wave, what holds others comes after what it holds.
    assert_eq!(deleted(&fleet), ["inner", "team", "first"]);
}

#[test]
fn what_of_ours_is_to_stay_holds_its_namespace() {
    let kept = || with_option(inside("kept", 0), "Delete=false");
    let mut fleet = settled(vec![namespace(0), kept(), inside("inner", 0)]);
    fleet.delete("shop");
    fleet.settle(MINUTE);
    assert!(
        has(&fleet, &namespace(0)) && has(&fleet, &kept()),
        "{}",
        fleet.journal()
    );
    assert!(!has(&fleet, &inside("inner", 0)));
    assert!(fleet.conditions("shop").contains("ConfigMap/team/kept"));

    // The application's own option speaks of everything that does not speak for itself.
    let mut fleet = settled(vec![with_option(namespace(0), "Delete=true"), inside("inner", 0)]);
    let policy = json!({"spec": {"syncPolicy": {"syncOptions": ["Delete=false"]}}});
    fleet.patch("shop", &policy);
    fleet.settle(MINUTE);
    fleet.delete("shop");
    fleet.settle(MINUTE);
    assert!(
        has(&fleet, &namespace(0)) && has(&fleet, &inside("inner", 0)),
        "{}",
        fleet.journal()
    );
}

#[test]
fn somebody_may_keep_it() {
    let mut fleet = shared();
    fleet.delete("shop");
    fleet.settle(MINUTE);
    // By the object itself,
    let key = ResourceKey::new("", "Namespace", "", "team");
    let options = "argocd.argoproj.io/sync-options";
    let object = fleet.cluster.objects.get_mut(&key).unwrap();
    object["metadata"]["annotations"][options] = json!("Delete=false");
    object["metadata"]["resourceVersion"] = json!("1000");
    let object = object.clone();
    let cluster = capstan_model::ClusterId::in_cluster();
    fleet.handle(Event::LiveObserved(cluster, Box::new(object)));
    fleet.settle(MINUTE);
    assert!(is_over(&fleet) && has(&fleet, &namespace(0)), "{}", fleet.journal());
    // or by the finalizer.
    let mut fleet = shared();
    fleet.delete("shop");
    fleet.settle(MINUTE);
    fleet.patch("shop", &json!({"metadata": {"finalizers": []}}));
    fleet.settle(MINUTE);
    assert!(is_over(&fleet) && has(&fleet, &namespace(0)), "{}", fleet.journal());
}

#[test]
fn definitions_stay_whoever_s_objects_there_are() {
    let mut definition = object("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "things.a.io");
    definition["spec"] = json!({"group": "a.io", "names": {"kind": "Thing", "plural": "things"},
        "versions": [{"name": "v1", "served": true}]});
    let mut fleet = settled(vec![definition.clone(), object("a.io/v1", "Thing", "prod", "ours")]);
    plant(&mut fleet, object("a.io/v1", "Thing", "team", "theirs"));
    fleet.delete("shop");
    fleet.settle(MINUTE);
    assert!(is_over(&fleet), "{}", fleet.journal());
    assert!(has(&fleet, &definition) && fleet.has("Thing", "theirs") && !fleet.has("Thing", "ours"));
}

/// The deletion begins when a sync has asked for an object, and that is made only after everything else was done.
#[test]
fn what_a_stopped_sync_still_makes_goes_too() {
    let mut made = 0;
    for step in 0..30 {
        let mut fleet = Fleet::new();
        let mut shop = application("shop");
        shop["metadata"]["finalizers"] = json!(["resources-finalizer.argocd.argoproj.io"]);
        fleet.create(shop, vec![config("a", 0, "1")]);
        fleet.drive(step);
        fleet.delete("shop");
        fleet.drive_newest(30);
        fleet.settle(MINUTE);
        made += usize::from(
            fleet
                .cluster
                .history
                .iter()
                .any(|fact| matches!(fact, Fact::Written { .. })),
        );
        assert!(
            !fleet.resources.contains_key("shop"),
            "after {step}: {}",
            fleet.journal()
        );
        assert!(!fleet.has("ConfigMap", "a"), "after {step}: {}", fleet.journal());
    }
    assert!(made > 0);
}
