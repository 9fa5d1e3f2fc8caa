//! Sync windows: what does not begin, what is refused, what is paused, and that each begins again by itself.

use std::time::Duration;

use capstan_model::ResourceKey;
use serde_json::{Value, json};

use crate::fleet::{Fleet, application};
use crate::rig::{config, hook, workload};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// It begins at nine.
fn fleet(windows: &Value) -> Fleet {
    let mut fleet = Fleet::new();
    fleet.project(&json!({"metadata": {"name": "default"}, "spec": {
        "sourceRepos": ["*"], "destinations": [{"server": "*", "namespace": "*"}], "syncWindows": windows}}));
    fleet
}

fn deny(schedule: &str, fields: &Value) -> Value {
    let mut window = json!({"kind": "deny", "schedule": schedule, "duration": "1h", "applications": ["*"]});
    window
        .as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    json!([window])
}

#[test]
pub(crate) fn an_automated_sync_waits_for_the_window_and_begins_with_it() {
    let mut fleet =
        fleet(&json!([{"kind": "allow", "schedule": "0 10 * * *", "duration": "1h", "namespaces": ["prod"]}]));
    fleet.create(application("shop"), vec![config("a", 0, "1")]);
    fleet.settle(59 * MINUTE);
    assert!(!fleet.has("ConfigMap", "a"));
    let conditions = fleet.conditions("shop");
    assert_eq!(
        conditions,
        "SyncHeld since 2026-03-14T09:00:00Z: no allow window is open: the next is spec.syncWindows[0] of AppProject default \
         (0 10 * * *, 1h, UTC), at 2026-03-14T10:00:00Z"
    );
    assert_eq!(fleet.engine.poll_timeout().unwrap().to_string(), "2026-03-14T10:00:00Z");
    fleet.settle(2 * MINUTE);
    assert_eq!(fleet.sync("shop"), "Synced Healthy", "{}", fleet.tail());
    assert_eq!(fleet.conditions("shop"), "");
    // Shut again, a commit and drift are left as they are, until it opens.
    fleet.settle(HOUR);
    let key = ResourceKey::new("", "ConfigMap", "prod", "a");
    fleet.vanish(&key);
    fleet.settle(MINUTE);
    assert!(!fleet.has("ConfigMap", "a"));
    assert!(
        fleet.conditions("shop").contains("SyncHeld"),
        "{}",
        fleet.conditions("shop")
    );
    fleet.settle(23 * HOUR);
    assert!(fleet.has("ConfigMap", "a"), "{}", fleet.tail());
    assert_eq!(fleet.conditions("shop"), "");
}

#[test]
pub(crate) fn a_person_is_refused_at_once_and_told_until_when() {
    let by_ada = json!({"operation": {"initiatedBy": {"username": "ada"}, "sync": {}}});
    for (manual, phase) in [(false, "Error"), (true, "Succeeded")] {
        let mut fleet = fleet(&deny("30 8 * * *", &json!({"manualSync": manual})));
        fleet.create(application("shop"), vec![config("a", 0, "1")]);
        fleet.settle(MINUTE);
        assert!(!fleet.has("ConfigMap", "a"));
        fleet.patch("shop", &by_ada);
        fleet.settle(MINUTE);
        assert_eq!(fleet.status("shop", "/operationState/phase"), phase);
        assert_eq!(fleet.has("ConfigMap", "a"), manual);
        assert!(fleet.resources["shop"].get("operation").is_none());
        let message = fleet.status("shop", "/operationState/message");
        let refused = "refused: deny window spec.syncWindows[0] of AppProject default (30 8 * * *, 1h, UTC) is active, until 2026-03-14T09:30:00Z";
        assert_eq!(message.starts_with(refused), !manual, "{message}");
        // What was refused is no failed sync: the automated one begins when it may.
        fleet.settle(HOUR);
        assert_eq!(fleet.sync("shop"), "Synced Healthy", "{}", fleet.tail());
    }
}

