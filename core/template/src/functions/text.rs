//! Strings. Lengths and positions are in bytes, as in Go.

use std::collections::BTreeMap;

use super::{Function, bytes, error, fixed, int, string, text_result};
use crate::exec::{Env, Result};
use crate::signature::Type::{Int, Str};
use crate::value::{Element, Map, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("trim", &[Str], |env, args| {
        text_result(env, string_or_bytes(args, 0, |s| s.trim()))
    }),
    fixed("trimall", &[Str, Str], trim_all),
    fixed("trimAll", &[Str, Str], trim_all),
    fixed("trimSuffix", &[Str, Str], |env, args| {
        let text = bytes(args, 1);
        text_result(env, text.strip_suffix(bytes(args, 0)).unwrap_or(text))
    }),
    fixed("trimPrefix", &[Str, Str], |env, args| {
        let text = bytes(args, 1);
        text_result(env, text.strip_prefix(bytes(args, 0)).unwrap_or(text))
    }),
    fixed("contains", &[Str, Str], |_, args| {
        Ok(Value::Bool(find(bytes(args, 1), bytes(args, 0)).is_some()))
    }),
    fixed("hasPrefix", &[Str, Str], |_, args| {
        Ok(Value::Bool(bytes(args, 1).starts_with(bytes(args, 0))))
    }),
    fixed("hasSuffix", &[Str, Str], |_, args| {
        Ok(Value::Bool(bytes(args, 1).ends_with(bytes(args, 0))))
    }),
    fixed("trunc", &[Int, Str], |env, args| {
        let text = bytes(args, 1);
        let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
        let count = int(args, 0);
        let cut = if count < 0 && length + count > 0 {
            &text[usize::try_from(length + count).unwrap_or(0)..]
        } else if count >= 0 && length > count {
            &text[..usize::try_from(count).unwrap_or(0)]
        } else {
            text
        };
        text_result(env, cut)
    }),
    fixed("substr", &[Int, Int, Str], substr),
    fixed("repeat", &[Int, Str], |env, args| {
        let Ok(count) = usize::try_from(int(args, 0)) else {
            return error("strings: negative Repeat count");
        };
        env.context.charge_bytes(bytes(args, 1).len().saturating_mul(count))?;
        Ok(Value::Str(bytes(args, 1).repeat(count).into()))
    }),
    fixed("replace", &[Str, Str, Str], |env, args| {
        let replaced = replace(env, bytes(args, 2), bytes(args, 0), bytes(args, 1))?;
        Ok(Value::Str(replaced.into()))
    }),
    fixed("indent", &[Int, Str], |env, args| indent(env, args, "")),
    fixed("nindent", &[Int, Str], |env, args| indent(env, args, "\n")),
    fixed("plural", &[Str, Str, Int], |_, args| {
        Ok(args[usize::from(int(args, 2) != 1)].clone())
    }),
    fixed("splitList", &[Str, Str], |env, args| {
        let parts = split(bytes(args, 1), bytes(args, 0), usize::MAX);
        env.context.charge_items(parts.len() as u64)?;
        Ok(Value::strings(parts))
    }),
    fixed("split", &[Str, Str], |env, args| {
        numbered(env, split(bytes(args, 1), bytes(args, 0), usize::MAX))
    }),
    fixed("splitn", &[Str, Int, Str], |env, args| {
        let parts = match usize::try_from(int(args, 1)) {
            Ok(count) => split(bytes(args, 2), bytes(args, 0), count),
            Err(_) => split(bytes(args, 2), bytes(args, 0), usize::MAX),
        };
        numbered(env, parts)
    }),
    fixed("abbrev", &[Int, Str], |env, args| {
        let text = string(args, 1);
        let width = int(args, 0);
        if width < 4 {
            return Ok(args[1].clone());
        }
        text_result(env, abbreviate(&text, 0, width))
    }),
    fixed("abbrevboth", &[Int, Int, Str], |env, args| {
        let (left, right) = (int(args, 0), int(args, 1));
        if right < 4 || (left > 0 && right < 7) {
            return Ok(args[2].clone());
        }
        text_result(env, abbreviate(&string(args, 2), left, right))
    }),
    fixed("nospace", &[Str], |env, args| {
        text_result(
            env,
            string(args, 0)
                .chars()
                .filter(|c| !c.is_whitespace())
                .collect::<String>(),
        )
    }),
    fixed("initials", &[Str], |env, args| {
        let text = string(args, 0);
        let initials: String = text.split_whitespace().filter_map(|word| word.chars().next()).collect();
        text_result(env, initials)
    }),
    fixed("wrap", &[Int, Str], |env, args| {
        wrap(env, &string(args, 1), int(args, 0), "\n", false)
    }),
    fixed("wrapWith", &[Int, Str, Str], |env, args| {
        wrap(env, &string(args, 2), int(args, 0), &string(args, 1), true)
    }),
];

