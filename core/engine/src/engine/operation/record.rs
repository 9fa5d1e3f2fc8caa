//! An operation as the resource's status keeps it: Argo CD's schema.

use capstan_model::{OperationPhase, OperationState, ResourceResult, ResultCode, SyncOperationResult, Timestamp};

use super::{INFO_RETRY_AT, OperationRun, Stage, info, recorded_number};
use crate::event::ResolvedRevision;
use crate::machine::{HookTask, PruneTask, TaskState, WriteTask};
use crate::plan::TaskAction;

const UNCONFIRMED: &str = "waiting for confirmation";

impl OperationRun {
    /// A row a task; of an operation that has ended none goes on.
    fn results(&self, has_ended: bool) -> Vec<ResourceResult> {
        let results = self.plan.tasks().filter_map(|(node, task)| {
            let mut result = ResourceResult::of(&task.key, &task.gvk);
            result.sync_phase = Some(task.phase);
            if let TaskAction::Hook(hook) = task.action {
                result.hook_type = Some(hook);
            }
            fill(&mut result, &self.tasks.get(&node)?.state).then_some(result)
        });
        let results: Vec<ResourceResult> = match &self.parity {
            Some(parity) => parity.results.clone(),
            // Not planned again yet: what an earlier process recorded stays recorded.
            None if self.tasks.is_empty() => self.restored.clone(),
            None => results.chain(self.refused.iter().cloned()).collect(),
        };
        let is_over = has_ended && self.parity.is_none() && self.phase() != OperationPhase::Succeeded;
        match is_over {
            true => results.into_iter().map(closed).collect(),
            false => results,
        }
    }

    /// Everything that must be known after a crash, and what people want to read.
    pub(crate) fn record(&self, finished_at: Option<Timestamp>) -> OperationState {
        let mut operation = self.operation.clone();
        let revisions: Vec<String> = self
            .revisions
            .iter()
            .map(|revision| revision.revision.clone())
            .collect();
        let is_multi = self.sources.len() > 1;
        if let (Some(sync), false) = (operation.sync.as_mut(), revisions.is_empty()) {
            if is_multi {
                sync.revisions.clone_from(&revisions);
            } else {
                sync.revision.clone_from(&revisions[0]);
            }
        }
        OperationState {
            operation,
            phase: self.phase(),
            message: clipped(&self.brief),
            started_at: self.started_at,
            finished_at,
            retry_count: self.attempt,
            sync_result: Some(SyncOperationResult {
                resources: self.results(finished_at.is_some()),
                revision: if is_multi {
                    String::new()
                } else {
                    revisions.first().cloned().unwrap_or_default()
                },
                revisions: if is_multi { revisions } else { Vec::new() },
                source: (!is_multi).then(|| self.sources.first().cloned()).flatten(),
                sources: if is_multi { self.sources.clone() } else { Vec::new() },
                managed_namespace_metadata: self.namespace.clone(),
            }),
        }
    }

    /// An operation that an earlier process began.
    pub(crate) fn restore(state: &OperationState) -> Self {
        let result = state.sync_result.clone().unwrap_or_default();
        let commit = |revision: &String| ResolvedRevision {
            revision: revision.clone(),
            ..ResolvedRevision::default()
        };
        let namespace = result.managed_namespace_metadata.clone();
        let mut revisions: Vec<ResolvedRevision> = result.revisions.iter().map(commit).collect();
        let sync = state.operation.sync.clone().unwrap_or_default();
        for revision in [&result.revision, &sync.revision] {
            if revisions.is_empty() && !revision.is_empty() {
                revisions.push(commit(revision));
            }
        }
        let sources = match result.source {
            Some(source) => vec![source],
            None => result.sources,
        };
        let mut run = Self::new(
            recorded_number(state),
            state.operation.clone(),
            sources,
            state.started_at,
        );
        run.namespace = namespace;
        run.attempt = state.retry_count;
        run.revisions = revisions;
        run.restored = result.resources;
        run.is_durable = true;
        run.is_stopping = state.phase == OperationPhase::Terminating;
        let retry_at = info(&state.operation, INFO_RETRY_AT).and_then(|text| text.parse().ok());
        if let Some(until) = retry_at {
            run.stage = Stage::BackingOff { until };
        }
        run.message.clone_from(&state.message);
        run.brief.clone_from(&state.message);
        run
    }
}

