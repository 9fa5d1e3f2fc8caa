//! `RespectIgnoreDifferences=true`: what a sync does not compare it does not change either.
//!
//! Of an object that exists, each field that a rule names and that Git declares is applied as it is live, or not at all where it is not
//! live. Fields that Git does not declare are left out, as ever: applying them would make them ours. What names the object, and to whom it
//! belongs, is never taken from live.

use capstan_model::annotations::{INSTALLATION_ID, TRACKING_ID};
use serde_json::Value;

use super::IgnoreRules;
use super::fields::has_keys;

/// `desired` with the fields that `rules` name as `live` has them.
pub(crate) fn with_live_values(desired: &Value, live: &Value, rules: &IgnoreRules) -> Value {
    let mut object = desired.clone();
    for pointer in &rules.json_pointers {
        let tokens: Vec<String> = pointer
            .split('/')
            .skip(1)
            .map(|token| token.replace("~1", "/").replace("~0", "~"))
            .collect();
        take(&mut object, Some(live), &tokens);
    }
    let entries = live.pointer("/metadata/managedFields").and_then(Value::as_array);
    for entry in entries.into_iter().flatten() {
        let manager = entry.get("manager").and_then(Value::as_str).unwrap_or_default();
        if rules.managers.iter().any(|other| other == manager)
            && let Some(fields) = entry.get("fieldsV1")
        {
            take_owned(&mut object, live, fields);
        }
    }
    keep_identity(&mut object, desired);
    object
}

/// The field at `tokens`, where `into` declares it.
fn take(into: &mut Value, live: Option<&Value>, tokens: &[String]) {
    let Some((token, rest)) = tokens.split_first() else {
        return;
    };
    match into {
        Value::Object(fields) if fields.contains_key(token) => {
            let value = live.and_then(|live| live.get(token));
            match (rest, value) {
                ([], Some(value)) => drop(fields.insert(token.clone(), value.clone())),
                ([], None) => drop(fields.remove(token)),
                (rest, value) => take(&mut fields[token], value, rest),
            }
        }
        Value::Array(items) => {
            let Some(index) = token.parse::<usize>().ok().filter(|index| *index < items.len()) else {
                return;
            };
            let live = live.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let same = counterpart(&items[index], index, live);
            match (rest, same) {
                ([], Some(value)) => items[index] = value.clone(),
                ([], None) => drop(items.remove(index)),
                (rest, same) => take(&mut items[index], same, rest),
            }
        }
        _ => {}
    }
}

/// The item of the same name; of items without names the one at the same position.
fn counterpart<'l>(item: &Value, index: usize, live: &'l [Value]) -> Option<&'l Value> {
    match item.get("name") {
        Some(name) => live.iter().find(|other| other.get("name") == Some(name)),
        None => live.get(index),
    }
}

/// The fields of a set of managedFields, where `into` declares them.
fn take_owned(into: &mut Value, live: &Value, fields: &Value) {
    for (name, inner) in fields.as_object().into_iter().flatten() {
        let is_leaf = inner.as_object().is_none_or(serde_json::Map::is_empty);
        let (declared, value) = if let Some(name) = name.strip_prefix("f:") {
            (into.get_mut(name), live.get(name))
        } else if let Some(keys) = name.strip_prefix("k:") {
            let Ok(keys) = serde_json::from_str::<serde_json::Map<String, Value>>(keys) else {
                continue;
            };
            let declared = into
                .as_array_mut()
                .and_then(|items| items.iter_mut().find(|item| has_keys(&keys, item)));
            let value = live
                .as_array()
                .and_then(|items| items.iter().find(|item| has_keys(&keys, item)));
            (declared, value)
        } else {
            continue;
        };
        match (declared, value) {
            (Some(declared), Some(value)) if is_leaf => *declared = value.clone(),
            (Some(declared), Some(value)) => take_owned(declared, value, inner),
            _ => {}
        }
    }
}

