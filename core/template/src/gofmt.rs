//! Go's `fmt`: how values print, and `printf` with Go's verbs and its markers for mistakes.

use crate::float::format_float;
use crate::value::{Text, Value};

/// Values nested deeper than this print as `...`; callers refuse them before.
const MAX_DEPTH: usize = 1000;

/// Flags of a verb.
#[derive(Clone, Copy, Default)]
struct Flags {
    minus: bool,
    plus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

/// Widths and precisions above this are Go's `%!(BADWIDTH)`.
const MAX_WIDTH: usize = 1_000_000;

/// A value as `%v` prints it.
pub(crate) fn sprint_v(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    print_value(&mut out, value, 'v', &Flags::default(), 0);
    out
}

/// Go's `fmt.Sprint`: a space between two operands when neither is a string.
pub(crate) fn sprint(values: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut after_string = true;
    for (i, value) in values.iter().enumerate() {
        let is_string = matches!(value, Value::Str(_));
        if i > 0 && !is_string && !after_string {
            out.push(b' ');
        }
        print_value(&mut out, value, 'v', &Flags::default(), 0);
        after_string = is_string;
    }
    out
}

/// Go's `fmt.Sprintln`.
pub(crate) fn sprintln(values: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    for (i, value) in values.iter().enumerate() {
        if i > 0 {
            out.push(b' ');
        }
        print_value(&mut out, value, 'v', &Flags::default(), 0);
    }
    out.push(b'\n');
    out
}

/// Go's `%q`: a double-quoted string with escapes.
pub(crate) fn quote(bytes: &[u8]) -> String {
    quote_with(bytes, '"', false)
}

fn quote_with(bytes: &[u8], quote: char, ascii: bool) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    out.push(quote);
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            escape_char(&mut out, c, quote, ascii);
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out.push(quote);
    out
}

fn escape_char(out: &mut String, c: char, quote: char, ascii: bool) {
    match c {
        _ if c == quote || c == '\\' => {
            out.push('\\');
            out.push(c);
        }
        ' '..='~' => out.push(c),
        '\u{7}' => out.push_str("\\a"),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\u{b}' => out.push_str("\\v"),
        _ if u32::from(c) < 0x20 || c == '\u{7f}' => out.push_str(&format!("\\x{:02x}", u32::from(c))),
        _ if !ascii && is_printable(c) => out.push(c),
        _ if u32::from(c) < 0x1_0000 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
        _ => out.push_str(&format!("\\U{:08x}", u32::from(c))),
    }
}

/// Go's `strconv.IsPrint`, approximated by what Rust's debug form leaves unescaped, less the spaces.
fn is_printable(c: char) -> bool {
    if c.is_whitespace()
        || c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{feff}' | '\u{2060}'..='\u{206f}')
    {
        return false;
    }
    let mut shown = c.escape_debug();
    // A combining mark is escaped by the debug form but printable in Go.
    shown.len() == 1 || (shown.next() == Some('\\') && is_combining(c))
}

fn is_combining(c: char) -> bool {
    matches!(u32::from(c), 0x300..=0x36f | 0x483..=0x489 | 0x591..=0x5bd | 0x610..=0x61a | 0x64b..=0x65f | 0x900..=0x903 | 0x1ab0..=0x1aff | 0x1dc0..=0x1dff | 0x20d0..=0x20ff | 0xfe00..=0xfe0f | 0xfe20..=0xfe2f)
}

/// Go's `fmt.Sprintf`.
pub(crate) fn sprintf(format: &[u8], args: &[Value]) -> Vec<u8> {
    let mut formatter = Formatter {
        format,
        at: 0,
        args,
        next: 0,
        reordered: false,
        out: Vec::new(),
    };
    formatter.run();
    formatter.out
}

struct Formatter<'a> {
    format: &'a [u8],
    at: usize,
    args: &'a [Value],
    next: usize,
    reordered: bool,
    out: Vec<u8>,
}

