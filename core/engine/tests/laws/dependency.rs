//! I-DEP: no custom resource before its definition is established, and no object before the namespace that the same source declares; and
//! neither a definition nor a namespace is deleted while the commit of the operation declares objects that need it, nor while anything lives in
//! it that is not to go ([`in_use`](crate::in_use)).

use capstan_model::ResourceKey;
use serde_json::Value;

use crate::evidence::Timeline;
use crate::history::{Actor, Fact, Request};
use crate::objects::{HOME, Health, health, is_ordinary, key_of, uid};

pub(crate) fn check(timeline: &Timeline<'_>) -> Result<usize, String> {
    let mut found = crate::in_use::check(timeline)?;
    for (at, request) in timeline.requests() {
        let Some(object) = request.ask.written().filter(|_| !timeline.is_deleting(at)) else {
            continue;
        };
        if request.key.kind == "Widget" {
            found += 1;
            let definition = ResourceKey::new(
                "apiextensions.k8s.io",
                "CustomResourceDefinition",
                "",
                "widgets.example.com",
            );
            if timeline.live(&definition, at).and_then(health) != Some(Health::Good)
                && !is_going(timeline, &definition, at)
            {
                return Err(format!(
                    "[{at}] {} was written, and its definition is not established",
                    request.key
                ));
            }
        }
        let namespace = &request.key.namespace;
        if namespace != HOME && !namespace.is_empty() && must_come_first(timeline, request, object, namespace) {
            found += 1;
            let key = ResourceKey::new("", "Namespace", "", namespace);
            if !is_thought_there(timeline, &key, at) {
                return Err(format!(
                    "[{at}] {} was written, and its namespace is not there",
                    request.key
                ));
            }
        }
    }
    for (at, fact) in timeline.record.facts() {
        if let Fact::Deleting { request, .. } = fact
            && !timeline.is_deleting(at)
        {
            found += is_needed_no_longer(timeline, timeline.sent[request].1).map_err(|why| format!("[{at}] {why}"))?;
        }
    }
    Ok(found)
}

/// A namespace, or a definition, that is deleted. One that is declared itself is made anew.
fn is_needed_no_longer(timeline: &Timeline<'_>, request: &Request) -> Result<usize, String> {
    let key = &request.key;
    let attempt = timeline.attempt(request);
    let declared = attempt.and_then(|attempt| timeline.record.objects_of(&attempt.revision));
    let declared: Vec<ResourceKey> = declared.into_iter().flatten().map(key_of).collect();
    if declared.contains(key) {
        return Ok(0);
    }
    match declared.iter().find(|user| needs(user, key)) {
        Some(user) => Err(format!("{key} is deleted, and {user} is declared")),
        None => Ok(usize::from(matches!(
            key.kind.as_str(),
            "Namespace" | "CustomResourceDefinition"
        ))),
    }
}

/// Does it live in that namespace, or is it of the kind which that defines?
pub(crate) fn needs(user: &ResourceKey, holder: &ResourceKey) -> bool {
    match holder.kind.as_str() {
        "Namespace" => user.namespace == holder.name,
        "CustomResourceDefinition" => user.kind == "Widget",
        _ => false,
    }
}

/// It was established, and somebody deletes it: that the controller is told only later.
fn is_going(timeline: &Timeline<'_>, key: &ResourceKey, at: usize) -> bool {
    timeline.live(key, at).is_some_and(crate::objects::is_going)
}

/// Does every commit that this write can be of declare the namespace, too? Where the operation is known, its own commit.
fn must_come_first(timeline: &Timeline<'_>, request: &Request, object: &Value, namespace: &str) -> bool {
    // What nothing was recorded of runs no hook.
    let declares = |objects: &[Value]| {
        let ordinary = objects.iter().filter(|object| is_ordinary(object));
        ordinary
            .map(key_of)
            .any(|key| key.kind == "Namespace" && key.name == namespace)
    };
    if let Some(attempt) = timeline.attempt(request) {
        let mut steps = timeline.steps(attempt).into_iter().map(|step| key_of(step.declared));
        return steps.any(|key| key.kind == "Namespace" && key.name == namespace);
    }
    let commits = timeline
        .record
        .commits
        .iter()
        .filter_map(|(_, objects)| objects.as_ref());
    let mut of = commits
        .filter(|objects| objects.iter().any(|declared| crate::pinned::is_copy(declared, object)))
        .peekable();
    of.peek().is_some() && of.all(|objects| declares(objects))
}

/// Is it there, or gone without the controller having been told, or taken away by somebody after it was there? What was written into it is
/// written again then, and the API says what is missing.
fn is_thought_there(timeline: &Timeline<'_>, key: &ResourceKey, at: usize) -> bool {
    if timeline.live(key, at).is_some() {
        return true;
    }
    let last = timeline.record.facts().take(at).filter_map(|(_, fact)| match fact {
        Fact::Removed { object, .. } if key_of(object) == *key => Some(uid(object).to_owned()),
        _ => None,
    });
    let Some(last) = last.last() else { return false };
    let is_taken = |fact: &Fact| matches!(fact, Fact::Written { by: Actor::Somebody, object, .. } if uid(object) == last && crate::objects::is_going(object));
    if timeline.record.facts().take(at).any(|(_, fact)| is_taken(fact)) {
        return true;
    }
    let was_told = |fact: &Fact| matches!(fact, Fact::SeenGone { uid, .. } if *uid == last);
    !timeline.record.facts().take(at).any(|(_, fact)| was_told(fact))
}

crate::search::law!(check, crate::generate::Bias::Order);
