//! Custom objects held against their schema, with the words of the real server's validator.

use serde_json::Value;

use super::rules;
use super::schema::flag;
use crate::fields::text;
use crate::status::{ApiError, Cause};
use crate::world::{Call, World};

/// After these nobody can say what a rule would have said.
const BLOCKING: [&str; 5] = [
    "FieldValueNotSupported",
    "FieldValueRequired",
    "FieldValueTooLong",
    "FieldValueTooMany",
    "FieldValueTypeInvalid",
];

impl World {
    /// Refuses a custom object its schema does not allow.
    pub(crate) fn validate_custom(&self, call: &Call<'_>, old: Option<&Value>, object: &Value) -> Result<(), ApiError> {
        let Some(version) = self.definition_version(&call.resource) else {
            return Ok(());
        };
        let schema = &version["schema"]["openAPIV3Schema"];
        let mut causes = Vec::new();
        check(schema, object, "", true, &mut causes);
        if rules::any(schema) {
            if causes.iter().any(|c| BLOCKING.contains(&c.reason.as_str())) {
                let message = "Invalid value: null: some validation rules were not checked because the object was invalid; correct \
                               the existing errors to complete validation";
                causes.push(Cause::field("FieldValueInvalid", "<nil>", message));
            } else {
                rules::check(schema, object, old, "", &mut causes).map_err(|what| {
                    ApiError::model_gap(format!("{what} in the validation rules of {}", call.resource.plural))
                })?;
            }
        }
        if causes.is_empty() {
            return Ok(());
        }
        Err(ApiError::invalid(
            &call.resource.group,
            &call.resource.kind,
            &call.name,
            causes,
        ))
    }
}

/// Name of a value's JSON type as the validator says it.
fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

pub(super) fn check(schema: &Value, value: &Value, path: &str, root: bool, causes: &mut Vec<Cause>) {
    if value.is_null() && flag(schema, "nullable") {
        return;
    }
    if !has_type(schema, value) {
        let wanted = if flag(schema, "x-kubernetes-int-or-string") {
            "integer,string".to_owned()
        } else {
            text(schema, &["type"]).to_owned()
        };
        let found = type_name(value);
        let message = format!("Invalid value: {found:?}: {path} in body must be of type {wanted}: {found:?}");
        causes.push(Cause::field("FieldValueTypeInvalid", path, message));
        if wanted == "integer" && value.is_number() {
            let message =
                format!("Invalid value: \"\": Checked value must be of type integer (default format) in {path}");
            causes.push(Cause::field("FieldValueInvalid", "<nil>", message));
        }
        return;
    }
    enumerated(schema, value, path, causes);
    match value {
        Value::Number(_) => number(schema, value, path, causes),
        Value::String(content) => string(schema, content, path, causes),
        Value::Array(items) => array(schema, items, path, causes),
        Value::Object(_) => object(schema, value, path, root, causes),
        Value::Null | Value::Bool(_) => {}
    }
}

fn has_type(schema: &Value, value: &Value) -> bool {
    if flag(schema, "x-kubernetes-int-or-string") {
        return matches!(type_name(value), "integer" | "string");
    }
    match text(schema, &["type"]) {
        "" => true,
        "number" => value.is_number(),
        "integer" => type_name(value) == "integer" || value.as_f64().is_some_and(|f| f.fract() == 0.0),
        wanted => wanted == type_name(value),
    }
}

fn enumerated(schema: &Value, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    let Some(allowed) = schema.get("enum").and_then(Value::as_array) else {
        return;
    };
    if !allowed.contains(value) {
        let shown: Vec<String> = allowed.iter().map(Value::to_string).collect();
        let message = format!("Unsupported value: {value}: supported values: {}", shown.join(", "));
        causes.push(Cause::field("FieldValueNotSupported", path, message));
    }
}

fn invalid(causes: &mut Vec<Cause>, path: &str, shown: &str, what: &str) {
    causes.push(Cause::field(
        "FieldValueInvalid",
        path,
        format!("Invalid value: {shown}: {path} in body {what}"),
    ));
}

fn number(schema: &Value, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    let Some(n) = value.as_f64() else { return };
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    if let Some(least) = bound("minimum") {
        let exclusive = flag(schema, "exclusiveMinimum");
        if n < least || (exclusive && n <= least) {
            let words = if exclusive {
                "greater than"
            } else {
                "greater than or equal to"
            };
            invalid(
                causes,
                path,
                &value.to_string(),
                &format!("should be {words} {}", schema["minimum"]),
            );
        }
    }
    if let Some(most) = bound("maximum") {
        let exclusive = flag(schema, "exclusiveMaximum");
        if n > most || (exclusive && n >= most) {
            let words = if exclusive {
                "less than"
            } else {
                "less than or equal to"
            };
            invalid(
                causes,
                path,
                &value.to_string(),
                &format!("should be {words} {}", schema["maximum"]),
            );
        }
    }
    if let Some(step) = bound("multipleOf").filter(|s| *s > 0.0)
        && (n / step).fract() != 0.0
    {
        invalid(
            causes,
            path,
            &value.to_string(),
            &format!("should be a multiple of {}", schema["multipleOf"]),
        );
    }
}

