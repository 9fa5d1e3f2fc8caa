//! Upper and lower case, and the conversions between naming styles.

use super::{Function, bytes, fixed, string, text_result};
use crate::characters::{
    is_digit, is_letter, is_lower, is_number, is_punctuation, is_title, is_upper, lower, title, upper,
};
use crate::signature::Type::Str;
use crate::value::text;

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("upper", &[Str], |env, args| {
        let text: String = string(args, 0).chars().map(upper).collect();
        text_result(env, text)
    }),
    fixed("lower", &[Str], |env, args| {
        let text: String = string(args, 0).chars().map(lower).collect();
        text_result(env, text)
    }),
    fixed("title", &[Str], |env, args| {
        let text = titled(&string(args, 0));
        text_result(env, text)
    }),
    fixed("untitle", &[Str], |env, args| {
        let text = untitled(&string(args, 0));
        text_result(env, text)
    }),
    fixed("swapcase", &[Str], |env, args| {
        let text = swapped(&string(args, 0));
        text_result(env, text)
    }),
    fixed("snakecase", &[Str], |env, args| {
        text_result(env, words_joined(bytes(args, 0), '_'))
    }),
    fixed("kebabcase", &[Str], |env, args| {
        text_result(env, words_joined(bytes(args, 0), '-'))
    }),
    fixed("camelcase", &[Str], |env, args| {
        let name = pascal_case(&string(args, 0));
        text_result(env, name)
    }),
];

/// The first character of every word as a capital.
fn titled(text: &str) -> String {
    let mut previous = ' ';
    let changed = text
        .chars()
        .map(|c| match separates(std::mem::replace(&mut previous, c)) {
            true => title(c),
            false => c,
        });
    changed.collect()
}

/// The first character of every word as a small letter.
fn untitled(text: &str) -> String {
    let mut at_start = true;
    let changed = text.chars().map(|c| {
        if c.is_whitespace() {
            at_start = true;
            c
        } else if std::mem::take(&mut at_start) {
            lower(c)
        } else {
            c
        }
    });
    changed.collect()
}

fn swapped(text: &str) -> String {
    let mut at_start = true;
    let changed = text.chars().map(|c| {
        if is_upper(c) || is_title(c) {
            at_start = false;
            lower(c)
        } else if is_lower(c) {
            match std::mem::take(&mut at_start) {
                true => title(c),
                false => upper(c),
            }
        } else {
            at_start = c.is_whitespace();
            c
        }
    });
    changed.collect()
}

/// Whether a character separates words for `title`.
fn separates(c: char) -> bool {
    if c.is_ascii() {
        return !(c.is_ascii_alphanumeric() || c == '_');
    }
    !(is_letter(c) || is_digit(c)) && c.is_whitespace()
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

/// A letter that is not Chinese: those are words of their own.
fn is_alphabet(c: char) -> bool {
    is_letter(c) && !matches!(c, '\u{4e00}'..='\u{9fcc}' | '\u{3400}'..='\u{4d85}' | '\u{20000}'..='\u{2b81d}')
}

/// The next character that is not broken, and the bytes up to behind it; `previous` when there is none. U+FFFD is taken for a broken one.
fn next_valid(text: &[u8], previous: char) -> (char, usize) {
    let mut size = 0;
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            size += c.len_utf8();
            if c != char::REPLACEMENT_CHARACTER {
                return (c, size);
            }
        }
        size += chunk.invalid().len();
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
    let small = |c: char, _: usize| is_alphabet(c) && !is_upper(c);
    match first {
        _ if is_connector(first) => (Kind::Connector, run(size, first, &|c, _| is_connector(c))),
        _ if is_punctuation(first) => (Kind::Punctuation, run(size, first, &|c, _| is_punctuation(c))),
        _ if is_upper(first) => (Kind::Upper, upper_word(text, first, size)),
        _ if is_alphabet(first) => (Kind::Alphabet, run(size, first, &small)),
        _ if is_number(first) => (Kind::Number, run(size, first, &|c, _| is_number(c))),
        _ => {
            let other = |c: char, size: usize| {
                size != 0 && !(is_connector(c) || is_alphabet(c) || is_number(c) || is_punctuation(c))
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
    if is_upper(c) {
        let mut previous = size;
        offset += size;
        while offset < text.len() {
            (c, size) = next_valid(&text[offset..], c);
            if !is_upper(c) {
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
            if !is_alphabet(c) || is_upper(c) {
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
    separator: char,
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
        for c in text(word).chars() {
            let written = match c {
                _ if is_connector(c) => self.separator,
                _ if is_upper(c) => lower(c),
                _ => c,
            };
            self.out.extend_from_slice(written.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }

    fn separate(&mut self) {
        self.out
            .extend_from_slice(self.separator.encode_utf8(&mut [0; 4]).as_bytes());
    }

    fn separate_unless(&mut self, kinds: &[Kind]) {
        if !kinds.contains(&self.kind) {
            self.separate();
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
                    self.separate();
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
fn words_joined(text: &[u8], separator: char) -> Vec<u8> {
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
fn pascal_case(name: &str) -> String {
    let mut out = String::new();
    let mut rest = name.chars().peekable();
    let (mut current, mut first_is_upper) = (None, false);
    for c in rest.by_ref() {
        current = Some(c);
        if !is_connector(c) {
            first_is_upper = is_upper(c);
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
            first_is_upper = is_upper(c);
            current = upper(c);
        } else {
            if first_is_upper {
                if is_upper(c) {
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
            assert_eq!(words_joined(name.as_bytes(), '_'), snake.as_bytes());
            assert_eq!(pascal_case(name), pascal);
        }
    }
}
