//! Which definitions are refused: names, versions, and schemas that are not structural.

use serde_json::Value;

use super::validate::check as check_value;
use crate::fields::text;
use crate::status::{ApiError, Cause};
use crate::world::{Call, World};

impl World {
    /// Refuses a definition the real server would not take.
    pub(crate) fn validate_definition(&self, call: &Call<'_>, object: &Value) -> Result<(), ApiError> {
        if call.resource.storage != super::definitions() {
            return Ok(());
        }
        let spec = &object["spec"];
        let mut causes = Vec::new();
        names(object, &mut causes);
        let versions: Vec<&Value> = spec["versions"].as_array().into_iter().flatten().collect();
        version_names(&versions, &mut causes);
        let repeated = versions
            .iter()
            .enumerate()
            .any(|(i, v)| versions[..i].iter().any(|earlier| earlier["name"] == v["name"]));
        if repeated {
            let message = format!("Invalid value: {}: must contain unique version names", dump(&versions));
            causes.push(Cause::field("FieldValueInvalid", "spec.versions", message));
        }
        if versions.iter().filter(|v| v["storage"] == true).count() != 1 {
            let message = format!(
                "Invalid value: {}: must have exactly one version marked as storage version",
                dump(&versions)
            );
            causes.push(Cause::field("FieldValueInvalid", "spec.versions", message));
        }
        stored(object, &mut causes);
        if object["status"]["storedVersions"].as_array().is_none_or(Vec::is_empty) {
            let message = "Invalid value: null: must have at least one stored version";
            causes.push(Cause::field("FieldValueInvalid", "status.storedVersions", message));
        }
        schemas(&versions, &mut causes);
        if causes.is_empty() {
            return Ok(());
        }
        Err(ApiError::invalid(
            &call.resource.group,
            &call.resource.kind,
            text(object, &["metadata", "name"]),
            causes,
        ))
    }
}

fn names(object: &Value, causes: &mut Vec<Cause>) {
    let spec = &object["spec"];
    let expected = format!("{}.{}", text(spec, &["names", "plural"]), text(spec, &["group"]));
    let name = text(object, &["metadata", "name"]);
    if name != expected {
        let message = format!("Invalid value: {name:?}: must be spec.names.plural+\".\"+spec.group");
        causes.push(Cause::field("FieldValueInvalid", "metadata.name", message));
    }
    for field in ["plural", "kind"] {
        if text(spec, &["names", field]).is_empty() {
            causes.push(Cause::field(
                "FieldValueRequired",
                &format!("spec.names.{field}"),
                "Required value",
            ));
        }
    }
    let scope = text(spec, &["scope"]);
    if !matches!(scope, "Namespaced" | "Cluster") {
        let (reason, message) = if scope.is_empty() {
            ("FieldValueRequired", "Required value".to_owned())
        } else {
            let message = format!("Unsupported value: {scope:?}: supported values: \"Cluster\", \"Namespaced\"");
            ("FieldValueNotSupported", message)
        };
        causes.push(Cause::field(reason, "spec.scope", message));
    }
}

