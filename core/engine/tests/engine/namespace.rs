//! `CreateNamespace=true` and `managedNamespaceMetadata`: what is made, what is kept of it, and what is left to others.

use std::time::Duration;

use capstan_engine::Settings;
use capstan_engine::settings::Guards;
use capstan_model::ResourceKey;
use serde_json::{Value, json};

use crate::cluster::Fact;
use crate::fleet::{Fleet, application};
use crate::rig::{Rig, Run, config};

const MINUTE: Duration = Duration::from_secs(60);

fn prod() -> ResourceKey {
    ResourceKey::new("", "Namespace", "", "prod")
}

/// One object in `prod`, whose namespace is made and has these labels kept.
fn rig(labels: &Value) -> Rig {
    let mut rig = Rig::new(vec![config("a", 0, "1")]);
    let policy = &mut rig.resource["spec"]["syncPolicy"];
    policy["syncOptions"] = json!(["CreateNamespace=true"]);
    policy["managedNamespaceMetadata"] = json!({"labels": labels});
    rig
}

fn synced(rig: Rig) -> Run {
    let mut run = rig.start(Vec::new());
    run.settle(MINUTE);
    run
}

fn labels(run: &Run) -> Value {
    run.rig.cluster.objects[&prod()]["metadata"]["labels"].clone()
}

fn writes(run: &Run, key: &ResourceKey) -> usize {
    let is_write = |fact: &&Fact| matches!(fact, Fact::Written { key: written, .. } if written == key);
    run.rig.cluster.history.iter().filter(is_write).count()
}

/// A namespace `prod` that somebody else made.
fn planted(labels: &Value, manager: &str, operation: &str) -> Value {
    let fields: serde_json::Map<String, Value> = labels
        .as_object()
        .unwrap()
        .keys()
        .map(|name| (format!("f:{name}"), json!({})))
        .collect();
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "prod", "uid": "prod", "resourceVersion": "0", "generation": 1,
        "labels": labels, "managedFields": [
            {"manager": manager, "operation": operation, "fieldsV1": {"f:metadata": {"f:labels": fields}}}]}})
}

fn declared(labels: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "prod", "annotations": {}, "labels": labels}})
}

fn change(run: &mut Run, field: &str, value: Value) {
    run.rig.resource["spec"]["syncPolicy"][field] = value;
    run.observe_application();
    run.settle(MINUTE);
}

#[test]
fn it_is_made_first_and_a_second_sync_writes_nothing() {
    let mut run = synced(rig(&json!({"pod-security": "baseline"})));
    assert_eq!(labels(&run), json!({"pod-security": "baseline"}));
    assert_eq!(run.sync(), "Synced Healthy", "{}", run.log.join("\n"));
    let metadata = &run.rig.cluster.objects[&prod()]["metadata"];
    assert_eq!(metadata.get("annotations"), None, "it has no tracking id");
    run.push(vec![config("a", 0, "2")]);
    run.settle(MINUTE);
    let run = synced(run.rig);
    assert_eq!(writes(&run, &prod()), 1, "{}", run.log.join("\n"));
    assert_eq!(run.sync(), "Synced Healthy", "{}", run.log.join("\n"));
}

#[test]
fn what_somebody_changes_of_it_differs_and_is_put_right_where_that_is_asked_for() {
    for (value, heals) in [("privileged", true), ("privileged", false)] {
        let mut rig = rig(&json!({"pod-security": "baseline"}));
        rig.resource["spec"]["syncPolicy"]["automated"]["selfHeal"] = json!(heals);
        let mut run = synced(rig);
        run.edit(
            &prod(),
            &["metadata", "labels", "pod-security"],
            json!(value),
            "kubectl-label",
        );
        run.edit(&prod(), &["metadata", "labels", "team"], json!("a"), "kubectl-label");
        run.settle(MINUTE);
        let (expected, sync) = match heals {
            true => ("baseline", "Synced Healthy"),
            false => (value, "OutOfSync Healthy"),
        };
        assert_eq!(
            labels(&run),
            json!({"pod-security": expected, "team": "a"}),
            "{}",
            run.journal()
        );
        assert_eq!(run.sync(), sync);
    }
}

#[test]
fn what_the_application_does_not_say_any_more_goes_and_the_rest_stays() {
    for (metadata, left) in [
        (json!({"labels": {"a": "1"}}), json!({"a": "1", "theirs": "1"})),
        (json!({"annotations": {"note": "x"}}), json!({"theirs": "1"})),
        (json!(null), json!({"theirs": "1"})),
    ] {
        let mut run = synced(rig(&json!({"a": "1", "b": "1"})));
        run.edit(&prod(), &["metadata", "labels", "theirs"], json!("1"), "kubectl-label");
        change(&mut run, "managedNamespaceMetadata", metadata.clone());
        assert_eq!(labels(&run), left, "{metadata}: {}", run.log.join("\n"));
        assert_eq!(run.sync(), "Synced Healthy", "{metadata}");
        // A sync of its own remembers that nothing is kept any more.
        run.push(vec![config("a", 0, "2")]);
        run.settle(MINUTE);
        let rows = run.rig.resource["status"]["resources"].to_string();
        assert_eq!(rows.contains("Namespace"), !metadata.is_null(), "{rows}");
    }
}

