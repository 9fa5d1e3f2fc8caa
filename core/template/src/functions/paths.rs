//! Slash-separated paths.

use super::{Function, bytes, fixed, string, text_result};
use crate::signature::Type::Str;
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("base", &[Str], |env, args| text_result(env, by_bytes(args, base))),
    fixed("osBase", &[Str], |env, args| text_result(env, by_bytes(args, base))),
    fixed("dir", &[Str], |env, args| text_result(env, by_bytes(args, dir))),
    fixed("osDir", &[Str], |env, args| text_result(env, by_bytes(args, dir))),
    fixed("clean", &[Str], |env, args| text_result(env, by_bytes(args, clean))),
    fixed("osClean", &[Str], |env, args| text_result(env, by_bytes(args, clean))),
    fixed("ext", &[Str], |env, args| text_result(env, by_bytes(args, extension))),
    fixed("osExt", &[Str], |env, args| text_result(env, by_bytes(args, extension))),
    fixed("isAbs", &[Str], |_, args| {
        Ok(Value::Bool(string(args, 0).starts_with('/')))
    }),
    fixed("osIsAbs", &[Str], |_, args| {
        Ok(Value::Bool(string(args, 0).starts_with('/')))
    }),
];

/// Applies a function of text to a path; one that is not UTF-8 is taken byte by byte.
fn by_bytes(args: &[Value], function: fn(&str) -> String) -> Vec<u8> {
    let path = bytes(args, 0);
    if let Ok(text) = std::str::from_utf8(path) {
        return function(text).into_bytes();
    }
    let text: String = path.iter().map(|b| char::from(*b)).collect();
    let result = function(&text);
    result.chars().filter_map(|c| u8::try_from(u32::from(c)).ok()).collect()
}

fn base(path: &str) -> String {
    if path.is_empty() {
        return ".".to_owned();
    }
    let trimmed = path.trim_end_matches('/');
    match trimmed.rsplit('/').next() {
        Some("") | None => "/".to_owned(),
        Some(last) => last.to_owned(),
    }
}

fn dir(path: &str) -> String {
    clean(path.rfind('/').map_or("", |slash| &path[..=slash]))
}

/// The shortest path with the same meaning.
fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            _ => parts.push(part),
        }
    }
    match (rooted, parts.join("/")) {
        (true, joined) => format!("/{joined}"),
        (false, joined) if joined.is_empty() => ".".to_owned(),
        (false, joined) => joined,
    }
}

fn extension(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or_default();
    name.rfind('.').map_or(String::new(), |dot| name[dot..].to_owned())
}
