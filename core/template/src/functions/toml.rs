//! TOML as BurntSushi's library writes it: plain entries first, then tables, keys in order, two spaces a level; and reading it.

use super::{Function, bytes, error, fixed, text_result};
use crate::exec::{Env, Result};
use crate::signature::Type::{Any, Str};
use crate::stack::grow;
use crate::value::{Element, List, Text, Time, Value, Zone};

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("toToml", &[Any], |env, args| match encode(env, &args[0])? {
        Ok(text) => text_result(env, text),
        Err(Problem::Encode(message)) => text_result(env, message),
        Err(Problem::Panic(message)) => error(message),
    }),
    fixed("mustToToml", &[Any], |env, args| match encode(env, &args[0])? {
        Ok(text) => text_result(env, text),
        Err(Problem::Encode(message)) => error(message),
        Err(Problem::Panic(message)) => error(message),
    }),
    fixed("fromToml", &[Str], |env, args| {
        env.context.charge(bytes(args, 0).len() as u64 * 4 + 1)?;
        Ok(decode(bytes(args, 0)))
    }),
];

/// What a value cannot be written for.
enum Problem {
    /// The library says so.
    Encode(String),
    /// The library panics.
    Panic(&'static str),
}

type Encoded<T> = std::result::Result<T, Problem>;

fn refused<T>(message: impl Into<String>) -> Encoded<T> {
    Err(Problem::Encode(message.into()))
}

fn encode(env: &mut Env<'_>, value: &Value) -> Result<Encoded<Vec<u8>>> {
    env.context.charge_copy(value)?;
    if value.is_nil() {
        return Ok(Err(Problem::Panic("reflect: call of reflect.Value.Type on zero Value")));
    }
    let mut writer = Writer {
        out: Vec::new(),
        limit: env.context.limits.output,
        path: Vec::new(),
    };
    let written = writer.entry(value);
    env.context.check_size(writer.out.len())?;
    Ok(written.map(|()| writer.out))
}

/// What a value is in TOML.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Nil,
    Plain,
    Array,
    Table,
    Tables,
}

fn kind(value: &Value) -> Encoded<Kind> {
    Ok(match value {
        Value::Nil => Kind::Nil,
        Value::Map(map) if map.is_nil() => Kind::Nil,
        Value::List(list) if list.is_nil() => Kind::Nil,
        Value::Complex(..) => return refused("unsupported type: complex128"),
        Value::Map(_) => Kind::Table,
        Value::Object(_) if entries(value).is_some() => Kind::Table,
        Value::Object(object) if let Some(list) = object.items() => return kind(&Value::List(list)),
        Value::Bytes(_) => Kind::Array,
        Value::List(list) => {
            let mut tables = !list.items().is_empty();
            for item in list.items() {
                match grow(|| kind(item))? {
                    Kind::Nil => return refused("toml: cannot encode array with nil element"),
                    Kind::Table => {}
                    _ => tables = false,
                }
            }
            if tables { Kind::Tables } else { Kind::Array }
        }
        _ => Kind::Plain,
    })
}

/// The entries of a map or a struct.
fn entries(value: &Value) -> Option<Entries> {
    match value {
        Value::Map(map) => Some(map.entries()),
        Value::Object(object) => match object.underlying() {
            Some(map) => Some(map.entries()),
            None => object.exported_fields(),
        },
        _ => None,
    }
}

fn key(name: &Text) -> Vec<u8> {
    let is_bare = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    match name.bytes() {
        bytes if !bytes.is_empty() && bytes.iter().all(is_bare) => bytes.to_vec(),
        bytes => quoted(bytes),
    }
}

fn quoted(text: &[u8]) -> Vec<u8> {
    let mut out = vec![b'"'];
    for byte in text {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', *byte]),
            8 => out.extend(b"\\b"),
            b'\t' => out.extend(b"\\t"),
            b'\n' => out.extend(b"\\n"),
            12 => out.extend(b"\\f"),
            b'\r' => out.extend(b"\\r"),
            0..0x20 | 0x7f => out.extend(format!("\\u{byte:04x}").bytes()),
            _ => out.push(*byte),
        }
    }
    out.push(b'"');
    out
}

