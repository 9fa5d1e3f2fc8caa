//! Go's regular expressions in the words of the engine here.
//!
//! Both engines are of the same family. What [`go_syntax`] lets pass is written anew, part by part: classes are those of Go and of its version
//! of Unicode, flags stand before what they are for (in Go `a(?i)*` repeats the `a`), and groups have no names, which [`groups`] finds.

use crate::characters::is_known;
use crate::go_syntax::{self, Posix, bounds, character, quoted, tail, unicode_class};

/// An expression of Go as one of the engine here, or what Go says about it.
pub(crate) fn translate(pattern: &str) -> Result<String, String> {
    go_syntax::check(pattern)?;
    write(pattern).map(|writer| writer.out)
}

/// The numbers of the groups with a name.
pub(crate) fn groups(pattern: &str, name: &str) -> Vec<usize> {
    let groups = write(pattern).map(|writer| writer.groups).unwrap_or_default();
    let numbered = groups.iter().zip(1..);
    numbered
        .filter(|(known, _)| **known == name)
        .map(|(_, number)| number)
        .collect()
}

fn write(pattern: &str) -> Result<Writer<'_>, String> {
    let mut writer = Writer {
        rest: pattern,
        out: String::with_capacity(pattern.len() * 2),
        groups: Vec::new(),
        flags: Flags::default(),
        written: Flags::default(),
        around: Vec::new(),
        part: 0,
        is_repeated: false,
    };
    while let Some(c) = writer.rest.chars().next() {
        writer.part(c)?;
    }
    Ok(writer)
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Flags {
    ignores_case: bool,
    is_multiline: bool,
    dot_is_any: bool,
    /// Repetitions are lazy unless they are marked.
    is_lazy: bool,
}

impl Flags {
    /// As the engine here writes them. Which repetitions are lazy is written with each.
    fn written(self) -> String {
        let flags = [
            ('i', self.ignores_case),
            ('m', self.is_multiline),
            ('s', self.dot_is_any),
        ];
        let those = |wanted: bool| {
            flags
                .iter()
                .filter(move |(_, is_set)| *is_set == wanted)
                .map(|(c, _)| *c)
        };
        let (on, off): (String, String) = (those(true).collect(), those(false).collect());
        match off.as_str() {
            "" => on,
            _ => format!("{on}-{off}"),
        }
    }
}

/// A group that is open.
struct Group {
    /// Where it begins.
    start: usize,
    /// What holds again behind it.
    flags: Flags,
    written: Flags,
}

struct Writer<'p> {
    rest: &'p str,
    out: String,
    /// The names of the groups, of which most have none.
    groups: Vec<&'p str>,
    /// What holds for the next part.
    flags: Flags,
    /// What the engine here knows of that.
    written: Flags,
    around: Vec<Group>,
    /// Where the last part begins, which a repetition is of.
    part: usize,
    is_repeated: bool,
}

type Written = Result<(), String>;

/// A class of nothing: halves of characters are in no text.
const NOTHING: &str = "[^\\x00-\\x{10FFFF}]";

/// What has another case in a later Unicode than Go's: what Go does not know, and the two of it whose capitals are such.
const NEW_CASES: &str = "\\x{19B}\\x{264}[^\\p{age=15.0}]";

fn has_new_case(c: char) -> bool {
    matches!(c, '\u{19b}' | '\u{264}') || !c.is_ascii() && !is_known(c)
}

/// `\d`, `\w` and `\s`, as they stand in a class.
fn perl_class(c: char) -> Option<&'static str> {
    Some(match c {
        'd' | 'D' => "0-9",
        'w' | 'W' => "0-9A-Za-z_",
        's' | 'S' => "\\t\\n\\x0C\\r ",
        _ => return None,
    })
}

