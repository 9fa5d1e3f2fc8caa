//! What the journal says of interesting syncs, to be read as documentation; and what must be true at their ends.

use std::time::Duration;

use capstan_engine::Event;
use capstan_engine::effect::EffectKind;
use capstan_engine::journal::Cause;
use capstan_model::ResourceKey;
use serde_json::json;

use crate::cluster::Fact;
use crate::rig::{Rig, Run, config, hook, id, workload};

const MINUTE: Duration = Duration::from_secs(60);

fn settled(first: Vec<serde_json::Value>) -> Run {
    let mut run = Rig::new(first).start(Vec::new());
    run.settle(MINUTE);
    run
}

fn deployment(name: &str) -> ResourceKey {
    ResourceKey::new("apps", "Deployment", "prod", name)
}

fn writes(run: &Run, what: &str) -> usize {
    run.log.iter().filter(|line| line.contains(what)).count()
}

#[test]
fn one_object_costs_one_write_and_one_status_write() {
    let mut run = settled(vec![config("c", 0, "1")]);
    assert_eq!(run.sync(), "Synced Healthy", "{}", run.log.join("\n"));
    let costs = |run: &Run| (writes(run, " apply "), writes(run, " status "));
    // The first of its kind is recorded before it is written.
    assert_eq!(costs(&run), (1, 2), "{}", run.log.join("\n"));
    insta::assert_snapshot!(run.journal());
    run.log.clear();
    run.push(vec![config("c", 0, "2")]);
    run.settle(MINUTE);
    assert_eq!(run.sync(), "Synced Healthy", "{}", run.log.join("\n"));
    assert_eq!(costs(&run), (1, 1), "{}", run.log.join("\n"));
}

#[test]
fn waves_and_hooks() {
    let run = settled(vec![
        hook("before", "PreSync"),
        workload("Job", "migrate", 1, "1"),
        workload("Deployment", "web", 2, "1"),
        hook("after", "PostSync"),
    ]);
    assert_eq!(run.sync(), "Synced Healthy", "{}", run.log.join("\n"));
    insta::assert_snapshot!(run.journal());
}

#[test]
fn a_failing_migration_stops_the_rollout_and_is_named() {
    let mut run = settled(vec![workload("Deployment", "web", 2, "1")]);
    run.rig.cluster.broken.insert("migrate-2".into());
    run.push(vec![
        workload("Job", "migrate-2", 1, "2"),
        workload("Deployment", "web", 2, "2"),
    ]);
    run.settle(4 * MINUTE);
    let message = run.rig.status("/operationState/message").to_owned();
    assert!(message.contains("Job/prod/migrate-2"), "{message}");
    assert_eq!(run.rig.status("/operationState/phase"), "Failed");
    assert_eq!(run.rig.cluster.objects[&deployment("web")]["spec"]["image"], "1");
}

#[test]
fn a_revert_restores_a_stalled_rollout() {
    let mut run = settled(vec![workload("Deployment", "web", 1, "1"), config("last", 2, "1")]);
    let mut broken = workload("Deployment", "web", 1, "2");
    broken["spec"]["broken"] = json!(true);
    run.push(vec![broken, config("last", 2, "2")]);
    run.settle(MINUTE);
    assert_eq!(run.sync(), "OutOfSync Degraded");
    let view = run.engine.view(&id()).unwrap();
    assert!(view.sentence.contains("Deployment/prod/web"), "{}", view.sentence);
    let last = ResourceKey::new("", "ConfigMap", "prod", "last");
    assert_eq!(run.rig.cluster.objects[&last]["data"]["v"], "1");
    // `git revert`: the field is declared as false again, as a chart would.
    let mut good = workload("Deployment", "web", 1, "1");
    good["spec"]["broken"] = json!(false);
    run.push(vec![good, config("last", 2, "1")]);
    run.settle(MINUTE);
    assert_eq!(run.sync(), "Synced Healthy", "{}", run.journal());
    insta::assert_snapshot!(run.journal());
}

