//! An Application that goes to another cluster, and back.

use std::time::Duration;

use capstan_engine::event::{Discovery, WriteError};
use capstan_engine::{EffectKind, Event, Outcome};
use capstan_model::{ClusterId, ResourceKey};
use serde_json::{Value, json};

use crate::cluster::{Fact, discovery};
use crate::rig::{Rig, Run, config, hook, workload};

const MINUTE: Duration = Duration::from_secs(60);
const EAST: &str = "https://east.example.com";

fn map(name: &str) -> ResourceKey {
    ResourceKey::new("", "ConfigMap", "prod", name)
}

/// A controller of two clusters; the application goes to the one that it runs in, and nothing of it drifts back by itself.
fn two(objects: Vec<Value>) -> Run {
    let mut rig = Rig::new(objects);
    rig.elsewhere.address = EAST.into();
    rig.resource["spec"]["syncPolicy"]["automated"]["selfHeal"] = json!(false);
    start(rig)
}

fn start(rig: Rig) -> Run {
    let mut run = rig.start(Vec::new());
    connect_east(&mut run);
    run
}

fn connect_east(run: &mut Run) {
    let discovery = Discovery {
        cluster_uid: "east".into(),
        ..discovery()
    };
    run.handle(Event::ClusterConnected(ClusterId(EAST.into()), discovery));
}

fn go_to(run: &mut Run, server: &str) {
    run.rig
        .patch_resource(&["spec", "destination"], &json!({"server": server}));
    run.observe_application();
}

/// The cluster at this address as it is now.
fn at<'r>(run: &'r Run, address: &str) -> &'r crate::cluster::Cluster {
    match run.rig.cluster.address == address {
        true => &run.rig.cluster,
        false => &run.rig.elsewhere,
    }
}

fn has(run: &Run, address: &str, names: &[&str]) -> bool {
    let keys: Vec<ResourceKey> = names.iter().map(|name| map(name)).collect();
    let maps = at(run, address).objects.keys().filter(|key| key.kind == "ConfigMap");
    maps.eq(keys.iter())
}

fn deletes(run: &Run) -> usize {
    let clusters = [&run.rig.cluster, &run.rig.elsewhere].into_iter();
    let facts = clusters.flat_map(|cluster| &cluster.history);
    facts.filter(|fact| matches!(fact, Fact::Deleted { .. })).count()
}

fn phase_and_message(run: &Run) -> (String, String) {
    let text = |pointer| run.rig.status(pointer).to_owned();
    (text("/operationState/phase"), text("/operationState/message"))
}

#[test]
fn it_is_synced_where_it_goes_and_what_it_leaves_stays() {
    let mut run = two(vec![config("a", 0, "1"), config("b", 0, "1")]);
    run.settle(MINUTE);
    go_to(&mut run, EAST);
    run.settle(MINUTE);
    assert!(has(&run, EAST, &["a", "b"]), "{}", run.log.join("\n"));
    assert!(has(&run, "", &["a", "b"]));
    assert_eq!(run.sync(), "Synced Healthy");
    run.push(vec![config("a", 0, "1")]);
    run.settle(MINUTE);
    assert!(has(&run, EAST, &["a"]), "{}", run.log.join("\n"));
    assert!(has(&run, "", &["a", "b"]), "what is left behind is pruned by nobody");
    // Whoever comes back finds what is not declared any more.
    go_to(&mut run, ClusterId::IN_CLUSTER);
    run.settle(MINUTE);
    assert!(has(&run, "", &["a"]), "{}", run.log.join("\n"));
    assert_eq!(deletes(&run), 2);
}

#[test]
fn a_commit_that_failed_elsewhere_is_tried() {
    let mut run = two(vec![config("a", 0, "1")]);
    run.rig.cluster.refused.insert("a".into());
    run.rig.resource["spec"]["syncPolicy"]["retry"] = json!({"limit": 0});
    run.observe_application();
    run.settle(Duration::from_secs(10));
    assert_eq!(phase_and_message(&run).0, "Failed");
    go_to(&mut run, EAST);
    run.settle(Duration::from_secs(10));
    assert!(has(&run, EAST, &["a"]), "{}", run.log.join("\n"));
}

