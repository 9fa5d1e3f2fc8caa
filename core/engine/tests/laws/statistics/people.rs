//! What people and others did to the Application, to the history of its source, and to what lives: which of that was reached.

use std::collections::{BTreeMap, BTreeSet};

use capstan_model::ResourceKey;
use serde_json::Value;

use crate::evidence::{Attempt, Timeline};
use crate::generate::{Follow, Spec};
use crate::history::{Actor, Answer, Ask, Fact, Request, follows};
use crate::objects::{Health, has_option, health, is_contested, is_going, is_hook, is_ordinary, key_of, text, uid};
use crate::world;

/// States, and of how many runs in a thousand at least. That each field of the spec is edited is `enumerate`'s to hold, too.
pub(super) const FLOORS: [(&str, usize); 36] = [
    ("allowEmpty edited", 1),
    ("automated switched off", 12),
    ("automated switched on", 1),
    ("back to the branch", 5),
    ("branch back", 8),
    ("branch gone", 8),
    ("branch rewritten", 15),
    ("commit gone", 3),
    ("deleted by Delete=confirm", 1),
    ("field written as it is live", 15),
    ("fight", 3),
    ("health of an earlier generation", 80),
    ("health that comes and goes", 3),
    ("held: rewritten history", 5),
    ("ignoreDifferences edited", 4),
    ("moved to another namespace", 3),
    ("namespace that ends", 1),
    ("of another kind", 4),
    ("pinned", 20),
    ("pinned commit synced", 6),
    ("pruned after a rewritten history", 1),
    ("pruned by Prune=confirm", 1),
    ("pruned by Prune=confirm of the application", 3),
    ("quota exceeded", 2),
    ("renamed", 30),
    ("retry edited", 1),
    ("rollback", 4),
    ("rollback refused", 4),
    ("rollback while automated", 1),
    ("selfHeal edited", 1),
    ("shared resource", 2),
    ("spec edited", 50),
    ("spec edited in an operation", 12),
    ("syncOptions edited", 3),
    ("tag gone", 2),
    ("waits for Delete=confirm", 8),
];

pub(super) fn reached(timeline: &Timeline<'_>) -> BTreeSet<&'static str> {
    let mut reached = BTreeSet::new();
    of_specs(timeline, &mut reached);
    of_branch(timeline, &mut reached);
    of_attempts(timeline, &mut reached);
    of_lives(timeline, &mut reached);
    for (at, fact) in timeline.record.facts() {
        match fact {
            Fact::RollbackRefused => {
                reached.insert("rollback refused");
            }
            Fact::Status { after, .. } => of_status(after, &mut reached),
            Fact::Removed { by: Actor::Us, object } if is_ordinary(object) => {
                of_removal(timeline, object, at, &mut reached);
            }
            Fact::Answered {
                request,
                answer: Answer::Refused,
                ..
            } => of_refusal(timeline, timeline.sent[request].1, at, &mut reached),
            Fact::Sent(request) => of_request(request, &mut reached),
            _ => {}
        }
    }
    reached
}

fn of_specs(timeline: &Timeline<'_>, reached: &mut BTreeSet<&'static str>) {
    let is_running = |at: usize| {
        let status = timeline.record.history[..at]
            .iter()
            .rev()
            .find_map(|entry| match &entry.fact {
                Fact::Status { after, .. } => Some(after),
                _ => None,
            });
        status.is_some_and(|status| world::running(status).is_some())
    };
    for pair in timeline.specs.windows(2) {
        let ((_, before, _), (at, after, _)) = (pair[0], pair[1]);
        if before == after {
            continue;
        }
        reached.insert("spec edited");
        if is_running(at) {
            reached.insert("spec edited in an operation");
        }
        reached.extend(differences(before, after));
    }
}

fn differences(before: Spec, after: Spec) -> impl Iterator<Item = &'static str> {
    let (one, other) = (before.policy, after.policy);
    let is_on_branch = |spec: Spec| spec.follows == Follow::Branch;
    let all = [
        (one.automated && !other.automated, "automated switched off"),
        (!one.automated && other.automated, "automated switched on"),
        (one.prune != other.prune, "prune edited"),
        (one.heals != other.heals, "selfHeal edited"),
        (one.allow_empty != other.allow_empty, "allowEmpty edited"),
        (one.ignores != other.ignores, "ignoreDifferences edited"),
        (one.options != other.options, "syncOptions edited"),
        (
            (one.retries, one.refreshes) != (other.retries, other.refreshes),
            "retry edited",
        ),
        (is_on_branch(before) && !is_on_branch(after), "pinned"),
        (!is_on_branch(before) && is_on_branch(after), "back to the branch"),
    ];
    all.into_iter().filter_map(|(is_so, state)| is_so.then_some(state))
}

