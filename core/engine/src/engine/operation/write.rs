//! Writing one object, and waiting until it is settled.

use capstan_live::Node;
use capstan_model::{Blob, HealthStatusCode, ObjectMeta, ResourceKey, SyncOptions, SyncStatusCode, Timestamp};
use petgraph::stable_graph::NodeIndex;
use serde_json::Value;

use super::advice::advice;
use super::{OperationRun, Stage};
use crate::compare::with_live_values;
use crate::effect::{ApplyMode, ApplyTask, DryRun, EffectKind};
use crate::engine::Engine;
use crate::engine::gate::Gate;
use crate::engine::namespace::namespace_write;
use crate::engine::state::{ApplicationState, Existence, InFlight};
use crate::event::{KindLookup, WriteError};
use crate::limits::MAX_WRITES_IN_FLIGHT;
use crate::machine::{TaskState, WriteTask, write_backoff};
use crate::plan::{SyncTask, TaskAction};
use crate::policy::{Verb, ignore_rules};
use crate::sabotage::{self, Sabotage};
use crate::targets::Target;

impl Engine {
    pub(super) fn launch_write(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        operation: &mut OperationRun,
        node: NodeIndex,
        gate: &Gate,
    ) {
        let task = operation.plan.task(node).clone();
        let Some(project) = gate.project() else { return };
        let by = match operation.authorize(app, project, &task.key, Verb::Apply) {
            Ok(by) => by,
            Err(refusal) => {
                let state = TaskState::Write(WriteTask::SyncFailed(refusal.to_string()));
                return self.set(now, app, operation, node, state, refusal.to_string());
            }
        };
        if let Some((state, message)) = self.already(app, operation, &task) {
            return self.set(now, app, operation, node, TaskState::Write(state), message);
        }
        if let Some(refusal) = self.rival(app, &task.key, &operation.options(&app.application.spec)) {
            let state = TaskState::Write(WriteTask::SyncFailed(refusal.clone()));
            return self.set(now, app, operation, node, state, refusal);
        }
        if app.writes_in_flight() >= MAX_WRITES_IN_FLIGHT {
            return;
        }
        if let Some(why) = self.not_served_yet(app, &task) {
            let attempts = attempts(operation, node) + 1;
            let until = now + write_backoff(attempts);
            let state = TaskState::Write(WriteTask::BackingOff {
                attempts,
                until,
                why: why.clone(),
            });
            return self.set(now, app, operation, node, state, why);
        }
        let is_ours = operation.tasks.get(&node).map(|run| &run.state) == Some(&TaskState::Write(WriteTask::TakenOver));
        let task = self.scoped(app, operation, node);
        let effect = self.write_effect(app, operation, &task);
        let options = operation.options(&app.application.spec);
        let first = (!is_ours).then(|| self.hand_over(app, &effect, &options)).flatten();
        let (effect, state) = match first {
            Some(first) => (first, WriteTask::TakingOver),
            None => (EffectKind::Apply(Box::new(effect)), WriteTask::Applying),
        };
        self.emit_as(app, by, effect, InFlight::Task(node));
        self.set(now, app, operation, node, TaskState::Write(state), "");
    }

    fn write_effect(&self, app: &ApplicationState, operation: &OperationRun, task: &SyncTask) -> ApplyTask {
        let target = task
            .target
            .and_then(|index| operation.targets.as_ref()?.objects().get(index));
        let newest = app.desired.as_ref().and_then(|desired| desired.resource(&task.key));
        match target.map(|target| {
            newest
                .filter(|_| sabotage::is(Sabotage::FollowsTheBranch))
                .unwrap_or(target)
        }) {
            Some(target) => {
                let mut effect = self.apply_task(app, target, &operation.options(&app.application.spec));
                if effect.key != task.key
                    && let Ok(mut object) = effect.object.value()
                {
                    self.rename(app, &mut object, &task.key);
                    (effect.key, effect.object) = (task.key.clone(), Blob::new(&object));
                }
                effect
            }
            None => namespace_write(app, task),
        }
    }

    /// The task, under the key that the cluster will know it by: its kind may be served only since the plan was made.
    pub(super) fn scoped(&self, app: &ApplicationState, operation: &mut OperationRun, node: NodeIndex) -> SyncTask {
        let kind = operation.plan.task(node).key.group_kind();
        if let Some(KindLookup::Served(served)) = self.cluster(app).map(|cluster| cluster.kind(&kind))
            && !served.namespaced
        {
            operation.plan.drop_namespace(node);
            operation.work.rename(node, &operation.plan.task(node).key);
        }
        operation.plan.task(node).clone()
    }

