//! Lists. They are never changed in place: every function returns a new one.

use super::convert::{to_i64, to_text, to_texts};
use super::dicts::equal;
use super::flow::empty;
use super::{Function, bytes, error, fixed, int, list_result, text_result, variadic};
use crate::exec::{Env, Result};
use crate::signature::Type::{Any, Int, Str};
use crate::value::{Element, List, Text, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    variadic("list", &[], Any, |env, args| list_result(env, args.to_vec())),
    variadic("tuple", &[], Any, |env, args| list_result(env, args.to_vec())),
    fixed("append", &[Any, Any], push),
    fixed("push", &[Any, Any], push),
    fixed("mustAppend", &[Any, Any], push),
    fixed("mustPush", &[Any, Any], push),
    fixed("prepend", &[Any, Any], prepend),
    fixed("mustPrepend", &[Any, Any], prepend),
    fixed("first", &[Any], first),
    fixed("mustFirst", &[Any], first),
    fixed("last", &[Any], last),
    fixed("mustLast", &[Any], last),
    fixed("rest", &[Any], rest),
    fixed("mustRest", &[Any], rest),
    fixed("initial", &[Any], initial),
    fixed("mustInitial", &[Any], initial),
    fixed("reverse", &[Any], reverse),
    fixed("mustReverse", &[Any], reverse),
    fixed("compact", &[Any], compact),
    fixed("mustCompact", &[Any], compact),
    fixed("uniq", &[Any], uniq),
    fixed("mustUniq", &[Any], uniq),
    variadic("without", &[Any], Any, without),
    variadic("mustWithout", &[Any], Any, without),
    fixed("has", &[Any, Any], has),
    fixed("mustHas", &[Any, Any], has),
    variadic("slice", &[Any], Any, slice),
    variadic("mustSlice", &[Any], Any, slice),
    fixed("chunk", &[Int, Any], chunk),
    fixed("mustChunk", &[Int, Any], chunk),
    variadic("concat", &[], Any, concat),
    fixed("sortAlpha", &[Any], |env, args| {
        let mut texts = match args[0].slice_items() {
            Some(_) => to_texts(env, &args[0])?,
            None => vec![to_text(&args[0], env.context.limits.output)],
        };
        texts.sort();
        env.context.charge_items(texts.len() as u64)?;
        Ok(Value::strings(texts))
    }),
    fixed("join", &[Str, Any], |env, args| {
        let texts = to_texts(env, &args[1])?;
        let separators = texts.len().saturating_sub(1).saturating_mul(bytes(args, 0).len());
        env.context.charge_bytes(separators)?;
        let parts: Vec<&[u8]> = texts.iter().map(Text::bytes).collect();
        text_result(env, parts.join(bytes(args, 0)))
    }),
];

/// Go's panic where sprig asks nil for its type.
const NIL_POINTER: &str = "runtime error: invalid memory address or nil pointer dereference";

/// The items of a list, or sprig's complaint.
fn items(env: &mut Env<'_>, value: &Value, what: &str) -> Result<Vec<Value>> {
    let Some(items) = value.slice_items() else {
        if value.is_nil() {
            return error(NIL_POINTER);
        }
        return error(format!("Cannot {what} type {}", value.kind()));
    };
    env.context.charge_items(items.len() as u64)?;
    Ok(items.into_owned())
}

fn push(env: &mut Env<'_>, args: &[Value]) -> Result<Value> {
    let mut items = items(env, &args[0], "push on")?;
    items.push(args[1].clone());
    Ok(Value::list(items))
}

fn prepend(env: &mut Env<'_>, args: &[Value]) -> Result<Value> {
    let mut items = items(env, &args[0], "prepend on")?;
    items.insert(0, args[1].clone());
    Ok(Value::list(items))
}

fn first(env: &mut Env<'_>, args: &[Value]) -> Result<Value> {
    Ok(items(env, &args[0], "find first on")?
        .first()
        .cloned()
        .unwrap_or(Value::Nil))
}

fn last(env: &mut Env<'_>, args: &[Value]) -> Result<Value> {
    Ok(items(env, &args[0], "find last on")?.pop().unwrap_or(Value::Nil))
}

fn rest(env: &mut Env<'_>, args: &[Value]) -> Result<Value> {
    let mut items = items(env, &args[0], "find rest on")?;
    if items.is_empty() {
        return Ok(nil_list());
    }
    items.remove(0);
    Ok(Value::list(items))
}

fn initial(env: &mut Env<'_>, args: &[Value]) -> Result<Value> {
    let mut items = items(env, &args[0], "find initial on")?;
    match items.pop() {
        Some(_) => Ok(Value::list(items)),
        None => Ok(nil_list()),
    }
}