fn of_branch(timeline: &Timeline<'_>, reached: &mut BTreeSet<&'static str>) {
    let record = timeline.record;
    let (mut head, mut is_gone, mut forgotten) = (0, false, BTreeSet::new());
    for (at, fact) in record.facts() {
        match fact {
            Fact::Moved { head: to } => {
                if !follows(&record.parents, head, *to) {
                    reached.insert("branch rewritten");
                }
                head = *to;
            }
            Fact::BranchGone(now) => {
                if is_gone && !now {
                    reached.insert("branch back");
                }
                is_gone = *now;
            }
            Fact::Forgotten { commit } => {
                forgotten.insert(*commit);
            }
            Fact::Source { ok: false } => {
                let is_forgotten = forgotten.contains(&timeline.followed(at).0);
                reached.extend(match timeline.spec(at).follows {
                    Follow::Branch => is_gone.then_some("branch gone"),
                    Follow::Commit(_) => is_forgotten.then_some("commit gone"),
                    Follow::Tag(_) => is_forgotten.then_some("tag gone"),
                });
            }
            _ => {}
        }
    }
}

fn of_attempts(timeline: &Timeline<'_>, reached: &mut BTreeSet<&'static str>) {
    for attempt in &timeline.attempts {
        let spec = timeline.spec(attempt.told);
        let is_rollback = !attempt.sync["source"].is_null();
        if is_rollback {
            reached.insert(match spec.policy.automated {
                true => "rollback while automated",
                false => "rollback",
            });
        }
        if spec.follows != Follow::Branch && attempt.automated {
            reached.insert("pinned commit synced");
        }
    }
    for pair in timeline.attempts.windows(2) {
        of_change(timeline, &pair[0], &pair[1], reached);
    }
}

/// How what is declared changed from one operation to the next.
fn of_change(timeline: &Timeline<'_>, before: &Attempt, after: &Attempt, reached: &mut BTreeSet<&'static str>) {
    let objects = |attempt: &Attempt| timeline.record.objects_of(&attempt.revision);
    let (Some(old), Some(new)) = (objects(before), objects(after)) else {
        return;
    };
    let keys = |objects: &[Value]| -> BTreeSet<ResourceKey> {
        objects
            .iter()
            .filter(|object| is_ordinary(object))
            .map(key_of)
            .collect()
    };
    let (old, new) = (keys(old), keys(new));
    for gone in old.difference(&new) {
        for come in new.difference(&old) {
            let number = |key: &ResourceKey| key.name.bytes().last();
            let is_same_kind = gone.kind == come.kind;
            let is_same_place = gone.namespace == come.namespace;
            reached.extend(match () {
                () if is_same_kind && is_same_place => Some("renamed"),
                () if is_same_kind && gone.name == come.name => Some("moved to another namespace"),
                () if is_same_place && number(gone) == number(come) => Some("of another kind"),
                () => None,
            });
        }
    }
}

fn of_status(status: &Value, reached: &mut BTreeSet<&'static str>) {
    let conditions = status["conditions"].to_string();
    let message = text(status, "/operationState/message");
    for (is_so, state) in [
        (conditions.contains("RewrittenHistory"), "held: rewritten history"),
        (conditions.contains("Contended"), "left to others"),
        (conditions.contains("Delete=confirm"), "waits for Delete=confirm"),
        (message.contains("shared resource found"), "shared resource"),
    ] {
        if is_so {
            reached.insert(state);
        }
    }
}

