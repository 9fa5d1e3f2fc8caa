//! Rows of custom kinds: the columns their definition asks for, read by JSONPath.

use capstan_model::Timestamp;
use serde_json::{Value, json};

use super::age::since;
use super::{Cells, Column};
use crate::fields::{meta, text};

fn defined(version: &Value) -> Vec<Value> {
    match version["additionalPrinterColumns"].as_array() {
        Some(columns) if !columns.is_empty() => columns.clone(),
        _ => vec![json!({"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"})],
    }
}

/// The name, and the columns of the definition.
pub(super) fn columns(version: &Value) -> Vec<Column> {
    let mut columns = vec![Column::name()];
    columns.extend(defined(version).iter().map(|column| Column {
        name: text(column, &["name"]).to_owned(),
        kind: text(column, &["type"]).to_owned(),
        format: text(column, &["format"]).to_owned(),
        description: text(column, &["description"]).to_owned(),
        priority: column["priority"].as_i64().unwrap_or(0),
    }));
    columns
}

/// The cells of an object.
pub(super) fn cells(version: &Value, object: &Value, now: Timestamp) -> Cells {
    let mut cells = vec![json!(meta(object, "name"))];
    for column in defined(version) {
        let found = first(object, text(&column, &["jsonPath"]));
        cells.push(cell(text(&column, &["type"]), found, now));
    }
    cells
}

fn cell(kind: &str, found: Option<&Value>, now: Timestamp) -> Value {
    match (kind, found) {
        (_, None | Some(Value::Null)) => Value::Null,
        ("integer", Some(value)) => match value.as_f64() {
            Some(n) => json!(n.trunc() as i64),
            None => Value::Null,
        },
        ("number", Some(value)) if value.is_number() => value.clone(),
        ("boolean", Some(value)) if value.is_boolean() => value.clone(),
        ("date", Some(Value::String(time))) => since(time, now),
        ("string", Some(Value::String(text))) => json!(text),
        ("string", Some(value)) => json!(value.to_string()),
        _ => Value::Null,
    }
}

/// The first value at a path of keys, indices and simple filters: `.a.b[0].c`, `.a[?(@.type=="Ready")].status`, `.a['b']`.
fn first<'v>(object: &'v Value, path: &str) -> Option<&'v Value> {
    let mut at = object;
    let mut rest = path
        .trim()
        .trim_start_matches('$')
        .trim_start_matches('{')
        .trim_end_matches('}');
    while !rest.is_empty() {
        if let Some(tail) = rest.strip_prefix('[') {
            let end = tail.find(']')?;
            at = bracket(at, &tail[..end])?;
            rest = &tail[end + 1..];
        } else {
            let tail = rest.trim_start_matches('.');
            let (key, tail) = key(tail);
            at = if key == "*" {
                at.as_array()?.first()?
            } else {
                at.get(&key)?
            };
            rest = tail;
        }
    }
    Some(at)
}

/// A key up to the next `.` or `[`; a backslash lets a dot be part of it.
fn key(text: &str) -> (String, &str) {
    let mut key = String::new();
    let mut chars = text.char_indices();
    while let Some((i, c)) = chars.next() {
        match c {
            '\\' => key.extend(chars.next().map(|(_, c)| c)),
            '.' | '[' => return (key, &text[i..]),
            c => key.push(c),
        }
    }
    (key, "")
}

fn bracket<'v>(value: &'v Value, inside: &str) -> Option<&'v Value> {
    let inside = inside.trim();
    if let Some(name) = inside.strip_prefix('\'').and_then(|i| i.strip_suffix('\'')) {
        return value.get(name.replace('\\', "").as_str());
    }
    if let Some(filter) = inside.strip_prefix("?(").and_then(|i| i.strip_suffix(')')) {
        let (path, wanted) = filter.split_once("==")?;
        let path = path.trim().trim_start_matches('@');
        let wanted = wanted.trim().trim_matches(['"', '\'']);
        return value
            .as_array()?
            .iter()
            .find(|item| first(item, path).and_then(Value::as_str) == Some(wanted));
    }
    let items = value.as_array()?;
    match inside {
        "*" => items.first(),
        index => {
            let index: i64 = index.parse().ok()?;
            let index = if index < 0 {
                index + i64::try_from(items.len()).ok()?
            } else {
                index
            };
            items.get(usize::try_from(index).ok()?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_columns_are_followed() {
        let object = json!({"a": {"b.c": 1, "l": [{"type": "Ready", "status": "True"}]}});
        assert_eq!(first(&object, ".a.b\\.c"), Some(&json!(1)));
        assert_eq!(
            first(&object, ".a.l[?(@.type==\"Ready\")].status"),
            Some(&json!("True"))
        );
        assert_eq!(first(&object, ".a.l[-1].type"), Some(&json!("Ready")));
        assert_eq!(first(&object, ".a.none"), None);
    }
}
