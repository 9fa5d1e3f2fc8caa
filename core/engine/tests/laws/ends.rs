//! L-END: every operation ends. By the time that its deadline allows, and a little, the status says so; and while nothing happens, an
//! operation that runs says what it waits for, by name.

use std::time::Duration;

use capstan_model::Timestamp;
use serde_json::Value;

use crate::evidence::Timeline;
use crate::history::{Answer, Ask, Fact};
use crate::objects::text;
use crate::openings::{may_begin, word};
use crate::world::{MOMENT, SYNC, number, running};

/// For what is under way at the deadline, and for writing it down.
const ROOM: Duration = Duration::from_mins(2);

pub(crate) fn check(timeline: &Timeline<'_>) -> Result<usize, String> {
    let record = timeline.record;
    let mut found = 0;
    let (mut status, mut is_deleted) = (&Value::Null, false);
    // Nobody can end what nobody may work on.
    let mut hindered: Option<Timestamp> = None;
    let (mut leads, mut reachable, mut suspended, mut has_windows) = (true, true, false, true);
    let mut is_writing = 0i64;
    let mut last = record.history.first().map_or(record.end, |entry| entry.at);
    for (at, entry) in record.history.iter().enumerate() {
        match &entry.fact {
            // Whoever is deleted ends nothing any more.
            Fact::DeletionAsked { .. } => (status, is_deleted) = (&Value::Null, true),
            Fact::Status { after, .. } if !is_deleted => status = after,
            Fact::Leads(now) => leads = *now,
            Fact::Reachable(now) => reachable = *now,
            Fact::Suspended(now) => suspended = *now,
            Fact::Windows(now) => has_windows = *now,
            Fact::Sent(_) => is_writing += 1,
            Fact::Answered { .. } => is_writing -= 1,
            Fact::Died | Fact::Started { .. } => is_writing = 0,
            Fact::Resting if running(status).is_some() && is_writing == 0 => {
                found += 1;
                let message = text(status, "/operationState/message");
                let dull = dull(message, entry.at).filter(|_| leads && reachable && !suspended && timeline.is_here(at));
                if let Some(what) = dull.filter(|_| was_written(timeline, at)) {
                    return Err(format!(
                        "[{at}] operation {} waits and does not say {what}: {message:?}",
                        number(status)
                    ));
                }
            }
            _ => {}
        }
        let by_hand = status["operationState"]["operation"]["initiatedBy"]["automated"] != true;
        let is_shut = |at: &Timestamp| has_windows && !may_begin(word(&record.case.windows, *at), by_hand);
        // The last moment at which windows forbade to go on, since the last entry.
        let shut = minutes(last, entry.at).filter(is_shut).max();
        last = entry.at;
        hindered = hindered.max(shut);
        if !leads || !reachable || suspended || !timeline.is_here(at) {
            hindered = Some(entry.at);
        }
        if running(status).is_some() {
            let started = text(status, "/operationState/startedAt").parse().unwrap_or(entry.at);
            let free = hindered.map_or(started, |hindered| started.max(hindered));
            if entry.at.since(free) > SYNC + ROOM {
                return Err(format!(
                    "[{at}] operation {} runs since {started}, longer than it may",
                    number(status)
                ));
            }
        }
    }
    match running(&record.resource["status"]).filter(|_| !is_deleted) {
        Some((number, _)) => Err(format!("operation {number} never ended")),
        None => Ok(found),
    }
}

/// The minutes from one moment to another, both included.
fn minutes(from: Timestamp, to: Timestamp) -> impl Iterator<Item = Timestamp> {
    let count = to.since(from).as_secs() / 60;
    (0..=count).map(move |ago| to - Duration::from_secs(60 * ago))
}

/// What is wrong with what an operation says of itself while nothing moves: it has to say since when and until when it waits, or when it
/// is tried again, and that must not be over.
fn dull(message: &str, now: Timestamp) -> Option<String> {
    let times = |word: &str| -> Vec<Timestamp> {
        let after = message.split(word).skip(1);
        let time = |text: &str| text.get(..20)?.parse().ok();
        after.filter_map(time).collect()
    };
    let (since, until) = (times("since "), [times("until "), times(" at ")].concat());
    let for_ever = ["is always active", "never is"]
        .iter()
        .any(|words| message.contains(words));
    let is_tried_again = message.contains("attempt ") && !times(" at ").is_empty();
    match () {
        () if since.is_empty() && !is_tried_again => Some("since when".into()),
        () if until.is_empty() && !for_ever => Some("until when".into()),
        () if !for_ever && until.iter().all(|until| *until + MOMENT < now) => {
            Some(format!("why it still waits at {now}"))
        }
        () => since
            .iter()
            .find(|since| **since > now)
            .map(|since| format!("why since {since}, which is to come")),
    }
}

/// Is the status the newest that could be written? One whose write failed says what it said before.
fn was_written(timeline: &Timeline<'_>, at: usize) -> bool {
    let facts = timeline.record.history[..at].iter().rev();
    let last = facts.filter_map(|entry| match entry.fact {
        Fact::Answered { request, answer, .. } if timeline.sent[&request].1.ask == Ask::Status => Some(answer),
        Fact::Died | Fact::Started { .. } => Some(Answer::Passing),
        _ => None,
    });
    last.into_iter().next() == Some(Answer::Done)
}

crate::search::law!(check, crate::generate::Bias::People);
