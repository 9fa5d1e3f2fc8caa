//! Strategic merge patch: a merge patch that merges keyed lists item by item and takes directives.
//!
//! Directives: `$patch` (`replace`, `delete`) in a map or list item, `$retainKeys`, `$deleteFromPrimitiveList/<field>`,
//! `$setElementOrder/<field>`. Which lists merge, by which key, is in the type table. Where the stored object has no such field, the
//! patch's value is taken without what carries `$patch`; other directives in it stay and are unknown fields then, as on the server.

use capstan_model::schema::{Field, Shape, Type, type_named};
use serde_json::{Map, Value};

type Object = Map<String, Value>;

const PATCH: &str = "$patch";
const RETAIN: &str = "$retainKeys";
const DELETE: &str = "$deleteFromPrimitiveList/";
const ORDER: &str = "$setElementOrder/";

/// Why a patch cannot be applied, in the server's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StrategicError {
    /// `$patch` with an unknown word.
    #[error("unknown patch type: {kind} in map: {map}")]
    UnknownPatchType {
        /// The word.
        kind: String,
        /// The map it is in, as Go prints it.
        map: String,
    },
    /// A list item that names no item.
    #[error("map: {map} does not contain declared merge key: {key}")]
    NoMergeKey {
        /// The item, as Go prints it.
        map: String,
        /// The key it lacks.
        key: String,
    },
    /// A directive of another type.
    #[error("invalid patch format of {directive}")]
    BadDirective {
        /// Which.
        directive: String,
    },
    /// `$retainKeys` that leaves out a field the patch sets.
    #[error("patch format error for $retainKeys: {field} is set but not retained")]
    NotRetained {
        /// The field.
        field: String,
    },
    /// A list that is not in the order its directive gives.
    #[error("The order in patch list:\n{patch}\n doesn't match $setElementOrder list:\n{order}\n")]
    OutOfOrder {
        /// The list, as Go prints it.
        patch: String,
        /// The order, as Go prints it.
        order: String,
    },
    /// A list of maps whose type has no merge key.
    #[error("cannot merge lists without merge key for {field}")]
    NoKeyDeclared {
        /// The list's field.
        field: String,
    },
}

/// The object after the patch.
///
/// # Errors
/// [`StrategicError`] in the server's words.
pub(crate) fn strategic(of: &Type, object: &Value, patch: &Value) -> Result<Value, StrategicError> {
    let (Value::Object(object), Value::Object(patch)) = (object, patch) else {
        return Ok(object.clone());
    };
    merge_map(Some(of), object.clone(), patch.clone()).map(Value::Object)
}

fn merge_map(of: Option<&Type>, mut original: Object, mut patch: Object) -> Result<Object, StrategicError> {
    match patch.get(PATCH).cloned() {
        Some(Value::String(kind)) if kind == "replace" => {
            patch.remove(PATCH);
            return Ok(patch);
        }
        Some(Value::String(kind)) if kind == "delete" => return Ok(Object::new()),
        Some(Value::String(kind)) if kind == "merge" => {
            patch.remove(PATCH);
        }
        Some(other) => {
            return Err(StrategicError::UnknownPatchType {
                kind: go_print(&other),
                map: go_print(&Value::Object(patch)),
            });
        }
        None => {}
    }
    retain(&mut original, &mut patch)?;
    order_lists(of, &mut original, &mut patch)?;
    for (key, value) in patch {
        if let Some(name) = key.strip_prefix(DELETE) {
            delete_primitives(&mut original, name, &value)?;
            continue;
        }
        if value.is_null() {
            original.remove(&key);
            continue;
        }
        let field = of.and_then(|t| t.field(&key));
        let merged = match (original.remove(&key), value) {
            (Some(Value::Object(old)), Value::Object(new)) if !field.is_some_and(|f| f.replaces) => {
                Value::Object(merge_map(structure(field.map(|f| &f.shape)), old, new)?)
            }
            (Some(Value::Array(old)), Value::Array(new)) if field.is_some_and(|f| f.merges) => match field {
                Some(field) => Value::Array(merge_list(field, old, new)?),
                None => Value::Array(new),
            },
            (_, new) => match taken(new) {
                Some(new) => new,
                None => continue,
            },
        };
        original.insert(key, merged);
    }
    Ok(original)
}

fn structure(shape: Option<&Shape>) -> Option<&'static Type> {
    match shape? {
        Shape::Struct(name) => type_named(name),
        Shape::List(item) => structure(Some(item)),
        _ => None,
    }
}

/// `$retainKeys`: what is not named goes.
fn retain(original: &mut Object, patch: &mut Object) -> Result<(), StrategicError> {
    let Some(kept) = patch.remove(RETAIN) else {
        return Ok(());
    };
    let Value::Array(kept) = kept else {
        return Err(StrategicError::BadDirective {
            directive: RETAIN.into(),
        });
    };
    let named = |key: &str| kept.iter().any(|k| k == key);
    if let Some(field) = patch
        .keys()
        .find(|key| !key.starts_with('$') && !named(key) && !patch[*key].is_null())
    {
        return Err(StrategicError::NotRetained { field: field.clone() });
    }
    original.retain(|key, _| named(key));
    Ok(())
}

