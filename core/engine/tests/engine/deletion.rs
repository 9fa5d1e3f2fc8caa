//! Deleting Applications: their hooks, their objects, who waits for whom, and who is told.

use std::time::Duration;

use capstan_engine::Event;
use capstan_model::{ApplicationId, ClusterId, GroupKind, ResourceKey};
use serde_json::{Value, json};

use crate::cluster::Fact;
use crate::fleet::{Fleet, application, waiting};
use crate::rig::{config, hook, workload};

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
const CASCADE: &str = "resources-finalizer.argocd.argoproj.io";
const PRE: &str = "pre-delete-finalizer.argocd.argoproj.io";
const POST: &str = "post-delete-finalizer.argocd.argoproj.io";

pub(crate) fn cascading(name: &str) -> Value {
    let mut resource = application(name);
    resource["metadata"]["finalizers"] = json!([CASCADE]);
    resource
}

pub(crate) fn with(mut object: Value, annotation: &str, value: &str) -> Value {
    object["metadata"]["annotations"][format!("argocd.argoproj.io/{annotation}")] = json!(value);
    object
}

pub(crate) fn settled(objects: Vec<Value>) -> Fleet {
    let mut fleet = Fleet::new();
    fleet.create(cascading("shop"), objects);
    fleet.settle(MINUTE);
    assert_eq!(fleet.sync("shop"), "Synced Healthy", "{}", fleet.tail());
    fleet
}

pub(crate) fn finalizers(fleet: &Fleet, name: &str) -> Vec<String> {
    serde_json::from_value(fleet.resources[name]["metadata"]["finalizers"].clone()).unwrap_or_default()
}

/// Creations and deletions since the `from`-th fact: `+name`, `-name`.
pub(crate) fn story(fleet: &Fleet, from: usize) -> Vec<String> {
    let facts = fleet.cluster.history[from..].iter();
    let told = facts.filter_map(|fact| match fact {
        Fact::Written { key, create: true, .. } => Some(format!("+{}", key.name)),
        Fact::Deleted { key } => Some(format!("-{}", key.name)),
        _ => None,
    });
    told.collect()
}

pub(crate) fn job(name: &str) -> ResourceKey {
    ResourceKey::new("batch", "Job", "prod", name)
}

#[test]
fn hooks_run_before_and_after_the_objects_without_the_repository() {
    let mut fleet = settled(vec![
        config("a", 0, "1"),
        config("b", 5, "1"),
        with(hook("backup", "PreDelete"), "hook-delete-policy", "HookSucceeded"),
        with(hook("drain", "PreDelete"), "sync-wave", "-1"),
        hook("farewell", "PostDelete"),
    ]);
    assert!(!fleet.has("Job", "backup"));
    let all = [
        CASCADE,
        PRE,
        &format!("{PRE}/cleanup"),
        POST,
        &format!("{POST}/cleanup"),
    ];
    assert_eq!(finalizers(&fleet, "shop"), all);
    fleet.unreadable.insert("shop".into());
    fleet.restart();
    let from = fleet.cluster.history.len();
    fleet.delete("shop");
    fleet.settle(MINUTE);
    assert!(!fleet.resources.contains_key("shop"), "{}", fleet.journal());
    // `backup` goes by its policy, `drain` as one of the application's objects; `farewell` stays.
    assert_eq!(
        story(&fleet, from),
        ["+drain", "+backup", "-backup", "-b", "-a", "-drain", "+farewell"]
    );
    insta::assert_snapshot!(fleet.journal());
}

