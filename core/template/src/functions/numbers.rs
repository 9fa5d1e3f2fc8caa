//! Arithmetic: on `int64`, or on decimal fractions whose result is a `float64`.

use super::convert::{to_f64, to_i64};
use super::decimal::Decimal;
use super::{Function, error, fixed, int, text_result, variadic};
use crate::exec::{Env, Result};
use crate::signature::Type::{Any, Float, Int};
use crate::value::{Element, List, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("add1", &[Any], |_, args| {
        Ok(Value::Int64(to_i64(&args[0]).wrapping_add(1)))
    }),
    variadic("add", &[], Any, |_, args| {
        Ok(Value::Int64(
            args.iter().fold(0i64, |sum, x| sum.wrapping_add(to_i64(x))),
        ))
    }),
    fixed("sub", &[Any, Any], |_, args| {
        Ok(Value::Int64(to_i64(&args[0]).wrapping_sub(to_i64(&args[1]))))
    }),
    fixed("div", &[Any, Any], |_, args| divide(args, i64::wrapping_div)),
    fixed("mod", &[Any, Any], |_, args| divide(args, i64::wrapping_rem)),
    variadic("mul", &[Any], Any, |_, args| {
        Ok(Value::Int64(
            args.iter().fold(1i64, |product, x| product.wrapping_mul(to_i64(x))),
        ))
    }),
    variadic("max", &[Any], Any, |_, args| {
        Ok(Value::Int64(args.iter().map(to_i64).max().unwrap_or(0)))
    }),
    variadic("biggest", &[Any], Any, |_, args| {
        Ok(Value::Int64(args.iter().map(to_i64).max().unwrap_or(0)))
    }),
    variadic("min", &[Any], Any, |_, args| {
        Ok(Value::Int64(args.iter().map(to_i64).min().unwrap_or(0)))
    }),
    variadic("maxf", &[Any], Any, |_, args| Ok(Value::Float(fold(args, larger)))),
    variadic("minf", &[Any], Any, |_, args| Ok(Value::Float(fold(args, smaller)))),
    fixed("add1f", &[Any], |env, args| {
        decimals(env, &[args[0].clone(), Value::Int(1)], |a, b| Some(a.add(b)))
    }),
    variadic("addf", &[], Any, |env, args| {
        let args: Vec<Value> = std::iter::once(Value::Int(0)).chain(args.iter().cloned()).collect();
        decimals(env, &args, |a, b| Some(a.add(b)))
    }),
    variadic("subf", &[Any], Any, |env, args| {
        decimals(env, args, |a, b| Some(a.sub(b)))
    }),
    variadic("mulf", &[Any], Any, |env, args| {
        decimals(env, args, |a, b| Some(a.mul(b)))
    }),
    variadic("divf", &[Any], Any, |env, args| decimals(env, args, Decimal::div)),
    fixed("floor", &[Any], |_, args| Ok(Value::Float(to_f64(&args[0]).floor()))),
    fixed("ceil", &[Any], |_, args| Ok(Value::Float(to_f64(&args[0]).ceil()))),
    variadic("round", &[Any, Int], Float, |_, args| {
        let at = if let Some(Value::Float(at)) = args.get(2) {
            *at
        } else {
            0.5
        };
        Ok(Value::Float(round(to_f64(&args[0]), int(args, 1), at)))
    }),
    fixed("until", &[Int], |env, args| {
        let count = int(args, 0);
        until(env, 0, count, if count < 0 { -1 } else { 1 })
    }),
    fixed("untilStep", &[Int, Int, Int], |env, args| {
        until(env, int(args, 0), int(args, 1), int(args, 2))
    }),
    variadic("seq", &[], Int, seq),
];

fn divide(args: &[Value], operation: fn(i64, i64) -> i64) -> Result<Value> {
    match to_i64(&args[1]) {
        0 => error("runtime error: integer divide by zero"),
        divisor => Ok(Value::Int64(operation(to_i64(&args[0]), divisor))),
    }
}

fn fold(args: &[Value], operation: impl Fn(f64, f64) -> f64) -> f64 {
    args.iter().map(to_f64).reduce(operation).unwrap_or(0.0)
}

