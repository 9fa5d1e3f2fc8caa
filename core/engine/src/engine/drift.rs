//! Which objects drifted, and when each may be put right.
//!
//! An object drifted when it was synced to what is desired and differs now. What the last operation did not get to is not drift: it waits
//! for its wave.
//!
//! **Invariant.** What is kept is what a look at every object that differs would give; it is kept as objects are touched, so that an event
//! costs what it touches.

use std::collections::{BTreeMap, BTreeSet};

use capstan_model::{ResourceKey, ResultCode, SyncStatusCode, Timestamp};

use super::operation::{Stage, last_attempt};
use super::state::{ApplicationState, InFlight};
use super::touched::Touched;
use crate::guard::Contention;
use crate::machine::Heal;
use crate::policy::LastAttempt;

/// What is remembered of the repairs of each object.
#[derive(Debug, Default)]
pub(crate) struct Heals {
    all: BTreeMap<ResourceKey, Heal>,
    failed: BTreeSet<ResourceKey>,
}

impl Heals {
    pub(crate) fn get(&self, key: &ResourceKey) -> Option<&Heal> {
        self.all.get(key)
    }

    pub(crate) fn insert(&mut self, key: ResourceKey, heal: Heal) {
        match heal.failure.as_str() {
            "" => self.failed.remove(&key),
            _ => self.failed.insert(key.clone()),
        };
        self.all.insert(key, heal);
    }

