//! The functions Go's template language brings.

use super::{Function, bytes, error, fixed, text_result, variadic};
use crate::exec::{Env, Result};
use crate::signature::Type::{Any, Reflect, Str};
use crate::value::{Text, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    // The executor evaluates these two itself, because they stop early.
    variadic("and", &[Reflect], Reflect, |_, args| {
        Ok(args.last().cloned().unwrap_or(Value::Nil))
    }),
    variadic("or", &[Reflect], Reflect, |_, args| {
        Ok(args.last().cloned().unwrap_or(Value::Nil))
    }),
    fixed("not", &[Reflect], |_, args| Ok(Value::Bool(!args[0].truth()))),
    variadic("call", &[Reflect], Reflect, |_, args| match &args[0] {
        Value::Nil => error("call of nil"),
        other => error(format!("non-function of type {}", other.type_name())),
    }),
    variadic("eq", &[Reflect], Reflect, |_, args| eq(args).map(Value::Bool)),
    fixed("ne", &[Reflect, Reflect], |_, args| Ok(Value::Bool(!eq(args)?))),
    fixed("lt", &[Reflect, Reflect], |_, args| lt(args).map(Value::Bool)),
    fixed("le", &[Reflect, Reflect], |_, args| le(args).map(Value::Bool)),
    fixed("gt", &[Reflect, Reflect], |_, args| Ok(Value::Bool(!le(args)?))),
    fixed("ge", &[Reflect, Reflect], |_, args| Ok(Value::Bool(!lt(args)?))),
    variadic("index", &[Reflect], Reflect, |_, args| index(args)),
    fixed("len", &[Reflect], |_, args| len(&args[0])),
    variadic("print", &[], Any, |env, args| {
        pay(env, args)?;
        let text = crate::gofmt::sprint(args, env.context.limits.output);
        text_result(env, text)
    }),
    variadic("println", &[], Any, |env, args| {
        pay(env, args)?;
        let text = crate::gofmt::sprintln(args, env.context.limits.output);
        text_result(env, text)
    }),
    variadic("printf", &[Str], Any, |env, args| {
        pay(env, args)?;
        let text = crate::gofmt::sprintf(bytes(args, 0), &args[1..], env.context.limits.output);
        text_result(env, text)
    }),
    variadic("html", &[], Any, |env, args| escape(env, args, html)),
    variadic("js", &[], Any, |env, args| escape(env, args, js)),
    variadic("urlquery", &[], Any, |env, args| escape(env, args, query)),
];

/// Pays for printing the arguments.
fn pay(env: &mut Env<'_>, args: &[Value]) -> Result<()> {
    args.iter().try_for_each(|arg| env.context.charge_value(arg))
}

#[derive(PartialEq, Eq)]
enum Kind {
    Bool,
    Int,
    Uint,
    Float,
    Complex,
    Str,
}

fn basic_kind(value: &Value) -> Option<Kind> {
    match value {
        Value::Bool(_) => Some(Kind::Bool),
        Value::Int(_) | Value::Int64(_) | Value::Duration(_) | Value::Month(_) | Value::Weekday(_) => Some(Kind::Int),
        Value::Uint(_) | Value::Uint8(_) => Some(Kind::Uint),
        Value::Float(_) => Some(Kind::Float),
        Value::Complex(..) => Some(Kind::Complex),
        Value::Str(_) => Some(Kind::Str),
        _ => None,
    }
}

/// A number as an exact integer.
fn integer(value: &Value) -> Option<i128> {
    match value {
        Value::Int(i) | Value::Int64(i) | Value::Duration(i) | Value::Month(i) | Value::Weekday(i) => {
            Some(i128::from(*i))
        }
        Value::Uint(u) => Some(i128::from(*u)),
        Value::Uint8(u) => Some(i128::from(*u)),
        _ => None,
    }
}

fn incompatible<T>(a: &Value, b: &Value) -> Result<T> {
    error(format!(
        "incompatible types for comparison: {} and {}",
        a.type_name(),
        b.type_name()
    ))
}