/// A window that nothing opens: to ask again would be refused again.
#[test]
fn who_is_refused_for_good_is_told_what_to_change() {
    for (schedule, fields, remedy) in [
        (
            "0 * * * *",
            json!({"duration": "2h"}),
            "; change the window, or set its manualSync",
        ),
        ("0 0 * * *", json!({"duration": "soon"}), "; correct the window"),
    ] {
        let mut fleet = fleet(&deny(schedule, &fields));
        fleet.create(application("shop"), vec![config("a", 0, "1")]);
        fleet.patch("shop", &json!({"operation": {"sync": {}}}));
        fleet.settle(MINUTE);
        let message = fleet.status("shop", "/operationState/message");
        assert!(
            message.starts_with("refused: ") && message.ends_with(remedy),
            "{message}"
        );
    }
}

#[test]
fn a_dry_run_may_always_be_asked_for() {
    let mut fleet = fleet(&deny("30 8 * * *", &json!({})));
    fleet.create(application("shop"), vec![config("a", 0, "1")]);
    fleet.patch("shop", &json!({"operation": {"sync": {"dryRun": true}}}));
    fleet.settle(MINUTE);
    assert_eq!(
        fleet.status("shop", "/operationState/phase"),
        "Succeeded",
        "{}",
        fleet.tail()
    );
}

/// A sync of two waves, the first of which is on its way when the window shuts.
fn running(windows: &Value) -> Fleet {
    let mut fleet = fleet(windows);
    fleet.now = fleet.now + 59 * MINUTE;
    fleet.cluster.broken.insert("web".into());
    fleet.create(
        application("shop"),
        vec![
            hook("before", "PreSync"),
            workload("Deployment", "web", 0, "1"),
            config("later", 1, "1"),
        ],
    );
    fleet.settle(2 * MINUTE);
    fleet
}

fn recover(fleet: &mut Fleet) {
    fleet.cluster.broken.clear();
    let key = ResourceKey::new("apps", "Deployment", "prod", "web");
    let object = fleet.cluster.work(&key);
    let cluster = capstan_model::ClusterId::in_cluster();
    fleet.handle(capstan_engine::Event::LiveObserved(cluster, Box::new(object)));
}

#[test]
pub(crate) fn a_running_sync_is_paused_and_its_deadlines_stand_still() {
    let mut fleet = running(&deny("0 10 * * *", &json!({"duration": "3h"})));
    let message = fleet.status("shop", "/operationState/message").to_owned();
    assert_eq!(
        message,
        "paused since 2026-03-14T10:00:00Z: deny window spec.syncWindows[0] of AppProject default (0 10 * * *, 3h, UTC) is active, until 2026-03-14T13:00:00Z"
    );
    recover(&mut fleet);
    // Longer than one object is waited for.
    fleet.settle(2 * HOUR);
    assert_eq!(
        fleet.status("shop", "/operationState/phase"),
        "Running",
        "{}",
        fleet.journal()
    );
    assert!(!fleet.has("ConfigMap", "later"));
    fleet.settle(HOUR);
    assert_eq!(fleet.sync("shop"), "Synced Healthy", "{}", fleet.journal());
    assert!(fleet.has("ConfigMap", "later"));
    insta::assert_snapshot!(fleet.journal());
}

#[test]
fn what_is_still_waited_for_after_a_pause_has_its_whole_time() {
    let mut fleet = running(&deny("0 10 * * *", &json!({"duration": "3h"})));
    // The window shuts a minute into the hour that the Deployment has.
    fleet.settle(3 * HOUR + 50 * MINUTE);
    assert_eq!(
        fleet.status("shop", "/operationState/phase"),
        "Running",
        "{}",
        fleet.journal()
    );
    let message = fleet.status("shop", "/operationState/message");
    assert!(message.contains("until 2026-03-14T13:59:00Z"), "{message}");
    fleet.settle(10 * MINUTE);
    assert!(fleet.journal().contains("not done within"), "{}", fleet.journal());
}

