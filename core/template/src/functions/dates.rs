//! Dates. `now` is the clock the caller froze; the local zone is UTC, and so is every zone that is not known by name.

use super::{Function, error, fixed, string};
use crate::exec::{Env, Result};
use crate::signature::Type::{Any, Str, Time as TimeType};
use crate::time;
use crate::value::{Time, Value};

const HOUR: u64 = 3_600_000_000_000;

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("now", &[], |env, _| Ok(Value::Time(env.context.ambient.now))),
    fixed("date", &[Str, Any], |env, args| {
        Ok(in_zone(env, &string(args, 0), &args[1]))
    }),
    fixed("dateInZone", &[Str, Any, Str], |env, args| {
        zoned(env, &string(args, 0), &args[1], &string(args, 2))
    }),
    fixed("date_in_zone", &[Str, Any, Str], |env, args| {
        zoned(env, &string(args, 0), &args[1], &string(args, 2))
    }),
    fixed("htmlDate", &[Any], |env, args| Ok(in_zone(env, "2006-01-02", &args[0]))),
    fixed("htmlDateInZone", &[Any, Str], |env, args| {
        zoned(env, "2006-01-02", &args[0], &string(args, 1))
    }),
    fixed("dateModify", &[Str, TimeType], |_, args| {
        Ok(modify(args).unwrap_or_else(|_| args[1].clone()))
    }),
    fixed("date_modify", &[Str, TimeType], |_, args| {
        Ok(modify(args).unwrap_or_else(|_| args[1].clone()))
    }),
    fixed("mustDateModify", &[Str, TimeType], |_, args| modify(args)),
    fixed("must_date_modify", &[Str, TimeType], |_, args| modify(args)),
    fixed("toDate", &[Str, Str], |_, args| {
        Ok(Value::Time(
            time::parse(&string(args, 0), &string(args, 1)).unwrap_or(ZERO),
        ))
    }),
    fixed("mustToDate", &[Str, Str], |_, args| {
        let (layout, text) = (string(args, 0), string(args, 1));
        match time::parse(&layout, &text) {
            Some(time) => Ok(Value::Time(time)),
            None => error(format!(
                "parsing time {} as {}: cannot parse it",
                crate::gofmt::quote(text.as_bytes()),
                crate::gofmt::quote(layout.as_bytes())
            )),
        }
    }),
    fixed("unixEpoch", &[TimeType], |_, args| match &args[0] {
        Value::Time(at) => Ok(Value::from(time::unix(at).to_string())),
        _ => Ok(Value::from("")),
    }),
    fixed("ago", &[Any], |env, args| {
        let now = env.context.ambient.now;
        let elapsed = now.nanoseconds - moment(env, &args[0]).nanoseconds;
        let seconds = (elapsed + 500_000_000).div_euclid(1_000_000_000);
        let clamped = i64::try_from(seconds * 1_000_000_000).unwrap_or(i64::MAX);
        Ok(Value::from(time::duration_text(clamped)))
    }),
    fixed("duration", &[Any], |_, args| {
        let seconds: i64 = match &args[0] {
            Value::Str(text) => text.lossy().parse().unwrap_or(0),
            Value::Int64(seconds) => *seconds,
            _ => 0,
        };
        Ok(Value::from(time::duration_text(seconds.saturating_mul(1_000_000_000))))
    }),
    fixed("durationRound", &[Any], |env, args| {
        let nanoseconds = match &args[0] {
            Value::Str(text) => time::parse_duration(&text.lossy()).unwrap_or(0),
            Value::Int64(n) => *n,
            Value::Time(at) => i64::try_from(env.context.ambient.now.nanoseconds - at.nanoseconds).unwrap_or(i64::MAX),
            _ => 0,
        };
        Ok(Value::from(rounded(nanoseconds.unsigned_abs())))
    }),
];

/// Year 1, Go's zero time.
const ZERO: Time = Time {
    nanoseconds: -62_135_596_800_000_000_000,
    offset: 0,
};

/// The largest unit that fits more than once.
fn rounded(nanoseconds: u64) -> String {
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

/// A time, or seconds since 1970; anything else is now.
fn moment(env: &Env<'_>, value: &Value) -> Time {
    match value {
        Value::Time(time) => *time,
        Value::Int(seconds) | Value::Int64(seconds) => time::from_unix(*seconds),
        _ => env.context.ambient.now,
    }
}

fn in_zone(env: &Env<'_>, layout: &str, value: &Value) -> Value {
    Value::from(time::format(
        &Time {
            offset: 0,
            ..moment(env, value)
        },
        layout,
    ))
}

fn zoned(env: &Env<'_>, layout: &str, value: &Value, zone: &str) -> Result<Value> {
    if matches!(zone, "" | "UTC" | "Local" | "GMT" | "Etc/UTC") || !zone.contains('/') {
        return Ok(in_zone(env, layout, value));
    }
    error(format!("time zone {zone} is not available: only UTC is known"))
}

fn modify(args: &[Value]) -> Result<Value> {
    let text = string(args, 0);
    match (time::parse_duration(&text), &args[1]) {
        (Some(duration), Value::Time(at)) => Ok(Value::Time(Time {
            nanoseconds: at.nanoseconds + i128::from(duration),
            ..*at
        })),
        _ => error(format!(
            "time: invalid duration {}",
            crate::gofmt::quote(text.as_bytes())
        )),
    }
}
