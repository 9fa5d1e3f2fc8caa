//! Options that nobody knows, or that have no effect where they stand: each is told, where it stands.

use serde_json::json;

use crate::rig::config;
use crate::sync_options::{rig, synced, with};

#[test]
fn what_is_not_known_or_has_no_effect_is_told() {
    let told = |application: &str, object: &str| {
        let run = synced(rig(vec![with(config("a", 0, "1"), object)], application));
        let conditions = run.rig.resource["status"]["conditions"].as_array().cloned();
        let messages = conditions.unwrap_or_default();
        let messages = messages
            .iter()
            .filter(|condition| condition["type"] == "ManifestWarning");
        let messages: Vec<&str> = messages.filter_map(|condition| condition["message"].as_str()).collect();
        messages.join("; ")
    };
    let (spec, annotation) = (
        "spec.syncPolicy.syncOptions",
        "shop/all.yaml:1: argocd.argoproj.io/sync-options",
    );
    for (application, object, expected) in [
        (
            "Prune=true|Replace=false|CreateNamespace=false",
            "Prune=true,Force=true",
            String::new(),
        ),
        ("Prune=flase", "", format!("{spec}: unknown option \"Prune=flase\"")),
        (
            "",
            "Prune=flase",
            format!("{annotation}: unknown option \"Prune=flase\""),
        ),
        ("", "Prune", format!("{annotation}: unknown option \"Prune\"")),
        (
            "Prune = False",
            "",
            format!("{spec}: unknown option \"Prune = False\": write Prune=false"),
        ),
        (
            "",
            "prune=false",
            format!("{annotation}: unknown option \"prune=false\": write Prune=false"),
        ),
        (
            "Force=true",
            "",
            format!("{spec}: Force=true has no effect here: write it on the object, or force a sync by its strategy"),
        ),
        (
            "",
            "ApplyOutOfSyncOnly=true",
            format!("{annotation}: ApplyOutOfSyncOnly=true has no effect here: it is an option of the Application"),
        ),
    ] {
        assert_eq!(
            told(application, object),
            expected,
            "application {application:?}, object {object:?}"
        );
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
