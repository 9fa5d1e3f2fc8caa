//! The proleptic Gregorian calendar, for every year Go's times can have.

use super::SECOND;
use crate::value::Time;

/// The calendar fields of a time in its zone.
pub(super) struct Civil {
    pub(super) year: i64,
    /// From 1.
    pub(super) month: usize,
    pub(super) day: i64,
    /// From 1.
    pub(super) year_day: i64,
    /// Sunday is 0.
    pub(super) weekday: usize,
    pub(super) hour: i64,
    pub(super) minute: i64,
    pub(super) second: i64,
    pub(super) nanosecond: i64,
}

impl Civil {
    pub(super) fn of(time: &Time) -> Self {
        let local = time.nanoseconds + i128::from(time.offset) * SECOND;
        let small = |value: i128| i64::try_from(value).unwrap_or(0);
        let (seconds, nanosecond) = (small(local.div_euclid(SECOND)), small(local.rem_euclid(SECOND)));
        let (days, clock) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let (year, month, day) = date(days);
        Self {
            year,
            month,
            day,
            year_day: days - days_from(year, 1, 1) + 1,
            weekday: usize::try_from((days + 4).rem_euclid(7)).unwrap_or(0),
            hour: clock / 3600,
            minute: clock / 60 % 60,
            second: clock % 60,
            nanosecond,
        }
    }
}

/// The date of a day counted from 1970-01-01. Years begin in March here, so that the leap day is their last.
fn date(days: i64) -> (i64, usize, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, usize::try_from(month).unwrap_or(1), day)
}

/// Days from 1970-01-01 to a date.
pub(super) fn days_from(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

pub(super) fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

pub(super) fn days_in(month: i64, year: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}
