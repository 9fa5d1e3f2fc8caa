//! Values as JSON, YAML, base64 and base32.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Number, Value as Json};

use super::{Function, bytes, error, fixed, text_result};
use crate::exec::{Env, Result};
use crate::float::json_float;
use crate::signature::Type::{Any, Str};
use crate::stack::grow;
use crate::value::{List, Text, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("toJson", &[Any], |env, args| json(env, args, COMPACT)),
    fixed("mustToJson", &[Any], |env, args| {
        json(env, args, Style { must: true, ..COMPACT })
    }),
    fixed("toPrettyJson", &[Any], |env, args| json(env, args, PRETTY)),
    fixed("mustToPrettyJson", &[Any], |env, args| {
        json(env, args, Style { must: true, ..PRETTY })
    }),
    fixed("toRawJson", &[Any], |env, args| json(env, args, RAW)),
    fixed("mustToRawJson", &[Any], |env, args| json(env, args, RAW)),
    fixed("toYaml", &[Any], |env, args| yaml(env, args, false)),
    fixed("mustToYaml", &[Any], |env, args| yaml(env, args, true)),
    fixed("toYamlPretty", &[Any], pretty_yaml),
    fixed("b64enc", &[Str], |env, args| {
        text_result(env, STANDARD.encode(bytes(args, 0)))
    }),
    fixed("b64dec", &[Str], |env, args| match go_base64(bytes(args, 0)) {
        Ok(decoded) => text_result(env, decoded),
        Err(message) => text_result(env, message),
    }),
    fixed("b32enc", &[Str], |env, args| {
        text_result(env, base32_encode(bytes(args, 0)))
    }),
    fixed("b32dec", &[Str], |env, args| match base32_decode(bytes(args, 0)) {
        Ok(decoded) => text_result(env, decoded),
        Err(at) => text_result(env, format!("illegal base32 data at input byte {at}")),
    }),
];

/// Base64 as Go's `StdEncoding` decodes it: line breaks are skipped, leftover bits are ignored.
///
/// # Errors
/// Go's complaint, with the position it names.
pub(super) fn go_base64(text: &[u8]) -> std::result::Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let is_break = |b: u8| matches!(b, b'\r' | b'\n');
    let corrupt = |at: usize| Err(format!("illegal base64 data at input byte {at}"));
    let mut at = 0;
    let skip_breaks = |at: &mut usize| {
        while text.get(*at).copied().is_some_and(is_break) {
            *at += 1;
        }
    };
    loop {
        let mut group = 0u32;
        let mut count = 0;
        while count < 4 {
            skip_breaks(&mut at);
            let Some(byte) = text.get(at).copied() else {
                return if count == 0 { Ok(out) } else { corrupt(at - count) };
            };
            at += 1;
            if let Some(digit) = base64_digit(byte) {
                group = group << 6 | digit;
                count += 1;
                continue;
            }
            if byte != b'=' || count < 2 {
                return corrupt(at - 1);
            }
            if count == 2 {
                skip_breaks(&mut at);
                match text.get(at) {
                    None => return corrupt(text.len()),
                    Some(b'=') => at += 1,
                    Some(_) => return corrupt(at - 1),
                }
            }
            skip_breaks(&mut at);
            if at < text.len() {
                return corrupt(at);
            }
            let bytes = (group << (6 * (4 - count))).to_be_bytes();
            out.extend_from_slice(&bytes[1..count]);
            return Ok(out);
        }
        out.extend_from_slice(&group.to_be_bytes()[1..]);
    }
}

