//! Upper and lower case, and the conversions between naming styles.

use super::{Function, fixed, string, text_result};
use crate::signature::Type::Str;

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("upper", &[Str], |env, args| {
        text_result(env, map_chars(&string(args, 0), upper))
    }),
    fixed("lower", &[Str], |env, args| {
        text_result(env, map_chars(&string(args, 0), lower))
    }),
    fixed("title", &[Str], |env, args| text_result(env, title(&string(args, 0)))),
    fixed("untitle", &[Str], |env, args| {
        text_result(env, untitle(&string(args, 0)))
    }),
    fixed("swapcase", &[Str], |env, args| {
        text_result(env, swap_case(&string(args, 0)))
    }),
    fixed("snakecase", &[Str], |env, args| {
        text_result(env, words_joined(&string(args, 0), '_'))
    }),
    fixed("kebabcase", &[Str], |env, args| {
        text_result(env, words_joined(&string(args, 0), '-'))
    }),
    fixed("camelcase", &[Str], |env, args| {
        text_result(env, pascal_case(&string(args, 0)))
    }),
];

fn map_chars(text: &str, change: fn(char) -> char) -> String {
    text.chars().map(change).collect()
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

fn title(text: &str) -> String {
    let mut previous = ' ';
    text.chars()
        .map(|c| {
            let changed = if separates(previous) { upper(c) } else { c };
            previous = c;
            changed
        })
        .collect()
}

/// Lowers the first letter of every word.
fn untitle(text: &str) -> String {
    let mut at_start = true;
    text.chars()
        .map(|c| {
            let changed = if at_start { lower(c) } else { c };
            at_start = c.is_whitespace();
            changed
        })
        .collect()
}

fn swap_case(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_uppercase() { lower(c) } else { upper(c) })
        .collect()
}

fn is_connector(c: char) -> bool {
    matches!(c, '_' | '-') || c.is_whitespace()
}

/// What a piece of a name is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Piece {
    Connector,
    Punctuation,
    /// Begins with a capital.
    Upper,
    /// Small letters.
    Lower,
    Number,
    Other,
}

fn is_punctuation(c: char) -> bool {
    c.is_ascii_punctuation() && !matches!(c, '$' | '+' | '<' | '=' | '>' | '^' | '`' | '|' | '~')
}

fn piece_of(c: char) -> Piece {
    match c {
        _ if is_connector(c) => Piece::Connector,
        _ if is_punctuation(c) => Piece::Punctuation,
        _ if c.is_uppercase() => Piece::Upper,
        _ if c.is_alphabetic() => Piece::Lower,
        _ if c.is_numeric() => Piece::Number,
        _ => Piece::Other,
    }
}

/// Splits a name: a run of capitals gives its last one to the small letters behind it (`HTTPStatus` is `HTTP` and `Status`).
fn pieces(text: &str) -> Vec<(Piece, String)> {
    let characters: Vec<char> = text.chars().collect();
    let mut pieces = Vec::new();
    let mut at = 0;
    while at < characters.len() {
        let piece = piece_of(characters[at]);
        let run = |from: usize, wanted: Piece| {
            from + characters[from..]
                .iter()
                .take_while(|c| piece_of(**c) == wanted)
                .count()
        };
        let mut end = run(at, piece);
        if piece == Piece::Upper {
            let small_follows = characters.get(end).is_some_and(|c| piece_of(*c) == Piece::Lower);
            if end == at + 1 && small_follows {
                end = run(end, Piece::Lower);
            } else if small_follows {
                end -= 1;
            }
        }
        pieces.push((piece, characters[at..end].iter().collect()));
        at = end;
    }
    pieces
}

/// The words of a name in lower case with a separator between.
///
/// Numbers belong to the word before them, unless small letters follow: then the number begins a word.
fn words_joined(text: &str, separator: char) -> String {
    let pieces = pieces(text);
    let mut out = String::new();
    let is_word = |at: usize| {
        pieces
            .get(at)
            .is_some_and(|(piece, _)| !matches!(piece, Piece::Connector | Piece::Punctuation))
    };
    let kind = |at: usize| pieces.get(at).map(|(piece, _)| *piece);
    let write = |out: &mut String, at: usize| {
        let (piece, text) = &pieces[at];
        match piece {
            Piece::Connector => out.extend(text.chars().map(|_| separator)),
            Piece::Upper => out.extend(text.chars().map(lower)),
            _ => out.push_str(text),
        }
    };
    // Small letters and numbers that follow a number without a capital between stay in its word.
    let tail = |out: &mut String, mut at: usize| {
        while matches!(kind(at), Some(Piece::Lower | Piece::Number)) {
            write(out, at);
            at += 1;
        }
        at
    };
    let mut at = 0;
    while at < pieces.len() {
        write(&mut out, at);
        let next = at + 1;
        at = match pieces[at].0 {
            Piece::Connector | Piece::Punctuation => next,
            Piece::Number => {
                let after = tail(&mut out, next);
                if is_word(after) {
                    out.push(separator);
                }
                after
            }
            _ if kind(next) != Some(Piece::Number) || next + 1 == pieces.len() => {
                if is_word(next) && kind(next) != Some(Piece::Number) {
                    out.push(separator);
                }
                next
            }
            _ if kind(next + 1) == Some(Piece::Lower) => {
                out.push(separator);
                write(&mut out, next);
                let after = tail(&mut out, next + 1);
                if is_word(after) {
                    out.push(separator);
                }
                after
            }
            _ => {
                write(&mut out, next);
                if is_word(next + 1) {
                    out.push(separator);
                }
                next + 1
            }
        };
    }
    out
}

/// Capitals at the start and after connectors, which vanish between letters; further capitals of a word become small.
fn pascal_case(text: &str) -> String {
    let mut out: String = text.chars().take_while(|c| is_connector(*c)).collect();
    let body = &text[out.len()..];
    let trailing = body.trim_end_matches(is_connector).len();
    let (mut raise, mut capitals) = (true, false);
    let mut connectors = 0usize;
    for c in body[..trailing].chars() {
        if is_connector(c) {
            connectors += 1;
            // Of several connectors in a row only the last vanishes.
            if connectors > 1 {
                out.push(c);
            }
            raise = true;
            continue;
        }
        connectors = 0;
        if raise {
            capitals = c.is_uppercase();
            out.push(upper(c));
        } else if capitals && c.is_uppercase() {
            out.push(lower(c));
        } else {
            capitals = false;
            out.push(c);
        }
        raise = false;
    }
    out.push_str(&body[trailing..]);
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
            assert_eq!(words_joined(name, '_'), snake);
            assert_eq!(pascal_case(name), pascal);
        }
        assert_eq!(title("foo bar-baz"), "Foo Bar-Baz");
        assert_eq!(swap_case("aB c"), "Ab C");
    }
}
