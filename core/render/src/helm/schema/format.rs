//! `format`, as the library Helm uses understands it: what is valid, and why something is not.

use capstan_template::check_pattern;

use super::address::{ipv4, ipv6, number};
use super::url::{check as check_url, check_template};
use super::words::quote_char;

/// The formats that are checked; all others allow anything.
pub(super) const FORMATS: &[&str] = &[
    "date",
    "date-time",
    "duration",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "iri",
    "iri-reference",
    "json-pointer",
    "period",
    "regex",
    "relative-json-pointer",
    "semver",
    "time",
    "uri",
    "uri-reference",
    "uri-template",
    "uuid",
];
pub(super) type Checked = Result<(), String>;

/// Is a text of a format?
pub(super) fn check(format: &str, text: &str) -> Checked {
    match format {
        "date" => date(text),
        "date-time" => date_time(text),
        "duration" => duration(text),
        "email" => email(text),
        "hostname" => hostname(text),
        "ipv4" => ipv4(text),
        "ipv6" => ipv6(text),
        "json-pointer" => json_pointer(text),
        "period" => period(text),
        "regex" => check_pattern(text),
        "relative-json-pointer" => relative_json_pointer(text),
        "semver" => semver(text),
        "time" => time(text),
        "uri" | "iri" => match check_url(text)?.has_scheme {
            true => Ok(()),
            false => refuse("relative url"),
        },
        "uri-reference" | "iri-reference" if text.contains('\\') => refuse("contains \\"),
        "uri-reference" | "iri-reference" => check_url(text).map(drop),
        "uri-template" => check_template(text),
        "uuid" => uuid(text),
        _ => Ok(()),
    }
}

pub(super) fn refuse<T>(reason: impl Into<String>) -> Result<T, String> {
    Err(reason.into())
}

pub(super) fn because<T>(what: &str, checked: Result<T, String>) -> Result<T, String> {
    checked.map_err(|reason| format!("{what}: {reason}"))
}

fn two_digits(text: &str) -> Option<u32> {
    let digits = text.get(..2)?;
    digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| digits.parse().ok())?
}

/// As Go's times quote what they cannot read.
fn quote_time(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' '..='\u{7f}' => quoted.push(c),
            c => {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    quoted.push_str(&format!("\\x{byte:02x}"));
                }
            }
        }
    }
    quoted.push('"');
    quoted
}

fn date(text: &str) -> Checked {
    let cannot = |rest: &str, part: &str| {
        let (text, rest) = (quote_time(text), quote_time(rest));
        refuse(format!(
            "parsing time {text} as \"2006-01-02\": cannot parse {rest} as \"{part}\""
        ))
    };
    let out = |what: &str| refuse(format!("parsing time {}: {what} out of range", quote_time(text)));
    let year = text
        .get(..4)
        .filter(|year| year.bytes().all(|byte| byte.is_ascii_digit()));
    let Some(year) = year.and_then(|year| year.parse::<u32>().ok()) else {
        return cannot(text, "2006");
    };
    let Some(rest) = text[4..].strip_prefix('-') else {
        return cannot(&text[4..], "-");
    };
    let Some(month) = two_digits(rest) else {
        return cannot(rest, "01");
    };
    if !(1..=12).contains(&month) {
        return out("month");
    }
    let Some(rest) = rest[2..].strip_prefix('-') else {
        return cannot(&rest[2..], "-");
    };
    let Some(day) = two_digits(rest) else {
        return cannot(rest, "02");
    };
    if rest.len() > 2 {
        return refuse(format!(
            "parsing time {}: extra text: {}",
            quote_time(text),
            quote_time(&rest[2..])
        ));
    }
    let is_leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let days = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if (1..=days).contains(&day) { Ok(()) } else { out("day") }
}

fn time(text: &str) -> Checked {
    let bytes = text.as_bytes();
    if bytes.len() < 9 {
        return refuse("less than 9 characters long");
    }
    if bytes[2] != b':' || bytes[5] != b':' {
        return refuse("missing colon in correct place");
    }
    let (clock, mut rest) = bytes.split_at(8);
    let parts = numbers(clock, 3, "/sec")?;
    let [hour, minute, second] = parts.as_slice() else {
        return refuse("missing hour/min/sec");
    };
    if *hour > 23 || *minute > 59 || *second > 60 {
        return refuse("hour/min/sec out of range");
    }
    if let Some(fraction) = rest.strip_prefix(b".") {
        let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return refuse("no digits in second fraction");
        }
        rest = &fraction[digits..];
    }
    let mut minutes = hour * 60 + minute;
    if !matches!(rest, b"z" | b"Z") {
        minutes += offset(rest)?;
        if minutes < 0 {
            minutes += 24 * 60;
        }
    }
    if *second == 60 && minutes != 23 * 60 + 59 {
        return refuse("invalid leap second");
    }
    Ok(())
}

