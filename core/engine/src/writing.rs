//! What a write sends, where that takes more than the desired object: client-side apply, and the hand-over from it.
//!
//! **Invariants.** Pure functions of the objects. Never panic on any JSON.

use capstan_model::schema::{ListRelation, Node};
use capstan_model::{FIELD_MANAGER, FormerManager};
use serde_json::{Map, Value, json};

/// Where client-side apply keeps what it applied last.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// What client-side apply sends for `desired`: the object to create where there is none, else the live object with everything that is
/// declared set, and what was applied last and is not declared any more taken away. It carries the live object's version.
///
/// As `kubectl apply` merges: a field, and an item of a list that the kind's schema has keys for, goes when the annotation of the last apply
/// names it and it is not declared any more; what others added stays; a `null` takes a field away; lists without keys, and lists of a
/// kind that nobody describes, are one value. Items are told apart by all the keys that the schema names, not only by `kubectl`'s first
/// one: two ports of one number and two protocols are two. Without an annotation, or with a broken one, nothing goes.
pub fn client_side(desired: &Value, live: Option<&Value>) -> Value {
    let annotated = with_last_applied(desired);
    let Some(live) = live else { return annotated };
    let text = |object: &Value, name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let node = Node::of_kind(&text(desired, "apiVersion"), &text(desired, "kind")).unwrap_or(Node::Deduced);
    let last = live
        .pointer("/metadata/annotations")
        .and_then(|all| all.get(LAST_APPLIED)?.as_str());
    let last: Value = last
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let mut merged = live.clone();
    merge(&mut merged, &annotated, Some(&last), node);
    merged
}

fn with_last_applied(desired: &Value) -> Value {
    let mut object = desired.clone();
    let text = format!("{desired}\n");
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
        if let Some(annotations) = annotations.as_object_mut() {
            annotations.insert(LAST_APPLIED.into(), text.into());
        }
    }
    object
}

/// Three ways: what `last` had and `wanted` has not goes, what `wanted` has is set, everything else stays.
fn merge(into: &mut Value, wanted: &Value, last: Option<&Value>, node: Node<'_>) {
    match (into, wanted) {
        (Value::Object(into), Value::Object(wanted)) if !node.map_is_atomic() => {
            for name in last.and_then(Value::as_object).into_iter().flat_map(Map::keys) {
                if !wanted.contains_key(name) {
                    into.remove(name);
                }
            }
            for (name, value) in wanted {
                if value.is_null() {
                    into.remove(name);
                    continue;
                }
                let inner = node.field(name).or_else(|| node.element()).unwrap_or(Node::Deduced);
                match into.get_mut(name) {
                    Some(old) => {
                        merge(old, value, last.and_then(|last| last.get(name)), inner);
                        retain_keys(name, old, value, inner);
                    }
                    None => drop(into.insert(name.clone(), value.clone())),
                }
            }
        }
        (Value::Array(into), Value::Array(wanted)) => match node.list() {
            ListRelation::Keyed(keys) => merge_items(into, wanted, last, node.item(), &keys),
            ListRelation::Set => {
                let gone = |item: &Value| has(last, item) && !wanted.contains(item);
                into.retain(|item| !gone(item));
                for item in wanted {
                    if !into.contains(item) {
                        into.push(item.clone());
                    }
                }
            }
            ListRelation::Atomic => wanted.clone_into(into),
        },
        (into, wanted) => wanted.clone_into(into),
    }
}

/// One of several is chosen by naming its field, and the server refuses two: in a Deployment's `strategy` and in each of a Pod's `volumes`
/// what is not declared goes, whoever set it, as `kubectl` has it (`retainKeys`).
fn retain_keys(name: &str, merged: &mut Value, wanted: &Value, node: Node<'_>) {
    match (name, merged, wanted) {
        _ if matches!(node, Node::Deduced) => {}
        ("strategy", Value::Object(merged), Value::Object(wanted)) => {
            merged.retain(|field, _| wanted.contains_key(field));
        }
        ("volumes", Value::Array(merged), Value::Array(wanted)) => {
            for volume in merged.iter_mut().filter_map(Value::as_object_mut) {
                let same = wanted.iter().find(|wanted| wanted.get("name") == volume.get("name"));
                if let Some(wanted) = same {
                    volume.retain(|field, _| wanted.get(field).is_some());
                }
            }
        }
        _ => {}
    }
}

