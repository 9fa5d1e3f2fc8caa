//! Hooks that are no runs of anything: a Namespace, a definition, a claim. What they hold outlives the next sync.

use std::time::Duration;

use capstan_model::ResourceKey;
use serde_json::{Value, json};

use crate::deletion::{cascading, story, with};
use crate::fleet::{Fleet, application};
use crate::rig::{config, hook, workload};

const MINUTE: Duration = Duration::from_secs(60);

fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "annotations": {}}})
}

fn definition() -> Value {
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "things.a.io", "annotations": {}},
        "spec": {"group": "a.io", "names": {"kind": "Thing", "plural": "things"}, "scope": "Namespaced",
            "versions": [{"name": "v1", "served": true, "storage": true}]}})
}

fn claim() -> Value {
    json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "prod", "annotations": {}},
        "spec": {"accessModes": ["ReadWriteOnce"]}})
}

/// Somebody's own object.
fn foreign(api_version: &str, kind: &str, namespace: &str) -> (ResourceKey, Value) {
    let metadata = json!({"name": "precious", "namespace": namespace, "uid": "precious-1", "resourceVersion": "1", "generation": 1});
    let object = json!({"apiVersion": api_version, "kind": kind, "metadata": metadata});
    (crate::cluster::key_of(&object), object)
}

fn plant(fleet: &mut Fleet, (key, object): (ResourceKey, Value)) {
    fleet.cluster.objects.insert(key, object);
}

/// Before each sync they are there already, and written as they are declared: they are not deleted to be made anew.
pub(crate) fn what_holds_things_stays() {
    let mut declared = vec![
        with(namespace("team"), "hook", "PreSync"),
        with(definition(), "hook", "PreSync"),
        with(claim(), "hook", "PreSync"),
        config("a", 0, "1"),
    ];
    let mut fleet = Fleet::new();
    fleet.create(application("shop"), declared.clone());
    fleet.settle(MINUTE);
    assert_eq!(fleet.sync("shop"), "Synced Healthy", "{}", fleet.journal());
    plant(&mut fleet, foreign("v1", "Secret", "team"));
    plant(&mut fleet, foreign("a.io/v1", "Thing", "other"));
    let uids = |fleet: &Fleet| -> Vec<Value> {
        let held = fleet.cluster.objects.iter();
        let held = held.filter(|(key, _)| !["ConfigMap", "Job", "Pod"].contains(&key.kind.as_str()));
        held.map(|(_, object)| object["metadata"]["uid"].clone()).collect()
    };
    let (before, from) = (uids(&fleet), fleet.cluster.history.len());
    declared[0]["metadata"]["labels"] = json!({"team": "a"});
    declared[3] = config("a", 0, "2");
    fleet.push("shop", declared);
    fleet.settle(MINUTE);
    assert_eq!(fleet.sync("shop"), "Synced Healthy", "{}", fleet.journal());
    assert_eq!(uids(&fleet), before, "{}", fleet.journal());
    let deleted = story(&fleet, from).into_iter().filter(|fact| fact.starts_with('-'));
    assert_eq!(deleted.count(), 0, "{}", fleet.journal());
    let team = &fleet.cluster.objects[&ResourceKey::new("", "Namespace", "", "team")];
    assert_eq!(
        team["metadata"]["labels"]["team"], "a",
        "it is written as it is declared"
    );
}

#[test]
fn what_holds_things_is_not_made_anew_for_a_hook() {
    what_holds_things_stays();
}

/// What could not be written over is none of this attempt's: `HookFailed` deleted the claim of the sync before, with the data in it.
#[test]
fn what_a_failed_hook_could_not_write_over_stays() {
    let data = |size: &str| {
        let mut claim = with(with(claim(), "hook", "Sync"), "hook-delete-policy", "HookFailed");
        claim["spec"]["resources"] = json!({"requests": {"storage": size}});
        claim
    };
    let mut fleet = Fleet::new();
    fleet.create(application("shop"), vec![data("1Gi"), config("a", 0, "1")]);
    fleet.settle(MINUTE);
    assert_eq!(fleet.sync("shop"), "Synced Healthy", "{}", fleet.journal());
    let from = fleet.cluster.history.len();
    fleet.cluster.immutable.insert("data".into());
    fleet.push("shop", vec![data("9Gi"), config("a", 0, "2")]);
    fleet.settle(15 * MINUTE);
    assert_eq!(
        fleet.status("shop", "/operationState/phase"),
        "Failed",
        "{}",
        fleet.journal()
    );
    let deleted = story(&fleet, from).into_iter().filter(|fact| fact.starts_with('-'));
    assert_eq!(deleted.collect::<Vec<_>>(), Vec::<String>::new(), "{}", fleet.journal());
}

