//! Argo CD's `AppProject`: what its applications may read and write.
//!
//! Matching follows Argo CD's quirks on purpose (`!` patterns deny over all allows, a `!x` item also allows the rest). A pattern that cannot be read
//! denies, and does not permit. Roles and signature
//! rules are kept as written: they are not looked at yet.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::pattern::{allows, denies, denies_repository, matches, matches_kind, matches_repository};
use crate::{ApplicationDestination, ApplicationSource, GroupKind, Identity, InvalidIdentity, ServiceAccount};

/// One AppProject.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AppProject {
    /// Its metadata.
    pub metadata: crate::Metadata,
    /// Its rules.
    pub spec: AppProjectSpec,
}

/// `spec` of an AppProject.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AppProjectSpec {
    /// Globs of repositories; `!` denies.
    pub source_repos: Vec<String>,
    /// Where its applications may go.
    pub destinations: Vec<ProjectDestination>,
    /// Namespaces whose Applications may use it.
    pub source_namespaces: Vec<String>,
    /// Cluster-scoped kinds allowed; empty allows none.
    pub cluster_resource_whitelist: Vec<ProjectResource>,
    /// Cluster-scoped kinds denied.
    pub cluster_resource_blacklist: Vec<ProjectResource>,
    /// Namespaced kinds allowed; absent allows all.
    pub namespace_resource_whitelist: Option<Vec<ProjectResource>>,
    /// Namespaced kinds denied.
    pub namespace_resource_blacklist: Vec<ProjectResource>,
    /// For people.
    pub description: String,
    /// When its applications may be synced.
    pub sync_windows: Vec<SyncWindow>,
    /// As whom its applications are synced, where the controller impersonates; the first that fits counts.
    pub destination_service_accounts: Vec<DestinationServiceAccount>,
    /// The rest, as written.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// One sync window, as written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SyncWindow {
    /// `allow` or `deny`.
    pub kind: String,
    /// When it opens: five fields of cron.
    pub schedule: String,
    /// For how long, in Go's notation.
    pub duration: String,
    /// Zone of the schedule; UTC when empty.
    pub time_zone: String,
    /// Globs of applications' names.
    pub applications: Vec<String>,
    /// Globs of destination namespaces.
    pub namespaces: Vec<String>,
    /// Globs of destination clusters, by URL or by name.
    pub clusters: Vec<String>,
    /// Every list that is written has to fit, not one of them.
    pub and_operator: bool,
    /// A person may sync all the same.
    pub manual_sync: bool,
    /// A sync that began when it was allowed goes on.
    pub sync_overrun: bool,
    /// For people.
    pub description: String,
}

/// One allowed destination.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProjectDestination {
    /// Glob of the server.
    pub server: String,
    /// Glob of the cluster's name.
    pub name: String,
    /// Glob of the namespace.
    pub namespace: String,
}

/// As whom is written to some destinations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DestinationServiceAccount {
    /// Glob of the server.
    pub server: String,
    /// Glob of the application's destination namespace.
    pub namespace: String,
    /// `NAME`, or `NAMESPACE:NAME`.
    pub default_service_account: String,
}

/// One allowed or denied kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProjectResource {
    /// Glob of the group.
    pub group: String,
    /// Glob of the kind.
    pub kind: String,
    /// Glob of the name; empty is any.
    pub name: String,
}

