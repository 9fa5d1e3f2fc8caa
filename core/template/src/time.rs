//! Times and durations: Go's layouts, printing and parsing, over the civil calendar.

use jiff::civil;

use crate::signature::Type;
use crate::value::{Time, Value};

const SECOND: i128 = 1_000_000_000;

/// The calendar fields of a time in its zone; times outside years -9999..9999 are shown at the border.
fn civil_of(time: &Time) -> civil::DateTime {
    let local = time.nanoseconds + i128::from(time.offset) * SECOND;
    let timestamp = jiff::Timestamp::from_nanosecond(local).unwrap_or(if local < 0 {
        jiff::Timestamp::MIN
    } else {
        jiff::Timestamp::MAX
    });
    jiff::tz::Offset::UTC.to_datetime(timestamp)
}

/// Whole seconds since 1970.
pub(crate) fn unix(time: &Time) -> i64 {
    i64::try_from(time.nanoseconds.div_euclid(SECOND)).unwrap_or(i64::MAX)
}

/// A time from whole seconds, in UTC.
pub(crate) fn from_unix(seconds: i64) -> Time {
    Time {
        nanoseconds: i128::from(seconds) * SECOND,
        offset: 0,
    }
}

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

/// The elements a layout is made of, longest first where one begins another.
const ELEMENTS: [&str; 33] = [
    "January",
    "Jan",
    "Monday",
    "Mon",
    "MST",
    "2006",
    "Z07:00:00",
    "Z070000",
    "Z07:00",
    "Z0700",
    "Z07",
    "-07:00:00",
    "-070000",
    "-07:00",
    "-0700",
    "-07",
    "002",
    "01",
    "02",
    "03",
    "04",
    "05",
    "06",
    "15",
    "__2",
    "_2",
    "PM",
    "pm",
    "1",
    "2",
    "3",
    "4",
    "5",
];

/// The next element of a layout: its start and its text.
fn next_element(layout: &str) -> Option<(usize, &str)> {
    for (at, _) in layout.char_indices() {
        let rest = &layout[at..];
        if rest.starts_with("_2006") {
            return Some((at + 1, &rest[1..5]));
        }
        if rest.starts_with("Jan")
            && !rest.starts_with("January")
            && rest[3..].starts_with(|c: char| c.is_ascii_lowercase())
        {
            continue;
        }
        if rest.starts_with("Mon")
            && !rest.starts_with("Monday")
            && rest[3..].starts_with(|c: char| c.is_ascii_lowercase())
        {
            continue;
        }
        if let Some(fraction) = fraction_element(rest) {
            return Some((at, fraction));
        }
        if let Some(element) = ELEMENTS.iter().find(|element| rest.starts_with(**element)) {
            return Some((at, &rest[..element.len()]));
        }
    }
    None
}

/// `.000`, `,999` and the like, when no digit follows.
fn fraction_element(rest: &str) -> Option<&str> {
    let bytes = rest.as_bytes();
    if !matches!(bytes.first(), Some(b'.' | b',')) {
        return None;
    }
    let digit = *bytes.get(1)?;
    if digit != b'0' && digit != b'9' {
        return None;
    }
    let count = bytes[1..].iter().take_while(|b| **b == digit).count();
    if bytes.get(1 + count).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    Some(&rest[..=count])
}

/// Go's `Time.Format`.
pub(crate) fn format(time: &Time, layout: &str) -> String {
    let civil = civil_of(time);
    let mut out = String::new();
    let mut rest = layout;
    while let Some((at, element)) = next_element(rest) {
        out.push_str(&rest[..at]);
        out.push_str(&format_element(&civil, time.offset, element));
        rest = &rest[at + element.len()..];
    }
    out.push_str(rest);
    out
}

fn format_element(civil: &civil::DateTime, offset: i32, element: &str) -> String {
    let month = MONTHS[usize::from(civil.month().unsigned_abs()) - 1];
    let day = DAYS[usize::from(civil.weekday().to_sunday_zero_offset().unsigned_abs())];
    let hour12 = match civil.hour() % 12 {
        0 => 12,
        hour => hour,
    };
    match element {
        "January" => month.to_owned(),
        "Jan" => month[..3].to_owned(),
        "Monday" => day.to_owned(),
        "Mon" => day[..3].to_owned(),
        "2006" => format!("{:04}", civil.year()),
        "06" => format!("{:02}", civil.year().rem_euclid(100)),
        "01" => format!("{:02}", civil.month()),
        "1" => civil.month().to_string(),
        "02" => format!("{:02}", civil.day()),
        "_2" => format!("{:2}", civil.day()),
        "2" => civil.day().to_string(),
        "002" => format!("{:03}", civil.day_of_year()),
        "__2" => format!("{:3}", civil.day_of_year()),
        "15" => format!("{:02}", civil.hour()),
        "03" => format!("{hour12:02}"),
        "3" => hour12.to_string(),
        "04" => format!("{:02}", civil.minute()),
        "4" => civil.minute().to_string(),
        "05" => format!("{:02}", civil.second()),
        "5" => civil.second().to_string(),
        "PM" => if civil.hour() >= 12 { "PM" } else { "AM" }.to_owned(),
        "pm" => if civil.hour() >= 12 { "pm" } else { "am" }.to_owned(),
        "MST" if offset == 0 => "UTC".to_owned(),
        "MST" => zone(offset, "-07"),
        _ if element.starts_with(['.', ',']) => fraction(civil.subsec_nanosecond(), element),
        _ if element.starts_with('Z') && offset == 0 => "Z".to_owned(),
        _ => zone(offset, &element.replace('Z', "-")),
    }
}