fn base64_digit(byte: u8) -> Option<u32> {
    Some(u32::from(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

/// How a function writes JSON.
#[derive(Clone, Copy)]
struct Style {
    indent: Option<&'static str>,
    /// `<`, `>` and `&` as escapes.
    escape: bool,
    /// What JSON cannot hold is an error, not an empty text.
    must: bool,
}

const COMPACT: Style = Style {
    indent: None,
    escape: true,
    must: false,
};
const PRETTY: Style = Style {
    indent: Some("  "),
    ..COMPACT
};
const RAW: Style = Style {
    escape: false,
    must: true,
    ..COMPACT
};

fn json(env: &mut Env<'_>, args: &[Value], style: Style) -> Result<Value> {
    env.context.charge_copy(&args[0])?;
    let limit = env.context.limits.output;
    let mut writer = JsonWriter {
        out: Vec::new(),
        style,
        limit,
    };
    match writer.value(&args[0], 0) {
        Err(message) if style.must => error(message),
        Err(_) => Ok(Value::from("")),
        Ok(()) => text_result(env, writer.out),
    }
}

/// A float as Go writes it, or its complaint about what is none.
fn finite(value: f64) -> std::result::Result<String, String> {
    json_float(value).ok_or_else(|| {
        let shown = crate::float::format_float(value, 'g', None);
        format!("json: unsupported value: {shown}")
    })
}

struct JsonWriter {
    out: Vec<u8>,
    style: Style,
    /// Bytes after which writing ends; the caller's check of the length finds it.
    limit: usize,
}

impl JsonWriter {
    fn line(&mut self, level: usize) {
        if let Some(indent) = self.style.indent {
            self.out.push(b'\n');
            self.out.extend_from_slice(indent.repeat(level).as_bytes());
        }
    }

    fn value(&mut self, value: &Value, level: usize) -> std::result::Result<(), String> {
        if self.out.len() > self.limit {
            return Ok(());
        }
        match value {
            Value::Nil => self.out.extend_from_slice(b"null"),
            Value::Bool(b) => self.out.extend_from_slice(b.to_string().as_bytes()),
            Value::Int(i) | Value::Int64(i) | Value::Duration(i) | Value::Month(i) | Value::Weekday(i) => {
                self.out.extend_from_slice(i.to_string().as_bytes());
            }
            Value::Uint(u) => self.out.extend_from_slice(u.to_string().as_bytes()),
            Value::Uint8(u) => self.out.extend_from_slice(u.to_string().as_bytes()),
            Value::Complex(..) => return Err("json: unsupported type: complex128".to_owned()),
            Value::Float(f) => self.out.extend_from_slice(finite(*f)?.as_bytes()),
            Value::Str(text) => self.string(text.bytes()),
            Value::Bytes(bytes) => self.string(STANDARD.encode(bytes).as_bytes()),
            Value::Time(time) => {
                self.string(crate::time::format(time, "2006-01-02T15:04:05.999999999Z07:00").as_bytes());
            }
            Value::List(list) if list.is_nil() => self.out.extend_from_slice(b"null"),
            Value::Map(map) if map.is_nil() => self.out.extend_from_slice(b"null"),
            Value::List(list) => self.list(list, level)?,
            Value::Map(map) => self.entries(&map.entries(), level)?,
            Value::Object(object) => match object.json_fields() {
                Some(fields) => self.entries(&fields, level)?,
                None => self.value(&object.document(), level)?,
            },
        }
        Ok(())
    }

    fn list(&mut self, list: &List, level: usize) -> std::result::Result<(), String> {
        self.out.push(b'[');
        for (i, item) in list.items().iter().enumerate() {
            if i > 0 {
                self.out.push(b',');
            }
            self.line(level + 1);
            grow(|| self.value(item, level + 1))?;
        }
        if !list.items().is_empty() {
            self.line(level);
        }
        self.out.push(b']');
        Ok(())
    }

    fn entries(&mut self, entries: &[(Text, Value)], level: usize) -> std::result::Result<(), String> {
        self.out.push(b'{');
        for (i, (key, item)) in entries.iter().enumerate() {
            if i > 0 {
                self.out.push(b',');
            }
            self.line(level + 1);
            self.string(key.bytes());
            self.out
                .extend_from_slice(if self.style.indent.is_some() { b": " } else { b":" });
            grow(|| self.value(item, level + 1))?;
        }
        if !entries.is_empty() {
            self.line(level);
        }
        self.out.push(b'}');
        Ok(())
    }

    fn string(&mut self, bytes: &[u8]) {
        self.out.push(b'"');
        for chunk in bytes.utf8_chunks() {
            self.characters(chunk.valid());
            for _ in chunk.invalid() {
                self.out.extend_from_slice(b"\\ufffd");
            }
        }
        self.out.push(b'"');
    }

    fn characters(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '"' | '\\' => self.out.extend_from_slice(&[b'\\', c as u8]),
                '\u{8}' => self.out.extend_from_slice(b"\\b"),
                '\u{c}' => self.out.extend_from_slice(b"\\f"),
                '\n' => self.out.extend_from_slice(b"\\n"),
                '\r' => self.out.extend_from_slice(b"\\r"),
                '\t' => self.out.extend_from_slice(b"\\t"),
                '<' | '>' | '&' if self.style.escape => self.unicode(c),
                '\u{2028}' | '\u{2029}' => self.unicode(c),
                _ if u32::from(c) < 0x20 => self.unicode(c),
                _ => self.out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
    }

    fn unicode(&mut self, c: char) {
        self.out
            .extend_from_slice(format!("\\u{:04x}", u32::from(c)).as_bytes());
    }
}

/// A value as Go's library writes it, with the line break at its end; nothing for what cannot be written.
#[must_use]
pub fn to_yaml(value: &Value) -> String {
    document(value).map_or_else(|_| String::new(), |document| capstan_yaml::to_go_yaml(&document))
}

fn yaml(env: &mut Env<'_>, args: &[Value], must: bool) -> Result<Value> {
    env.context.charge_copy(&args[0])?;
    let document = match document(&args[0]) {
        Ok(document) => document,
        Err(message) if must => return error(format!("error marshaling into JSON: {message}")),
        Err(_) => return Ok(Value::from("")),
    };
    let limit = env.context.limits.output;
    let mut text = capstan_yaml::to_go_yaml_within(&document, capstan_yaml::Layout::Compact, limit);
    env.context.check_size(text.len())?;
    if text.ends_with('\n') {
        text.pop();
    }
    text_result(env, text)
}

/// `toYamlPretty`: lists are indented below their key, and numbers keep their type.
fn pretty_yaml(env: &mut Env<'_>, args: &[Value]) -> Result<Value> {
    env.context.charge_copy(&args[0])?;
    let document = match direct_document(&args[0]) {
        Ok(document) => document,
        Err(message) if message.starts_with("cannot marshal") => return error(message),
        Err(_) => return Ok(Value::from("")),
    };
    let limit = env.context.limits.output;
    let mut text = capstan_yaml::to_go_yaml_within(&document, capstan_yaml::Layout::Indented, limit);
    env.context.check_size(text.len())?;
    if text.ends_with('\n') {
        text.pop();
    }
    text_result(env, text)
}

/// What becomes of a text on Helm's way to YAML: it is written as JSON, and that is read as YAML, where some characters that JSON leaves
/// alone are not allowed, and U+0085 is a line break.
fn through_json(text: &str, is_key: bool) -> std::result::Result<String, String> {
    let odd = |c: char| matches!(c, '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}');
    if text.is_ascii() && !text.contains('\u{7f}') || !text.contains(odd) {
        return Ok(text.to_owned());
    }
    if text.contains(|c| odd(c) && c != '\u{85}') {
        return Err("yaml: control characters are not allowed".to_owned());
    }
    if is_key {
        return Err("yaml: mapping values are not allowed in this context".to_owned());
    }
    // A quoted text is folded: one break is a space, of several all but the first stay.
    let mut lines = text.split('\u{85}');
    let mut out = lines.next().unwrap_or_default().to_owned();
    let (mut breaks, lines) = (0usize, lines.collect::<Vec<_>>());
    for line in lines {
        let line = line.trim_start_matches(' ');
        if breaks == 0 {
            out.truncate(out.trim_end_matches(' ').len());
        }
        breaks += 1;
        if !line.is_empty() {
            out.push_str(&folded(std::mem::take(&mut breaks)));
            out.push_str(line);
        }
    }
    out.push_str(&folded(breaks));
    Ok(out)
}

fn folded(breaks: usize) -> String {
    match breaks {
        0 => String::new(),
        1 => " ".to_owned(),
        _ => "\n".repeat(breaks - 1),
    }
}

/// A value as a JSON document, or Go's complaint about what JSON cannot hold.
fn document(value: &Value) -> std::result::Result<Json, String> {
    Ok(match value {
        Value::Nil => Json::Null,
        Value::Bool(b) => Json::Bool(*b),
        Value::Int(i) | Value::Int64(i) | Value::Duration(i) | Value::Month(i) | Value::Weekday(i) => {
            Json::Number((*i).into())
        }
        Value::Uint(u) => Json::Number((*u).into()),
        Value::Uint8(u) => Json::Number((*u).into()),
        Value::Complex(..) => return Err("json: unsupported type: complex128".to_owned()),
        Value::Float(f) => match Number::from_f64(*f) {
            Some(number) => Json::Number(number),
            None => return finite(*f).map(Json::String),
        },
        Value::Str(text) => Json::String(through_json(&text.lossy(), false)?),
        Value::Bytes(bytes) => Json::String(STANDARD.encode(bytes)),
        Value::Time(time) => Json::String(crate::time::format(time, "2006-01-02T15:04:05.999999999Z07:00")),
        Value::List(list) if list.is_nil() => Json::Null,
        Value::Map(map) if map.is_nil() => Json::Null,
        Value::List(list) => Json::Array(
            list.items()
                .iter()
                .map(|item| grow(|| document(item)))
                .collect::<std::result::Result<_, _>>()?,
        ),
        Value::Map(map) => {
            let mut entries = serde_json::Map::new();
            for (key, item) in map.entries() {
                entries.insert(through_json(&key.lossy(), true)?, grow(|| document(&item))?);
            }
            Json::Object(entries)
        }
        Value::Object(object) => document(&object.document())?,
    })
}

/// A value as `toYamlPretty` sees it, which does not go through JSON.
fn direct_document(value: &Value) -> std::result::Result<Json, String> {
    Ok(match value {
        Value::Str(text) => Json::String(text.lossy().into_owned()),
        Value::Duration(n) => Json::String(crate::time::duration_text(*n)),
        Value::Complex(..) => return Err("cannot marshal type: complex128".to_owned()),
        Value::List(list) if !list.is_nil() => {
            let items = list.items().iter().map(|item| grow(|| direct_document(item)));
            Json::Array(items.collect::<std::result::Result<_, _>>()?)
        }
        Value::Bytes(bytes) => Json::Array(bytes.iter().map(|b| Json::Number((*b).into())).collect()),
        Value::List(_) => Json::Array(Vec::new()),
        Value::Map(map) => {
            let mut entries = serde_json::Map::new();
            for (key, item) in map.entries() {
                entries.insert(key.lossy().into_owned(), grow(|| direct_document(&item))?);
            }
            Json::Object(entries)
        }
        Value::Object(object) => match object.exported_fields() {
            // Under the names of Go's fields in small letters.
            Some(fields) if !object.is_stringer() || object.kind() == "struct" => {
                let mut entries = serde_json::Map::new();
                for (name, item) in fields {
                    entries.insert(name.lossy().to_lowercase(), grow(|| direct_document(&item))?);
                }
                Json::Object(entries)
            }
            _ if object.underlying().is_some() || object.items().is_some() => direct_document(&object.document())?,
            _ => document(value)?,
        },
        other => document(other)?,
    })
}

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

fn base32_encode(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.chunks(5) {
        let mut block = [0u8; 8];
        block[3..3 + chunk.len()].copy_from_slice(chunk);
        let bits = u64::from_be_bytes(block);
        let letters = (chunk.len() * 8).div_ceil(5);
        for i in 0..8 {
            let index = usize::try_from(bits >> (35 - 5 * i) & 31).unwrap_or(0);
            out.push(if i < letters { char::from(BASE32[index]) } else { '=' });
        }
    }
    out
}

/// Go's `StdEncoding` for base 32: the position of a complaint is where the group of eight is left.
fn base32_decode(text: &[u8]) -> std::result::Result<Vec<u8>, usize> {
    let text: Vec<u8> = text.iter().copied().filter(|b| !matches!(b, b'\r' | b'\n')).collect();
    let total = text.len();
    let mut out = Vec::new();
    let mut rest = text.as_slice();
    while !rest.is_empty() {
        let mut digits = [0u64; 8];
        let mut count = 8;
        let mut ended = false;
        let mut j = 0;
        while j < 8 {
            let Some((byte, after)) = rest.split_first() else {
                return Err(total - j);
            };
            rest = after;
            if *byte == b'=' && j >= 2 && rest.len() < 8 {
                if rest.len() + j < 7 {
                    return Err(total);
                }
                if let Some(at) = (0..7 - j).find(|k| rest.get(*k).is_some_and(|b| *b != b'=')) {
                    return Err(total - rest.len() + at - 1);
                }
                if matches!(j, 1 | 3 | 6) {
                    return Err(total - rest.len() - 1);
                }
                (count, ended) = (j, true);
                break;
            }
            let Some(digit) = BASE32.iter().position(|b| b == byte) else {
                return Err(total - rest.len() - 1);
            };
            digits[j] = digit as u64;
            j += 1;
        }
        let bits = digits.iter().fold(0, |bits, digit| bits << 5 | digit);
        out.extend_from_slice(&bits.to_be_bytes()[3..3 + count * 5 / 8]);
        if ended {
            break;
        }
    }
    Ok(out)
}
