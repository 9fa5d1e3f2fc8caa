//! Objects that wait for objects of their application (`capstan.dev/depends-on`): what is written when, and what is refused before anything is.

use std::time::Duration;

use capstan_engine::Settings;
use capstan_engine::plan::{Plan, PlanRequest};
use capstan_engine::settings::Guards;
use capstan_engine::targets::TargetContext;
use capstan_model::SyncOptions;
use serde_json::{Value, json};

use crate::cluster::Fact;
use crate::rig::{Rig, Run, config, hook, workload};

const MINUTE: Duration = Duration::from_secs(60);

fn after(mut object: Value, named: &str) -> Value {
    object["metadata"]["annotations"]["capstan.dev/depends-on"] = json!(named);
    object
}

/// A hook of these types that is no Job: it has ended when it is written.
fn note(name: &str, types: &str) -> Value {
    let mut object = config(name, 0, "1");
    object["metadata"]["annotations"]["argocd.argoproj.io/hook"] = json!(types);
    object
}

fn definition(wave: i32) -> Value {
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.a.io", "annotations": {"argocd.argoproj.io/sync-wave": wave.to_string()}},
        "spec": {"group": "a.io", "names": {"kind": "Widget"}}})
}

fn synced(objects: Vec<Value>) -> Run {
    let mut run = Rig::new(objects).start(Vec::new());
    run.settle(MINUTE);
    run
}

/// What was written, in order.
fn written(run: &Run) -> Vec<&str> {
    let facts = run.rig.cluster.history.iter();
    let names = facts.filter_map(|fact| match fact {
        Fact::Written { key, .. } => Some(key.name.as_str()),
        _ => None,
    });
    names.collect()
}

/// What a sync of these objects is refused for: it writes nothing, and is not tried again.
fn refused(objects: Vec<Value>) -> String {
    let run = synced(objects);
    assert_eq!(run.rig.status("/operationState/phase"), "Error", "{}", run.journal());
    assert!(written(&run).is_empty(), "{:?}", written(&run));
    assert!(!run.journal().contains("BackingOff"), "{}", run.journal());
    let message = run.rig.status("/operationState/message").to_owned();
    let refusal = message.split("; begun anew at ").next().unwrap();
    refusal.to_owned()
}

#[test]
fn within_a_wave_an_object_is_written_when_what_it_names_is_healthy() {
    let objects = || {
        vec![
            after(workload("Deployment", "api", 0, "1"), "Deployment/db"),
            workload("Deployment", "db", 0, "1"),
            workload("Deployment", "web", 0, "1"),
        ]
    };
    let mut rig = Rig::new(objects());
    rig.cluster.broken.insert("db".into());
    let mut run = rig.start(Vec::new());
    run.settle(MINUTE);
    assert_eq!(
        written(&run),
        ["db", "web"],
        "what does not wait goes on\n{}",
        run.journal()
    );
    run.rig.cluster.broken.clear();
    let mut objects = objects();
    objects[1] = workload("Deployment", "db", 0, "2");
    run.push(objects);
    run.settle(MINUTE);
    let (written, sync) = (written(&run), run.sync());
    assert_eq!((written.last(), sync.as_str()), (Some(&"api"), "Synced Healthy"));
    let facts = &run.rig.cluster.history;
    let healthy = |fact: &Fact| matches!(fact, Fact::Observed { key, healthy: true, .. } if key.name == "db");
    let follows = |fact: &Fact| matches!(fact, Fact::Written { key, .. } if key.name == "api");
    assert!(
        facts.iter().position(healthy) < facts.iter().position(follows),
        "{facts:?}"
    );
}

#[test]
fn the_direction_of_waves_may_be_said_again() {
    let run = synced(vec![
        workload("Deployment", "db", 0, "1"),
        after(workload("Deployment", "api", 1, "1"), "apps/Deployment/prod/db"),
        after(hook("smoke", "PostSync"), "Deployment/api, Deployment/db"),
    ]);
    assert_eq!(written(&run), ["db", "api", "smoke"]);
    assert_eq!(run.sync(), "Synced Healthy");
}

#[test]
fn objects_that_wait_for_each_other_are_told_who_they_are_and_why() {
    let bystanders = (0..40).map(|n| config(&format!("bystander{n}"), n % 3, "1"));
    let cycle = [
        after(config("a", 0, "1"), "ConfigMap/b"),
        after(config("b", 0, "1"), "ConfigMap/c"),
        after(config("c", 0, "1"), "ConfigMap/a"),
    ];
    let message = refused(cycle.into_iter().chain(bystanders).collect());
    assert_eq!(
        message,
        "these objects wait for each other: ConfigMap/prod/a → ConfigMap/prod/b (depends-on, shop/all.yaml:1) → ConfigMap/prod/c \
         (depends-on, shop/all.yaml:11) → ConfigMap/prod/a (depends-on, shop/all.yaml:21); take capstan.dev/depends-on off one of them"
    );
}

