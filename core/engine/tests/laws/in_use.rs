//! I-DEP, of what lives in a Namespace or is of the kind of a definition: it does not go along unless it may.
//!
//! What may go along: with a prune, what is this application's own, is declared no longer, and may be pruned itself; with its Application, what
//! goes with that, too; with a hook that a policy deletes, nothing. What somebody else's controller owns goes with its owner, and what Kubernetes
//! puts into every namespace holds nothing. A person who syncs everything with prune deletes a Namespace whatever is in it, and so does
//! whoever approves of the delete that was refused before; `Force=true` on the object itself makes it anew. A definition goes by neither of a
//! person's syncs.
//!
//! And a hook that holds others, or data, is no run that could be made anew: what an earlier attempt made is not deleted for the next one.
//!
//! Whose an object is the controller may not have been told yet: what it was told last counts, too, as long as the delete insists on nothing
//! older than that.

use capstan_model::{ResourceKey, Timestamp};
use serde_json::Value;

use crate::evidence::{Attempt, Timeline};
use crate::history::{Answer, Ask, Fact, Request};
use crate::identity::run_of;
use crate::objects::{
    annotation, has_option, is_furniture, is_going, is_hook, is_owned, is_tracked, key_of, text, uid, version,
};

/// A delete that was let through.
struct Delete<'t, 'r> {
    timeline: &'t Timeline<'r>,
    request: &'r Request,
    /// Where it was sent, and where it was carried out.
    sent: usize,
    at: usize,
    object: &'r Value,
    attempt: Option<&'t Attempt>,
}

pub(crate) fn check(timeline: &Timeline<'_>) -> Result<usize, String> {
    let mut found = 0;
    for (at, fact) in timeline.record.facts() {
        let Fact::Deleting { request, insists, .. } = fact else {
            continue;
        };
        let (sent, request) = timeline.sent[request];
        let key = &request.key;
        let Some(object) = timeline.live(key, at).filter(|_| is_holder(key)) else {
            continue;
        };
        let delete = Delete {
            timeline,
            request,
            sent,
            at,
            object,
            attempt: timeline.attempt(request),
        };
        found += 1;
        delete.is_fresh(&insists.1).map_err(|why| format!("[{at}] {why}"))?;
        delete.may_go().map_err(|why| format!("[{at}] {why}"))?;
    }
    Ok(found)
}

/// Does it hold others, or data?
pub(crate) fn is_holder(key: &ResourceKey) -> bool {
    has_contents(key) || key.kind == "PersistentVolumeClaim"
}

/// Do others go along with it?
pub(crate) fn has_contents(key: &ResourceKey) -> bool {
    matches!(key.kind.as_str(), "Namespace" | "CustomResourceDefinition")
}

/// Does it go along with the object of this key?
pub(crate) fn is_inside(holder: &ResourceKey, object: &Value) -> bool {
    match holder.kind.as_str() {
        "Namespace" => text(object, "/metadata/namespace") == holder.name,
        "CustomResourceDefinition" => text(object, "/kind") == "Widget",
        _ => false,
    }
}

/// What of all that is live would go along with it and counts: neither Kubernetes' own, nor owned by something that goes along or is gone, nor
/// going already.
pub(crate) fn contents<'v>(holder: &ResourceKey, all: impl IntoIterator<Item = &'v Value>) -> Vec<&'v Value> {
    let all: Vec<&Value> = all.into_iter().collect();
    let goes_with_owner = |object: &Value| {
        let owner = text(object, "/metadata/ownerReferences/0/uid");
        let owner = all.iter().find(|other| uid(other) == owner);
        is_owned(object) && owner.is_none_or(|owner| is_inside(holder, owner))
    };
    let counts = |object: &&&Value| {
        let is_free = is_furniture(&key_of(object)) || goes_with_owner(object) || is_going(object);
        is_inside(holder, object) && !is_free
    };
    all.iter().filter(counts).copied().collect()
}

impl Delete<'_, '_> {
    /// Does it insist on nothing older than what the controller was told of the object?
    fn is_fresh(&self, insists: &str) -> Result<(), String> {
        let told = self.timeline.known(&self.request.key, self.sent).map_or(0, version);
        let insists = insists.parse::<u64>().unwrap_or(0);
        match insists == 0 || insists >= told {
            true => Ok(()),
            false => Err(format!(
                "the delete of {} insists on {insists}, and {told} was told",
                self.request.key
            )),
        }
    }

