//! A newer commit ends an automated sync, at the first point at which nothing is halfway.

use std::time::Duration;

use capstan_model::ResourceKey;

use crate::cluster::Fact;
use crate::rig::{Rig, Run, commit_id, config, hook, workload};

const MINUTE: Duration = Duration::from_secs(60);

/// A first sync whose hook of PreSync runs, as a newer commit is known.
fn outdated() -> (Run, ResourceKey) {
    let mut rig = Rig::new(vec![hook("before", "PreSync"), config("bad", 0, "1")]);
    rig.cluster.silent.insert("before".into());
    let mut run = rig.start(Vec::new());
    run.settle(MINUTE);
    let message = run.rig.status("/operationState/message");
    assert!(message.contains("completion of hook"), "{message}");
    run.push(vec![hook("before", "PreSync"), config("good", 0, "2")]);
    run.settle(MINUTE);
    assert_eq!(run.rig.status("/operationState/phase"), "Running", "{}", run.journal());
    (run, ResourceKey::new("batch", "Job", "prod", "before"))
}

/// The end of a hook is a safe point: nothing of the old commit begins after it.
#[test]
fn the_end_of_a_hook_is_where_an_outdated_sync_ends() {
    let (mut run, job) = outdated();
    run.rig.cluster.silent.clear();
    let object = run.rig.cluster.work(&job);
    run.see(object);
    run.settle(MINUTE);
    let bad = ResourceKey::new("", "ConfigMap", "prod", "bad");
    let is_bad = |fact: &Fact| matches!(fact, Fact::Written { key, .. } if *key == bad);
    let journal = run.journal();
    assert!(!run.rig.cluster.history.iter().any(is_bad), "{journal}");
    assert!(journal.contains("superseded by"), "{journal}");
    assert!(!journal.contains("waiting for write of"), "{journal}");
    let good = ResourceKey::new("", "ConfigMap", "prod", "good");
    assert!(run.rig.cluster.objects.contains_key(&good), "{journal}");
    assert_eq!(run.sync(), "Synced Healthy", "{journal}");
}

/// What was held back for a newer commit begins after all when that is taken back before the hook has ended.
#[test]
fn a_newer_commit_that_is_taken_back_ends_nothing() {
    let (mut run, job) = outdated();
    let (first, objects) = run.rig.commits[0].clone();
    assert_eq!(first, commit_id(1));
    run.push(objects.expect("it can be rendered"));
    run.settle(MINUTE);
    run.rig.cluster.silent.clear();
    let object = run.rig.cluster.work(&job);
    run.see(object);
    run.settle(MINUTE);
    let journal = run.journal();
    assert!(!journal.contains("superseded by"), "{journal}");
    assert_eq!(run.sync(), "Synced Healthy", "{journal}");
}

/// While one hook runs and a newer commit is known, what waited for another one that ends first does not begin.
#[test]
fn nothing_of_an_outdated_sync_begins_beside_its_last_hook() {
    let mut late = hook("late", "PreSync");
    late["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"] = "1".into();
    let objects = vec![hook("slow", "Sync"), workload("Deployment", "web", 0, "1"), late];
    let mut rig = Rig::new(objects);
    rig.cluster.silent.extend(["late".to_owned(), "slow".to_owned()]);
    let mut run = rig.start(Vec::new());
    run.settle(MINUTE);
    run.push(vec![config("good", 0, "2")]);
    run.settle(MINUTE);
    let late = ResourceKey::new("batch", "Job", "prod", "late");
    run.rig.cluster.silent.clear();
    let object = run.rig.cluster.work(&late);
    run.see(object);
    run.settle(MINUTE);
    for name in ["slow", "web"] {
        let written = run.rig.cluster.history.iter();
        let mut written = written.filter(|fact| matches!(fact, Fact::Written { key, .. } if key.name == name));
        assert!(written.next().is_none(), "{name}: {}", run.journal());
    }
    assert_eq!(run.sync(), "Synced Healthy", "{}", run.journal());
}
