//! Deleting an Application while a sync of it runs.

use std::time::Duration;

use capstan_engine::Settings;
use capstan_engine::settings::Guards;
use capstan_model::ResourceKey;
use serde_json::{Value, json};

use crate::deletion::{MINUTE, cascading, job, story};
use crate::fleet::Fleet;
use crate::rig::{config, hook};

/// A sync whose hook of PreSync runs, and which the application's own deletion has a hook for.
fn midway(guards: Guards) -> Fleet {
    let mut fleet = Fleet::with(Settings {
        guards,
        ..Settings::default()
    });
    fleet.create(
        cascading("shop"),
        vec![config("a", 0, "1"), hook("backup", "PreDelete")],
    );
    fleet.settle(MINUTE);
    assert_eq!(fleet.sync("shop"), "Synced Healthy", "{}", fleet.tail());
    fleet.cluster.silent.insert("migrate".into());
    let objects = vec![
        config("a", 0, "2"),
        hook("migrate", "PreSync"),
        hook("backup", "PreDelete"),
    ];
    fleet.push("shop", objects);
    fleet.settle(MINUTE);
    assert!(fleet.has("Job", "migrate"), "{}", fleet.journal());
    assert_eq!(fleet.status("shop", "/operationState/phase"), "Running");
    fleet
}

fn rows(fleet: &Fleet) -> Vec<Value> {
    let rows = &fleet.resources["shop"]["status"]["operationState"]["syncResult"]["resources"];
    rows.as_array().cloned().unwrap_or_default()
}

/// The hook of the sync goes first, as with a sync that is stopped: a backup would run beside a migration.
#[test]
fn a_hook_of_the_sync_goes_before_one_of_the_deletion_begins() {
    for restarts in [false, true] {
        let mut fleet = midway(Guards::Capstan);
        fleet.cluster.silent.insert("backup".into());
        let from = fleet.cluster.history.len();
        fleet.delete("shop");
        if restarts {
            fleet.restart();
        }
        fleet.settle(MINUTE);
        assert_eq!(story(&fleet, from), ["-migrate", "+backup"], "{}", fleet.journal());
        let phase = fleet.status("shop", "/operationState/phase");
        assert_eq!(phase, "Failed", "{}", fleet.journal());
        let message = fleet.status("shop", "/operationState/message");
        assert!(
            message.contains("terminated by the deletion of the Application"),
            "{message}"
        );
        for row in rows(&fleet) {
            assert_ne!(row["hookPhase"], "Running", "{row}");
        }
        fleet.cluster.silent.clear();
        let object = fleet.cluster.work(&job("backup"));
        fleet.see(object);
        fleet.settle(MINUTE);
        assert!(!fleet.resources.contains_key("shop"), "{}", fleet.journal());
    }
}

/// What the deletion waits for meanwhile is told: here the list of Jobs, without which nobody knows whose the hook is.
#[test]
fn what_the_stop_waits_for_is_told_and_has_an_end() {
    let mut fleet = midway(Guards::Capstan);
    let kind = ResourceKey::new("batch", "Job", "prod", "migrate").group_kind();
    let cluster = capstan_model::ClusterId::in_cluster();
    fleet.handle(capstan_engine::Event::KindUnavailable {
        cluster,
        kind,
        reason: "403 Forbidden".into(),
    });
    let from = fleet.cluster.history.len();
    fleet.delete("shop");
    fleet.settle(MINUTE);
    let view = fleet.view("shop");
    let waits = view
        .deletion
        .map(|deletion| deletion.waits.join("; "))
        .unwrap_or_default();
    assert!(
        waits.contains("the sync that runs is stopped first: waiting for deletion of hook Job/prod/migrate"),
        "{waits}"
    );
    assert_eq!(story(&fleet, from), Vec::<String>::new());
    fleet.settle(Duration::from_mins(11));
    assert_eq!(
        json!(fleet.status("shop", "/operationState/phase")),
        "Failed",
        "{}",
        fleet.journal()
    );
}

/// With `guards: argo` the hook is left to run; what is recorded says that it was not waited for.
#[test]
fn with_argo_cd_s_guards_nothing_is_said_to_run_for_ever() {
    let mut fleet = midway(Guards::Argo);
    fleet.cluster.silent.insert("backup".into());
    fleet.delete("shop");
    fleet.settle(MINUTE);
    assert_eq!(
        fleet.status("shop", "/operationState/phase"),
        "Failed",
        "{}",
        fleet.journal()
    );
    let rows = rows(&fleet);
    assert!(!rows.is_empty());
    assert!(rows.iter().all(|row| row["hookPhase"] != "Running"), "{rows:?}");
}
