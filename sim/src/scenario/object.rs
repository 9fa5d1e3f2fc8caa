//! Objects as scenarios name them.

use std::fmt;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::registry::{Registry, ResourceType};
use crate::{api_version, meta, text};

/// `Kind/namespace/name`; `Kind/name` of what lives in no namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectRef {
    /// Kind.
    pub kind: String,
    /// Namespace; empty when it lives in none.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl ObjectRef {
    /// What names `object`.
    pub fn of(object: &Value) -> Self {
        Self {
            kind: text(object, &["kind"]).to_owned(),
            namespace: meta(object, "namespace").to_owned(),
            name: meta(object, "name").to_owned(),
        }
    }

    /// Its path in the API of a cluster that serves its kind.
    pub(crate) fn path(&self, registry: &Registry) -> Option<String> {
        let kind = registry.resources().find(|served| served.kind == self.kind)?;
        Some(format!("{}/{}", collection(kind, &self.namespace), self.name))
    }
}

/// The path of a collection.
pub(crate) fn collection(kind: &ResourceType, namespace: &str) -> String {
    let version = api_version(&kind.group, &kind.version);
    let root = if kind.group.is_empty() { "/api" } else { "/apis" };
    match kind.namespaced {
        true => format!("{root}/{version}/namespaces/{namespace}/{}", kind.plural),
        false => format!("{root}/{version}/{}", kind.plural),
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.namespace.as_str() {
            "" => write!(f, "{}/{}", self.kind, self.name),
            namespace => write!(f, "{}/{namespace}/{}", self.kind, self.name),
        }
    }
}

impl<'de> Deserialize<'de> for ObjectRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let parts: Vec<&str> = text.split('/').collect();
        let (kind, namespace, name) = match parts[..] {
            [kind, name] => (kind, "", name),
            [kind, namespace, name] => (kind, namespace, name),
            _ => {
                let message = format!(
                    "{text:?} names no object: Kind/namespace/name, or Kind/name of what lives in no namespace"
                );
                return Err(serde::de::Error::custom(message));
            }
        };
        Ok(Self {
            kind: kind.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        })
    }
}
