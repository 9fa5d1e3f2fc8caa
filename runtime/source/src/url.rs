//! Where a repository is: a strict grammar, so that text of a tenant never becomes an option, a command or a request to a host's metadata
//! service.
//!
//! Accepted: `https://`, `http://`, `file:///absolute/path` and an absolute path. Refused with a reason: everything else, also `ssh://` and
//! `git@host:path` (Git's SSH needs a child process, and this program starts none), `ext::`, passwords within the URL, queries, control
//! characters, and link-local addresses. A user name without password (`https://organisation@host/…`) is accepted and kept apart.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use crate::SourceError;

/// The longest URL that is looked at, in bytes.
const MAX_URL: usize = 2048;

/// A repository's address, checked and normalised. Displays without any user.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepoUrl {
    location: Location,
    user: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Location {
    /// A folder of this machine.
    Local(PathBuf),
    /// Git's smart HTTP.
    Http {
        tls: bool,
        host: String,
        port: Option<u16>,
        path: String,
    },
}

impl RepoUrl {
    /// Checks and normalises: host in lower case, no trailing slash. Two spellings with and without `.git` stay two repositories.
    ///
    /// # Errors
    /// [`SourceError::InvalidUrl`], with everything before an `@` redacted.
    pub fn parse(text: &str) -> Result<Self, SourceError> {
        let invalid = |reason: &str| SourceError::InvalidUrl {
            url: redact(text),
            reason: reason.to_owned(),
        };
        let text = check_text(text).map_err(invalid)?;
        if text.starts_with('/') {
            return Self::local(text).map_err(invalid);
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(invalid(if text.contains('@') && text.contains(':') {
                "SSH is not supported: use https:// with a token"
            } else {
                "use https://, http://, file:/// or an absolute path"
            }));
        };
        match scheme.to_ascii_lowercase().as_str() {
            "https" => Self::http(true, rest).map_err(invalid),
            "http" => Self::http(false, rest).map_err(invalid),
            "file" if rest.starts_with('/') => Self::local(rest).map_err(invalid),
            "file" => Err(invalid("file URLs name no host: file:///absolute/path")),
            "ssh" | "git+ssh" | "ssh+git" => Err(invalid("SSH is not supported: use https:// with a token")),
            _ => Err(invalid("the scheme is none of https, http and file")),
        }
    }

    fn local(path: &str) -> Result<Self, &'static str> {
        if path.split('/').any(|part| part == "..") {
            return Err("the path holds `..`");
        }
        if path.contains('%') {
            return Err("percent escapes are not read in local paths");
        }
        let path: PathBuf = Path::new(path).components().collect();
        Ok(Self {
            location: Location::Local(path),
            user: None,
        })
    }

    fn http(tls: bool, rest: &str) -> Result<Self, &'static str> {
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, host_port) = match authority.rsplit_once('@') {
            Some((user, _)) if user.contains(':') => {
                return Err("it holds a password: put user and password into a repository secret");
            }
            Some((user, host)) => (Some(user.to_owned()).filter(|user| !user.is_empty()), host),
            None => (None, authority),
        };
        let (host, port) = split_port(host_port)?;
        check_host(&host)?;
        if path.contains(['?', '#']) {
            return Err("a repository URL has no query and no fragment");
        }
        if path.contains('\\') || path.split('/').any(|part| part == "..") {
            return Err("the path holds `..` or a backslash");
        }
        let path = path.trim_end_matches('/').to_owned();
        if path.is_empty() {
            return Err("it names no repository, only a host");
        }
        let port = port.filter(|port| *port != if tls { 443 } else { 80 });
        Ok(Self {
            location: Location::Http { tls, host, port, path },
            user,
        })
    }

    /// Host and port as they are connected to; the path for a local repository. For messages.
    pub fn host(&self) -> String {
        match &self.location {
            Location::Local(path) => path.display().to_string(),
            Location::Http {
                host, port: Some(port), ..
            } => format!("{host}:{port}"),
            Location::Http { host, port: None, .. } => host.clone(),
        }
    }

    /// Is it a folder of this machine, read in place?
    pub fn is_local(&self) -> bool {
        matches!(self.location, Location::Local(_))
    }

    /// The user name that the URL carried, if any.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    pub(crate) fn location(&self) -> &Location {
        &self.location
    }

    /// Scheme, host, port and path, without user: what names the repository's local store.
    pub(crate) fn identity(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for RepoUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.location {
            Location::Local(path) => write!(f, "file://{}", path.display()),
            Location::Http { tls, path, .. } => {
                write!(f, "{}://{}/{path}", if *tls { "https" } else { "http" }, self.host())
            }
        }
    }
}

