//! Quantities (`500m`, `2Gi`, `1e3`) in the one form the server prints.

/// Decimal suffixes by power of ten.
const DECIMAL: [(&str, i32); 10] = [
    ("n", -9),
    ("u", -6),
    ("m", -3),
    ("", 0),
    ("k", 3),
    ("M", 6),
    ("G", 9),
    ("T", 12),
    ("P", 15),
    ("E", 18),
];

/// Binary suffixes by power of two.
const BINARY: [(&str, u32); 6] = [("Ki", 10), ("Mi", 20), ("Gi", 30), ("Ti", 40), ("Pi", 50), ("Ei", 60)];

/// The value of a quantity as a count of `10^-9`; also what its form is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quantity {
    nano: i128,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Decimal,
    Exponent,
    Binary,
}

const NANO: i128 = 1_000_000_000;

/// What the server says of text that is no quantity.
pub(crate) const MALFORMED: &str =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

/// What the server says of a number with a suffix it does not know.
const SUFFIX: &str = "unable to parse quantity's suffix";

impl Quantity {
    /// Parses a quantity. Parts below `10^-9` round up, as the server does.
    ///
    /// # Errors
    /// The server's message when the text is no quantity, or is one too large to hold.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let end = text
            .char_indices()
            .find(|(i, c)| !(c.is_ascii_digit() || *c == '.' || (*i == 0 && matches!(c, '+' | '-'))))
            .map_or(text.len(), |(i, _)| i);
        let (number, suffix) = text.split_at(end);
        let suffix_is_known = suffix.chars().all(|c| "eEinumkKMGTP+-0123456789".contains(c));
        if !number.contains(|c: char| c.is_ascii_digit()) || number.matches('.').count() > 1 || !suffix_is_known {
            return Err(MALFORMED);
        }
        let (negative, digits) = match number.as_bytes()[0] {
            b'-' => (true, &number[1..]),
            b'+' => (false, &number[1..]),
            _ => (false, number),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let mantissa: i128 = format!("{whole}{fraction}").parse().map_err(|_| MALFORMED)?;
        let places = i32::try_from(fraction.len()).map_err(|_| MALFORMED)?;
        let (form, nano) = if let Some((_, power)) = BINARY.iter().find(|(s, _)| *s == suffix) {
            let scaled = mantissa.checked_mul(1 << power).ok_or(MALFORMED)?;
            (Form::Binary, shift(scaled, 9 - places).ok_or(MALFORMED)?)
        } else if let Some((_, power)) = DECIMAL.iter().find(|(s, _)| *s == suffix) {
            (Form::Decimal, shift(mantissa, 9 - places + power).ok_or(MALFORMED)?)
        } else if let Some(exponent) = suffix.strip_prefix(['e', 'E']) {
            let power: i32 = exponent.parse().map_err(|_| SUFFIX)?;
            (Form::Exponent, shift(mantissa, 9 - places + power).ok_or(MALFORMED)?)
        } else {
            return Err(SUFFIX);
        };
        let nano = if negative { -nano } else { nano };
        Ok(Self { nano, form })
    }

    /// Whether it is more than zero.
    pub(crate) fn is_positive(&self) -> bool {
        self.nano > 0
    }

    /// Whether it is less than zero.
    pub(crate) fn is_negative(&self) -> bool {
        self.nano < 0
    }

    /// Whether it is a whole number.
    pub(crate) fn is_whole(&self) -> bool {
        self.nano % NANO == 0
    }

    /// Whether it is more than another, whatever the forms.
    pub(crate) fn exceeds(&self, other: &Self) -> bool {
        self.nano > other.nano
    }

    /// The form the server prints: the largest suffix that keeps the mantissa whole.
    pub(crate) fn canonical(&self) -> String {
        if self.nano == 0 {
            return "0".into();
        }
        let small = self.nano.abs() < 1024 * NANO;
        if self.form == Form::Binary && self.is_whole() && !small {
            let (mut value, mut suffix) = (self.nano / NANO, "");
            for (name, _) in BINARY {
                if value % 1024 != 0 {
                    break;
                }
                value /= 1024;
                suffix = name;
            }
            return format!("{value}{suffix}");
        }
        let (mut value, mut power) = (self.nano, -9);
        while value % 1000 == 0 && power < 18 {
            value /= 1000;
            power += 3;
        }
        if self.form == Form::Exponent {
            return if power == 0 {
                value.to_string()
            } else {
                format!("{value}e{power}")
            };
        }
        let suffix = DECIMAL.iter().find(|(_, p)| *p == power).map_or("", |(s, _)| s);
        format!("{value}{suffix}")
    }
}

/// Times ten to a power, rounded away from zero when digits are lost. `None` when it does not fit.
fn shift(value: i128, power: i32) -> Option<i128> {
    if power >= 0 {
        return 10_i128.checked_pow(power.unsigned_abs())?.checked_mul(value);
    }
    let divisor = 10_i128.checked_pow(power.unsigned_abs())?;
    let rest = i128::from(value % divisor != 0);
    Some(value / divisor + rest * value.signum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_print_in_one_form() {
        for (text, expected) in [
            ("0.5", "500m"),
            ("1000m", "1"),
            ("2048Ki", "2Mi"),
            ("1Gi", "1Gi"),
            ("1.5Gi", "1536Mi"),
            ("500M", "500M"),
            ("1000M", "1G"),
            ("1e3", "1e3"),
            ("0", "0"),
            ("128974848", "128974848"),
            ("0.1n", "1n"),
            ("512Mi", "512Mi"),
            ("100", "100"),
            ("1024Mi", "1Gi"),
            ("0.5Mi", "512Ki"),
            ("-1", "-1"),
        ] {
            assert_eq!(Quantity::parse(text).unwrap().canonical(), expected, "{text}");
        }
        for text in ["", "a", "1..2", "1x", "5 Gi"] {
            assert_eq!(Quantity::parse(text), Err(MALFORMED), "{text}");
        }
    }

    #[test]
    fn quantities_compare_across_forms() {
        let parse = |text| Quantity::parse(text).unwrap();
        assert!(parse("2").exceeds(&parse("1500m")));
        assert!(!parse("1Ki").exceeds(&parse("1024")));
    }
}
