//! Decimal fractions of any length: what `addf` and its kin compute with, so that 0.1 and 0.2 are 0.3.

use num_bigint::BigInt;

/// Digits behind the point that a division keeps.
const PRECISION: i64 = 16;

/// `digits * 10^exponent`.
#[derive(Clone)]
pub(super) struct Decimal {
    digits: BigInt,
    exponent: i64,
}

fn power_of_ten(exponent: i64) -> BigInt {
    BigInt::from(10).pow(u32::try_from(exponent).unwrap_or(0))
}

impl Decimal {
    /// The shortest decimal that reads back as the float; the error is Go's panic for what is no number.
    pub(super) fn from_float(value: f64) -> Result<Self, String> {
        if !value.is_finite() {
            let shown = crate::float::format_float(value, 'g', None);
            return Err(format!("Cannot create a Decimal from {shown}"));
        }
        let text = format!("{value:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        let exponent: i64 = exponent.parse().unwrap_or(0);
        Ok(Self {
            digits: digits.parse().unwrap_or_default(),
            exponent: exponent - i64::try_from(fraction.len()).unwrap_or(0),
        })
    }

    /// The nearest float.
    pub(super) fn to_float(&self) -> f64 {
        format!("{}e{}", self.digits, self.exponent).parse().unwrap_or(0.0)
    }

    /// How many digits there are: what an operation costs.
    pub(super) fn length(&self) -> u64 {
        self.digits.bits() / 3 + self.exponent.unsigned_abs()
    }

    /// Both with the smaller of the two exponents.
    fn aligned(&self, other: &Self) -> (BigInt, BigInt, i64) {
        let exponent = self.exponent.min(other.exponent);
        let scaled = |d: &Self| &d.digits * power_of_ten(d.exponent - exponent);
        (scaled(self), scaled(other), exponent)
    }

    pub(super) fn add(&self, other: &Self) -> Self {
        let (a, b, exponent) = self.aligned(other);
        Self {
            digits: a + b,
            exponent,
        }
    }

    pub(super) fn sub(&self, other: &Self) -> Self {
        let (a, b, exponent) = self.aligned(other);
        Self {
            digits: a - b,
            exponent,
        }
    }

    pub(super) fn mul(&self, other: &Self) -> Self {
        Self {
            digits: &self.digits * &other.digits,
            exponent: self.exponent + other.exponent,
        }
    }

    /// The quotient rounded to [`PRECISION`] digits, halves away from zero; `None` for a division by zero.
    pub(super) fn div(&self, other: &Self) -> Option<Self> {
        let zero = BigInt::default();
        if other.digits == zero {
            return None;
        }
        let shift = self.exponent - other.exponent + PRECISION;
        let (numerator, denominator) = if shift >= 0 {
            (&self.digits * power_of_ten(shift), other.digits.clone())
        } else {
            (self.digits.clone(), &other.digits * power_of_ten(-shift))
        };
        let (mut quotient, remainder) = (&numerator / &denominator, &numerator % &denominator);
        if remainder.magnitude() * 2u32 >= *denominator.magnitude() {
            quotient += if (self.digits < zero) == (other.digits < zero) {
                1
            } else {
                -1
            };
        }
        Some(Self {
            digits: quotient,
            exponent: -PRECISION,
        })
    }
}
