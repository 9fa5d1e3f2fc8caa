//! I-UNK: what could not be read is not absent. Nothing is pruned by an operation that was planned while a kind, the cluster or the source
//! could not be read, nor of a kind that is not listed; nothing is called Missing meanwhile; and an empty render prunes by itself only
//! where `allowEmpty` says that it may.

use std::collections::BTreeSet;

use capstan_model::GroupKind;

use crate::evidence::{Attempt, Timeline, is_delete};
use crate::generate::Action;
use crate::history::{Answer, Ask, Fact, Record, Request};
use crate::objects::{annotation, is_hook, is_ordinary, key_of, text};
use crate::status::being_compared;

/// What can be read, as the controller was told.
#[derive(Clone, Debug, Default)]
struct Sight {
    listed: BTreeSet<GroupKind>,
    unreadable: BTreeSet<GroupKind>,
    is_lost: bool,
}

impl Sight {
    fn take(&mut self, fact: &Fact) {
        match fact {
            Fact::Started { is_new: true, .. } => *self = Self::default(),
            Fact::Listed { kind, .. } => {
                self.unreadable.remove(kind);
                self.listed.insert(kind.clone());
            }
            Fact::Unreadable { kind } => {
                self.listed.remove(kind);
                self.unreadable.insert(kind.clone());
            }
            Fact::Reachable(true) => self.is_lost = false,
            Fact::Reachable(false) => {
                self.listed.clear();
                self.is_lost = true;
            }
            _ => {}
        }
    }
}

pub(crate) fn check(timeline: &Timeline<'_>) -> Result<usize, String> {
    let record = timeline.record;
    let mut sights: Vec<Sight> = Vec::with_capacity(record.history.len());
    let mut sight = Sight::default();
    for (_, fact) in record.facts() {
        sight.take(fact);
        sights.push(sight.clone());
    }
    let mut found = 0;
    for (at, request) in timeline.requests() {
        if is_delete(request) {
            found += prunes_in_sight(timeline, &sights, at, request)?;
        }
    }
    found += keeps_failing(record, timeline)?;
    for (at, fact) in record.facts() {
        let Fact::Status { request, before, after } = fact else {
            continue;
        };
        // Whoever is deleted is not compared any more.
        if timeline.is_deleting(at) {
            continue;
        }
        let sent = timeline.sent[request].0;
        let sight = &sights[sent];
        let has_hidden = |kind: &GroupKind| {
            let resources = after["resources"].as_array();
            resources
                .into_iter()
                .flatten()
                .any(|one| text(one, "/kind") == kind.kind)
        };
        if timeline.is_here(sent) && sight.unreadable.iter().any(has_hidden) {
            found += 1;
            // What was so is told until the next comparison is over, and is not said anew.
            let mut moments = sights[being_compared(record, sent)..sent].iter();
            let was_so = moments.any(|sight| !sight.unreadable.iter().any(has_hidden));
            let is_kept = was_so && text(before, "/health/status") == "Missing";
            if text(after, "/health/status") == "Missing" && !is_kept {
                return Err(format!(
                    "[{at}] something is called Missing while {:?} cannot be read",
                    sight.unreadable
                ));
            }
        }
    }
    Ok(found)
}

/// From a source that failed to one that was read, nothing is known of what it says: not while it is asked again, either.
fn keeps_failing(record: &Record, timeline: &Timeline<'_>) -> Result<usize, String> {
    let asks = |action: &Action| {
        matches!(
            action,
            Action::Sync(_) | Action::Rollback(_) | Action::Crash { .. } | Action::Leads(_) | Action::DeleteApplication
        )
    };
    if record.case.script.iter().any(|(_, action)| asks(action)) {
        // The answers of an operation that is for a commit of its own, or of an earlier process, say nothing of this.
        return Ok(0);
    }
    let mut found = 0;
    for (at, fact) in record.facts() {
        let Fact::Status { request, before, after } = fact else {
            continue;
        };
        let sent = timeline.sent[request].0;
        let newest = record.history[..sent]
            .iter()
            .rposition(|entry| matches!(entry.fact, Fact::Source { .. }));
        let failed = newest.filter(|at| record.history[*at].fact == Fact::Source { ok: false });
        if let Some(failed) = failed {
            found += 1;
            // What was so is told until the comparison that was under way is over, and is not said anew.
            if failed > being_compared(record, sent) && before["sync"]["status"] == after["sync"]["status"] {
                continue;
            }
            if !matches!(text(after, "/sync/status"), "" | "Unknown") {
                return Err(format!(
                    "[{at}] it is said to be {}, and the source could not be read",
                    text(after, "/sync/status")
                ));
            }
        }
    }
    Ok(found)
}

