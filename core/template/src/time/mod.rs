//! Times and durations: Go's layouts, printing and parsing, over the civil calendar.
//!
//! The local zone is UTC: what a template gives must not depend on the machine that renders it.

mod civil;
mod duration;
mod layout;
mod methods;
mod parse;

pub(crate) use duration::{duration_text, parse_duration, rounded};
pub(crate) use layout::{format, format_bytes};
pub(crate) use methods::{call_method, method};
pub(crate) use parse::parse;

use std::rc::Rc;

use crate::object::Object;
use crate::value::{Time, Value, Zone};
use civil::Civil;

const SECOND: i128 = 1_000_000_000;
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// Seconds from year 1, Go's zero, to 1970.
const TO_1970: i128 = 62_135_596_800;

/// Year 1: Go's zero time.
pub(crate) const ZERO: Time = Time {
    nanoseconds: -TO_1970 * SECOND,
    offset: 0,
    zone: Zone::Utc,
};

/// Whole seconds since 1970.
pub(crate) fn unix(time: &Time) -> i64 {
    i64::try_from(time.nanoseconds.div_euclid(SECOND)).unwrap_or(i64::MAX)
}

/// A time from whole seconds, in the local zone.
pub(crate) fn from_unix(seconds: i64) -> Time {
    Time {
        zone: Zone::Local,
        ..Time::utc(i128::from(seconds) * SECOND)
    }
}

/// A time seen in a zone of the bundled database; `None` for a name that is not there, or not spelled so.
pub(crate) fn in_zone(time: &Time, name: &str) -> Option<Time> {
    if matches!(name, "" | "UTC" | "Local") {
        return Some(Time::utc(time.nanoseconds));
    }
    let zone = jiff::tz::TimeZoneDatabase::bundled().get(name).ok()?;
    // Go reads files, whose names have one spelling.
    if zone.iana_name() != Some(name) {
        return None;
    }
    let timestamp = jiff::Timestamp::from_nanosecond(time.nanoseconds).ok()?;
    let info = zone.to_offset_info(timestamp);
    Some(Time {
        nanoseconds: time.nanoseconds,
        offset: info.offset().seconds(),
        zone: Zone::named(info.abbreviation()),
    })
}

impl Zone {
    /// The name; empty when there is none.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Utc | Self::Local => "UTC".to_owned(),
            Self::Unnamed => String::new(),
            Self::Named(bytes) => String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned(),
        }
    }
}

/// How Go prints a time.
pub(crate) fn time_text(time: &Time) -> String {
    format(time, "2006-01-02 15:04:05.999999999 -0700 MST")
}

/// How Go's `%#v` prints a time.
pub(crate) fn go_syntax(time: &Time) -> String {
    let civil = Civil::of(time);
    let month = MONTHS[civil.month - 1];
    let zone = match time.zone {
        Zone::Utc => "time.UTC".to_owned(),
        Zone::Local => "time.Local".to_owned(),
        zone => format!("time.Location({})", crate::gofmt::quote(zone.name().as_bytes())),
    };
    format!(
        "time.Date({}, time.{month}, {}, {}, {}, {}, {}, {zone})",
        civil.year, civil.day, civil.hour, civil.minute, civil.second, civil.nanosecond
    )
}

/// The fields of Go's struct, as verbs other than those for text print them.
pub(crate) fn fields(time: &Time) -> Vec<(&'static str, Value)> {
    let seconds = time.nanoseconds.div_euclid(SECOND) + TO_1970;
    let nanoseconds = time.nanoseconds.rem_euclid(SECOND);
    vec![
        ("wall", Value::Uint(u64::try_from(nanoseconds).unwrap_or(0))),
        ("ext", Value::Int64(i64::try_from(seconds).unwrap_or(i64::MAX))),
        ("loc", Value::Object(Rc::new(Location(time.zone)))),
    ]
}

/// The pointer to the zone in Go's struct: nil for UTC.
struct Location(Zone);

impl Object for Location {
    fn type_name(&self) -> String {
        "*time.Location".to_owned()
    }

    fn is_nil(&self) -> bool {
        self.0 == Zone::Utc
    }

    fn print(&self) -> String {
        self.0.name()
    }
}

/// The name of a month, `%!Month(13)` for what is none.
pub(crate) fn month_text(month: i64) -> String {
    let name = usize::try_from(month - 1).ok().and_then(|month| MONTHS.get(month));
    name.map_or_else(|| format!("%!Month({month})"), |name| (*name).to_owned())
}

/// The name of a day of the week.
pub(crate) fn weekday_text(day: i64) -> String {
    let name = usize::try_from(day).ok().and_then(|day| DAYS.get(day));
    name.map_or_else(|| format!("%!Weekday({day})"), |name| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts() {
        let time = parse("2006-01-02T15:04:05Z07:00", "2020-05-06T17:08:09.5+02:00").expect("a time");
        assert_eq!(unix(&time), 1_588_777_689);
        for (layout, shown) in [
            ("Mon Jan _2 15:04:05 2006", "Wed May  6 17:08:09 2020"),
            ("Monday, 02-Jan-06 3:04PM -0700", "Wednesday, 06-May-20 5:08PM +0200"),
            ("2006-01-02T15:04:05.000Z07:00", "2020-05-06T17:08:09.500+02:00"),
            ("20060102150405.999 002", "20200506170809.5 127"),
        ] {
            assert_eq!(format(&time, layout), shown, "{layout}");
        }
        assert_eq!(time_text(&from_unix(0)), "1970-01-01 00:00:00 +0000 UTC");
        assert_eq!(
            parse("2006-01-02", "2020-13-06"),
            Err("parsing time \"2020-13-06\": month out of range".to_owned())
        );
        assert_eq!(
            parse("2006-01-02", "nope"),
            Err("parsing time \"nope\" as \"2006-01-02\": cannot parse \"nope\" as \"2006\"".to_owned())
        );
    }

    #[test]
    fn zones() {
        let summer = from_unix(1_594_000_000);
        for (name, shown) in [
            ("America/New_York", "2020-07-05 21:46 EDT -0400"),
            ("Europe/Berlin", "2020-07-06 03:46 CEST +0200"),
            ("Asia/Kolkata", "2020-07-06 07:16 IST +0530"),
            ("America/Sao_Paulo", "2020-07-05 22:46 -03 -0300"),
            ("UTC", "2020-07-06 01:46 UTC +0000"),
        ] {
            let local = in_zone(&summer, name).expect(name);
            assert_eq!(format(&local, "2006-01-02 15:04 MST -0700"), shown);
        }
        assert_eq!(in_zone(&summer, "america/new_york"), None);
        assert_eq!(in_zone(&summer, "Nowhere"), None);
    }
}
