//! Numbers as Go writes them.
//!
//! Go's JSON encoder and go-yaml's encoder print a `float64` differently, and a value passes through both on its way to YAML.

use serde_json::{Number, Value};

/// A float as go-yaml prints it: shortest digits, exponent form below 1e-4 and from 1e6 for what is not an integer in 64 bits.
///
/// The value passes through JSON first, where whole numbers below 1e21 are written as plain digits; what fits `i64` or `u64` is read back
/// as an integer.
pub(crate) fn go_yaml_float(value: f64) -> String {
    if value == value.trunc() && value.abs() < 1e21 {
        let digits = if value == 0.0 {
            "0".to_owned()
        } else {
            format!("{value}")
        };
        if digits.parse::<i64>().is_ok() || digits.parse::<u64>().is_ok() {
            return digits;
        }
    }
    general(&format!("{value:e}"))
}

/// A float as Go's `%g` prints it with the shortest digits.
pub(crate) fn go_float(value: f64) -> String {
    general(&format!("{value:e}"))
}

/// A float used as a mapping key, or where a string is wanted: the conversion to JSON prints it with the precision of a 32-bit float
/// (`strconv.FormatFloat(value, 'g', -1, 32)`).
pub fn go_float_key(value: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "Go's conversion rounds keys to 32 bits too"
    )]
    let narrow = value as f32;
    if narrow.is_nan() {
        return "NaN".to_owned();
    }
    if narrow.is_infinite() {
        return if narrow > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    general(&format!("{narrow:e}"))
}

/// The key that a float becomes for which JSON has no number, or none in the precision that keys have.
pub(crate) fn unwritable_key(value: f64) -> Option<&'static str> {
    match go_float_key(value).as_str() {
        "+Inf" => Some(".inf"),
        "-Inf" => Some("-.inf"),
        "NaN" => Some(".nan"),
        _ => None,
    }
}

/// What becomes of floats that are whole numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Floats {
    /// They are written without a fraction and read back as integers, if they fit 64 bits.
    Whole,
    /// They stay floats.
    Stay,
}

/// A float as the JSON number it becomes.
pub(crate) fn float_value(float: f64, floats: Floats) -> Option<Value> {
    if floats == Floats::Whole && float == float.trunc() && float.abs() < 1e19 {
        let digits = if float == 0.0 {
            "0".to_owned()
        } else {
            format!("{float}")
        };
        if let Ok(integer) = digits.parse::<i64>() {
            return Some(Value::from(integer));
        }
    }
    Number::from_f64(float).map(Value::Number)
}

/// Go's `%g` with the shortest digits, from Rust's exponent form of the same shortest digits (`-1.5e-7`).
fn general(scientific: &str) -> String {
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    if !(-4..EXPONENT_FROM).contains(&exponent) {
        let exponent_sign = if exponent < 0 { '-' } else { '+' };
        return format!("{sign}{mantissa}e{exponent_sign}{:02}", exponent.unsigned_abs());
    }
    if exponent < 0 {
        let zeros = "0".repeat(exponent.unsigned_abs() as usize - 1);
        return format!("{sign}0.{zeros}{digits}");
    }
    let whole = exponent as usize + 1;
    if digits.len() <= whole {
        return format!("{sign}{digits}{}", "0".repeat(whole - digits.len()));
    }
    format!("{sign}{}.{}", &digits[..whole], &digits[whole..])
}

/// The decimal exponent from which `%g` with the shortest digits changes to exponent form: Go decides as if the precision were 6.
const EXPONENT_FROM: i32 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_print_as_go_yaml_prints_them() {
        let cases = [
            (0.0, "0"),
            (-0.0, "0"),
            (1.5, "1.5"),
            (0.1, "0.1"),
            (1e-7, "1e-07"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1_000_000.0, "1000000"),
            (123_456_789.123_456_79, "1.2345678912345679e+08"),
            (1e20, "1e+20"),
            (1e23, "1e+23"),
            (9.223_372_036_854_776e18, "9223372036854776000"),
            (1.844_674_407_370_955_2e19, "1.8446744073709552e+19"),
            (-2.5, "-2.5"),
        ];
        for (value, expected) in cases {
            assert_eq!(go_yaml_float(value), expected, "{value:?}");
        }
    }

    #[test]
    fn float_keys_have_32_bit_precision() {
        assert_eq!(go_float_key(1.1), "1.1");
        assert_eq!(go_float_key(0.123_456_789_012), "0.12345679");
        assert_eq!(go_float_key(16_777_217.0), "1.6777216e+07");
        assert_eq!(go_float_key(-1e300), "-Inf");
    }
}
