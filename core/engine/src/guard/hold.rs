//! A hold: creates and updates go on, deletes do not, until a person approves or the reason goes away.
//!
//! **What it is known by.** Its rule, and the plan that was held: the objects by key and UID. The plan's name stands in the condition that
//! tells of it, and with the condition's time that is all that a restart needs.
//!
//! **Approval.** `argocd.argoproj.io/deletion-approved: <time>` on the Application. It counts for a hold that began *before* that time
//! (strictly: whoever approves has seen the condition), and not when it lies in the future. A hold of other objects begins anew, so that an
//! approval is never one of something that was added since.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use capstan_model::annotations::DELETION_APPROVED;
use capstan_model::{Application, ApplicationCondition, ConditionType, Digest, ResourceKey, Timestamp};
use serde_json::json;

use super::grounds::DeleteReason;
use super::mass_prune::PruneLimits;

/// So far may the clock of whoever approves be ahead of ours.
const SKEW: Duration = Duration::from_secs(300);
/// Objects that a condition names before it counts the rest.
const NAMED: usize = 10;
/// What a held prune's result begins with.
const HELD_BY: &str = "held by ";

/// Why deletes are held. The name, with what it was set to, is what conditions, results and views say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rule {
    /// Too much of the application would go at once.
    MassPrune(PruneLimits),
    /// A second render of the same commits declares other objects.
    NonDeterministicRender,
    /// Namespaces, definitions, volumes: deleted by a person's word only.
    ProtectedKind,
    /// The branch moved to a commit that does not follow the one that was synced.
    RewrittenHistory,
    /// Another cluster answers at the destination than the one that was synced to.
    DestinationReplaced,
    /// The namespace holds objects that this sync does not delete.
    NamespaceInUse,
    /// Objects of the kind exist that this sync does not delete.
    DefinitionInUse,
    /// Somebody paused deletes.
    DeletesPaused,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MassPrune(limits) => write!(f, "MassPrune ({limits})"),
            Self::NonDeterministicRender => f.write_str("NonDeterministicRender"),
            Self::ProtectedKind => f.write_str("ProtectedKind"),
            Self::RewrittenHistory => f.write_str("RewrittenHistory"),
            Self::DestinationReplaced => f.write_str("DestinationReplaced"),
            Self::NamespaceInUse => f.write_str("NamespaceInUse"),
            Self::DefinitionInUse => f.write_str("DefinitionInUse"),
            Self::DeletesPaused => f.write_str("DeletesPaused"),
        }
    }
}

impl Rule {
    /// Can it be approved? A pause is ended, not approved.
    pub(crate) fn is_approvable(self) -> bool {
        self != Self::DeletesPaused
    }

    /// Does a hold by it stay until it is approved, though what it rests on has changed? What was held may not slip through because the
    /// sync that held it has changed the picture: written as many new objects, or made the rewritten commit the last that was synced.
    pub(crate) fn stays(self) -> bool {
        matches!(self, Self::MassPrune(_) | Self::RewrittenHistory)
    }

    /// Is it about what would go along with an object, and not about the object itself?
    pub(crate) fn is_of_contents(self) -> bool {
        matches!(self, Self::NamespaceInUse | Self::DefinitionInUse)
    }

    /// Does it bind a sync that a person asked for, with prune?
    pub(crate) fn binds_people(self) -> bool {
        matches!(self, Self::DefinitionInUse | Self::DestinationReplaced)
    }
}

/// The rule that holds an object for what would go along with it.
pub(crate) fn of_contents(key: &ResourceKey) -> Option<Rule> {
    match (key.group.as_str(), key.kind.as_str()) {
        ("", "Namespace") => Some(Rule::NamespaceInUse),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => Some(Rule::DefinitionInUse),
        _ => None,
    }
}

/// What a rule found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) rule: Rule,
    /// Why it was to be deleted.
    pub(crate) reason: DeleteReason,
    /// What is not deleted for it, in order.
    pub(crate) keys: Vec<ResourceKey>,
    pub(crate) why: String,
}

