//! What a scalar means: YAML 1.1 as go-yaml reads it, and kustomize's narrower reading.

use crate::Mode;
use crate::timestamp::is_timestamp;

/// A scalar with its type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar {
    Null,
    Bool(bool),
    /// Fits `i64`.
    Int(i64),
    /// Only fits `u64`.
    Unsigned(u64),
    /// Includes infinities and NaN, which no JSON value can hold.
    Float(f64),
    /// Stays the text it is; the type matters to tags and to quoting.
    Timestamp,
    Str,
}

impl Scalar {
    /// The short tag, for messages.
    pub(crate) fn tag(&self) -> &'static str {
        match self {
            Self::Null => "!!null",
            Self::Bool(_) => "!!bool",
            Self::Int(_) | Self::Unsigned(_) => "!!int",
            Self::Float(_) => "!!float",
            Self::Timestamp => "!!timestamp",
            Self::Str => "!!str",
        }
    }
}

/// The type of a plain scalar.
pub(crate) fn resolve(text: &str, mode: Mode) -> Scalar {
    let Some(first) = text.bytes().next() else {
        return Scalar::Null;
    };
    match first {
        b'0'..=b'9' | b'+' | b'-' => number_like(text),
        b'.' => dotted(text),
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~' => word(text, mode),
        _ => Scalar::Str,
    }
}

fn word(text: &str, mode: Mode) -> Scalar {
    match text {
        "true" | "True" | "TRUE" => Scalar::Bool(true),
        "false" | "False" | "FALSE" => Scalar::Bool(false),
        "~" | "null" | "Null" | "NULL" => Scalar::Null,
        _ if mode == Mode::Kustomize => Scalar::Str,
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Scalar::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Scalar::Bool(false),
        _ => Scalar::Str,
    }
}

fn dotted(text: &str) -> Scalar {
    match text {
        ".nan" | ".NaN" | ".NAN" => Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" => Scalar::Float(f64::INFINITY),
        _ if underscores_separate_digits(text) => decimal(&text.replace('_', "")).map_or(Scalar::Str, Scalar::Float),
        _ => Scalar::Str,
    }
}

/// Go's rule for `_` in a float: each stands between two digits.
fn underscores_separate_digits(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let underscores = (0..bytes.len()).filter(|&at| bytes[at] == b'_');
    underscores
        .into_iter()
        .all(|at| at > 0 && is_digit(at - 1) && is_digit(at + 1))
}

fn number_like(text: &str) -> Scalar {
    match text {
        "+.inf" | "+.Inf" | "+.INF" => return Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Scalar::Float(f64::NEG_INFINITY),
        _ => {}
    }
    if is_timestamp(text) {
        return Scalar::Timestamp;
    }
    let without_underscores;
    let plain = if text.contains('_') {
        without_underscores = text.replace('_', "");
        without_underscores.as_str()
    } else {
        text
    };
    integer(plain)
        .or_else(|| decimal(plain).map(Scalar::Float))
        .or_else(|| signed_binary(plain))
        .unwrap_or(Scalar::Str)
}

