//! Running one hook: at most one creation an attempt, over any number of crashes.
//!
//! The creation is recorded before it is asked for, the object carries which attempt it is of, its name follows from that too, and it
//! is made by a create and never by an apply, unless it holds things (`previous`). So a second creation would be a conflict, and what is found after a crash tells whose it
//! is. One that may remove itself when it has finished is held by a finalizer until it is recorded how it ended (`release`).

use capstan_live::Node;
use capstan_model::annotations::{HOOK_FINALIZER, OPERATION, TRACKING_ID};
use capstan_model::tracking::tracking_id;
use capstan_model::{Blob, HealthStatusCode, ResourceKey, Timestamp};
use petgraph::stable_graph::NodeIndex;
use serde_json::{Map, Value, json};

use super::OperationRun;
use super::ordinary::set_message;
use super::waiting::held_by;
use super::write::{attempts, located, retry_at};
use crate::effect::{ApplyMode, ApplyTask, DryRun, EffectKind};
use crate::engine::Engine;
use crate::engine::gate::Gate;
use crate::engine::state::{ApplicationState, Existence, InFlight};
use crate::event::WriteError;
use crate::guard::stays_between_runs;
use crate::health::assess_with;
use crate::limits::MAX_WRITES_IN_FLIGHT;
use crate::machine::{HookTask, TaskState};
use crate::policy::{Authorized, Verb};
use crate::sabotage::{self, Sabotage};

const DELETED: &str = "it was deleted before it was seen to finish";

impl Engine {
    /// Begins, or goes on after something was in the way.
    pub(super) fn launch_hook(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        operation: &mut OperationRun,
        node: NodeIndex,
        gate: &Gate,
    ) {
        let task = self.scoped(app, operation, node);
        let Some(project) = gate.project() else { return };
        let by = match operation.authorize(app, project, &task.key, Verb::Apply) {
            Ok(by) => by,
            Err(refusal) => return self.set_hook(now, app, operation, node, HookTask::Failed(refusal.to_string())),
        };
        if let Some(why) = self.not_served_yet(app, &task) {
            return set_message(operation, node, why);
        }
        let identity = operation.hook_identity(&app.application.metadata.uid, task.phase);
        let Some(cluster) = self.cluster(app) else { return };
        match cluster.existence(&task.key) {
            (_, Some(live)) if is_run_of(live, &identity) => {
                let uid = live.uid();
                self.set_hook(now, app, operation, node, HookTask::Running { uid });
                self.evolve_hook(now, app, operation, node, gate);
            }
            // Whose it is, is known only of what is listed.
            (_, Some(_)) if !cluster.live.is_complete(&task.key.group_kind()) => {
                self.await_list(app, operation, node, &task.key.group_kind());
            }
            // A process that came after this one would run it again.
            (_, Some(_)) if self.is_unrecorded(app, operation, &task.key) => {
                operation.await_record(node);
            }
            (_, Some(live)) => {
                let found = (live.uid(), live.is_deleting(), is_held(live));
                self.make_room(now, app, operation, node, (project, by), found);
            }
            (Existence::Missing, None) => {
                self.create_hook(now, app, operation, node, (&identity, by), ApplyMode::Create);
            }
            _ => self.await_list(app, operation, node, &task.key.group_kind()),
        }
    }

    pub(super) fn create_hook(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        operation: &mut OperationRun,
        node: NodeIndex,
        (identity, by): (&str, Authorized),
        mode: ApplyMode,
    ) {
        let task = operation.plan.task(node).clone();
        let Some(target) = task
            .target
            .and_then(|index| operation.targets.as_ref()?.objects().get(index).cloned())
        else {
            return;
        };
        let object = match target.object.value() {
            Ok(object) => object,
            Err(error) => return self.set_hook(now, app, operation, node, HookTask::Failed(error.to_string())),
        };
        let is_held = self.is_to_be_held(&task.key, &object);
        if operation.maybe_created.contains(&node) && may_vanish(&task.key, &object) && !is_held {
            let why =
                "it is not there, and may have finished and removed itself before the controller saw it".to_owned();
            return self.set_hook(now, app, operation, node, HookTask::Failed(why));
        }
        if !operation.recorded.contains(&node) && !sabotage::is(Sabotage::CreatesUnrecorded) {
            return self.set_hook(now, app, operation, node, HookTask::Recording);
        }
        if app.writes_in_flight() >= MAX_WRITES_IN_FLIGHT {
            return;
        }
        let effect = ApplyTask {
            cluster: app.application.spec.destination.cluster(),
            key: task.key.clone(),
            gvk: task.gvk.clone(),
            object: Blob::new(&self.made(app, object, &task.key, identity, is_held)),
            mode,
            dry_run: DryRun::No,
            validate: target.meta.sync_options.validate != Some(false),
            recreate: false,
        };
        self.emit_as(app, by, EffectKind::Apply(Box::new(effect)), InFlight::Task(node));
        self.set_hook(now, app, operation, node, HookTask::Creating);
    }

