//! The oracle of what is kept step by step: everything worked out anew by a look at everything, and held against it.
//!
//! Tests call it after every event. [`Engine::look_at_everything`] makes an engine whose every step works like that, so that whole runs can be
//! held against each other, too.

use std::collections::{BTreeMap, BTreeSet};

use capstan_model::{HealthStatus, HealthStatusCode, ResourceKey, SyncStatusCode};

use super::Engine;
use super::assess::{all_keys, look};
use super::assessment::Tally;
use super::gate::Gate;
use super::operation::Work;
use super::state::{ApplicationState, Existence, ObjectState};
use super::status::summary;
use super::telling::{News, Telling};
use crate::health::{ManagedResource, aggregate};

impl Engine {
    /// From now on every step looks at every object and every task, whatever happened. For tests: what comes of it is the same.
    #[doc(hidden)]
    pub fn look_at_everything(&mut self) {
        self.exhaustive = true;
    }

    /// Says what is not as a look at everything would make it. For tests.
    #[doc(hidden)]
    pub fn audit(&self) -> Result<(), String> {
        for (id, app) in &self.applications {
            let gate = self.gate(app);
            let is_worked_on = matches!(gate, Gate::Open(_)) && !app.application.skips_reconcile();
            if !is_worked_on || app.application.metadata.deletion_timestamp.is_some() || self.dirty.contains(id) {
                continue;
            }
            self.audit_assessment(app)
                .and_then(|()| audit_operation(app))
                .and_then(|()| self.audit_drift(app))
                .and_then(|()| self.audit_status(app, &gate))
                .map_err(|what| format!("{id}: {what}"))?;
        }
        Ok(())
    }

    fn audit_assessment(&self, app: &ApplicationState) -> Result<(), String> {
        let Some(cluster) = self.cluster(app) else {
            return Ok(());
        };
        let id = app.id();
        let mut objects = BTreeMap::new();
        for key in all_keys(app, cluster) {
            if let (Some(object), _) = look(app, cluster, (&id, &key), self.settings.guards) {
                objects.insert(key, object);
            }
        }
        let kept = &app.assessment;
        let keys: BTreeSet<&ResourceKey> = objects.keys().chain(kept.objects.keys()).collect();
        for key in keys {
            same(&format!("{key}"), &kept.objects.get(key), &objects.get(key))?;
            let in_inventory = app.inventory.contains(key);
            let is_there = objects.get(key).map(|object| object.existence);
            if is_there == Some(Existence::Present) && !in_inventory
                || is_there == Some(Existence::Missing) && in_inventory
            {
                return Err(format!("inventory: {key} is {is_there:?}, and kept is {in_inventory}"));
            }
        }
        same("the sums", &kept.tally, &Tally::of(&objects))?;
        let (sync, health, settled) = summed_up(app, &objects);
        same("verdict", &kept.sync, &sync)?;
        same("health", &kept.health, &health)?;
        same("settled", &kept.settled, &settled)
    }

    fn audit_drift(&self, app: &ApplicationState) -> Result<(), String> {
        if !self.may_write(app) {
            return Ok(());
        }
        let all = app
            .assessment
            .objects
            .keys()
            .filter(|key| !app.drift.touched.contains(*key));
        let anew: BTreeMap<_, _> = all.filter_map(|key| Some((key, self.drift_due(app, key)?))).collect();
        let kept: BTreeMap<_, _> = app.drift.times().map(|(key, time)| (key, *time)).collect();
        same("drift", &kept, &anew)
    }

    fn audit_status(&self, app: &ApplicationState, gate: &Gate) -> Result<(), String> {
        let is_waiting = app.in_flight.is_telling() || app.telling.due().is_some() || app.status_failure.is_some();
        if is_waiting || !self.leads || app.application.metadata.uid.is_empty() {
            return Ok(());
        }
        if Telling::news(app, &summary(app, gate)) != News::Nothing {
            return Ok(());
        }
        match self.unsaid(app, gate) {
            Some(patch) => Err(format!("the status is said to have nothing new, and has {patch}")),
            None => Ok(()),
        }
    }
}

fn audit_operation(app: &ApplicationState) -> Result<(), String> {
    let Some(operation) = &app.operation else { return Ok(()) };
    if operation.tasks.is_empty() {
        return Ok(());
    }
    let anew = Work::new(&operation.plan, &operation.tasks, &operation.recorded);
    match operation.work.differs_from(&anew) {
        Some(what) => Err(format!("the operation's {what} are not what its tasks say")),
        None => Ok(()),
    }
}

fn same<T: PartialEq + std::fmt::Debug + ?Sized>(what: &str, kept: &T, anew: &T) -> Result<(), String> {
    if kept == anew {
        return Ok(());
    }
    Err(format!(
        "{what}: kept is {kept:?}, and a look at everything gives {anew:?}"
    ))
}

/// Verdict, health, and whether they may be told.
fn summed_up(
    app: &ApplicationState,
    objects: &BTreeMap<ResourceKey, ObjectState>,
) -> (SyncStatusCode, HealthStatus, bool) {
    let counted = || objects.values().filter(|object| !object.extraneous);
    let settled = objects.values().all(|object| object.sync.is_some());
    let has = |code| counted().any(|object| object.sync == Some(code));
    let sync = if app.desired.is_none() || app.refresh.failure().is_some() || !settled {
        SyncStatusCode::Unknown
    } else if has(SyncStatusCode::OutOfSync) {
        SyncStatusCode::OutOfSync
    } else if has(SyncStatusCode::Unknown) {
        SyncStatusCode::Unknown
    } else {
        SyncStatusCode::Synced
    };
    let managed = objects.iter().map(|(key, object)| ManagedResource {
        key,
        health: object.health.as_ref(),
        live: object.existence == Existence::Present,
        ignored: object.ignore_health,
    });
    let unavailable = objects
        .iter()
        .find(|(_, object)| object.existence == Existence::Unavailable);
    let health = match unavailable {
        Some((key, _)) => HealthStatus::new(HealthStatusCode::Unknown, format!("{key}: its kind cannot be read")),
        None if app.desired.is_none() && objects.is_empty() => HealthStatus::new(HealthStatusCode::Unknown, ""),
        None => aggregate(managed),
    };
    let settled = settled && (app.desired.is_some() || app.refresh.failure().is_some());
    (sync, health, settled)
}