impl<'p> Writer<'p> {
    fn part(&mut self, c: char) -> Written {
        match c {
            '(' => self.group(),
            ')' => {
                self.rest = tail(self.rest);
                self.out.push(')');
                if let Some(group) = self.around.pop() {
                    (self.flags, self.written) = (group.flags, group.written);
                    (self.part, self.is_repeated) = (group.start, false);
                }
            }
            '|' => {
                self.rest = tail(self.rest);
                self.out.push('|');
            }
            '*' | '+' | '?' => self.repetition(&c.to_string(), tail(self.rest)),
            '{' if let Some((least, most, after)) = bounds(self.rest) => {
                let range = match most {
                    Some(most) if most == least => format!("{{{least}}}"),
                    Some(most) => format!("{{{least},{most}}}"),
                    None => format!("{{{least},}}"),
                };
                self.repetition(&range, after);
            }
            '[' => return self.class(),
            '\\' => return self.escape(),
            '^' | '$' | '.' => {
                self.rest = tail(self.rest);
                self.write(&c.to_string());
            }
            _ => {
                self.rest = tail(self.rest);
                self.write_character(u32::from(c));
            }
        }
        Ok(())
    }

    /// Writes the flags where they have changed.
    fn begin(&mut self) {
        if self.written
            != (Flags {
                is_lazy: self.written.is_lazy,
                ..self.flags
            })
        {
            self.out.push_str(&format!("(?{})", self.flags.written()));
        }
        self.written = self.flags;
        (self.part, self.is_repeated) = (self.out.len(), false);
    }

    fn write(&mut self, part: &str) {
        self.begin();
        self.out.push_str(part);
    }

    fn write_character(&mut self, code: u32) {
        match char::from_u32(code) {
            Some(c) if self.flags.ignores_case && has_new_case(c) => self.write(&format!("(?-i:{c})")),
            Some(c) => self.write(&regex_syntax::escape(c.encode_utf8(&mut [0; 4]))),
            None => self.write(NOTHING),
        }
    }

    /// Writes a class, of which only a wide one can hold what has got another case since Go's Unicode: such characters are looked for as
    /// they are.
    fn write_class(&mut self, class: &str, is_wide: bool) {
        match is_wide && self.flags.ignores_case {
            true => self.write(&format!("(?:[{class}--[{NEW_CASES}]]|(?-i:[{class}&&[{NEW_CASES}]]))")),
            false => self.write(class),
        }
    }

    /// A repetition of the last part, whatever flags stand between.
    fn repetition(&mut self, operator: &str, after: &'p str) {
        let is_marked = after.starts_with('?');
        self.rest = after.strip_prefix('?').unwrap_or(after);
        if self.is_repeated {
            self.out.insert_str(self.part, "(?:");
            self.out.push(')');
        }
        self.out.push_str(operator);
        if is_marked != self.flags.is_lazy {
            self.out.push('?');
        }
        self.is_repeated = true;
    }

    fn open(&mut self, start: &str, inner: Flags) {
        self.around.push(Group {
            start: self.out.len(),
            flags: self.flags,
            written: self.written,
        });
        self.out.push_str(start);
        self.flags = inner;
    }

    /// A group, or flags.
    fn group(&mut self) {
        let start = self.rest;
        let named = start.strip_prefix("(?P<").or_else(|| start.strip_prefix("(?<"));
        if let Some((name, after)) = named.and_then(|named| named.split_once('>')) {
            self.rest = after;
            self.begin();
            self.groups.push(name);
            return self.open("(", self.flags);
        }
        let Some(marks) = start.strip_prefix("(?") else {
            self.rest = tail(start);
            self.begin();
            self.groups.push("");
            return self.open("(", self.flags);
        };
        let mut inner = self.flags;
        let (mut is_set, mut rest) = (true, marks.chars());
        for mark in rest.by_ref() {
            match mark {
                'i' => inner.ignores_case = is_set,
                'm' => inner.is_multiline = is_set,
                's' => inner.dot_is_any = is_set,
                'U' => inner.is_lazy = is_set,
                '-' => is_set = false,
                ':' => {
                    self.rest = rest.as_str();
                    self.open(&format!("(?{}:", inner.written()), inner);
                    self.written = inner;
                    return;
                }
                _ => break,
            }
        }
        self.rest = rest.as_str();
        self.flags = inner;
    }

