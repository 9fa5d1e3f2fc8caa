//! Putting drift right: only the objects that drifted, without hooks and without an operation.
//!
//! An object drifted when it was synced to what is desired and differs now. What the last operation did not get to is not drift: it
//! waits for its wave.

use std::collections::BTreeSet;

use capstan_model::{FIELD_MANAGERS, ResourceKey, ResultCode, SyncStatusCode, Timestamp};
use serde_json::Value;

use super::Engine;
use super::gate::Gate;
use super::operation::Stage;
use super::state::{ApplicationState, Existence, InFlight, ObjectState};
use crate::effect::EffectKind;
use crate::event::WriteError;
use crate::journal::Cause;
use crate::limits::MAX_WRITES_IN_FLIGHT;
use crate::machine::{Heal, HealDecision};
use crate::policy::{LastAttempt, Verb, authorize};

impl Engine {
    pub(super) fn step_heal(&mut self, now: Timestamp, app: &mut ApplicationState, gate: &Gate) {
        // What a window keeps from being synced is left as it is, drift too.
        let heals = app.heals() && app.hold.window.is_none();
        let Some(project) = gate.project().filter(|_| heals && self.may_write(app)) else {
            return;
        };
        settle_fights(now, app);
        let drifted = drifted(app);
        let options = app.application.spec.sync_policy.options();
        for key in drifted {
            if app.writes_in_flight() >= MAX_WRITES_IN_FLIGHT {
                return;
            }
            if self.is_left(now, app, &key) {
                continue;
            }
            let HealDecision::Now(attempts) = Heal::decide(app.heal.get(&key), now, &self.settings) else {
                continue;
            };
            let live = self.cluster(app).and_then(|cluster| cluster.node(&key));
            if live.is_some_and(capstan_live::Node::is_deleting) {
                continue;
            }
            let mut heal = Heal {
                attempts,
                last: now,
                failure: String::new(),
            };
            let refusal = authorize(project, &app.application.spec.destination, &key, Verb::Apply).err();
            if let Some(refusal) = refusal
                .map(|refusal| refusal.to_string())
                .or_else(|| self.rival(app, &key))
            {
                heal.failure = refusal;
                app.heal.insert(key, heal);
                continue;
            }
            let Some(task) = app
                .desired
                .as_ref()
                .and_then(|desired| desired.resource(&key))
                .map(|target| self.apply_task(app, target, &options))
            else {
                continue;
            };
            self.journal_drift(now, app, &key, attempts);
            note_reverts(now, app, &key);
            self.emit(app, EffectKind::Apply(Box::new(task)), InFlight::Heal(key.clone()));
            app.heal.insert(key, heal);
        }
    }

    /// Does it differ only in fields that others keep changing? Then it is left to them. Says so when that begins.
    fn is_left(&mut self, now: Timestamp, app: &mut ApplicationState, key: &ResourceKey) -> bool {
        let fields: Vec<(String, String)> = contended_fields(app, key);
        if fields.is_empty() {
            return false;
        }
        let contention = app.contention.entry(key.clone()).or_default();
        let (mut is_left, mut news) = (true, Vec::new());
        for (path, manager) in fields {
            let was_left = contention.is_left(&path);
            let may_revert = contention.may_revert(&path, &manager, now);
            is_left &= !may_revert;
            if !may_revert && !was_left {
                news.push((path, manager));
            }
        }
        for (path, manager) in news {
            let message = format!("{path} is left to {manager}, who keeps changing it back");
            let operation = "Update".into();
            let cause = Cause::Drift { manager, operation };
            self.note(now, app, Some(key), "drift", "OutOfSync", "Contended", message, cause);
        }
        is_left
    }

    /// When an object that waits for its back-off may be put right.
    pub(super) fn heal_deadline(&self, app: &ApplicationState) -> Option<Timestamp> {
        if app.heal.is_empty() {
            return None;
        }
        let synced = Synced::of(app);
        let waiting = app.heal.iter().filter(|(key, _)| {
            let object = app.assessment.objects.get(*key);
            object.is_some_and(|object| is_drift(app, &synced, key, object))
        });
        waiting
            .map(|(_, heal)| heal.last + Heal::wait(heal.attempts, &self.settings))
            .min()
    }

