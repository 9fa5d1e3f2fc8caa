//! Tables: what `kubectl get` prints.

use capstan_model::Timestamp;
use serde_json::{Map, Value, json};

use crate::fields::meta;
use crate::registry::ResourceType;
use crate::world::{World, partial};

/// A column: name, type, format and priority (0 shown always, 1 only in wide output).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    pub(crate) format: &'static str,
    pub(crate) priority: u8,
}

impl World {
    /// Objects as a table. `list` is the metadata of a list.
    pub(crate) fn table(
        &self,
        now: Timestamp,
        resource: &ResourceType,
        objects: &[Value],
        list: Option<Map<String, Value>>,
        headed: bool,
    ) -> Value {
        let columns = [
            Column {
                name: "Name".into(),
                kind: "string",
                format: "name",
                priority: 0,
            },
            Column {
                name: "Created At".into(),
                kind: "date",
                format: "",
                priority: 0,
            },
        ];
        let _ = (now, resource);
        let rows: Vec<Value> = objects
            .iter()
            .map(|object| json!({"cells": [meta(object, "name"), meta(object, "creationTimestamp")], "object": partial(object)}))
            .collect();
        let metadata = match (list, objects) {
            (Some(list), _) => Value::Object(list),
            (None, [one]) => json!({"resourceVersion": meta(one, "resourceVersion")}),
            (None, _) => json!({}),
        };
        let columns: Vec<Value> = if headed {
            columns.iter().map(Column::to_value).collect()
        } else {
            Vec::new()
        };
        let columns = if headed { json!(columns) } else { Value::Null };
        json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata, "columnDefinitions": columns, "rows": rows})
    }
}

impl Column {
    fn to_value(&self) -> Value {
        json!({"name": self.name, "type": self.kind, "format": self.format, "description": "", "priority": self.priority})
    }
}