/// So many numbers with colons between them; each may have a sign.
fn numbers(text: &[u8], count: usize, what: &str) -> Result<Vec<i64>, String> {
    let text = String::from_utf8_lossy(text);
    let numbers = text.splitn(count, ':').map(|part| match number(part) {
        Ok(0..) => number(part),
        Ok(_) => refuse(format!("non-positive hour/min{what}")),
        Err(_) => refuse(format!("invalid hour/min{what}")),
    });
    numbers.collect()
}

/// Minutes to add for UTC.
fn offset(text: &[u8]) -> Result<i64, String> {
    if text.len() != 6 {
        return refuse("offset must be 6 characters long");
    }
    let sign = match text[0] {
        b'+' => -1,
        b'-' => 1,
        _ => return refuse("offset must begin with plus/minus"),
    };
    if text[3] != b':' {
        return refuse("missing colon in offset in correct place");
    }
    let parts = numbers(&text[1..], 2, " in offset")?;
    match parts.as_slice() {
        [0..=23, 0..=59] => Ok(sign * (parts[0] * 60 + parts[1])),
        _ => refuse("hour/min in offset out of range"),
    }
}

fn date_time(text: &str) -> Checked {
    if text.len() < 20 {
        return refuse("less than 20 characters long");
    }
    if !matches!(text.as_bytes()[10], b't' | b'T') {
        return refuse("11th character must be t or T");
    }
    because("invalid date element", date(text.get(..10).unwrap_or_default()))?;
    because("invalid time element", time(text.get(11..).unwrap_or_default()))
}

fn duration(text: &str) -> Checked {
    let Some(rest) = text.strip_prefix('P') else {
        return refuse("must start with P");
    };
    if rest.is_empty() {
        return refuse("nothing after P");
    }
    if let Some(weeks) = rest.strip_suffix('W') {
        return match weeks {
            "" => refuse("no number in week"),
            _ if weeks.bytes().all(|byte| byte.is_ascii_digit()) => Ok(()),
            _ => refuse("invalid week"),
        };
    }
    for (index, part) in rest.split('T').enumerate() {
        let all = match index {
            0 => "YMD",
            _ if part.is_empty() => return refuse("no time elements"),
            1 => "HMS",
            _ => return refuse("more than one T"),
        };
        elements(part, all)?;
    }
    Ok(())
}

fn elements(mut rest: &str, all: &str) -> Checked {
    let mut units = all;
    while !rest.is_empty() {
        let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        if after.len() == rest.len() {
            return refuse("missing number");
        }
        let Some(unit) = after.bytes().next().map(char::from) else {
            return refuse("missing unit");
        };
        match units.find(unit) {
            Some(at) => units = &units[at + 1..],
            None if all.contains(unit) => return refuse(format!("unit {} out of order", quote_char(unit))),
            None => return refuse(format!("invalid unit {}", quote_char(unit))),
        }
        rest = &after[1..];
    }
    Ok(())
}

fn period(text: &str) -> Checked {
    let Some((start, end)) = text.split_once('/') else {
        return refuse("missing slash");
    };
    if start.starts_with('P') {
        because("invalid start duration", duration(start))?;
        return because("invalid end date-time", date_time(end));
    }
    because("invalid start date-time", date_time(start))?;
    match end.starts_with('P') {
        true => because("invalid end duration", duration(end)),
        false => because("invalid end date-time", date_time(end)),
    }
}

fn hostname(text: &str) -> Checked {
    let text = text.strip_suffix('.').unwrap_or(text);
    if text.len() > 253 {
        return refuse("more than 253 characters long");
    }
    for label in text.split('.') {
        if label.is_empty() || label.len() > 63 {
            return refuse("label must be 1 to 63 characters long");
        }
        if label.starts_with('-') {
            return refuse("label starts with hyphen");
        }
        if label.ends_with('-') {
            return refuse("label ends with hyphen");
        }
        if let Some(other) = label.chars().find(|c| !c.is_ascii_alphanumeric() && *c != '-') {
            return refuse(format!("invalid character {}", quote_char(other)));
        }
    }
    Ok(())
}