    fn journal_drift(&mut self, now: Timestamp, app: &ApplicationState, key: &ResourceKey, attempts: u32) {
        let differences = app.differences(key);
        let is_missing = app
            .assessment
            .objects
            .get(key)
            .is_some_and(|object| object.existence == Existence::Missing);
        let foreign = differences
            .iter()
            .filter_map(|difference| difference.writer.as_ref())
            .find(|writer| !FIELD_MANAGERS.contains(&writer.manager.as_str()));
        let cause = match (is_missing, foreign) {
            (true, _) => Cause::Drift {
                manager: String::new(),
                operation: "Delete".into(),
            },
            (false, Some(writer)) => Cause::Drift {
                manager: writer.manager.clone(),
                operation: writer.operation.clone(),
            },
            (false, None) => Cause::Drift {
                manager: String::new(),
                operation: String::new(),
            },
        };
        let paths: Vec<&str> = differences
            .iter()
            .take(5)
            .map(|difference| difference.path.as_str())
            .collect();
        let more = match differences.len().saturating_sub(paths.len()) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let who = foreign.map_or("somebody", |writer| &writer.manager);
        let times = if attempts > 1 {
            format!(" again ({attempts} times in a row)")
        } else {
            String::new()
        };
        let message = if is_missing {
            format!("was deleted{times}; written again")
        } else {
            format!("{who} changed {}{more}{times}; put right", paths.join(", "))
        };
        self.note(now, app, Some(key), "drift", "OutOfSync", "Applying", message, cause);
    }

    /// The answer to the write that puts drift right.
    pub(super) fn healed(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        key: &ResourceKey,
        result: Result<Box<Value>, WriteError>,
    ) {
        match result {
            Ok(object) => {
                let cluster = app.application.spec.destination.cluster();
                self.observed(&cluster, &object);
                let cause = self.cause_of_desired(app);
                self.note(now, app, Some(key), "drift", "Applying", "Synced", String::new(), cause);
            }
            Err(error) => {
                let failure = error.to_string();
                self.note(
                    now,
                    app,
                    Some(key),
                    "drift",
                    "Applying",
                    "OutOfSync",
                    failure.clone(),
                    Cause::Cluster,
                );
                if let Some(heal) = app.heal.get_mut(key) {
                    heal.failure = failure;
                }
            }
        }
    }
}

/// Fields that differ, and who wrote them last.
fn contended_fields(app: &ApplicationState, key: &ResourceKey) -> Vec<(String, String)> {
    let differences = app.differences(key).iter();
    let fields = differences.map(|difference| {
        let manager = difference.writer.as_ref().map_or("", |writer| &writer.manager);
        (difference.path.clone(), manager.to_owned())
    });
    fields.collect()
}

/// Objects that are as desired are not fought about.
fn settle_fights(now: Timestamp, app: &mut ApplicationState) {
    let objects = &app.assessment.objects;
    for (key, contention) in &mut app.contention {
        let object = objects.get(key);
        if object.is_some_and(|object| object.sync == Some(SyncStatusCode::Synced)) {
            contention.settle(now);
        }
    }
}

fn note_reverts(now: Timestamp, app: &mut ApplicationState, key: &ResourceKey) {
    let fields = contended_fields(app, key);
    let contention = app.contention.entry(key.clone()).or_default();
    for (path, _) in fields {
        contention.reverted(&path, now);
    }
}

/// Which objects were synced to what is desired. Worked out once for all of them.
enum Synced {
    All,
    None,
    These(BTreeSet<ResourceKey>),
}

impl Synced {
    fn of(app: &ApplicationState) -> Self {
        let Some(desired) = &app.desired else { return Self::None };
        if let Some(operation) = &app.operation {
            let targets = operation.targets.as_ref();
            let is_same = targets.is_some_and(|targets| targets.digest() == desired.targets.digest());
            if !is_same || !matches!(operation.stage, Stage::Running | Stage::Failing) {
                return Self::None;
            }
            let written = operation.plan.tasks().filter(|(node, _)| {
                let run = operation.tasks.get(node);
                run.is_some_and(|run| run.state.is_applied())
            });
            return Self::These(written.map(|(_, task)| task.key.clone()).collect());
        }
        match super::operation::last_attempt(app) {
            LastAttempt::Succeeded | LastAttempt::Released => Self::All,
            LastAttempt::Failed => {
                let result = app.last_operation.iter().filter_map(|state| state.sync_result.as_ref());
                let synced = result
                    .flat_map(|result| &result.resources)
                    .filter(|result| result.status == Some(ResultCode::Synced));
                Self::These(synced.map(capstan_model::ResourceResult::key).collect())
            }
            LastAttempt::Other => Self::None,
        }
    }

    fn has(&self, key: &ResourceKey) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::These(keys) => keys.contains(key),
        }
    }
}

fn drifted(app: &ApplicationState) -> Vec<ResourceKey> {
    let synced = Synced::of(app);
    let objects = app.assessment.objects.iter();
    let drifted = objects.filter(|(key, object)| is_drift(app, &synced, key, object));
    drifted.map(|(key, _)| key.clone()).collect()
}

/// Was it synced to what is desired, and differs?
fn is_drift(app: &ApplicationState, synced: &Synced, key: &ResourceKey, object: &ObjectState) -> bool {
    let differs = object.declared && object.sync == Some(SyncStatusCode::OutOfSync);
    differs && synced.has(key) && !app.is_in_flight(|what| matches!(what, InFlight::Heal(other) if other == key))
}
