//! What the rules find in a plan that prunes. One function of plain facts, so that it can be held against another one that is made of the
//! same words.

use std::collections::{BTreeMap, BTreeSet};

use capstan_model::{GroupKind, ResourceKey};

use super::grounds::DeleteReason;
use super::hold::{Finding, Rule};
use super::mass_prune::PruneLimits;
use super::protected;
use crate::sabotage::{self, Sabotage};

/// An object that would be pruned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Doomed {
    pub(crate) uid: String,
    /// Its own annotation says `Prune=true`.
    pub(crate) is_released: bool,
    /// It is declared as a hook now.
    pub(crate) becomes_hook: bool,
}

/// What the rules look at.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    /// What would be pruned.
    pub(crate) doomed: &'a BTreeMap<ResourceKey, Doomed>,
    /// Live objects that the application tracks, those included.
    pub(crate) tracked: usize,
    /// A person asked for this sync.
    pub(crate) by_person: bool,
    /// `guards: argo`: rules that Argo CD has not are off where they hold back what its users expect.
    pub(crate) as_argo: bool,
    pub(crate) limits: PruneLimits,
    /// Kinds that an administrator protects beside the built-in ones.
    pub(crate) protected: &'a [GroupKind],
    /// What the second render declares, or why there is none. `None`: there was none to do.
    pub(crate) second: Option<Result<&'a BTreeSet<ResourceKey>, String>>,
    /// Why the commit does not follow the one that was synced.
    pub(crate) diverged: Option<String>,
    /// Why the destination is not the one that was synced to.
    pub(crate) replaced: Option<String>,
    /// Why deletes are paused.
    pub(crate) paused: Option<String>,
    /// What an executor refused because of its contents: by identity, with the rule and why.
    pub(crate) in_use: &'a BTreeMap<ResourceKey, (String, Rule, String)>,
    /// Rules by which a hold stands that was not approved, and why it began.
    pub(crate) standing: &'a BTreeMap<Rule, String>,
}

/// What is held of the plan, rule by rule.
pub(crate) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    if facts.doomed.is_empty() {
        return Vec::new();
    }
    let everything = |rule: Rule, why: String| Finding {
        rule,
        reason: DeleteReason::Prune,
        keys: facts.doomed.keys().cloned().collect(),
        why,
    };
    let mut findings = Vec::new();
    if let Some(why) = &facts.paused {
        findings.push(everything(Rule::DeletesPaused, why.clone()));
    }
    if let Some(why) = &facts.replaced {
        findings.push(everything(Rule::DestinationReplaced, why.clone()));
    }
    findings.extend(mass_prune(facts).map(|why| everything(Rule::MassPrune(facts.limits), why)));
    let diverged = facts.diverged.clone().filter(|_| !facts.as_argo).or_else(|| {
        let standing = facts.standing.get(&Rule::RewrittenHistory);
        standing.filter(|_| !facts.as_argo).cloned()
    });
    findings.extend(diverged.map(|why| everything(Rule::RewrittenHistory, why)));
    findings.extend(disagreement(facts).map(|why| everything(Rule::NonDeterministicRender, why)));
    if !facts.as_argo {
        findings.extend(protected_kinds(facts));
    }
    findings.extend(findings_of_contents(facts.doomed, facts.in_use, DeleteReason::Prune));
    findings.retain(|finding| !facts.by_person || finding.rule.binds_people());
    findings.retain(|finding| !sabotage::is(knock_out(finding.rule)));
    findings
}

/// What takes a rule out: each has one.
const fn knock_out(rule: Rule) -> Sabotage {
    match rule {
        Rule::MassPrune(_) => Sabotage::PrunesMuch,
        Rule::NonDeterministicRender => Sabotage::TrustsOneRender,
        Rule::ProtectedKind => Sabotage::PrunesProtectedKinds,
        Rule::RewrittenHistory => Sabotage::PrunesRewrittenHistory,
        Rule::DestinationReplaced => Sabotage::DeletesInAnotherCluster,
        Rule::NamespaceInUse => Sabotage::DeletesNamespacesInUse,
        Rule::DefinitionInUse => Sabotage::DeletesDefinitionsInUse,
        Rule::DeletesPaused => Sabotage::DeletesWhilePaused,
    }
}

fn mass_prune(facts: &Facts<'_>) -> Option<String> {
    let (doomed, tracked) = (facts.doomed.len(), facts.tracked);
    let stands = facts.standing.contains_key(&Rule::MassPrune(facts.limits));
    let is_too_much = facts.limits.are_exceeded(doomed, tracked) || stands;
    let would = format!("{doomed} of {tracked} objects would be pruned at once");
    (is_too_much && !facts.as_argo).then_some(would)
}

fn disagreement(facts: &Facts<'_>) -> Option<String> {
    match facts.second.as_ref()? {
        Err(why) => Some(format!(
            "the same commits could not be rendered a second time, so that it is not known that nothing declares them: {why}"
        )),
        Ok(declared) => {
            let mut gone = facts.doomed.iter().filter(|(_, doomed)| !doomed.becomes_hook);
            let (found, _) = gone.find(|(key, _)| declared.contains(*key))?;
            Some(format!(
                "two renders of the same commits disagree: the second one declares {found}"
            ))
        }
    }
}

fn protected_kinds(facts: &Facts<'_>) -> Option<Finding> {
    let is_held = |(key, doomed): &(&ResourceKey, &Doomed)| {
        !doomed.is_released && (protected::is_protected(key) || facts.protected.contains(&key.group_kind()))
    };
    let held = facts.doomed.iter().filter(is_held);
    let keys: Vec<ResourceKey> = held.map(|(key, _)| key.clone()).collect();
    (!keys.is_empty()).then(|| Finding {
        rule: Rule::ProtectedKind,
        reason: DeleteReason::Prune,
        keys,
        why: "what holds others' objects, or data, is deleted by a person's word only".to_owned(),
    })
}

/// What executors refused because of its contents, of what is to be deleted for `reason`.
pub(crate) fn findings_of_contents(
    doomed: &BTreeMap<ResourceKey, Doomed>,
    in_use: &BTreeMap<ResourceKey, (String, Rule, String)>,
    reason: DeleteReason,
) -> Vec<Finding> {
    let is_doomed = |key: &ResourceKey, uid: &String| doomed.get(key).is_some_and(|doomed| doomed.uid == *uid);
    let of_rule = |rule| {
        let refused = in_use
            .iter()
            .filter(|(key, (uid, of, _))| *of == rule && is_doomed(key, uid));
        let (keys, reasons): (Vec<ResourceKey>, Vec<String>) =
            refused.map(|(key, (_, _, why))| (key.clone(), why.clone())).unzip();
        let why = reasons.join("; ");
        (!keys.is_empty()).then_some(Finding {
            rule,
            reason,
            keys,
            why,
        })
    };
    [Rule::NamespaceInUse, Rule::DefinitionInUse]
        .into_iter()
        .filter_map(of_rule)
        .collect()
}

#[cfg(test)]
mod tests;
