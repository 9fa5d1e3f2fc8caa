//! `capstan.dev/depends-on` between the objects of an application: which edges it comes to, and what it cannot mean.
//!
//! **Problem.** What somebody wants to be waited for must not be passed over in silence, and must not be waited for without end either. So a
//! word that no sync can fulfil is refused when the sync is planned, before anything is written.
//!
//! **Rules.** An object waits for the first run of what it names: written, and then healthy; of a hook, succeeded. What is declared and not
//! part of this sync (some objects are synced, hooks are not run) holds nothing. `SyncFail` hooks run when everything else has ended: they
//! wait for each other only. A hook of other phases, too, heeds the annotation in those.

use capstan_model::{HookType, SourceLocation, SyncPhase};
use petgraph::stable_graph::{NodeIndex, StableDiGraph};

use super::build::runs_in_a_sync;
use super::names::ByName;
use super::{Dependency, PlanError, PlanRequest, SyncTask, TaskAction};
use crate::settings::Guards;
use crate::targets::Target;

/// Who waits for whom: first what is waited for.
pub(super) fn edges(
    graph: &StableDiGraph<SyncTask, Dependency>,
    nodes: &[NodeIndex],
    request: &PlanRequest<'_>,
) -> Result<Vec<(NodeIndex, NodeIndex)>, PlanError> {
    let objects = request.targets.objects();
    let says_nothing = objects.iter().all(|target| target.meta.depends_on.is_empty());
    // Argo CD knows no such annotation.
    if says_nothing || request.guards == Guards::Argo {
        return Ok(Vec::new());
    }
    let written = |last_resort: bool| {
        let tasks = nodes.iter().map(|&node| &graph[node]).enumerate();
        let of_phase = move |task: &SyncTask| (task.phase == SyncPhase::SyncFail) == last_resort;
        let tasks = tasks.filter(move |(_, task)| task.action != TaskAction::Prune && of_phase(task));
        ByName::of(tasks.map(|(number, task)| (number, &task.key)))
    };
    let (runs, last_resort) = (written(false), written(true));
    let declared = ByName::of(objects.iter().map(|target| &target.key).enumerate());
    let mut edges = Vec::new();
    for &node in nodes {
        let task = &graph[node];
        let Some(target) = task.target.and_then(|index| objects.get(index)) else {
            continue;
        };
        for text in &target.meta.depends_on {
            let tasks = if task.phase == SyncPhase::SyncFail {
                &last_resort
            } else {
                &runs
            };
            if let Some(before) = tasks.first(text, &task.key.namespace) {
                edges.push((nodes[before], node));
                continue;
            }
            let named = declared.first(text, &task.key.namespace);
            unmet(task, target, text, named.and_then(|index| objects.get(index)))?;
        }
    }
    Ok(edges)
}

/// No task does what is waited for: is that as it should be?
fn unmet(task: &SyncTask, target: &Target, text: &str, named: Option<&Target>) -> Result<(), PlanError> {
    let place = || (target.location.clone(), Box::new(task.key.clone()), text.to_owned());
    let refused = |why: &'static str| {
        let (location, key, dependency) = place();
        Err(PlanError::EndlessDependency {
            location,
            key,
            dependency,
            why,
        })
    };
    let Some(named) = named else {
        let (location, key, dependency) = place();
        return match task.key.group == "argoproj.io" && task.key.kind == "Application" {
            // What an Application waits for is looked for among Applications when it is synced itself.
            true => Ok(()),
            false => Err(PlanError::UnknownDependency {
                location,
                key,
                dependency,
            }),
        };
    };
    if let Some(why) = never(named) {
        return refused(why);
    }
    let only_if_it_fails = |target: &Target| {
        let mut hooks = target.meta.hooks.iter();
        target.meta.is_hook && hooks.all(|hook| *hook == HookType::SyncFail)
    };
    match (only_if_it_fails(target), only_if_it_fails(named)) {
        (true, false) if !named.meta.hooks.contains(&HookType::SyncFail) => refused(
            "a SyncFail hook runs when a sync has failed, whatever was written by then: it waits for SyncFail hooks only",
        ),
        (false, true) => refused("that hook runs only when a sync fails, so nothing can wait for it"),
        // Declared, but not part of this sync, or not of this phase.
        _ => Ok(()),
    }
}

/// Why no sync ever writes an object, if none does.
pub(super) fn never(target: &Target) -> Option<&'static str> {
    let hooks = &target.meta.hooks;
    let is_of_deletion = |hook: &HookType| matches!(hook, HookType::PreDelete | HookType::PostDelete);
    if target.meta.is_resource() || runs_in_a_sync(target) {
        None
    } else if target.meta.skip {
        Some("its hook type is Skip, so it is never written")
    } else if hooks.iter().any(is_of_deletion) {
        Some("it is a hook of the deletion, which no sync runs")
    } else if hooks.contains(&HookType::Skip) {
        Some("its hook types are Skip and none that is run, so it is never written")
    } else {
        Some(
            "its hook annotation names no type that is run (Helm's test and rollback hooks are not), so it is never written",
        )
    }
}

/// Where something is declared, to begin a message with.
pub(super) fn place(location: &SourceLocation) -> String {
    match location.file.is_empty() {
        true => String::new(),
        false => format!("{location}: "),
    }
}
