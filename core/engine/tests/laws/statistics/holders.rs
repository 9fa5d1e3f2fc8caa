//! What holds others, or data: what lived in it when it was to go, and which hooks were such objects. And hooks whose names begin alike.

use std::collections::{BTreeMap, BTreeSet};

use capstan_model::ResourceKey;
use serde_json::Value;

use crate::evidence::Timeline;
use crate::history::{Actor, Answer, Fact};
use crate::identity::{is_written_as, phase_written};
use crate::in_use::{contents, has_contents, is_holder, is_inside};
use crate::objects::{PREFIX, annotation, is_going, is_hook, is_owned, is_tracked, key_of, text};

/// States, and of how many runs in a thousand at least.
pub(super) const FLOORS: [(&str, usize); 15] = [
    ("foreign: in a brought namespace", 20),
    ("foreign: of a brought kind", 15),
    ("foreign: holds a prune", 6),
    ("foreign: holds a hook", 3),
    ("foreign: holds a cascade", 4),
    ("foreign: went by a person's word", 3),
    ("holder: hook that is a Namespace", 30),
    ("holder: hook that is a CustomResourceDefinition", 15),
    ("holder: hook that is a PersistentVolumeClaim", 30),
    ("holder: hook with contents", 3),
    ("holder: hook with contents, BeforeHookCreation", 3),
    ("holder: hook with contents, HookSucceeded", 3),
    ("holder: hook with contents, HookFailed", 3),
    ("holder: hook deleted by its policy", 15),
    ("hook: of two that begin alike", 8),
];

pub(super) fn reached(timeline: &Timeline<'_>) -> BTreeSet<&'static str> {
    let mut reached = BTreeSet::new();
    let mut alike: BTreeMap<(u64, u64, String), BTreeSet<String>> = BTreeMap::new();
    for (at, fact) in timeline.record.facts() {
        match fact {
            Fact::Written {
                by: Actor::Somebody,
                object,
                created: true,
                ..
            } => of_foreign(timeline, object, at, &mut reached),
            Fact::Written {
                by: Actor::Us,
                request: Some(request),
                object,
                created,
            } if is_hook(object) && !is_going(object) => {
                of_hook(timeline, object, at, &mut reached);
                if *created && let Some((of, name)) = begins_as(timeline, *request, object) {
                    alike.entry(of).or_default().insert(name);
                }
            }
            Fact::Answered {
                request,
                answer: Answer::Left,
                ..
            } => of_refusal(
                timeline,
                &timeline.sent[request].1.key,
                timeline.sent[request].0,
                at,
                &mut reached,
            ),
            Fact::Deleting { request, .. } => of_delete(timeline, &timeline.sent[request].1.key, at, &mut reached),
            _ => {}
        }
    }
    if alike.values().any(|names| names.len() > 1) {
        reached.insert("hook: of two that begin alike");
    }
    reached
}

/// Attempt, phase and what the name of a hook without one begins with; and its name.
fn begins_as(timeline: &Timeline<'_>, request: u64, object: &Value) -> Option<((u64, u64, String), String)> {
    let attempt = timeline.attempt(timeline.sent[&request].1)?;
    let mut declared = timeline.record.objects_of(&attempt.revision)?.iter();
    let declared = declared.find(|declared| is_written_as(declared, object))?;
    let prefix = text(declared, "/metadata/generateName");
    let of = format!("{prefix} {:?}", phase_written(object));
    (!prefix.is_empty()).then(|| {
        (
            (attempt.number, attempt.attempt, of),
            text(object, "/metadata/name").to_owned(),
        )
    })
}

fn holders() -> [(ResourceKey, &'static str); 2] {
    let definition = (
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        "widgets.example.com",
    );
    [
        (
            ResourceKey::new("", "Namespace", "", "team"),
            "foreign: in a brought namespace",
        ),
        (
            ResourceKey::new(definition.0, definition.1, "", definition.2),
            "foreign: of a brought kind",
        ),
    ]
}

fn of_foreign(timeline: &Timeline<'_>, object: &Value, at: usize, reached: &mut BTreeSet<&'static str>) {
    for (key, state) in holders() {
        let is_brought = timeline.live(&key, at).is_some_and(is_tracked);
        if is_brought && is_inside(&key, object) && is_foreign(object) {
            reached.insert(state);
        }
    }
}

fn is_foreign(object: &Value) -> bool {
    !is_tracked(object) && !is_owned(object)
}

fn has_foreign(timeline: &Timeline<'_>, key: &ResourceKey, at: usize) -> bool {
    has_contents(key) && contents(key, timeline.all_live(at)).into_iter().any(is_foreign)
}

fn of_hook(timeline: &Timeline<'_>, object: &Value, at: usize, reached: &mut BTreeSet<&'static str>) {
    let key = key_of(object);
    if !is_holder(&key) {
        return;
    }
    reached.insert(match key.kind.as_str() {
        "Namespace" => "holder: hook that is a Namespace",
        "CustomResourceDefinition" => "holder: hook that is a CustomResourceDefinition",
        _ => "holder: hook that is a PersistentVolumeClaim",
    });
    if contents(&key, timeline.all_live(at)).is_empty() {
        return;
    }
    reached.insert(match annotation(object, &format!("{PREFIX}hook-delete-policy")) {
        Some("BeforeHookCreation") => "holder: hook with contents, BeforeHookCreation",
        Some("HookFailed") => "holder: hook with contents, HookFailed",
        Some(policy) if policy.contains("HookSucceeded") => "holder: hook with contents, HookSucceeded",
        _ => "holder: hook with contents",
    });
}

/// A delete was refused at the last look.
fn of_refusal(
    timeline: &Timeline<'_>,
    key: &ResourceKey,
    sent: usize,
    at: usize,
    reached: &mut BTreeSet<&'static str>,
) {
    let Some(object) = timeline.live(key, at).filter(|_| has_foreign(timeline, key, at)) else {
        return;
    };
    reached.insert(match () {
        () if timeline.is_deleting(sent) => "foreign: holds a cascade",
        () if is_hook(object) => "foreign: holds a hook",
        () => "foreign: holds a prune",
    });
}

fn of_delete(timeline: &Timeline<'_>, key: &ResourceKey, at: usize, reached: &mut BTreeSet<&'static str>) {
    let Some(object) = timeline.live(key, at).filter(|_| is_holder(key)) else {
        return;
    };
    if has_foreign(timeline, key, at) {
        reached.insert("foreign: went by a person's word");
    }
    if is_hook(object) && !timeline.is_deleting(at) {
        reached.insert("holder: hook deleted by its policy");
    }
}
