//! `Application.spec`: what is wanted.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{InvalidApplication, RetryStrategy};
use crate::{ClusterId, SyncOptions};

/// `spec`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ApplicationSpec {
    /// The AppProject that limits it; `default` when empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub project: String,
    /// The one source; not looked at when [`ApplicationSpec::sources`] has any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<ApplicationSource>,
    /// Several sources, whose manifests are put together.
    #[serde(skip_serializing_if = "Vec::is_empty", rename = "sources")]
    pub source_list: Vec<ApplicationSource>,
    /// Where it goes.
    pub destination: ApplicationDestination,
    /// How it is synced.
    pub sync_policy: SyncPolicy,
    /// Differences that do not count.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignore_differences: Vec<ResourceIgnoreDifferences>,
    /// Rows of history kept; 10 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision_history_limit: Option<u32>,
    /// Shown to people.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub info: Vec<Info>,
    /// The source hydrator, as written. An Application that uses it is refused with a message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_hydrator: Option<Value>,
}

/// A name and a value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Info {
    /// Name.
    pub name: String,
    /// Value.
    pub value: String,
}

/// One source of manifests.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ApplicationSource {
    /// Git, Helm or OCI repository.
    #[serde(rename = "repoURL")]
    pub repo_url: String,
    /// Folder in the repository, from its root.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// Branch, tag, commit or version constraint; empty is HEAD.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub target_revision: String,
    /// A chart's name in a Helm repository.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub chart: String,
    /// Helm's part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub helm: Option<HelmSource>,
    /// The plain directory's part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<DirectorySource>,
    /// Kustomize's part, as written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kustomize: Option<Value>,
    /// A plugin's part, as written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugin: Option<Value>,
    /// Name by which other sources refer to this one's files (`$name/path`).
    #[serde(rename = "ref", skip_serializing_if = "String::is_empty")]
    pub reference: String,
    /// Label of the source.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Only tags with this prefix count for a version constraint.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tag_prefix: String,
}

/// `source.helm`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HelmSource {
    /// Release name; the application's name when empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub release_name: String,
    /// Values files, relative to the source's path or `$ref/…`; the last one wins.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub value_files: Vec<String>,
    /// Values as YAML text.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub values: String,
    /// Values as an object; wins over `values`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values_object: Option<Value>,
    /// `--set`; wins over all values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<HelmParameter>,
    /// `--set-file`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub file_parameters: Vec<HelmFileParameter>,
    /// `v3`; not looked at.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// Pass credentials to all domains.
    #[serde(skip_serializing_if = "is_false")]
    pub pass_credentials: bool,
    /// A values file that does not exist is not an error.
    #[serde(skip_serializing_if = "is_false")]
    pub ignore_missing_value_files: bool,
    /// Leave `crds/` out.
    #[serde(skip_serializing_if = "is_false")]
    pub skip_crds: bool,
    /// Leave test hooks out.
    #[serde(skip_serializing_if = "is_false")]
    pub skip_tests: bool,
    /// Do not check `values.schema.json`.
    #[serde(skip_serializing_if = "is_false")]
    pub skip_schema_validation: bool,
    /// `.Release.Namespace`; the destination's when empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// `.Capabilities.KubeVersion`; the cluster's when empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kube_version: String,
    /// `.Capabilities.APIVersions`; the cluster's when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub api_versions: Vec<String>,
}

/// One `--set`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HelmParameter {
    /// Path of the value.
    pub name: String,
    /// The value.
    pub value: String,
    /// `--set-string`.
    #[serde(skip_serializing_if = "is_false")]
    pub force_string: bool,
}

/// One `--set-file`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HelmFileParameter {
    /// Path of the value.
    pub name: String,
    /// File whose content it takes.
    pub path: String,
}

