//! What is odd about an AppProject: patterns that cannot be read. They permit nothing, and deny everything that they could.

use crate::pattern::{UnreadablePattern, matches, matches_kind, matches_repository};
use crate::{AppProject, ProjectResource};

/// One sentence for each pattern of a project that cannot be read, with the place where it stands. Those of its windows are told by the windows.
pub fn odd_in_project(project: &AppProject) -> Vec<String> {
    let spec = &project.spec;
    let mut odd = Vec::new();
    let mut tell = |place: String, read: Result<bool, UnreadablePattern>, denies: bool| {
        let Err(why) = read else { return };
        let effect = if denies {
            "it denies everything"
        } else {
            "it permits nothing"
        };
        odd.push(format!(
            "AppProject {}: spec.{place}: {why}: {effect}",
            project.metadata.name
        ));
    };
    let name = |pattern: &str| {
        let denied = pattern.strip_prefix('!');
        (matches(denied.unwrap_or(pattern), ""), denied.is_some())
    };
    for (index, pattern) in spec.source_repos.iter().enumerate() {
        let denied = pattern.strip_prefix('!');
        let (read, denies) = (matches_repository(denied.unwrap_or(pattern), ""), denied.is_some());
        tell(format!("sourceRepos[{index}]"), read, denies);
    }
    for (index, rule) in spec.destinations.iter().enumerate() {
        for (field, pattern) in [
            ("server", &rule.server),
            ("name", &rule.name),
            ("namespace", &rule.namespace),
        ] {
            let (read, denies) = name(pattern);
            tell(format!("destinations[{index}].{field}"), read, denies);
        }
    }
    let allowed = spec.namespace_resource_whitelist.as_deref().unwrap_or_default();
    let lists: [(&str, &[ProjectResource], bool); 4] = [
        ("clusterResourceWhitelist", &spec.cluster_resource_whitelist, false),
        ("clusterResourceBlacklist", &spec.cluster_resource_blacklist, true),
        ("namespaceResourceWhitelist", allowed, false),
        ("namespaceResourceBlacklist", &spec.namespace_resource_blacklist, true),
    ];
    for (list, rules, denies) in lists {
        for (index, rule) in rules.iter().enumerate() {
            for (field, pattern) in [("group", &rule.group), ("kind", &rule.kind), ("name", &rule.name)] {
                tell(format!("{list}[{index}].{field}"), matches_kind(pattern, ""), denies);
            }
        }
    }
    odd
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ApplicationDestination, GroupKind, ProjectDestination};

    #[test]
    fn patterns_are_argo_cds_and_one_that_cannot_be_read_denies() {
        let mut project = AppProject::permissive("p");
        let on = |namespace: &str| ProjectDestination {
            server: "*".into(),
            namespace: namespace.into(),
            ..Default::default()
        };
        let destination = ApplicationDestination {
            server: "https://x".into(),
            ..Default::default()
        };
        for (patterns, namespace, permitted) in [
            (vec!["{shop,bank}"], "bank", true),
            (vec!["team-[a-c]"], "team-b", true),
            (vec!["team-[!a-c]"], "team-b", false),
            (vec!["*", "!{kube-system,shop}"], "shop", false),
            (vec!["*", "!{kube-system,shop}"], "bank", true),
            (vec!["[shop"], "shop", false),
            (vec!["*", "![shop"], "bank", false),
        ] {
            project.spec.destinations = patterns.iter().map(|pattern| on(pattern)).collect();
            let result = project.permits_destination(&destination, namespace);
            assert_eq!(result.is_ok(), permitted, "{patterns:?} {namespace}");
        }
        let odd = odd_in_project(&project);
        assert_eq!(odd.len(), 1, "{odd:?}");
        assert!(
            odd[0].starts_with("AppProject p: spec.destinations[1].namespace: pattern \"[shop\""),
            "{odd:?}"
        );
        assert!(odd[0].ends_with(": it denies everything"), "{odd:?}");
    }

    #[test]
    fn patterns_of_kinds_are_paths_and_one_that_cannot_be_read_denies() {
        let mut project = AppProject::permissive("p");
        let rule = |kind: &str| ProjectResource {
            group: "*".into(),
            kind: kind.into(),
            name: String::new(),
        };
        let role = GroupKind::new("rbac.authorization.k8s.io", "Role");
        for (allowed, denied, permitted) in [
            ("R*", "[A-Q]*", true),
            ("*", "[A-R]*", false),
            ("*", "[R", false),
            ("[R", "x", false),
        ] {
            project.spec.namespace_resource_whitelist = Some(vec![rule(allowed)]);
            project.spec.namespace_resource_blacklist = vec![rule(denied)];
            let result = project.permits_kind(&role, "x", true);
            assert_eq!(result.is_ok(), permitted, "{allowed} {denied}");
        }
        let odd = odd_in_project(&project);
        assert_eq!(odd.len(), 1, "{odd:?}");
        assert!(
            odd[0].starts_with("AppProject p: spec.namespaceResourceWhitelist[0].kind"),
            "{odd:?}"
        );
    }
}
