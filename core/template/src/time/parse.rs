//! Go's `time.Parse`, with its complaints.

use super::civil::{days_from, days_in, is_leap};
use super::layout::next_element;
use super::{DAYS, MONTHS, SECOND};
use crate::value::{Time, Zone};

/// A time by its layout, or Go's complaint.
pub(crate) fn parse(layout: &str, text: &str) -> Result<Time, String> {
    let mut parsed = Parsed::default();
    let (mut rest, mut value) = (layout, text);
    let cannot = |value: &str, element: &str| {
        format!(
            "parsing time {} as {}: cannot parse {} as {}",
            quote(text),
            quote(layout),
            quote(value),
            quote(element)
        )
    };
    let about = |what: &str| format!("parsing time {}: {what}", quote(text));
    while let Some((at, element)) = next_element(rest) {
        let prefix = &rest[..at];
        value = skip(value, prefix).map_err(|left| cannot(left, prefix))?;
        rest = &rest[at + element.len()..];
        match parsed.element(element, value, rest) {
            Ok(after) => value = after,
            Err(Some(field)) => return Err(about(&format!("{field} out of range"))),
            Err(None) => return Err(cannot(value, element)),
        }
    }
    value = skip(value, rest).map_err(|left| cannot(left, rest))?;
    if !value.is_empty() {
        return Err(about(&format!("extra text: {}", quote(value))));
    }
    parsed.time().map_err(|what| about(&what))
}

/// Go's time package quotes by itself: bytes outside ASCII as `\x..`.
pub(super) fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend(['\\', char::from(byte)]),
            0x20..0x80 => out.push(char::from(byte)),
            _ => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out.push('"');
    out
}

/// Removes a prefix; runs of spaces count as one. The error is what was left when it did not fit.
fn skip<'a>(mut value: &'a str, mut prefix: &str) -> Result<&'a str, &'a str> {
    while let Some(first) = prefix.as_bytes().first() {
        if *first == b' ' {
            if !value.is_empty() && !value.starts_with(' ') {
                return Err(value);
            }
            prefix = prefix.trim_start_matches(' ');
            value = value.trim_start_matches(' ');
            continue;
        }
        let Some(c) = prefix.chars().next() else { break };
        let Some(after) = value.strip_prefix(c) else {
            return Err(value);
        };
        value = after;
        prefix = &prefix[c.len_utf8()..];
    }
    Ok(value)
}

/// The fields read so far.
#[derive(Default)]
struct Parsed {
    year: i64,
    month: Option<i64>,
    day: Option<i64>,
    year_day: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    nanosecond: i64,
    afternoon: Option<bool>,
    utc: bool,
    offset: Option<i64>,
    zone: String,
}

/// The rest of the text; or nothing fits, or a field is out of range.
type Read<T> = Result<T, Option<&'static str>>;

/// Up to `most` digits, at least `least`.
fn digits(text: &str, least: usize, most: usize) -> Read<(i64, &str)> {
    let count = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    if count < least {
        return Err(None);
    }
    Ok((text[..count].parse().map_err(|_| None)?, &text[count..]))
}

fn ranged(value: i64, range: std::ops::RangeInclusive<i64>, field: &'static str) -> Read<i64> {
    if range.contains(&value) {
        Ok(value)
    } else {
        Err(Some(field))
    }
}

fn name<'a>(text: &'a str, names: &[&str], short: bool) -> Read<(i64, &'a str)> {
    let found = (0i64..).zip(names).find_map(|(i, name)| {
        let name = if short { &name[..3] } else { name };
        let head = text.get(..name.len())?;
        head.eq_ignore_ascii_case(name).then(|| (i, &text[name.len()..]))
    });
    found.ok_or(None)
}

