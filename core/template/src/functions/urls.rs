//! URLs as Go's `net/url` takes them apart and puts them together.

use super::{Function, bytes, error, fixed, map, text_result};
use crate::signature::Type::{Map as MapType, Str};
use crate::value::{Map, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("urlParse", &[Str], |env, args| {
        env.context.charge_bytes(bytes(args, 0).len().saturating_mul(4))?;
        match parse(bytes(args, 0)) {
            Ok(url) => Ok(url.value()),
            Err(message) => error(format!("unable to parse url: {message}")),
        }
    }),
    fixed("urlJoin", &[MapType], |env, args| match join(&map(args, 0)) {
        Ok(url) => text_result(env, url),
        Err(message) => error(message),
    }),
];

/// The part of a URL that is escaped: each leaves other characters alone.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Host,
    User,
    Path,
    Fragment,
}

impl Part {
    fn keeps(self, byte: u8) -> bool {
        let others: &[u8] = match self {
            Self::Host => b"!$&'()*+,;=:[]<>\"",
            Self::User => b"$&+,;=",
            Self::Path => b"$&+,/:;=@",
            Self::Fragment => b"$&+,/:;=?@!()*",
        };
        byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || others.contains(&byte)
    }
}

fn escape(text: &[u8], part: Part) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        if part.keeps(*byte) {
            out.push(*byte);
        } else {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    out
}

fn unescape(text: &[u8], part: Part) -> Result<Vec<u8>, String> {
    let (mut out, mut at) = (Vec::with_capacity(text.len()), 0);
    while at < text.len() {
        let byte = text[at];
        if byte != b'%' {
            if part == Part::Host && byte.is_ascii() && !part.keeps(byte) {
                let shown = crate::gofmt::quote(&[byte]);
                return Err(format!("invalid character {shown} in host name"));
            }
            out.push(byte);
            at += 1;
            continue;
        }
        let code = &text[at..text.len().min(at + 3)];
        let digit = |i: usize| code.get(i).and_then(|b| char::from(*b).to_digit(16));
        let value = digit(1)
            .zip(digit(2))
            .and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
        match value {
            // A host may only escape what is not ASCII, and the percent sign.
            Some(value) if part != Part::Host || value >= 0x80 || code == b"%25" => out.push(value),
            _ => return Err(format!("invalid URL escape {}", crate::gofmt::quote(code))),
        }
        at += 3;
    }
    Ok(out)
}

#[derive(Default)]
struct Url {
    scheme: Vec<u8>,
    /// Escaped, as it is printed.
    user: Option<Vec<u8>>,
    host: Vec<u8>,
    path: Vec<u8>,
    query: Vec<u8>,
    opaque: Vec<u8>,
    fragment: Vec<u8>,
}

fn cut(text: &[u8], at: u8) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(at, text) {
        Some(position) => (&text[..position], Some(&text[position + 1..])),
        None => (text, None),
    }
}

fn parse(text: &[u8]) -> Result<Url, String> {
    let (body, fragment) = cut(text, b'#');
    let about = |shown: &[u8], message: String| format!("parse {}: {message}", crate::gofmt::quote(shown));
    let mut url = parse_body(body).map_err(|message| about(body, message))?;
    if let Some(fragment) = fragment {
        url.fragment = unescape(fragment, Part::Fragment).map_err(|message| about(text, message))?;
    }
    Ok(url)
}

/// The scheme and what follows its colon.
fn scheme(text: &[u8]) -> Result<(&[u8], &[u8]), String> {
    for (i, byte) in text.iter().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if i > 0 => {}
            b':' if i == 0 => return Err("missing protocol scheme".to_owned()),
            b':' => return Ok((&text[..i], &text[i + 1..])),
            _ => break,
        }
    }
    Ok((b"", text))
}

fn parse_body(text: &[u8]) -> Result<Url, String> {
    if text.iter().any(|b| *b < 0x20 || *b == 0x7f) {
        return Err("net/url: invalid control character in URL".to_owned());
    }
    let mut url = Url::default();
    if text == b"*" {
        url.path = text.to_vec();
        return Ok(url);
    }
    let (scheme, rest) = scheme(text)?;
    url.scheme = scheme.to_ascii_lowercase();
    let (mut rest, query) = cut(rest, b'?');
    url.query = query.unwrap_or_default().to_vec();
    if !rest.starts_with(b"/") {
        if !url.scheme.is_empty() {
            url.opaque = rest.to_vec();
            return Ok(url);
        }
        if cut(rest, b'/').0.contains(&b':') {
            return Err("first path segment in URL cannot contain colon".to_owned());
        }
    }
    if rest.starts_with(b"//") && (!url.scheme.is_empty() || !rest.starts_with(b"///")) {
        let authority = &rest[2..];
        let end = memchr::memchr(b'/', authority).unwrap_or(authority.len());
        rest = &authority[end..];
        url.authority(&authority[..end])?;
    }
    url.path = unescape(rest, Part::Path)?;
    Ok(url)
}

/// Nothing, or a colon and digits.
fn is_port(text: &[u8]) -> bool {
    text.is_empty() || (text[0] == b':' && text[1..].iter().all(u8::is_ascii_digit))
}

