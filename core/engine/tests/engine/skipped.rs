//! Reasons not to sync and not to put drift right that lie between two events, or in what happens to the cluster. The others are scenarios:
//! `scenarios/skipped`.

use std::time::Duration;

use capstan_engine::Event;
use capstan_engine::effect::EffectKind;
use capstan_model::{ClusterId, ResourceKey};
use serde_json::{Value, json};

use crate::cluster::discovery;
use crate::rig::{Rig, Run, config, id, workload};

const MINUTE: Duration = Duration::from_secs(60);

fn settled() -> Run {
    let mut run = Rig::new(vec![config("a", 0, "1")]).start(Vec::new());
    run.settle(MINUTE);
    assert_eq!(run.sync(), "Synced Healthy");
    run
}

fn key() -> ResourceKey {
    ResourceKey::new("", "ConfigMap", "prod", "a")
}

fn live(run: &Run) -> &Value {
    &run.rig.cluster.objects[&key()]["data"]["v"]
}

/// Why the application, and why the object, stays as it is.
fn told(run: &Run) -> (Option<String>, Option<String>) {
    let view = run.engine.view(&id()).unwrap();
    let row = view.resources.iter().find(|row| row.key == key());
    (view.skipped.clone(), row.and_then(|row| row.skipped.clone()))
}

fn drift(run: &mut Run) {
    run.edit(&key(), &["data", "v"], json!("theirs"), "kubectl-edit");
}

fn lead(run: &mut Run, leads: bool) {
    run.handle(Event::LeadershipChanged { leads, fence: None });
    run.settle(MINUTE);
}

/// Carries out everything but applies, until nothing else is left.
fn hold_applies(run: &mut Run) {
    let is_apply = |kind: &EffectKind| matches!(kind, EffectKind::Apply(_));
    while let Some(at) = run.pending.iter().position(|effect| !is_apply(&effect.kind)) {
        let effect = run.pending.remove(at).unwrap();
        run.perform(&effect);
    }
}

fn applies(run: &Run) -> usize {
    run.log.iter().filter(|line| line.contains(" apply ")).count()
}

#[test]
fn who_does_not_lead_neither_syncs_nor_heals() {
    let mut run = settled();
    lead(&mut run, false);
    drift(&mut run);
    run.settle(MINUTE);
    let why = "another replica leads, and only that one writes".to_owned();
    assert_eq!(live(&run), "theirs");
    assert_eq!(told(&run), (Some(why.clone()), Some(why.clone())));
    assert!(
        run.journal().contains(&format!("self-heal:  → NotLeading — {why}")),
        "{}",
        run.journal()
    );
    run.push(vec![config("a", 0, "2")]);
    run.settle(MINUTE);
    assert_eq!(live(&run), "theirs");
    assert_eq!(told(&run), (Some(why.clone()), None));
    assert!(
        run.journal()
            .contains(&format!("auto-sync: NotLeading → NotLeading — {why}")),
        "{}",
        run.journal()
    );
    let view = run.engine.view(&id()).unwrap();
    assert_eq!(view.sentence, format!("1 object differs from Git: {why}"));

    lead(&mut run, true);
    assert_eq!(live(&run), "2");
    drift(&mut run);
    run.settle(MINUTE);
    assert_eq!(live(&run), "2");
    assert_eq!(told(&run), (None, None));
}

#[test]
fn a_cluster_that_does_not_answer_is_neither_synced_nor_healed() {
    let mut run = settled();
    run.handle(Event::ClusterLost(ClusterId::in_cluster(), "no route".into()));
    drift(&mut run);
    run.settle(MINUTE);
    let why = "the cluster does not answer".to_owned();
    assert_eq!(live(&run), "theirs");
    assert_eq!(told(&run), (Some(why.clone()), Some(why.clone())));
    run.push(vec![config("a", 0, "2")]);
    run.settle(MINUTE);
    assert_eq!(live(&run), "theirs");
    assert_eq!(told(&run), (Some(why.clone()), None));
    let journal = run.journal();
    assert!(
        journal.contains(&format!("self-heal:  → Unreachable — {why}")),
        "{journal}"
    );
    assert!(
        journal.contains(&format!("auto-sync: Unreachable → Unreachable — {why}")),
        "{journal}"
    );

    run.handle(Event::ClusterConnected(ClusterId::in_cluster(), discovery()));
    run.settle(MINUTE);
    assert_eq!(live(&run), "2", "{}", run.journal());
    assert_eq!(told(&run), (None, None));
}

