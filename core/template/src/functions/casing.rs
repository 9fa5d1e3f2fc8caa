//! Upper and lower case, and the conversions between naming styles.

use std::sync::LazyLock;

use regex::Regex;

use super::{Function, bytes, fixed, text_result};
use crate::signature::Type::Str;

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("upper", &[Str], |env, args| {
        text_result(env, mapped(bytes(args, 0), upper))
    }),
    fixed("lower", &[Str], |env, args| {
        text_result(env, mapped(bytes(args, 0), lower))
    }),
    fixed("title", &[Str], |env, args| {
        let mut previous = ' ';
        let title = mapped(bytes(args, 0), |c| {
            let changed = if separates(previous) { upper(c) } else { c };
            previous = c;
            changed
        });
        text_result(env, title)
    }),
    fixed("untitle", &[Str], |env, args| {
        let mut at_start = true;
        let untitled = mapped(bytes(args, 0), |c| {
            if c.is_whitespace() {
                at_start = true;
                c
            } else if std::mem::take(&mut at_start) {
                lower(c)
            } else {
                c
            }
        });
        text_result(env, untitled)
    }),
    fixed("swapcase", &[Str], |env, args| {
        let swapped = mapped(bytes(args, 0), |c| {
            if c.is_uppercase() {
                lower(c)
            } else if c.is_lowercase() {
                upper(c)
            } else {
                c
            }
        });
        text_result(env, swapped)
    }),
    fixed("snakecase", &[Str], |env, args| {
        text_result(env, words_joined(bytes(args, 0), b'_'))
    }),
    fixed("kebabcase", &[Str], |env, args| {
        text_result(env, words_joined(bytes(args, 0), b'-'))
    }),
    fixed("camelcase", &[Str], |env, args| {
        text_result(env, pascal_case(bytes(args, 0)))
    }),
];

/// Changes every character; broken bytes become U+FFFD.
fn mapped(text: &[u8], change: impl FnMut(char) -> char) -> String {
    characters(text).map(change).collect()
}

/// The characters of a text, one U+FFFD for every broken byte.
fn characters(text: &[u8]) -> impl Iterator<Item = char> {
    text.utf8_chunks().flat_map(|chunk| {
        let broken = chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER);
        chunk.valid().chars().chain(broken)
    })
}

/// One character for one, as Go maps runes: what would become several stays.
fn upper(c: char) -> char {
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(only), None) => only,
        _ => c,
    }
}

fn lower(c: char) -> char {
    let mut lower = c.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(only), None) => only,
        // Dotted capital I: the only one whose small form is two characters.
        _ if c == '\u{130}' => 'i',
        _ => c,
    }
}

/// Whether a character separates words for `title`.
fn separates(c: char) -> bool {
    if c.is_ascii() {
        return !(c.is_ascii_alphanumeric() || c == '_');
    }
    !c.is_alphanumeric() && c.is_whitespace()
}

fn is_connector(c: char) -> bool {
    matches!(c, '_' | '-') || c.is_whitespace()
}

/// What a piece of a name is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Invalid,
    Number,
    Upper,
    Alphabet,
    Connector,
    Punctuation,
    Other,
}

static PUNCTUATION: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^\p{P}$").ok());

fn is_punctuation(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_punctuation() && !matches!(c, '$' | '+' | '<' | '=' | '>' | '^' | '`' | '|' | '~');
    }
    PUNCTUATION
        .as_ref()
        .is_some_and(|pattern| pattern.is_match(c.encode_utf8(&mut [0; 4])))
}

fn is_alphabet(c: char) -> bool {
    c.is_alphabetic()
}

/// The next character that is not broken, and the bytes up to behind it; `previous` when there is none.
fn next_valid(text: &[u8], previous: char) -> (char, usize) {
    let mut size = 0;
    for chunk in text.utf8_chunks() {
        if let Some(c) = chunk.valid().chars().next()
            && c != char::REPLACEMENT_CHARACTER
        {
            return (c, size + c.len_utf8());
        }
        size += chunk.valid().len() + chunk.invalid().len();
    }
    (previous, size)
}

/// The kind of the first piece of a text, and its length in bytes.
fn next_word(text: &[u8]) -> (Kind, usize) {
    if text.is_empty() {
        return (Kind::Invalid, 0);
    }
    let (first, size) = next_valid(text, char::REPLACEMENT_CHARACTER);
    if first == char::REPLACEMENT_CHARACTER {
        return (Kind::Invalid, size);
    }
    let run = |mut offset: usize, mut last: char, belongs: &dyn Fn(char, usize) -> bool| {
        while offset < text.len() {
            let (c, size) = next_valid(&text[offset..], last);
            last = c;
            if !belongs(c, size) {
                break;
            }
            offset += size;
        }
        offset
    };
    let small = |c: char, _: usize| is_alphabet(c) && !c.is_uppercase();
    match first {
        _ if is_connector(first) => (Kind::Connector, run(size, first, &|c, _| is_connector(c))),
        _ if is_punctuation(first) => (Kind::Punctuation, run(size, first, &|c, _| is_punctuation(c))),
        _ if first.is_uppercase() => (Kind::Upper, upper_word(text, first, size)),
        _ if is_alphabet(first) => (Kind::Alphabet, run(size, first, &small)),
        _ if first.is_numeric() => (Kind::Number, run(size, first, &|c, _| c.is_numeric())),
        _ => {
            let other = |c: char, size: usize| {
                size != 0 && !(is_connector(c) || is_alphabet(c) || c.is_numeric() || is_punctuation(c))
            };
            (Kind::Other, run(size, first, &other))
        }
    }
}

