//! I-TRACK: whatever is deleted carried this application's tracking id, on itself, in the very read that the DELETE insists on; an
//! ordinary object is in no commit's render that the operation is for, and does not say `Prune=false`. The one exception is an object
//! that is made anew (`Force=true`), after the API refused to change it. And what another object owns is neither deleted nor counted,
//! even where it carries such an id.

use serde_json::Value;

use crate::evidence::{Attempt, Timeline};
use crate::history::{Answer, Fact, Request};
use crate::objects::{annotation, has_option, is_child, is_hook, is_owned, is_tracked, key_of, text};

pub(crate) fn check(timeline: &Timeline<'_>) -> Result<usize, String> {
    let record = timeline.record;
    let mut found = 0;
    for (at, fact) in record.facts() {
        if let Fact::Status { after, .. } = fact {
            found += counts_no_child(timeline, after, at)?;
        }
        let Fact::Deleting { request, read, .. } = fact else {
            continue;
        };
        let (_, request) = timeline.sent[request];
        let Some(object) = read.1.parse().ok().and_then(|version| timeline.state(version)) else {
            return Err(format!("[{at}] {} is deleted, and was not read", request.key));
        };
        found += 1;
        if !is_tracked(object) {
            return Err(format!(
                "[{at}] {} is deleted, and is not tracked by this application",
                request.key
            ));
        }
        let is_hook = is_hook(object) || annotation(object, "capstan.dev/operation").is_some();
        if !is_hook && !timeline.is_deleting(timeline.sent[&request.number].0) {
            may_go(timeline, request, object, at)?;
        }
    }
    Ok(found)
}

/// What a controller of the cluster made for an object is not of the application, whatever id it carries.
fn counts_no_child(timeline: &Timeline<'_>, status: &Value, at: usize) -> Result<usize, String> {
    let rows = status["resources"].as_array().map(Vec::as_slice).unwrap_or_default();
    match rows.iter().find(|row| is_child(text(row, "/kind"))) {
        Some(row) => Err(format!(
            "[{at}] the owned {} {} is counted",
            text(row, "/kind"),
            text(row, "/name")
        )),
        None => Ok(timeline
            .all_live(at)
            .into_iter()
            .filter(|live| is_owned(live))
            .count()
            .min(1)),
    }
}

fn may_go(timeline: &Timeline<'_>, request: &Request, object: &Value, at: usize) -> Result<(), String> {
    let key = &request.key;
    let attempt = timeline.attempt(request);
    let declared = attempt.and_then(|attempt| declared(timeline, attempt, request));
    let is_forced = |attempt: &Attempt| attempt.sync["syncStrategy"]["hook"]["force"] == true;
    let was_refused = timeline.record.facts().take(at).any(|(_, fact)| match fact {
        Fact::Answered {
            request,
            answer: Answer::Refused,
            ..
        } => timeline.sent[request].1.key == *key,
        _ => false,
    });
    match (attempt, declared) {
        (Some(attempt), Some(declared))
            if (is_forced(attempt) || has_option(declared, "Force=true")) && was_refused =>
        {
            Ok(())
        }
        (_, Some(_)) => Err(format!("[{at}] {key} is deleted, and is declared")),
        (None, None) if was_refused && makes_anew(timeline, request) => Ok(()),
        (None, None) => Err(format!(
            "[{at}] {key} is deleted, and no operation was recorded before that"
        )),
        (Some(_), None) if has_option(object, "Prune=false") => {
            Err(format!("[{at}] {key} is deleted, and says Prune=false"))
        }
        (Some(attempt), None) if attempt.sync["prune"] != true => {
            Err(format!("[{at}] {key} is deleted, and the operation does not prune"))
        }
        (Some(attempt), None) => match timeline.record.objects_of(&attempt.revision) {
            Some(_) => Ok(()),
            None => Err(format!("[{at}] {key} is deleted, and its commit cannot be rendered")),
        },
    }
}

fn declared<'r>(timeline: &Timeline<'r>, attempt: &Attempt, request: &Request) -> Option<&'r Value> {
    let objects = timeline.record.objects_of(&attempt.revision)?;
    // What is declared as a hook now goes as what leaves.
    objects
        .iter()
        .find(|declared| key_of(declared) == request.key && !is_hook(declared))
}

/// A sync of one wave is not recorded before it writes; every commit that it may be of says `Force=true` of the object.
fn makes_anew(timeline: &Timeline<'_>, request: &Request) -> bool {
    let commits = timeline
        .record
        .commits
        .iter()
        .filter_map(|(_, objects)| objects.as_ref());
    let of = commits.flat_map(|objects| objects.iter().filter(|declared| key_of(declared) == request.key));
    of.into_iter().any(|declared| has_option(declared, "Force=true"))
}

crate::search::law!(check, crate::generate::Bias::Prunes);
