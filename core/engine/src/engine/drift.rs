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
use crate::policy::{HealSkip, LastAttempt, Repairs, Standing};

/// What is remembered of the repairs of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heal {
    /// Times it was put right in a row.
    pub(crate) attempts: u32,
    /// When it was last put right, or tried to.
    pub(crate) last: Timestamp,
    /// Why the last try did not work; empty when it did.
    pub(crate) failure: String,
}

impl Heal {
    pub(crate) fn repairs(&self) -> Repairs<'_> {
        Repairs {
            in_a_row: self.attempts,
            last: self.last,
            failure: &self.failure,
        }
    }
}

/// What is remembered of the repairs of each object.
#[derive(Debug, Default)]
pub(crate) struct Heals {
    all: BTreeMap<ResourceKey, Heal>,
    failed: BTreeSet<ResourceKey>,
    /// Why objects that drifted are left, as the journal last told it.
    told: BTreeMap<ResourceKey, HealSkip>,
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

    /// Why it is left, as the journal last told it.
    pub(crate) fn told(&self, key: &ResourceKey) -> Option<&HealSkip> {
        self.told.get(key)
    }

    /// Why each object that drifted is left.
    pub(crate) fn all_told(&self) -> impl Iterator<Item = (&ResourceKey, &HealSkip)> {
        self.told.iter()
    }

    /// The journal tells why it is left.
    pub(crate) fn tell(&mut self, key: &ResourceKey, reason: HealSkip) {
        self.told.insert(key.clone(), reason);
    }

    /// The objects among these that are as desired are not left any more.
    pub(crate) fn settle(&mut self, touched: &Touched, is_synced: impl Fn(&ResourceKey) -> bool) {
        if touched.all {
            return self.told.retain(|key, _| !is_synced(key));
        }
        for key in touched.keys.iter().filter(|key| is_synced(key)) {
            self.told.remove(key);
        }
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

    pub(crate) fn of(&self, key: &ResourceKey) -> Option<&Contention> {
        self.all.get(key)
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
            (LastAttempt::Failed, None) | (LastAttempt::Other | LastAttempt::Lost, _) => Self::None,
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

    /// What was synced as this knows it; where drift is not followed, as it is known now.
    pub(super) fn as_known(&self, app: &ApplicationState) -> Self {
        let synced = self.synced.clone().unwrap_or_else(|| Synced::of(app));
        Self {
            keys: synced.keys(app),
            synced: Some(synced),
            ..Self::default()
        }
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

/// How an object stands to what is desired. `drift` says which were synced to that; `is_deleting`: it is on its way out.
pub(super) fn standing(app: &ApplicationState, drift: &Drift, key: &ResourceKey, is_deleting: bool) -> Standing {
    let Some(object) = app.assessment.objects.get(key).filter(|object| object.declared) else {
        return Standing::NotDeclared;
    };
    match object.sync {
        Some(SyncStatusCode::OutOfSync) => {}
        Some(SyncStatusCode::Synced) => return Standing::Synced,
        Some(SyncStatusCode::Unknown) | None => return Standing::Unknown,
    }
    let is_synced = match drift.synced {
        Some(Synced::All) => true,
        Some(Synced::These(..)) => drift.keys.contains(key),
        Some(Synced::Written { .. }) => app.operation.as_ref().is_some_and(|operation| {
            let mut tasks = operation.work.of_key(key);
            tasks.any(|position| operation.work.is_applied(position))
        }),
        Some(Synced::None) | None => false,
    };
    let is_repair =
        |what: &InFlight| matches!(what, InFlight::Heal(other) | InFlight::HealTakeOver(other) if other == key);
    match () {
        () if !is_synced => Standing::NotSynced,
        () if app.is_in_flight(is_repair) => Standing::UnderWay,
        () if is_deleting => Standing::BeingDeleted,
        () => Standing::Drifted,
    }
}
