//! What several renders share: charts by their content, and parsed templates.
//!
//! One chart with a values file for each environment is the usual shape of a repository, so a commit that changes values renders many
//! applications from charts that have not changed. A chart is taken from here only when every path that loading it looked at still has
//! the same content; a parsed set of templates only when names and texts are the same. So a cache changes nothing but time.
//!
//! Bounded by weight; what has not been used for longest goes first.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use capstan_model::Digest;
use capstan_template::TemplateSet;

use crate::RenderInputs;
use crate::helm::Chart;

/// Bytes of charts and of template texts that are kept by default, each.
const DEFAULT_LIMIT: usize = 64 << 20;

/// Charts and parsed templates, shared by renders on any thread.
#[derive(Debug)]
pub struct RenderCache {
    charts: Mutex<Bounded<ChartKey, Arc<LoadedChart>>>,
    sets: Mutex<Bounded<Digest, TemplateSet>>,
}

/// A chart's folder and the id of its content.
type ChartKey = (String, String);

/// A chart, and everything that was looked at to load it.
#[derive(Debug)]
pub(crate) struct LoadedChart {
    pub(crate) chart: Chart,
    pub(crate) inputs: RenderInputs,
}

impl Default for RenderCache {
    fn default() -> Self {
        Self::new(DEFAULT_LIMIT)
    }
}

impl RenderCache {
    /// A cache that keeps so many bytes of charts, and as many of template texts.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            charts: Mutex::new(Bounded::new(limit)),
            sets: Mutex::new(Bounded::new(limit)),
        }
    }

    pub(crate) fn chart(&self, key: &ChartKey) -> Option<Arc<LoadedChart>> {
        self.charts.lock().unwrap_or_else(PoisonError::into_inner).get(key)
    }

    pub(crate) fn keep_chart(&self, key: ChartKey, loaded: Arc<LoadedChart>) {
        let weight = loaded.chart.weight();
        let mut charts = self.charts.lock().unwrap_or_else(PoisonError::into_inner);
        charts.insert(key, loaded, weight);
    }

    pub(crate) fn set(&self, key: &Digest) -> Option<TemplateSet> {
        self.sets.lock().unwrap_or_else(PoisonError::into_inner).get(key)
    }

    pub(crate) fn keep_set(&self, key: Digest, set: TemplateSet, weight: usize) {
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        sets.insert(key, set, weight);
    }
}

/// A map whose entries weigh no more than a limit together.
#[derive(Debug)]
struct Bounded<K, V> {
    limit: usize,
    weight: usize,
    clock: u64,
    entries: BTreeMap<K, Entry<V>>,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    weight: usize,
    used: u64,
}

impl<K: Ord + Clone, V: Clone> Bounded<K, V> {
    fn new(limit: usize) -> Self {
        Self {
            limit,
            weight: 0,
            clock: 0,
            entries: BTreeMap::new(),
        }
    }

    fn get(&mut self, key: &K) -> Option<V> {
        self.clock += 1;
        let entry = self.entries.get_mut(key)?;
        entry.used = self.clock;
        Some(entry.value.clone())
    }

    /// What weighs more than the whole limit is not kept.
    fn insert(&mut self, key: K, value: V, weight: usize) {
        if weight > self.limit {
            return;
        }
        self.clock += 1;
        let used = self.clock;
        let old = self.entries.insert(key, Entry { value, weight, used });
        self.weight = self.weight + weight - old.map_or(0, |entry| entry.weight);
        while self.weight > self.limit {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used);
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else {
                return;
            };
            self.weight -= self.entries.remove(&oldest).map_or(0, |entry| entry.weight);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let mut bounded = Bounded::new(10);
        bounded.insert("a", 1, 4);
        bounded.insert("b", 2, 4);
        assert_eq!(bounded.get(&"a"), Some(1));
        bounded.insert("c", 3, 4);
        assert_eq!(
            (bounded.get(&"a"), bounded.get(&"b"), bounded.get(&"c")),
            (Some(1), None, Some(3))
        );
        bounded.insert("d", 4, 11);
        assert_eq!((bounded.get(&"d"), bounded.weight), (None, 8));
        bounded.insert("a", 5, 6);
        assert_eq!((bounded.get(&"a"), bounded.weight), (Some(5), 10));
    }
}