#[test]
fn a_window_that_lets_it_overrun_does_not_pause_it() {
    let mut fleet = running(&deny("0 10 * * *", &json!({"syncOverrun": true})));
    recover(&mut fleet);
    fleet.settle(MINUTE);
    assert!(fleet.has("ConfigMap", "later"), "{}", fleet.journal());
}

#[test]
fn a_paused_sync_can_be_stopped() {
    let mut fleet = running(&deny("0 10 * * *", &json!({})));
    fleet.handle(capstan_engine::Event::TerminateRequested {
        id: capstan_model::ApplicationId::new("argocd", "shop"),
        by: "ada".into(),
    });
    fleet.settle(MINUTE);
    assert_eq!(fleet.status("shop", "/operationState/phase"), "Failed");
    assert_eq!(
        fleet.status("shop", "/operationState/message"),
        "operation terminated by ada"
    );
}

#[test]
fn a_deletion_is_no_sync() {
    let mut fleet = fleet(&deny("30 9 * * *", &json!({})));
    let mut shop = application("shop");
    shop["metadata"]["finalizers"] = json!(["resources-finalizer.argocd.argoproj.io"]);
    fleet.create(shop, vec![config("a", 0, "1")]);
    fleet.settle(40 * MINUTE);
    fleet.delete("shop");
    fleet.settle(MINUTE);
    assert!(
        fleet.resources.is_empty() && fleet.cluster.objects.is_empty(),
        "{}",
        fleet.tail()
    );
}

#[test]
pub(crate) fn a_window_that_cannot_be_understood_is_told() {
    let mut fleet = fleet(&deny("0 25 * * *", &json!({})));
    fleet.create(application("shop"), vec![config("a", 0, "1")]);
    fleet.settle(HOUR);
    assert!(!fleet.has("ConfigMap", "a"));
    let conditions = fleet.conditions("shop");
    assert!(
        conditions.contains("SyncHeld") && conditions.contains("\"25\" is not within 0-23"),
        "{conditions}"
    );
}

#[test]
fn every_pattern_of_argo_cds_counts_and_one_that_cannot_be_read_forbids() {
    for pattern in ["{shop,other}", "sh[nop]p", "sh[!a-n]p", "s**", "\\shop", "{other,sh?p}"] {
        let mut fleet = fleet(&deny("0 9 * * *", &json!({"applications": [pattern]})));
        fleet.create(application("shop"), vec![config("a", 0, "1")]);
        fleet.settle(30 * MINUTE);
        assert!(!fleet.has("ConfigMap", "a"), "{pattern}");
        assert!(
            fleet.conditions("shop").contains("deny window spec.syncWindows[0]"),
            "{pattern}"
        );
    }
    for pattern in ["{win,other}", "sh[a-n]p", "\\*"] {
        let mut fleet = fleet(&deny("0 9 * * *", &json!({"applications": [pattern]})));
        fleet.create(application("shop"), vec![config("a", 0, "1")]);
        fleet.settle(30 * MINUTE);
        assert!(fleet.has("ConfigMap", "a"), "{pattern}: {}", fleet.tail());
    }
    for fields in [
        json!({"applications": ["[shop"]}),
        json!({"kind": "allow", "applications": ["{shop"]}),
        json!({"applications": [], "namespaces": ["[z-a]"]}),
        json!({"applications": ["other"], "clusters": ["[]"]}),
        json!({"applications": ["shop"], "namespaces": ["[]"], "andOperator": true}),
    ] {
        let mut fleet = fleet(&deny("0 12 * * *", &fields));
        fleet.create(application("shop"), vec![config("a", 0, "1")]);
        fleet.settle(30 * MINUTE);
        assert!(!fleet.has("ConfigMap", "a"), "{fields}");
        let conditions = fleet.conditions("shop");
        let expected = "spec.syncWindows[0] of AppProject default cannot be understood: ";
        assert!(conditions.contains(expected), "{fields}: {conditions}");
    }
}
