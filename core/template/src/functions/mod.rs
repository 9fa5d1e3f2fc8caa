//! The functions Helm registers, each with the types of its parameters.
//!
//! A function sees only arguments that fit its declared types; everything it makes or walks is paid for with steps.

mod builtin;
mod casing;
mod convert;
mod crypto;
mod dates;
mod decimal;
mod decode;
mod dicts;
mod digest;
mod encode;
mod flow;
mod json;
mod lists;
mod numbers;
mod paths;
mod pattern;
mod random;
mod semver;
mod text;
mod toml;
mod urls;

pub(crate) use pattern::Pattern;
pub use pattern::{PatternError, check_pattern, compile_pattern};
pub use semver::matches_constraint;

pub use encode::to_yaml;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::error::ExecError;
use crate::exec::{Env, Result};
use crate::signature::Type;
use crate::value::{Map, Text, Value, text};

/// A function and what it takes.
#[derive(Clone, Copy)]
pub(crate) struct Function {
    pub(crate) name: &'static str,
    pub(crate) fixed: &'static [Type],
    /// The type of further arguments.
    pub(crate) variadic: Option<Type>,
    pub(crate) call: Call,
}

pub(crate) type Call = fn(&mut Env<'_>, &[Value]) -> Result<Value>;

const fn fixed(name: &'static str, fixed: &'static [Type], call: Call) -> Function {
    Function {
        name,
        fixed,
        variadic: None,
        call,
    }
}

const fn variadic(name: &'static str, fixed: &'static [Type], more: Type, call: Call) -> Function {
    Function {
        name,
        fixed,
        variadic: Some(more),
        call,
    }
}

static FUNCTIONS: LazyLock<BTreeMap<&'static str, Function>> = LazyLock::new(|| {
    [
        builtin::FUNCTIONS,
        casing::FUNCTIONS,
        convert::FUNCTIONS,
        crypto::FUNCTIONS,
        dates::FUNCTIONS,
        decode::FUNCTIONS,
        dicts::FUNCTIONS,
        digest::FUNCTIONS,
        encode::FUNCTIONS,
        flow::FUNCTIONS,
        lists::FUNCTIONS,
        numbers::FUNCTIONS,
        paths::FUNCTIONS,
        pattern::FUNCTIONS,
        random::FUNCTIONS,
        semver::FUNCTIONS,
        text::FUNCTIONS,
        toml::FUNCTIONS,
        urls::FUNCTIONS,
    ]
    .into_iter()
    .flatten()
    .map(|function| (function.name, *function))
    .collect()
});

/// Looks a function up.
pub(crate) fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.get(name)
}

/// Whether a function is registered.
pub(crate) fn exists(name: &str) -> bool {
    FUNCTIONS.contains_key(name)
}

/// The names of all functions, in order.
#[must_use]
pub fn function_names() -> Vec<&'static str> {
    FUNCTIONS.keys().copied().collect()
}

fn error<T>(message: impl Into<String>) -> Result<T> {
    Err(ExecError::plain(message))
}

/// A string argument's bytes.
fn bytes(args: &[Value], i: usize) -> &[u8] {
    match args.get(i) {
        Some(Value::Str(text)) => text.bytes(),
        _ => &[],
    }
}

/// A string argument as text.
fn string(args: &[Value], i: usize) -> Cow<'_, str> {
    text(bytes(args, i))
}

/// An `int` argument.
fn int(args: &[Value], i: usize) -> i64 {
    match args.get(i) {
        Some(Value::Int(n)) => *n,
        _ => 0,
    }
}

/// A map argument; nil is an empty map.
fn map(args: &[Value], i: usize) -> Map {
    match args.get(i) {
        Some(Value::Map(map)) => map.clone(),
        _ => Map::new(),
    }
}

/// A string result, paid for.
fn text_result(env: &mut Env<'_>, text: impl Into<Text>) -> Result<Value> {
    let text = text.into();
    env.context.charge_bytes(text.bytes().len())?;
    Ok(Value::Str(text))
}

/// A list result, paid for.
fn list_result(env: &mut Env<'_>, items: Vec<Value>) -> Result<Value> {
    env.context.charge_items(items.len() as u64)?;
    Ok(Value::list(items))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_is_registered_twice() {
        let all = [
            builtin::FUNCTIONS,
            casing::FUNCTIONS,
            convert::FUNCTIONS,
            crypto::FUNCTIONS,
            dates::FUNCTIONS,
            decode::FUNCTIONS,
            dicts::FUNCTIONS,
            digest::FUNCTIONS,
            encode::FUNCTIONS,
            flow::FUNCTIONS,
            lists::FUNCTIONS,
            numbers::FUNCTIONS,
            paths::FUNCTIONS,
            pattern::FUNCTIONS,
            random::FUNCTIONS,
            semver::FUNCTIONS,
            text::FUNCTIONS,
            toml::FUNCTIONS,
            urls::FUNCTIONS,
        ];
        let count: usize = all.iter().map(|functions| functions.len()).sum();
        assert_eq!(count, function_names().len());
        assert!(!exists("env") && !exists("expandenv"));
    }
}