/// Gives whether there is anything to say: a task that has not begun is not recorded.
fn fill(result: &mut ResourceResult, state: &TaskState) -> bool {
    let (status, phase, message) = match state {
        TaskState::Write(state) => match state {
            WriteTask::Blocked => return false,
            WriteTask::TakingOver | WriteTask::TakenOver | WriteTask::Applying => (None, OperationPhase::Running, ""),
            WriteTask::BackingOff { why, .. } | WriteTask::Unchangeable { why } | WriteTask::Recreating { why, .. } => {
                (None, OperationPhase::Running, why.as_str())
            }
            WriteTask::AwaitingHealth { .. } => (Some(ResultCode::Synced), OperationPhase::Running, ""),
            WriteTask::Synced => (Some(ResultCode::Synced), OperationPhase::Succeeded, ""),
            WriteTask::SyncFailed(why) => (Some(ResultCode::SyncFailed), OperationPhase::Failed, why.as_str()),
        },
        TaskState::Hook(state) => match state {
            // What deletes an earlier one has not touched this one.
            HookTask::Blocked
            | HookTask::Releasing { .. }
            | HookTask::Released { .. }
            | HookTask::DeletingPrevious { .. }
            | HookTask::PreviousFinalizing { .. } => return false,
            HookTask::Recording | HookTask::Creating | HookTask::Looking | HookTask::Running { .. } => {
                (None, OperationPhase::Running, "")
            }
            HookTask::BackingOff { why, .. } => (None, OperationPhase::Running, why.as_str()),
            HookTask::Succeeded => (Some(ResultCode::Synced), OperationPhase::Succeeded, ""),
            HookTask::Failed(why) => (Some(ResultCode::SyncFailed), OperationPhase::Failed, why.as_str()),
        },
        TaskState::Prune(state) => match state {
            PruneTask::Blocked => return false,
            PruneTask::AwaitingConfirmation => (None, OperationPhase::Running, UNCONFIRMED),
            PruneTask::Deleting { .. } | PruneTask::Finalizing { .. } => (None, OperationPhase::Running, ""),
            PruneTask::BackingOff { why, .. } => (None, OperationPhase::Running, why.as_str()),
            PruneTask::Pruned => (Some(ResultCode::Pruned), OperationPhase::Succeeded, "pruned"),
            PruneTask::PruneSkipped(why) => (Some(ResultCode::PruneSkipped), OperationPhase::Succeeded, why.as_str()),
            PruneTask::PruneFailed(why) => (Some(ResultCode::SyncFailed), OperationPhase::Failed, why.as_str()),
        },
        TaskState::Milestone { .. } => return false,
    };
    result.status = status;
    result.hook_phase = Some(phase);
    result.message = clipped(message);
    true
}

/// The row of an operation that has ended: nothing of it goes on.
pub(super) fn closed(mut row: ResourceResult) -> ResourceResult {
    if row.hook_phase != Some(OperationPhase::Running) {
        return row;
    }
    let (status, why) = match row.status {
        _ if row.message == UNCONFIRMED => {
            row.message.clear();
            (
                ResultCode::PruneSkipped,
                "left: it was not confirmed before the sync ended",
            )
        }
        Some(status) => (status, "not seen to be healthy before the sync ended"),
        None => (ResultCode::SyncFailed, "not done when the sync ended"),
    };
    let was = std::mem::take(&mut row.message);
    let separator = if was.is_empty() { "" } else { "; " };
    row.message = clipped(&format!("{why}{separator}{was}"));
    (row.status, row.hook_phase) = (Some(status), Some(OperationPhase::Failed));
    row
}

/// At most so much of a message goes into a resource.
pub(in crate::engine) fn clipped(message: &str) -> String {
    match message.char_indices().nth(crate::limits::MESSAGE_LENGTH) {
        Some((at, _)) => format!("{}…", &message[..at]),
        None => message.to_owned(),
    }
}
