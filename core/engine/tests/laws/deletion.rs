//! L-DEL: an Application with the resources finalizer disappears once its children can: what is its own is gone by then; what is
//! others', says `Delete=false` or is a definition stays; what was left behind in a cluster may. Its PreDelete hooks succeeded before the
//! first of its objects is deleted, its PostDelete hooks begin when the last is gone, and succeeded before it goes itself. A Job that succeeded as one of these hooks is not made
//! again, over any number of crashes and though it removes itself, and none is left held. Without the finalizer none of its objects is deleted.
//!
//! What was left in another cluster stays: that nothing is asked of it there is another law (I-DEST).
//!
//! Which hooks there are the oracle takes from what is declared in every commit; how they fared, from what the controller was told.
use serde_json::Value;

use crate::consent;
use crate::evidence::Timeline;
use crate::generate::Nature;
use crate::history::{Actor, Answer, Ask, Fact, Record};
use crate::identity::is_written_as;
use crate::in_use;
use crate::objects::{
    Health, PREFIX, annotation, has_option, health, is_going, is_held, is_hook, is_ordinary, is_tracked, key_of, text,
    uid,
};

const OBJECTS: &str = "resources-finalizer.argocd.argoproj.io";
const PRE: (&str, &str) = ("PreDelete", "pre-delete-finalizer.argocd.argoproj.io");
const POST: (&str, &str) = ("PostDelete", "post-delete-finalizer.argocd.argoproj.io");

pub(crate) fn check(timeline: &Timeline<'_>) -> Result<usize, String> {
    let record = timeline.record;
    let asked = record.facts().find_map(|(at, fact)| match fact {
        Fact::DeletionAsked { application } => Some((at, application)),
        _ => None,
    });
    let Some((asked, application)) = asked.filter(|_| timeline.is_here(end(record))) else {
        return Ok(0);
    };
    let mut found = 1;
    for (at, fact) in record.facts().skip(asked) {
        match fact {
            Fact::Deleting { request, .. } if timeline.is_deleting(timeline.sent[request].0) => {
                let live = timeline.live(&timeline.sent[request].1.key, at);
                if let Some(object) = live.filter(|live| is_ordinary(live) && !is_run(live)) {
                    may_go(timeline, application, object, at).map_err(|why| format!("[{at}] {why}"))?;
                    found += 1;
                }
            }
            Fact::Written {
                by: Actor::Us,
                object,
                created: true,
                ..
            } if is_run(object) => {
                found += 1;
                is_new(timeline, object, at)?;
                if is_run_of(object, POST.0) {
                    all_gone(timeline, application, at)?;
                }
            }
            Fact::ApplicationGone => {
                found += 1;
                all_gone(timeline, application, at)?;
                hooks_succeeded(timeline, application, PRE, at)?;
                hooks_succeeded(timeline, application, POST, at)?;
                none_held(timeline, at)?;
            }
            _ => {}
        }
    }
    match record.resource.is_null() || is_held_up(timeline) {
        true => Ok(found),
        false => Err(format!(
            "the Application is still there, with {}, and nothing holds it up: {}",
            record.resource["metadata"]["finalizers"], record.resource["status"]["conditions"]
        )),
    }
}

/// Where the Application was gone; or H ends.
fn end(record: &Record) -> usize {
    let gone = record.facts().find(|(_, fact)| **fact == Fact::ApplicationGone);
    gone.map_or(record.history.len(), |(at, _)| at)
}

fn has_finalizer(application: &Value, name: &str) -> bool {
    let finalizers = application.pointer("/metadata/finalizers").and_then(Value::as_array);
    let is_it = |other: &Value| other.as_str().is_some_and(|other| other.starts_with(name));
    finalizers.is_some_and(|all| all.iter().any(is_it))
}

/// Is it a run of a hook of a deletion?
fn is_run(object: &Value) -> bool {
    [PRE, POST].iter().any(|(phase, _)| is_run_of(object, phase))
}

fn is_run_of(object: &Value, phase: &str) -> bool {
    annotation(object, "capstan.dev/operation").is_some_and(|of| of.ends_with(&format!(":delete:{phase}")))
}

/// Is it an object that is to go with its Application?
fn goes_along(object: &Value) -> bool {
    let is_definition = text(object, "/kind") == "CustomResourceDefinition";
    is_ordinary(object)
        && is_tracked(object)
        && !is_run(object)
        && !is_definition
        && !has_option(object, "Delete=false")
}

/// Is no hook of the deletion held, when nobody is left to let go of it?
fn none_held(timeline: &Timeline<'_>, at: usize) -> Result<(), String> {
    let mut held = timeline.all_live(at).into_iter();
    // Without its tracking id, which somebody took off, it is nobody's to touch.
    match held.find(|live| is_run(live) && is_tracked(live) && is_held(live)) {
        Some(held) => Err(format!("[{at}] nobody is left to let go of hook {}", key_of(held))),
        None => Ok(()),
    }
}

