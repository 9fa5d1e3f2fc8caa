//! I-DEST: nothing is asked of a cluster but while the Application goes there, and nothing by an operation that began when it went elsewhere.
//! So what is left behind in a cluster stays as it is; and another cluster that answers at an address is asked nothing by a process that
//! knew the first one. After a restart nothing is pruned in it by the first operation there, whoever asks, unless that is approved. And
//! an automated application is synced to where it goes: that the same commit was synced, or failed, somewhere else says nothing.
//!
//! Where the Application goes is what the controller was told; which cluster answers at an address, too.

use serde_json::Value;

use crate::evidence::{Timeline, is_delete};
use crate::generate::Action;
use crate::history::{Ask, Entry, Fact, Request};
use crate::objects::{annotation, is_hook, is_ordinary, key_of, text};
use crate::world::{number, running};

pub(crate) fn check(timeline: &Timeline<'_>) -> Result<usize, String> {
    let record = timeline.record;
    if record.case.clusters < 2 {
        return Ok(0);
    }
    let mut found = 0;
    for (at, request) in timeline.requests() {
        if matches!(request.ask, Ask::Status | Ask::Application) {
            continue;
        }
        if !timeline.is_here(at) {
            let (place, to) = (record.place, timeline.destination(at));
            return Err(format!(
                "[{at}] {} is asked for in cluster {place}, and the Application goes to {to}",
                request.key
            ));
        }
        // A hook that was left behind is let go by whoever comes back, whatever runs since.
        let attempt = timeline.attempt(request).filter(|_| request.ask != Ask::Release);
        if let Some(attempt) = attempt.filter(|attempt| !attempt.is_here) {
            return Err(format!(
                "[{at}] {} is asked for by operation {}, which began when the Application went elsewhere",
                request.key, attempt.number
            ));
        }
        if is_delete(request) && !timeline.is_deleting(at) {
            is_known_cluster(timeline, request, at)?;
        }
        found += usize::from(timeline.has_moved(at));
    }
    arrives(timeline)?;
    Ok(found)
}

/// A prune is of a cluster to which an operation went before, if any went to its address.
fn is_known_cluster(timeline: &Timeline<'_>, request: &Request, at: usize) -> Result<(), String> {
    let record = timeline.record;
    let approves = |(_, action): &(u8, Action)| *action == Action::Confirm;
    let Some(attempt) = timeline.attempt(request) else {
        return Ok(());
    };
    let objects = record.objects_of(&attempt.revision).unwrap_or_default();
    let is_declared = objects.iter().any(|declared| key_of(declared) == request.key);
    let is_run = |live: &Value| is_hook(live) || annotation(live, "capstan.dev/operation").is_some();
    if is_declared || timeline.live(&request.key, at).is_none_or(is_run) || record.case.script.iter().any(approves) {
        return Ok(());
    }
    let address = |place: usize| place % usize::from(record.case.clusters);
    let earlier = record.facts().take(at).filter_map(|(_, fact)| match fact {
        Fact::Status { request, after, .. } if (1..attempt.number).contains(&number(after)) => {
            let place = timeline.destination(timeline.sent[request].0);
            (address(place) == address(record.place)).then_some(place)
        }
        _ => None,
    });
    let earlier: Vec<usize> = earlier.collect();
    match earlier.last().filter(|_| !earlier.contains(&record.place)) {
        Some(other) => Err(format!(
            "[{at}] {} is pruned in cluster {}, and what was synced to at its address was {other}",
            request.key, record.place
        )),
        None => Ok(()),
    }
}

/// At the end nothing is missing where it goes, unless the last sync was tried there.
fn arrives(timeline: &Timeline<'_>) -> Result<(), String> {
    let record = timeline.record;
    let end = record.history.len();
    let is_wanted = timeline.policy(end).automated && !record.resource.is_null() && !timeline.is_deleting(end);
    if !is_wanted || !timeline.is_here(end) || was_tried_here(timeline) {
        return Ok(());
    }
    match missing(timeline) {
        Some(missing) => Err(format!(
            "{} is not in cluster {}, where the Application goes, and no sync was tried there",
            key_of(missing),
            record.place
        )),
        None => Ok(()),
    }
}

/// Did the last operation go to this cluster, from when it was told of first to its end? Or was anything written since it goes here?
fn was_tried_here(timeline: &Timeline<'_>) -> bool {
    let record = timeline.record;
    let is_destined = |entry: &Entry| matches!(entry.fact, Fact::Destined { .. });
    let since = record.history.iter().rposition(is_destined).unwrap_or(0);
    let mut since_then = timeline.requests().filter(|(at, _)| *at > since);
    if since_then.any(|(_, request)| request.ask.written().is_some()) {
        return true;
    }
    let last = number(&record.resource["status"]);
    let told = record.facts().filter_map(|(at, fact)| match fact {
        Fact::Status { request, after, .. } if number(after) == last => {
            Some((timeline.sent[request].0, at, running(after).is_none()))
        }
        _ => None,
    });
    let told: Vec<(usize, usize, bool)> = told.collect();
    let Some((first, ..)) = told.first().filter(|_| last > 0) else {
        return false;
    };
    let ended = told.iter().find(|(.., is_over)| *is_over);
    let until = ended.map_or(record.history.len(), |(_, at, _)| *at);
    timeline.is_here(*first) && (*first..until).all(|at| timeline.is_here(at))
}

/// Something that is declared at the end, and is not there.
fn missing<'r>(timeline: &Timeline<'r>) -> Option<&'r Value> {
    let record = timeline.record;
    let (followed, _) = timeline.followed(record.history.len());
    let (_, declared) = &record.commits[followed];
    let is_there = |declared: &Value| record.objects.iter().any(|object| key_of(object) == key_of(declared));
    let mut declared = declared.iter().flatten().filter(|object| is_ordinary(object));
    declared.find(|declared| !is_there(declared) && !text(declared, "/metadata/name").is_empty())
}

crate::search::law!(check, crate::generate::Bias::Places);
