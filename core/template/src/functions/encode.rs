//! Values as JSON, YAML, base64 and base32.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Number, Value as Json};

use super::{Function, bytes, fixed, text_result};
use crate::exec::{Env, Result};
use crate::float::json_float;
use crate::signature::Type::{Any, Str};
use crate::stack::grow;
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("toJson", &[Any], |env, args| json(env, args, None, true)),
    fixed("mustToJson", &[Any], |env, args| json(env, args, None, true)),
    fixed("toPrettyJson", &[Any], |env, args| json(env, args, Some("  "), true)),
    fixed("mustToPrettyJson", &[Any], |env, args| {
        json(env, args, Some("  "), true)
    }),
    fixed("toRawJson", &[Any], |env, args| json(env, args, None, false)),
    fixed("mustToRawJson", &[Any], |env, args| json(env, args, None, false)),
    fixed("toYaml", &[Any], yaml),
    fixed("mustToYaml", &[Any], yaml),
    fixed("toYamlPretty", &[Any], |_, _| {
        super::error("toYamlPretty is not available")
    }),
    fixed("b64enc", &[Str], |env, args| {
        text_result(env, STANDARD.encode(bytes(args, 0)))
    }),
    fixed("b64dec", &[Str], |env, args| {
        // Go's decoder skips line breaks.
        let text: Vec<u8> = bytes(args, 0)
            .iter()
            .copied()
            .filter(|b| !matches!(b, b'\r' | b'\n'))
            .collect();
        match STANDARD.decode(&text) {
            Ok(decoded) => text_result(env, decoded),
            Err(_) => text_result(
                env,
                format!("illegal base64 data at input byte {}", bad_base64(bytes(args, 0))),
            ),
        }
    }),
    fixed("b32enc", &[Str], |env, args| {
        text_result(env, base32_encode(bytes(args, 0)))
    }),
    fixed("b32dec", &[Str], |env, args| match base32_decode(bytes(args, 0)) {
        Ok(decoded) => text_result(env, decoded),
        Err(at) => text_result(env, format!("illegal base32 data at input byte {at}")),
    }),
];

/// Where Go finds the first mistake of a base64 text.
fn bad_base64(text: &[u8]) -> usize {
    let valid = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
    match text.iter().position(|b| !valid(*b) && !matches!(b, b'\r' | b'\n')) {
        Some(at) if text[at] == b'=' => at,
        Some(at) => at,
        // A text that ends inside a group of four: the group's beginning.
        None => text.len() / 4 * 4,
    }
}

fn json(env: &mut Env<'_>, args: &[Value], indent: Option<&str>, escape: bool) -> Result<Value> {
    env.context.charge_value(&args[0])?;
    let mut writer = JsonWriter {
        out: Vec::new(),
        indent,
        escape,
    };
    match writer.value(&args[0], 0) {
        Some(()) => text_result(env, writer.out),
        // What JSON cannot hold gives an empty text.
        None => Ok(Value::from("")),
    }
}

struct JsonWriter<'a> {
    out: Vec<u8>,
    indent: Option<&'a str>,
    escape: bool,
}

