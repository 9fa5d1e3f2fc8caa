//! The methods of times and durations that templates can call with the values they have.

use super::civil::Civil;
use super::{SECOND, ZERO, duration_text, format, format_bytes, month_text, time_text, unix, weekday_text};
use crate::object::Record;
use crate::signature::Type;
use crate::value::{Time, Value, Zone};

/// The parameters of a method of a time, a duration, a month or a day.
pub(crate) fn method(value: &Value, name: &str) -> Option<&'static [Type]> {
    match (value, name) {
        (Value::Time(_), "Format") => Some(&[Type::Str]),
        (Value::Time(_), "After" | "Before" | "Equal" | "Compare" | "Sub") => Some(&[Type::Time]),
        (Value::Time(_), "Add" | "Round" | "Truncate") | (Value::Duration(_), "Round" | "Truncate") => {
            Some(&[Type::Duration])
        }
        (Value::Time(_), "AddDate") => Some(&[Type::Int, Type::Int, Type::Int]),
        (
            Value::Time(_),
            "Unix" | "UnixNano" | "UnixMilli" | "UnixMicro" | "Year" | "Month" | "Day" | "Weekday" | "Hour" | "Minute"
            | "Second" | "Nanosecond" | "YearDay" | "UTC" | "Local" | "String" | "GoString" | "IsZero" | "IsDST"
            | "MarshalJSON" | "MarshalText" | "Location",
        )
        | (
            Value::Duration(_),
            "Hours" | "Minutes" | "Seconds" | "Milliseconds" | "Microseconds" | "Nanoseconds" | "String" | "Abs",
        )
        | (Value::Month(_) | Value::Weekday(_), "String") => Some(&[]),
        _ => None,
    }
}

/// Calls a method that [`method`] knows.
pub(crate) fn call_method(value: &Value, name: &str, arguments: &[Value]) -> Value {
    match value {
        Value::Time(time) => match arguments.first() {
            None => time_field(time, name),
            Some(Value::Time(other)) => compared(time, other, name),
            Some(_) => moved(time, name, arguments),
        },
        Value::Duration(n) => of_duration(*n, name, arguments),
        Value::Month(n) => Value::from(month_text(*n)),
        Value::Weekday(n) => Value::from(weekday_text(*n)),
        _ => Value::Nil,
    }
}

fn time_field(time: &Time, name: &str) -> Value {
    let civil = Civil::of(time);
    let int = |value: i128| Value::Int64(i64::try_from(value).unwrap_or(i64::MAX));
    match name {
        "Unix" => Value::Int64(unix(time)),
        "UnixNano" => int(time.nanoseconds),
        "UnixMicro" => int(time.nanoseconds.div_euclid(1000)),
        "UnixMilli" => int(time.nanoseconds.div_euclid(1_000_000)),
        "Year" => Value::Int(civil.year),
        "Month" => Value::Month(i64::try_from(civil.month).unwrap_or(1)),
        "Day" => Value::Int(civil.day),
        "Weekday" => Value::Weekday(i64::try_from(civil.weekday).unwrap_or(0)),
        "Hour" => Value::Int(civil.hour),
        "Minute" => Value::Int(civil.minute),
        "Second" => Value::Int(civil.second),
        "Nanosecond" => Value::Int(civil.nanosecond),
        "YearDay" => Value::Int(civil.year_day),
        "UTC" => Value::from(Time::utc(time.nanoseconds)),
        "Local" => Value::from(Time {
            zone: Zone::Local,
            ..Time::utc(time.nanoseconds)
        }),
        "Location" => location(time.zone),
        "MarshalText" => Value::Bytes(rfc3339(time).into_bytes().into()),
        "MarshalJSON" => Value::Bytes(format!("\"{}\"", rfc3339(time)).into_bytes().into()),
        "IsZero" => Value::Bool(time.nanoseconds == ZERO.nanoseconds),
        "IsDST" => Value::Bool(false),
        "GoString" => Value::from(super::go_syntax(time)),
        _ => Value::from(time_text(time)),
    }
}

fn rfc3339(time: &Time) -> String {
    format(time, "2006-01-02T15:04:05.999999999Z07:00")
}

