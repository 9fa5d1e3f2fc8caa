//! Schedules of sync windows: five fields, as robfig/cron reads them with the parser that Argo CD uses.
//!
//! Minute, hour, day of the month, month and day of the week, each a list of `*`, `?`, values, ranges and steps; months and days of the
//! week by their English names, too. When both days are restricted, one of them is enough; `*` and `?` do not restrict, but `*/2` does.
//! Deliberately absent, as there: seconds, `@daily`, `L`, `W`, `#`; and, other than there, a time zone inside the schedule: windows have a
//! field for that.
//!
//! Times are those of the clock on the wall of a time zone. One that is skipped in spring is taken an hour later and one that comes twice in
//! autumn the first time, so that a window opens every day that it is due. Argo CD reckons with the offset of the day instead, and is an hour
//! off around both.
//!
//! A crate for this would have to read exactly this language, and look backwards; the ones there are read others.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// Days that are looked at before a schedule counts as never due: 29 February is eight years from the next around 2100.
const LONGEST: i64 = 366 * 9;
/// Minutes of a day.
const DAY: i16 = 24 * 60;
/// No zone's clocks are changed by more minutes than this at once.
const CHANGE: i32 = 180;

/// A schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Schedule {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Neither day is restricted, or one of them: both have to fit.
    both: bool,
}

/// What a field may be.
struct Field {
    name: &'static str,
    lowest: u32,
    highest: u32,
    names: &'static [&'static str],
}

