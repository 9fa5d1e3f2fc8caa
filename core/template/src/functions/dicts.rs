//! Dicts. They are shared: `set`, `unset` and the merges change the one they are given.

use std::collections::BTreeMap;

use super::convert::to_text;
use super::flow::empty;
use super::{Function, bytes, error, fixed, map, variadic};
use crate::exec::{Env, Result};
use crate::signature::Type::{Any, Map as MapType, Str};
use crate::stack::grow;
use crate::value::{Element, List, Map, Text, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    variadic("dict", &[], Any, |env, args| {
        env.context.charge_items(args.len() as u64)?;
        if !args.is_empty() {
            env.context.charge(crate::context::MAP_COST)?;
        }
        let limit = env.context.limits.output;
        let mut entries = BTreeMap::new();
        for pair in args.chunks(2) {
            env.context.charge_value(&pair[0])?;
            let value = pair.get(1).cloned().unwrap_or_else(|| Value::from(""));
            entries.insert(to_text(&pair[0], limit), value);
        }
        Ok(Value::Map(Map::from_entries(entries)))
    }),
    fixed("get", &[MapType, Str], |_, args| {
        Ok(map(args, 0).get(bytes(args, 1)).unwrap_or_else(|| Value::from("")))
    }),
    fixed("set", &[MapType, Str, Any], |env, args| {
        let Value::Map(target) = &args[0] else {
            return error("assignment to entry in nil map");
        };
        if target.is_nil() {
            return error("assignment to entry in nil map");
        }
        put(env, target, bytes(args, 1).into(), args[2].clone())?;
        Ok(args[0].clone())
    }),
    fixed("unset", &[MapType, Str], |_, args| {
        map(args, 0).remove(bytes(args, 1));
        Ok(args[0].clone())
    }),
    fixed("hasKey", &[MapType, Str], |_, args| {
        Ok(Value::Bool(map(args, 0).contains_key(bytes(args, 1))))
    }),
    variadic("pluck", &[Str], MapType, |env, args| {
        env.context.charge_items(args.len() as u64)?;
        let key = bytes(args, 0);
        Ok(Value::list(
            (1..args.len()).filter_map(|i| map(args, i).get(key)).collect(),
        ))
    }),
    variadic("keys", &[], MapType, |env, args| {
        let mut keys = Vec::new();
        for i in 0..args.len() {
            let more = map(args, i).keys();
            env.context.charge_items(more.len() as u64)?;
            keys.extend(more);
        }
        Ok(Value::strings(keys))
    }),
    fixed("values", &[MapType], |env, args| {
        let values: Vec<Value> = map(args, 0).entries().into_iter().map(|(_, value)| value).collect();
        super::list_result(env, values)
    }),
    variadic("pick", &[MapType], Str, |env, args| {
        env.context.charge_items(args.len() as u64)?;
        let source = map(args, 0);
        let keys = (1..args.len()).map(|i| bytes(args, i));
        Ok(Value::map(
            keys.filter_map(|key| source.get(key).map(|value| (key, value))),
        ))
    }),
    variadic("omit", &[MapType], Str, |env, args| {
        let entries = map(args, 0).entries();
        env.context.charge_items(entries.len() as u64)?;
        let omitted = |key: &Text| (1..args.len()).any(|i| bytes(args, i) == key.bytes());
        Ok(Value::map(entries.into_iter().filter(|(key, _)| !omitted(key))))
    }),
    variadic("merge", &[MapType], MapType, |env, args| merge_all(env, args, false)),
    variadic("mustMerge", &[MapType], MapType, |env, args| {
        merge_all(env, args, false)
    }),
    variadic("mergeOverwrite", &[MapType], MapType, |env, args| {
        merge_all(env, args, true)
    }),
    variadic("mustMergeOverwrite", &[MapType], MapType, |env, args| {
        merge_all(env, args, true)
    }),
    fixed("deepCopy", &[Any], copy),
    fixed("mustDeepCopy", &[Any], copy),
    variadic("dig", &[], Any, |_, args| dig(args)),
    fixed("deepEqual", &[Any, Any], |env, args| {
        env.context.charge_value(&args[0])?;
        env.context.charge_value(&args[1])?;
        Ok(Value::Bool(equal(env, &args[0], &args[1])))
    }),
];

