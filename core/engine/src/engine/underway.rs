//! The effects of one application that are under way, counted as every step asks for them.

use std::collections::BTreeMap;

use capstan_model::ClusterId;

use super::state::InFlight;
use crate::effect::EffectId;

/// What is under way.
#[derive(Debug, Default)]
pub(crate) struct Underway {
    effects: BTreeMap<EffectId, InFlight>,
    writes: usize,
    tasks: usize,
    comparisons: usize,
    statuses: usize,
    patches: usize,
    left: usize,
}

impl Underway {
    pub(crate) fn insert(&mut self, id: EffectId, what: InFlight) {
        self.count(&what, |count| *count += 1);
        self.effects.insert(id, what);
    }

    pub(crate) fn remove(&mut self, id: &EffectId) -> Option<InFlight> {
        let what = self.effects.remove(id)?;
        self.count(&what, |count| *count -= 1);
        Some(what)
    }

    pub(crate) fn get(&self, id: &EffectId) -> Option<&InFlight> {
        self.effects.get(id)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &InFlight> {
        self.effects.values()
    }

    /// Writes to the destination cluster.
    pub(crate) fn writes(&self) -> usize {
        self.writes
    }

    /// A request of a task of the operation.
    pub(crate) fn has_tasks(&self) -> bool {
        self.tasks > 0
    }

    pub(crate) fn is_comparing(&self) -> bool {
        self.comparisons > 0
    }

    pub(crate) fn is_telling(&self) -> bool {
        self.statuses > 0
    }

    /// Is another patch of the resource on its way?
    pub(crate) fn is_patching(&self) -> bool {
        self.patches > 0
    }

    /// Is anything under way in a cluster that the application left?
    pub(crate) fn is_left(&self) -> bool {
        self.left > 0
    }

    /// Its application leaves this cluster: what is asked of it there is answered, and says what is live there at most.
    pub(crate) fn leave(&mut self, cluster: &ClusterId) {
        let is_of_cluster = |what: &InFlight| what.is_write() || matches!(what, InFlight::Seen(_));
        let left = self.effects.iter().filter(|(_, what)| is_of_cluster(what));
        let left: Vec<EffectId> = left.map(|(id, _)| id.clone()).collect();
        for id in left {
            let what = match self.remove(&id) {
                Some(what @ InFlight::Elsewhere { .. }) => what,
                what => InFlight::Elsewhere {
                    cluster: cluster.clone(),
                    // What is tried shows an object that is not there.
                    shows: matches!(
                        what,
                        Some(InFlight::Task(_) | InFlight::Heal(_) | InFlight::DeletionHook(..))
                    ),
                },
            };
            self.insert(id, what);
        }
    }

    fn count(&mut self, what: &InFlight, change: impl Fn(&mut usize)) {
        if what.is_write() {
            change(&mut self.writes);
        }
        match what {
            InFlight::Task(_) => change(&mut self.tasks),
            InFlight::Compare(_) => change(&mut self.comparisons),
            InFlight::Status(_) => change(&mut self.statuses),
            InFlight::Elsewhere { .. } => change(&mut self.left),
            InFlight::RefreshAnnotation | InFlight::OperationField | InFlight::Finalizer | InFlight::KeptHooks => {
                change(&mut self.patches);
            }
            _ => {}
        }
    }
}
