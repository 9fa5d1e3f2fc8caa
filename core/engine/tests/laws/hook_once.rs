//! I-HOOK1: for each operation, attempt and hook there is at most one creation in H, over any number of crashes, lost answers and
//! leaders (a person who deletes the hook meanwhile aside); and the name of a hook without one follows from the operation, the attempt and the hook, and is of no other.

use std::collections::BTreeMap;

use capstan_model::ResourceKey;

use crate::evidence::Timeline;
use crate::history::{Actor, Ask, Fact};
use crate::identity::{content, is_written_as, phase_written};
use crate::objects::{Phase, key_of, text, uid};

/// A hook of one attempt: number and attempt, phase, and how it is declared.
type Identity = (u64, u64, Option<Phase>, Declared);

/// With a name, that; without, what it begins with, and what is in it: several may begin alike. Another kind or namespace is another hook.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Declared {
    Named(ResourceKey),
    Unnamed(String),
}

pub(crate) fn check(timeline: &Timeline<'_>) -> Result<usize, String> {
    let record = timeline.record;
    let mut made: BTreeMap<Identity, usize> = BTreeMap::new();
    let mut of: BTreeMap<String, Identity> = BTreeMap::new();
    let mut names: BTreeMap<Identity, String> = BTreeMap::new();
    let mut owners: BTreeMap<String, Identity> = BTreeMap::new();
    for (at, fact) in record.facts() {
        match fact {
            Fact::Written {
                by: Actor::Us,
                request: Some(request),
                object,
                created: true,
            } if phase_written(object).is_some() => {
                let identity = identity(timeline, *request, object).ok_or_else(|| {
                    format!(
                        "[{at}] {} was created and no operation was recorded before",
                        key_of(object)
                    )
                })?;
                of.insert(uid(object).to_owned(), identity.clone());
                let times = made.entry(identity).or_default();
                *times += 1;
                if *times > 1 {
                    return Err(format!("[{at}] {} was created twice in one attempt", key_of(object)));
                }
            }
            // A Job that a person deletes while nobody knows whether it was created cannot be told from one that never was.
            Fact::Removed {
                by: Actor::Somebody,
                object,
            } => {
                if let Some(identity) = of.get(uid(object)) {
                    made.remove(identity);
                }
            }
            Fact::Sent(request) => {
                let Ask::Create { object } = &request.ask else { continue };
                let Some(identity) = identity(timeline, request.number, object) else {
                    continue;
                };
                let name = key_of(object).to_string();
                let first = names.entry(identity.clone()).or_insert_with(|| name.clone());
                if *first != name {
                    return Err(format!(
                        "[{at}] the same hook of the same attempt is called {first} and {name}"
                    ));
                }
                let is_unnamed = matches!(identity.3, Declared::Unnamed(_));
                let owner = owners.entry(name.clone()).or_insert_with(|| identity.clone());
                if is_unnamed && *owner != identity {
                    return Err(format!("[{at}] {name} is of two attempts"));
                }
            }
            _ => {}
        }
    }
    Ok(made.len())
}

fn identity(timeline: &Timeline<'_>, request: u64, object: &serde_json::Value) -> Option<Identity> {
    let attempt = timeline.attempt(timeline.sent[&request].1)?;
    let objects = timeline.record.objects_of(&attempt.revision)?;
    let declared = objects.iter().find(|declared| is_written_as(declared, object))?;
    let key = key_of(declared);
    let name = match text(declared, "/metadata/generateName") {
        "" => Declared::Named(key),
        prefix => Declared::Unnamed(format!("{}/{}/{prefix} {}", key.kind, key.namespace, content(declared))),
    };
    Some((attempt.number, attempt.attempt, phase_written(object), name))
}

crate::search::law!(check, crate::generate::Bias::Hooks);
