//! Syncs of some objects, and other operations that are no sync of everything: what they delete, and what is synced by itself after them.

use std::time::Duration;

use capstan_engine::settings::Guards;
use capstan_engine::{Event, Settings};
use capstan_model::ResourceKey;
use serde_json::{Value, json};

use crate::cluster::{Fact, key_of};
use crate::rig::{Rig, Run, config, hook, id};

const MINUTE: Duration = Duration::from_secs(60);

fn key(name: &str) -> ResourceKey {
    ResourceKey::new("", "ConfigMap", "prod", name)
}

fn safe() -> Settings {
    Settings::default()
}

fn argo() -> Settings {
    Settings {
        guards: Guards::Argo,
        ..Settings::default()
    }
}

/// A person asks for an operation.
fn ask(run: &mut Run, sync: &Value) {
    run.rig.resource["operation"] = json!({"initiatedBy": {"username": "ada"}, "sync": sync});
    run.observe_application();
    run.settle(MINUTE);
}

fn only(names: &[&str]) -> Value {
    let resources: Vec<Value> = names
        .iter()
        .map(|name| json!({"kind": "ConfigMap", "name": name, "namespace": "prod"}))
        .collect();
    json!({"prune": true, "resources": resources})
}

fn value(run: &Run, name: &str) -> String {
    run.rig.cluster.objects[&key(name)]["data"]["v"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn writes(run: &Run) -> usize {
    let facts = run.rig.cluster.history.iter();
    facts
        .filter(|fact| matches!(fact, Fact::Written { .. } | Fact::Deleted { .. }))
        .count()
}

/// Synced by itself; self-heal is off, and somebody has changed both objects since.
fn drifted(settings: Settings) -> Run {
    let mut rig = Rig::new(vec![config("a", 0, "1"), config("b", 0, "1")]);
    rig.resource["spec"]["syncPolicy"] = json!({"automated": {"prune": true}, "retry": {"limit": 0}});
    let mut run = rig.start_with(settings, Vec::new());
    run.settle(MINUTE);
    assert_eq!(run.sync(), "Synced Healthy", "{}", run.journal());
    for name in ["a", "b"] {
        run.edit(&key(name), &["data", "v"], json!("theirs"), "kubectl-edit");
    }
    run.settle(MINUTE);
    assert_eq!(
        (value(&run, "a").as_str(), value(&run, "b").as_str()),
        ("theirs", "theirs")
    );
    run
}

#[test]
pub(crate) fn no_sync_of_everything_follows_a_sync_of_some_objects() {
    for settings in [safe(), argo()] {
        let mut run = drifted(settings.clone());
        ask(&mut run, &only(&["a"]));
        assert_eq!(
            (value(&run, "a").as_str(), value(&run, "b").as_str()),
            ("1", "theirs"),
            "{}",
            run.journal()
        );
        // A second one, and a dry run, hide no more than one does; nor does a new process know less.
        ask(&mut run, &only(&["a"]));
        ask(&mut run, &json!({"dryRun": true}));
        ask(&mut run, &only(&["a"]));
        let mut run = run.rig.start_with(settings, Vec::new());
        run.settle(MINUTE);
        assert_eq!(value(&run, "b"), "theirs", "{}", run.journal());
    }
}

#[test]
fn what_failed_is_not_tried_again_for_a_sync_of_some_objects() {
    for sync in [only(&["a"]), json!({"dryRun": true})] {
        let mut run = drifted(safe());
        run.rig.cluster.refused.insert("b".into());
        run.push(vec![config("a", 0, "2"), config("b", 0, "2")]);
        run.settle(MINUTE);
        assert_eq!(run.rig.status("/operationState/phase"), "Failed");
        run.rig.cluster.refused.clear();
        run.edit(&key("a"), &["data", "v"], json!("theirs"), "kubectl-edit");
        ask(&mut run, &sync);
        assert_eq!(
            value(&run, "b"),
            "theirs",
            "somebody has to ask for it: {}",
            run.journal()
        );
    }
}

#[test]
fn a_newer_commit_is_synced_whatever_was_synced_of_it() {
    for settings in [safe(), argo()] {
        let mut run = drifted(settings);
        // A closed window: the commit waits, and somebody takes one object of it.
        run.rig.resource["metadata"]["annotations"]["capstan.dev/depends-on"] = json!("nobody");
        run.observe_application();
        run.push(vec![config("a", 0, "2"), config("b", 0, "2")]);
        run.settle(MINUTE);
        run.rig.resource["operation"] = json!({"sync": only(&["a"])});
        run.rig.resource["metadata"]["annotations"]["capstan.dev/depends-on"] = json!("");
        run.observe_application();
        run.settle(MINUTE);
        assert_eq!(
            (value(&run, "a").as_str(), value(&run, "b").as_str()),
            ("2", "2"),
            "{}",
            run.journal()
        );
    }
}

#[test]
fn a_sync_that_was_refused_is_none() {
    let mut run = drifted(safe());
    run.rig.resource["metadata"]["annotations"]["capstan.dev/depends-on"] = json!("not/a/name/at/all");
    run.observe_application();
    let before = writes(&run);
    ask(&mut run, &json!({}));
    run.rig.resource["metadata"]["annotations"]["capstan.dev/depends-on"] = json!("");
    run.observe_application();
    run.settle(MINUTE);
    assert_eq!(writes(&run), before, "{}", run.journal());
}

#[test]
fn what_is_not_selected_is_not_deleted() {
    for settings in [safe(), argo()] {
        let mut rig = Rig::new(vec![config("a", 0, "1"), config("b", 0, "1"), config("c", 0, "1")]);
        rig.resource["spec"]["syncPolicy"] = json!({});
        let mut run = rig.start_with(settings, Vec::new());
        run.settle(MINUTE);
        ask(&mut run, &json!({}));
        run.push(vec![config("a", 0, "1")]);
        run.settle(MINUTE);
        ask(&mut run, &only(&["b"]));
        let left: Vec<&str> = run.rig.cluster.objects.keys().map(|key| key.name.as_str()).collect();
        assert_eq!(left, ["a", "c"], "{}", run.journal());
    }
}

#[test]
fn what_is_not_selected_does_not_go_with_its_namespace() {
    for settings in [safe(), argo()] {
        let mut inside = config("b", 0, "1");
        inside["metadata"]["namespace"] = json!("team");
        let team = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}});
        let mut rig = Rig::new(vec![config("a", 0, "1"), team.clone(), inside.clone()]);
        rig.resource["spec"]["syncPolicy"] = json!({});
        let mut run = rig.start_with(settings, Vec::new());
        run.settle(MINUTE);
        ask(&mut run, &json!({}));
        run.push(vec![config("a", 0, "1")]);
        run.settle(MINUTE);
        let namespace = json!({"kind": "Namespace", "name": "team"});
        ask(&mut run, &json!({"prune": true, "resources": [namespace]}));
        // It would take along what is in it.
        assert!(
            run.rig.cluster.objects.contains_key(&key_of(&team)),
            "{}",
            run.journal()
        );
        let map = json!({"kind": "ConfigMap", "name": "b", "namespace": "team"});
        ask(&mut run, &json!({"prune": true, "resources": [namespace, map]}));
        assert!(
            !run.rig.cluster.objects.contains_key(&key_of(&team)),
            "{}",
            run.journal()
        );
    }
}

