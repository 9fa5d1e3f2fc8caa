//! What the objects say that were written, and which hooks ran: each option, policy and odd word of the generator has its effect in some runs.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::evidence::Timeline;
use crate::history::{Actor, Fact};
use crate::objects::{PREFIX, annotation, has_option, is_going, is_hook, is_ordinary, text};

/// States, and of how many runs in a thousand at least.
pub(super) const FLOORS: [(&str, usize); 21] = [
    ("hook: BeforeHookCreation,HookSucceeded", 30),
    ("hook: HookFailed", 20),
    ("hook: HookSucceeded", 30),
    ("hook: an earlier run made room", 40),
    ("hook: of two phases", 25),
    ("hook: without a name", 20),
    ("kept by Delete=false", 3),
    ("says Delete=confirm", 50),
    ("says Delete=false", 50),
    ("says Force=true", 50),
    ("says Prune=confirm", 60),
    ("says Prune=false", 50),
    ("says Prune=true", 50),
    ("says PruneLast=true", 60),
    ("says Replace=true", 50),
    ("says ServerSideApply=true", 50),
    ("says SkipDryRunOnMissingResource=true", 50),
    ("says Validate=false", 50),
    ("taken away by somebody", 20),
    ("wave that is no number", 100),
    ("with a finalizer of others", 100),
];

pub(super) fn reached(timeline: &Timeline<'_>) -> BTreeSet<&'static str> {
    let mut reached = BTreeSet::new();
    for (_, fact) in timeline.record.facts() {
        match fact {
            Fact::Written {
                by: Actor::Us,
                object,
                created,
                ..
            } if !is_going(object) => {
                of_ordinary(object, &mut reached);
                if *created && is_hook(object) {
                    of_hook(object, &mut reached);
                }
            }
            Fact::Removed {
                by: Actor::Us, object, ..
            } if is_hook(object) && policies(object).is_empty() => {
                reached.insert("hook: an earlier run made room");
            }
            Fact::Removed {
                by: Actor::Somebody,
                object,
            } if is_ordinary(object) => {
                reached.insert("taken away by somebody");
            }
            _ => {}
        }
    }
    reached
}

fn of_ordinary(object: &Value, reached: &mut BTreeSet<&'static str>) {
    let options = FLOORS.iter().map(|(state, _)| *state);
    let said = options.filter(|state| {
        let option = state.strip_prefix("says ");
        option.is_some_and(|option| has_option(object, option))
    });
    reached.extend(said);
    let wave = annotation(object, &format!("{PREFIX}sync-wave"));
    if wave.is_some_and(|wave| !wave.is_empty() && wave.parse::<i64>().is_err()) {
        reached.insert("wave that is no number");
    }
    let finalizers = object.pointer("/metadata/finalizers").and_then(Value::as_array);
    let is_others = |name: &Value| !name.as_str().unwrap_or_default().starts_with("argocd");
    if finalizers.is_some_and(|all| all.iter().any(is_others)) {
        reached.insert("with a finalizer of others");
    }
}

fn policies(hook: &Value) -> &str {
    annotation(hook, &format!("{PREFIX}hook-delete-policy")).unwrap_or_default()
}

fn of_hook(hook: &Value, reached: &mut BTreeSet<&'static str>) {
    match policies(hook) {
        "HookSucceeded" => drop(reached.insert("hook: HookSucceeded")),
        "HookFailed" => drop(reached.insert("hook: HookFailed")),
        "BeforeHookCreation,HookSucceeded" => drop(reached.insert("hook: BeforeHookCreation,HookSucceeded")),
        _ => {}
    }
    if annotation(hook, &format!("{PREFIX}hook")).is_some_and(|words| words.contains(',')) {
        reached.insert("hook: of two phases");
    }
    // Its name says in which phase it runs, and in which attempt.
    let name = text(hook, "/metadata/name");
    let says = |phase: &str| name.contains(&format!("-{phase}-"));
    if ["presync", "sync", "postsync", "syncfail"].into_iter().any(says) {
        reached.insert("hook: without a name");
    }
}