/// Go's `ParseInt(text, 0, 64)`, then `ParseUint`.
fn integer(text: &str) -> Option<Scalar> {
    let (negative, signed, digits) = match text.as_bytes() {
        [b'-', ..] => (true, true, &text[1..]),
        [b'+', ..] => (false, true, &text[1..]),
        _ => (false, false, text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', _, ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', _, ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', _, ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| char::from(byte).is_digit(radix)) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    match (i64::try_from(magnitude), negative) {
        (Ok(value), false) => Some(Scalar::Int(value)),
        (Ok(value), true) => Some(Scalar::Int(-value)),
        (Err(_), true) => (magnitude == i64::MIN.unsigned_abs()).then_some(Scalar::Int(i64::MIN)),
        (Err(_), false) => (!signed).then_some(Scalar::Unsigned(magnitude)),
    }
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?` whose value a 64-bit float can hold.
fn decimal(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
        None => (unsigned, None),
    };
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let well_formed = match mantissa.split_once('.') {
        Some(("", fraction)) => !fraction.is_empty() && all_digits(fraction),
        Some((whole, fraction)) => all_digits(whole) && all_digits(fraction),
        None => !mantissa.is_empty() && all_digits(mantissa),
    };
    let exponent_fits = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !digits.is_empty() && all_digits(digits)
    });
    if !well_formed || !exponent_fits {
        return None;
    }
    text.parse::<f64>().ok().filter(|value| value.is_finite())
}

/// `0b-1`: the digits after the prefix may carry a sign of their own.
fn signed_binary(text: &str) -> Option<Scalar> {
    let digits = text.strip_prefix("0b")?;
    i64::from_str_radix(digits, 2).ok().map(Scalar::Int)
}

/// Whether a string has to be quoted to stay one. Base-60 numbers are read as strings but quoted for readers that know them.
pub(crate) fn needs_quotes(text: &str) -> bool {
    resolve(text, Mode::Kube11) != Scalar::Str || is_base_60(text)
}

/// `[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?`
fn is_base_60(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (numbers, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let mut parts = numbers.split(':');
    let head = parts.next().unwrap_or("");
    let digits_and_underscores = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    let sexagesimal = |part: &str| match part.as_bytes() {
        [last] => last.is_ascii_digit(),
        [b'0'..=b'5', last] => last.is_ascii_digit(),
        _ => false,
    };
    head.starts_with(|c: char| c.is_ascii_digit())
        && digits_and_underscores(head)
        && numbers.contains(':')
        && parts.all(sexagesimal)
        && digits_and_underscores(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_base() {
        let cases = [
            ("0644", Scalar::Int(420)),
            ("0o644", Scalar::Int(420)),
            ("0x1F", Scalar::Int(31)),
            ("-0x1F", Scalar::Int(-31)),
            ("0b11", Scalar::Int(3)),
            ("-0b11", Scalar::Int(-3)),
            ("0b-1", Scalar::Int(-1)),
            ("1_000", Scalar::Int(1000)),
            ("08", Scalar::Float(8.0)),
            ("0888", Scalar::Float(888.0)),
            ("1e3", Scalar::Float(1000.0)),
            ("1.", Scalar::Float(1.0)),
            ("+.5", Scalar::Float(0.5)),
            (".1_0", Scalar::Float(0.1)),
            (".1e1_0", Scalar::Float(1e9)),
            (".0_1", Scalar::Float(0.01)),
            ("._1", Scalar::Str),
            (".1__0", Scalar::Str),
            (".1_", Scalar::Str),
            (".1_e1", Scalar::Str),
            ("-9223372036854775808", Scalar::Int(i64::MIN)),
            ("18446744073709551615", Scalar::Unsigned(u64::MAX)),
            ("1e400", Scalar::Str),
            ("1:30", Scalar::Str),
            ("-", Scalar::Str),
            ("0x", Scalar::Str),
            (".", Scalar::Str),
            ("1.2.3", Scalar::Str),
            ("2020-01-01", Scalar::Timestamp),
        ];
        for (text, expected) in cases {
            assert_eq!(resolve(text, Mode::Kube11), expected, "{text}");
        }
    }

    #[test]
    fn kustomize_keeps_the_words() {
        assert_eq!(resolve("yes", Mode::Kustomize), Scalar::Str);
        assert_eq!(resolve("off", Mode::Kustomize), Scalar::Str);
        assert_eq!(resolve("True", Mode::Kustomize), Scalar::Bool(true));
    }

    #[test]
    fn base_60_is_quoted() {
        for text in ["1:30", "12:30:45", "+1:2", "1_0:59.5"] {
            assert!(needs_quotes(text), "{text}");
        }
        for text in ["1:60", "a:30", "1:", ":1", "10.0.0.1:80"] {
            assert!(!needs_quotes(text), "{text}");
        }
    }
}
