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

/// A number or character constant, or Go's complaint.
pub(crate) fn number(text: &str, is_char: bool) -> Result<Number, String> {
    if is_char {
        let malformed = || format!("malformed character constant: {text}");
        let inner = text
            .strip_prefix('\'')
            .and_then(|t| t.strip_suffix('\''))
            .ok_or_else(malformed)?;
        let first = inner.chars().next().ok_or_else(malformed)?;
        let (code, rest) = if first == '\\' {
            let (unit, rest) = escape(&inner[1..], '\'').ok_or_else(malformed)?;
            (unit.code(), rest)
        } else {
            (i64::from(u32::from(first)), &inner[first.len_utf8()..])
        };
        if !rest.is_empty() {
            return Err(malformed());
        }
        #[expect(clippy::cast_precision_loss, reason = "code points are far below 2^53")]
        return Ok(Number {
            text: text.to_owned(),
            int: Some(code),
            uint: true,
            float: Some(code as f64),
        });
    }
    let mut parsed = Number {
        text: text.to_owned(),
        int: parse_int(text),
        uint: parse_uint(text).is_some(),
        float: None,
    };
    #[expect(clippy::cast_precision_loss, reason = "Go converts the same way")]
    if let Some(int) = parsed.int {
        parsed.float = Some(int as f64);
    } else if let Some(uint) = parse_uint(text) {
        parsed.float = Some(uint as f64);
    } else if let Some(float) = parse_float(text) {
        if !text.contains(['.', 'e', 'E', 'p', 'P']) {
            return Err(format!("integer overflow: {}", crate::gofmt::quote(text.as_bytes())));
        }
        parsed.float = Some(float);
        #[expect(clippy::cast_possible_truncation, reason = "checked by converting back")]
        let whole = float as i64;
        if whole as f64 == float {
            parsed.int = Some(whole);
        }
        parsed.uint = parsed.int.is_some_and(|i| i >= 0);
    }
    if parsed.int.is_none() && !parsed.uint && parsed.float.is_none() {
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
    let unsigned = text.trim_start_matches(['+', '-']);
    if text.len() - unsigned.len() > 1 {
        return None;
    }
    let negative = text.starts_with('-');
    let lower = unsigned.to_ascii_lowercase();
    let magnitude = match lower.as_str() {
        "inf" | "infinity" => f64::INFINITY,
        "nan" => f64::NAN,
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
            assert_eq!(number(text, false).expect(text).int, int, "{text}");
        }
        assert_eq!(number("'a'", true).expect("char").int, Some(97));
        assert_eq!(number("'\\n'", true).expect("char").int, Some(10));
        assert_eq!(number("1_", false).unwrap_err(), "illegal number syntax: \"1_\"");
        assert_eq!(
            number("99999999999999999999", false).unwrap_err(),
            "integer overflow: \"99999999999999999999\""
        );
        assert_eq!(number("0x1p4", false).expect("hex").float, Some(16.0));
    }

    #[test]
    fn strings() {
        assert_eq!(unquote("\"a\\u2603\\x00\\101\""), Some("a\u{2603}\0A".into()));
        assert_eq!(unquote("`a\\n`"), Some(b"a\\n".to_vec()));
        assert_eq!(unquote("\"\\q\""), None);
    }
}