/// Did no Job of this name and phase succeed before? One that a person deleted does not count.
fn is_new(timeline: &Timeline<'_>, run: &Value, at: usize) -> Result<(), String> {
    let of = annotation(run, "capstan.dev/operation");
    let is_same = |object: &Value| key_of(object) == key_of(run) && annotation(object, "capstan.dev/operation") == of;
    let mut succeeded = std::collections::BTreeSet::new();
    for (_, fact) in timeline.record.facts().take(at) {
        match fact {
            Fact::Written { object, .. } if is_same(object) && health(object) == Some(Health::Good) => {
                succeeded.insert(uid(object));
            }
            Fact::Removed {
                by: Actor::Somebody,
                object,
            } => drop(succeeded.remove(uid(object))),
            _ => {}
        }
    }
    match succeeded.is_empty() {
        true => Ok(()),
        false => Err(format!("[{at}] hook {} runs again, and has succeeded", key_of(run))),
    }
}

fn may_go(timeline: &Timeline<'_>, application: &Value, object: &Value, at: usize) -> Result<(), String> {
    let key = key_of(object);
    if !has_finalizer(application, OBJECTS) {
        return Err(format!(
            "{key} is deleted, and the Application has no finalizer that says so"
        ));
    }
    if !goes_along(object) {
        return Err(format!("{key} is deleted with the Application, and is to stay"));
    }
    hooks_succeeded(timeline, application, PRE, at).map_err(|why| format!("{key} is deleted, and {why}"))
}

/// Is nothing left of what goes along?
fn all_gone(timeline: &Timeline<'_>, application: &Value, at: usize) -> Result<(), String> {
    let left = timeline.all_live(at).into_iter();
    let mut left = left.filter(|live| goes_along(live) && !is_orphan(timeline, live, at));
    match left.next().filter(|_| has_finalizer(application, OBJECTS)) {
        Some(left) => Err(format!("[{at}] the deletion goes on, and {} is there", key_of(left))),
        None => Ok(()),
    }
}

/// Was it left behind in this cluster, or restored with it from a backup of what was? Whoever comes back sees what is of kinds that are named since,
/// and nobody said that the rest is to go.
fn is_orphan(timeline: &Timeline<'_>, live: &Value, at: usize) -> bool {
    let facts = &timeline.record.history[..at];
    // What is deleted is written, too.
    let is_written = |fact: &Fact| matches!(fact, Fact::Written { by: Actor::Us, object, .. } if uid(object) == uid(live) && !is_going(object));
    let written = facts.iter().rposition(|entry| is_written(&entry.fact));
    let is_elsewhere = |fact: &Fact| matches!(fact, Fact::Destined { place } if *place != timeline.record.place);
    written.is_none_or(|written| facts[written..].iter().any(|entry| is_elsewhere(&entry.fact)))
}

/// Did every hook of this phase succeed, as the controller was told?
fn hooks_succeeded(
    timeline: &Timeline<'_>,
    application: &Value,
    (phase, finalizer): (&str, &str),
    at: usize,
) -> Result<(), String> {
    if !has_finalizer(application, finalizer) || was_over_elsewhere(timeline, finalizer, at) {
        return Ok(());
    }
    let runs: Vec<&Value> = runs(timeline, phase, at);
    for hook in hooks(timeline.record, phase) {
        let key = key_of(hook);
        let Some(run) = runs.iter().rev().find(|run| is_written_as(hook, run)) else {
            return Err(format!("{phase} hook {key} never ran"));
        };
        let told = timeline.told(&key_of(run), 0, at);
        let is_good = |state: &&Value| health(state).is_none_or(|health| health == Health::Good);
        if !told.iter().any(|state| uid(state) == uid(run) && is_good(state)) {
            return Err(format!("{phase} hook {key} was not seen to succeed"));
        }
    }
    Ok(())
}

/// Was a phase over, by its finalizer, when the Application came to this cluster on its way out? Then its hooks ran elsewhere.
fn was_over_elsewhere(timeline: &Timeline<'_>, finalizer: &str, at: usize) -> bool {
    let facts = &timeline.record.history[..at];
    let is_here = |fact: &Fact| matches!(fact, Fact::Destined { place } if *place == timeline.record.place);
    let came = facts.iter().rposition(|entry| is_here(&entry.fact)).unwrap_or(0);
    let held = facts[..came].iter().rev().find_map(|entry| match &entry.fact {
        Fact::HeldBy(finalizers) => Some(finalizers),
        _ => None,
    });
    held.is_some_and(|held| held.iter().all(|name| name != finalizer))
}