#[test]
fn drift_is_reverted_without_a_timer_and_its_author_is_named() {
    let mut run = settled(vec![workload("Deployment", "web", 0, "1")]);
    let (writes_before, now) = (writes(&run, " apply "), run.rig.now);
    run.edit(&deployment("web"), &["spec", "image"], json!("evil"), "kubectl-edit");
    assert!(run.drive(100));
    assert_eq!(run.rig.cluster.objects[&deployment("web")]["spec"]["image"], "1");
    assert_eq!(writes(&run, " apply "), writes_before + 1);
    assert!(run.rig.now.since(now) < Duration::from_secs(1));
    let drift = run
        .engine
        .journal()
        .after(0)
        .find(|entry| entry.machine == "drift")
        .unwrap();
    assert_eq!(
        drift.cause,
        Cause::Drift {
            manager: "kubectl-edit".into(),
            operation: "Update".into()
        }
    );

    run.delete(&deployment("web"));
    run.settle(MINUTE);
    assert!(run.rig.cluster.objects.contains_key(&deployment("web")));
    let drift = run
        .engine
        .journal()
        .after(0)
        .filter(|entry| entry.machine == "drift")
        .find(|entry| entry.message.starts_with("was deleted"))
        .unwrap();
    assert_eq!(
        drift.cause,
        Cause::Drift {
            manager: String::new(),
            operation: "Delete".into()
        }
    );
    assert_eq!(run.sync(), "Synced Healthy");
}

