//! Why one object is deleted: the chain of causes, from the commit to the DELETE.
//!
//! No permit is made without it. The journal says it, the log of whoever sends the DELETE says it, and what is kept for `undelete` carries it:
//! one value, so that they cannot disagree.

use std::fmt;

use capstan_model::{ApplicationId, ResourceKey, short_revision};

use super::hold::Rule;
use super::mass_prune::PruneLimits;

/// Digits of a commit and of a digest that people are shown.
const SHOWN: (usize, usize) = (7, 12);

/// Why an object is to be deleted: which of its own options may forbid it, and whether it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeleteReason {
    /// It is no longer in the source.
    Prune,
    /// Its application is deleted with cascade.
    Cascade,
    /// It cannot be changed in place and is made anew (`Force=true`).
    Recreate,
    /// It is a hook that is in the way of its next run, or whose delete policy says so.
    Hook,
    /// It is an ordinary object, which is declared as a hook now and is in the way of that.
    Convert,
}

impl DeleteReason {
    /// The variant's name: stable.
    pub fn name(self) -> &'static str {
        match self {
            Self::Prune => "Prune",
            Self::Cascade => "Cascade",
            Self::Recreate => "Recreate",
            Self::Hook => "Hook",
            Self::Convert => "Convert",
        }
    }
}

/// The chain of causes of one delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grounds {
    /// Whose object it is.
    pub application: ApplicationId,
    /// Why it goes.
    pub reason: DeleteReason,
    /// What deletes it: `automated sync 3`, `deletion of the Application, asked for at …`.
    pub operation: String,
    /// What that goes by: the commits or chart versions of all sources, in order, whole. Empty when nothing was synced.
    pub revisions: Vec<String>,
    /// Digest of all the objects that those render to; empty when they were not rendered.
    pub digest: String,
    /// Which rules looked at it, or by whose word it goes.
    pub decision: String,
}

impl fmt::Display for Grounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (digits, of_digest) = SHOWN;
        f.write_str(&self.operation)?;
        let revisions = self.revisions.iter().map(|revision| short_revision(revision, digits));
        let revisions: Vec<&str> = revisions.collect();
        if !revisions.is_empty() {
            write!(f, " → {}", revisions.join(", "))?;
        }
        if !self.digest.is_empty() {
            let digest: String = self.digest.chars().take(of_digest).collect();
            let declared = match self.reason {
                DeleteReason::Prune => ", which do not declare it",
                DeleteReason::Recreate => ", which declare it otherwise",
                DeleteReason::Convert => ", which declare it as a hook",
                DeleteReason::Cascade | DeleteReason::Hook => "",
            };
            write!(f, " → objects {digest}{declared}")?;
        }
        write!(f, " → {}", self.decision)
    }
}

/// The rules that look at a prune of `key`, whatever they say: those that [`super::findings`] asks, and those of its contents.
pub(crate) fn rules_asked(key: &ResourceKey, limits: PruneLimits, by_person: bool, as_argo: bool) -> Vec<Rule> {
    let mut rules = vec![Rule::DeletesPaused, Rule::DestinationReplaced];
    if !as_argo {
        rules.extend([Rule::MassPrune(limits), Rule::RewrittenHistory]);
    }
    rules.push(Rule::NonDeterministicRender);
    if !as_argo {
        rules.push(Rule::ProtectedKind);
    }
    match key.kind.as_str() {
        "Namespace" => rules.push(Rule::NamespaceInUse),
        "CustomResourceDefinition" => rules.push(Rule::DefinitionInUse),
        _ => {}
    }
    rules.retain(|rule| !by_person || rule.binds_people());
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_reads_from_the_cause_to_the_decision() {
        let mut grounds = Grounds {
            application: ApplicationId::new("argocd", "shop"),
            reason: DeleteReason::Prune,
            operation: "automated sync 3".into(),
            revisions: vec!["0123456789abcdef0123456789abcdef01234567".into(), "1.2.3".into()],
            digest: "0123456789abcdef".into(),
            decision: "no rule holds it".into(),
        };
        assert_eq!(
            grounds.to_string(),
            "automated sync 3 → 0123456, 1.2.3 → objects 0123456789ab, which do not declare it → no rule holds it"
        );
        grounds.reason = DeleteReason::Cascade;
        (grounds.revisions, grounds.digest) = (Vec::new(), String::new());
        assert_eq!(grounds.to_string(), "automated sync 3 → no rule holds it");
    }

    #[test]
    fn a_person_and_argo_are_asked_less() {
        let limits = PruneLimits::of(&capstan_model::SyncOptions::default());
        let names = |kind: &str, by_person, as_argo| {
            let key = ResourceKey::new("", kind, "", "x");
            let rules = rules_asked(&key, limits, by_person, as_argo).into_iter();
            let names: Vec<String> = rules.map(|rule| rule.to_string()).collect();
            names
        };
        assert_eq!(names("Pod", true, false), ["DestinationReplaced"]);
        assert_eq!(
            names("CustomResourceDefinition", true, false),
            ["DestinationReplaced", "DefinitionInUse"]
        );
        assert_eq!(names("Namespace", false, false).len(), 7);
        assert_eq!(
            names("Pod", false, true),
            ["DeletesPaused", "DestinationReplaced", "NonDeterministicRender"]
        );
    }
}
