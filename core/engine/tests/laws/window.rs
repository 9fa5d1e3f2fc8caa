//! I-WIN: nothing is written while this replica does not lead, while the application is suspended, by a dry run, or by an operation that
//! was told to stop (but for the clean-up of its hooks).

use std::collections::BTreeSet;

use capstan_model::ResourceKey;

use crate::evidence::{Timeline, is_delete};
use crate::history::{Answer, Fact, Request};
use crate::objects::{annotation, is_as_declared, is_hook};

pub(crate) fn check(timeline: &Timeline<'_>) -> Result<usize, String> {
    let record = timeline.record;
    let mut found = 0;
    let (mut leads, mut is_suspended) = (true, false);
    // Which epoch was told to stop, and when.
    let mut stopped: Option<(usize, u64, usize)> = None;
    let mut last: Option<(usize, u64)> = None;
    for (at, fact) in record.facts() {
        match fact {
            Fact::Leads(now) => (leads, found) = (*now, found + 1),
            Fact::Suspended(now) => is_suspended = *now,
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
                let attempt = timeline.attempt(request);
                if attempt.is_some_and(|attempt| attempt.sync["dryRun"] == true) {
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

/// Hooks of the operation are cleaned up. And drift is put right after it, of what was as declared before.
fn allowed_after_stop(timeline: &Timeline<'_>, request: &Request, since: usize, at: usize) -> Result<(), String> {
    let live = timeline
        .live(&request.key, at)
        .or_else(|| timeline.known(&request.key, at));
    let is_of_hook = live.is_some_and(|live| is_hook(live) || annotation(live, "capstan.dev/operation").is_some());
    if is_delete(request) && is_of_hook {
        return Ok(());
    }
    let heals = timeline.record.case.policy.automated && timeline.record.case.policy.heals;
    if let Some(object) = request.ask.written().filter(|_| heals) {
        let was_so = timeline
            .told(&request.key, 0, since)
            .iter()
            .any(|state| is_as_declared(state, object));
        let was_written = written_before(timeline, since).contains(&request.key);
        if was_so || was_written {
            return Ok(());
        }
    }
    Err(format!(
        "[{at}] {} is written after the operation was told to stop",
        request.key
    ))
}

fn written_before(timeline: &Timeline<'_>, since: usize) -> BTreeSet<ResourceKey> {
    let done = timeline.record.facts().take(since).filter_map(|(_, fact)| match fact {
        Fact::Answered {
            request,
            answer: Answer::Done,
            ..
        } => Some(timeline.sent[request].1),
        _ => None,
    });
    done.filter(|request| request.ask.written().is_some())
        .map(|request| request.key.clone())
        .collect()
}

crate::search::law!(check, crate::generate::Bias::People);
