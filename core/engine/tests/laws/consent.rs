//! I-CONSENT: what is done without being asked is what the spec that was told last allows, and what needs a person's word has it. An
//! automated operation begins only while automated sync is on, and prunes only where that prunes; `Prune=confirm` and `Delete=confirm`
//! wait for an approval that was given since the operation, or the deletion, was asked for, and as long as a deletion waits nothing of it is
//! deleted and no hook of it runs; and what left Git by a branch that was rewritten is pruned by nobody's automation without a word since.
//!
//! What an operation began with stays its own: switched off while it runs, automated sync ends with it.

use capstan_model::Timestamp;
use serde_json::Value;

use crate::evidence::{Attempt, Timeline};
use crate::generate::{Follow, Policy};
use crate::history::{Actor, Fact, Request, follows};
use crate::objects::{annotation, has_option, is_going, is_hook, is_ordinary, is_tracked, key_of, text};
use crate::told::is_asked_for_syncs;
use crate::world::SYNC;

const OBJECTS: &str = "resources-finalizer.argocd.argoproj.io";

pub(crate) fn check(timeline: &Timeline<'_>) -> Result<usize, String> {
    let record = timeline.record;
    let mut found = 0;
    for attempt in &timeline.attempts {
        found += begun_as_told(timeline, attempt)?;
    }
    for (at, fact) in record.facts() {
        let why = match fact {
            Fact::Deleting { request, read, .. } => {
                let (sent, request) = timeline.sent[request];
                let object = read.1.parse().ok().and_then(|version| timeline.state(version));
                let Some(object) = object.filter(|object| is_plain(object)) else {
                    continue;
                };
                found += 1;
                match timeline.is_deleting(sent) {
                    true => confirmed_deletion(timeline, sent),
                    false => pruned_by_word(timeline, request, object, sent),
                }
            }
            Fact::Written {
                by: Actor::Us,
                request: Some(request),
                object,
                created: true,
            } if annotation(object, "capstan.dev/operation").is_some_and(|of| of.ends_with(":delete:PreDelete")) => {
                found += 1;
                confirmed_deletion(timeline, timeline.sent[request].0)
            }
            Fact::Sent(request) => written_as_told(timeline, request, at),
            _ => continue,
        };
        why.map_err(|why| format!("[{at}] {why}"))?;
    }
    Ok(found)
}

/// Neither a hook nor a run of one.
fn is_plain(object: &Value) -> bool {
    !is_hook(object) && annotation(object, "capstan.dev/operation").is_none()
}

/// From where in H on something may have been decided that was recorded at `to`, and began at `started`.
pub(crate) fn since(timeline: &Timeline<'_>, started: Timestamp, to: usize) -> usize {
    let history = &timeline.record.history;
    history.partition_point(|entry| entry.at < started.truncated()).min(to)
}

/// An automated operation is what the policy says that was in force when it began.
fn begun_as_told(timeline: &Timeline<'_>, attempt: &Attempt) -> Result<usize, String> {
    if !attempt.automated {
        return Ok(0);
    }
    let from = since(timeline, attempt.started, attempt.told);
    let policies = timeline.policies(from, attempt.told);
    let prunes = attempt.sync["prune"] == true;
    let allows = |policy: &Policy| policy.automated && (policy.prune || !prunes);
    match policies.iter().any(allows) {
        true => Ok(1),
        false => Err(format!(
            "[{}] operation {} was begun by itself{}, and the policy is {:?}",
            attempt.told,
            attempt.number,
            if prunes { " with prune" } else { "" },
            policies.last()
        )),
    }
}

/// What no operation was recorded for was begun by itself, too: by a sync of one wave, or to put drift right.
fn written_as_told(timeline: &Timeline<'_>, request: &Request, at: usize) -> Result<(), String> {
    let is_plain = request.ask.written().is_some_and(is_ordinary);
    if !is_plain
        || timeline.attempt(request).is_some()
        || timeline.is_deleting(at)
        || is_asked_for_syncs(timeline.record)
    {
        return Ok(());
    }
    let now = timeline.record.history[at].at;
    let longest = timeline
        .record
        .history
        .partition_point(|entry| now.since(entry.at) > SYNC);
    match timeline
        .policies(longest.min(at), at)
        .iter()
        .any(|policy| policy.automated)
    {
        true => Ok(()),
        false => Err(format!("{} is written, and nobody asked for that", request.key)),
    }
}

