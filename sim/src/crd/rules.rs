//! Validation rules at work: every rule of a schema, on the value it is attached to.

use std::collections::BTreeMap;

use serde_json::Value;

use super::cel::{self, CelError};
use crate::fields::text;
use crate::status::Cause;

/// Whether rules apply somewhere in the schema.
pub(super) fn any(schema: &Value) -> bool {
    match schema {
        Value::Object(map) => map.contains_key("x-kubernetes-validations") || map.values().any(any),
        Value::Array(items) => items.iter().any(any),
        _ => false,
    }
}

/// Checks the rules of a schema and of everything in it. A rule that speaks of `oldSelf` holds while there is no old value.
///
/// # Errors
/// What a rule uses that the evaluator does not have.
pub(super) fn check(
    schema: &Value,
    value: &Value,
    old: Option<&Value>,
    path: &str,
    causes: &mut Vec<Cause>,
) -> Result<(), String> {
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        one(rule, value, old, path, causes)?;
    }
    match value {
        Value::Object(map) => {
            let properties = schema.get("properties").and_then(Value::as_object);
            let additional = schema.get("additionalProperties").filter(|a| a.is_object());
            for (key, value) in map {
                let Some(schema) = properties.and_then(|p| p.get(key)).or(additional) else {
                    continue;
                };
                let at = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                check(schema, value, old.and_then(|o| o.get(key)), &at, causes)?;
            }
        }
        Value::Array(items) => {
            let Some(schema) = schema.get("items") else {
                return Ok(());
            };
            for (i, item) in items.iter().enumerate() {
                // Items of lists are not correlated with old ones here: only lists with keys could be.
                check(schema, item, None, &format!("{path}[{i}]"), causes)?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn one(rule: &Value, value: &Value, old: Option<&Value>, path: &str, causes: &mut Vec<Cause>) -> Result<(), String> {
    let expression = text(rule, &["rule"]);
    let transition = expression.contains("oldSelf");
    if transition && old.is_none() && rule["optionalOldSelf"] != true {
        return Ok(());
    }
    let mut variables = BTreeMap::from([("self".to_owned(), value.clone())]);
    if let Some(old) = old {
        variables.insert("oldSelf".to_owned(), old.clone());
    }
    let why = match cel::evaluate(expression, &variables) {
        Ok(Value::Bool(true)) => return Ok(()),
        Ok(_) => message(rule, &variables),
        Err(CelError::Unsupported(what)) => return Err(what),
        Err(error) => format!("rule evaluation error: {error}"),
    };
    let kind = match value {
        Value::Object(_) => "\"object\"".to_owned(),
        Value::Array(_) => "\"array\"".to_owned(),
        value => value.to_string(),
    };
    let reason = match text(rule, &["reason"]) {
        "" => "FieldValueInvalid",
        reason => reason,
    };
    let field = format!("{path}{}", text(rule, &["fieldPath"]));
    let message = match reason {
        "FieldValueForbidden" => format!("Forbidden: {why}"),
        "FieldValueRequired" => format!("Required value: {why}"),
        "FieldValueDuplicate" => format!("Duplicate value: {kind}"),
        _ => format!("Invalid value: {kind}: {why}"),
    };
    causes.push(Cause::field(reason, &field, message));
    Ok(())
}

fn message(rule: &Value, variables: &BTreeMap<String, Value>) -> String {
    let expression = text(rule, &["messageExpression"]);
    if !expression.is_empty()
        && let Ok(Value::String(message)) = cel::evaluate(expression, variables)
        && !message.is_empty()
    {
        return message;
    }
    match text(rule, &["message"]) {
        "" => format!("failed rule: {}", text(rule, &["rule"])),
        message => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "callers build it for this call")]
    fn causes(rule: Value, value: Value, old: Option<Value>) -> Vec<String> {
        let schema = json!({"properties": {"spec": {"x-kubernetes-validations": [rule]}}});
        let mut causes = Vec::new();
        let old = old.map(|o| json!({"spec": o}));
        check(&schema, &json!({"spec": value}), old.as_ref(), "", &mut causes).unwrap();
        causes
            .into_iter()
            .map(|c| format!("{}: {}", c.field, c.message))
            .collect()
    }

    #[test]
    fn a_broken_rule_says_its_message() {
        let rule = json!({"rule": "self.a < self.b", "message": "a must be below b"});
        assert_eq!(
            causes(rule.clone(), json!({"a": 2, "b": 1}), None),
            ["spec: Invalid value: \"object\": a must be below b"]
        );
        assert!(causes(rule, json!({"a": 1, "b": 2}), None).is_empty());
    }

    #[test]
    fn transitions_need_an_old_value() {
        let rule = json!({"rule": "self == oldSelf", "message": "immutable"});
        assert!(causes(rule.clone(), json!("b"), None).is_empty());
        assert_eq!(
            causes(rule, json!("b"), Some(json!("a"))),
            ["spec: Invalid value: \"b\": immutable"]
        );
    }
}
