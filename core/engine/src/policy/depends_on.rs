//! Which Applications an Application waits for before it is synced: annotation `capstan.dev/depends-on`.
//!
//! It is spelled as on a resource, where the kind goes without saying: `name`, `namespace/name`, `Application/name`,
//! `argoproj.io/Application/namespace/name`. Without a namespace it is the one of the Application that says it. A word that is not
//! understood is an error and not a warning: what was meant to be waited for must not be passed over.

use std::collections::{BTreeMap, BTreeSet};

use capstan_model::annotations::DEPENDS_ON;
use capstan_model::{Application, ApplicationId};

/// A word of the annotation that names no Application.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{DEPENDS_ON}: {word:?} names no Application: write NAME or NAMESPACE/NAME, several with commas between them")]
pub struct MalformedDependency {
    /// As written.
    pub word: String,
}

/// The Applications that `application` names.
pub fn dependencies(application: &Application) -> Result<BTreeSet<ApplicationId>, MalformedDependency> {
    let own = &application.metadata.namespace;
    let words = application.annotation(DEPENDS_ON).split(',').map(str::trim);
    words
        .filter(|word| !word.is_empty())
        .map(|word| named(word, own).ok_or_else(|| MalformedDependency { word: word.to_owned() }))
        .collect()
}

fn named(word: &str, own_namespace: &str) -> Option<ApplicationId> {
    let parts: Vec<&str> = word.split('/').collect();
    let (namespace, name) = match parts[..] {
        [name] | ["Application", name] | ["argoproj.io", "Application", name] => (own_namespace, name),
        [namespace, name] | ["Application", namespace, name] | ["argoproj.io", "Application", namespace, name] => {
            (namespace, name)
        }
        _ => return None,
    };
    // Names of Kubernetes are of lower-case letters, digits, dots and dashes: what is not can only be a mistake.
    let is_name = |text: &str| {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
        !text.is_empty() && text.chars().all(fits)
    };
    (is_name(namespace) && is_name(name)).then(|| ApplicationId::new(namespace, name))
}

/// Why an Application can never be synced by what it and others say: a word that names no Application, or a way back to itself. `find` gives
/// the others.
pub fn dependency_error<'a>(
    application: &'a Application,
    find: impl Fn(&ApplicationId) -> Option<&'a Application>,
) -> Option<String> {
    let id = application.id();
    let named = match dependencies(application) {
        Ok(named) => named,
        Err(malformed) => return Some(malformed.to_string()),
    };
    let members = cycle(&id, |at| match find(at) {
        _ if *at == id => named.clone(),
        Some(other) => dependencies(other).unwrap_or_default(),
        None => BTreeSet::new(),
    });
    members.as_deref().map(wait_for_each_other)
}

/// What is said of the members of a cycle.
pub(crate) fn wait_for_each_other(members: &[ApplicationId]) -> String {
    let ring: Vec<String> = members.iter().chain(members.first()).map(ToString::to_string).collect();
    format!(
        "{DEPENDS_ON}: these Applications wait for each other: {}; take the annotation off one of them",
        ring.join(" → ")
    )
}

/// The shortest way from `of` back to itself, `of` first; of several equally short ones the first by name. `next` gives what an
/// Application waits for.
pub fn cycle(
    of: &ApplicationId,
    next: impl Fn(&ApplicationId) -> BTreeSet<ApplicationId>,
) -> Option<Vec<ApplicationId>> {
    let mut came_from: BTreeMap<ApplicationId, ApplicationId> = BTreeMap::new();
    let mut row = vec![of.clone()];
    while !row.is_empty() {
        let mut after = Vec::new();
        for at in row {
            for to in next(&at) {
                if to == *of {
                    return Some(way(of, at, &came_from));
                }
                if !came_from.contains_key(&to) {
                    came_from.insert(to.clone(), at.clone());
                    after.push(to);
                }
            }
        }
        row = after;
    }
    None
}

