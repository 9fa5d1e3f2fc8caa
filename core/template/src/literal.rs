//! Literals of the template language: Go's numbers, characters and quoted strings.

use crate::ast::Number;

/// The bytes a quoted string (`"…"` or `` `…` ``) stands for; `None` when Go would call it invalid.
pub(crate) fn unquote(quoted: &str) -> Option<Vec<u8>> {
    if let Some(raw) = quoted.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')) {
        return Some(raw.bytes().filter(|b| *b != b'\r').collect());
    }
    let mut rest = quoted.strip_prefix('"')?.strip_suffix('"')?;
    let mut out = Vec::with_capacity(rest.len());
    while let Some(c) = rest.chars().next() {
        if c == '\\' {
            let (unit, after) = escape(&rest[1..], '"')?;
            unit.push_to(&mut out);
            rest = after;
        } else if c == '"' || c == '\n' {
            return None;
        } else {
            out.extend_from_slice(&rest.as_bytes()[..c.len_utf8()]);
            rest = &rest[c.len_utf8()..];
        }
    }
    Some(out)
}

/// What an escape stands for.
enum Unit {
    Byte(u8),
    Char(char),
}

impl Unit {
    fn push_to(&self, out: &mut Vec<u8>) {
        match self {
            Self::Byte(b) => out.push(*b),
            Self::Char(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }

    fn code(&self) -> i64 {
        match self {
            Self::Byte(b) => i64::from(*b),
            Self::Char(c) => i64::from(u32::from(*c)),
        }
    }
}

/// Reads what follows a backslash.
fn escape(rest: &str, quote: char) -> Option<(Unit, &str)> {
    let c = rest.chars().next()?;
    let after = &rest[c.len_utf8()..];
    let simple = |b: u8| Some((Unit::Byte(b), after));
    let digits = |from: &'_ str, count: usize, radix: u32| -> Option<u32> {
        let text = from.get(..count)?;
        text.bytes()
            .all(|b| char::from(b).is_digit(radix))
            .then(|| u32::from_str_radix(text, radix).ok())?
    };
    match c {
        'a' => simple(7),
        'b' => simple(8),
        'f' => simple(12),
        'n' => simple(b'\n'),
        'r' => simple(b'\r'),
        't' => simple(b'\t'),
        'v' => simple(11),
        '\\' => simple(b'\\'),
        '\'' | '"' if c == quote => simple(c as u8),
        'x' => Some((Unit::Byte(u8::try_from(digits(after, 2, 16)?).ok()?), &after[2..])),
        'u' => Some((Unit::Char(char::from_u32(digits(after, 4, 16)?)?), &after[4..])),
        'U' => Some((Unit::Char(char::from_u32(digits(after, 8, 16)?)?), &after[8..])),
        '0'..='7' => Some((Unit::Byte(u8::try_from(digits(rest, 3, 8)?).ok()?), &rest[3..])),
        _ => None,
    }
}

/// A character constant, or Go's complaint.
pub(crate) fn character(text: &str) -> Result<Number, String> {
    let malformed = || format!("malformed character constant: {text}");
    let mut inner = text.strip_prefix('\'').ok_or_else(malformed)?;
    let first = inner.chars().next().ok_or_else(malformed)?;
    let code = match first {
        '\'' => return Err("invalid syntax".to_owned()),
        '\\' => {
            let (unit, rest) = escape(&inner[1..], '\'').ok_or_else(|| "invalid syntax".to_owned())?;
            inner = rest;
            unit.code()
        }
        _ => {
            inner = &inner[first.len_utf8()..];
            i64::from(u32::from(first))
        }
    };
    if inner != "'" {
        return Err(malformed());
    }
    #[expect(clippy::cast_precision_loss, reason = "code points are far below 2^53")]
    Ok(Number {
        text: text.to_owned(),
        int: Some(code),
        uint: u64::try_from(code).ok(),
        float: Some(code as f64),
        complex: None,
    })
}

/// A complex number of two parts: `1+2i`.
pub(crate) fn complex(text: &str) -> Result<Number, String> {
    let invalid = || "syntax error scanning complex number".to_owned();
    let body = text.strip_suffix('i').ok_or_else(invalid)?;
    let split = body
        .char_indices()
        .skip(1)
        .filter(|(at, c)| matches!(c, '+' | '-') && !body[..*at].ends_with(['e', 'E', 'p', 'P']))
        .last()
        .ok_or_else(invalid)?;
    let re = parse_float(&body[..split.0]).ok_or_else(invalid)?;
    let im = parse_float(&body[split.0..]).ok_or_else(invalid)?;
    Ok(simplified(text, re, im))
}

/// A complex number that is real can be used as one.
fn simplified(text: &str, re: f64, im: f64) -> Number {
    let real = (im == 0.0).then_some(re);
    Number {
        text: text.to_owned(),
        int: real.and_then(whole),
        uint: real.and_then(unsigned_whole),
        float: real,
        complex: Some((re, im)),
    }
}

/// The integer a float is.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "checked by converting back"
)]
fn whole(float: f64) -> Option<i64> {
    let int = float as i64;
    // The largest integers round up to a float that they are not.
    (int as f64 == float && int != i64::MAX).then_some(int)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "checked by converting back"
)]
fn unsigned_whole(float: f64) -> Option<u64> {
    let uint = float as u64;
    (uint as f64 == float && uint != u64::MAX).then_some(uint)
}

