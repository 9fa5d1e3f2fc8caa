//! Reading YAML and JSON inside a template. The forgiving functions put the complaint into the result.

use super::{Function, bytes, error, fixed, json};
use crate::exec::{Env, Result};
use crate::signature::Type::Str;
use crate::value::{Element, List, Map, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("fromYaml", &[Str], |env, args| {
        pay(env, args)?;
        let map = into_map(read_yaml(bytes(args, 0)), Value::Map(Map::new()));
        paid(env, map)
    }),
    fixed("fromYamlArray", &[Str], |env, args| {
        pay(env, args)?;
        let list = into_list(read_yaml(bytes(args, 0)), Value::list(Vec::new()));
        paid(env, list)
    }),
    fixed("fromJson", &[Str], |env, args| {
        pay(env, args)?;
        Ok(into_map(read_json(bytes(args, 0)), Value::Map(Map::nil(Element::Any))))
    }),
    fixed("fromJsonArray", &[Str], |env, args| {
        pay(env, args)?;
        Ok(into_list(
            read_json(bytes(args, 0)),
            Value::List(List::nil(Element::Any)),
        ))
    }),
    fixed("mustFromJson", &[Str], |env, args| {
        pay(env, args)?;
        match json::read(bytes(args, 0)) {
            Ok(value) => Ok(value),
            Err(message) => error(message),
        }
    }),
];

/// Pays for reading: a value takes much more room than its text.
fn pay(env: &mut Env<'_>, args: &[Value]) -> Result<()> {
    env.context.charge(bytes(args, 0).len() as u64 * 4 + 1)
}

/// Pays for what the aliases of a text became.
fn paid(env: &mut Env<'_>, value: Value) -> Result<Value> {
    env.context.charge_copy(&value)?;
    Ok(value)
}

fn read_yaml(text: &[u8]) -> std::result::Result<Value, String> {
    match capstan_yaml::parse_one_with_floats(text, capstan_yaml::Mode::Kube11) {
        Ok(document) => Ok(Value::from_document(&document)),
        // Keys are looked at in a second step.
        Err(problem)
            if problem.go_message.starts_with("unsupported map key") || problem.go_message.starts_with("json: ") =>
        {
            Err(format!("error converting YAML to JSON: {}", problem.go_message))
        }
        Err(problem) => Err(format!("error converting YAML to JSON: yaml: {}", problem.go_message)),
    }
}

/// As [`json::read`], for a wanted map or list: a number that no float can hold is first of all a number.
fn read_json(text: &[u8]) -> std::result::Result<Value, String> {
    let read = json::read(text);
    let out_of_range = matches!(&read, Err(message) if message.starts_with("json: cannot unmarshal number"));
    if out_of_range && !text.trim_ascii_start().starts_with(b"[") && !text.trim_ascii_start().starts_with(b"{") {
        return Ok(Value::Float(0.0));
    }
    read
}

/// How Go names the JSON kind of a value.
fn json_kind(value: &Value) -> &'static str {
    match value {
        Value::List(_) => "array",
        Value::Map(_) => "object",
        Value::Str(_) => "string",
        Value::Bool(_) => "bool",
        _ => "number",
    }
}

/// A map, what `null` stands for, or a complaint.
fn into_map(read: std::result::Result<Value, String>, null: Value) -> Value {
    let message = match read {
        Ok(value @ Value::Map(_)) => return value,
        Ok(Value::Nil) => return null,
        Ok(other) => mismatch(&other, "map[string]interface {}", &null),
        Err(message) => message,
    };
    Value::map([("Error", Value::from(message))])
}

/// A list, what `null` stands for, or a complaint.
fn into_list(read: std::result::Result<Value, String>, null: Value) -> Value {
    let message = match read {
        Ok(value @ Value::List(_)) => return value,
        Ok(Value::Nil) => return null,
        Ok(other) => mismatch(&other, "[]interface {}", &null),
        Err(message) => message,
    };
    Value::list(vec![Value::from(message)])
}

fn mismatch(value: &Value, wanted: &str, null: &Value) -> String {
    // YAML is decoded in two steps, which the complaint tells.
    let from_json = match null {
        Value::Map(map) => map.is_nil(),
        Value::List(list) => list.is_nil(),
        _ => false,
    };
    let prefix = if from_json {
        ""
    } else {
        "error unmarshaling JSON: while decoding JSON: "
    };
    format!(
        "{prefix}json: cannot unmarshal {} into Go value of type {wanted}",
        json_kind(value)
    )
}
