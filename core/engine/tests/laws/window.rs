//! I-WIN: nothing is written while this replica does not lead, while the application is suspended, while windows of the project forbid it,
//! by a dry run, or by an operation that was told to stop (but for the clean-up of its hooks).

use std::collections::BTreeSet;
use std::time::Duration;

use capstan_model::ResourceKey;

use crate::evidence::{Attempt, Timeline, is_delete};
use crate::history::{Answer, Ask, Fact, Request};
use crate::objects::{annotation, is_as_declared, is_hook};
use crate::openings::{Word, may_begin, word};
use crate::told::is_asked_for_syncs;

pub(crate) fn check(timeline: &Timeline<'_>) -> Result<usize, String> {
    let record = timeline.record;
    let mut found = 0;
    let (mut leads, mut is_suspended, mut has_windows) = (true, false, true);
    // Which epoch was told to stop, and when.
    let mut stopped: Option<(usize, u64, usize)> = None;
    let mut last: Option<(usize, u64)> = None;
    for (at, fact) in record.facts() {
        match fact {
            Fact::Leads(now) => (leads, found) = (*now, found + 1),
            Fact::Suspended(now) => is_suspended = *now,
            Fact::Windows(now) => has_windows = *now,
            Fact::Started { .. } => (stopped, last) = (None, None),
            Fact::Terminated => {
                stopped = last.map(|(process, epoch)| (process, epoch, at));
            }
            Fact::Sent(request) => {
                last = Some((request.process, request.epoch));
                if !leads {
                    return Err(format!("[{at}] {:?} was sent while another leads", request.ask));
                }
                if !request.ask.is_mutating() {
                    continue;
                }
                if is_suspended {
                    return Err(format!(
                        "[{at}] {} is written while the application is suspended",
                        request.key
                    ));
                }
                found += 1;
                // A deletion is no sync.
                if timeline.is_deleting(at) {
                    continue;
                }
                if has_windows {
                    allowed_by_windows(timeline, request, stopped.is_some(), at)?;
                }
                let attempt = timeline.attempt(request);
                let dry = attempt.filter(|attempt| attempt.sync["dryRun"] == true);
                if dry.is_some_and(|attempt| !is_beside(timeline, attempt, request, at)) {
                    return Err(format!("[{at}] {} is written by a dry run", request.key));
                }
                if let Some((process, epoch, since)) = stopped
                    && (request.process, request.epoch) == (process, epoch)
                {
                    allowed_after_stop(timeline, request, since, at)?;
                }
            }
            _ => {}
        }
    }
    Ok(found)
}

/// An unrecorded sync is so short that it began at most so long ago.
const SHORT: Duration = Duration::from_mins(10);

fn allowed_by_windows(timeline: &Timeline<'_>, request: &Request, is_stopped: bool, at: usize) -> Result<(), String> {
    let (record, now) = (timeline.record, timeline.record.history[at].at);
    let windows = &record.case.windows;
    let word = word(windows, now);
    let attempt = timeline.attempt(request);
    // A sync of one wave is not recorded before it writes: did anybody ask for one?
    let by_hand = attempt.map_or_else(|| is_asked_for_syncs(record), |attempt| !attempt.automated);
    let Word::Shut { overrun, .. } = word else {
        return Ok(());
    };
    let began_free = || match attempt {
        Some(attempt) => may_begin(crate::openings::word(windows, attempt.started), by_hand),
        None => (0..SHORT.as_secs() / 60).any(|ago| {
            may_begin(
                crate::openings::word(windows, now - Duration::from_secs(60 * ago)),
                by_hand,
            )
        }),
    };
    // One that is paused ends when the branch moves on.
    let (head, _) = timeline.followed(at);
    let is_superseded = attempt.is_some_and(|attempt| attempt.revision != record.commits[head].0);
    let cleans_up = (is_stopped || is_superseded) && is_delete(request) || request.ask == Ask::Release;
    let cleans_up = cleans_up && is_hook_object(timeline, request, at);
    match may_begin(word, by_hand) || overrun && began_free() || cleans_up {
        true => Ok(()),
        false => Err(format!(
            "[{at}] {} is written at {now} while windows forbid it",
            request.key
        )),
    }
}

fn is_hook_object(timeline: &Timeline<'_>, request: &Request, at: usize) -> bool {
    let live = timeline
        .live(&request.key, at)
        .or_else(|| timeline.known(&request.key, at));
    live.is_some_and(|live| is_hook(live) || annotation(live, "capstan.dev/operation").is_some())
}

/// Is it no write of this dry run? A hook of an earlier operation is let go; and when all is tried, and that is not told yet, drift is put
/// right of what was as declared before.
fn is_beside(timeline: &Timeline<'_>, attempt: &Attempt, request: &Request, at: usize) -> bool {
    let is_of = |request: &Request| {
        timeline
            .attempt(request)
            .is_some_and(|other| other.number == attempt.number)
    };
    let answered: BTreeSet<u64> = timeline
        .record
        .facts()
        .take(at)
        .filter_map(|(_, fact)| match fact {
            Fact::Answered { request, .. } => Some(*request),
            _ => None,
        })
        .collect();
    let is_try = |ask: &Ask| matches!(ask, Ask::Apply { dry: true, .. } | Ask::Replace { dry: true, .. });
    let mut tries = timeline
        .requests()
        .filter(|(_, request)| is_of(request) && is_try(&request.ask));
    let is_tried = tries.all(|(_, request)| answered.contains(&request.number));
    request.ask == Ask::Release || is_tried && is_drift(timeline, request, at)
}

/// Is it put back to what it was?
fn is_drift(timeline: &Timeline<'_>, request: &Request, since: usize) -> bool {
    let at = timeline.sent[&request.number].0;
    let policy = timeline.policy(at);
    let object = request.ask.written().filter(|_| policy.automated && policy.heals);
    object.is_some_and(|object| {
        let told = timeline.told(&request.key, 0, since);
        let was_so = told.iter().any(|state| is_as_declared(state, object));
        was_so || written_before(timeline, since).contains(&request.key)
    })
}

/// Hooks of the operation are cleaned up. And drift is put right after it, of what was as declared before.
fn allowed_after_stop(timeline: &Timeline<'_>, request: &Request, since: usize, at: usize) -> Result<(), String> {
    let cleans_up = is_delete(request) || request.ask == Ask::Release;
    if cleans_up && is_hook_object(timeline, request, at) {
        return Ok(());
    }
    if is_drift(timeline, request, since) {
        return Ok(());
    }
    Err(format!(
        "[{at}] {} is written after the operation was told to stop",
        request.key
    ))
}

/// Written by what was sent before, whenever it was answered.
fn written_before(timeline: &Timeline<'_>, since: usize) -> BTreeSet<ResourceKey> {
    let done = timeline.record.facts().filter_map(|(_, fact)| match fact {
        Fact::Answered {
            request,
            answer: Answer::Done,
            ..
        } => Some(timeline.sent[request])
            .filter(|(sent, _)| *sent < since)
            .map(|(_, request)| request),
        _ => None,
    });
    done.filter(|request| request.ask.written().is_some())
        .map(|request| request.key.clone())
        .collect()
}

crate::search::law!(check, crate::generate::Bias::People);
