//! Argo CD's order of tasks: phases, waves, kinds, names; prunes in reversed waves; namespaces and definitions before their first user.

use std::collections::BTreeMap;

use capstan_model::{GroupKind, ResourceKey, SyncPhase};

use super::task::Task;
use crate::plan::rank;

/// Orders the tasks. `defines` gives the kind that a task's object defines.
pub(super) fn order(tasks: &mut Vec<Task>, defines: &dyn Fn(&Task) -> Option<GroupKind>) {
    reverse_prunes(tasks);
    prune_last(tasks);
    let key = |task: &Task| (task.phase, task.wave, rank(&task.key.kind));
    tasks.sort_by(|a, b| (key(a), &a.key.name).cmp(&(key(b), &b.key.name)));
    bubble(tasks, |task| {
        let is_namespace = task.key.group.is_empty() && task.key.kind == "Namespace";
        match is_namespace {
            true => Role::Needed(task.key.name.clone()),
            false if task.reported.namespace.is_empty() => Role::Neither,
            false => Role::Needs(task.reported.namespace.clone()),
        }
    });
    bubble(tasks, |task| match defines(task) {
        Some(kind) => Role::Needed(kind),
        None if is_definition(&task.key) => Role::Neither,
        None => Role::Needs(task.key.group_kind()),
    });
}

fn is_definition(key: &ResourceKey) -> bool {
    key.group == "apiextensions.k8s.io" && key.kind == "CustomResourceDefinition"
}

/// The first wave that prunes swaps with the last one, the second with the last but one.
fn reverse_prunes(tasks: &mut [Task]) {
    let waves: std::collections::BTreeSet<i64> = tasks
        .iter()
        .filter(|task| task.is_prune())
        .map(|task| task.wave)
        .collect();
    let reversed: BTreeMap<i64, i64> = waves.iter().copied().zip(waves.iter().rev().copied()).collect();
    for task in tasks.iter_mut().filter(|task| task.is_prune()) {
        task.wave = reversed.get(&task.wave).copied().unwrap_or(task.wave);
    }
}

/// What is to be pruned last gets a wave after every other of phase Sync.
fn prune_last(tasks: &mut [Task]) {
    let waves = tasks
        .iter()
        .filter(|task| task.phase == SyncPhase::Sync)
        .map(|task| task.wave);
    let after = waves.max().unwrap_or(0).max(0).saturating_add(1);
    for task in tasks.iter_mut().filter(|task| task.is_prune() && task.prune_last) {
        task.wave = after;
    }
}

enum Role<K> {
    Needed(K),
    Needs(K),
    Neither,
}

/// What is needed by an earlier task moves right before the first that needs it, and into its phase and wave.
fn bubble<K: Ord>(tasks: &mut Vec<Task>, role: impl Fn(&Task) -> Role<K>) {
    let mut first_user: BTreeMap<K, usize> = BTreeMap::new();
    for at in 0..tasks.len() {
        if tasks[at].is_prune() {
            continue;
        }
        match role(&tasks[at]) {
            Role::Needs(what) => drop(first_user.entry(what).or_insert(at)),
            Role::Neither => {}
            Role::Needed(what) => {
                let Some(&before) = first_user.get(&what) else { continue };
                let mut task = tasks.remove(at);
                (task.phase, task.wave) = (tasks[before].phase, tasks[before].wave);
                tasks.insert(before, task);
                for index in first_user.values_mut().filter(|index| **index >= before) {
                    *index += 1;
                }
            }
        }
    }
}
