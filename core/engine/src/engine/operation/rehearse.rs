//! Trying a sync before it deletes anything: every write as a dry run, asked of the server.
//!
//! So what the server would refuse is known while nothing is lost yet: admission and immutable fields included. It is done before a sync
//! that prunes, and it is all that a dry-run operation does. Each object is tried as the sync will write it, so that nothing is refused here
//! which would work there: a hook is created, under another name while an earlier run has its own; what cannot be changed in place is no
//! refusal where `Force=true` makes it anew. What cannot be tried is not: what lives in a namespace or is of a kind that this very sync
//! brings, and a hook whose name is part of what it is while an earlier run has that name.

use std::collections::{BTreeMap, BTreeSet};

use capstan_model::{Blob, Digest, OperationPhase, ResourceKey, ResourceResult, ResultCode, Timestamp};
use petgraph::stable_graph::NodeIndex;
use serde_json::Value;

use super::{OperationRun, Stage};
use crate::effect::{ApplyMode, ApplyTask, DryRun, EffectKind};
use crate::engine::Engine;
use crate::engine::gate::Gate;
use crate::engine::sentence::some_of;
use crate::engine::state::{ApplicationState, Existence, InFlight};
use crate::event::{KindLookup, WriteError};
use crate::limits::MAX_WRITES_IN_FLIGHT;
use crate::plan::{SyncTask, TaskAction};
use crate::policy::Verb;
use crate::sabotage::{self, Sabotage};

/// What the API server says where an object would be one too many.
const QUOTA: &str = "exceeded quota";
/// Characters at the end of a name that make it another one, with the dash before them.
const ENDING: usize = 6;

/// What is being tried.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rehearsal {
    /// Not asked yet.
    left: Vec<NodeIndex>,
    tried: BTreeSet<NodeIndex>,
    /// They cannot be asked for, and why.
    untried: BTreeMap<NodeIndex, String>,
    /// What the server refuses, and why.
    refused: Vec<(NodeIndex, String)>,
}

impl Engine {
    /// What is to be tried of a plan; `None` when nothing is.
    pub(super) fn rehearsal(&self, app: &ApplicationState, operation: &OperationRun) -> Option<Rehearsal> {
        let prunes = operation.plan.tasks().any(|(node, task)| {
            let is_skipped = operation.tasks.get(&node).is_some_and(|run| run.state.is_settled());
            task.action == TaskAction::Prune && !is_skipped
        });
        if !operation.is_dry_run() && (!prunes || sabotage::is(Sabotage::DeletesUntried)) {
            return None;
        }
        let brought: BTreeSet<&ResourceKey> = operation
            .plan
            .tasks()
            .filter(|(_, task)| task.key.kind == "Namespace")
            .map(|(_, task)| &task.key)
            .collect();
        let (mut left, mut untried) = (Vec::new(), BTreeMap::new());
        for (node, task) in operation.plan.tasks() {
            if !matches!(task.action, TaskAction::Apply | TaskAction::Hook(_)) {
                continue;
            }
            match self.untriable(app, task, &brought) {
                Some(why) => drop(untried.insert(node, why)),
                None if self.already(app, operation, task).is_none() => left.push(node),
                None => {}
            }
        }
        (operation.is_dry_run() || !left.is_empty()).then_some(Rehearsal {
            left,
            untried,
            ..Rehearsal::default()
        })
    }

    /// Why the server cannot be asked about a write; `brought` are the namespaces that the sync itself makes.
    fn untriable(&self, app: &ApplicationState, task: &SyncTask, brought: &BTreeSet<&ResourceKey>) -> Option<String> {
        let key = &task.key;
        let Some(cluster) = self.cluster(app) else {
            return Some("its cluster is not known".into());
        };
        if !matches!(cluster.kind(&key.group_kind()), KindLookup::Served(_)) {
            return Some(format!("the cluster does not serve {} yet", key.group_kind()));
        }
        let namespace = ResourceKey::new("", "Namespace", "", &key.namespace);
        let is_homeless = brought.contains(&namespace) && cluster.existence(&namespace).0 == Existence::Missing;
        if !key.namespace.is_empty() && is_homeless {
            return Some(format!("namespace {} is made by this sync", key.namespace));
        }
        let is_in_place = matches!(task.action, TaskAction::Hook(_)) && is_bound_to_its_name(key);
        (is_in_place && cluster.node(key).is_some()).then(|| "an earlier run of the hook has its name".into())
    }