/// As long as something waits for its approval, nothing goes.
fn confirmed_deletion(timeline: &Timeline<'_>, at: usize) -> Result<(), String> {
    let asked = timeline.record.facts().find_map(|(at, fact)| match fact {
        Fact::DeletionAsked { application } => Some((timeline.record.history[at].at, application)),
        _ => None,
    });
    let Some((asked, application)) = asked else {
        return Ok(());
    };
    let is_approved = timeline.approval(at).is_some_and(|given| given >= asked.truncated());
    if is_approved || !application["metadata"]["finalizers"].to_string().contains(OBJECTS) {
        return Ok(());
    }
    let waiting = waiting(timeline, at);
    match waiting.first() {
        Some(object) => Err(format!(
            "the deletion goes on, and {} says Delete=confirm, which nobody did",
            key_of(object)
        )),
        None => Ok(()),
    }
}

/// What says `Delete=confirm` of what is to go with the Application: what its hooks left, too.
pub(crate) fn waiting<'r>(timeline: &Timeline<'r>, at: usize) -> Vec<&'r Value> {
    let all = timeline.policy(at).has("Delete=confirm");
    let waits = |object: &&Value| {
        let says = has_option(object, "Delete=confirm") || all && !has_option(object, "Delete=false");
        let is_definition = text(object, "/kind") == "CustomResourceDefinition";
        // What the deletion itself runs waits for nobody.
        let is_run = annotation(object, "capstan.dev/operation").is_some_and(|of| of.contains(":delete:"));
        says && is_tracked(object) && !is_going(object) && !is_definition && !is_run
    };
    let live = timeline.all_live(at).into_iter().filter(waits);
    live.filter(|object| timeline.known(&key_of(object), at).is_some_and(|known| waits(&known)))
        .collect()
}

/// Is there a word for it, where it needs one?
fn pruned_by_word(timeline: &Timeline<'_>, request: &Request, object: &Value, at: usize) -> Result<(), String> {
    let Some(attempt) = timeline.attempt(request) else {
        return Ok(());
    };
    let objects = timeline.record.objects_of(&attempt.revision).unwrap_or_default();
    if objects
        .iter()
        .any(|declared| key_of(declared) == request.key && !is_hook(declared))
    {
        return Ok(());
    }
    let own = attempt.sync["syncOptions"].to_string();
    let all = own.contains("Prune=confirm") || timeline.policy(at).has("Prune=confirm");
    let confirms = has_option(object, "Prune=confirm") || all && !has_option(object, "Prune=true");
    let approval = timeline.approval(at);
    if confirms && approval.is_none_or(|given| given < attempt.started.truncated()) {
        return Err(format!(
            "{} is deleted, says Prune=confirm, and nobody did since {}",
            request.key, attempt.started
        ));
    }
    match rewritten(timeline, attempt, at) {
        Some(moved) if approval.is_none_or(|given| given <= moved.truncated()) => Err(format!(
            "{} is deleted because the branch was rewritten, and nobody said that it may be since {moved}",
            request.key
        )),
        _ => Ok(()),
    }
}

/// When the branch was moved first to the commit of this operation, which does not follow the one that was synced before.
fn rewritten(timeline: &Timeline<'_>, attempt: &Attempt, at: usize) -> Option<Timestamp> {
    let record = timeline.record;
    if !attempt.automated || timeline.spec(attempt.told).follows != Follow::Branch {
        return None;
    }
    let position = |id: &str| record.commits.iter().position(|(other, _)| other == id);
    let status = record.history[..at].iter().rev().find_map(|entry| match &entry.fact {
        Fact::Status { after, .. } => Some(after),
        _ => None,
    })?;
    let row = status["history"].as_array()?.last()?;
    let (from, to) = (position(text(row, "/revision"))?, position(&attempt.revision)?);
    if text(row, "/source/targetRevision") != "main" || follows(&record.parents, from, to) {
        return None;
    }
    let mut moves = record.history[..at].iter();
    moves.find_map(|entry| (entry.fact == Fact::Moved { head: to }).then_some(entry.at))
}

crate::search::law!(check, crate::generate::Bias::Prunes);
