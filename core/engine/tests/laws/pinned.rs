//! I-PIN: everything that an operation writes is of the one commit that was recorded before its first write, however often the branch
//! moves meanwhile; another attempt is of the same commit, unless the retry strategy says to refresh. What is not recorded first (a sync
//! of one wave of applies) is of one commit all the same.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::evidence::{Attempt, Timeline};
use crate::history::{Answer, Fact, Request};
use crate::identity::is_written_as;
use crate::objects::{HELD, PREFIX, Phase, is_contested, is_hook, key_of, text};
use crate::world::running;

const RESPECTS: &str = "RespectIgnoreDifferences=true";

pub(crate) fn check(timeline: &Timeline<'_>) -> Result<usize, String> {
    let record = timeline.record;
    let mut found = 0;
    one_commit_each(timeline)?;
    let mut unrecorded: BTreeMap<(usize, u64), BTreeSet<usize>> = BTreeMap::new();
    for (at, request) in timeline.requests() {
        let Some(object) = request.ask.written() else { continue };
        if is_own_namespace(object) || timeline.is_deleting(at) {
            continue;
        }
        found += 1;
        // Another attempt that refreshes, and is of one wave, is not recorded first either.
        let attempt = timeline.attempt(request);
        match attempt.filter(|attempt| !attempt.revision.is_empty()) {
            Some(attempt) => {
                let objects = record.objects_of(&attempt.revision).unwrap_or_default();
                let is_of = objects
                    .iter()
                    .any(|declared| is_copy_but_for_what_is_left(timeline, request, declared, object));
                if !is_of && !is_put_right(timeline, attempt, request, at) {
                    return Err(format!(
                        "[{at}] {} is not written as commit {} declares it",
                        request.key, attempt.revision
                    ));
                }
            }
            None => {
                recorded_first(timeline, at, request)?;
                let all = record.commits.iter().enumerate();
                let of = all.filter(|(_, (_, objects))| {
                    objects
                        .iter()
                        .flatten()
                        .any(|declared| is_copy_but_for_what_is_left(timeline, request, declared, object))
                });
                let of: BTreeSet<usize> = of.map(|(n, _)| n).collect();
                let left = unrecorded
                    .entry((request.process, request.epoch))
                    .or_insert_with(|| of.clone());
                left.retain(|n| of.contains(n));
                if left.is_empty() {
                    return Err(format!(
                        "[{at}] {} is of another commit than what was written before",
                        request.key
                    ));
                }
            }
        }
    }
    Ok(found)
}

/// Every attempt of an operation is of one commit, unless it refreshes.
fn one_commit_each(timeline: &Timeline<'_>) -> Result<(), String> {
    let mut first: BTreeMap<u64, &Attempt> = BTreeMap::new();
    let mut last: BTreeMap<u64, &Attempt> = BTreeMap::new();
    for attempt in timeline.attempts.iter().filter(|attempt| !attempt.revision.is_empty()) {
        let before = last.insert(attempt.number, attempt).unwrap_or(attempt);
        let mut policies = timeline.policies(before.told, attempt.told).into_iter();
        if before.revision != attempt.revision && !policies.any(|policy| policy.refreshes) {
            return Err(format!(
                "operation {} is of {} and then of {}",
                attempt.number, before.revision, attempt.revision
            ));
        }
        let first = first.entry(attempt.number).or_insert(attempt);
        is_as_named(first, attempt)?;
    }
    Ok(())
}

/// The operation and attempt that run by the next status of whoever sent `request` then; `Some(None)` where that says that none does.
fn next_told(timeline: &Timeline<'_>, at: usize, request: &Request) -> Option<Option<(u64, u64)>> {
    timeline.record.facts().skip(at).find_map(|(_, fact)| match fact {
        Fact::Status {
            request: status, after, ..
        } => {
            let (sent, by) = timeline.sent[status];
            let is_same = sent > at && (by.process, by.epoch) == (request.process, request.epoch);
            is_same.then(|| running(after))
        }
        _ => None,
    })
}

/// A write of which nothing was recorded before is of one wave of applies: what has more is told by a status first.
fn recorded_first(timeline: &Timeline<'_>, at: usize, request: &Request) -> Result<(), String> {
    let Some(Some((number, attempt))) = next_told(timeline, at, request) else {
        return Ok(());
    };
    let of = |one: &&Attempt| (one.number, one.attempt) == (number, attempt);
    let steps = timeline.attempts.iter().find(of).map(|attempt| timeline.steps(attempt));
    let is_put_right = timeline.record.history[..at].iter().any(|entry| match &entry.fact {
        Fact::Status { after, .. } => crate::world::number(after) == number,
        _ => false,
    });
    let places: BTreeSet<_> = steps
        .into_iter()
        .flatten()
        .map(|step| (step.phase, step.wave))
        .collect();
    match places.len() > 1 && !is_put_right {
        true => Err(format!(
            "[{at}] {} is written by operation {number}, of which nothing was recorded before",
            request.key
        )),
        false => Ok(()),
    }
}

