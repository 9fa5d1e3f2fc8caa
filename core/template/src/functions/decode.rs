//! Reading YAML and JSON inside a template. The forgiving functions put the complaint into the result.

use super::{Function, bytes, error, fixed, json};
use crate::exec::{Env, Result};
use crate::signature::Type::Str;
use crate::value::{Element, List, Map, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("fromYaml", &[Str], |env, args| {
        pay(env, args)?;
        let map = into_map(read_yaml(bytes(args, 0)), FROM_YAML, Value::Map(Map::new()));
        paid(env, map)
    }),
    fixed("fromYamlArray", &[Str], |env, args| {
        pay(env, args)?;
        let list = into_list(read_yaml(bytes(args, 0)), FROM_YAML, Value::list(Vec::new()));
        paid(env, list)
    }),
    fixed("fromJson", &[Str], |env, args| {
        pay(env, args)?;
        let null = Value::Map(Map::nil(Element::Any));
        Ok(into_map(json::read(bytes(args, 0)), FROM_JSON, null))
    }),
    fixed("fromJsonArray", &[Str], |env, args| {
        pay(env, args)?;
        let null = Value::List(List::nil(Element::Any));
        Ok(into_list(json::read(bytes(args, 0)), FROM_JSON, null))
    }),
    fixed("mustFromJson", &[Str], |env, args| {
        pay(env, args)?;
        match json::read(bytes(args, 0)) {
            Ok((value, None)) => Ok(value),
            Ok((_, Some(message))) | Err(message) => error(message),
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

/// A document that was read, with a complaint about a part of it; or why it cannot be read.
type Read = std::result::Result<(Value, Option<String>), String>;

fn read_yaml(text: &[u8]) -> Read {
    match capstan_yaml::parse_one_with_floats(text, capstan_yaml::Mode::Kube11) {
        Ok(document) => Ok((Value::from_document(&document), None)),
        // Keys are looked at in a second step.
        Err(problem)
            if problem.go_message.starts_with("unsupported map key") || problem.go_message.starts_with("json: ") =>
        {
            Err(format!("error converting YAML to JSON: {}", problem.go_message))
        }
        Err(problem) => Err(format!("error converting YAML to JSON: yaml: {}", problem.go_message)),
    }
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

/// What stands before the complaint that a document is of another kind: YAML is decoded in two steps.
const FROM_YAML: &str = "error unmarshaling JSON: while decoding JSON: ";
const FROM_JSON: &str = "";

/// A map, what `null` stands for, or a complaint, which is in the map where a part of it is at fault.
fn into_map(read: Read, prefix: &str, null: Value) -> Value {
    let message = match read {
        Ok((Value::Map(map), unfit)) => {
            if let Some(message) = unfit {
                map.insert("Error", Value::from(message));
            }
            return Value::Map(map);
        }
        Ok((Value::Nil, None)) => return null,
        Ok((other, _)) => mismatch(&other, prefix, "map[string]interface {}"),
        Err(message) => message,
    };
    Value::map([("Error", Value::from(message))])
}

/// A list, what `null` stands for, or a complaint.
fn into_list(read: Read, prefix: &str, null: Value) -> Value {
    let message = match read {
        Ok((value @ Value::List(_), None)) => return value,
        Ok((Value::Nil, None)) => return null,
        Ok((Value::List(_), Some(message))) | Err(message) => message,
        Ok((other, _)) => mismatch(&other, prefix, "[]interface {}"),
    };
    Value::list(vec![Value::from(message)])
}

fn mismatch(value: &Value, prefix: &str, wanted: &str) -> String {
    format!(
        "{prefix}json: cannot unmarshal {} into Go value of type {wanted}",
        json_kind(value)
    )
}