/// A sync that waits for a rollout is in its first wave when its application moves.
fn half_way() -> Run {
    let mut run = two(vec![workload("Deployment", "web", 0, "1"), config("late", 1, "1")]);
    run.rig.cluster.silent.insert("web".into());
    run.settle(MINUTE);
    assert_eq!(phase_and_message(&run).0, "Running");
    run
}

#[test]
fn a_sync_ends_with_the_move_and_another_begins() {
    let mut run = half_way();
    let number = run.log.len();
    go_to(&mut run, EAST);
    let stopped = "stopped, since spec.destination was changed: what this sync did in https://kubernetes.default.svc stays as it is";
    assert!(run.journal().contains(stopped), "{}", run.journal());
    run.settle(MINUTE);
    assert!(has(&run, EAST, &["late"]), "{}", run.log[number..].join("\n"));
    assert!(has(&run, "", &[]));
    let written = |fact: &&Fact| matches!(fact, Fact::Written { key, .. } if key.name == "web");
    assert_eq!(at(&run, EAST).history.iter().filter(written).count(), 1);
}

/// Somebody moves it there and back while nobody may act: what ran was for neither.
#[test]
fn a_move_there_and_back_ends_a_sync_too() {
    let mut run = half_way();
    let suspend = |run: &mut Run, value: &str| {
        let patch = json!({"argocd.argoproj.io/skip-reconcile": value});
        run.rig.patch_resource(&["metadata", "annotations"], &patch);
        run.observe_application();
    };
    suspend(&mut run, "true");
    go_to(&mut run, EAST);
    go_to(&mut run, ClusterId::IN_CLUSTER);
    run.rig.cluster.silent.clear();
    suspend(&mut run, "false");
    run.settle(MINUTE);
    assert!(has(&run, "", &["late"]), "{}", run.journal());
    assert!(has(&run, EAST, &[]));
    assert_eq!(phase_and_message(&run).0, "Succeeded");
}

/// What a cluster answers is of that cluster, though the application went elsewhere since; and until it did, nothing is written there.
#[test]
fn a_late_answer_is_of_the_cluster_that_was_left() {
    let mut run = two(vec![config("a", 0, "1")]);
    let is_write = |kind: &EffectKind| matches!(kind, EffectKind::Apply(_));
    while !run.pending.iter().any(|effect| is_write(&effect.kind)) {
        run.drive(1);
    }
    let at_hand = run.pending.iter().position(|effect| is_write(&effect.kind));
    let held = run.pending.remove(at_hand.unwrap()).unwrap();
    go_to(&mut run, EAST);
    run.settle(MINUTE);
    assert!(has(&run, EAST, &[]), "{}", run.log.join("\n"));
    run.perform(&held);
    run.settle(MINUTE);
    assert!(has(&run, EAST, &["a"]), "{}", run.log.join("\n"));
    assert_eq!(run.sync(), "Synced Healthy");
}

/// A process ends in the middle of a sync, and the next one finds another cluster at the address.
#[test]
fn a_sync_does_not_go_on_in_another_cluster_at_the_address() {
    let before = hook("before", "PreSync");
    let mut run = two(vec![before.clone(), config("a", 0, "1")]);
    run.rig.cluster.silent.insert("before".into());
    run.settle(MINUTE);
    assert_eq!(phase_and_message(&run).0, "Running");
    let mut rig = run.rig;
    rig.cluster.objects.clear();
    rig.cluster.silent.clear();
    rig.cluster_uid = "another".into();
    let mut run = start(rig);
    run.settle(MINUTE);
    assert!(
        run.journal().contains("stopped, since another cluster answers there"),
        "{}",
        run.journal()
    );
    assert_eq!(phase_and_message(&run).0, "Succeeded", "{}", run.journal());
    assert!(has(&run, "", &["a"]));
}

/// A cluster was built anew and its Applications were restored, status and all: they are synced although the same commit was before.
#[test]
fn a_cluster_that_was_built_anew_is_synced_without_a_new_commit() {
    let mut run = two(vec![config("a", 0, "1")]);
    run.settle(MINUTE);
    let mut rig = run.rig;
    rig.cluster.objects.clear();
    rig.cluster_uid = "another".into();
    let mut run = start(rig);
    run.settle(MINUTE);
    assert!(has(&run, "", &["a"]), "{}", run.journal());
}

