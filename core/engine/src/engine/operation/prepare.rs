//! From a request to a plan: commits, objects, validation, order.

use std::collections::{BTreeMap, BTreeSet};

use capstan_model::{
    AppProject, GroupKind, OperationPhase, PruneOption, ResourceKey, ResourceResult, ResultCode, SyncOptions, Timestamp,
};
use petgraph::stable_graph::NodeIndex;

use super::parity::Parity;
use super::{INFO_PLAN, OperationRun, Stage, TaskRun, Work, take_approved};
use crate::effect::{EffectKind, Freshness};
use crate::engine::Engine;
use crate::engine::gate::Gate;
use crate::engine::refresh::same_commits;
use crate::engine::state::{ApplicationState, Existence, InFlight};
use crate::event::{KindLookup, ResolvedRevision, SourceFailure};
use crate::guard::{Hold, RESERVED, is_reserved};
use crate::machine::{HookTask, PruneTask, Refresh, TaskState, WriteTask};
use crate::plan::{Plan, PlanRequest, PruneItem, SyncTask, TaskAction};
use crate::policy::{SkipReason, shared_resource, would_wipe};
use crate::sabotage::{self, Sabotage};
use crate::settings::Guards;
use crate::targets::{Targets, made_namespace};

/// What stands in the way of a plan.
pub(super) enum Obstacle {
    /// It may go away by itself.
    Wait(String),
    /// It does not.
    Fail(OperationPhase, String, Vec<ResourceResult>),
}

impl Engine {
    pub(super) fn prepare(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        operation: &mut OperationRun,
        gate: &Gate,
    ) {
        let Some(project) = gate.project() else { return };
        if let Some(refusal) = unsupported(operation) {
            operation.message = refusal;
            operation.is_final = true;
            return self.enter(now, app, operation, Stage::Ended(OperationPhase::Error));
        }
        if self.hold_back(now, app, operation, gate) {
            return;
        }
        if let Err(refusal) = self.decide_identity(app, operation, project) {
            operation.message = refusal.to_string();
            return self.enter(now, app, operation, Stage::Ended(OperationPhase::Error));
        }
        let Some(targets) = self.operation_targets(now, app, operation) else {
            return;
        };
        operation.set_info(INFO_PLAN, targets.digest().to_string());
        if let Some(shared) = self.shared_resource(app, operation, &targets) {
            operation.message = shared;
            return self.enter(now, app, operation, Stage::Ended(OperationPhase::Failed));
        }
        if !self.take_holds(now, app, operation, &targets) {
            return;
        }
        if self.settings.guards == Guards::Argo {
            return self.prepare_parity(now, app, operation);
        }
        match self.plan_operation(app, operation, &targets, project) {
            Ok(plan) => {
                operation.message.clear();
                operation.brief.clear();
                self.install(now, app, operation, plan);
            }
            Err(Obstacle::Wait(what)) => operation.wait(now, &what),
            Err(Obstacle::Fail(phase, message, results)) => {
                operation.message = message;
                operation.refused = results;
                // What would wipe everything, or has no order, is not asked for again by itself.
                operation.is_final = phase == OperationPhase::Error;
                self.enter(now, app, operation, Stage::Ended(phase));
            }
        }
    }

    /// What may not be deleted. Gives false while that is not known.
    fn take_holds(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        operation: &mut OperationRun,
        targets: &Targets,
    ) -> bool {
        let Some(holds) = self.holds_of_operation(now, app, operation, targets) else {
            let what = "making sure of what would be deleted: a second render, and the history of commits";
            operation.wait(now, what);
            return false;
        };
        self.pin_destination(app, operation, &holds);
        let (approved, held): (Vec<Hold>, Vec<Hold>) = holds.into_iter().partition(|hold| hold.is_approved);
        take_approved(&mut operation.approved, approved.iter());
        // The first rule that holds an object is the one that is named.
        operation.held = held
            .iter()
            .rev()
            .flat_map(|hold| hold.finding.keys.iter().map(|key| (key.clone(), hold.result())))
            .collect();
        let options = operation.options(&app.application.spec);
        let stays = |key: &ResourceKey| match is_reserved(key, &self.settings.control_namespace) {
            true => Some(RESERVED.to_owned()),
            // What has become a hook is not there for what lives in it: it may have to make room for that hook.
            false if targets.find(key).is_some_and(|target| !target.meta.is_hook) => None,
            false if targets.find(key).is_some() && !self.is_ordinary(app, key) => None,
            false => self.need(app, key, targets, &options),
        };
        let keys = app.assessment.objects.keys();
        let stay = keys.filter_map(|key| Some((key.clone(), stays(key)?)));
        operation.held.extend(stay);
        // Argo CD's passes take no prune for itself: they begin when it may be done.
        let waits = self.settings.guards == Guards::Argo && operation.is_automated() && operation.prunes();
        if waits && app.guarding.prunes() && self.warming_up(app).is_some() {
            operation.wait(
                now,
                "the controller has just started: a sync that deletes begins in a moment",
            );
            return false;
        }
        true
    }

