//! Claims that nobody can wait for.
//!
//! A claim of a class that binds at its first consumer stays `Pending` until a Pod mounts it. If that Pod comes later in the sync, a wave
//! that waits for the claim waits for its own successor. Whoever mounts the claim waits for its volume anyway, so the sync does not.
//! Whether the class binds so is not asked: it would be one more read, and its answer could be another when the claim is made.

use std::collections::{BTreeMap, BTreeSet};

use capstan_model::SyncPhase;
use petgraph::stable_graph::{NodeIndex, StableDiGraph};
use serde_json::Value;

use super::{Dependency, SyncTask, TaskAction};
use crate::targets::Target;

/// The claims among `nodes` that something mounts which is written in a later phase or wave.
pub(super) fn consumed_later(
    graph: &StableDiGraph<SyncTask, Dependency>,
    nodes: &[NodeIndex],
    targets: &[Target],
) -> BTreeSet<NodeIndex> {
    let written = || {
        let tasks = nodes.iter().map(|&node| (node, &graph[node]));
        tasks.filter(|(_, task)| !matches!(task.action, TaskAction::Prune) && task.phase != SyncPhase::SyncFail)
    };
    let claims: BTreeMap<(&str, &str), NodeIndex> = written()
        .filter(|(_, task)| task.key.group.is_empty() && task.key.kind == "PersistentVolumeClaim")
        .map(|(node, task)| ((&*task.key.namespace, &*task.key.name), node))
        .collect();
    let group = |task: &SyncTask| (task.phase, task.wave);
    let Some(first) = claims.values().map(|&claim| group(&graph[claim])).min() else {
        return BTreeSet::new();
    };
    let mut later = BTreeSet::new();
    // To read an object costs something: those that come no later than the first claim are not read.
    for (_, consumer) in written().filter(|(_, task)| first < group(task)) {
        let object = consumer
            .target
            .and_then(|index| targets.get(index)?.object.value().ok());
        for name in object.iter().flat_map(mounted) {
            let claim = claims.get(&(&*consumer.key.namespace, name)).copied();
            later.extend(claim.filter(|&claim| group(&graph[claim]) < group(consumer)));
        }
    }
    later
}

/// Names of the claims that the Pods of an object mount.
fn mounted(object: &Value) -> impl Iterator<Item = &str> {
    const POD_SPECS: [&str; 3] = ["/spec", "/spec/template/spec", "/spec/jobTemplate/spec/template/spec"];
    let volumes = |spec: &'static str| object.pointer(spec)?.get("volumes")?.as_array();
    let volumes = POD_SPECS.into_iter().filter_map(volumes).flatten();
    volumes.filter_map(|volume| volume.pointer("/persistentVolumeClaim/claimName")?.as_str())
}