/// A finding, since when it stands, and whether it was approved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) finding: Finding,
    pub(crate) plan: String,
    pub(crate) since: Timestamp,
    pub(crate) is_approved: bool,
    /// How to approve it.
    how: String,
}

/// What a person said of deleting, by annotation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Approval {
    /// When it was given.
    at: Option<Timestamp>,
    /// Why what is there does not count; empty where there is nothing, or it does.
    pub(crate) refusal: String,
}

impl Approval {
    /// As it stands now.
    pub(crate) fn of(application: &Application, now: Timestamp) -> Self {
        let text = application.annotation(DELETION_APPROVED);
        match text.parse() {
            Ok(at) => Self::given(at, now),
            Err(_) if text.is_empty() => Self::default(),
            Err(_) => Self {
                at: None,
                refusal: format!("what it says, {text:?}, is no time as in 2006-01-02T15:04:05Z, and does not count"),
            },
        }
    }

    fn given(at: Timestamp, now: Timestamp) -> Self {
        match at > now + SKEW {
            true => Self {
                at: None,
                refusal: format!("{at} lies in the future, and does not count"),
            },
            false => Self {
                at: Some(at),
                refusal: String::new(),
            },
        }
    }

    /// Was it given for what is held since then? Strictly later: whoever approves has seen what is held.
    pub(crate) fn counts(&self, since: Timestamp) -> bool {
        self.at.is_some_and(|at| at > since)
    }

    /// Was it given since something was asked for? Whole seconds are all that a resource keeps.
    pub(crate) fn is_since(&self, asked: Timestamp) -> bool {
        self.at.is_some_and(|at| at >= asked.truncated())
    }

    /// How to give one for what waits since then, and why the one that is there is none.
    pub(crate) fn how(&self, since: Timestamp) -> String {
        let why = match (self.refusal.as_str(), self.at) {
            ("", Some(at)) if !self.counts(since) => {
                format!(" (what it says, {at}, is not later than what waits for it, of {since})")
            }
            ("", _) => String::new(),
            (why, _) => format!(" ({why})"),
        };
        format!("annotate the Application with {DELETION_APPROVED}: <time>{why}")
    }
}

/// What is remembered of a hold that was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) plan: String,
    pub(crate) why: String,
    pub(crate) since: Timestamp,
    pub(crate) is_approved: bool,
}

impl Hold {
    /// The hold that a finding is, given what was told before.
    pub(crate) fn of(
        finding: Finding,
        uids: &BTreeMap<ResourceKey, String>,
        told: &BTreeMap<String, Told>,
        approval: &Approval,
        now: Timestamp,
    ) -> Self {
        let plan = plan_name(finding.rule, &finding.keys, uids);
        let before = told.get(&finding.rule.to_string()).filter(|before| before.plan == plan);
        let since = before.map_or(now.truncated(), |before| before.since);
        // Whoever takes an approval back before something is deleted has taken it back.
        let is_approved = finding.rule.is_approvable() && approval.counts(since);
        Self {
            finding,
            plan,
            since,
            is_approved,
            how: approval.how(since),
        }
    }

    /// What the journal says of its approval.
    pub(crate) fn approved(&self) -> String {
        let (rule, objects) = (&self.finding.rule, count(self.finding.keys.len()));
        format!("{rule} [plan {}]: {objects} deleted", self.plan)
    }

