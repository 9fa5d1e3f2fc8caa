//! An ordinary object that is declared as a hook from one commit on: it goes as a prune goes, or stays and the hook does not run.

use super::*;
use crate::rig::workload;

/// The same object, as a hook.
fn as_hook(mut object: Value, kind: &str) -> Value {
    object["metadata"]["annotations"]["argocd.argoproj.io/hook"] = json!(kind);
    object
}

fn with_option(mut object: Value, option: &str) -> Value {
    object["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] = json!(option);
    object
}

fn claim() -> Value {
    let mut claim = object("v1", "PersistentVolumeClaim", "prod", "data");
    claim["metadata"]["annotations"] = json!({});
    claim
}

fn namespace() -> Value {
    let mut namespace = object("v1", "Namespace", "", "team");
    namespace["metadata"]["annotations"] = json!({});
    namespace
}

fn uid(run: &Run, object: &Value) -> String {
    let live = &run.rig.cluster.objects[&key_of(object)];
    live["metadata"]["uid"].as_str().unwrap().to_owned()
}

/// Synced as an ordinary object, and pushed as a hook; with the identity that it had.
fn converted_with(rig: Rig, settings: Settings, object: &Value, after: Value) -> (Run, String) {
    let mut run = rig.start_with(settings, Vec::new());
    run.settle(MINUTE);
    assert_eq!(run.sync(), "Synced Healthy", "{}", run.journal());
    let before = uid(&run, object);
    run.push(vec![config("a", 0, "2"), after]);
    run.settle(MINUTE);
    (run, before)
}

fn rig(object: &Value) -> Rig {
    let mut rig = Rig::new(vec![config("a", 0, "1"), object.clone()]);
    rig.resource["spec"]["syncPolicy"]["retry"] = json!({"limit": 0});
    rig
}

fn converted(object: &Value) -> (Run, String) {
    converted_with(
        rig(object),
        Settings::default(),
        object,
        as_hook(object.clone(), "PreSync"),
    )
}

fn message(run: &Run) -> String {
    let results = run.rig.resource["status"]["operationState"]["syncResult"]["resources"].to_string();
    format!("{} {results}", run.rig.status("/operationState/message"))
}

#[test]
fn a_job_goes_as_a_prune_goes_and_the_hook_runs() {
    for settings in [Settings::default(), argo()] {
        let job = workload("Job", "migrate", 0, "1");
        let (run, before) = converted_with(rig(&job), settings, &job, as_hook(job.clone(), "PreSync"));
        assert_ne!(uid(&run, &job), before, "{}", run.journal());
        assert_eq!(run.sync(), "Synced Healthy");
        assert!(
            run.journal().contains("which declare it as a hook"),
            "{}",
            run.journal()
        );
    }
}

#[test]
pub(crate) fn what_a_sync_may_not_delete_is_not_deleted_for_a_hook() {
    let job = workload("Job", "migrate", 0, "1");
    for settings in [Settings::default(), argo()] {
        // A sync that does not prune,
        let mut rig = rig(&job);
        rig.resource["spec"]["syncPolicy"] = json!({"automated": {}, "retry": {"limit": 0}});
        let (mut run, before) = converted_with(rig, settings.clone(), &job, as_hook(job.clone(), "PreSync"));
        assert_eq!(uid(&run, &job), before, "{}", run.journal());
        assert_eq!(run.rig.status("/operationState/phase"), "Failed");
        if settings.guards == Guards::Capstan {
            let said = message(&run);
            assert!(said.contains("Job/prod/migrate exists as an ordinary object"), "{said}");
            assert!(said.contains("sync with prune"), "{said}");
            assert_eq!(
                run.rig.cluster.objects[&key_of(&config("a", 0, "1"))]["data"]["v"],
                "1",
                "nothing goes past it"
            );
        }
        sync_by_hand(&mut run);
        assert_ne!(uid(&run, &job), before, "{}", run.journal());
        // or an object that says so.
        let kept = with_option(job.clone(), "Prune=false");
        let hook = as_hook(kept.clone(), "PreSync");
        let (mut run, before) = converted_with(self::rig(&kept), settings, &kept, hook);
        sync_by_hand(&mut run);
        assert_eq!(uid(&run, &job), before, "{}", run.journal());
    }
}

#[test]
fn rules_look_at_it() {
    let (mut run, before) = converted(&claim());
    assert_eq!(uid(&run, &claim()), before, "{}", run.journal());
    assert_eq!(rules(&run), ["ProtectedKind"]);
    assert!(message(&run).contains("held by ProtectedKind"), "{}", message(&run));
    sync_by_hand(&mut run);
    assert_ne!(uid(&run, &claim()), before, "{}", run.journal());

    let mut first = maps(0..12);
    let mut second = maps(11..12);
    let job = workload("Job", "migrate", 0, "1");
    first.push(job.clone());
    second.push(as_hook(job.clone(), "PreSync"));
    let run = pushed(first, second);
    assert_eq!(rules(&run), ["MassPrune (over 50 %, 10 or more)"]);
    assert_eq!((count(&run), deletes(&run)), (13, 0), "{}", run.journal());
}

#[test]
fn what_is_in_a_namespace_does_not_go_with_it() {
    for settings in [Settings::default(), argo()] {
        let team = with_option(namespace(), "Prune=true");
        let mut rig = rig(&team);
        let mut theirs = object("v1", "Secret", "team", "theirs");
        theirs["metadata"]["uid"] = json!("theirs");
        rig.cluster.objects.insert(key_of(&theirs), theirs);
        let hook = as_hook(team.clone(), "PreSync");
        let (run, before) = converted_with(rig, settings, &team, hook);
        assert_eq!(uid(&run, &team), before, "{}", run.journal());
    }
}

#[test]
fn what_is_declared_in_a_namespace_does_not_go_with_it_whoever_asks() {
    for (settings, kind) in [
        (Settings::default(), "PreSync"),
        (argo(), "PreSync"),
        (argo(), "PostDelete"),
    ] {
        let team = namespace();
        let inside = object("v1", "ConfigMap", "team", "inside");
        let mut rig = Rig::new(vec![config("a", 0, "1"), team.clone(), inside.clone()]);
        rig.resource["spec"]["syncPolicy"] = json!({"automated": {}, "retry": {"limit": 0}});
        let mut run = rig.start_with(settings, Vec::new());
        run.settle(MINUTE);
        let before = uid(&run, &team);
        run.push(vec![
            config("a", 0, "2"),
            as_hook(with_option(team.clone(), "Prune=true"), kind),
            inside.clone(),
        ]);
        sync_by_hand(&mut run);
        let is_there = run.rig.cluster.objects.contains_key(&key_of(&inside));
        assert!(is_there && uid(&run, &team) == before, "{kind}: {}", run.journal());
    }
}

#[test]
fn the_policy_of_a_hook_that_could_not_run_does_not_delete_it() {
    let job = workload("Job", "migrate", 0, "1");
    for (settings, policy) in [
        (Settings::default(), "HookFailed"),
        (Settings::default(), "HookSucceeded,HookFailed"),
        (argo(), "HookFailed"),
    ] {
        let mut rig = rig(&job);
        rig.resource["spec"]["syncPolicy"] = json!({"automated": {}, "retry": {"limit": 0}});
        let mut hook = as_hook(job.clone(), "PreSync");
        hook["metadata"]["annotations"]["argocd.argoproj.io/hook-delete-policy"] = json!(policy);
        let (run, before) = converted_with(rig, settings, &job, hook);
        let live = run.rig.cluster.objects.get(&key_of(&job));
        assert!(
            live.is_some_and(|live| live["metadata"]["uid"] == json!(before)),
            "{policy}: {}",
            run.journal()
        );
    }
}

#[test]
fn one_that_does_not_run_stays_and_is_pruned_as_argo_cd_does() {
    let job = workload("Job", "migrate", 0, "1");
    for (settings, kind, stays) in [
        (Settings::default(), "SyncFail", true),
        (Settings::default(), "Bogus", true),
        (argo(), "SyncFail", false),
        (argo(), "Bogus", false),
    ] {
        let (run, before) = converted_with(rig(&job), settings, &job, as_hook(job.clone(), kind));
        let live = run.rig.cluster.objects.get(&key_of(&job));
        let uid = live.map(|live| live["metadata"]["uid"].as_str().unwrap());
        assert_eq!(uid, stays.then_some(before.as_str()), "{kind}: {}", run.journal());
        assert_eq!(run.sync(), "Synced Healthy");
    }
}

#[test]
fn what_waits_for_its_confirmation_waits() {
    let job = with_option(workload("Job", "migrate", 0, "1"), "Prune=confirm");
    let (mut run, before) = converted(&job);
    assert_eq!(uid(&run, &job), before, "{}", run.journal());
    assert_eq!(run.rig.status("/operationState/phase"), "Running");
    approve(&mut run, Duration::from_secs(2));
    assert_ne!(uid(&run, &job), before, "{}", run.journal());
    assert_eq!(run.sync(), "Synced Healthy");
}

#[test]
fn a_hook_of_the_end_changes_nothing_now_and_does_not_replace_it_then() {
    let job = workload("Job", "backup", 0, "1");
    let hook = as_hook(job.clone(), "PreDelete");
    let (mut run, before) = converted_with(rig(&job), Settings::default(), &job, hook);
    assert_eq!(
        (uid(&run, &job), run.sync()),
        (before.clone(), "Synced Healthy".to_owned())
    );
    let finalizers = [
        "resources-finalizer.argocd.argoproj.io",
        "pre-delete-finalizer.argocd.argoproj.io",
    ];
    run.rig.resource["metadata"]["finalizers"] = json!(finalizers);
    run.rig.resource["metadata"]["deletionTimestamp"] = json!(run.rig.now.to_string());
    run.observe_application();
    run.settle(MINUTE);
    assert_eq!(uid(&run, &job), before, "{}", run.journal());
    let conditions = run.rig.resource["status"]["conditions"].to_string();
    assert!(conditions.contains("exists as an ordinary object"), "{conditions}");
}

#[test]
fn an_earlier_run_of_a_hook_is_replaced_as_ever() {
    let first = vec![config("a", 0, "1"), hook("migrate", "PreSync")];
    let mut rig = Rig::new(first);
    rig.resource["spec"]["syncPolicy"] = json!({"automated": {}});
    let mut run = rig.start(Vec::new());
    run.settle(MINUTE);
    let before = uid(&run, &hook("migrate", "PreSync"));
    run.push(vec![config("a", 0, "2"), hook("migrate", "PreSync")]);
    run.settle(MINUTE);
    assert_ne!(uid(&run, &hook("migrate", "PreSync")), before, "{}", run.journal());
    assert_eq!(run.sync(), "Synced Healthy");
}
