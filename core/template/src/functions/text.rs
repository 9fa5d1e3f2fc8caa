//! Strings. Lengths and positions are in bytes, as in Go.

use super::{Function, bytes, error, fixed, int, string, text_result};
use crate::exec::{Env, Result};
use crate::signature::Type::{Int, Str};
use crate::value::{Element, Entries, Map, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("trim", &[Str], |env, args| {
        text_result(env, trim_by(bytes(args, 0), char::is_whitespace))
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
        Ok(Value::strings(split(env, bytes(args, 1), bytes(args, 0), usize::MAX)?))
    }),
    fixed("split", &[Str, Str], |env, args| {
        let parts = split(env, bytes(args, 1), bytes(args, 0), usize::MAX)?;
        numbered(env, parts)
    }),
    fixed("splitn", &[Str, Int, Str], |env, args| {
        let count = usize::try_from(int(args, 1)).unwrap_or(usize::MAX);
        let parts = split(env, bytes(args, 2), bytes(args, 0), count)?;
        numbered(env, parts)
    }),
    fixed("abbrev", &[Int, Str], |env, args| {
        let width = int(args, 0);
        if width < 4 {
            return Ok(args[1].clone());
        }
        text_result(env, abbreviate(bytes(args, 1), 0, width))
    }),
    fixed("abbrevboth", &[Int, Int, Str], |env, args| {
        let (left, right) = (int(args, 0), int(args, 1));
        if right < 4 || (left > 0 && right < 7) {
            return Ok(args[2].clone());
        }
        text_result(env, abbreviate(bytes(args, 2), left, right))
    }),
    fixed("nospace", &[Str], |env, args| {
        let text = bytes(args, 0);
        if !text.iter().any(|b| is_space_byte(*b)) {
            return Ok(args[0].clone());
        }
        let kept = text.iter().filter(|b| !is_space_byte(**b)).map(|b| char::from(*b));
        text_result(env, kept.collect::<String>())
    }),
    fixed("initials", &[Str], |env, args| {
        let mut after_gap = true;
        let mut initials = String::new();
        for byte in bytes(args, 0) {
            if is_space_byte(*byte) {
                after_gap = true;
            } else if std::mem::take(&mut after_gap) {
                initials.push(char::from(*byte));
            }
        }
        text_result(env, initials)
    }),
    fixed("wrap", &[Int, Str], |env, args| {
        wrap(env, bytes(args, 1), int(args, 0), b"\n", false)
    }),
    fixed("wrapWith", &[Int, Str, Str], |env, args| {
        wrap(env, bytes(args, 2), int(args, 0), bytes(args, 1), true)
    }),
];

/// Cuts characters from both ends of a text, where a broken byte is U+FFFD.
fn trim_by(text: &[u8], cut: impl Fn(char) -> bool) -> &[u8] {
    let mut text = text;
    while !text.is_empty() {
        let length = first_length(text);
        if !cut(character(&text[..length])) {
            break;
        }
        text = &text[length..];
    }
    while let Some(last) = last_length(text) {
        let (rest, end) = text.split_at(text.len() - last);
        if !cut(character(end)) {
            break;
        }
        text = rest;
    }
    text
}

fn character(bytes: &[u8]) -> char {
    std::str::from_utf8(bytes)
        .ok()
        .and_then(|text| text.chars().next())
        .unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// The length of the last character; a broken byte is one.
fn last_length(text: &[u8]) -> Option<usize> {
    let whole = (1..=text.len().min(4))
        .find(|length| std::str::from_utf8(&text[text.len() - length..]).is_ok_and(|tail| tail.chars().count() == 1));
    whole.or(Some(1)).filter(|_| !text.is_empty())
}

fn trim_all(env: &mut Env<'_>, args: &[Value]) -> Result<Value> {
    let set: std::collections::BTreeSet<char> = string(args, 0).chars().collect();
    text_result(env, trim_by(bytes(args, 1), |c| set.contains(&c)))
}

/// Where a part begins in a text.
pub(super) fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, part)
}

/// The length of the first character; every broken byte is one.
fn first_length(text: &[u8]) -> usize {
    let head = &text[..text.len().min(4)];
    match head.utf8_chunks().next() {
        Some(chunk) => chunk.valid().chars().next().map_or(1, char::len_utf8),
        None => 0,
    }
}