/// `source.directory`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DirectorySource {
    /// Look into sub-folders.
    #[serde(skip_serializing_if = "is_false")]
    pub recurse: bool,
    /// Glob of files to take, `{a,b}` for several.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub include: String,
    /// Glob of files to leave.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub exclude: String,
    /// Jsonnet's part, as written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jsonnet: Option<Value>,
}

/// Where an application goes: a server or a name of a cluster, and the namespace of objects that have none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ApplicationDestination {
    /// The cluster's URL.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub server: String,
    /// The cluster's name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Default namespace.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
}

impl ApplicationDestination {
    /// The cluster: `in-cluster` is the name of the one the controller runs in.
    pub fn cluster(&self) -> ClusterId {
        match (self.server.as_str(), self.name.as_str()) {
            ("", "in-cluster") => ClusterId::in_cluster(),
            ("", name) => ClusterId(name.to_owned()),
            (server, _) => ClusterId(server.trim_end_matches('/').to_owned()),
        }
    }
}

/// `spec.syncPolicy`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SyncPolicy {
    /// Sync without being asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub automated: Option<SyncPolicyAutomated>,
    /// Options, as written.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sync_options: Vec<String>,
    /// What happens after a failed sync.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryStrategy>,
    /// Labels and annotations of the destination namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub managed_namespace_metadata: Option<ManagedNamespaceMetadata>,
}

impl SyncPolicy {
    /// The options, parsed.
    pub fn options(&self) -> SyncOptions {
        SyncOptions::parse(self.sync_options.iter().map(String::as_str))
    }

    /// The automated part, when it is switched on.
    pub fn automation(&self) -> Option<&SyncPolicyAutomated> {
        self.automated
            .as_ref()
            .filter(|automated| automated.enabled != Some(false))
    }
}

/// `spec.syncPolicy.automated`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SyncPolicyAutomated {
    /// Delete what is no longer in the source.
    pub prune: bool,
    /// Put drift right.
    pub self_heal: bool,
    /// An empty source may delete everything.
    pub allow_empty: bool,
    /// `false` pauses without losing the rest; absent is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// Labels and annotations of the destination namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ManagedNamespaceMetadata {
    /// Labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl ManagedNamespaceMetadata {
    /// Does it say nothing?
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.annotations.is_empty()
    }
}

/// One rule of `spec.ignoreDifferences`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceIgnoreDifferences {
    /// Group, a glob.
    pub group: String,
    /// Kind, a glob.
    pub kind: String,
    /// Name; empty is any.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Namespace; empty is any.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Fields, as JSON pointers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub json_pointers: Vec<String>,
    /// Fields, as jq paths.
    #[serde(rename = "jqPathExpressions", skip_serializing_if = "Vec::is_empty")]
    pub jq_path_expressions: Vec<String>,
    /// Fields owned by these managers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub managed_fields_managers: Vec<String>,
}

impl ApplicationSpec {
    /// The project's name.
    pub fn project(&self) -> &str {
        if self.project.is_empty() {
            "default"
        } else {
            &self.project
        }
    }

    /// The sources: `sources` when it has any, else `source`.
    pub fn sources(&self) -> &[ApplicationSource] {
        match (&self.source_list[..], &self.source) {
            ([], Some(source)) => std::slice::from_ref(source),
            (list, _) => list,
        }
    }

    /// Refuses what cannot mean anything, naming the field.
    pub(super) fn validate(&self) -> Result<(), InvalidApplication> {
        if self.source_hydrator.is_some() {
            return Err(InvalidApplication::Refused {
                field: "spec.sourceHydrator",
                value: "…".into(),
                reason: "the source hydrator is not supported; name the hydrated branch and path in spec.source".into(),
            });
        }
        let destination = &self.destination;
        match (destination.server.is_empty(), destination.name.is_empty()) {
            (true, true) => Err(InvalidApplication::Missing {
                field: "spec.destination.server",
                hint: "write server: https://kubernetes.default.svc for the cluster the controller runs in, or name: in-cluster",
            }),
            (false, false) => Err(InvalidApplication::Conflicting {
                first: "spec.destination.server",
                second: "spec.destination.name",
                hint: "keep one of them",
            }),
            _ => Ok(()),
        }?;
        if self.sources().is_empty() {
            return Err(InvalidApplication::Missing {
                field: "spec.source",
                hint: "name a repoURL and a path",
            });
        }
        self.sources().iter().try_for_each(ApplicationSource::validate)?;
        self.validate_retry()
    }

