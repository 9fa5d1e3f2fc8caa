//! Tables: what `kubectl get` prints. The server computes the cells, kubectl only lays them out.
//!
//! Columns are listed per kind in [`columns`]; the cells of a row are computed by a function per kind, in the same order. Kinds without
//! a printer of their own, and custom kinds without columns, show their name and age.

mod age;
mod cluster;
mod columns;
mod custom;
mod network;
mod pod;
mod workload;

use capstan_model::Timestamp;
use serde_json::{Map, Value, json};

use crate::convert::convert;
use crate::fields::{at, meta, text};
use crate::registry::ResourceType;
use crate::world::{Include, World};

pub(crate) use columns::Column;

/// What a row shows: its cells in the order of the columns.
type Cells = Vec<Value>;

impl World {
    /// Objects as a table: with the metadata of a list, if it is one, and as much of each object as was asked for.
    pub(crate) fn table(
        &self,
        now: Timestamp,
        resource: &ResourceType,
        objects: &[Value],
        (list, include): (Option<Map<String, Value>>, Include),
        headed: bool,
    ) -> Value {
        let custom = if resource.custom {
            self.definition_version(resource)
        } else {
            None
        };
        let columns = match custom {
            Some(version) => custom::columns(version),
            None => columns::of(resource),
        };
        let rows: Vec<Value> = objects
            .iter()
            .map(|object| {
                let cells = match custom {
                    Some(version) => custom::cells(version, object, now),
                    None => cells(resource, object, now),
                };
                let mut row = json!({"cells": cells, "object": include.take(object)});
                if let Some(conditions) = row_conditions(object) {
                    row["conditions"] = conditions;
                }
                row
            })
            .collect();
        let metadata = match (list, objects) {
            (Some(list), _) => Value::Object(list),
            (None, [one]) => json!({"resourceVersion": meta(one, "resourceVersion")}),
            (None, _) => json!({}),
        };
        let columns = if headed {
            json!(columns.iter().map(Column::to_value).collect::<Vec<_>>())
        } else {
            Value::Null
        };
        json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata, "columnDefinitions": columns, "rows": rows})
    }
}

/// The cells of an object of a built-in kind.
fn cells(resource: &ResourceType, object: &Value, now: Timestamp) -> Cells {
    // Cells are read from the stored shape.
    let mut stored = object.clone();
    convert(&mut stored, &resource.storage_version);
    let object = &stored;
    let mut cells = match (resource.storage.group.as_str(), resource.storage.resource.as_str()) {
        ("", "pods") => pod::cells(object, now),
        ("apps" | "batch", _) | ("", "replicationcontrollers" | "podtemplates") => {
            workload::cells(resource.storage.resource.as_str(), object, now)
        }
        ("" | "networking.k8s.io" | "discovery.k8s.io", "services" | "endpoints" | "endpointslices" | "ingresses")
        | ("networking.k8s.io", _) => network::cells(resource.storage.resource.as_str(), object, now),
        (group, plural) => cluster::cells(group, plural, object, now),
    };
    if cells.is_empty() {
        cells = vec![json!(meta(object, "creationTimestamp"))];
    }
    // Events are known by what they say; their name comes last.
    if resource.storage.resource == "events" {
        cells.push(json!(meta(object, "name")));
    } else {
        cells.insert(0, json!(meta(object, "name")));
    }
    cells
}

/// A pod that is done says so in its row, so that kubectl can leave it out.
fn row_conditions(object: &Value) -> Option<Value> {
    let (reason, message) = match (text(object, &["kind"]), text(object, &["status", "phase"])) {
        ("Pod", "Succeeded") => ("Succeeded", "The pod has completed successfully."),
        ("Pod", "Failed") => ("Failed", "The pod failed."),
        _ => return None,
    };
    Some(json!([{"type": "Completed", "status": "True", "reason": reason, "message": message}]))
}

/// Age of an object.
fn age(object: &Value, now: Timestamp) -> Value {
    age::since(meta(object, "creationTimestamp"), now)
}

fn number(object: &Value, path: &[&str]) -> i64 {
    at(object, path).and_then(Value::as_i64).unwrap_or(0)
}

/// Text that is shown as `<none>` when empty.
fn or_none(text: &str) -> Value {
    json!(if text.is_empty() { "<none>" } else { text })
}

fn list<'v>(object: &'v Value, path: &[&str]) -> impl Iterator<Item = &'v Value> {
    at(object, path).and_then(Value::as_array).into_iter().flatten()
}

fn joined<'v>(items: impl Iterator<Item = &'v str>) -> String {
    items.collect::<Vec<_>>().join(",")
}