/// Applies a function of text; bytes that are not UTF-8 are kept when nothing changes.
fn string_or_bytes(args: &[Value], i: usize, change: impl Fn(&str) -> &str) -> Vec<u8> {
    match std::str::from_utf8(bytes(args, i)) {
        Ok(text) => change(text).as_bytes().to_vec(),
        Err(_) => change(&string(args, i)).as_bytes().to_vec(),
    }
}

fn trim_all(env: &mut Env<'_>, args: &[Value]) -> Result<Value> {
    let set = string(args, 0).into_owned();
    text_result(
        env,
        string_or_bytes(args, 1, |text| text.trim_matches(|c| set.contains(c))),
    )
}

/// Where a part begins in a text.
pub(super) fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    if part.is_empty() {
        return Some(0);
    }
    text.windows(part.len()).position(|window| window == part)
}

/// Go's `strings.SplitN`; an empty separator splits into characters.
pub(super) fn split<'a>(text: &'a [u8], separator: &[u8], count: usize) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    if count == 0 {
        return parts;
    }
    let mut rest = text;
    while parts.len() + 1 < count {
        let (end, next) = if separator.is_empty() {
            let step = std::str::from_utf8(rest)
                .ok()
                .and_then(|t| t.chars().next())
                .map_or(1, char::len_utf8);
            if step >= rest.len() {
                break;
            }
            (step, step)
        } else {
            match find(rest, separator) {
                Some(at) => (at, at + separator.len()),
                None => break,
            }
        };
        parts.push(&rest[..end]);
        rest = &rest[next..];
    }
    if !(separator.is_empty() && text.is_empty()) {
        parts.push(rest);
    }
    parts
}

/// `map[string]string` with the keys `_0`, `_1`, ….
fn numbered(env: &mut Env<'_>, parts: Vec<&[u8]>) -> Result<Value> {
    env.context.charge_items(parts.len() as u64)?;
    let entries: BTreeMap<String, Value> = parts
        .into_iter()
        .enumerate()
        .map(|(i, part)| (format!("_{i}"), Value::Str(part.into())))
        .collect();
    Ok(Value::Map(Map::typed(Element::Str, entries)))
}

fn replace(env: &mut Env<'_>, text: &[u8], old: &[u8], new: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    if old.is_empty() {
        let count = String::from_utf8_lossy(text).chars().count() + 1;
        env.context
            .charge_bytes(new.len().saturating_mul(count).saturating_add(text.len()))?;
        let text = String::from_utf8_lossy(text);
        for c in text.chars() {
            out.extend_from_slice(new);
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
        out.extend_from_slice(new);
        return Ok(out);
    }
    env.context.charge_bytes(text.len())?;
    let mut rest = text;
    while let Some(at) = find(rest, old) {
        env.context
            .charge_bytes(out.len().saturating_add(new.len()).min(new.len() + 1))?;
        if out.len() > env.context.limits.output {
            env.context.charge_bytes(out.len())?;
        }
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(new);
        rest = &rest[at + old.len()..];
    }
    out.extend_from_slice(rest);
    Ok(out)
}

