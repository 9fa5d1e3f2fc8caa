//! I-STAT: the status tells a story that can be true. An operation's phase moves along the edges of the phase graph and never leaves a
//! terminal phase; numbers of operations grow; history is only appended to; `Synced` is said only while everything that the controller
//! had been told is as the commit declares it and nothing else is ours; and the status is written only when it changed.

use capstan_model::ResourceKey;
use petgraph::algo::has_path_connecting;
use petgraph::stable_graph::{NodeIndex, StableDiGraph};
use serde_json::Value;

use crate::evidence::{Timeline, revision};
use crate::history::{Answer, Ask, Fact, Record};
use crate::objects::{is_as_declared, is_ordinary, is_tracked, key_of, text};
use crate::world::number;

const PHASES: [&str; 5] = ["Running", "Terminating", "Succeeded", "Failed", "Error"];

/// The phases of one operation: what may come next.
fn graph() -> (StableDiGraph<&'static str, ()>, [NodeIndex; 5]) {
    let mut graph = StableDiGraph::new();
    let nodes = PHASES.map(|phase| graph.add_node(phase));
    for (from, to) in [(0, 1), (0, 2), (0, 3), (0, 4), (1, 2), (1, 3), (1, 4)] {
        graph.add_edge(nodes[from], nodes[to], ());
    }
    (graph, nodes)
}

pub(crate) fn check(timeline: &Timeline<'_>) -> Result<usize, String> {
    let record = timeline.record;
    let (graph, nodes) = graph();
    let node = |phase: &str| PHASES.iter().position(|name| *name == phase).map(|at| nodes[at]);
    let mut found = 0;
    for (at, fact) in record.facts() {
        let Fact::Status { request, before, after } = fact else {
            continue;
        };
        found += 1;
        if before == after && !is_made_sure_of(timeline, at) {
            return Err(format!("[{at}] the status was written and says what it said"));
        }
        let (old, new) = (
            text(before, "/operationState/phase"),
            text(after, "/operationState/phase"),
        );
        if let (Some(from), Some(to)) = (node(old), node(new)) {
            let is_same = number(before) == number(after);
            if is_same && !has_path_connecting(&graph, from, to, None) {
                return Err(format!("[{at}] operation {} went from {old} to {new}", number(after)));
            }
            if number(after) < number(before) {
                return Err(format!(
                    "[{at}] operation {} came after {}",
                    number(after),
                    number(before)
                ));
            }
        }
        appended(&before["history"], &after["history"]).map_err(|why| format!("[{at}] {why}"))?;
        let sent = timeline.sent[request].0;
        if text(after, "/sync/status") == "Synced" && !timeline.is_deleting(at) && timeline.is_here(sent) {
            let since = being_compared(record, sent);
            // What was said of the cluster before stays told, too: `comparedTo` names it.
            let mut since_then = record.history[since..sent].iter();
            let has_moved = since_then.any(|entry| matches!(entry.fact, Fact::Destined { .. }));
            let mut moments = (since..=sent).rev();
            let was_so = has_moved || moments.any(|moment| is_synced(timeline, after, moment).is_ok());
            is_synced(timeline, after, sent)
                .or_else(|why| if was_so { Ok(()) } else { Err(why) })
                .map_err(|why| format!("[{at}] it is said to be Synced, and {why}"))?;
        }
    }
    Ok(found)
}

/// Nobody knows what became of the write before: it is made again, until it is known. One that was refused in passing tells nothing of it.
fn is_made_sure_of(timeline: &Timeline<'_>, at: usize) -> bool {
    let answers = timeline.record.history[..at]
        .iter()
        .rev()
        .filter_map(|entry| match entry.fact {
            Fact::Answered { request, answer, .. } if timeline.sent[&request].1.ask == Ask::Status => Some(answer),
            _ => None,
        });
    let mut since = answers.take_while(|answer| *answer != Answer::Done);
    since.any(|answer| answer == Answer::Unknown)
}

/// Rows leave at the front, and come at the end, with growing ids.
fn appended(before: &Value, after: &Value) -> Result<(), String> {
    let rows = |history: &Value| history.as_array().cloned().unwrap_or_default();
    let (before, after) = (rows(before), rows(after));
    let kept = before.iter().filter(|row| after.contains(row)).count();
    let is_tail = before[before.len() - kept..] == after[..kept.min(after.len())];
    let ids: Vec<u64> = after.iter().map(|row| row["id"].as_u64().unwrap_or(0)).collect();
    let grows = ids.windows(2).all(|pair| pair[0] < pair[1]);
    // Ten rows are kept: as long as there are fewer, none leaves.
    let is_whole = after.len() >= 10 || kept == before.len();
    match is_tail && grows && is_whole {
        true => Ok(()),
        false => Err("history was rewritten".into()),
    }
}

/// Since when what happened is still being compared: it came to rest before, and was worked on. Until then the verdict before stays told.
pub(crate) fn being_compared(record: &Record, at: usize) -> usize {
    let (mut rest, mut is_suspended) = (0, false);
    for (at, fact) in record.facts().take(at) {
        match fact {
            Fact::Suspended(now) => is_suspended = *now,
            Fact::Resting if !is_suspended => rest = at,
            _ => {}
        }
    }
    rest
}

fn is_synced(timeline: &Timeline<'_>, status: &Value, at: usize) -> Result<(), String> {
    let revision = revision(&status["sync"]);
    let Some(objects) = timeline.record.objects_of(&revision) else {
        return Err(format!("commit {revision} cannot be rendered"));
    };
    for declared in objects.iter().filter(|declared| is_ordinary(declared)) {
        let key = key_of(declared);
        match timeline.known(&key, at) {
            None => return Err(format!("{key} is not known to be there")),
            Some(known) if !is_as_declared(known, declared) => return Err(format!("{key} is not as declared")),
            Some(_) => {}
        }
    }
    let is_declared = |key: &ResourceKey| objects.iter().any(|declared| key_of(declared) == *key);
    let ours = timeline
        .all_live(at)
        .into_iter()
        .filter(|live| is_ordinary(live) && is_tracked(live));
    let extra = ours.map(key_of).find(|key| {
        let known = timeline.known(key, at);
        !is_declared(key) && known.is_some_and(|known| is_tracked(known) && is_ordinary(known))
    });
    match extra {
        Some(key) => Err(format!("{key} is ours and not declared")),
        None => Ok(()),
    }
}

crate::search::law!(check, crate::generate::Bias::Any);
