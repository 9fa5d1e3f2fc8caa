//! Where a schema is: the URL of a document and a JSON pointer into it, joined and written as Go does it.

use std::fmt;
use std::sync::Arc;

use super::json::Json;
use super::url::url;
use super::words::quote_go;

/// A schema, wherever it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) url: Arc<str>,
    pub(super) pointer: Arc<str>,
}

impl Place {
    pub(super) fn new(url: impl Into<Arc<str>>, pointer: impl Into<Arc<str>>) -> Self {
        Self {
            url: url.into(),
            pointer: pointer.into(),
        }
    }

    /// What is there.
    pub(super) fn find<'j>(&self, document: &'j Json) -> Result<&'j Json, String> {
        let mut value = document;
        for token in self.pointer.split('/').skip(1) {
            let shown = || quote_go(&self.to_string());
            let Some(token) = unescape(token) else {
                return Err(format!("invalid json-pointer {}", shown()));
            };
            let inner = match value {
                Json::Object(fields) => fields.get(&token),
                Json::List(items) => index(&token).and_then(|index| items.get(index)),
                _ => None,
            };
            value = inner.ok_or_else(|| format!("json-pointer in {} not found", shown()))?;
        }
        Ok(value)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.url, encode(&self.pointer))
    }
}

/// As Go reads numbers: with a sign and zeros in front.
fn index(token: &str) -> Option<usize> {
    let digits = token.strip_prefix(['+', '-']).unwrap_or(token);
    let index: usize = digits.parse().ok()?;
    let is_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    (is_digits && (index == 0 || !token.starts_with('-'))).then_some(index)
}

pub(super) fn escape(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}

fn unescape(token: &str) -> Option<String> {
    let mut parts = token.split('~');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push(match part.chars().next()? {
            '0' => '~',
            '1' => '/',
            _ => return None,
        });
        text.push_str(&part[1..]);
    }
    Some(text)
}

/// A pointer or an anchor as the fragment of a URL.
pub(super) fn encode(fragment: &str) -> String {
    percent(fragment, |byte| {
        byte.is_ascii_alphanumeric() || b"-_.~$&+=:@/".contains(&byte)
    })
}

