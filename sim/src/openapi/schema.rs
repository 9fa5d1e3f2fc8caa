//! Schemas of kinds, as OpenAPI components.

use std::collections::BTreeMap;

use capstan_model::schema::{self, Field, Relation, Scalar, Shape, Type};
use serde_json::{Map, Value, json};

use crate::registry::ResourceType;

const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1";

/// Components gathered for one document.
#[derive(Debug, Default)]
pub(super) struct Schemas {
    found: BTreeMap<String, Value>,
}

impl Schemas {
    /// The component of a resource's kind.
    pub(super) fn name_of(&self, resource: &ResourceType) -> String {
        if resource.custom {
            let reversed: Vec<&str> = resource.group.rsplit('.').collect();
            return format!("{}.{}.{}", reversed.join("."), resource.version, resource.kind);
        }
        match schema::kind(&resource.api_version(), &resource.kind) {
            Some(found) => full_name(found.name),
            None => format!(
                "io.k8s.api.{}.{}.{}",
                first(&resource.group),
                resource.version,
                resource.kind
            ),
        }
    }

    /// Adds a built-in kind and every type it uses.
    pub(super) fn add_kind(&mut self, resource: &ResourceType) {
        let name = self.name_of(resource);
        if let Some(found) = schema::kind(&resource.api_version(), &resource.kind) {
            self.add_type(found);
        }
        let kind = kind_of(resource);
        let entry = self.found.entry(name).or_insert_with(|| json!({"type": "object"}));
        entry["x-kubernetes-group-version-kind"] = json!([kind]);
    }

    /// Adds a custom kind.
    pub(super) fn add_custom(&mut self, resource: &ResourceType, mut schema: Value) {
        if let Some(map) = schema.as_object_mut() {
            let properties = map.entry("properties").or_insert_with(|| json!({}));
            properties["apiVersion"] = json!({"type": "string"});
            properties["kind"] = json!({"type": "string"});
            properties["metadata"] = json!({"allOf": [{"$ref": reference(&format!("{META}.ObjectMeta"))}]});
            map.insert("x-kubernetes-group-version-kind".into(), json!([kind_of(resource)]));
        }
        self.found.insert(self.name_of(resource), schema);
        if let Some(meta) = schema::type_named("meta.v1.ObjectMeta") {
            self.add_type(meta);
        }
    }

    /// All components.
    pub(super) fn finish(self) -> Value {
        Value::Object(self.found.into_iter().collect())
    }

    fn add_type(&mut self, found: &Type) {
        let name = full_name(found.name);
        if self.found.contains_key(&name) {
            return;
        }
        // Types may contain themselves: present before its fields are walked.
        self.found.insert(name.clone(), json!({"type": "object"}));
        let mut properties = Map::new();
        let mut required = Vec::new();
        for field in &found.fields {
            properties.insert(field.name.to_owned(), self.field(field));
            if field.required {
                required.push(field.name);
            }
        }
        let mut component = json!({"type": "object", "properties": properties});
        if !required.is_empty() {
            component["required"] = json!(required);
        }
        if found.atomic {
            component["x-kubernetes-map-type"] = json!("atomic");
        }
        self.found.insert(name, component);
    }

    fn field(&mut self, field: &Field) -> Value {
        let mut value = self.shape(&field.shape);
        if let Some(default) = &field.default {
            value["default"] = default.clone();
        }
        match &field.relation {
            Relation::Keyed(keys) => {
                value["x-kubernetes-list-map-keys"] = json!(keys);
                value["x-kubernetes-list-type"] = json!("map");
            }
            Relation::Set => value["x-kubernetes-list-type"] = json!("set"),
            Relation::Atomic => {
                let key = if matches!(field.shape, Shape::List(_)) {
                    "x-kubernetes-list-type"
                } else {
                    "x-kubernetes-map-type"
                };
                value[key] = json!("atomic");
            }
            _ => {}
        }
        if let Some(key) = field.merge_key {
            value["x-kubernetes-patch-merge-key"] = json!(key);
        }
        let strategies: Vec<&str> = [
            (field.merges, "merge"),
            (field.replaces, "replace"),
            (field.retains_keys, "retainKeys"),
        ]
        .into_iter()
        .filter_map(|(on, name)| on.then_some(name))
        .collect();
        if !strategies.is_empty() {
            value["x-kubernetes-patch-strategy"] = json!(strategies.join(","));
        }
        value
    }

    fn shape(&mut self, shape: &Shape) -> Value {
        match shape {
            Shape::Struct(name) => {
                if let Some(found) = schema::type_named(name) {
                    self.add_type(found);
                }
                json!({"allOf": [{"$ref": reference(&full_name(name))}]})
            }
            Shape::List(item) => json!({"type": "array", "items": self.shape(item)}),
            Shape::Map(item) => json!({"type": "object", "additionalProperties": self.shape(item)}),
            Shape::Any => json!({"type": "object"}),
            Shape::Scalar(scalar) => scalar_schema(*scalar),
        }
    }
}

fn scalar_schema(scalar: Scalar) -> Value {
    match scalar {
        Scalar::String(_) | Scalar::Duration | Scalar::Quantity => json!({"type": "string"}),
        Scalar::Bool => json!({"type": "boolean"}),
        Scalar::Int32(_) => json!({"type": "integer", "format": "int32"}),
        Scalar::Int64(_) => json!({"type": "integer", "format": "int64"}),
        Scalar::Float64 => json!({"type": "number", "format": "double"}),
        Scalar::Bytes => json!({"type": "string", "format": "byte"}),
        Scalar::Time | Scalar::MicroTime => json!({"type": "string", "format": "date-time"}),
        Scalar::IntOrString => json!({"oneOf": [{"type": "integer"}, {"type": "string"}], "format": "int-or-string"}),
    }
}

fn kind_of(resource: &ResourceType) -> Value {
    json!({"group": resource.group, "kind": resource.kind, "version": resource.version})
}

fn reference(name: &str) -> String {
    format!("#/components/schemas/{name}")
}

fn first(group: &str) -> &str {
    if group.is_empty() {
        "core"
    } else {
        group.split('.').next().unwrap_or(group)
    }
}

/// The full name of a type of the table, which keeps the last three parts.
fn full_name(short: &str) -> String {
    let prefix = match short.split('.').next().unwrap_or_default() {
        "meta" => "io.k8s.apimachinery.pkg.apis",
        "runtime" | "version" => "io.k8s.apimachinery.pkg",
        "apiextensions" => "io.k8s.apiextensions-apiserver.pkg.apis",
        "apiregistration" => "io.k8s.kube-aggregator.pkg.apis",
        _ => "io.k8s.api",
    };
    format!("{prefix}.{short}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Registry;

    #[test]
    fn a_kind_brings_its_types_with_their_merge_keys() {
        let registry = Registry::builtin();
        let mut schemas = Schemas::default();
        schemas.add_kind(registry.resource("apps", "v1", "deployments").unwrap());
        let all = schemas.finish();
        let kind = &all["io.k8s.api.apps.v1.Deployment"]["x-kubernetes-group-version-kind"][0];
        assert_eq!(kind["kind"], "Deployment");
        let containers = &all["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"];
        assert_eq!(containers["x-kubernetes-patch-merge-key"], "name");
        assert_eq!(containers["x-kubernetes-list-map-keys"], json!(["name"]));
        assert!(all.get("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta").is_some());
    }
}