    /// Why an object must be left to another application: that one tracks it and declares it, too. Taking it would only start a tug of
    /// war, and deleting either application would delete it. An object that the other no longer declares is handed over.
    pub(in crate::engine) fn rival(
        &self,
        app: &ApplicationState,
        key: &ResourceKey,
        options: &SyncOptions,
    ) -> Option<String> {
        self.declarer(app, key)
            .or_else(|| self.other_namespace_keeper(app, key))
            .or_else(|| self.sharer(app, key, options))
    }

    /// `FailOnSharedResource` lets no sync begin that would write another's object; nor is one written that became another's since.
    fn sharer(&self, app: &ApplicationState, key: &ResourceKey, options: &SyncOptions) -> Option<String> {
        let owner = self.cluster(app)?.node(key)?.tracked_by()?;
        let fails = options.fail_on_shared_resource == Some(true)
            && *owner != app.id()
            && !sabotage::is(Sabotage::WritesShared);
        fails.then(|| format!("it belongs to application {owner}, and FailOnSharedResource=true"))
    }

    fn declarer(&self, app: &ApplicationState, key: &ResourceKey) -> Option<String> {
        let owner = self.cluster(app)?.node(key)?.tracked_by()?;
        let other = self.applications.get(owner).filter(|_| *owner != app.id())?;
        let declared = other.desired.as_ref()?.resource(key)?;
        Some(format!(
            "it belongs to application {owner}, which declares it at {}: remove it from one of the two",
            declared.location
        ))
    }

    /// An object that is as desired already needs no write in some syncs ([`is_unchanged`]); nor does a namespace that is there, where nothing is
    /// kept of it.
    pub(super) fn already(
        &self,
        app: &ApplicationState,
        operation: &OperationRun,
        task: &SyncTask,
    ) -> Option<(WriteTask, &'static str)> {
        let live = self.cluster(app)?.node(&task.key).filter(|live| !live.is_deleting())?;
        if task.action == TaskAction::CreateNamespace {
            let Some(kept) = self.kept_in(app, operation, &task.key) else {
                return Some((awaiting(live), "exists already"));
            };
            return is_unchanged(app, operation, &kept, live).then(|| (awaiting(live), "unchanged"));
        }
        let target = operation.targets.as_ref()?.objects().get(task.target?)?;
        is_unchanged(app, operation, target, live).then(|| (awaiting(live), "unchanged"))
    }

    /// A kind whose definition this very sync brings is served a moment after.
    pub(super) fn not_served_yet(&self, app: &ApplicationState, task: &SyncTask) -> Option<String> {
        let kind = task.key.group_kind();
        match self.cluster(app)?.kind(&kind) {
            _ if sabotage::is(Sabotage::DoesNotAwaitDefinitions) => None,
            KindLookup::Served(_) => None,
            KindLookup::NotServed | KindLookup::Unknown => Some(format!("waiting for the cluster to serve {kind}")),
        }
    }

    /// How an object is written, in an operation or to put drift right.
    pub(in crate::engine) fn apply_task(
        &self,
        app: &ApplicationState,
        target: &Target,
        options: &SyncOptions,
    ) -> ApplyTask {
        let own = &target.meta.sync_options;
        let live = self.cluster(app).and_then(|cluster| cluster.node(&target.key));
        let replace = own.replace.or_else(|| replaces(live?)).or(options.replace);
        let mode = match (replace, live) {
            (Some(true), Some(live)) => ApplyMode::Replace {
                resource_version: match sabotage::is(Sabotage::BlindReplace) {
                    true => String::new(),
                    false => live.resource_version(),
                },
            },
            _ => ApplyMode::ServerSide { force: true },
        };
        ApplyTask {
            cluster: app.application.spec.destination.cluster(),
            key: target.key.clone(),
            gvk: target.gvk.clone(),
            object: respected(app, target, live, options),
            mode,
            dry_run: DryRun::No,
            validate: own.validate.or(options.validate) != Some(false),
            recreate: false,
        }
    }

    pub(super) fn evolve_write(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        operation: &mut OperationRun,
        node: NodeIndex,
        gate: &Gate,
    ) {
        let Some(TaskState::Write(state)) = operation.tasks.get(&node).map(|run| run.state.clone()) else {
            return;
        };
        match state {
            WriteTask::BackingOff { until, .. } => {
                let is_served = self.not_served_yet(app, operation.plan.task(node)).is_none();
                let waits_for_kind = operation.tasks[&node]
                    .message
                    .starts_with("waiting for the cluster to serve");
                if (until <= now || waits_for_kind && is_served)
                    && self.may_write(app)
                    && operation.stage == Stage::Running
                {
                    self.launch_write(now, app, operation, node, gate);
                }
            }
            WriteTask::AwaitingHealth { uid, generation } => {
                self.evolve_awaiting(now, app, operation, node, gate, (&uid, generation));
            }
            WriteTask::Unchangeable { why } if self.may_write(app) && operation.stage == Stage::Running => {
                self.recreate(now, app, operation, node, &why);
            }
            WriteTask::Recreating { uid, look, .. } => {
                self.evolve_recreating(now, app, operation, node, (gate, &uid, look));
            }
            WriteTask::TakenOver if self.may_write(app) && operation.stage == Stage::Running => {
                self.launch_write(now, app, operation, node, gate);
            }
            // Left by an answer, or not at all.
            _ => {}
        }
    }