fn percent(text: &str, is_kept: impl Fn(u8) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match is_kept(byte) {
            true => out.push(char::from(byte)),
            false => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// What the percent signs stand for.
fn decode(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        let code = after
            .get(..2)
            .filter(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let Some(code) = code.and_then(|code| u8::from_str_radix(code, 16).ok()) else {
            let shown: String = format!("%{after}").chars().take(3).collect();
            return Err(format!("invalid URL escape {}", quote_go(&shown)));
        };
        bytes.push(code);
        rest = &after[2..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A URL and its fragment, as written.
pub(super) fn split(reference: &str) -> (&str, &str) {
    reference.split_once('#').unwrap_or((reference, ""))
}

/// A URL and what its fragment says.
pub(super) fn split_fragment(reference: &str) -> Result<(&str, String), String> {
    let (url, fragment) = split(reference);
    let fragment = decode(fragment).map_err(|problem| unparsed(reference, &problem))?;
    Ok((url, fragment))
}

fn unparsed(url: &str, problem: &str) -> String {
    format!("error in parsing {}: {problem}", quote_go(url))
}

/// What a reference in a document of this URL leads to: a URL and a fragment.
pub(super) fn join(base: &str, reference: &str) -> Result<(String, String), String> {
    let parse = |text: &str| match url(text) {
        Ok(_) => Ok(Url::of(text)),
        Err(problem) => Err(unparsed(text, &problem)),
    };
    let parsed_base = parse(base)?;
    let (target, fragment) = split_fragment(reference)?;
    let resolved = parsed_base.resolve(parse(target)?);
    Ok((resolved.to_string(), fragment))
}

/// The parts of a URL that parses.
#[derive(Clone, Debug, Default)]
struct Url {
    scheme: String,
    /// What follows the scheme where there is no path: `urn:example:x`.
    opaque: String,
    authority: Option<String>,
    path: String,
    query: Option<String>,
}

impl Url {
    fn of(text: &str) -> Self {
        let (rest, query) = match text.split_once('?') {
            Some((rest, query)) => (rest, Some(query.to_owned())),
            None => (text, None),
        };
        let is_scheme = |scheme: &str| {
            scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        };
        let (scheme, rest) = match rest.split_once(':') {
            Some((scheme, rest)) if is_scheme(scheme) => (scheme.to_ascii_lowercase(), rest),
            _ => (String::new(), rest),
        };
        let mut parsed = Self {
            scheme,
            query,
            ..Self::default()
        };
        let is_authority = !parsed.scheme.is_empty() || !rest.starts_with("///");
        match rest.strip_prefix("//").filter(|_| is_authority) {
            _ if !rest.starts_with('/') && !parsed.scheme.is_empty() => rest.clone_into(&mut parsed.opaque),
            Some(after) => {
                let (authority, path) = after.split_at(after.find('/').unwrap_or(after.len()));
                parsed.authority = Some(written_authority(authority));
                parsed.path = written(path);
            }
            None => parsed.path = written(rest),
        }
        parsed
    }

    fn resolve(&self, reference: Self) -> Self {
        let has_host = reference
            .authority
            .as_deref()
            .is_some_and(|authority| !authority.is_empty());
        if !reference.scheme.is_empty() || has_host && self.opaque.is_empty() {
            let path = without_dots("", &reference.path);
            let scheme = if reference.scheme.is_empty() {
                self.scheme.clone()
            } else {
                reference.scheme
            };
            return Self {
                scheme,
                path,
                ..reference
            };
        }
        if !self.opaque.is_empty() {
            // Relative to what has no path, nothing is but itself.
            let keeps_query = !has_host && reference.path.is_empty() && reference.query.is_none();
            let query = if keeps_query {
                self.query.clone()
            } else {
                reference.query
            };
            return Self { query, ..self.clone() };
        }
        let query = match reference.path.is_empty() && reference.query.is_none() {
            true => self.query.clone(),
            false => reference.query,
        };
        Self {
            scheme: self.scheme.clone(),
            opaque: String::new(),
            authority: self.authority.clone(),
            path: without_dots(&self.path, &reference.path),
            query,
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.scheme.is_empty() {
            write!(f, "{}:", self.scheme)?;
        }
        f.write_str(&self.opaque)?;
        if self.opaque.is_empty() {
            let authority = self.authority.as_deref();
            if let Some(authority) = authority.filter(|authority| !authority.is_empty() || !self.path.is_empty()) {
                write!(f, "//{authority}")?;
            }
            let has_host = authority.is_some_and(|authority| !authority.is_empty());
            if has_host && !self.path.is_empty() && !self.path.starts_with('/') {
                f.write_str("/")?;
            }
            f.write_str(&self.path)?;
        }
        match &self.query {
            Some(query) => write!(f, "?{query}"),
            None => Ok(()),
        }
    }
}

/// A user and a host, with what has to be escaped there, and nothing else.
fn written_authority(authority: &str) -> String {
    let (user, host) = authority
        .rsplit_once('@')
        .map_or((None, authority), |(user, host)| (Some(user), host));
    let again = |text: &str, others: &[u8]| {
        let decoded = decode(text).unwrap_or_else(|_| text.to_owned());
        percent(&decoded, |byte| byte.is_ascii_alphanumeric() || others.contains(&byte))
    };
    let host = again(host, b"-_.~!$&'()*+,;=:[]<>\"");
    let Some(user) = user else { return host };
    let parts: Vec<String> = user.splitn(2, ':').map(|part| again(part, b"-_.~$&+,;=")).collect();
    format!("{}@{host}", parts.join(":"))
}

/// A path with what may not stand in one escaped.
fn written(path: &str) -> String {
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~!$&'()*+,;=:@[]%/".contains(&byte);
    if path.bytes().all(is_fine) {
        return path.to_owned();
    }
    let decoded = decode(path).unwrap_or_else(|_| path.to_owned());
    percent(&decoded, |byte| {
        byte.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@".contains(&byte)
    })
}

/// A path relative to another one, without `.` and `..`.
fn without_dots(base: &str, reference: &str) -> String {
    let full = match reference {
        "" => base.to_owned(),
        _ if reference.starts_with('/') => reference.to_owned(),
        _ => format!("{}{reference}", &base[..base.rfind('/').map_or(0, |slash| slash + 1)]),
    };
    if full.is_empty() {
        return full;
    }
    let mut kept: Vec<&str> = Vec::new();
    let mut last = "";
    for part in full.split('/').skip(usize::from(full.starts_with('/'))) {
        last = part;
        match part {
            "." => {}
            ".." => drop(kept.pop()),
            part => kept.push(part),
        }
    }
    let mut path = format!("/{}", kept.join("/"));
    if matches!(last, "." | "..") && path.len() > 1 {
        path.push('/');
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::helm::schema::budget::Budget;

    #[test]
    fn references_are_joined_as_go_joins_them() {
        let own = "file:///values.schema.json";
        for (base, reference, expected) in [
            (own, "", own),
            (own, "#/a%20b", "file:///values.schema.json#/a b"),
            (own, "other.json#x", "file:///other.json#x"),
            (own, "a/../b/./c", "file:///b/c"),
            (own, "..", "file:///"),
            (own, "?q", "file:///values.schema.json?q"),
            (own, "//example.com/x", "file://example.com/x"),
            (own, "HTTP://example.com", "http://example.com"),
            (own, "http://example.com/a b", "http://example.com/a%20b"),
            (own, "urn:example:x", "urn:example:x"),
            ("urn:example:x", "#y", "urn:example:x#y"),
            (own, "http://é/", "http://%C3%A9/"),
            (own, "http://%c3%a9:80/ü", "http://%C3%A9:80/%C3%BC"),
            (own, "http://a%2Fb:c%41@[::1%25a]/%c3", "http://a%2Fb:cA@[::1%25a]/%c3"),
            ("urn:example:x", "y", "urn:example:x"),
            ("urn:example:x?q", "//host/y", "urn:example:x"),
            ("https://example.com/a/b?q", "c", "https://example.com/a/c"),
            ("https://example.com", "c", "https://example.com/c"),
            ("https://example.com/a/b", "/c/", "https://example.com/c/"),
            ("https://example.com/a/b/", "./", "https://example.com/a/b/"),
        ] {
            let (url, fragment) = join(base, reference).unwrap();
            let shown = if fragment.is_empty() {
                url
            } else {
                format!("{url}#{fragment}")
            };
            assert_eq!(shown, expected, "{base} {reference}");
        }
        let error = join(own, "#%zz").unwrap_err();
        assert_eq!(error, "error in parsing \"#%zz\": invalid URL escape \"%zz\"");
        assert!(
            join(own, "http://[x")
                .unwrap_err()
                .starts_with("error in parsing \"http://[x\": parse ")
        );
    }

    #[test]
    fn pointers() {
        let text = br#"{"a/b": {"c~d": [0, {"": 1}]}}"#;
        let document = Json::read(text, &mut Budget::FULL.clone()).unwrap();
        for (pointer, found) in [
            ("", true),
            ("/a~1b/c~0d/1/", true),
            ("/a~1b/c~0d/01", true),
            ("/a~1b/c~0d/2", false),
            ("/a~1b/c~0d/-1", false),
            ("/a~2b", false),
            ("/a~", false),
        ] {
            assert_eq!(Place::new("x", pointer).find(&document).is_ok(), found, "{pointer}");
        }
        assert_eq!(Place::new("x", "/a b/é!").to_string(), "x#/a%20b/%C3%A9%21");
    }
}