struct Writer {
    out: Vec<u8>,
    /// Bytes after which nothing more is written; the caller checks.
    limit: usize,
    /// The keys down to the value that is being written.
    path: Vec<Vec<u8>>,
}

impl Writer {
    fn write(&mut self, text: impl AsRef<[u8]>) {
        if self.out.len() <= self.limit {
            self.out.extend_from_slice(text.as_ref());
        }
    }

    fn newline(&mut self) {
        if !self.out.is_empty() {
            self.write("\n");
        }
    }

    fn header(&mut self, open: &str, close: &str) {
        self.write(self.indentation());
        self.write(open);
        self.write(self.path.join(&b'.'));
        self.write(close);
        self.newline();
    }

    fn indentation(&self) -> String {
        "  ".repeat(self.path.len().saturating_sub(1))
    }

    /// A value under the current path.
    fn entry(&mut self, value: &Value) -> Encoded<()> {
        match kind(value)? {
            Kind::Nil if matches!(value, Value::List(_)) => self.plain(value),
            Kind::Nil => Ok(()),
            Kind::Plain | Kind::Array => self.plain(value),
            Kind::Table => {
                if self.path.len() == 1 {
                    self.newline();
                }
                if !self.path.is_empty() {
                    self.header("[", "]");
                }
                self.table(value)
            }
            Kind::Tables => {
                if self.path.is_empty() {
                    return refused("toml: top-level values must be Go maps or structs");
                }
                let Value::List(list) = value else { return Ok(()) };
                for item in list.items() {
                    self.newline();
                    self.header("[[", "]]");
                    grow(|| self.table(item))?;
                }
                Ok(())
            }
        }
    }

    fn plain(&mut self, value: &Value) -> Encoded<()> {
        let Some(name) = self.path.last().cloned() else {
            return self.element(value);
        };
        self.write(self.indentation());
        self.write(name);
        self.write(" = ");
        self.element(value)?;
        self.newline();
        Ok(())
    }

    /// The entries of a table: those on one line first.
    fn table(&mut self, value: &Value) -> Encoded<()> {
        for (name, item) in ordered(value)?.0.into_iter().flatten() {
            if kind(&item)? == Kind::Nil {
                continue;
            }
            self.path.push(key(&name));
            let written = grow(|| self.entry(&item));
            self.path.pop();
            written?;
        }
        Ok(())
    }

    fn element(&mut self, value: &Value) -> Encoded<()> {
        match value {
            Value::Nil => return Err(Problem::Panic("reflect: call of reflect.Value.Interface on zero Value")),
            Value::Bool(b) => self.write(b.to_string()),
            Value::Int(i) | Value::Int64(i) | Value::Month(i) | Value::Weekday(i) => self.write(i.to_string()),
            Value::Uint(u) => self.write(u.to_string()),
            Value::Uint8(u) => self.write(u.to_string()),
            Value::Complex(..) => return refused("unexpected type: complex128"),
            Value::Float(f) => self.write(float(*f)),
            Value::Str(text) => self.write(quoted(text.bytes())),
            Value::Duration(n) => self.write(quoted(crate::time::duration_text(*n).as_bytes())),
            Value::Time(time) => {
                self.write(crate::time::format(time, "2006-01-02T15:04:05.999999999Z07:00"));
            }
            Value::Bytes(_) | Value::List(_) => {
                self.write("[");
                for (i, item) in value.slice_items().unwrap_or_default().iter().enumerate() {
                    if i > 0 {
                        self.write(", ");
                    }
                    grow(|| self.element(item))?;
                }
                self.write("]");
            }
            Value::Map(_) => self.inline(value)?,
            Value::Object(_) if entries(value).is_some() => self.inline(value)?,
            Value::Object(object) => match object.items() {
                Some(list) => self.element(&Value::List(list))?,
                None => self.write(quoted(object.print().as_bytes())),
            },
        }
        Ok(())
    }

    /// A table inside an array, on one line.
    fn inline(&mut self, value: &Value) -> Encoded<()> {
        let (groups, more) = ordered(value)?;
        self.write("{");
        for (group, followed) in groups.into_iter().zip([more, false]) {
            let count = group.len();
            for (i, (name, item)) in group.into_iter().enumerate() {
                if matches!(kind(&item)?, Kind::Nil) {
                    continue;
                }
                self.write(key(&name));
                self.write(" = ");
                grow(|| self.element(&item))?;
                if followed || i + 1 != count {
                    self.write(", ");
                }
            }
        }
        self.write("}");
        Ok(())
    }
}

