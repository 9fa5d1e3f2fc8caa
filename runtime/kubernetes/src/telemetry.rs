//! How many requests were made, by verb, kind and what became of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use capstan_model::GroupKind;

/// What a count is about. All three are bounded sets: verbs, kinds that are served, and outcomes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestLabels {
    /// `get`, `list`, `watch`, `create`, `apply`, `patch`, `replace`, `delete`, `discover`.
    pub verb: &'static str,
    /// Kind; empty for discovery.
    pub kind: GroupKind,
    /// HTTP status code, or `refused` (nothing was sent), `unanswered` (no answer came), `malformed` (the answer made no sense).
    pub outcome: String,
}

/// Counts of requests. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub struct RequestCounts {
    counts: Arc<Mutex<BTreeMap<RequestLabels, u64>>>,
}

impl RequestCounts {
    pub(crate) fn add(&self, verb: &'static str, kind: &GroupKind, outcome: String) {
        let labels = RequestLabels {
            verb,
            kind: kind.clone(),
            outcome,
        };
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(labels).or_default() += 1;
    }

    /// All counts so far.
    pub fn snapshot(&self) -> BTreeMap<RequestLabels, u64> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Requests of `verb` so far, of whatever kind and outcome.
    pub fn of_verb(&self, verb: &str) -> u64 {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts
            .iter()
            .filter(|(labels, _)| labels.verb == verb)
            .map(|(_, count)| count)
            .sum()
    }
}
