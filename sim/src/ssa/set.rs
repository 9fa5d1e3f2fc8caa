//! Sets of field paths, as `managedFields` keeps them, and their JSON form `FieldsV1`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Map, Value};

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// A field of a struct or a key of a map.
    Field(String),
    /// An item of a keyed list, by the JSON of its keys in order.
    Key(String),
    /// An item of a set, by its JSON.
    Value(String),
    /// An item by position. Read, never written.
    Index(i64),
}

/// A set of paths: those that end here, and what is below.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Set {
    members: BTreeSet<Step>,
    children: BTreeMap<Step, Self>,
}

impl Step {
    /// A field.
    pub(crate) fn field(name: &str) -> Self {
        Self::Field(name.to_owned())
    }

    fn encode(&self) -> String {
        match self {
            Self::Field(name) => format!("f:{name}"),
            Self::Key(json) => format!("k:{json}"),
            Self::Value(json) => format!("v:{json}"),
            Self::Index(index) => format!("i:{index}"),
        }
    }

    fn decode(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        match kind {
            "f" => Some(Self::Field(rest.to_owned())),
            "k" => {
                let keys: BTreeMap<String, Value> = serde_json::from_str(rest).ok()?;
                serde_json::to_string(&keys).ok().map(Self::Key)
            }
            "v" => {
                let value: Value = serde_json::from_str(rest).ok()?;
                Some(Self::Value(value.to_string()))
            }
            "i" => rest.parse().ok().map(Self::Index),
            _ => None,
        }
    }

    fn print(&self, out: &mut String) {
        let written = match self {
            Self::Field(name) => write!(out, ".{name}"),
            Self::Key(json) => {
                let keys: BTreeMap<String, Value> = serde_json::from_str(json).unwrap_or_default();
                let parts: Vec<String> = keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
                write!(out, "[{}]", parts.join(","))
            }
            Self::Value(json) => write!(out, "[={json}]"),
            Self::Index(index) => write!(out, "[{index}]"),
        };
        debug_assert!(written.is_ok(), "writing to a string does not fail");
    }
}

/// A path as messages show it: `.spec.containers[name="a"].image`.
pub(crate) fn print(path: &[Step]) -> String {
    let mut out = String::new();
    path.iter().for_each(|step| step.print(&mut out));
    out
}

