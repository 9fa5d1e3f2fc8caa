//! Conversions: to numbers and strings as sprig's casts make them, and questions about types.

use super::{Function, bytes, fixed, string, text_result, variadic};
use crate::exec::{Env, Result};
use crate::literal::{parse_float, parse_int};
use crate::signature::Type::{Any, Str};
use crate::value::{Element, Text, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("toString", &[Any], |env, args| {
        env.context.charge_value(&args[0])?;
        let text = to_text(&args[0], env.context.limits.output);
        text_result(env, text)
    }),
    fixed("toStrings", &[Any], |env, args| {
        if let Value::List(list) = &args[0]
            && list.element() == Element::Str
        {
            return Ok(args[0].clone());
        }
        Ok(Value::strings(to_texts(env, &args[0])?))
    }),
    fixed("int", &[Any], |_, args| Ok(Value::Int(to_i64(&args[0])))),
    fixed("int64", &[Any], |_, args| Ok(Value::Int64(to_i64(&args[0])))),
    fixed("float64", &[Any], |_, args| Ok(Value::Float(to_f64(&args[0])))),
    fixed("atoi", &[Str], |_, args| Ok(Value::Int(atoi(&string(args, 0))))),
    fixed("toDecimal", &[Any], |_, args| {
        let printed = crate::gofmt::shown(&args[0]);
        Ok(Value::Int64(i64::from_str_radix(&printed, 8).unwrap_or(0)))
    }),
    fixed("typeOf", &[Any], |_, args| {
        Ok(Value::from(args[0].type_name().into_owned()))
    }),
    fixed("typeIs", &[Str, Any], |_, args| {
        Ok(Value::Bool(string(args, 0) == args[1].type_name()))
    }),
    fixed("typeIsLike", &[Str, Any], |_, args| {
        let (wanted, actual) = (string(args, 0), args[1].type_name());
        Ok(Value::Bool(wanted == actual || format!("*{wanted}") == actual))
    }),
    fixed("kindOf", &[Any], |_, args| Ok(Value::from(args[0].kind()))),
    fixed("kindIs", &[Str, Any], |_, args| {
        Ok(Value::Bool(bytes(args, 0) == args[1].kind().as_bytes()))
    }),
    variadic("quote", &[], Any, |env, args| {
        joined(env, args, |value, limit| {
            crate::gofmt::quote(to_text(value, limit).bytes()).into_bytes()
        })
    }),
    variadic("squote", &[], Any, |env, args| {
        joined(env, args, |value, limit| {
            [b"'", crate::gofmt::sprint_v(value, limit).as_slice(), b"'"].concat()
        })
    }),
    variadic("cat", &[], Any, |env, args| joined(env, args, crate::gofmt::sprint_v)),
];

/// The arguments that are not nil, each shown somehow, with spaces between.
fn joined(env: &mut Env<'_>, args: &[Value], show: impl Fn(&Value, usize) -> Vec<u8>) -> Result<Value> {
    let limit = env.context.limits.output;
    let mut out = Vec::new();
    for (i, value) in args.iter().filter(|value| !value.is_nil()).enumerate() {
        env.context.charge_value(value)?;
        if i > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(&show(value, limit));
        env.context.check_size(out.len())?;
    }
    text_result(env, out)
}

/// A value as a string: itself, or as `%v` prints it, up to a limit of bytes.
pub(super) fn to_text(value: &Value, limit: usize) -> Text {
    match value {
        Value::Str(text) => text.clone(),
        Value::Bytes(bytes) => Text::from(&bytes[..]),
        other => Text::from(crate::gofmt::sprint_v(other, limit)),
    }
}

/// The items that are not nil as strings; anything else is a list of itself.
pub(super) fn to_texts(env: &mut Env<'_>, value: &Value) -> Result<Vec<Text>> {
    env.context.charge_value(value)?;
    let limit = env.context.limits.output;
    let text = |item: &Value| to_text(item, limit);
    Ok(match value.slice_items() {
        Some(items) => items.iter().filter(|item| !item.is_nil()).map(text).collect(),
        None if value.is_nil() => Vec::new(),
        None => vec![text(value)],
    })
}

/// Go's `strconv.Atoi` without its error: a number out of range is the nearest one in range.
fn atoi(text: &str) -> i64 {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return 0;
    }
    let out_of_range = if text.starts_with('-') { i64::MIN } else { i64::MAX };
    text.parse().unwrap_or(out_of_range)
}

/// Whole numbers keep their value, floats lose their fraction, strings are parsed (`0644` is octal); the rest is 0.
pub(super) fn to_i64(value: &Value) -> i64 {
    match value {
        Value::Int(i) | Value::Int64(i) | Value::Month(i) | Value::Weekday(i) => *i,
        Value::Uint(u) => u.cast_signed(),
        Value::Uint8(u) => i64::from(*u),
        Value::Float(f) => float_to_i64(*f),
        Value::Bool(b) => i64::from(*b),
        Value::Str(text) => parse_int(trim_zero_decimal(&text.lossy())).unwrap_or(0),
        _ => 0,
    }
}

/// A float cut to an integer as the amd64 instruction does: what does not fit is the smallest integer.
#[expect(clippy::cast_possible_truncation, reason = "out of range is answered first")]
pub(super) fn float_to_i64(value: f64) -> i64 {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if (-LIMIT..LIMIT).contains(&value) {
        value as i64
    } else {
        i64::MIN
    }
}

/// `3.00` as `3`.
fn trim_zero_decimal(text: &str) -> &str {
    match text.rsplit_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() && fraction.bytes().all(|b| b == b'0') => whole,
        _ => text,
    }
}

/// Numbers keep their value, strings are parsed; the rest is 0.
#[expect(clippy::cast_precision_loss, reason = "Go converts the same way")]
pub(super) fn to_f64(value: &Value) -> f64 {
    match value {
        Value::Int(i) | Value::Int64(i) | Value::Month(i) | Value::Weekday(i) => *i as f64,
        Value::Uint(u) => *u as f64,
        Value::Uint8(u) => f64::from(*u),
        Value::Float(f) => *f,
        Value::Bool(b) => f64::from(u8::from(*b)),
        Value::Str(text) => parse_float(&text.lossy()).unwrap_or(0.0),
        _ => 0.0,
    }
}