/// Go's `strings.SplitN`; an empty separator splits into characters. Pays for the parts.
pub(super) fn split<'a>(env: &mut Env<'_>, text: &'a [u8], separator: &[u8], count: usize) -> Result<Vec<&'a [u8]>> {
    let mut parts = Vec::new();
    if count == 0 {
        return Ok(parts);
    }
    env.context.charge_bytes(text.len())?;
    let finder = memchr::memmem::Finder::new(separator);
    let mut rest = text;
    while parts.len() + 1 < count {
        let (end, next) = if separator.is_empty() {
            let step = first_length(rest);
            if step >= rest.len() {
                break;
            }
            (step, step)
        } else {
            match finder.find(rest) {
                Some(at) => (at, at + separator.len()),
                None => break,
            }
        };
        env.context.charge_items(1)?;
        parts.push(&rest[..end]);
        rest = &rest[next..];
    }
    if !(separator.is_empty() && text.is_empty()) {
        parts.push(rest);
    }
    Ok(parts)
}

/// `map[string]string` with the keys `_0`, `_1`, ….
fn numbered(env: &mut Env<'_>, parts: Vec<&[u8]>) -> Result<Value> {
    env.context.charge_items(parts.len() as u64)?;
    let entries: Entries = parts
        .into_iter()
        .enumerate()
        .map(|(i, part)| (format!("_{i}").into(), Value::Str(part.into())))
        .collect();
    Ok(Value::Map(Map::typed(Element::Str, entries)))
}

fn replace(env: &mut Env<'_>, text: &[u8], old: &[u8], new: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    env.context.charge_bytes(text.len())?;
    let step = |env: &mut Env<'_>, out: &mut Vec<u8>| {
        out.extend_from_slice(new);
        env.context.check_size(out.len())?;
        env.context.charge(new.len() as u64 / 8 + 1)
    };
    let mut rest = text;
    if old.is_empty() {
        step(env, &mut out)?;
        while !rest.is_empty() {
            let (head, tail) = rest.split_at(first_length(rest));
            out.extend_from_slice(head);
            step(env, &mut out)?;
            rest = tail;
        }
        return Ok(out);
    }
    let finder = memchr::memmem::Finder::new(old);
    while let Some(at) = finder.find(rest) {
        out.extend_from_slice(&rest[..at]);
        step(env, &mut out)?;
        rest = &rest[at + old.len()..];
    }
    out.extend_from_slice(rest);
    env.context.check_size(out.len())?;
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
        None if to > length => error(format!(
            "runtime error: slice bounds out of range [:{to}] with length {length}"
        )),
        None if to < 0 => error(format!("runtime error: slice bounds out of range [:{to}]")),
        None => error(format!("runtime error: slice bounds out of range [{from}:{to}]")),
    }
}

/// Space by the library's notion: it takes every byte for a character.
fn is_space_byte(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ' | 0x85 | 0xa0)
}

/// Shortens a text to a width with `...` at its end, and at its beginning when it starts later.
fn abbreviate(text: &[u8], offset: i64, width: i64) -> Vec<u8> {
    let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
    let part = |from: i64, to: i64| -> &[u8] {
        let from = usize::try_from(from.clamp(0, length)).unwrap_or(0);
        let to = usize::try_from(to.clamp(0, length)).unwrap_or(0);
        text.get(from..to).unwrap_or_default()
    };
    if width < 4 {
        return Vec::new();
    }
    if length <= width {
        return text.to_vec();
    }
    let mut offset = offset.min(length);
    if length - offset < width - 3 {
        offset = length - (width - 3);
    }
    if offset <= 4 {
        return [part(0, width - 3), b"..."].concat();
    }
    if width < 7 {
        return Vec::new();
    }
    if offset + width - 3 < length {
        return [b"...".to_vec(), abbreviate(part(offset, length), 0, width - 3)].concat();
    }
    [b"...", part(length - (width - 3), length)].concat()
}

/// Breaks a text at spaces so that lines have at most `width` bytes; long words are cut only if asked.
fn wrap(env: &mut Env<'_>, text: &[u8], width: i64, newline: &[u8], cut_words: bool) -> Result<Value> {
    let width = usize::try_from(width.max(1)).unwrap_or(1);
    let newline = if newline.is_empty() { b"\n" } else { newline };
    env.context.charge_bytes(text.len())?;
    let (mut out, mut offset) = (Vec::new(), 0);
    while text.len() - offset > width {
        if text[offset] == b' ' {
            offset += 1;
            continue;
        }
        let end = width + offset;
        let space = text[offset..=end]
            .iter()
            .rposition(|b| *b == b' ')
            .map(|at| at + offset);
        let (upto, next) = match space {
            Some(at) => (at, at + 1),
            None if cut_words => (end, end),
            None => match text[end..].iter().position(|b| *b == b' ') {
                Some(at) => (at + end, at + end + 1),
                None => {
                    out.extend_from_slice(&text[offset..]);
                    offset = text.len();
                    break;
                }
            },
        };
        out.extend_from_slice(&text[offset..upto]);
        out.extend_from_slice(newline);
        env.context.charge(newline.len() as u64 / 16 + 1)?;
        env.context.check_size(out.len())?;
        offset = next;
    }
    out.extend_from_slice(&text[offset..]);
    text_result(env, out)
}
