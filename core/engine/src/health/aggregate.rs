//! The health of an application: the worst of what it manages.

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
        let message = match total {
            1 => "The one object of the application does not exist".to_owned(),
            _ => format!("None of the {total} objects of the application exists"),
        };
        return HealthStatus::new(HealthStatusCode::Missing, message);
    }
    let others = causes.len().saturating_sub(MAX_CAUSES);
    causes.truncate(MAX_CAUSES);
    let mut message = causes.join("; ");
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
