//! I-NOOP: what is as declared is not written again. An automated sync sends no write for an object that it has known to be as declared
//! all along; a write that changes nothing commits nothing; and when nothing happens any more, nothing is written any more.

use std::time::Duration;

use serde_json::Value;

use crate::evidence::Timeline;
use crate::generate::{Action, Case, Item, Kind, Wish};
use crate::history::{Actor, Answer, Ask, Entry, Fact, Record, Request};
use crate::objects::{agrees, annotation, has_option, is_as_declared, is_contested, is_going, version};
use crate::told::is_asked_for_syncs;

/// At the end of the quiet, so long nothing happens.
const STILL: Duration = Duration::from_mins(20);

pub(crate) fn check(timeline: &Timeline<'_>) -> Result<usize, String> {
    let record = timeline.record;
    let mut found = 0;
    for (at, request) in timeline.requests() {
        let Some(object) = request.ask.written() else { continue };
        let is_hook = annotation(object, "capstan.dev/operation").is_some();
        let is_automated = timeline
            .attempt(request)
            .map_or(timeline.policy(at).automated, |attempt| attempt.automated);
        if is_hook || !is_automated || has_option(object, "Replace=true") {
            continue;
        }
        let Some(since) = beginning(record, at) else { continue };
        let told = timeline.told(&request.key, since, at);
        let is_known = |at| timeline.known(&request.key, at).is_some();
        let was_known = is_known(since) && is_known(at) && is_current(timeline, object, since, at);
        if was_known
            && told
                .iter()
                .all(|state| is_as_declared(state, object) && !is_going(state))
            && !(was_asked(record, since, at) || is_compared_anew(timeline, object, since, at))
        {
            return Err(format!(
                "[{at}] {} is written, and was as declared all along",
                request.key
            ));
        }
        found += 1;
    }
    for (at, fact) in record.facts() {
        let Fact::Answered {
            request,
            answer: Answer::Done,
            version: after,
        } = fact
        else {
            continue;
        };
        let (sent, request) = timeline.sent[request];
        // A replace takes away what others added.
        let Ask::Apply { object, dry: false } = &request.ask else {
            continue;
        };
        let before = timeline.live(&request.key, sent);
        let is_alone = !is_touched_by_another(record, request, (sent, at));
        if let Some(before) = before.filter(|before| is_as_declared(before, object) && is_alone)
            && has_all(before, object)
            && version(before) != *after
        {
            return Err(format!(
                "[{at}] {} was written as it was, and has another version",
                request.key
            ));
        }
        found += 1;
    }
    still(record)?;
    Ok(found)
}

/// Did another write than this one commit while it was under way?
fn is_touched_by_another(record: &Record, request: &Request, (sent, at): (usize, usize)) -> bool {
    let mut meanwhile = record.facts().take(at).skip(sent);
    meanwhile.any(|(_, fact)| match fact {
        Fact::Written {
            request: Some(number), ..
        } if *number == request.number => false,
        Fact::Written { object, .. } | Fact::Removed { object, .. } => crate::objects::key_of(object) == request.key,
        _ => false,
    })
}

/// Is even what the controller adds there already?
fn has_all(live: &Value, object: &Value) -> bool {
    let ours = live.pointer("/metadata/managedFields/0/manager");
    // A field that does not count is written all the same.
    let is_whole = ours.is_some_and(|manager| manager == "capstan") && agrees(live, object);
    is_whole && annotation(object, "capstan.dev/operation").is_none()
}

/// The last quarter of a minute before a write: what was known for so long was compared by then.
fn beginning(record: &Record, at: usize) -> Option<usize> {
    let now = record.history[at].at;
    let enough = |entry: &Entry| now.since(entry.at) >= Duration::from_millis(500);
    let started = record.history[..at]
        .iter()
        .rposition(|entry| matches!(entry.fact, Fact::Started { .. } | Fact::Died))?;
    let since = record.history[..at].iter().rposition(enough)?;
    // It was at rest in between: nothing that was known was still being compared.
    let rested = record.history[started..at]
        .iter()
        .rposition(|entry| entry.fact == Fact::Resting)?
        + started;
    Some(since.min(rested)).filter(|since| *since > started)
}

/// Is this of what the branch is at, and was that read before? An operation for an older commit compares nothing.
fn is_current(timeline: &Timeline<'_>, object: &Value, since: usize, at: usize) -> bool {
    let record = timeline.record;
    let source = record.history[..at].iter().rev().find_map(|entry| match entry.fact {
        Fact::Source { ok } => Some(ok),
        _ => None,
    });
    let (head, moved) = timeline.followed(at);
    let declared = record.commits[head].1.iter().flatten();
    let is_of_head = declared
        .into_iter()
        .any(|declared| crate::pinned::is_copy(declared, object));
    source == Some(true) && moved.is_none_or(|moved| moved < since) && is_of_head
}

