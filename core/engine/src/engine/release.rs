//! Letting go of hooks that could not disappear before it was recorded how they ended.
//!
//! **Problem.** A Job with a time to live removes itself some time after it has finished. Where no controller looks meanwhile, nothing is left
//! that tells how it ended. So a hook that may disappear by itself is created with Argo CD's hook finalizer, which is taken off when
//! the resource's status says how the hook ended, or that its attempt is over.
//!
//! **Invariants.**
//! - What is recorded is read off the status that the resource has, never off what is about to be written.
//! - Level-triggered: a held hook is looked at when it changes, whenever the status was written, and once after a start. So what a process
//!   that ended was to let go, the next one lets go.
//! - Of an application that is deleted everything is let go that is on its way out, hooks that Argo CD held too: nobody else would. Where
//!   the installation has an id, of what bears it. But the
//!   hooks of the deletion itself are let go when the finalizer of their phase is off the Application, which is what says that they succeeded.
//!
//! **Deliberately absent.** Syncs with `guards: argo`: there every hook has the finalizer, and the passes take it off.

use std::collections::{BTreeMap, BTreeSet};

use capstan_live::Node;
use capstan_model::annotations::{HOOK_FINALIZER, INSTALLATION_ID};
use capstan_model::{GroupKind, GroupVersionKind, OperationPhase, OperationState, ResourceKey, Timestamp};
use serde_json::Value;

use super::Engine;
use super::deletion::{finalizer_of, phase_of};
use super::operation::{INFO_EPOCH, OperationRun, is_held, retry_at};
use super::state::{ApplicationState, InFlight};
use super::touched::Touched;
use crate::effect::EffectKind;
use crate::event::{KindLookup, WriteError};
use crate::limits::MAX_WRITES_IN_FLIGHT;
use crate::machine::write_backoff;
use crate::sabotage::{self, Sabotage};
use crate::settings::Guards;

/// Held hooks, and what the status says of hooks.
#[derive(Debug, Default)]
pub(crate) struct Releases {
    held: BTreeSet<ResourceKey>,
    /// Those that were asked to be let go, by identity: they may be seen held for a while.
    asked: BTreeMap<ResourceKey, String>,
    refused: BTreeMap<ResourceKey, Refused>,
    /// Kinds of the hooks of the last operation, and of those that are held.
    kinds: BTreeSet<GroupKind>,
    recorded: Recorded,
    /// One may be let go: what is recorded, or what is held, changed.
    is_fresh: bool,
}

/// One that could not be let go.
#[derive(Debug)]
struct Refused {
    attempts: u32,
    until: Timestamp,
    why: String,
}

impl Releases {
    /// Of an application of which this is known.
    pub(super) fn of(last: Option<&OperationState>, said: &Value) -> Self {
        let mut releases = Self::default();
        releases.remember(last);
        releases.read(said);
        releases
    }

    /// The last operation is this one. Its hooks are watched, though nothing else may speak of their kinds any more.
    pub(super) fn remember(&mut self, last: Option<&OperationState>) {
        let result = last.and_then(|state| state.sync_result.as_ref());
        let rows = result.into_iter().flat_map(|result| &result.resources);
        let hooks = rows.filter(|row| row.hook_type.is_some());
        let hooks = hooks.map(|row| GroupKind::new(&row.group, &row.kind));
        self.kinds = hooks.chain(self.held.iter().map(ResourceKey::group_kind)).collect();
    }

    /// The resource has this status now.
    pub(super) fn read(&mut self, said: &Value) {
        self.recorded = Recorded::of(&said["operationState"]);
        self.is_fresh = true;
    }

    /// The operation that the status tells of.
    pub(super) fn told(&self) -> u64 {
        self.recorded.number
    }

    /// Kinds that are to be watched for it.
    pub(super) fn kinds(&self) -> impl Iterator<Item = &GroupKind> {
        self.kinds.iter()
    }

    /// When one is tried again.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.refused.values().map(|refused| refused.until).min()
    }

    /// What is told of those that could not be let go.
    pub(super) fn refused(&self) -> impl Iterator<Item = String> {
        self.refused.iter().map(|(key, Refused { why, .. })| {
            format!("hook {key} is over, and its finalizer {HOOK_FINALIZER} could not be taken off: {why}")
        })
    }

    fn hold(&mut self, key: &ResourceKey) {
        if self.held.insert(key.clone()) {
            self.kinds.insert(key.group_kind());
            self.is_fresh = true;
        }
    }

    fn forget(&mut self, key: &ResourceKey) {
        self.held.remove(key);
        self.refused.remove(key);
    }

    /// It could not be let go; at `until` it is tried again.
    fn refuse(&mut self, now: Timestamp, key: &ResourceKey, error: Option<&WriteError>, why: String) {
        let attempts = self.refused.get(key).map_or(0, |refused| refused.attempts) + 1;
        let again = error.and_then(|error| retry_at(now, attempts, error));
        let (attempts, until) = again.unwrap_or((attempts, now + write_backoff(attempts)));
        self.refused.insert(key.clone(), Refused { attempts, until, why });
    }
}