#[test]
fn what_leaves_git_is_pruned_after_the_applies() {
    let mut run = settled(vec![config("a", 0, "1"), config("b", 1, "1"), config("c", 2, "1")]);
    run.push(vec![config("a", 0, "2")]);
    run.settle(MINUTE);
    let deleted: Vec<String> = run
        .rig
        .cluster
        .history
        .iter()
        .filter_map(|fact| match fact {
            Fact::Deleted { key } => Some(key.name.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(deleted, ["c", "b"]);
    assert_eq!(run.sync(), "Synced Healthy");
    insta::assert_snapshot!(run.journal());
}

#[test]
pub(crate) fn an_empty_render_deletes_nothing() {
    let mut run = settled(vec![config("a", 0, "1")]);
    run.push(Vec::new());
    run.settle(MINUTE);
    assert_eq!(run.rig.cluster.objects.len(), 1);
    let view = run.engine.view(&id()).unwrap();
    assert!(
        view.conditions
            .iter()
            .any(|condition| condition.message.contains("allowEmpty")),
        "{:?}",
        view.conditions
    );
}

#[test]
pub(crate) fn a_broken_commit_keeps_the_last_good_state() {
    let mut run = settled(vec![config("a", 0, "1")]);
    run.rig.commits.push((
        "cbroken0".into(),
        Err("shop/all.yaml:3: mapping values are not allowed here".into()),
    ));
    run.handle(Event::SourceChanged {
        repo_url: "https://example.com/infra.git/".into(),
    });
    run.settle(MINUTE);
    assert_eq!(run.rig.cluster.objects.len(), 1);
    assert_eq!(run.rig.status("/sync/status"), "Unknown");
    assert_eq!(run.rig.status("/conditions/0/type"), "ComparisonError");
    assert!(run.rig.status("/conditions/0/message").contains("shop/all.yaml:3"));
    // Drift is still put right to what was last good.
    run.edit(
        &ResourceKey::new("", "ConfigMap", "prod", "a"),
        &["data", "v"],
        json!("x"),
        "kubectl-edit",
    );
    run.settle(MINUTE);
    assert_eq!(
        run.rig.cluster.objects[&ResourceKey::new("", "ConfigMap", "prod", "a")]["data"]["v"],
        "1"
    );
}

#[test]
fn an_unknown_kind_fails_before_anything_is_written() {
    let foo = json!({"apiVersion": "example.com/v1", "kind": "Foo", "metadata": {"name": "f"}});
    let run = settled(vec![config("a", 0, "1"), foo]);
    assert!(run.rig.cluster.objects.is_empty());
    let message = run.rig.status("/operationState/message");
    assert!(
        message.contains("shop/all.yaml:11: no matches for kind \"Foo\""),
        "{message}"
    );
}

#[test]
fn the_namespace_is_made_first_and_never_pruned() {
    let mut rig = Rig::new(vec![config("a", -5, "1")]);
    rig.resource["spec"]["syncPolicy"]["syncOptions"] = json!(["CreateNamespace=true"]);
    let mut run = rig.start(Vec::new());
    run.settle(MINUTE);
    let namespace = ResourceKey::new("", "Namespace", "", "prod");
    let Fact::Written { key, .. } = &run.rig.cluster.history[0] else {
        panic!("{:?}", run.rig.cluster.history)
    };
    assert_eq!(*key, namespace);
    assert_eq!(
        (writes(&run, " apply "), writes(&run, " status ")),
        (2, 2),
        "{}",
        run.log.join("\n")
    );
    assert!(
        run.rig.cluster.objects[&namespace]
            .pointer("/metadata/annotations")
            .is_none()
    );
    run.push(vec![config("b", 0, "1")]);
    run.settle(MINUTE);
    assert!(run.rig.cluster.objects.contains_key(&namespace));
    assert!(
        !run.rig
            .cluster
            .objects
            .contains_key(&ResourceKey::new("", "ConfigMap", "prod", "a"))
    );
}

#[test]
fn a_user_syncs_by_the_operation_field_once() {
    let mut rig = Rig::new(vec![config("a", 0, "1"), hook("before", "PreSync")]);
    rig.resource["spec"]["syncPolicy"] = json!({});
    rig.resource["operation"] = json!({"initiatedBy": {"username": "ada"}, "sync": {"prune": true}});
    let mut run = rig.start(Vec::new());
    run.settle(MINUTE);
    assert!(run.rig.resource.get("operation").is_none(), "{}", run.rig.resource);
    assert_eq!(run.rig.status("/operationState/phase"), "Succeeded");
    assert_eq!(run.rig.status("/operationState/operation/initiatedBy/username"), "ada");
    assert_eq!(writes(&run, " create Job"), 1);
    assert_eq!(run.sync(), "Synced Healthy");
}

#[test]
fn an_application_with_the_finalizer_takes_its_objects_with_it() {
    let mut run = settled(vec![config("a", 0, "1"), config("b", 3, "1")]);
    run.rig.resource["metadata"]["finalizers"] = json!(["resources-finalizer.argocd.argoproj.io", "other"]);
    run.rig.resource["metadata"]["deletionTimestamp"] = json!("2026-03-14T10:00:00Z");
    run.observe_application();
    run.settle(MINUTE);
    assert!(run.rig.cluster.objects.is_empty());
    assert_eq!(run.rig.resource["metadata"]["finalizers"], json!(["other"]));
}

#[test]
fn nothing_is_done_when_nothing_changes() {
    let mut run = settled(vec![workload("Deployment", "web", 0, "1"), config("a", 1, "1")]);
    let before = run.log.len();
    run.handle(Event::SourceChanged {
        repo_url: "https://example.com/infra.git".into(),
    });
    run.observe_application();
    run.settle(Duration::from_secs(3600));
    assert_eq!(run.log[before..].len(), 1, "{}", run.log[before..].join("\n"));
    assert!(run.engine.poll_timeout().is_none());
}

#[test]
pub(crate) fn a_fight_is_slowed_and_never_given_up() {
    let mut run = settled(vec![config("a", 0, "1")]);
    let key = ResourceKey::new("", "ConfigMap", "prod", "a");
    let begun = run.rig.now;
    // Three repairs are made at once, the others wait.
    for round in 0..8 {
        run.edit(&key, &["data", "v"], json!(format!("x{round}")), "other-operator");
        while run.rig.cluster.objects[&key]["data"]["v"] != "1" {
            assert!(run.drive(100));
            if let Some(at) = run.engine.poll_timeout() {
                run.rig.now = at;
                run.engine.handle_timeout(at);
                while let Some(effect) = run.engine.poll_effect() {
                    run.pending.push_back(effect);
                }
            }
        }
    }
    assert_eq!(run.rig.now.since(begun).as_secs(), 2 + 6 + 18 + 54 + 162);
}

#[test]
fn without_leadership_nothing_is_written() {
    let mut run = Rig::new(vec![config("a", 0, "1")]).start(Vec::new());
    run.pending.clear();
    run.handle(Event::LeadershipChanged {
        leads: false,
        fence: None,
    });
    run.settle(MINUTE);
    assert!(run.rig.cluster.history.is_empty());
    run.handle(Event::LeadershipChanged {
        leads: true,
        fence: None,
    });
    run.settle(MINUTE);
    assert_eq!(run.sync(), "Synced Healthy");
    assert!(
        !run.pending
            .iter()
            .any(|effect| matches!(effect.kind, EffectKind::Apply(_)))
    );
}
