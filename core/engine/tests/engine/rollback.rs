//! Going back to a row of the history.

use std::time::Duration;

use capstan_engine::policy::{RollbackRefusal, rollback};
use capstan_model::{Application, ResourceKey};
use serde_json::json;

use crate::fleet::{Fleet, application};
use crate::rig::{config, hook};

const MINUTE: Duration = Duration::from_secs(60);

fn read(fleet: &Fleet) -> Application {
    Application::parse(&fleet.resources["shop"]).unwrap()
}

fn two_syncs() -> Fleet {
    let mut fleet = Fleet::new();
    fleet.create(
        application("shop"),
        vec![config("a", 0, "1"), config("old", 0, "1"), hook("before", "PreSync")],
    );
    fleet.settle(MINUTE);
    fleet.push("shop", vec![config("a", 0, "2"), hook("before", "PreSync")]);
    fleet.settle(MINUTE);
    fleet
}

#[test]
fn it_is_synced_to_the_row_without_hooks_and_stays_there() {
    let mut fleet = two_syncs();
    let by = |prune| move |fleet: &Fleet| rollback(&read(fleet), 0, "ada", prune);
    assert!(matches!(by(true)(&fleet), Err(RollbackRefusal::Automated { .. })));
    fleet.patch("shop", &json!({"spec": {"syncPolicy": {"automated": null}}}));
    // A branch that has moved on, and a folder that has another name now.
    fleet.patch(
        "shop",
        &json!({"spec": {"source": {"path": "elsewhere", "targetRevision": "next"}}}),
    );
    fleet.settle(MINUTE);
    let from = fleet.log.len();
    let operation = by(true)(&fleet).unwrap();
    fleet.patch("shop", &json!({"operation": operation}));
    fleet.settle(10 * MINUTE);
    assert_eq!(
        fleet.status("shop", "/operationState/phase"),
        "Succeeded",
        "{}",
        fleet.tail()
    );
    assert_eq!(
        fleet.status("shop", "/operationState/operation/initiatedBy/username"),
        "ada"
    );
    let a = ResourceKey::new("", "ConfigMap", "prod", "a");
    assert_eq!(fleet.cluster.objects[&a]["data"]["v"], "1");
    assert!(fleet.has("ConfigMap", "old"));
    let log = &fleet.log[from..];
    assert!(
        !log.iter().any(|line| line.contains("create Job")),
        "{}",
        log.join("\n")
    );
    // Its commit is known: nobody is asked what it is.
    assert!(!log.iter().any(|line| line.contains("resolve")), "{}", log.join("\n"));
    assert_eq!(fleet.sync("shop"), "OutOfSync Healthy");
    let history = read(&fleet).status.history;
    let rows: Vec<(u64, &str)> = history.iter().map(|row| (row.id, &row.revision[..5])).collect();
    assert_eq!(rows, [(0, "00001"), (1, "00002"), (2, "00001")]);
    assert_eq!(history[2].source.as_ref().unwrap().path, ".");
}

/// The newest commit is what is gone back from.
#[test]
fn another_attempt_is_of_the_same_row_though_retries_refresh() {
    let mut fleet = two_syncs();
    let policy = json!({"automated": null, "retry": {"limit": 3, "refresh": true}});
    fleet.patch("shop", &json!({"spec": {"syncPolicy": policy}}));
    fleet.cluster.refused.insert("a".into());
    let operation = rollback(&read(&fleet), 0, "ada", true).unwrap();
    fleet.patch("shop", &json!({"operation": operation}));
    fleet.settle(Duration::from_secs(2));
    assert_eq!(
        fleet.status("shop", "/operationState/phase"),
        "Running",
        "{}",
        fleet.tail()
    );
    fleet.cluster.refused.clear();
    fleet.settle(10 * MINUTE);
    let phase = fleet.status("shop", "/operationState/phase");
    assert_eq!(phase, "Succeeded", "{}", fleet.tail());
    let a = ResourceKey::new("", "ConfigMap", "prod", "a");
    assert_eq!(fleet.cluster.objects[&a]["data"]["v"], "1", "{}", fleet.tail());
    assert!(
        fleet
            .status("shop", "/operationState/syncResult/revision")
            .starts_with("00001")
    );
}