fn size(schema: &Value, key: &str) -> Option<usize> {
    schema
        .get(key)
        .and_then(Value::as_u64)
        .and_then(|n| usize::try_from(n).ok())
}

fn string(schema: &Value, content: &str, path: &str, causes: &mut Vec<Cause>) {
    let length = content.chars().count();
    if let Some(most) = size(schema, "maxLength").filter(|most| length > *most) {
        let message = format!("Too long: may not be more than {most} bytes");
        causes.push(Cause::field("FieldValueTooLong", path, message));
    }
    if let Some(least) = size(schema, "minLength").filter(|least| length < *least) {
        let shown = format!("{content:?}");
        invalid(causes, path, &shown, &format!("should be at least {least} chars long"));
    }
    let pattern = text(schema, &["pattern"]);
    if !pattern.is_empty() && regex::Regex::new(pattern).is_ok_and(|r| !r.is_match(content)) {
        invalid(
            causes,
            path,
            &format!("{content:?}"),
            &format!("should match '{pattern}'"),
        );
    }
}

fn array(schema: &Value, items: &[Value], path: &str, causes: &mut Vec<Cause>) {
    if let Some(most) = size(schema, "maxItems").filter(|most| items.len() > *most) {
        let message = format!("Too many: {}: must have at most {most} items", items.len());
        causes.push(Cause::field("FieldValueTooMany", path, message));
    }
    if let Some(least) = size(schema, "minItems").filter(|least| items.len() < *least) {
        invalid(
            causes,
            path,
            &items.len().to_string(),
            &format!("should have at least {least} items"),
        );
    }
    if let Some(item_schema) = schema.get("items") {
        for (i, item) in items.iter().enumerate() {
            check(item_schema, item, &format!("{path}[{i}]"), false, causes);
        }
    }
    duplicates(schema, items, path, causes);
}

/// Lists that are sets or maps have no two equal entries.
fn duplicates(schema: &Value, items: &[Value], path: &str, causes: &mut Vec<Cause>) {
    let keys: Vec<&str> = match text(schema, &["x-kubernetes-list-type"]) {
        "set" => Vec::new(),
        "map" => schema["x-kubernetes-list-map-keys"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect(),
        _ => return,
    };
    let mut seen: Vec<Value> = Vec::new();
    for (i, item) in items.iter().enumerate() {
        let identity = if keys.is_empty() {
            item.clone()
        } else {
            Value::Object(
                keys.iter()
                    .filter_map(|k| Some(((*k).to_owned(), item.get(*k)?.clone())))
                    .collect(),
            )
        };
        if seen.contains(&identity) {
            let message = format!("Duplicate value: {identity}");
            causes.push(Cause::field("FieldValueDuplicate", &format!("{path}[{i}]"), message));
        }
        seen.push(identity);
    }
}

fn object(schema: &Value, value: &Value, path: &str, root: bool, causes: &mut Vec<Cause>) {
    let Some(map) = value.as_object() else { return };
    let join = |key: &str| {
        if path.is_empty() {
            key.to_owned()
        } else {
            format!("{path}.{key}")
        }
    };
    for key in schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        if !map.contains_key(key) {
            causes.push(Cause::field("FieldValueRequired", &join(key), "Required value"));
        }
    }
    if let Some(most) = size(schema, "maxProperties").filter(|most| map.len() > *most) {
        let message = format!("Too many: {}: must have at most {most} items", map.len());
        causes.push(Cause::field("FieldValueTooMany", path, message));
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    let additional = schema.get("additionalProperties").filter(|a| a.is_object());
    for (key, value) in map {
        if root && key == "metadata" {
            continue;
        }
        if let Some(schema) = properties.and_then(|p| p.get(key)).or(additional) {
            check(schema, value, &join(key), false, causes);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "callers build it for this call")]
    fn causes(schema: Value, object: Value) -> Vec<String> {
        let mut causes = Vec::new();
        check(&schema, &object, "", true, &mut causes);
        causes
            .into_iter()
            .map(|c| format!("{}: {}", c.field, c.message))
            .collect()
    }

    #[test]
    fn refusals_are_worded_as_the_server_words_them() {
        let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "required": ["size"], "properties": {
            "size": {"type": "integer", "minimum": 1}, "name": {"type": "string", "maxLength": 3},
            "port": {"x-kubernetes-int-or-string": true},
        }}}});
        assert_eq!(
            causes(
                schema.clone(),
                json!({"spec": {"size": 0, "name": "long", "port": [1]}})
            ),
            [
                "spec.name: Too long: may not be more than 3 bytes",
                "spec.port: Invalid value: \"array\": spec.port in body must be of type integer,string: \"array\"",
                "spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1",
            ]
        );
        assert_eq!(causes(schema, json!({"spec": {}})), ["spec.size: Required value"]);
    }
}
