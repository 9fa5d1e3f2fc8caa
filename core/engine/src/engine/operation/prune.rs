//! Deleting one object that is no longer in the source.

use std::collections::BTreeSet;

use capstan_model::{AppProject, PruneOption, ResourceKey, SyncOptions, Timestamp};
use petgraph::stable_graph::NodeIndex;

use super::OperationRun;
use super::waiting::held_by;
use super::write::{attempts, retry_at};
use crate::effect::Propagation;
use crate::engine::Engine;
use crate::engine::gate::Gate;
use crate::engine::grounds::delete;
use crate::engine::state::{ApplicationState, Existence, InFlight};
use crate::event::{Deletion, WriteError};
use crate::guard::{CompleteLive, CompleteRender, DeletePermit, is_looked_into, may_go_along, need};
use crate::limits::MAX_WRITES_IN_FLIGHT;
use crate::machine::{PruneTask, TaskState};
use crate::plan::Selection;
use crate::policy::{Authorized, Verb};
use crate::sabotage::{self, Sabotage};
use crate::targets::Targets;

const FINALIZING: &str = "deletion was accepted; finalizers and what it owns are being dealt with";
/// True after a start, of an Application that is new, and after another replica led.
const YOUNG: &str = "this controller has worked on the Application for a moment only";

impl Engine {
    pub(super) fn launch_prune(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        operation: &mut OperationRun,
        node: NodeIndex,
        gate: &Gate,
    ) {
        let key = operation.plan.task(node).key.clone();
        let options = operation.options(&app.application.spec);
        if self.needs_confirmation(app, &key, &options) && !is_approved(app, operation) {
            let state = TaskState::Prune(PruneTask::AwaitingConfirmation);
            return self.set(now, app, operation, node, state, confirm_text(app, operation));
        }
        let Some(project) = gate.project() else { return };
        let by = match self.may_prune(app, operation, &key, project) {
            Ok(by) => by,
            Err(why) => return self.set_prune(now, app, operation, node, PruneTask::PruneSkipped(why)),
        };
        let must_wait = operation.is_automated() && self.must_wait(app, operation, node);
        if must_wait || app.writes_in_flight() >= MAX_WRITES_IN_FLIGHT {
            return;
        }
        let Some(cluster) = self.cluster(app) else { return };
        let uid = match cluster.existence(&key) {
            // Whose it is, is known only of what is listed.
            (_, Some(_)) if !cluster.live.is_complete(&key.group_kind()) => {
                return self.await_list(app, operation, node, &key.group_kind());
            }
            (_, Some(live)) if live.is_deleting() => {
                let uid = live.uid();
                return self.set_prune(now, app, operation, node, PruneTask::Finalizing { uid });
            }
            (_, Some(live)) => live.uid(),
            (Existence::Missing, None) => return self.set_prune(now, app, operation, node, PruneTask::Pruned),
            _ => return,
        };
        match self.prune_permit(app, operation, &key) {
            Some(permit) => {
                let (state, why) = (PruneTask::Deleting { uid }, permit.grounds().to_string());
                let effect = delete(app, permit, propagation(&options));
                self.emit_as(app, by, effect, InFlight::Task(node));
                self.set(now, app, operation, node, TaskState::Prune(state), why);
            }
            None => {
                let why = "it is declared, or not tracked by this application any more".to_owned();
                self.set_prune(now, app, operation, node, PruneTask::PruneSkipped(why));
            }
        }
    }

    /// Or why it is left, since the sync was planned: the project, a pause, an approval that was taken back.
    fn may_prune(
        &self,
        app: &ApplicationState,
        operation: &OperationRun,
        key: &ResourceKey,
        project: &AppProject,
    ) -> Result<Authorized, String> {
        let by = operation.authorize(app, project, key, Verb::Delete);
        let by = by.map_err(|refusal| refusal.to_string())?;
        let paused = self.paused(app).filter(|_| operation.is_automated());
        let paused = paused.map(|why| app.guarding.pause_result(&why));
        let why = paused.or_else(|| operation.taken_back(key, &app.guarding.approval));
        why.map_or(Ok(by), Err)
    }

