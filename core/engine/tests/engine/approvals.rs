//! Deletions that wait for a person's word: `Delete=confirm` and `Prune=confirm`, also where it is not known yet what says so.

use std::time::Duration;

use capstan_engine::Event;
use capstan_model::{ClusterId, GroupKind, ResourceKey};
use serde_json::{Value, json};

use crate::cluster::Fact;
use crate::deletion::settled;
use crate::fleet::Fleet;
use crate::rig::{Rig, Run, config, hook};

const MINUTE: Duration = Duration::from_secs(60);

fn confirmed(name: &str) -> Value {
    let mut object = config(name, 0, "1");
    object["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] = json!("Delete=confirm");
    object
}

fn has_created(fleet: &Fleet, name: &str) -> bool {
    let is_it = |fact: &Fact| matches!(fact, Fact::Written { key, create: true, .. } if key.name == name);
    fleet.cluster.history.iter().any(is_it)
}

/// A new process lists one kind after the other. Jobs, of which the hook is, may well come before the config maps.
#[test]
fn a_hook_does_not_run_before_it_is_known_what_waits_for_its_approval() {
    let mut fleet = settled(vec![confirmed("a"), hook("drain", "PreDelete")]);
    fleet.delete("shop");
    fleet.settle(MINUTE);
    fleet.restart();
    fleet.handle(Event::Relisted {
        cluster: ClusterId::in_cluster(),
        kind: GroupKind::new("batch", "Job"),
        objects: Vec::new(),
    });
    fleet.drive_newest(20);
    assert!(!has_created(&fleet, "drain"), "{}", fleet.tail());
    let sentence = fleet.view("shop").sentence;
    assert!(sentence.contains("waiting for the list of ConfigMap"), "{sentence}");
    fleet.settle(MINUTE);
    assert!(
        !has_created(&fleet, "drain") && fleet.has("ConfigMap", "a"),
        "{}",
        fleet.tail()
    );
    let approval =
        json!({"metadata": {"annotations": {"argocd.argoproj.io/deletion-approved": fleet.now.to_string()}}});
    fleet.patch("shop", &approval);
    fleet.settle(MINUTE);
    assert!(
        has_created(&fleet, "drain") && !fleet.resources.contains_key("shop"),
        "{}",
        fleet.tail()
    );
}

/// Somebody annotates `name`, and nobody has told the controller yet: only the read right before the delete sees it.
fn annotate_unseen(run: &mut Run, name: &str, option: &str) {
    let key = ResourceKey::new("", "ConfigMap", "prod", name);
    let object = run.rig.cluster.objects.get_mut(&key).unwrap();
    object["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] = json!(option);
}

fn has(run: &Run, name: &str) -> bool {
    let key = ResourceKey::new("", "ConfigMap", "prod", name);
    run.rig.cluster.objects.contains_key(&key)
}

#[test]
fn what_has_just_come_to_say_prune_confirm_stays() {
    let mut run = Rig::new(vec![config("a", 0, "1"), config("b", 0, "1")]).start(Vec::new());
    run.settle(10 * MINUTE);
    annotate_unseen(&mut run, "b", "Prune=confirm");
    run.push(vec![config("a", 0, "1")]);
    run.settle(MINUTE);
    assert!(has(&run, "b"), "{}", run.log.join("\n"));
    let said = run.rig.resource["status"]["operationState"]["syncResult"].to_string();
    assert!(
        said.contains("b says Prune=confirm, and nobody has approved that it goes"),
        "{said}"
    );
}

#[test]
fn what_has_just_come_to_say_delete_confirm_waits_for_the_approval() {
    let mut run = Rig::new(vec![config("a", 0, "1"), config("b", 0, "1")]).start(Vec::new());
    run.settle(10 * MINUTE);
    annotate_unseen(&mut run, "b", "Delete=confirm");
    run.rig.resource["metadata"]["finalizers"] = json!(["resources-finalizer.argocd.argoproj.io"]);
    run.rig.resource["metadata"]["deletionTimestamp"] = json!(run.rig.now.to_string());
    run.observe_application();
    run.settle(MINUTE);
    assert!(has(&run, "b") && !has(&run, "a"), "{}", run.log.join("\n"));
    let conditions = run.rig.resource["status"]["conditions"].to_string();
    assert!(conditions.contains("b says Delete=confirm"), "{conditions}");
    let now = run.rig.now.to_string();
    run.rig.resource["metadata"]["annotations"] = json!({"argocd.argoproj.io/deletion-approved": now});
    run.observe_application();
    run.settle(MINUTE);
    assert!(!has(&run, "b"), "{}", run.log.join("\n"));
}

/// Whoever had approved something before is told why that is not enough.
#[test]
fn an_approval_of_before_is_told_to_be_one() {
    let mut run = Rig::new(vec![confirmed("a")]).start(Vec::new());
    let before = run.rig.now.to_string();
    run.rig.resource["metadata"]["annotations"] = json!({"argocd.argoproj.io/deletion-approved": before});
    run.observe_application();
    run.settle(MINUTE);
    run.rig.now = run.rig.now + MINUTE;
    run.handle_timeout();
    let asked = run.rig.now.to_string();
    run.rig.resource["metadata"]["finalizers"] = json!(["resources-finalizer.argocd.argoproj.io"]);
    run.rig.resource["metadata"]["deletionTimestamp"] = json!(asked);
    run.observe_application();
    run.settle(MINUTE);
    assert!(has(&run, "a"));
    let conditions = run.rig.resource["status"]["conditions"].to_string();
    let why = format!("what it says, {before}, is not later than what waits for it, of {asked}");
    assert!(conditions.contains(&why), "{conditions}");
}

/// What a deletion runs does not wait for an approval: with `Delete=confirm` of the whole application, and nothing there that has to be approved, its
/// hook was never seen to finish.
#[test]
fn a_hook_of_the_deletion_needs_no_approval() {
    let mut alone = config("a", 0, "1");
    alone["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] = json!("Delete=true");
    let mut drain = hook("drain", "PreDelete");
    drain["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] = json!("Delete=confirm");
    let mut fleet = settled(vec![alone, drain]);
    fleet.patch(
        "shop",
        &json!({"spec": {"syncPolicy": {"syncOptions": ["Delete=confirm"]}}}),
    );
    fleet.settle(MINUTE);
    fleet.delete("shop");
    fleet.settle(MINUTE);
    assert!(has_created(&fleet, "drain"), "{}", fleet.tail());
    assert!(!fleet.resources.contains_key("shop"), "{}", fleet.tail());
}
