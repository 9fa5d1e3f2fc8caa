//! Which fields differ between two values of a type.

use std::collections::BTreeMap;

use capstan_model::schema::{ListRelation, Node};
use serde_json::Value;

use super::set::{Set, Step};
use super::typed::{Form, as_list, as_map, equal, form, item_step, known};

/// The fields that differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Comparison {
    pub(super) added: Set,
    pub(super) removed: Set,
    pub(super) modified: Set,
}

impl Comparison {
    /// Whether nothing differs.
    pub(super) fn is_same(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.modified.is_empty()
    }
}

/// Compares two values of a type.
pub(super) fn compare(node: Node<'_>, old: &Value, new: &Value) -> Comparison {
    let mut walk = Walk {
        out: Comparison::default(),
        path: Vec::new(),
    };
    walk.compare(node, Some(old), Some(new));
    walk.out
}

struct Walk {
    out: Comparison,
    path: Vec<Step>,
}

impl Walk {
    fn compare(&mut self, node: Node<'_>, old: Option<&Value>, new: Option<&Value>) {
        let (Some(shown), leaf_before) = (new.or(old), false) else {
            return;
        };
        let mut leaf = leaf_before;
        match (old, new) {
            (Some(a), Some(b)) if !a.is_null() && !b.is_null() && form(node, a) != form(node, b) => {
                leaf |= self.handle(node, form(node, a), old, new);
                if !leaf {
                    leaf |= self.handle(node, form(node, b), old, new);
                }
            }
            _ => {
                let value = [new, old].into_iter().flatten().find(|v| !v.is_null()).unwrap_or(shown);
                leaf |= self.handle(node, form(node, value), old, new);
            }
        }
        if !leaf {
            match (old, new) {
                (None, _) => self.out.added.insert(&self.path),
                (_, None) => self.out.removed.insert(&self.path),
                _ => {}
            }
        }
    }

    /// Goes on by form; tells whether the place was taken as one value.
    fn handle(&mut self, node: Node<'_>, form: Form, old: Option<&Value>, new: Option<&Value>) -> bool {
        match form {
            Form::Scalar => self.leaf(old, new),
            Form::List => {
                let (a, b) = (as_list(old), as_list(new));
                let empty = a.is_none_or(Vec::is_empty) && b.is_none_or(Vec::is_empty);
                let relation = node.list();
                if empty || relation == ListRelation::Atomic {
                    return self.leaf(old, new);
                }
                self.items(node, &relation, a, b);
                false
            }
            Form::Map => {
                let (a, b) = (as_map(old), as_map(new));
                let empty = a.is_none_or(serde_json::Map::is_empty) && b.is_none_or(serde_json::Map::is_empty);
                if empty || node.map_is_atomic() {
                    return self.leaf(old, new);
                }
                let mut keys: Vec<&String> = a.into_iter().chain(b).flat_map(serde_json::Map::keys).collect();
                keys.sort();
                keys.dedup();
                for key in keys {
                    self.path.push(Step::field(key));
                    self.compare(known(node, key), a.and_then(|m| m.get(key)), b.and_then(|m| m.get(key)));
                    self.path.pop();
                }
                false
            }
        }
    }

    fn leaf(&mut self, old: Option<&Value>, new: Option<&Value>) -> bool {
        match (old, new) {
            (None, _) => self.out.added.insert(&self.path),
            (_, None) => self.out.removed.insert(&self.path),
            (Some(a), Some(b)) if !equal(a, b) => self.out.modified.insert(&self.path),
            _ => {}
        }
        true
    }

    fn items(
        &mut self,
        node: Node<'_>,
        relation: &ListRelation<'_>,
        old: Option<&Vec<Value>>,
        new: Option<&Vec<Value>>,
    ) {
        let mut by_step: BTreeMap<Step, (Vec<&Value>, Vec<&Value>)> = BTreeMap::new();
        for item in old.into_iter().flatten() {
            if let Ok(step) = item_step(node, relation, item) {
                by_step.entry(step).or_default().0.push(item);
            }
        }
        for item in new.into_iter().flatten() {
            if let Ok(step) = item_step(node, relation, item) {
                by_step.entry(step).or_default().1.push(item);
            }
        }
        for (step, (a, b)) in by_step {
            self.path.push(step);
            match (a.as_slice(), b.as_slice()) {
                ([_, _, ..], [_, _, ..]) => {
                    if a.len() != b.len() || !a.iter().zip(&b).all(|(x, y)| equal(x, y)) {
                        self.out.modified.insert(&self.path);
                    }
                }
                ([_, _, ..], [one]) => self.compare(node.item(), None, Some(one)),
                (_, [_, _, ..]) => self.out.added.insert(&self.path),
                _ => self.compare(node.item(), a.first().copied(), b.first().copied()),
            }
            self.path.pop();
        }
    }
}
