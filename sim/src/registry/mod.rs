//! Which resources the server serves: built-in types and those defined by CustomResourceDefinitions.
//!
//! The built-in table (`builtin.json`) holds facts of a real server's aggregated discovery, in its order: groups by priority, versions
//! by preference, resources by name. Two served types may be one stored resource (`events` of two groups, the versions of one kind):
//! [`ResourceType::storage`] names what the store is keyed by.

mod builtin;

use std::collections::BTreeMap;
use std::sync::Arc;

/// A stored resource: objects of all versions of a kind live under one of these.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupResource {
    /// API group, empty for the core group.
    pub group: String,
    /// Plural name.
    pub resource: String,
}

impl GroupResource {
    /// From its two names.
    pub fn new(group: &str, resource: &str) -> Self {
        Self {
            group: group.to_owned(),
            resource: resource.to_owned(),
        }
    }
}

/// A subresource, e.g. `scale`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subresource {
    /// Name in the path.
    pub name: String,
    /// Group of the kind it speaks; empty together with `version` when it is the parent's.
    pub group: String,
    /// Version of the kind it speaks.
    pub version: String,
    /// Kind it speaks.
    pub kind: String,
    /// Verbs it serves.
    pub verbs: Vec<String>,
}

/// A served resource in one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceType {
    /// API group, empty for the core group.
    pub group: String,
    /// Version, e.g. `v1`.
    pub version: String,
    /// Kind, e.g. `Deployment`.
    pub kind: String,
    /// Group and version of the kind where they are not the resource's own (review kinds); usually both empty.
    pub response: (String, String),
    /// Plural name: the path segment.
    pub plural: String,
    /// Singular name.
    pub singular: String,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
    /// Short names, e.g. `deploy`.
    pub short_names: Vec<String>,
    /// Categories, e.g. `all`.
    pub categories: Vec<String>,
    /// Verbs it serves, sorted.
    pub verbs: Vec<String>,
    /// Its subresources.
    pub subresources: Vec<Subresource>,
    /// What the store is keyed by.
    pub storage: GroupResource,
    /// `group/version` objects are stored in.
    pub storage_version: String,
    /// Whether a CustomResourceDefinition defined it.
    pub custom: bool,
}

impl ResourceType {
    /// `group/version`, or only the version in the core group.
    pub fn api_version(&self) -> String {
        api_version(&self.group, &self.version)
    }

    /// `group/version` of the stored form.
    pub fn storage_api_version(&self) -> &str {
        &self.storage_version
    }

    /// Whether `verb` is served.
    pub fn serves(&self, verb: &str) -> bool {
        self.verbs.iter().any(|v| v == verb)
    }

    /// The subresource of that name.
    pub fn subresource(&self, name: &str) -> Option<&Subresource> {
        self.subresources.iter().find(|s| s.name == name)
    }

    /// Kind of a list, e.g. `DeploymentList`.
    pub fn list_kind(&self) -> String {
        format!("{}List", self.kind)
    }
}

/// One group with its versions in order of preference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Name, empty for the core group.
    pub name: String,
    /// Versions, preferred first.
    pub versions: Vec<Version>,
}

/// One version of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Name, e.g. `v1`.
    pub name: String,
    /// Resources in the order discovery lists them.
    pub resources: Vec<Arc<ResourceType>>,
}

/// All served types.
#[derive(Clone, Debug)]
pub struct Registry {
    builtin: Vec<Group>,
    custom: BTreeMap<String, Vec<ResourceType>>,
    groups: Vec<Group>,
}

impl Registry {
    /// The built-in types of Kubernetes 1.36.
    pub fn builtin() -> Self {
        let builtin = builtin::groups();
        Self {
            groups: builtin.clone(),
            builtin,
            custom: BTreeMap::new(),
        }
    }

    /// Groups in discovery order; the core group first.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The served type under `group`, `version` and plural name.
    pub fn resource(&self, group: &str, version: &str, plural: &str) -> Option<&Arc<ResourceType>> {
        self.version(group, version)?
            .resources
            .iter()
            .find(|r| r.plural == plural)
    }

    /// The served type of a kind; where several resources speak one kind, the one whose name is its plural wins by coming first.
    pub fn kind(&self, group: &str, version: &str, kind: &str) -> Option<&Arc<ResourceType>> {
        self.version(group, version)?.resources.iter().find(|r| r.kind == kind)
    }

    /// A served version.
    pub fn version(&self, group: &str, version: &str) -> Option<&Version> {
        self.group(group)?.versions.iter().find(|v| v.name == version)
    }

    /// A served group.
    pub fn group(&self, group: &str) -> Option<&Group> {
        self.groups.iter().find(|g| g.name == group)
    }

    /// Whether a group is one the server itself serves.
    pub fn is_builtin(&self, group: &str) -> bool {
        self.builtin.iter().any(|g| g.name == group)
    }