fn of_removal(timeline: &Timeline<'_>, object: &Value, at: usize, reached: &mut BTreeSet<&'static str>) {
    let policy = timeline.policy(at);
    let is_deleting = timeline.is_deleting(at);
    if is_deleting && (has_option(object, "Delete=confirm") || policy.has("Delete=confirm")) {
        reached.insert("deleted by Delete=confirm");
    }
    if !is_deleting && has_option(object, "Prune=confirm") {
        reached.insert("pruned by Prune=confirm");
    }
    if !is_deleting && policy.has("Prune=confirm") {
        reached.insert("pruned by Prune=confirm of the application");
    }
    if timeline.record.facts().take(at).any(|(_, fact)| is_held(fact)) && !is_deleting {
        reached.insert("pruned after a rewritten history");
    }
}

fn is_held(fact: &Fact) -> bool {
    matches!(fact, Fact::Status { after, .. } if after["conditions"].to_string().contains("RewrittenHistory"))
}

fn of_refusal(timeline: &Timeline<'_>, request: &Request, at: usize, reached: &mut BTreeSet<&'static str>) {
    let is_new = timeline.live(&request.key, at).is_none() && !request.key.namespace.is_empty();
    if !is_new || request.ask == Ask::Delete {
        return;
    }
    let is_full = timeline.record.history[..at]
        .iter()
        .rev()
        .find_map(|entry| match entry.fact {
            Fact::Full(now) => Some(now),
            _ => None,
        });
    let namespace = ResourceKey::new("", "Namespace", "", &request.key.namespace);
    if timeline.live(&namespace, at).is_some_and(is_going) {
        reached.insert("namespace that ends");
    } else if is_full == Some(true) {
        reached.insert("quota exceeded");
    }
}

fn of_request(request: &Request, reached: &mut BTreeSet<&'static str>) {
    let written = request.ask.written();
    if written.is_some_and(|object| is_contested(object) && !is_hook(object) && object["spec"]["replicas"] != 1) {
        reached.insert("field written as it is live");
    }
}

/// Health that comes late, or comes and goes, and objects about which somebody fights.
fn of_lives(timeline: &Timeline<'_>, reached: &mut BTreeSet<&'static str>) {
    let mut healths: BTreeMap<(String, i64), Vec<Health>> = BTreeMap::new();
    let mut undone: BTreeMap<ResourceKey, usize> = BTreeMap::new();
    for (at, fact) in timeline.record.facts() {
        match fact {
            Fact::Seen { version, .. } => {
                let Some(object) = timeline.state(*version) else {
                    continue;
                };
                let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
                let generation = number("/metadata/generation");
                let says_so = object["status"]["conditions"].to_string().contains("Available");
                if says_so && number("/status/observedGeneration") < generation {
                    reached.insert("health of an earlier generation");
                }
                let Some(health) = health(object) else { continue };
                let all = healths.entry((uid(object).to_owned(), generation)).or_default();
                if all.last() != Some(&health) {
                    all.push(health);
                }
            }
            Fact::Written {
                by: Actor::Us,
                object,
                created: false,
                ..
            } => {
                let key = key_of(object);
                let theirs = |object: &Value| {
                    let fields = ["/data/v", "/spec/image", "/spec/size"];
                    fields.iter().any(|at| text(object, at) == "theirs")
                };
                if timeline.live(&key, at).is_some_and(theirs) && !theirs(object) {
                    let times = undone.entry(key).or_default();
                    *times += 1;
                    if *times >= 3 {
                        reached.insert("fight");
                    }
                }
            }
            _ => {}
        }
    }
    if healths.values().any(|all| comes_and_goes(all)) {
        reached.insert("health that comes and goes");
    }
}

fn comes_and_goes(all: &[Health]) -> bool {
    let first = all.iter().position(|health| *health == Health::Good);
    first.is_some_and(|first| all[first..].contains(&Health::Bad))
}