fn zone(offset: i32, element: &str) -> String {
    let sign = if offset < 0 { '-' } else { '+' };
    let seconds = offset.unsigned_abs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match element {
        "-07" => format!("{sign}{hours:02}"),
        "-0700" => format!("{sign}{hours:02}{minutes:02}"),
        "-070000" => format!("{sign}{hours:02}{minutes:02}{seconds:02}"),
        "-07:00:00" => format!("{sign}{hours:02}:{minutes:02}:{seconds:02}"),
        _ => format!("{sign}{hours:02}:{minutes:02}"),
    }
}

fn fraction(nanoseconds: i32, element: &str) -> String {
    let digits = format!("{nanoseconds:09}");
    let count = element.len() - 1;
    let mut shown = digits[..count.min(9)].to_owned();
    if element.ends_with('9') {
        shown.truncate(shown.trim_end_matches('0').len());
        if shown.is_empty() {
            return shown;
        }
    }
    format!("{}{shown}", &element[..1])
}

/// Go's `time.Parse`; `None` when the text does not follow the layout.
pub(crate) fn parse(layout: &str, text: &str) -> Option<Time> {
    let mut parsed = Parsed::default();
    let (mut layout, mut text) = (layout, text);
    while let Some((at, element)) = next_element(layout) {
        text = text.strip_prefix(&layout[..at])?;
        text = parsed.element(element, text)?;
        layout = &layout[at + element.len()..];
    }
    (text == layout).then(|| parsed.time())?
}

/// The fields read so far.
struct Parsed {
    year: i64,
    month: i64,
    day: i64,
    year_day: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    nanosecond: i64,
    afternoon: Option<bool>,
    offset: i64,
}

impl Default for Parsed {
    fn default() -> Self {
        Self {
            year: 0,
            month: 1,
            day: 1,
            year_day: None,
            hour: 0,
            minute: 0,
            second: 0,
            nanosecond: 0,
            afternoon: None,
            offset: 0,
        }
    }
}

/// Up to `most` digits, at least `least`.
fn digits(text: &str, least: usize, most: usize) -> Option<(i64, &str)> {
    let count = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    if count < least {
        return None;
    }
    Some((text[..count].parse().ok()?, &text[count..]))
}

fn name<'a>(text: &'a str, names: &[&str], short: bool) -> Option<(i64, &'a str)> {
    (0i64..).zip(names).find_map(|(i, name)| {
        let name = if short { &name[..3] } else { name };
        let head = text.get(..name.len())?;
        head.eq_ignore_ascii_case(name).then(|| (i, &text[name.len()..]))
    })
}