    /// May it disappear before it was seen how it ended? Then it is held until that is recorded.
    pub(in crate::engine) fn is_to_be_held(&self, key: &ResourceKey, object: &Value) -> bool {
        may_vanish(key, object)
            && assess_with(&*self.health, object).is_some()
            && !sabotage::is(Sabotage::LetsHooksVanish)
    }

    /// The object as it is created.
    pub(in crate::engine) fn made(
        &self,
        app: &ApplicationState,
        mut object: Value,
        key: &ResourceKey,
        identity: &str,
        is_held: bool,
    ) -> Value {
        self.rename(app, &mut object, key);
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
            annotations[OPERATION] = json!(identity);
            if is_held {
                hold(metadata);
            }
        }
        object
    }

    /// Gives `object` the name and the scope of `key`: known only now for an object that has its name from us, or whose kind was not
    /// served when it was rendered. Its tracking id names it by both.
    pub(in crate::engine) fn rename(&self, app: &ApplicationState, object: &mut Value, key: &ResourceKey) {
        let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else {
            return;
        };
        metadata.remove("generateName");
        metadata.insert("name".into(), json!(key.name));
        if key.namespace.is_empty() {
            metadata.remove("namespace");
        }
        let destination = &app.application.spec.destination.namespace;
        let id = tracking_id(&app.id(), &self.settings.control_namespace, destination, key);
        let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
        annotations[TRACKING_ID] = json!(id);
    }

    pub(super) fn set_hook(
        &mut self,
        now: Timestamp,
        app: &ApplicationState,
        operation: &mut OperationRun,
        node: NodeIndex,
        state: HookTask,
    ) {
        let message = match &state {
            HookTask::Failed(why) | HookTask::BackingOff { why, .. } => why.clone(),
            _ => String::new(),
        };
        self.set(now, app, operation, node, TaskState::Hook(state), message);
    }

    pub(super) fn evolve_hook(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        operation: &mut OperationRun,
        node: NodeIndex,
        gate: &Gate,
    ) {
        let Some(TaskState::Hook(state)) = operation.tasks.get(&node).map(|run| run.state.clone()) else {
            return;
        };
        match state {
            HookTask::Recording if operation.recorded.contains(&node) && self.may_write(app) => {
                self.launch_hook(now, app, operation, node, gate);
            }
            HookTask::BackingOff { until, .. } if until <= now && operation.unlooked.remove(&node) => {
                self.look_at_created(now, app, operation, node);
            }
            HookTask::BackingOff { until, .. } if until <= now && self.may_write(app) => {
                self.launch_hook(now, app, operation, node, gate);
            }
            HookTask::Released { uid } if self.may_write(app) => {
                self.delete_previous(now, app, operation, node, uid);
            }
            HookTask::PreviousFinalizing { uid } => {
                let key = &operation.plan.task(node).key;
                let (is_there, held) = match self.cluster(app).map(|cluster| cluster.existence(key)) {
                    Some((_, Some(live))) => (live.uid() == uid, held_by(live)),
                    Some((Existence::Missing, None)) => (false, None),
                    _ => (true, None),
                };
                if !is_there && self.may_write(app) {
                    self.launch_hook(now, app, operation, node, gate);
                } else if is_there {
                    set_message(operation, node, held.unwrap_or_default());
                }
            }
            HookTask::Running { uid } => self.watch_hook(now, app, operation, node, &uid),
            _ => {}
        }
    }

    fn watch_hook(
        &mut self,
        now: Timestamp,
        app: &ApplicationState,
        operation: &mut OperationRun,
        node: NodeIndex,
        uid: &str,
    ) {
        let key = operation.plan.task(node).key.clone();
        let state = match self.cluster(app).map(|cluster| cluster.existence(&key)) {
            Some((_, Some(live))) if live.uid() == uid => hook_outcome(live).or_else(|| is_lost(live)),
            Some((_, Some(_)) | (Existence::Missing, None)) => Some(HookTask::Failed(DELETED.into())),
            _ => None,
        };
        if let Some(state) = state {
            return self.set_hook(now, app, operation, node, state);
        }
        let why = self
            .cluster(app)
            .and_then(|cluster| cluster.node(&key)?.health())
            .map(|health| health.message)
            .unwrap_or_default();
        if let Some(run) = operation.tasks.get_mut(&node) {
            run.message = why;
        }
    }

    /// The answer to the create of a hook.
    pub(in crate::engine) fn hook_created(
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
                self.set_hook(now, app, &mut operation, node, running(&object));
            }
            Err(error @ WriteError::OutcomeUnknown(_)) if sabotage::is(Sabotage::CreatesAgain) => {
                self.hook_put_off(now, app, &mut operation, node, &error);
            }
            Err(WriteError::OutcomeUnknown(why)) if sabotage::is(Sabotage::AssumesFailure) => {
                self.set_hook(now, app, &mut operation, node, HookTask::Failed(why));
            }
            // It may be ours: look before anything else. What is not there then was not made, or has removed itself.
            Err(WriteError::OutcomeUnknown(_)) => {
                operation.maybe_created.insert(node);
                self.look_at_created(now, app, &mut operation, node);
            }
            Err(WriteError::Conflict(_)) => self.look_at_created(now, app, &mut operation, node),
            Err(error) => self.hook_put_off(now, app, &mut operation, node, &error),
        }
        app.operation = Some(operation);
    }

    pub(super) fn hook_put_off(
        &mut self,
        now: Timestamp,
        app: &ApplicationState,
        operation: &mut OperationRun,
        node: NodeIndex,
        error: &WriteError,
    ) {
        let why = located(operation, node, &error.to_string());
        let state = match retry_at(now, attempts(operation, node) + 1, error) {
            Some((attempts, until)) => HookTask::BackingOff { attempts, until, why },
            None => HookTask::Failed(why),
        };
        self.set_hook(now, app, operation, node, state);
    }
}