    /// `FailOnSharedResource`: an object of this sync that another application tracks.
    fn shared_resource(&self, app: &ApplicationState, operation: &OperationRun, targets: &Targets) -> Option<String> {
        let options = operation.options(&app.application.spec);
        let owner = |key: &ResourceKey| self.cluster(app)?.node(key)?.tracked_by().cloned();
        let shared = shared_resource(targets, &options, &app.id(), owner);
        let shared = shared.filter(|_| !sabotage::is(Sabotage::WritesShared));
        shared.map(|shared| shared.to_string())
    }

    /// `guards: argo`: there is no plan but what each pass makes of the cluster.
    fn prepare_parity(&mut self, now: Timestamp, app: &ApplicationState, operation: &mut OperationRun) {
        operation.parity = Some(Parity::restore(std::mem::take(&mut operation.restored)));
        let stage = if operation.is_durable {
            Stage::Running
        } else {
            Stage::PersistingIntent
        };
        self.enter(now, app, operation, stage);
    }

    /// The objects at the pinned commits; asks for what is missing.
    fn operation_targets(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        operation: &mut OperationRun,
    ) -> Option<Targets> {
        if let Some(targets) = &operation.targets {
            return Some(targets.clone());
        }
        if operation.sources.is_empty() {
            operation.sources = app.application.spec.sources().to_vec();
        }
        if let Some(desired) = &app.desired {
            let pinned = !operation.revisions.is_empty();
            let is_of_here = desired.destination == app.application.spec.destination;
            if pinned
                && is_of_here
                && same_commits(&desired.revisions, &operation.revisions)
                && desired.sources == operation.sources
            {
                operation.revisions.clone_from(&desired.revisions);
                operation.targets = Some(desired.targets.clone());
                return operation.targets.clone();
            }
        }
        // The refresh that is under way may bring just what is needed.
        if app.desired.is_none() && !matches!(app.refresh, Refresh::Failed { .. }) {
            operation.wait(now, "waiting for the sources to be read");
            return None;
        }
        if app.is_in_flight(|what| is_for(what, operation.number)) {
            return None;
        }
        if operation.revisions.is_empty() {
            self.resolve_for(app, operation);
        } else {
            self.render_for(app, operation);
        }
        None
    }

    fn resolve_for(&mut self, app: &mut ApplicationState, operation: &OperationRun) {
        let sync = operation.operation.sync.clone().unwrap_or_default();
        let mut sources = operation.sources.clone();
        for (index, source) in sources.iter_mut().enumerate() {
            let single = (index == 0 && sync.revisions.is_empty()).then_some(&sync.revision);
            if let Some(revision) = sync
                .revisions
                .get(index)
                .or(single)
                .filter(|revision| !revision.is_empty())
            {
                source.target_revision.clone_from(revision);
            }
        }
        let freshness = Freshness::Remote;
        self.emit(
            app,
            EffectKind::ResolveRevision { sources, freshness },
            InFlight::OperationResolve(operation.number),
        );
    }

    fn render_for(&mut self, app: &mut ApplicationState, operation: &OperationRun) {
        let Some(cluster) = self.cluster(app) else { return };
        let task = self.render_task(app, cluster, &operation.sources, &operation.revisions, false);
        let what = InFlight::OperationRender(operation.number);
        self.emit(app, EffectKind::Render(Box::new(task)), what);
    }

    pub(in crate::engine) fn operation_resolved(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        of: u64,
        result: Result<Vec<ResolvedRevision>, SourceFailure>,
    ) {
        let Some(mut operation) = app.operation.take_if(|operation| operation.number == of) else {
            return;
        };
        match result {
            Ok(revisions) => operation.revisions = revisions,
            Err(failure) => self.operation_unreadable(now, app, &mut operation, failure),
        }
        app.operation = Some(operation);
    }

    pub(in crate::engine) fn operation_rendered(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        of: u64,
        result: Result<Targets, SourceFailure>,
    ) {
        let Some(mut operation) = app.operation.take_if(|operation| operation.number == of) else {
            return;
        };
        match result {
            Ok(targets) => operation.targets = Some(targets),
            Err(failure) => self.operation_unreadable(now, app, &mut operation, failure),
        }
        app.operation = Some(operation);
    }

    fn operation_unreadable(
        &mut self,
        now: Timestamp,
        app: &ApplicationState,
        operation: &mut OperationRun,
        failure: SourceFailure,
    ) {
        operation.message = failure.message;
        self.enter(now, app, operation, Stage::Ended(OperationPhase::Error));
    }

