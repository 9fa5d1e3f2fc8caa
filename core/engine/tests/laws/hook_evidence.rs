//! I-HOOKEV: that a hook succeeded is taken only from the object that this attempt created, by its UID, and only after it was seen to
//! have ended well; never from an earlier one of its name.

use crate::evidence::Timeline;
use crate::history::Fact;
use crate::objects::{Health, health, is_hook, key_of, phase_of, text, uid};
use crate::world::number;

pub(crate) fn check(timeline: &Timeline<'_>) -> Result<usize, String> {
    let record = timeline.record;
    let mut found = 0;
    for (at, fact) in record.facts() {
        let Fact::Status { request, after, .. } = fact else {
            continue;
        };
        let sent = timeline.sent[request].0;
        let retry = after["operationState"]["retryCount"].as_u64().unwrap_or(0);
        let of = |one: &&crate::evidence::Attempt| (one.number, one.attempt) == (number(after), retry);
        let Some(attempt) = timeline.attempts.iter().find(of) else {
            continue;
        };
        let results = after
            .pointer("/operationState/syncResult/resources")
            .and_then(serde_json::Value::as_array);
        for result in results.into_iter().flatten() {
            if text(result, "/hookType").is_empty() || text(result, "/hookPhase") != "Succeeded" {
                continue;
            }
            let (name, phase) = (text(result, "/name"), phase_of(text(result, "/syncPhase")));
            let steps = timeline.steps(attempt);
            let step = steps.iter().find(|step| {
                let prefix = text(step.declared, "/metadata/generateName");
                let is_named = key_of(step.declared).name == name || !prefix.is_empty() && name.starts_with(prefix);
                is_hook(step.declared)
                    && Some(step.phase) == phase
                    && is_named
                    && key_of(step.declared).kind == text(result, "/kind")
                    && key_of(step.declared).namespace == text(result, "/namespace")
            });
            let Some(step) = step else {
                return Err(format!(
                    "[{at}] {name} is said to have succeeded, and is no hook of this commit"
                ));
            };
            found += 1;
            let Some(made) = timeline.created(attempt, *step, sent) else {
                return Err(format!(
                    "[{at}] {name} is said to have succeeded, and this attempt did not create it"
                ));
            };
            let told = timeline.told(&key_of(made), attempt.begun, sent);
            let is_good = |state: &&serde_json::Value| health(state).is_none_or(|health| health == Health::Good);
            if !told.iter().any(|state| uid(state) == uid(made) && is_good(state)) {
                return Err(format!("[{at}] {name} is said to have succeeded, and was not seen to"));
            }
        }
    }
    Ok(found)
}

crate::search::law!(check, crate::generate::Bias::Hooks);