#[test]
fn the_hooks_are_those_of_what_was_synced_last() {
    let mut fleet = settled(vec![config("a", 0, "1"), hook("old", "PreDelete")]);
    // A commit that is not synced: the Application is automated no longer.
    fleet.patch("shop", &json!({"spec": {"syncPolicy": {"automated": null}}}));
    fleet.push("shop", vec![config("a", 0, "2"), hook("new", "PreDelete")]);
    fleet.settle(MINUTE);
    let kept =
        |fleet: &Fleet| fleet.resources["shop"]["metadata"]["annotations"]["capstan.dev/deletion-hooks"].to_string();
    assert!(
        kept(&fleet).contains("old") && !kept(&fleet).contains("new"),
        "{}",
        kept(&fleet)
    );
    // Synced, it is the one; and without any hook both are gone.
    fleet.patch("shop", &json!({"operation": {"sync": {}}}));
    fleet.settle(MINUTE);
    assert!(
        kept(&fleet).contains("new") && !kept(&fleet).contains("old"),
        "{}",
        kept(&fleet)
    );
    fleet.push("shop", vec![config("a", 0, "3")]);
    fleet.settle(MINUTE);
    fleet.patch("shop", &json!({"operation": {"sync": {}}}));
    fleet.settle(MINUTE);
    assert_eq!(
        (kept(&fleet).as_str(), finalizers(&fleet, "shop")),
        ("null", vec![CASCADE.to_owned()])
    );
}

#[test]
fn an_application_without_such_hooks_costs_no_write_more() {
    let fleet = settled(vec![config("a", 0, "1")]);
    assert!(
        !fleet.log.iter().any(|line| line.contains("patch application")),
        "{}",
        fleet.tail()
    );
}

#[test]
fn hooks_that_must_not_be_kept_are_rendered_from_the_recorded_commit() {
    let mut secret = with(config("token", 0, "1"), "hook", "PreDelete");
    // It may not be copied to where everybody reads it.
    secret["kind"] = json!("Secret");
    let mut fleet = settled(vec![config("a", 0, "1"), secret]);
    assert!(fleet.resources["shop"]["metadata"]["annotations"]["capstan.dev/deletion-hooks"].is_null());
    assert!(finalizers(&fleet, "shop").contains(&PRE.to_owned()));
    fleet.restart();
    fleet.unreadable.insert("shop".into());
    fleet.delete("shop");
    fleet.settle(MINUTE);
    let conditions = fleet.conditions("shop");
    for part in ["DeletionError", "the repository does not answer", "again at", PRE] {
        assert!(conditions.contains(part), "{part}: {conditions}");
    }
    assert!(fleet.has("ConfigMap", "a"));
    fleet.unreadable.clear();
    let from = fleet.log.len();
    fleet.settle(5 * MINUTE);
    assert!(!fleet.resources.contains_key("shop"), "{}", fleet.tail());
    // At the commit that was synced, which nobody has to ask for.
    let sources: Vec<&String> = fleet.log[from..]
        .iter()
        .filter(|line| line.contains("resolve"))
        .collect();
    assert!(sources.is_empty(), "{sources:?}");
}

#[test]
fn a_failed_hook_holds_the_objects_is_told_and_is_tried_again() {
    let mut fleet = settled(vec![config("a", 0, "1"), hook("backup", "PreDelete")]);
    fleet.cluster.broken.insert("backup".into());
    let from = fleet.cluster.history.len();
    fleet.delete("shop");
    fleet.settle(Duration::from_secs(4));
    let conditions = fleet.conditions("shop");
    for part in [
        "DeletionError",
        "Job/prod/backup: PreDelete hook failed",
        "attempt 2 at 2026-",
        PRE,
    ] {
        assert!(conditions.contains(part), "{part}: {conditions}");
    }
    let sentence = fleet.view("shop").sentence;
    assert!(
        sentence.starts_with("being deleted: Job/prod/backup: PreDelete hook failed"),
        "{sentence}"
    );
    fleet.settle(MINUTE);
    assert!(fleet.has("ConfigMap", "a"));
    let tries = story(&fleet, from).iter().filter(|fact| *fact == "+backup").count();
    assert!((3..6).contains(&tries), "{tries}");
    // A new process goes on, and does not take the failed run for a success.
    fleet.restart();
    fleet.settle(MINUTE);
    assert!(fleet.has("ConfigMap", "a"));
    fleet.cluster.broken.clear();
    fleet.settle(5 * MINUTE);
    assert!(!fleet.resources.contains_key("shop"), "{}", fleet.journal());
    assert!(!fleet.has("ConfigMap", "a"));
}