impl Formatter<'_> {
    fn run(&mut self) {
        while self.at < self.format.len() {
            let literal = self.format[self.at..]
                .iter()
                .position(|b| *b == b'%')
                .unwrap_or(self.format.len() - self.at);
            self.out.extend_from_slice(&self.format[self.at..self.at + literal]);
            self.at += literal;
            if self.at < self.format.len() {
                self.at += 1;
                self.directive();
            }
        }
        if !self.reordered && self.next < self.args.len() {
            self.out.extend_from_slice(b"%!(EXTRA ");
            for (i, arg) in self.args[self.next..].iter().enumerate() {
                if i > 0 {
                    self.out.extend_from_slice(b", ");
                }
                if arg.is_nil() {
                    self.out.extend_from_slice(b"<nil>");
                } else {
                    self.out.extend_from_slice(arg.type_name().as_bytes());
                    self.out.push(b'=');
                    print_value(&mut self.out, arg, 'v', &Flags::default(), 0);
                }
            }
            self.out.push(b')');
        }
    }

    fn peek(&self) -> Option<u8> {
        self.format.get(self.at).copied()
    }

    fn directive(&mut self) {
        let mut flags = Flags::default();
        let mut good_index = true;
        while let Some(byte) = self.peek() {
            match byte {
                b'#' => flags.sharp = true,
                b'0' => flags.zero = true,
                b'+' => flags.plus = true,
                b'-' => flags.minus = true,
                b' ' => flags.space = true,
                _ => break,
            }
            self.at += 1;
        }
        self.index(&mut good_index);
        flags.width = self.size(&mut flags.minus, "%!(BADWIDTH)");
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.index(&mut good_index);
            let mut negative = false;
            let precision = self.size(&mut negative, "%!(BADPREC)");
            flags.precision = if negative { None } else { Some(precision.unwrap_or(0)) };
        }
        self.index(&mut good_index);
        let Some(verb) = self.verb() else {
            self.out.extend_from_slice(b"%!(NOVERB)");
            return;
        };
        if verb == '%' {
            self.out.push(b'%');
            return;
        }
        let mut shown = [0; 4];
        if !good_index {
            self.out.extend_from_slice(format!("%!{verb}(BADINDEX)").as_bytes());
        } else if let Some(arg) = self.args.get(self.next) {
            self.next += 1;
            if flags.minus {
                flags.zero = false;
            }
            // `%+v` names the fields of structs; it does not sign numbers.
            flags.plus &= verb != 'v';
            print_value(&mut self.out, arg, verb, &flags, 0);
        } else {
            self.out.extend_from_slice(b"%!");
            self.out.extend_from_slice(verb.encode_utf8(&mut shown).as_bytes());
            self.out.extend_from_slice(b"(MISSING)");
        }
    }

    fn verb(&mut self) -> Option<char> {
        let rest = &self.format[self.at..];
        let chunk = rest.utf8_chunks().next()?;
        let c = chunk.valid().chars().next().unwrap_or('\u{fffd}');
        self.at += if chunk.valid().is_empty() { 1 } else { c.len_utf8() };
        Some(c)
    }

    /// `[n]`
    fn index(&mut self, good: &mut bool) {
        if self.peek() != Some(b'[') {
            return;
        }
        self.reordered = true;
        let rest = &self.format[self.at + 1..];
        let Some(end) = rest.iter().position(|b| *b == b']') else {
            self.at += 1;
            *good = false;
            return;
        };
        let number = std::str::from_utf8(&rest[..end])
            .ok()
            .and_then(|t| t.parse::<usize>().ok());
        self.at += end + 2;
        match number {
            Some(n) if n >= 1 && n <= self.args.len() => self.next = n - 1,
            _ => *good = false,
        }
    }

    /// A number or `*`.
    fn size(&mut self, negative: &mut bool, bad: &str) -> Option<usize> {
        if self.peek() == Some(b'*') {
            self.at += 1;
            let arg = self.args.get(self.next);
            self.next += usize::from(arg.is_some());
            if let Some(Value::Int(n) | Value::Int64(n)) = arg
                && let Ok(size) = usize::try_from(n.unsigned_abs())
                && size <= MAX_WIDTH
            {
                *negative |= *n < 0;
                return Some(size);
            }
            self.out.extend_from_slice(bad.as_bytes());
            return None;
        }
        let start = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        let digits = std::str::from_utf8(&self.format[start..self.at]).ok()?;
        digits.parse().ok().filter(|size| *size <= MAX_WIDTH)
    }
}

