//! The generator reaches every state that the laws speak of: a state that is not reached is not tested. Shares are of the very cases that
//! the laws are held against, and each has a floor.

mod holders;
mod people;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::evidence::Timeline;
use crate::generate::{Action, Bias};
use crate::history::{Actor, Answer, Ask, Fact, Record, Request};
use crate::identity::phase_written;
use crate::objects::{
    INVALID, PREFIX, Phase, annotation, has_option, is_contested, is_hook, is_ordinary, is_owned, key_of, text,
    tracking_id,
};
use crate::search;
use crate::several;
use crate::world;

/// What a run came to.
fn reached(record: &Record) -> BTreeSet<&'static str> {
    let timeline = Timeline::of(record);
    let mut reached = BTreeSet::new();
    for (at, fact) in record.facts() {
        match fact {
            Fact::Written { by, object, .. } if *by != Actor::Us => of_others(object, *by, &mut reached),
            Fact::Written {
                by: Actor::Us,
                object,
                created,
                ..
            } => of_write(&timeline, object, *created, at, &mut reached),
            Fact::Removed { by: Actor::Us, object } if is_ordinary(object) => {
                reached.insert("prune");
                if has_option(object, "PruneLast=true") || timeline.policy(at).has("PruneLast=true") {
                    reached.insert("PruneLast");
                }
            }
            Fact::Removed { by: Actor::Us, object } if is_hook(object) => {
                reached.insert("hook deleted");
            }
            Fact::Answered { request, answer, .. } => of_answer(&timeline, *request, *answer, &mut reached),
            Fact::Sent(request) => of_request(&request.ask, &mut reached),
            Fact::Died => of_death(&timeline, at, &mut reached),
            Fact::Status { after, .. } => of_status(after, &mut reached),
            Fact::Unreadable { .. } => {
                reached.insert("kind cannot be read");
            }
            Fact::Source { ok: false } => {
                reached.insert("source cannot be read");
            }
            Fact::DeletionAsked { application } => {
                let is_empty = application["metadata"]["finalizers"]
                    .as_array()
                    .is_none_or(Vec::is_empty);
                reached.insert(if is_empty { "deletion of nothing" } else { "deletion" });
            }
            Fact::ApplicationGone => of_end(&timeline, at, &mut reached),
            Fact::Leads(false) => {
                reached.insert("lead lost");
            }
            Fact::Suspended(true) => {
                reached.insert("suspended");
            }
            _ => {}
        }
    }
    of_attempts(&timeline, &mut reached);
    if record.case.script.iter().any(|(_, action)| *action == Action::Confirm) {
        reached.insert("confirmation");
    }
    reached
}

fn of_request(ask: &Ask, reached: &mut BTreeSet<&'static str>) {
    match ask {
        Ask::Apply { dry: true, .. } | Ask::Replace { dry: true, .. } => {
            reached.insert("rehearsal");
        }
        Ask::Replace { .. } => {
            reached.insert("replace");
        }
        Ask::Read => {
            reached.insert("look after a lost answer");
        }
        _ => {}
    }
}

fn of_attempts(timeline: &Timeline<'_>, reached: &mut BTreeSet<&'static str>) {
    several::reached(timeline.record, reached);
    for attempt in &timeline.attempts {
        reached.insert("recorded operation");
        if attempt.attempt > 0 {
            reached.insert("retry");
        }
        if attempt.sync["dryRun"] == true {
            reached.insert("dry run");
        }
        if !attempt.sync["resources"].is_null() {
            reached.insert("some objects only");
        }
        if !attempt.automated {
            reached.insert("sync by hand");
        }
    }
}

/// What was left, and what was done, when the Application was gone.
fn of_end(timeline: &Timeline<'_>, at: usize, reached: &mut BTreeSet<&'static str>) {
    reached.insert("Application gone");
    let was_deleted =
        |fact: &Fact| matches!(fact, Fact::Deleting { request, .. } if timeline.is_deleting(timeline.sent[request].0));
    if timeline.record.facts().take(at).any(|(_, fact)| was_deleted(fact)) {
        reached.insert("objects gone with their Application");
    }
    let kept = |live: &Value| is_ordinary(live) && has_option(live, "Delete=false");
    if timeline.all_live(at).into_iter().any(kept) {
        reached.insert("kept by Delete=false");
    }
}