    /// Every served type, preferred versions first within a group.
    pub fn resources(&self) -> impl Iterator<Item = &Arc<ResourceType>> {
        self.groups.iter().flat_map(|g| &g.versions).flat_map(|v| &v.resources)
    }

    /// The type a stored resource is served as, in its storage version where that is served.
    pub fn of_storage(&self, storage: &GroupResource) -> Option<&Arc<ResourceType>> {
        let mut served = self.resources().filter(|resource| resource.storage == *storage);
        let first = served.next()?;
        let stored = |resource: &&Arc<ResourceType>| resource.api_version() == resource.storage_version;
        Some(if stored(&first) {
            first
        } else {
            served.find(stored).unwrap_or(first)
        })
    }

    /// The preferred served type of each stored resource that can be listed.
    pub fn storages(&self) -> Vec<Arc<ResourceType>> {
        let mut found: BTreeMap<&GroupResource, &Arc<ResourceType>> = BTreeMap::new();
        for resource in self.resources().filter(|r| r.serves("list")) {
            found.entry(&resource.storage).or_insert(resource);
        }
        found.into_values().cloned().collect()
    }

    /// Replaces what the CustomResourceDefinition `definition` serves; an empty list removes it.
    pub fn define(&mut self, definition: &str, types: Vec<ResourceType>) {
        if types.is_empty() {
            self.custom.remove(definition);
        } else {
            self.custom.insert(definition.to_owned(), types);
        }
        self.rebuild();
    }

    /// Forgets what definitions other than `names` defined.
    pub fn retain_definitions(&mut self, names: &[String]) {
        let before = self.custom.len();
        self.custom.retain(|name, _| names.contains(name));
        if self.custom.len() != before {
            self.rebuild();
        }
    }

    fn rebuild(&mut self) {
        let mut groups = self.builtin.clone();
        let mut added: BTreeMap<String, BTreeMap<VersionOrder, Vec<Arc<ResourceType>>>> = BTreeMap::new();
        for resource in self.custom.values().flatten() {
            let versions = added.entry(resource.group.clone()).or_default();
            versions
                .entry(VersionOrder::of(&resource.version))
                .or_default()
                .push(Arc::new(resource.clone()));
        }
        for (name, versions) in added {
            let versions = versions.into_iter().map(|(order, mut resources)| {
                resources.sort_by(|a, b| a.plural.cmp(&b.plural));
                Version {
                    name: order.name,
                    resources,
                }
            });
            groups.push(Group {
                name,
                versions: versions.collect(),
            });
        }
        self.groups = groups;
    }
}

/// Kubernetes' order of versions: stable before beta before alpha, higher first, then any other name alphabetically.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct VersionOrder {
    class: u8,
    major: i64,
    minor: i64,
    name: String,
}

impl VersionOrder {
    fn of(name: &str) -> Self {
        let parsed = name.strip_prefix('v').and_then(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let major: i64 = rest[..end].parse().ok()?;
            let (class, number) = match &rest[end..] {
                "" => (0, Some(0)),
                tail => match (tail.strip_prefix("beta"), tail.strip_prefix("alpha")) {
                    (Some(n), _) => (1, n.parse().ok()),
                    (_, Some(n)) => (2, n.parse().ok()),
                    _ => return None,
                },
            };
            Some((class, -major, -number?))
        });
        let (class, major, minor) = parsed.unwrap_or((3, 0, 0));
        Self {
            class,
            major,
            minor,
            name: name.to_owned(),
        }
    }
}

/// Version names of a group, most preferred first.
pub fn sort_versions(names: &mut [String]) {
    names.sort_by_key(|name| VersionOrder::of(name));
}

/// `group/version`, or only the version in the core group.
pub fn api_version(group: &str, version: &str) -> String {
    if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    }
}

/// Splits `group/version`; the core group is empty.
pub fn split_api_version(text: &str) -> (&str, &str) {
    text.split_once('/').unwrap_or(("", text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_types_are_found_by_path_and_kind() {
        let registry = Registry::builtin();
        let deployment = registry.resource("apps", "v1", "deployments").unwrap();
        assert_eq!((deployment.kind.as_str(), deployment.namespaced), ("Deployment", true));
        assert!(deployment.subresource("scale").is_some());
        assert_eq!(registry.kind("", "v1", "Namespace").unwrap().plural, "namespaces");
        let events = registry.resource("events.k8s.io", "v1", "events").unwrap();
        assert_eq!(events.storage, GroupResource::new("", "events"));
        assert_eq!(registry.groups()[0].name, "");
        assert_eq!(registry.group("autoscaling").unwrap().versions[0].name, "v2");
    }

    #[test]
    fn versions_sort_as_kubernetes_prefers_them() {
        let mut names: Vec<String> = ["v1beta1", "foo1", "v10", "v1alpha2", "v2", "v1", "v11beta2"]
            .map(str::to_owned)
            .to_vec();
        sort_versions(&mut names);
        assert_eq!(names, ["v10", "v2", "v1", "v11beta2", "v1beta1", "v1alpha2", "foo1"]);
    }
}
