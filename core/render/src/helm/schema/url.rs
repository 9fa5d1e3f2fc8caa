//! URLs, as far as Go's parser of them is strict.

use super::address::{address, ipv6};
use super::format::{Checked, because, refuse};
use super::words::{quote_bytes, quote_go};

/// What is known of a URL that parses.
#[derive(Debug)]
pub(super) struct Parts<'t> {
    pub(super) has_scheme: bool,
    /// The host and its port, with nothing escaped.
    host: Vec<u8>,
    /// As it is written; nothing where a scheme is followed by something else.
    path: &'t str,
}

/// Go's parser of URLs.
pub(super) fn url(text: &str) -> Result<Parts<'_>, String> {
    let (url, fragment) = text
        .split_once('#')
        .map_or((text, ""), |(url, fragment)| (url, fragment));
    let because = |whole: &str, reason: String| format!("parse {}: {reason}", quote_go(whole));
    let parts = parts(url).map_err(|reason| because(url, reason))?;
    unescaped(fragment, Part::Other).map_err(|reason| because(text, reason))?;
    Ok(parts)
}

fn parts(url: &str) -> Result<Parts<'_>, String> {
    if url.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
        return refuse("net/url: invalid control character in URL");
    }
    let (scheme, rest) = scheme(url)?;
    let has_scheme = !scheme.is_empty();
    let rest = rest.split_once('?').map_or(rest, |(rest, _)| rest);
    let mut parts = Parts {
        has_scheme,
        host: Vec::new(),
        path: rest,
    };
    if !rest.starts_with('/') {
        if has_scheme {
            return Ok(Parts { path: "", ..parts });
        }
        if rest.split('/').next().is_some_and(|first| first.contains(':')) {
            return refuse("first path segment in URL cannot contain colon");
        }
    }
    let is_authority = has_scheme || !rest.starts_with("///");
    if let Some(after) = rest.strip_prefix("//").filter(|_| is_authority) {
        let (authority, path) = after.split_at(after.find('/').unwrap_or(after.len()));
        let (user, host) = authority
            .rsplit_once('@')
            .map_or((None, authority), |(user, host)| (Some(user), host));
        parts.host = check_host(scheme, host)?;
        check_user(user.unwrap_or_default())?;
        parts.path = path;
    }
    unescaped(parts.path, Part::Other)?;
    Ok(parts)
}

fn scheme(url: &str) -> Result<(&str, &str), String> {
    for (index, c) in url.char_indices() {
        match c {
            'a'..='z' | 'A'..='Z' => {}
            '0'..='9' | '+' | '-' | '.' if index > 0 => {}
            ':' if index == 0 => return refuse("missing protocol scheme"),
            ':' => return Ok((&url[..index], &url[index + 1..])),
            _ => break,
        }
    }
    Ok(("", url))
}

fn check_user(user: &str) -> Checked {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&byte);
    if !user.bytes().all(is_allowed) {
        return refuse("net/url: invalid userinfo");
    }
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    unescaped(name, Part::Other)?;
    unescaped(password, Part::Other).map(drop)
}

/// The host and port with nothing escaped.
fn check_host(scheme: &str, host: &str) -> Result<Vec<u8>, String> {
    match host.rfind('[') {
        Some(0) => return check_literal(&host[1..]),
        Some(_) => return refuse("invalid IP-literal"),
        None => {}
    }
    // Of other schemes some have lists of hosts.
    let is_strict = ["http", "https"].iter().any(|name| scheme.eq_ignore_ascii_case(name));
    let colon = if is_strict { host.find(':') } else { host.rfind(':') };
    if let Some(at) = colon {
        check_port(&host[at..])?;
    }
    unescaped(host, Part::Host)
}

/// An address in brackets, of which the first is gone.
fn check_literal(inside: &str) -> Result<Vec<u8>, String> {
    let Some((name, port)) = inside.rsplit_once(']') else {
        return refuse("missing ']' in host");
    };
    check_port(port)?;
    let (address_part, zone) = name.split_at(name.find("%25").unwrap_or(name.len()));
    let mut unescaped_name = unescaped(address_part, Part::Host)?;
    unescaped_name.extend(unescaped(zone, Part::Zone)?);
    if because("invalid host", address(&unescaped_name))?.is_v4 {
        return refuse("invalid IP-literal");
    }
    Ok([b"[", unescaped_name.as_slice(), b"]", port.as_bytes()].concat())
}

fn is_port(port: &str) -> bool {
    let digits = port.strip_prefix(':');
    port.is_empty() || digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
}

fn check_port(port: &str) -> Checked {
    match is_port(port) {
        true => Ok(()),
        false => refuse(format!("invalid port {} after host", quote_go(port))),
    }
}

/// What decides what may be escaped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Host,
    Zone,
    Other,
}

fn is_of_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.~!$&'()*+,;=:[]<>\"".contains(&byte)
}

/// The bytes that a part stands for.
fn unescaped(text: &str, part: Part) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        if *first != b'%' {
            if part != Part::Other && first.is_ascii() && !is_of_host(*first) {
                return refuse(format!("invalid character {} in host name", quote_bytes(&[*first])));
            }
            bytes.push(*first);
            rest = after;
            continue;
        }
        let code = after.first_chunk::<2>().and_then(|digits| {
            let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            Some(digit(digits[0])? * 16 + digit(digits[1])?)
        });
        let is_allowed = |code: &u8| match part {
            Part::Other => true,
            // Only what is no ASCII may be escaped in a host, but for the sign in front of a zone.
            Part::Host => *code >= 0x80 || *code == b'%',
            Part::Zone => matches!(*code, b'%' | b' ') || is_of_host(*code),
        };
        let Some(code) = code.filter(is_allowed) else {
            let shown = &rest[..rest.len().min(3)];
            return refuse(format!("invalid URL escape {}", quote_bytes(shown)));
        };
        bytes.push(code);
        rest = &after[2..];
    }
    Ok(bytes)
}

/// A URL for a format, which is stricter with addresses.
pub(super) fn check(text: &str) -> Result<Parts<'_>, String> {
    let parts = url(text)?;
    let host = String::from_utf8_lossy(&parts.host).into_owned();
    let port = host.rfind(':').filter(|at| is_port(&host[*at..]));
    let mut name = &host[..port.unwrap_or(host.len())];
    if let Some(inside) = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        name = inside;
    }
    if name.contains(':') {
        if !host.contains('[') || !host.contains(']') {
            return refuse("ipv6 address not enclosed in brackets");
        }
        because("invalid ipv6 address", ipv6(name))?;
    }
    Ok(parts)
}

/// A template: a URL whose braces are paired within each part of its path, which is only looked at if it would be written otherwise.
pub(super) fn check_template(text: &str) -> Checked {
    let path = check(text)?.path;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@".contains(&byte);
    let decoded = unescaped(path, Part::Other)?;
    let written: String = decoded.iter().fold(String::new(), |mut written, byte| {
        match is_plain(*byte) {
            true => written.push(char::from(*byte)),
            false => written.push_str(&format!("%{byte:02X}")),
        }
        written
    });
    if written == path {
        return Ok(());
    }
    for part in path.split('/') {
        let mut is_open = false;
        for byte in unescaped(part, Part::Other)? {
            if matches!(byte, b'{' | b'}') {
                if (byte == b'{') == is_open {
                    return refuse("nested curly braces");
                }
                is_open = !is_open;
            }
        }
        if is_open {
            return refuse("no matching closing brace");
        }
    }
    Ok(())
}