    fn evolve_awaiting(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        operation: &mut OperationRun,
        node: NodeIndex,
        gate: &Gate,
        (uid, generation): (&str, i64),
    ) {
        let key = operation.plan.task(node).key.clone();
        match self.settling(app, operation, node, &key, uid, generation) {
            Settling::Settled => {
                let message = operation.tasks[&node].message.clone();
                let message = if message == "unchanged" { message } else { String::new() };
                self.set(now, app, operation, node, TaskState::Write(WriteTask::Synced), message);
            }
            Settling::Waits(why) => {
                if let Some(run) = operation.tasks.get_mut(&node) {
                    run.message = why;
                }
            }
            Settling::Failed(why) => {
                self.set(
                    now,
                    app,
                    operation,
                    node,
                    TaskState::Write(WriteTask::SyncFailed(why.clone())),
                    why,
                );
            }
            Settling::Gone => {
                if self.may_write(app) && operation.stage == Stage::Running {
                    self.set(
                        now,
                        app,
                        operation,
                        node,
                        TaskState::Write(WriteTask::Blocked),
                        "was deleted; written again",
                    );
                    self.launch_write(now, app, operation, node, gate);
                }
            }
        }
    }

    /// Is the object that was written settled: seen since, by its controller too, and healthy?
    fn settling(
        &self,
        app: &ApplicationState,
        operation: &OperationRun,
        node: NodeIndex,
        key: &ResourceKey,
        uid: &str,
        generation: i64,
    ) -> Settling {
        let Some(cluster) = self.cluster(app) else {
            return Settling::Waits("the cluster is not known".into());
        };
        let live = match cluster.existence(key) {
            (_, Some(live)) => live,
            (Existence::Missing, None) => return Settling::Gone,
            _ => return Settling::Waits("not observed yet".into()),
        };
        if live.uid() != uid {
            return Settling::Gone;
        }
        if sabotage::is(Sabotage::SkipsHealth) {
            return Settling::Settled;
        }
        if live.is_deleting() {
            return Settling::Waits("it is being deleted".into());
        }
        if live.generation() < generation {
            return Settling::Waits(format!("generation {generation} is not observed yet"));
        }
        if let Some(observed) = live.observed_generation()
            && observed < live.generation()
        {
            let wanted = live.generation();
            return Settling::Waits(format!("its controller has seen generation {observed} of {wanted}"));
        }
        let target = operation.plan.task(node).target;
        let target = target.and_then(|index| operation.targets.as_ref()?.objects().get(index));
        if target.is_some_and(|target| target.meta.ignore_healthcheck) {
            return Settling::Settled;
        }
        match live.health_code() {
            Some(HealthStatusCode::Progressing) if operation.plan.is_consumed_later(node) => Settling::Settled,
            Some(HealthStatusCode::Suspended) if target.is_some_and(is_declared_suspended) => Settling::Settled,
            _ => judge(key, live),
        }
    }

    /// The answer to an apply.
    pub(in crate::engine) fn write_completed(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        node: NodeIndex,
        result: Result<Box<Value>, WriteError>,
    ) {
        let Some(mut operation) = app.operation.take() else {
            return;
        };
        match result {
            Ok(object) => {
                let cluster = app.application.spec.destination.cluster();
                self.observed(&cluster, &object);
                let state = WriteTask::AwaitingHealth {
                    uid: object
                        .pointer("/metadata/uid")
                        .and_then(Value::as_str)
                        .unwrap_or_default()
                        .to_owned(),
                    generation: object
                        .pointer("/metadata/generation")
                        .and_then(Value::as_i64)
                        .unwrap_or(0),
                };
                self.set(now, app, &mut operation, node, TaskState::Write(state), "");
            }
            // Not at once: what is to be deleted is asked for only where the step has looked whether anything may be written now.
            Err(WriteError::Invalid(why)) if self.makes_anew(app, &operation, node).is_some() => {
                let state = WriteTask::Unchangeable { why: why.clone() };
                self.set(now, app, &mut operation, node, TaskState::Write(state), why);
            }
            Err(error) => {
                let message = located(&operation, node, &error.to_string());
                let state = match retry_at(now, attempts(&operation, node) + 1, &error) {
                    Some((attempts, until)) => WriteTask::BackingOff {
                        attempts,
                        until,
                        why: message.clone(),
                    },
                    None => WriteTask::SyncFailed(message.clone()),
                };
                self.set(now, app, &mut operation, node, TaskState::Write(state), message);
            }
        }
        app.operation = Some(operation);
    }
}

