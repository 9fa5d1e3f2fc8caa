//! Regular expressions in Go's dialect.
//!
//! Both engines are of the same family; the differences that charts meet are rewritten: `\d`, `\w`, `\s` and `\b` are ASCII in Go, and a
//! brace that is not a repetition, or a bracket inside a class, is itself.

use regex::bytes::{Regex, RegexBuilder};

use super::{Function, bytes, error, fixed, int, string, text_result};
use crate::exec::{Env, Result};
use crate::signature::Type::{Int, Str};
use crate::value::Value;

/// Bytes a compiled expression may take.
const SIZE_LIMIT: usize = 4 << 20;

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("regexMatch", &[Str, Str], |env, args| {
        match compile(env, &string(args, 0))? {
            Ok(regex) => search(env, args, |text| Value::Bool(regex.is_match(text))),
            Err(_) => Ok(Value::Bool(false)),
        }
    }),
    fixed("mustRegexMatch", &[Str, Str], |env, args| {
        let regex = must(env, args)?;
        search(env, args, |text| Value::Bool(regex.is_match(text)))
    }),
    fixed("regexFind", &[Str, Str], find_first),
    fixed("mustRegexFind", &[Str, Str], find_first),
    fixed("regexFindAll", &[Str, Str, Int], find_all),
    fixed("mustRegexFindAll", &[Str, Str, Int], find_all),
    fixed("regexReplaceAll", &[Str, Str, Str], |env, args| {
        replace(env, args, true)
    }),
    fixed("mustRegexReplaceAll", &[Str, Str, Str], |env, args| {
        replace(env, args, true)
    }),
    fixed("regexReplaceAllLiteral", &[Str, Str, Str], |env, args| {
        replace(env, args, false)
    }),
    fixed("mustRegexReplaceAllLiteral", &[Str, Str, Str], |env, args| {
        replace(env, args, false)
    }),
    fixed("regexSplit", &[Str, Str, Int], split),
    fixed("mustRegexSplit", &[Str, Str, Int], split),
    fixed("regexQuoteMeta", &[Str], |env, args| {
        let mut out = Vec::new();
        for byte in bytes(args, 0) {
            if b"\\.+*?()|[]{}^$".contains(byte) {
                out.push(b'\\');
            }
            out.push(*byte);
        }
        text_result(env, out)
    }),
];

/// A compiled expression, kept for the whole render.
fn compile(env: &mut Env<'_>, pattern: &str) -> Result<std::result::Result<Regex, String>> {
    if let Some(regex) = env.context.regexes.get(pattern) {
        return Ok(Ok(regex.clone()));
    }
    env.context.charge(1000 + pattern.len() as u64 * 10)?;
    let built = RegexBuilder::new(&translate(pattern))
        .size_limit(SIZE_LIMIT)
        .dfa_size_limit(SIZE_LIMIT)
        .build();
    Ok(match built {
        Ok(regex) => {
            env.context.regexes.insert(pattern.to_owned(), regex.clone());
            Ok(regex)
        }
        Err(problem) => Err(format!("error parsing regexp: {problem}")),
    })
}

fn must(env: &mut Env<'_>, args: &[Value]) -> Result<Regex> {
    let pattern = string(args, 0);
    match compile(env, &pattern)? {
        Ok(regex) => Ok(regex),
        Err(message) => error(message),
    }
}

fn search(env: &mut Env<'_>, args: &[Value], run: impl Fn(&[u8]) -> Value) -> Result<Value> {
    env.context.charge_bytes(bytes(args, 1).len())?;
    Ok(run(bytes(args, 1)))
}

fn find_first(env: &mut Env<'_>, args: &[Value]) -> Result<Value> {
    let regex = must(env, args)?;
    search(env, args, |text| {
        Value::Str(regex.find(text).map_or(&b""[..], |m| m.as_bytes()).into())
    })
}

