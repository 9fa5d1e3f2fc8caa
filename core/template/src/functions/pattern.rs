//! Regular expressions in Go's dialect.
//!
//! Both engines are of the same family; the differences that charts meet are rewritten (`go_regex`).

use std::borrow::Cow;
use std::ops::Range;

use regex::{Regex, RegexBuilder};

use super::{Function, bytes, error, fixed, int, string, text_result};
use crate::characters::{is_digit, is_letter};
use crate::error::ExecError;
use crate::exec::{Env, Result};
use crate::signature::Type::{Int, Str};
use crate::value::{Element, List, Value, text};
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
        Ok(regex) => Ok(Value::Bool(regex.is_match(&string(args, 1)))),
        Err(problem) if problem.limit.is_some() => Err(problem),
        Err(_) => Ok(Value::Bool(false)),
    }),
    fixed("mustRegexMatch", &[Str, Str], |env, args| {
        let regex = must(env, args)?;
        Ok(Value::Bool(regex.is_match(&string(args, 1))))
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
        match compile_for_characters(pattern, size) {
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
pub fn compile_pattern(pattern: &str, size: usize) -> std::result::Result<regex::bytes::Regex, PatternError> {
    built(pattern, |translated| {
        let mut builder = regex::bytes::RegexBuilder::new(translated);
        builder.size_limit(size).dfa_size_limit(DFA_SIZE).nest_limit(NESTED);
        builder.build()
    })
}

/// As [`compile_pattern`], to search characters: no match begins or ends within one.
fn compile_for_characters(pattern: &str, size: usize) -> std::result::Result<Regex, PatternError> {
    built(pattern, |translated| {
        let mut builder = RegexBuilder::new(translated);
        builder.size_limit(size).dfa_size_limit(DFA_SIZE).nest_limit(NESTED);
        builder.build()
    })
}

const DFA_SIZE: usize = 1 << 20;

/// Groups in each other: Go takes 1000, and classes that are one in Go are several here.
const NESTED: u32 = 1010;

fn built<R>(
    pattern: &str,
    build: impl FnOnce(&str) -> std::result::Result<R, regex::Error>,
) -> std::result::Result<R, PatternError> {
    let invalid = |problem: String| PatternError::Invalid(format!("error parsing regexp: {problem}"));
    let translated = go_regex::translate(pattern).map_err(invalid)?;
    grow(|| build(&translated)).map_err(|problem| match problem {
        regex::Error::CompiledTooBig(_) => PatternError::TooLarge,
        // What only the engine here refuses.
        other => invalid(other.to_string()),
    })
}

/// The expression of a call, whose search of the text is paid for.
fn must(env: &mut Env<'_>, args: &[Value]) -> Result<Regex> {
    let Ok(pattern) = std::str::from_utf8(bytes(args, 0)) else {
        let shown = string(args, 0);
        return error(format!("error parsing regexp: invalid UTF-8: `{shown}`"));
    };
    match compile(env, pattern)? {
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
        format!("`{}`", text(pattern))
    } else {
        crate::gofmt::quote(pattern)
    }
}

/// A text to search: characters, one for each byte that is part of none, as Go reads it.
struct Searched<'t> {
    bytes: &'t [u8],
    text: Cow<'t, str>,
    /// Where in `text` a character of three bytes stands for one byte.
    stand_ins: Vec<usize>,
}

impl<'t> Searched<'t> {
    fn new(bytes: &'t [u8]) -> Self {
        let text = text(bytes);
        let mut stand_ins = Vec::new();
        if let Cow::Owned(_) = text {
            let mut at = 0;
            for chunk in bytes.utf8_chunks() {
                at += chunk.valid().len();
                for _ in chunk.invalid() {
                    stand_ins.push(at);
                    at += char::REPLACEMENT_CHARACTER.len_utf8();
                }
            }
        }
        Self { bytes, text, stand_ins }
    }

    fn range(&self, found: Range<usize>) -> Range<usize> {
        let place = |at| at - 2 * self.stand_ins.partition_point(|start| *start < at);
        place(found.start)..place(found.end)
    }

    /// The matches as Go finds them: an empty match right behind another match does not count.
    fn matches<'r>(&'r self, regex: &'r Regex) -> impl Iterator<Item = Range<usize>> + use<'r, 't> {
        let mut end = None;
        let found = regex.find_iter(&self.text).filter(move |found| {
            let counts = !(found.is_empty() && end == Some(found.start()));
            end = Some(found.end());
            counts
        });
        found.map(|found| self.range(found.range()))
    }
}

fn find_first(env: &mut Env<'_>, args: &[Value], regex: &Regex) -> Result<Value> {
    let searched = Searched::new(bytes(args, 1));
    let found = regex.find(&searched.text).map(|found| searched.range(found.range()));
    text_result(env, &searched.bytes[found.unwrap_or_default()])
}

/// At most `count` things; a negative count means all.
fn at_most(count: i64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

fn find_all(env: &mut Env<'_>, args: &[Value], regex: &Regex) -> Result<Value> {
    let searched = Searched::new(bytes(args, 1));
    let mut found = Vec::new();
    for part in searched.matches(regex).take(at_most(int(args, 2))) {
        env.context.charge_items(1)?;
        found.push(&searched.bytes[part]);
    }
    if found.is_empty() {
        return Ok(Value::List(List::nil(Element::Str)));
    }
    Ok(Value::strings(found))
}

fn replace(env: &mut Env<'_>, args: &[Value], regex: &Regex, expand: bool) -> Result<Value> {
    let (searched, replacement) = (Searched::new(bytes(args, 1)), bytes(args, 2));
    let pieces = if expand {
        template(&string(args, 0), replacement)
    } else {
        vec![Piece::Literal(replacement)]
    };
    let (mut out, mut end) = (Vec::new(), 0);
    let mut last_match = None;
    for found in regex.captures_iter(&searched.text) {
        let group = |group| found.get(group).map_or(0..0, |part| searched.range(part.range()));
        let whole = group(0);
        if whole.is_empty() && last_match == Some(whole.start) {
            continue;
        }
        last_match = Some(whole.end);
        out.extend_from_slice(&searched.bytes[end..whole.start]);
        end = whole.end;
        let before = out.len();
        for piece in &pieces {
            match piece {
                Piece::Literal(literal) => out.extend_from_slice(literal),
                // Of groups with one name the first that has part in the match.
                Piece::Groups(numbers) => {
                    let number = numbers.iter().find(|number| found.get(**number).is_some());
                    out.extend_from_slice(&searched.bytes[number.map_or(0..0, |number| group(*number))]);
                }
            }
            env.context.check_size(out.len())?;
        }
        env.context.charge((out.len() - before) as u64 / 8 + 1)?;
    }
    out.extend_from_slice(&searched.bytes[end..]);
    text_result(env, out)
}

/// A part of a replacement.
enum Piece<'a> {
    Literal(&'a [u8]),
    /// What a group stands for, by its number or a name that several may have.
    Groups(Vec<usize>),
}

/// Go's templates for replacements: `$1`, `$name`, `${name}`, `$$`.
fn template<'a>(pattern: &str, mut rest: &'a [u8]) -> Vec<Piece<'a>> {
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
        let name = text(name);
        let number = name
            .bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| name.parse::<usize>().unwrap_or(usize::MAX));
        // A number with a leading zero or out of range is a name.
        let is_padded = name.len() > 1 && name.starts_with('0');
        pieces.push(Piece::Groups(match number {
            Some(number) if number < 100_000_000 && !is_padded => vec![number],
            _ => go_regex::groups(pattern, &name),
        }));
    }
    pieces.push(Piece::Literal(rest));
    pieces
}

/// The letters, digits and underscores at the beginning.
fn word(text: &[u8]) -> &[u8] {
    let mut end = 0;
    if let Some(chunk) = text.utf8_chunks().next() {
        for c in chunk.valid().chars() {
            if !(c == '_' || is_letter(c) || is_digit(c)) {
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
    let searched = Searched::new(text);
    let (mut parts, mut begin, mut end): (Vec<&[u8]>, usize, usize) = (Vec::new(), 0, 0);
    for found in searched.matches(regex).take(at_most(count)) {
        if count > 0 && parts.len() + 1 == at_most(count) {
            break;
        }
        end = found.start;
        if found.end != 0 {
            env.context.charge_items(1)?;
            parts.push(&text[begin..end]);
        }
        begin = found.end;
    }
    if end != text.len() {
        parts.push(&text[begin..]);
    }
    Ok(Value::strings(parts))
}
