//! Numbers of any size, as JSON writes them: never rounded, compared by their decimal digits.
//!
//! Go keeps them as fractions and gives up on exponents beyond a million; such a number is text that has no value here, too.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

/// The largest exponent of ten.
const MAX_EXPONENT: i64 = 1_000_000;

/// A number as it was written: of many, most are never looked at.
#[derive(Clone, Debug)]
pub(super) struct Number(Box<str>);

/// `digits × 10^exponent`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Decimal<'t> {
    is_negative: bool,
    /// Without zeros at either end: none for zero.
    digits: Cow<'t, str>,
    exponent: i64,
}

impl Number {
    /// A number that follows JSON's grammar.
    pub(super) fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The number that a text is to Go: JSON's, with more freedom.
    pub(super) fn of_text(text: &str) -> Option<Self> {
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let plain = text.strip_prefix('+').unwrap_or(text);
        let unsigned = plain.strip_prefix('-').filter(|_| plain == text).unwrap_or(plain);
        let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let is_number = digits(whole) && digits(fraction) && digits(exponent);
        let has_digits = whole.len() + fraction.len() > 0 && !exponent.is_empty();
        (is_number && has_digits).then(|| Self::new(plain))
    }

    fn value(&self) -> Option<Decimal<'_>> {
        Decimal::read(&self.0)
    }

    /// Bytes of its text, all of which are looked at.
    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn has_value(&self) -> bool {
        self.value().is_some()
    }

    pub(super) fn is_integer(&self) -> bool {
        self.value().is_some_and(|value| value.exponent >= 0)
    }

    /// A whole number as a count: the lowest 64 bits of it, as Go takes them, so that 2^64 is nothing.
    pub(super) fn as_count(&self) -> Option<i64> {
        let value = self.value().filter(|value| value.exponent >= 0)?;
        let zeros = usize::try_from(value.exponent).unwrap_or(usize::MAX).min(64);
        let all = value.digits.bytes().chain(std::iter::repeat_n(b'0', zeros));
        let count = all.fold(0_i64, |count, digit| {
            count.wrapping_mul(10).wrapping_add(i64::from(digit - b'0'))
        });
        Some(if value.is_negative { count.wrapping_neg() } else { count })
    }

    /// The nearest float; infinite if there is none.
    pub(super) fn as_float(&self) -> f64 {
        // There is one zero only.
        self.0.parse().unwrap_or(f64::NAN) + 0.0
    }

    /// Appends what equal numbers have in common.
    pub(super) fn write_key(&self, key: &mut String) {
        match self.value() {
            Some(Decimal {
                is_negative,
                digits,
                exponent,
            }) => key.push_str(&format!("<{is_negative} {digits} {exponent}>")),
            // It equals nothing, itself included.
            None => key.push_str(&format!("<{} {:p}>", self.0, self)),
        }
    }

    /// Nothing if one of them has no value.
    pub(super) fn compare(&self, other: &Self) -> Option<Ordering> {
        Some(self.value()?.compare(&other.value()?))
    }

    /// Is this a whole number of times the other? Nothing if one has no value, or the other is zero.
    pub(super) fn is_multiple_of(&self, other: &Self) -> Option<bool> {
        let (value, unit) = (self.value()?, other.value()?);
        if unit.digits.is_empty() {
            return None;
        }
        // Neither ends in a zero, so what has the smaller exponent is no multiple.
        let zeros = usize::try_from(value.exponent - unit.exponent);
        Some(value.digits.is_empty() || zeros.is_ok_and(|zeros| divides(&unit.digits, &value.digits, zeros)))
    }

    /// How many steps of one digit [`Self::is_multiple_of`] takes.
    pub(super) fn cost(&self, other: &Self) -> u64 {
        let (Some(value), Some(unit)) = (self.value(), other.value()) else {
            return 1;
        };
        let zeros = u64::try_from(value.exponent - unit.exponent).unwrap_or_default();
        let width = if unit.digits.len() <= FAST {
            1
        } else {
            unit.digits.len() as u64
        };
        (value.digits.len() as u64 + zeros).saturating_mul(width)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'t> Decimal<'t> {
    fn read(text: &'t str) -> Option<Self> {
        let (is_negative, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let exponent: i64 = exponent.strip_prefix('+').unwrap_or(exponent).parse().ok()?;
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = match fraction {
            "" => Cow::Borrowed(whole),
            _ => Cow::Owned(format!("{whole}{fraction}")),
        };
        let start = all.len() - all.trim_start_matches('0').len();
        let end = all.trim_end_matches('0').len();
        if start >= end {
            return Some(Self {
                is_negative: false,
                digits: Cow::Borrowed(""),
                exponent: 0,
            });
        }
        let exponent = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?;
        if exponent.unsigned_abs() > MAX_EXPONENT.unsigned_abs() {
            return None;
        }
        Some(Self {
            is_negative,
            exponent: exponent + i64::try_from(all.len() - end).ok()?,
            digits: match all {
                Cow::Borrowed(all) => Cow::Borrowed(&all[start..end]),
                Cow::Owned(all) => Cow::Owned(all[start..end].to_owned()),
            },
        })
    }

    /// Power of ten above the first digit.
    fn magnitude(&self) -> i64 {
        i64::try_from(self.digits.len())
            .unwrap_or(i64::MAX)
            .saturating_add(self.exponent)
    }

    fn sign(&self) -> i8 {
        match (self.digits.is_empty(), self.is_negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }

    fn compare(&self, other: &Decimal<'_>) -> Ordering {
        let by_size = || match self.magnitude().cmp(&other.magnitude()) {
            Ordering::Equal => self.digits.cmp(&other.digits),
            different => different,
        };
        match self.sign().cmp(&other.sign()) {
            Ordering::Equal if self.sign() < 0 => by_size().reverse(),
            Ordering::Equal if self.sign() > 0 => by_size(),
            by_sign => by_sign,
        }
    }
}

/// Digits of a divisor that machine words hold.
const FAST: usize = 18;

/// Is `digits`, with so many zeros after it, divided by `unit` without a rest?
fn divides(unit: &str, digits: &str, zeros: usize) -> bool {
    let all = digits
        .bytes()
        .chain(std::iter::repeat_n(b'0', zeros))
        .map(|digit| digit - b'0');
    if unit.len() <= FAST {
        let unit: u64 = unit.parse().unwrap_or(1);
        return all.fold(0, |rest, digit| (rest * 10 + u64::from(digit)) % unit) == 0;
    }
    let unit: Vec<u8> = unit.bytes().map(|digit| digit - b'0').collect();
    // One digit more than the divisor has, since the rest is multiplied by ten.
    let mut rest = vec![0; unit.len() + 1];
    for digit in all {
        rest.rotate_left(1);
        if let Some(last) = rest.last_mut() {
            *last = digit;
        }
        while subtract(&mut rest, &unit) {}
    }
    rest.iter().all(|digit| *digit == 0)
}

/// Subtracts if that leaves nothing negative. `from` has one digit more.
fn subtract(from: &mut [u8], unit: &[u8]) -> bool {
    if from[0] == 0 && from[1..] < *unit {
        return false;
    }
    let mut borrow = 0;
    for (digit, less) in from.iter_mut().rev().zip(unit.iter().rev().chain([&0])) {
        let less = less + borrow;
        borrow = u8::from(*digit < less);
        *digit = *digit + 10 * borrow - less;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_by_value() {
        let rising = [
            "-1e400",
            "-10.5",
            "-10",
            "-1e-400",
            "0",
            "1e-400",
            "0.1",
            "0.25",
            "1",
            "9",
            "10.0001",
            "99999999999999999999",
            "1e400",
        ];
        for (index, low) in rising.iter().enumerate() {
            for (other, high) in rising.iter().enumerate() {
                assert_eq!(
                    Number::new(low).compare(&Number::new(high)),
                    Some(index.cmp(&other)),
                    "{low} {high}"
                );
            }
        }
        for (one, other) in [
            ("1.0", "1"),
            ("-0", "0.00"),
            ("1E+2", "100"),
            ("0.1e1", "1"),
            ("0e99999999999", "0"),
        ] {
            assert_eq!(
                Number::new(one).compare(&Number::new(other)),
                Some(Ordering::Equal),
                "{one} {other}"
            );
        }
        assert_eq!(Number::new("1e1000001").compare(&Number::new("0")), None);
        assert_eq!(Number::new("1e99999999999999999999").compare(&Number::new("0")), None);
    }

    #[test]
    fn multiples() {
        for (value, unit, expected) in [
            ("10", "2.5", true),
            ("0.3", "0.1", true),
            ("2.55", "0.1", false),
            ("1e400", "3", false),
            ("3e400", "3", true),
            ("0", "7", true),
            ("-9", "3", true),
            ("123456789012345678901234567890", "1234567890123456789", false),
            ("2469135780246913578", "1234567890123456789", true),
            (
                "246913578024691357824691357802469135782",
                "123456789012345678912345678901234567891",
                true,
            ),
            (
                "246913578024691357824691357802469135783",
                "123456789012345678912345678901234567891",
                false,
            ),
            ("1", "1e-1000", true),
            ("1e-1000", "1", false),
        ] {
            assert_eq!(
                Number::new(value).is_multiple_of(&Number::new(unit)),
                Some(expected),
                "{value} {unit}"
            );
        }
        assert_eq!(Number::new("1").is_multiple_of(&Number::new("0.0")), None);
    }

    #[test]
    fn integers() {
        for (text, expected) in [
            ("1e2", Some(100)),
            ("1.50", None),
            ("-3", Some(-3)),
            ("0", Some(0)),
            ("9223372036854775808", Some(i64::MIN)),
            ("18446744073709551615", Some(-1)),
            ("18446744073709551616", Some(0)),
            ("-18446744073709551619", Some(-3)),
            ("1e30", Some(5_076_944_270_305_263_616)),
            ("1.5e64", Some(i64::MIN)),
            ("1e1000000", Some(0)),
        ] {
            assert_eq!(Number::new(text).as_count(), expected, "{text}");
        }
    }
}
