//! I-AMB: after a write of which nobody knows what became of it, the next request for that object is a read, or one that can be repeated
//! (server-side apply, or a write that insists on what was read); never another create; and a hook is not called failed before it was
//! looked at.

use std::collections::BTreeMap;

use capstan_model::ResourceKey;
use serde_json::Value;

use crate::evidence::Timeline;
use crate::history::{Answer, Ask, Fact, Request};
use crate::objects::text;
use crate::world::OBJECT;

pub(crate) fn check(timeline: &Timeline<'_>) -> Result<usize, String> {
    let record = timeline.record;
    let mut unclear: BTreeMap<ResourceKey, usize> = BTreeMap::new();
    let mut found = 0;
    for (at, fact) in record.facts() {
        match fact {
            Fact::Answered {
                request,
                answer: Answer::Unknown,
                ..
            } => {
                let (_, request) = timeline.sent[request];
                if is_unclear(timeline, request, at) {
                    unclear.insert(request.key.clone(), at);
                }
            }
            Fact::Answered {
                request,
                answer: Answer::Done,
                ..
            } if timeline.sent[request].1.ask == Ask::Read => {
                unclear.remove(&timeline.sent[request].1.key);
            }
            // What became of a delete was seen since.
            Fact::Seen { key, .. } | Fact::SeenGone { key, .. }
                if unclear
                    .get(key)
                    .is_some_and(|since| is_delete_answered(timeline, *since)) =>
            {
                unclear.remove(key);
            }
            // Whoever comes after a crash looks at everything first; and whoever comes back to a cluster is given complete lists.
            Fact::Died | Fact::Terminated => unclear.clear(),
            Fact::Listed { kind, .. } if timeline.has_moved(at) => unclear.retain(|key, _| key.group_kind() != *kind),
            Fact::Sent(request) => {
                if !unclear.contains_key(&request.key) {
                    continue;
                }
                found += 1;
                if matches!(request.ask, Ask::Create { .. }) {
                    return Err(format!(
                        "[{at}] {} is created again, and nobody knows whether it was",
                        request.key
                    ));
                }
                if request.ask != Ask::Read && request.ask.is_mutating() {
                    unclear.remove(&request.key);
                }
            }
            Fact::Status { request, after, .. } if timeline.is_here(timeline.sent[request].0) => {
                let given_up = failed_hooks(after).into_iter().find(|key| {
                    let since = unclear.get(key).filter(|since| is_create_answered(timeline, **since));
                    since.is_some_and(|since| record.history[at].at.since(record.history[*since].at) < OBJECT)
                });
                if let Some(key) = given_up {
                    return Err(format!("[{at}] {key} is called failed, and nobody looked"));
                }
            }
            _ => {}
        }
    }
    Ok(found)
}

/// Does it matter whether this was carried out? What lets a hook go can be repeated, and says nothing of how it ended; and what is known to be
/// gone was deleted.
fn is_unclear(timeline: &Timeline<'_>, request: &Request, at: usize) -> bool {
    let is_gone = request.ask == Ask::Delete && timeline.known(&request.key, at).is_none();
    request.ask.is_mutating() && request.ask != Ask::Release && !is_gone
}

fn is_delete_answered(timeline: &Timeline<'_>, at: usize) -> bool {
    asked(timeline, at).is_some_and(|ask| *ask == Ask::Delete)
}

fn is_create_answered(timeline: &Timeline<'_>, at: usize) -> bool {
    asked(timeline, at).is_some_and(|ask| matches!(ask, Ask::Create { .. }))
}

/// What is answered there.
fn asked<'t>(timeline: &'t Timeline<'_>, at: usize) -> Option<&'t Ask> {
    match &timeline.record.history[at].fact {
        Fact::Answered { request, .. } => Some(&timeline.sent[request].1.ask),
        _ => None,
    }
}

fn failed_hooks(status: &Value) -> Vec<ResourceKey> {
    let results = status
        .pointer("/operationState/syncResult/resources")
        .and_then(Value::as_array);
    let failed = results
        .into_iter()
        .flatten()
        .filter(|one| !text(one, "/hookType").is_empty() && one["hookPhase"] == "Failed");
    let key = |one: &Value| {
        let [group, kind, namespace, name] = ["/group", "/kind", "/namespace", "/name"].map(|at| text(one, at));
        ResourceKey::new(group, kind, namespace, name)
    };
    failed.map(key).collect()
}

crate::search::law!(check, crate::generate::Bias::Hooks);
