//! Floats as Go's `strconv.FormatFloat` writes them.

/// `%e`, `%f` or `%g` with a precision, or the shortest digits that read back as the same float.
pub(crate) fn format_float(value: f64, verb: char, precision: Option<usize>) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value < 0.0 { "-Inf" } else { "+Inf" }.to_owned();
    }
    match verb {
        'f' | 'F' => precision.map_or_else(
            || format!("{value}"),
            |digits| {
                let exact = digits.min(MAX_DIGITS);
                format!("{value:.exact$}") + &"0".repeat(digits - exact)
            },
        ),
        'e' | 'E' => exponent_form(value, precision, verb),
        'b' => binary_exponent(value),
        'x' | 'X' => hexadecimal(value, precision, verb == 'X'),
        _ => general(value, precision, if verb == 'G' { 'E' } else { 'e' }),
    }
}

/// More digits than any float has: the rest are zeros, which the standard library's formats could not count.
const MAX_DIGITS: usize = 1100;

/// The mantissa as a whole number and its binary exponent: `%b`.
fn binary_exponent(value: f64) -> String {
    let (sign, mantissa, exponent) = parts(value);
    format!("{sign}{mantissa}p{exponent:+}")
}

/// Sign, 53-bit mantissa and exponent: `mantissa * 2^exponent`.
fn parts(value: f64) -> (&'static str, u64, i64) {
    let bits = value.to_bits();
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let exponent = (bits >> 52 & 0x7ff).cast_signed();
    let fraction = bits & ((1 << 52) - 1);
    if exponent == 0 {
        (sign, fraction, -1074)
    } else {
        (sign, fraction | 1 << 52, exponent - 1075)
    }
}

