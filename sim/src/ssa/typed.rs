//! A value read by its schema: its field set, and what does not fit.

use std::collections::BTreeMap;

use capstan_model::schema::{ListRelation, Node, Scalar, Shape};
use serde_json::{Map, Value};

use super::set::{Set, Step, print};

/// What the schema says a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Scalar,
    List,
    Map,
}

/// The form of a place, told by the schema or, where nothing is known, by the value.
pub(super) fn form(node: Node<'_>, value: &Value) -> Form {
    let by_value = match value {
        Value::Array(_) => Form::List,
        Value::Object(_) => Form::Map,
        _ => Form::Scalar,
    };
    match node {
        Node::Struct(_) | Node::Root(_) => Form::Map,
        Node::Typed { shape, .. } => match shape {
            Shape::Struct(_) | Shape::Map(_) => Form::Map,
            Shape::List(_) => Form::List,
            Shape::Scalar(_) => Form::Scalar,
            Shape::Any => by_value,
        },
        Node::Structural(schema) => match schema["type"].as_str() {
            Some("object") => Form::Map,
            Some("array") => Form::List,
            Some(_) => Form::Scalar,
            None if schema["x-kubernetes-int-or-string"] == true => Form::Scalar,
            None => by_value,
        },
        Node::Deduced | Node::Leaf => by_value,
    }
}

/// What a key of a map or struct holds; `None` when the schema declares no such key.
pub(super) fn child<'s>(node: Node<'s>, key: &str) -> Option<Node<'s>> {
    node.field(key).or_else(|| node.element())
}

/// As [`child`], for values that were checked before.
pub(super) fn known<'s>(node: Node<'s>, key: &str) -> Node<'s> {
    child(node, key).unwrap_or(Node::Deduced)
}

/// A map, or nothing for null and other values.
pub(super) fn as_map(value: Option<&Value>) -> Option<&Map<String, Value>> {
    value.and_then(Value::as_object)
}

/// A list, or nothing for null and other values.
pub(super) fn as_list(value: Option<&Value>) -> Option<&Vec<Value>> {
    value.and_then(Value::as_array)
}

/// The step to an item of a keyed list or a set; an error text when it has none.
pub(super) fn item_step(node: Node<'_>, relation: &ListRelation<'_>, item: &Value) -> Result<Step, String> {
    match relation {
        ListRelation::Atomic => Err("invalid indexing of atomic list".into()),
        ListRelation::Set => match item {
            Value::Null => Err("associative list without keys has an element that's an explicit null".into()),
            Value::Object(_) => Err("associative list without keys has an element that's a map type".into()),
            Value::Array(_) => Err("not supported: associative list with lists as elements".into()),
            scalar => Ok(Step::Value(scalar.to_string())),
        },
        ListRelation::Keyed(keys) => {
            let Value::Object(map) = item else {
                let what = if item.is_null() {
                    "associative list with keys may not have null elements"
                } else {
                    "associative list with keys may not have non-map elements"
                };
                return Err(what.into());
            };
            let mut found: BTreeMap<&str, Value> = BTreeMap::new();
            for key in keys {
                let value = map.get(*key).cloned().or_else(|| node.item().key_default(key));
                let Some(value) = value else {
                    return Err(format!(
                        "associative list with keys has an element that omits key field {key:?} (and doesn't have default value)"
                    ));
                };
                found.insert(key, value);
            }
            serde_json::to_string(&found).map(Step::Key).map_err(|e| e.to_string())
        }
    }
}

/// The field set of a value.
pub(super) fn field_set(node: Node<'_>, value: &Value) -> Set {
    let mut set = Set::default();
    walk(node, value, &mut Vec::new(), &mut set);
    set
}

fn walk(node: Node<'_>, value: &Value, path: &mut Vec<Step>, set: &mut Set) {
    match form(node, value) {
        Form::Scalar => set.insert(path),
        Form::List => {
            let relation = node.list();
            if relation == ListRelation::Atomic {
                set.insert(path);
                return;
            }
            for item in as_list(Some(value)).into_iter().flatten() {
                if let Ok(step) = item_step(node, &relation, item) {
                    path.push(step);
                    walk(node.item(), item, path, set);
                    set.insert(path);
                    path.pop();
                }
            }
        }
        Form::Map => {
            if node.map_is_atomic() {
                set.insert(path);
                return;
            }
            for (key, value) in as_map(Some(value)).into_iter().flatten() {
                path.push(Step::field(key));
                walk(known(node, key), value, path, set);
                let empty = value.is_null() || value.as_object().is_some_and(Map::is_empty);
                if empty || node.field(key).is_none() {
                    set.insert(path);
                }
                path.pop();
            }
        }
    }
}

