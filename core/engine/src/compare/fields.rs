//! `metadata.managedFields`: who owns which field, and what that tells of a list.

use capstan_model::{CLIENT_SIDE_MANAGERS, FIELD_MANAGER, FIELD_MANAGERS, Timestamp};
use serde_json::Value;

use super::path::{Keys, Segment, key_value};
use super::{FieldWriter, path::KeyValue};

/// The entries of one object.
#[derive(Clone, Copy, Debug)]
pub(super) struct ManagedFields<'a> {
    entries: &'a [Value],
}

/// What managedFields tell of a list.
pub(super) enum ListHint {
    /// Its items are told apart by these fields.
    Map(Keys),
    /// Its items are values, each with an owner of its own.
    Set,
}

impl<'a> ManagedFields<'a> {
    pub(super) fn of(object: &'a Value) -> Self {
        let entries = object.pointer("/metadata/managedFields").and_then(Value::as_array);
        Self {
            entries: entries.map(Vec::as_slice).unwrap_or_default(),
        }
    }

    /// The sets of fields that we own by `operation` on the object itself.
    pub(super) fn ours(self, operation: &'static str) -> impl Iterator<Item = &'a Value> {
        self.entries
            .iter()
            .filter(move |entry| {
                text(entry, "operation") == operation
                    && text(entry, "subresource").is_empty()
                    && FIELD_MANAGERS.contains(&text(entry, "manager"))
            })
            .filter_map(|entry| entry.get("fieldsV1"))
    }

    /// Is there anything by plain updates that is to be handed over to us yet? What others applied client-side is not, where it is `left`.
    pub(super) fn is_client_side(self, left: bool) -> bool {
        self.entries.iter().any(|entry| {
            let manager = text(entry, "manager");
            text(entry, "operation") == "Update"
                && text(entry, "subresource").is_empty()
                && (manager == FIELD_MANAGER || !left && CLIENT_SIDE_MANAGERS.contains(&manager))
        })
    }

    /// Who wrote the live field at `path` last.
    pub(super) fn writer(self, path: &[Segment<'_>]) -> Option<FieldWriter> {
        self.entries
            .iter()
            .filter(|entry| entry.get("fieldsV1").is_some_and(|fields| contains(fields, path)))
            .map(|entry| FieldWriter {
                manager: text(entry, "manager").to_owned(),
                operation: text(entry, "operation").to_owned(),
                subresource: text(entry, "subresource").to_owned(),
                time: text(entry, "time").parse::<Timestamp>().ok(),
            })
            .max_by_key(|writer| writer.time)
    }

    /// Does one of `managers` own the live field at `path`?
    pub(super) fn is_owned_by(self, managers: &[String], path: &[Segment<'_>]) -> bool {
        self.entries
            .iter()
            .filter(|entry| managers.iter().any(|manager| manager == text(entry, "manager")))
            .any(|entry| entry.get("fieldsV1").is_some_and(|fields| contains(fields, path)))
    }

    /// Does anybody own something inside of `path`, so that it is no atomic value?
    pub(super) fn has_inner(self, path: &[Segment<'_>]) -> bool {
        let mut nodes = self
            .entries
            .iter()
            .filter_map(|entry| descend(entry.get("fieldsV1")?, path));
        nodes.any(|node| {
            node.as_object()
                .is_some_and(|fields| fields.keys().any(|name| name != "."))
        })
    }

    /// What the server took the list at `path` for, if any manager owns items of it: the schema of a custom resource, as far as it is
    /// needed here, comes with the object.
    pub(super) fn list_hint(self, path: &[Segment<'_>]) -> Option<ListHint> {
        let nodes = self
            .entries
            .iter()
            .filter_map(|entry| descend(entry.get("fieldsV1")?, path));
        for name in nodes.filter_map(Value::as_object).flat_map(|node| node.keys()) {
            if let Some(keys) = name.strip_prefix("k:") {
                let keys: serde_json::Map<String, Value> = serde_json::from_str(keys).ok()?;
                return Some(ListHint::Map(Keys::Seen(keys.keys().cloned().collect())));
            }
            if name.starts_with("v:") {
                return Some(ListHint::Set);
            }
        }
        None
    }
}

/// Is the field at `path` in the set, by itself or with something around it that is owned as a whole?
fn contains(fields: &Value, path: &[Segment<'_>]) -> bool {
    let mut node = fields;
    for segment in path {
        match child(node, segment) {
            Some(next) => node = next,
            None => return node.as_object().is_some_and(serde_json::Map::is_empty),
        }
    }
    true
}

fn descend<'f>(fields: &'f Value, path: &[Segment<'_>]) -> Option<&'f Value> {
    path.iter().try_fold(fields, |node, segment| child(node, segment))
}

/// The part of a set of fields that lies under `segment`.
pub(super) fn child<'f>(node: &'f Value, segment: &Segment<'_>) -> Option<&'f Value> {
    let node = node.as_object()?;
    match segment {
        Segment::Field(name) => node
            .iter()
            .find(|(key, _)| key.strip_prefix("f:") == Some(*name))
            .map(|(_, next)| next),
        Segment::Item { item, .. } => node
            .iter()
            .find(|(key, _)| key.strip_prefix("k:").is_some_and(|keys| is_item(keys, item)))
            .map(|(_, next)| next),
        Segment::Member(value) => node
            .iter()
            .find(|(key, _)| key.strip_prefix("v:").is_some_and(|member| is_value(member, value)))
            .map(|(_, next)| next),
        Segment::Index(index) => node
            .iter()
            .find(|(key, _)| key.strip_prefix("i:").and_then(|at| at.parse().ok()) == Some(*index))
            .map(|(_, next)| next),
    }
}

/// Do the keys of a `k:` entry name `item`?
fn is_item(keys: &str, item: &Value) -> bool {
    serde_json::from_str(keys).is_ok_and(|keys| has_keys(&keys, item))
}

/// Does `item` have these values of its keys?
pub(super) fn has_keys(keys: &serde_json::Map<String, Value>, item: &Value) -> bool {
    keys.iter()
        .all(|(name, value)| key_value(item, name).equals(KeyValue::Given(value)))
}

/// Is the value of a `v:` entry `value`?
pub(super) fn is_value(member: &str, value: &Value) -> bool {
    serde_json::from_str::<Value>(member).is_ok_and(|member| member == *value)
}

fn text<'v>(entry: &'v Value, name: &str) -> &'v str {
    entry.get(name).and_then(Value::as_str).unwrap_or_default()
}
