//! Hooks of a deletion that remove themselves, that others hold, and how they are deleted.

use std::time::Duration;

use capstan_engine::effect::{Effect, EffectKind, Propagation};
use capstan_engine::event::{Outcome, WriteError};
use capstan_engine::settings::Guards;
use capstan_engine::{Event, Settings};
use capstan_model::ClusterId;
use serde_json::json;

use crate::cluster::{Fact, discovery};
use crate::deletion::{MINUTE, cascading, job, settled, story, with};
use crate::fleet::Fleet;
use crate::rig::{Rig, config, hook};

/// Hooks with a time to live finish and remove themselves while no process runs: what they did is known all the same, and nothing is left of
/// them.
#[test]
fn a_hook_that_removes_itself_while_nobody_looks_has_run() {
    let fleeting = |name, phase| {
        let mut hook = hook(name, phase);
        hook["spec"]["ttlSecondsAfterFinished"] = json!(0);
        hook
    };
    for (guards, step) in [Guards::Capstan, Guards::Argo]
        .into_iter()
        .flat_map(|guards| (0..30).map(move |step| (guards, step)))
    {
        let mut fleet = Fleet::with(Settings {
            guards,
            ..Settings::default()
        });
        let hooks = [fleeting("backup", "PreDelete"), fleeting("farewell", "PostDelete")];
        fleet.create(cascading("shop"), [vec![config("a", 0, "1")], hooks.to_vec()].concat());
        fleet.settle(MINUTE);
        assert_eq!(fleet.sync("shop"), "Synced Healthy", "{}", fleet.tail());
        let from = fleet.cluster.history.len();
        fleet.delete("shop");
        fleet.drive(step);
        for name in ["backup", "farewell"].map(job) {
            if fleet.cluster.objects.contains_key(&name) {
                fleet.cluster.work(&name);
                fleet.cluster.expire(&name);
            }
        }
        fleet.restart();
        fleet.settle(MINUTE);
        let gone = !fleet.resources.contains_key("shop");
        assert!(gone, "{guards:?} after {step}: {}", fleet.journal());
        let story = story(&fleet, from);
        let created = story.iter().filter(|fact| fact.starts_with('+'));
        assert_eq!(created.count(), 2, "{guards:?} after {step}: {story:?}");
        let mut objects = fleet.cluster.objects.values();
        let held = objects.find(|object| {
            object["metadata"]["finalizers"]
                .as_array()
                .is_some_and(|all| !all.is_empty())
        });
        assert_eq!(held, None, "{guards:?} after {step}: {}", fleet.journal());
    }
}

/// A cluster that does not answer is not asked what became of a hook: whoever answers at its address then may be another one.
#[test]
fn a_hook_of_which_nobody_heard_is_looked_at_when_its_cluster_answers() {
    let mut run = Rig::new(vec![config("a", 0, "1"), hook("backup", "PreDelete")]).start(Vec::new());
    run.settle(MINUTE);
    run.rig.resource["metadata"]["finalizers"] = json!(["resources-finalizer.argocd.argoproj.io"]);
    run.observe_application();
    run.settle(MINUTE);
    run.rig.resource["metadata"]["deletionTimestamp"] = json!(run.rig.now.to_string());
    run.observe_application();
    let is_create = |effect: &Effect| matches!(&effect.kind, EffectKind::Apply(task) if task.key == job("backup"));
    let is_look = |effect: &Effect| matches!(&effect.kind, EffectKind::Observe { key, .. } if *key == job("backup"));
    let create = loop {
        if let Some(at) = run.pending.iter().position(is_create) {
            break run.pending.remove(at).unwrap();
        }
        assert!(!run.drive(1), "{}", run.journal());
    };
    run.handle(Event::ClusterLost(ClusterId::in_cluster(), "no route".into()));
    // It was created all the same.
    let _ = run.carry_out(&create);
    run.complete(
        &create,
        Outcome::Applied(Err(WriteError::OutcomeUnknown("timed out".into()))),
    );
    let asked = run.log.len();
    run.settle(MINUTE);
    assert!(!run.pending.iter().any(is_look));
    assert_eq!(run.log.len(), asked, "{:?}", &run.log[asked..]);
    run.handle(Event::ClusterConnected(ClusterId::in_cluster(), discovery()));
    run.settle(MINUTE);
    let created = run.rig.cluster.history.iter();
    let created =
        created.filter(|fact| matches!(fact, Fact::Written { key, create: true, .. } if *key == job("backup")));
    assert_eq!(created.count(), 1, "{}", run.journal());
    assert_eq!(
        run.rig.resource["metadata"]["finalizers"],
        json!([]),
        "{}",
        run.journal()
    );
}