fn of_write(timeline: &Timeline<'_>, object: &Value, created: bool, at: usize, reached: &mut BTreeSet<&'static str>) {
    let of = annotation(object, "capstan.dev/operation").unwrap_or_default();
    for (of_phase, state) in [(":delete:PreDelete", "PreDelete"), (":delete:PostDelete", "PostDelete")] {
        if of.ends_with(of_phase) {
            reached.insert(state);
        }
    }
    match (phase_written(object), key_of(object).kind.as_str()) {
        (Some(Phase::Before), _) => {
            reached.insert("PreSync");
        }
        (Some(Phase::Sync), _) => {
            reached.insert("Sync hook");
        }
        (Some(Phase::After), _) => {
            reached.insert("PostSync");
        }
        (Some(Phase::OnFailure), _) => {
            reached.insert("SyncFail");
        }
        (None, "Widget") => {
            reached.insert("custom resource");
        }
        (None, _) if key_of(object).namespace == "team" => {
            reached.insert("object of a declared namespace");
        }
        (None, _) => {}
    }
    let is_undone = !created
        && timeline.live(&key_of(object), at).is_some_and(|before| {
            let theirs = |pointer| before.pointer(pointer).is_some_and(|value| value == "theirs");
            ["/data/v", "/spec/image", "/spec/size"].into_iter().any(theirs)
        });
    if is_undone {
        reached.insert("self-heal");
    }
}

fn of_answer(timeline: &Timeline<'_>, request: u64, answer: Answer, reached: &mut BTreeSet<&'static str>) {
    let (_, request) = timeline.sent[&request];
    match answer {
        Answer::Unknown if matches!(request.ask, Ask::Create { .. }) => {
            reached.insert("unknown outcome of a hook");
        }
        Answer::Unknown => {
            reached.insert("unknown outcome");
        }
        Answer::Refused => {
            reached.insert("refused");
            of_refusal(timeline, request, reached);
        }
        Answer::Passing => {
            reached.insert("refused in passing");
        }
        Answer::Left => {
            reached.insert("left at the last look");
        }
        Answer::Done => {}
    }
}

/// What the API never takes: a label that is none, and a change of what cannot be changed.
fn of_refusal(timeline: &Timeline<'_>, request: &Request, reached: &mut BTreeSet<&'static str>) {
    let (Ask::Create { object } | Ask::Apply { object, .. } | Ask::Replace { object, .. }) = &request.ask else {
        return;
    };
    let is_there = timeline.known(&request.key, timeline.sent[&request.number].0).is_some();
    if text(object, "/metadata/labels/app") == INVALID {
        reached.insert("invalid object");
    } else if is_there && matches!(request.key.kind.as_str(), "Job" | "PersistentVolumeClaim") {
        reached.insert("immutable change");
    }
}

/// What the cluster's controllers and others write.
fn of_others(object: &Value, by: Actor, reached: &mut BTreeSet<&'static str>) {
    let is_bound = text(object, "/status/phase") == "Bound";
    for (is_so, state) in [
        (is_owned(object), "owned object"),
        (
            is_owned(object) && carries_id(object),
            "owned object with an id of its own",
        ),
        (is_bound, "claim bound by its consumer"),
        (
            by == Actor::Somebody && is_contested(object) && object["spec"]["replicas"] != 1,
            "contested field",
        ),
    ] {
        if is_so {
            reached.insert(state);
        }
    }
}

fn carries_id(object: &Value) -> bool {
    annotation(object, &format!("{PREFIX}tracking-id")) == Some(&tracking_id(&key_of(object)))
}

fn of_death(timeline: &Timeline<'_>, at: usize, reached: &mut BTreeSet<&'static str>) {
    let before = timeline.record.history[..at]
        .iter()
        .rev()
        .find_map(|entry| match &entry.fact {
            Fact::Status { after, .. } => Some(after),
            _ => None,
        });
    let Some(status) = before.filter(|status| world::running(status).is_some()) else {
        return;
    };
    reached.insert("crash in an operation");
    let results = status
        .pointer("/operationState/syncResult/resources")
        .and_then(Value::as_array);
    let runs = |result: &Value| !text(result, "/hookType").is_empty() && result["hookPhase"] == "Running";
    if results.into_iter().flatten().any(runs) {
        reached.insert("crash in a hook");
    }
}

fn of_status(status: &Value, reached: &mut BTreeSet<&'static str>) {
    let (phase, message) = (
        text(status, "/operationState/phase"),
        text(status, "/operationState/message"),
    );
    for (words, state) in [
        ("terminated", "terminated"),
        ("superseded by", "superseded"),
        ("not done within", "deadline of an object"),
        ("its deadline of", "deadline of a sync"),
        ("confirmation to prune", "waits for a confirmation"),
        ("waiting for the list of", "waits for a list"),
        ("paused since", "paused by a window"),
        ("attempt ", "waits for another attempt"),
    ] {
        if message.contains(words) {
            reached.insert(state);
        }
    }
    match phase {
        "Succeeded" => {
            reached.insert("succeeded");
        }
        "Failed" | "Error" => {
            reached.insert("failed");
        }
        _ => {}
    }
    if status["conditions"].to_string().contains("SyncHeld") {
        reached.insert("held by a window");
    }
    if text(status, "/sync/status") == "Synced" {
        reached.insert("synced");
    }
}