    pub(super) fn rehearse(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        operation: &mut OperationRun,
        gate: &Gate,
    ) {
        let Some(project) = gate.project() else { return };
        let Some(mut rehearsal) = operation.rehearsal.take() else {
            return self.enter(now, app, operation, Stage::Running);
        };
        while app.writes_in_flight() < MAX_WRITES_IN_FLIGHT && self.may_write(app) {
            let Some(node) = rehearsal.left.pop() else { break };
            if let Some(effect) = self.try_out(app, operation, node) {
                rehearsal.tried.insert(node);
                match operation.authorize(app, project, &effect.key, Verb::Apply) {
                    Ok(by) => {
                        let effect = EffectKind::Apply(Box::new(effect));
                        self.emit_as(app, by, effect, InFlight::Rehearsal(node));
                    }
                    Err(refusal) => rehearsal.refused.push((node, refusal.to_string())),
                }
            }
        }
        let is_over = rehearsal.left.is_empty() && !app.is_in_flight(|what| matches!(what, InFlight::Rehearsal(_)));
        operation.rehearsal = Some(rehearsal);
        if is_over {
            self.rehearsed(now, app, operation);
        }
    }

    fn try_out(&self, app: &ApplicationState, operation: &OperationRun, node: NodeIndex) -> Option<ApplyTask> {
        let task = operation.plan.task(node);
        let target = operation.targets.as_ref()?.objects().get(task.target?)?;
        let mut effect = self.apply_task(app, target, &operation.options(&app.application.spec));
        if let TaskAction::Hook(_) = task.action {
            let mut object = target.object.value().ok()?;
            let mut key = task.key.clone();
            if !sabotage::is(Sabotage::TriesHooksInPlace) {
                effect.mode = ApplyMode::Create;
                if self.cluster(app)?.node(&key).is_some() {
                    key.name = another_name(&key.name);
                }
            }
            self.rename(app, &mut object, &key);
            (effect.key, effect.object) = (key, Blob::new(&object));
        }
        effect.dry_run = DryRun::Server;
        Some(effect)
    }

    /// The answer to one dry run.
    pub(in crate::engine) fn tried(
        &mut self,
        app: &mut ApplicationState,
        node: NodeIndex,
        result: Result<Box<Value>, WriteError>,
    ) {
        let (Some(operation), Err(error)) = (&app.operation, result) else {
            return;
        };
        let is_passing = match &error {
            // Something is in the way that the sync itself deals with.
            WriteError::Conflict(_) => true,
            WriteError::Invalid(_) => self.makes_anew(app, operation, node).is_some(),
            // The earlier run counts, too, as long as it is there.
            WriteError::Forbidden(why) => self.stands_beside_another(app, operation, node) && why.contains(QUOTA),
            _ => false,
        };
        let Some(operation) = app.operation.as_mut().filter(|_| !is_passing) else {
            return;
        };
        let message = super::write::located(operation, node, &error.to_string());
        if let Some(rehearsal) = &mut operation.rehearsal {
            rehearsal.refused.push((node, message));
        }
    }

    /// Is it a hook that was tried beside an earlier run of it?
    fn stands_beside_another(&self, app: &ApplicationState, operation: &OperationRun, node: NodeIndex) -> bool {
        let task = operation.plan.task(node);
        let is_hook = matches!(task.action, TaskAction::Hook(_));
        is_hook
            && self
                .cluster(app)
                .is_some_and(|cluster| cluster.node(&task.key).is_some())
    }

    /// Everything was tried.
    fn rehearsed(&mut self, now: Timestamp, app: &mut ApplicationState, operation: &mut OperationRun) {
        let rehearsal = operation.rehearsal.take().unwrap_or_default();
        operation.refused.extend(rehearsal.rows(operation));
        if !rehearsal.refused.is_empty() {
            let reasons: BTreeSet<&str> = rehearsal.refused.iter().map(|(_, why)| why.as_str()).collect();
            let reasons: Vec<&str> = reasons.into_iter().collect();
            operation.message = format!("tried out, and nothing was written: {}", reasons.join("; "));
            return self.enter(now, app, operation, Stage::Ended(OperationPhase::Failed));
        }
        if !operation.is_dry_run() || sabotage::is(Sabotage::DryRunWrites) {
            return self.enter(now, app, operation, Stage::Running);
        }
        operation.message = rehearsal.summary(operation);
        self.enter(now, app, operation, Stage::Ended(OperationPhase::Succeeded));
    }
}

