//! The index against situations that a cluster produces, and against a naive twin.

use std::collections::BTreeMap;

use capstan_live::{ChangeKind, LiveIndex, Lookup, Node};
use capstan_model::annotations::{OPERATION, TRACKING_ID};
use capstan_model::{ApplicationId, GroupKind, HealthStatus, HealthStatusCode, ResourceKey};
use proptest::prelude::*;
use serde_json::{Value, json};

fn assess(object: &Value) -> Option<HealthStatus> {
    match object["status"]["health"].as_str()? {
        "good" => Some(HealthStatus::new(HealthStatusCode::Healthy, "")),
        why => Some(HealthStatus::new(HealthStatusCode::Degraded, why)),
    }
}

fn object(kind: &str, name: &str, version: u64) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": kind,
        "metadata": {"namespace": "prod", "name": name, "uid": format!("uid-{name}"), "resourceVersion": version.to_string()},
        "spec": {"replicas": 1}
    })
}

fn track(mut object: Value, application: &str) -> Value {
    let (kind, name) = (
        object["kind"].as_str().expect("text").to_owned(),
        object["metadata"]["name"].as_str().expect("text").to_owned(),
    );
    object["metadata"]["annotations"][TRACKING_ID] = json!(format!("{application}:apps/{kind}:prod/{name}"));
    object
}

fn own(mut object: Value, owner: &str) -> Value {
    object["metadata"]["ownerReferences"] = json!([{"uid": format!("uid-{owner}"), "controller": true}]);
    object
}

fn key(kind: &str, name: &str) -> ResourceKey {
    ResourceKey::new("apps", kind, "prod", name)
}

fn kind(kind: &str) -> GroupKind {
    GroupKind::new("apps", kind)
}

fn shop() -> ApplicationId {
    ApplicationId::new("argocd", "shop")
}

#[test]
fn absence_is_unknown_until_a_complete_list_and_again_when_stale() {
    let mut index = LiveIndex::new("argocd");
    let key = key("Deployment", "web");
    assert!(matches!(index.lookup(&key), Lookup::Unknown));
    index.apply(&object("Deployment", "other", 1), &assess);
    assert!(matches!(index.lookup(&key), Lookup::Unknown));
    index.relist(&kind("Deployment"), vec![], &assess);
    assert!(matches!(index.lookup(&key), Lookup::Missing));
    index.mark_stale(&kind("Deployment"));
    assert!(matches!(index.lookup(&key), Lookup::Unknown));
    assert!(!index.is_complete(&kind("Deployment")));
}

#[test]
fn a_list_proves_what_is_not_in_it_gone() {
    let mut index = LiveIndex::new("argocd");
    index.apply(&track(object("Deployment", "web", 1), "shop"), &assess);
    index.apply(&object("Deployment", "api", 2), &assess);
    // Items of a list have no kind.
    let mut item = object("Deployment", "api", 2);
    item.as_object_mut().unwrap().remove("kind");
    let changes = index.relist(&kind("Deployment"), vec![item], &assess);
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert_eq!(changes[0].kind, ChangeKind::Removed);
    assert_eq!(changes[0].tracked_by.before, Some(shop()));
    assert_eq!(changes[0].applications, [shop()]);
    assert_eq!((index.tracked(&shop()).count(), index.len()), (0, 1));
}

#[test]
fn an_older_observation_changes_nothing() {
    let mut index = LiveIndex::new("argocd");
    let mut newer = object("Deployment", "web", 10);
    newer["spec"]["replicas"] = json!(3);
    index.apply(&newer, &assess);
    let late = index.apply(&object("Deployment", "web", 9), &assess);
    assert_eq!(late.kind, ChangeKind::Unchanged);
    let Lookup::Present(node) = index.lookup(&key("Deployment", "web")) else {
        panic!("known")
    };
    assert_eq!(node.resource_version(), "10");
}

#[test]
fn what_was_seen_going_does_not_return_by_a_late_answer() {
    let mut index = LiveIndex::new("argocd");
    index.relist(&kind("Deployment"), vec![object("Deployment", "web", 1)], &assess);
    assert_eq!(
        index.remove(&key("Deployment", "web"), "uid-web").kind,
        ChangeKind::Removed
    );
    assert_eq!(
        index.apply(&object("Deployment", "web", 5), &assess).kind,
        ChangeKind::Unchanged
    );
    assert!(matches!(index.lookup(&key("Deployment", "web")), Lookup::Missing));
    // Its successor is another object.
    let mut successor = object("Deployment", "web", 6);
    successor["metadata"]["uid"] = json!("second");
    assert_eq!(index.apply(&successor, &assess).kind, ChangeKind::Added);
    // The end of the first one, told late, leaves the second alone.
    assert_eq!(
        index.remove(&key("Deployment", "web"), "uid-web").kind,
        ChangeKind::Unchanged
    );
    assert!(matches!(index.lookup(&key("Deployment", "web")), Lookup::Present(_)));
}