    fn prune_permit(
        &self,
        app: &ApplicationState,
        operation: &OperationRun,
        key: &ResourceKey,
    ) -> Option<Box<DeletePermit>> {
        let render = CompleteRender::of(operation.targets.as_ref()?);
        let live = CompleteLive::of(&self.cluster(app)?.live, [&key.group_kind()]).ok()?;
        let grounds = self.prune_grounds(app, operation, key);
        let permit = DeletePermit::prune(render, live, key, grounds, &self.settings.installation_id)?;
        Some(Box::new(self.with_contents(app, operation, permit)))
    }

    /// The permit, with what a person has approved, and what may go along with a namespace or a definition.
    pub(super) fn with_contents(
        &self,
        app: &ApplicationState,
        operation: &OperationRun,
        permit: DeletePermit,
    ) -> DeletePermit {
        let permit = permit.with_approval(is_approved(app, operation));
        // Whoever names some objects has not said a word about the others.
        let is_looked_into = is_looked_into(permit.key(), !operation.is_automated() && !operation.is_selective());
        match is_looked_into && !operation.may_take_everything(permit.key(), &app.guarding.approval) {
            true => permit.with_contents(self.may_go_along(app, operation)),
            false => permit,
        }
    }

    /// What may go when a namespace or a definition goes: what this application tracks and does not declare, and may be pruned.
    fn may_go_along(&self, app: &ApplicationState, operation: &OperationRun) -> BTreeSet<ResourceKey> {
        let (Some(cluster), Some(targets)) = (self.cluster(app), &operation.targets) else {
            return BTreeSet::new();
        };
        let id = app.id();
        let tracked = cluster.live.tracked(&id);
        let options = operation.options(&app.application.spec);
        let is_confirmed = is_approved(app, operation);
        let sync = operation.operation.sync.clone().unwrap_or_default();
        let selection = Selection::of(&sync.resources);
        let may_go = tracked.filter(|key| {
            let option = self.prune_option(app, key, &options);
            let option = option.filter(|option| *option != PruneOption::Confirm || !is_confirmed);
            selection.has(key) && may_go_along(option, targets.find(key).is_some(), operation.held.contains_key(*key))
        });
        may_go.cloned().collect()
    }

    /// Why what is declared needs an object that is not.
    pub(in crate::engine) fn need(
        &self,
        app: &ApplicationState,
        key: &ResourceKey,
        targets: &Targets,
        options: &SyncOptions,
    ) -> Option<String> {
        let live = || self.cluster(app)?.node(key)?.manifest()?.value().ok();
        need(key, live, targets, home(app, options))
    }

    /// Does the prune wait, since this process has not seen it for long? Says so.
    pub(super) fn must_wait(&self, app: &ApplicationState, operation: &mut OperationRun, node: NodeIndex) -> bool {
        let Some(until) = self.warming_up(app) else {
            return false;
        };
        if let Some(run) = operation.tasks.get_mut(&node) {
            run.message = match until {
                Some(until) => format!("{YOUNG}: nothing is deleted before {until}"),
                None => format!("{YOUNG}, and not everything is listed yet"),
            };
        }
        true
    }

    fn set_prune(
        &mut self,
        now: Timestamp,
        app: &ApplicationState,
        operation: &mut OperationRun,
        node: NodeIndex,
        state: PruneTask,
    ) {
        let message = match &state {
            PruneTask::PruneSkipped(why) | PruneTask::PruneFailed(why) | PruneTask::BackingOff { why, .. } => {
                why.clone()
            }
            PruneTask::Finalizing { .. } => FINALIZING.into(),
            _ => String::new(),
        };
        self.set(now, app, operation, node, TaskState::Prune(state), message);
    }

    pub(super) fn evolve_prune(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        operation: &mut OperationRun,
        node: NodeIndex,
        gate: &Gate,
    ) {
        let Some(TaskState::Prune(state)) = operation.tasks.get(&node).map(|run| run.state.clone()) else {
            return;
        };
        match state {
            PruneTask::AwaitingConfirmation if is_approved(app, operation) && self.may_write(app) => {
                self.launch_prune(now, app, operation, node, gate);
            }
            PruneTask::AwaitingConfirmation => {
                let text = confirm_text(app, operation);
                if let Some(run) = operation.tasks.get_mut(&node) {
                    run.message = text;
                }
            }
            PruneTask::BackingOff { until, .. } if until <= now && self.may_write(app) => {
                self.launch_prune(now, app, operation, node, gate);
            }
            PruneTask::Finalizing { uid } => {
                let key = &operation.plan.task(node).key;
                let (is_gone, held) = match self.cluster(app).map(|cluster| cluster.existence(key)) {
                    Some((_, Some(live))) => (live.uid() != uid, held_by(live)),
                    Some((existence, None)) => (existence == Existence::Missing, None),
                    None => (false, None),
                };
                if is_gone {
                    self.set_prune(now, app, operation, node, PruneTask::Pruned);
                } else if let Some(run) = operation.tasks.get_mut(&node) {
                    run.message = held.unwrap_or_else(|| FINALIZING.to_owned());
                }
            }
            _ => {}
        }
    }

