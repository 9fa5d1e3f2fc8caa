//! Go's regular expressions in the words of the engine here.
//!
//! Both engines are of the same family; what [`go_syntax`] lets pass is rewritten where they differ: `\d`, `\w`, `\s` and `\b` are ASCII in Go, a
//! brace that is not a repetition, or a bracket inside a class, is itself, `\Q…\E` quotes, `\101` is octal, two groups may have one name.

use std::collections::BTreeSet;

use crate::go_syntax::{self, is_repetition};

/// An expression of Go as one of the engine here, or what Go says about it.
pub(crate) fn translate(pattern: &str) -> Result<String, String> {
    go_syntax::check(pattern)?;
    let characters: Vec<char> = pattern.chars().collect();
    let mut out = String::with_capacity(pattern.len());
    let mut names = BTreeSet::new();
    let mut at = 0;
    while at < characters.len() {
        let c = characters[at];
        at = match c {
            '\\' => escaped(&characters, at, false, &mut out),
            '[' => class(&characters, at, &mut out),
            '(' => group(&characters, at, &mut names, &mut out),
            '{' => braces(&characters, at, &mut out),
            _ => {
                if matches!(c, '}' | ']') {
                    out.push('\\');
                }
                out.push(c);
                at + 1
            }
        };
    }
    Ok(out)
}

/// What begins with a backslash. Gives where it ends.
fn escaped(characters: &[char], at: usize, in_class: bool, out: &mut String) -> usize {
    let Some(next) = characters.get(at + 1) else {
        return characters.len();
    };
    if *next == 'Q' && !in_class {
        let rest: String = characters[at + 2..].iter().collect();
        let quoted = rest.split("\\E").next().unwrap_or_default();
        out.push_str(&regex::escape(quoted));
        return at + 2 + quoted.chars().count() + 2;
    }
    let (written, used) = escape(&characters[at + 1..], *next, in_class);
    out.push_str(&written);
    let end = at + 1 + used;
    // What stands for several characters begins no range: `[\w-.]`.
    if in_class && matches!(next, 'd' | 'w' | 's' | 'D' | 'W' | 'S' | 'p' | 'P') && characters.get(end) == Some(&'-') {
        out.push_str("\\-");
        return end + 1;
    }
    end
}

/// A repetition, or a brace that is itself. Gives where it ends.
fn braces(characters: &[char], at: usize, out: &mut String) -> usize {
    let inner = characters[at + 1..].iter();
    let inner: String = inner.take_while(|c| c.is_ascii_digit() || **c == ',').collect();
    let end = at + 1 + inner.len();
    if characters.get(end) == Some(&'}') && is_repetition(&format!("{{{inner}}}")) {
        out.push_str(&format!("{{{inner}}}"));
        return end + 1;
    }
    out.push_str("\\{");
    at + 1
}

/// The beginning of a group. Gives where it ends.
fn group(characters: &[char], at: usize, names: &mut BTreeSet<String>, out: &mut String) -> usize {
    out.push('(');
    let start = match characters.get(at + 1..) {
        Some(['?', 'P', '<', ..]) => at + 4,
        Some(['?', '<', ..]) => at + 3,
        _ => return at + 1,
    };
    let name: String = characters[start..].iter().take_while(|c| **c != '>').collect();
    let end = start + name.len() + 1;
    // The first of a name is found by it. A number is where its group is, as without it.
    if !name.starts_with(|c: char| c.is_ascii_digit()) && names.insert(name.clone()) {
        out.push_str(&format!("?<{name}>"));
    }
    end
}

/// A class in brackets. Gives where it ends.
fn class(characters: &[char], mut at: usize, out: &mut String) -> usize {
    out.push('[');
    at += 1;
    if characters.get(at) == Some(&'^') {
        out.push('^');
        at += 1;
    }
    // A bracket at the beginning of a class is itself.
    if characters.get(at) == Some(&']') {
        out.push_str("\\]");
        at += 1;
    }
    while let Some(c) = characters.get(at) {
        at = match c {
            '\\' => escaped(characters, at, true, out),
            '[' if characters.get(at + 1) == Some(&':') => named_class(characters, at, out),
            ']' => {
                out.push(']');
                return at + 1;
            }
            _ => {
                if matches!(c, '[' | '&' | '~') {
                    out.push('\\');
                }
                out.push(*c);
                at + 1
            }
        };
    }
    at
}

