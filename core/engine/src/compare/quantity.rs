//! Kubernetes quantities, compared by value.

use serde_json::Value;

/// Are both quantities, and of the same value? `1000m` is `1`, `1Gi` is `1024Mi`, `1e3` is `1k`; a number is a quantity too.
pub(super) fn equal(a: &Value, b: &Value) -> bool {
    match (parse(a), parse(b)) {
        (Some(a), Some(b)) => a == b,
        _ => false,
    }
}

/// Digits without trailing zeros, times a power of ten: two equal values have equal parts.
#[derive(Debug, PartialEq, Eq)]
struct Decimal {
    mantissa: i128,
    exponent: i32,
}

fn parse(value: &Value) -> Option<Decimal> {
    match value {
        Value::String(text) => parse_text(text),
        Value::Number(number) => parse_text(&number.to_string()),
        _ => None,
    }
}

fn parse_text(text: &str) -> Option<Decimal> {
    let end = text
        .bytes()
        .position(|byte| !matches!(byte, b'0'..=b'9' | b'.' | b'+' | b'-'))
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (mut mantissa, mut exponent) = parse_decimal(number)?;
    if let Some(power) = decimal_suffix(suffix) {
        exponent += power;
    } else if let Some(power) = binary_suffix(suffix) {
        mantissa = mantissa.checked_mul(1i128.checked_shl(power)?)?;
    } else {
        exponent = exponent.checked_add(suffix.strip_prefix(['e', 'E'])?.parse().ok()?)?;
    }
    if mantissa == 0 {
        return Some(Decimal { mantissa, exponent: 0 });
    }
    while mantissa % 10 == 0 {
        mantissa /= 10;
        exponent += 1;
    }
    Some(Decimal { mantissa, exponent })
}

fn parse_decimal(text: &str) -> Option<(i128, i32)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.bytes().any(|byte| !byte.is_ascii_digit()) || text.len() > 30 {
        return None;
    }
    let digits = format!("{whole}{fraction}");
    let exponent = -i32::try_from(fraction.len()).ok()?;
    Some((digits.parse().ok()?, exponent))
}

fn decimal_suffix(suffix: &str) -> Option<i32> {
    Some(match suffix {
        "n" => -9,
        "u" => -6,
        "m" => -3,
        "" => 0,
        "k" => 3,
        "M" => 6,
        "G" => 9,
        "T" => 12,
        "P" => 15,
        "E" => 18,
        _ => return None,
    })
}

fn binary_suffix(suffix: &str) -> Option<u32> {
    Some(match suffix {
        "Ki" => 10,
        "Mi" => 20,
        "Gi" => 30,
        "Ti" => 40,
        "Pi" => 50,
        "Ei" => 60,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn equal_by_value() {
        for (a, b) in [
            (json!("1000m"), json!("1")),
            (json!("1024Mi"), json!("1Gi")),
            (json!("1e3"), json!("1k")),
            (json!("0.5"), json!("500m")),
            (json!(2), json!("2")),
            (json!(0.1), json!("100m")),
            (json!("512Mi"), json!("536870912")),
            (json!("10000m"), json!("10")),
            (json!("0"), json!("0Gi")),
        ] {
            assert!(equal(&a, &b), "{a} {b}");
        }
    }

    #[test]
    fn different_or_no_quantity() {
        for (a, b) in [
            (json!("1k"), json!("1Ki")),
            (json!("1m"), json!("1M")),
            (json!("abc"), json!("abc")),
            (json!("1"), json!("1x")),
            (json!(""), json!("0")),
            (json!("1e999999999999"), json!("1")),
            (json!(true), json!("1")),
        ] {
            assert!(!equal(&a, &b), "{a} {b}");
        }
    }
}