impl Rehearsal {
    /// What is recorded of single objects: what the server refuses and, of a dry run, what would become of every other. Those have no
    /// status: nothing became of them.
    fn rows(&self, operation: &OperationRun) -> Vec<ResourceResult> {
        let row = |node: NodeIndex, status: Option<ResultCode>, message: String| {
            let task = operation.plan.task(node);
            ResourceResult {
                status,
                message,
                sync_phase: Some(task.phase),
                ..ResourceResult::of(&task.key, &task.gvk)
            }
        };
        let refused = self.refused.iter();
        let refused = refused.map(|(node, why)| row(*node, Some(ResultCode::SyncFailed), why.clone()));
        if !operation.is_dry_run() {
            return refused.collect();
        }
        let is_refused: BTreeSet<NodeIndex> = self.refused.iter().map(|(node, _)| *node).collect();
        let others = operation.plan.tasks().filter(|(node, _)| {
            let is_told = operation.tasks.get(node).is_some_and(|run| run.state.is_settled());
            !is_told && !is_refused.contains(node)
        });
        let others = others.filter_map(|(node, task)| Some(row(node, None, self.outlook(node, task)?)));
        refused.chain(others).collect()
    }

    /// What a dry run says of an object that nobody refuses.
    fn outlook(&self, node: NodeIndex, task: &SyncTask) -> Option<String> {
        let would = match (&task.action, self.untried.get(&node)) {
            (_, Some(why)) => format!("could not be tried: {why}"),
            (TaskAction::Milestone, _) => return None,
            (TaskAction::Prune, _) => "would be deleted".into(),
            (TaskAction::CreateNamespace, _) => "would be made where it is not there".into(),
            (TaskAction::Hook(_), None) => "would be run: the cluster would accept it".into(),
            (TaskAction::Apply, None) if self.tried.contains(&node) => "the cluster would accept it".into(),
            (TaskAction::Apply, None) => "unchanged".into(),
        };
        Some(format!("{would} (dry run)"))
    }

    /// What a dry run that nobody refuses says of all objects.
    fn summary(&self, operation: &OperationRun) -> String {
        let is_prune = |task: &SyncTask| task.action == TaskAction::Prune;
        let prunes = operation.plan.tasks().filter(|(_, task)| is_prune(task)).count();
        let reasons: BTreeSet<String> = self.untried.values().cloned().collect();
        let untried = match self.untried.len() {
            0 => String::new(),
            untried => format!("; {untried} could not be tried: {}", some_of(reasons.into_iter())),
        };
        let tried = match (self.tried.len(), self.untried.len()) {
            (0, 0) => "no object would be written".to_owned(),
            (0, _) => "no object could be tried".to_owned(),
            (1, _) => "the cluster would accept the one object that could be tried".to_owned(),
            (tried, _) => format!("the cluster would accept all {tried} objects that could be tried"),
        };
        format!("dry run: {tried}, {prunes} would be deleted; nothing was written{untried}")
    }
}

/// Kinds whose objects cannot have any name: the server derives it from what they say, or gives out what only one can have.
fn is_bound_to_its_name(key: &ResourceKey) -> bool {
    matches!(
        (key.group.as_str(), key.kind.as_str()),
        ("apiextensions.k8s.io", "CustomResourceDefinition")
            | ("apiregistration.k8s.io", "APIService")
            | ("", "Service")
    )
}

/// A name that nothing has: like the one it is for, and no longer where that matters.
fn another_name(name: &str) -> String {
    let digest = Digest::of_bytes(name.as_bytes()).to_string();
    // Names are ASCII; one that is not is refused by the server, whatever is taken of it.
    let kept = name.len().saturating_sub(ENDING).max(name.len().min(ENDING));
    let kept: String = name.chars().take(kept).collect();
    let ending = digest.get(..ENDING - 1).unwrap_or_default();
    format!("{}-{ending}", kept.trim_end_matches(['-', '.']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_name_is_a_possible_one_and_no_longer() {
        for name in ["migrate-the-database", "a-very-long-name.with.dots-", &"x".repeat(63)] {
            let other = another_name(name);
            assert!(other.len() <= name.len() && other != *name, "{other}");
            assert!(!other.contains("--") && !other.contains(".-"), "{other}");
        }
        let short = another_name("db");
        assert!(
            short.starts_with("db-") && short.len() == "db".len() + ENDING,
            "{short}"
        );
    }
}