/// A field that is not compared may differ; from when on it is, it may not.
fn is_compared_anew(timeline: &Timeline<'_>, object: &Value, since: usize, at: usize) -> bool {
    let mut policies = timeline.policies(since, at).into_iter();
    is_contested(object) && policies.any(|policy| !policy.ignores)
}

/// Did a person ask for a sync? That one writes everything.
fn was_asked(record: &Record, from: usize, to: usize) -> bool {
    let asks = |fact: &Fact| matches!(fact, Fact::Suspended(_) | Fact::Reachable(_) | Fact::Leads(_));
    record.history[from..to].iter().any(|entry| asks(&entry.fact)) || is_asked_for_syncs(record)
}

fn still(record: &Record) -> Result<(), String> {
    // A hook of a deletion that does not succeed is tried again for ever.
    if is_going(&record.resource) {
        return Ok(());
    }
    let late = |entry: &&Entry| record.end.since(entry.at) < STILL;
    let ours = |fact: &Fact| {
        matches!(
            fact,
            Fact::Written { by: Actor::Us, .. } | Fact::Removed { by: Actor::Us, .. }
        )
    };
    match record
        .history
        .iter()
        .rev()
        .take_while(late)
        .find(|entry| ours(&entry.fact))
    {
        Some(entry) => Err(format!(
            "something is still written at {}, long after everything came to rest",
            entry.at
        )),
        None => Ok(()),
    }
}

crate::search::law!(check, crate::generate::Bias::Any);

/// Synced by itself, and then by a person; between the two the process may die.
fn synced_twice(options: &'static [&'static str], dies: bool) -> Case {
    let items = [Kind::Config, Kind::Deployment, Kind::Namespace].map(|kind| Item::new(kind, 0, ""));
    let mut case = Case::of(vec![items.to_vec()]);
    case.policy.options = options;
    case.script = vec![(u8::MAX, Action::Wait(5))];
    if dies {
        case.script.push((0, Action::Crash { unheard: 0, down: 0 }));
        case.script.push((200, Action::Wait(2)));
    }
    let wish = Wish {
        prune: true,
        by_request: true,
        ..Wish::default()
    };
    case.script.extend([(0, Action::Sync(wish)), (200, Action::Wait(5))]);
    case
}

/// Synced once, an application is synced again by a person, and by a new process in between, with each option that says how it is written:
/// nothing is committed that second time.
#[test]
fn a_second_sync_commits_nothing() {
    const OPTIONS: [&[&str]; 7] = [
        &[],
        &["ServerSideApply=true"],
        &["ServerSideApply=false"],
        &["Replace=true"],
        &["CreateNamespace=true"],
        &["Force=true"],
        &["ApplyOutOfSyncOnly=true", "PruneLast=true"],
    ];
    for (options, dies) in OPTIONS
        .into_iter()
        .flat_map(|options| [false, true].map(|dies| (options, dies)))
    {
        let case = synced_twice(options, dies);
        let record = crate::world::run(&case);
        let first = record.history.iter().position(|entry| entry.fact == Fact::Resting);
        let started = record
            .history
            .iter()
            .rposition(|entry| matches!(entry.fact, Fact::Started { .. }));
        let late = &record.history[if dies { started } else { first }.unwrap_or(0)..];
        let by_us = late.iter().filter(|entry| {
            matches!(
                entry.fact,
                Fact::Written { by: Actor::Us, .. } | Fact::Removed { by: Actor::Us, .. }
            )
        });
        assert_eq!(by_us.count(), 0, "{options:?}, {dies}\n{}", record.story());
        let sent = |wanted: fn(&Ask) -> bool| {
            let is_wanted = |entry: &&Entry| matches!(&entry.fact, Fact::Sent(request) if wanted(&request.ask));
            late.iter().filter(is_wanted).count()
        };
        // That it was synced is told, whatever was asked for.
        assert!(
            sent(|ask| matches!(ask, Ask::Status)) > 0,
            "{options:?}: nobody synced a second time\n{}",
            record.story()
        );
        let is_frugal = options.contains(&"ApplyOutOfSyncOnly=true");
        assert_eq!(
            sent(Ask::is_mutating) == 0,
            is_frugal,
            "{options:?}\n{}",
            record.story()
        );
    }
}