fn keep_identity(object: &mut Value, desired: &Value) {
    for field in ["apiVersion", "kind"] {
        if let Some(value) = desired.get(field) {
            object[field] = value.clone();
        }
    }
    let Some(metadata) = desired.get("metadata").and_then(Value::as_object) else {
        return;
    };
    if !object["metadata"].is_object() {
        object["metadata"] = serde_json::json!({});
    }
    for field in ["name", "namespace"] {
        if let Some(value) = metadata.get(field) {
            object["metadata"][field] = value.clone();
        }
    }
    // What only the server writes comes with `metadata` as a whole.
    if let Some(fields) = object["metadata"].as_object_mut() {
        fields.retain(|field, _| metadata.contains_key(field));
    }
    for annotation in [TRACKING_ID, INSTALLATION_ID] {
        if let Some(value) = metadata.get("annotations").and_then(|all| all.get(annotation)) {
            if !object["metadata"]["annotations"].is_object() {
                object["metadata"]["annotations"] = serde_json::json!({});
            }
            object["metadata"]["annotations"][annotation] = value.clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pointers(pointers: &[&str]) -> IgnoreRules {
        IgnoreRules {
            json_pointers: pointers.iter().map(|pointer| (*pointer).to_owned()).collect(),
            ..IgnoreRules::default()
        }
    }

    fn deployment(replicas: Option<u32>, containers: &Value) -> Value {
        let mut object = json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "prod", "annotations": {TRACKING_ID: "ours"}},
            "spec": {"template": {"spec": {"containers": containers}}}});
        if let Some(replicas) = replicas {
            object["spec"]["replicas"] = json!(replicas);
        }
        object
    }

    #[test]
    fn a_field_is_applied_as_it_is_live_or_not_at_all() {
        let containers = json!([{"name": "a", "image": "1"}]);
        let desired = deployment(Some(1), &containers);
        let rules = pointers(&["/spec/replicas", "/spec/paused"]);
        let mut live = deployment(Some(7), &containers);
        live["spec"]["paused"] = json!(true);
        let applied = with_live_values(&desired, &live, &rules);
        assert_eq!(applied, deployment(Some(7), &containers));
        assert_eq!(
            with_live_values(&desired, &deployment(None, &containers), &rules),
            deployment(None, &containers)
        );
    }

    #[test]
    fn an_item_of_a_list_is_found_by_its_name() {
        let desired = deployment(None, &json!([{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]));
        let live = deployment(
            None,
            &json!([{"name": "sidecar"}, {"name": "b", "image": "9"}, {"name": "a", "image": "8"}]),
        );
        let applied = with_live_values(&desired, &live, &pointers(&["/spec/template/spec/containers/0/image"]));
        let expected = deployment(None, &json!([{"name": "a", "image": "8"}, {"name": "b", "image": "1"}]));
        assert_eq!(applied, expected);
    }

    #[test]
    fn what_a_trusted_manager_owns_is_its_own() {
        let desired = deployment(Some(1), &json!([{"name": "a", "image": "1", "args": ["x"]}]));
        let mut live = deployment(Some(5), &json!([{"name": "a", "image": "2", "args": ["y"]}]));
        live["metadata"]["managedFields"] = json!([
            {"manager": "hpa", "fieldsV1": {"f:spec": {"f:replicas": {}, "f:template": {"f:spec": {"f:containers":
                {"k:{\"name\":\"a\"}": {".": {}, "f:image": {}}}}}}}},
            {"manager": "kubectl", "fieldsV1": {"f:spec": {"f:template": {"f:spec": {"f:containers":
                {"k:{\"name\":\"a\"}": {"f:args": {}}}}}}}}]);
        let rules = IgnoreRules {
            managers: vec!["hpa".into()],
            ..IgnoreRules::default()
        };
        let expected = deployment(Some(5), &json!([{"name": "a", "image": "2", "args": ["x"]}]));
        assert_eq!(with_live_values(&desired, &live, &rules), expected);
    }

    #[test]
    fn names_and_owners_are_never_taken_from_live() {
        let desired = deployment(None, &json!([]));
        let mut live = desired.clone();
        live["metadata"] = json!({"name": "other", "uid": "1", "annotations": {TRACKING_ID: "theirs", "a": "b"}});
        let rules = pointers(&["/metadata", "/kind", "/metadata/annotations"]);
        let mut expected = desired.clone();
        expected["metadata"]["annotations"]["a"] = json!("b");
        assert_eq!(with_live_values(&desired, &live, &rules), expected);
        live["metadata"] = json!(null);
        live["kind"] = json!(null);
        assert_eq!(
            with_live_values(&desired, &live, &rules)["metadata"],
            desired["metadata"]
        );
    }
}