impl Set {
    /// Whether no path is in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty() && self.children.values().all(Self::is_empty)
    }

    /// Adds a path. The empty path cannot be a member.
    pub(crate) fn insert(&mut self, path: &[Step]) {
        match path {
            [] => {}
            [last] => {
                self.members.insert(last.clone());
            }
            [first, rest @ ..] => self.children.entry(first.clone()).or_default().insert(rest),
        }
    }

    /// A set of paths of fields.
    pub(crate) fn of_fields(paths: &[&[&str]]) -> Self {
        let mut set = Self::default();
        for path in paths {
            let steps: Vec<Step> = path.iter().map(|name| Step::field(name)).collect();
            set.insert(&steps);
        }
        set
    }

    /// Whether the one-step path is a member.
    pub(crate) fn has(&self, step: &Step) -> bool {
        self.members.contains(step)
    }

    /// What is below a step.
    pub(crate) fn below(&self, step: &Step) -> Option<&Self> {
        self.children.get(step).filter(|child| !child.is_empty())
    }

    /// Paths in either.
    pub(crate) fn union(&self, other: &Self) -> Self {
        let mut out = self.clone();
        out.members.extend(other.members.iter().cloned());
        for (step, child) in &other.children {
            let merged = out
                .children
                .get(step)
                .map_or_else(|| child.clone(), |own| own.union(child));
            out.children.insert(step.clone(), merged);
        }
        out
    }

    /// Paths in both.
    pub(crate) fn intersection(&self, other: &Self) -> Self {
        let mut out = Self {
            members: self.members.intersection(&other.members).cloned().collect(),
            children: BTreeMap::new(),
        };
        for (step, child) in &self.children {
            if let Some(theirs) = other.children.get(step) {
                out.keep_child(step, child.intersection(theirs));
            }
        }
        out
    }

    /// Paths not in `other`. A member of `other` takes away only itself, not what is below.
    pub(crate) fn difference(&self, other: &Self) -> Self {
        let mut out = Self {
            members: self.members.difference(&other.members).cloned().collect(),
            children: BTreeMap::new(),
        };
        for (step, child) in &self.children {
            let rest = other
                .children
                .get(step)
                .map_or_else(|| child.clone(), |theirs| child.difference(theirs));
            out.keep_child(step, rest);
        }
        out
    }

    /// Paths not in `other` and not below a member of it.
    pub(crate) fn without(&self, other: &Self) -> Self {
        let mut out = Self {
            members: self.members.difference(&other.members).cloned().collect(),
            children: BTreeMap::new(),
        };
        for (step, child) in &self.children {
            if other.members.contains(step) {
                continue;
            }
            let rest = other
                .children
                .get(step)
                .map_or_else(|| child.clone(), |theirs| child.without(theirs));
            out.keep_child(step, rest);
        }
        out
    }

    /// Only what is at or below this step.
    pub(crate) fn only(&self, step: &Step) -> Self {
        let mut out = Self::default();
        if self.members.contains(step) {
            out.members.insert(step.clone());
        }
        if let Some(child) = self.children.get(step) {
            out.keep_child(step, child.clone());
        }
        out
    }

    fn keep_child(&mut self, step: &Step, child: Self) {
        if !child.is_empty() {
            self.children.insert(step.clone(), child);
        }
    }

    /// The set with each declared struct field on the way to a member a member too; `declares` walks the types along.
    pub(crate) fn with_named_fields(&self, node: Option<capstan_model::schema::Node<'_>>) -> Self {
        let mut out = Self {
            members: self.members.clone(),
            children: BTreeMap::new(),
        };
        for (step, child) in &self.children {
            let below = match (step, node) {
                (Step::Field(name), Some(node)) => {
                    let declared = node.field(name);
                    if declared.is_some() {
                        out.members.insert(step.clone());
                    }
                    declared.or_else(|| node.element())
                }
                (_, Some(node)) => Some(node.item()),
                (_, None) => None,
            };
            out.children.insert(step.clone(), child.with_named_fields(below));
        }
        out
    }

    /// Every member path, in order.
    pub(crate) fn paths(&self) -> Vec<Vec<Step>> {
        let mut out = Vec::new();
        self.collect(&mut Vec::new(), &mut out);
        out
    }

    fn collect(&self, at: &mut Vec<Step>, out: &mut Vec<Vec<Step>>) {
        for step in &self.members {
            at.push(step.clone());
            out.push(at.clone());
            at.pop();
        }
        for (step, child) in &self.children {
            at.push(step.clone());
            child.collect(at, out);
            at.pop();
        }
    }

    /// As `FieldsV1`.
    pub(crate) fn to_fields_v1(&self) -> Value {
        let mut map = Map::new();
        for step in self.members.iter().chain(self.children.keys()) {
            let key = step.encode();
            if map.contains_key(&key) {
                continue;
            }
            let mut below = Map::new();
            if let Some(child) = self.children.get(step).filter(|c| !c.is_empty()) {
                if self.members.contains(step) {
                    below.insert(".".into(), Value::Object(Map::new()));
                }
                if let Value::Object(inner) = child.to_fields_v1() {
                    below.extend(inner);
                }
            } else if !self.members.contains(step) {
                continue;
            }
            map.insert(key, Value::Object(below));
        }
        Value::Object(map)
    }

    /// From `FieldsV1`; `None` when a key is no step.
    pub(crate) fn from_fields_v1(value: &Value) -> Option<Self> {
        let mut set = Self::default();
        for (key, below) in value.as_object()? {
            if key == "." {
                continue;
            }
            let step = Step::decode(key)?;
            let inner = below.as_object()?;
            if inner.is_empty() || inner.contains_key(".") {
                set.members.insert(step.clone());
            }
            let child = Self::from_fields_v1(below)?;
            set.keep_child(&step, child);
        }
        Some(set)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_v1_round_trips() {
        let fields = json!({"f:metadata": {"f:labels": {".": {}, "f:app": {}}}, "f:spec": {"f:ports": {
            "k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}}}, "f:finalizers": {"v:\"a\"": {}}}});
        let set = Set::from_fields_v1(&fields).unwrap();
        assert_eq!(set.to_fields_v1(), fields);
        let shown: Vec<String> = set.paths().iter().map(|p| print(p)).collect();
        assert!(
            shown.contains(&".spec.ports[port=80,protocol=\"TCP\"].port".to_owned()),
            "{shown:?}"
        );
        assert!(shown.contains(&".spec.finalizers[=\"a\"]".to_owned()), "{shown:?}");
    }

    #[test]
    fn a_difference_leaves_what_is_below() {
        let set = Set::of_fields(&[&["a"], &["a", "b"], &["c"]]);
        let other = Set::of_fields(&[&["a"]]);
        assert_eq!(set.difference(&other), Set::of_fields(&[&["a", "b"], &["c"]]));
        assert_eq!(set.without(&other), Set::of_fields(&[&["c"]]));
        assert_eq!(set.intersection(&other), other);
        assert_eq!(set.union(&other), set);
    }
}