/// One that failed, and removed itself, runs again.
#[test]
fn a_hook_that_failed_while_nobody_looked_runs_again() {
    let mut fleeting = hook("backup", "PreDelete");
    fleeting["spec"]["ttlSecondsAfterFinished"] = json!(0);
    let mut fleet = settled(vec![config("a", 0, "1"), fleeting]);
    let from = fleet.cluster.history.len();
    fleet.cluster.broken.insert("backup".into());
    fleet.delete("shop");
    while !fleet.has("Job", "backup") {
        assert!(!fleet.drive(1), "{}", fleet.tail());
    }
    fleet.cluster.work(&job("backup"));
    fleet.cluster.expire(&job("backup"));
    fleet.restart();
    fleet.settle(Duration::from_secs(2));
    let conditions = fleet.conditions("shop");
    assert!(
        conditions.contains("PreDelete hook failed: backup BackoffLimitExceeded"),
        "{conditions}"
    );
    fleet.cluster.broken.clear();
    fleet.settle(MINUTE);
    assert_eq!(
        story(&fleet, from),
        ["+backup", "+backup", "-a", "-backup"],
        "{}",
        fleet.journal()
    );
    assert!(!fleet.resources.contains_key("shop"));
}

/// A hook that is on its way out and held is let go with its Application; but not what another installation made, which tracks it by the same id.
#[test]
fn what_another_installation_holds_stays_held() {
    for (installation, stays) in [("blue", false), ("green", true)] {
        let mut fleet = Fleet::with(Settings {
            installation_id: "blue".into(),
            ..Settings::default()
        });
        let mut old = hook("old", "PreSync");
        let metadata = &mut old["metadata"];
        metadata["uid"] = json!("old-1");
        metadata["generation"] = json!(1);
        metadata["resourceVersion"] = json!("1");
        metadata["deletionTimestamp"] = json!("2026-03-14T09:00:00Z");
        metadata["finalizers"] = json!(["argocd.argoproj.io/hook-finalizer"]);
        metadata["annotations"]["argocd.argoproj.io/installation-id"] = json!(installation);
        metadata["annotations"]["argocd.argoproj.io/tracking-id"] = json!("shop:batch/Job:prod/old");
        fleet.cluster.objects.insert(job("old"), old);
        fleet.create(cascading("shop"), vec![config("a", 0, "1"), hook("migrate", "PreSync")]);
        fleet.settle(MINUTE);
        fleet.delete("shop");
        fleet.settle(MINUTE);
        assert_eq!(fleet.has("Job", "old"), stays, "{installation}: {}", fleet.journal());
        let waits = fleet.resources.contains_key("shop");
        assert!(!waits, "{installation}: {}", fleet.journal());
    }
}

/// Something in the cluster puts the finalizer back each time: it is taken off once, not again and again, and who waits says for what.
#[test]
fn a_hook_that_is_held_anew_is_let_go_once() {
    let mut backup = hook("backup", "PreDelete");
    backup["spec"]["ttlSecondsAfterFinished"] = json!(600);
    let mut fleet = settled(vec![config("a", 0, "1"), backup]);
    fleet.cluster.restores_finalizers = true;
    fleet.delete("shop");
    fleet.settle(MINUTE);
    let asked = fleet.log.iter().filter(|line| line.contains(" unfinalize "));
    assert_eq!(asked.count(), 1, "{}", fleet.tail());
    let conditions = fleet.conditions("shop");
    assert!(
        conditions.contains("waiting for hook Job/prod/backup to be let go, since "),
        "{conditions}"
    );
}

/// As those of a sync are.
#[test]
fn hooks_are_deleted_as_the_policy_says() {
    for (options, how) in [
        (json!([]), Propagation::Background),
        (json!(["PrunePropagationPolicy=foreground"]), Propagation::Foreground),
    ] {
        let mut fleet = Fleet::new();
        let mut resource = cascading("shop");
        resource["spec"]["syncPolicy"]["syncOptions"] = options;
        let backup = with(hook("backup", "PreDelete"), "hook-delete-policy", "HookSucceeded");
        fleet.create(resource, vec![config("a", 0, "1"), backup]);
        fleet.settle(MINUTE);
        fleet.delete("shop");
        fleet.settle(MINUTE);
        assert_eq!(
            fleet.cluster.propagation.get(&job("backup")),
            Some(&how),
            "{}",
            fleet.journal()
        );
    }
}

/// It was given up when its time was over, and succeeds before it is tried again: it has succeeded.
#[test]
fn a_hook_that_succeeds_after_its_deadline_is_not_run_again() {
    let mut backup = hook("backup", "PreDelete");
    backup["metadata"]["annotations"]["capstan.dev/sync-timeout"] = json!("60s");
    let mut fleet = Fleet::new();
    fleet.create(cascading("shop"), vec![config("a", 0, "1"), backup]);
    fleet.settle(MINUTE);
    let from = fleet.cluster.history.len();
    fleet.cluster.silent.insert("backup".into());
    fleet.delete("shop");
    fleet.settle(MINUTE + Duration::from_secs(2));
    let conditions = fleet.conditions("shop");
    assert!(
        conditions.contains("PreDelete hook failed: not done since"),
        "{conditions}"
    );
    fleet.cluster.silent.clear();
    fleet.settle(MINUTE);
    assert!(!fleet.resources.contains_key("shop"), "{}", fleet.journal());
    let story = story(&fleet, from);
    let created = story.iter().filter(|fact| fact.starts_with("+backup"));
    assert_eq!(created.count(), 1, "{story:?}");
}
