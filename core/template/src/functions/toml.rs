//! Values as TOML: plain entries first, then tables, keys in order, two spaces a level.

use super::{Function, error, fixed, text_result};
use crate::exec::{Env, Result};
use crate::signature::Type::{Any, Str};
use crate::value::{Map, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("toToml", &[Any], |env, args| match encode(env, &args[0])? {
        Ok(text) | Err(text) => text_result(env, text),
    }),
    fixed("mustToToml", &[Any], |env, args| match encode(env, &args[0])? {
        Ok(text) => text_result(env, text),
        Err(message) => error(message),
    }),
    fixed("fromToml", &[Str], |_, _| error("fromToml is not available")),
];

type Encoded<T> = std::result::Result<T, String>;

fn encode(env: &mut Env<'_>, value: &Value) -> Result<Encoded<String>> {
    env.context.charge_value(value)?;
    let Some(map) = value.as_map() else {
        return Ok(Err("toml: top-level values must be Go maps or structs".to_owned()));
    };
    let mut out = String::new();
    Ok(table(&mut out, &map, &mut Vec::new()).map(|()| out))
}

/// Whether a value is written as tables of its own.
fn is_table(value: &Value) -> bool {
    match value {
        Value::Map(_) => true,
        Value::List(list) => !list.items().is_empty() && list.items().iter().all(|item| matches!(item, Value::Map(_))),
        Value::Object(object) => object.underlying().is_some(),
        _ => false,
    }
}

fn key(name: &str) -> String {
    let bare = !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    if bare { name.to_owned() } else { quoted(name) }
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            _ if u32::from(c) < 0x20 || c == '\u{7f}' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            _ => out.push(c),
        }
    }
    out.push('"');
    out
}

fn table(out: &mut String, map: &Map, path: &mut Vec<String>) -> Encoded<()> {
    let indent = "  ".repeat(path.len());
    let entries = map.entries();
    for (name, value) in entries.iter().filter(|(_, value)| !is_table(value) && !value.is_nil()) {
        out.push_str(&format!("{indent}{} = ", key(name)));
        inline(out, value)?;
        out.push('\n');
    }
    for (name, value) in entries.iter().filter(|(_, value)| is_table(value)) {
        path.push(key(name));
        let indent = "  ".repeat(path.len() - 1);
        match value {
            Value::List(list) => {
                for item in list.items() {
                    if let Some(map) = item.as_map() {
                        header(out, &format!("{indent}[[{}]]", path.join(".")), true);
                        table(out, &map, path)?;
                    }
                }
            }
            _ => {
                if let Some(map) = value.as_map() {
                    header(out, &format!("{indent}[{}]", path.join(".")), path.len() == 1);
                    table(out, &map, path)?;
                }
            }
        }
        path.pop();
    }
    Ok(())
}

/// A table's header; a blank line before it if asked for and something stands above.
fn header(out: &mut String, line: &str, blank: bool) {
    if blank && !out.is_empty() {
        out.push('\n');
    }
    out.push_str(line);
    out.push('\n');
}

fn inline(out: &mut String, value: &Value) -> Encoded<()> {
    match value {
        Value::Nil => return Err("toml: cannot encode array with nil element".to_owned()),
        Value::Bool(b) => out.push_str(&b.to_string()),
        Value::Int(i) | Value::Int64(i) => out.push_str(&i.to_string()),
        Value::Uint(u) => out.push_str(&u.to_string()),
        Value::Float(f) => out.push_str(&float(*f)),
        Value::Str(text) => out.push_str(&quoted(&text.lossy())),
        Value::Duration(n) => out.push_str(&quoted(&crate::time::duration_text(*n))),
        Value::Time(time) => out.push_str(&crate::time::format(time, "2006-01-02T15:04:05.999999999Z07:00")),
        Value::Bytes(_) | Value::List(_) => {
            out.push('[');
            for (i, item) in value.slice_items().unwrap_or_default().iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                inline(out, item)?;
            }
            out.push(']');
        }
        Value::Map(_) | Value::Object(_) => {
            let entries = value.as_map().map(|map| map.entries()).unwrap_or_default();
            out.push('{');
            for (i, (name, item)) in entries.iter().filter(|(_, item)| !item.is_nil()).enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                out.push_str(&format!("{} = ", key(name)));
                inline(out, item)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

/// A float always shows that it is one.
fn float(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value < 0.0 { "-inf" } else { "inf" }.to_owned();
    }
    let text = crate::float::format_float(value, 'g', None);
    if text.contains('e') {
        return crate::float::format_float(value, 'f', None) + if value == value.trunc() { ".0" } else { "" };
    }
    if text.contains('.') { text } else { text + ".0" }
}
