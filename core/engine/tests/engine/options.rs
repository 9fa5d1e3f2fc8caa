//! Options of a sync, one test each: what is done, and what is not.

use std::time::Duration;

use capstan_engine::Settings;
use capstan_engine::settings::Guards;
use capstan_model::ResourceKey;
use serde_json::{Value, json};

use crate::cluster::Fact;
use crate::rig::{Rig, Run, config, hook, workload};

const MINUTE: Duration = Duration::from_secs(60);

fn writes(run: &Run) -> usize {
    let is_write = |fact: &&Fact| matches!(fact, Fact::Written { .. } | Fact::Deleted { .. });
    run.rig.cluster.history.iter().filter(is_write).count()
}

fn map(name: &str) -> ResourceKey {
    ResourceKey::new("", "ConfigMap", "prod", name)
}

fn with_option(mut object: Value, option: &str) -> Value {
    object["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] = json!(option);
    object
}

/// A person's sync, to its end.
fn by_hand(objects: Vec<Value>, sync: &Value) -> Run {
    let mut rig = Rig::new(objects);
    rig.resource["spec"]["syncPolicy"] = json!({});
    rig.resource["operation"] = json!({"initiatedBy": {"username": "ada"}, "sync": sync});
    let mut run = rig.start(Vec::new());
    run.settle(MINUTE);
    run
}

#[test]
fn a_dry_run_asks_for_everything_and_changes_nothing() {
    let run = by_hand(
        vec![config("a", 0, "1"), hook("before", "PreSync")],
        &json!({"dryRun": true}),
    );
    assert_eq!(writes(&run), 0, "{}", run.log.join("\n"));
    assert_eq!(run.rig.status("/operationState/phase"), "Succeeded");
    let message = run.rig.status("/operationState/message");
    assert!(
        message.starts_with("dry run: the cluster would accept all 2 objects"),
        "{message}"
    );
    assert_eq!(run.log.iter().filter(|line| line.contains("try to ")).count(), 2);
}

/// A dry run that the server refused waits for its next attempt; the process dies, and the next one goes on with it.
#[test]
fn a_dry_run_changes_nothing_after_a_restart_either() {
    let mut rig = Rig::new(vec![config("a", 0, "1"), config("b", 0, "1")]);
    rig.cluster.refused.insert("b".into());
    rig.resource["spec"]["syncPolicy"] = json!({});
    rig.resource["operation"] = json!({"sync": {"dryRun": true}, "retry": {"limit": 2}});
    let mut run = rig.start(Vec::new());
    run.drive(1000);
    assert_eq!(run.rig.status("/operationState/phase"), "Running");
    let mut run = run.rig.start(Vec::new());
    run.settle(MINUTE);
    assert_eq!((writes(&run), run.rig.status("/operationState/phase")), (0, "Failed"));
}

/// A dry run that went well did not deploy anything: what is missing afterwards is not drift, and is synced with its waves and hooks.
#[test]
fn a_dry_run_is_no_sync() {
    let objects = vec![
        hook("before", "PreSync"),
        workload("Deployment", "web", 0, "1"),
        config("later", 1, "1"),
    ];
    let mut rig = Rig::new(objects);
    rig.cluster.broken.insert("web".into());
    rig.resource["operation"] = json!({"sync": {"dryRun": true}});
    let mut run = rig.start(Vec::new());
    run.settle(MINUTE);
    assert!(
        run.rig
            .cluster
            .objects
            .contains_key(&ResourceKey::new("batch", "Job", "prod", "before"))
    );
    assert!(
        !run.rig.cluster.objects.contains_key(&map("later")),
        "{}",
        run.log.join("\n")
    );
}

/// A write that waits for its kind to be served when the attempt fails is due long before the next attempt: that one comes all the same.
#[test]
fn another_attempt_comes_whatever_was_due_before_it() {
    let widget = json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w", "namespace": "prod",
        "annotations": {"argocd.argoproj.io/sync-options": "SkipDryRunOnMissingResource=true"}}});
    let mut rig = Rig::new(vec![workload("Job", "migrate", 0, "1"), widget]);
    rig.cluster.broken.insert("migrate".into());
    rig.resource["spec"]["syncPolicy"]["retry"] = json!({"limit": 1, "backoff": {"duration": "20s"}});
    let mut run = rig.start(Vec::new());
    run.settle(MINUTE);
    assert_eq!(run.rig.resource["status"]["operationState"]["retryCount"], 1);
}

