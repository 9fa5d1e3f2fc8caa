//! The end of an operation: history, hooks to be cleaned up, another attempt.

use std::collections::BTreeSet;

use capstan_model::{HookDeletePolicy, OperationPhase, ResourceKey, RevisionHistory, Timestamp};
use petgraph::stable_graph::NodeIndex;

use super::prune::hook_propagation;
use super::{INFO_RETRY_AT, OperationRun, Stage};
use crate::engine::Engine;
use crate::engine::gate::Gate;
use crate::engine::grounds::{delete, of_operation};
use crate::engine::state::{ApplicationState, InFlight};
use crate::guard::DeleteReason;
use crate::limits::HISTORY_LIMIT;
use crate::machine::{HookTask, TaskState};
use crate::policy::Verb;
use crate::sabotage::{self, Sabotage};
use crate::settings::Guards;

impl Engine {
    /// It has ended: keeps what is to be kept, or sets it up for another attempt.
    pub(super) fn finish(&mut self, now: Timestamp, app: &mut ApplicationState, mut operation: OperationRun) {
        let Some(phase) = operation.ended() else { return };
        self.clean_up_hooks(now, app, &operation, phase);
        let retry = operation.retry(&app.application.spec);
        let may_retry = retry.limit < 0 || i64::try_from(operation.attempt).is_ok_and(|attempt| attempt < retry.limit);
        if phase != OperationPhase::Succeeded && !operation.is_final && may_retry {
            let number = u32::try_from(operation.attempt + 1).unwrap_or(u32::MAX);
            // Argo CD counts the retry before it works out the wait for it.
            let step = number.saturating_add(u32::from(self.settings.guards == Guards::Argo));
            let until = now + retry.backoff.clone().unwrap_or_default().wait(step);
            let why = std::mem::take(&mut operation.message);
            operation.message = format!(
                "{why}; attempt {} of {} at {until}",
                number + 1,
                limit_text(retry.limit)
            );
            operation.brief.clone_from(&operation.message);
            operation.set_info(INFO_RETRY_AT, until.to_string());
            self.enter(now, app, &mut operation, Stage::BackingOff { until });
            app.last_operation = Some(operation.record(None));
            app.operation = Some(operation);
            return;
        }
        self.remember_namespace(app, &mut operation, phase);
        self.tell_resume(now, &mut operation);
        operation.brief.clone_from(&operation.message);
        if phase == OperationPhase::Succeeded && !operation.is_selective() && !operation.is_dry_run() {
            keep_history(app, &operation, now);
        }
        app.last_operation = Some(operation.record(Some(now)));
        self.empty_operation_field(app, &mut operation);
    }

    /// Takes the request off the resource, once what came of it is durable or it has ended.
    pub(in crate::engine) fn empty_operation_field(
        &mut self,
        app: &mut ApplicationState,
        operation: &mut OperationRun,
    ) {
        if std::mem::take(&mut operation.from_field) && self.leads {
            let uid = app.application.metadata.uid.clone();
            let patch = serde_json::json!({"operation": null});
            self.emit(
                app,
                crate::effect::EffectKind::PatchApplication { uid, patch },
                InFlight::OperationField,
            );
        }
    }

    /// Deletes hooks whose policy says so now that it is known how the operation ended.
    fn clean_up_hooks(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        operation: &OperationRun,
        phase: OperationPhase,
    ) {
        if !self.may_write(app) {
            return;
        }
        let policy = match phase {
            OperationPhase::Succeeded => HookDeletePolicy::HookSucceeded,
            _ => HookDeletePolicy::HookFailed,
        };
        let finished: Vec<ResourceKey> = operation
            .plan
            .tasks()
            .filter(|(node, task)| {
                let ended = operation
                    .tasks
                    .get(node)
                    .is_some_and(|run| matches!(run.state, TaskState::Hook(HookTask::Succeeded | HookTask::Failed(_))));
                let target = task
                    .target
                    .and_then(|index| operation.targets.as_ref()?.objects().get(index));
                ended && target.is_some_and(|target| target.meta.hook_delete_policies.contains(&policy))
            })
            .map(|(_, task)| task.key.clone())
            .collect();
        for key in finished {
            self.clean_up_hook(now, app, operation, &key, &format!("hook-delete-policy {policy:?}"));
        }
    }