/// At most `count` things; a negative count means all.
fn at_most(count: i64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

fn find_all(env: &mut Env<'_>, args: &[Value]) -> Result<Value> {
    let regex = must(env, args)?;
    env.context.charge_bytes(bytes(args, 1).len())?;
    let found: Vec<&[u8]> = regex
        .find_iter(bytes(args, 1))
        .take(at_most(int(args, 2)))
        .map(|m| m.as_bytes())
        .collect();
    env.context.charge_items(found.len() as u64)?;
    Ok(Value::strings(found))
}

fn replace(env: &mut Env<'_>, args: &[Value], expand: bool) -> Result<Value> {
    let regex = must(env, args)?;
    let (text, replacement) = (bytes(args, 1), bytes(args, 2));
    env.context.charge_bytes(text.len())?;
    let (mut out, mut end) = (Vec::new(), 0);
    for found in regex.captures_iter(text) {
        let Some(whole) = found.get(0) else { continue };
        out.extend_from_slice(&text[end..whole.start()]);
        end = whole.end();
        let before = out.len();
        if expand {
            found.expand(replacement, &mut out);
        } else {
            out.extend_from_slice(replacement);
        }
        env.context.charge((out.len() - before) as u64 / 16 + 1)?;
        if out.len() > env.context.limits.output {
            env.context.charge_bytes(out.len())?;
        }
    }
    out.extend_from_slice(&text[end..]);
    text_result(env, out)
}

fn split(env: &mut Env<'_>, args: &[Value]) -> Result<Value> {
    let regex = must(env, args)?;
    let (text, count) = (bytes(args, 1), int(args, 2));
    env.context.charge_bytes(text.len())?;
    if count == 0 {
        return Ok(Value::strings(Vec::<&[u8]>::new()));
    }
    if !args[0].truth() || text.is_empty() {
        let parts = if text.is_empty() {
            vec![text]
        } else {
            super::text::split(text, b"", at_most(count))
        };
        return Ok(Value::strings(parts));
    }
    let (mut parts, mut begin, mut end): (Vec<&[u8]>, usize, usize) = (Vec::new(), 0, 0);
    for found in regex.find_iter(text) {
        if count > 0 && parts.len() + 1 == at_most(count) {
            break;
        }
        end = found.start();
        if found.end() != 0 {
            parts.push(&text[begin..end]);
        }
        begin = found.end();
    }
    if end != text.len() {
        parts.push(&text[begin..]);
    }
    env.context.charge_items(parts.len() as u64)?;
    Ok(Value::strings(parts))
}

/// An expression of Go as one of the engine here.
fn translate(pattern: &str) -> String {
    let characters: Vec<char> = pattern.chars().collect();
    let mut out = String::with_capacity(pattern.len());
    let (mut at, mut in_class) = (0, false);
    while at < characters.len() {
        let c = characters[at];
        match c {
            '\\' if characters.get(at + 1) == Some(&'Q') && !in_class => {
                let rest: String = characters[at + 2..].iter().collect();
                let quoted = rest.split("\\E").next().unwrap_or_default();
                out.push_str(&regex::escape(quoted));
                at += 2 + quoted.chars().count() + 2;
                continue;
            }
            '\\' => {
                let Some(next) = characters.get(at + 1) else {
                    out.push('\\');
                    break;
                };
                out.push_str(&escape(*next, in_class));
                at += 2;
                continue;
            }
            '[' if !in_class => {
                in_class = true;
                out.push('[');
                if characters.get(at + 1) == Some(&'^') {
                    out.push('^');
                    at += 1;
                }
                // A bracket at the beginning of a class is itself.
                if characters.get(at + 1) == Some(&']') {
                    out.push_str("\\]");
                    at += 1;
                }
            }
            '[' if characters.get(at + 1) == Some(&':') => {
                let rest: String = characters[at..].iter().collect();
                match rest.find(":]") {
                    Some(end) => {
                        out.push_str(&rest[..end + 2]);
                        at += rest[..end + 2].chars().count();
                        continue;
                    }
                    None => out.push_str("\\["),
                }
            }
            '[' | '&' | '~' if in_class => {
                out.push('\\');
                out.push(c);
            }
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            '{' if !in_class && !is_repetition(&characters[at..]) => out.push_str("\\{"),
            _ => out.push(c),
        }
        at += 1;
    }
    out
}

/// `{n}`, `{n,}` or `{n,m}`.
fn is_repetition(rest: &[char]) -> bool {
    let Some(end) = rest.iter().position(|c| *c == '}') else {
        return false;
    };
    let inner: String = rest[1..end].iter().collect();
    let (low, high) = inner.split_once(',').unwrap_or((&inner, ""));
    !low.is_empty() && low.chars().chain(high.chars()).all(|c| c.is_ascii_digit())
}

fn escape(c: char, in_class: bool) -> String {
    match (c, in_class) {
        ('d', true) => "0-9".to_owned(),
        ('d', false) => "[0-9]".to_owned(),
        ('w', true) => "0-9A-Za-z_".to_owned(),
        ('w', false) => "[0-9A-Za-z_]".to_owned(),
        ('s', true) => "\\t\\n\\x0C\\r ".to_owned(),
        ('s', false) => "[\\t\\n\\x0C\\r ]".to_owned(),
        ('D', _) => "[^0-9]".to_owned(),
        ('W', _) => "[^0-9A-Za-z_]".to_owned(),
        ('S', _) => "[^\\t\\n\\x0C\\r ]".to_owned(),
        ('b', false) => "(?-u:\\b)".to_owned(),
        ('B', false) => "(?-u:\\B)".to_owned(),
        ('/' | '"' | '\'' | '%' | '@' | ',' | ':' | ';' | '=' | '`' | '!' | '<' | '>' | '_', _) => c.to_string(),
        _ => format!("\\{c}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dialect() {
        for (pattern, text, found) in [
            (r"\d+", "x42", Some("42")),
            (r"[\w.-]+", "a-b.c d", Some("a-b.c")),
            (r"{{ x", "a{{ x", Some("{{ x")),
            (r"[[a]", "x[", Some("[")),
            (r"[]a]", "x]", Some("]")),
            (r"[[:alpha:]]+", "12ab", Some("ab")),
            (r"\Qa.b\E+", "a.bb", Some("a.bb")),
            (r"[a&&b]", "&", Some("&")),
            (r"\bfoo\b", "a foo b", Some("foo")),
            (r"\/x", "/x", Some("/x")),
        ] {
            let regex = Regex::new(&translate(pattern)).expect(pattern);
            let shown = regex
                .find(text.as_bytes())
                .map(|m| String::from_utf8_lossy(m.as_bytes()).into_owned());
            assert_eq!(shown.as_deref(), found, "{pattern}");
        }
    }
}
