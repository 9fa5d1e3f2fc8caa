//! Slash-separated paths and URLs.

use super::{Function, error, fixed, map, string, text_result};
use crate::signature::Type::{Map as MapType, Str};
use crate::value::{Map, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("base", &[Str], |env, args| text_result(env, base(&string(args, 0)))),
    fixed("osBase", &[Str], |env, args| text_result(env, base(&string(args, 0)))),
    fixed("dir", &[Str], |env, args| text_result(env, dir(&string(args, 0)))),
    fixed("osDir", &[Str], |env, args| text_result(env, dir(&string(args, 0)))),
    fixed("clean", &[Str], |env, args| text_result(env, clean(&string(args, 0)))),
    fixed("osClean", &[Str], |env, args| text_result(env, clean(&string(args, 0)))),
    fixed("ext", &[Str], |env, args| text_result(env, extension(&string(args, 0)))),
    fixed("osExt", &[Str], |env, args| {
        text_result(env, extension(&string(args, 0)))
    }),
    fixed("isAbs", &[Str], |_, args| {
        Ok(Value::Bool(string(args, 0).starts_with('/')))
    }),
    fixed("osIsAbs", &[Str], |_, args| {
        Ok(Value::Bool(string(args, 0).starts_with('/')))
    }),
    fixed("urlParse", &[Str], |_, args| match parse_url(&string(args, 0)) {
        Ok(url) => Ok(url),
        Err(message) => error(format!("unable to parse url: {message}")),
    }),
    fixed("urlJoin", &[MapType], |env, args| match join_url(&map(args, 0)) {
        Ok(url) => text_result(env, url),
        Err(message) => error(message),
    }),
];

fn base(path: &str) -> String {
    if path.is_empty() {
        return ".".to_owned();
    }
    let trimmed = path.trim_end_matches('/');
    match trimmed.rsplit('/').next() {
        Some("") | None => "/".to_owned(),
        Some(last) => last.to_owned(),
    }
}

fn dir(path: &str) -> String {
    clean(path.rfind('/').map_or("", |slash| &path[..=slash]))
}

/// The shortest path with the same meaning.
fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            _ => parts.push(part),
        }
    }
    match (rooted, parts.join("/")) {
        (true, joined) => format!("/{joined}"),
        (false, joined) if joined.is_empty() => ".".to_owned(),
        (false, joined) => joined,
    }
}

fn extension(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or_default();
    name.rfind('.').map_or(String::new(), |dot| name[dot..].to_owned())
}

/// Decodes percent escapes; `None` for a broken one.
fn unescape(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        if bytes[at] == b'%' {
            let digits = text.get(at + 1..at + 3)?;
            out.push(u8::from_str_radix(digits, 16).ok()?);
            at += 3;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    Some(String::from_utf8_lossy(&out).into_owned())
}

fn parse_url(text: &str) -> Result<Value, String> {
    let shown = crate::gofmt::quote(text.as_bytes());
    if text.bytes().any(|b| b < 0x20 || b == 0x7f) {
        return Err(format!("parse {shown}: net/url: invalid control character in URL"));
    }
    let (rest, fragment) = text.split_once('#').unwrap_or((text, ""));
    let scheme_end = rest
        .find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '+' | '-' | '.'))
        .unwrap_or(rest.len());
    let has_scheme = rest[scheme_end..].starts_with(':') && rest.starts_with(|c: char| c.is_ascii_alphabetic());
    if rest.starts_with(':') {
        return Err(format!("parse {shown}: missing protocol scheme"));
    }
    let (scheme, rest) = if has_scheme {
        (rest[..scheme_end].to_ascii_lowercase(), &rest[scheme_end + 1..])
    } else {
        (String::new(), rest)
    };
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (mut host, mut user, mut opaque, mut path) = ("", "", "", rest);
    if let Some(authority) = rest.strip_prefix("//") {
        let end = authority.find('/').unwrap_or(authority.len());
        (host, path) = authority.split_at(end);
        if let Some((before, after)) = host.rsplit_once('@') {
            (user, host) = (before, after);
        }
    } else if has_scheme && !rest.starts_with('/') {
        (opaque, path) = (rest, "");
    }
    let bad = || format!("parse {shown}: invalid URL escape");
    let (path, fragment) = (unescape(path).ok_or_else(bad)?, unescape(fragment).ok_or_else(bad)?);
    let hostname = match host.strip_prefix('[').and_then(|h| h.split_once(']')) {
        Some((inner, _)) => inner,
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    Ok(Value::map([
        ("scheme", Value::from(scheme)),
        ("host", Value::from(host)),
        ("hostname", Value::from(hostname)),
        ("path", Value::from(path)),
        ("query", Value::from(query)),
        ("opaque", Value::from(opaque)),
        ("fragment", Value::from(fragment)),
        ("userinfo", Value::from(user)),
    ]))
}

/// Percent-encodes what cannot stand in a path or fragment.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@!*'()".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn join_url(parts: &Map) -> Result<String, String> {
    let part = |name: &str| match parts.get(name) {
        None => Ok(String::new()),
        Some(Value::Str(text)) => Ok(text.lossy().into_owned()),
        Some(other) => Err(format!(
            "unable to parse {name} key, must be of type string, but {} found",
            other.kind()
        )),
    };
    let (scheme, host, path, opaque, user) = (
        part("scheme")?,
        part("host")?,
        part("path")?,
        part("opaque")?,
        part("userinfo")?,
    );
    let mut out = String::new();
    if !scheme.is_empty() {
        out.push_str(&format!("{scheme}:"));
    }
    if opaque.is_empty() {
        if !scheme.is_empty() || !host.is_empty() || !user.is_empty() {
            if !host.is_empty() || !path.is_empty() || !user.is_empty() {
                out.push_str("//");
            }
            if !user.is_empty() {
                out.push_str(&format!("{user}@"));
            }
            out.push_str(&host);
        }
        let path = escape(&path);
        if !path.is_empty() && !path.starts_with('/') && !host.is_empty() {
            out.push('/');
        }
        out.push_str(&path);
    } else {
        out.push_str(&opaque);
    }
    for (mark, name) in [('?', "query"), ('#', "fragment")] {
        let value = part(name)?;
        if !value.is_empty() {
            out.push(mark);
            out.push_str(&if name == "fragment" { escape(&value) } else { value });
        }
    }
    Ok(out)
}