    /// The last try did not work.
    pub(crate) fn fail(&mut self, key: &ResourceKey, failure: String) {
        if let Some(mut heal) = self.all.remove(key) {
            heal.failure = failure;
            self.insert(key.clone(), heal);
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Objects whose last try did not work.
    pub(crate) fn failed(&self) -> &BTreeSet<ResourceKey> {
        &self.failed
    }
}

/// Fields that others keep changing.
#[derive(Debug, Default)]
pub(crate) struct Fights {
    all: BTreeMap<ResourceKey, Contention>,
    /// Objects of which a field is left to others.
    left: BTreeSet<ResourceKey>,
}

impl Fights {
    /// Takes in what happened to an object.
    pub(crate) fn about<T>(&mut self, key: &ResourceKey, change: impl FnOnce(&mut Contention) -> T) -> T {
        let contention = self.all.entry(key.clone()).or_default();
        let given = change(contention);
        match contention.left().next() {
            Some(_) => self.left.insert(key.clone()),
            None => self.left.remove(key),
        };
        given
    }

    /// The objects among these that are as desired are not fought about.
    pub(crate) fn settle(&mut self, now: Timestamp, touched: &Touched, is_synced: impl Fn(&ResourceKey) -> bool) {
        if touched.all {
            let settled = self.all.iter_mut().filter(|(key, _)| is_synced(key));
            settled.for_each(|(_, contention)| contention.settle(now));
            return;
        }
        for key in touched.keys.iter().filter(|key| is_synced(key)) {
            if let Some(contention) = self.all.get_mut(key) {
                contention.settle(now);
            }
        }
    }

    /// Objects of which a field is left to others, each with its fights.
    pub(crate) fn left(&self) -> impl Iterator<Item = (&ResourceKey, &Contention)> {
        self.left.iter().filter_map(|key| self.all.get_key_value(key))
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Which objects were synced to what is desired.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Synced {
    All,
    None,
    /// What the operation that runs has written.
    Written {
        number: u64,
        attempt: u64,
    },
    /// What the last operation wrote before it failed.
    These(Timestamp, Option<Timestamp>),
}

impl Synced {
    pub(super) fn of(app: &ApplicationState) -> Self {
        let Some(desired) = &app.desired else { return Self::None };
        if let Some(operation) = &app.operation {
            let targets = operation.targets.as_ref();
            let is_same = targets.is_some_and(|targets| targets.digest() == desired.targets.digest());
            if !is_same || !matches!(operation.stage, Stage::Running | Stage::Failing) {
                return Self::None;
            }
            return Self::Written {
                number: operation.number,
                attempt: operation.attempt,
            };
        }
        match (last_attempt(app), &app.last_operation) {
            (LastAttempt::Succeeded | LastAttempt::Released, _) => Self::All,
            (LastAttempt::Failed, Some(last)) => Self::These(last.started_at, last.finished_at),
            (LastAttempt::Failed, None) | (LastAttempt::Other, _) => Self::None,
        }
    }

    fn keys(&self, app: &ApplicationState) -> BTreeSet<ResourceKey> {
        let Self::These(..) = self else { return BTreeSet::new() };
        let result = app.last_operation.iter().filter_map(|state| state.sync_result.as_ref());
        let synced = result
            .flat_map(|result| &result.resources)
            .filter(|result| result.status == Some(ResultCode::Synced));
        synced.map(capstan_model::ResourceResult::key).collect()
    }
}

/// The objects that drifted.
#[derive(Debug, Default)]
pub(crate) struct Drift {
    synced: Option<Synced>,
    /// Of [`Synced::These`].
    keys: BTreeSet<ResourceKey>,
    /// By the time from which each may be put right.
    due: BTreeSet<(Timestamp, ResourceKey)>,
    times: BTreeMap<ResourceKey, Timestamp>,
    /// Those that have to wait, and of which it was not asked yet whether they are fought about.
    pub(super) fresh: BTreeSet<ResourceKey>,
    /// To be looked at with the next step.
    pub(super) touched: BTreeSet<ResourceKey>,
}

impl Drift {
    /// Begins anew. Gives the objects to look at.
    pub(super) fn restart(app: &mut ApplicationState, synced: Synced) -> BTreeSet<ResourceKey> {
        app.drift = Self {
            keys: synced.keys(app),
            synced: Some(synced),
            ..Self::default()
        };
        app.assessment.tally.differing.clone()
    }

    pub(super) fn is_of(&self, synced: &Synced) -> bool {
        self.synced.as_ref() == Some(synced)
    }

    /// Takes in from when an object may be put right; `None` where it did not drift.
    pub(super) fn put(&mut self, key: &ResourceKey, due: Option<Timestamp>) {
        if let Some(old) = self.times.remove(key) {
            self.due.remove(&(old, key.clone()));
            self.fresh.remove(key);
        }
        if let Some(due) = due {
            self.due.insert((due, key.clone()));
            self.times.insert(key.clone(), due);
        }
    }

    /// Takes out the first object that may be put right.
    pub(super) fn take(&mut self, now: Timestamp) -> Option<ResourceKey> {
        let (_, key) = self.due.first().filter(|(at, _)| *at <= now)?.clone();
        self.put(&key, None);
        Some(key)
    }

    /// When the next object may be put right.
    pub(super) fn deadline(&self, now: Timestamp) -> Option<Timestamp> {
        let after = now + std::time::Duration::from_millis(1);
        let mut later = self.due.range((after, ResourceKey::default())..);
        later.next().map(|(at, _)| *at)
    }

    /// Every object that drifted and is not among those to be looked at.
    pub(super) fn times(&self) -> impl Iterator<Item = (&ResourceKey, &Timestamp)> {
        self.times.iter().filter(|(key, _)| !self.touched.contains(*key))
    }
}

/// Was it synced to what is desired, and differs?
pub(super) fn is_drift(app: &ApplicationState, key: &ResourceKey) -> bool {
    let object = app.assessment.objects.get(key);
    let differs = object.is_some_and(|object| object.declared && object.sync == Some(SyncStatusCode::OutOfSync));
    let is_synced = || match app.drift.synced {
        Some(Synced::All) => true,
        Some(Synced::These(..)) => app.drift.keys.contains(key),
        Some(Synced::Written { .. }) => app.operation.as_ref().is_some_and(|operation| {
            let mut tasks = operation.work.of_key(key);
            tasks.any(|position| operation.work.is_applied(position))
        }),
        Some(Synced::None) | None => false,
    };
    differs
        && is_synced()
        && !app
            .is_in_flight(|what| matches!(what, InFlight::Heal(other) | InFlight::HealTakeOver(other) if other == key))
}