    fn escape(&mut self) -> Written {
        let escape = &self.rest[1..];
        let c = escape.chars().next().unwrap_or_default();
        let text = match c {
            'A' | 'z' => format!("\\{c}"),
            'b' | 'B' => format!("(?-u:\\{c})"),
            'Q' => {
                let (text, after) = quoted(&escape[1..]);
                self.rest = after;
                text.chars().for_each(|c| self.write_character(u32::from(c)));
                return Ok(());
            }
            _ => match self.wide_class()? {
                Some((class, is_wide)) => {
                    self.write_class(&class, is_wide);
                    return Ok(());
                }
                None => {
                    let (code, after) = character(self.rest)?;
                    self.rest = after;
                    self.write_character(code);
                    return Ok(());
                }
            },
        };
        self.rest = &escape[1..];
        self.write(&text);
        Ok(())
    }

    /// `\d` and its like, `\pL` and `\p{Greek}`, as a class in brackets, and whether it is one of the latter.
    fn wide_class(&mut self) -> Result<Option<(String, bool)>, String> {
        let Some(escape) = self.rest.strip_prefix('\\') else {
            return Ok(None);
        };
        let c = escape.chars().next().unwrap_or_default();
        let in_brackets = |is_negative: bool, inside: &str| match is_negative {
            true => format!("[^{inside}]"),
            false => format!("[{inside}]"),
        };
        if let Some(inside) = perl_class(c) {
            self.rest = &escape[1..];
            return Ok(Some((in_brackets(c.is_ascii_uppercase(), inside), false)));
        }
        let Some((name, after)) = go_syntax::class_name(self.rest)? else {
            return Ok(None);
        };
        self.rest = after;
        let (name, is_turned) = match name.strip_prefix('^') {
            Some(name) => (name, true),
            None => (name, false),
        };
        let inside = unicode_class(name).unwrap_or_else(|| NOTHING.to_owned());
        Ok(Some((in_brackets((c == 'P') != is_turned, &inside), true)))
    }

    /// A class in brackets.
    fn class(&mut self) -> Written {
        let mut class = "[".to_owned();
        self.rest = tail(self.rest);
        if let Some(inner) = self.rest.strip_prefix('^') {
            self.rest = inner;
            class.push('^');
        }
        let (mut is_first, mut is_wide) = (true, false);
        while is_first || !self.rest.starts_with(']') {
            is_first = false;
            if let Some(Posix { text, after, .. }) = go_syntax::posix_class(self.rest) {
                self.rest = after;
                class.push_str(text);
            } else if let Some((wide, is_unicode)) = self.wide_class()? {
                is_wide |= is_unicode;
                class.push_str(&wide);
            } else {
                let (low, high, after) = go_syntax::range(self.rest)?;
                is_wide |= high > 0x7f;
                self.rest = after;
                class.push_str(&range_text(low, high));
            }
        }
        self.rest = tail(self.rest);
        class.push(']');
        self.write_class(&class, is_wide);
        Ok(())
    }
}

/// A range as it stands in a class, without the halves of characters in it.
fn range_text(low: u32, high: u32) -> String {
    const HALVES: std::ops::RangeInclusive<u32> = 0xd800..=0xdfff;
    let low = if HALVES.contains(&low) { HALVES.end() + 1 } else { low };
    let high = if HALVES.contains(&high) {
        HALVES.start() - 1
    } else {
        high
    };
    if low > high {
        return NOTHING.to_owned();
    }
    format!("\\x{{{low:X}}}-\\x{{{high:X}}}")
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
