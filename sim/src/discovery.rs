//! Discovery: which groups, versions and resources there are, in the legacy and the aggregated form, and the list of paths.

use base64::Engine as _;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::registry::{Group, Registry, ResourceType, Subresource, Version, api_version, split_api_version};
use crate::request::{Request, Response};
use crate::status::ApiError;
use crate::world::World;

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

impl World {
    /// Answers a discovery path; `None` when the path is something else.
    pub(crate) fn discovery(&self, request: &Request, path: &str) -> Result<Option<Response>, ApiError> {
        let aggregated = wants_aggregated(request.accept.as_deref());
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        let registry = &self.registry;
        let response = match segments.as_slice() {
            [""] => Response::json(200, json!({"paths": paths(registry)})),
            ["api"] if aggregated => aggregate(registry.groups().iter().filter(|g| g.name.is_empty())),
            ["apis"] if aggregated => aggregate(registry.groups().iter().filter(|g| !g.name.is_empty())),
            ["api"] => Response::json(
                200,
                json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [
                    {"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1:443"}]}),
            ),
            ["apis"] => {
                let groups: Vec<Value> = registry
                    .groups()
                    .iter()
                    .filter(|g| !g.name.is_empty())
                    .map(legacy_group)
                    .collect();
                Response::json(
                    200,
                    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}),
                )
            }
            ["api", "v1"] => self.resource_list("", "v1")?,
            ["apis", group] => {
                let found = registry.group(group).ok_or_else(ApiError::unknown_path)?;
                let mut value = legacy_group(found);
                value["kind"] = json!("APIGroup");
                value["apiVersion"] = json!("v1");
                Response::json(200, value)
            }
            ["apis", group, version] => self.resource_list(group, version)?,
            ["openapi", rest @ ..] => return self.openapi(request, rest).map(Some),
            _ => return Ok(None),
        };
        Ok(Some(response))
    }

    fn resource_list(&self, group: &str, version: &str) -> Result<Response, ApiError> {
        let found = self
            .registry
            .version(group, version)
            .ok_or_else(ApiError::unknown_path)?;
        let mut list = json!({
            "kind": "APIResourceList", "groupVersion": api_version(group, version), "resources": legacy_resources(found),
        });
        if !group.is_empty() {
            list["apiVersion"] = json!("v1");
        }
        Ok(Response::json(200, list))
    }
}

fn wants_aggregated(accept: Option<&str>) -> bool {
    accept.unwrap_or_default().split(',').any(|range| {
        let parts: Vec<&str> = range.split(';').map(str::trim).collect();
        let has = |p: &str| parts.contains(&p);
        parts.first() == Some(&"application/json")
            && has("g=apidiscovery.k8s.io")
            && has("v=v2")
            && has("as=APIGroupDiscoveryList")
    })
}

fn aggregate<'g>(groups: impl Iterator<Item = &'g Group>) -> Response {
    let items: Vec<Value> = groups.map(aggregated_group).collect();
    let body = json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items});
    let mut response = Response::json(200, body);
    response.content_type = AGGREGATED.into();
    response
}

fn aggregated_group(group: &Group) -> Value {
    let versions: Vec<Value> = group
        .versions
        .iter()
        .map(|version| {
            let resources: Vec<Value> = version.resources.iter().map(|r| aggregated_resource(r)).collect();
            json!({"version": version.name, "resources": resources, "freshness": "Current"})
        })
        .collect();
    let metadata = if group.name.is_empty() {
        json!({})
    } else {
        json!({"name": group.name})
    };
    json!({"metadata": metadata, "versions": versions})
}

fn aggregated_resource(resource: &ResourceType) -> Value {
    // Custom resources name their group and version; built-in ones leave both empty.
    let (group, version) = if resource.custom {
        (resource.group.as_str(), resource.version.as_str())
    } else {
        (resource.response.0.as_str(), resource.response.1.as_str())
    };
    let kind = |g: &str, v: &str, k: &str| json!({"group": g, "version": v, "kind": k});
    let mut out = json!({
        "resource": resource.plural, "responseKind": kind(group, version, &resource.kind),
        "scope": if resource.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": resource.singular, "verbs": resource.verbs,
    });
    put_list(&mut out, "shortNames", &resource.short_names);
    put_list(&mut out, "categories", &resource.categories);
    let subresources: Vec<Value> = resource
        .subresources
        .iter()
        .map(|s| {
            let (g, v) = if resource.custom && s.version.is_empty() {
                (group, version)
            } else {
                (&*s.group, &*s.version)
            };
            json!({"subresource": s.name, "responseKind": kind(g, v, &s.kind), "verbs": s.verbs})
        })
        .collect();
    if !subresources.is_empty() {
        out["subresources"] = json!(subresources);
    }
    out
}

