//! One desired object.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Digest, GroupVersionKind, ObjectMeta, ResourceKey};

/// Where in a source something was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SourceLocation {
    /// Path from the root of the repository.
    pub file: String,
    /// 1-based line at which the document (or the offending thing) starts; 0 when only the file is known.
    pub line: u32,
}

impl fmt::Display for SourceLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}", self.file),
        }
    }
}

/// A Kubernetes object as a source declares it, with what names it and how it wants to be handled.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// The object.
    pub value: Value,
    /// Its kind and version.
    pub gvk: GroupVersionKind,
    /// `metadata.namespace`; empty when absent.
    pub namespace: String,
    /// `metadata.name`; empty for a `generateName` object.
    pub name: String,
    /// `metadata.generateName`; empty when absent.
    pub generate_name: String,
    /// Its annotations, parsed.
    pub meta: ObjectMeta,
    /// Where it comes from.
    pub location: SourceLocation,
}

/// A document that is not a Kubernetes object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// A list, a string or a number.
    #[error("{location}: a Kubernetes object is a mapping, this document is {found}")]
    NotAMapping {
        /// Where.
        location: SourceLocation,
        /// What it is instead.
        found: &'static str,
    },
    /// A field that every object has is absent or empty.
    #[error("{location}: {field} is missing{hint}")]
    Missing {
        /// Where.
        location: SourceLocation,
        /// The field.
        field: &'static str,
        /// What the object otherwise says it is.
        hint: String,
    },
    /// A field has the wrong type.
    #[error("{location}: {field} of {object} must be {expected}, not {found}")]
    WrongType {
        /// Where.
        location: SourceLocation,
        /// The field.
        field: String,
        /// What the object says it is.
        object: String,
        /// What the field must be.
        expected: &'static str,
        /// What it is instead.
        found: &'static str,
    },
}

impl Manifest {
    /// Reads what names the object.
    pub fn parse(value: Value, location: SourceLocation) -> Result<Self, ManifestError> {
        let Value::Object(fields) = &value else {
            return Err(ManifestError::NotAMapping {
                location,
                found: type_name(&value),
            });
        };
        let text = |field: &'static str, pointer: &str| -> Result<String, ManifestError> {
            match value.pointer(pointer) {
                None | Some(Value::Null) => Ok(String::new()),
                Some(Value::String(text)) => Ok(text.clone()),
                Some(other) => Err(ManifestError::WrongType {
                    location: location.clone(),
                    field: field.to_owned(),
                    object: hint(&value).trim().to_owned(),
                    expected: "a string",
                    found: type_name(other),
                }),
            }
        };
        let missing = |field| ManifestError::Missing {
            location: location.clone(),
            field,
            hint: hint(&value),
        };
        let api_version = text("apiVersion", "/apiVersion")?;
        let kind = text("kind", "/kind")?;
        if api_version.is_empty() {
            return Err(missing("apiVersion"));
        }
        if kind.is_empty() {
            return Err(missing("kind"));
        }
        if !fields.get("metadata").is_some_and(Value::is_object) {
            return Err(missing("metadata.name"));
        }
        let (name, generate_name) = (
            text("metadata.name", "/metadata/name")?,
            text("metadata.generateName", "/metadata/generateName")?,
        );
        if name.is_empty() && generate_name.is_empty() {
            return Err(missing("metadata.name"));
        }
        let namespace = text("metadata.namespace", "/metadata/namespace")?;
        check_string_map(&value, "annotations", &location)?;
        check_string_map(&value, "labels", &location)?;
        let gvk = GroupVersionKind::from_api_version(&api_version, &kind);
        let meta = ObjectMeta::of(&value);
        Ok(Self {
            gvk,
            namespace,
            name,
            generate_name,
            meta,
            location,
            value,
        })
    }

    /// The object's key as written: its scope is known only to the cluster, so the namespace may still be to be filled or removed.
    pub fn key(&self) -> ResourceKey {
        ResourceKey::new(&self.gvk.group, &self.gvk.kind, &self.namespace, &self.name)
    }

    /// Of the whole object.
    pub fn digest(&self) -> Digest {
        Digest::of_json(&self.value)
    }
}

fn check_string_map(value: &Value, field: &str, location: &SourceLocation) -> Result<(), ManifestError> {
    let wrong = |path: String, expected, found: &Value| ManifestError::WrongType {
        location: location.clone(),
        field: path,
        object: hint(value).trim().to_owned(),
        expected,
        found: type_name(found),
    };
    match value.pointer(&format!("/metadata/{field}")) {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Object(entries)) => {
            match entries.iter().find(|(_, entry)| !entry.is_string() && !entry.is_null()) {
                None => Ok(()),
                Some((name, entry)) => Err(wrong(format!("metadata.{field}[{name}]"), "a string (quote it)", entry)),
            }
        }
        Some(other) => Err(wrong(format!("metadata.{field}"), "a mapping", other)),
    }
}

fn hint(value: &Value) -> String {
    let text = |pointer| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    match (text("/kind"), text("/metadata/name")) {
        ("", "") => String::new(),
        (kind, "") => format!(" ({kind})"),
        ("", name) => format!(" ({name})"),
        (kind, name) => format!(" ({kind}/{name})"),
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at() -> SourceLocation {
        SourceLocation {
            file: "services/a/b.yaml".into(),
            line: 7,
        }
    }

    #[test]
    fn says_what_is_missing_and_where() {
        let error =
            Manifest::parse(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}), at()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "services/a/b.yaml:7: metadata.name is missing (ConfigMap)"
        );
    }

    #[test]
    fn annotations_must_be_strings() {
        let value =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "annotations": {"n": 3}}});
        let error = Manifest::parse(value, at()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "services/a/b.yaml:7: metadata.annotations[n] of (ConfigMap/x) must be a string (quote it), not a number"
        );
    }
}