/// Why a project does not let something through.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefusedByProject {
    /// The repository.
    #[error("repository {repo_url} is not permitted in project {project}: add it to spec.sourceRepos")]
    Source {
        /// Project.
        project: String,
        /// Repository.
        repo_url: String,
    },
    /// The cluster or namespace.
    #[error(
        "destination {destination}, namespace {namespace:?} is not permitted in project {project}: add it to spec.destinations"
    )]
    Destination {
        /// Project.
        project: String,
        /// Server or cluster name.
        destination: String,
        /// Namespace.
        namespace: String,
    },
    /// The kind.
    #[error("{scope} kind {kind} is not permitted in project {project}: see spec.{list}")]
    Kind {
        /// Project.
        project: String,
        /// Kind.
        kind: String,
        /// `cluster-scoped` or `namespaced`.
        scope: &'static str,
        /// The list that decides.
        list: &'static str,
    },
    /// Nothing says as whom is written to the destination.
    #[error(
        "project {project} names no service account for destination {destination}, namespace {namespace:?}, and syncs impersonate one: \
         add an entry that fits to spec.destinationServiceAccounts"
    )]
    NoServiceAccount {
        /// Project.
        project: String,
        /// Server.
        destination: String,
        /// Namespace of the application's destination.
        namespace: String,
    },
    /// What says it cannot be understood.
    #[error("project {project}: spec.destinationServiceAccounts[{index}].{field}: {reason}")]
    ServiceAccount {
        /// Project.
        project: String,
        /// Which entry.
        index: usize,
        /// Field of the entry.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// It is not decided yet as whom is written.
    #[error("nothing was written for project {project}: it is not decided as whom")]
    Undecided {
        /// Project.
        project: String,
    },
}

impl AppProject {
    /// Argo CD's `default` project as it installs it: everything is permitted.
    pub fn permissive(name: &str) -> Self {
        let any = ProjectResource {
            group: "*".into(),
            kind: "*".into(),
            name: String::new(),
        };
        Self {
            metadata: crate::Metadata {
                name: name.to_owned(),
                ..Default::default()
            },
            spec: AppProjectSpec {
                source_repos: vec!["*".into()],
                destinations: vec![ProjectDestination {
                    server: "*".into(),
                    name: String::new(),
                    namespace: "*".into(),
                }],
                cluster_resource_whitelist: vec![any],
                ..Default::default()
            },
        }
    }

    /// May an application of this project read this source?
    pub fn permits_source(&self, source: &ApplicationSource) -> Result<(), RefusedByProject> {
        let mut allowed = false;
        for pattern in &self.spec.source_repos {
            match pattern.strip_prefix('!') {
                Some(denied) if denies_repository(denied, &source.repo_url) => {
                    allowed = false;
                    break;
                }
                Some(_) => {}
                None => allowed |= matches_repository(pattern, &source.repo_url).unwrap_or(false),
            }
        }
        if allowed {
            return Ok(());
        }
        Err(RefusedByProject::Source {
            project: self.metadata.name.clone(),
            repo_url: source.repo_url.clone(),
        })
    }

    /// May an application of this project write to `namespace` of the destination's cluster?
    pub fn permits_destination(
        &self,
        destination: &ApplicationDestination,
        namespace: &str,
    ) -> Result<(), RefusedByProject> {
        let mut allowed = false;
        for rule in &self.spec.destinations {
            let server = !rule.server.is_empty() && matches_or_denies(&rule.server, &destination.server);
            let name = !rule.name.is_empty() && matches_or_denies(&rule.name, &destination.name);
            let in_namespace = matches_or_denies(&rule.namespace, namespace);
            let denied =
                |pattern: &str, text: &str| pattern.strip_prefix('!').is_some_and(|pattern| denies(pattern, text));
            if denied(&rule.name, &destination.name)
                || denied(&rule.server, &destination.server) && in_namespace
                || denied(&rule.namespace, namespace) && (server || name)
            {
                allowed = false;
                break;
            }
            allowed |= (server || name) && in_namespace;
        }
        if allowed {
            return Ok(());
        }
        let project = self.metadata.name.clone();
        let cluster = if destination.server.is_empty() {
            &destination.name
        } else {
            &destination.server
        };
        Err(RefusedByProject::Destination {
            project,
            destination: cluster.clone(),
            namespace: namespace.to_owned(),
        })
    }

