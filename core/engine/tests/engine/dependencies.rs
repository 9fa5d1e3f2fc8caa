//! Applications that wait for Applications.

use std::time::Duration;

use capstan_engine::Event;
use capstan_model::ApplicationId;
use serde_json::json;

use crate::fleet::{Fleet, application, waiting};
use crate::rig::{config, workload};

const MINUTE: Duration = Duration::from_secs(60);

fn slow(name: &str, image: &str) -> serde_json::Value {
    workload("Deployment", name, 0, image)
}

#[test]
fn an_application_waits_until_what_it_names_is_synced_and_healthy_at_its_newest_commit() {
    let mut fleet = Fleet::new();
    fleet.create(waiting("api", "db, argocd/cache"), vec![config("api", 0, "1")]);
    fleet.settle(MINUTE);
    assert!(!fleet.has("ConfigMap", "api"), "{}", fleet.tail());
    let conditions = fleet.conditions("api");
    assert!(
        conditions.contains("SyncHeld since 2026-03-14T09:00:00Z: waiting for Application argocd/db (capstan.dev/depends-on): there is no such Application"),
        "{conditions}"
    );
    let sentence = fleet.view("api").sentence;
    assert!(
        sentence.ends_with("there is no such Application, since 2026-03-14T09:00:00Z"),
        "{sentence}"
    );

    fleet.cluster.broken.insert("db".into());
    fleet.create(application("db"), vec![slow("db", "1")]);
    fleet.create(application("cache"), vec![config("cache", 0, "1")]);
    fleet.settle(MINUTE);
    assert!(!fleet.has("ConfigMap", "api"), "{}", fleet.tail());
    let conditions = fleet.conditions("api");
    assert!(
        conditions.contains("argocd/db (capstan.dev/depends-on): it is Synced, but Degraded"),
        "{conditions}"
    );
    assert!(!conditions.contains("argocd/cache"), "{conditions}");

    fleet.cluster.broken.clear();
    fleet.push("db", vec![slow("db", "2")]);
    fleet.settle(MINUTE);
    assert_eq!(
        (fleet.sync("db"), fleet.sync("api")),
        ("Synced Healthy".into(), "Synced Healthy".into())
    );
    assert_eq!(fleet.conditions("api"), "");
    insta::assert_snapshot!(fleet.journal());
}

#[test]
fn a_commit_that_concerns_both_is_first_where_others_wait_for_it() {
    let mut fleet = Fleet::new();
    // In the order of names the one that waits is looked at first.
    let mut api = waiting("api", "db");
    api["spec"]["source"]["repoURL"] = json!("https://example.com/db.git");
    fleet.create(application("db"), vec![slow("db", "1")]);
    fleet.create(api, vec![config("api", 0, "1")]);
    fleet.settle(MINUTE);
    assert_eq!(fleet.sync("api"), "Synced Healthy", "{}", fleet.tail());

    let commits = fleet.commits.get_mut("api").unwrap();
    commits.push(("00002".to_owned() + &"c".repeat(35), Ok(vec![config("api", 0, "2")])));
    let from = fleet.log.len();
    fleet.push("db", vec![slow("db", "2")]);
    fleet.settle(MINUTE);
    let applies: Vec<&String> = fleet.log[from..]
        .iter()
        .filter(|line| line.contains(" apply "))
        .collect();
    assert!(
        applies.len() == 2 && applies[0].contains("Deployment/prod/db"),
        "{applies:?}"
    );
    assert_eq!(fleet.sync("api"), "Synced Healthy");
}

