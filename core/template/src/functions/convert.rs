//! Conversions: to numbers and strings as sprig's casts make them, and questions about types.

use super::{Function, bytes, fixed, string, text_result, variadic};
use crate::exec::{Env, Result};
use crate::literal::{parse_float, parse_int};
use crate::signature::Type::{Any, Str};
use crate::value::{Text, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("toString", &[Any], |env, args| {
        env.context.charge_value(&args[0])?;
        text_result(env, to_text(&args[0]))
    }),
    fixed("toStrings", &[Any], |env, args| {
        Ok(Value::strings(to_texts(env, &args[0])?))
    }),
    fixed("int", &[Any], |_, args| Ok(Value::Int(to_i64(&args[0])))),
    fixed("int64", &[Any], |_, args| Ok(Value::Int64(to_i64(&args[0])))),
    fixed("float64", &[Any], |_, args| Ok(Value::Float(to_f64(&args[0])))),
    fixed("atoi", &[Str], |_, args| {
        Ok(Value::Int(string(args, 0).parse().unwrap_or(0)))
    }),
    fixed("toDecimal", &[Any], |_, args| {
        let printed = crate::gofmt::sprint(&args[..1]);
        Ok(Value::Int64(
            i64::from_str_radix(&String::from_utf8_lossy(&printed), 8).unwrap_or(0),
        ))
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
        join_quoted(env, args, |value| {
            crate::gofmt::quote(to_text(value).bytes()).into_bytes()
        })
    }),
    variadic("squote", &[], Any, |env, args| {
        join_quoted(env, args, |value| {
            [b"'", crate::gofmt::sprint_v(value).as_slice(), b"'"].concat()
        })
    }),
    variadic("cat", &[], Any, |env, args| {
        join_quoted(env, args, crate::gofmt::sprint_v)
    }),
];

/// The arguments that are not nil, each shown somehow, with spaces between.
fn join_quoted(env: &mut Env<'_>, args: &[Value], show: impl Fn(&Value) -> Vec<u8>) -> Result<Value> {
    let mut shown = Vec::new();
    for value in args.iter().filter(|value| !value.is_nil()) {
        env.context.charge_value(value)?;
        shown.push(show(value));
    }
    text_result(env, shown.join(&b' '))
}

/// A value as a string: itself, or as `%v` prints it.
pub(super) fn to_text(value: &Value) -> Text {
    match value {
        Value::Str(text) => text.clone(),
        Value::Bytes(bytes) => Text::from(&bytes[..]),
        other => Text::from(crate::gofmt::sprint_v(other)),
    }
}

/// The items that are not nil as strings; anything else is a list of itself.
pub(super) fn to_texts(env: &mut Env<'_>, value: &Value) -> Result<Vec<Text>> {
    env.context.charge_value(value)?;
    Ok(match value.slice_items() {
        Some(items) => items.iter().filter(|item| !item.is_nil()).map(to_text).collect(),
        None if value.is_nil() => Vec::new(),
        None => vec![to_text(value)],
    })
}

/// Whole numbers keep their value, floats lose their fraction, strings are parsed (`0644` is octal); the rest is 0.
pub(super) fn to_i64(value: &Value) -> i64 {
    match value {
        Value::Int(i) | Value::Int64(i) | Value::Duration(i) => *i,
        Value::Uint(u) => u.cast_signed(),
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
    match text.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() && fraction.bytes().all(|b| b == b'0') => whole,
        _ => text,
    }
}

/// Numbers keep their value, strings are parsed; the rest is 0.
#[expect(clippy::cast_precision_loss, reason = "Go converts the same way")]
pub(super) fn to_f64(value: &Value) -> f64 {
    match value {
        Value::Int(i) | Value::Int64(i) | Value::Duration(i) => *i as f64,
        Value::Uint(u) => *u as f64,
        Value::Float(f) => *f,
        Value::Bool(b) => f64::from(u8::from(*b)),
        Value::Str(text) => parse_float(&text.lossy()).unwrap_or(0.0),
        _ => 0.0,
    }
}