    /// What the condition says.
    pub(crate) fn message(&self) -> String {
        let Finding { rule, keys, why, .. } = &self.finding;
        let named: Vec<String> = keys.iter().take(NAMED).map(ToString::to_string).collect();
        let more = match keys.len().saturating_sub(named.len()) {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        format!(
            "{rule} [plan {}]: {why}. {} not deleted: {}{more}. {}",
            self.plan,
            count(keys.len()),
            named.join(", "),
            self.next(),
        )
    }

    /// What the result of a prune says that it keeps from being done.
    pub(crate) fn result(&self) -> String {
        format!("{HELD_BY}{}: {}. {}", self.finding.rule, self.finding.why, self.next())
    }

    /// How to go on.
    pub(crate) fn next(&self) -> String {
        let approve = format!("To delete them all the same, {}", self.how);
        match self.finding.rule {
            Rule::MassPrune(_) => {
                format!("{approve} or sync with prune; the limit is set by MaxPrunePercentage= and MaxPruneCount=")
            }
            Rule::ProtectedKind => format!("{approve}, sync with prune, or give the object the sync option Prune=true"),
            Rule::NamespaceInUse if self.finding.reason == DeleteReason::Cascade => {
                format!("Empty it and refresh, or keep it by its sync option Delete=false. {approve}")
            }
            Rule::NamespaceInUse => format!("Empty it and refresh. {approve} or sync with prune"),
            Rule::DefinitionInUse => format!("Delete them and refresh. {approve}"),
            Rule::DestinationReplaced => approve,
            Rule::DeletesPaused => "Deletes go on when the pause ends".to_owned(),
            Rule::NonDeterministicRender | Rule::RewrittenHistory => format!("{approve} or sync with prune"),
        }
    }
}

/// Names what is held: the rule, and each object's identity.
fn plan_name(rule: Rule, keys: &[ResourceKey], uids: &BTreeMap<ResourceKey, String>) -> String {
    let objects: Vec<_> = keys
        .iter()
        .map(|key| (key.to_string(), uids.get(key).map_or("", String::as_str)))
        .collect();
    let digest = Digest::of_json(&json!([rule.to_string(), objects])).to_string();
    digest.chars().take(12).collect()
}

/// What a condition's message says, as [`Hold::message`] writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parsed<'a> {
    pub(crate) rule: &'a str,
    pub(crate) plan: &'a str,
    pub(crate) why: &'a str,
}

pub(crate) fn parse(message: &str) -> Option<Parsed<'_>> {
    let (rule, rest) = message.split_once(" [plan ")?;
    let (plan, rest) = rest.split_once("]: ")?;
    // The end of a very long message may be missing.
    let why = rest
        .rsplit_once(" not deleted: ")
        .and_then(|(why, _)| why.rsplit_once(". "));
    let why = why.map_or(rest, |(why, _)| why);
    Some(Parsed { rule, plan, why })
}

/// The conditions that tell of holds.
pub(crate) fn of_holds(conditions: &[ApplicationCondition]) -> impl Iterator<Item = &ApplicationCondition> {
    let conditions = conditions.iter();
    conditions.filter(|condition| condition.kind == ConditionType::PruneHeld)
}

/// What conditions tell, by rule.
pub(crate) fn told(conditions: &[ApplicationCondition]) -> BTreeMap<String, Told> {
    let told = of_holds(conditions).filter_map(|condition| {
        let parsed = parse(&condition.message)?;
        let told = Told {
            plan: parsed.plan.to_owned(),
            why: parsed.why.to_owned(),
            since: condition.last_transition_time?,
            is_approved: false,
        };
        Some((parsed.rule.to_owned(), told))
    });
    told.collect()
}

/// Rules by which an unapproved hold stands that stays until it is approved, and why it began.
pub(crate) fn standing(told: &BTreeMap<String, Told>, limits: PruneLimits) -> BTreeMap<Rule, String> {
    let rules = [Rule::MassPrune(limits), Rule::RewrittenHistory];
    let standing = rules.into_iter().filter_map(|rule| {
        let told = told.get(&rule.to_string())?;
        (rule.stays() && !told.is_approved).then(|| (rule, told.why.clone()))
    });
    standing.collect()
}

/// Is this the result of a prune that was held?
pub(crate) fn is_held(result: &str) -> bool {
    result.starts_with(HELD_BY)
}