fn email(text: &str) -> Checked {
    if text.len() > 254 {
        return refuse("more than 255 characters long");
    }
    let Some((local, domain)) = text.rsplit_once('@') else {
        return refuse("missing @");
    };
    if local.len() > 64 {
        return refuse("local part more than 64 characters long");
    }
    if local.len() > 1 && local.starts_with('"') {
        let mut quoted = local.chars();
        quoted.next();
        quoted.next_back();
        if quoted.any(|c| matches!(c, '\\' | '"')) {
            return refuse("backslash and quote are not allowed within quoted local part");
        }
    } else {
        local_part(local)?;
    }
    if let Some(address) = domain.strip_prefix('[').and_then(|domain| domain.strip_suffix(']')) {
        return match address.strip_prefix("IPv6:") {
            Some(address) => because("invalid ipv6 address", ipv6(address)),
            None => because("invalid ipv4 address", ipv4(address)),
        };
    }
    because("invalid domain", hostname(domain))
}

fn local_part(local: &str) -> Checked {
    if local.starts_with('.') {
        return refuse("starts with dot");
    }
    if local.ends_with('.') {
        return refuse("ends with dot");
    }
    if local.contains("..") {
        return refuse("consecutive dots");
    }
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || ".!#$%&'*+-/=?^_`{|}~".contains(c);
    match local.chars().find(|c| !is_allowed(*c)) {
        Some(other) => refuse(format!("invalid character {}", quote_char(other))),
        None => Ok(()),
    }
}

fn json_pointer(text: &str) -> Checked {
    if text.is_empty() {
        return Ok(());
    }
    if !text.starts_with('/') {
        return refuse("not starting with /");
    }
    let is_escape = |part: &str| part.starts_with(['0', '1']);
    match text.split('~').skip(1).all(is_escape) {
        true => Ok(()),
        false => refuse("~ must be followed by 0 or 1"),
    }
}

fn relative_json_pointer(text: &str) -> Checked {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = text.len() - rest.len();
    if digits == 0 {
        return refuse("must start with non-negative integer");
    }
    if digits > 1 && text.starts_with('0') {
        return refuse("starts with zero");
    }
    if rest == "#" { Ok(()) } else { json_pointer(rest) }
}

fn uuid(text: &str) -> Checked {
    const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];
    let groups: Vec<&str> = text.split('-').collect();
    if groups.len() != GROUPS.len() {
        return refuse("must have 5 elements");
    }
    for (index, (group, size)) in groups.iter().zip(GROUPS).enumerate() {
        if group.len() != size {
            return refuse(format!("element {} must be {size} characters long", index + 1));
        }
        if let Some(other) = group.chars().find(|c| !c.is_ascii_hexdigit()) {
            return refuse(format!("non-hex character {}", quote_char(other)));
        }
    }
    Ok(())
}

fn semver(text: &str) -> Checked {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let (text, build) = text
        .split_once('+')
        .map_or((text, None), |(text, build)| (text, Some(build)));
    if build == Some("") {
        return refuse("build is empty");
    }
    for part in build.into_iter().flat_map(|build| build.split('.')) {
        if part.is_empty() {
            return refuse("build identifier is empty");
        }
        if let Some(other) = part.chars().find(|c| !is_word(*c)) {
            return refuse(format!("invalid character {} in build identifier", quote_char(other)));
        }
    }
    let (core, pre) = text
        .split_once('-')
        .map_or((text, None), |(core, pre)| (core, Some(pre)));
    for part in pre.into_iter().flat_map(|pre| pre.split('.')) {
        if part.is_empty() {
            return refuse("pre-release identifier is empty");
        }
        if let Some(other) = part.chars().find(|c| !is_word(*c)) {
            return refuse(format!(
                "invalid character {} in pre-release identifier",
                quote_char(other)
            ));
        }
        if part.len() > 1 && part.starts_with('0') && part.bytes().all(|byte| byte.is_ascii_digit()) {
            return refuse("pre-release numeric identifier starts with zero");
        }
    }
    let numbers: Vec<&str> = core.split('.').collect();
    if numbers.len() != 3 {
        return refuse("versionCore must have 3 numbers separated by dot");
    }
    for (number, name) in numbers.into_iter().zip(["major", "minor", "patch"]) {
        let reason = match number {
            "" => "is empty",
            _ if number.len() > 1 && number.starts_with('0') => "starts with zero",
            _ if !number.bytes().all(|byte| byte.is_ascii_digit()) => "contains non-digit",
            _ => continue,
        };
        return refuse(format!("{name} {reason}"));
    }
    Ok(())
}