fn eq(args: &[Value]) -> Result<bool> {
    let (first, others) = args
        .split_first()
        .map_or((&Value::Nil, args), |(first, others)| (first, others));
    if others.is_empty() {
        return error("missing argument for comparison");
    }
    for other in others {
        if equal(first, other)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn equal(a: &Value, b: &Value) -> Result<bool> {
    let (kind_a, kind_b) = (basic_kind(a), basic_kind(b));
    if kind_a != kind_b {
        if let (Some(x), Some(y)) = (integer(a), integer(b)) {
            return Ok(x == y);
        }
        if a.is_nil() || b.is_nil() {
            return Ok(false);
        }
        return incompatible(a, b);
    }
    Ok(match (a, b) {
        (Value::Bool(x), Value::Bool(y)) => x == y,
        (Value::Float(x), Value::Float(y)) => x == y,
        (Value::Str(x), Value::Str(y)) => x == y,
        (Value::Complex(a, b), Value::Complex(c, d)) => a == c && b == d,
        _ => match (integer(a), integer(b)) {
            (Some(x), Some(y)) => x == y,
            _ => return equal_other(a, b),
        },
    })
}

/// Nil, or a nil slice or map.
fn is_nil(value: &Value) -> bool {
    match value {
        Value::Nil => true,
        Value::List(list) => list.is_nil(),
        Value::Map(map) => map.is_nil(),
        _ => false,
    }
}

/// Values that are not basic: only nil can be compared with everything.
fn equal_other(a: &Value, b: &Value) -> Result<bool> {
    let shown = crate::gofmt::shown;
    if a.kind() != b.kind() && !a.is_nil() && !b.is_nil() {
        return error(format!(
            "non-comparable types {}: {}, {}: {}",
            shown(a),
            a.type_name(),
            b.type_name(),
            shown(b)
        ));
    }
    if is_nil(a) || is_nil(b) {
        return Ok(is_nil(a) == is_nil(b));
    }
    match (a, b) {
        (_, Value::Time(y)) => Ok(matches!(a, Value::Time(x) if x == y)),
        (_, Value::Object(y)) if y.underlying().is_none() => Ok(match a {
            Value::Object(x) if y.fields().is_some() && y.kind() == "struct" => {
                x.type_name() == y.type_name() && a.deep_equal(b, 100) == Some(true)
            }
            Value::Object(x) => std::rc::Rc::ptr_eq(x, y),
            _ => false,
        }),
        _ => error(format!("non-comparable type {}: {}", shown(b), b.type_name())),
    }
}

fn lt(args: &[Value]) -> Result<bool> {
    let (a, b) = (&args[0], &args[1]);
    let (Some(kind_a), Some(kind_b)) = (basic_kind(a), basic_kind(b)) else {
        return error("invalid type for comparison");
    };
    match (a, b) {
        (Value::Float(x), Value::Float(y)) => Ok(x < y),
        (Value::Str(x), Value::Str(y)) => Ok(x < y),
        _ => match (integer(a), integer(b)) {
            (Some(x), Some(y)) => Ok(x < y),
            _ if kind_a != kind_b => incompatible(a, b),
            _ => error("invalid type for comparison"),
        },
    }
}

fn le(args: &[Value]) -> Result<bool> {
    Ok(lt(args)? || eq(args)?)
}

/// A position in a list, up to and including its end.
fn position(value: &Value, length: usize) -> Result<usize> {
    let Some(number) = integer(value) else {
        return match value {
            Value::Nil => error("cannot index slice/array with nil"),
            other => error(format!("cannot index slice/array with type {}", other.type_name())),
        };
    };
    match usize::try_from(number) {
        Ok(position) if position <= length => Ok(position),
        _ => error(format!("index out of range: {number}")),
    }
}

fn index(args: &[Value]) -> Result<Value> {
    let mut item = args[0].clone();
    if item.is_nil() {
        return error("index of untyped nil");
    }
    for key in &args[1..] {
        item = index_one(&item, key)?;
    }
    Ok(item)
}

fn index_one(item: &Value, key: &Value) -> Result<Value> {
    if item.is_nil() {
        return error("index of nil pointer");
    }
    if let Some(map) = item.as_map() {
        return match key {
            Value::Str(name) => Ok(map.get(name).unwrap_or_else(|| map.element().zero())),
            Value::Nil => error("value is nil; should be of type string"),
            other => error(format!("value has type {}; should be string", other.type_name())),
        };
    }
    let items = match item {
        Value::Str(text) => {
            let at = position(key, text.bytes().len())?;
            let byte = text.bytes().get(at).copied();
            let message = "reflect: string index out of range";
            return byte.map_or_else(|| error(message), |b| Ok(Value::Uint8(b)));
        }
        _ => item.slice_items(),
    };
    let Some(items) = items else {
        return error(format!("can't index item of type {}", item.type_name()));
    };
    let at = position(key, items.len())?;
    // The position just behind the end passes Go's check and then panics.
    let message = "reflect: slice index out of range";
    items.get(at).cloned().map_or_else(|| error(message), Ok)
}

fn len(value: &Value) -> Result<Value> {
    let length = match value {
        Value::Nil => return error("len of nil pointer"),
        Value::Str(text) => text.bytes().len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(list) => list.items().len(),
        other => match (other.as_map(), other.slice_items()) {
            (Some(map), _) => map.len(),
            (None, Some(items)) => items.len(),
            (None, None) => return error(format!("len of type {}", other.type_name())),
        },
    };
    Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
}

/// Escapes what the arguments print; one string is taken as it is.
fn escape(env: &mut Env<'_>, args: &[Value], one: fn(&mut Vec<u8>, &[u8])) -> Result<Value> {
    pay(env, args)?;
    let source = match args {
        [Value::Str(text)] => text.clone(),
        // Go follows a pointer that it prints.
        [value @ Value::Object(object)] if object.kind() == "ptr" && !object.is_stringer() => {
            let text = crate::gofmt::sprint_v(value, env.context.limits.output);
            Text::from(text.strip_prefix(b"&").unwrap_or(&text))
        }
        _ => {
            let absent = |value: &Value| {
                if value.is_nil() {
                    Value::from("<no value>")
                } else {
                    value.clone()
                }
            };
            let args: Vec<Value> = args.iter().map(absent).collect();
            Text::from(crate::gofmt::sprint(&args, env.context.limits.output))
        }
    };
    let mut out = Vec::with_capacity(source.bytes().len());
    one(&mut out, source.bytes());
    text_result(env, out)
}

fn html(out: &mut Vec<u8>, source: &[u8]) {
    for byte in source {
        match byte {
            0 => out.extend_from_slice("\u{fffd}".as_bytes()),
            b'"' => out.extend_from_slice(b"&#34;"),
            b'\'' => out.extend_from_slice(b"&#39;"),
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            other => out.push(*other),
        }
    }
}

fn js(out: &mut Vec<u8>, source: &[u8]) {
    for chunk in source.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => out.extend_from_slice(b"\\\\"),
                '\'' => out.extend_from_slice(b"\\'"),
                '"' => out.extend_from_slice(b"\\\""),
                '<' | '>' | '&' | '=' => out.extend_from_slice(format!("\\u{:04X}", u32::from(c)).as_bytes()),
                '\u{7f}' => out.push(0x7f),
                _ if c < ' ' || !crate::characters::is_printable(c) => {
                    out.extend_from_slice(format!("\\u{:04X}", u32::from(c)).as_bytes());
                }
                _ => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        out.extend_from_slice(chunk.invalid());
    }
}

/// Percent-encodes for a query, spaces as `+`.
pub(super) fn query(out: &mut Vec<u8>, source: &[u8]) {
    for byte in source {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(*byte),
            b' ' => out.push(b'+'),
            other => out.extend_from_slice(format!("%{other:02X}").as_bytes()),
        }
    }
}