/// While it was elsewhere, another cluster came to its old address.
#[test]
fn whoever_comes_back_knows_which_cluster_was_there() {
    let mut run = two(vec![config("a", 0, "1"), config("b", 0, "1")]);
    run.settle(MINUTE);
    go_to(&mut run, EAST);
    run.settle(MINUTE);
    run.push(vec![config("a", 0, "1")]);
    run.settle(MINUTE);
    let mut rig = run.rig;
    rig.cluster_uid = "another".into();
    let mut run = start(rig);
    run.settle(MINUTE);
    go_to(&mut run, ClusterId::IN_CLUSTER);
    run.settle(MINUTE);
    assert!(has(&run, "", &["a", "b"]), "{}", run.log.join("\n"));
    let conditions = run.rig.resource["status"]["conditions"].to_string();
    assert!(conditions.contains("DestinationReplaced"), "{conditions}");
}

/// The namespace kube-system could not be read when it was synced last: that makes the cluster neither another one nor one that nobody knows.
#[test]
fn a_cluster_that_does_not_say_which_it_is_stays_known() {
    let mut run = two(vec![config("a", 0, "1"), config("b", 0, "1")]);
    run.settle(MINUTE);
    let mut rig = run.rig;
    rig.cluster_uid = String::new();
    let mut run = start(rig);
    run.push(vec![config("a", 0, "2"), config("b", 0, "1")]);
    run.settle(MINUTE);
    assert_eq!(run.sync(), "Synced Healthy", "{}", run.journal());
    let mut rig = run.rig;
    rig.cluster_uid = "another".into();
    let mut run = start(rig);
    run.push(vec![config("a", 0, "2")]);
    run.settle(MINUTE);
    assert_eq!(deletes(&run), 0, "{}", run.log.join("\n"));
    let conditions = run.rig.resource["status"]["conditions"].to_string();
    assert!(conditions.contains("DestinationReplaced"), "{conditions}");
}

/// A dry run of what was never synced there: that it was synced elsewhere does not make what is missing drift, to be put back object by object.
#[test]
fn after_a_dry_run_in_a_new_cluster_everything_is_synced() {
    let mut run = two(vec![hook("before", "PreSync"), config("a", 0, "1")]);
    run.rig.resource["spec"]["syncPolicy"]["automated"]["selfHeal"] = json!(true);
    run.observe_application();
    run.settle(MINUTE);
    run.rig
        .patch_resource(&["spec", "destination"], &json!({"server": EAST}));
    run.rig.resource["operation"] = json!({"initiatedBy": {"username": "ada"}, "sync": {"dryRun": true}});
    run.observe_application();
    run.settle(10 * MINUTE);
    let jobs = |run: &Run| at(run, EAST).objects.keys().filter(|key| key.kind == "Job").count();
    assert!(has(&run, EAST, &["a"]), "{}", run.journal());
    assert_eq!(jobs(&run), 1, "{}", run.journal());
}

/// A hook may have been created when another cluster comes to the address: that it is not in that one says nothing.
#[test]
fn a_hook_is_not_looked_for_in_another_cluster() {
    let mut run = two(vec![hook("before", "PreSync"), config("a", 0, "1")]);
    let is_create = |kind: &EffectKind| matches!(kind, EffectKind::Apply(_));
    while !run.pending.iter().any(|effect| is_create(&effect.kind)) {
        run.drive(1);
    }
    let at_hand = run.pending.iter().position(|effect| is_create(&effect.kind));
    let create = run.pending.remove(at_hand.unwrap()).unwrap();
    drop(run.carry_out(&create));
    let as_cluster = |uid: &str| {
        let uid = uid.to_owned();
        let discovery = Discovery {
            cluster_uid: uid,
            ..discovery()
        };
        Event::ClusterConnected(ClusterId::in_cluster(), discovery)
    };
    run.handle(as_cluster("another"));
    let lost = WriteError::OutcomeUnknown("connection reset".into());
    run.complete(&create, Outcome::Applied(Err(lost)));
    let from = run.log.len();
    run.settle(MINUTE);
    let asks = run.log[from..].iter().filter(|line| line.starts_with("observe"));
    assert_eq!(asks.count(), 0, "{}", run.log.join("\n"));
    run.handle(as_cluster("cluster"));
    run.settle(10 * MINUTE);
    assert_eq!(phase_and_message(&run).0, "Succeeded", "{}", run.journal());
    let is_hook = |fact: &&Fact| matches!(fact, Fact::Written { key, .. } if key.kind == "Job");
    assert_eq!(run.rig.cluster.history.iter().filter(is_hook).count(), 1);
}