#[test]
fn a_successor_of_the_same_name_is_named_as_a_replacement() {
    let mut index = LiveIndex::new("argocd");
    index.apply(&object("Deployment", "web", 1), &assess);
    let mut successor = object("Deployment", "web", 2);
    successor["metadata"]["uid"] = json!("second");
    let change = index.apply(&successor, &assess);
    assert_eq!(change.replaced.as_deref(), Some("uid-web"));
    assert!(matches!(
        change.kind,
        ChangeKind::Updated {
            content: true,
            status: true,
            ..
        }
    ));
    assert!(index.by_uid("uid-web").is_none() && index.by_uid("second").is_some());
}

#[test]
fn a_change_says_what_changed_and_who_is_concerned() {
    let mut index = LiveIndex::new("argocd");
    index.apply(&track(object("Deployment", "web", 1), "shop"), &assess);
    // The Pod is seen before the ReplicaSet between it and the Deployment.
    let mut pod = own(object("Pod", "web-1-a", 2), "web-1");
    assert_eq!(index.apply(&pod, &assess).applications, []);
    let set = index.apply(&own(object("ReplicaSet", "web-1", 3), "web"), &assess);
    assert_eq!(set.applications, [shop()]);
    pod["metadata"]["resourceVersion"] = json!("4");
    pod["status"]["health"] = json!("CrashLoopBackOff");
    let change = index.apply(&pod, &assess);
    assert_eq!(
        change.kind,
        ChangeKind::Updated {
            content: false,
            health: true,
            status: true
        }
    );
    assert_eq!(change.applications, [shop()]);
    let node = index.by_uid("uid-web-1-a").unwrap();
    assert_eq!(node.health().unwrap().message, "CrashLoopBackOff");
}

#[test]
fn changed_tracking_concerns_both_applications() {
    let mut index = LiveIndex::new("argocd");
    index.apply(&track(object("Deployment", "web", 1), "shop"), &assess);
    let change = index.apply(&track(object("Deployment", "web", 2), "team-a_blog"), &assess);
    let blog = ApplicationId::new("team-a", "blog");
    assert_eq!(change.applications, [shop(), blog.clone()]);
    assert_eq!(change.tracked_by.before, Some(shop()));
    assert_eq!(change.tracked_by.after, Some(blog.clone()));
    assert_eq!(index.tracked(&blog).collect::<Vec<_>>(), [&key("Deployment", "web")]);
    assert_eq!(index.applications().collect::<Vec<_>>(), [&blog]);
}

#[test]
fn documents_are_kept_for_tracked_objects_and_hooks_only() {
    let mut index = LiveIndex::new("argocd");
    let tracked = track(object("Deployment", "web", 1), "shop");
    let mut hook = object("Job", "migrate", 1);
    hook["metadata"]["annotations"][OPERATION] = json!("uid:1:1");
    index.apply(&tracked, &assess);
    index.apply(&hook, &assess);
    index.apply(&object("ReplicaSet", "web-1", 1), &assess);
    let manifest = |uid: &str| index.by_uid(uid).unwrap().manifest().map(|blob| blob.value().unwrap());
    assert_eq!(manifest("uid-web"), Some(tracked));
    assert_eq!(manifest("uid-migrate"), Some(hook));
    assert_eq!(manifest("uid-web-1"), None);
    assert_eq!(index.by_uid("uid-migrate").unwrap().operation(), Some("uid:1:1"));
}

#[test]
fn a_tree_lists_parents_before_children_in_a_stable_order() {
    let mut index = LiveIndex::new("argocd");
    for object in [
        own(object("Pod", "b", 1), "web-1"),
        own(object("Pod", "a", 1), "web-1"),
        own(object("ReplicaSet", "web-2", 1), "web"),
        own(object("ReplicaSet", "web-1", 1), "web"),
        object("Deployment", "web", 1),
        own(object("ConfigMap", "x", 1), "absent"),
    ] {
        index.apply(&object, &assess);
    }
    let roots = [
        key("Pod", "a"),
        key("Deployment", "web"),
        key("ConfigMap", "x"),
        key("ConfigMap", "gone"),
    ];
    let tree: Vec<String> = index
        .tree(&roots)
        .iter()
        .map(|node| format!("{}{}", "  ".repeat(node.depth), node.key.name))
        .collect();
    assert_eq!(tree, ["x", "web", "  web-1", "    a", "    b", "  web-2"]);
}