    fn plan_operation(
        &self,
        app: &ApplicationState,
        operation: &mut OperationRun,
        targets: &Targets,
        project: &AppProject,
    ) -> Result<Plan, Obstacle> {
        let Some(cluster) = self.cluster(app) else {
            return Err(Obstacle::Wait("waiting for the cluster".into()));
        };
        let options = operation.options(&app.application.spec);
        let kinds: BTreeSet<&GroupKind> = targets.kinds().iter().chain(app.inventory.kinds()).collect();
        let blind = kinds
            .iter()
            .copied()
            .filter(|kind| matches!(cluster.kind(kind), KindLookup::Served(served) if served.watchable));
        if let Some(kind) = cluster.unlisted(blind)
            && !sabotage::is(Sabotage::PrunesUnlisted)
        {
            let why = cluster
                .unavailable
                .get(kind)
                .map(|why| format!(": {why}"))
                .unwrap_or_default();
            return Err(Obstacle::Wait(format!("waiting for the list of {kind}{why}")));
        }
        let prune = self.prune_items(app, operation, targets, options.prune_last == Some(true))?;
        let sync = operation.operation.sync.clone().unwrap_or_default();
        let is_apply_only = sync.sync_strategy.is_some_and(|strategy| strategy.apply.is_some());
        let suffix = operation.hook_suffix();
        let request = PlanRequest {
            targets,
            prune: &prune,
            hooks: sync.resources.is_empty() && !is_apply_only,
            selection: &sync.resources,
            options: &options,
            destination_namespace: &app.application.spec.destination.namespace,
            create_namespace: options.create_namespace == Some(true),
            hook_suffix: &suffix,
            guards: self.settings.guards,
        };
        // The same objects have no order at another attempt, either.
        let plan = Plan::new(&request)
            .map_err(|error| Obstacle::Fail(OperationPhase::Error, error.to_string(), Vec::new()))?;
        self.validate(app, operation, &plan, targets, project)?;
        Ok(plan)
    }

    /// What is tracked and not in these objects. Never anything when the objects are none and the policy does not say that is meant.
    fn prune_items(
        &self,
        app: &ApplicationState,
        operation: &mut OperationRun,
        targets: &Targets,
        last: bool,
    ) -> Result<Vec<PruneItem>, Obstacle> {
        operation.refused.clear();
        if !operation.prunes() {
            return Ok(Vec::new());
        }
        let is_wanted = |key: &ResourceKey| targets.find(key).is_some() && !sabotage::is(Sabotage::PrunesDeclared);
        let items: Vec<PruneItem> = app
            .assessment
            .objects
            .iter()
            .filter(|(key, object)| {
                !is_wanted(key) && object.existence == Existence::Present && self.is_tracked(app, key)
            })
            .map(|(key, object)| PruneItem {
                key: key.clone(),
                gvk: object.gvk.clone(),
                wave: object.wave,
                last: last
                    || self
                        .own_options(app, key)
                        .is_some_and(|own| own.prune_last == Some(true)),
            })
            .collect();
        // The namespace that is made stays, whatever declared it before.
        let spec = &app.application.spec;
        let made = made_namespace(targets, &spec.destination.namespace, &operation.options(spec));
        let goes = |item: &PruneItem| made.as_ref() != Some(&item.key);
        let empties = items.iter().any(goes) && !targets.declare_resources();
        let automated = app.application.spec.sync_policy.automation();
        if operation.is_automated() && would_wipe(automated, empties) {
            let message = SkipReason::WouldWipe.to_string();
            return Err(Obstacle::Fail(OperationPhase::Error, message, Vec::new()));
        }
        Ok(items)
    }

    fn is_tracked(&self, app: &ApplicationState, key: &ResourceKey) -> bool {
        let node = self.cluster(app).and_then(|cluster| cluster.node(key));
        let is_ours = |node: &capstan_live::Node| node.tracked_by() == Some(&app.id()) && !node.is_owned();
        node.is_some_and(|node| is_ours(node) || sabotage::is(Sabotage::DeletesUntracked))
    }

