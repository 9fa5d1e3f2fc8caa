//! Which kinds are watched: those that applications use, and those that their workloads make.

use std::collections::{BTreeMap, BTreeSet};

use capstan_model::{ApplicationId, ClusterId, GroupKind, ResourceKey};

use super::Engine;
use super::assess::descendants;
use super::state::ApplicationState;
use crate::effect::{Effect, EffectId, EffectKind};
use crate::event::KindLookup;

impl Engine {
    /// Works out the kinds that an application uses.
    pub(super) fn step_watch(&mut self, app: &mut ApplicationState) {
        let mut kinds: BTreeSet<GroupKind> = app.inventory.kinds().cloned().collect();
        let operation = app.operation.as_ref().and_then(|operation| operation.targets.as_ref());
        for targets in app.desired.iter().map(|desired| &desired.targets).chain(operation) {
            kinds.extend(targets.kinds().iter().cloned());
        }
        // What an operation deletes is followed until it is seen gone, though nothing else speaks of its kind any more.
        if let Some(operation) = &app.operation {
            kinds.extend(operation.plan.kinds().iter().cloned());
        }
        // Nothing says yet that it has nothing of a kind any more: one that its status names would be let go with the last object that
        // is not there, and be listed once more when the sources declare it.
        if app.desired.is_none() && app.application.metadata.deletion_timestamp.is_none() {
            kinds.extend(app.kinds.iter().cloned());
        }
        kinds.extend(app.releases.kinds().cloned());
        // What goes with the application is followed until it is seen gone; of what a hook left nothing else may speak any more.
        if app.application.metadata.deletion_timestamp.is_some()
            && let Some(cluster) = self.cluster(app)
        {
            kinds.extend(cluster.live.tracked(&app.id()).map(ResourceKey::group_kind));
        }
        kinds.extend(app.deletion.hooks.iter().flatten().map(|hook| hook.key.group_kind()));
        let spec = &app.application.spec;
        let options = match &app.operation {
            Some(operation) => operation.options(spec),
            None => spec.sync_policy.options(),
        };
        if options.create_namespace == Some(true) {
            kinds.insert(GroupKind::new("", "Namespace"));
        }
        for kind in kinds.clone() {
            kinds.extend(
                descendants(&kind)
                    .iter()
                    .map(|(group, kind)| GroupKind::new(*group, *kind)),
            );
        }
        if kinds != app.kinds {
            app.kinds = kinds;
            self.kinds_changed = true;
        }
    }

    /// A cluster answers again. A watch that outlived that it did not would not list by itself, and what was doubted meanwhile would stay
    /// so: every kind of which the whole is not known is let go here and wanted again by the next [`Engine::watch_kinds`].
    pub(super) fn list_anew(&mut self, id: &ClusterId) {
        let Some(cluster) = self.clusters.get_mut(id) else {
            return;
        };
        let (live, before) = (&cluster.live, cluster.watched.len());
        cluster.watched.retain(|kind| live.is_complete(kind));
        if cluster.watched.len() == before {
            return;
        }
        self.kinds_changed = true;
        self.sequence += 1;
        let effect = watch_effect(id, cluster.watched.clone(), self.sequence);
        self.effects.push_back(effect);
    }

    /// Tells each cluster's watches what they are to be, where that changed.
    pub(super) fn watch_kinds(&mut self) {
        let mut wanted: BTreeMap<ClusterId, BTreeSet<GroupKind>> = BTreeMap::new();
        for app in self.applications.values() {
            let cluster = app.application.spec.destination.cluster();
            wanted.entry(cluster).or_default().extend(app.kinds.iter().cloned());
        }
        let mut stale: BTreeSet<ClusterId> = BTreeSet::new();
        for (id, cluster) in &mut self.clusters {
            let mut kinds = wanted.remove(id).unwrap_or_default();
            if cluster.is_stranger {
                kinds.clear();
            }
            kinds.retain(|kind| match cluster.kind(kind) {
                KindLookup::Served(served) => served.watchable,
                KindLookup::NotServed | KindLookup::Unknown => false,
            });
            if kinds == cluster.watched {
                continue;
            }
            for kind in cluster.watched.difference(&kinds) {
                cluster.live.mark_stale(kind);
                stale.insert(id.clone());
            }
            cluster.watched.clone_from(&kinds);
            self.sequence += 1;
            self.effects.push_back(watch_effect(id, kinds, self.sequence));
        }
        for app in self.applications.values_mut() {
            app.touched.all |= stale.contains(&app.application.spec.destination.cluster());
        }
    }
}

fn watch_effect(cluster: &ClusterId, kinds: BTreeSet<GroupKind>, sequence: u64) -> Effect {
    Effect {
        id: EffectId {
            application: ApplicationId::default(),
            epoch: 0,
            sequence,
        },
        identity: None,
        kind: EffectKind::WatchKinds {
            cluster: cluster.clone(),
            kinds,
        },
    }
}