    fn clean_up_hook(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        operation: &OperationRun,
        key: &ResourceKey,
        why: &str,
    ) {
        let Some(uid) = self
            .cluster(app)
            .and_then(|cluster| cluster.node(key))
            .map(capstan_live::Node::uid)
        else {
            return;
        };
        let grounds = of_operation(app, operation, DeleteReason::Hook, why.to_owned());
        let (message, cause) = (grounds.to_string(), operation.cause.clone());
        let by = match self.authorize_of(app, operation, key, Verb::Delete) {
            Ok(by) => by,
            Err(why) => return self.note(now, app, Some(key), "hook", "", "Left", why, cause),
        };
        if let Some(permit) = self.identity_permit(app, key, &uid, grounds) {
            self.note(now, app, Some(key), "hook", "", "Deleting", message, cause);
            let effect = delete(app, permit, hook_propagation(operation, app));
            self.emit_as(app, by, effect, InFlight::Cleanup(key.clone()));
        }
    }

    /// Hooks that run, those included that an earlier process created and that this one has not looked at yet.
    fn running_hooks(&self, app: &ApplicationState, operation: &OperationRun) -> Vec<(NodeIndex, ResourceKey)> {
        let may_run = operation.maybe_created.iter().copied();
        let active = operation
            .work
            .active()
            .filter_map(|position| Some(operation.at(position)?.0));
        let nodes: BTreeSet<NodeIndex> = active.chain(may_run).collect();
        let is_running = |node: &NodeIndex| {
            let task = operation.plan.task(*node);
            let run = operation.tasks.get(node);
            let identity = operation.hook_identity(&app.application.metadata.uid, task.phase);
            let live = self
                .cluster(app)
                .and_then(|cluster| cluster.node(&task.key)?.operation());
            let is_found = operation.maybe_created.contains(node) && live == Some(&identity);
            is_found || run.is_some_and(|run| matches!(run.state, TaskState::Hook(HookTask::Running { .. })))
        };
        let running = nodes.into_iter().filter(is_running);
        running
            .map(|node| (node, operation.plan.task(node).key.clone()))
            .collect()
    }

    /// Stops: running hooks are deleted, objects stay as they are, and no further attempt is made. What is being made anew is made anew.
    pub(super) fn terminate(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        operation: &mut OperationRun,
        by: &str,
        gate: &Gate,
    ) {
        let running = self.running_hooks(app, operation);
        for (node, key) in running {
            self.clean_up_hook(now, app, operation, &key, "the operation is being terminated");
            let state = TaskState::Hook(HookTask::Failed("terminated".into()));
            self.set(now, app, operation, node, state, "terminated");
        }
        let is_halfway = self.finish_recreating(now, app, operation, gate);
        if is_halfway || app.in_flight.has_tasks() {
            return;
        }
        operation.is_final = true;
        operation.message = match by {
            "" => "operation terminated".to_owned(),
            by => format!("operation terminated by {by}"),
        };
        self.enter(now, app, operation, Stage::Ended(OperationPhase::Failed));
    }
}

fn limit_text(limit: i64) -> String {
    match limit {
        ..0 => "any number".to_owned(),
        limit => (limit + 1).to_string(),
    }
}

fn keep_history(app: &mut ApplicationState, operation: &OperationRun, now: Timestamp) {
    let revisions: Vec<String> = operation
        .revisions
        .iter()
        .map(|revision| revision.revision.clone())
        .collect();
    let is_multi = operation.sources.len() > 1;
    if sabotage::is(Sabotage::RewritesHistory) {
        app.history.clear();
    }
    app.history.push(RevisionHistory {
        id: app.history.last().map_or(0, |last| last.id + 1),
        revision: if is_multi {
            String::new()
        } else {
            revisions.first().cloned().unwrap_or_default()
        },
        revisions: if is_multi { revisions } else { Vec::new() },
        source: (!is_multi).then(|| operation.sources.first().cloned()).flatten(),
        sources: if is_multi {
            operation.sources.clone()
        } else {
            Vec::new()
        },
        deploy_started_at: Some(operation.started_at),
        deployed_at: Some(now),
        initiated_by: operation.operation.initiated_by.clone(),
    });
    let limit = app.application.spec.revision_history_limit;
    let limit = limit.map_or(HISTORY_LIMIT, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let excess = app.history.len().saturating_sub(limit);
    app.history.drain(..excess);
}