fn put_list(out: &mut Value, key: &str, list: &[String]) {
    if !list.is_empty() {
        out[key] = json!(list);
    }
}

fn legacy_group(group: &Group) -> Value {
    let version = |v: &Version| json!({"groupVersion": api_version(&group.name, &v.name), "version": v.name});
    let versions: Vec<Value> = group.versions.iter().map(version).collect();
    let preferred = versions.first().cloned().unwrap_or_default();
    json!({"name": group.name, "versions": versions, "preferredVersion": preferred})
}

fn legacy_resources(version: &Version) -> Vec<Value> {
    let mut out = Vec::new();
    for resource in &version.resources {
        let mut entry = json!({
            "name": resource.plural, "singularName": resource.singular, "namespaced": resource.namespaced,
            "kind": resource.kind, "verbs": resource.verbs,
        });
        put_response(&mut entry, &resource.response.0, &resource.response.1);
        put_list(&mut entry, "shortNames", &resource.short_names);
        put_list(&mut entry, "categories", &resource.categories);
        if resource.serves("list") && resource.plural != "componentstatuses" {
            entry["storageVersionHash"] = json!(storage_hash(resource));
        }
        out.push(entry);
        out.extend(resource.subresources.iter().map(|s| legacy_subresource(resource, s)));
    }
    if version.resources.iter().any(|r| r.custom) {
        return out;
    }
    out.sort_by(|a, b| a["name"].as_str().cmp(&b["name"].as_str()));
    out
}

fn legacy_subresource(resource: &ResourceType, subresource: &Subresource) -> Value {
    let mut entry = json!({
        "name": format!("{}/{}", resource.plural, subresource.name), "singularName": "", "namespaced": resource.namespaced,
        "kind": subresource.kind, "verbs": subresource.verbs,
    });
    put_response(&mut entry, &subresource.group, &subresource.version);
    entry
}

fn put_response(entry: &mut Value, group: &str, version: &str) {
    if !group.is_empty() || !version.is_empty() {
        entry["group"] = json!(group);
        entry["version"] = json!(version);
        if group.is_empty() {
            entry
                .as_object_mut()
                .and_then(|map: &mut Map<String, Value>| map.remove("group"));
        }
    }
}

/// The first eight bytes of the hash of group, version and kind of the stored form.
fn storage_hash(resource: &ResourceType) -> String {
    let (group, version) = split_api_version(&resource.storage_version);
    let digest = Sha256::digest(format!("{group}/{version}/{}", resource.kind));
    base64::engine::general_purpose::STANDARD.encode(&digest[..8])
}

fn paths(registry: &Registry) -> Vec<String> {
    let mut paths: Vec<String> = [
        "/api",
        "/api/v1",
        "/apis",
        "/apis/",
        "/healthz",
        "/livez",
        "/openapi/v2",
        "/openapi/v3",
        "/readyz",
        "/version",
    ]
    .map(str::to_owned)
    .to_vec();
    for group in registry.groups().iter().filter(|g| !g.name.is_empty()) {
        paths.push(format!("/apis/{}", group.name));
        paths.extend(
            group
                .versions
                .iter()
                .map(|v| format!("/apis/{}/{}", group.name, v.name)),
        );
    }
    paths.sort();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn storage_hashes_are_those_of_the_real_server() {
        let registry = Registry::builtin();
        assert_eq!(
            storage_hash(registry.resource("", "v1", "configmaps").unwrap()),
            "qFsyl6wFWjQ="
        );
        assert_eq!(
            storage_hash(registry.resource("apps", "v1", "deployments").unwrap()),
            "8aSe+NMegvE="
        );
        assert_eq!(
            storage_hash(
                registry
                    .resource("autoscaling", "v1", "horizontalpodautoscalers")
                    .unwrap()
            ),
            "qwQve8ut294="
        );
    }

    #[test]
    fn aggregated_discovery_is_asked_for_by_accept() {
        assert!(wants_aggregated(Some(
            "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
        )));
        assert!(!wants_aggregated(Some("application/json")));
    }
}