type Entries = Vec<(Text, Value)>;

/// The entries that are not tables and those that are, and whether there are any of the latter.
fn ordered(value: &Value) -> Encoded<([Entries; 2], bool)> {
    let (mut direct, mut tables) = (Vec::new(), Vec::new());
    for (name, item) in entries(value).unwrap_or_default() {
        if matches!(kind(&item)?, Kind::Table | Kind::Tables) {
            tables.push((name, item));
        } else {
            direct.push((name, item));
        }
    }
    let more = !tables.is_empty();
    Ok(([direct, tables], more))
}

/// A float always shows that it is one.
fn float(value: f64) -> String {
    let sign = if value.is_sign_negative() { "-" } else { "" };
    if value.is_nan() {
        return format!("{sign}nan");
    }
    if value.is_infinite() {
        return format!("{sign}inf");
    }
    let text = crate::float::format_float(value, 'g', None);
    if text.contains(['e', '.']) { text } else { text + ".0" }
}

/// A document as a map; a complaint stands under `Error`.
fn decode(text: &[u8]) -> Value {
    let read = std::str::from_utf8(text)
        .map_err(|_| "invalid UTF-8".to_owned())
        .and_then(|text| {
            text.parse::<toml::Table>()
                .map_err(|problem| problem.message().to_owned())
        });
    match read {
        Ok(table) => from_table(table),
        Err(message) => Value::map([("Error", Value::from(format!("toml: {message}")))]),
    }
}

fn from_table(table: toml::Table) -> Value {
    Value::map(table.into_iter().map(|(name, value)| (name, grow(|| from_toml(value)))))
}

fn from_toml(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::from(text),
        toml::Value::Integer(i) => Value::Int64(i),
        toml::Value::Float(f) => Value::Float(f),
        toml::Value::Boolean(b) => Value::Bool(b),
        toml::Value::Datetime(time) => from_datetime(&time),
        toml::Value::Array(items) => {
            let tables = !items.is_empty() && items.iter().all(toml::Value::is_table);
            let items = items.into_iter().map(|item| grow(|| from_toml(item))).collect();
            let element = if tables { Element::Map } else { Element::Any };
            Value::List(List::typed(element, items))
        }
        toml::Value::Table(table) => from_table(table),
    }
}

/// A date, a time of day or both; what is left out is zero.
fn from_datetime(datetime: &toml::value::Datetime) -> Value {
    let layout = "2006-01-02T15:04:05.999999999Z07:00";
    let text = datetime.to_string();
    let whole = match (datetime.date, datetime.time, datetime.offset) {
        (Some(_), Some(_), Some(_)) => text,
        (Some(_), Some(_), None) => format!("{text}Z"),
        (Some(_), None, _) => format!("{text}T00:00:00Z"),
        _ => format!("0000-01-01T{text}Z"),
    };
    let parsed = crate::time::parse(layout, &whole).unwrap_or(crate::time::ZERO);
    let local = match (datetime.date, datetime.time, datetime.offset) {
        (_, _, Some(_)) => return Value::from(parsed),
        (Some(_), Some(_), None) => "datetime-local",
        (Some(_), None, None) => "date-local",
        _ => "time-local",
    };
    Value::from(Time {
        zone: Zone::named(local),
        ..parsed
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_quoted_where_they_must_be() {
        for (name, written) in [("a-b_1", "a-b_1"), ("a b", "\"a b\""), ("", "\"\"")] {
            assert_eq!(key(&name.into()), written.as_bytes());
        }
    }

    #[test]
    fn documents_are_read() {
        let value = decode(b"a = 1\n[t]\nx = [1.5, \"s\"]\n[[l]]\nk = 1\n");
        let Value::Map(map) = &value else { panic!("a map") };
        assert_eq!(map.get("l").expect("a list").type_name(), "[]map[string]interface {}");
        let broken: Option<crate::value::Map> = decode(b"a = ").as_map();
        assert!(broken.is_some_and(|map| map.contains_key("Error")));
    }
}
