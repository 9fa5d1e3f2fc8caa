//! I-HOOKEV: that a hook succeeded is taken only from the object that this attempt created, by its UID, and only after it was seen to
//! have ended well; never from an earlier one of its name. One that may remove itself is held until it is recorded how it ended, and no
//! longer.

use serde_json::Value;

use crate::evidence::{Step, Timeline};
use crate::history::{Ask, Fact, Request};
use crate::identity::run_of;
use crate::objects::{Health, health, is_held, is_hook, is_tracked, key_of, phase_of, text, uid, version};
use crate::world::number;

pub(crate) fn check(timeline: &Timeline<'_>) -> Result<usize, String> {
    let record = timeline.record;
    let mut found = lets_go_late(timeline)?;
    for (at, fact) in record.facts() {
        let Fact::Status { request, after, .. } = fact else {
            continue;
        };
        let sent = timeline.sent[request].0;
        let retry = after["operationState"]["retryCount"].as_u64().unwrap_or(0);
        let of = |one: &&crate::evidence::Attempt| (one.number, one.attempt) == (number(after), retry);
        let Some(attempt) = timeline.attempts.iter().find(of).filter(|attempt| attempt.is_here) else {
            continue;
        };
        let results = after
            .pointer("/operationState/syncResult/resources")
            .and_then(Value::as_array);
        for result in results.into_iter().flatten() {
            if text(result, "/hookType").is_empty() || text(result, "/hookPhase") != "Succeeded" {
                continue;
            }
            let name = text(result, "/name");
            let steps = timeline.steps(attempt);
            let mut steps = steps.iter().filter(|step| is_told_of(step, result)).peekable();
            if steps.peek().is_none() {
                return Err(format!(
                    "[{at}] {name} is said to have succeeded, and is no hook of this commit"
                ));
            }
            found += 1;
            let mut made = steps.filter_map(|step| timeline.created(attempt, *step, sent));
            let Some(made) = made.find(|made| key_of(made).name == name) else {
                return Err(format!(
                    "[{at}] {name} is said to have succeeded, and this attempt did not create it"
                ));
            };
            let told = timeline.told(&key_of(made), attempt.begun, sent);
            let is_good = |state: &&Value| health(state).is_none_or(|health| health == Health::Good);
            if !told
                .iter()
                .any(|state| uid(state) == uid(made) && version(state) >= version(made) && is_good(state))
            {
                return Err(format!("[{at}] {name} is said to have succeeded, and was not seen to"));
            }
        }
    }
    Ok(found)
}

/// May this row of the result be of that hook? Of several without a name it may be any whose name begins so.
fn is_told_of(step: &Step<'_>, row: &Value) -> bool {
    let (key, name) = (key_of(step.declared), text(row, "/name"));
    let prefix = text(step.declared, "/metadata/generateName");
    let is_named = key.name == name || !prefix.is_empty() && name.starts_with(prefix);
    is_hook(step.declared)
        && Some(step.phase) == phase_of(text(row, "/syncPhase"))
        && is_named
        && key.kind == text(row, "/kind")
        && key.namespace == text(row, "/namespace")
}

/// What is held until it is recorded how it ended is let go only after that, and is let go at the end.
fn lets_go_late(timeline: &Timeline<'_>) -> Result<usize, String> {
    let record = timeline.record;
    let mut found = 0;
    // What goes with its Application is let go, however it ended.
    let is_let_go = |(at, request): &(usize, &Request)| request.ask == Ask::Release && !timeline.is_deleting(*at);
    for (at, request) in timeline.requests().filter(is_let_go) {
        let Some((of, phase)) = timeline.live(&request.key, at).and_then(run_of) else {
            continue;
        };
        let last = record.history[..at].iter().rev().find_map(|entry| match &entry.fact {
            Fact::Status { after, .. } => Some(after),
            _ => None,
        });
        let is_recorded = last.is_some_and(|status| {
            let state = &status["operationState"];
            let told = (number(status), state["retryCount"].as_u64().unwrap_or(0));
            let is_over = |phase: &Value| phase.as_str().is_some_and(|phase| !RUNNING.contains(&phase));
            let rows = state.pointer("/syncResult/resources").and_then(Value::as_array);
            let row = rows.into_iter().flatten().find(|row| {
                text(row, "/name") == request.key.name
                    && text(row, "/namespace") == request.key.namespace
                    && text(row, "/kind") == request.key.kind
                    && text(row, "/syncPhase") == phase
            });
            of < told || of == told && (is_over(&state["phase"]) || row.is_some_and(|row| is_over(&row["hookPhase"])))
        });
        if !is_recorded {
            return Err(format!(
                "[{at}] {} is let go, and it is not recorded how it ended",
                request.key
            ));
        }
        found += 1;
    }
    // One that somebody took the tracking id off is nobody's.
    // And nobody is there any more who would let go of what was left behind with the Application, or in a cluster that it left.
    let is_deleted = record
        .facts()
        .any(|(_, fact)| matches!(fact, Fact::DeletionAsked { .. }));
    let is_left = is_deleted || !timeline.is_here(record.history.len());
    let mut held = record.objects.iter().filter(|object| is_held(object) && !is_left);
    match held.find(|object| is_tracked(object)) {
        Some(held) => Err(format!("{} is held for ever", key_of(held))),
        None => Ok(found),
    }
}

const RUNNING: [&str; 2] = ["Running", "Terminating"];

crate::search::law!(check, crate::generate::Bias::Hooks);