/// `[:alpha:]` within a class; else the bracket is itself. Gives where it ends.
fn named_class(characters: &[char], at: usize, out: &mut String) -> usize {
    let rest: String = characters[at..].iter().collect();
    match rest.find(":]") {
        Some(end) => {
            out.push_str(&rest[..end + 2]);
            at + rest[..end + 2].chars().count()
        }
        None => {
            out.push_str("\\[");
            at + 1
        }
    }
}

/// What stands for `\c`, and how many characters of `rest`, which begins with it, that uses up.
fn escape(rest: &[char], c: char, in_class: bool) -> (String, usize) {
    let written = match (c, in_class) {
        // With its braces, which are no repetition.
        ('x' | 'p' | 'P', _) if rest.get(1) == Some(&'{') => {
            let inner: String = rest[1..].iter().take_while(|c| **c != '}').collect();
            let used = 2 + inner.chars().count();
            // `\p{^L}` is `\P{L}`.
            return match inner.strip_prefix("{^") {
                Some(name) if c == 'p' => (format!("\\P{{{name}}}"), used),
                Some(name) if c == 'P' => (format!("\\p{{{name}}}"), used),
                _ => (format!("\\{c}{inner}}}"), used),
            };
        }
        ('p' | 'P', _) if rest.get(1).is_some_and(char::is_ascii_alphabetic) => {
            return (format!("\\{c}{{{}}}", rest[1]), 2);
        }
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
        ('0'..='7', _) => {
            let digits: String = rest.iter().take(3).take_while(|c| ('0'..='7').contains(*c)).collect();
            let code = u32::from_str_radix(&digits, 8).unwrap_or_default();
            return (format!("\\u{{{code:X}}}"), digits.len());
        }
        ('A' | 'z', false) | ('a' | 'f' | 'n' | 'r' | 't' | 'v' | 'x' | 'p' | 'P', _) => format!("\\{c}"),
        ('/' | '"' | '\'' | '%' | '@' | ',' | ':' | ';' | '=' | '`' | '!' | '<' | '>' | '_', _) => c.to_string(),
        _ => format!("\\{c}"),
    };
    (written, 1)
}

#[cfg(test)]
mod tests {
    use regex::bytes::Regex;

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
            (r"[\w-.]+", "a-b.c d", Some("a-b.c")),
            (r"\101\x42", "AB", Some("AB")),
            (r"[[:word:]-]+", " x_-", Some("x_-")),
            (r"(?i)a.c", "xA\rC", Some("A\rC")),
            (r"[\s\S]+", "a b", Some("a b")),
            (r"^(?i)ab|c$", "AB", Some("AB")),
            (r"(?P<x>a)}]", "a}]", Some("a}]")),
            (r"\pL+", "é1", Some("é")),
            (r"[^\p{L}]\x{41}", "é1A", Some("1A")),
            (r"\Ax\z", "x", Some("x")),
            (r"\p{^L}\P{^L}", "1é", Some("1é")),
            (r"a\ b", "a b", Some("a b")),
            (r"(?P<n>a)(?<n>b)(?<1>c)", "abc", Some("abc")),
            (r"a{02}", "aaa{02}", Some("a{02}")),
        ] {
            let regex = Regex::new(&translate(pattern).expect(pattern)).expect(pattern);
            let shown = regex
                .find(text.as_bytes())
                .map(|m| String::from_utf8_lossy(m.as_bytes()).into_owned());
            assert_eq!(shown.as_deref(), found, "{pattern}");
        }
    }

    #[test]
    fn what_go_does_not_know_is_refused() {
        for pattern in [r"\u0041", r"(?x) x", "(?R)x", "(?u)x", "x**", "x++", r"\1", r"\Z"] {
            assert!(translate(pattern).is_err(), "{pattern}");
        }
    }
}