/// Its kind cannot be listed any more: whose the earlier run is, is not known then. It is not called somebody else's.
#[test]
fn an_earlier_run_that_cannot_be_seen_is_waited_for() {
    let mut fleet = settled(vec![config("a", 0, "1"), hook("backup", "PreDelete")]);
    fleet.cluster.broken.insert("backup".into());
    fleet.delete("shop");
    fleet.settle(Duration::from_secs(4));
    assert!(
        fleet.conditions("shop").contains("attempt 2 at"),
        "{}",
        fleet.conditions("shop")
    );
    let (cluster, kind) = (ClusterId::in_cluster(), GroupKind::new("batch", "Job"));
    fleet.handle(Event::KindUnavailable {
        cluster: cluster.clone(),
        kind: kind.clone(),
        reason: "forbidden".into(),
    });
    fleet.settle(MINUTE);
    let sentence = fleet.view("shop").sentence;
    assert!(sentence.contains("waiting for the list of Job.batch"), "{sentence}");
    assert!(!fleet.journal().contains("does not belong"), "{}", fleet.journal());

    fleet.cluster.broken.clear();
    let of_kind = fleet.cluster.objects.iter().filter(|(key, _)| key.group_kind() == kind);
    let objects = of_kind.map(|(_, object)| object.clone()).collect();
    fleet.handle(Event::Relisted { cluster, kind, objects });
    fleet.settle(5 * MINUTE);
    assert!(!fleet.resources.contains_key("shop"), "{}", fleet.journal());
}

#[test]
fn somebody_may_delete_without_the_hooks() {
    let mut fleet = settled(vec![config("a", 0, "1"), hook("backup", "PreDelete")]);
    fleet.cluster.broken.insert("backup".into());
    fleet.delete("shop");
    fleet.settle(MINUTE);
    fleet.patch("shop", &json!({"metadata": {"finalizers": [CASCADE]}}));
    fleet.settle(MINUTE);
    assert!(
        !fleet.resources.contains_key("shop") && fleet.cluster.objects.is_empty(),
        "{}",
        fleet.tail()
    );
}

#[test]
fn hooks_are_held_to_the_project() {
    let mut fleet = settled(vec![config("a", 0, "1"), hook("backup", "PreDelete")]);
    fleet.project(&json!({"metadata": {"name": "default"}, "spec": {
        "sourceRepos": ["*"], "destinations": [{"server": "*", "namespace": "*"}],
        "namespaceResourceBlacklist": [{"group": "batch", "kind": "Job"}]}}));
    fleet.delete("shop");
    fleet.settle(MINUTE);
    assert!(!fleet.has("Job", "backup"));
    let conditions = fleet.conditions("shop");
    assert!(
        conditions.contains("Job.batch is not permitted in project default"),
        "{conditions}"
    );
}

#[test]
fn a_crash_after_any_effect_runs_every_hook_once_and_ends_the_same() {
    let objects = || {
        vec![
            config("a", 0, "1"),
            hook("backup", "PreDelete"),
            hook("farewell", "PostDelete"),
        ]
    };
    let mut crashes = 0;
    for step in 0.. {
        let mut fleet = settled(objects());
        let from = fleet.cluster.history.len();
        fleet.delete("shop");
        let is_over = fleet.drive(step);
        fleet.restart();
        fleet.settle(MINUTE);
        assert!(
            !fleet.resources.contains_key("shop"),
            "after {step}: {}",
            fleet.journal()
        );
        let story = story(&fleet, from);
        assert_eq!(
            story.iter().filter(|fact| fact.starts_with('+')).count(),
            2,
            "after {step}: {story:?}"
        );
        assert_eq!(story.last().map(String::as_str), Some("+farewell"), "after {step}");
        crashes += 1;
        if is_over {
            break;
        }
    }
    assert!(crashes > 10, "{crashes}");
}

