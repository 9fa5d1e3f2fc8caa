//! Words of an Application that look as if they did something, and do not: each is told, where it stands.

use std::time::Duration;

use capstan_model::ResourceKey;
use serde_json::{Value, json};

use crate::cluster::merge_patch;
use crate::rig::{Rig, Run, config, workload};

const MINUTE: Duration = Duration::from_secs(60);

/// An application of one ConfigMap, written like this.
fn settled(patch: &Value) -> Run {
    let mut rig = Rig::new(vec![config("a", 0, "1")]);
    merge_patch(&mut rig.resource, patch);
    let mut run = rig.start(Vec::new());
    run.settle(5 * MINUTE);
    run
}

/// What is said of it.
fn told(run: &Run) -> Vec<String> {
    let conditions = run.rig.resource["status"]["conditions"].as_array();
    let line = |condition: &Value| {
        let text = |field: &str| condition[field].as_str().unwrap_or_default().to_owned();
        format!("{}: {}", text("type"), text("message"))
    };
    conditions.into_iter().flatten().map(line).collect()
}

fn annotated(name: &str, value: &str) -> Value {
    json!({"metadata": {"annotations": {name: value}}})
}

fn is_there(run: &Run) -> bool {
    let key = ResourceKey::new("", "ConfigMap", "prod", "a");
    run.rig.cluster.objects.contains_key(&key)
}

#[test]
fn what_go_takes_for_true_skips() {
    for word in ["1", "t", "T", "true", "TRUE", "True"] {
        let run = settled(&annotated("argocd.argoproj.io/skip-reconcile", word));
        assert!(!is_there(&run), "{word}");
    }
    for word in ["0", "f", "F", "false", "FALSE", "False"] {
        let run = settled(&annotated("argocd.argoproj.io/skip-reconcile", word));
        assert!(is_there(&run) && told(&run).is_empty(), "{word}: {:?}", told(&run));
    }
}

#[test]
fn an_annotation_that_says_nothing_is_told() {
    let duration = "not a duration such as 90s or 2h: the default counts";
    for (name, word, why) in [
        (
            "argocd.argoproj.io/skip-reconcile",
            "yes",
            "neither true nor false: nothing is skipped",
        ),
        (
            "argocd.argoproj.io/skip-reconcile",
            "",
            "neither true nor false: nothing is skipped",
        ),
        ("capstan.dev/sync-timeout", "banana", duration),
        ("capstan.dev/wave-timeout", "xyz", duration),
        (
            "capstan.dev/supersede",
            "no",
            "neither true nor false: it counts as true",
        ),
    ] {
        let run = settled(&annotated(name, word));
        assert!(is_there(&run), "{name}");
        let expected = format!("ManifestWarning: metadata.annotations: {name}: {word:?} is {why}");
        assert_eq!(told(&run), [expected]);
    }
    for (name, word) in [("sync-timeout", "90s"), ("wave-timeout", "2h"), ("supersede", "false")] {
        let run = settled(&annotated(&format!("capstan.dev/{name}"), word));
        assert!(told(&run).is_empty(), "{name}: {:?}", told(&run));
    }
}

#[test]
fn a_path_that_ignores_nothing_is_told_and_ignores_nothing() {
    let key = ResourceKey::new("apps", "Deployment", "prod", "web");
    for (field, path, why) in [
        (
            "jqPathExpressions",
            ".spec.replicas",
            "jq paths are not understood, write the field to jsonPointers",
        ),
        (
            "jsonPointers",
            "spec.replicas",
            "it is no JSON pointer such as /spec/replicas",
        ),
        ("jsonPointers", "", "it is no JSON pointer such as /spec/replicas"),
    ] {
        let mut rig = Rig::new(vec![workload("Deployment", "web", 0, "1")]);
        let mut rule = json!({"group": "apps", "kind": "Deployment"});
        rule[field] = json!([path]);
        rig.resource["spec"]["ignoreDifferences"] = json!([{"kind": "Service", "jsonPointers": ["/spec"]}, rule]);
        let mut run = rig.start(Vec::new());
        run.settle(MINUTE);
        let expected = format!("ManifestWarning: spec.ignoreDifferences[1].{field}: {path:?} is not ignored: {why}");
        assert_eq!(told(&run), [expected]);
        run.edit(&key, &["spec", "replicas"], json!(7), "kubectl-edit");
        run.settle(MINUTE);
        assert_eq!(run.rig.cluster.objects[&key]["spec"]["replicas"], 1, "{field}: {path}");
    }
}

#[test]
fn a_rule_whose_pattern_cannot_be_read_ignores_nothing_and_is_told() {
    let key = ResourceKey::new("apps", "Deployment", "prod", "web");
    for (kind, replicas) in [("{StatefulSet,Deployment}", 7), ("[D-A]*", 1)] {
        let mut rig = Rig::new(vec![workload("Deployment", "web", 0, "1")]);
        rig.resource["spec"]["ignoreDifferences"] =
            json!([{"group": "apps", "kind": kind, "jsonPointers": ["/spec/replicas"]}]);
        let mut run = rig.start(Vec::new());
        run.settle(MINUTE);
        run.edit(&key, &["spec", "replicas"], json!(7), "kubectl-edit");
        run.settle(MINUTE);
        assert_eq!(run.rig.cluster.objects[&key]["spec"]["replicas"], replicas, "{kind}");
        let is_told = told(&run)
            .iter()
            .any(|line| line.contains("spec.ignoreDifferences[0].kind: pattern \"[D-A]*\""));
        assert_eq!(is_told, replicas == 1, "{:?}", told(&run));
    }
}

#[test]
fn a_wait_that_is_none_is_told_while_the_operation_runs() {
    let mut rig = Rig::new(vec![workload("Deployment", "web", 0, "1"), config("later", 1, "1")]);
    rig.cluster.broken.insert("web".into());
    rig.resource["spec"]["syncPolicy"] = json!({});
    rig.resource["operation"] =
        json!({"sync": {}, "retry": {"limit": -1, "backoff": {"duration": "banana", "maxDuration": "3"}}});
    let mut run = rig.start(Vec::new());
    run.settle(5 * MINUTE);
    let expected = "ManifestWarning: operation.retry: backoff.duration: \"banana\" is not a duration such as 5s, 3m or 1h30m: it is 5s";
    assert!(told(&run).iter().any(|line| line == expected), "{:?}", told(&run));
}

#[test]
fn a_verdict_that_is_not_known_is_written_as_unknown() {
    // Refused, and not readable.
    let refused = json!({"spec": {"project": "nowhere"}});
    let mut rig = Rig::new(vec![config("a", 0, "1")]);
    rig.commits[0].1 = Err("chart is broken".into());
    let mut unreadable = rig.start(Vec::new());
    unreadable.settle(MINUTE);
    for (run, condition) in [(settled(&refused), "InvalidSpecError"), (unreadable, "ComparisonError")] {
        assert!(told(&run)[0].starts_with(condition), "{:?}", told(&run));
        let status = &run.rig.resource["status"];
        assert_eq!(status["sync"]["status"], "Unknown", "{status}");
        assert_eq!(status["health"]["status"], "Unknown", "{status}");
    }
}