#[test]
fn what_was_there_is_kept_as_it_was_while_its_sync_waits() {
    let mut fleet = Fleet::new();
    fleet.create(application("db"), vec![slow("db", "1")]);
    fleet.create(waiting("api", "db"), vec![config("api", 0, "1")]);
    fleet.settle(MINUTE);
    fleet.cluster.broken.insert("db".into());
    fleet.push("db", vec![slow("db", "2")]);
    fleet.settle(MINUTE);
    let key = fleet
        .cluster
        .objects
        .keys()
        .find(|key| key.name == "api")
        .unwrap()
        .clone();
    fleet.vanish(&key);
    fleet.settle(MINUTE);
    assert!(fleet.has("ConfigMap", "api"), "{}", fleet.tail());
    fleet.push("api", vec![config("api", 0, "2")]);
    fleet.settle(MINUTE);
    assert_eq!(fleet.cluster.objects[&key]["data"]["v"], "1");
    assert!(
        fleet.conditions("api").contains("SyncHeld"),
        "{}",
        fleet.conditions("api")
    );
}

#[test]
fn applications_that_wait_for_each_other_are_told_who_they_are() {
    let mut fleet = Fleet::new();
    fleet.create(waiting("a", "b"), vec![config("a", 0, "1")]);
    fleet.create(waiting("b", "c"), vec![config("b", 0, "1")]);
    fleet.create(waiting("d", "a"), vec![config("d", 0, "1")]);
    fleet.settle(MINUTE);
    fleet.create(waiting("c", "a"), vec![config("c", 0, "1")]);
    fleet.settle(MINUTE);
    for (name, members) in [
        ("a", "argocd/a → argocd/b → argocd/c → argocd/a"),
        ("b", "argocd/b → argocd/c → argocd/a → argocd/b"),
        ("c", "argocd/c → argocd/a → argocd/b → argocd/c"),
    ] {
        let conditions = fleet.conditions(name);
        assert!(
            conditions.contains("SyncError") && conditions.contains(members),
            "{conditions}"
        );
    }
    // It is in no cycle: it waits for one that is.
    assert!(fleet.conditions("d").contains("SyncHeld"), "{}", fleet.conditions("d"));
    assert!(fleet.cluster.objects.is_empty());

    // A person's sync fails at once, and says the same.
    fleet.patch(
        "a",
        &json!({"operation": {"initiatedBy": {"username": "ada"}, "sync": {}}}),
    );
    fleet.settle(MINUTE);
    assert_eq!(fleet.status("a", "/operationState/phase"), "Error");
    assert!(
        fleet
            .status("a", "/operationState/message")
            .contains("argocd/a → argocd/b")
    );

    fleet.patch(
        "c",
        &json!({"metadata": {"annotations": {"capstan.dev/depends-on": null}}}),
    );
    fleet.settle(MINUTE);
    for name in ["b", "c"] {
        assert_eq!(fleet.sync(name), "Synced Healthy", "{}", fleet.tail());
    }
}

#[test]
fn a_word_that_names_no_application_is_an_error_and_not_passed_over() {
    let mut fleet = Fleet::new();
    fleet.create(waiting("api", "Deployment/db"), vec![config("api", 0, "1")]);
    fleet.settle(MINUTE);
    assert!(!fleet.has("ConfigMap", "api"));
    let conditions = fleet.conditions("api");
    assert!(
        conditions.contains("SyncError") && conditions.contains("\"Deployment/db\" names no Application"),
        "{conditions}"
    );
}