fn has(list: Option<&Value>, item: &Value) -> bool {
    list.and_then(Value::as_array).is_some_and(|list| list.contains(item))
}

fn merge_items(into: &mut Vec<Value>, wanted: &[Value], last: Option<&Value>, node: Node<'_>, keys: &[&str]) {
    let part = |item: &Value, key: &str| item.get(key).cloned().or_else(|| node.key_default(key));
    let same = |a: &Value, b: &Value| keys.iter().all(|key| part(a, key) == part(b, key));
    let last = last.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    into.retain(|item| !last.iter().any(|old| same(old, item)) || wanted.iter().any(|new| same(new, item)));
    for new in wanted {
        let old = last.iter().find(|old| same(old, new));
        match into.iter_mut().find(|item| same(item, new)) {
            Some(item) => merge(item, new, old, node),
            None => into.push(new.clone()),
        }
    }
}

/// Fields that are handed over to us.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FormerFields {
    /// Whose.
    pub managers: Vec<FormerManager>,
    /// Which of them stay where they are, as JSON pointers: fields that no sync changes, though Git may not declare them.
    pub except: Vec<String>,
}

impl FormerFields {
    /// What of an entry is handed over, and what stays.
    fn part(&self, entry: &Value) -> (Value, Value) {
        let mut taken = entry.get("fieldsV1").cloned().unwrap_or_default();
        let mut left = json!({});
        for pointer in &self.except {
            let path: Vec<String> = pointer.split('/').skip(1).map(field_name).collect();
            if let Some(found) = cut(&mut taken, &path) {
                put(&mut left, &path, found);
            }
        }
        (taken, left)
    }

    fn has_part_of(&self, entry: &Value) -> bool {
        is_former(entry, &self.managers) && !is_nothing(&self.part(entry).0)
    }
}

/// Does anything of `live` belong to `from`, beside its subresources?
pub fn has_former_fields(live: &Value, from: &FormerFields) -> bool {
    managed_fields(live).iter().any(|entry| from.has_part_of(entry))
}

/// The JSON patch that hands the fields `from` over to us as server-side applied: so what is not declared any more goes with the next
/// apply, the annotation of client-side apply too. `None` when there are none. It fails when somebody writes in between.
pub fn take_over_fields(live: &Value, from: &FormerFields) -> Option<Value> {
    let (former, mut entries): (Vec<Value>, Vec<Value>) = managed_fields(live)
        .iter()
        .cloned()
        .partition(|entry| from.has_part_of(entry));
    let first = former.first()?;
    let at = entries.iter().position(|entry| is_of(entry, FIELD_MANAGER, true));
    let mut ours = match at {
        Some(at) => entries.remove(at),
        None => {
            let mut ours = first.clone();
            (ours["manager"], ours["operation"]) = (json!(FIELD_MANAGER), json!("Apply"));
            ours["fieldsV1"] = json!({});
            ours
        }
    };
    for mut entry in former {
        let (taken, left) = from.part(&entry);
        union(&mut ours["fieldsV1"], &taken);
        if !is_nothing(&left) {
            entry["fieldsV1"] = left;
            entries.push(entry);
        }
    }
    entries.push(ours);
    let version = live.pointer("/metadata/resourceVersion").cloned().unwrap_or_default();
    Some(json!([
        {"op": "replace", "path": "/metadata/managedFields", "value": entries},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
    ]))
}

/// A part of a JSON pointer, as a set of fields names it.
fn field_name(part: &str) -> String {
    format!("f:{}", part.replace("~1", "/").replace("~0", "~"))
}

fn is_nothing(fields: &Value) -> bool {
    fields.as_object().is_none_or(Map::is_empty)
}

/// Takes a field out of a set, with what is inside of it.
fn cut(fields: &mut Value, path: &[String]) -> Option<Value> {
    let (name, rest) = path.split_first()?;
    let fields = fields.as_object_mut()?;
    if rest.is_empty() {
        return fields.remove(name);
    }
    let inner = fields.get_mut(name)?;
    let found = cut(inner, rest)?;
    // That it was empty before would mean all of it: nothing would have been found.
    if is_nothing(inner) {
        fields.remove(name);
    }
    Some(found)
}

fn put(into: &mut Value, path: &[String], value: Value) {
    match path.split_first() {
        Some((name, rest)) => put(&mut into[name.as_str()], rest, value),
        None => *into = value,
    }
}

