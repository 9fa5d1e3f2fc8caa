//! I-PRUNEORD: the prunes of one operation run in the reverse order of waves, the next ones only when the ones before are gone (or
//! another object has the name); what is marked `PruneLast` goes after all others, and after everything that is written is settled.

use capstan_model::ResourceKey;
use serde_json::Value;

use crate::consent::since;
use crate::dependency::needs;
use crate::evidence::{Attempt, Timeline, is_delete};
use crate::history::{Answer, Fact, Request};
use crate::objects::{Phase, has_option, is_ordinary, is_tracked, key_of, uid, wave};
use crate::world::{CONFIRMATION, MOMENT, OBJECT};

/// Where an object stands among prunes: what is greater goes later.
type Turn = (bool, std::cmp::Reverse<i64>, bool);

pub(crate) fn check(timeline: &Timeline<'_>) -> Result<usize, String> {
    let mut found = 0;
    for (at, request) in timeline.requests().filter(|(_, request)| is_delete(request)) {
        let Some(attempt) = timeline.attempt(request) else {
            continue;
        };
        let Some(planned) = planned(timeline, attempt, &request.key) else {
            continue;
        };
        let last = all_last(timeline, attempt, at);
        let turn = turn(last, planned);
        for other in others(timeline, attempt, at) {
            if self::turn(last, other) < turn && is_in_the_way(timeline, attempt, other, at) {
                let before = key_of(other);
                return Err(format!(
                    "[{at}] {} is deleted, and {before} goes before it and is there",
                    request.key
                ));
            }
            found += 1;
        }
        if turn.0 {
            found += 1;
            written_first(timeline, attempt, request, at)?;
        }
    }
    Ok(found)
}

/// `PruneLast` by the application's options: by those that the operation was asked for with, or that were in force all the while.
fn all_last(timeline: &Timeline<'_>, attempt: &Attempt, at: usize) -> bool {
    let own = attempt.sync["syncOptions"].as_array();
    let is_own = own.is_some_and(|own| own.iter().any(|option| option == "PruneLast=true"));
    // It may have begun by another one than was in force when that could be told.
    let begun = since(timeline, attempt.started, attempt.told);
    let policies = timeline.policies(begun, at);
    is_own || policies.iter().all(|policy| policy.has("PruneLast=true"))
}

fn turn(all_last: bool, object: &Value) -> Turn {
    let key = key_of(object);
    let last = all_last || has_option(object, "PruneLast=true");
    let holds = matches!(key.kind.as_str(), "Namespace" | "CustomResourceDefinition");
    (last, std::cmp::Reverse(wave(object)), holds)
}

/// Is it declared, or does something that is need it? Then it stays.
fn is_declared(timeline: &Timeline<'_>, attempt: &Attempt, key: &ResourceKey) -> bool {
    let objects = timeline.record.objects_of(&attempt.revision).unwrap_or_default();
    let mut declared = objects.iter().map(key_of);
    declared.any(|declared| declared == *key || needs(&declared, key))
}

/// The object as it was known when the operation was planned, if it was to be pruned.
fn planned<'r>(timeline: &Timeline<'r>, attempt: &Attempt, key: &ResourceKey) -> Option<&'r Value> {
    let (sent, _) = timeline.sent.get(&attempt.intent)?;
    let known = timeline.known(key, *sent)?;
    (is_ordinary(known) && is_tracked(known) && !is_declared(timeline, attempt, key)).then_some(known)
}

fn others<'r>(timeline: &Timeline<'r>, attempt: &Attempt, at: usize) -> Vec<&'r Value> {
    let wanted = attempt.sync["resources"].as_array();
    let is_selected = |key: &ResourceKey| {
        wanted.is_none_or(|all| {
            all.iter()
                .any(|one| one["kind"] == key.kind.as_str() && one["name"] == key.name.as_str())
        })
    };
    let live = timeline.all_live(at).into_iter().map(key_of).filter(is_selected);
    live.filter_map(|key| planned(timeline, attempt, &key)).collect()
}

/// Is it still there and still to go?
fn is_in_the_way(timeline: &Timeline<'_>, attempt: &Attempt, planned: &Value, at: usize) -> bool {
    let key = key_of(planned);
    let Some(live) = timeline.live(&key, at).filter(|live| uid(live) == uid(planned)) else {
        return false;
    };
    let policies = timeline.policies(attempt.told, at);
    let own = attempt.sync["syncOptions"].to_string();
    let says = |option: &str| has_option(planned, option) || has_option(live, option);
    let confirms = says("Prune=confirm")
        || own.contains("Prune=confirm")
        || policies.iter().any(|policy| policy.has("Prune=confirm"));
    let lasted = timeline.record.history[at]
        .at
        .since(timeline.record.history[attempt.begun].at);
    // Nobody confirmed it in time: it stays, and the others go on.
    // It is waited for from a moment before that is written.
    let was_given_up = confirms && lasted + MOMENT >= OBJECT.max(CONFIRMATION).min(crate::world::WAVE);
    let was_left = timeline.record.facts().take(at).any(|(_, fact)| match fact {
        Fact::Answered {
            request,
            answer: Answer::Left,
            ..
        } => timeline.sent[request].1.key == key,
        _ => false,
    });
    // Such kinds are pruned by no automated sync unless they say so, or somebody approves, which nobody does here.
    let holds_others = [
        "Namespace",
        "CustomResourceDefinition",
        "PersistentVolume",
        "PersistentVolumeClaim",
    ];
    let is_kept = attempt.automated && holds_others.contains(&key.kind.as_str()) && !says("Prune=true");
    is_tracked(live) && !says("Prune=false") && !was_given_up && !was_left && !is_kept
}

fn written_first(timeline: &Timeline<'_>, attempt: &Attempt, request: &Request, at: usize) -> Result<(), String> {
    for step in timeline
        .steps(attempt)
        .into_iter()
        .filter(|step| step.phase <= Phase::Sync)
    {
        timeline.settled(attempt, step, at).map_err(|why| {
            format!(
                "[{at}] {} goes last and is deleted, but {} {why}",
                request.key,
                key_of(step.declared)
            )
        })?;
    }
    Ok(())
}

crate::search::law!(check, crate::generate::Bias::Prunes);