/// Go's nil slice.
fn nil_list() -> Value {
    Value::List(List::nil(Element::Any))
}

fn reverse(env: &mut Env<'_>, args: &[Value]) -> Result<Value> {
    let mut items = items(env, &args[0], "find reverse on")?;
    items.reverse();
    Ok(Value::list(items))
}

fn compact(env: &mut Env<'_>, args: &[Value]) -> Result<Value> {
    let mut items = items(env, &args[0], "compact on")?;
    items.retain(|item| !empty(item));
    Ok(Value::list(items))
}

/// Whether an item is in a list; pays for the comparisons.
fn contains(env: &mut Env<'_>, list: &[Value], item: &Value) -> Result<bool> {
    env.context.charge(list.len() as u64)?;
    for known in list {
        let both_containers = item.slice_items().is_some() || item.as_map().is_some();
        if both_containers {
            env.context.charge_value(item)?;
        }
        if equal(env, item, known) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn uniq(env: &mut Env<'_>, args: &[Value]) -> Result<Value> {
    let mut kept = Vec::new();
    for item in items(env, &args[0], "find uniq on")? {
        if !contains(env, &kept, &item)? {
            kept.push(item);
        }
    }
    Ok(Value::list(kept))
}

fn without(env: &mut Env<'_>, args: &[Value]) -> Result<Value> {
    let mut kept = Vec::new();
    for item in items(env, &args[0], "find without on")? {
        if !contains(env, &args[1..], &item)? {
            kept.push(item);
        }
    }
    Ok(Value::list(kept))
}

fn has(env: &mut Env<'_>, args: &[Value]) -> Result<Value> {
    if args[1].is_nil() {
        return Ok(Value::Bool(false));
    }
    let items = items(env, &args[1], "find has on")?;
    Ok(Value::Bool(contains(env, &items, &args[0])?))
}

/// Sprig's `slice`, which replaces Go's: positions are cast to `int`, only lists are cut.
fn slice(env: &mut Env<'_>, args: &[Value]) -> Result<Value> {
    if args[0].is_nil() {
        return error(NIL_POINTER);
    }
    if args[0].slice_items().is_none() {
        return error(format!("list should be type of slice or array but {}", args[0].kind()));
    }
    let items = items(env, &args[0], "slice")?;
    if items.is_empty() {
        return Ok(Value::Nil);
    }
    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let start = args.get(1).map_or(0, to_i64);
    let end = args.get(2).map_or(length, to_i64);
    let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
    let Some(cut) = range.and_then(|(start, end)| items.get(start..end)) else {
        return error("reflect.Value.Slice: slice index out of bounds");
    };
    if let Value::Bytes(bytes) = &args[0] {
        let (start, end) = range.unwrap_or((0, 0));
        return Ok(Value::Bytes(bytes[start..end].into()));
    }
    let element = if let Value::List(list) = &args[0] {
        list.element()
    } else {
        Element::Any
    };
    Ok(Value::List(List::typed(element, cut.to_vec())))
}

/// The number of chunks comes from a division of floats, which decides what odd sizes do.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "Go converts the same way"
)]
fn chunk(env: &mut Env<'_>, args: &[Value]) -> Result<Value> {
    const OUT_OF_RANGE: &str = "runtime error: makeslice: len out of range";
    let items = items(env, &args[1], "chunk")?;
    let size = int(args, 0);
    let count = ((items.len() as f64 - 1.0) / size as f64).floor() + 1.0;
    if !count.is_finite() || count < 0.0 {
        return error(OUT_OF_RANGE);
    }
    if count as i64 == 0 {
        return Ok(Value::List(List::typed(Element::List, Vec::new())));
    }
    // A negative size that gives chunks at all gives one, of everything.
    let size = match usize::try_from(size) {
        Ok(size) => size,
        Err(_) if items.is_empty() || size == -1 => return error(OUT_OF_RANGE),
        Err(_) => items.len(),
    };
    let chunks = items.chunks(size).map(|chunk| Value::list(chunk.to_vec())).collect();
    Ok(Value::List(List::typed(Element::List, chunks)))
}

fn concat(env: &mut Env<'_>, args: &[Value]) -> Result<Value> {
    let mut all = Vec::new();
    for list in args {
        if list.is_nil() {
            return error(NIL_POINTER);
        }
        if list.slice_items().is_none() {
            return error(format!("Cannot concat type {} as list", list.kind()));
        }
        all.extend(items(env, list, "concat")?);
    }
    Ok(if all.is_empty() { nil_list() } else { Value::list(all) })
}
