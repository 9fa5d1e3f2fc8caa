//! Durations: printing, parsing, and sprig's rounding.

use super::parse::quote;

/// How Go prints a duration: `1h2m3.5s`, `1.5ms`.
pub(crate) fn duration_text(nanoseconds: i64) -> String {
    if nanoseconds == 0 {
        return "0s".to_owned();
    }
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let magnitude = nanoseconds.unsigned_abs();
    let scaled = |unit: u64| {
        let fraction = format!("{:0width$}", magnitude % unit, width = unit.to_string().len() - 1);
        let fraction = fraction.trim_end_matches('0');
        if fraction.is_empty() {
            (magnitude / unit).to_string()
        } else {
            format!("{}.{fraction}", magnitude / unit)
        }
    };
    if magnitude < 1000 {
        return format!("{sign}{magnitude}ns");
    }
    if magnitude < 1_000_000 {
        return format!("{sign}{}\u{b5}s", scaled(1000));
    }
    if magnitude < 1_000_000_000 {
        return format!("{sign}{}ms", scaled(1_000_000));
    }
    let total = magnitude / 1_000_000_000;
    let (hours, minutes) = (total / 3600, total / 60 % 60);
    let fraction = format!("{:09}", magnitude % 1_000_000_000);
    let fraction = fraction.trim_end_matches('0');
    let seconds = if fraction.is_empty() {
        format!("{}s", total % 60)
    } else {
        format!("{}.{fraction}s", total % 60)
    };
    match (hours, minutes) {
        (0, 0) => format!("{sign}{seconds}"),
        (0, _) => format!("{sign}{minutes}m{seconds}"),
        _ => format!("{sign}{hours}h{minutes}m{seconds}"),
    }
}

/// Go's `time.ParseDuration`.
///
/// # Errors
/// Go's complaint.
pub(crate) fn parse_duration(text: &str) -> Result<i64, String> {
    const MOST: u64 = 1 << 63;
    let invalid = || format!("time: invalid duration {}", quote(text));
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let length = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (whole, after) = rest.split_at(length);
        let mut fraction = "";
        rest = after;
        if let Some(after) = rest.strip_prefix('.') {
            let length = after.bytes().take_while(u8::is_ascii_digit).count();
            (fraction, rest) = after.split_at(length);
        }
        if whole.is_empty() && fraction.is_empty() {
            return Err(invalid());
        }
        let end = rest
            .find(|c: char| c == '.' || c.is_ascii_digit())
            .unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        rest = after;
        let unit = match name {
            "" => return Err(format!("time: missing unit in duration {}", quote(text))),
            "ns" => 1,
            "us" | "\u{b5}s" | "\u{3bc}s" => 1000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => {
                return Err(format!(
                    "time: unknown unit {} in duration {}",
                    quote(name),
                    quote(text)
                ));
            }
        };
        let whole: u64 = if whole.is_empty() {
            0
        } else {
            whole.parse().map_err(|_| invalid())?
        };
        let value = whole
            .checked_mul(unit)
            .filter(|value| *value <= MOST)
            .ok_or_else(invalid)?;
        total = total
            .checked_add(value + scaled_fraction(fraction, unit))
            .filter(|total| *total <= MOST)
            .ok_or_else(invalid)?;
    }
    match (i64::try_from(total), negative) {
        (Ok(total), false) => Ok(total),
        (Ok(total), true) => Ok(-total),
        (Err(_), true) => Ok(i64::MIN),
        (Err(_), false) => Err(invalid()),
    }
}

/// The digits behind the point in nanoseconds, with the rounding of Go's floats.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "Go converts the same way, and the result is below an hour"
)]
fn scaled_fraction(digits: &str, unit: u64) -> u64 {
    let digits = &digits[..digits.len().min(18)];
    let Ok(value) = digits.parse::<u64>() else { return 0 };
    let scale = digits.bytes().fold(1f64, |scale, _| scale * 10.0);
    (value as f64 * (unit as f64 / scale)) as u64
}

/// Sprig's `durationRound`: the largest unit that fits more than once.
pub(crate) fn rounded(nanoseconds: u64) -> String {
    const HOUR: u64 = 3_600_000_000_000;
    for (unit, name) in [
        (HOUR * 24 * 365, "y"),
        (HOUR * 24 * 30, "mo"),
        (HOUR * 24, "d"),
        (HOUR, "h"),
        (HOUR / 60, "m"),
        (HOUR / 3600, "s"),
    ] {
        if nanoseconds > unit {
            return format!("{}{name}", nanoseconds / unit);
        }
    }
    "0s".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for text in ["1h2m3.5s", "1.5ms", "2m0s", "0s", "-1s", "3\u{b5}s", "1ns"] {
            assert_eq!(duration_text(parse_duration(text).expect(text)), text);
        }
        for text in ["", "1", "1x", "h", "1.2.3s", "9999999999h"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