const MONTHS: &[&str] = &[
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const WEEKDAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

const FIELDS: [Field; 5] = [
    Field::new("minute", 0, 59, &[]),
    Field::new("hour", 0, 23, &[]),
    Field::new("day of the month", 1, 31, &[]),
    Field::new("month", 1, 12, MONTHS),
    Field::new("day of the week", 0, 6, WEEKDAYS),
];

impl Field {
    const fn new(name: &'static str, lowest: u32, highest: u32, names: &'static [&'static str]) -> Self {
        Self {
            name,
            lowest,
            highest,
            names,
        }
    }

    /// The values of a list, and whether one of its members is an unrestricted `*`.
    fn parse(&self, text: &str) -> Result<(u64, bool), String> {
        let (mut bits, mut star) = (0, false);
        for member in text.split(',').filter(|member| !member.is_empty()) {
            let (more, is_star) = self
                .member(member)
                .map_err(|why| format!("{}: {member:?} {why}", self.name))?;
            bits |= more;
            star |= is_star;
        }
        match bits {
            0 => Err(format!("{}: {text:?} names no value", self.name)),
            _ => Ok((bits, star)),
        }
    }

    fn member(&self, text: &str) -> Result<(u64, bool), String> {
        let (range, step) = match text.split_once('/') {
            None => (text, 1),
            Some((range, step)) => {
                let step = step.parse().ok().filter(|step: &usize| *step > 0);
                (range, step.ok_or("has a step that is no number above 0")?)
            }
        };
        let (low, high) = match range.split_once('-') {
            Some((low, high)) => (low, Some(high)),
            None => (range, None),
        };
        if matches!(low, "*" | "?") {
            return Ok((bits(self.lowest, self.highest, step), step == 1));
        }
        let first = self.value(low)?;
        let last = match high {
            Some(high) => self.value(high)?,
            // `5/15` is `5-59/15`.
            None if text.contains('/') => self.highest,
            None => first,
        };
        if first > last {
            return Err("ends before it begins".into());
        }
        Ok((bits(first, last, step), false))
    }

    fn value(&self, text: &str) -> Result<u32, String> {
        let lower = text.to_lowercase();
        if let Some(at) = self.names.iter().position(|name| *name == lower) {
            return Ok(self.lowest + u32::try_from(at).unwrap_or(0));
        }
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let value: Option<u32> = text.parse().ok().filter(|_| is_number);
        let value = value.filter(|value| (self.lowest..=self.highest).contains(value));
        value.ok_or_else(|| format!("is not within {}-{}", self.lowest, self.highest))
    }
}

fn bits(first: u32, last: u32, step: usize) -> u64 {
    (first..=last).step_by(step).fold(0, |bits, value| bits | 1 << value)
}

fn has(bits: u64, value: i8) -> bool {
    u32::try_from(value).is_ok_and(|value| bits & (1 << value) != 0)
}

impl Schedule {
    /// Reads five fields; or says which of them is wrong.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields[..] else {
            let found = fields.len();
            return Err(format!(
                "it has {found} fields, not five: minute, hour, day of the month, month, day of the week"
            ));
        };
        let [minutes, hours, days, months, weekdays] = &FIELDS;
        let (days, any_day) = days.parse(day)?;
        let (weekdays, any_weekday) = weekdays.parse(weekday)?;
        Ok(Self {
            minutes: minutes.parse(minute)?.0,
            hours: hours.parse(hour)?.0,
            days,
            months: months.parse(month)?.0,
            weekdays,
            both: any_day || any_weekday,
        })
    }

    fn is_on(&self, date: Date) -> bool {
        let day = has(self.days, date.day());
        let weekday = has(self.weekdays, date.weekday().to_sunday_zero_offset());
        let fits = if self.both { day && weekday } else { day || weekday };
        fits && has(self.months, date.month())
    }

    /// When this minute of `date` is, if the schedule is due then.
    fn at(&self, date: Date, minute: i16, zone: &TimeZone) -> Option<Timestamp> {
        let (hour, minute) = (i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?);
        let is_due = has(self.hours, hour) && has(self.minutes, minute);
        let time = is_due.then(|| date.at(hour, minute, 0, 0).to_zoned(zone.clone()));
        Some(time?.ok()?.timestamp())
    }

    /// The latest time that is not after `at`.
    pub(super) fn previous(&self, at: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let now = at.to_zoned(zone.clone()).datetime();
        let mut date = now.date().tomorrow().ok()?;
        for _ in 0..LONGEST {
            let last = minutes_since(date, now).saturating_add(CHANGE).min(i32::from(DAY) - 1);
            let minutes = (0..=i16::try_from(last).unwrap_or(-1)).rev();
            if let Some(time) = self
                .is_on(date)
                .then(|| self.nearest(date, minutes, zone, |time| time <= at, Ord::max))
                .flatten()
            {
                return Some(time);
            }
            date = date.yesterday().ok()?;
        }
        None
    }

    /// The earliest time after `at`.
    pub(super) fn next(&self, at: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let now = at.to_zoned(zone.clone()).datetime();
        let mut date = now.date().yesterday().ok()?;
        for _ in 0..LONGEST {
            let first = minutes_since(date, now).saturating_sub(CHANGE).max(0);
            let minutes = i16::try_from(first).unwrap_or(DAY)..DAY;
            if let Some(time) = self
                .is_on(date)
                .then(|| self.nearest(date, minutes, zone, |time| time > at, Ord::min))
                .flatten()
            {
                return Some(time);
            }
            date = date.tomorrow().ok()?;
        }
        None
    }

    /// The first of `minutes` at which it is due and that is wanted; or a better one soon after it: what the clocks skip in spring is taken
    /// later than what comes after it on the clock.
    fn nearest(
        &self,
        date: Date,
        minutes: impl Iterator<Item = i16>,
        zone: &TimeZone,
        is_wanted: impl Fn(Timestamp) -> bool,
        better: impl Fn(Timestamp, Timestamp) -> Timestamp,
    ) -> Option<Timestamp> {
        let mut found: Option<(i16, Timestamp)> = None;
        for minute in minutes {
            if found.is_some_and(|(first, _)| i32::from(first.abs_diff(minute)) > CHANGE) {
                break;
            }
            if let Some(time) = self.at(date, minute, zone).filter(|time| is_wanted(*time)) {
                let (first, best) = found.unwrap_or((minute, time));
                found = Some((first, better(best, time)));
            }
        }
        found.map(|(_, time)| time)
    }
}