/// It cannot remove itself, so nothing has to hold it until it is recorded how it ended: the next run writes the same object, and nobody would
/// let go of that again.
#[test]
fn what_holds_things_is_held_by_no_finalizer() {
    let mut declared = vec![
        with(definition(), "hook", "PreSync"),
        with(claim(), "hook", "Sync"),
        config("a", 0, "1"),
    ];
    let mut fleet = Fleet::new();
    fleet.create(cascading("shop"), declared.clone());
    fleet.settle(MINUTE);
    declared[2] = config("a", 0, "2");
    fleet.push("shop", declared);
    fleet.settle(MINUTE);
    assert_eq!(fleet.sync("shop"), "Synced Healthy", "{}", fleet.journal());
    let mut objects = fleet.cluster.objects.values();
    let held = objects.find(|object| object["metadata"]["finalizers"].to_string().contains("hook-finalizer"));
    assert_eq!(held, None, "{}", fleet.journal());
    fleet.delete("shop");
    fleet.settle(MINUTE);
    assert!(!fleet.resources.contains_key("shop"), "{}", fleet.journal());
    assert!(!fleet.has("PersistentVolumeClaim", "data"), "{}", fleet.journal());
}

/// What runs only if the sync fails brings no kind that the sync needs: it was waited for, and never ran.
#[test]
fn a_definition_of_a_failed_sync_is_not_waited_for() {
    let mut gadgets = with(definition(), "hook", "SyncFail");
    gadgets["metadata"]["name"] = json!("gadgets.b.io");
    gadgets["spec"]["group"] = json!("b.io");
    gadgets["spec"]["names"] = json!({"kind": "Gadget", "plural": "gadgets"});
    let gadget = json!({"apiVersion": "b.io/v1", "kind": "Gadget", "metadata": {"name": "g", "namespace": "prod"}});
    let mut fleet = Fleet::new();
    fleet.create(application("shop"), vec![gadgets, gadget]);
    fleet.settle(MINUTE);
    let message = fleet.status("shop", "/operationState/message");
    assert!(
        message.contains("no matches for kind \"Gadget\""),
        "{}",
        fleet.journal()
    );
}

/// One of somebody else's is not taken.
#[test]
fn a_namespace_of_nobody_is_not_taken_for_a_hook() {
    let mut fleet = Fleet::new();
    let mut theirs = namespace("team");
    theirs["metadata"] =
        json!({"name": "team", "uid": "team-1", "resourceVersion": "1", "generation": 1, "managedFields": []});
    fleet
        .cluster
        .objects
        .insert(ResourceKey::new("", "Namespace", "", "team"), theirs.clone());
    let declared = vec![with(namespace("team"), "hook", "PreSync"), config("a", 0, "1")];
    fleet.create(application("shop"), declared);
    fleet.settle(MINUTE);
    let team = &fleet.cluster.objects[&ResourceKey::new("", "Namespace", "", "team")];
    assert_eq!(*team, theirs);
    let message = fleet.status("shop", "/operationState/message");
    assert!(message.contains("does not belong to this application"), "{message}");
}

/// A policy that deletes it when the sync is over does so only where nothing lives in it.
#[test]
fn a_policy_deletes_no_namespace_with_contents() {
    for is_used in [false, true] {
        let mut fleet = Fleet::new();
        if is_used {
            plant(&mut fleet, foreign("v1", "Secret", "team"));
        }
        let scratch = with(namespace("team"), "hook", "PreSync");
        let scratch = with(scratch, "hook-delete-policy", "HookSucceeded");
        fleet.create(application("shop"), vec![scratch, config("a", 0, "1")]);
        fleet.settle(MINUTE);
        assert_eq!(fleet.sync("shop"), "Synced Healthy", "{}", fleet.journal());
        assert_eq!(fleet.has("Namespace", "team"), is_used, "{}", fleet.journal());
        let says = fleet
            .journal()
            .contains("would go along with Namespace/team: Secret/team/precious");
        assert_eq!(says, is_used, "{}", fleet.journal());
    }
}

