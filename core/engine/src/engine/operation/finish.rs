//! The end of an operation: history, another attempt.

use capstan_model::{OperationPhase, RevisionHistory, Timestamp};

use super::{INFO_RETRY_AT, OperationRun, Stage};
use crate::engine::Engine;
use crate::engine::state::{ApplicationState, InFlight};
use crate::limits::HISTORY_LIMIT;
use crate::sabotage::{self, Sabotage};
use crate::settings::Guards;

impl Engine {
    /// It has ended: keeps what is to be kept, or sets it up for another attempt.
    pub(super) fn finish(&mut self, now: Timestamp, app: &mut ApplicationState, mut operation: OperationRun) {
        let Some(phase) = operation.ended() else { return };
        if !self.clean_up_hooks(now, app, &mut operation, phase) {
            operation.stage = Stage::CleaningUp(phase);
            app.operation = Some(operation);
            return;
        }
        let retry = operation.retry(&app.application.spec);
        let may_retry = retry.limit < 0 || i64::try_from(operation.attempt).is_ok_and(|attempt| attempt < retry.limit);
        if phase != OperationPhase::Succeeded && !operation.is_final && may_retry {
            let number = u32::try_from(operation.attempt + 1).unwrap_or(u32::MAX);
            // Argo CD counts the retry before it works out the wait for it.
            let step = number.saturating_add(u32::from(self.settings.guards == Guards::Argo));
            let until = now + retry.backoff.clone().unwrap_or_default().wait(step);
            let next = format!("attempt {} of {} at {until}", number + 1, limit_text(retry.limit));
            let why = std::mem::replace(&mut operation.message, next.clone());
            operation.set_info(INFO_RETRY_AT, until.to_string());
            self.enter(now, app, &mut operation, Stage::BackingOff { until });
            operation.message = format!("{why}; {next}");
            operation.brief.clone_from(&operation.message);
            app.remember(operation.record(None));
            app.operation = Some(operation);
            return;
        }
        self.remember_namespace(app, &mut operation, phase);
        self.tell_resume(now, app, &mut operation);
        operation.brief.clone_from(&operation.message);
        if phase == OperationPhase::Succeeded && !operation.is_selective() && !operation.is_dry_run() {
            keep_history(app, &operation, now);
        }
        app.remember(operation.record(Some(now)));
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