impl Url {
    fn authority(&mut self, text: &[u8]) -> Result<(), String> {
        let at = memchr::memrchr(b'@', text);
        let host = &text[at.map_or(0, |at| at + 1)..];
        self.host = parse_host(&self.scheme, host)?;
        let Some(at) = at else { return Ok(()) };
        let user = &text[..at];
        let valid = |b: &u8| b.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(b);
        if !user.iter().all(valid) {
            return Err("net/url: invalid userinfo".to_owned());
        }
        let (name, password) = cut(user, b':');
        let mut shown = escape(&unescape(name, Part::User)?, Part::User);
        if let Some(password) = password {
            shown.push(b':');
            shown.extend(escape(&unescape(password, Part::User)?, Part::User));
        }
        self.user = Some(shown);
        Ok(())
    }

    fn hostname(&self) -> &[u8] {
        let colon = memchr::memrchr(b':', &self.host).filter(|colon| is_port(&self.host[*colon..]));
        let host = &self.host[..colon.unwrap_or(self.host.len())];
        host.strip_prefix(b"[")
            .and_then(|h| h.strip_suffix(b"]"))
            .unwrap_or(host)
    }

    fn value(&self) -> Value {
        let text = |bytes: &[u8]| Value::Str(bytes.into());
        Value::map([
            ("scheme", text(&self.scheme)),
            ("host", text(&self.host)),
            ("hostname", text(self.hostname())),
            ("path", text(&self.path)),
            ("query", text(&self.query)),
            ("opaque", text(&self.opaque)),
            ("fragment", text(&self.fragment)),
            ("userinfo", text(self.user.as_deref().unwrap_or_default())),
        ])
    }

    fn text(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.scheme.is_empty() {
            out.extend_from_slice(&self.scheme);
            out.push(b':');
        }
        if self.opaque.is_empty() {
            if !self.host.is_empty() || self.user.is_some() || (!self.scheme.is_empty() && !self.path.is_empty()) {
                out.extend_from_slice(b"//");
            }
            if let Some(user) = &self.user {
                out.extend_from_slice(user);
                out.push(b'@');
            }
            out.extend(escape(&self.host, Part::Host));
            let path = if self.path == b"*" {
                self.path.clone()
            } else {
                escape(&self.path, Part::Path)
            };
            if !path.is_empty() && path[0] != b'/' && !self.host.is_empty() {
                out.push(b'/');
            }
            // A colon in the first segment would be taken for a scheme.
            if out.is_empty() && cut(&path, b'/').0.contains(&b':') {
                out.extend_from_slice(b"./");
            }
            out.extend(path);
        } else {
            out.extend_from_slice(&self.opaque);
        }
        if !self.query.is_empty() {
            out.push(b'?');
            out.extend_from_slice(&self.query);
        }
        if !self.fragment.is_empty() {
            out.push(b'#');
            out.extend(escape(&self.fragment, Part::Fragment));
        }
        out
    }
}

fn parse_host(scheme: &[u8], host: &[u8]) -> Result<Vec<u8>, String> {
    let port_error = |port: &[u8]| format!("invalid port {} after host", crate::gofmt::quote(port));
    match memchr::memrchr(b'[', host) {
        Some(0) => {
            let Some(close) = memchr::memrchr(b']', host) else {
                return Err("missing ']' in host".to_owned());
            };
            let port = &host[close + 1..];
            if !is_port(port) {
                return Err(port_error(port));
            }
            let name = unescape(&host[1..close], Part::Host)?;
            let address = String::from_utf8_lossy(&name).into_owned();
            let address = address.split('%').next().unwrap_or_default();
            if address.parse::<std::net::Ipv4Addr>().is_ok() {
                return Err("invalid IP-literal".to_owned());
            }
            if address.parse::<std::net::Ipv6Addr>().is_err() {
                let shown = crate::gofmt::quote(&name);
                return Err(format!("invalid host: ParseAddr({shown}): unable to parse IP"));
            }
            Ok([b"[", name.as_slice(), b"]", port].concat())
        }
        Some(_) => Err("invalid IP-literal".to_owned()),
        None => {
            let strict = matches!(scheme, b"http" | b"https");
            let colon = if strict {
                memchr::memchr(b':', host)
            } else {
                memchr::memrchr(b':', host)
            };
            if let Some(colon) = colon
                && !is_port(&host[colon..])
            {
                return Err(port_error(&host[colon..]));
            }
            unescape(host, Part::Host)
        }
    }
}

fn join(parts: &Map) -> Result<Vec<u8>, String> {
    let part = |name: &str| match parts.get(name) {
        None => Ok(Vec::new()),
        Some(Value::Str(text)) => Ok(text.bytes().to_vec()),
        Some(Value::Nil) => Err("runtime error: invalid memory address or nil pointer dereference".to_owned()),
        Some(other) => Err(format!(
            "unable to parse {name} key, must be of type string, but {} found",
            other.kind()
        )),
    };
    let mut url = Url {
        scheme: part("scheme")?,
        host: part("host")?,
        path: part("path")?,
        query: part("query")?,
        opaque: part("opaque")?,
        fragment: part("fragment")?,
        user: None,
    };
    let user = part("userinfo")?;
    if !user.is_empty() {
        let probe = [b"proto://", user.as_slice(), b"@host"].concat();
        let parsed = parse(&probe).map_err(|message| format!("unable to parse userinfo in dict: {message}"))?;
        url.user = parsed.user;
    }
    Ok(url.text())
}