    fn may_go(&self) -> Result<(), String> {
        let key = &self.request.key;
        let is_run = is_hook(self.object) || annotation(self.object, "capstan.dev/operation").is_some();
        let declared = self.declared();
        match declared {
            // With its Application only a Namespace goes, or by the policy of a hook.
            _ if self.timeline.is_deleting(self.sent) => {
                self.stays(|object| key.kind != "Namespace" || !self.goes_with_application(object))
            }
            Some(declared) if !is_hook(declared) => match has_option(declared, "Force=true") {
                true => Ok(()),
                false => Err(format!("{key} is deleted to be made anew, and does not say Force=true")),
            },
            _ if is_run => {
                self.is_own_run()?;
                self.stays(|_| true)
            }
            // That nothing goes by what was not recorded is I-TRACK.
            None if self.attempt.is_none() => Ok(()),
            _ => match key.kind == "Namespace" && self.is_by_person() {
                true => Ok(()),
                false => self.stays(|object| !self.goes_with_prune(object)),
            },
        }
    }

    /// As the commit of the operation says it; without a recorded operation, as any commit does.
    fn declared(&self) -> Option<&Value> {
        let record = self.timeline.record;
        let is_it = |declared: &&Value| key_of(declared) == self.request.key;
        match self.attempt {
            Some(attempt) => record.objects_of(&attempt.revision)?.iter().find(is_it),
            None => {
                let all = record.commits.iter().filter_map(|(_, objects)| objects.as_ref());
                let mut all = all.flatten().filter(is_it);
                all.clone()
                    .find(|declared| has_option(declared, "Force=true"))
                    .or_else(|| all.next())
            }
        }
    }

    fn stays(&self, stays: impl Fn(&Value) -> bool) -> Result<(), String> {
        let key = &self.request.key;
        let contents = contents(key, self.timeline.all_live(self.at));
        match contents.into_iter().find(|object| stays(object)) {
            Some(object) if !self.is_approved() => {
                Err(format!("{key} is deleted, and {} in it is not to go", key_of(object)))
            }
            _ => Ok(()),
        }
    }

    /// A policy deletes what this attempt made, or was told to stop.
    fn is_own_run(&self) -> Result<(), String> {
        let Some(attempt) = self.attempt else { return Ok(()) };
        match run_of(self.object) {
            Some((of, _)) if of == (attempt.number, attempt.attempt) => Ok(()),
            of => Err(format!(
                "{} is deleted by attempt {}.{}, and is of {of:?}",
                self.request.key, attempt.number, attempt.attempt
            )),
        }
    }

    fn is_by_person(&self) -> bool {
        self.attempt
            .is_some_and(|attempt| !attempt.automated && attempt.sync["resources"].is_null())
    }

    /// Was it refused before, and did somebody approve since?
    fn is_approved(&self) -> bool {
        let Some(given) = self.timeline.approval(self.sent) else {
            return false;
        };
        let mut before = self.timeline.record.history[..self.sent].iter();
        before.any(|entry| match &entry.fact {
            Fact::Answered {
                request,
                answer: Answer::Left,
                ..
            } => {
                let request = self.timeline.sent[request].1;
                let is_same = request.ask == Ask::Delete && request.key == self.request.key;
                is_same && entry.at.truncated() < given
            }
            _ => false,
        })
    }

    /// Is it this application's, or was it when the controller was told of it last?
    fn was_ours(&self, object: &Value) -> bool {
        is_tracked(object) || self.timeline.known(&key_of(object), self.sent).is_some_and(is_tracked)
    }

    /// Does it say so, and did it when the controller was told of it last?
    fn says(&self, object: &Value, option: &str) -> bool {
        let known = self.timeline.known(&key_of(object), self.sent);
        has_option(object, option) && known.is_some_and(|known| has_option(known, option))
    }

    fn goes_with_application(&self, object: &Value) -> bool {
        self.was_ours(object) && !self.says(object, "Delete=false")
    }

    fn goes_with_prune(&self, object: &Value) -> bool {
        let Some(attempt) = self.attempt else { return false };
        let key = key_of(object);
        let word: Option<Timestamp> = self.timeline.approval(self.sent);
        let is_confirmed = word.is_some_and(|given| given >= attempt.started.truncated());
        let is_kept = self.says(object, "Prune=false") || self.says(object, "Prune=confirm") && !is_confirmed;
        // Such kinds are held unless they say so themselves, or somebody approves.
        let is_protected = is_holder(&key) && attempt.automated && !has_option(object, "Prune=true") && word.is_none();
        self.was_ours(object) && attempt.selects(&key) && !is_kept && !is_protected
    }
}