#[test]
fn without_the_finalizer_the_objects_stay() {
    let mut fleet = Fleet::new();
    fleet.create(
        application("shop"),
        vec![config("a", 0, "1"), hook("backup", "PreDelete")],
    );
    fleet.settle(MINUTE);
    fleet.delete("shop");
    fleet.settle(MINUTE);
    // As with Argo CD: the hooks have finalizers of their own.
    assert!(!fleet.resources.contains_key("shop"), "{}", fleet.tail());
    assert!(fleet.has("ConfigMap", "a") && fleet.has("Job", "backup"));
    assert!(
        !fleet
            .cluster
            .history
            .iter()
            .any(|fact| matches!(fact, Fact::Deleted { .. }))
    );
}

#[test]
fn nothing_begins_before_everything_is_approved() {
    let mut fleet = settled(vec![
        config("b", 3, "1"),
        with(config("a", 0, "1"), "sync-options", "Delete=confirm"),
        hook("drain", "PreDelete"),
    ]);
    let from = fleet.cluster.history.len();
    fleet.delete("shop");
    fleet.settle(10 * MINUTE);
    assert!(story(&fleet, from).is_empty(), "{:?}", story(&fleet, from));
    let conditions = fleet.conditions("shop");
    assert!(
        conditions.contains("ConfigMap/prod/a: Delete=confirm: annotate the Application"),
        "{conditions}"
    );
    // An approval from before the deletion does not count.
    let approve = |at: String| json!({"metadata": {"annotations": {"argocd.argoproj.io/deletion-approved": at}}});
    fleet.patch("shop", &approve("2026-03-14T08:00:00Z".into()));
    fleet.settle(MINUTE);
    assert!(fleet.has("ConfigMap", "b"));
    fleet.patch("shop", &approve(fleet.now.to_string()));
    fleet.settle(MINUTE);
    assert!(!fleet.resources.contains_key("shop"), "{}", fleet.tail());
    assert_eq!(story(&fleet, from), ["+drain", "-b", "-a", "-drain"]);
}

#[test]
fn whoever_holds_an_object_is_named() {
    let mut fleet = settled(vec![config("a", 0, "1"), config("b", 1, "1")]);
    let key = ResourceKey::new("", "ConfigMap", "prod", "b");
    let object = fleet.cluster.objects.get_mut(&key).unwrap();
    object["metadata"]["finalizers"] = json!(["example.com/hold"]);
    let object = object.clone();
    fleet.handle(Event::LiveObserved(ClusterId::in_cluster(), Box::new(object)));
    fleet.delete("shop");
    fleet.settle(Duration::from_secs(5));
    let sentence = fleet.view("shop").sentence;
    assert!(
        sentence.contains(
            "waiting for ConfigMap/prod/b to be gone, since 2026-03-14T09:00:00Z, held by finalizer example.com/hold"
        ),
        "{sentence}"
    );
    // What takes a moment is not written down; what takes longer is.
    assert_eq!(fleet.conditions("shop"), "");
    fleet.settle(MINUTE);
    assert!(
        fleet.conditions("shop").contains("example.com/hold"),
        "{}",
        fleet.conditions("shop")
    );
    assert!(fleet.has("ConfigMap", "a"));
    fleet.release(&key, "example.com/hold");
    fleet.settle(MINUTE);
    assert!(
        !fleet.resources.contains_key("shop") && fleet.cluster.objects.is_empty(),
        "{}",
        fleet.tail()
    );
}

#[test]
fn what_cannot_be_seen_is_waited_for_by_name() {
    let mut fleet = settled(vec![config("a", 0, "1")]);
    fleet.handle(Event::KindUnavailable {
        cluster: ClusterId::in_cluster(),
        kind: GroupKind::new("", "ConfigMap"),
        reason: "forbidden".into(),
    });
    fleet.delete("shop");
    fleet.settle(MINUTE);
    assert!(fleet.has("ConfigMap", "a") && fleet.resources.contains_key("shop"));
    let conditions = fleet.conditions("shop");
    assert!(
        conditions.contains("waiting for the list of ConfigMap, to know whether ConfigMap/prod/a is gone: forbidden"),
        "{conditions}"
    );
}