impl Parsed {
    fn element<'a>(&mut self, element: &str, text: &'a str) -> Option<&'a str> {
        let (field, (value, rest)) = match element {
            "2006" => (&mut self.year, digits(text, 4, 4)?),
            "06" => {
                let (value, rest) = digits(text, 2, 2)?;
                self.year = if value >= 69 { value + 1900 } else { value + 2000 };
                return Some(rest);
            }
            "01" => (&mut self.month, digits(text, 2, 2)?),
            "1" => (&mut self.month, digits(text, 1, 2)?),
            "January" | "Jan" => {
                let (value, rest) = name(text, &MONTHS, element == "Jan")?;
                self.month = value + 1;
                return Some(rest);
            }
            "Monday" | "Mon" => return Some(name(text, &DAYS, element == "Mon")?.1),
            "02" => (&mut self.day, digits(text, 2, 2)?),
            "_2" | "2" => (&mut self.day, digits(text.trim_start_matches(' '), 1, 2)?),
            "002" | "__2" => {
                let (value, rest) = digits(text.trim_start_matches(' '), 1, 3)?;
                self.year_day = Some(value);
                return Some(rest);
            }
            "15" => (&mut self.hour, digits(text, 1, 2)?),
            "03" => (&mut self.hour, digits(text, 2, 2)?),
            "3" => (&mut self.hour, digits(text, 1, 2)?),
            "04" => (&mut self.minute, digits(text, 2, 2)?),
            "4" => (&mut self.minute, digits(text, 1, 2)?),
            "05" | "5" => {
                let (value, rest) = digits(text, if element == "05" { 2 } else { 1 }, 2)?;
                self.second = value;
                return self.optional_fraction(rest);
            }
            "PM" | "pm" => {
                let head = text.get(..2)?;
                self.afternoon = Some(match head {
                    "PM" | "pm" => true,
                    "AM" | "am" => false,
                    _ => return None,
                });
                return Some(&text[2..]);
            }
            "MST" => {
                let count = text.bytes().take_while(u8::is_ascii_uppercase).count();
                return (3..=5).contains(&count).then(|| &text[count..]);
            }
            _ if element.starts_with(['.', ',']) => return self.fraction(element.len() - 1, text),
            _ => return self.zone(element, text),
        };
        *field = value;
        Some(rest)
    }

    /// A fraction of a second may follow the seconds even when the layout has none.
    fn optional_fraction<'a>(&mut self, text: &'a str) -> Option<&'a str> {
        let count = text.bytes().skip(1).take_while(u8::is_ascii_digit).count();
        if text.starts_with(['.', ',']) && count > 0 {
            self.fraction(count, text)
        } else {
            Some(text)
        }
    }

    fn fraction<'a>(&mut self, count: usize, text: &'a str) -> Option<&'a str> {
        let (value, rest) = digits(text.get(1..)?, count, count)?;
        self.nanosecond = value.checked_mul(10i64.checked_pow(9u32.checked_sub(u32::try_from(count).ok()?)?)?)?;
        Some(rest)
    }

    fn zone<'a>(&mut self, element: &str, text: &'a str) -> Option<&'a str> {
        if element.starts_with('Z')
            && let Some(rest) = text.strip_prefix('Z')
        {
            return Some(rest);
        }
        let sign = match text.chars().next()? {
            '+' => 1,
            '-' => -1,
            _ => return None,
        };
        let (hours, mut rest) = digits(&text[1..], 2, 2)?;
        let mut seconds = hours * 3600;
        for (unit, present) in [(60, element.len() > 3), (1, element.len() > 6)] {
            if present {
                if element.contains(':') {
                    rest = rest.strip_prefix(':')?;
                }
                let (value, after) = digits(rest, 2, 2)?;
                seconds += value * unit;
                rest = after;
            }
        }
        self.offset = sign * seconds;
        Some(rest)
    }

    fn time(&self) -> Option<Time> {
        let mut hour = self.hour;
        match self.afternoon {
            Some(true) if hour < 12 => hour += 12,
            Some(false) if hour == 12 => hour = 0,
            _ => {}
        }
        let small = |value: i64| i8::try_from(value).ok();
        let date = match self.year_day {
            Some(day) => civil::Date::new(i16::try_from(self.year).ok()?, 1, 1)
                .ok()?
                .with()
                .day_of_year(i16::try_from(day).ok()?)
                .build()
                .ok()?,
            None => civil::Date::new(i16::try_from(self.year).ok()?, small(self.month)?, small(self.day)?).ok()?,
        };
        let clock = civil::Time::new(
            small(hour)?,
            small(self.minute)?,
            small(self.second)?,
            i32::try_from(self.nanosecond).ok()?,
        );
        let local = jiff::tz::Offset::UTC.to_timestamp(date.to_datetime(clock.ok()?)).ok()?;
        let nanoseconds = local.as_nanosecond() - i128::from(self.offset) * SECOND;
        Some(Time {
            nanoseconds,
            offset: i32::try_from(self.offset).ok()?,
        })
    }
}

/// How Go prints a time.
pub(crate) fn time_text(time: &Time) -> String {
    format(time, "2006-01-02 15:04:05.999999999 -0700 MST")
}

/// How Go prints a duration: `1h2m3.5s`, `1.5ms`.
pub(crate) fn duration_text(nanoseconds: i64) -> String {
    if nanoseconds == 0 {
        return "0s".to_owned();
    }
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let magnitude = nanoseconds.unsigned_abs();
    let scaled = |unit: u64| {
        let fraction = format!("{:0width$}", magnitude % unit, width = unit.to_string().len() - 1);
        let fraction = fraction.trim_end_matches('0');
        if fraction.is_empty() {
            (magnitude / unit).to_string()
        } else {
            format!("{}.{fraction}", magnitude / unit)
        }
    };
    if magnitude < 1000 {
        return format!("{sign}{magnitude}ns");
    }
    if magnitude < 1_000_000 {
        return format!("{sign}{}\u{b5}s", scaled(1000));
    }
    if magnitude < 1_000_000_000 {
        return format!("{sign}{}ms", scaled(1_000_000));
    }
    let total = magnitude / 1_000_000_000;
    let (hours, minutes) = (total / 3600, total / 60 % 60);
    let fraction = format!("{:09}", magnitude % 1_000_000_000);
    let fraction = fraction.trim_end_matches('0');
    let seconds = if fraction.is_empty() {
        format!("{}s", total % 60)
    } else {
        format!("{}.{fraction}s", total % 60)
    };
    match (hours, minutes) {
        (0, 0) => format!("{sign}{seconds}"),
        (0, _) => format!("{sign}{minutes}m{seconds}"),
        _ => format!("{sign}{hours}h{minutes}m{seconds}"),
    }
}