/// What a status says of an operation and its hooks, as far as it matters here.
#[derive(Debug, Default)]
struct Recorded {
    number: u64,
    attempt: u64,
    is_over: bool,
    is_stopping: bool,
    /// Those that ended, each with its phase.
    ended: BTreeSet<(ResourceKey, String)>,
}

impl Recorded {
    fn of(state: &Value) -> Self {
        let infos = state.pointer("/operation/info").and_then(Value::as_array);
        let mut infos = infos.into_iter().flatten();
        let number = infos.find(|info| info["name"] == INFO_EPOCH);
        let is_over = |phase: &Value| {
            let phase: Option<OperationPhase> = serde_json::from_value(phase.clone()).ok();
            phase.is_some_and(OperationPhase::is_completed)
        };
        let rows = state.pointer("/syncResult/resources").and_then(Value::as_array);
        let hooks = rows.into_iter().flatten().filter(|row| row["hookType"].is_string());
        let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
        let name = |row: &Value| {
            let [group, kind, namespace, name] = ["group", "kind", "namespace", "name"].map(|field| text(row, field));
            (ResourceKey::new(group, kind, namespace, name), text(row, "syncPhase"))
        };
        Self {
            number: number
                .and_then(|info| info["value"].as_str()?.parse().ok())
                .unwrap_or(0),
            attempt: state["retryCount"].as_u64().unwrap_or(0),
            is_over: is_over(&state["phase"]),
            is_stopping: state["phase"] == "Terminating",
            ended: hooks.filter(|row| is_over(&row["hookPhase"])).map(name).collect(),
        }
    }

    /// Does it say how a hook ended, or that its attempt did?
    fn tells(&self, key: &ResourceKey, run: Run<'_>) -> bool {
        let (of, told) = ((run.number, run.attempt), (self.number, self.attempt));
        let is_told = || self.is_over || self.ended.contains(&(key.clone(), run.phase.to_owned()));
        of < told || of == told && is_told()
    }
}

/// Which attempt of which operation a hook is of, and in which phase it ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run<'a> {
    number: u64,
    attempt: u64,
    phase: &'a str,
}

impl<'a> Run<'a> {
    /// By what the hook carries; `None` for one of another application, or of a deletion.
    fn of(uid: &str, identity: &'a str) -> Option<Self> {
        let rest = identity.strip_prefix(uid)?.strip_prefix(':')?;
        let mut parts = rest.split(':');
        Some(Self {
            number: parts.next()?.parse().ok()?,
            attempt: parts.next()?.parse().ok()?,
            phase: parts.next()?,
        })
    }
}

impl Engine {
    pub(super) fn step_release(&mut self, now: Timestamp, app: &mut ApplicationState, touched: &Touched) {
        let is_deleting = app.application.metadata.deletion_timestamp.is_some();
        if self.settings.guards == Guards::Argo && !is_deleting {
            return;
        }
        self.follow_held(app, touched);
        let is_due = is_deleting || app.releases.is_fresh || app.releases.deadline().is_some_and(|at| at <= now);
        if app.releases.held.is_empty() || !is_due || !self.may_write(app) {
            return;
        }
        let everything = is_deleting || sabotage::is(Sabotage::LetsGoEarly);
        let releases = &app.releases;
        let is_due = |key: &ResourceKey| releases.refused.get(key).is_none_or(|refused| refused.until <= now);
        let is_told = |key: &ResourceKey| {
            self.run_of(app, key)
                .is_some_and(|run| releases.recorded.tells(key, run))
        };
        let held = releases
            .held
            .iter()
            .filter(|key| is_due(key) && (everything || is_told(key)));
        let due: Vec<ResourceKey> = held.cloned().collect();
        for key in due {
            if app.writes_in_flight() >= MAX_WRITES_IN_FLIGHT {
                return;
            }
            self.release(now, app, &key);
        }
        app.releases.is_fresh = false;
    }

