//! Merging a configuration into a live object, and taking fields out of one.

use capstan_model::schema::{ListRelation, Node};
use serde_json::{Map, Value};

use super::set::{Set, Step};
use super::typed::{Form, as_list, as_map, form, item_step, known};

/// `new` merged into `old`: what `new` has wins, what only `old` has stays, keyed lists item by item.
pub(super) fn merge(node: Node<'_>, old: &Value, new: &Value) -> Value {
    merged(node, Some(old), Some(new)).unwrap_or(Value::Null)
}

/// `None` when nothing is left: emptied maps and lists vanish.
fn merged(node: Node<'_>, old: Option<&Value>, new: Option<&Value>) -> Option<Value> {
    let shown = [new, old]
        .into_iter()
        .flatten()
        .find(|v| !v.is_null())
        .or(new)
        .or(old)?;
    let leaf = || new.or(old).cloned();
    match form(node, shown) {
        Form::Scalar => leaf(),
        Form::List => {
            let (a, b) = (as_list(old), as_list(new));
            let relation = node.list();
            let empty = a.is_none_or(Vec::is_empty) && b.is_none_or(Vec::is_empty);
            if empty || relation == ListRelation::Atomic {
                return leaf();
            }
            let out = merge_items(
                node,
                &relation,
                a.map_or(&[], Vec::as_slice),
                b.map_or(&[], Vec::as_slice),
            );
            (!out.is_empty()).then_some(Value::Array(out))
        }
        Form::Map => {
            let (a, b) = (as_map(old), as_map(new));
            let empty = a.is_none_or(Map::is_empty) && b.is_none_or(Map::is_empty);
            if empty || node.map_is_atomic() {
                return leaf();
            }
            let mut out = Map::new();
            let both = [a, b].into_iter().flatten().flat_map(Map::keys);
            for key in both {
                if out.contains_key(key) {
                    continue;
                }
                let value = merged(known(node, key), a.and_then(|m| m.get(key)), b.and_then(|m| m.get(key)));
                if let Some(value) = value {
                    out.insert(key.clone(), value);
                }
            }
            (!out.is_empty()).then_some(Value::Object(out))
        }
    }
}

/// Merges two keyed lists: the order of the configuration wins among what both have, the rest stays where it was.
fn merge_items(node: Node<'_>, relation: &ListRelation<'_>, old: &[Value], new: &[Value]) -> Vec<Value> {
    let steps = |list: &[Value]| -> Vec<Step> {
        list.iter()
            .filter_map(|item| item_step(node, relation, item).ok())
            .collect()
    };
    let (left, right) = (steps(old), steps(new));
    let single = |list: &[Step], step: &Step| -> Option<usize> {
        let mut at = list.iter().enumerate().filter(|(_, s)| *s == step).map(|(i, _)| i);
        let first = at.next();
        if at.next().is_some() { None } else { first }
    };
    let mut shared = right.iter().filter(|step| left.contains(step)).peekable();
    let mut next_shared = shared.next();
    let mut done: Vec<&Step> = Vec::new();
    let mut out = Vec::new();
    let (mut l, mut r) = (0, 0);
    while l < left.len() || r < right.len() {
        if l < left.len() && r < right.len() {
            let step = &left[l];
            if *step == right[r] {
                done.push(step);
                let old_item = single(&left, step).map(|i| &old[i]);
                out.extend(merged(node.item(), old_item, Some(&new[r])));
                (l, r) = (l + 1, r + 1);
                next_shared = shared.next();
                continue;
            }
            if right.contains(step) && next_shared.is_some_and(|next| next != step) {
                l += 1;
                continue;
            }
        }
        if l < left.len() {
            let step = &left[l];
            if !right.contains(step) {
                out.extend(merged(node.item(), Some(&old[l]), None));
                l += 1;
                continue;
            }
            if done.contains(&step) {
                l += 1;
            }
        }
        if r < right.len() {
            let step = &right[r];
            done.push(step);
            let old_item = single(&left, step).map(|i| &old[i]);
            out.extend(merged(node.item(), old_item, Some(&new[r])));
            r += 1;
            if next_shared == Some(step) {
                next_shared = shared.next();
            }
        }
    }
    out
}

/// The value without the fields of `gone`. Emptied maps and lists become null.
pub(super) fn without(node: Node<'_>, value: &Value, gone: &Set) -> Value {
    match (form(node, value), value) {
        (Form::Scalar, _) => value.clone(),
        (Form::List, Value::Array(items)) => {
            let relation = node.list();
            if relation == ListRelation::Atomic {
                return Value::Null;
            }
            let mut out = Vec::new();
            for item in items {
                let Ok(step) = item_step(node, &relation, item) else {
                    continue;
                };
                if gone.has(&step) {
                    continue;
                }
                out.push(
                    gone.below(&step)
                        .map_or_else(|| item.clone(), |below| without(node.item(), item, below)),
                );
            }
            if out.is_empty() { Value::Null } else { Value::Array(out) }
        }
        (Form::Map, Value::Object(map)) => {
            if node.map_is_atomic() {
                return Value::Null;
            }
            let mut out = Map::new();
            for (key, value) in map {
                let step = Step::field(key);
                if gone.has(&step) {
                    continue;
                }
                let rest = gone
                    .below(&step)
                    .map_or_else(|| value.clone(), |below| without(known(node, key), value, below));
                out.insert(key.clone(), rest);
            }
            if out.is_empty() {
                Value::Null
            } else {
                Value::Object(out)
            }
        }
        _ => Value::Null,
    }
}