/// `Replace=` of the live object: that of a manifest that says it no longer counts once more.
fn replaces(live: &Node) -> Option<bool> {
    let live = live.manifest()?.value().ok()?;
    ObjectMeta::of(&live).sync_options.replace
}

/// What is applied of a target: with `RespectIgnoreDifferences`, what is not compared is not changed either.
fn respected(app: &ApplicationState, target: &Target, live: Option<&Node>, options: &SyncOptions) -> Blob {
    let rules = ignore_rules(&app.application.spec.ignore_differences, &target.key);
    let is_respected = options.respect_ignore_differences == Some(true) && !sabotage::is(Sabotage::WritesIgnored);
    let is_respected = is_respected && !rules.is_empty();
    let live = live
        .filter(|_| is_respected)
        .and_then(|live| live.manifest()?.value().ok());
    match (live, target.object.value()) {
        (Some(live), Ok(desired)) => Blob::new(&with_live_values(&desired, &live, &rules)),
        _ => target.object.clone(),
    }
}

enum Settling {
    Settled,
    Waits(String),
    Failed(String),
    /// It is no longer there, or another one is.
    Gone,
}

/// Git says that it rests: no waiting makes it run.
fn is_declared_suspended(target: &Target) -> bool {
    let says = |object: &Value, pointer| object.pointer(pointer) == Some(&Value::Bool(true));
    let object = target.object.value().ok();
    object.is_some_and(|object| {
        ["/spec/paused", "/spec/suspend"]
            .iter()
            .any(|pointer| says(&object, pointer))
    })
}

fn judge(key: &ResourceKey, live: &Node) -> Settling {
    let Some(health) = live.health() else {
        return Settling::Settled;
    };
    let why = match health.message.as_str() {
        "" => health.status.to_string(),
        message => format!("{}: {message}", health.status),
    };
    match health.status {
        HealthStatusCode::Healthy => Settling::Settled,
        // A Job does not recover; everything else may, and a rollout that stalls is told by its health.
        HealthStatusCode::Degraded if key.group == "batch" && key.kind == "Job" => Settling::Failed(why),
        _ => Settling::Waits(why),
    }
}

/// Is an object as a sync would write it that passes over those: an automated one, or with `ApplyOutOfSyncOnly=true`? The verdict is of what
/// is wanted now, which an operation of an older commit may declare just so, and of this step's beginning; what was written since is in
/// the index by its answer.
fn is_unchanged(app: &ApplicationState, operation: &OperationRun, target: &Target, live: &Node) -> bool {
    let compared = app.compared.get(&target.key).map(|compared| compared.of);
    let is_current = compared.is_some_and(|of| of.live == live.content() && of.desired == target.object.digest());
    let object = app.assessment.objects.get(&target.key);
    let is_equal = object.is_some_and(|object| object.sync == Some(SyncStatusCode::Synced));
    let may_skip =
        operation.is_automated() || operation.options(&app.application.spec).apply_out_of_sync_only == Some(true);
    may_skip && is_current && is_equal && !sabotage::is(Sabotage::WritesUnchanged)
}

fn awaiting(live: &Node) -> WriteTask {
    WriteTask::AwaitingHealth {
        uid: live.uid(),
        generation: live.generation(),
    }
}

/// How often this task was put off in a row.
pub(super) fn attempts(operation: &OperationRun, node: NodeIndex) -> u32 {
    operation.tasks.get(&node).map_or(0, |run| run.attempts)
}

/// Errors that go away are tried again, at this time; an unknown outcome of an idempotent write too, since trying is finding out.
pub(in crate::engine) fn retry_at(now: Timestamp, attempts: u32, error: &WriteError) -> Option<(u32, Timestamp)> {
    let wait = match error {
        WriteError::Transient(_) | WriteError::Conflict(_) | WriteError::OutcomeUnknown(_) => write_backoff(attempts),
        WriteError::RateLimited { retry_after, .. } => retry_after.unwrap_or_else(|| write_backoff(attempts)),
        WriteError::NotFound(_) | WriteError::PathNotFound(_) | WriteError::Forbidden(_) | WriteError::Invalid(_) => {
            return None;
        }
    };
    Some((attempts, now + wait))
}

/// What the API said, with where the object is declared and what can be done about it.
pub(in crate::engine) fn located(operation: &OperationRun, node: NodeIndex, message: &str) -> String {
    let location = operation.plan.task(node).location.as_ref();
    let location = location.map(|location| format!("{location}: ")).unwrap_or_default();
    let is_hook = matches!(operation.plan.task(node).action, TaskAction::Hook(_));
    let advice = advice(message, is_hook)
        .map(|advice| format!("; {advice}"))
        .unwrap_or_default();
    format!("{location}{message}{advice}")
}