#[test]
fn a_newer_commit_is_looked_at_before_an_older_one_is_synced() {
    let mut run = settled();
    let automatic = std::mem::replace(&mut run.rig.resource["spec"]["syncPolicy"], json!({}));
    run.observe_application();
    run.push(vec![config("a", 0, "2")]);
    run.settle(MINUTE);
    run.push(vec![config("a", 0, "3")]);
    // It may be synced by itself again, and the newest commit has been asked for and not told yet.
    run.rig.resource["spec"]["syncPolicy"] = automatic;
    run.observe_application();
    assert_eq!(told(&run).0.as_deref(), Some("the newest commit is being looked at"));
    run.settle(MINUTE);
    assert_eq!(live(&run), "3");
    assert_eq!(applies(&run), 2, "the second commit was over: {}", run.log.join("\n"));
}

#[test]
fn a_sync_waits_for_a_repair_that_is_under_way() {
    let mut run = settled();
    drift(&mut run);
    hold_applies(&mut run);
    assert_eq!(applies(&run), 2);
    // What is under way is not asked for again.
    run.edit(&key(), &["data", "v"], json!("theirs again"), "kubectl-edit");
    hold_applies(&mut run);
    assert_eq!(applies(&run), 2);
    assert_eq!(told(&run), (None, None), "it is about to be put right");
    run.push(vec![config("a", 0, "2")]);
    hold_applies(&mut run);
    assert_eq!(told(&run).0.as_deref(), Some("writes of before are under way"));
    assert!(!run.journal().contains("00002cc"), "{}", run.journal());

    run.settle(MINUTE);
    assert_eq!(live(&run), "2");
    assert!(run.journal().contains("automated sync to 00002cc"), "{}", run.journal());
}

#[test]
fn what_is_not_known_to_differ_is_neither_synced_nor_put_right() {
    let mut run = settled();
    run.handle(Event::KindUnavailable {
        cluster: ClusterId::in_cluster(),
        kind: key().group_kind(),
        reason: "forbidden".into(),
    });
    // It was seen going, and could be back by now.
    run.delete(&key());
    run.settle(MINUTE);
    assert!(!run.rig.cluster.objects.contains_key(&key()));
    assert_eq!(run.sync(), "Unknown Unknown");
    assert_eq!(
        run.rig.status("/conditions/0/message"),
        "ConfigMap cannot be listed: forbidden"
    );
    run.push(vec![config("a", 0, "2")]);
    run.settle(MINUTE);
    assert!(!run.rig.cluster.objects.contains_key(&key()));
    assert!(!run.journal().contains("sync to 00002cc"), "{}", run.journal());

    run.list_all();
    run.settle(MINUTE);
    assert_eq!(live(&run), "2");
    assert_eq!(run.sync(), "Synced Healthy");
}

#[test]
fn what_stands_still_while_an_application_is_left_alone_is_said() {
    let mut rig = Rig::new(vec![workload("Deployment", "web", 0, "1"), config("later", 1, "1")]);
    rig.cluster.broken.insert("web".into());
    let mut run = rig.start(Vec::new());
    run.settle(Duration::from_secs(1));
    let sentence = |run: &Run| run.engine.view(&id()).unwrap().sentence;
    assert!(sentence(&run).starts_with("syncing to 00001cc"), "{}", sentence(&run));
    let left_alone = "the application is left alone (argocd.argoproj.io/skip-reconcile)";
    run.rig.resource["metadata"]["annotations"] = json!({"argocd.argoproj.io/skip-reconcile": "true"});
    run.observe_application();
    assert_eq!(
        sentence(&run),
        format!("{left_alone}: its sync to 00001cc stands still")
    );
    run.rig.resource["metadata"]["finalizers"] = json!(["resources-finalizer.argocd.argoproj.io"]);
    run.rig.resource["metadata"]["deletionTimestamp"] = json!(run.rig.now.to_string());
    run.observe_application();
    assert_eq!(
        sentence(&run),
        format!("being deleted: nothing goes on, since {left_alone}")
    );
}