/// Is it what this attempt made?
fn is_run_of(live: &Node, identity: &str) -> bool {
    let operation = live.operation();
    operation == Some(identity) || operation.is_some() && sabotage::is(Sabotage::TrustsEarlierHook)
}

/// Is it held by the hook finalizer, Argo CD's or ours?
pub(in crate::engine) fn is_held(live: &Node) -> bool {
    let object = live
        .manifest()
        .and_then(|manifest| manifest.value().ok())
        .unwrap_or_default();
    let finalizers = object.pointer("/metadata/finalizers").and_then(Value::as_array);
    finalizers.is_some_and(|all| all.iter().any(|finalizer| finalizer == HOOK_FINALIZER))
}

/// Puts the hook finalizer on an object that is about to be created.
fn hold(metadata: &mut Map<String, Value>) {
    let finalizers = metadata.entry("finalizers").or_insert_with(|| json!([]));
    if let Some(finalizers) = finalizers.as_array_mut()
        && !finalizers.iter().any(|finalizer| finalizer == HOOK_FINALIZER)
    {
        finalizers.push(json!(HOOK_FINALIZER));
    }
}

/// The hook that this object is, running.
pub(super) fn running(object: &Value) -> HookTask {
    let uid = object.pointer("/metadata/uid").and_then(Value::as_str);
    HookTask::Running {
        uid: uid.unwrap_or_default().to_owned(),
    }
}

/// Is it being deleted before it finished, and only held? What removes itself has finished.
fn is_lost(live: &Node) -> Option<HookTask> {
    (live.is_deleting() && is_held(live)).then(|| HookTask::Failed(DELETED.into()))
}

/// How a hook ended, if it did.
pub(in crate::engine) fn hook_outcome(live: &Node) -> Option<HookTask> {
    let Some(health) = live.health() else {
        return Some(HookTask::Succeeded);
    };
    match health.status {
        HealthStatusCode::Healthy => Some(HookTask::Succeeded),
        HealthStatusCode::Degraded => Some(HookTask::Failed(health.message)),
        _ => None,
    }
}

/// Can it disappear by itself after it finished? A Job without a time to live and a Pod cannot, nor what holds others, or data.
fn may_vanish(key: &ResourceKey, object: &Value) -> bool {
    let stays = match (key.group.as_str(), key.kind.as_str()) {
        ("batch", "Job") => object
            .pointer("/spec/ttlSecondsAfterFinished")
            .is_none_or(Value::is_null),
        ("", "Pod") => true,
        _ => stays_between_runs(key),
    };
    !stays
}