/// States, and of how many runs in a thousand at least.
const FLOORS: [(&str, usize); 53] = [
    ("Application gone", 30),
    ("PostDelete", 3),
    ("PostSync", 31),
    ("PreDelete", 2),
    ("PreSync", 73),
    ("PruneLast", 3),
    ("Sync hook", 21),
    ("SyncFail", 15),
    ("claim bound by its consumer", 40),
    ("confirmation", 10),
    ("contested field", 8),
    ("crash in a hook", 6),
    ("crash in an operation", 36),
    ("custom resource", 78),
    ("deadline of a sync", 1),
    ("deadline of an object", 40),
    ("deletion", 25),
    ("deletion of nothing", 8),
    ("dry run", 3),
    ("failed", 160),
    ("held by a window", 35),
    ("hook deleted", 71),
    ("immutable change", 8),
    ("invalid object", 10),
    ("kind cannot be read", 90),
    ("lead lost", 10),
    ("objects gone with their Application", 12),
    ("look after a lost answer", 2),
    ("object of a declared namespace", 90),
    ("owned object", 120),
    ("owned object with an id of its own", 45),
    ("paused by a window", 1),
    ("prune", 11),
    ("recorded operation", 331),
    ("refused", 15),
    ("refused in passing", 50),
    ("rehearsal", 28),
    ("replace", 10),
    ("retry", 71),
    ("self-heal", 1),
    ("some objects only", 8),
    ("source cannot be read", 88),
    ("succeeded", 245),
    ("superseded", 16),
    ("suspended", 45),
    ("sync by hand", 35),
    ("synced", 328),
    ("terminated", 26),
    ("unknown outcome", 78),
    ("unknown outcome of a hook", 2),
    ("waits for a confirmation", 11),
    ("waits for a list", 76),
    ("waits for another attempt", 78),
];

/// With what people did, and what the objects say.
fn all_reached(record: &Record) -> BTreeSet<&'static str> {
    let timeline = Timeline::of(record);
    let further = [
        people::reached(&timeline),
        words::reached(&timeline),
        holders::reached(&timeline),
    ];
    further.into_iter().flatten().chain(reached(record)).collect()
}

#[test]
fn every_state_is_reached() {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    // Of the runs that do not dwell on several sources and clusters.
    let (mut plain, mut plain_runs): (BTreeMap<&str, usize>, usize) = (BTreeMap::new(), 0);
    let mut held = [0usize; search::LAWS.len()];
    let mut runs = 0;
    for bias in search::BIASES {
        for case in search::cases(bias, 1).take(120) {
            let record = world::run(&case);
            let found = search::all(&record).unwrap_or_else(|why| panic!("{why}\n{case:?}\n{}", record.story()));
            for (held, found) in held.iter_mut().zip(found) {
                *held += usize::from(found > 0);
            }
            for state in &all_reached(&record) {
                *counts.entry(*state).or_default() += 1;
                *plain.entry(*state).or_default() += usize::from(bias != Bias::Places);
            }
            runs += 1;
            plain_runs += usize::from(bias != Bias::Places);
        }
    }
    let share = |state: &str| counts.get(state).copied().unwrap_or(0) * 1000 / runs;
    let table: Vec<String> = counts
        .keys()
        .map(|state| format!("{state}: {}‰", share(state)))
        .collect();
    let laws = search::LAWS
        .iter()
        .zip(held)
        .map(|((law, _), held)| format!("{law}: {held} of {runs} runs"));
    println!("{}\n{}", table.join("\n"), laws.collect::<Vec<_>>().join("\n"));
    let plain = |state: &str| plain.get(state).copied().unwrap_or(0) * 1000 / plain_runs;
    let floors = FLOORS.into_iter().chain(people::FLOORS).chain(words::FLOORS);
    let floors = floors.chain(holders::FLOORS);
    let floors = floors.map(|(state, floor)| (state, floor, plain(state)));
    let of_several = several::FLOORS.map(|(state, floor)| (state, floor, share(state)));
    let all = floors.chain(of_several);
    let rare: Vec<String> = all
        .filter(|(_, floor, share)| share < floor)
        .map(|(state, floor, share)| format!("{state} is reached by {share}‰ of the runs, not {floor}‰"))
        .collect();
    assert!(rare.is_empty(), "{}\n{}", rare.join("\n"), table.join("\n"));
    for ((law, _), held) in search::LAWS.iter().zip(held) {
        assert!(
            held * 100 >= runs,
            "{law} had something to hold in {held} of {runs} runs only"
        );
    }
}
