//! Namespaces that hold what is not to go with the application.
//!
//! **Problem.** Everything in a Namespace goes with it, whoever's it is. So a deletion deletes one as a prune does: its contents are listed
//! right before the DELETE, and what is neither the application's nor Kubernetes' own holds it, as does a list that cannot be had.
//!
//! **Invariants.** What is held stays, with what is in it that is not ours to delete, and everything else goes. It is told as the prunes'
//! holds are, is approved as they are, and known again after a restart. The finalizer stays until it is decided. It is looked at again
//! ever more slowly, and whenever somebody refreshes the Application: nobody watches what is others'.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use capstan_model::{ObjectMeta, ResourceKey, Timestamp};

use super::super::Engine;
use super::super::state::ApplicationState;
use super::DeletionRun;
use super::cascade::Left;
use crate::guard::{DeleteRefusal, Doomed, Rule, goes_with_application, is_looked_into};

/// The wait before what is held is looked at again; twice as long each time.
const FIRST_LOOK: Duration = Duration::from_secs(5);

impl DeletionRun {
    /// Is there more to tell than what goes by?
    pub(in crate::engine) fn is_stuck(&self) -> bool {
        self.is_overdue || self.unread.is_some()
    }

    /// What is held is looked at again at once.
    pub(in crate::engine) fn look_again(&mut self) {
        for (_, at) in self.looks.values_mut() {
            *at = Timestamp::default();
        }
    }
}

impl Engine {
    /// What of `left` is held. What of that is due is looked at again.
    pub(super) fn held_of(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        left: &BTreeMap<ResourceKey, Left>,
    ) -> BTreeSet<ResourceKey> {
        app.deletion.looks.retain(|key, _| left.contains_key(key));
        let is_concerned = |(key, of): &(&ResourceKey, &Left)| is_looked_into(key, false) && !of.is_deleting;
        let doomed = left.iter().filter(is_concerned).map(|(key, of)| {
            let doomed = Doomed {
                uid: of.uid.clone(),
                ..Doomed::default()
            };
            (key.clone(), doomed)
        });
        let doomed: BTreeMap<ResourceKey, Doomed> = doomed.collect();
        let is_known = |(key, doomed): &(&ResourceKey, &Doomed)| app.guarding.is_in_use(key, &doomed.uid);
        let known: Vec<ResourceKey> = doomed.iter().filter(is_known).map(|(key, _)| key.clone()).collect();
        self.look_at_deletion(now, app, &doomed, known.len() < doomed.len());
        let mut held = BTreeSet::new();
        for key in known {
            if app.guarding.is_approved(&key) {
                continue;
            }
            if app.deletion.looks.get(&key).is_none_or(|(_, at)| *at <= now) {
                self.cascade_one(now, app, &key);
            }
            held.insert(key);
        }
        held
    }

    /// What may go when a namespace goes with the application: what that tracks, too, and what nothing says is to stay.
    pub(super) fn goes_along(&self, app: &ApplicationState) -> BTreeSet<ResourceKey> {
        let Some(cluster) = self.cluster(app) else {
            return BTreeSet::new();
        };
        let of_application = app.application.spec.sync_policy.options().delete;
        let id = app.id();
        let goes = cluster.live.tracked(&id).filter(|key| {
            let object = cluster.node(key).and_then(|node| node.manifest()?.value().ok());
            let own = ObjectMeta::of(&object.unwrap_or_default()).sync_options.delete;
            goes_with_application(own.or(of_application), app.deletion_left.contains(*key))
        });
        goes.cloned().collect()
    }

    /// The executor has looked, and refused for what would go along.
    pub(super) fn hold_in_deletion(
        &self,
        now: Timestamp,
        app: &mut ApplicationState,
        key: &ResourceKey,
        (rule, refusal): (Rule, &DeleteRefusal),
    ) {
        let node = self.cluster(app).and_then(|cluster| cluster.node(key));
        let uid = node.map(capstan_live::Node::uid).unwrap_or_default();
        app.guarding.refused(key, &uid, rule, &refusal.to_string());
        let looks = app.deletion.looks.get(key).map_or(0, |(looks, _)| *looks);
        let wait = FIRST_LOOK
            .saturating_mul(1 << looks.min(16))
            .min(self.settings.object_timeout);
        app.deletion.looks.insert(key.clone(), (looks + 1, now + wait));
    }
}