/// `0x1.8p+01`: `%x`.
fn hexadecimal(value: f64, precision: Option<usize>, upper: bool) -> String {
    let (sign, mut mantissa, mut exponent) = parts(value);
    if mantissa == 0 {
        exponent = 0;
    } else {
        // The leading one moves to bit 60, so that 15 hexadecimal digits follow it.
        let shift = mantissa.leading_zeros() - 3;
        mantissa <<= shift;
        exponent += 60 - i64::from(shift);
    }
    if let Some(digits) = precision.filter(|digits| *digits < 15) {
        let shift = u32::try_from(digits * 4).unwrap_or(60);
        let extra = (mantissa << shift) & ((1 << 60) - 1);
        mantissa >>= 60 - shift;
        // Halves go to the even neighbour.
        if extra | (mantissa & 1) > 1 << 59 {
            mantissa += 1;
        }
        mantissa <<= 60 - shift;
        if mantissa & 1 << 61 != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let mut digits = format!("{:015x}", mantissa & ((1 << 60) - 1));
    match precision {
        None => digits.truncate(digits.trim_end_matches('0').len()),
        Some(count) if count <= 15 => digits.truncate(count),
        Some(count) => digits.extend(std::iter::repeat_n('0', count - 15)),
    }
    let point = if digits.is_empty() { "" } else { "." };
    let exponent_sign = if exponent < 0 { '-' } else { '+' };
    let leading = mantissa >> 60;
    let text = format!(
        "{sign}0x{leading}{point}{digits}p{exponent_sign}{:02}",
        exponent.unsigned_abs()
    );
    if upper { text.to_uppercase() } else { text }
}

/// `d.ddde±dd`.
fn exponent_form(value: f64, precision: Option<usize>, letter: char) -> String {
    let rust = precision.map_or_else(
        || format!("{value:e}"),
        |digits| {
            let exact = digits.min(MAX_DIGITS);
            let text = format!("{value:.exact$e}");
            let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            format!("{mantissa}{}e{exponent}", "0".repeat(digits - exact))
        },
    );
    let (mantissa, exponent) = rust.split_once('e').unwrap_or((&rust, "0"));
    let (sign, digits) = exponent
        .strip_prefix('-')
        .map_or(('+', exponent), |digits| ('-', digits));
    format!("{mantissa}{letter}{sign}{digits:0>2}")
}

/// The exponent form for large and small exponents, the plain form otherwise.
fn general(value: f64, precision: Option<usize>, letter: char) -> String {
    let significant = precision.map(|p| p.max(1));
    let rust = significant.map_or_else(
        || format!("{value:e}"),
        |digits| {
            let digits = (digits - 1).min(MAX_DIGITS);
            format!("{value:.digits$e}")
        },
    );
    let (mantissa, exponent) = rust.split_once('e').unwrap_or((&rust, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trimmed = if mantissa.contains('.') {
        mantissa.trim_end_matches('0').trim_end_matches('.')
    } else {
        mantissa
    };
    let (sign, digits) = trimmed.strip_prefix('-').map_or(("", trimmed), |digits| ("-", digits));
    let digits: String = digits.chars().filter(|c| *c != '.').collect();
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let threshold = match significant {
        None => 6,
        Some(p) => {
            let p = i32::try_from(p).unwrap_or(i32::MAX);
            // A number that is written without padding zeros stays plain.
            if p > count && count > exponent { count } else { p }
        }
    };
    if exponent < -4 || exponent >= threshold {
        let exponent_sign = if exponent < 0 { '-' } else { '+' };
        return format!(
            "{sign}{}{letter}{exponent_sign}{:02}",
            point(&digits),
            exponent.unsigned_abs()
        );
    }
    plain(sign, &digits, exponent)
}

/// `d.ddd` from digits.
fn point(digits: &str) -> String {
    if digits.len() > 1 {
        format!("{}.{}", &digits[..1], &digits[1..])
    } else {
        digits.to_owned()
    }
}

fn plain(sign: &str, digits: &str, exponent: i32) -> String {
    if exponent < 0 {
        let zeros = "0".repeat(exponent.unsigned_abs() as usize - 1);
        return format!("{sign}0.{zeros}{digits}");
    }
    let whole = exponent.unsigned_abs() as usize + 1;
    if digits.len() <= whole {
        return format!("{sign}{digits}{}", "0".repeat(whole - digits.len()));
    }
    format!("{sign}{}.{}", &digits[..whole], &digits[whole..])
}

/// A float as Go's JSON encoder writes it; `None` for what JSON cannot hold.
pub(crate) fn json_float(value: f64) -> Option<String> {
    if !value.is_finite() {
        return None;
    }
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        let text = exponent_form(value, None, 'e');
        // A one-digit negative exponent loses its leading zero.
        return Some(text.replace("e-0", "e-"));
    }
    Some(format!("{value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_go() {
        for (value, text) in [
            (3.0, "3"),
            (1e6, "1e+06"),
            (123_456.0, "123456"),
            (12_345_678_901.0, "1.2345678901e+10"),
            (1e-5, "1e-05"),
            (0.0001, "0.0001"),
            (1.5, "1.5"),
            (0.0, "0"),
            (-0.25, "-0.25"),
            (9_223_372_036_854_775_807.0, "9.223372036854776e+18"),
        ] {
            assert_eq!(format_float(value, 'g', None), text);
        }
        assert_eq!(format_float(1_234_567.0, 'g', Some(3)), "1.23e+06");
        assert_eq!(format_float(100_000.0, 'g', Some(6)), "100000");
        assert_eq!(format_float(1.0, 'g', Some(3)), "1");
        assert_eq!(format_float(1234.5678, 'e', Some(2)), "1.23e+03");
        assert_eq!(format_float(1.234, 'f', Some(2)), "1.23");
        assert_eq!(json_float(1e21).as_deref(), Some("1e+21"));
        assert_eq!(json_float(1e-7).as_deref(), Some("1e-7"));
        assert_eq!(json_float(1e6).as_deref(), Some("1000000"));
    }
}
