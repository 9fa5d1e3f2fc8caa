//! What came back of effects.

use capstan_model::{ClusterId, Timestamp};

use super::Engine;
use super::operation::Stage;
use super::state::{ApplicationState, Compared, InFlight, StatusPatch};
use super::telling::StatusFailure;
use crate::compare::{PairVerdict, Verdict};
use crate::effect::EffectId;
use crate::event::{Outcome, WriteError};
use crate::sabotage::{self, Sabotage};

impl Engine {
    pub(super) fn completed(&mut self, now: Timestamp, id: &EffectId, outcome: Outcome) {
        let known = self
            .applications
            .get_mut(&id.application)
            .and_then(|app| app.in_flight.remove(id));
        let Some(what) = known else {
            self.late_completions += 1;
            return;
        };
        let Some(mut app) = self.applications.remove(&id.application) else {
            return;
        };
        self.dispatch(now, &mut app, what, outcome);
        self.dirty.insert(id.application.clone());
        self.applications.insert(id.application.clone(), app);
    }

    fn dispatch(&mut self, now: Timestamp, app: &mut ApplicationState, what: InFlight, outcome: Outcome) {
        if let InFlight::Heal(key) | InFlight::HealTakeOver(key) = &what {
            app.drift.touched.insert(key.clone());
        }
        match (what, passing(outcome)) {
            (InFlight::Resolve, Outcome::Resolved(result)) => self.resolved(now, app, result),
            // It is asked for anew: what it was made for is not where it goes.
            (InFlight::Render(.., destination), Outcome::Rendered(_))
                if destination != app.application.spec.destination =>
            {
                app.refresh_anew();
            }
            (InFlight::Render(revisions, sources, inputs, destination), Outcome::Rendered(result)) => {
                self.rendered(now, app, (revisions, sources, inputs, destination), result);
            }
            (InFlight::OperationResolve(of), Outcome::Resolved(result)) => {
                self.operation_resolved(now, app, of, result);
            }
            (InFlight::OperationRender(of), Outcome::Rendered(result)) => self.operation_rendered(now, app, of, result),
            (InFlight::Elsewhere { cluster, shows: true }, outcome) => self.seen_elsewhere(&cluster, outcome),
            (InFlight::Elsewhere { shows: false, .. }, _) => {}
            (InFlight::SecondRender(of), Outcome::Rendered(result)) => self.rendered_again(now, app, of, result),
            (InFlight::Descent(of), Outcome::Descent(result)) => self.descent_traced(now, app, of, result),
            (InFlight::Compare(pairs), Outcome::Compared(verdicts)) => take_verdicts(app, &pairs, verdicts),
            (InFlight::Task(node), outcome) => self.task_completed(now, app, node, outcome),
            (InFlight::Pass(row), outcome) => self.pass_answered(app, row, outcome),
            (InFlight::Seen(key), outcome) => self.pass_seen(app, key, outcome),
            (InFlight::Rehearsal(node), Outcome::Applied(result)) => self.tried(app, node, result),
            (InFlight::Heal(key), Outcome::Applied(result)) => self.healed(now, app, &key, result),
            (InFlight::HealTakeOver(key), Outcome::Patched(result)) => self.heal_handed_over(now, app, &key, result),
            (InFlight::Cleanup(key), Outcome::Deleted(result)) => self.hook_cleaned_up(now, app, &key, result),
            (InFlight::Release(key), Outcome::Patched(result)) => self.released(now, app, &key, result),
            (InFlight::Cascade(key), Outcome::Deleted(result)) => self.cascaded(now, app, &key, result),
            (InFlight::Status(patch), Outcome::Patched(result)) => self.status_written(now, app, patch, result),
            (InFlight::KeptHooks, Outcome::Patched(result)) => self.hooks_kept(now, app, result),
            (InFlight::DeletionResolve, Outcome::Resolved(result)) => self.deletion_resolved(now, app, result),
            (InFlight::DeletionRender, Outcome::Rendered(result)) => self.deletion_rendered(now, app, result),
            (InFlight::DeletionHook(phase, key), outcome) => {
                self.hook_of_deletion_answered(now, app, phase, &key, outcome);
            }
            (InFlight::Finalizer, Outcome::Patched(result)) => self.finalizer_removed(now, app, result),
            (InFlight::RefreshAnnotation | InFlight::OperationField, Outcome::Patched(result)) => {
                if let Ok(version) = result {
                    app.said_version.wrote(version, false);
                }
            }
            // An executor that answers something else than was asked has a bug; what it says cannot be used.
            (_, _) => self.late_completions += 1,
        }
    }

