//! L-END: every operation ends. By the time that its deadline allows, and a little, the status says so; and while nothing happens, an
//! operation that runs says what it waits for, by name.

use std::time::Duration;

use capstan_model::Timestamp;
use serde_json::Value;

use crate::evidence::Timeline;
use crate::history::{Answer, Fact, Record};
use crate::objects::text;
use crate::world::{SYNC, number, running};

/// For what is under way at the deadline, and for writing it down.
const ROOM: Duration = Duration::from_mins(2);

pub(crate) fn check(timeline: &Timeline<'_>) -> Result<usize, String> {
    let record = timeline.record;
    let mut found = 0;
    let mut status: &Value = &Value::Null;
    // Nobody can end what nobody may work on.
    let mut hindered: Option<Timestamp> = None;
    let (mut leads, mut reachable, mut suspended) = (true, true, false);
    let mut is_writing = 0i64;
    for (at, entry) in record.history.iter().enumerate() {
        match &entry.fact {
            Fact::Status { after, .. } => status = after,
            Fact::Leads(now) => leads = *now,
            Fact::Reachable(now) => reachable = *now,
            Fact::Suspended(now) => suspended = *now,
            Fact::Sent(_) => is_writing += 1,
            Fact::Answered { .. } => is_writing -= 1,
            Fact::Died | Fact::Started { .. } => is_writing = 0,
            Fact::Resting if running(status).is_some() && is_writing == 0 => {
                found += 1;
                let message = text(status, "/operationState/message");
                let is_dull = message.is_empty() || !names_something(record, message);
                if leads && reachable && !suspended && is_dull && was_written(timeline, status) {
                    return Err(format!(
                        "[{at}] operation {} waits and does not say for what: {message:?}",
                        number(status)
                    ));
                }
            }
            _ => {}
        }
        if !leads || !reachable || suspended {
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
    match running(&record.resource["status"]) {
        Some((number, _)) => Err(format!("operation {number} never ended")),
        None => Ok(found),
    }
}

/// A commit that is read, an object, a wait until a time.
fn names_something(record: &Record, message: &str) -> bool {
    let commits = record.commits.iter().filter_map(|(_, objects)| objects.as_ref());
    let declared = commits.flatten().any(|object| {
        let name = crate::objects::key_of(object).name;
        let prefix = text(object, "/metadata/generateName");
        !name.is_empty() && message.contains(&name) || !prefix.is_empty() && message.contains(prefix)
    });
    declared
        || ["waiting for", "attempt", "at 2026"]
            .iter()
            .any(|words| message.contains(words))
}

/// Is the status the newest that could be written? One whose write fails says what it said.
fn was_written(timeline: &Timeline<'_>, _: &Value) -> bool {
    !timeline.record.history.iter().any(|entry| {
        matches!(entry.fact, Fact::Answered { request, answer, .. }
            if answer != Answer::Done && timeline.sent[&request].1.ask == crate::history::Ask::Status)
    })
}

crate::search::law!(check, crate::generate::Bias::People);