impl JsonWriter<'_> {
    fn line(&mut self, level: usize) {
        if let Some(indent) = self.indent {
            self.out.push(b'\n');
            self.out.extend_from_slice(indent.repeat(level).as_bytes());
        }
    }

    fn value(&mut self, value: &Value, level: usize) -> Option<()> {
        match value {
            Value::Nil => self.out.extend_from_slice(b"null"),
            Value::Bool(b) => self.out.extend_from_slice(b.to_string().as_bytes()),
            Value::Int(i) | Value::Int64(i) | Value::Duration(i) => {
                self.out.extend_from_slice(i.to_string().as_bytes());
            }
            Value::Uint(u) => self.out.extend_from_slice(u.to_string().as_bytes()),
            Value::Float(f) => self.out.extend_from_slice(json_float(*f)?.as_bytes()),
            Value::Str(text) => self.string(text.bytes()),
            Value::Bytes(bytes) => self.string(STANDARD.encode(bytes).as_bytes()),
            Value::Time(time) => {
                self.string(crate::time::format(time, "2006-01-02T15:04:05.999999999Z07:00").as_bytes());
            }
            Value::List(list) => {
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
            }
            Value::Map(map) => {
                let entries = map.entries();
                self.out.push(b'{');
                for (i, (key, item)) in entries.iter().enumerate() {
                    if i > 0 {
                        self.out.push(b',');
                    }
                    self.line(level + 1);
                    self.string(key.as_bytes());
                    self.out
                        .extend_from_slice(if self.indent.is_some() { b": " } else { b":" });
                    grow(|| self.value(item, level + 1))?;
                }
                if !entries.is_empty() {
                    self.line(level);
                }
                self.out.push(b'}');
            }
            Value::Object(object) => self.value(&object.document(), level)?,
        }
        Some(())
    }

    fn string(&mut self, bytes: &[u8]) {
        self.out.push(b'"');
        for c in String::from_utf8_lossy(bytes).chars() {
            match c {
                '"' | '\\' => self.out.extend_from_slice(&[b'\\', c as u8]),
                '\u{8}' => self.out.extend_from_slice(b"\\b"),
                '\u{c}' => self.out.extend_from_slice(b"\\f"),
                '\n' => self.out.extend_from_slice(b"\\n"),
                '\r' => self.out.extend_from_slice(b"\\r"),
                '\t' => self.out.extend_from_slice(b"\\t"),
                '<' | '>' | '&' if self.escape => self.unicode(c),
                '\u{2028}' | '\u{2029}' => self.unicode(c),
                _ if u32::from(c) < 0x20 => self.unicode(c),
                _ => self.out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        self.out.push(b'"');
    }

    fn unicode(&mut self, c: char) {
        self.out
            .extend_from_slice(format!("\\u{:04x}", u32::from(c)).as_bytes());
    }
}

fn yaml(env: &mut Env<'_>, args: &[Value]) -> Result<Value> {
    env.context.charge_value(&args[0])?;
    let Some(document) = document(&args[0]) else {
        return Ok(Value::from(""));
    };
    let mut text = capstan_yaml::to_go_yaml(&document);
    if text.ends_with('\n') {
        text.pop();
    }
    text_result(env, text)
}

/// A value as a JSON document; `None` for what JSON cannot hold.
fn document(value: &Value) -> Option<Json> {
    Some(match value {
        Value::Nil => Json::Null,
        Value::Bool(b) => Json::Bool(*b),
        Value::Int(i) | Value::Int64(i) | Value::Duration(i) => Json::Number((*i).into()),
        Value::Uint(u) => Json::Number((*u).into()),
        Value::Float(f) => Json::Number(Number::from_f64(*f)?),
        Value::Str(text) => Json::String(text.lossy().into_owned()),
        Value::Bytes(bytes) => Json::String(STANDARD.encode(bytes)),
        Value::Time(time) => Json::String(crate::time::format(time, "2006-01-02T15:04:05.999999999Z07:00")),
        Value::List(list) => Json::Array(
            list.items()
                .iter()
                .map(|item| grow(|| document(item)))
                .collect::<Option<_>>()?,
        ),
        Value::Map(map) => {
            let entries = map
                .entries()
                .into_iter()
                .map(|(key, item)| Some((key, grow(|| document(&item))?)));
            Json::Object(entries.collect::<Option<_>>()?)
        }
        Value::Object(object) => document(&object.document())?,
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

fn base32_decode(text: &[u8]) -> std::result::Result<Vec<u8>, usize> {
    let text: Vec<u8> = text.iter().copied().filter(|b| !matches!(b, b'\r' | b'\n')).collect();
    if !text.len().is_multiple_of(8) {
        return Err(text.len());
    }
    let mut out = Vec::new();
    for (block, chunk) in text.chunks(8).enumerate() {
        let letters = chunk.iter().position(|b| *b == b'=').unwrap_or(8);
        let last = (block + 1) * 8 == text.len();
        if (letters < 8 && !last)
            || chunk[letters..].iter().any(|b| *b != b'=')
            || !matches!(letters, 2 | 4 | 5 | 7 | 8)
        {
            return Err(block * 8 + letters);
        }
        let mut bits = 0u64;
        for (i, letter) in chunk[..letters].iter().enumerate() {
            let value = BASE32.iter().position(|b| b == letter).ok_or(block * 8 + i)?;
            bits |= (value as u64) << (35 - 5 * i);
        }
        out.extend_from_slice(&bits.to_be_bytes()[3..3 + letters * 5 / 8]);
    }
    Ok(out)
}