    /// What is live in a cluster that the application left is so, whoever asked.
    fn seen_elsewhere(&mut self, cluster: &ClusterId, outcome: Outcome) {
        if let Outcome::Applied(Ok(object)) | Outcome::Observed(Ok(Some(object))) = outcome {
            self.observed(cluster, &object);
        }
    }

    fn task_completed(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        node: petgraph::stable_graph::NodeIndex,
        outcome: Outcome,
    ) {
        use crate::machine::{HookTask, TaskState, WriteTask};
        let state = app
            .operation
            .as_ref()
            .and_then(|operation| Some(operation.tasks.get(&node)?.state.clone()));
        match (state, outcome) {
            (Some(TaskState::Write(WriteTask::Recreating { .. })), Outcome::Deleted(result)) => {
                self.recreating(now, app, node, result);
            }
            (Some(TaskState::Write(WriteTask::Recreating { .. })), Outcome::Observed(result)) => {
                self.recreating_looked_at(now, app, node, result);
            }
            (Some(TaskState::Write(WriteTask::TakingOver)), Outcome::Patched(result)) => {
                self.task_handed_over(now, app, node, result);
            }
            (Some(TaskState::Write(_)), Outcome::Applied(result)) => self.write_completed(now, app, node, result),
            (Some(TaskState::Hook(HookTask::Creating)), Outcome::Applied(result)) => {
                self.hook_created(now, app, node, result);
            }
            (Some(TaskState::Hook(HookTask::Looking)), Outcome::Observed(result)) => {
                self.hook_looked_at(now, app, node, result);
            }
            (Some(TaskState::Hook(HookTask::Releasing { .. })), Outcome::Patched(result)) => {
                self.previous_released(now, app, node, result);
            }
            (Some(TaskState::Hook(HookTask::DeletingPrevious { .. })), Outcome::Deleted(result)) => {
                self.previous_deleted(now, app, node, result);
            }
            (Some(TaskState::Prune(_)), Outcome::Deleted(result)) => self.prune_completed(now, app, node, result),
            (state, outcome) => {
                self.late_completions += 1;
                // Of a sync that was stopped because its Application is deleted: what it made is there all the same.
                if state.is_none() {
                    self.seen_elsewhere(&app.application.spec.destination.cluster(), outcome);
                }
            }
        }
        if let Some(operation) = &mut app.operation {
            operation.wake(node);
        }
    }

    fn status_written(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        patch: StatusPatch,
        result: Result<String, WriteError>,
    ) {
        match result {
            Ok(version) => {
                if app.said_version.wrote(version, patch.insists) && !sabotage::is(Sabotage::RepeatsStatus) {
                    app.said = patch.status;
                    app.releases.read(&app.said);
                }
                app.status_failure = None;
                let Some(mut operation) = app.operation.take_if(|run| patch.of == Some(run.run_id())) else {
                    return;
                };
                for hook in patch.hooks {
                    operation.recorded.insert(hook);
                    operation.wake(hook);
                }
                operation.awaits_record = false;
                for hook in std::mem::take(&mut operation.unrecorded) {
                    operation.wake(hook);
                }
                if patch.intent {
                    operation.is_durable = true;
                    if operation.stage == Stage::PersistingIntent {
                        let next = if operation.rehearsal.is_some() {
                            Stage::Rehearsing
                        } else {
                            Stage::Running
                        };
                        self.enter(now, app, &mut operation, next);
                    }
                    self.empty_operation_field(app, &mut operation);
                }
                app.operation = Some(operation);
            }
            // Where the resource is gone, that comes as an event of its own; until then it is not asked for again at once.
            Err(error) => {
                app.telling.forget();
                let failure = StatusFailure::after(app.status_failure.as_ref(), now, &error);
                app.status_failure = Some(failure);
            }
        }
    }
}

/// What is deleted was seen a moment ago, so that its path is not found is a passing thing, such as a proxy without its server: it is
/// tried again, and the object is there until something proves that it is not.
fn passing(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Deleted(Err(WriteError::PathNotFound(why))) => Outcome::Deleted(Err(WriteError::Transient(why))),
        outcome => outcome,
    }
}

fn take_verdicts(
    app: &mut ApplicationState,
    pairs: &std::collections::BTreeMap<capstan_model::ResourceKey, super::state::PairDigests>,
    verdicts: Vec<PairVerdict>,
) {
    for key in pairs.keys() {
        app.touched.keys.insert(key.clone());
    }
    for PairVerdict { key, verdict, .. } in verdicts {
        let Some(of) = pairs.get(&key) else { continue };
        if let Verdict::Failed(_) = verdict {
            app.incomparable.insert(key.clone());
        } else {
            app.incomparable.remove(&key);
        }
        app.compared.insert(key, Compared { of: *of, verdict });
    }
}