/// What was created for the hooks of a phase. A cluster that somebody restored from a backup has its runs with it, and runs them.
fn runs<'r>(timeline: &Timeline<'r>, phase: &str, to: usize) -> Vec<&'r Value> {
    let created = timeline.record.facts().take(to).filter_map(|(_, fact)| match fact {
        Fact::Written {
            by: Actor::Us | Actor::Somebody,
            object,
            created: true,
            ..
        } => Some(object),
        _ => None,
    });
    created.filter(|object| is_run_of(object, phase)).collect()
}

/// The hooks of a phase that every commit declares: whichever is the one that was synced, they are in it.
fn hooks<'r>(record: &'r Record, phase: &str) -> Vec<&'r Value> {
    let is_of = |object: &&Value| {
        let words = annotation(object, &format!("{PREFIX}hook")).unwrap_or_default();
        is_hook(object) && words.split(',').any(|word| word == phase)
    };
    let mut commits = record.commits.iter().filter_map(|(_, objects)| objects.as_ref());
    let first = commits.next().into_iter().flatten().filter(is_of);
    let all: Vec<&Vec<Value>> = commits.collect();
    first
        .filter(|hook| all.iter().all(|objects| objects.contains(hook)))
        .collect()
}

/// Is there a reason in H why it is still there: a hook that does not succeed or cannot be made, or a namespace with what is others', or was left
/// behind?
fn is_held_up(timeline: &Timeline<'_>) -> bool {
    let record = timeline.record;
    let is_unwell = |object: &&Value| is_run(object) && health(object).is_some_and(|health| health != Health::Good);
    let is_made = |ask: &Ask| matches!(ask, Ask::Create { object } if is_run(object));
    let was_refused = record.facts().any(|(at, fact)| match fact {
        Fact::Answered {
            request,
            answer: Answer::Refused,
            ..
        } => timeline.is_deleting(at) && is_made(&timeline.sent[request].1.ask),
        _ => false,
    });
    let is_in_the_way = |object: &&Value| is_hook(object) && !is_tracked(object);
    let namespaces = record
        .objects
        .iter()
        .filter(|object| text(object, "/kind") == "Namespace");
    let is_shared = |namespace: &Value| {
        let contents = in_use::contents(&key_of(namespace), &record.objects);
        let end = record.history.len();
        contents
            .into_iter()
            .any(|object| !goes_along(object) || is_orphan(timeline, object, end))
    };
    if has_finalizer(&record.resource, OBJECTS) && is_unapproved(timeline) {
        return true;
    }
    let is_at = |finalizer: &str| has_finalizer(&record.resource, finalizer);
    let hooks_hold = is_at(PRE.1) || !is_at(OBJECTS) && is_at(POST.1);
    match hooks_hold {
        true => {
            was_refused
                || record
                    .objects
                    .iter()
                    .any(|object| is_unwell(&object) || is_in_the_way(&object))
                || fails(record)
        }
        // What a hook left goes, too.
        false => namespaces.filter(|namespace| is_tracked(namespace)).any(is_shared),
    }
}

/// Does something say `Delete=confirm`, and nobody did?
fn is_unapproved(timeline: &Timeline<'_>) -> bool {
    let end = timeline.record.history.len();
    let asked = timeline.record.history.iter().find_map(|entry| match entry.fact {
        Fact::DeletionAsked { .. } => Some(entry.at.truncated()),
        _ => None,
    });
    let is_approved = timeline.approval(end).is_some_and(|given| Some(given) >= asked);
    !is_approved && !consent::waiting(timeline, end).is_empty()
}

/// Is there a hook of the deletion whose Job never ends well, whichever commit it is of?
fn fails(record: &Record) -> bool {
    let of_deletion = |object: &&Value| {
        let words = annotation(object, &format!("{PREFIX}hook")).unwrap_or_default();
        is_hook(object) && words.split(',').any(|word| word == PRE.0 || word == POST.0)
    };
    let mut hooks = record.commits.iter().flat_map(|(_, objects)| objects.iter().flatten());
    hooks.any(|object| {
        let nature = record.case.nature(&name_of(object));
        let never = matches!(nature, Nature::Fails | Nature::Silent | Nature::Recovers);
        of_deletion(&object) && text(object, "/kind") == "Job" && never
    })
}

/// Its name, or what that begins with.
fn name_of(hook: &Value) -> String {
    let metadata = &hook["metadata"];
    let name = metadata["name"].as_str().or(metadata["generateName"].as_str());
    name.unwrap_or_default().to_owned()
}

crate::search::law!(check, crate::generate::Bias::Prunes);
