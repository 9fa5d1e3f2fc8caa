//! Which attempt of which operation a request is of, by the statuses in H.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Attempt, Timeline, is_planned_by, revision};
use crate::history::{Ask, Fact, Request};
use crate::objects::text;
use crate::world::{number, running};

/// A process and what it counts its operations by.
type Place = (usize, u64);

/// Reads all of H.
pub(super) fn read(timeline: &mut Timeline<'_>) {
    let mut reading = Reading::default();
    for (at, fact) in timeline.record.facts() {
        match fact {
            Fact::Started { running, is_new, .. } => {
                reading.going_on = *running;
                if let Some((number, _)) = running.filter(|_| *is_new) {
                    reading.epoch = (number + 1, at);
                }
            }
            Fact::Leads(_) => reading.leads.push(at),
            Fact::Sent(request) => {
                timeline.sent.insert(request.number, (at, request));
                if !timeline.is_deleting(at) {
                    reading.sent(timeline, request);
                }
            }
            Fact::Unplanned { request } => reading.unplanned(timeline, *request),
            Fact::Status { request, after, .. } if !timeline.is_deleting(at) => {
                reading.recorded(timeline, at, *request, after);
            }
            _ => {}
        }
    }
}

#[derive(Default)]
struct Reading {
    /// The attempt that goes on at each place.
    current: BTreeMap<Place, usize>,
    /// What an earlier process had begun.
    going_on: Option<(u64, u64)>,
    /// The epoch of what goes on, and where in H. Losing the lead and getting it back begin one each.
    epoch: (u64, usize),
    leads: Vec<usize>,
    /// Where the next attempt is being told of: until that is recorded, nobody knows what is of which.
    untold: BTreeSet<Place>,
}

impl Reading {
    fn sent(&mut self, timeline: &mut Timeline<'_>, request: &Request) {
        let place = place(request);
        let (epoch, since) = self.epoch;
        let last = epoch + self.leads.iter().map(|at| u64::from(*at > since)).sum::<u64>();
        // What an earlier process began goes on in the first epoch of the next; a higher one is another operation.
        let is_same = |one: &Attempt| self.going_on == Some((one.number, one.attempt)) && request.epoch <= last;
        if !self.current.contains_key(&place)
            && !self.untold.contains(&place)
            && let Some(found) = timeline.attempts.iter().position(is_same)
        {
            self.current.insert(place, found);
        }
        if let Some(found) = self.current.get(&place) {
            timeline.of.insert(request.number, *found);
        }
    }

    /// A request tells of what is not planned yet. It may be of the next attempt.
    fn unplanned(&mut self, timeline: &Timeline<'_>, request: u64) {
        let (_, sent) = timeline.sent[&request];
        let place = place(sent);
        let current = self.current.get(&place).map(|&found| &timeline.attempts[found]);
        if current.is_some_and(|one| tells_of_another(timeline, request, one)) {
            self.current.remove(&place);
            self.untold.insert(place);
        }
    }

    fn recorded(&mut self, timeline: &mut Timeline<'_>, at: usize, request: u64, after: &Value) {
        let Some(&(sent_at, sent)) = timeline.sent.get(&request) else {
            return;
        };
        let place = place(sent);
        self.untold.remove(&place);
        if running(after).is_none() {
            self.current.remove(&place);
            self.going_on = None;
            return;
        }
        self.epoch = (sent.epoch, sent_at);
        self.current.insert(place, attempt_of(timeline, at, request, after));
    }
}

fn place(request: &Request) -> Place {
    (request.process, request.epoch)
}

/// Is what this request records, as soon as it is recorded, of another attempt?
fn tells_of_another(timeline: &Timeline<'_>, request: u64, one: &Attempt) -> bool {
    timeline.record.facts().any(|(_, fact)| match fact {
        Fact::Status { request: of, after, .. } if *of == request => {
            running(after).is_some_and(|running| running != (one.number, one.attempt))
        }
        _ => false,
    })
}

/// The attempt that a status tells of, as it is known from here on.
fn attempt_of(timeline: &mut Timeline<'_>, at: usize, intent: u64, status: &Value) -> usize {
    let state = &status["operationState"];
    let attempt = state["retryCount"].as_u64().unwrap_or(0);
    let revision = revision(&state["syncResult"]);
    let known = |one: &Attempt| (one.number, one.attempt) == (number(status), attempt);
    if let Some(found) = timeline.attempts.iter().position(known) {
        // As long as nothing was begun it is still being planned: the last status before that is the intent; what comes
        // after it in the same process tells how it runs.
        // A hook of an earlier one may be let go at any time.
        let is_beside = |ask: &Ask| matches!(ask, Ask::Status | Ask::Application | Ask::Read | Ask::Release);
        let mut acts = timeline.of.iter().filter(|(_, of)| **of == found);
        let has_acted = acts.any(|(request, _)| !is_beside(&timeline.sent[request].1.ask));
        let process = |intent: &u64| timeline.sent[intent].1.process;
        let one = &timeline.attempts[found];
        let is_planned = one.is_planned && process(&one.intent) == process(&intent);
        if one.revision.is_empty() || !is_planned && !has_acted {
            let one = &mut timeline.attempts[found];
            one.revision = revision;
            (one.begun, one.intent, one.is_planned) = (at, intent, is_planned_by(state));
        }
        return found;
    }
    timeline.attempts.push(Attempt {
        number: number(status),
        attempt,
        revision,
        is_here: timeline.is_here(timeline.sent[&intent].0),
        sync: state["operation"]["sync"].clone(),
        automated: state["operation"]["initiatedBy"]["automated"] == true,
        started: text(state, "/startedAt")
            .parse()
            .unwrap_or(timeline.record.history[at].at),
        told: at,
        begun: at,
        intent,
        is_planned: is_planned_by(state),
    });
    timeline.attempts.len() - 1
}