#[test]
fn what_others_depend_on_goes_after_them_and_does_not_wait_for_ever() {
    let both = || {
        let mut fleet = settled(vec![config("db", 0, "1")]);
        let mut api = waiting("api", "shop");
        api["metadata"]["finalizers"] = json!([CASCADE]);
        fleet.create(api, vec![workload("Deployment", "api", 0, "1")]);
        fleet.settle(MINUTE);
        fleet
    };
    let mut fleet = both();
    let from = fleet.cluster.history.len();
    fleet.delete("api");
    fleet.delete("shop");
    fleet.settle(MINUTE);
    assert!(fleet.resources.is_empty(), "{}", fleet.journal());
    assert_eq!(story(&fleet, from), ["-api", "-db"]);

    // One that is not being deleted does not hold anything up.
    let mut fleet = both();
    fleet.delete("shop");
    fleet.settle(MINUTE);
    assert!(!fleet.resources.contains_key("shop"));

    let mut fleet = both();
    fleet
        .cluster
        .objects
        .get_mut(&ResourceKey::new("apps", "Deployment", "prod", "api"))
        .unwrap()["metadata"]["finalizers"] = json!(["example.com/hold"]);
    fleet.delete("api");
    fleet.delete("shop");
    fleet.settle(MINUTE);
    let conditions = fleet.conditions("shop");
    assert!(
        conditions.contains("argocd/api, since 2026-03-14T09:02:00Z, until 2026-03-14T10:02:00Z"),
        "{conditions}"
    );
    assert!(fleet.has("ConfigMap", "db"));
    fleet.settle(60 * MINUTE);
    assert!(!fleet.resources.contains_key("shop"), "{}", fleet.conditions("shop"));
    assert!(
        fleet.journal().contains("not waited for any longer"),
        "{}",
        fleet.journal()
    );
}

#[test]
fn a_hook_that_vanishes_unseen_did_not_succeed() {
    let mut fleet = settled(vec![config("a", 0, "1"), hook("backup", "PreDelete")]);
    fleet.delete("shop");
    while !fleet.has("Job", "backup") {
        assert!(!fleet.drive(1), "{}", fleet.tail());
    }
    // Its creation is answered first.
    fleet.handle(Event::RefreshRequested {
        id: ApplicationId::new("argocd", "shop"),
        hard: false,
    });
    fleet.vanish(&job("backup"));
    let from = fleet.cluster.history.len();
    fleet.settle(Duration::from_secs(2));
    assert!(fleet.has("ConfigMap", "a"));
    let conditions = fleet.conditions("shop");
    assert!(
        conditions.contains("it was deleted before it was seen to finish"),
        "{conditions}"
    );
    fleet.settle(MINUTE);
    assert_eq!(story(&fleet, from), ["+backup", "-a", "-backup"]);
}

#[test]
fn a_hook_without_a_name_gets_one_and_has_an_end() {
    let mut slow = hook("", "PreDelete");
    slow["metadata"] = json!({"generateName": "slow-", "namespace": "prod", "annotations":
        {"argocd.argoproj.io/hook": "PreDelete", "capstan.dev/sync-timeout": "30s"}});
    slow["kind"] = json!("Pod");
    slow["apiVersion"] = json!("v1");
    slow["spec"] = json!({"restartPolicy": "Never"});
    slow["status"] = json!({"phase": "Running"});
    let mut fleet = settled(vec![config("a", 0, "1"), slow]);
    fleet.delete("shop");
    fleet.settle(Duration::from_secs(20));
    let name = format!("slow-predelete-{}", 1_773_478_800 + 60);
    let pod = ResourceKey::new("", "Pod", "prod", &name);
    let mut object = fleet.cluster.objects[&pod].clone();
    object["status"] = json!({"phase": "Running"});
    fleet.cluster.objects.insert(pod.clone(), object.clone());
    fleet.handle(Event::LiveObserved(ClusterId::in_cluster(), Box::new(object)));
    fleet.settle(MINUTE);
    let conditions = fleet.conditions("shop");
    assert!(
        conditions.contains(&format!("Pod/prod/{name}: PreDelete hook failed: not done since")),
        "{conditions}"
    );
}
