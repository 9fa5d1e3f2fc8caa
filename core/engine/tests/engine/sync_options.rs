//! Every option of a sync, a line for each place where it may stand: the application's list, the object's annotation, and which of
//! them counts.
//!
//! Elsewhere: `RespectIgnoreDifferences` and `FailOnSharedResource` are in `options`, `CreateNamespace` in `namespace`,
//! `ClientSideApplyMigration` in `take_over`, `MaxPrunePercentage` and `MaxPruneCount` in `guards::mass_prune`, retries in `retry`; and what is
//! said of words that nobody knows, in `odd_options`.

use std::time::Duration;

use capstan_engine::effect::{ApplyMode, Propagation};
use capstan_model::ResourceKey;
use serde_json::{Value, json};

use crate::cluster::Fact;
use crate::rig::{Rig, Run, config, hook};

const MINUTE: Duration = Duration::from_secs(60);

/// Options of the application (`|` stands between them), the object's annotation, and what comes of it.
type Row<'a> = (&'a str, &'a str, &'a str);

fn table(outcome: impl Fn(&str, &str) -> String, rows: &[Row<'_>]) {
    for (application, object, expected) in rows {
        let got = outcome(application, object);
        assert_eq!(got, *expected, "application {application:?}, object {object:?}");
    }
}

fn map(name: &str) -> ResourceKey {
    ResourceKey::new("", "ConfigMap", "prod", name)
}

pub(crate) fn with(mut object: Value, option: &str) -> Value {
    if !option.is_empty() {
        object["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] = json!(option);
    }
    object
}

pub(crate) fn rig(objects: Vec<Value>, application: &str) -> Rig {
    let mut rig = Rig::new(objects);
    let options: Vec<&str> = application.split('|').filter(|word| !word.is_empty()).collect();
    rig.resource["spec"]["syncPolicy"]["syncOptions"] = json!(options);
    rig
}

pub(crate) fn synced(rig: Rig) -> Run {
    let mut run = rig.start(Vec::new());
    run.settle(5 * MINUTE);
    run
}

/// Somebody asks for a sync.
fn ask(run: &mut Run, sync: &Value) {
    run.rig.resource["operation"] = json!({"initiatedBy": {"username": "ada"}, "sync": sync});
    run.observe_application();
    run.settle(5 * MINUTE);
}

fn push(run: &mut Run, objects: Vec<Value>) {
    run.push(objects);
    run.settle(5 * MINUTE);
}

/// Names of the objects that were written since, in order.
fn written(run: &Run, since: usize) -> String {
    let facts = run.rig.cluster.history[since..].iter();
    let names = facts.filter_map(|fact| match fact {
        Fact::Written { key, .. } => Some(key.name.as_str()),
        _ => None,
    });
    names.collect::<Vec<_>>().join(" ")
}

fn deleted(run: &Run) -> String {
    let facts = run.rig.cluster.history.iter();
    let names = facts.filter_map(|fact| match fact {
        Fact::Deleted { key } => Some(key.name.as_str()),
        _ => None,
    });
    names.collect::<Vec<_>>().join(" ")
}

#[test]
fn prune() {
    let outcome = |application: &str, object: &str| {
        let (stays, goes) = (config("stays", 0, "1"), with(config("a", 0, "1"), object));
        let mut run = synced(rig(vec![stays.clone(), goes], application));
        push(&mut run, vec![stays]);
        match (
            run.rig.cluster.objects.contains_key(&map("a")),
            run.rig.status("/operationState/phase"),
        ) {
            (false, _) => "deleted".into(),
            (true, "Running") => "waits for a person".into(),
            (true, _) => "kept".to_owned(),
        }
    };
    table(
        outcome,
        &[
            ("", "", "deleted"),
            ("Prune=false", "", "kept"),
            ("", "Prune=false", "kept"),
            ("Prune=false", "Prune=true", "deleted"),
            ("Prune=true", "Prune=false", "kept"),
            ("Prune=confirm", "", "waits for a person"),
            ("", "Prune=confirm", "waits for a person"),
            ("Prune=confirm", "Prune=true", "deleted"),
            ("Prune=confirm", "Prune=false", "kept"),
            ("Prune=false", "Prune=confirm", "waits for a person"),
            // The first word counts where one place says two things.
            ("", "Prune=false,Prune=true", "kept"),
            ("Prune=true|Prune=false", "", "deleted"),
            // Spaces around a word do not count; inside of it, and in another case, it is another word, which is told.
            (" Prune=false ", "", "kept"),
            ("", "Validate=false , Prune=false,", "kept"),
            ("", "Prune = false", "deleted"),
            ("", "prune=false", "deleted"),
            ("Prune=False", "", "deleted"),
        ],
    );
}

#[test]
fn delete() {
    let outcome = |application: &str, object: &str| {
        let mut goes = with(config("a", 0, "1"), object);
        if let Some(policy) = object.strip_prefix("helm.sh/resource-policy: ") {
            goes["metadata"]["annotations"] = json!({"helm.sh/resource-policy": policy});
        }
        let mut run = synced(rig(vec![goes], application));
        run.rig.resource["metadata"]["finalizers"] = json!(["resources-finalizer.argocd.argoproj.io"]);
        run.rig.resource["metadata"]["deletionTimestamp"] = json!("2026-03-14T10:00:00Z");
        run.observe_application();
        run.settle(MINUTE);
        let is_over = run.rig.resource["metadata"]["finalizers"] == json!([]);
        match (run.rig.cluster.objects.contains_key(&map("a")), is_over) {
            (false, true) => "deleted".into(),
            (true, true) => "kept".into(),
            (true, false) => "waits for a person".into(),
            (false, false) => "is not over".to_owned(),
        }
    };
    table(
        outcome,
        &[
            ("", "", "deleted"),
            ("Delete=false", "", "kept"),
            ("", "Delete=false", "kept"),
            ("Delete=false", "Delete=true", "deleted"),
            ("Delete=confirm", "", "waits for a person"),
            ("", "Delete=confirm", "waits for a person"),
            ("Delete=confirm", "Delete=true", "deleted"),
            ("Delete=confirm", "Delete=false", "kept"),
            ("Delete=false", "Delete=confirm", "waits for a person"),
            ("", "helm.sh/resource-policy: keep", "kept"),
            ("Delete=true", "helm.sh/resource-policy: keep", "kept"),
            ("", "helm.sh/resource-policy: delete", "deleted"),
            // What is not to be pruned is deleted with its application all the same.
            ("", "Prune=false", "deleted"),
        ],
    );
}

#[test]
fn validate() {
    let outcome = |application: &str, object: &str| {
        let run = synced(rig(vec![with(config("a", 0, "1"), object)], application));
        match run.rig.cluster.asked[&map("a")].validate {
            true => "unknown fields are refused".into(),
            false => "unknown fields pass".to_owned(),
        }
    };
    table(
        outcome,
        &[
            ("", "", "unknown fields are refused"),
            ("Validate=false", "", "unknown fields pass"),
            ("", "Validate=false", "unknown fields pass"),
            ("Validate=false", "Validate=true", "unknown fields are refused"),
            ("Validate=true", "Validate=false", "unknown fields pass"),
        ],
    );
}

/// How an object that is there is written: the second commit of it.
fn manner(application: &str, object: &str) -> String {
    let mut run = synced(rig(vec![with(config("a", 0, "1"), object)], application));
    push(&mut run, vec![with(config("a", 0, "2"), object)]);
    manner_of(&run, &map("a"))
}

fn manner_of(run: &Run, key: &ResourceKey) -> String {
    match run.rig.cluster.asked[key].mode {
        ApplyMode::Replace { .. } => "replaced".into(),
        ApplyMode::ServerSide { force: true } => "applied server-side".into(),
        _ => "otherwise".to_owned(),
    }
}

#[test]
fn replace() {
    table(
        manner,
        &[
            ("", "", "applied server-side"),
            ("Replace=true", "", "replaced"),
            ("", "Replace=true", "replaced"),
            ("Replace=true", "Replace=false", "applied server-side"),
            ("Replace=true|ServerSideApply=true", "ServerSideApply=true", "replaced"),
        ],
    );
    // What is not there cannot be replaced.
    let run = synced(rig(vec![config("a", 0, "1")], "Replace=true"));
    assert_eq!(manner_of(&run, &map("a")), "applied server-side");
}

/// The annotation counts as it is live, too: the sync that takes it off still replaces.
#[test]
fn replace_is_read_from_the_live_object_too() {
    let mut run = synced(rig(vec![with(config("a", 0, "1"), "Replace=true")], ""));
    push(&mut run, vec![config("a", 0, "2")]);
    assert_eq!(manner_of(&run, &map("a")), "replaced");
    push(&mut run, vec![config("a", 0, "3")]);
    assert_eq!(manner_of(&run, &map("a")), "applied server-side");
}

#[test]
fn namespaces_and_definitions_are_replaced_in_place() {
    for kind in ["Namespace", "CustomResourceDefinition"] {
        let object = |value: &str| {
            let version = if kind == "Namespace" {
                "v1"
            } else {
                "apiextensions.k8s.io/v1"
            };
            json!({"apiVersion": version, "kind": kind, "metadata": {"name": "x.a.io", "annotations": {}, "labels": {"v": value}},
                "spec": {"group": "a.io", "names": {"kind": "X"}}})
        };
        let mut run = synced(rig(vec![object("1")], "Replace=true"));
        let key = crate::cluster::key_of(&object("1"));
        let uid = run.rig.cluster.objects[&key]["metadata"]["uid"].clone();
        push(&mut run, vec![object("2")]);
        assert_eq!(manner_of(&run, &key), "replaced", "{kind}");
        let live = &run.rig.cluster.objects[&key];
        assert_eq!(
            (&live["metadata"]["uid"], &live["metadata"]["labels"]["v"]),
            (&uid, &json!("2"))
        );
        assert_eq!(deleted(&run), "", "{kind}");
    }
}

/// Objects are always applied server-side.
#[test]
fn server_side_apply() {
    table(
        manner,
        &[
            ("ServerSideApply=true", "", "applied server-side"),
            ("ServerSideApply=false", "", "applied server-side"),
            ("", "ServerSideApply=false", "applied server-side"),
        ],
    );
}

/// For the whole application it is the strategy of a sync (`force`), not an option.
#[test]
fn force() {
    let outcome = |application: &str, object: &str| {
        let mut run = synced(rig(vec![with(config("a", 0, "1"), object)], application));
        run.rig.cluster.immutable.insert("a".into());
        push(&mut run, vec![with(config("a", 0, "2"), object)]);
        match deleted(&run).as_str() {
            "a" => "made anew".into(),
            _ => run.rig.status("/operationState/phase").to_owned(),
        }
    };
    table(
        outcome,
        &[
            ("", "", "Failed"),
            ("", "Force=true", "made anew"),
            ("Force=true", "", "Failed"),
        ],
    );
    let mut run = synced(rig(vec![config("a", 0, "1")], ""));
    run.rig.resource["spec"]["syncPolicy"]["automated"] = json!(null);
    run.rig.cluster.immutable.insert("a".into());
    push(&mut run, vec![config("a", 0, "2")]);
    ask(&mut run, &json!({"syncStrategy": {"hook": {"force": true}}}));
    assert_eq!(deleted(&run), "a");
}

#[test]
fn skip_dry_run_on_missing_resource() {
    let outcome = |application: &str, object: &str| {
        let widget = json!({"apiVersion": "example.com/v1", "kind": "Widget",
            "metadata": {"name": "w", "namespace": "prod", "annotations": {}}});
        let run = synced(rig(vec![with(widget, object), config("a", 0, "1")], application));
        match run.rig.cluster.objects.contains_key(&map("a")) {
            true => "waits for the kind".into(),
            false => "refused".to_owned(),
        }
    };
    let option = "SkipDryRunOnMissingResource=true";
    table(
        outcome,
        &[
            ("", "", "refused"),
            (option, "", "waits for the kind"),
            ("", option, "waits for the kind"),
            (option, "SkipDryRunOnMissingResource=false", "refused"),
        ],
    );
}

/// Prunes go from the highest wave to the lowest; the object's word is read from what is live, since nothing declares it any more.
#[test]
fn prune_last() {
    let outcome = |application: &str, object: &str| {
        let first = vec![
            config("low", 0, "1"),
            with(config("high", 5, "1"), object),
            config("stays", 0, "1"),
        ];
        let mut run = synced(rig(first, application));
        push(&mut run, vec![config("stays", 0, "2")]);
        deleted(&run)
    };
    table(
        outcome,
        &[
            ("", "", "high low"),
            ("", "PruneLast=true", "low high"),
            ("", "PruneLast=false", "high low"),
            // All of them are last.
            ("PruneLast=true", "", "high low"),
            ("PruneLast=true", "PruneLast=false", "high low"),
        ],
    );
}

/// What differs, what is new, hooks and prunes stay.
#[test]
fn apply_out_of_sync_only() {
    let outcome = |application: &str, sync: &Value| {
        let (same, gone) = (config("same", 0, "1"), config("gone", 0, "1"));
        let mut resource = rig(vec![same.clone(), config("other", 0, "1"), gone], application);
        resource.resource["spec"]["syncPolicy"]["automated"]["enabled"] = json!(true);
        let mut run = synced(resource);
        run.rig.resource["spec"]["syncPolicy"]["automated"] = json!(null);
        run.observe_application();
        push(
            &mut run,
            vec![
                same,
                config("other", 0, "2"),
                config("new", 0, "1"),
                hook("task", "PostSync"),
            ],
        );
        let since = run.rig.cluster.history.len();
        ask(&mut run, sync);
        format!("{}, deleted: {}", written(&run, since), deleted(&run))
    };
    let (plain, own) = (
        json!({"prune": true}),
        json!({"prune": true, "syncOptions": ["ApplyOutOfSyncOnly=true"]}),
    );
    for (application, sync, expected) in [
        ("", &plain, "new other same task, deleted: gone"),
        ("ApplyOutOfSyncOnly=true", &plain, "new other task, deleted: gone"),
        // Of the operation itself.
        ("", &own, "new other task, deleted: gone"),
    ] {
        assert_eq!(
            outcome(application, sync),
            expected,
            "application {application:?}, operation {sync}"
        );
    }
}

#[test]
fn prune_propagation_policy() {
    let outcome = |application: &str, _: &str| {
        let mut task = hook("task", "PostSync");
        task["metadata"]["annotations"]["argocd.argoproj.io/hook-delete-policy"] = json!("HookSucceeded");
        let mut run = synced(rig(vec![config("a", 0, "1"), config("b", 0, "1"), task], application));
        push(&mut run, vec![config("b", 0, "1")]);
        let of = |key: &ResourceKey| match run.rig.cluster.propagation.get(key) {
            Some(Propagation::Foreground) => "foreground",
            Some(Propagation::Background) => "background",
            Some(Propagation::Orphan) => "orphan",
            None => "not deleted",
        };
        let task = ResourceKey::new("batch", "Job", "prod", "task");
        format!("prune {}, hook {}", of(&map("a")), of(&task))
    };
    table(
        outcome,
        &[
            // Nobody waits for what a finished hook owns.
            ("", "", "prune foreground, hook background"),
            (
                "PrunePropagationPolicy=foreground",
                "",
                "prune foreground, hook foreground",
            ),
            (
                "PrunePropagationPolicy=background",
                "",
                "prune background, hook background",
            ),
            ("PrunePropagationPolicy=orphan", "", "prune orphan, hook orphan"),
            ("PrunePropagationPolicy=Orphan", "", "prune foreground, hook background"),
        ],
    );
}

/// Of what is live and not declared.
#[test]
fn ignore_extraneous() {
    let outcome = |_: &str, object: &str| {
        let mut extra = config("extra", 0, "1");
        extra["metadata"]["annotations"]["argocd.argoproj.io/compare-options"] = json!(object);
        let mut run = synced(rig(vec![config("a", 0, "1"), extra], "Prune=false"));
        push(&mut run, vec![config("a", 0, "1")]);
        run.sync().split(' ').next().unwrap_or_default().to_owned()
    };
    table(
        outcome,
        &[
            ("", "", "OutOfSync"),
            ("", "IgnoreExtraneous", "Synced"),
            ("", "ServerSideDiff=true, IgnoreExtraneous", "Synced"),
            ("", "ignoreExtraneous", "OutOfSync"),
        ],
    );
}