/// A word that begins with a capital: a run of capitals gives its last one to the small letters behind it (`HTTPStatus` is `HTTP` and
/// `Status`).
fn upper_word(text: &[u8], first: char, size: usize) -> usize {
    let mut offset = size;
    if offset == text.len() {
        return offset;
    }
    let (mut c, mut size) = next_valid(&text[offset..], first);
    if c.is_uppercase() {
        let mut previous = size;
        offset += size;
        while offset < text.len() {
            (c, size) = next_valid(&text[offset..], c);
            if !c.is_uppercase() {
                break;
            }
            previous = size;
            offset += size;
        }
        if offset < text.len() && is_alphabet(c) {
            offset -= previous;
        }
        return offset;
    }
    if is_alphabet(c) {
        offset += size;
        while offset < text.len() {
            (c, size) = next_valid(&text[offset..], c);
            if !is_alphabet(c) || c.is_uppercase() {
                break;
            }
            offset += size;
        }
    }
    offset
}

/// Takes the words of a name one by one, and writes them.
struct Words<'a> {
    rest: &'a [u8],
    kind: Kind,
    word: &'a [u8],
    separator: u8,
    out: Vec<u8>,
}

impl<'a> Words<'a> {
    fn advance(&mut self) {
        let (kind, length) = next_word(self.rest);
        (self.word, self.rest) = self.rest.split_at(length);
        self.kind = kind;
    }

    fn write(&mut self, kind: Kind, word: &'a [u8]) {
        if !matches!(kind, Kind::Upper | Kind::Connector) {
            self.out.extend_from_slice(word);
            return;
        }
        for c in characters(word) {
            if is_connector(c) {
                self.out.push(self.separator);
            } else {
                self.out.extend_from_slice(lower(c).encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
    }

    fn separate_unless(&mut self, kinds: &[Kind]) {
        if !kinds.contains(&self.kind) {
            self.out.push(self.separator);
        }
    }

    /// Small letters and numbers that follow a number stay in its word.
    fn tail(&mut self) {
        while matches!(self.kind, Kind::Alphabet | Kind::Number) {
            self.write(self.kind, self.word);
            self.advance();
        }
        self.separate_unless(&[Kind::Invalid, Kind::Punctuation, Kind::Connector]);
    }

    fn step(&mut self) {
        if self.kind != Kind::Connector {
            self.write(self.kind, self.word);
        }
        let (previous, last) = (self.kind, self.word);
        self.advance();
        match previous {
            Kind::Number => self.tail(),
            Kind::Connector => self.write(previous, last),
            Kind::Punctuation => {}
            _ if self.kind != Kind::Number => self.separate_unless(&[Kind::Connector, Kind::Punctuation]),
            _ if self.rest.is_empty() => {}
            _ => {
                let number = self.word;
                self.advance();
                if self.kind == Kind::Alphabet {
                    self.out.push(self.separator);
                    self.write(Kind::Number, number);
                    self.tail();
                } else {
                    // The number is part of the word before it: `Bld4Floor` is `bld4` and `floor`.
                    self.write(Kind::Number, number);
                    self.separate_unless(&[Kind::Connector, Kind::Punctuation]);
                }
            }
        }
    }
}

/// The words of a name in lower case with a separator between.
fn words_joined(text: &[u8], separator: u8) -> Vec<u8> {
    let mut words = Words {
        rest: text,
        kind: Kind::Invalid,
        word: b"",
        separator,
        out: Vec::with_capacity(text.len() + 8),
    };
    words.advance();
    while !words.rest.is_empty() {
        words.step();
    }
    words.write(words.kind, words.word);
    words.out
}

/// Capitals at the start and after connectors, which vanish between letters; further capitals of a word become small.
fn pascal_case(text: &[u8]) -> String {
    let mut out = String::new();
    let mut rest = characters(text).peekable();
    let (mut current, mut first_is_upper) = (None, false);
    for c in rest.by_ref() {
        current = Some(c);
        if !is_connector(c) {
            first_is_upper = c.is_uppercase();
            current = Some(upper(c));
            break;
        }
        out.push(c);
    }
    let Some(mut current) = current else {
        return out;
    };
    // Only connectors, or a single character: the last one is written (again).
    if rest.peek().is_none() {
        out.push(current);
        return out;
    }
    for c in rest {
        let previous = std::mem::replace(&mut current, c);
        if is_connector(c) && is_connector(previous) {
            out.push(previous);
            continue;
        }
        if is_connector(previous) {
            first_is_upper = c.is_uppercase();
            current = upper(c);
        } else {
            if first_is_upper {
                if c.is_uppercase() {
                    current = lower(c);
                } else {
                    first_is_upper = false;
                }
            }
            out.push(previous);
        }
    }
    out.push(current);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles() {
        for (name, snake, pascal) in [
            ("FooBar", "foo_bar", "FooBar"),
            ("HTTPStatus", "http_status", "Httpstatus"),
            ("Bld4Floor", "bld4_floor", "Bld4Floor"),
            ("HTTP2xx", "http_2xx", "Http2xx"),
            ("foo_bar-baz qux", "foo_bar_baz_qux", "FooBarBazQux"),
            ("FOO_BAR", "foo_bar", "FooBar"),
            ("", "", ""),
        ] {
            assert_eq!(words_joined(name.as_bytes(), b'_'), snake.as_bytes());
            assert_eq!(pascal_case(name.as_bytes()), pascal);
        }
    }
}
