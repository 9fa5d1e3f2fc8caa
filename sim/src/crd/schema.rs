//! Structural schemas at work on an object: dropping what they do not know and filling in what they default.

use serde_json::{Map, Value};

/// Fields of `metadata` the server knows.
const METADATA: [&str; 15] = [
    "name",
    "generateName",
    "namespace",
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
    "managedFields",
];

/// Drops what the schema does not know; gives the paths of what was dropped, sorted.
pub(super) fn prune(schema: &Value, object: &mut Value) -> Vec<String> {
    let mut dropped = Vec::new();
    let Some(map) = object.as_object_mut() else {
        return dropped;
    };
    if let Some(metadata) = map.get_mut("metadata").and_then(Value::as_object_mut) {
        prune_metadata(metadata, "metadata", &mut dropped);
    }
    prune_object(schema, map, "", true, &mut dropped);
    dropped.sort();
    dropped
}

fn prune_metadata(metadata: &mut Map<String, Value>, path: &str, dropped: &mut Vec<String>) {
    metadata.retain(|key, _| {
        let known = METADATA.contains(&key.as_str());
        if !known {
            dropped.push(format!("{path}.{key}"));
        }
        known
    });
}

fn prune_object(schema: &Value, map: &mut Map<String, Value>, path: &str, root: bool, dropped: &mut Vec<String>) {
    let embedded = root || flag(schema, "x-kubernetes-embedded-resource");
    let keep_unknown = flag(schema, "x-kubernetes-preserve-unknown-fields");
    let properties = schema.get("properties").and_then(Value::as_object);
    let additional = schema.get("additionalProperties");
    map.retain(|key, value| {
        if embedded && matches!(key.as_str(), "apiVersion" | "kind" | "metadata") {
            return true;
        }
        let at = join(path, key);
        let known = properties
            .and_then(|p| p.get(key))
            .or(additional.filter(|a| a.is_object()));
        match known {
            Some(known) => {
                prune_value(known, value, &at, dropped);
                true
            }
            None if keep_unknown || additional == Some(&Value::Bool(true)) => true,
            None => {
                dropped.push(at);
                false
            }
        }
    });
}

fn prune_value(schema: &Value, value: &mut Value, path: &str, dropped: &mut Vec<String>) {
    match value {
        Value::Object(map) => prune_object(schema, map, path, false, dropped),
        Value::Array(items) => {
            if let Some(item_schema) = schema.get("items") {
                for (i, item) in items.iter_mut().enumerate() {
                    prune_value(item_schema, item, &format!("{path}[{i}]"), dropped);
                }
            }
        }
        _ => {}
    }
}

/// Fills in defaults, and drops nulls that may not be.
pub(super) fn default(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(map) => {
            let properties = schema.get("properties").and_then(Value::as_object);
            for (key, property) in properties.into_iter().flatten() {
                let null = map.get(key).is_some_and(Value::is_null) && !flag(property, "nullable");
                if null {
                    map.remove(key);
                }
                if let Some(default) = property.get("default").filter(|_| !map.contains_key(key)) {
                    map.insert(key.clone(), default.clone());
                }
            }
            let additional = schema.get("additionalProperties").filter(|a| a.is_object());
            if let Some(additional) = additional {
                for value in map
                    .values_mut()
                    .filter(|v| v.is_null() && !flag(additional, "nullable"))
                {
                    if let Some(default) = additional.get("default") {
                        *value = default.clone();
                    }
                }
            }
            for (key, value) in map.iter_mut() {
                if let Some(schema) = properties.and_then(|p| p.get(key)).or(additional) {
                    default(schema, value);
                }
            }
        }
        Value::Array(items) => {
            if let Some(schema) = schema.get("items") {
                items.iter_mut().for_each(|item| default(schema, item));
            }
        }
        _ => {}
    }
}

pub(super) fn flag(schema: &Value, key: &str) -> bool {
    schema.get(key) == Some(&Value::Bool(true))
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn unknown_fields_go_and_defaults_come() {
        let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
            "size": {"type": "integer", "default": 1},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            "none": {"type": "string", "nullable": true},
        }}}});
        let mut object = json!({
            "apiVersion": "a/v1", "kind": "K", "metadata": {"name": "x", "odd": 1},
            "spec": {"size": null, "free": {"a": [1]}, "none": null, "what": 1}, "top": 1,
        });
        assert_eq!(prune(&schema, &mut object), ["metadata.odd", "spec.what", "top"]);
        default(&schema, &mut object);
        assert_eq!(object["spec"], json!({"size": 1, "free": {"a": [1]}, "none": null}));
    }
}
