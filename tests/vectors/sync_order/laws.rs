//! What holds for every sync with the safe defaults, whatever Argo CD does: the order of its tasks, what each waits for, and what a hook may
//! delete. Two ends that are the same do not show it.
//!
//! Where a task belongs is read from what is declared and what is live, and whether what came before it was over from the cluster of the
//! recordings; of the engine's plan only the phase of a request is taken, since one hook may run in several.

use std::collections::{BTreeMap, BTreeSet};

use capstan_model::SyncPhase;
use serde_json::Value;

use super::case::{Case, Row, key_of, name_in_script};
use super::course::{phase_of, tier};
use super::end::{is_hook, may_be_pruned};
use super::replay::Played;
use super::trouble::{Trouble, has, homes, says};

/// A request, and how the cluster was right before it.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    pub(crate) row: Row,
    pub(crate) round: u32,
    /// What was there, and whether it said that it is a hook.
    pub(crate) there: BTreeMap<String, bool>,
    /// What was written in this operation and was at no time healthy since.
    pub(crate) unready: BTreeSet<String>,
}

/// Where a task belongs: phase, writes before prunes, wave in the order in which waves run, tier of its kind.
type Place = (SyncPhase, bool, i64, usize);

/// What begins when what comes before it is over; kinds only follow each other.
fn group((phase, is_prune, turn, _): Place) -> (SyncPhase, bool, i64) {
    (phase, is_prune, turn)
}

/// The first law that is broken, and by what.
pub(crate) fn fault(case: &Case, ours: &Played) -> Option<String> {
    let generated = case.generated_names();
    let laws = Laws { case, generated };
    laws.order(&ours.moments)
        .or_else(|| laws.waiting(&ours.moments))
        .or_else(|| laws.failures(&ours.moments))
        .or_else(|| laws.homes(&ours.moments))
        .or_else(|| laws.hooks(&ours.moments))
        .or_else(|| laws.stop(&ours.moments))
}

struct Laws<'a> {
    case: &'a Case,
    generated: Vec<(String, String)>,
}