/// Prints one operand with a verb.
fn print_value(out: &mut Vec<u8>, value: &Value, verb: char, flags: &Flags, depth: usize) {
    if depth > MAX_DEPTH {
        out.extend_from_slice(b"...");
        return;
    }
    match (value, verb) {
        (_, 'T') => pad(out, value.type_name().as_bytes(), flags),
        (Value::Nil, 'v') => pad(out, b"<nil>", flags),
        (Value::Nil, _) => out.extend_from_slice(format!("%!{verb}(<nil>)").as_bytes()),
        (Value::Bool(b), 'v' | 't') => pad(out, b.to_string().as_bytes(), flags),
        (Value::Int(i) | Value::Int64(i), _) => print_int(out, value, i128::from(*i), verb, flags),
        (Value::Uint(u), _) => print_int(out, value, i128::from(*u), verb, flags),
        (Value::Float(f), 'v' | 'e' | 'E' | 'f' | 'F' | 'g' | 'G') => print_float(out, *f, verb, flags),
        (Value::Str(s), 'v' | 's' | 'q' | 'x' | 'X') => print_bytes(out, s.bytes(), verb, flags),
        (Value::Bytes(b), 's' | 'q' | 'x' | 'X') => print_bytes(out, b, verb, flags),
        (Value::Bytes(b), 'v' | 'd') => {
            let items: Vec<String> = b.iter().map(ToString::to_string).collect();
            out.extend_from_slice(format!("[{}]", items.join(" ")).as_bytes());
        }
        (Value::Duration(n), 'd') => print_int(out, value, i128::from(*n), verb, flags),
        (Value::Duration(n), _) => print_bytes(out, crate::time::duration_text(*n).as_bytes(), verb, flags),
        (Value::Time(t), _) => print_bytes(out, crate::time::time_text(t).as_bytes(), verb, flags),
        (Value::List(list), _) => {
            out.push(b'[');
            for (i, item) in list.items().iter().enumerate() {
                if i > 0 {
                    out.push(b' ');
                }
                crate::stack::grow(|| print_value(out, item, verb, flags, depth + 1));
            }
            out.push(b']');
        }
        (Value::Map(map), _) => print_map(out, map, verb, flags, depth),
        (Value::Object(object), _) => match object.underlying() {
            Some(map) => print_map(out, &map, verb, flags, depth),
            None => print_bytes(out, object.print().as_bytes(), verb, flags),
        },
        _ => bad_verb(out, value, verb),
    }
}

fn print_map(out: &mut Vec<u8>, map: &crate::value::Map, verb: char, flags: &Flags, depth: usize) {
    out.extend_from_slice(b"map[");
    for (i, (key, item)) in map.entries().iter().enumerate() {
        if i > 0 {
            out.push(b' ');
        }
        print_value(out, &Value::Str(Text::from(key.as_str())), verb, flags, depth + 1);
        out.push(b':');
        crate::stack::grow(|| print_value(out, item, verb, flags, depth + 1));
    }
    out.push(b']');
}

fn bad_verb(out: &mut Vec<u8>, value: &Value, verb: char) {
    out.extend_from_slice(format!("%!{verb}({}=", value.type_name()).as_bytes());
    print_value(out, value, 'v', &Flags::default(), 1);
    out.push(b')');
}

/// Adds spaces (or zeros) up to the width, counted in characters.
fn pad(out: &mut Vec<u8>, text: &[u8], flags: &Flags) {
    let width = flags.width.unwrap_or(0);
    let length = String::from_utf8_lossy(text).chars().count();
    let fill = width.saturating_sub(length);
    if flags.minus {
        out.extend_from_slice(text);
        out.extend(std::iter::repeat_n(b' ', fill));
    } else {
        let filler = if flags.zero { b'0' } else { b' ' };
        out.extend(std::iter::repeat_n(filler, fill));
        out.extend_from_slice(text);
    }
}

fn print_bytes(out: &mut Vec<u8>, bytes: &[u8], verb: char, flags: &Flags) {
    let cut: &[u8] = match flags.precision {
        Some(limit) if verb != 'x' && verb != 'X' => {
            let mut end = bytes.len();
            if let Ok(text) = std::str::from_utf8(bytes) {
                end = text.char_indices().nth(limit).map_or(end, |(i, _)| i);
            } else {
                end = end.min(limit);
            }
            &bytes[..end]
        }
        _ => bytes,
    };
    match verb {
        'q' if flags.sharp && !cut.contains(&b'`') && !cut.iter().any(|b| *b < 0x20 && *b != b'\t') => {
            pad(out, format!("`{}`", String::from_utf8_lossy(cut)).as_bytes(), flags);
        }
        'q' => pad(out, quote_with(cut, '"', flags.plus).as_bytes(), flags),
        'x' | 'X' => {
            let limit = flags.precision.unwrap_or(cut.len()).min(cut.len());
            let hex: String = cut[..limit]
                .iter()
                .map(|b| {
                    if verb == 'x' {
                        format!("{b:02x}")
                    } else {
                        format!("{b:02X}")
                    }
                })
                .collect();
            pad(out, hex.as_bytes(), flags);
        }
        'v' if flags.sharp => pad(out, quote(cut).as_bytes(), flags),
        _ => pad(out, cut, flags),
    }
}

