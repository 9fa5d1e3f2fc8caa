//! The `--set` grammar: `a.b[0].c=value`, `{x,y}` for lists, `\` before what is meant literally.

use serde_json::{Map, Value, json};

use crate::RenderError;

/// Longest list that an index may make.
const INDEX_LIMIT: usize = 65536;

enum Step {
    Key(String),
    Index(usize),
}

/// Sets one parameter of an Application. A comma in the value is literal, but in `{a,b}`, as in Argo CD.
pub(super) fn set(
    values: &mut Map<String, Value>,
    name: &str,
    value: &str,
    force_string: bool,
) -> Result<(), RenderError> {
    let value = match value.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        Some("") => json!([]),
        Some(items) => split_unescaped(items, ',')
            .iter()
            .map(|item| scalar(&unescape(item), force_string))
            .collect(),
        None => scalar(&unescape(value), force_string),
    };
    assign(values, name, value)
}

/// `--set-file`: the text as it is.
pub(super) fn set_text(values: &mut Map<String, Value>, name: &str, text: String) -> Result<(), RenderError> {
    assign(values, name, Value::String(text))
}

/// `true`, `false`, `null` and integers are what they look like; `007` is a string.
fn scalar(text: &str, force_string: bool) -> Value {
    if force_string {
        return json!(text);
    }
    match text {
        "true" => return json!(true),
        "false" => return json!(false),
        "null" => return Value::Null,
        "0" => return json!(0_i64),
        _ => {}
    }
    match text.parse::<i64>() {
        Ok(number) if !text.starts_with('0') && !text.starts_with('+') => json!(number),
        _ => json!(text),
    }
}

fn assign(values: &mut Map<String, Value>, name: &str, value: Value) -> Result<(), RenderError> {
    let wrong = |reason: String| RenderError::Parameter {
        name: name.to_owned(),
        reason,
    };
    let steps = steps(name).map_err(wrong)?;
    let mut whole = Value::Object(std::mem::take(values));
    let mut place = &mut whole;
    for step in steps {
        place = match step {
            Step::Key(key) => {
                if !place.is_object() {
                    *place = json!({});
                }
                let Value::Object(fields) = place else {
                    return Err(wrong("no mapping".into()));
                };
                fields.entry(key).or_insert(Value::Null)
            }
            Step::Index(index) => {
                if !place.is_array() {
                    *place = json!([]);
                }
                let Value::Array(items) = place else {
                    return Err(wrong("no list".into()));
                };
                if items.len() <= index {
                    items.resize(index + 1, Value::Null);
                }
                &mut items[index]
            }
        };
    }
    *place = value;
    if let Value::Object(fields) = whole {
        *values = fields;
    }
    Ok(())
}

fn steps(name: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    for part in split_unescaped(name, '.') {
        let (key, mut rest) = match part.find('[') {
            Some(at) if !part[..at].ends_with('\\') => part.split_at(at),
            _ => (part.as_str(), ""),
        };
        if key.is_empty() && steps.is_empty() {
            return Err("the name is empty".into());
        }
        if !key.is_empty() {
            steps.push(Step::Key(unescape(key)));
        }
        while let Some(inner) = rest.strip_prefix('[') {
            let (digits, after) = inner.split_once(']').ok_or("an index `[…]` is not closed")?;
            let index: usize = digits.parse().map_err(|_| format!("index {digits:?} is no number"))?;
            if index > INDEX_LIMIT {
                return Err(format!(
                    "index of {index} is greater than maximum supported index of {INDEX_LIMIT}"
                ));
            }
            steps.push(Step::Index(index));
            rest = after;
        }
    }
    Ok(steps)
}

fn split_unescaped(text: &str, separator: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut escaped = false;
    for c in text.chars() {
        if c == separator && !escaped {
            parts.push(String::new());
            continue;
        }
        escaped = c == '\\' && !escaped;
        if let Some(last) = parts.last_mut() {
            last.push(c);
        }
    }
    parts
}

fn unescape(text: &str) -> String {
    let mut plain = String::new();
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => plain.extend(characters.next()),
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set_all(parameters: &[(&str, &str)]) -> Value {
        let mut values = Map::new();
        parameters
            .iter()
            .for_each(|(name, value)| set(&mut values, name, value, false).unwrap());
        Value::Object(values)
    }

    #[test]
    fn paths_lists_and_types() {
        let values = set_all(&[
            ("a.b[1].c", "1"),
            ("d", "{x,2}"),
            ("e", "007"),
            ("f\\.g", "true"),
            ("h", "a,b"),
            ("i", "null"),
        ]);
        assert_eq!(
            values,
            json!({"a": {"b": [null, {"c": 1}]}, "d": ["x", 2], "e": "007", "f.g": true, "h": "a,b", "i": null})
        );
    }

    #[test]
    fn odd_names_are_refused() {
        for name in ["", "a[", "a[x]", "a[99999999]"] {
            assert!(set(&mut Map::new(), name, "1", false).is_err(), "{name}");
        }
    }
}
