//! Putting drift right: only the objects that drifted, without hooks and without an operation.

use capstan_model::{AppProject, FIELD_MANAGERS, ResourceKey, SyncOptions, SyncStatusCode, Timestamp};
use serde_json::Value;

use super::Engine;
use super::drift::{Drift, Synced, is_drift};
use super::gate::Gate;
use super::state::{ApplicationState, Existence, InFlight};
use super::touched::Touched;
use crate::effect::EffectKind;
use crate::event::WriteError;
use crate::journal::Cause;
use crate::limits::MAX_WRITES_IN_FLIGHT;
use crate::machine::{Heal, HealDecision};
use crate::policy::Verb;

impl Engine {
    pub(super) fn step_heal(&mut self, now: Timestamp, app: &mut ApplicationState, gate: &Gate, touched: Touched) {
        settle_fights(now, app, &touched);
        // What a window keeps from being synced is left as it is, drift too.
        let heals = app.heals() && app.hold.window.is_none();
        let Some(project) = gate.project().filter(|_| heals) else {
            app.drift = Drift::default();
            return;
        };
        self.follow_drift(now, app, touched);
        if !self.may_write(app) {
            return;
        }
        // How long it was as desired before is known now, and who fights is told now; not only when it may be put right.
        for key in std::mem::take(&mut app.drift.fresh) {
            self.is_left(now, app, &key);
        }
        let options = app.application.spec.sync_policy.options();
        while app.writes_in_flight() < MAX_WRITES_IN_FLIGHT {
            let Some(key) = app.drift.take(now) else { return };
            self.put_right(now, app, project, &options, &key);
            match self.drift_due(app, &key) {
                // At once again, but not in this step.
                Some(due) if due <= now => drop(app.drift.touched.insert(key)),
                due => app.drift.put(&key, due),
            }
        }
    }

    /// Looks at what may have drifted, or stopped to.
    fn follow_drift(&self, now: Timestamp, app: &mut ApplicationState, touched: Touched) {
        let mut keys = std::mem::take(&mut app.drift.touched);
        if let Some(operation) = &mut app.operation {
            let moved = operation.work.take_moved();
            let moved = moved.into_iter().filter_map(|position| operation.at(position));
            keys.extend(moved.map(|(_, task, _)| task.key.clone()));
        }
        let synced = Synced::of(app);
        if touched.all || !app.drift.is_of(&synced) {
            keys = Drift::restart(app, synced);
        } else {
            keys.extend(touched.keys);
        }
        for key in keys {
            let due = self.drift_due(app, &key);
            app.drift.put(&key, due);
            if due.is_some_and(|due| due > now) {
                app.drift.fresh.insert(key);
            }
        }
    }

    /// From when an object may be put right; `None` where it did not drift, or is on its way out.
    pub(super) fn drift_due(&self, app: &ApplicationState, key: &ResourceKey) -> Option<Timestamp> {
        let node = self.cluster(app).and_then(|cluster| cluster.node(key));
        if !is_drift(app, key) || node.is_some_and(capstan_live::Node::is_deleting) {
            return None;
        }
        let heal = app.heal.get(key);
        Some(heal.map_or(Timestamp::from_seconds(0), |heal| {
            heal.last + Heal::wait(heal.attempts, &self.settings)
        }))
    }

    /// Does it differ only in fields that others keep changing? Then it is left to them. Says so when that begins.
    fn is_left(&mut self, now: Timestamp, app: &mut ApplicationState, key: &ResourceKey) -> bool {
        let fields: Vec<(String, String)> = contended_fields(app, key);
        if fields.is_empty() {
            return false;
        }
        let (mut is_left, mut news) = (true, Vec::new());
        app.contention.about(key, |contention| {
            for (path, manager) in fields {
                let was_left = contention.is_left(&path);
                let may_revert = contention.may_revert(&path, &manager, now);
                is_left &= !may_revert;
                if !may_revert && !was_left {
                    news.push((path, manager));
                }
            }
        });
        for (path, manager) in news {
            let message = format!("{path} is left to {manager}, who keeps changing it back");
            let operation = "Update".into();
            let cause = Cause::Drift { manager, operation };
            self.note(now, app, Some(key), "drift", "OutOfSync", "Contended", message, cause);
        }
        is_left
    }

    fn put_right(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        project: &AppProject,
        options: &SyncOptions,
        key: &ResourceKey,
    ) {
        if self.is_left(now, app, key) {
            return;
        }
        let HealDecision::Now(attempts) = Heal::decide(app.heal.get(key), now, &self.settings) else {
            return;
        };
        let mut heal = Heal {
            attempts,
            last: now,
            failure: String::new(),
        };
        let by = self.authorize_now(app, project, key, Verb::Apply);
        let by = by.map_err(|refusal| refusal.to_string());
        let by = match by.and_then(|by| self.rival(app, key).map_or(Ok(by), Err)) {
            Ok(by) => by,
            Err(refusal) => {
                heal.failure = refusal;
                return app.heal.insert(key.clone(), heal);
            }
        };
        let Some(task) = self
            .wanted(app, key)
            .map(|target| self.apply_task(app, &target, options))
        else {
            return;
        };
        self.journal_drift(now, app, key, attempts);
        note_reverts(now, app, key);
        // What is declared is put right without asking who applied what; only what has to go has to be ours.
        let removes = app
            .differences(key)
            .iter()
            .any(|difference| difference.desired.is_none());
        let first = removes.then(|| self.hand_over(app, &task, options)).flatten();
        let (effect, what) = match first {
            Some(first) => (first, InFlight::HealTakeOver(key.clone())),
            None => (EffectKind::Apply(Box::new(task)), InFlight::Heal(key.clone())),
        };
        self.emit_as(app, by, effect, what);
        app.heal.insert(key.clone(), heal);
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
                app.heal.fail(key, failure);
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
fn settle_fights(now: Timestamp, app: &mut ApplicationState, touched: &Touched) {
    let objects = &app.assessment.objects;
    app.contention.settle(now, touched, |key| {
        let object = objects.get(key);
        object.is_some_and(|object| object.sync == Some(SyncStatusCode::Synced))
    });
}

fn note_reverts(now: Timestamp, app: &mut ApplicationState, key: &ResourceKey) {
    let fields = contended_fields(app, key);
    app.contention.about(key, |contention| {
        for (path, _) in fields {
            contention.reverted(&path, now);
        }
    });
}