fn indent(env: &mut Env<'_>, args: &[Value], before: &str) -> Result<Value> {
    let Ok(spaces) = usize::try_from(int(args, 0)) else {
        return error("strings: negative Repeat count");
    };
    let text = bytes(args, 1);
    let lines = 1 + text.iter().filter(|b| **b == b'\n').count();
    env.context
        .charge_bytes(spaces.saturating_mul(lines).saturating_add(text.len()))?;
    let pad = b" ".repeat(spaces);
    let mut out = Vec::with_capacity(before.len() + text.len() + spaces * lines);
    out.extend_from_slice(before.as_bytes());
    for line in text.split_inclusive(|b| *b == b'\n') {
        out.extend_from_slice(&pad);
        out.extend_from_slice(line);
    }
    if text.is_empty() || text.ends_with(b"\n") {
        out.extend_from_slice(&pad);
    }
    Ok(Value::Str(out.into()))
}

fn substr(env: &mut Env<'_>, args: &[Value]) -> Result<Value> {
    let (start, end, text) = (int(args, 0), int(args, 1), bytes(args, 2));
    let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
    let (from, to) = if start < 0 {
        (0, end)
    } else if end < 0 || end > length {
        (start, length)
    } else {
        (start, end)
    };
    let range = usize::try_from(from).ok().zip(usize::try_from(to).ok());
    match range.and_then(|(from, to)| text.get(from..to)) {
        Some(cut) => text_result(env, cut),
        None => error(format!(
            "runtime error: slice bounds out of range [{from}:{to}] with length {length}"
        )),
    }
}

/// Shortens a text to a width with `...` at its end, and at its beginning when it starts later.
fn abbreviate(text: &str, offset: i64, width: i64) -> String {
    let characters: Vec<char> = text.chars().collect();
    let length = i64::try_from(characters.len()).unwrap_or(i64::MAX);
    let part = |from: i64, to: i64| -> String {
        let from = usize::try_from(from.clamp(0, length)).unwrap_or(0);
        let to = usize::try_from(to.clamp(0, length)).unwrap_or(0);
        characters.get(from..to).unwrap_or_default().iter().collect()
    };
    if length <= width {
        return text.to_owned();
    }
    let mut offset = offset.min(length);
    if length - offset < width - 3 {
        offset = length - (width - 3);
    }
    if offset <= 4 {
        return format!("{}...", part(0, width - 3));
    }
    if offset + width - 3 < length {
        return format!("...{}", abbreviate(&part(offset, length), 0, width - 3));
    }
    format!("...{}", part(length - (width - 3), length))
}

/// Breaks a text at spaces so that lines have at most `width` characters; long words are cut only if asked.
fn wrap(env: &mut Env<'_>, text: &str, width: i64, newline: &str, cut_words: bool) -> Result<Value> {
    let width = usize::try_from(width.max(1)).unwrap_or(1);
    let newline = if newline.is_empty() { "\n" } else { newline };
    env.context.charge_bytes(text.len().saturating_mul(newline.len() + 1))?;
    let characters: Vec<char> = text.chars().collect();
    let (mut out, mut offset) = (String::new(), 0);
    while characters.len() - offset > width {
        if characters[offset] == ' ' {
            offset += 1;
            continue;
        }
        let end = width + offset + 1;
        let space = characters[offset..end.min(characters.len())]
            .iter()
            .rposition(|c| *c == ' ')
            .map(|at| at + offset);
        let (upto, next) = match space {
            Some(at) => (at, at + 1),
            None if cut_words => (width + offset, width + offset),
            None => match characters[width + offset..].iter().position(|c| *c == ' ') {
                Some(at) => (at + width + offset, at + width + offset + 1),
                None => (characters.len(), characters.len()),
            },
        };
        out.extend(&characters[offset..upto]);
        if space.is_some() || cut_words || upto < characters.len() {
            out.push_str(newline);
        }
        offset = next;
    }
    out.extend(&characters[offset..]);
    text_result(env, out)
}