    fn validate_retry(&self) -> Result<(), InvalidApplication> {
        let Some(backoff) = self.sync_policy.retry.as_ref().and_then(|retry| retry.backoff.as_ref()) else {
            return Ok(());
        };
        for (field, text) in [
            ("spec.syncPolicy.retry.backoff.duration", &backoff.duration),
            ("spec.syncPolicy.retry.backoff.maxDuration", &backoff.max_duration),
        ] {
            if !text.is_empty() && parse_duration(text).is_none() {
                let reason = "write a duration such as 5s, 3m or 1h30m".into();
                return Err(InvalidApplication::Refused {
                    field,
                    value: text.clone(),
                    reason,
                });
            }
        }
        Ok(())
    }
}

impl ApplicationSource {
    /// Is it there only to be referred to? It renders nothing.
    pub fn is_reference(&self) -> bool {
        !self.reference.is_empty() && self.path.is_empty() && self.chart.is_empty()
    }

    fn validate(&self) -> Result<(), InvalidApplication> {
        if self.repo_url.trim().is_empty() {
            return Err(InvalidApplication::Missing {
                field: "spec.source.repoURL",
                hint: "name the Git repository",
            });
        }
        if self.path.is_empty() && self.chart.is_empty() && self.reference.is_empty() {
            return Err(InvalidApplication::Missing {
                field: "spec.source.path",
                hint: "name a folder of the repository (. is its root), or a chart",
            });
        }
        let escapes = self.path.starts_with('/')
            || self.path.contains(['\\', '\0'])
            || self.path.len() > 4096
            || self.path.split('/').any(|part| part == ".." || part == ".git");
        if escapes {
            return Err(InvalidApplication::Refused {
                field: "spec.source.path",
                value: self.path.chars().take(200).collect(),
                reason: "a path starts at the root of the repository, stays inside it and uses forward slashes".into(),
            });
        }
        Ok(())
    }
}

/// Go's notation of durations: `300ms`, `5s`, `1h30m`; a bare number is seconds, as Argo CD reads it.
pub fn parse_duration(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest.get(..digits)?.parse().ok()?;
        let unit_end = rest[digits..]
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .map_or(rest.len(), |n| digits + n);
        let unit = match &rest[digits..unit_end] {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        total = total.checked_add(Duration::try_from_secs_f64(number * unit).ok()?)?;
        rest = &rest[unit_end..];
    }
    (!text.is_empty()).then_some(total)
}

/// What Go's `strconv.ParseBool` takes for a boolean, as Argo CD does.
pub fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

fn is_false(value: &bool) -> bool {
    !*value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_gos() {
        assert_eq!(parse_duration("1h30m"), Some(Duration::from_secs(5400)));
        assert_eq!(parse_duration("300ms"), Some(Duration::from_millis(300)));
        assert_eq!(parse_duration("7"), Some(Duration::from_secs(7)));
        for bad in ["", "s", "5x", "-5s", "1.2.3s"] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }
    #[test]
    fn booleans_are_gos() {
        for text in ["1", "t", "T", "true", "TRUE", "True"] {
            assert_eq!(parse_bool(text), Some(true), "{text}");
        }
        for text in ["0", "f", "F", "false", "FALSE", "False"] {
            assert_eq!(parse_bool(text), Some(false), "{text}");
        }
        for text in ["", "yes", "on", "tRUE", " true", "tru"] {
            assert_eq!(parse_bool(text), None, "{text}");
        }
    }
}
