//! What runs with several sources and several clusters come to, and of how many runs in a thousand at least.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::generate::Action;
use crate::history::{Actor, Fact, Record};
use crate::objects::{is_ordinary, is_tracked, text};
use crate::world::running;

/// States, and of how many runs in a thousand at least.
pub(crate) const FLOORS: [(&str, usize); 23] = [
    ("another cluster answers", 40),
    ("cut off, and no destination", 25),
    ("deletes held in another cluster", 5),
    ("destination moved", 60),
    ("destination moved back", 30),
    ("destination moved in a deletion", 5),
    ("destination moved in an operation", 30),
    ("destination moved with a request under way", 4),
    ("four sources", 35),
    ("left behind", 35),
    ("lost to another cluster", 1),
    ("met another cluster after a restart", 30),
    ("one source cannot be read", 40),
    ("prune in another cluster", 10),
    ("prune with several sources", 10),
    ("push to another source", 50),
    ("push to another source in an operation", 12),
    ("several clusters", 90),
    ("several sources", 110),
    ("source behind", 15),
    ("sources at odds", 30),
    ("stopped by a move", 5),
    ("synced in another cluster", 20),
];

/// How a run goes on: what was told last.
#[derive(Default)]
struct Course {
    runs: bool,
    is_deleted: bool,
    destinations: Vec<usize>,
    /// Requests to clusters that are not answered.
    open: BTreeSet<u64>,
}

/// What a run came to.
pub(crate) fn reached(record: &Record, reached: &mut BTreeSet<&'static str>) {
    let case = &record.case;
    let mut say = |is_so: bool, state: &'static str| {
        if is_so {
            reached.insert(state);
        }
    };
    say(!case.further.is_empty(), "several sources");
    say(case.further.len() == 3, "four sources");
    say(case.clusters > 1, "several clusters");
    let blinds = |(_, action): &(u8, Action)| matches!(action, Action::SourceOf(_, false));
    let is_blind = !case.further.is_empty() && case.script.iter().any(blinds);
    let mut course = Course::default();
    let mut head = 0;
    for entry in &record.history {
        match &entry.fact {
            Fact::Source { ok: false } => say(is_blind, "one source cannot be read"),
            Fact::Lagged => say(true, "source behind"),
            Fact::Moved { head: to } => {
                let is_other = is_other_source(record, head, *to);
                say(is_other, "push to another source");
                say(is_other && course.runs, "push to another source in an operation");
                head = *to;
            }
            Fact::Removed { by: Actor::Us, object } if is_ordinary(object) => {
                say(!case.further.is_empty(), "prune with several sources");
                say(entry.place > Some(0), "prune in another cluster");
            }
            Fact::Written {
                by: Actor::Somebody, ..
            } => {
                say(
                    entry.place >= Some(usize::from(case.clusters)),
                    "another cluster answers",
                );
            }
            Fact::Reachable(false) => say(
                entry.place != course.destinations.last().copied() && case.clusters > 1,
                "cut off, and no destination",
            ),
            _ => {}
        }
        say(are_at_odds(record, head), "sources at odds");
        course.take(record, entry.place, &entry.fact, &mut say);
    }
    let end = course.destinations.last().copied().unwrap_or(0);
    let is_left = |object: &Value| is_ordinary(object) && is_tracked(object);
    let mut others = record.elsewhere.iter().enumerate().filter(|(place, _)| *place != end);
    say(others.any(|(_, objects)| objects.iter().any(is_left)), "left behind");
}

impl Course {
    fn take(&mut self, record: &Record, place: Option<usize>, fact: &Fact, say: &mut impl FnMut(bool, &'static str)) {
        let clusters = usize::from(record.case.clusters);
        match fact {
            Fact::Sent(request) if place.is_some() => drop(self.open.insert(request.number)),
            Fact::Answered { request, .. } => drop(self.open.remove(request)),
            Fact::DeletionTold => self.is_deleted = true,
            Fact::Died | Fact::Started { .. } => self.open.clear(),
            Fact::Destined { place } => {
                let before = self.destinations.last().copied();
                let moved = before.is_some_and(|before| before % clusters != place % clusters);
                say(moved, "destination moved");
                say(moved && self.destinations.contains(place), "destination moved back");
                say(moved && self.is_deleted, "destination moved in a deletion");
                say(moved && self.runs, "destination moved in an operation");
                say(
                    moved && !self.open.is_empty(),
                    "destination moved with a request under way",
                );
                say(*place >= clusters, "met another cluster after a restart");
                self.destinations.push(*place);
            }
            Fact::Status { after, .. } => {
                self.runs = running(after).is_some();
                let message = text(after, "/operationState/message");
                say(
                    message.contains("since spec.destination was changed"),
                    "stopped by a move",
                );
                say(
                    message.contains("since another cluster answers"),
                    "lost to another cluster",
                );
                let conditions = after["conditions"].to_string();
                say(
                    conditions.contains("DestinationReplaced"),
                    "deletes held in another cluster",
                );
                let is_synced = text(after, "/sync/status") == "Synced";
                say(
                    is_synced && self.destinations.last() > Some(&0),
                    "synced in another cluster",
                );
            }
            _ => {}
        }
    }
}

/// Was it another source than the first whose branch moved?
fn is_other_source(record: &Record, from: usize, to: usize) -> bool {
    let first = record.case.revisions.len();
    from != to && from % first == to % first
}

/// Can each source be rendered, and all of them together not?
fn are_at_odds(record: &Record, head: usize) -> bool {
    if record.case.further.is_empty() || record.commits[head].1.is_some() {
        return false;
    }
    let mut rest = head;
    let mut histories = std::iter::once(&record.case.revisions).chain(&record.case.further);
    histories.all(|history| {
        let at = rest % history.len();
        rest /= history.len();
        history[at].is_some()
    })
}