/// What was stored must still be a version, and the version to store must have been.
fn stored(object: &Value, causes: &mut Vec<Cause>) {
    let list = object["status"]["storedVersions"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let versions = || object["spec"]["versions"].as_array().into_iter().flatten();
    let storing: Vec<&Value> = versions().filter(|v| v["storage"] == true).collect();
    if list.is_empty() {
        return;
    }
    if let [one] = storing.as_slice()
        && list.contains(&one["name"])
    {
        return;
    }
    if let Some(one) = storing.first() {
        let message = format!(
            "Invalid value: {}: must have the storage version {}",
            Value::Array(list),
            text(one, &["name"])
        );
        causes.push(Cause::field("FieldValueInvalid", "status.storedVersions", message));
    }
}

fn version_names(versions: &[&Value], causes: &mut Vec<Cause>) {
    for (i, version) in versions.iter().enumerate() {
        let name = text(version, &["name"]);
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let fits = name.len() <= 63
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(inner)
            && !name.ends_with('-');
        if fits {
            continue;
        }
        let message = format!(
            "Invalid value: {name:?}: a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an \
             alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation \
             is '[a-z]([-a-z0-9]*[a-z0-9])?')"
        );
        if i == 0 {
            causes.push(Cause::field("FieldValueInvalid", "spec.version", message.clone()));
        }
        causes.push(Cause::field(
            "FieldValueInvalid",
            &format!("spec.versions[{i}].name"),
            message,
        ));
    }
}

/// The versions as the server's own structs print: what all versions share has moved out of them.
fn dump(versions: &[&Value]) -> String {
    let shared = |part: &str| versions.iter().all(|v| v[part] == versions[0][part]);
    let entries: Vec<String> = versions
        .iter()
        .map(|v| {
            let flag = |field: &str| v[field].as_bool().unwrap_or(false);
            let part = |field: &str| if shared(field) { Value::Null } else { v[field].clone() };
            format!(
                "{{\"Name\":{:?},\"Served\":{},\"Storage\":{},\"Deprecated\":{},\"DeprecationWarning\":{},\"Schema\":{},\
                 \"Subresources\":{},\"AdditionalPrinterColumns\":{},\"SelectableFields\":null}}",
                text(v, &["name"]),
                flag("served"),
                flag("storage"),
                flag("deprecated"),
                v["deprecationWarning"],
                part("schema"),
                part("subresources"),
                part("additionalPrinterColumns"),
            )
        })
        .collect();
    format!("[{}]", entries.join(","))
}

fn schemas(versions: &[&Value], causes: &mut Vec<Cause>) {
    let first = versions.first().map(|v| &v["schema"]["openAPIV3Schema"]);
    let shared = versions.iter().all(|v| Some(&v["schema"]["openAPIV3Schema"]) == first);
    for (i, version) in versions.iter().enumerate() {
        let schema = &version["schema"]["openAPIV3Schema"];
        let own = format!("spec.versions[{i}].schema.openAPIV3Schema");
        if !schema.is_object() {
            causes.push(Cause::field("FieldValueRequired", &own, "Required value"));
            continue;
        }
        // A schema that all versions share is told about once, where older definitions kept it.
        if shared && i > 0 {
            continue;
        }
        let at = if shared {
            "spec.validation.openAPIV3Schema".to_owned()
        } else {
            own
        };
        structural(schema, &at, "must not be empty at the root", causes);
    }
}

/// Every value has a type, and every default is one its schema allows.
fn structural(schema: &Value, path: &str, untyped: &str, causes: &mut Vec<Cause>) {
    let exempt = schema["x-kubernetes-int-or-string"] == true || schema["x-kubernetes-preserve-unknown-fields"] == true;
    if text(schema, &["type"]).is_empty() && !exempt {
        let message = format!("Required value: {untyped}");
        causes.push(Cause::field("FieldValueRequired", &format!("{path}.type"), message));
    }
    if let Some(default) = schema.get("default") {
        let mut found = Vec::new();
        check_value(schema, default, "", false, &mut found);
        let at = format!("{path}.default");
        causes.extend(found.into_iter().map(|c| Cause {
            field: if c.field.is_empty() {
                at.clone()
            } else {
                format!("{at}.{}", c.field)
            },
            ..c
        }));
    }
    for (key, property) in schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        structural(
            property,
            &format!("{path}.properties[{key}]"),
            "must not be empty for specified object fields",
            causes,
        );
    }
    if let Some(items) = schema.get("items").filter(|i| i.is_object()) {
        structural(
            items,
            &format!("{path}.items"),
            "must not be empty for specified array items",
            causes,
        );
    }
    if let Some(additional) = schema.get("additionalProperties").filter(|a| a.is_object()) {
        let untyped = "must not be empty for specified object fields";
        structural(additional, &format!("{path}.additionalProperties"), untyped, causes);
    }
}
