//! The Application and its project, as they stand in the cluster, and what a status says.

use capstan_engine::EffectKind;
use capstan_model::{AppProject, ClusterId};
use serde_json::{Value, json};

use super::sources::repository;
use crate::generate::{Case, Policy, Window};
use crate::objects::{HOME, text};

/// The operation that runs by this status: its number, and the attempt.
pub(crate) fn running(status: &Value) -> Option<(u64, u64)> {
    let state = &status["operationState"];
    let is_over = matches!(text(state, "/phase"), "" | "Succeeded" | "Failed" | "Error");
    (!is_over).then(|| (number(status), state["retryCount"].as_u64().unwrap_or(0)))
}

/// The number of the operation that this status speaks of.
pub(crate) fn number(status: &Value) -> u64 {
    let info = status
        .pointer("/operationState/operation/info")
        .and_then(Value::as_array);
    let entry = info
        .into_iter()
        .flatten()
        .find(|entry| text(entry, "/name") == "capstan.dev/epoch");
    entry.and_then(|entry| text(entry, "/value").parse().ok()).unwrap_or(0)
}

pub(super) fn resource(case: &Case) -> Value {
    let policy = &case.policy;
    let mut spec = json!({
        "project": "default",
        "destination": {"server": ClusterId::IN_CLUSTER, "namespace": HOME}
    });
    let source = |n| json!({"repoURL": repository(n), "path": "shop", "targetRevision": "main"});
    match case.further.len() {
        0 => spec["source"] = source(0),
        further => spec["sources"] = (0..=further).map(source).collect(),
    }
    let finalizers: &[&str] = if policy.cascades {
        &["resources-finalizer.argocd.argoproj.io"]
    } else {
        &[]
    };
    let mut resource = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
        "metadata": {"name": "shop", "namespace": "argocd", "uid": "app-uid", "resourceVersion": "1", "generation": 1,
            "finalizers": finalizers},
        "spec": spec
    });
    write_spec(&mut resource, policy, "main");
    resource
}

/// What of the spec people change.
pub(super) fn write_spec(resource: &mut Value, policy: &Policy, revision: &str) {
    let spec = &mut resource["spec"];
    if spec["sources"].is_null() {
        spec["source"]["targetRevision"] = json!(revision);
    }
    spec["syncPolicy"] = json!({
        "syncOptions": policy.options,
        "retry": {"limit": policy.retries, "refresh": policy.refreshes, "backoff": {"duration": "5s", "maxDuration": "1m"}}
    });
    spec["ignoreDifferences"] = match policy.ignores {
        true => json!([{"group": "apps", "kind": "Deployment", "name": "d1", "jsonPointers": ["/spec/replicas"]}]),
        false => json!([]),
    };
    if policy.automated {
        spec["syncPolicy"]["automated"] =
            json!({"prune": policy.prune, "selfHeal": policy.heals, "allowEmpty": policy.allow_empty});
    }
}

/// The project of everything, with these windows.
pub(super) fn project(windows: &[Window]) -> AppProject {
    let windows: Vec<Value> = windows.iter().map(Window::written).collect();
    let project = json!({"metadata": {"name": "default", "namespace": "argocd"}, "spec": {"sourceRepos": ["*"],
        "destinations": [{"server": "*", "namespace": "*"}], "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
        "syncWindows": windows}});
    serde_json::from_value(project).unwrap_or_else(|why| panic!("the world wrote a project that cannot be read: {why}"))
}

/// Is it asked what the source says now?
pub(super) fn is_of_source(kind: &EffectKind) -> bool {
    match kind {
        EffectKind::ResolveRevision { .. } => true,
        EffectKind::Render(task) => !task.bypass_cache,
        _ => false,
    }
}
