//! As whom is written: every write of an application's life as the account that its project names, or none at all.

use std::collections::BTreeSet;
use std::time::Duration;

use capstan_engine::effect::Effect;
use capstan_engine::settings::Guards;
use capstan_engine::{Event, Settings};
use capstan_model::{AppProject, Identity, ResourceKey};
use serde_json::{Value, json};

use crate::fleet::{Fleet, application};
use crate::rig::{config, hook};

const MINUTE: Duration = Duration::from_secs(60);
const DEPLOYER: &str = "system:serviceaccount:prod:deployer";
const OTHER: &str = "system:serviceaccount:ops:other";

/// What is written to a destination is written as somebody, and nothing else is.
pub(crate) fn is_as_somebody(effect: &Effect) {
    assert_eq!(effect.kind.is_deployment(), effect.identity.is_some(), "{effect:?}");
}

fn impersonating() -> Settings {
    Settings {
        impersonation: true,
        ..Settings::default()
    }
}

fn project(account: &str) -> Value {
    let mut project = serde_json::to_value(AppProject::permissive("default")).unwrap();
    if !account.is_empty() {
        project["spec"]["destinationServiceAccounts"] =
            json!([{"server": "*", "namespace": "*", "defaultServiceAccount": account}]);
    }
    project
}

fn fleet(settings: Settings, account: &str) -> Fleet {
    let mut fleet = Fleet::with(settings);
    fleet.project(&project(account));
    fleet
}

/// As whom was written since the `from`-th effect.
fn writers(fleet: &Fleet, from: usize) -> BTreeSet<String> {
    let writers = fleet.written[from..].iter();
    writers.map(|(_, identity)| identity.to_string()).collect()
}

fn only(writer: &str) -> BTreeSet<String> {
    BTreeSet::from([writer.to_owned()])
}

fn cascading(options: &Value) -> Value {
    let mut resource = application("shop");
    resource["metadata"]["finalizers"] = json!(["resources-finalizer.argocd.argoproj.io"]);
    resource["spec"]["syncPolicy"]["syncOptions"] = options.clone();
    resource
}

