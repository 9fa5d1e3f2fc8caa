//! Numbers of any size, as JSON writes them: never rounded, compared by their decimal digits.
//!
//! Go keeps them as fractions and gives up on exponents beyond a million; such a number is text that has no value here, too.

use std::cmp::Ordering;
use std::fmt;

/// The largest exponent of ten.
const MAX_EXPONENT: i64 = 1_000_000;

/// A number and how it was written.
#[derive(Clone, Debug)]
pub(super) struct Number {
    text: String,
    value: Option<Decimal>,
}

/// `digits × 10^exponent`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Decimal {
    is_negative: bool,
    /// Without zeros at either end: none for zero.
    digits: String,
    exponent: i64,
}

impl Number {
    /// A number that follows JSON's grammar.
    pub(super) fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            value: Decimal::read(text),
        }
    }

    pub(super) fn has_value(&self) -> bool {
        self.value.is_some()
    }

    pub(super) fn is_integer(&self) -> bool {
        self.value.as_ref().is_some_and(|value| value.exponent >= 0)
    }

    /// A whole number; what is beyond 64 bits is the largest or smallest that is not.
    pub(super) fn as_integer(&self) -> Option<i64> {
        let value = self.value.as_ref().filter(|value| value.exponent >= 0)?;
        let far = if value.is_negative { i64::MIN } else { i64::MAX };
        let zeros = usize::try_from(value.exponent).unwrap_or(usize::MAX).min(20);
        let sign = if value.is_negative { "-" } else { "" };
        let written = format!("{sign}0{}{}", value.digits, "0".repeat(zeros));
        Some(written.parse().unwrap_or(far))
    }

    /// The nearest float; infinite if there is none.
    pub(super) fn as_float(&self) -> f64 {
        self.text.parse().unwrap_or(f64::NAN)
    }

    /// Appends what equal numbers have in common.
    pub(super) fn write_key(&self, key: &mut String) {
        match &self.value {
            Some(Decimal {
                is_negative,
                digits,
                exponent,
            }) => key.push_str(&format!("<{is_negative} {digits} {exponent}>")),
            None => key.push_str(&format!("<{}>", self.text)),
        }
    }

    /// Nothing if one of them has no value.
    pub(super) fn compare(&self, other: &Self) -> Option<Ordering> {
        Some(self.value.as_ref()?.compare(other.value.as_ref()?))
    }

    /// Is this a whole number of times the other? Nothing if one has no value, or the other is zero.
    pub(super) fn is_multiple_of(&self, other: &Self) -> Option<bool> {
        let (value, unit) = (self.value.as_ref()?, other.value.as_ref()?);
        if unit.digits.is_empty() {
            return None;
        }
        // Neither ends in a zero, so what has the smaller exponent is no multiple.
        let zeros = usize::try_from(value.exponent - unit.exponent);
        Some(value.digits.is_empty() || zeros.is_ok_and(|zeros| divides(&unit.digits, &value.digits, zeros)))
    }

    /// How many steps of one digit [`Self::is_multiple_of`] takes.
    pub(super) fn cost(&self, other: &Self) -> u64 {
        let (Some(value), Some(unit)) = (&self.value, &other.value) else {
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
        f.write_str(&self.text)
    }
}

impl Decimal {
    fn read(text: &str) -> Option<Self> {
        let (is_negative, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        let digits = all.trim_start_matches('0');
        if digits.is_empty() {
            return Some(Self {
                is_negative: false,
                digits: String::new(),
                exponent: 0,
            });
        }
        let exponent: i64 = exponent.strip_prefix('+').unwrap_or(exponent).parse().ok()?;
        let exponent = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?;
        if exponent.unsigned_abs() > MAX_EXPONENT.unsigned_abs() {
            return None;
        }
        let kept = digits.trim_end_matches('0');
        Some(Self {
            is_negative,
            digits: kept.to_owned(),
            exponent: exponent + i64::try_from(digits.len() - kept.len()).ok()?,
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

    fn compare(&self, other: &Self) -> Ordering {
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
        return all.fold(0, |rest, digit| (rest * 10 + u128::from(digit)) % u128::from(unit)) == 0;
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
            ("1e30", Some(i64::MAX)),
            ("-1e30", Some(i64::MIN)),
        ] {
            assert_eq!(Number::new(text).as_integer(), expected, "{text}");
        }
    }
}