/// A branch is not a commit: with `refresh`, another attempt is of what it is by then.
#[test]
fn another_attempt_follows_the_branch_that_was_named() {
    let mut fleet = two_syncs();
    let policy = json!({"automated": null, "retry": {"limit": 3, "refresh": true}});
    fleet.patch("shop", &json!({"spec": {"syncPolicy": policy}}));
    fleet.cluster.refused.insert("a".into());
    fleet.push("shop", vec![config("a", 0, "3")]);
    let operation = json!({"initiatedBy": {"username": "ada"}, "sync": {"revision": "release"}});
    fleet.patch("shop", &json!({"operation": operation}));
    fleet.settle(Duration::from_secs(2));
    fleet.cluster.refused.clear();
    fleet.push("shop", vec![config("a", 0, "4")]);
    fleet.settle(10 * MINUTE);
    let phase = fleet.status("shop", "/operationState/phase");
    assert_eq!(phase, "Succeeded", "{}", fleet.tail());
    let a = ResourceKey::new("", "ConfigMap", "prod", "a");
    assert_eq!(fleet.cluster.objects[&a]["data"]["v"], "4", "{}", fleet.tail());
}

/// It is declared by the newest commit, and not by the one that is gone back to.
#[test]
fn what_the_newest_commit_brought_goes_by_its_own_options() {
    let with = |name: &str, option: &str| {
        let mut object = config(name, 0, "1");
        object["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] = json!(option);
        object
    };
    let mut fleet = Fleet::new();
    let bare: Vec<_> = (0..4).map(|n| config(&format!("a{n}"), 0, "1")).collect();
    fleet.create(application("shop"), bare.clone());
    fleet.settle(MINUTE);
    let brought = vec![
        with("asked", "Prune=confirm"),
        with("kept", "Prune=false"),
        config("free", 0, "1"),
    ];
    fleet.push("shop", [bare, brought].concat());
    fleet.settle(MINUTE);
    fleet.patch("shop", &json!({"spec": {"syncPolicy": {"automated": null}}}));
    let operation = rollback(&read(&fleet), 0, "ada", true).unwrap();
    fleet.patch("shop", &json!({"operation": operation}));
    fleet.settle(MINUTE);
    assert!(!fleet.has("ConfigMap", "free"), "{}", fleet.tail());
    assert!(fleet.has("ConfigMap", "kept"), "{}", fleet.tail());
    assert!(fleet.has("ConfigMap", "asked"), "{}", fleet.tail());
    let approval =
        json!({"metadata": {"annotations": {"argocd.argoproj.io/deletion-approved": fleet.now.to_string()}}});
    fleet.patch("shop", &approval);
    fleet.settle(MINUTE);
    let phase = fleet.status("shop", "/operationState/phase");
    assert_eq!(phase, "Succeeded", "{}", fleet.tail());
    assert!(!fleet.has("ConfigMap", "asked") && fleet.has("ConfigMap", "kept"));
}

#[test]
fn what_cannot_be_gone_back_to_is_refused_by_name() {
    let mut fleet = two_syncs();
    fleet.patch(
        "shop",
        &json!({"spec": {"syncPolicy": {"automated": {"enabled": false}}}}),
    );
    let refused = |fleet: &Fleet, id| rollback(&read(fleet), id, "ada", false).unwrap_err().to_string();
    assert_eq!(
        refused(&fleet, 7),
        "argocd/shop has no row 7 in its history: there are 0, 1"
    );
    assert!(rollback(&read(&fleet), 1, "ada", false).is_ok());
    let mut bare = read(&fleet);
    bare.status.history[1].source = None;
    let error = rollback(&bare, 1, "ada", false).unwrap_err().to_string();
    assert!(
        error.starts_with("row 1 of the history of argocd/shop does not say"),
        "{error}"
    );
}
