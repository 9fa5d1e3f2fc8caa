//! Trying a sync before it deletes anything: every write as a dry run, asked of the server.
//!
//! So what the server would refuse is known while nothing is lost yet: admission and immutable fields included. It is done before a sync
//! that prunes, and it is all that a dry-run operation does. What lives in a namespace or is of a kind that this very sync brings cannot
//! be tried, and is not.

use std::collections::BTreeSet;

use capstan_model::{OperationPhase, ResourceKey, ResourceResult, ResultCode, Timestamp};
use petgraph::stable_graph::NodeIndex;
use serde_json::Value;

use super::{OperationRun, Stage};
use crate::effect::{ApplyMode, ApplyTask, DryRun, EffectKind};
use crate::engine::Engine;
use crate::engine::state::{ApplicationState, Existence, InFlight};
use crate::event::{KindLookup, WriteError};
use crate::limits::MAX_WRITES_IN_FLIGHT;
use crate::plan::TaskAction;
use crate::sabotage::{self, Sabotage};

/// What is being tried.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rehearsal {
    /// Not asked yet.
    left: Vec<NodeIndex>,
    tried: usize,
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
            let is_write = matches!(task.action, TaskAction::Apply | TaskAction::Hook(_));
            (is_write && is_served && has_place).then_some(node)
        };
        let left: Vec<NodeIndex> = operation
            .plan
            .tasks()
            .filter_map(|(node, _)| can_be_tried(node))
            .filter(|&node| self.already(app, operation, operation.plan.task(node)).is_none())
            .collect();
        (operation.is_dry_run() || !left.is_empty()).then_some(Rehearsal {
            left,
            ..Rehearsal::default()
        })
    }

    pub(super) fn rehearse(&mut self, now: Timestamp, app: &mut ApplicationState, operation: &mut OperationRun) {
        let Some(mut rehearsal) = operation.rehearsal.take() else {
            return self.enter(now, app, operation, Stage::Running);
        };
        while app.writes_in_flight() < MAX_WRITES_IN_FLIGHT && self.may_write(app) {
            let Some(node) = rehearsal.left.pop() else { break };
            if let Some(effect) = self.try_out(app, operation, node) {
                rehearsal.tried += 1;
                self.emit(app, EffectKind::Apply(Box::new(effect)), InFlight::Rehearsal(node));
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
            self.rename(app, &mut object, &task.key);
            // Whether an earlier run is there or not: what the server says to the object is the same.
            effect.mode = ApplyMode::ServerSide { force: true };
            (effect.key, effect.object) = (task.key.clone(), capstan_model::Blob::new(&object));
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
        let Some(operation) = &mut app.operation else { return };
        let Err(error) = result else { return };
        // An earlier version of it is in the way, which the sync itself deals with.
        let is_passing = matches!(error, WriteError::Conflict(_));
        let message = super::write::located(operation, node, &error.to_string());
        if let Some(rehearsal) = operation.rehearsal.as_mut().filter(|_| !is_passing) {
            rehearsal.refused.push((node, message));
        }
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
        let message = format!(
            "dry run: the cluster would accept all {} objects that could be tried, {prunes} would be deleted; nothing was written",
            rehearsal.tried
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