fn delete_primitives(original: &mut Object, name: &str, gone: &Value) -> Result<(), StrategicError> {
    let Value::Array(gone) = gone else {
        return Err(StrategicError::BadDirective {
            directive: format!("{DELETE}{name}"),
        });
    };
    if let Some(Value::Array(list)) = original.get_mut(name) {
        list.retain(|item| !gone.contains(item));
    }
    Ok(())
}

/// `$setElementOrder/…`: merges the list it orders and puts it in order.
fn order_lists(of: Option<&Type>, original: &mut Object, patch: &mut Object) -> Result<(), StrategicError> {
    let directives: Vec<String> = patch.keys().filter(|key| key.starts_with(ORDER)).cloned().collect();
    for directive in directives {
        let Some(Value::Array(order)) = patch.remove(&directive) else {
            return Err(StrategicError::BadDirective { directive });
        };
        let name = directive.trim_start_matches(ORDER).to_owned();
        let field = of.and_then(|t| t.field(&name));
        if let Some(gone) = patch.remove(&format!("{DELETE}{name}")) {
            delete_primitives(original, &name, &gone)?;
        }
        let old = original.get(&name).and_then(Value::as_array).cloned();
        let new = match patch.get(&name) {
            Some(Value::Array(_)) => patch
                .remove(&name)
                .and_then(|v| if let Value::Array(list) = v { Some(list) } else { None }),
            _ => None,
        };
        let key = field.and_then(|f| f.merge_key);
        if let Some(new) = &new {
            check_order(new, &order, key)?;
        }
        let merged = match (&old, new) {
            (Some(old), Some(new)) => match field.filter(|f| f.merges) {
                Some(field) => merge_list(field, old.clone(), new)?,
                None => new,
            },
            (Some(old), None) => old.clone(),
            (None, Some(new)) => new,
            (None, None) => continue,
        };
        let ordered = arrange(merged, &order, old.as_deref().unwrap_or_default(), key);
        original.insert(name, Value::Array(ordered));
    }
    Ok(())
}

/// What the patch sets must come in the order its directive gives.
fn check_order(patch: &[Value], order: &[Value], key: Option<&str>) -> Result<(), StrategicError> {
    let name = |item: &Value| key.map_or_else(|| item.clone(), |key| item[key].clone());
    let kept: Vec<Value> = patch
        .iter()
        .filter(|item| item.get(PATCH).is_none())
        .map(name)
        .collect();
    let mut wanted = order.iter().map(name);
    if kept.iter().all(|item| wanted.any(|other| other == *item)) {
        return Ok(());
    }
    Err(StrategicError::OutOfOrder {
        patch: go_print(&Value::Array(patch.to_vec())),
        order: go_print(&Value::Array(order.to_vec())),
    })
}

fn merge_list(field: &Field, mut original: Vec<Value>, patch: Vec<Value>) -> Result<Vec<Value>, StrategicError> {
    let maps = original.iter().chain(&patch).any(Value::is_object);
    if !maps {
        let mut all = original.clone();
        all.extend(patch.iter().cloned());
        let mut unique: Vec<Value> = Vec::new();
        all.into_iter().for_each(|v| {
            if !unique.contains(&v) {
                unique.push(v);
            }
        });
        return Ok(arrange(unique, &patch, &original, None));
    }
    let key = field.merge_key.ok_or_else(|| StrategicError::NoKeyDeclared {
        field: field.name.into(),
    })?;
    let (kept, replaces) = take_special(&mut original, patch, key)?;
    if replaces {
        return Ok(kept);
    }
    let mut merged = original.clone();
    for item in &kept {
        let Value::Object(map) = item else { continue };
        let name = map.get(key).ok_or_else(|| no_key(item, key))?;
        match merged.iter_mut().find(|o| o.get(key) == Some(name)) {
            Some(found) => {
                let Value::Object(old) = found.take() else { continue };
                *found = Value::Object(merge_map(structure(Some(&field.shape)), old, map.clone())?);
            }
            None => merged.push(item.clone()),
        }
    }
    Ok(arrange(merged, &kept, &original, Some(key)))
}

/// Items with `$patch`: deletes what they name; tells whether the list is replaced by the rest.
fn take_special(original: &mut Vec<Value>, patch: Vec<Value>, key: &str) -> Result<(Vec<Value>, bool), StrategicError> {
    let (mut kept, mut replaces) = (Vec::new(), false);
    for item in patch {
        match item.get(PATCH) {
            None => kept.push(item),
            Some(kind) if kind == "delete" => {
                let name = item.get(key).ok_or_else(|| no_key(&item, key))?;
                original.retain(|o| o.get(key) != Some(name));
            }
            Some(kind) if kind == "replace" => replaces = true,
            Some(kind) => {
                return Err(StrategicError::UnknownPatchType {
                    kind: go_print(kind),
                    map: go_print(&item),
                });
            }
        }
    }
    Ok((kept, replaces))
}

