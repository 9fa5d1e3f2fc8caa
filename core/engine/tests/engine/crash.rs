//! The controller dies after any number of effects, and another goes on from what the resource and the cluster say: it comes to the
//! same end, and no hook is created twice in one attempt.

use std::collections::BTreeMap;
use std::time::Duration;

use capstan_model::ResourceKey;
use capstan_model::annotations::HOOK_FINALIZER;
use proptest::prelude::*;
use serde_json::Value;

use crate::cluster::Fact;
use crate::generate::{items, objects, tape};
use crate::rig::{Rig, Run, config, hook, workload};

/// Does so many steps, then dies: what was asked for and not carried out is lost; with `unheard` one more is carried out and its
/// answer lost.
fn crash(mut run: Run, steps: usize, unheard: bool) -> Run {
    run.drive(steps);
    if unheard && let Some(effect) = run.pending.pop_front() {
        run.carry_out(&effect);
    }
    run.rig.start(Vec::new())
}

fn created_once(run: &Run) -> Result<(), String> {
    let mut created: BTreeMap<(ResourceKey, String), usize> = BTreeMap::new();
    for fact in &run.rig.cluster.history {
        if let Fact::Written {
            key,
            create: true,
            operation,
            ..
        } = fact
        {
            *created.entry((key.clone(), operation.clone())).or_default() += 1;
        }
    }
    match created.iter().find(|(_, times)| **times > 1) {
        Some(((key, operation), times)) => Err(format!("{key} was created {times} times for {operation}")),
        None => Ok(()),
    }
}

/// What counts at the end: what is there, without what differs from run to run.
fn end(run: &Run) -> Vec<(ResourceKey, Value)> {
    run.rig
        .cluster
        .objects
        .iter()
        .map(|(key, object)| (key.clone(), object["spec"].clone()))
        .collect()
}

fn survives(first: &[Value], second: &[Value], tape: &[u8], steps: usize, unheard: bool) -> Result<(), TestCaseError> {
    let mut calm = Rig::new(first.to_vec()).start(Vec::new());
    calm.settle(Duration::from_secs(60));
    calm.push(second.to_vec());
    calm.settle(Duration::from_secs(60));

    let mut run = Rig::new(first.to_vec()).start(Vec::new());
    run.settle(Duration::from_secs(60));
    run.tape = tape.to_vec();
    run.push(second.to_vec());
    let mut run = crash(run, steps, unheard);
    run.settle(Duration::from_secs(600));
    created_once(&run).map_err(|why| TestCaseError::fail(format!("{why}\n{}", run.log.join("\n"))))?;
    prop_assert_eq!(run.sync(), calm.sync(), "{}", run.log.join("\n"));
    prop_assert_eq!(end(&run), end(&calm), "{}", run.log.join("\n"));
    Ok(())
}

/// Every point of one sync that has everything: hooks before and after, two waves, a prune.
#[test]
fn every_point_of_a_sync() {
    let first = [config("old", 0, "1"), workload("Deployment", "web", 2, "1")];
    let second = [
        hook("before", "PreSync"),
        config("new", 0, "2"),
        workload("Job", "migrate", 1, "2"),
        workload("Deployment", "web", 2, "2"),
        hook("after", "PostSync"),
    ];
    for steps in 0..60 {
        for unheard in [false, true] {
            survives(&first, &second, &[], steps, unheard)
                .unwrap_or_else(|why| panic!("after {steps} steps (unheard: {unheard}): {why}"));
        }
    }
}