/// One wrong edge ties everything in between together: only who is needed to see it is named.
#[test]
fn against_waves_phases_and_kinds_the_shortest_way_is_told() {
    let between = || (0..300).map(|n| config(&format!("c{n}"), 1 + n % 3, "1"));
    let with = |objects: [Value; 2]| refused(objects.into_iter().chain(between()).collect());
    for (objects, told) in [
        (
            [after(config("early", 0, "1"), "ConfigMap/late"), config("late", 9, "1")],
            "ConfigMap/prod/early → ConfigMap/prod/late (depends-on, shop/all.yaml:1) → ConfigMap/prod/early (Sync wave 9 comes after 0, \
             shop/all.yaml:11); take capstan.dev/depends-on off ConfigMap/prod/early, or put it into a later wave than 9, in which ConfigMap/prod/late is",
        ),
        (
            [
                after(config("map", 0, "1"), "Deployment/web"),
                workload("Deployment", "web", 0, "1"),
            ],
            "ConfigMap/prod/map → Deployment/prod/web (depends-on, shop/all.yaml:1) → ConfigMap/prod/map (kind order: within Sync wave 0 \
             a Deployment comes after a ConfigMap, shop/all.yaml:11); take capstan.dev/depends-on off ConfigMap/prod/map, or put it into a later wave than 0",
        ),
        (
            [after(hook("before", "PreSync"), "ConfigMap/map"), config("map", 0, "1")],
            "Job/prod/before → ConfigMap/prod/map (depends-on, shop/all.yaml:1) → Job/prod/before (Sync comes after PreSync, \
             shop/all.yaml:11); take capstan.dev/depends-on off Job/prod/before, or let it run in phase Sync or later: what is earlier \
             cannot wait for that",
        ),
    ] {
        assert_eq!(with(objects), format!("these objects wait for each other: {told}"));
    }
    assert_eq!(
        refused(vec![after(config("a", 0, "1"), "ConfigMap/a")]),
        "these objects wait for each other: ConfigMap/prod/a → ConfigMap/prod/a (depends-on, shop/all.yaml:1); take \
         capstan.dev/depends-on off ConfigMap/prod/a: it names itself"
    );
}

#[test]
fn of_a_long_ring_the_middle_is_left_out() {
    let ring = |n: usize| {
        after(
            config(&format!("c{n:03}"), 0, "1"),
            &format!("ConfigMap/c{:03}", (n + 1) % 100),
        )
    };
    let message = refused((0..100).map(ring).collect());
    assert!(
        message.contains("→ ConfigMap/prod/c019 (depends-on, shop/all.yaml:181) → … 80 more … → "),
        "{message}"
    );
    assert!(
        message.contains(" more … → ConfigMap/prod/c000 (depends-on, shop/all.yaml:991); take"),
        "{message}"
    );
}

/// There is no annotation to take off.
#[test]
fn a_definition_that_comes_after_what_needs_it_is_told_as_that() {
    let mut late = definition(0);
    late["metadata"]["annotations"]["argocd.argoproj.io/hook"] = json!("PostSync");
    let widget = json!({"apiVersion": "a.io/v1", "kind": "Widget", "metadata": {"name": "w", "namespace": "prod"}});
    let context = TargetContext::default();
    let targets = crate::rig::targets(&[late, widget], &context);
    let told = Plan::new(&request(&targets, Guards::Capstan)).unwrap_err().to_string();
    assert!(
        told.ends_with(
            "; CustomResourceDefinition.apiextensions.k8s.io/widgets.a.io is needed before PostSync wave 0: let it be no hook, or one that runs earlier"
        ),
        "{told}"
    );
    assert!(
        told.contains("(is of the kind that it defines, shop/all.yaml:11)"),
        "{told}"
    );
}

fn request(targets: &capstan_engine::targets::Targets, guards: Guards) -> PlanRequest<'_> {
    static OPTIONS: std::sync::LazyLock<SyncOptions> = std::sync::LazyLock::new(SyncOptions::default);
    PlanRequest {
        targets,
        prune: &[],
        hooks: true,
        selection: &[],
        options: &OPTIONS,
        destination_namespace: "prod",
        create_namespace: false,
        hook_suffix: "",
        guards,
    }
}

