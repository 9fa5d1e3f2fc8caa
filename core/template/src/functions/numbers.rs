//! Arithmetic: on `int64`, or on decimal fractions whose result is a `float64`.

use super::convert::{to_f64, to_i64};
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
    variadic("maxf", &[Any], Any, |_, args| Ok(Value::Float(fold(args, f64::max)))),
    variadic("minf", &[Any], Any, |_, args| Ok(Value::Float(fold(args, f64::min)))),
    fixed("add1f", &[Any], |_, args| {
        Ok(Value::Float(decimal(to_f64(&args[0]) + 1.0)))
    }),
    variadic("addf", &[], Any, |_, args| {
        Ok(Value::Float(decimal(args.iter().map(to_f64).sum())))
    }),
    variadic("subf", &[Any], Any, |_, args| {
        Ok(Value::Float(decimal(fold(args, |a, b| a - b))))
    }),
    variadic("mulf", &[Any], Any, |_, args| {
        Ok(Value::Float(decimal(fold(args, |a, b| a * b))))
    }),
    variadic("divf", &[Any], Any, |_, args| {
        if args[1..].iter().any(|x| to_f64(x) == 0.0) {
            return error("decimal division by 0");
        }
        Ok(Value::Float(decimal(fold(args, |a, b| a / b))))
    }),
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

/// A sum or product of short decimal fractions without the noise of binary floats: 15 significant digits when that changes only the noise.
fn decimal(value: f64) -> f64 {
    let rounded: f64 = format!("{value:.14e}").parse().unwrap_or(value);
    if (rounded - value).abs() <= value.abs() * 4.0 * f64::EPSILON {
        rounded
    } else {
        value
    }
}

/// Rounds to decimal places; a fraction from `at` on goes up.
fn round(value: f64, places: i64, at: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "Go converts the same way")]
    let scale = 10f64.powf(places as f64);
    let digit = scale * value;
    let rounded = if digit.fract() >= at {
        digit.ceil()
    } else {
        digit.floor()
    };
    rounded / scale
}

/// The numbers from a start to before a stop.
fn numbers(env: &mut Env<'_>, start: i64, stop: i64, step: i64) -> Result<Vec<i64>> {
    let mut numbers = Vec::new();
    if (stop < start) == (step >= 0) || step == 0 {
        return Ok(numbers);
    }
    let count = (i128::from(stop) - i128::from(start))
        .unsigned_abs()
        .div_ceil(u128::from(step.unsigned_abs()));
    env.context.charge_items(u64::try_from(count).unwrap_or(u64::MAX))?;
    let mut next = i128::from(start);
    while if step > 0 {
        next < i128::from(stop)
    } else {
        next > i128::from(stop)
    } {
        numbers.push(i64::try_from(next).unwrap_or(i64::MAX));
        next += i128::from(step);
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
    let numbers = numbers(env, start, end.saturating_add(direction), step.unwrap_or(direction))?;
    let shown: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    text_result(env, shown.join(" "))
}