fn location(zone: Zone) -> Value {
    let name = match zone {
        Zone::Local => "Local".to_owned(),
        zone => zone.name(),
    };
    let shown = Value::from(name.as_str());
    Record::new("*time.Location")
        .printed(name)
        .method("String", &[], move |_| Ok(shown.clone()))
        .build()
}

fn compared(time: &Time, other: &Time, name: &str) -> Value {
    let order = time.nanoseconds.cmp(&other.nanoseconds);
    match name {
        "After" => Value::Bool(order.is_gt()),
        "Before" => Value::Bool(order.is_lt()),
        "Equal" => Value::Bool(order.is_eq()),
        "Compare" => Value::Int(order as i64),
        _ => {
            let elapsed = time.nanoseconds - other.nanoseconds;
            let clamped = elapsed.clamp(i128::from(i64::MIN), i128::from(i64::MAX));
            Value::Duration(i64::try_from(clamped).unwrap_or(i64::MAX))
        }
    }
}

fn moved(time: &Time, name: &str, arguments: &[Value]) -> Value {
    let number = |i: usize| match arguments.get(i) {
        Some(Value::Int(n) | Value::Duration(n)) => *n,
        _ => 0,
    };
    match (name, &arguments[0]) {
        ("Format", Value::Str(layout)) => Value::Str(format_bytes(time, layout.bytes()).into()),
        ("AddDate", _) => Value::from(with_date(time, number(0), number(1), number(2))),
        ("Add", _) => Value::from(Time {
            nanoseconds: time.nanoseconds + i128::from(number(0)),
            ..*time
        }),
        _ => {
            let step = i128::from(number(0));
            if step <= 0 {
                return Value::from(*time);
            }
            let rest = (time.nanoseconds - ZERO.nanoseconds).rem_euclid(step);
            let up = name == "Round" && rest * 2 >= step;
            Value::from(Time {
                nanoseconds: time.nanoseconds - rest + if up { step } else { 0 },
                ..*time
            })
        }
    }
}

/// `AddDate`: the fields are added and then brought into their ranges.
fn with_date(time: &Time, years: i64, months: i64, days: i64) -> Time {
    let civil = Civil::of(time);
    let month = i64::try_from(civil.month).unwrap_or(1).saturating_add(months) - 1;
    let year = civil.year.saturating_add(years).saturating_add(month.div_euclid(12));
    // Beyond these years Go's own arithmetic wraps around.
    let year = year.clamp(-200_000_000, 200_000_000);
    let first = super::civil::days_from(year, month.rem_euclid(12) + 1, 1);
    let day = i128::from(first) + i128::from(civil.day) - 1 + i128::from(days);
    let clock = i128::from(civil.hour * 3600 + civil.minute * 60 + civil.second);
    let local = (day * 86_400 + clock) * SECOND + i128::from(civil.nanosecond);
    Time {
        nanoseconds: local - i128::from(time.offset) * SECOND,
        ..*time
    }
}

#[expect(clippy::cast_precision_loss, reason = "Go converts the same way")]
fn of_duration(n: i64, name: &str, arguments: &[Value]) -> Value {
    let parts = |unit: i64| (n / unit) as f64 + (n % unit) as f64 / unit as f64;
    match (name, arguments.first()) {
        ("Hours", _) => Value::Float(parts(3_600_000_000_000)),
        ("Minutes", _) => Value::Float(parts(60_000_000_000)),
        ("Seconds", _) => Value::Float(parts(1_000_000_000)),
        ("Milliseconds", _) => Value::Int64(n / 1_000_000),
        ("Microseconds", _) => Value::Int64(n / 1000),
        ("Nanoseconds", _) => Value::Int64(n),
        ("Abs", _) => Value::Duration(n.checked_abs().unwrap_or(i64::MAX)),
        ("Truncate" | "Round", Some(Value::Duration(step))) if *step > 0 => {
            let rest = n % step;
            let up = name == "Round" && i128::from(rest.abs()) * 2 >= i128::from(*step);
            let down = n - rest;
            Value::Duration(if up {
                down.saturating_add(step * n.signum())
            } else {
                down
            })
        }
        ("Truncate" | "Round", _) => Value::Duration(n),
        _ => Value::from(duration_text(n)),
    }
}