#[test]
fn what_is_named_and_not_there_is_refused() {
    assert_eq!(
        refused(vec![after(config("a", 0, "1"), "ConfigMap/b"), config("c", 0, "1")]),
        "shop/all.yaml:1: ConfigMap/prod/a depends on \"ConfigMap/b\", which is not in this application (write [group/]Kind/[namespace/]name)"
    );
}

/// What no sync brings is nothing to wait for: it would be waited for without end.
#[test]
fn what_no_sync_brings_is_refused() {
    for (types, why) in [
        (
            "SyncFail",
            "that hook runs only when a sync fails, so nothing can wait for it",
        ),
        ("PreDelete", "it is a hook of the deletion, which no sync runs"),
        ("PostDelete", "it is a hook of the deletion, which no sync runs"),
        ("Skip", "its hook type is Skip, so it is never written"),
        (
            "Presync",
            "its hook annotation names no type that is run (Helm's test and rollback hooks are not), so it is never written",
        ),
    ] {
        let message = refused(vec![after(config("a", 0, "1"), "ConfigMap/b"), note("b", types)]);
        let told = format!("shop/all.yaml:1: ConfigMap/prod/a depends on \"ConfigMap/b\": {why}");
        assert_eq!(message, told, "{types}");
    }
    // In one of its phases it runs.
    let run = synced(vec![
        after(config("a", 0, "1"), "ConfigMap/b"),
        note("b", "PreSync,SyncFail"),
    ]);
    assert_eq!(written(&run), ["b", "a"], "{}", run.journal());
}

#[test]
fn a_sync_fail_hook_waits_for_its_own_only() {
    let message = refused(vec![
        config("a", 0, "1"),
        after(note("alarm", "SyncFail"), "ConfigMap/a"),
    ]);
    assert_eq!(
        message,
        "shop/all.yaml:11: ConfigMap/prod/alarm depends on \"ConfigMap/a\": a SyncFail hook runs when a sync has failed, whatever was \
         written by then: it waits for SyncFail hooks only"
    );
    let mut rig = Rig::new(vec![
        workload("Deployment", "web", 0, "1"),
        config("later", 1, "1"),
        // Of its phases the annotation counts in PostSync.
        after(note("first", "PostSync,SyncFail"), "ConfigMap/later"),
        after(hook("second", "SyncFail"), "ConfigMap/first"),
    ]);
    rig.resource["spec"]["syncPolicy"]["retry"] = json!({"limit": 0});
    rig.cluster.refused_late.insert("web".into());
    let mut run = rig.start(Vec::new());
    run.settle(MINUTE);
    assert_eq!(written(&run), ["first", "second"], "{}", run.journal());
    assert_eq!(run.rig.status("/operationState/phase"), "Failed");
    // They stand last where it is told what was done, too.
    let phase = |at: usize| {
        run.rig
            .status(&format!("/operationState/syncResult/resources/{at}/syncPhase"))
            .to_owned()
    };
    assert_eq!([phase(0), phase(1), phase(2)], ["Sync", "SyncFail", "SyncFail"]);
}

/// One that fails does not keep those that wait for it from being over.
#[test]
fn a_sync_fail_hook_that_fails_ends_the_sync_too() {
    let mut rig = Rig::new(vec![
        workload("Deployment", "web", 0, "1"),
        hook("first", "SyncFail"),
        after(hook("second", "SyncFail"), "Job/first"),
    ]);
    rig.resource["spec"]["syncPolicy"]["retry"] = json!({"limit": 0});
    rig.cluster.refused_late.insert("web".into());
    rig.cluster.broken.insert("first".into());
    let mut run = rig.start(Vec::new());
    run.settle(MINUTE);
    assert_eq!(written(&run), ["first"], "{}", run.journal());
    assert_eq!(run.rig.status("/operationState/phase"), "Failed");
}

/// Argo CD knows no such annotation.
#[test]
fn with_argo_cd_s_guards_it_says_nothing() {
    let objects = vec![
        after(config("a", 0, "1"), "ConfigMap/b, ConfigMap/nobody"),
        after(config("b", 0, "1"), "ConfigMap/a"),
    ];
    let targets = crate::rig::targets(&objects, &TargetContext::default());
    assert!(Plan::new(&request(&targets, Guards::Argo)).is_ok());
    let settings = Settings {
        guards: Guards::Argo,
        ..Settings::default()
    };
    let mut run = Rig::new(objects).start_with(settings, Vec::new());
    run.settle(MINUTE);
    assert_eq!(run.sync(), "Synced Healthy", "{}", run.journal());
}