/// A number, or Go's complaint.
pub(crate) fn number(text: &str) -> Result<Number, String> {
    if let Some(im) = text.strip_suffix('i').and_then(parse_float) {
        return Ok(simplified(text, 0.0, im));
    }
    let mut parsed = Number {
        text: text.to_owned(),
        int: parse_int(text),
        uint: parse_uint(text),
        float: None,
        complex: None,
    };
    if parsed.int == Some(0) {
        parsed.uint = Some(0);
    }
    #[expect(clippy::cast_precision_loss, reason = "Go converts the same way")]
    if let Some(int) = parsed.int {
        parsed.float = Some(int as f64);
    } else if let Some(uint) = parsed.uint {
        parsed.float = Some(uint as f64);
    } else if let Some(float) = parse_float(text) {
        if !text.contains(['.', 'e', 'E', 'p', 'P']) {
            return Err(format!("integer overflow: {}", crate::gofmt::quote(text.as_bytes())));
        }
        parsed.float = Some(float);
        parsed.int = whole(float);
        parsed.uint = unsigned_whole(float);
    }
    if parsed.int.is_none() && parsed.uint.is_none() && parsed.float.is_none() {
        return Err(format!(
            "illegal number syntax: {}",
            crate::gofmt::quote(text.as_bytes())
        ));
    }
    Ok(parsed)
}

/// Go's `strconv.ParseInt` with base 0.
pub(crate) fn parse_int(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let magnitude = i128::from(parse_uint(digits)?);
    i64::try_from(if negative { -magnitude } else { magnitude }).ok()
}

/// Go's `strconv.ParseUint` with base 0.
pub(crate) fn parse_uint(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let (radix, digits, prefixed) = if let Some(rest) = lower.strip_prefix("0x") {
        (16, rest, true)
    } else if let Some(rest) = lower.strip_prefix("0b") {
        (2, rest, true)
    } else if let Some(rest) = lower.strip_prefix("0o") {
        (8, rest, true)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (8, &lower[1..], true)
    } else {
        (10, lower.as_str(), false)
    };
    // An underscore must stand between digits (or after the prefix).
    if digits.ends_with('_') || digits.contains("__") || (digits.starts_with('_') && !prefixed) {
        return None;
    }
    let plain: String = digits.chars().filter(|c| *c != '_').collect();
    if !plain.bytes().all(|b| char::from(b).is_digit(radix)) {
        return None;
    }
    u64::from_str_radix(&plain, radix).ok()
}

/// Go's `strconv.ParseFloat`; `None` for a syntax error or a value out of range.
pub(crate) fn parse_float(text: &str) -> Option<f64> {
    let without_underscores;
    let text = if text.contains('_') {
        if !underscores_separate(text) {
            return None;
        }
        without_underscores = text.replace('_', "");
        without_underscores.as_str()
    } else {
        text
    };
    let unsigned = text.trim_start_matches(['+', '-']);
    if text.len() - unsigned.len() > 1 {
        return None;
    }
    let negative = text.starts_with('-');
    let lower = unsigned.to_ascii_lowercase();
    let magnitude = match lower.as_str() {
        "inf" | "infinity" => f64::INFINITY,
        "nan" if text.len() == 3 => f64::NAN,
        _ if lower.starts_with("0x") => hex_float(&lower[2..])?,
        _ => {
            if !lower
                .bytes()
                .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'+' | b'-'))
            {
                return None;
            }
            let value: f64 = lower.parse().ok()?;
            if value.is_infinite() {
                return None;
            }
            value
        }
    };
    Some(if negative { -magnitude } else { magnitude })
}

/// Whether every underscore stands between digits, or behind the prefix of a base.
fn underscores_separate(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let lower = unsigned.to_ascii_lowercase();
    let hex = lower.starts_with("0x");
    let prefixed = hex || lower.starts_with("0b") || lower.starts_with("0o");
    let mut last = if prefixed { '0' } else { '^' };
    for c in lower.chars().skip(if prefixed { 2 } else { 0 }) {
        last = match c {
            '0'..='9' => '0',
            'a'..='f' if hex => '0',
            '_' if last != '0' => return false,
            '_' => '_',
            _ if last == '_' => return false,
            _ => '!',
        };
    }
    last != '_'
}

/// The digits of a hexadecimal float: `1.8p3`.
fn hex_float(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once('p')?;
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value = 0.0;
    for digit in whole.chars().chain(fraction.chars()) {
        value = value * 16.0 + f64::from(digit.to_digit(16)?);
    }
    let scale = i32::try_from(fraction.len()).ok()?.checked_mul(4)?;
    Some(value * 2f64.powi(exponent.checked_sub(scale)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (text, int) in [
            ("017", Some(15)),
            ("0x1F", Some(31)),
            ("1_000", Some(1000)),
            ("-3", Some(-3)),
            ("1e3", Some(1000)),
            ("1.5", None),
        ] {
            assert_eq!(number(text).expect(text).int, int, "{text}");
        }
        assert_eq!(character("'a'").expect("char").int, Some(97));
        assert_eq!(character("'\\n'").expect("char").int, Some(10));
        assert_eq!(number("1_").unwrap_err(), "illegal number syntax: \"1_\"");
        assert_eq!(
            number("99999999999999999999").unwrap_err(),
            "integer overflow: \"99999999999999999999\""
        );
        assert_eq!(number("0x1p4").expect("hex").float, Some(16.0));
    }

    #[test]
    fn strings() {
        assert_eq!(unquote("\"a\\u2603\\x00\\101\""), Some("a\u{2603}\0A".into()));
        assert_eq!(unquote("`a\\n`"), Some(b"a\\n".to_vec()));
        assert_eq!(unquote("\"\\q\""), None);
    }
}