/// What holds for every URL, whatever its scheme.
pub(crate) fn check_text(text: &str) -> Result<&str, &'static str> {
    let text = text.trim();
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.len() > MAX_URL {
        return Err("it has more than 2048 bytes");
    }
    if text.starts_with('-') {
        return Err("it starts with `-`, like an option");
    }
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err("it holds white space or control characters");
    }
    Ok(text)
}

/// Scheme, host and port of an HTTP server: what credentials belong to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Origin {
    pub(crate) tls: bool,
    host: String,
    /// `None` for the scheme's own.
    port: Option<u16>,
}

impl Origin {
    pub(crate) fn new(tls: bool, host: String, port: Option<u16>) -> Self {
        let port = port.filter(|port| *port != if tls { 443 } else { 80 });
        Self { tls, host, port }
    }

    /// Of a URL that a server named, which may be anywhere: the same rules hold for it.
    pub(crate) fn of(url: &reqwest::Url) -> Result<Self, &'static str> {
        let tls = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err("the scheme is none of https and http"),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err("it holds a user or password");
        }
        let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
        check_host(&host)?;
        Ok(Self::new(tls, host, url.port()))
    }

    /// Host and port as they are connected to.
    pub(crate) fn authority(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }

    /// Does it lead to this machine only?
    pub(crate) fn is_loopback(&self) -> bool {
        let address = self.host.trim_matches(['[', ']']);
        self.host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.tls { "https" } else { "http" }, self.authority())
    }
}

pub(crate) fn split_port(text: &str) -> Result<(String, Option<u16>), &'static str> {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((inner, rest)) => (format!("[{inner}]"), rest.strip_prefix(':')),
        None => match text.split_once(':') {
            Some((host, port)) => (host.to_owned(), Some(port)),
            None => (text.to_owned(), None),
        },
    };
    let port = match port {
        None => None,
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => Some(
            digits
                .parse::<u16>()
                .ok()
                .filter(|port| *port != 0)
                .ok_or("the port is not within 1–65535")?,
        ),
        Some(_) => return Err("the port is not a number"),
    };
    Ok((host.to_ascii_lowercase(), port))
}

pub(crate) fn check_host(host: &str) -> Result<(), &'static str> {
    let address = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(host);
    if let Ok(address) = address.parse::<IpAddr>() {
        return if is_metadata(address) {
            Err("link-local and unspecified addresses are not read from")
        } else {
            Ok(())
        };
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if host.is_empty() || host.len() > 253 || host.starts_with(['-', '.']) || !host.chars().all(allowed) {
        return Err("the host is not a DNS name or an IP address");
    }
    // What resolvers take for an IPv4 address though it is not written as four decimal numbers.
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    if last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x") {
        return Err("the host is a number that is not an IP address");
    }
    Ok(())
}

