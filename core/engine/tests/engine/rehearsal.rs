//! A sync that deletes is tried first, and nothing is refused there which would work when it is done.

use std::time::Duration;

use capstan_model::ResourceKey;
use serde_json::{Value, json};

use crate::rig::{Rig, Run, config, hook, workload};

const MINUTE: Duration = Duration::from_secs(60);

fn migration(image: &str) -> Value {
    let mut object = hook("migrate", "PreSync");
    object["spec"]["image"] = json!(image);
    object
}

fn forced(image: &str) -> Value {
    let mut object = workload("Job", "once", 0, image);
    object["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] = json!("Force=true");
    object
}

/// Synced to `first`, where Jobs cannot be changed; then pushed `second`.
fn pushed(first: Vec<Value>, second: Vec<Value>) -> Run {
    let mut rig = Rig::new(first);
    rig.cluster.immutable.extend(["migrate".to_owned(), "once".to_owned()]);
    let mut run = rig.start(Vec::new());
    run.settle(MINUTE);
    assert_eq!(run.sync(), "Synced Healthy", "{}", run.journal());
    run.push(second);
    run.settle(MINUTE);
    run
}

fn maps(names: &[&str]) -> Vec<Value> {
    names.iter().map(|name| config(name, 0, "1")).collect()
}

fn with(object: Value, names: &[&str]) -> Vec<Value> {
    [vec![object], maps(names)].concat()
}

fn image(run: &Run, name: &str) -> String {
    let key = ResourceKey::new("batch", "Job", "prod", name);
    run.rig.cluster.objects[&key]["spec"]["image"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn has_map(run: &Run, name: &str) -> bool {
    let key = ResourceKey::new("", "ConfigMap", "prod", name);
    run.rig.cluster.objects.contains_key(&key)
}

#[test]
pub(crate) fn a_changed_hook_is_no_obstacle_to_a_prune() {
    let run = pushed(
        with(migration("1"), &["a", "b", "c"]),
        with(migration("2"), &["a", "b"]),
    );
    let phase = run.rig.status("/operationState/phase");
    assert_eq!(phase, "Succeeded", "{}", run.rig.status("/operationState/message"));
    assert_eq!((image(&run, "migrate").as_str(), has_map(&run, "c")), ("2", false));
    let tried: Vec<&String> = run
        .log
        .iter()
        .filter(|line| line.contains("try to create Job/prod/migra"))
        .collect();
    let [tried] = tried.as_slice() else {
        panic!("{}", run.log.join("\n"))
    };
    assert!(
        !tried.contains("Job/prod/migrate "),
        "under its own name there is one already: {tried}"
    );
}

#[test]
fn what_is_made_anew_is_no_obstacle_to_a_prune() {
    let run = pushed(with(forced("1"), &["a", "b", "c"]), with(forced("2"), &["a", "b"]));
    let phase = run.rig.status("/operationState/phase");
    assert_eq!(phase, "Succeeded", "{}", run.rig.status("/operationState/message"));
    assert_eq!((image(&run, "once").as_str(), has_map(&run, "c")), ("2", false));
}

#[test]
fn what_cannot_be_changed_and_is_not_made_anew_still_is() {
    let plain = |image| workload("Job", "once", 0, image);
    let run = pushed(with(plain("1"), &["a", "b", "c"]), with(plain("2"), &["a", "b"]));
    let message = run.rig.status("/operationState/message");
    assert!(message.contains("tried out, and nothing was written"), "{message}");
    assert_eq!((image(&run, "once").as_str(), has_map(&run, "c")), ("1", true));
}

#[test]
fn a_dry_run_of_a_changed_hook_says_that_it_would_be_accepted() {
    let mut rig = Rig::new(with(migration("1"), &["a"]));
    rig.cluster.immutable.insert("migrate".into());
    rig.resource["spec"]["syncPolicy"] = json!({});
    rig.resource["operation"] = json!({"sync": {}});
    let mut run = rig.start(Vec::new());
    run.settle(MINUTE);
    run.push(with(migration("2"), &["a"]));
    run.settle(MINUTE);
    run.rig.resource["operation"] = json!({"sync": {"dryRun": true}});
    run.observe_application();
    run.settle(MINUTE);
    let message = run.rig.status("/operationState/message");
    assert!(
        message.starts_with("dry run: the cluster would accept all 2 objects"),
        "{message}"
    );
    assert_eq!(image(&run, "migrate"), "1");
}

/// What a dry run says of single objects.
fn rows(run: &Run) -> Vec<String> {
    let rows = run.rig.resource.pointer("/status/operationState/syncResult/resources");
    let rows = rows.and_then(Value::as_array).into_iter().flatten();
    let text = |row: &Value, field: &str| row[field].as_str().unwrap_or("-").to_owned();
    let row = |row: &Value| {
        let [kind, name, status, message] = ["kind", "name", "status", "message"].map(|field| text(row, field));
        format!("{kind}/{name} {status}: {message}")
    };
    rows.map(row).collect()
}

#[test]
fn a_dry_run_says_of_every_object_what_would_become_of_it() {
    let mut rig = Rig::new(with(migration("1"), &["same", "changed", "gone"]));
    rig.cluster.refused.insert("refused".into());
    rig.resource["spec"]["syncPolicy"] = json!({});
    rig.resource["operation"] = json!({"sync": {}});
    let mut run = rig.start(Vec::new());
    run.settle(MINUTE);
    for (name, phase) in [("new", "Succeeded"), ("refused", "Failed")] {
        run.rig.resource["spec"]["syncPolicy"]["syncOptions"] = json!(["ApplyOutOfSyncOnly=true"]);
        run.push(vec![
            migration("2"),
            config("same", 0, "1"),
            config("changed", 0, "2"),
            config(name, 0, "1"),
        ]);
        run.settle(MINUTE);
        let before = run.rig.cluster.objects.clone();
        run.rig.resource["operation"] = json!({"sync": {"dryRun": true, "prune": true}});
        run.observe_application();
        run.settle(MINUTE);
        assert_eq!(run.rig.cluster.objects, before, "nothing was written");
        assert_eq!(run.rig.status("/operationState/phase"), phase);
        let rows = rows(&run);
        let last = match name {
            "new" => "ConfigMap/new -: the cluster would accept it (dry run)",
            _ => "ConfigMap/refused SyncFailed: ",
        };
        for expected in [
            "Job/migrate -: would be run: the cluster would accept it (dry run)",
            "ConfigMap/same -: unchanged (dry run)",
            "ConfigMap/changed -: the cluster would accept it (dry run)",
            "ConfigMap/gone -: would be deleted (dry run)",
            last,
        ] {
            assert!(
                rows.iter().any(|row| row.starts_with(expected)),
                "{expected}: {rows:#?}"
            );
        }
        assert_eq!(rows.len(), 5, "{rows:#?}");
    }
}

/// What cannot be tried is counted and named, and not called accepted.
#[test]
fn a_dry_run_says_what_it_could_not_try() {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "prod", "annotations": {}}});
    let mut rig = Rig::new(vec![namespace, config("a", 0, "1"), config("b", 0, "1")]);
    rig.resource["spec"]["syncPolicy"] = json!({});
    rig.resource["operation"] = json!({"initiatedBy": {"username": "ada"}, "sync": {"dryRun": true}});
    let mut run = rig.start(Vec::new());
    run.settle(MINUTE);
    let message = run.rig.status("/operationState/message");
    assert_eq!(
        message,
        "dry run: the cluster would accept the one object that could be tried, 0 would be deleted; nothing was written; 2 could not be tried: \
         namespace prod is made by this sync"
    );
    assert_eq!(
        rows(&run)[1],
        "ConfigMap/a -: could not be tried: namespace prod is made by this sync (dry run)"
    );
}