/// Asking a repository again that did not answer is no news: the status goes on to say that nothing is known.
#[test]
pub(crate) fn a_source_that_fails_stays_unknown_while_it_is_asked_again() {
    let mut run = Rig::new(vec![config("a", 0, "1")]).start(Vec::new());
    run.settle(MINUTE);
    run.rig.commits.push(("f".repeat(40), Err("cannot be rendered".into())));
    for _ in 0..3 {
        let before = run.log.len();
        run.handle(capstan_engine::Event::RefreshRequested {
            id: crate::rig::id(),
            hard: false,
        });
        run.settle(MINUTE);
        let synced = run.log[before..]
            .iter()
            .find(|line| line.contains("\"status\":\"Synced\""));
        assert_eq!(synced, None);
        assert_eq!(run.rig.status("/sync/status"), "Unknown");
    }
}

#[test]
fn a_dry_run_says_what_the_server_refuses() {
    let mut rig = Rig::new(vec![config("a", 0, "1"), config("b", 0, "1")]);
    rig.cluster.refused.insert("b".into());
    rig.resource["spec"]["syncPolicy"] = json!({});
    rig.resource["operation"] = json!({"sync": {"dryRun": true}});
    let mut run = rig.start(Vec::new());
    run.settle(MINUTE);
    assert_eq!((writes(&run), run.rig.status("/operationState/phase")), (0, "Failed"));
    let message = run.rig.status("/operationState/message");
    assert!(
        message.contains("shop/all.yaml:11") && message.contains("immutable"),
        "{message}"
    );
}

#[test]
fn what_the_server_would_refuse_is_known_before_anything_is_deleted() {
    let mut run = Rig::new(vec![config("a", 0, "1"), config("old", 0, "1")]).start(Vec::new());
    run.settle(MINUTE);
    run.rig.cluster.refused.insert("a".into());
    let before = writes(&run);
    run.push(vec![config("a", 0, "2")]);
    run.settle(MINUTE);
    assert!(run.rig.cluster.objects.contains_key(&map("old")));
    assert_eq!(writes(&run), before, "{}", run.log.join("\n"));
}

#[test]
fn whatever_is_waited_for_has_an_end_and_says_so_before() {
    let mut slow = workload("Deployment", "web", 0, "1");
    slow["metadata"]["annotations"]["capstan.dev/sync-timeout"] = json!("90s");
    let mut rig = Rig::new(vec![slow, config("later", 1, "1")]);
    rig.cluster.broken.insert("web".into());
    rig.resource["spec"]["syncPolicy"]["retry"] = json!({"limit": 0});
    let mut run = rig.start(Vec::new());
    run.settle(MINUTE);
    let message = run.rig.status("/operationState/message").to_owned();
    assert!(
        message.contains(", since 2026-03-14T09:00:00Z, until 2026-03-14T09:01:30Z"),
        "{message}"
    );
    assert_eq!(run.rig.status("/operationState/phase"), "Running");
    run.settle(2 * MINUTE);
    assert_eq!(run.rig.status("/operationState/phase"), "Failed");
    let message = run.rig.status("/operationState/message");
    assert!(
        message.contains("not done within 90s, since 2026-03-14T09:00:00Z: Degraded"),
        "{message}"
    );
    assert!(!run.rig.cluster.objects.contains_key(&map("later")));
}

#[test]
fn a_sync_as_a_whole_has_an_end() {
    let mut rig = Rig::new(vec![workload("Deployment", "web", 0, "1"), config("later", 1, "1")]);
    rig.cluster.broken.insert("web".into());
    rig.resource["metadata"]["annotations"] = json!({"capstan.dev/sync-timeout": "10m"});
    let mut run = rig.start(Vec::new());
    run.settle(11 * MINUTE);
    assert_eq!(run.rig.status("/operationState/phase"), "Failed");
    let message = run.rig.status("/operationState/message");
    assert!(message.contains("its deadline of 10m"), "{message}");
}

