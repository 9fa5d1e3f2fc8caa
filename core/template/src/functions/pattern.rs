//! Regular expressions in Go's dialect.
//!
//! Both engines are of the same family; the differences that charts meet are rewritten (`go_regex`).

use regex::bytes::{Regex, RegexBuilder};

use super::{Function, bytes, error, fixed, int, string, text_result};
use crate::error::ExecError;
use crate::exec::{Env, Result};
use crate::signature::Type::{Int, Str};
use crate::value::{Element, List, Value};
use crate::{go_regex, go_syntax, grow};

/// A compiled expression with what it costs to search with it.
pub(crate) struct Pattern {
    regex: Regex,
    /// Steps for sixteen bytes of the searched text.
    weight: u64,
}

/// How large a compiled expression may get, in bytes, with the steps it costs to build and to search sixteen bytes.
///
/// The engine is linear in the text, but not in the expression: a repetition of a repetition of a class is tried with little room first,
/// and pays for more.
const SIZES: [(usize, u64, u64); 3] = [(64 << 10, 1000, 1), (512 << 10, 20_000, 64), (4 << 20, 200_000, 512)];

/// How many expressions a render keeps compiled.
const KEPT: usize = 64;

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("regexMatch", &[Str, Str], |env, args| match must(env, args) {
        Ok(regex) => Ok(Value::Bool(regex.is_match(bytes(args, 1)))),
        Err(problem) if problem.limit.is_some() => Err(problem),
        Err(_) => Ok(Value::Bool(false)),
    }),
    fixed("mustRegexMatch", &[Str, Str], |env, args| {
        let regex = must(env, args)?;
        Ok(Value::Bool(regex.is_match(bytes(args, 1))))
    }),
    fixed("regexFind", &[Str, Str], |env, args| {
        let regex = panicking(env, args)?;
        find_first(env, args, &regex)
    }),
    fixed("mustRegexFind", &[Str, Str], |env, args| {
        let regex = must(env, args)?;
        find_first(env, args, &regex)
    }),
    fixed("regexFindAll", &[Str, Str, Int], |env, args| {
        let regex = panicking(env, args)?;
        find_all(env, args, &regex)
    }),
    fixed("mustRegexFindAll", &[Str, Str, Int], |env, args| {
        let regex = must(env, args)?;
        find_all(env, args, &regex)
    }),
    fixed("regexReplaceAll", &[Str, Str, Str], |env, args| {
        let regex = panicking(env, args)?;
        replace(env, args, &regex, true)
    }),
    fixed("mustRegexReplaceAll", &[Str, Str, Str], |env, args| {
        let regex = must(env, args)?;
        replace(env, args, &regex, true)
    }),
    fixed("regexReplaceAllLiteral", &[Str, Str, Str], |env, args| {
        let regex = panicking(env, args)?;
        replace(env, args, &regex, false)
    }),
    fixed("mustRegexReplaceAllLiteral", &[Str, Str, Str], |env, args| {
        let regex = must(env, args)?;
        replace(env, args, &regex, false)
    }),
    fixed("regexSplit", &[Str, Str, Int], |env, args| {
        let regex = panicking(env, args)?;
        split(env, args, &regex)
    }),
    fixed("mustRegexSplit", &[Str, Str, Int], |env, args| {
        let regex = must(env, args)?;
        split(env, args, &regex)
    }),
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

/// A compiled expression, kept for later calls; or Go's complaint.
fn compile(env: &mut Env<'_>, pattern: &str) -> Result<std::result::Result<(Regex, u64), String>> {
    if let Some(known) = env.context.patterns.get(pattern) {
        return Ok(Ok((known.regex.clone(), known.weight)));
    }
    env.context.charge_bytes(pattern.len().saturating_mul(80))?;
    for (size, cost, weight) in SIZES {
        env.context.charge(cost)?;
        match compile_pattern(pattern, size) {
            Ok(regex) => {
                if env.context.patterns.len() >= KEPT {
                    env.context.patterns.clear();
                }
                let kept = Pattern {
                    regex: regex.clone(),
                    weight,
                };
                env.context.patterns.insert(pattern.to_owned(), kept);
                return Ok(Ok((regex, weight)));
            }
            Err(PatternError::TooLarge) => {}
            Err(PatternError::Invalid(problem)) => return Ok(Err(problem)),
        }
    }
    Ok(Err(PatternError::TooLarge.to_string()))
}

