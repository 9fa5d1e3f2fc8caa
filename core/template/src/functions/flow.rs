//! Defaults, choices, failures, and templates that call templates.

use std::rc::Rc;

use super::{Function, error, fixed, string, text_result, variadic};
use crate::error::{ExecError, Limit, TemplateError, mark};
use crate::exec::{Env, Exec, Result};
use crate::set::{ROOT, Scope, erase_no_value, parse};
use crate::signature::Type::{Any, Bool, Str};
use crate::value::Value;

/// How often a name may be included inside itself.
const MAX_INCLUDES: usize = 1000;

pub(super) const FUNCTIONS: &[Function] = &[
    variadic("default", &[Any], Any, |_, args| {
        Ok(args.get(1).filter(|given| !empty(given)).unwrap_or(&args[0]).clone())
    }),
    fixed("empty", &[Any], |_, args| Ok(Value::Bool(empty(&args[0])))),
    variadic("coalesce", &[], Any, |_, args| {
        Ok(args.iter().find(|value| !empty(value)).cloned().unwrap_or(Value::Nil))
    }),
    variadic("all", &[], Any, |_, args| Ok(Value::Bool(!args.iter().any(empty)))),
    variadic("any", &[], Any, |_, args| {
        Ok(Value::Bool(args.iter().any(|value| !empty(value))))
    }),
    fixed("ternary", &[Any, Any, Bool], |_, args| {
        Ok(args[usize::from(!args[2].truth())].clone())
    }),
    fixed("fail", &[Str], |_, args| error(mark(&string(args, 0)))),
    fixed("required", &[Str, Any], |_, args| match &args[1] {
        Value::Nil => error(mark(&string(args, 0))),
        Value::Str(text) if text.bytes().is_empty() => error(mark(&string(args, 0))),
        value => Ok(value.clone()),
    }),
    fixed("include", &[Str, Any], |env, args| {
        include(env, &string(args, 0), &args[1])
    }),
    fixed("tpl", &[Str, Any], |env, args| tpl(env, &args[0], &args[1])),
    fixed("lookup", &[Str, Str, Str, Str], |env, args| {
        match &mut env.context.ambient.lookup {
            None => Ok(Value::Map(crate::value::Map::new())),
            Some(lookup) => {
                lookup(&string(args, 0), &string(args, 1), &string(args, 2), &string(args, 3)).map_err(ExecError::plain)
            }
        }
    }),
    fixed("getHostByName", &[Str], |_, _| Ok(Value::from(""))),
    fixed("hello", &[], |_, _| Ok(Value::from("Hello!"))),
];

/// Sprig's notion of empty: the zero value of its type.
pub(super) fn empty(value: &Value) -> bool {
    !value.truth()
}

fn include(env: &mut Env<'_>, name: &str, data: &Value) -> Result<Value> {
    let count = env.context.included.entry(name.to_owned()).or_default();
    if *count > MAX_INCLUDES {
        let message = format!("rendering template has a nested reference name: {name}: unable to execute template");
        return Err(ExecError {
            message,
            limit: Some(Limit::Depth),
            cause: None,
        });
    }
    *count += 1;
    let result = env.execute_named(name, data.clone());
    if let Some(count) = env.context.included.get_mut(name) {
        *count -= 1;
    }
    Ok(Value::Str(result?.into()))
}

fn tpl(env: &mut Env<'_>, source: &Value, data: &Value) -> Result<Value> {
    let Value::Str(text) = source else {
        return Ok(Value::from(""));
    };
    let source = text.bytes();
    if memchr::memmem::find(source, b"{{").is_none() && memchr::memmem::find(source, b"<no value>").is_none() {
        return Ok(Value::Str(text.clone()));
    }
    // The parsed form is much larger than the text.
    env.context.charge_bytes(source.len())?;
    env.context.charge(source.len() as u64 * 8)?;
    let shown = || crate::gofmt::quote(source);
    let mut parsed = match parse(ROOT, source) {
        Ok(parsed) => parsed,
        Err(TemplateError::Parse { message, .. }) => {
            return error(format!("cannot parse template {}: {message}", shown()));
        }
        Err(TemplateError::Exec(other)) => return Err(other),
    };
    let Some(template) = parsed.remove(ROOT) else {
        return error(format!("cannot parse template {}", shown()));
    };
    let outer = Rc::clone(&env.scope);
    env.scope = Rc::new(Scope::inside(Rc::clone(&outer), parsed));
    let result = Exec::run(env, &template, data.clone());
    env.scope = outer;
    match result {
        Ok(bytes) => text_result(env, erase_no_value(bytes)),
        Err(inner) if inner.limit.is_some() => Err(inner),
        Err(inner) => {
            let message = format!("error during tpl function execution for {}: {}", shown(), inner.message);
            Err(ExecError {
                message,
                limit: None,
                cause: Some(Box::new(inner)),
            })
        }
    }
}