#[test]
fn one_that_was_there_keeps_what_others_put_on_it() {
    for (manager, operation) in [("kubectl-client-side-apply", "Update"), ("helm", "Apply")] {
        let mut rig = rig(&json!({"pod-security": "baseline"}));
        let was = planted(&json!({"team": "a", "pod-security": "privileged"}), manager, operation);
        rig.cluster.objects.insert(prod(), was);
        let run = synced(rig);
        assert_eq!(
            labels(&run),
            json!({"team": "a", "pod-security": "baseline"}),
            "{manager}"
        );
        assert_eq!(run.sync(), "Synced Healthy", "{manager}");
    }
}

/// It has every label, but nobody would take one off that the application does not say any more: the first sync makes them its own.
#[test]
fn one_that_has_every_label_is_kept_only_once_it_was_synced() {
    let mut rig = rig(&json!({"pod-security": "baseline"}));
    let was = planted(&json!({"pod-security": "baseline"}), "kubectl-create", "Update");
    rig.cluster.objects.insert(prod(), was);
    let run = synced(rig);
    assert_eq!((writes(&run, &prod()), run.sync().as_str()), (1, "Synced Healthy"));
}

#[test]
fn what_argo_cd_kept_of_it_is_taken_over() {
    let mut rig = rig(&json!({"pod-security": "baseline"}));
    let was = planted(
        &json!({"pod-security": "baseline", "old": "1"}),
        "argocd-controller",
        "Apply",
    );
    rig.cluster.objects.insert(prod(), was);
    let run = synced(rig);
    assert_eq!(
        labels(&run),
        json!({"pod-security": "baseline"}),
        "{}",
        run.log.join("\n")
    );
    assert_eq!(run.sync(), "Synced Healthy");
}

#[test]
fn without_labels_to_keep_it_is_enough_that_it_is_there() {
    let mut rig = rig(&json!({}));
    rig.resource["spec"]["syncPolicy"]["managedNamespaceMetadata"] = json!(null);
    rig.cluster
        .objects
        .insert(prod(), planted(&json!({"team": "a"}), "argocd-controller", "Apply"));
    let run = synced(rig);
    assert_eq!(writes(&run, &prod()), 0);
    assert_eq!(
        (labels(&run), run.sync().as_str()),
        (json!({"team": "a"}), "Synced Healthy")
    );
    let rows = run.rig.resource["status"]["resources"].to_string();
    assert!(!rows.contains("Namespace"), "{rows}");
}

#[test]
fn a_manifest_in_git_counts_and_nothing_else() {
    let mut rig = rig(&json!({"pod-security": "baseline"}));
    rig.commit(vec![declared(&json!({"team": "a"})), config("a", 0, "1")]);
    let run = synced(rig);
    assert_eq!(labels(&run), json!({"team": "a"}), "{}", run.log.join("\n"));
    assert_eq!(run.sync(), "Synced Healthy");
}

/// Argo CD deletes it then, with everything in it.
#[test]
fn a_manifest_that_leaves_git_leaves_the_namespace_there() {
    for metadata in [json!(null), json!({"labels": {"pod-security": "baseline"}})] {
        let mut rig = Rig::new(vec![
            declared(&json!({"team": "a"})),
            config("a", 0, "1"),
            config("b", 0, "1"),
        ]);
        let policy = &mut rig.resource["spec"]["syncPolicy"];
        policy["syncOptions"] = json!(["CreateNamespace=true"]);
        policy["managedNamespaceMetadata"] = metadata.clone();
        let mut run = synced(rig);
        let id = "argocd.argoproj.io/tracking-id";
        assert!(run.rig.cluster.objects[&prod()]["metadata"]["annotations"][id].is_string());
        run.push(vec![config("a", 0, "1"), config("b", 0, "1")]);
        run.settle(5 * MINUTE);
        let metadata = &run.rig.cluster.objects[&prod()]["metadata"];
        assert_eq!(metadata["annotations"].get(id), None, "{}", run.log.join("\n"));
        assert_eq!(run.sync(), "Synced Healthy", "{}", run.rig.resource["status"]);
        let deleted = run
            .rig
            .cluster
            .history
            .iter()
            .any(|fact| matches!(fact, Fact::Deleted { .. }));
        assert!(!deleted, "{}", run.log.join("\n"));
    }
}

#[test]
fn it_stays_when_the_option_goes_and_when_the_application_goes() {
    let mut run = synced(rig(&json!({"a": "1"})));
    change(&mut run, "syncOptions", json!([]));
    run.push(vec![config("a", 0, "2")]);
    run.settle(5 * MINUTE);
    assert_eq!(
        (labels(&run), run.sync().as_str()),
        (json!({"a": "1"}), "Synced Healthy")
    );
    run.rig.resource["metadata"]["finalizers"] = json!(["resources-finalizer.argocd.argoproj.io"]);
    run.rig.resource["metadata"]["deletionTimestamp"] = json!("2026-03-14T10:00:00Z");
    run.observe_application();
    run.settle(MINUTE);
    assert_eq!(run.rig.cluster.objects.keys().collect::<Vec<_>>(), [&prod()]);
}