    /// The answer to a delete.
    pub(in crate::engine) fn prune_completed(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        node: NodeIndex,
        result: Result<Deletion, WriteError>,
    ) {
        let Some(mut operation) = app.operation.take() else {
            return;
        };
        let key = operation.plan.task(node).key.clone();
        let uid = match operation.tasks.get(&node).map(|run| &run.state) {
            Some(TaskState::Prune(PruneTask::Deleting { uid })) => uid.clone(),
            _ => String::new(),
        };
        let state = match result {
            Ok(Deletion::Gone) | Err(WriteError::NotFound(_)) => {
                let cluster = app.application.spec.destination.cluster();
                self.gone(&cluster, &key, &uid);
                PruneTask::Pruned
            }
            Ok(Deletion::Accepted) => PruneTask::Finalizing { uid },
            Ok(Deletion::Refused(refusal)) => PruneTask::PruneSkipped(match refusal.rule() {
                Some(rule) => app.guarding.refused(&key, &uid, rule, &refusal.to_string()),
                None => refusal.to_string(),
            }),
            Err(error) => match retry_at(now, attempts(&operation, node) + 1, &error) {
                Some((attempts, until)) => PruneTask::BackingOff {
                    attempts,
                    until,
                    why: error.to_string(),
                },
                None => PruneTask::PruneFailed(error.to_string()),
            },
        };
        self.set_prune(now, app, &mut operation, node, state);
        app.operation = Some(operation);
    }
}

impl Engine {
    pub(in crate::engine) fn needs_confirmation(
        &self,
        app: &ApplicationState,
        key: &ResourceKey,
        options: &SyncOptions,
    ) -> bool {
        let confirms = self.prune_option(app, key, options) == Some(PruneOption::Confirm);
        confirms && !sabotage::is(Sabotage::PrunesUnconfirmed)
    }

    /// The object's own `Prune=` is stronger than the application's.
    pub(super) fn prune_option(
        &self,
        app: &ApplicationState,
        key: &ResourceKey,
        options: &SyncOptions,
    ) -> Option<PruneOption> {
        self.own_options(app, key).and_then(|own| own.prune).or(options.prune)
    }
}

/// The namespace that `CreateNamespace=true` makes.
pub(in crate::engine) fn home<'a>(app: &'a ApplicationState, options: &SyncOptions) -> Option<&'a str> {
    let namespace = app.application.spec.destination.namespace.as_str();
    (options.create_namespace == Some(true) && !namespace.is_empty()).then_some(namespace)
}

fn confirm_text(app: &ApplicationState, operation: &OperationRun) -> String {
    format!("{} to delete it", app.guarding.approval.how(operation.started_at))
}

/// An approval that was given since the operation began.
pub(super) fn is_approved(app: &ApplicationState, operation: &OperationRun) -> bool {
    app.guarding.approval.is_since(operation.started_at)
}

/// Foreground unless the options say otherwise, as in Argo CD.
pub(super) fn propagation(options: &SyncOptions) -> Propagation {
    chosen(options).unwrap_or(Propagation::Foreground)
}

/// Background unless the options say otherwise: nobody waits for what a finished hook owns.
pub(in crate::engine) fn hook_propagation(options: &SyncOptions) -> Propagation {
    chosen(options).unwrap_or(Propagation::Background)
}

fn chosen(options: &SyncOptions) -> Option<Propagation> {
    Some(match options.prune_propagation_policy.as_deref()? {
        "background" => Propagation::Background,
        "orphan" => Propagation::Orphan,
        _ => Propagation::Foreground,
    })
}