#[test]
fn a_hook_that_argo_cd_left_behind_is_taken_over() {
    let mut rig = Rig::new(vec![hook("before", "PreSync")]);
    let key = ResourceKey::new("batch", "Job", "prod", "before");
    let mut left = hook("before", "PreSync");
    left["metadata"]["uid"] = json!("old");
    left["metadata"]["resourceVersion"] = json!("1");
    left["metadata"]["generation"] = json!(1);
    left["metadata"]["finalizers"] = json!(["argocd.argoproj.io/hook-finalizer"]);
    left["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"] = json!("shop:batch/Job:prod/before");
    left["status"] = json!({"conditions": [{"type": "Complete", "status": "True"}]});
    rig.cluster.objects.insert(key.clone(), left);
    rig.resource["operation"] = json!({"initiatedBy": {"username": "ada"}, "sync": {}});
    let mut run = rig.start(Vec::new());
    run.settle(MINUTE);
    assert_ne!(
        run.rig.cluster.objects[&key]["metadata"]["uid"],
        "old",
        "{}",
        run.log.join("\n")
    );
    assert_eq!(run.rig.status("/operationState/phase"), "Succeeded");
}

#[test]
fn force_makes_anew_what_cannot_be_changed_and_nothing_else_does() {
    for (option, made_anew) in [("Force=true", true), ("Force=false", false)] {
        let mut run = Rig::new(vec![with_option(config("a", 0, "1"), option)]).start(Vec::new());
        run.settle(MINUTE);
        let uid = |run: &Run| run.rig.cluster.objects[&map("a")]["metadata"]["uid"].clone();
        let before = uid(&run);
        run.rig.cluster.immutable.insert("a".into());
        run.push(vec![with_option(config("a", 0, "2"), option)]);
        run.settle(MINUTE);
        assert_eq!(uid(&run) != before, made_anew, "{option}\n{}", run.log.join("\n"));
    }
}

#[test]
fn what_says_delete_confirm_waits_for_the_approval() {
    let mut run = Rig::new(vec![
        with_option(config("a", 0, "1"), "Delete=confirm"),
        config("b", 0, "1"),
    ])
    .start(Vec::new());
    run.settle(MINUTE);
    run.rig.resource["metadata"]["finalizers"] = json!(["resources-finalizer.argocd.argoproj.io"]);
    run.rig.resource["metadata"]["deletionTimestamp"] = json!(run.rig.now.to_string());
    run.observe_application();
    run.settle(MINUTE);
    // Half of an application is worse than all or none of it.
    let left: Vec<&ResourceKey> = run.rig.cluster.objects.keys().collect();
    assert_eq!(left, [&map("a"), &map("b")]);
    let conditions = run.rig.resource["status"]["conditions"].to_string();
    assert!(conditions.contains("Delete=confirm"), "{conditions}");
    let now = run.rig.now.to_string();
    run.rig.resource["metadata"]["annotations"] = json!({"argocd.argoproj.io/deletion-approved": now});
    run.observe_application();
    run.settle(MINUTE);
    assert!(run.rig.cluster.objects.is_empty());
    assert_eq!(run.rig.resource["metadata"]["finalizers"], json!([]));
}

#[test]
fn a_retry_that_refreshes_takes_the_newest_commit() {
    for (refresh, newest) in [(true, true), (false, false)] {
        let mut rig = Rig::new(vec![config("a", 0, "1")]);
        rig.cluster.refused.insert("a".into());
        rig.resource["spec"]["syncPolicy"] = json!({"retry": {"limit": 3, "refresh": refresh}});
        rig.resource["operation"] = json!({"initiatedBy": {"username": "ada"}, "sync": {}});
        let mut run = rig.start(Vec::new());
        run.settle(Duration::from_secs(2));
        run.rig.cluster.refused.clear();
        run.push(vec![config("a", 0, "2")]);
        run.settle(MINUTE);
        let value = &run.rig.cluster.objects[&map("a")]["data"]["v"];
        assert_eq!(*value == "2", newest, "{}", run.log.join("\n"));
    }
}

