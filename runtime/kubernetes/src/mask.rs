//! What an API server says about a Secret may repeat what is in it: a field of another type than its schema's is told with its value. So
//! values are taken out of the server's words before anybody reads them.

use base64::Engine as _;
use capstan_model::ResourceKey;
use serde_json::Value;

use crate::request::RequestError;

const MASK: &str = "***";
/// How a server prints a value that it did not expect.
const PRINTED: &str = "got &value.";
/// What is shorter is not looked for: half of the words would go.
const SHORTEST: usize = 3;

/// The error of writing `object`, without what is in it where that is a Secret.
pub(crate) fn masked(error: RequestError, key: &ResourceKey, object: &Value) -> RequestError {
    let is_secret = key.group.is_empty() && key.kind == "Secret";
    match error {
        RequestError::Status(mut status) if is_secret => {
            status.message = without_values(&status.message, object);
            RequestError::Status(status)
        }
        error => error,
    }
}

fn without_values(message: &str, object: &Value) -> String {
    let mut text = match message.split_once(PRINTED) {
        Some((before, _)) => format!("{before}got {MASK}"),
        None => message.to_owned(),
    };
    let mut values = Vec::new();
    for field in ["data", "stringData"] {
        collect(&object[field], &mut values);
    }
    // The longest first: a value may be part of another.
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    for value in values.iter().filter(|value| value.len() >= SHORTEST) {
        text = text.replace(value.as_str(), MASK);
    }
    text
}

/// Every value, as it is written, as it is quoted, and as it is meant.
fn collect(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Null => {}
        Value::Bool(_) | Value::Number(_) => into.push(value.to_string()),
        Value::String(text) => {
            let quoted = value.to_string();
            into.push(quoted[1..quoted.len() - 1].to_owned());
            let decoded = base64::engine::general_purpose::STANDARD.decode(text).ok();
            into.extend(decoded.and_then(|bytes| String::from_utf8(bytes).ok()));
            into.push(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, into)),
        Value::Object(fields) => fields.values().for_each(|item| collect(item, into)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::request::ApiStatus;

    fn told(kind: &str, message: &str, object: &Value) -> String {
        let status = ApiStatus {
            code: 500,
            reason: String::new(),
            message: message.to_owned(),
            object: String::new(),
            fields: Vec::new(),
            retry_after: None,
        };
        masked(
            RequestError::Status(status),
            &ResourceKey::new("", kind, "shop", "s"),
            object,
        )
        .to_string()
    }

    #[test]
    fn values_are_not_repeated() {
        let object = json!({"data": {"a": "aHVudGVyMg=="}, "stringData": {"b": "pass\"word", "c": ["hunter3", 12345]}});
        let message = r#"a: aHVudGVyMg==, hunter2; b: pass"word, "pass\"word"; c: [hunter3 12345]"#;
        assert_eq!(
            told("Secret", message, &object),
            r#"a: ***, ***; b: ***, "***"; c: [*** ***]"#
        );
        let message =
            r#".stringData.c: expected string, got &value.valueUnstructured{Value:[]interface {}{"hunter3"}}"#;
        assert_eq!(
            told("Secret", message, &json!({})),
            ".stringData.c: expected string, got ***"
        );
        assert_eq!(
            told("ConfigMap", message, &object),
            message,
            "whose values are no secrets"
        );
    }
}
