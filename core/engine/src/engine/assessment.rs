//! The application's objects, one by one and summed up.
//!
//! **Invariant.** What is summed up is what a look at every object would give: it is kept by taking out what an object added before and
//! adding what it adds now, so that a change of one object costs the logarithm of their number. [`Tally::of`] is the look at all.

use std::collections::{BTreeMap, BTreeSet};

use capstan_model::{
    ClusterId, Digest, HealthStatus, HealthStatusCode, ResourceIgnoreDifferences, ResourceKey, SyncStatusCode,
};

use super::state::{ApplicationState, Existence, ObjectState};
use crate::health::{Aggregate, ManagedResource};
use crate::sabotage::{self, Sabotage};

/// What the state of every object rests on beside the object itself.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Basis {
    cluster: ClusterId,
    desired: Option<Digest>,
    /// The desired objects are known, and known to be all.
    is_rendered: bool,
    ignored: Vec<ResourceIgnoreDifferences>,
}

impl Basis {
    pub(crate) fn of(app: &ApplicationState) -> Self {
        let desired = app.desired.as_ref();
        Self {
            cluster: app.application.spec.destination.cluster(),
            desired: desired.map(|desired| desired.targets.digest()),
            is_rendered: desired.is_some() && app.refresh.failure().is_none(),
            ignored: app.application.spec.ignore_differences.clone(),
        }
    }
}

/// The application's objects as of this step.
#[derive(Debug, Default)]
pub(crate) struct Assessment {
    pub(crate) objects: BTreeMap<ResourceKey, ObjectState>,
    pub(crate) sync: SyncStatusCode,
    pub(crate) health: HealthStatus,
    /// Nothing more is about to be known by itself: the verdict may be told.
    pub(crate) settled: bool,
    pub(crate) tally: Tally,
    /// Of what this is.
    pub(crate) basis: Option<Basis>,
    /// What the status says of the objects changed since it was last put together.
    pub(crate) rows_changed: bool,
}

/// Sums over the objects.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tally {
    /// Without a verdict.
    unsettled: usize,
    out_of_sync: usize,
    unknown: usize,
    /// Out of sync by more than having to be pruned.
    to_write: usize,
    to_prune: usize,
    declared: usize,
    declared_missing: usize,
    unavailable: BTreeSet<ResourceKey>,
    health: Aggregate,
    /// Declared, and out of sync.
    pub(crate) differing: BTreeSet<ResourceKey>,
    /// There, and not declared.
    pub(crate) undeclared: BTreeSet<ResourceKey>,
    /// Their verdict waits for a comparison.
    pub(crate) uncompared: BTreeSet<ResourceKey>,
}

impl Tally {
    /// By a look at every object.
    pub(crate) fn of(objects: &BTreeMap<ResourceKey, ObjectState>) -> Self {
        let mut tally = Self::default();
        for (key, object) in objects {
            tally.count(key, object, true);
        }
        tally
    }

    fn count(&mut self, key: &ResourceKey, object: &ObjectState, is_added: bool) {
        let count = |of: &mut usize, counts: bool| match (counts, is_added) {
            (false, _) => {}
            (true, true) => *of += 1,
            (true, false) => *of -= 1,
        };
        let keep = |set: &mut BTreeSet<ResourceKey>, holds: bool| match (holds, is_added) {
            (false, _) => {}
            (true, true) => drop(set.insert(key.clone())),
            (true, false) => drop(set.remove(key)),
        };
        let differs = object.sync == Some(SyncStatusCode::OutOfSync);
        let has_a_say = !object.extraneous;
        count(&mut self.unsettled, object.sync.is_none());
        count(&mut self.out_of_sync, has_a_say && differs);
        count(
            &mut self.unknown,
            has_a_say && object.sync == Some(SyncStatusCode::Unknown),
        );
        count(&mut self.to_write, has_a_say && differs && !object.requires_pruning);
        count(&mut self.to_prune, has_a_say && object.requires_pruning);
        count(&mut self.declared, object.declared);
        count(
            &mut self.declared_missing,
            object.declared && object.existence == Existence::Missing,
        );
        keep(&mut self.unavailable, object.existence == Existence::Unavailable);
        keep(&mut self.differing, object.declared && differs);
        let is_there = object.existence == Existence::Present;
        keep(&mut self.undeclared, is_there && !object.declared);
        keep(&mut self.uncompared, object.is_uncompared);
        self.health.count(&managed(key, object), is_added);
    }
}

fn managed<'a>(key: &'a ResourceKey, object: &'a ObjectState) -> ManagedResource<'a> {
    ManagedResource {
        key,
        health: object.health.as_ref(),
        live: object.existence == Existence::Present,
        ignored: object.ignore_health,
    }
}

impl Assessment {
    /// Says the status the same of the objects here and there?
    pub(crate) fn has_rows_of(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.objects.iter(), other.objects.iter());
        ours.map(|(key, object)| (key, object.row()))
            .eq(theirs.map(|(key, object)| (key, object.row())))
    }

    /// Takes in what an object is now; `None` where it is none of the application's.
    pub(crate) fn put(&mut self, key: &ResourceKey, object: Option<ObjectState>) {
        let old = self.objects.get(key);
        if old == object.as_ref() {
            return;
        }
        self.rows_changed |= old.map(ObjectState::row) != object.as_ref().map(ObjectState::row);
        if let Some(old) = old {
            self.tally.count(key, old, false);
        }
        match object {
            Some(object) => {
                self.tally.count(key, &object, true);
                self.objects.insert(key.clone(), object);
            }
            None => drop(self.objects.remove(key)),
        }
    }

    /// Sums up.
    pub(crate) fn conclude(&mut self, is_desired_known: bool, is_refreshed: bool) {
        let tally = &self.tally;
        let settled = tally.unsettled == 0;
        self.sync = if !is_desired_known || !is_refreshed || !settled {
            SyncStatusCode::Unknown
        } else if tally.out_of_sync > 0 && !sabotage::is(Sabotage::CallsEverythingSynced) {
            SyncStatusCode::OutOfSync
        } else if tally.unknown > 0 {
            SyncStatusCode::Unknown
        } else {
            SyncStatusCode::Synced
        };
        self.health = match tally.unavailable.first() {
            Some(key) => HealthStatus::new(HealthStatusCode::Unknown, format!("{key}: its kind cannot be read")),
            None if !is_desired_known && self.objects.is_empty() => HealthStatus::new(HealthStatusCode::Unknown, ""),
            None => tally
                .health
                .verdict(|key| self.objects.get(key).and_then(|object| object.health.as_ref())),
        };
        self.settled = settled && (is_desired_known || !is_refreshed);
    }

    /// Everything that differs only waits to be pruned.
    pub(crate) fn only_prunes(&self) -> bool {
        self.tally.to_write == 0
    }

    pub(crate) fn has_prunes(&self) -> bool {
        self.tally.to_prune > 0
    }

    pub(crate) fn declared(&self) -> usize {
        self.tally.declared
    }

    /// There are declared objects, and each is proven absent.
    pub(crate) fn is_nothing_there(&self) -> bool {
        self.tally.declared > 0 && self.tally.declared == self.tally.declared_missing
    }
}