impl Laws<'_> {
    /// As it is declared (a hook without a name by the one that it is a run of), or else as it was live before.
    fn object(&self, key: &str) -> Option<&Value> {
        let case = self.case;
        let is_run = |object: &&Value| {
            let prefix = object["metadata"]["generateName"].as_str();
            prefix.is_some_and(|prefix| key.starts_with(&format!("{}{prefix}", key_of(object))))
        };
        let mut declared = case.desired.iter();
        let live = || case.live.iter().map(|live| &live.obj);
        declared
            .find(|object| key_of(object) == key)
            .or_else(|| case.desired.iter().find(is_run))
            .or_else(|| live().find(|object| key_of(object) == key))
    }

    fn place(&self, row: &Row) -> Place {
        let is_prune = row.op == "delete";
        let live = self.case.live.iter().map(|live| &live.obj);
        // What is pruned goes by what it says itself.
        let own = live.filter(|_| is_prune).find(|object| key_of(object) == row.key);
        let wave = own.or_else(|| self.object(&row.key)).map_or(0, wave);
        match is_prune {
            true if says(self.case, &row.key, "PruneLast=true") => (SyncPhase::Sync, true, i64::MAX, 0),
            true => (SyncPhase::Sync, true, wave.saturating_neg(), 0),
            false => (phase_of(&row.phase), false, wave, tier(&row.key)),
        }
    }

    /// Requests for the tasks of a plan: no deletes of hooks, nothing that runs since the sync failed.
    fn is_step(row: &Row) -> bool {
        row.is_real() && !row.has("hook") && row.op != "migrate" && row.phase != "SyncFail"
    }

    /// What others need is written before them, whatever its wave.
    fn is_pulled_forward(row: &Row) -> bool {
        let kind = row.key.split('/').nth(1);
        row.op != "delete" && matches!(kind, Some("Namespace" | "CustomResourceDefinition"))
    }

    /// What is asked for first for each task comes in the order of the places.
    fn order(&self, moments: &[Moment]) -> Option<String> {
        let mut last: Option<(Place, &str)> = None;
        let mut seen = BTreeSet::new();
        for row in moments.iter().map(|moment| &moment.row) {
            let is_one = Self::is_step(row) && !Self::is_pulled_forward(row);
            if !is_one || !seen.insert((&row.key, &row.phase, row.op == "delete")) {
                continue;
            }
            let place = self.place(row);
            if let Some((before, key)) = last.filter(|(before, _)| *before > place) {
                return Some(format!("order: {} at {place:?} after {key} at {before:?}", row.key));
            }
            last = Some((place, &row.key));
        }
        None
    }

    /// A wave begins when all of the one before is healthy, a wave of prunes when all of the one before is gone. The first prunes do not wait
    /// for health, but for `PruneLast`; a phase waits for everything.
    fn waiting(&self, moments: &[Moment]) -> Option<String> {
        let mut begun: BTreeMap<(&str, bool), Place> = BTreeMap::new();
        for moment in moments.iter().filter(|moment| Self::is_step(&moment.row)) {
            let (row, place) = (&moment.row, self.place(&moment.row));
            let (phase, is_prune, turn, _) = place;
            let is_last = is_prune && turn == i64::MAX;
            let waits_for = |&((key, gone), (of, _, before, _)): &(&(&str, bool), &Place)| match (*gone, is_prune) {
                (true, true) => *before < turn && moment.there.contains_key(*key),
                (true, false) => *of < phase && moment.there.contains_key(*key),
                (false, true) => is_last && moment.unready.contains(*key),
                (false, false) => (*of, *before) < (phase, turn) && moment.unready.contains(*key),
            };
            let is_exempt = |key: &str| self.counts_at_once(key) || has(self.case, key, &[Trouble::Taken]);
            let early = begun.iter().find(|it| waits_for(it) && !is_exempt(it.0.0));
            if let Some(((key, gone), before)) = early.filter(|_| !Self::is_pulled_forward(row)) {
                let what = if *gone { "is not gone" } else { "was never healthy" };
                return Some(format!(
                    "waiting: {} at {place:?}, and {key} at {before:?} {what}",
                    row.key
                ));
            }
            if !row.has("fail") {
                begun.insert((&row.key, is_prune), place);
            }
        }
        None
    }

    /// Its health is not waited for: it says so.
    fn counts_at_once(&self, key: &str) -> bool {
        let ignores = |object: &Value| annotation(object, "argocd.argoproj.io/ignore-healthcheck") == Some("true");
        self.object(key).is_some_and(ignores)
    }

    /// What was refused ends the sync: nothing that comes after it is begun.
    fn failures(&self, moments: &[Moment]) -> Option<String> {
        let mut failed: Option<(Place, &str)> = None;
        for row in moments
            .iter()
            .map(|moment| &moment.row)
            .filter(|row| Self::is_step(row))
        {
            let place = self.place(row);
            let is_late = |(before, _): &(Place, &str)| group(*before) < group(place) && !Self::is_pulled_forward(row);
            if let Some((before, key)) = failed.filter(is_late) {
                return Some(format!(
                    "failures: {} at {place:?}, and {key} at {before:?} was refused",
                    row.key
                ));
            }
            // What somebody took away after it was written is tried again, and by then what waited for its first write has begun.
            let is_final = !has(self.case, &row.key, &[Trouble::Taken]);
            if row.has("fail") && is_final && failed.is_none() {
                failed = Some((place, &row.key));
            }
        }
        None
    }

    /// What lives in a declared namespace, or is of a kind that is declared, is written when that is there; whoever names some objects names
    /// those, too, or not.
    fn homes(&self, moments: &[Moment]) -> Option<String> {
        let is_brought = |home: &String| {
            let is_it = |object: &&Value| key_of(object) == *home && !is_hook(object);
            let is_well = !has(self.case, home, &[Trouble::WriteFails, Trouble::Denied, Trouble::Taken]);
            is_well && self.case.op.resources.is_empty() && self.case.desired.iter().any(|object| is_it(&object))
        };
        for Moment { row, there, .. } in moments {
            let is_write = Self::is_step(row) && row.op != "delete";
            let mut missing = homes(&row.key).into_iter().filter(|home| !there.contains_key(home));
            if let Some(home) = missing.find(is_brought).filter(|_| is_write) {
                return Some(format!("homes: {} was written before {home}", row.key));
            }
        }
        None
    }

    /// For a hook, and by its policy, runs of hooks are deleted; what is none goes as a prune does, or stays.
    fn hooks(&self, moments: &[Moment]) -> Option<String> {
        let deletes = moments
            .iter()
            .filter(|moment| moment.row.op == "delete" && moment.row.has("hook"));
        for Moment { row, there, .. } in deletes {
            let named = name_in_script(&self.generated, &row.key);
            let before = self.case.live.iter().find(|live| key_of(&live.obj) == row.key);
            let may_go = before.is_some_and(|live| may_be_pruned(self.case, named, &live.obj));
            if there.get(&row.key) == Some(&false) && !may_go {
                return Some(format!("hooks: {} was deleted and is no hook", row.key));
            }
        }
        None
    }

    /// After it is told to stop a sync begins nothing.
    fn stop(&self, moments: &[Moment]) -> Option<String> {
        let stopped = self.case.script.terminate_at?;
        let begins = |row: &Row| row.is_real() && !row.has("hook");
        let late = moments
            .iter()
            .find(|moment| moment.round >= stopped && begins(&moment.row));
        late.map(|moment| format!("stop: {} {} in round {}", moment.row.op, moment.row.key, moment.round))
    }
}

fn annotation<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object["metadata"]["annotations"][name].as_str()
}

/// The wave that an object says: its own, or else the weight of a Helm hook.
fn wave(object: &Value) -> i64 {
    let own = annotation(object, "argocd.argoproj.io/sync-wave").and_then(|text| text.parse().ok());
    let weight = || annotation(object, "helm.sh/hook-weight").and_then(|text| text.parse().ok());
    own.or_else(weight).unwrap_or(0)
}
