//! Options that nobody knows, or that have no effect where they stand: each is told, where it stands.

use serde_json::json;

use crate::rig::config;
use crate::sync_options::{rig, synced, with};

/// What is said of a ConfigMap with this annotation, and of an application with this option.
fn told(application: &str, object: &str) -> String {
    let run = synced(rig(vec![with(config("a", 0, "1"), object)], application));
    let conditions = run.rig.resource["status"]["conditions"].as_array().cloned();
    let conditions = conditions.unwrap_or_default();
    let warnings = conditions
        .iter()
        .filter(|condition| condition["type"] == "ManifestWarning");
    let messages: Vec<&str> = warnings.filter_map(|condition| condition["message"].as_str()).collect();
    messages.join("; ")
}

#[test]
fn what_is_known_is_not_told() {
    let known = "Prune=true|Replace=false|CreateNamespace=false|PrunePropagationPolicy=orphan|MaxPruneCount=3";
    assert_eq!(told(known, "Prune=true, Force=true ,Validate=false"), "");
}

#[test]
fn what_is_not_known_or_has_no_effect_is_told() {
    // What is written, and what is said of it on the application and on the object.
    let unknown = |hint: &'static str| (hint, hint);
    for (word, (of_application, of_object)) in [
        ("Prune=flase", unknown("unknown option \"Prune=flase\"")),
        ("Prune", unknown("unknown option \"Prune\"")),
        (
            "Prune = False",
            unknown("unknown option \"Prune = False\": write Prune=false"),
        ),
        (
            "prune=false",
            unknown("unknown option \"prune=false\": write Prune=false"),
        ),
        (
            "MaxPrunePercentage=101",
            unknown("unknown option \"MaxPrunePercentage=101\""),
        ),
        (
            "Force=true",
            (
                "Force=true has no effect here: write it on the object, or force a sync by its strategy",
                "",
            ),
        ),
        (
            "ApplyOutOfSyncOnly=true",
            (
                "",
                "ApplyOutOfSyncOnly=true has no effect here: it is an option of the Application",
            ),
        ),
    ] {
        let at = |place: &str, said: &str| match said {
            "" => String::new(),
            said => format!("{place}: {said}"),
        };
        assert_eq!(told(word, ""), at("spec.syncPolicy.syncOptions", of_application));
        let annotation = "shop/all.yaml:1: argocd.argoproj.io/sync-options";
        assert_eq!(told("", word), at(annotation, of_object));
    }
}

#[test]
fn what_an_operation_asks_for_and_nobody_knows_is_told_while_it_runs() {
    let mut rig = rig(
        vec![config("a", 0, "1"), crate::rig::workload("Deployment", "web", 0, "1")],
        "",
    );
    rig.cluster.broken.insert("web".into());
    rig.resource["spec"]["syncPolicy"] = json!({});
    rig.resource["metadata"]["annotations"] =
        json!({"argocd.argoproj.io/compare-options": "ServerSideDiff=true,IgnoreAll"});
    rig.resource["operation"] = json!({"sync": {"syncOptions": ["Replace=maybe"]}});
    let mut later = config("later", 1, "1");
    later["metadata"]["annotations"]["argocd.argoproj.io/compare-options"] = json!("IgnoreAll");
    rig.commits[0].1.as_mut().unwrap().push(later);
    let run = synced(rig);
    let conditions = run.rig.resource["status"]["conditions"].to_string();
    for expected in [
        "operation.sync.syncOptions: unknown option \\\"Replace=maybe\\\"",
        "metadata.annotations: argocd.argoproj.io/compare-options: unknown option \\\"IgnoreAll\\\"",
        "shop/all.yaml:21: argocd.argoproj.io/compare-options: unknown option \\\"IgnoreAll\\\"",
    ] {
        assert!(conditions.contains(expected), "{expected}: {conditions}");
    }
}

/// An automated sync takes the options of the spec over: they are told once, of the spec.
#[test]
fn what_an_operation_takes_over_from_the_spec_is_told_once() {
    let mut rig = rig(
        vec![
            crate::rig::workload("Deployment", "web", 0, "1"),
            config("later", 1, "1"),
        ],
        "Replace=maybe",
    );
    rig.cluster.broken.insert("web".into());
    let run = synced(rig);
    assert_eq!(run.rig.status("/operationState/phase"), "Running");
    let asked = run
        .rig
        .resource
        .pointer("/status/operationState/operation/sync/syncOptions");
    assert_eq!(asked, Some(&json!(["Replace=maybe"])));
    let conditions = run.rig.resource["status"]["conditions"].to_string();
    assert_eq!(conditions.matches("Replace=maybe").count(), 1, "{conditions}");
    assert!(
        conditions.contains("spec.syncPolicy.syncOptions: unknown option"),
        "{conditions}"
    );
}

#[test]
fn annotations_that_say_nothing_are_told_where_they_stand() {
    let object = |annotation: &str, word: &str| {
        let mut object = config("a", 0, "1");
        object["metadata"]["annotations"][annotation] = json!(word);
        let run = synced(rig(vec![object], ""));
        let conditions = run.rig.resource["status"]["conditions"].as_array().cloned();
        let messages = conditions.unwrap_or_default();
        let messages = messages.iter().filter_map(|condition| condition["message"].as_str());
        messages.collect::<Vec<_>>().join("; ")
    };
    for (annotation, word, said) in [
        ("helm.sh/hook", "pre-instal", "unknown hook type \"pre-instal\""),
        ("helm.sh/hook", "pre-install, PreSync", "unknown hook type \"PreSync\""),
        (
            "helm.sh/resource-policy",
            "kep",
            "unknown policy \"kep\": write keep, or leave it out",
        ),
        (
            "argocd.argoproj.io/ignore-healthcheck",
            "yes",
            "\"yes\" is neither true nor false: its health counts",
        ),
    ] {
        assert_eq!(
            object(annotation, word),
            format!("shop/all.yaml:1: {annotation}: {said}")
        );
    }
    for (annotation, word) in [
        ("helm.sh/hook", "pre-install,post-delete"),
        ("helm.sh/hook", "test-success"),
        (
            "helm.sh/hook",
            "pre-rollback, post-rollback, test, test-failure, crd-install",
        ),
        ("helm.sh/resource-policy", "keep"),
        ("argocd.argoproj.io/ignore-healthcheck", "false"),
    ] {
        assert_eq!(object(annotation, word), "", "{annotation}: {word}");
    }
}