fn way(
    of: &ApplicationId,
    last: ApplicationId,
    came_from: &BTreeMap<ApplicationId, ApplicationId>,
) -> Vec<ApplicationId> {
    let mut members = vec![last];
    while let Some(before) = members.last().filter(|at| *at != of).and_then(|at| came_from.get(at)) {
        members.push(before.clone());
    }
    members.reverse();
    members
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> ApplicationId {
        ApplicationId::new("argocd", name)
    }

    fn said(text: &str) -> Result<Vec<String>, String> {
        let mut application = Application::default();
        application.metadata.namespace = "argocd".into();
        application.metadata.annotations.insert(DEPENDS_ON.into(), text.into());
        match dependencies(&application) {
            Ok(named) => Ok(named.iter().map(ToString::to_string).collect()),
            Err(error) => Err(error.word),
        }
    }

    #[test]
    fn every_spelling_names_the_same() {
        let all = "db, argocd/db,Application/db,Application/argocd/db,argoproj.io/Application/db,argoproj.io/Application/argocd/db,";
        assert_eq!(said(all), Ok(vec!["argocd/db".to_owned()]));
        assert_eq!(
            said("team-a/db, db"),
            Ok(vec!["argocd/db".to_owned(), "team-a/db".to_owned()])
        );
        assert_eq!(said(""), Ok(Vec::new()));
    }

    #[test]
    fn what_can_never_be_synced_is_told_before_it_is_tried() {
        let application = |name: &str, text: &str| {
            let mut application = Application::default();
            (application.metadata.namespace, application.metadata.name) = ("argocd".into(), name.into());
            application.metadata.annotations.insert(DEPENDS_ON.into(), text.into());
            application
        };
        let all = [
            ("x1", "x2"),
            ("x2", "x3"),
            ("x3", "x1"),
            ("y", "x1"),
            ("z", "nobody"),
            ("odd", "a/b/c"),
        ];
        let all: BTreeMap<_, _> = all.map(|(name, text)| (id(name), application(name, text))).into();
        let told = |name: &str| dependency_error(&all[&id(name)], |other| all.get(other));
        let ring = "argocd/x1 → argocd/x2 → argocd/x3 → argocd/x1; take the annotation off one of them";
        assert!(told("x1").is_some_and(|text| text.ends_with(ring)));
        assert!(told("odd").is_some_and(|text| text.contains("\"a/b/c\" names no Application")));
        // They wait, for one that is in a cycle and for one that may come.
        assert_eq!((told("y"), told("z")), (None, None));
    }

    #[test]
    fn what_is_not_understood_is_not_passed_over() {
        for word in [
            "Deployment/db",
            "apps/Deployment/prod/db",
            "a/b/c/d/e",
            "/db",
            "db/",
            "DB",
        ] {
            assert_eq!(said(&format!("web,{word}")), Err(word.to_owned()));
        }
    }

    #[test]
    fn a_cycle_is_told_by_its_members_in_order() {
        let edges = BTreeMap::from([
            (id("a"), BTreeSet::from([id("b"), id("x")])),
            (id("b"), BTreeSet::from([id("c")])),
            (id("c"), BTreeSet::from([id("a"), id("b")])),
            (id("self"), BTreeSet::from([id("self")])),
            (id("outside"), BTreeSet::from([id("a")])),
        ]);
        let cycle_of = |name: &str| cycle(&id(name), |at| edges.get(at).cloned().unwrap_or_default());
        assert_eq!(cycle_of("a"), Some(vec![id("a"), id("b"), id("c")]));
        assert_eq!(cycle_of("b"), Some(vec![id("b"), id("c")]));
        assert_eq!(cycle_of("self"), Some(vec![id("self")]));
        // It waits for the members of a cycle, and is none.
        assert_eq!(cycle_of("outside"), None);
        assert_eq!(cycle_of("x"), None);
    }
}