#[test]
fn with_argo_cd_s_guards_waves_hooks_and_prunes_come_to_the_same_end() {
    let settings = Settings {
        guards: Guards::Argo,
        ..Settings::default()
    };
    let objects = vec![
        hook("before", "PreSync"),
        config("first", 0, "1"),
        workload("Deployment", "web", 1, "1"),
        config("old", 2, "1"),
        hook("after", "PostSync"),
    ];
    let mut run = Rig::new(objects).start_with(settings, Vec::new());
    run.settle(2 * MINUTE);
    assert_eq!(
        run.rig.status("/operationState/phase"),
        "Succeeded",
        "{}",
        run.log.join("\n")
    );
    assert_eq!(run.sync(), "Synced Healthy", "{}", run.log.join("\n"));
    let place = |key: &str| {
        run.log
            .iter()
            .rposition(|line| line.contains(&format!(" apply {key} ")))
    };
    let keys = [
        "Job/prod/before",
        "ConfigMap/prod/first",
        "Deployment/prod/web",
        "ConfigMap/prod/old",
        "Job/prod/after",
    ];
    let places: Vec<Option<usize>> = keys.iter().map(|key| place(key)).collect();
    assert!(
        places.iter().all(Option::is_some) && places.is_sorted(),
        "{places:?}\n{}",
        run.log.join("\n")
    );
    run.push(vec![
        hook("before", "PreSync"),
        config("first", 0, "2"),
        workload("Deployment", "web", 1, "1"),
    ]);
    run.settle(2 * MINUTE);
    assert_eq!(run.sync(), "Synced Healthy", "{}", run.log.join("\n"));
    assert!(!run.rig.cluster.objects.contains_key(&map("old")));
    assert!(run.engine.poll_timeout().is_none(), "nothing ticks once it is over");
}

#[test]
fn a_sync_that_was_being_stopped_is_stopped_by_the_next_process_too() {
    let mut endless = hook("before", "PreSync");
    endless["spec"]["broken"] = json!(false);
    let mut rig = Rig::new(vec![endless, config("later", 1, "1")]);
    rig.resource["operation"] = json!({"initiatedBy": {"username": "ada"}, "sync": {}});
    let mut run = rig.start(Vec::new());
    let job = ResourceKey::new("batch", "Job", "prod", "before");
    while !run.rig.cluster.objects.contains_key(&job) {
        let effect = run.pending.pop_front().expect("the hook is about to be created");
        run.perform(&effect);
    }
    let mut rig = run.rig;
    rig.resource["status"]["operationState"]["phase"] = json!("Terminating");
    let mut run = rig.start(Vec::new());
    run.settle(MINUTE);
    assert_eq!(
        run.rig.status("/operationState/phase"),
        "Failed",
        "{}",
        run.log.join("\n")
    );
    assert!(
        !run.rig.cluster.objects.contains_key(&map("later")),
        "{}",
        run.log.join("\n")
    );
    assert!(!run.rig.cluster.objects.contains_key(&job), "{}", run.log.join("\n"));
}

#[test]
fn a_newer_commit_supersedes_unless_the_application_says_otherwise() {
    for (annotation, superseded) in [("", true), ("true", true), ("false", false)] {
        let mut rig = Rig::new(vec![workload("Deployment", "web", 0, "1"), config("later", 1, "1")]);
        rig.resource["metadata"]["annotations"] = json!({"capstan.dev/supersede": annotation});
        rig.cluster.broken.insert("web".into());
        let mut run = rig.start(Vec::new());
        run.settle(MINUTE);
        run.rig.cluster.broken.clear();
        run.push(vec![workload("Deployment", "web", 0, "2"), config("later", 1, "2")]);
        run.settle(MINUTE);
        assert_eq!(
            run.sync() == "Synced Healthy",
            superseded,
            "{annotation:?}: {}",
            run.journal()
        );
        if !superseded {
            let message = run.rig.status("/operationState/message");
            assert!(message.contains("Deployment/prod/web"), "{message}");
        }
    }
}