/// Why an expression cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PatternError {
    /// It takes more bytes than allowed.
    #[error("error parsing regexp: expression too large")]
    TooLarge,
    /// It is none; what Go says about it.
    #[error("{0}")]
    Invalid(String),
}

/// Is it an expression of Go, whatever it may take?
///
/// # Errors
/// What Go says about an expression that is none.
pub fn check_pattern(pattern: &str) -> std::result::Result<(), String> {
    go_syntax::check(pattern).map_err(|problem| format!("error parsing regexp: {problem}"))
}

/// Compiles an expression in Go's dialect, which may take so many bytes.
///
/// # Errors
/// What Go says about an expression that is none.
pub fn compile_pattern(pattern: &str, size: usize) -> std::result::Result<Regex, PatternError> {
    /// Groups in each other, as in Go.
    const NESTED: u32 = 1000;
    let invalid = |problem: String| PatternError::Invalid(format!("error parsing regexp: {problem}"));
    let translated = go_regex::translate(pattern).map_err(invalid)?;
    let mut builder = RegexBuilder::new(&translated);
    builder.size_limit(size).dfa_size_limit(1 << 20).nest_limit(NESTED);
    grow(|| builder.build()).map_err(|problem| match problem {
        regex::Error::CompiledTooBig(_) => PatternError::TooLarge,
        // What only the engine here refuses.
        other => invalid(other.to_string()),
    })
}

/// The expression of a call, whose search of the text is paid for.
fn must(env: &mut Env<'_>, args: &[Value]) -> Result<Regex> {
    match compile(env, &string(args, 0))? {
        Ok((regex, weight)) => {
            env.context
                .charge((bytes(args, 1).len() as u64 / 16 + 1).saturating_mul(weight))?;
            Ok(regex)
        }
        Err(message) => error(message),
    }
}

/// The functions without `must` panic with the whole expression.
fn panicking(env: &mut Env<'_>, args: &[Value]) -> Result<Regex> {
    let regex = must(env, args);
    regex.map_err(|problem| match problem.limit {
        Some(_) => problem,
        None => ExecError::plain(format!(
            "regexp: Compile({}): {}",
            quoted_pattern(bytes(args, 0)),
            problem.message
        )),
    })
}

/// Quoted with backquotes where that is possible.
fn quoted_pattern(pattern: &[u8]) -> String {
    if crate::gofmt::can_backquote(pattern) {
        format!("`{}`", String::from_utf8_lossy(pattern))
    } else {
        crate::gofmt::quote(pattern)
    }
}

fn find_first(env: &mut Env<'_>, args: &[Value], regex: &Regex) -> Result<Value> {
    let found = regex.find(bytes(args, 1)).map_or(&b""[..], |m| m.as_bytes());
    text_result(env, found)
}

/// At most `count` things; a negative count means all.
fn at_most(count: i64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// The matches as Go finds them: an empty match right behind another match does not count.
fn matches<'r, 't>(regex: &'r Regex, text: &'t [u8]) -> impl Iterator<Item = regex::bytes::Match<'t>> + use<'r, 't> {
    let mut end = None;
    regex.find_iter(text).filter(move |found| {
        let counts = !(found.is_empty() && (end == Some(found.start()) || is_inside(text, found.start())));
        end = Some(found.end());
        counts
    })
}

/// Whether a position is inside a character.
fn is_inside(text: &[u8], at: usize) -> bool {
    let start = at.saturating_sub(3);
    text.get(at).is_some_and(|b| b & 0xc0 == 0x80)
        && (start..at).any(|from| {
            let head = &text[from..text.len().min(from + 4)];
            let first = head.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next());
            first.is_some_and(|c| from + c.len_utf8() > at)
        })
}

fn find_all(env: &mut Env<'_>, args: &[Value], regex: &Regex) -> Result<Value> {
    let mut found = Vec::new();
    for part in matches(regex, bytes(args, 1)).take(at_most(int(args, 2))) {
        env.context.charge_items(1)?;
        found.push(part.as_bytes());
    }
    if found.is_empty() {
        return Ok(Value::List(List::nil(Element::Str)));
    }
    Ok(Value::strings(found))
}

