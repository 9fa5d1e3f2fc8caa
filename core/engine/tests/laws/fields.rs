//! I-FIELD: what is others' is left to them. With `RespectIgnoreDifferences=true` a field that is not compared is written as it is live;
//! with `FailOnSharedResource=true` a sync writes nothing at all where another application tracks something of it, and nothing writes an object
//! that became another's since.

use serde_json::Value;

use crate::evidence::{Attempt, Timeline, first_writes};
use crate::history::Request;
use crate::objects::{PREFIX, annotation, is_contested, key_of};

const FAILS: &str = "FailOnSharedResource=true";

pub(crate) fn check(timeline: &Timeline<'_>) -> Result<usize, String> {
    let mut found = 0;
    for (at, request) in timeline.requests() {
        if request.ask.written().is_some() && timeline.policy(at).has(FAILS) {
            found += 1;
            if timeline.known(&request.key, at).is_some_and(is_another_s) {
                return Err(format!(
                    "[{at}] {} is written, and is another application's",
                    request.key
                ));
            }
        }
        if let Some(object) = request.ask.written().filter(|object| is_contested(object)) {
            found += left_as_it_is(timeline, request, object, at).map_err(|why| format!("[{at}] {why}"))?;
        }
    }
    for (at, request, attempt, _) in first_writes(timeline) {
        let (planned, _) = timeline.sent[&attempt.intent];
        if !is_said(timeline, &attempt, FAILS, planned) {
            continue;
        }
        found += 1;
        if let Some(shared) = shared(timeline, &attempt, planned) {
            return Err(format!(
                "[{at}] {} is written, and {} is another application's",
                request.key,
                key_of(shared)
            ));
        }
    }
    Ok(found)
}

/// Is this one of the operation's options, its own or the application's?
fn is_said(timeline: &Timeline<'_>, attempt: &Attempt, option: &str, at: usize) -> bool {
    attempt.sync["syncOptions"].to_string().contains(option) || timeline.policy(at).has(option)
}

/// The replicas that somebody keeps changing.
fn left_as_it_is(timeline: &Timeline<'_>, request: &Request, object: &Value, at: usize) -> Result<usize, String> {
    let policy = timeline.policy(at);
    let attempt = timeline.attempt(request);
    let option = "RespectIgnoreDifferences=true";
    let is_respected = policy.has(option) || attempt.is_some_and(|attempt| is_said(timeline, attempt, option, at));
    let known = timeline.known(&request.key, at);
    // An object without any tracking id is not kept whole: what stands in its fields is not known where it is written.
    let known = known.filter(|known| annotation(known, &format!("{PREFIX}tracking-id")).is_some());
    let Some(known) = known.filter(|_| policy.ignores && is_respected) else {
        return Ok(0);
    };
    let replicas = |object: &Value| object["spec"]["replicas"].clone();
    match replicas(known) == replicas(object) {
        true => Ok(1),
        false => Err(format!(
            "{} is written with {} replicas, has {}, and they are not ours",
            request.key,
            replicas(object),
            replicas(known)
        )),
    }
}

/// Something that the operation declares, and that was another's as far as was known when it was planned.
fn shared<'r>(timeline: &Timeline<'r>, attempt: &Attempt, planned: usize) -> Option<&'r Value> {
    let objects = timeline.record.objects_of(&attempt.revision)?;
    objects.iter().find_map(|declared| {
        let known = timeline.known(&key_of(declared), planned)?;
        is_another_s(known).then_some(known)
    })
}

fn is_another_s(object: &Value) -> bool {
    let id = annotation(object, &format!("{PREFIX}tracking-id")).unwrap_or_default();
    id.starts_with("other:")
}

crate::search::law!(check, crate::generate::Bias::People);