/// What does not fit the schema, as the server words it.
pub(super) fn check(node: Node<'_>, value: &Value) -> Vec<String> {
    let mut errors = Vec::new();
    check_at(node, value, &mut Vec::new(), &mut errors);
    errors
}

fn check_at(node: Node<'_>, value: &Value, path: &mut Vec<Step>, errors: &mut Vec<String>) {
    if value.is_null() {
        return;
    }
    match form(node, value) {
        Form::Scalar => check_scalar(node, value, path, errors),
        Form::List => match value {
            Value::Array(items) => check_items(node, items, path, errors),
            other => errors.push(format!("{}: expected list, got {}", print(path), go_value(other))),
        },
        Form::Map => match value {
            Value::Object(map) => {
                for (key, value) in map {
                    path.push(Step::field(key));
                    match child(node, key) {
                        Some(below) => check_at(below, value, path, errors),
                        None => errors.push(format!("{}: field not declared in schema", print(path))),
                    }
                    path.pop();
                }
            }
            other => errors.push(format!("{}: expected map, got {}", print(path), go_value(other))),
        },
    }
}

fn check_items(node: Node<'_>, items: &[Value], path: &mut Vec<Step>, errors: &mut Vec<String>) {
    let relation = node.list();
    let mut seen = Vec::new();
    for (i, item) in items.iter().enumerate() {
        let step = if relation == ListRelation::Atomic {
            Step::Index(i64::try_from(i).unwrap_or(i64::MAX))
        } else {
            match item_step(node, &relation, item) {
                Ok(step) => step,
                Err(why) => {
                    errors.push(format!("{}: element {i}: {why}", print(path)));
                    continue;
                }
            }
        };
        if seen.contains(&step) {
            errors.push(format!(
                "{}: duplicate entries for key {}",
                print(path),
                print(std::slice::from_ref(&step))
            ));
            continue;
        }
        seen.push(step.clone());
        path.push(step);
        check_at(node.item(), item, path, errors);
        path.pop();
    }
}

fn check_scalar(node: Node<'_>, value: &Value, path: &[Step], errors: &mut Vec<String>) {
    let expected = match node {
        Node::Typed {
            shape: Shape::Scalar(scalar),
            ..
        } => match scalar {
            Scalar::Int32(_) | Scalar::Int64(_) | Scalar::Float64 => "numeric",
            Scalar::Bool => "boolean",
            Scalar::String(_) | Scalar::Bytes => "string",
            _ => "any",
        },
        Node::Structural(schema) => match schema["type"].as_str() {
            Some("integer" | "number") => "numeric",
            Some("boolean") => "boolean",
            Some("string") => "string",
            _ => "any",
        },
        _ => return,
    };
    let (fits, words) = match expected {
        "numeric" => (value.is_number(), "numeric (int or float)"),
        "boolean" => (value.is_boolean(), "boolean"),
        "string" => (value.is_string(), "string"),
        _ => (!value.is_object() && !value.is_array(), "any scalar"),
    };
    if !fits {
        let got = match expected {
            "numeric" => go_type(value).to_owned(),
            "string" => format!("&value.valueUnstructured{{Value:{}}}", go_syntax(value)),
            _ => go_value(value),
        };
        errors.push(format!("{}: expected {words}, got {got}", print(path)));
    }
}

fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(n) if n.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

/// A value as `%#v` of the Go library shows it.
fn go_syntax(value: &Value) -> String {
    match value {
        Value::Null => "interface {}(nil)".into(),
        Value::Array(items) => format!(
            "[]interface {{}}{{{}}}",
            items.iter().map(go_syntax).collect::<Vec<_>>().join(", ")
        ),
        Value::Object(map) => {
            let entries: Vec<String> = map.iter().map(|(k, v)| format!("{k:?}:{}", go_syntax(v))).collect();
            format!("map[string]interface {{}}{{{}}}", entries.join(", "))
        }
        scalar => scalar.to_string(),
    }
}

/// A value as `%v` of the Go library shows it behind a pointer.
fn go_value(value: &Value) -> String {
    format!("&{{{}}}", super::go_print(value))
}

/// Several errors in one text.
pub(super) fn joined(errors: &[String]) -> String {
    match errors {
        [one] => one.clone(),
        many => format!("errors:\n  {}", many.join("\n  ")),
    }
}

/// Whether two values are equal; 1 and 1.0 are.
pub(super) fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => x == y || x.as_f64() == y.as_f64(),
        (Value::Array(x), Value::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(x, y)| equal(x, y)),
        (Value::Object(x), Value::Object(y)) => {
            x.len() == y.len() && x.iter().all(|(k, v)| y.get(k).is_some_and(|w| equal(v, w)))
        }
        _ => a == b,
    }
}