/// When the plan of an attempt was first sent to be recorded: a write that fails is made again, of the same plan.
fn planned_at(timeline: &Timeline<'_>, attempt: &Attempt) -> usize {
    let (mut at, intent) = timeline.sent[&attempt.intent];
    let has_failed = |number: u64| {
        timeline.record.facts().any(|(_, fact)| {
            matches!(fact, Fact::Answered { request, answer: Answer::Passing | Answer::Unknown, .. } if *request == number)
        })
    };
    let place = |request: &Request| (request.process, request.epoch);
    let before = timeline.sent.range(..attempt.intent).rev().map(|(_, sent)| *sent);
    let tries = before.filter(|(_, request)| request.ask == Ask::Status && place(request) == place(intent));
    // One that was not planned yet is another thing to tell.
    let is_before = |number: u64| {
        let mut facts = timeline.record.facts();
        facts.any(|(_, fact)| *fact == Fact::Unplanned { request: number })
    };
    for (sent, _) in tries.take_while(|(_, request)| has_failed(request.number) && !is_before(request.number)) {
        at = sent;
    }
    at
}

/// What could not be read at any moment at which the plan may have been made: from the first request of its operation on, until it was sent to
/// be recorded.
fn as_planned(timeline: &Timeline<'_>, sights: &[Sight], attempt: &Attempt) -> Sight {
    let recorded = planned_at(timeline, attempt);
    let intent = timeline.sent[&attempt.intent].1;
    let is_of = |other: &Request| (other.process, other.epoch) == (intent.process, intent.epoch);
    let own = timeline.requests().filter(|(_, other)| is_of(other));
    let first = own.map(|(at, _)| at).min().unwrap_or(recorded).min(recorded);
    let moments = &sights[first..=recorded];
    let mut planned = sights[recorded].clone();
    planned
        .unreadable
        .retain(|kind| moments.iter().all(|sight| sight.unreadable.contains(kind)));
    planned.is_lost = moments.iter().all(|sight| sight.is_lost);
    planned
}

/// What it was planned by counts; a new process plans it anew, by what it is told then.
fn was_allowed(timeline: &Timeline<'_>, attempt: &Attempt, at: usize) -> bool {
    let policies = timeline.policies(planned_at(timeline, attempt), at);
    policies.iter().any(|policy| policy.allow_empty)
}

fn prunes_in_sight(timeline: &Timeline<'_>, sights: &[Sight], at: usize, request: &Request) -> Result<usize, String> {
    let Some(target) = timeline.live(&request.key, at) else {
        return Ok(0);
    };
    let Some(attempt) = timeline.attempt(request) else {
        return Ok(0);
    };
    let objects = timeline.record.objects_of(&attempt.revision);
    let is_declared = objects
        .into_iter()
        .flatten()
        .any(|declared| key_of(declared) == request.key);
    if is_declared || is_hook(target) || annotation(target, "capstan.dev/operation").is_some() {
        return Ok(0);
    }
    let kind = request.key.group_kind();
    if !sights[at].listed.contains(&kind) {
        return Err(format!(
            "[{at}] {} is deleted, and its kind is not listed completely",
            request.key
        ));
    }
    let planned = as_planned(timeline, sights, attempt);
    let kinds: BTreeSet<GroupKind> = objects
        .into_iter()
        .flatten()
        .map(|object| key_of(object).group_kind())
        .collect();
    let hidden = planned
        .unreadable
        .iter()
        .find(|hidden| **hidden == kind || kinds.contains(*hidden));
    if let Some(hidden) = hidden.filter(|_| timeline.sent[&attempt.intent].1.process == request.process) {
        return Err(format!(
            "[{at}] {} is deleted by a plan that was made while {hidden} could not be read",
            request.key
        ));
    }
    if planned.is_lost {
        return Err(format!(
            "[{at}] {} is deleted by a plan that was made without the cluster",
            request.key
        ));
    }
    let Some(objects) = objects else {
        return Err(format!(
            "[{at}] {} is deleted for a commit that cannot be rendered",
            request.key
        ));
    };
    let is_empty = !objects.iter().any(is_ordinary);
    if is_empty && attempt.automated && !was_allowed(timeline, attempt, at) {
        return Err(format!(
            "[{at}] {} is deleted because the source is empty, without allowEmpty",
            request.key
        ));
    }
    Ok(1)
}

crate::search::law!(check, crate::generate::Bias::Prunes);
