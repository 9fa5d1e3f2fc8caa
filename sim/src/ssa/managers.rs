//! `managedFields`: who set which fields, how, and when.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::set::Set;

/// More managers than this by update are merged into one.
const MAX_UPDATERS: usize = 10;
const ANCIENT: &str = "ancient-changes";

/// A manager as entries tell them apart. Appliers are one whatever version they speak.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Manager {
    /// `true` for server-side apply.
    pub(crate) applies: bool,
    /// Name.
    pub(crate) name: String,
    /// `group/version` written through; empty for appliers.
    pub(crate) api_version: String,
    /// Subresource written through; usually empty.
    pub(crate) subresource: String,
}

/// What a manager owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owned {
    /// The fields.
    pub(crate) set: Set,
    /// `group/version` the fields are of.
    pub(crate) api_version: String,
    /// When they were last set, as written.
    pub(crate) time: Option<String>,
}

/// All managers of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Managers {
    /// By manager.
    pub(crate) owned: BTreeMap<Manager, Owned>,
}

impl Manager {
    /// As messages name it: `"kubectl" using apps/v1`.
    pub(crate) fn shown(&self) -> String {
        let mut text = format!("{:?}", self.name);
        if !self.subresource.is_empty() {
            text.push_str(&format!(" with subresource {:?}", self.subresource));
        }
        if !self.applies {
            text.push_str(&format!(" using {}", self.api_version));
        }
        text
    }
}

impl Managers {
    /// From `metadata.managedFields`; `None` when an entry cannot be read.
    pub(crate) fn decode(entries: &Value) -> Option<Self> {
        let mut out = Self::default();
        for entry in entries.as_array().into_iter().flatten() {
            let text = |field: &str| entry[field].as_str().unwrap_or_default().to_owned();
            if entry.as_object().is_some_and(Map::is_empty) {
                continue;
            }
            let applies = match entry["operation"].as_str() {
                Some("Apply") => true,
                Some("Update") => false,
                _ => return None,
            };
            let api_version = text("apiVersion");
            let manager = Manager {
                applies,
                name: text("manager"),
                api_version: if applies { String::new() } else { api_version.clone() },
                subresource: text("subresource"),
            };
            let owned = Owned {
                set: Set::from_fields_v1(entry.get("fieldsV1").unwrap_or(&json!({})))?,
                api_version,
                time: entry["time"].as_str().map(str::to_owned),
            };
            out.owned.insert(manager, owned);
        }
        Some(out)
    }

    /// Whether entries ask for all ownership to be forgotten: an empty list, or one empty entry.
    pub(crate) fn is_reset(entries: &Value) -> bool {
        entries
            .as_array()
            .is_some_and(|list| list.iter().all(|one| one.as_object().is_some_and(Map::is_empty)) && list.len() < 2)
    }

    /// As `metadata.managedFields`: appliers first, then by time, name, version and subresource.
    pub(crate) fn encode(&self) -> Value {
        let mut entries: Vec<(&Manager, &Owned)> = self.owned.iter().collect();
        entries.sort_by_key(|(m, o)| {
            (
                !m.applies,
                o.time.clone().unwrap_or_default(),
                m.name.clone(),
                o.api_version.clone(),
                m.subresource.clone(),
            )
        });
        let encoded = entries.into_iter().map(|(manager, owned)| {
            let mut entry = Map::new();
            entry.insert("manager".into(), json!(manager.name));
            entry.insert(
                "operation".into(),
                json!(if manager.applies { "Apply" } else { "Update" }),
            );
            entry.insert("apiVersion".into(), json!(owned.api_version));
            if let Some(time) = &owned.time {
                entry.insert("time".into(), json!(time));
            }
            entry.insert("fieldsType".into(), json!("FieldsV1"));
            entry.insert("fieldsV1".into(), owned.set.to_fields_v1());
            if !manager.subresource.is_empty() {
                entry.insert("subresource".into(), json!(manager.subresource));
            }
            Value::Object(entry)
        });
        Value::Array(encoded.collect())
    }

    /// Writes them into an object; none removes the field.
    pub(crate) fn write(&self, object: &mut Value) {
        let metadata = crate::fields::metadata_mut(object);
        if self.owned.is_empty() {
            metadata.remove("managedFields");
        } else {
            metadata.insert("managedFields".into(), self.encode());
        }
    }

    /// Merges the oldest updaters into one when there are too many.
    pub(super) fn cap(&mut self) {
        let mut updaters: Vec<(Option<String>, Manager)> = self
            .owned
            .iter()
            .filter(|(m, _)| !m.applies && m.subresource.is_empty())
            .map(|(m, o)| (o.time.clone(), m.clone()))
            .collect();
        if updaters.len() <= MAX_UPDATERS {
            return;
        }
        updaters.sort();
        let surplus = updaters.len() - MAX_UPDATERS;
        for (_, manager) in updaters.into_iter().take(surplus + 1) {
            let ancient = Manager {
                name: ANCIENT.into(),
                ..manager.clone()
            };
            if manager == ancient {
                continue;
            }
            if let Some(old) = self.owned.remove(&manager) {
                let merged = match self.owned.remove(&ancient) {
                    Some(had) => Owned {
                        set: had.set.union(&old.set),
                        api_version: old.api_version,
                        time: had.time.max(old.time),
                    },
                    None => old,
                };
                self.owned.insert(ancient, merged);
            }
        }
    }
}