fn count(objects: usize) -> String {
    match objects {
        1 => "1 object is".to_owned(),
        more => format!("{more} objects are"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> ResourceKey {
        ResourceKey::new("", "ConfigMap", "prod", name)
    }

    fn finding(names: &[&str]) -> Finding {
        Finding {
            rule: Rule::MassPrune(PruneLimits::DEFAULT),
            reason: DeleteReason::Prune,
            keys: names.iter().map(|name| key(name)).collect(),
            why: "3 of 4 objects would be pruned".into(),
        }
    }

    fn uids(names: &[&str]) -> BTreeMap<ResourceKey, String> {
        names.iter().map(|name| (key(name), format!("uid-{name}"))).collect()
    }

    fn told(hold: &Hold) -> BTreeMap<String, Told> {
        let told = Told {
            plan: hold.plan.clone(),
            why: hold.finding.why.clone(),
            since: hold.since,
            is_approved: hold.is_approved,
        };
        BTreeMap::from([(hold.finding.rule.to_string(), told)])
    }

    #[test]
    fn an_approval_counts_for_what_was_held_before_it_and_for_nothing_else() {
        let at = Timestamp::from_seconds;
        let names = ["a", "b"];
        let none = Approval::default();
        let hold = Hold::of(finding(&names), &uids(&names), &BTreeMap::new(), &none, at(1000));
        assert!(!hold.is_approved && hold.since == at(1000));
        let again = |approval: Option<Timestamp>, now, names: &[&str]| {
            let approval = approval.map_or_else(Approval::default, |at| Approval::given(at, now));
            Hold::of(finding(names), &uids(names), &told(&hold), &approval, now).is_approved
        };
        assert!(!again(Some(at(999)), at(2000), &names), "it was given before");
        assert!(!again(Some(at(1000)), at(2000), &names), "nobody has seen it then");
        assert!(again(Some(at(1001)), at(2000), &names));
        assert!(!again(Some(at(9000)), at(2000), &names), "it lies in the future");
        assert!(!again(Some(at(1001)), at(2000), &["a", "b", "c"]), "more is held now");
        let replaced = BTreeMap::from([(key("a"), "another".to_owned()), (key("b"), "uid-b".to_owned())]);
        let approval = Approval::given(at(1001), at(2000));
        let mut taken_back = told(&hold);
        taken_back.values_mut().for_each(|told| told.is_approved = true);
        assert!(!Hold::of(finding(&names), &uids(&names), &taken_back, &none, at(2000)).is_approved);
        let hold = Hold::of(finding(&names), &replaced, &told(&hold), &approval, at(2000));
        assert!(!hold.is_approved, "another object has its name now");
    }

    #[test]
    fn what_a_condition_says_is_enough_to_know_the_hold_again() {
        let names: Vec<String> = (0..14).map(|n| format!("n{n:02}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let now = Timestamp::from_seconds(1000);
        let hold = Hold::of(
            finding(&names),
            &uids(&names),
            &BTreeMap::new(),
            &Approval::default(),
            now,
        );
        let message = hold.message();
        assert!(message.contains("14 objects are not deleted: "), "{message}");
        assert!(message.contains(", and 4 more. "), "{message}");
        let (rule, plan, why) = (hold.finding.rule.to_string(), &hold.plan, &hold.finding.why);
        let parsed = Parsed { rule: &rule, plan, why };
        assert_eq!(parse(&message), Some(parsed));
        assert!(is_held(&hold.result()));
    }

    #[test]
    fn a_pause_is_not_approved() {
        let now = Timestamp::from_seconds(1000);
        let paused = Finding {
            rule: Rule::DeletesPaused,
            ..finding(&["a"])
        };
        let hold = Hold::of(
            paused.clone(),
            &uids(&["a"]),
            &BTreeMap::new(),
            &Approval::default(),
            now,
        );
        let later = Timestamp::from_seconds(1001);
        let approval = Approval::given(later, later);
        assert!(!Hold::of(paused, &uids(&["a"]), &told(&hold), &approval, later).is_approved);
    }
}