impl Parsed {
    fn element<'a>(&mut self, element: &str, text: &'a str, layout: &str) -> Read<&'a str> {
        match element {
            "2006" => self.four_digit_year(text),
            "06" => {
                let (value, rest) = digits(text, 2, 2)?;
                self.year = if value >= 69 { value + 1900 } else { value + 2000 };
                Ok(rest)
            }
            "01" | "1" => {
                let (value, rest) = digits(text, element.len(), 2)?;
                self.month = Some(ranged(value, 1..=12, "month")?);
                Ok(rest)
            }
            "January" | "Jan" => {
                let (value, rest) = name(text, &MONTHS, element == "Jan")?;
                self.month = Some(value + 1);
                Ok(rest)
            }
            "Monday" | "Mon" => Ok(name(text, &DAYS, element == "Mon")?.1),
            "02" | "_2" | "2" => {
                let text = text.strip_prefix(' ').filter(|_| element == "_2").unwrap_or(text);
                let (value, rest) = digits(text, if element == "02" { 2 } else { 1 }, 2)?;
                self.day = Some(value);
                Ok(rest)
            }
            "002" | "__2" => {
                let mut text = text;
                if element == "__2" {
                    text = text.strip_prefix(' ').unwrap_or(text);
                    text = text.strip_prefix(' ').unwrap_or(text);
                }
                let (value, rest) = digits(text, if element == "002" { 3 } else { 1 }, 3)?;
                self.year_day = Some(value);
                Ok(rest)
            }
            "15" | "03" | "3" => {
                let (value, rest) = digits(text, if element == "03" { 2 } else { 1 }, 2)?;
                self.hour = ranged(value, 0..=if element == "15" { 23 } else { 12 }, "hour")?;
                Ok(rest)
            }
            "04" | "4" => {
                let (value, rest) = digits(text, element.len(), 2)?;
                self.minute = ranged(value, 0..=59, "minute")?;
                Ok(rest)
            }
            "05" | "5" => {
                let (value, rest) = digits(text, element.len(), 2)?;
                self.second = ranged(value, 0..=59, "second")?;
                self.optional_fraction(rest, layout)
            }
            "PM" | "pm" => {
                let (head, rest) = text.split_at_checked(2).ok_or(None)?;
                self.afternoon = Some(match (element, head) {
                    ("PM", "PM") | ("pm", "pm") => true,
                    ("PM", "AM") | ("pm", "am") => false,
                    _ => return Err(None),
                });
                Ok(rest)
            }
            "MST" => self.zone_name(text),
            _ if element.starts_with(['.', ',']) => self.fraction(element, text),
            _ => self.zone(element, text),
        }
    }

    fn four_digit_year<'a>(&mut self, text: &'a str) -> Read<&'a str> {
        let (value, rest) = digits(text, 4, 4)?;
        self.year = value;
        Ok(rest)
    }

    /// A fraction of a second may follow the seconds even when the layout has none.
    fn optional_fraction<'a>(&mut self, text: &'a str, layout: &str) -> Read<&'a str> {
        let expected = next_element(layout).is_some_and(|(_, element)| element.starts_with(['.', ',']));
        let count = text.bytes().skip(1).take_while(u8::is_ascii_digit).count();
        if text.starts_with(['.', ',']) && count > 0 && !expected {
            self.nanoseconds(&text[1..=count]);
            return Ok(&text[1 + count..]);
        }
        Ok(text)
    }

    fn fraction<'a>(&mut self, element: &str, text: &'a str) -> Read<&'a str> {
        let available = text.bytes().skip(1).take_while(u8::is_ascii_digit).count();
        let is_fraction = text.starts_with(['.', ',']);
        let count = element.len() - 1;
        if element.ends_with('9') {
            if !is_fraction || available == 0 {
                return Ok(text);
            }
            self.nanoseconds(&text[1..=available]);
            return Ok(&text[1 + available..]);
        }
        if !is_fraction || available < count {
            return Err(None);
        }
        self.nanoseconds(&text[1..=count]);
        Ok(&text[1 + count..])
    }

    fn nanoseconds(&mut self, digits: &str) {
        let digits = &digits[..digits.len().min(9)];
        self.nanosecond = format!("{digits:0<9}").parse().unwrap_or(0);
    }

    fn zone_name<'a>(&mut self, text: &'a str) -> Read<&'a str> {
        if let Some(rest) = text.strip_prefix("UTC") {
            self.utc = true;
            return Ok(rest);
        }
        let length = zone_name_length(text).ok_or(None)?;
        text[..length].clone_into(&mut self.zone);
        Ok(&text[length..])
    }

    fn zone<'a>(&mut self, element: &str, text: &'a str) -> Read<&'a str> {
        if element.starts_with('Z')
            && let Some(rest) = text.strip_prefix('Z')
        {
            self.utc = true;
            return Ok(rest);
        }
        let (colons, parts) = match element.len() {
            3 => (false, 1),
            5 => (false, 2),
            6 => (true, 2),
            7 => (false, 3),
            _ => (true, 3),
        };
        let sign = match text.bytes().next() {
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return Err(None),
        };
        let (mut rest, mut seconds) = (&text[1..], 0);
        let fields = [
            (24, "time zone offset hour", 3600),
            (60, "time zone offset minute", 60),
            (60, "time zone offset second", 1),
        ];
        for (i, (most, field, unit)) in fields.into_iter().take(parts).enumerate() {
            if i > 0 && colons {
                rest = rest.strip_prefix(':').ok_or(None)?;
            }
            let (value, after) = digits(rest, 2, 2)?;
            seconds += ranged(value, 0..=most, field)? * unit;
            rest = after;
        }
        self.offset = Some(sign * seconds);
        Ok(rest)
    }

    /// Month and day from the day of the year, which must agree with those that were read.
    fn resolve_year_day(&mut self) -> Result<(), String> {
        let Some(year_day) = self.year_day else {
            return Ok(());
        };
        let length = if is_leap(self.year) { 366 } else { 365 };
        if !(1..=length).contains(&year_day) {
            return Err("day-of-year out of range".to_owned());
        }
        let (mut month, mut day) = (1, year_day);
        while day > days_in(month, self.year) {
            day -= days_in(month, self.year);
            month += 1;
        }
        if self.month.is_some_and(|known| known != month) {
            return Err("day-of-year does not match month".to_owned());
        }
        if self.day.is_some_and(|known| known != day) {
            return Err("day-of-year does not match day".to_owned());
        }
        (self.month, self.day) = (Some(month), Some(day));
        Ok(())
    }

    fn time(&mut self) -> Result<Time, String> {
        match self.afternoon {
            Some(true) if self.hour < 12 => self.hour += 12,
            Some(false) if self.hour == 12 => self.hour = 0,
            _ => {}
        }
        self.resolve_year_day()?;
        let (month, day) = (self.month.unwrap_or(1), self.day.unwrap_or(1));
        if day < 1 || day > days_in(month, self.year) {
            return Err("day out of range".to_owned());
        }
        let seconds = days_from(self.year, month, day) * 86_400 + self.hour * 3600 + self.minute * 60 + self.second;
        let local = i128::from(seconds) * SECOND + i128::from(self.nanosecond);
        if self.utc {
            return Ok(Time::utc(local));
        }
        let in_local = Time {
            zone: Zone::Local,
            ..Time::utc(local)
        };
        if self.offset.is_none() && self.zone.is_empty() {
            return Ok(in_local);
        }
        let zone = if self.zone.is_empty() {
            Zone::Unnamed
        } else {
            Zone::named(&self.zone)
        };
        // A name alone says nothing about the offset, but for `GMT+3`.
        let named = self
            .zone
            .strip_prefix("GMT")
            .and_then(|hours| hours.parse::<i64>().ok());
        let offset = match self.offset {
            Some(0) if self.zone.is_empty() => return Ok(in_local),
            Some(offset) => offset,
            None => named.unwrap_or(0) * 3600,
        };
        Ok(Time {
            nanoseconds: local - i128::from(offset) * SECOND,
            offset: i32::try_from(offset).unwrap_or(0),
            zone,
        })
    }
}

/// How long the short name of a zone at the beginning of a text is.
fn zone_name_length(text: &str) -> Option<usize> {
    let signed = |text: &str| -> usize {
        if !text.starts_with(['+', '-']) {
            return 0;
        }
        let count = text.bytes().skip(1).take_while(u8::is_ascii_digit).count();
        match text[1..=count].parse::<u64>() {
            Ok(0..=23) => count + 1,
            _ => 0,
        }
    };
    if text.len() < 3 {
        return None;
    }
    if text.starts_with("ChST") || text.starts_with("MeST") {
        return Some(4);
    }
    if let Some(rest) = text.strip_prefix("GMT") {
        return Some(3 + signed(rest));
    }
    if text.starts_with(['+', '-']) {
        return Some(signed(text)).filter(|length| *length > 0);
    }
    let bytes = text.as_bytes();
    match bytes.iter().take(6).take_while(|b| b.is_ascii_uppercase()).count() {
        5 if bytes[4] == b'T' => Some(5),
        4 if bytes[3] == b'T' || text.starts_with("WITA") => Some(4),
        3 => Some(3),
        _ => None,
    }
}
