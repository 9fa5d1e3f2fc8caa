//! Dates. `now` is the clock the caller froze; the local zone is UTC, the other zones come from a database that is linked in.

use super::{Function, bytes, error, fixed, string};
use crate::exec::{Env, Result};
use crate::signature::Type::{Any, Str, Time as TimeType};
use crate::time;
use crate::value::{Time, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("now", &[], |env, _| Ok(Value::from(env.context.now("now")?))),
    fixed("date", &[Str, Any], |env, args| {
        zoned(env, "date", bytes(args, 0), &args[1], "Local")
    }),
    fixed("dateInZone", &[Str, Any, Str], |env, args| {
        zoned(env, "dateInZone", bytes(args, 0), &args[1], &string(args, 2))
    }),
    fixed("date_in_zone", &[Str, Any, Str], |env, args| {
        zoned(env, "date_in_zone", bytes(args, 0), &args[1], &string(args, 2))
    }),
    fixed("htmlDate", &[Any], |env, args| {
        zoned(env, "htmlDate", b"2006-01-02", &args[0], "Local")
    }),
    fixed("htmlDateInZone", &[Any, Str], |env, args| {
        zoned(env, "htmlDateInZone", b"2006-01-02", &args[0], &string(args, 1))
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
        let parsed = time::parse(&string(args, 0), &string(args, 1));
        Ok(Value::from(parsed.unwrap_or(time::ZERO)))
    }),
    fixed("mustToDate", &[Str, Str], |_, args| {
        match time::parse(&string(args, 0), &string(args, 1)) {
            Ok(time) => Ok(Value::from(time)),
            Err(message) => error(message),
        }
    }),
    fixed("unixEpoch", &[TimeType], |_, args| match &args[0] {
        Value::Time(at) => Ok(Value::from(time::unix(at).to_string())),
        _ => Ok(Value::from("")),
    }),
    fixed("ago", &[Any], |env, args| {
        let now = env.context.now("ago")?;
        let elapsed = now.nanoseconds - moment(env, "ago", &args[0])?.nanoseconds;
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
        Ok(Value::from(time::duration_text(seconds.wrapping_mul(1_000_000_000))))
    }),
    fixed("durationRound", &[Any], |env, args| {
        let nanoseconds = match &args[0] {
            Value::Str(text) => time::parse_duration(&text.lossy()).unwrap_or(0),
            Value::Int64(n) => *n,
            Value::Time(at) => {
                let now = env.context.now("durationRound")?;
                i64::try_from(now.nanoseconds - at.nanoseconds).unwrap_or(i64::MAX)
            }
            _ => 0,
        };
        Ok(Value::from(time::rounded(nanoseconds.unsigned_abs())))
    }),
];

/// A time, or seconds since 1970; anything else is now.
fn moment(env: &Env<'_>, function: &str, value: &Value) -> Result<Time> {
    match value {
        Value::Time(time) => Ok(**time),
        Value::Int(seconds) | Value::Int64(seconds) => Ok(time::from_unix(*seconds)),
        _ => env.context.now(function),
    }
}

/// An unknown zone is UTC.
fn zoned(env: &Env<'_>, function: &str, layout: &[u8], value: &Value, zone: &str) -> Result<Value> {
    let moment = moment(env, function, value)?;
    let local = time::in_zone(&moment, zone).unwrap_or_else(|| Time::utc(moment.nanoseconds));
    Ok(Value::Str(time::format_bytes(&local, layout).into()))
}

fn modify(args: &[Value]) -> Result<Value> {
    match (time::parse_duration(&string(args, 0)), &args[1]) {
        (Ok(duration), Value::Time(at)) => Ok(Value::from(Time {
            nanoseconds: at.nanoseconds + i128::from(duration),
            ..**at
        })),
        (Err(message), _) => error(message),
        (Ok(_), other) => Ok(other.clone()),
    }
}