    /// As whom an application of this project writes to its destination, where the controller impersonates. `namespace` is that of the
    /// Application: what has no destination namespace has its account there. As in Argo CD the first entry that fits counts, and fits by the
    /// application's own destination, whatever namespace an object of it lives in. What cannot be understood fits nothing and hides
    /// nothing: it is an error, so that no later entry gives rights that an earlier one was meant to withhold.
    pub fn service_account(
        &self,
        destination: &ApplicationDestination,
        namespace: &str,
    ) -> Result<Identity, RefusedByProject> {
        let server = destination.cluster().0;
        for (index, entry) in self.spec.destination_service_accounts.iter().enumerate() {
            let refused = |field, reason| RefusedByProject::ServiceAccount {
                project: self.metadata.name.clone(),
                index,
                field,
                reason,
            };
            for (field, pattern) in [("server", &entry.server), ("namespace", &entry.namespace)] {
                if pattern.contains('!') {
                    let reason = format!("{pattern:?} has '!': an entry gives an account, and denies nothing");
                    return Err(refused(field, reason));
                }
            }
            let is_server = matches(entry.server.trim_end_matches('/'), &server);
            let is_namespace = matches(&entry.namespace, &destination.namespace);
            let is_server = is_server.map_err(|why| refused("server", why.to_string()))?;
            if is_namespace.map_err(|why| refused("namespace", why.to_string()))? && is_server {
                let home = match destination.namespace.as_str() {
                    "" => namespace,
                    namespace => namespace,
                };
                let account = ServiceAccount::parse(&entry.default_service_account, home);
                return account
                    .map(Identity::ServiceAccount)
                    .map_err(|error: InvalidIdentity| refused("defaultServiceAccount", error.to_string()));
            }
        }
        Err(RefusedByProject::NoServiceAccount {
            project: self.metadata.name.clone(),
            destination: server,
            namespace: destination.namespace.clone(),
        })
    }

    /// May an application of this project write an object of this kind?
    pub fn permits_kind(&self, kind: &GroupKind, name: &str, namespaced: bool) -> Result<(), RefusedByProject> {
        // What cannot be read denies, and does not permit.
        let listed = |list: &[ProjectResource], denies: bool| {
            let fits = |pattern: &str, text: &str| matches_kind(pattern, text).unwrap_or(denies);
            list.iter().any(|rule| {
                fits(&rule.group, &kind.group)
                    && fits(&rule.kind, &kind.kind)
                    && (rule.name.is_empty() || fits(&rule.name, name))
            })
        };
        let refused = |scope, list| RefusedByProject::Kind {
            project: self.metadata.name.clone(),
            kind: kind.to_string(),
            scope,
            list,
        };
        let spec = &self.spec;
        if namespaced {
            if spec
                .namespace_resource_whitelist
                .as_deref()
                .is_some_and(|list| !listed(list, false))
            {
                return Err(refused("namespaced", "namespaceResourceWhitelist"));
            }
            if listed(&spec.namespace_resource_blacklist, true) {
                return Err(refused("namespaced", "namespaceResourceBlacklist"));
            }
            return Ok(());
        }
        if !listed(&spec.cluster_resource_whitelist, false) {
            return Err(refused("cluster-scoped", "clusterResourceWhitelist"));
        }
        if listed(&spec.cluster_resource_blacklist, true) {
            return Err(refused("cluster-scoped", "clusterResourceBlacklist"));
        }
        Ok(())
    }
}

