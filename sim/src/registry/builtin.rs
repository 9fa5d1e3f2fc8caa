//! The checked-in table of built-in types, parsed once per world.

use std::sync::Arc;

use serde::Deserialize;

use super::{Group, GroupResource, ResourceType, Subresource, Version, api_version};

#[derive(Deserialize)]
struct TableVersion {
    group: String,
    version: String,
    resources: Vec<TableResource>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TableResource {
    plural: String,
    kind: String,
    singular: String,
    namespaced: bool,
    verbs: Vec<String>,
    #[serde(default)]
    response_group: String,
    #[serde(default)]
    response_version: String,
    #[serde(default)]
    short_names: Vec<String>,
    #[serde(default)]
    categories: Vec<String>,
    #[serde(default)]
    subresources: Vec<TableSubresource>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TableSubresource {
    name: String,
    group: String,
    version: String,
    kind: String,
    verbs: Vec<String>,
}

/// The built-in groups in discovery order.
pub(super) fn groups() -> Vec<Group> {
    let table: Vec<TableVersion> =
        serde_json::from_str(include_str!("builtin.json")).expect("the checked-in table of built-in types parses");
    let mut groups: Vec<Group> = Vec::new();
    for entry in table {
        let resources = entry
            .resources
            .into_iter()
            .map(|r| Arc::new(resource(&entry.group, &entry.version, r)));
        let version = Version {
            name: entry.version.clone(),
            resources: resources.collect(),
        };
        match groups.iter_mut().find(|g| g.name == entry.group) {
            Some(group) => group.versions.push(version),
            None => groups.push(Group {
                name: entry.group,
                versions: vec![version],
            }),
        }
    }
    groups
}

fn resource(group: &str, version: &str, table: TableResource) -> ResourceType {
    let (storage_group, storage_version) = match (group, table.plural.as_str()) {
        ("events.k8s.io", "events") => ("", "v1"),
        ("autoscaling", "horizontalpodautoscalers") => ("autoscaling", "v2"),
        _ => (group, version),
    };
    ResourceType {
        group: group.to_owned(),
        version: version.to_owned(),
        kind: table.kind,
        response: (table.response_group, table.response_version),
        storage: GroupResource::new(storage_group, &table.plural),
        storage_version: api_version(storage_group, storage_version),
        plural: table.plural,
        singular: table.singular,
        namespaced: table.namespaced,
        short_names: table.short_names,
        categories: table.categories,
        verbs: table.verbs,
        subresources: table.subresources.into_iter().map(subresource).collect(),
        custom: false,
    }
}

fn subresource(table: TableSubresource) -> Subresource {
    Subresource {
        name: table.name,
        group: table.group,
        version: table.version,
        kind: table.kind,
        verbs: table.verbs,
    }
}
