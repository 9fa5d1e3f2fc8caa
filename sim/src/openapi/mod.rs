//! OpenAPI v3 documents: what kubectl reads to validate, patch and explain, and what server-side apply is understood by.
//!
//! Built-in schemas come from the same table that the world itself merges and owns by, custom ones from their definitions.
//! Deliberately absent: descriptions, and OpenAPI v2, which kubectl asks for only when v3 fails.

mod schema;

use serde_json::{Map, Value, json};

use crate::registry::{ResourceType, Version, api_version};
use crate::request::{Request, Response};
use crate::status::ApiError;
use crate::world::World;

impl World {
    /// `/openapi/...`.
    pub(crate) fn openapi(&self, _request: &Request, rest: &[&str]) -> Result<Response, ApiError> {
        let (group, version) = match rest {
            ["v3"] => return Ok(Response::json(200, json!({"paths": self.openapi_paths()}))),
            ["v3", "api", version] => ("", *version),
            ["v3", "apis", group, version] => (*group, *version),
            ["v3", ..] => return Ok(Response::text(404, "")),
            _ => return Err(ApiError::model_gap(format!("the path /openapi/{}", rest.join("/")))),
        };
        match self.registry.version(group, version) {
            Some(found) => Ok(Response::json(200, self.document(group, found))),
            None => Ok(Response::text(404, "")),
        }
    }

    fn openapi_paths(&self) -> Value {
        let mut paths = Map::new();
        for group in self.registry.groups() {
            for version in &group.versions {
                let name = api_version(&group.name, &version.name);
                let key = if group.name.is_empty() {
                    format!("api/{name}")
                } else {
                    format!("apis/{name}")
                };
                // Documents of custom groups change with their definitions; the newest of these tells them apart.
                let custom = version.resources.iter().any(|r| r.custom);
                let hash = if custom { self.definitions_seen } else { 0 };
                let url = format!("/openapi/v3/{key}?hash={hash:X}");
                paths.insert(key, json!({"serverRelativeURL": url}));
            }
        }
        Value::Object(paths)
    }

    fn document(&self, group: &str, version: &Version) -> Value {
        let mut schemas = schema::Schemas::default();
        let mut paths = Map::new();
        for resource in &version.resources {
            if resource.custom {
                let defined = self
                    .definition_version(resource)
                    .map(|v| v["schema"]["openAPIV3Schema"].clone());
                schemas.add_custom(resource, defined.unwrap_or_else(|| json!({"type": "object"})));
            } else {
                schemas.add_kind(resource);
            }
            for (path, item) in operations(resource, &schemas.name_of(resource)) {
                paths.insert(path, item);
            }
        }
        let title = if group.is_empty() { "core" } else { group };
        json!({
            "openapi": "3.0.0",
            "info": {"title": title, "version": format!("v{}", self.options.version)},
            "paths": paths,
            "components": {"schemas": schemas.finish()},
        })
    }
}

/// The paths of a resource, with what each operation is about. Parameters are those that clients look for.
fn operations(resource: &ResourceType, schema: &str) -> Vec<(String, Value)> {
    let prefix = if resource.group.is_empty() { "/api" } else { "/apis" };
    let base = format!("{prefix}/{}", resource.api_version());
    let scope = if resource.namespaced {
        "/namespaces/{namespace}"
    } else {
        ""
    };
    let collection = format!("{base}{scope}/{}", resource.plural);
    let mut all = vec![item(
        resource,
        schema,
        &collection,
        &[("list", "get"), ("create", "post"), ("deletecollection", "delete")],
    )];
    all.push(item(
        resource,
        schema,
        &format!("{collection}/{{name}}"),
        &[
            ("get", "get"),
            ("update", "put"),
            ("patch", "patch"),
            ("delete", "delete"),
        ],
    ));
    all.retain(|(_, item)| item.as_object().is_some_and(|map| !map.is_empty()));
    all
}

fn item(resource: &ResourceType, schema: &str, path: &str, verbs: &[(&str, &str)]) -> (String, Value) {
    let mut item = Map::new();
    let kind = json!({"group": resource.group, "kind": resource.kind, "version": resource.version});
    for (verb, method) in verbs.iter().filter(|(verb, _)| resource.serves(verb)) {
        let writes = matches!(*method, "post" | "put" | "patch");
        let names: &[&str] = match (writes, *verb) {
            (true, "patch") => &["dryRun", "fieldManager", "fieldValidation", "force"],
            (true, _) => &["dryRun", "fieldManager", "fieldValidation"],
            (false, "list") => &[
                "continue",
                "fieldSelector",
                "labelSelector",
                "limit",
                "resourceVersion",
                "watch",
            ],
            (false, _) => &[],
        };
        let parameters: Vec<Value> = names
            .iter()
            .map(|name| json!({"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": true}}))
            .collect();
        let content = json!({"application/json": {"schema": {"$ref": format!("#/components/schemas/{schema}")}}});
        item.insert(
            (*method).to_owned(),
            json!({
                "parameters": parameters,
                "responses": {"200": {"description": "OK", "content": content}},
                "x-kubernetes-action": verb,
                "x-kubernetes-group-version-kind": kind,
            }),
        );
    }
    (path.to_owned(), Value::Object(item))
}