    /// Puts the plan in place, with what an earlier process recorded of it.
    fn install(&mut self, now: Timestamp, app: &ApplicationState, operation: &mut OperationRun, plan: Plan) {
        let options = operation.options(&app.application.spec);
        let nodes: Vec<NodeIndex> = plan.order().to_vec();
        operation.plan = plan;
        for node in nodes {
            let task = operation.plan.task(node);
            let state = match task.action {
                TaskAction::Apply | TaskAction::CreateNamespace => TaskState::Write(WriteTask::Blocked),
                TaskAction::Hook(_) => TaskState::Hook(HookTask::Blocked),
                TaskAction::Prune => TaskState::Prune(match operation.held.get(&task.key) {
                    Some(why) => PruneTask::PruneSkipped(why.clone()),
                    None => self.prune_start(app, &task.key, &options),
                }),
                TaskAction::Milestone => TaskState::Milestone {
                    applied: false,
                    settled: false,
                },
            };
            let message = match &state {
                TaskState::Prune(PruneTask::PruneSkipped(why)) => why.clone(),
                _ => String::new(),
            };
            let run = TaskRun {
                state,
                since: now,
                message,
                attempts: 0,
                begun: None,
                until: None,
            };
            operation.tasks.insert(node, run);
        }
        let restored = std::mem::take(&mut operation.restored);
        // What an earlier process had begun was tried by it. A dry run is nothing but that, and begins it anew.
        let was_begun = !restored.is_empty();
        self.take_up(now, app, operation, &restored);
        operation.work = Work::new(&operation.plan, &operation.tasks, &operation.recorded);
        operation.rehearsal = self
            .rehearsal(app, operation)
            .filter(|_| !was_begun || operation.is_dry_run());
        let stage = if !operation.is_durable && !may_go_unrecorded(app, operation) {
            Stage::PersistingIntent
        } else if operation.rehearsal.is_some() {
            Stage::Rehearsing
        } else {
            Stage::Running
        };
        self.enter(now, app, operation, stage);
    }

    fn take_up(
        &self,
        now: Timestamp,
        app: &ApplicationState,
        operation: &mut OperationRun,
        restored: &[ResourceResult],
    ) {
        let cluster = self.cluster(app);
        let nodes: Vec<(NodeIndex, SyncTask)> = operation
            .plan
            .tasks()
            .map(|(node, task)| (node, task.clone()))
            .collect();
        let mut recorded: BTreeMap<_, &ResourceResult> = BTreeMap::new();
        for result in restored {
            recorded.entry((result.key(), result.sync_phase)).or_insert(result);
        }
        for (node, task) in nodes {
            let Some(result) = recorded.get(&(task.key.clone(), Some(task.phase))) else {
                continue;
            };
            let live = cluster.and_then(|cluster| cluster.node(&task.key));
            let state = match (&task.action, result.status, result.hook_phase) {
                (TaskAction::Hook(_), _, Some(OperationPhase::Succeeded)) => TaskState::Hook(HookTask::Succeeded),
                (TaskAction::Hook(_), _, Some(OperationPhase::Failed | OperationPhase::Error)) => {
                    TaskState::Hook(HookTask::Failed(result.message.clone()))
                }
                (TaskAction::Hook(_), ..) => {
                    operation.recorded.insert(node);
                    operation.maybe_created.insert(node);
                    continue;
                }
                (TaskAction::Apply | TaskAction::CreateNamespace, Some(ResultCode::Synced), _) => match live {
                    Some(live) => TaskState::Write(WriteTask::AwaitingHealth {
                        uid: live.uid(),
                        generation: live.generation(),
                    }),
                    None => continue,
                },
                _ => continue,
            };
            if let Some(run) = operation.tasks.get_mut(&node) {
                run.state = state;
            }
            self.begin_waiting(now, app, operation, node);
        }
    }
}

/// Is it asked for this operation what its sources are?
fn is_for(what: &InFlight, number: u64) -> bool {
    matches!(what, InFlight::OperationResolve(of) | InFlight::OperationRender(of) if *of == number)
}

fn unsupported(operation: &OperationRun) -> Option<String> {
    let sync = operation.operation.sync.as_ref()?;
    if !sync.manifests.is_empty() {
        return Some(
            "operation.sync.manifests is not supported: nothing was done; what is deployed comes from Git".into(),
        );
    }
    None
}

/// May it write before its intent is durable? Not what cannot be told from what somebody else did, nor what a person asked for; nor objects of
/// kinds of which the resource's status names none: if the process ended before that is told, and the kind left the source meanwhile, nobody
/// would know to look at that kind, and what was written would stay, unseen, for ever.
fn may_go_unrecorded(app: &ApplicationState, operation: &OperationRun) -> bool {
    let told = app.told_kinds();
    let mut tasks = operation.plan.tasks().map(|(_, task)| task);
    let is_told = |task: &SyncTask| task.action != TaskAction::Apply || told.contains(&task.key.group_kind());
    let is_repeatable = operation.plan.is_idempotent() && operation.is_automated();
    is_repeatable && (tasks.all(is_told) || sabotage::is(Sabotage::WritesUntoldKinds))
}

impl Engine {
    fn prune_start(&self, app: &ApplicationState, key: &ResourceKey, options: &SyncOptions) -> PruneTask {
        let option = self.prune_option(app, key, options);
        match option.filter(|_| !sabotage::is(Sabotage::DeletesProtected)) {
            Some(PruneOption::Never) => PruneTask::PruneSkipped("left as it is: Prune=false".into()),
            _ => PruneTask::Blocked,
        }
    }
}