/// A namespace that is made, hooks, waves, an object that is replaced, one that is pruned, drift, and a deletion with hooks.
fn life(settings: Settings, account: &str) -> Fleet {
    let mut fleet = fleet(settings, account);
    let mut replaced = config("r", 1, "1");
    replaced["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] = json!("Replace=true,Force=true");
    // It may remove itself, so it is held until it is recorded how it ended.
    let mut held = hook("migrate", "PreSync");
    held["spec"]["ttlSecondsAfterFinished"] = json!(60);
    let objects = |value: &str| {
        vec![
            held.clone(),
            hook("backup", "PreDelete"),
            hook("farewell", "PostDelete"),
            config("a", 0, value),
            replaced.clone(),
        ]
    };
    let mut all = objects("1");
    all.push(config("b", 2, "1"));
    fleet.create(cascading(&json!(["CreateNamespace=true"])), all);
    fleet.settle(MINUTE);
    assert_eq!(fleet.sync("shop"), "Synced Healthy", "{}", fleet.tail());
    fleet.push("shop", objects("2"));
    fleet.settle(MINUTE);
    assert!(!fleet.has("ConfigMap", "b"), "{}", fleet.tail());
    fleet.vanish(&ResourceKey::new("", "ConfigMap", "prod", "a"));
    fleet.settle(MINUTE);
    assert!(fleet.has("ConfigMap", "a"), "{}", fleet.tail());
    fleet.delete("shop");
    fleet.settle(10 * MINUTE);
    assert!(!fleet.resources.contains_key("shop"), "{}", fleet.journal());
    fleet
}

#[test]
fn a_whole_life_is_written_as_the_account_that_the_project_names() {
    for guards in [Guards::Capstan, Guards::Argo] {
        let settings = Settings {
            guards,
            ..impersonating()
        };
        let fleet = life(settings, "deployer");
        assert_eq!(writers(&fleet, 0), only(DEPLOYER), "{guards:?}");
        let verbs = [
            "try to",
            "apply Namespace",
            "create Job",
            "delete ConfigMap",
            "unfinalize Job",
            "delete Job",
        ];
        let tried = if guards == Guards::Argo { 1 } else { 0 };
        for verb in &verbs[tried..] {
            let is_there = |(what, _): &(String, Identity)| what.contains(verb);
            assert!(fleet.written.iter().any(is_there), "{guards:?}: no {verb}");
        }
    }
}

#[test]
fn without_impersonation_everything_is_the_controller_s_own() {
    let fleet = life(Settings::default(), "deployer");
    assert_eq!(writers(&fleet, 0), only("the controller"));
}

#[test]
fn without_an_account_nothing_is_written_and_it_is_said_what_to_do() {
    for (account, word) in [
        ("", "names no service account"),
        (" ", "[0].defaultServiceAccount"),
        ("a:b:c", "[0].defaultServiceAccount"),
        ("*", "[0].defaultServiceAccount"),
    ] {
        for guards in [Guards::Capstan, Guards::Argo] {
            let settings = Settings {
                guards,
                ..impersonating()
            };
            let mut fleet = fleet(settings, account);
            if account == " " {
                fleet.project(&{
                    let mut project = project("x");
                    project["spec"]["destinationServiceAccounts"][0]["defaultServiceAccount"] = json!(" ");
                    project
                });
            }
            fleet.create(cascading(&json!(["CreateNamespace=true"])), vec![config("a", 0, "1")]);
            fleet.settle(MINUTE);
            assert!(fleet.written.is_empty(), "{account:?}: {:?}", fleet.written);
            let told = fleet.status("shop", "/operationState/message").to_owned();
            assert!(
                told.contains(word)
                    && told.contains("project default")
                    && told.contains("spec.destinationServiceAccounts"),
                "{told}"
            );
            // Somebody adds what is missing: the next attempt goes.
            fleet.project(&project("deployer"));
            fleet.settle(20 * MINUTE);
            assert_eq!(writers(&fleet, 0), only(DEPLOYER), "{}", fleet.journal());
            assert_eq!(fleet.sync("shop"), "Synced Healthy");
        }
    }
}

#[test]
fn an_operation_writes_as_one_account_whatever_becomes_of_the_project() {
    for guards in [Guards::Capstan, Guards::Argo] {
        let settings = Settings {
            guards,
            ..impersonating()
        };
        let mut fleet = fleet(settings, "deployer");
        fleet.cluster.refused_late.insert("c".into());
        let objects = || vec![config("a", 0, "1"), config("b", 1, "1"), config("c", 2, "1")];
        fleet.create(cascading(&json!([])), objects());
        while fleet.written.is_empty() {
            assert!(!fleet.drive(1), "{}", fleet.tail());
        }
        fleet.project(&project("ops:other"));
        fleet.settle(MINUTE / 6);
        assert!(
            fleet.has("ConfigMap", "b") && !fleet.has("ConfigMap", "c"),
            "{}",
            fleet.tail()
        );
        // Its next attempt belongs to it.
        fleet.cluster.refused_late.clear();
        fleet.settle(2 * MINUTE);
        assert!(fleet.has("ConfigMap", "c"), "{}", fleet.journal());
        assert_eq!(writers(&fleet, 0), only(DEPLOYER), "{guards:?}");
        // What comes after it asks the project as it is: drift, another operation, the deletion.
        let from = fleet.written.len();
        fleet.vanish(&ResourceKey::new("", "ConfigMap", "prod", "a"));
        fleet.settle(MINUTE);
        fleet.push("shop", vec![config("a", 0, "2")]);
        fleet.settle(MINUTE);
        fleet.delete("shop");
        fleet.settle(MINUTE);
        assert!(!fleet.resources.contains_key("shop"), "{}", fleet.journal());
        assert_eq!(writers(&fleet, from), only(OTHER), "{guards:?}");
    }
}

#[test]
fn who_may_edit_an_application_chooses_no_account() {
    let mut fleet = fleet(impersonating(), "deployer");
    fleet.create(
        cascading(&json!([])),
        vec![hook("migrate", "PreSync"), config("a", 0, "1")],
    );
    while fleet.written.is_empty() {
        assert!(!fleet.drive(1), "{}", fleet.tail());
    }
    let info = fleet.resources["shop"]["status"]["operationState"]["operation"]["info"].clone();
    assert!(info.to_string().contains(DEPLOYER), "who writes is told: {info}");
    let forged = info
        .to_string()
        .replace(DEPLOYER, "system:serviceaccount:kube-system:admin");
    let forged: Value = serde_json::from_str(&forged).unwrap();
    fleet.patch(
        "shop",
        &json!({"status": {"operationState": {"operation": {"info": forged}}},
            "metadata": {"annotations": {"capstan.dev/identity": "system:serviceaccount:kube-system:admin"}}}),
    );
    fleet.restart();
    fleet.settle(10 * MINUTE);
    assert!(fleet.has("ConfigMap", "a"), "{}", fleet.journal());
    assert_eq!(writers(&fleet, 0), only(DEPLOYER));
}

#[test]
fn drift_stays_where_nobody_may_put_it_right() {
    let mut fleet = fleet(impersonating(), "deployer");
    fleet.create(application("shop"), vec![config("a", 0, "1")]);
    fleet.settle(MINUTE);
    let from = fleet.written.len();
    fleet.project(&project(""));
    fleet.vanish(&ResourceKey::new("", "ConfigMap", "prod", "a"));
    fleet.settle(MINUTE);
    assert_eq!(fleet.written.len(), from, "{}", fleet.tail());
    fleet.project(&project("deployer"));
    fleet.settle(20 * MINUTE);
    assert!(fleet.has("ConfigMap", "a"), "{}", fleet.journal());
    assert_eq!(writers(&fleet, 0), only(DEPLOYER));
}

#[test]
fn a_deletion_waits_for_its_account() {
    let mut fleet = fleet(impersonating(), "deployer");
    fleet.create(cascading(&json!([])), vec![config("a", 0, "1")]);
    fleet.settle(MINUTE);
    let from = fleet.written.len();
    fleet.project(&project(""));
    fleet.delete("shop");
    fleet.settle(MINUTE);
    assert_eq!(fleet.written.len(), from, "{}", fleet.tail());
    let waits = fleet.view("shop").deletion.unwrap().waits.join("\n");
    assert!(waits.contains("spec.destinationServiceAccounts"), "{waits}");
    fleet.project(&project("deployer"));
    fleet.settle(MINUTE);
    assert!(!fleet.resources.contains_key("shop"), "{}", fleet.journal());
    assert_eq!(writers(&fleet, 0), only(DEPLOYER));
}

#[test]
fn a_deletion_without_its_project_waits_where_it_impersonates() {
    for (impersonation, is_gone) in [(true, false), (false, true)] {
        let mut fleet = fleet(
            Settings {
                impersonation,
                ..Settings::default()
            },
            "deployer",
        );
        let mut team = project("deployer");
        team["metadata"]["name"] = json!("team");
        fleet.project(&team);
        let mut resource = cascading(&json!([]));
        resource["spec"]["project"] = json!("team");
        fleet.create(resource, vec![config("a", 0, "1")]);
        fleet.settle(MINUTE);
        fleet.handle(Event::ProjectGone("team".into()));
        fleet.delete("shop");
        fleet.settle(MINUTE);
        assert_eq!(!fleet.has("ConfigMap", "a"), is_gone, "{}", fleet.journal());
        if impersonation {
            let waits = fleet.view("shop").deletion.unwrap().waits.join("\n");
            assert!(waits.contains(r#"AppProject "team" in namespace argocd"#), "{waits}");
        }
        fleet.project(&team);
        fleet.settle(MINUTE);
        assert!(!fleet.resources.contains_key("shop"), "{}", fleet.journal());
    }
}

#[test]
fn what_the_project_does_not_permit_is_left_by_a_deletion() {
    let mut fleet = fleet(Settings::default(), "");
    let mut secret = config("s", 0, "1");
    secret["kind"] = json!("Secret");
    fleet.create(cascading(&json!([])), vec![config("a", 0, "1"), secret]);
    fleet.settle(MINUTE);
    let mut narrow = project("");
    narrow["spec"]["namespaceResourceBlacklist"] = json!([{"group": "", "kind": "Secret"}]);
    fleet.project(&narrow);
    fleet.delete("shop");
    fleet.settle(MINUTE);
    assert!(!fleet.resources.contains_key("shop"), "{}", fleet.journal());
    assert!(fleet.has("Secret", "s") && !fleet.has("ConfigMap", "a"));
    let told = "Secret/prod/s: Present → Left — namespaced kind Secret is not permitted in project default";
    assert_eq!(fleet.journal().matches(told).count(), 1, "{}", fleet.journal());
}