/// Go's `reflect.DeepEqual` within the nesting limit; deeper values are different.
pub(super) fn equal(env: &Env<'_>, a: &Value, b: &Value) -> bool {
    a.deep_equal(b, env.context.limits.nesting + 1).unwrap_or(false)
}

/// Sets an entry; a container may close a cycle, which the context breaks at its end.
fn put(env: &mut Env<'_>, target: &Map, key: Text, value: Value) -> Result<()> {
    env.context.charge(12 + key.bytes().len() as u64 / 8)?;
    if matches!(value, Value::Map(_) | Value::List(_)) {
        env.context.watched.push(target.watch());
    }
    target.insert(key, value);
    Ok(())
}

fn merge_all(env: &mut Env<'_>, args: &[Value], overwrite: bool) -> Result<Value> {
    let target = map(args, 0);
    let target = if target.is_nil() { Map::new() } else { target };
    for i in 1..args.len() {
        merge(env, &target, &map(args, i), overwrite, 0)?;
    }
    Ok(Value::Map(target))
}

/// Fills in (or replaces) entries. Maps merge into maps; what is taken over is shared, not copied.
fn merge(env: &mut Env<'_>, target: &Map, source: &Map, overwrite: bool, depth: usize) -> Result<()> {
    if target.same(source) {
        return Ok(());
    }
    if depth > env.context.limits.nesting {
        return env.context.charge_value(&Value::Map(source.clone()));
    }
    for (key, value) in source.entries() {
        env.context.charge(4)?;
        let old = target.get(&key);
        match (&old, &value) {
            (_, Value::Nil) => {
                if overwrite {
                    target.insert(key, value);
                }
                continue;
            }
            (Some(Value::Map(inner)), Value::Map(more)) => {
                grow(|| merge(env, inner, more, overwrite, depth + 1))?;
                if !inner.is_empty() {
                    continue;
                }
            }
            _ => {}
        }
        if overwrite || old.as_ref().is_none_or(empty) {
            put(env, target, key, value)?;
        }
    }
    Ok(())
}

fn copy(env: &mut Env<'_>, args: &[Value]) -> Result<Value> {
    if args[0].is_nil() {
        return error("reflect: call of reflect.Value.Type on zero Value");
    }
    env.context.charge_copy(&args[0])?;
    Ok(deep_copy(&args[0]))
}

fn deep_copy(value: &Value) -> Value {
    match value {
        Value::List(list) if list.is_nil() => value.clone(),
        Value::Map(map) if map.is_nil() => value.clone(),
        Value::List(list) => Value::List(List::typed(
            list.element(),
            list.items().iter().map(|item| grow(|| deep_copy(item))).collect(),
        )),
        Value::Map(map) => {
            let entries = map
                .entries()
                .into_iter()
                .map(|(key, value)| (key, grow(|| deep_copy(&value))))
                .collect();
            Value::Map(map.same_type(entries))
        }
        Value::Object(object) => object.deep_copied().unwrap_or_else(|| value.clone()),
        other => other.clone(),
    }
}

fn dig(args: &[Value]) -> Result<Value> {
    if args.len() < 3 {
        return error("dig needs at least three arguments");
    }
    let (keys, end) = args.split_at(args.len() - 2);
    let mut current = plain_map(&end[1])?;
    let mut names = Vec::with_capacity(keys.len());
    for key in keys {
        let Value::Str(key) = key else {
            return error(not_convertible(key, "string"));
        };
        names.push(key);
    }
    for (i, name) in names.iter().enumerate() {
        match current.get(name) {
            None => return Ok(end[0].clone()),
            Some(value) if i + 1 == names.len() => return Ok(value),
            Some(value) => current = plain_map(&value)?,
        }
    }
    Ok(end[0].clone())
}

/// A map of exactly Go's type `map[string]interface {}`.
fn plain_map(value: &Value) -> Result<Map> {
    match value {
        Value::Map(map) if map.element() == Element::Any && map.type_name().is_none() => Ok(map.clone()),
        other => error(not_convertible(other, "map[string]interface {}")),
    }
}

fn not_convertible(value: &Value, wanted: &str) -> String {
    let actual = if value.is_nil() {
        "nil".into()
    } else {
        value.type_name()
    };
    format!("interface conversion: interface {{}} is {actual}, not {wanted}")
}
