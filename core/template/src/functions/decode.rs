//! Reading YAML and JSON inside a template. The forgiving functions put the complaint into the result.

use super::{Function, bytes, error, fixed, string};
use crate::exec::{Env, Result};
use crate::signature::Type::Str;
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("fromYaml", &[Str], |env, args| {
        pay(env, args)?;
        Ok(into_map(read_yaml(&string(args, 0))))
    }),
    fixed("fromYamlArray", &[Str], |env, args| {
        pay(env, args)?;
        Ok(into_list(read_yaml(&string(args, 0))))
    }),
    fixed("fromJson", &[Str], |env, args| {
        pay(env, args)?;
        Ok(into_map(read_json(bytes(args, 0))))
    }),
    fixed("fromJsonArray", &[Str], |env, args| {
        pay(env, args)?;
        Ok(into_list(read_json(bytes(args, 0))))
    }),
    fixed("mustFromJson", &[Str], |env, args| {
        pay(env, args)?;
        match read_json(bytes(args, 0)) {
            Ok(value) => Ok(value),
            Err(message) => error(message),
        }
    }),
];

/// Pays for reading: a value takes more room than its text.
fn pay(env: &mut Env<'_>, args: &[Value]) -> Result<()> {
    env.context.charge(bytes(args, 0).len() as u64 / 4 + 1)
}

fn read_yaml(text: &str) -> std::result::Result<Value, String> {
    match capstan_yaml::parse_one(text, capstan_yaml::Mode::Kube11) {
        Ok(document) => Ok(Value::from_document(&document)),
        Err(problem) => Err(format!(
            "error converting YAML to JSON: yaml: {}",
            go_yaml_message(&problem)
        )),
    }
}

/// The complaint with its line, as go-yaml writes it: errors on the first line name none.
fn go_yaml_message(problem: &capstan_yaml::YamlError) -> String {
    let message = problem.message.as_str();
    if problem.line > 1 {
        format!("line {}: {message}", problem.line)
    } else {
        message.to_owned()
    }
}

fn read_json(text: &[u8]) -> std::result::Result<Value, String> {
    match serde_json::from_slice::<serde_json::Value>(text) {
        Ok(document) => Ok(Value::from_document(&document)),
        Err(problem) if problem.is_eof() => Err("unexpected end of JSON input".to_owned()),
        Err(problem) => {
            let line = text
                .split(|b| *b == b'\n')
                .nth(problem.line().saturating_sub(1))
                .unwrap_or_default();
            let found = line
                .get(problem.column().saturating_sub(1))
                .map_or('?', |b| char::from(*b));
            Err(format!("invalid character '{found}' looking for beginning of value"))
        }
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

fn into_map(read: std::result::Result<Value, String>) -> Value {
    let message = match read {
        Ok(value @ Value::Map(_)) => return value,
        Ok(Value::Nil) => return Value::Map(crate::value::Map::new()),
        Ok(other) => mismatch(&other, "map[string]interface {}"),
        Err(message) => message,
    };
    Value::map([("Error", Value::from(message))])
}

fn into_list(read: std::result::Result<Value, String>) -> Value {
    let message = match read {
        Ok(value @ Value::List(_)) => return value,
        Ok(Value::Nil) => return Value::list(Vec::new()),
        Ok(other) => mismatch(&other, "[]interface {}"),
        Err(message) => message,
    };
    Value::list(vec![Value::from(message)])
}

fn mismatch(value: &Value, wanted: &str) -> String {
    format!(
        "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {} into Go value of type {wanted}",
        json_kind(value)
    )
}
