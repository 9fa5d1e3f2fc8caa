//! Putting drift right: only the objects that drifted, without hooks and without an operation. Whether, and why not, is
//! [`self_heal`](crate::policy::self_heal)'s to say.

use capstan_model::{AppProject, FIELD_MANAGERS, ResourceKey, SyncOptions, SyncStatusCode, Timestamp};
use serde_json::Value;

use super::Engine;
use super::drift::{Drift, Heal, Synced, standing};
use super::gate::Gate;
use super::sentence::some_of;
use super::state::{ApplicationState, Existence, InFlight};
use super::touched::Touched;
use crate::compare::FieldWriter;
use crate::effect::EffectKind;
use crate::event::WriteError;
use crate::journal::Cause;
use crate::limits::MAX_WRITES_IN_FLIGHT;
use crate::policy::{HealSkip, SelfHeal, Standing, Verb, named, repair_wait, turn};

impl Engine {
    pub(super) fn step_heal(&mut self, now: Timestamp, app: &mut ApplicationState, gate: &Gate, touched: Touched) {
        settle_fights(now, app, &touched);
        let keeps_all = self.heals_none(app);
        // Nothing is followed that stays as it is for long.
        let is_followed = !matches!(keeps_all, Some(HealSkip::Off | HealSkip::Window(_)));
        let Some(project) = gate.project().filter(|_| is_followed) else {
            app.drift = Drift::default();
            return;
        };
        self.follow_drift(now, app, touched);
        if keeps_all.is_some() || !self.may_write(app) {
            return;
        }
        // How long it was as desired before is known now, and who fights is told now; not only when it may be put right.
        for key in std::mem::take(&mut app.drift.fresh) {
            if self.drift_due(app, &key).is_some() {
                self.follow_fight(now, app, &key);
            }
            if let SelfHeal::Skip(reason) = self.heal_decision(now, app, project, &app.drift, &key) {
                self.tell_left(now, app, &key, reason);
            }
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
            if due.is_some_and(|due| due > now) || self.standing(app, &key) == Standing::BeingDeleted {
                app.drift.fresh.insert(key);
            }
        }
    }

    fn standing(&self, app: &ApplicationState, key: &ResourceKey) -> Standing {
        let node = self.cluster(app).and_then(|cluster| cluster.node(key));
        standing(app, &app.drift, key, node.is_some_and(capstan_live::Node::is_deleting))
    }

    /// From when an object may be put right; `None` where it did not drift, or is on its way out.
    pub(super) fn drift_due(&self, app: &ApplicationState, key: &ResourceKey) -> Option<Timestamp> {
        if self.standing(app, key) != Standing::Drifted {
            return None;
        }
        let heal = app.heal.get(key);
        Some(heal.map_or(Timestamp::from_seconds(0), |heal| {
            heal.last + repair_wait(heal.attempts, &self.settings)
        }))
    }

    /// Takes in which fields differ again, and by whom. Says so when one begins to be left to them.
    fn follow_fight(&mut self, now: Timestamp, app: &mut ApplicationState, key: &ResourceKey) {
        let fields = written_fields(app, key);
        if fields.is_empty() {
            return;
        }
        let news = app.contention.about(key, |contention| {
            let mut news = Vec::new();
            for (path, manager) in fields {
                let was_left = contention.is_left(&path);
                if !contention.may_revert(&path, &manager, now) && !was_left {
                    news.push((path, manager));
                }
            }
            news
        });
        for (path, manager) in news {
            let message = HealSkip::Contended(vec![(path, manager.clone())]).to_string();
            let operation = "Update".into();
            let cause = Cause::Drift { manager, operation };
            self.note(now, app, Some(key), "drift", "OutOfSync", "Contended", message, cause);
        }
    }

