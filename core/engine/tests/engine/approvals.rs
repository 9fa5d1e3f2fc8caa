//! Deletions that wait for a person's word: `Delete=confirm`, also where it is not known yet what says so.

use std::time::Duration;

use capstan_engine::Event;
use capstan_model::{ClusterId, GroupKind};
use serde_json::{Value, json};

use crate::cluster::Fact;
use crate::deletion::settled;
use crate::fleet::Fleet;
use crate::rig::{config, hook};

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