/// Go's `time.ParseDuration`; `None` for what it rejects.
pub(crate) fn parse_duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let number = rest.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
        let (whole, fraction) = rest[..number].split_once('.').unwrap_or((&rest[..number], ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return None;
        }
        rest = &rest[number..];
        let unit_length = rest
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(rest.len());
        let unit: i128 = match &rest[..unit_length] {
            "ns" => 1,
            "us" | "\u{b5}s" | "\u{3bc}s" => 1000,
            "ms" => 1_000_000,
            "s" => SECOND,
            "m" => 60 * SECOND,
            "h" => 3600 * SECOND,
            _ => return None,
        };
        rest = &rest[unit_length..];
        if !whole.is_empty() {
            total = total.checked_add(whole.parse::<i128>().ok()?.checked_mul(unit)?)?;
        }
        let digits = &fraction[..fraction.len().min(18)];
        if !digits.is_empty() {
            let scale = 10i128.pow(u32::try_from(digits.len()).ok()?);
            total = total.checked_add(digits.parse::<i128>().ok()? * unit / scale)?;
        }
    }
    i64::try_from(if negative { -total } else { total }).ok()
}

/// The parameters of a method of a time or a duration.
pub(crate) fn method(value: &Value, name: &str) -> Option<&'static [Type]> {
    match (value, name) {
        (Value::Time(_), "Format") => Some(&[Type::Str]),
        (
            Value::Time(_),
            "Unix" | "UnixNano" | "UnixMilli" | "Year" | "Day" | "Hour" | "Minute" | "Second" | "YearDay" | "UTC"
            | "String",
        )
        | (Value::Duration(_), "Hours" | "Minutes" | "Seconds" | "Milliseconds" | "Nanoseconds" | "String") => {
            Some(&[])
        }
        _ => None,
    }
}

/// Calls a method that [`method`] knows.
pub(crate) fn call_method(value: &Value, name: &str, arguments: &[Value]) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "Go converts the same way")]
    match (value, name) {
        (Value::Time(time), _) => {
            let civil = civil_of(time);
            let int = |value: i128| Value::Int64(i64::try_from(value).unwrap_or(i64::MAX));
            match name {
                "Format" => match arguments.first() {
                    Some(Value::Str(layout)) => Value::from(format(time, &layout.lossy())),
                    _ => Value::Nil,
                },
                "Unix" => Value::Int64(unix(time)),
                "UnixNano" => int(time.nanoseconds),
                "UnixMilli" => int(time.nanoseconds.div_euclid(1_000_000)),
                "Year" => Value::Int(i64::from(civil.year())),
                "Day" => Value::Int(i64::from(civil.day())),
                "Hour" => Value::Int(i64::from(civil.hour())),
                "Minute" => Value::Int(i64::from(civil.minute())),
                "Second" => Value::Int(i64::from(civil.second())),
                "YearDay" => Value::Int(i64::from(civil.day_of_year())),
                "UTC" => Value::Time(Time { offset: 0, ..*time }),
                _ => Value::from(time_text(time)),
            }
        }
        (Value::Duration(n), _) => match name {
            "Hours" => Value::Float(*n as f64 / 3.6e12),
            "Minutes" => Value::Float(*n as f64 / 6e10),
            "Seconds" => Value::Float(*n as f64 / 1e9),
            "Milliseconds" => Value::Int64(n / 1_000_000),
            "Nanoseconds" => Value::Int64(*n),
            _ => Value::from(duration_text(*n)),
        },
        _ => Value::Nil,
    }
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
        assert_eq!(parse("2006-01-02", "2020-13-06"), None);
        assert_eq!(parse("2006-01-02", "nope"), None);
    }

    #[test]
    fn durations() {
        for text in ["1h2m3.5s", "1.5ms", "2m0s", "0s", "-1s", "3\u{b5}s", "1ns"] {
            assert_eq!(duration_text(parse_duration(text).expect(text)), text);
        }
        for text in ["", "1", "1x", "h", "1.2.3s", "9999999999h"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}