fn managed_fields(live: &Value) -> &[Value] {
    let entries = live.pointer("/metadata/managedFields").and_then(Value::as_array);
    // What is no object is no entry, and nothing is ever set in it.
    entries
        .filter(|entries| entries.iter().all(Value::is_object))
        .map_or(&[], Vec::as_slice)
}

fn is_former(entry: &Value, from: &[FormerManager]) -> bool {
    from.iter().any(|former| is_of(entry, &former.name, former.applies))
}

fn is_of(entry: &Value, manager: &str, applies: bool) -> bool {
    let operation = if applies { "Apply" } else { "Update" };
    entry.get("manager").and_then(Value::as_str) == Some(manager)
        && entry.get("operation").and_then(Value::as_str) == Some(operation)
        && entry.get("subresource").is_none_or(|name| name == "")
}

/// Both sets of fields.
fn union(into: &mut Value, other: &Value) {
    let Some(other) = other.as_object() else { return };
    if !into.is_object() {
        *into = json!({});
    }
    if let Some(into) = into.as_object_mut() {
        for (name, inner) in other {
            union(into.entry(name.clone()).or_insert_with(|| json!({})), inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(ports: &Value, labels: &Value) -> Value {
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "labels": labels},
            "spec": {"ports": ports}})
    }

    #[test]
    fn what_was_applied_and_is_not_declared_any_more_goes_and_the_rest_stays() {
        let first = client_side(
            &service(
                &json!([{"port": 80, "name": "http"}, {"port": 90, "name": "old"}]),
                &json!({"a": "1", "b": "1"}),
            ),
            None,
        );
        let mut live = first;
        live["metadata"]["labels"]["theirs"] = json!("x");
        live["metadata"]["resourceVersion"] = json!("7");
        live["spec"]["clusterIP"] = json!("10.0.0.1");
        live["spec"]["ports"][0]["nodePort"] = json!(30080);
        live["spec"]["ports"][0]["protocol"] = json!("TCP");
        let next = service(&json!([{"port": 80, "name": "web"}]), &json!({"a": "2"}));
        let merged = client_side(&next, Some(&live));
        assert_eq!(merged["metadata"]["labels"], json!({"a": "2", "theirs": "x"}));
        assert_eq!(merged["metadata"]["resourceVersion"], "7");
        assert_eq!(merged["spec"]["clusterIP"], "10.0.0.1");
        assert_eq!(
            merged["spec"]["ports"],
            json!([{"port": 80, "name": "web", "nodePort": 30080, "protocol": "TCP"}])
        );
        let text = merged["metadata"]["annotations"][LAST_APPLIED]
            .as_str()
            .unwrap_or_default();
        assert_eq!(serde_json::from_str::<Value>(text).ok(), Some(next));
    }

    #[test]
    fn of_several_ways_only_the_declared_one_stays() {
        let deployment = |strategy: Value, volume: Value| {
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
                "spec": {"strategy": strategy, "template": {"spec": {"volumes": [volume]}}}})
        };
        let mut live = client_side(
            &deployment(json!({"type": "RollingUpdate"}), json!({"name": "a", "emptyDir": {}})),
            None,
        );
        live["spec"]["strategy"]["rollingUpdate"] = json!({"maxSurge": 1});
        live["spec"]["template"]["spec"]["volumes"] = json!([
            {"name": "a", "configMap": {"name": "set by somebody"}}, {"name": "theirs", "emptyDir": {}}]);
        let next = deployment(
            json!({"type": "Recreate"}),
            json!({"name": "a", "secret": {"secretName": "s"}}),
        );
        let merged = client_side(&next, Some(&live));
        assert_eq!(merged["spec"]["strategy"], json!({"type": "Recreate"}));
        assert_eq!(
            merged["spec"]["template"]["spec"]["volumes"],
            json!([{"name": "a", "secret": {"secretName": "s"}}, {"name": "theirs", "emptyDir": {}}])
        );
    }

    #[test]
    fn without_a_readable_annotation_nothing_goes() {
        for annotation in [json!(null), json!("{"), json!("[]"), json!("7"), json!(7)] {
            let mut live = service(&json!([{"port": 90}]), &json!({"b": "1"}));
            live["metadata"]["annotations"] = json!({LAST_APPLIED: annotation});
            let merged = client_side(&service(&json!([{"port": 80}]), &json!({"a": "1"})), Some(&live));
            assert_eq!(
                merged["metadata"]["labels"],
                json!({"a": "1", "b": "1"}),
                "{annotation}"
            );
            assert_eq!(
                merged["spec"]["ports"],
                json!([{"port": 90}, {"port": 80}]),
                "{annotation}"
            );
        }
    }

    #[test]
    fn lists_of_a_kind_nobody_describes_are_one_value() {
        let object = |items: Value| json!({"apiVersion": "x.io/v1", "kind": "X", "metadata": {"name": "a"}, "spec": {"items": items}});
        let live = client_side(&object(json!([1, 2])), None);
        assert_eq!(
            client_side(&object(json!([3])), Some(&live))["spec"]["items"],
            json!([3])
        );
    }

    #[test]
    fn fields_are_handed_over_once() {
        let entry = |manager: &str, operation: &str, fields: Value| json!({"manager": manager, "operation": operation, "fieldsV1": fields});
        let live = json!({"metadata": {"resourceVersion": "3", "managedFields": [
            entry("kubectl-client-side-apply", "Update", json!({"f:data": {"f:a": {}}})),
            entry("capstan", "Apply", json!({"f:data": {"f:b": {}}})),
            entry("argocd-controller", "Apply", json!({"f:data": {"f:c": {}}})),
            entry("argocd-controller", "Update", json!({"f:data": {"f:d": {}}})),
            entry("kubelet", "Update", json!({"f:status": {}})),
        ]}});
        let from = FormerFields {
            managers: vec![
                FormerManager::by_update("kubectl-client-side-apply"),
                FormerManager::by_apply("argocd-controller"),
            ],
            except: Vec::new(),
        };
        assert!(has_former_fields(&live, &from));
        let patch = take_over_fields(&live, &from).expect("there is something to hand over");
        let entries = patch[0]["value"].as_array().expect("entries");
        assert_eq!(
            entries.len(),
            3,
            "what a manager wrote by another operation stays: {patch}"
        );
        assert_eq!(
            entries[2],
            entry("capstan", "Apply", json!({"f:data": {"f:a": {}, "f:b": {}, "f:c": {}}}))
        );
        let after = json!({"metadata": {"managedFields": entries}});
        assert_eq!(take_over_fields(&after, &from), None);
        assert!(!has_former_fields(&after, &from));
    }

    #[test]
    fn what_is_excepted_stays_where_it_is() {
        let from = FormerFields {
            managers: vec![FormerManager::by_update("kubectl")],
            except: [
                "/spec/replicas",
                "/spec/none",
                "/metadata/annotations/a~1b",
                "/spec/ports/0",
            ]
            .map(str::to_owned)
            .to_vec(),
        };
        let entry = |manager: &str, operation: &str, fields: Value| json!({"manager": manager, "operation": operation, "fieldsV1": fields});
        let live = |fields: Value| json!({"metadata": {"managedFields": [entry("kubectl", "Update", fields)]}});
        let before =
            json!({"f:metadata": {"f:annotations": {"f:a/b": {}}}, "f:spec": {"f:replicas": {}, "f:paused": {}}});
        let patch = take_over_fields(&live(before), &from).expect("there is something to hand over");
        let left = json!({"f:metadata": {"f:annotations": {"f:a/b": {}}}, "f:spec": {"f:replicas": {}}});
        let expected = json!([
            entry("kubectl", "Update", left.clone()),
            entry("capstan", "Apply", json!({"f:spec": {"f:paused": {}}}))
        ]);
        assert_eq!(patch[0]["value"], expected);
        assert_eq!(
            take_over_fields(&live(left), &from),
            None,
            "nothing else is left to hand over"
        );
    }

    #[test]
    fn odd_entries_hand_nothing_over_and_do_not_panic() {
        let from = FormerFields {
            managers: vec![FormerManager::by_update("kubectl-client-side-apply")],
            except: ["", "/", "//", "x", "/a"].map(str::to_owned).to_vec(),
        };
        for entries in [
            json!(null),
            json!("x"),
            json!([1]),
            json!([["manager"]]),
            json!([{"manager": 1}]),
            json!([{"manager": "kubectl-client-side-apply", "operation": "Update", "fieldsV1": 7}]),
            json!([{"manager": "kubectl-client-side-apply", "operation": "Update", "fieldsV1": {"f:a": 7}}]),
        ] {
            let live = json!({"metadata": {"managedFields": entries}});
            assert_eq!(take_over_fields(&live, &from), None, "{live}");
        }
    }
}