/// Addresses at which no repository is: link-local ones, where clouds serve the machine's own credentials, and those of nobody.
pub(crate) fn is_metadata(address: IpAddr) -> bool {
    let v4 = |address: Ipv4Addr| {
        address.is_link_local()
            || address.is_unspecified()
            || address.is_broadcast()
            || address == Ipv4Addr::new(100, 100, 100, 200)
    };
    match address {
        IpAddr::V4(address) => v4(address),
        IpAddr::V6(address) => {
            let parts = address.segments();
            // An IPv4 address in a mapped one, or behind NAT64.
            let [a, b, c, d] = [parts[6] >> 8, parts[6] & 0xff, parts[7] >> 8, parts[7] & 0xff];
            let low = |part: u16| u8::try_from(part).unwrap_or(u8::MAX);
            let nat64 =
                (parts[..6] == [0x64, 0xff9b, 0, 0, 0, 0]).then(|| Ipv4Addr::new(low(a), low(b), low(c), low(d)));
            address.to_ipv4_mapped().or(nat64).is_some_and(v4)
                || address.is_unspecified()
                || (parts[0] & 0xffc0) == 0xfe80
                || parts == [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254]
        }
    }
}

/// A URL as it may be shown: whatever stands before an `@`, after `?` or is unprintable is gone.
pub(crate) fn redact(text: &str) -> String {
    let visible: String = text
        .chars()
        .take(200)
        .map(|c| if c.is_control() { '·' } else { c })
        .collect();
    let visible = visible.split(['?', '#']).next().unwrap_or_default();
    match (visible.find("://"), visible.rfind('@')) {
        (Some(scheme), Some(at)) if scheme + 3 <= at => format!("{}***{}", &visible[..scheme + 3], &visible[at..]),
        (None, Some(at)) => format!("***{}", &visible[at..]),
        _ => visible.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_are_normalised() {
        for (given, shown) in [
            (
                "https://GitHub.com/Acme/Infra.git/",
                "https://github.com/Acme/Infra.git",
            ),
            ("https://github.com:443/acme/infra", "https://github.com/acme/infra"),
            ("http://127.0.0.1:8080/r.git", "http://127.0.0.1:8080/r.git"),
            ("https://[2001:db8::1]:8443/r", "https://[2001:db8::1]:8443/r"),
            (
                "https://organisation@dev.example.com/x/_git/y",
                "https://dev.example.com/x/_git/y",
            ),
            ("file:///srv//git/infra.git/", "file:///srv/git/infra.git"),
            ("/srv/git/infra.git", "file:///srv/git/infra.git"),
        ] {
            assert_eq!(RepoUrl::parse(given).unwrap().to_string(), shown, "{given}");
        }
        assert_eq!(RepoUrl::parse("https://org@h.example/x").unwrap().user(), Some("org"));
    }

    #[test]
    fn what_is_refused_shows_no_secret() {
        for bad in [
            "",
            "-x",
            "--upload-pack=touch /tmp/x",
            "ext::sh -c id",
            "ext::sh",
            "https://user:hunter2@example.com/r.git",
            "https://example.com/r.git?token=hunter2 ",
            "https://example.com",
            "https://example.com/a/../b",
            "https://169.254.169.254/latest",
            "https://[fe80::1]/r",
            "https://[::ffff:169.254.169.254]/r",
            "https://[64:ff9b::a9fe:a9fe]/r",
            "https://[fd00:ec2::254]/r",
            "https://100.100.100.200/r",
            "https://0x7f.1/r",
            "https://2130706433/r",
            "https://exa mple.com/r",
            "https://example.com/r\nx",
            "https://example.com:99999/r",
            "file://host/path",
            "file:///srv/../etc",
            "git@github.com:acme/infra.git",
            "ssh://git@github.com/acme/infra.git",
            "ftp://example.com/r",
            "relative/path",
            &format!("https://example.com/{}", "a".repeat(3000)),
        ] {
            let error = RepoUrl::parse(bad).unwrap_err();
            assert!(matches!(error, SourceError::InvalidUrl { .. }), "{bad}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
            assert!(!error.to_string().contains('\n'), "{error}");
        }
    }
}
