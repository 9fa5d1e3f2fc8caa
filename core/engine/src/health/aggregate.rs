//! The health of an application: the worst of what it manages.

use std::collections::{BTreeMap, BTreeSet};

use capstan_model::{HealthStatus, HealthStatusCode, ResourceKey};

/// How many causes a message names.
const MAX_CAUSES: usize = 3;

/// One object that an application manages itself; what such an object owns counts only through the object's own status.
#[derive(Clone, Copy, Debug)]
pub struct ManagedResource<'a> {
    /// Which.
    pub key: &'a ResourceKey,
    /// Its health; `None` for a kind that has none, and for an object that is not there.
    pub health: Option<&'a HealthStatus>,
    /// It exists.
    pub live: bool,
    /// It has no say: a hook, an object that is ignored or annotated with
    /// [`IGNORE_HEALTHCHECK`](capstan_model::annotations::IGNORE_HEALTHCHECK), the application itself.
    pub ignored: bool,
}

/// The worst health of `resources`, with its causes.
///
/// One object that is missing does not lower an application, since it is out of sync by that already; but an application that has objects
/// of which none is there is Missing. A child Application that is Missing or Unknown is passed over.
pub fn aggregate<'a>(resources: impl IntoIterator<Item = ManagedResource<'a>>) -> HealthStatus {
    let mut worst = HealthStatusCode::Healthy;
    let mut causes: Vec<String> = Vec::new();
    let (mut total, mut live) = (0usize, 0usize);
    for resource in resources.into_iter().filter(|resource| !resource.ignored) {
        total += 1;
        if !resource.live {
            continue;
        }
        live += 1;
        let Some(health) = resource.health else { continue };
        if health.status < worst || health.status == HealthStatusCode::Healthy || is_passed_over(resource.key, health) {
            continue;
        }
        if health.status > worst {
            worst = health.status;
            causes.clear();
        }
        causes.push(cause(resource.key, health));
    }
    if total > 0 && live == 0 && worst < HealthStatusCode::Missing {
        return none_exists(total);
    }
    let count = causes.len();
    causes.truncate(MAX_CAUSES);
    summary(worst, &causes, count)
}

/// The same, kept up to date resource by resource: adding or taking out one costs the logarithm of their number.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Aggregate {
    total: usize,
    live: usize,
    /// Those that are there and not Healthy.
    unwell: BTreeMap<HealthStatusCode, BTreeSet<ResourceKey>>,
}

impl Aggregate {
    /// Adds a resource, or takes it out as it was added.
    pub(crate) fn count(&mut self, resource: &ManagedResource<'_>, is_added: bool) {
        if resource.ignored {
            return;
        }
        let count = |of: &mut usize| *of = if is_added { *of + 1 } else { *of - 1 };
        count(&mut self.total);
        if !resource.live {
            return;
        }
        count(&mut self.live);
        let Some(health) = resource.health else { return };
        if health.status == HealthStatusCode::Healthy || is_passed_over(resource.key, health) {
            return;
        }
        let keys = self.unwell.entry(health.status).or_default();
        if is_added {
            keys.insert(resource.key.clone());
        } else {
            keys.remove(resource.key);
            if keys.is_empty() {
                self.unwell.remove(&health.status);
            }
        }
    }

    /// The worst health, with its causes.
    pub(crate) fn verdict<'a>(&self, health: impl Fn(&ResourceKey) -> Option<&'a HealthStatus>) -> HealthStatus {
        let worst = self
            .unwell
            .last_key_value()
            .filter(|(status, _)| **status > HealthStatusCode::Healthy);
        let (worst, keys) = worst.map_or((HealthStatusCode::Healthy, None), |(status, keys)| {
            (*status, Some(keys))
        });
        if self.total > 0 && self.live == 0 && worst < HealthStatusCode::Missing {
            return none_exists(self.total);
        }
        let causes = keys.into_iter().flatten().take(MAX_CAUSES);
        let causes = causes.filter_map(|key| Some(cause(key, health(key)?)));
        summary(worst, &causes.collect::<Vec<_>>(), keys.map_or(0, BTreeSet::len))
    }
}

fn none_exists(total: usize) -> HealthStatus {
    let message = match total {
        1 => "The one object of the application does not exist".to_owned(),
        _ => format!("None of the {total} objects of the application exists"),
    };
    HealthStatus::new(HealthStatusCode::Missing, message)
}

/// `causes` are the first of `count`.
fn summary(worst: HealthStatusCode, causes: &[String], count: usize) -> HealthStatus {
    let mut message = causes.join("; ");
    let others = count.saturating_sub(MAX_CAUSES);
    if others > 0 {
        message.push_str(&format!("; and {others} more"));
    }
    HealthStatus::new(worst, message)
}

fn is_passed_over(key: &ResourceKey, health: &HealthStatus) -> bool {
    key.group == "argoproj.io"
        && key.kind == "Application"
        && matches!(health.status, HealthStatusCode::Missing | HealthStatusCode::Unknown)
}

fn cause(key: &ResourceKey, health: &HealthStatus) -> String {
    match health.message.as_str() {
        "" => format!("{key} is {}", health.status),
        message => format!("{key}: {message}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(kind: &str, name: &str) -> ResourceKey {
        ResourceKey::new(
            if kind == "Application" { "argoproj.io" } else { "apps" },
            kind,
            "prod",
            name,
        )
    }

    fn of(list: &[(&str, &str, Option<HealthStatusCode>, bool)]) -> HealthStatus {
        let owned: Vec<_> = list
            .iter()
            .map(|(kind, name, code, live)| (key(kind, name), code.map(|code| HealthStatus::new(code, "")), *live))
            .collect();
        aggregate(owned.iter().map(|(key, health, live)| ManagedResource {
            key,
            health: health.as_ref(),
            live: *live,
            ignored: false,
        }))
    }

    #[test]
    fn the_worst_wins_and_is_named() {
        use HealthStatusCode::{Degraded, Healthy, Progressing};
        let health = of(&[
            ("Deployment", "a", Some(Progressing), true),
            ("Deployment", "b", Some(Degraded), true),
            ("Deployment", "c", Some(Healthy), true),
            ("ConfigMap", "d", None, true),
        ]);
        assert_eq!(health, HealthStatus::new(Degraded, "Deployment/prod/b is Degraded"));
    }

    #[test]
    fn one_missing_object_does_not_lower_but_all_do() {
        use HealthStatusCode::{Healthy, Missing};
        assert_eq!(
            of(&[
                ("Deployment", "a", Some(Healthy), true),
                ("Deployment", "b", None, false)
            ])
            .status,
            Healthy
        );
        assert_eq!(of(&[("Deployment", "a", None, false)]).status, Missing);
        assert_eq!(of(&[]).status, Healthy);
    }

    #[test]
    fn a_child_application_that_is_unknown_is_passed_over() {
        use HealthStatusCode::{Degraded, Healthy, Unknown};
        assert_eq!(of(&[("Application", "a", Some(Unknown), true)]).status, Healthy);
        assert_eq!(of(&[("Application", "a", Some(Degraded), true)]).status, Degraded);
    }

    #[test]
    fn a_message_names_three_causes_and_counts_the_rest() {
        let degraded = Some(HealthStatusCode::Degraded);
        let health = of(&[
            ("Deployment", "a", degraded, true),
            ("Deployment", "b", degraded, true),
            ("Deployment", "c", degraded, true),
            ("Deployment", "d", degraded, true),
        ]);
        assert!(
            health.message.ends_with("Deployment/prod/c is Degraded; and 1 more"),
            "{}",
            health.message
        );
    }
}