fn print_int(out: &mut Vec<u8>, value: &Value, number: i128, verb: char, flags: &Flags) {
    let magnitude = number.unsigned_abs();
    let digits = match verb {
        'v' | 'd' => magnitude.to_string(),
        'b' => format!("{magnitude:b}"),
        'o' | 'O' => format!("{magnitude:o}"),
        'x' => format!("{magnitude:x}"),
        'X' => format!("{magnitude:X}"),
        'c' | 'q' | 'U' => {
            let c = u32::try_from(number)
                .ok()
                .and_then(char::from_u32)
                .unwrap_or('\u{fffd}');
            let text = match verb {
                'c' => c.to_string(),
                'q' => quote_with(c.to_string().as_bytes(), '\'', flags.plus),
                _ if flags.sharp => format!("U+{magnitude:04X} '{c}'"),
                _ => format!("U+{magnitude:04X}"),
            };
            return pad(out, text.as_bytes(), &Flags { zero: false, ..*flags });
        }
        _ => return bad_verb(out, value, verb),
    };
    let prefix = match verb {
        'O' => "0o",
        'x' if flags.sharp => "0x",
        'X' if flags.sharp => "0X",
        'o' if flags.sharp => "0",
        'b' if flags.sharp => "0b",
        _ => "",
    };
    print_digits(out, number < 0, prefix, &digits, flags);
}

/// Sign, prefix and digits, with zeros between them up to the width.
fn print_digits(out: &mut Vec<u8>, negative: bool, prefix: &str, digits: &str, flags: &Flags) {
    let sign = if negative {
        "-"
    } else if flags.plus {
        "+"
    } else if flags.space {
        " "
    } else {
        ""
    };
    let mut wanted = flags.precision.unwrap_or(0);
    if flags.zero && !flags.minus && flags.precision.is_none() {
        wanted = flags.width.unwrap_or(0).saturating_sub(sign.len());
    }
    let zeros = "0".repeat(wanted.saturating_sub(digits.len()));
    let text = format!("{sign}{prefix}{zeros}{digits}");
    pad(out, text.as_bytes(), &Flags { zero: false, ..*flags });
}

fn print_float(out: &mut Vec<u8>, value: f64, verb: char, flags: &Flags) {
    let precision = match verb {
        'v' | 'g' | 'G' => flags.precision,
        _ => Some(flags.precision.unwrap_or(6)),
    };
    let text = format_float(value, if verb == 'v' { 'g' } else { verb }, precision);
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(&text)),
    };
    let plus = flags.plus || text.starts_with('+');
    let zero = flags.zero && value.is_finite();
    print_digits(
        out,
        negative,
        "",
        digits,
        &Flags {
            precision: None,
            plus,
            zero,
            ..*flags
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(format: &str, args: &[Value]) -> String {
        String::from_utf8_lossy(&sprintf(format.as_bytes(), args)).into_owned()
    }

    #[test]
    fn verbs() {
        let s = Value::from("hi");
        for (format, args, expected) in [
            ("%d", vec![s.clone()], "%!d(string=hi)"),
            ("%s", vec![Value::Float(3.0)], "%!s(float64=3)"),
            ("%s", vec![], "%!s(MISSING)"),
            ("x", vec![s.clone(), Value::Int(2)], "x%!(EXTRA string=hi, int=2)"),
            (
                "%05d|%-4d|%+d|%x|%X|%o|%b",
                vec![-42, 3, 3, 255, 255, 8, 5].into_iter().map(Value::Int).collect(),
                "-0042|3   |+3|ff|FF|10|101",
            ),
            (
                "%6.2f|%e|%08.3f",
                vec![Value::Float(1.234), Value::Float(1500.0), Value::Float(-3.5)],
                "  1.23|1.500000e+03|-003.500",
            ),
            ("%q %#q %x", vec![s.clone(), s.clone(), s.clone()], "\"hi\" `hi` 6869"),
            ("%[2]s %[1]s", vec![s.clone(), Value::from("b")], "b hi"),
            ("%*d", vec![Value::Int(4), Value::Int(2)], "   2"),
            ("%", vec![], "%!(NOVERB)"),
            ("%s", vec![Value::list(vec![s.clone(), Value::Nil])], "[hi %!s(<nil>)]"),
            (
                "%v",
                vec![Value::map([("b", Value::Nil), ("a", s.clone())])],
                "map[a:hi b:<nil>]",
            ),
            ("%c %U", vec![Value::Int(97), Value::Int(97)], "a U+0061"),
            ("%.1s|%5.1q", vec![s.clone(), s], "h|  \"h\""),
        ] {
            assert_eq!(printed(format, &args), expected, "{format}");
        }
    }

    #[test]
    fn quotes() {
        assert_eq!(
            quote("a\"\\\n\u{1}\u{e9}\u{2603}".as_bytes()),
            "\"a\\\"\\\\\\n\\x01\u{e9}\u{2603}\""
        );
        assert_eq!(quote(b"\xff"), "\"\\xff\"");
        assert_eq!(quote("\u{a0}\u{200b}".as_bytes()), "\"\\u00a0\\u200b\"");
    }
}