/// Each of several hooks without a name runs, though their names begin alike: in a sync, and in a deletion.
#[test]
fn hooks_whose_names_begin_alike_all_run() {
    let unnamed = |phase: &str, image: &str| {
        let mut hook = hook("x", phase);
        hook["metadata"]["generateName"] = json!("same-");
        hook["metadata"].as_object_mut().unwrap().remove("name");
        hook["spec"]["image"] = json!(image);
        hook
    };
    let images = |fleet: &Fleet| -> Vec<String> {
        let jobs = fleet.cluster.objects.values().filter(|object| object["kind"] == "Job");
        let mut images: Vec<String> = jobs
            .map(|job| job["spec"]["image"].as_str().unwrap().to_owned())
            .collect();
        images.sort();
        images
    };
    let mut fleet = Fleet::new();
    let mut declared = vec![config("a", 0, "1")];
    declared.extend(["one", "two", "three"].map(|image| unnamed("PreSync", image)));
    declared.extend(["four", "five"].map(|image| unnamed("PreDelete", image)));
    fleet.create(cascading("shop"), declared);
    fleet.settle(MINUTE);
    assert_eq!(fleet.sync("shop"), "Synced Healthy", "{}", fleet.journal());
    assert_eq!(images(&fleet), ["one", "three", "two"], "{}", fleet.journal());
    let from = fleet.cluster.history.len();
    fleet.delete("shop");
    fleet.settle(MINUTE);
    let created = story(&fleet, from)
        .into_iter()
        .filter(|fact| fact.starts_with("+same-"));
    assert_eq!(created.count(), 2, "{}", fleet.journal());
    assert!(!fleet.resources.contains_key("shop"), "{}", fleet.journal());
}

/// Syncs that take away themselves what they made are not begun one after the other.
#[test]
fn a_sync_of_which_nothing_is_left_is_not_repeated_at_once() {
    let mut fleet = Fleet::new();
    fleet.create(
        application("shop"),
        vec![hook("before", "PreSync"), config("a", 0, "1")],
    );
    fleet.settle(MINUTE);
    let a = ResourceKey::new("", "ConfigMap", "prod", "a");
    let from = fleet.cluster.history.len();
    for _ in 0..600 {
        // Whatever a repair writes is refused, and whatever a sync does is taken away.
        let is_syncing = fleet
            .view("shop")
            .operation
            .is_some_and(|operation| operation.finished_at.is_none());
        match is_syncing {
            true => drop(fleet.cluster.refused.remove("a")),
            false => {
                fleet.cluster.refused.insert("a".into());
                fleet.vanish(&a);
            }
        }
        fleet.settle(Duration::from_secs(1));
    }
    let runs = story(&fleet, from).into_iter().filter(|fact| fact == "+before").count();
    assert!(
        (1..6).contains(&runs),
        "{runs} syncs in ten minutes: {}",
        fleet.journal()
    );
}

/// What only hooks of `SyncFail` live in is made, too, and what is declared as a hook that no sync runs is made all the same.
#[test]
fn the_namespace_is_made_whatever_is_declared_of_it() {
    let mut elsewhere = config("a", 0, "1");
    elsewhere["metadata"]["namespace"] = json!("team");
    let on_failure = vec![hook("rescue", "SyncFail"), elsewhere];
    let never = vec![with(namespace("prod"), "hook", "PreDelete"), config("a", 0, "1")];
    let skipped = vec![
        with(namespace("prod"), "hook", "Skip"),
        workload("Deployment", "web", 0, "1"),
    ];
    for declared in [on_failure, never, skipped] {
        let mut fleet = Fleet::new();
        let mut resource = application("shop");
        resource["spec"]["syncPolicy"]["syncOptions"] = json!(["CreateNamespace=true"]);
        fleet.create(resource, declared);
        fleet.settle(MINUTE);
        assert!(fleet.has("Namespace", "prod"), "{}", fleet.journal());
        assert_eq!(
            fleet.status("shop", "/operationState/phase"),
            "Succeeded",
            "{}",
            fleet.journal()
        );
    }
}