    /// Did a hook of this name run in this attempt, and is it not recorded yet how that ended?
    pub(super) fn is_unrecorded(&self, app: &ApplicationState, operation: &OperationRun, key: &ResourceKey) -> bool {
        let recorded = &app.releases.recorded;
        let run = self.run_of(app, key);
        let run = run.filter(|run| (run.number, run.attempt) == (operation.number, operation.attempt));
        // That it is being terminated tells enough: nothing runs again.
        let is_stopped = recorded.is_stopping && recorded.number == operation.number;
        run.is_some_and(|run| !recorded.tells(key, run) && !is_stopped)
    }

    fn run_of(&self, app: &ApplicationState, key: &ResourceKey) -> Option<Run<'_>> {
        let identity = self.cluster(app)?.node(key)?.operation()?;
        Run::of(&app.application.metadata.uid, identity)
    }

    /// Takes in which hooks are held.
    fn follow_held(&self, app: &mut ApplicationState, touched: &Touched) {
        let Some(cluster) = self.cluster(app) else { return };
        let id = app.id();
        // Not gone through where it is not asked for.
        let all = touched.all.then(|| cluster.live.tracked(&id)).into_iter().flatten();
        let keys: Vec<&ResourceKey> = all.chain(&touched.keys).collect();
        let is_deleting = app.application.metadata.deletion_timestamp.is_some();
        for key in keys {
            let node = cluster.node(key).filter(|node| node.tracked_by() == Some(&id));
            let is_held = node.is_some_and(|node| match is_deleting {
                true => is_held(node) && self.is_over_in_deletion(app, node),
                false => self.run_of(app, key).is_some() && is_held(node),
            });
            let uid = node.map(Node::uid);
            let is_asked = uid.is_some() && app.releases.asked.get(key) == uid.as_ref();
            match is_held && !is_asked {
                true => app.releases.hold(key),
                false => app.releases.forget(key),
            }
            if !is_asked {
                app.releases.asked.remove(key);
            }
        }
    }

    /// May a held object go, of an application that is deleted? What another installation made is for that one to let go.
    fn is_over_in_deletion(&self, app: &ApplicationState, live: &Node) -> bool {
        if let Some(phase) = phase_of(app, live) {
            let mut finalizers = app.application.metadata.finalizers.iter();
            return finalizers.all(|name| name != finalizer_of(phase));
        }
        live.is_deleting() && self.is_of_installation(live)
    }

    /// Was it made by this installation, where that has an id?
    pub(super) fn is_of_installation(&self, live: &Node) -> bool {
        let installation = &self.settings.installation_id;
        let object = || live.manifest().and_then(|manifest| manifest.value().ok());
        let is_ours =
            || object().is_some_and(|object| object["metadata"]["annotations"][INSTALLATION_ID] == **installation);
        installation.is_empty() || is_ours()
    }

    fn release(&mut self, now: Timestamp, app: &mut ApplicationState, key: &ResourceKey) {
        let is_asked = app.is_in_flight(|what| matches!(what, InFlight::Release(other) if other == key));
        let Some(cluster) = self.cluster(app).filter(|_| !is_asked) else {
            return;
        };
        let Some(uid) = cluster.node(key).map(Node::uid) else {
            return app.releases.forget(key);
        };
        let KindLookup::Served(served) = cluster.kind(&key.group_kind()) else {
            let why = format!("the cluster does not serve {}", key.group_kind());
            return app.releases.refuse(now, key, None, why);
        };
        let gvk = GroupVersionKind {
            group: key.group.clone(),
            version: served.version.clone(),
            kind: key.kind.clone(),
        };
        let by = match self.authorize_release(app, key) {
            Ok(by) => by,
            // That may change with the project.
            Err(why) => return app.releases.refuse(now, key, None, why),
        };
        let cluster = app.application.spec.destination.cluster();
        let effect = EffectKind::let_go(cluster, key.clone(), gvk, uid.clone());
        app.releases.asked.insert(key.clone(), uid);
        let cause = self.cause_of_desired(app);
        self.note(now, app, Some(key), "hook", "Held", "Released", String::new(), cause);
        self.emit_as(app, by, effect, InFlight::Release(key.clone()));
    }

    /// The answer to letting one go.
    pub(super) fn released(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        key: &ResourceKey,
        result: Result<String, WriteError>,
    ) {
        match result {
            // It is held no longer, and will be seen so.
            Ok(_) | Err(WriteError::NotFound(_)) => app.releases.forget(key),
            Err(error) => {
                app.releases.asked.remove(key);
                app.releases.hold(key);
                app.releases.refuse(now, key, Some(&error), error.to_string());
            }
        }
    }
}