/// Go's `math.Max`: not a number if one of them is not.
fn larger(a: f64, b: f64) -> f64 {
    match (a, b) {
        (f64::INFINITY, _) | (_, f64::INFINITY) => f64::INFINITY,
        _ if a.is_nan() || b.is_nan() => f64::NAN,
        _ if a == 0.0 && b == 0.0 => {
            if a.is_sign_negative() {
                b
            } else {
                a
            }
        }
        _ => a.max(b),
    }
}

/// Go's `math.Min`.
fn smaller(a: f64, b: f64) -> f64 {
    -larger(-a, -b)
}

/// Folds the arguments as decimal fractions; the result is a `float64`.
fn decimals(env: &mut Env<'_>, args: &[Value], operation: fn(&Decimal, &Decimal) -> Option<Decimal>) -> Result<Value> {
    let number = |value: &Value| Decimal::from_float(to_f64(value)).or_else(error);
    let mut result = number(&args[0])?;
    for value in &args[1..] {
        let next = number(value)?;
        // Digits are multiplied with digits.
        let cost = (result.length() / 16 + 1) * (next.length() / 16 + 1);
        env.context.charge(cost)?;
        let Some(combined) = operation(&result, &next) else {
            return error("decimal division by 0");
        };
        result = combined;
    }
    Ok(Value::Float(result.to_float()))
}

/// Rounds to decimal places; a fraction from `at` on goes up.
fn round(value: f64, places: i64, at: f64) -> f64 {
    let scale = power_of_ten(places);
    let digit = scale * value;
    let rounded = if digit.fract() >= at {
        digit.ceil()
    } else {
        digit.floor()
    };
    rounded / scale
}

/// `10^exponent` as Go's `math.Pow` computes it: by repeated squaring.
fn power_of_ten(exponent: i64) -> f64 {
    if exponent.unsigned_abs() > 400 {
        return if exponent > 0 { f64::INFINITY } else { 0.0 };
    }
    let mut mantissa = 1.0f64;
    let (mut factor, mut factor_exponent) = (0.625f64, 4i32);
    let mut result_exponent = 0i32;
    let mut left = exponent.unsigned_abs();
    while left != 0 {
        if left & 1 == 1 {
            mantissa *= factor;
            result_exponent += factor_exponent;
        }
        factor *= factor;
        factor_exponent <<= 1;
        if factor < 0.5 {
            factor += factor;
            factor_exponent -= 1;
        }
        left >>= 1;
    }
    if exponent < 0 {
        mantissa = 1.0 / mantissa;
        result_exponent = -result_exponent;
    }
    // In two steps, since a power of two may be out of range where the product is not.
    let half = result_exponent / 2;
    mantissa * 2f64.powi(half) * 2f64.powi(result_exponent - half)
}

/// The numbers from a start to before a stop.
fn numbers(env: &mut Env<'_>, start: i64, stop: i64, step: i64) -> Result<Vec<i64>> {
    let mut numbers = Vec::new();
    if (stop < start) == (step >= 0) || step == 0 {
        return Ok(numbers);
    }
    // Go's integers wrap.
    let mut next = start;
    while if step > 0 { next < stop } else { next > stop } {
        env.context.charge_items(1)?;
        numbers.push(next);
        next = next.wrapping_add(step);
    }
    Ok(numbers)
}

fn until(env: &mut Env<'_>, start: i64, stop: i64, step: i64) -> Result<Value> {
    let numbers = numbers(env, start, stop, step)?;
    Ok(Value::List(List::typed(
        Element::Int,
        numbers.into_iter().map(Value::Int).collect(),
    )))
}

/// Numbers with spaces between, both ends included.
fn seq(env: &mut Env<'_>, args: &[Value]) -> Result<Value> {
    let (start, step, end) = match args.len() {
        1 => (1, None, int(args, 0)),
        2 => (int(args, 0), None, int(args, 1)),
        3 => (int(args, 0), Some(int(args, 1)), int(args, 2)),
        _ => return Ok(Value::from("")),
    };
    let direction = if end < start { -1 } else { 1 };
    if direction < 0 && step.is_some_and(|step| step > 0) {
        return Ok(Value::from(""));
    }
    let numbers = numbers(env, start, end.wrapping_add(direction), step.unwrap_or(direction))?;
    let shown: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    text_result(env, shown.join(" "))
}
