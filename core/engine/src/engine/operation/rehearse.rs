//! Trying a sync before it deletes anything: every write as a dry run, asked of the server.
//!
//! So what the server would refuse is known while nothing is lost yet: admission and immutable fields included. It is done before a sync
//! that prunes, and it is all that a dry-run operation does. Each object is tried as the sync will write it, so that nothing is refused here
//! which would work there: a hook is created, under another name while an earlier run has its own; what cannot be changed in place is no
//! refusal where `Force=true` makes it anew. What cannot be tried is not: what lives in a namespace or is of a kind that this very sync
//! brings, and a hook whose name is part of what it is while an earlier run has that name.

use std::collections::BTreeSet;

use capstan_model::{Blob, Digest, OperationPhase, ResourceKey, ResourceResult, ResultCode, Timestamp};
use petgraph::stable_graph::NodeIndex;
use serde_json::Value;

use super::{OperationRun, Stage};
use crate::effect::{ApplyMode, ApplyTask, DryRun, EffectKind};
use crate::engine::Engine;
use crate::engine::gate::Gate;
use crate::engine::state::{ApplicationState, Existence, InFlight};
use crate::event::{KindLookup, WriteError};
use crate::limits::MAX_WRITES_IN_FLIGHT;
use crate::plan::TaskAction;
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
    tried: usize,
    /// They cannot be asked for: their kind, or their namespace, is not there yet.
    untried: usize,
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
        let can_be_tried = |node: NodeIndex| {
            let task = operation.plan.task(node);
            let cluster = self.cluster(app)?;
            let kind = task.key.group_kind();
            let is_served = matches!(cluster.kind(&kind), KindLookup::Served(_));
            let namespace = ResourceKey::new("", "Namespace", "", &task.key.namespace);
            let has_place = task.key.namespace.is_empty()
                || cluster.existence(&namespace).0 != Existence::Missing
                || !brought.contains(&namespace);
            let can_be_named = match task.action {
                TaskAction::Apply => true,
                TaskAction::Hook(_) => !is_bound_to_its_name(&task.key) || cluster.node(&task.key).is_none(),
                TaskAction::CreateNamespace | TaskAction::Prune | TaskAction::Milestone => false,
            };
            (can_be_named && is_served && has_place).then_some(node)
        };
        let (mut left, mut untried) = (Vec::new(), 0);
        for (node, task) in operation.plan.tasks() {
            let is_written = matches!(task.action, TaskAction::Apply | TaskAction::Hook(_));
            match can_be_tried(node) {
                None => untried += usize::from(is_written),
                Some(node) if self.already(app, operation, task).is_none() => left.push(node),
                Some(_) => {}
            }
        }
        (operation.is_dry_run() || !left.is_empty()).then_some(Rehearsal {
            left,
            untried,
            ..Rehearsal::default()
        })
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
                rehearsal.tried += 1;
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
        if !rehearsal.refused.is_empty() {
            operation.refused = rehearsal
                .refused
                .iter()
                .map(|(node, why)| of(operation, *node, why))
                .collect();
            let reasons: BTreeSet<&str> = rehearsal.refused.iter().map(|(_, why)| why.as_str()).collect();
            let reasons: Vec<&str> = reasons.into_iter().collect();
            operation.message = format!("tried out, and nothing was written: {}", reasons.join("; "));
            return self.enter(now, app, operation, Stage::Ended(OperationPhase::Failed));
        }
        if !operation.is_dry_run() || sabotage::is(Sabotage::DryRunWrites) {
            return self.enter(now, app, operation, Stage::Running);
        }
        let prunes = operation
            .plan
            .tasks()
            .filter(|(_, task)| task.action == TaskAction::Prune)
            .count();
        let untried = match rehearsal.untried {
            0 => String::new(),
            untried => format!("; {untried} could not be tried, since what they need is not there yet"),
        };
        let tried = match rehearsal.tried {
            1 => "the one object that could be tried".to_owned(),
            tried => format!("all {tried} objects that could be tried"),
        };
        let message = format!(
            "dry run: the cluster would accept {tried}, {prunes} would be deleted; nothing was written{untried}"
        );
        operation.message = message;
        self.enter(now, app, operation, Stage::Ended(OperationPhase::Succeeded));
    }
}

fn of(operation: &OperationRun, node: NodeIndex, why: &str) -> ResourceResult {
    let task = operation.plan.task(node);
    ResourceResult {
        status: Some(ResultCode::SyncFailed),
        message: why.to_owned(),
        sync_phase: Some(task.phase),
        ..ResourceResult::of(&task.key, &task.gvk)
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