/// A hook that removes itself when it has finished, while the controller is away: it is known that it succeeded, it is not run again, and it
/// is let go.
#[test]
pub(crate) fn a_hook_that_removes_itself() {
    for steps in 0..40 {
        let mut before = hook("before", "PreSync");
        before["spec"]["ttlSecondsAfterFinished"] = serde_json::json!(0);
        let mut run = Rig::new(vec![before, config("c", 0, "1")]).start(Vec::new());
        run.drive(steps);
        let key = ResourceKey::new("batch", "Job", "prod", "before");
        if run.rig.cluster.objects.contains_key(&key) {
            run.rig.cluster.work(&key);
            run.rig.cluster.expire(&key);
        }
        let mut run = run.rig.start(Vec::new());
        run.settle(Duration::from_secs(600));
        created_once(&run).unwrap_or_else(|why| panic!("after {steps} steps: {why}"));
        assert_eq!(run.sync(), "Synced Healthy", "after {steps} steps:\n{}", run.journal());
        let state = &run.rig.resource["status"]["operationState"];
        let told = (state["phase"].as_str(), state.get("retryCount"));
        assert_eq!(
            told,
            (Some("Succeeded"), None),
            "after {steps} steps:\n{}",
            run.journal()
        );
        let hooks = run.rig.cluster.history.iter().filter(|fact| match fact {
            Fact::Written { key: made, create, .. } => *create && *made == key,
            _ => false,
        });
        assert_eq!(hooks.count(), 1, "after {steps} steps:\n{}", run.journal());
        assert!(
            !run.rig.cluster.objects.get(&key).is_some_and(is_held),
            "after {steps} steps:\n{}",
            run.journal()
        );
    }
}

fn is_held(hook: &Value) -> bool {
    let finalizers = hook["metadata"]["finalizers"].as_array();
    finalizers.is_some_and(|all| all.iter().any(|one| one == HOOK_FINALIZER))
}

/// A hook that may remove itself and is deleted by somebody before it finished has failed at once, and is let go.
#[test]
fn a_held_hook_that_is_deleted_has_failed() {
    let mut before = hook("before", "PreSync");
    before["spec"]["ttlSecondsAfterFinished"] = serde_json::json!(60);
    let mut rig = Rig::new(vec![before, config("c", 0, "1")]);
    rig.resource["spec"]["syncPolicy"]["retry"] = serde_json::json!({"limit": 0});
    rig.cluster.silent.insert("before".into());
    let mut run = rig.start(Vec::new());
    run.drive(60);
    let key = ResourceKey::new("batch", "Job", "prod", "before");
    assert!(is_held(&run.rig.cluster.objects[&key]));
    run.rig.cluster.expire(&key);
    let object = run.rig.cluster.objects[&key].clone();
    run.see(object);
    run.settle(Duration::from_secs(5));
    let message = run.rig.status("/operationState/message").to_owned();
    assert!(
        message.contains("it was deleted before it was seen to finish"),
        "{message}"
    );
    assert!(!run.rig.cluster.objects.contains_key(&key), "{}", run.journal());
}

/// The finalizer cannot be taken off: it is tried again, and told.
#[test]
fn a_held_hook_that_cannot_be_let_go_is_told() {
    let mut before = hook("before", "PreSync");
    before["spec"]["ttlSecondsAfterFinished"] = serde_json::json!(60);
    let mut run = Rig::new(vec![before, config("c", 0, "1")]).start(Vec::new());
    run.rig.cluster.keeps_finalizers = true;
    run.settle(Duration::from_secs(60));
    let condition = run.rig.status("/conditions/0/message").to_owned();
    assert!(
        condition.starts_with("hook Job/prod/before is over, and its finalizer") && condition.ends_with("403"),
        "{condition}"
    );
    run.rig.cluster.keeps_finalizers = false;
    run.settle(Duration::from_secs(600));
    assert!(!run.rig.cluster.objects.values().any(is_held), "{}", run.journal());
    assert!(run.rig.resource["status"].get("conditions").is_none());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]
    #[test]
    fn a_crash_anywhere(items in items(), more in items(), tape in tape(), steps in 0usize..60, unheard: bool) {
        survives(&objects(&items, "v1"), &objects(&more, "v2"), &tape, steps, unheard)?;
    }
}
