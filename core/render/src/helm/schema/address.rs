//! IP addresses as Go reads them, with its words for what is none.

use super::format::{Checked, refuse};
use super::words::{quote_bytes, quote_go};

/// An address that parses.
pub(super) struct Address {
    pub(super) is_v4: bool,
    pub(super) has_zone: bool,
}

/// Go's reader of addresses.
pub(super) fn address(text: &[u8]) -> Result<Address, String> {
    let found = text.iter().find(|byte| b".:%".contains(byte));
    let read = match found {
        Some(b'.') => fields_of_v4(text).map(|()| Address {
            is_v4: true,
            has_zone: false,
        }),
        Some(b':') => v6(text),
        Some(_) => Err(("missing IPv6 address", &b""[..])),
        None => Err(("unable to parse IP", &b""[..])),
    };
    read.map_err(|(problem, at)| {
        let at = match at {
            [] => String::new(),
            at => format!(" (at {})", quote_bytes(at)),
        };
        format!("ParseAddr({}): {problem}{at}", quote_bytes(text))
    })
}

/// What is wrong, and with what rest.
type Read<'t, T> = Result<T, (&'static str, &'t [u8])>;

/// Four decimals.
fn fields_of_v4(text: &[u8]) -> Read<'_, ()> {
    let (mut value, mut dots, mut digits) = (0, 0, 0);
    for (index, byte) in text.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                if digits == 1 && value == 0 {
                    return Err(("IPv4 field has octet with leading zero", b""));
                }
                value = value * 10 + u32::from(byte - b'0');
                digits += 1;
                if value > 255 {
                    return Err(("IPv4 field has value >255", b""));
                }
            }
            b'.' if digits == 0 || index + 1 == text.len() => {
                return Err(("IPv4 field must have at least one digit", &text[index..]));
            }
            b'.' if dots == 3 => return Err(("IPv4 address too long", b"")),
            b'.' => (value, dots, digits) = (0, dots + 1, 0),
            _ => return Err(("unexpected character", &text[index..])),
        }
    }
    match dots {
        3 => Ok(()),
        _ => Err(("IPv4 address too short", b"")),
    }
}

/// Groups of hexadecimal digits, of which one `::` leaves some out, and a zone.
fn v6(text: &[u8]) -> Read<'_, Address> {
    let mut parts = text.splitn(2, |byte| *byte == b'%');
    let (mut rest, zone) = (parts.next().unwrap_or_default(), parts.next());
    if zone.is_some_and(<[u8]>::is_empty) {
        return Err(("zone must be a non-empty string", b""));
    }
    let mut count = 0;
    let mut is_short = false;
    if let Some(after) = rest.strip_prefix(b"::") {
        (rest, is_short) = (after, true);
    }
    while count < 8 && !(rest.is_empty() && is_short && count == 0) {
        let digits = group(rest)?;
        if rest.get(digits) == Some(&b'.') {
            return v4_at_the_end(rest, count, is_short).map(|()| of_v6(zone));
        }
        count += 1;
        let here = &rest[digits..];
        rest = match here {
            [] => &[],
            [b':'] => return Err(("colon must be followed by more characters", here)),
            [b':', after @ ..] => after,
            _ => return Err(("unexpected character, want colon", here)),
        };
        if here.is_empty() {
            break;
        }
        if let [b':', after @ ..] = rest {
            if is_short {
                return Err(("multiple :: in address", rest));
            }
            (rest, is_short) = (after, true);
            if rest.is_empty() {
                break;
            }
        }
    }
    match count {
        _ if !rest.is_empty() => Err(("trailing garbage after address", rest)),
        8 if is_short => Err(("the :: must expand to at least one field of zeros", b"")),
        0..8 if !is_short => Err(("address string too short", b"")),
        _ => Ok(of_v6(zone)),
    }
}

const fn of_v6(zone: Option<&[u8]>) -> Address {
    Address {
        is_v4: false,
        has_zone: zone.is_some(),
    }
}

/// How many digits the first group has.
fn group(rest: &[u8]) -> Read<'_, usize> {
    match rest.iter().take_while(|byte| byte.is_ascii_hexdigit()).count() {
        0 => Err(("each colon-separated field must have at least one digit", rest)),
        digits @ 1..=4 => Ok(digits),
        _ => Err(("each group must have 4 or less digits", rest)),
    }
}

/// The last two groups as four decimals, after so many groups.
fn v4_at_the_end(rest: &[u8], groups: usize, is_short: bool) -> Read<'_, ()> {
    if !is_short && groups != 6 {
        let problem = "embedded IPv4 address must replace the final 2 fields of the address";
        return Err((problem, rest));
    }
    if groups > 6 {
        let problem = "too many hex fields to fit an embedded IPv4 at the end of the address";
        return Err((problem, rest));
    }
    fields_of_v4(rest)?;
    match is_short && groups == 6 {
        true => Err(("the :: must expand to at least one field of zeros", b"")),
        false => Ok(()),
    }
}

pub(super) fn ipv6(text: &str) -> Checked {
    if !text.contains(':') {
        return refuse("missing colon");
    }
    match address(text.as_bytes())?.has_zone {
        true => refuse("zone id is not a part of ipv6 address"),
        false => Ok(()),
    }
}

pub(super) fn ipv4(text: &str) -> Checked {
    let groups: Vec<&str> = text.split('.').collect();
    if groups.len() != 4 {
        return refuse("expected four decimals");
    }
    for group in groups {
        if group.len() > 1 && group.starts_with('0') {
            return refuse("leading zeros");
        }
        match number(group)? {
            0..=255 => {}
            _ => return refuse("decimal must be between 0 and 255"),
        }
    }
    Ok(())
}

/// Go's reader of whole numbers: digits behind at most one sign.
pub(super) fn number(text: &str) -> Result<i64, String> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let first = digits.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let leading = &digits[..digits.len() - first];
    // What is too large is not read on.
    let is_large = !leading.is_empty() && (first == 0 || leading.parse::<u64>().is_err());
    text.parse().map_err(|_| {
        let problem = match is_large {
            true => "value out of range",
            false => "invalid syntax",
        };
        format!("strconv.Atoi: parsing {}: {problem}", quote_go(text))
    })
}