/// What was rendered for one namespace is not written when a person syncs to another at once.
#[test]
fn a_sync_after_a_move_is_of_what_is_rendered_for_it() {
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"v": "1"}});
    let mut run = two(vec![object]);
    run.rig.resource["spec"]["syncPolicy"] = json!({});
    run.observe_application();
    run.settle(MINUTE);
    run.rig
        .patch_resource(&["spec", "destination"], &json!({"namespace": "other"}));
    run.rig.resource["operation"] = json!({"initiatedBy": {"username": "ada"}, "sync": {}});
    run.observe_application();
    run.settle(MINUTE);
    let written: Vec<&ResourceKey> = run.rig.cluster.objects.keys().collect();
    assert_eq!(
        written,
        [&ResourceKey::new("", "ConfigMap", "other", "a")],
        "{}",
        run.log.join("\n")
    );
}

/// The commits that were asked for belong to the sync that they were asked for.
#[test]
fn commits_that_come_late_are_not_pinned_by_another_sync() {
    let mut run = two(vec![config("a", 0, "1")]);
    run.rig.resource["spec"]["syncPolicy"] = json!({});
    run.observe_application();
    run.settle(MINUTE);
    let ask = |run: &mut Run, revision: &str| {
        let operation = json!({"initiatedBy": {"username": "ada"}, "sync": {"revision": revision}});
        run.handle(Event::SyncRequested {
            id: crate::rig::id(),
            operation: Box::new(serde_json::from_value(operation).unwrap()),
        });
    };
    let asked = |run: &Run| {
        let mut pending = run.pending.iter().rev();
        pending
            .find(|effect| matches!(effect.kind, EffectKind::ResolveRevision { .. }))
            .cloned()
    };
    let commit = |digit: &str| capstan_engine::event::ResolvedRevision {
        revision: digit.repeat(40),
        ..Default::default()
    };
    ask(&mut run, "old");
    let first = asked(&run).unwrap();
    run.handle(Event::TerminateRequested {
        id: crate::rig::id(),
        by: "ada".into(),
    });
    ask(&mut run, "new");
    let second = asked(&run).unwrap();
    assert_ne!(first.id, second.id, "{}", run.log.join("\n"));
    run.pending
        .retain(|effect| effect.id != first.id && effect.id != second.id);
    run.complete(&first, Outcome::Resolved(Ok(vec![commit("a")])));
    run.complete(&second, Outcome::Resolved(Ok(vec![commit("b")])));
    let rendered = run.pending.iter().find_map(|effect| match &effect.kind {
        EffectKind::Render(task) => Some(task.sources[0].1.clone()),
        _ => None,
    });
    assert_eq!(rendered, Some("b".repeat(40)), "{}", run.log.join("\n"));
}

/// Nothing that was asked after the first move went anywhere but to where the application went.
#[test]
fn nothing_is_asked_of_a_cluster_that_was_left() {
    let mut run = half_way();
    go_to(&mut run, EAST);
    let is_of_old = |kind: &EffectKind| kind.cluster() == Some(&ClusterId::in_cluster());
    let asked = run.pending.iter().filter(|effect| is_of_old(&effect.kind));
    // That its kinds are to be watched no longer.
    let asked: Vec<&EffectKind> = asked.map(|effect| &effect.kind).collect();
    assert!(
        matches!(&asked[..], [EffectKind::WatchKinds { kinds, .. }] if kinds.is_empty()),
        "{asked:?}"
    );
}
