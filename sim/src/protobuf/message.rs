//! Messages to JSON.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::table::{Field, Message, Shape, named};
use super::wire::{Raw, Wire};

/// How deep messages may nest; only the schema of a custom resource definition nests in itself.
const DEPTH: usize = 128;

type Read<T> = Result<T, String>;

/// The object of a message.
///
/// # Errors
/// What Go says of a message that does not fit.
pub(super) fn object(of: &'static Message, bytes: &[u8], depth: usize) -> Read<Map<String, Value>> {
    let mut into = Map::new();
    fill(of, bytes, depth, &mut into)?;
    Ok(into)
}

/// Reads a message into an object that may have got a part of its fields before.
fn fill(of: &'static Message, bytes: &[u8], depth: usize, into: &mut Map<String, Value>) -> Read<()> {
    if depth > DEPTH {
        return Err("exceeded max depth".into());
    }
    let mut wire = Wire::new(bytes, of.short());
    while let Some(item) = wire.next()? {
        let Some(field) = of.field(item.number) else {
            continue;
        };
        match &field.shape {
            Shape::Message(name) if field.name.is_empty() => {
                let inner = named(name).ok_or_else(|| format!("proto: unknown message {name}"))?;
                fill(inner, length_delimited(field, item.value)?, depth + 1, into)?;
            }
            Shape::List(shape) => {
                let mut read = elements(field, shape, item.value, depth)?;
                match into.get_mut(field.name) {
                    Some(Value::Array(list)) => list.append(&mut read),
                    _ => drop(into.insert(field.name.into(), Value::Array(read))),
                }
            }
            Shape::Map(shape) => {
                let (key, value) = entry(field, shape, length_delimited(field, item.value)?, depth)?;
                let map = into.entry(field.name).or_insert_with(|| json!({}));
                crate::fields::as_map(map).insert(key, value);
            }
            shape => {
                let value = single(field, shape, item.value, depth, into.remove(field.name))?;
                if !(field.omitted && is_zero(&value)) {
                    into.insert(field.name.into(), value);
                }
            }
        }
    }
    Ok(())
}

/// What one item adds to a list: an element, or the numbers of a packed list.
fn elements(field: &Field, shape: &Shape, raw: Raw<'_>, depth: usize) -> Read<Vec<Value>> {
    let numbers = matches!(shape, Shape::Int32 | Shape::Int64 | Shape::Bool | Shape::Float64);
    let Raw::Bytes(packed) = raw else {
        return Ok(vec![single(field, shape, raw, depth, None)?]);
    };
    if !numbers {
        return Ok(vec![single(field, shape, raw, depth, None)?]);
    }
    let mut wire = Wire::new(packed, "");
    let mut out = Vec::new();
    while !wire.is_empty() {
        let number = match shape {
            Shape::Float64 => Raw::Fixed64(wire.fixed64()?),
            _ => Raw::Varint(wire.varint()?),
        };
        out.push(single(field, shape, number, depth, None)?);
    }
    Ok(out)
}

/// An entry of a map: field 1 the key, field 2 the value; either may be absent and is zero then.
fn entry(field: &Field, shape: &Shape, bytes: &[u8], depth: usize) -> Read<(String, Value)> {
    let mut wire = Wire::new(bytes, "");
    let mut key = String::new();
    let mut value = None;
    while let Some(item) = wire.next()? {
        match item.number {
            1 => key = text(length_delimited(field, item.value)?),
            2 => value = Some(single(field, shape, item.value, depth, None)?),
            _ => {}
        }
    }
    let value = match value {
        Some(value) => value,
        None if matches!(shape, Shape::Bool | Shape::Int32 | Shape::Int64) => {
            single(field, shape, Raw::Varint(0), depth, None)?
        }
        None if matches!(shape, Shape::Float64) => single(field, shape, Raw::Fixed64(0), depth, None)?,
        None => single(field, shape, Raw::Bytes(&[]), depth, None)?,
    };
    Ok((key, value))
}