fn matches_or_denies(pattern: &str, text: &str) -> bool {
    match pattern.strip_prefix('!') {
        Some(denied) => !denies(denied, text),
        None => allows(pattern, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(repo_url: &str) -> ApplicationSource {
        ApplicationSource {
            repo_url: repo_url.into(),
            ..Default::default()
        }
    }

    #[test]
    fn an_empty_project_permits_nothing() {
        let project = AppProject::default();
        assert!(project.permits_source(&source("https://x/y")).is_err());
        assert!(
            project
                .permits_kind(&GroupKind::new("", "Namespace"), "x", false)
                .is_err()
        );
        assert!(
            project
                .permits_kind(&GroupKind::new("", "ConfigMap"), "x", true)
                .is_ok()
        );
    }

    #[test]
    fn a_denial_wins_over_every_allow() {
        let mut project = AppProject::permissive("p");
        project.spec.source_repos.push("!https://evil/*".into());
        assert!(project.permits_source(&source("https://evil/x")).is_err());
        assert!(project.permits_source(&source("https://good/x")).is_ok());
    }

    fn mapped(entries: &[(&str, &str, &str)]) -> AppProject {
        let mut project = AppProject::permissive("team");
        let entry = |(server, namespace, account): &(&str, &str, &str)| DestinationServiceAccount {
            server: (*server).into(),
            namespace: (*namespace).into(),
            default_service_account: (*account).into(),
        };
        project.spec.destination_service_accounts = entries.iter().map(entry).collect();
        project
    }

    fn account(project: &AppProject, name: &str, namespace: &str) -> Result<String, String> {
        let destination = ApplicationDestination {
            name: name.into(),
            namespace: namespace.into(),
            ..Default::default()
        };
        let found = project.service_account(&destination, "argocd");
        found
            .map(|identity| identity.to_string())
            .map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn the_first_account_that_fits_counts() {
        let here = crate::ClusterId::IN_CLUSTER;
        let project = mapped(&[
            ("https://other", "*", "other"),
            (here, "shop", "shop-deployer"),
            (here, "{shop-*,[a-c]ank}", "ops:deployer"),
            ("*", "shop", "never"),
            ("https://kubernetes.*", "", "homeless"),
        ]);
        let of = |namespace| account(&project, "in-cluster", namespace);
        assert_eq!(of("shop"), Ok("system:serviceaccount:shop:shop-deployer".into()));
        assert_eq!(of("shop-dev"), Ok("system:serviceaccount:ops:deployer".into()));
        assert_eq!(of("bank"), Ok("system:serviceaccount:ops:deployer".into()));
        // Without a namespace of its own the account is where the Application is.
        assert_eq!(of(""), Ok("system:serviceaccount:argocd:homeless".into()));
        let refusal = of("tank").expect_err("nothing fits");
        assert!(
            refusal.contains("project team") && refusal.contains("spec.destinationServiceAccounts"),
            "{refusal}"
        );
        assert!(account(&AppProject::permissive("default"), "in-cluster", "shop").is_err());
    }

    #[test]
    fn an_account_that_is_none_is_no_way_to_the_next_one() {
        for (entry, field) in [
            (("*", "*", ""), "[0].defaultServiceAccount"),
            (("*", "*", "  "), "[0].defaultServiceAccount"),
            (("*", "*", "*"), "[0].defaultServiceAccount"),
            (("*", "*", "a:b:c"), "[0].defaultServiceAccount"),
            (("*", "!shop", "deployer"), "[0].namespace"),
            (("!https://x", "*", "deployer"), "[0].server"),
            (("*", "[!s]hop", "deployer"), "[0].namespace"),
            (("*", "{shop", "deployer"), "[0].namespace"),
            (("https://[x", "*", "deployer"), "[0].server"),
        ] {
            let refusal = account(&mapped(&[entry, ("*", "*", "admin")]), "in-cluster", "shop");
            let refusal = refusal.expect_err("no account");
            assert!(refusal.contains(field), "{refusal}");
        }
    }

    #[test]
    fn accounts_are_read_from_the_resource() {
        let text = r#"{"metadata": {"name": "p"}, "spec": {"destinationServiceAccounts":
            [{"server": "*", "namespace": "a", "defaultServiceAccount": "b"}]}}"#;
        let project: AppProject = serde_json::from_str(text).expect("a project");
        assert_eq!(
            account(&project, "in-cluster", "a"),
            Ok("system:serviceaccount:a:b".into())
        );
        assert!(project.spec.rest.is_empty());
    }
}