#[test]
fn what_is_not_compared_is_not_changed_where_that_is_asked_for() {
    for (options, expected) in [(json!([]), 1), (json!(["RespectIgnoreDifferences=true"]), 7)] {
        let mut rig = Rig::new(vec![workload("Deployment", "web", 0, "1")]);
        rig.resource["spec"]["syncPolicy"]["syncOptions"] = options.clone();
        rig.resource["spec"]["ignoreDifferences"] =
            json!([{"group": "apps", "kind": "Deployment", "jsonPointers": ["/spec/replicas"]}]);
        let mut run = rig.start(Vec::new());
        run.settle(MINUTE);
        let web = ResourceKey::new("apps", "Deployment", "prod", "web");
        // The autoscaler is left alone until the next sync, or for good.
        run.edit(&web, &["spec", "replicas"], json!(7), "hpa");
        run.settle(MINUTE);
        assert_eq!(run.rig.cluster.objects[&web]["spec"]["replicas"], 7);
        run.push(vec![workload("Deployment", "web", 0, "2")]);
        run.settle(MINUTE);
        assert_eq!(run.rig.cluster.objects[&web]["spec"]["image"], "2");
        assert_eq!(run.rig.cluster.objects[&web]["spec"]["replicas"], expected, "{options}");
        // Putting drift right does not take it back either.
        run.edit(&web, &["spec", "image"], json!("evil"), "kubectl-edit");
        run.settle(MINUTE);
        assert_eq!(run.rig.cluster.objects[&web]["spec"]["replicas"], expected, "{options}");
        assert_eq!(run.sync(), "Synced Healthy");
    }
}

#[test]
fn an_object_of_another_application_fails_the_sync_where_that_is_asked_for() {
    for (options, phase) in [
        (json!([]), "Succeeded"),
        (json!(["FailOnSharedResource=true"]), "Failed"),
    ] {
        let mut rig = Rig::new(vec![config("a", 0, "1"), config("b", 0, "1")]);
        let mut foreign = config("b", 0, "0");
        foreign["metadata"]["uid"] = json!("uid-b");
        foreign["metadata"]["generation"] = json!(1);
        foreign["metadata"]["resourceVersion"] = json!("1");
        foreign["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"] = json!("other:/ConfigMap:prod/b");
        rig.cluster.objects.insert(map("b"), foreign);
        rig.resource["spec"]["syncPolicy"] = json!({"syncOptions": options, "automated": {}, "retry": {"limit": 0}});
        let mut run = rig.start(Vec::new());
        run.settle(MINUTE);
        let message = run.rig.status("/operationState/message");
        assert_eq!(run.rig.status("/operationState/phase"), phase, "{message}");
        assert_eq!(run.rig.cluster.objects.contains_key(&map("a")), phase == "Succeeded");
        assert_eq!(
            message.contains("ConfigMap/prod/b belongs to application argocd/other"),
            phase == "Failed",
            "{message}"
        );
    }
}

#[test]
fn what_has_failed_is_not_waited_for() {
    let mut rig = Rig::new(vec![config("a", 0, "1"), hook("clean", "SyncFail")]);
    rig.cluster.refused.insert("a".into());
    rig.resource["spec"]["syncPolicy"] = json!({});
    rig.resource["operation"] = json!({"sync": {}});
    let mut run = rig.start(Vec::new());
    run.settle(MINUTE);
    let failing: Vec<&String> = run
        .log
        .iter()
        .filter(|line| line.contains("one or more tasks failed"))
        .collect();
    assert!(
        failing
            .iter()
            .any(|line| line.contains("waiting for completion of hook")),
        "{failing:#?}"
    );
    assert!(
        !failing.iter().any(|line| line.contains("waiting for write of")),
        "{failing:#?}"
    );
    assert!(!run.rig.status("/operationState/message").contains("waiting for"));
}

/// A kind that cannot be listed: since when that is waited for is not told anew each time that somebody looks.
#[test]
fn a_sync_that_cannot_be_planned_says_since_when_and_until_when() {
    let mut run = Rig::new(vec![config("a", 0, "1")]).start(Vec::new());
    run.settle(MINUTE);
    run.handle(capstan_engine::Event::KindUnavailable {
        cluster: capstan_model::ClusterId::in_cluster(),
        kind: capstan_model::GroupKind::new("", "ConfigMap"),
        reason: "403 Forbidden".into(),
    });
    run.push(vec![config("a", 0, "2")]);
    run.settle(MINUTE);
    run.rig.resource["operation"] = json!({"sync": {}});
    run.observe_application();
    let mut told = Vec::new();
    for _ in 0..2 {
        run.settle(MINUTE);
        told.push(run.rig.status("/operationState/message").to_owned());
        run.rig.now = run.rig.now + MINUTE;
        run.handle(capstan_engine::Event::RefreshRequested {
            id: crate::rig::id(),
            hard: false,
        });
    }
    let what =
        "waiting for the list of ConfigMap: 403 Forbidden, since 2026-03-14T09:00:00Z, until 2026-03-15T09:00:00Z";
    assert_eq!(told, [what, what]);
}