/// Minutes on the clock from the beginning of `date` to `now`.
fn minutes_since(date: Date, now: DateTime) -> i32 {
    let days = now.date().since(date).map_or(0, |span| span.get_days());
    days.saturating_mul(i32::from(DAY))
        .saturating_add(i32::from(now.hour()) * 60 + i32::from(now.minute()))
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZoneDatabase;

    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn reads_and_reckons_as_robfig_does() {
        let (mut read, mut refused) = (0, 0);
        for line in include_str!("robfig.txt").lines().filter(|line| !line.starts_with('#')) {
            let (text, expected) = line.split_once(" | ").unwrap();
            let schedule = match (Schedule::parse(text), expected) {
                (Err(_), "refused") => {
                    refused += 1;
                    continue;
                }
                (Ok(schedule), times) if times != "refused" => schedule,
                (found, _) => panic!("{line}: {found:?}"),
            };
            read += 1;
            let mut times = expected.split(' ');
            let mut at = time(times.next().unwrap());
            for expected in times {
                let next = schedule.next(at, &TimeZone::UTC);
                assert_eq!(
                    next.map_or("never".to_owned(), |next| next.to_string()),
                    expected,
                    "{line}"
                );
                let Some(next) = next else { break };
                let second = jiff::SignedDuration::from_secs(1);
                for (at, latest) in [(next, next), (next + second, next)] {
                    assert_eq!(schedule.previous(at, &TimeZone::UTC), Some(latest), "{line} at {at}");
                }
                assert!(
                    schedule
                        .previous(next - second, &TimeZone::UTC)
                        .is_none_or(|earlier| earlier <= at),
                    "{line}"
                );
                at = next;
            }
        }
        assert!(read > 140 && refused > 20, "{read} {refused}");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, why) in [
            ("0 22 * *", "4 fields"),
            ("0 24 * * *", "hour: \"24\" is not within 0-23"),
            ("0 0 * * 1,7", "day of the week: \"7\""),
            ("9-5 * * * *", "minute: \"9-5\" ends before"),
            (", * * * *", "names no value"),
        ] {
            let error = Schedule::parse(text).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn a_window_opens_on_the_days_on_which_clocks_change() {
        let zone = TimeZoneDatabase::bundled().get("Europe/Berlin").unwrap();
        let schedule = Schedule::parse("30 2 * * *").unwrap();
        // 2:30 is skipped on 29 March 2026, and comes twice on 25 October.
        let next = |from| schedule.next(time(from), &zone).unwrap().to_string();
        assert_eq!(next("2026-03-28T12:00:00Z"), "2026-03-29T01:30:00Z");
        assert_eq!(next("2026-03-29T02:00:00Z"), "2026-03-30T00:30:00Z");
        assert_eq!(next("2026-10-24T12:00:00Z"), "2026-10-25T00:30:00Z");
        assert_eq!(next("2026-10-25T01:00:00Z"), "2026-10-26T01:30:00Z");
        let previous = |at| schedule.previous(time(at), &zone).unwrap().to_string();
        // The second 2:15, three quarters of an hour after the first 2:30.
        assert_eq!(previous("2026-10-25T01:15:00Z"), "2026-10-25T00:30:00Z");
        // 2:30 is taken at 3:30; 3:00 is before that, though not on the clock.
        let both = Schedule::parse("0,30 2,3 * * *").unwrap();
        assert_eq!(
            both.previous(time("2026-03-29T01:10:00Z"), &zone).unwrap().to_string(),
            "2026-03-29T01:00:00Z"
        );
        assert_eq!(
            both.previous(time("2026-03-29T01:40:00Z"), &zone).unwrap().to_string(),
            "2026-03-29T01:30:00Z"
        );
    }
}
