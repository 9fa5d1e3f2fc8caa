//! One process after another: what the one before began goes on, though the next one did not see it at first.

use std::collections::BTreeSet;
use std::time::Duration;

use capstan_engine::Event;
use capstan_model::{GroupKind, Operation, ResourceKey};
use serde_json::{Value, json};

use crate::cluster::Fact;
use crate::rig::{Rig, Run, config, hook, id};

const MINUTE: Duration = Duration::from_secs(60);

fn before() -> ResourceKey {
    ResourceKey::new("batch", "Job", "prod", "before")
}

fn objects(image: &str) -> Vec<Value> {
    let mut before = hook("before", "PreSync");
    before["spec"]["image"] = json!(image);
    vec![before, config("c", 0, image)]
}

fn created(run: &Run) -> usize {
    let history = run.rig.cluster.history.iter();
    let made = history.filter(|fact| matches!(fact, Fact::Written { key, create: true, .. } if *key == before()));
    made.count()
}

/// One process runs a hook; the next knows only the resource of before that.
fn succeeded() -> (Run, Value) {
    let rig = Rig::new(objects("1"));
    let stale = rig.resource.clone();
    let mut run = rig.start(Vec::new());
    while !run.rig.cluster.objects.contains_key(&before()) {
        assert!(!run.drive(1), "{}", run.journal());
    }
    let mut rig = run.rig;
    let fresh = std::mem::replace(&mut rig.resource, stale);
    rig.cluster.silent.insert("before".into());
    (rig.start(Vec::new()), fresh)
}

/// It begins an operation of the same number and of a newer commit. That is dropped when it sees which one runs; and the hook of the old commit
/// is not taken for the one of the new.
#[test]
fn an_operation_that_was_not_seen_is_taken_up() {
    let (mut run, fresh) = succeeded();
    run.push(objects("2"));
    // The resource is what the one before wrote; the watch tells of it later.
    let told = std::mem::replace(&mut run.rig.resource, fresh);
    assert_eq!(told["status"], Value::Null);
    for _ in 0..30 {
        let Some(effect) = run.pending.pop_front() else { break };
        let outcome = run.carry_out(&effect);
        outcome.into_iter().for_each(|outcome| run.complete(&effect, outcome));
    }
    assert_eq!(created(&run), 1, "{}", run.journal());
    run.observe_application();
    assert!(
        run.journal().contains("application:  → Active — operation of"),
        "{}",
        run.journal()
    );
    run.rig.cluster.silent.clear();
    run.settle(5 * MINUTE);
    assert_eq!(created(&run), 2, "{}", run.journal());
    assert_eq!(
        run.rig.cluster.objects[&before()]["spec"]["image"],
        "2",
        "{}",
        run.journal()
    );
    assert_eq!(run.sync(), "Synced Healthy");
    assert_eq!(run.rig.status("/operationState/phase"), "Succeeded");
}

/// A sync that somebody asks for by the API begins beside that one, too. It is not lost: it runs when that one is over.
#[test]
fn what_was_asked_for_meanwhile_is_done_afterwards() {
    let (mut run, fresh) = succeeded();
    run.push(objects("2"));
    let operation: Operation =
        serde_json::from_value(json!({"initiatedBy": {"username": "ada"}, "sync": {"prune": true}})).unwrap();
    run.handle(Event::SyncRequested {
        id: id(),
        operation: Box::new(operation),
    });
    run.rig.resource = fresh;
    for _ in 0..30 {
        let Some(effect) = run.pending.pop_front() else { break };
        let outcome = run.carry_out(&effect);
        outcome.into_iter().for_each(|outcome| run.complete(&effect, outcome));
    }
    assert!(run.journal().contains("ada"), "{}", run.journal());
    run.observe_application();
    run.rig.cluster.silent.clear();
    run.settle(5 * MINUTE);
    assert_eq!(created(&run), 2, "{}", run.journal());
    assert_eq!(
        run.rig.status("/operationState/operation/initiatedBy/username"),
        "ada",
        "{}",
        run.journal()
    );
    assert_eq!(run.rig.status("/operationState/phase"), "Succeeded");
}

fn follower(run: Run) -> Run {
    let mut run = run.rig.start(Vec::new());
    run.pending.clear();
    run.log.clear();
    run.handle(Event::LeadershipChanged {
        leads: false,
        fence: None,
    });
    let kinds = BTreeSet::from([before().group_kind(), GroupKind::new("", "ConfigMap")]);
    run.watch(&kinds);
    run.settle(MINUTE);
    run
}

/// Whoever does not lead tells how far the operation of the one who does is, and plans nothing of its own.
#[test]
fn who_does_not_lead_follows() {
    let (mut run, fresh) = succeeded();
    run.rig.resource = fresh;
    let mut run = follower(run);
    let phase = |run: &Run| {
        let view = run.engine.view(&id()).unwrap();
        view.operation.map(|operation| operation.phase.to_string())
    };
    let told = run.journal();
    for _ in 0..10 {
        run.rig.patch_resource(&["metadata", "annotations"], &json!({"x": "y"}));
        run.observe_application();
        run.settle(MINUTE);
    }
    assert_eq!(run.journal(), told);
    assert_eq!(phase(&run).as_deref(), Some("Running"));
    run.rig.resource["status"]["operationState"]["phase"] = json!("Succeeded");
    run.rig.patch_resource(&[], &json!({}));
    run.observe_application();
    assert_eq!(phase(&run).as_deref(), Some("Succeeded"));
}

/// Nor does it stop what is to be stopped.
#[test]
fn who_does_not_lead_deletes_nothing() {
    let run = follower(crate::clean_up::stopping());
    let writes = [" delete ", " apply ", " create ", " status "];
    let written = run
        .log
        .iter()
        .filter(|line| writes.iter().any(|word| line.contains(word)));
    assert_eq!(written.count(), 0, "{}", run.log.join("\n"));
}
