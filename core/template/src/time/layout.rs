//! Layouts: what their elements are, and `Time.Format`.

use super::civil::Civil;
use super::{DAYS, MONTHS};
use crate::value::Time;

/// The elements a layout is made of, longest first where one begins another.
const ELEMENTS: [&str; 31] = [
    "January",
    "Monday",
    "MST",
    "2006",
    "Z070000",
    "Z07:00:00",
    "Z0700",
    "Z07:00",
    "Z07",
    "-070000",
    "-07:00:00",
    "-0700",
    "-07:00",
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
pub(super) fn next_element(layout: &str) -> Option<(usize, &str)> {
    for (at, _) in layout.char_indices() {
        let rest = &layout[at..];
        if rest.starts_with("_2006") {
            return Some((at + 1, &rest[1..5]));
        }
        // `Month` and `Mono` are words, `Mon` is an element.
        let short = rest.starts_with("Jan") || rest.starts_with("Mon");
        if let Some(element) = ELEMENTS.iter().find(|element| rest.starts_with(**element)) {
            return Some((at, &rest[..element.len()]));
        }
        if short && !rest[3..].starts_with(|c: char| c.is_ascii_lowercase()) {
            return Some((at, &rest[..3]));
        }
        if let Some(fraction) = fraction_element(rest) {
            return Some((at, fraction));
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
    let civil = Civil::of(time);
    let mut out = String::new();
    let mut rest = layout;
    while let Some((at, element)) = next_element(rest) {
        out.push_str(&rest[..at]);
        out.push_str(&format_element(&civil, time, element));
        rest = &rest[at + element.len()..];
    }
    out.push_str(rest);
    out
}

/// As [`format`], with a layout that need not be UTF-8: no element of one is anything but ASCII.
pub(crate) fn format_bytes(time: &Time, layout: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(layout.len());
    for chunk in layout.utf8_chunks() {
        out.extend_from_slice(format(time, chunk.valid()).as_bytes());
        out.extend_from_slice(chunk.invalid());
    }
    out
}

/// A number with leading zeros; the sign comes first.
fn padded(value: i64, width: usize) -> String {
    let sign = if value < 0 { "-" } else { "" };
    format!("{sign}{:0width$}", value.unsigned_abs())
}

fn format_element(civil: &Civil, time: &Time, element: &str) -> String {
    let (month, day) = (MONTHS[civil.month - 1], DAYS[civil.weekday]);
    let month_number = civil.month.to_string();
    let hour12 = match civil.hour % 12 {
        0 => 12,
        hour => hour,
    };
    match element {
        "January" => month.to_owned(),
        "Jan" => month[..3].to_owned(),
        "Monday" => day.to_owned(),
        "Mon" => day[..3].to_owned(),
        "2006" => padded(civil.year, 4),
        "06" => padded(civil.year.abs() % 100, 2),
        "01" => format!("{month_number:0>2}"),
        "1" => month_number,
        "02" => padded(civil.day, 2),
        "_2" => format!("{:2}", civil.day),
        "2" => civil.day.to_string(),
        "002" => padded(civil.year_day, 3),
        "__2" => format!("{:3}", civil.year_day),
        "15" => padded(civil.hour, 2),
        "03" => padded(hour12, 2),
        "3" => hour12.to_string(),
        "04" => padded(civil.minute, 2),
        "4" => civil.minute.to_string(),
        "05" => padded(civil.second, 2),
        "5" => civil.second.to_string(),
        "PM" => if civil.hour >= 12 { "PM" } else { "AM" }.to_owned(),
        "pm" => if civil.hour >= 12 { "pm" } else { "am" }.to_owned(),
        "MST" => match time.zone.name() {
            name if name.is_empty() => zone(time.offset, "-0700"),
            name => name,
        },
        _ if element.starts_with(['.', ',']) => fraction(civil.nanosecond, element),
        _ if element.starts_with('Z') && time.offset == 0 => "Z".to_owned(),
        _ => zone(time.offset, &element.replace('Z', "-")),
    }
}

fn zone(offset: i32, element: &str) -> String {
    // Go decides on the sign after cutting the seconds.
    let sign = if offset / 60 < 0 { '-' } else { '+' };
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

fn fraction(nanoseconds: i64, element: &str) -> String {
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
