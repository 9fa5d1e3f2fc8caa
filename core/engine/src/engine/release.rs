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
//! - Of an application that is deleted everything is let go that is on its way out, hooks that Argo CD held too: nobody else would.
//!
//! **Deliberately absent.** `guards: argo`: there every hook has the finalizer, and the passes take it off.

use std::collections::{BTreeMap, BTreeSet};

use capstan_model::annotations::HOOK_FINALIZER;
use capstan_model::{GroupKind, GroupVersionKind, OperationPhase, OperationState, ResourceKey, Timestamp};
use serde_json::Value;

use super::Engine;
use super::operation::{INFO_EPOCH, OperationRun, is_held, retry_at};
use super::state::{ApplicationState, InFlight};
use super::touched::Touched;
use crate::effect::EffectKind;
use crate::event::{KindLookup, WriteError};
use crate::limits::MAX_WRITES_IN_FLIGHT;
use crate::machine::write_backoff;
use crate::sabotage::{self, Sabotage};
use crate::settings::Guards;

/// Held hooks.
#[derive(Debug, Default)]
pub(crate) struct Releases {
    held: BTreeMap<ResourceKey, Option<Refused>>,
    /// Kinds of the hooks of the last operation.
    kinds: BTreeSet<GroupKind>,
}

/// One that could not be let go.
#[derive(Debug)]
struct Refused {
    attempts: u32,
    until: Timestamp,
    why: String,
}

impl Releases {
    /// Of an application whose last operation was this one.
    pub(super) fn of(last: Option<&OperationState>) -> Self {
        let mut releases = Self::default();
        releases.remember(last);
        releases
    }

    /// The last operation is this one. Its hooks are watched, though nothing else may speak of their kinds any more.
    pub(super) fn remember(&mut self, last: Option<&OperationState>) {
        let result = last.and_then(|state| state.sync_result.as_ref());
        let rows = result.into_iter().flat_map(|result| &result.resources);
        let hooks = rows.filter(|row| row.hook_type.is_some());
        self.kinds = hooks.map(|row| GroupKind::new(&row.group, &row.kind)).collect();
    }

    /// Kinds that are to be watched for it.
    pub(super) fn kinds(&self) -> impl Iterator<Item = GroupKind> {
        let held = self.held.keys().map(ResourceKey::group_kind);
        self.kinds.iter().cloned().chain(held)
    }

    /// When one is tried again.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.held.values().flatten().map(|refused| refused.until).min()
    }

    /// What is told of those that could not be let go.
    pub(super) fn refused(&self) -> impl Iterator<Item = String> {
        self.held.iter().filter_map(|(key, refused)| {
            let why = &refused.as_ref()?.why;
            Some(format!(
                "hook {key} is over, and its finalizer {HOOK_FINALIZER} could not be taken off: {why}"
            ))
        })
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

    /// Does the status say how it ended, or that its attempt did?
    fn is_recorded(self, said: &Value, key: &ResourceKey) -> bool {
        let (state, told) = (&said["operationState"], told(said));
        if (self.number, self.attempt) != told {
            return (self.number, self.attempt) < told;
        }
        let is_over = |phase: &Value| {
            let phase: Option<OperationPhase> = serde_json::from_value(phase.clone()).ok();
            phase.is_some_and(OperationPhase::is_completed)
        };
        let names = [
            ("group", &*key.group),
            ("kind", &*key.kind),
            ("namespace", &*key.namespace),
            ("name", &*key.name),
            ("syncPhase", self.phase),
        ];
        let is_it = |row: &&Value| {
            let says = |name: &str| row[name].as_str().unwrap_or_default();
            names.iter().all(|(name, value)| says(name) == *value)
        };
        let rows = state.pointer("/syncResult/resources").and_then(Value::as_array);
        let mut rows = rows.into_iter().flatten();
        is_over(&state["phase"]) || rows.find(is_it).is_some_and(|row| is_over(&row["hookPhase"]))
    }
}

/// The operation that a status tells of, and its attempt.
pub(super) fn told(said: &Value) -> (u64, u64) {
    let state = &said["operationState"];
    let infos = state.pointer("/operation/info").and_then(Value::as_array);
    let mut infos = infos.into_iter().flatten();
    let number = infos.find(|info| info["name"] == INFO_EPOCH);
    let number = number.and_then(|info| info["value"].as_str()?.parse().ok());
    (number.unwrap_or(0), state["retryCount"].as_u64().unwrap_or(0))
}