#[test]
fn a_person_s_sync_begins_and_waits_and_has_an_end() {
    let mut fleet = Fleet::new();
    let mut api = waiting("api", "db");
    api["spec"]["syncPolicy"] = json!({});
    api["metadata"]["annotations"]["capstan.dev/sync-timeout"] = json!("10m");
    fleet.create(api, vec![config("api", 0, "1")]);
    fleet.settle(MINUTE);
    assert_eq!(fleet.conditions("api"), "");
    fleet.patch(
        "api",
        &json!({"operation": {"initiatedBy": {"username": "ada"}, "sync": {}}}),
    );
    fleet.settle(MINUTE);
    let message = fleet.status("api", "/operationState/message").to_owned();
    assert_eq!(
        message,
        "waiting for Application argocd/db (capstan.dev/depends-on): there is no such Application, since 2026-03-14T09:01:00Z, until 2026-03-14T09:11:00Z"
    );
    // A new process waits on, and not for longer.
    fleet.restart();
    fleet.settle(MINUTE);
    assert_eq!(fleet.status("api", "/operationState/message"), message);
    assert!(!fleet.has("ConfigMap", "api"));
    fleet.settle(10 * MINUTE);
    assert_eq!(fleet.status("api", "/operationState/phase"), "Failed");
    let message = fleet.status("api", "/operationState/message");
    assert!(
        message.contains("longer than 10m") && message.contains("argocd/db"),
        "{message}"
    );
    // Nothing was tried, so it counts as no failed sync of these objects.
    let info = fleet.resources["api"]["status"]["operationState"]["operation"]["info"].to_string();
    assert!(info.contains("capstan.dev/not-begun"), "{info}");

    fleet.patch(
        "api",
        &json!({"operation": {"initiatedBy": {"username": "ada"}, "sync": {}}}),
    );
    fleet.create(application("db"), vec![config("db", 0, "1")]);
    fleet.settle(MINUTE);
    assert_eq!(
        fleet.status("api", "/operationState/phase"),
        "Succeeded",
        "{}",
        fleet.tail()
    );
    assert_eq!(fleet.sync("api"), "Synced Healthy");
}

#[test]
fn what_has_begun_goes_on_after_a_crash() {
    let mut fleet = Fleet::new();
    fleet.create(application("db"), vec![config("db", 0, "1")]);
    fleet.create(waiting("api", "db"), vec![slow("one", "1"), config("two", 1, "1")]);
    while !fleet.has("Deployment", "one") {
        assert!(!fleet.drive(1), "{}", fleet.tail());
    }
    assert!(!fleet.has("ConfigMap", "two"));
    // Its first wave is recorded before the process ends.
    while fleet.status("api", "/operationState/syncResult/resources/0/status") != "Synced" {
        assert!(!fleet.drive(1), "{}", fleet.tail());
        assert!(!fleet.has("ConfigMap", "two"));
    }
    fleet.unreadable.insert("db".into());
    fleet.restart();
    fleet.settle(MINUTE);
    assert!(fleet.has("ConfigMap", "two"), "{}", fleet.tail());
}

#[test]
fn one_that_is_gone_again_is_waited_for_again() {
    let mut fleet = Fleet::new();
    fleet.create(application("db"), vec![config("db", 0, "1")]);
    fleet.create(waiting("api", "db"), vec![config("api", 0, "1")]);
    fleet.settle(MINUTE);
    fleet.resources.remove("db");
    fleet.handle(Event::ApplicationGone(ApplicationId::new("argocd", "db")));
    fleet.push("api", vec![config("api", 0, "2")]);
    fleet.settle(MINUTE);
    assert!(
        fleet.conditions("api").contains("there is no such Application"),
        "{}",
        fleet.conditions("api")
    );
}

#[test]
fn a_parent_may_hold_applications_that_wait_for_those_of_others() {
    use capstan_engine::plan::{Plan, PlanRequest};
    use capstan_engine::settings::Guards;
    use capstan_engine::targets::TargetContext;
    use capstan_model::SyncOptions;
    let context = TargetContext::default();
    let objects = [waiting("api", "db, Application/cache"), application("cache")];
    let targets = crate::rig::targets(&objects, &context);
    let options = SyncOptions::default();
    let request = PlanRequest {
        targets: &targets,
        prune: &[],
        hooks: true,
        selection: &[],
        options: &options,
        destination_namespace: "",
        create_namespace: false,
        hook_suffix: "",
        guards: Guards::default(),
    };
    let plan = Plan::new(&request).unwrap();
    let order: Vec<&str> = plan.tasks().map(|(_, task)| task.key.name.as_str()).collect();
    assert_eq!(order, ["cache", "api"]);
}
