//! URLs, as far as Go's parser of them is strict.

use super::format::{Checked, because, ipv6, refuse};
use super::words::quote_go;

/// Go's parser of URLs; whether the URL has a scheme.
pub(super) fn url(text: &str) -> Result<bool, String> {
    let fail = |reason: String| Err(format!("parse {}: {reason}", quote_go(text)));
    let (url, fragment) = text
        .split_once('#')
        .map_or((text, ""), |(url, fragment)| (url, fragment));
    if url.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
        return fail("net/url: invalid control character in URL".into());
    }
    let (has_scheme, rest) = match scheme(url) {
        Ok(found) => found,
        Err(reason) => return fail(reason),
    };
    let rest = rest.split_once('?').map_or(rest, |(rest, _)| rest);
    if !rest.starts_with('/') {
        if has_scheme {
            return Ok(true);
        }
        if rest.split('/').next().is_some_and(|first| first.contains(':')) {
            return fail("first path segment in URL cannot contain colon".into());
        }
    }
    let is_authority = has_scheme || !rest.starts_with("///");
    let mut path = rest;
    if let Some(after) = rest.strip_prefix("//").filter(|_| is_authority) {
        let (authority, below) = after.split_at(after.find('/').unwrap_or(after.len()));
        path = below;
        if let Err(reason) = check_authority(authority) {
            return fail(reason);
        }
    }
    match unescaped(path).and_then(|()| unescaped(fragment)) {
        Ok(()) => Ok(has_scheme),
        Err(reason) => fail(reason),
    }
}

fn scheme(url: &str) -> Result<(bool, &str), String> {
    for (index, c) in url.char_indices() {
        match c {
            'a'..='z' | 'A'..='Z' => {}
            '0'..='9' | '+' | '-' | '.' if index > 0 => {}
            ':' if index == 0 => return refuse("missing protocol scheme"),
            ':' => return Ok((true, &url[index + 1..])),
            _ => break,
        }
    }
    Ok((false, url))
}

fn check_authority(authority: &str) -> Checked {
    let (user, host) = authority
        .rsplit_once('@')
        .map_or(("", authority), |(user, host)| (user, host));
    if !user
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&byte))
    {
        return refuse("net/url: invalid userinfo");
    }
    unescaped(user)?;
    let port = |port: &str| match port.strip_prefix(':') {
        _ if port.is_empty() => Ok(()),
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => Ok(()),
        _ => refuse(format!("invalid port {} after host", quote_go(port))),
    };
    if let Some(inside) = host.strip_prefix('[') {
        let Some((address, after)) = inside.rsplit_once(']') else {
            return refuse("missing ']' in host");
        };
        port(after)?;
        return because("invalid host", ipv6(address));
    }
    if let Some(at) = host.rfind(':') {
        port(&host[at..])?;
    }
    if host.bytes().filter(|byte| *byte == b':').count() > 1 {
        return refuse("ipv6 address not enclosed in brackets");
    }
    let is_allowed = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || "-_.~!$&'()*+,;=:[]<>\"%".contains(c);
    if let Some(other) = host.chars().find(|c| !is_allowed(*c)) {
        return refuse(format!(
            "invalid character {} in host name",
            quote_go(&other.to_string())
        ));
    }
    unescaped(host)
}

/// Is every `%` followed by two hexadecimal digits?
fn unescaped(text: &str) -> Checked {
    for (index, _) in text.match_indices('%') {
        let is_escape = text.as_bytes()[index + 1..]
            .iter()
            .take_while(|byte| byte.is_ascii_hexdigit())
            .count()
            >= 2;
        if !is_escape {
            let shown: String = text[index..].chars().take(3).collect();
            return refuse(format!("invalid URL escape {}", quote_go(&shown)));
        }
    }
    Ok(())
}

/// A template: a URL whose braces are paired within each part of its path.
pub(super) fn check_template(text: &str) -> Checked {
    url(text)?;
    for part in text.split(['?', '#']).next().unwrap_or_default().split('/') {
        let mut is_open = false;
        for c in part.chars().filter(|c| matches!(c, '{' | '}')) {
            if (c == '{') == is_open {
                return refuse("nested curly braces");
            }
            is_open = !is_open;
        }
        if is_open {
            return refuse("no matching closing brace");
        }
    }
    Ok(())
}