    fn put_right(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        project: &AppProject,
        options: &SyncOptions,
        key: &ResourceKey,
    ) {
        self.follow_fight(now, app, key);
        let attempts = match self.heal_decision(now, app, project, &app.drift, key) {
            SelfHeal::Sync(repair) => repair.in_a_row,
            SelfHeal::Skip(reason) => return self.leave(now, app, key, reason),
        };
        let by = match self.authorize_now(app, project, key, Verb::Apply) {
            Ok(by) => by,
            Err(refusal) => return self.leave(now, app, key, HealSkip::Refused(refusal.to_string())),
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
        let heal = Heal {
            attempts,
            last: now,
            failure: String::new(),
        };
        app.heal.insert(key.clone(), heal);
    }

    /// It is not put right. What is refused counts as a try: it is asked again, ever more slowly.
    fn leave(&mut self, now: Timestamp, app: &mut ApplicationState, key: &ResourceKey, reason: HealSkip) {
        if let HealSkip::Refused(why) | HealSkip::Rival(why) = &reason
            && let Ok(attempts) = turn(app.heal.get(key).map(Heal::repairs), now, &self.settings)
        {
            let heal = Heal {
                attempts,
                last: now,
                failure: why.clone(),
            };
            app.heal.insert(key.clone(), heal);
        }
        self.tell_left(now, app, key, reason);
    }

    fn journal_drift(&mut self, now: Timestamp, app: &ApplicationState, key: &ResourceKey, attempts: u32) {
        let has_failed = app.heal.get(key).is_some_and(|heal| !heal.failure.is_empty());
        let times = match (attempts, has_failed) {
            (..=1, _) => String::new(),
            // Nobody changed it again: the tries before did not work.
            (_, true) => format!(" (try {attempts})"),
            (_, false) => format!(" again ({attempts} times in a row)"),
        };
        let repair = if app.is_missing(key) {
            "written again"
        } else {
            "put right"
        };
        let message = format!("{}{times}; {repair}", app.drifted(key));
        let cause = app.drift_cause(key);
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

impl ApplicationState {
    fn is_missing(&self, key: &ResourceKey) -> bool {
        let object = self.assessment.objects.get(key);
        object.is_some_and(|object| object.existence == Existence::Missing)
    }

    /// Who else wrote to an object what differs.
    fn drifter(&self, key: &ResourceKey) -> Option<&FieldWriter> {
        let mut writers = self.differences(key).iter().filter_map(|one| one.writer.as_ref());
        writers.find(|writer| !FIELD_MANAGERS.contains(&writer.manager.as_str()))
    }

    /// What became of an object, for people.
    pub(super) fn drifted(&self, key: &ResourceKey) -> String {
        if self.is_missing(key) {
            return "was deleted".into();
        }
        let paths = some_of(self.differences(key).iter().map(|one| one.path.clone()));
        let who = named(self.drifter(key).map_or("", |writer| &writer.manager));
        format!("{who} changed {paths}")
    }

    pub(super) fn drift_cause(&self, key: &ResourceKey) -> Cause {
        let (manager, operation) = match self.drifter(key).filter(|_| !self.is_missing(key)) {
            Some(writer) => (writer.manager.clone(), writer.operation.clone()),
            None if self.is_missing(key) => (String::new(), "Delete".into()),
            None => (String::new(), String::new()),
        };
        Cause::Drift { manager, operation }
    }

    /// The fields of an object that differ, each with who keeps changing it back, where all of them are left to others.
    pub(super) fn left_to(&self, key: &ResourceKey) -> Vec<(String, String)> {
        let Some(contention) = self.contention.of(key) else {
            return Vec::new();
        };
        let fields = written_fields(self, key);
        match fields.iter().all(|(path, _)| contention.is_left(path)) {
            true => fields,
            false => Vec::new(),
        }
    }
}

/// Fields that differ, and who wrote them last.
fn written_fields(app: &ApplicationState, key: &ResourceKey) -> Vec<(String, String)> {
    let differences = app.differences(key).iter();
    let fields = differences.map(|difference| {
        let manager = difference.writer.as_ref().map_or("", |writer| &writer.manager);
        (difference.path.clone(), manager.to_owned())
    });
    fields.collect()
}

/// Objects that are as desired are not fought about, nor left.
fn settle_fights(now: Timestamp, app: &mut ApplicationState, touched: &Touched) {
    let objects = &app.assessment.objects;
    let is_synced = |key: &ResourceKey| {
        let object = objects.get(key);
        object.is_some_and(|object| object.sync == Some(SyncStatusCode::Synced))
    };
    app.contention.settle(now, touched, is_synced);
    app.heal.settle(touched, is_synced);
}

fn note_reverts(now: Timestamp, app: &mut ApplicationState, key: &ResourceKey) {
    let fields = written_fields(app, key);
    app.contention.about(key, |contention| {
        for (path, _) in fields {
            contention.reverted(&path, now);
        }
    });
}