#[test]
fn owners_in_a_circle_are_shown_once() {
    let mut index = LiveIndex::new("argocd");
    index.apply(&own(object("A", "a", 1), "b"), &assess);
    index.apply(&own(object("A", "b", 1), "a"), &assess);
    let tree = index.tree(&[key("A", "a"), key("A", "b")]);
    assert_eq!(tree.len(), 2);
}

#[test]
fn nonsense_changes_nothing() {
    let mut index = LiveIndex::new("argocd");
    for value in [
        json!(null),
        json!([]),
        json!({"kind": 1}),
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": ""}}),
        json!({"kind": "Pod", "metadata": "x"}),
    ] {
        assert_eq!(index.apply(&value, &assess).kind, ChangeKind::Unchanged);
    }
    assert!(index.is_empty());
}

#[derive(Clone, Debug)]
enum Step {
    Apply {
        name: u8,
        uid: u8,
        owner: Option<u8>,
        application: Option<u8>,
    },
    Remove {
        name: u8,
        uid: u8,
    },
    Relist(Vec<(u8, u8)>),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..5u8, 0..3u8, proptest::option::of(0..5u8), proptest::option::of(0..2u8))
            .prop_map(|(name, uid, owner, application)| Step::Apply { name, uid, owner, application }),
        1 => (0..5u8, 0..3u8).prop_map(|(name, uid)| Step::Remove { name, uid }),
        1 => proptest::collection::vec((0..5u8, 0..3u8), 0..4).prop_map(Step::Relist),
    ]
}

fn build(name: u8, uid: u8, version: u64, owner: Option<u8>, application: Option<u8>) -> Value {
    let mut built = object("Deployment", &name.to_string(), version);
    built["metadata"]["uid"] = json!(format!("{name}-{uid}"));
    if let Some(owner) = owner {
        built["metadata"]["ownerReferences"] = json!([{"uid": format!("{owner}-0")}]);
    }
    match application {
        Some(application) => track(built, &format!("app{application}")),
        None => built,
    }
}

proptest! {
    /// Against a map of whole objects: the same objects, roots and children, and no slot or index entry left behind.
    #[test]
    fn equals_a_naive_twin(steps in proptest::collection::vec(step(), 1..40)) {
        let mut index = LiveIndex::new("argocd");
        let mut twin: BTreeMap<String, Value> = BTreeMap::new();
        let mut gone = std::collections::BTreeSet::new();
        for (version, step) in (1u64..).zip(steps) {
            match step {
                Step::Apply { name, uid, owner, application } => {
                    let object = build(name, uid, version, owner, application);
                    index.apply(&object, &assess);
                    if !gone.contains(&(name, uid)) {
                        twin.insert(name.to_string(), object);
                    }
                }
                Step::Remove { name, uid } => {
                    index.remove(&key("Deployment", &name.to_string()), &format!("{name}-{uid}"));
                    gone.insert((name, uid));
                    if twin.get(&name.to_string()).is_some_and(|known| known["metadata"]["uid"] == json!(format!("{name}-{uid}"))) {
                        twin.remove(&name.to_string());
                    }
                }
                Step::Relist(list) => {
                    let list: BTreeMap<u8, u8> = list.into_iter().filter(|entry| !gone.contains(entry)).collect();
                    let objects: Vec<Value> = list.iter().map(|(&name, &uid)| build(name, uid, version, None, None)).collect();
                    twin = objects.iter().map(|object| (object["metadata"]["name"].as_str().expect("text").to_owned(), object.clone())).collect();
                    index.relist(&kind("Deployment"), objects, &assess);
                }
            }
            let known: Vec<String> = index.of_kind(&kind("Deployment")).map(Node::uid).collect();
            let expected: Vec<String> = twin.values().map(|object| object["metadata"]["uid"].as_str().expect("text").to_owned()).collect();
            prop_assert_eq!(&known, &expected);
            prop_assert_eq!(index.len(), twin.len());
            for uid in &expected {
                prop_assert!(index.by_uid(uid).is_some());
                let children = index.children(uid).count();
                let count = twin.values().filter(|object| object["metadata"]["ownerReferences"][0]["uid"] == json!(uid)).count();
                prop_assert_eq!(children, count);
            }
            for application in 0..2u8 {
                let id = ApplicationId::new("argocd", format!("app{application}"));
                let roots = index.tracked(&id).count();
                let prefix = format!("app{application}:");
                let count = twin.values().filter(|object| object["metadata"]["annotations"][TRACKING_ID].as_str().is_some_and(|id| id.starts_with(&prefix))).count();
                prop_assert_eq!(roots, count);
            }
        }
    }
}