/// Was it written by this attempt, or has that nothing to do any more, and is it written now as the branch declares it? An operation whose end
/// is not told yet is over by then, and drift is put right.
fn is_put_right(timeline: &Timeline<'_>, attempt: &Attempt, request: &Request, at: usize) -> bool {
    let (record, policy) = (timeline.record, timeline.policy(at));
    let before = || record.history[..at].iter();
    let was_written = before().any(|entry| match &entry.fact {
        Fact::Answered {
            request: number,
            answer: Answer::Done,
            ..
        } => {
            let (_, other) = timeline.sent[number];
            let of = timeline.attempt(other).map(|one| (one.number, one.attempt));
            let is_same = of == Some((attempt.number, attempt.attempt)) && other.key == request.key;
            is_same && other.ask.written().is_some()
        }
        _ => false,
    });
    let is_over = || {
        let steps = timeline.steps(attempt);
        let is_foreign = steps.iter().all(|step| key_of(step.declared) != request.key);
        let mut own = steps.into_iter().filter(|step| step.phase != Phase::OnFailure);
        // Whatever it does is done; or the next that is told of it is its end.
        let is_done = own.all(|step| timeline.settled(attempt, step, at).is_ok());
        is_foreign && (is_done || next_told(timeline, at, request) == Some(None))
    };
    let (head, _) = timeline.followed(at);
    let (_, declared) = &record.commits[head];
    let object = request
        .ask
        .written()
        .filter(|_| policy.automated && policy.heals && (was_written || is_over()));
    object.is_some_and(|object| {
        let mut declared = declared.iter().flatten();
        declared.any(|declared| is_copy_but_for_what_is_left(timeline, request, declared, object))
    })
}

/// Who goes back to a row of the history gets its commit, in each attempt.
fn is_as_named(first: &Attempt, attempt: &Attempt) -> Result<(), String> {
    let named = text(&first.sync, "/revision");
    // Any other operation is recorded with what it was resolved to.
    let is_row = !first.sync["source"].is_null();
    match !is_row || named == attempt.revision {
        true => Ok(()),
        false => Err(format!(
            "operation {} is of {}, and {named} was asked for",
            attempt.number, attempt.revision
        )),
    }
}

/// The same; what is not compared may be written as it is live, where the options say so: the operation's own, or the application's.
fn is_copy_but_for_what_is_left(timeline: &Timeline<'_>, request: &Request, declared: &Value, object: &Value) -> bool {
    let policy = timeline.policy(timeline.sent[&request.number].0);
    let own = timeline
        .attempt(request)
        .map(|attempt| attempt.sync["syncOptions"].to_string());
    let is_respected = policy.has(RESPECTS) || own.is_some_and(|own| own.contains(RESPECTS));
    let is_left = policy.ignores && is_respected && is_contested(declared);
    let bare = |object: &Value| {
        let mut object = object.clone();
        if let Some(spec) = object["spec"].as_object_mut().filter(|_| is_left) {
            spec.remove("replicas");
        }
        object
    };
    is_copy(&bare(declared), &bare(object))
}

/// The namespace that `CreateNamespace=true` makes: no commit declares it.
fn is_own_namespace(object: &Value) -> bool {
    key_of(object).kind == "Namespace" && key_of(object).name == crate::objects::HOME
}

/// Is `object` what `declared` says, but for what the controller adds: tracking id, the attempt, the name of a hook without one, and the
/// finalizer of one that may remove itself?
pub(crate) fn is_copy(declared: &Value, object: &Value) -> bool {
    is_written_as(declared, object) && stripped(declared) == stripped(object)
}

fn stripped(object: &Value) -> Value {
    let mut object = object.clone();
    let hook = is_hook(&object);
    if let Some(metadata) = object["metadata"].as_object_mut() {
        if hook {
            metadata.remove("name");
            metadata.remove("generateName");
            let finalizers = metadata.get_mut("finalizers").and_then(Value::as_array_mut);
            let is_free = finalizers.is_some_and(|all| {
                all.retain(|one| one != HELD);
                all.is_empty()
            });
            if is_free {
                metadata.remove("finalizers");
            }
        }
        let is_empty = metadata
            .get_mut("annotations")
            .and_then(Value::as_object_mut)
            .is_some_and(|annotations| {
                annotations.remove(&format!("{PREFIX}tracking-id"));
                annotations.remove("capstan.dev/operation");
                annotations.is_empty()
            });
        if is_empty {
            metadata.remove("annotations");
        }
    }
    object
}

crate::search::law!(check, crate::generate::Bias::Any);