fn no_key(item: &Value, key: &str) -> StrategicError {
    StrategicError::NoMergeKey {
        map: go_print(item),
        key: key.to_owned(),
    }
}

/// Puts the items that `wanted` names in its order, among the others, which keep the server's.
fn arrange(items: Vec<Value>, wanted: &[Value], server: &[Value], key: Option<&str>) -> Vec<Value> {
    let same = |a: &Value, b: &Value| match key {
        Some(key) => a.get(key).is_some() && a.get(key) == b.get(key),
        None => a == b,
    };
    let place = |list: &[Value], item: &Value| list.iter().position(|other| same(other, item));
    let (mut named, mut others): (Vec<Value>, Vec<Value>) =
        items.into_iter().partition(|item| place(wanted, item).is_some());
    named.sort_by_key(|item| place(wanted, item));
    others.sort_by_key(|item| place(server, item));
    let (mut named, mut others) = (named.into_iter().peekable(), others.into_iter().peekable());
    let mut out = Vec::new();
    loop {
        let other_first = match (others.peek(), named.peek()) {
            (None, None) => return out,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (Some(other), Some(name)) => {
                matches!((place(server, other), place(server, name)), (Some(o), Some(n)) if o < n)
            }
        };
        out.extend(if other_first { others.next() } else { named.next() });
    }
}

/// A value taken where the object has none: without nulls, and without what carries `$patch`. `None` when nothing is to be taken.
fn taken(value: Value) -> Option<Value> {
    match value {
        Value::Object(map) if map.contains_key(PATCH) => None,
        Value::Object(map) => {
            let kept = map
                .into_iter()
                .filter(|(_, v)| !v.is_null())
                .filter_map(|(k, v)| taken(v).map(|v| (k, v)));
            Some(Value::Object(kept.collect()))
        }
        Value::Array(items) => Some(Value::Array(items.into_iter().filter_map(taken).collect())),
        other => Some(other),
    }
}

/// A value as Go's `%v` prints it.
pub(crate) fn go_print(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".into(),
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(go_print).collect::<Vec<_>>().join(" ")),
        Value::Object(map) => {
            let sorted: std::collections::BTreeMap<&String, &Value> = map.iter().collect();
            let parts: Vec<String> = sorted.iter().map(|(k, v)| format!("{k}:{}", go_print(v))).collect();
            format!("map[{}]", parts.join(" "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod_spec(original: &Value, patch: &Value) -> Result<Value, StrategicError> {
        strategic(type_named("core.v1.PodSpec").unwrap(), original, patch)
    }

    #[test]
    fn containers_merge_by_name_and_new_ones_come_first() {
        let original = json!({"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]});
        let patch = json!({"containers": [{"name": "c", "image": "3"}, {"name": "b", "image": "2"}]});
        let names = json!([{"name": "c", "image": "3"}, {"name": "a", "image": "1"}, {"name": "b", "image": "2"}]);
        assert_eq!(pod_spec(&original, &patch).unwrap()["containers"], names);
    }

    #[test]
    fn directives_delete_replace_retain_and_order() {
        let original = json!({"containers": [{"name": "a"}, {"name": "b"}]});
        let patch = json!({"containers": [{"name": "a", "$patch": "delete"}]});
        assert_eq!(
            pod_spec(&original, &patch).unwrap()["containers"],
            json!([{"name": "b"}])
        );
        let patch = json!({"containers": [{"$patch": "replace"}, {"name": "x"}]});
        assert_eq!(
            pod_spec(&original, &patch).unwrap()["containers"],
            json!([{"name": "x"}])
        );
        let patch = json!({"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]});
        assert_eq!(
            pod_spec(&original, &patch).unwrap()["containers"],
            json!([{"name": "b"}, {"name": "a"}])
        );
        let patch = json!({"$retainKeys": ["nodeName"], "nodeName": "n"});
        assert_eq!(pod_spec(&original, &patch).unwrap(), json!({"nodeName": "n"}));
        let patch = json!({"containers": [{"name": "a", "$patch": "wrong"}]});
        let text = pod_spec(&original, &patch).unwrap_err().to_string();
        assert_eq!(text, "unknown patch type: wrong in map: map[$patch:wrong name:a]");
    }

    #[test]
    fn finalizers_are_a_list_of_words() {
        let meta = type_named("meta.v1.ObjectMeta").unwrap();
        let original = json!({"finalizers": ["a", "b"]});
        let patch = json!({"finalizers": ["c"]});
        assert_eq!(
            strategic(meta, &original, &patch).unwrap()["finalizers"],
            json!(["c", "a", "b"])
        );
        let patch = json!({"$deleteFromPrimitiveList/finalizers": ["a"]});
        assert_eq!(strategic(meta, &original, &patch).unwrap()["finalizers"], json!(["b"]));
    }
}