impl Engine {
    pub(super) fn step_release(&mut self, now: Timestamp, app: &mut ApplicationState, touched: &Touched) {
        if self.settings.guards == Guards::Argo {
            return;
        }
        self.follow_held(app, touched);
        if app.releases.held.is_empty() || !self.may_write(app) {
            return;
        }
        let is_deleting = app.application.metadata.deletion_timestamp.is_some();
        let due: Vec<ResourceKey> = app
            .releases
            .held
            .iter()
            .filter(|(_, refused)| refused.as_ref().is_none_or(|refused| refused.until <= now))
            .map(|(key, _)| key.clone())
            .collect();
        for key in due {
            if app.writes_in_flight() >= MAX_WRITES_IN_FLIGHT {
                return;
            }
            let run = self.run_of(app, &key);
            let is_recorded = run.is_some_and(|run| run.is_recorded(&app.said, &key));
            if is_recorded || is_deleting || sabotage::is(Sabotage::LetsGoEarly) {
                self.release(now, app, &key);
            }
        }
    }

    /// Did a hook of this name run in this attempt, and is it not recorded yet how that ended?
    pub(super) fn is_unrecorded(&self, app: &ApplicationState, operation: &OperationRun, key: &ResourceKey) -> bool {
        let run = self.run_of(app, key);
        let run = run.filter(|run| (run.number, run.attempt) == (operation.number, operation.attempt));
        // That it is being terminated tells enough: nothing runs again.
        let is_stopped = app.said["operationState"]["phase"] == "Terminating" && told(&app.said).0 == operation.number;
        run.is_some_and(|run| !run.is_recorded(&app.said, key) && !is_stopped)
    }

    fn run_of(&self, app: &ApplicationState, key: &ResourceKey) -> Option<Run<'_>> {
        let identity = self.cluster(app)?.node(key)?.operation()?;
        Run::of(&app.application.metadata.uid, identity)
    }

    /// Takes in which hooks are held.
    fn follow_held(&self, app: &mut ApplicationState, touched: &Touched) {
        let Some(cluster) = self.cluster(app) else { return };
        let id = app.id();
        let all = cluster.live.tracked(&id).filter(|_| touched.all);
        let keys: Vec<&ResourceKey> = all.chain(&touched.keys).collect();
        let is_deleting = app.application.metadata.deletion_timestamp.is_some();
        for key in keys {
            let node = cluster.node(key).filter(|node| node.tracked_by() == Some(&id));
            let is_held = node.is_some_and(|node| match is_deleting {
                true => node.is_deleting() && is_held(node),
                false => self.run_of(app, key).is_some() && is_held(node),
            });
            match is_held {
                true => drop(app.releases.held.entry(key.clone()).or_default()),
                false => drop(app.releases.held.remove(key)),
            }
        }
    }

    fn release(&mut self, now: Timestamp, app: &mut ApplicationState, key: &ResourceKey) {
        let is_asked = app.is_in_flight(|what| matches!(what, InFlight::Release(other) if other == key));
        let Some(cluster) = self.cluster(app).filter(|_| !is_asked) else {
            return;
        };
        let (Some(node), KindLookup::Served(served)) = (cluster.node(key), cluster.kind(&key.group_kind())) else {
            return;
        };
        let gvk = GroupVersionKind {
            group: key.group.clone(),
            version: served.version.clone(),
            kind: key.kind.clone(),
        };
        let uid = node.uid();
        let by = match self.authorize_release(app, key) {
            Ok(by) => by,
            Err(why) => return Self::refused_release(now, app, key, why),
        };
        let effect = EffectKind::RemoveFinalizer {
            cluster: app.application.spec.destination.cluster(),
            key: key.clone(),
            gvk,
            uid,
            finalizer: HOOK_FINALIZER.to_owned(),
        };
        let cause = self.cause_of_desired(app);
        self.note(now, app, Some(key), "hook", "Held", "Released", String::new(), cause);
        self.emit_as(app, by, effect, InFlight::Release(key.clone()));
    }

    /// It may not be done: that may change with the project.
    fn refused_release(now: Timestamp, app: &mut ApplicationState, key: &ResourceKey, why: String) {
        let refused = app.releases.held.get(key).and_then(Option::as_ref);
        let attempts = refused.map_or(0, |refused| refused.attempts) + 1;
        let until = now + write_backoff(attempts);
        let refused = Refused { attempts, until, why };
        app.releases.held.insert(key.clone(), Some(refused));
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
            Ok(_) | Err(WriteError::NotFound(_)) => drop(app.releases.held.remove(key)),
            Err(error) => {
                let refused = app.releases.held.get(key).and_then(Option::as_ref);
                let attempts = refused.map_or(0, |refused| refused.attempts) + 1;
                let (attempts, until) =
                    retry_at(now, attempts, &error).unwrap_or((attempts, now + write_backoff(attempts)));
                let why = error.to_string();
                let refused = Refused { attempts, until, why };
                app.releases.held.insert(key.clone(), Some(refused));
            }
        }
    }
}