fn replace(env: &mut Env<'_>, args: &[Value], regex: &Regex, expand: bool) -> Result<Value> {
    let (text, replacement) = (bytes(args, 1), bytes(args, 2));
    let pieces = if expand {
        template(regex, replacement)
    } else {
        vec![Piece::Literal(replacement)]
    };
    let (mut out, mut end) = (Vec::new(), 0);
    let mut last_match = None;
    for found in regex.captures_iter(text) {
        let Some(whole) = found.get(0) else { continue };
        if whole.is_empty() && (last_match == Some(whole.start()) || is_inside(text, whole.start())) {
            continue;
        }
        last_match = Some(whole.end());
        out.extend_from_slice(&text[end..whole.start()]);
        end = whole.end();
        let before = out.len();
        for piece in &pieces {
            match piece {
                Piece::Literal(literal) => out.extend_from_slice(literal),
                Piece::Group(group) => out.extend_from_slice(found.get(*group).map_or(b"", |m| m.as_bytes())),
            }
            env.context.check_size(out.len())?;
        }
        env.context.charge((out.len() - before) as u64 / 8 + 1)?;
    }
    out.extend_from_slice(&text[end..]);
    text_result(env, out)
}

/// A part of a replacement.
enum Piece<'a> {
    Literal(&'a [u8]),
    Group(usize),
}

/// Go's templates for replacements: `$1`, `$name`, `${name}`, `$$`.
fn template<'a>(regex: &Regex, mut rest: &'a [u8]) -> Vec<Piece<'a>> {
    let mut pieces = Vec::new();
    while let Some(at) = memchr::memchr(b'$', rest) {
        pieces.push(Piece::Literal(&rest[..at]));
        let after = &rest[at + 1..];
        if after.first() == Some(&b'$') {
            pieces.push(Piece::Literal(b"$"));
            rest = &after[1..];
            continue;
        }
        let braced = after.first() == Some(&b'{');
        let body = if braced { &after[1..] } else { after };
        let name = word(body);
        let closed = !braced || body.get(name.len()) == Some(&b'}');
        if name.is_empty() || !closed {
            pieces.push(Piece::Literal(b"$"));
            rest = after;
            continue;
        }
        rest = &body[name.len() + usize::from(braced)..];
        let name = String::from_utf8_lossy(name);
        let number = name
            .bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| name.parse::<usize>().unwrap_or(usize::MAX));
        // A number with a leading zero or out of range is a name that no group has.
        let group = match number {
            Some(number) if number < 100_000_000 => Some(number),
            _ => regex.capture_names().position(|known| known == Some(&name)),
        };
        if let Some(group) = group {
            pieces.push(Piece::Group(group));
        }
    }
    pieces.push(Piece::Literal(rest));
    pieces
}

/// The letters, digits and underscores at the beginning.
fn word(text: &[u8]) -> &[u8] {
    let mut end = 0;
    if let Some(chunk) = text.utf8_chunks().next() {
        for c in chunk.valid().chars() {
            if !(c == '_' || c.is_alphanumeric()) {
                break;
            }
            end += c.len_utf8();
        }
    }
    &text[..end]
}

fn split(env: &mut Env<'_>, args: &[Value], regex: &Regex) -> Result<Value> {
    let (text, count) = (bytes(args, 1), int(args, 2));
    if count == 0 {
        return Ok(Value::List(List::nil(Element::Str)));
    }
    if args[0].truth() && text.is_empty() {
        return Ok(Value::strings([text]));
    }
    let (mut parts, mut begin, mut end): (Vec<&[u8]>, usize, usize) = (Vec::new(), 0, 0);
    for found in matches(regex, text).take(at_most(count)) {
        if count > 0 && parts.len() + 1 == at_most(count) {
            break;
        }
        end = found.start();
        if found.end() != 0 {
            env.context.charge_items(1)?;
            parts.push(&text[begin..end]);
        }
        begin = found.end();
    }
    if end != text.len() {
        parts.push(&text[begin..]);
    }
    Ok(Value::strings(parts))
}