/// One value. `before` is what the same field gave before in the same message: messages are merged.
fn single(field: &Field, shape: &Shape, raw: Raw<'_>, depth: usize, before: Option<Value>) -> Read<Value> {
    Ok(match shape {
        Shape::Bool => json!(varint(field, raw)? != 0),
        // Go reads 64 bits and keeps the lower ones.
        Shape::Int32 => json!(varint(field, raw)?.cast_signed() as i32),
        Shape::Int64 => json!(varint(field, raw)?.cast_signed()),
        Shape::Float64 => match raw {
            Raw::Fixed64(bits) => float(f64::from_bits(bits)),
            other => return Err(wrong(field, other)),
        },
        Shape::String => Value::String(text(length_delimited(field, raw)?)),
        Shape::Bytes => Value::String(STANDARD.encode(length_delimited(field, raw)?)),
        Shape::Time => time(field, length_delimited(field, raw)?, "%Y-%m-%dT%H:%M:%SZ")?,
        Shape::MicroTime => time(field, length_delimited(field, raw)?, "%Y-%m-%dT%H:%M:%S.%6fZ")?,
        Shape::Quantity => {
            let texts = strings(field, length_delimited(field, raw)?)?;
            let last = texts.into_iter().next_back().unwrap_or_default();
            // An empty quantity is the zero quantity.
            Value::String(if last.is_empty() { "0".into() } else { last })
        }
        Shape::IntOrString => int_or_string(field, length_delimited(field, raw)?)?,
        Shape::Raw => embedded(field, length_delimited(field, raw)?)?,
        Shape::Items => json!(strings(field, length_delimited(field, raw)?)?),
        Shape::Message(name) => {
            let of = named(name).ok_or_else(|| format!("proto: unknown message {name}"))?;
            let mut into = match before {
                Some(Value::Object(map)) => map,
                _ => Map::new(),
            };
            fill(of, length_delimited(field, raw)?, depth + 1, &mut into)?;
            if of.short().starts_with("JSONSchemaPropsOr") {
                return Ok(alternative(into));
            }
            Value::Object(into)
        }
        Shape::List(_) | Shape::Map(_) => return Err(wrong(field, raw)),
    })
}

/// The one of a schema, a list and a permission that a union holds, in the order in which Go prefers them.
fn alternative(mut union: Map<String, Value>) -> Value {
    ["JSONSchemas", "Property", "Schema", "Allows"]
        .iter()
        .find_map(|name| union.remove(*name))
        .unwrap_or(Value::Null)
}

fn wrong(field: &Field, raw: Raw<'_>) -> String {
    let name = field.go_name();
    format!("proto: wrong wireType = {} for field {name}", raw.wire_type())
}

/// A float as Go prints it: without a fraction where it has none.
fn float(value: f64) -> Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() <= EXACT {
        json!(value as i64)
    } else {
        json!(value)
    }
}

fn varint(field: &Field, raw: Raw<'_>) -> Read<u64> {
    match raw {
        Raw::Varint(value) => Ok(value),
        other => Err(wrong(field, other)),
    }
}

fn length_delimited<'a>(field: &Field, raw: Raw<'a>) -> Read<&'a [u8]> {
    match raw {
        Raw::Bytes(bytes) => Ok(bytes),
        other => Err(wrong(field, other)),
    }
}

/// Text; bytes that are no UTF-8 print as Go's JSON encoder prints them.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The strings in field 1.
fn strings(field: &Field, bytes: &[u8]) -> Read<Vec<String>> {
    let mut wire = Wire::new(bytes, "");
    let mut out = Vec::new();
    while let Some(item) = wire.next()? {
        if item.number == 1 {
            out.push(text(length_delimited(field, item.value)?));
        }
    }
    Ok(out)
}

/// Seconds and nanoseconds since 1970; an empty message is no time at all.
fn time(field: &Field, bytes: &[u8], format: &str) -> Read<Value> {
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    let mut wire = Wire::new(bytes, "Timestamp");
    let (mut seconds, mut nanos) = (0, 0);
    while let Some(item) = wire.next()? {
        match item.number {
            1 => seconds = varint(field, item.value)?.cast_signed(),
            2 => nanos = varint(field, item.value)?.cast_signed() as i32,
            _ => {}
        }
    }
    let at = jiff::Timestamp::new(seconds, nanos)
        .map_err(|_| "Time.MarshalJSON: year outside of range [0,9999]".to_owned())?;
    Ok(Value::String(at.strftime(format).to_string()))
}

fn int_or_string(field: &Field, bytes: &[u8]) -> Read<Value> {
    let mut wire = Wire::new(bytes, "IntOrString");
    let (mut kind, mut number, mut string) = (0, 0, String::new());
    while let Some(item) = wire.next()? {
        match item.number {
            1 => kind = varint(field, item.value)?,
            2 => number = varint(field, item.value)?.cast_signed() as i32,
            3 => string = text(length_delimited(field, item.value)?),
            _ => {}
        }
    }
    match kind {
        0 => Ok(json!(number)),
        1 => Ok(Value::String(string)),
        _ => Err("impossible IntOrString.Type".into()),
    }
}

/// JSON in field 1; nothing is null.
fn embedded(field: &Field, bytes: &[u8]) -> Read<Value> {
    let mut wire = Wire::new(bytes, "");
    let mut raw: &[u8] = &[];
    while let Some(item) = wire.next()? {
        if item.number == 1 {
            raw = length_delimited(field, item.value)?;
        }
    }
    if raw.is_empty() {
        return Ok(Value::Null);
    }
    crate::decode::json(raw)
        .map(|decoded| decoded.value)
        .map_err(|error| error.message)
}

/// What `omitempty` leaves out of single values.
fn is_zero(value: &Value) -> bool {
    match value {
        Value::Bool(set) => !set,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}