#[test]
fn what_is_approved_after_a_sync_of_some_objects_is_deleted() {
    let claim =
        json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "prod"}});
    let mut rig = Rig::new(vec![config("a", 0, "1"), claim.clone()]);
    rig.resource["spec"]["syncPolicy"] = json!({"automated": {"prune": true}});
    let mut run = rig.start(Vec::new());
    run.settle(MINUTE);
    run.push(vec![config("a", 0, "1")]);
    run.settle(MINUTE);
    assert_eq!(run.engine.view(&id()).unwrap().holds.len(), 1);
    ask(&mut run, &only(&["a"]));
    assert!(
        run.rig.cluster.objects.contains_key(&key_of(&claim)),
        "{}",
        run.journal()
    );
    run.rig.now = run.rig.now + Duration::from_secs(2);
    run.rig.resource["metadata"]["annotations"]["argocd.argoproj.io/deletion-approved"] =
        json!(run.rig.now.to_string());
    run.observe_application();
    run.settle(MINUTE);
    assert!(
        !run.rig.cluster.objects.contains_key(&key_of(&claim)),
        "{}",
        run.journal()
    );
    run.handle(Event::RefreshRequested { id: id(), hard: false });
    run.settle(MINUTE);
    assert_eq!(run.sync(), "Synced Healthy");
}

/// A name that is wrong is told, and not called synced.
#[test]
fn a_sync_of_what_is_not_there_is_an_error() {
    let mut rig = Rig::new(vec![config("a", 0, "1"), hook("before", "PreSync")]);
    rig.resource["spec"]["syncPolicy"] = json!({"syncOptions": ["CreateNamespace=true"]});
    for (kind, name) in [("ConfigMap", "typo"), ("Job", "before")] {
        let resources = json!([{"kind": kind, "name": name, "group": if kind == "Job" { "batch" } else { "" }}]);
        rig.resource["operation"] = json!({"initiatedBy": {"username": "ada"}, "sync": {"resources": resources}});
        let mut run = rig.clone().start(Vec::new());
        run.settle(Duration::from_secs(60));
        let message = run.rig.status("/operationState/message");
        assert!(
            message.starts_with("nothing to sync: ") && message.ends_with(name),
            "{message}"
        );
        assert_eq!(run.rig.status("/operationState/phase"), "Error");
    }
    let resources = json!([{"kind": "Namespace", "name": "prod"}]);
    rig.resource["operation"] = json!({"initiatedBy": {"username": "ada"}, "sync": {"resources": resources}});
    let mut run = rig.start(Vec::new());
    run.settle(Duration::from_secs(60));
    assert_eq!(
        run.rig.status("/operationState/phase"),
        "Succeeded",
        "{}",
        run.journal()
    );
}