/// Its objects are drift then, and cannot be put right without it.
#[test]
fn one_that_somebody_deletes_is_made_again() {
    for metadata in [json!(null), json!({"labels": {"pod-security": "baseline"}})] {
        let mut rig = rig(&json!({}));
        rig.resource["spec"]["syncPolicy"]["managedNamespaceMetadata"] = metadata;
        let mut run = synced(rig);
        run.delete(&ResourceKey::new("", "ConfigMap", "prod", "a"));
        run.delete(&prod());
        run.settle(MINUTE);
        assert!(run.rig.cluster.objects.contains_key(&prod()), "{}", run.log.join("\n"));
        assert_eq!(run.sync(), "Synced Healthy");
    }
}

/// As Argo CD: what the live namespace says of itself counts, as of every other object.
#[test]
fn with_argo_cd_s_guards_the_live_one_says_how_it_is_written() {
    for (option, replaces) in [("Prune=false", false), ("Replace=true", true)] {
        let settings = Settings {
            guards: Guards::Argo,
            ..Settings::default()
        };
        let mut rig = rig(&json!({"a": "1"}));
        let mut there = planted(&json!({"b": "1"}), "kubectl-label", "Update");
        there["metadata"]["annotations"] = json!({"argocd.argoproj.io/sync-options": option});
        rig.cluster.objects.insert(prod(), there);
        let mut run = rig.start_with(settings, Vec::new());
        run.settle(MINUTE);
        // What is replaced loses what somebody else put there.
        let expected = if replaces {
            json!({"a": "1"})
        } else {
            json!({"a": "1", "b": "1"})
        };
        assert_eq!(labels(&run), expected, "{}", run.log.join("\n"));
    }
}

/// Two applications of one namespace: `blog` and `shop`, in this order.
fn two(blog: &Value, shop: &Value) -> Fleet {
    let mut fleet = Fleet::new();
    for (name, metadata) in [("blog", blog), ("shop", shop)] {
        let mut resource = application(name);
        let policy = &mut resource["spec"]["syncPolicy"];
        policy["syncOptions"] = json!(["CreateNamespace=true"]);
        policy["managedNamespaceMetadata"] = metadata.clone();
        policy["retry"] = json!({"limit": 0});
        fleet.create(resource, vec![config(name, 0, "1")]);
        fleet.settle(MINUTE);
    }
    fleet.settle(MINUTE);
    fleet
}

fn state(fleet: &Fleet, name: &str) -> (String, String) {
    let status = &fleet.resources[name]["status"];
    let text = |pointer: &str| {
        status
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    (text("/sync/status"), text("/operationState/message"))
}

#[test]
fn applications_of_one_namespace_do_not_fight_over_it() {
    let (one, other, none) = (
        json!({"labels": {"a": "1"}}),
        json!({"labels": {"b": "1"}}),
        json!(null),
    );
    for (blog, shop) in [(&one, &one), (&one, &none), (&none, &one)] {
        let fleet = two(blog, shop);
        assert_eq!(fleet.cluster.objects[&prod()]["metadata"]["labels"], json!({"a": "1"}));
        for name in ["blog", "shop"] {
            assert_eq!(
                state(&fleet, name).0,
                "Synced",
                "{blog} {shop}: {:?}",
                state(&fleet, name)
            );
        }
    }
    let fleet = two(&one, &other);
    assert_eq!(fleet.cluster.objects[&prod()]["metadata"]["labels"], json!({"a": "1"}));
    assert_eq!(state(&fleet, "blog").0, "Synced");
    let (sync, message) = state(&fleet, "shop");
    assert_eq!(sync, "OutOfSync");
    assert!(
        message.contains("application argocd/blog keeps other labels and annotations of it"),
        "{message}"
    );
}

/// An application that declares it says what it is; the others only need it to be there.
#[test]
fn one_that_another_application_declares_is_its_own() {
    for metadata in [json!(null), json!({"labels": {"b": "1"}})] {
        let mut fleet = Fleet::new();
        fleet.create(application("base"), vec![declared(&json!({"a": "1"}))]);
        fleet.settle(MINUTE);
        let mut resource = application("shop");
        resource["spec"]["syncPolicy"]["syncOptions"] = json!(["CreateNamespace=true"]);
        resource["spec"]["syncPolicy"]["managedNamespaceMetadata"] = metadata;
        fleet.create(resource, vec![config("a", 0, "1")]);
        fleet.settle(MINUTE);
        assert_eq!(fleet.cluster.objects[&prod()]["metadata"]["labels"], json!({"a": "1"}));
        assert_eq!(state(&fleet, "shop"), ("Synced".into(), "successfully synced".into()));
        assert_eq!(state(&fleet, "base").0, "Synced");
    }
}
