//! Where charts are: a Helm repository behind HTTP, or a registry of OCI artifacts.
//!
//! The same strict grammar as for Git: no passwords, no queries, no link-local addresses, nothing that could become an option.

use std::fmt;

use crate::SourceError;
use crate::url::{Origin, check_host, check_text, redact, split_port};

/// A repository of charts, checked and normalised. Displays without any user.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChartRepository {
    /// Has an `index.yaml` below this URL.
    Http(HttpLocation),
    /// Charts are artifacts below this name.
    Oci(OciLocation),
}

/// `https://host/path`, without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HttpLocation {
    pub(crate) origin: Origin,
    /// Without slashes around it; empty for the root.
    pub(crate) path: String,
}

/// `oci://host/name`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OciLocation {
    /// Host in lower case, and port if one is given.
    pub(crate) registry: String,
    /// What stands below it; may be empty, when the chart's name is all there is.
    pub(crate) name: String,
}

/// The longest name of an artifact, in bytes (the distribution specification's advice for registry and name together).
const MAX_NAME: usize = 255;

impl ChartRepository {
    /// Reads `https://…`, `http://…` and `oci://…`. Without a scheme, `host/name` is a registry, as Argo CD writes it.
    ///
    /// # Errors
    /// [`SourceError::InvalidUrl`], with everything before an `@` redacted.
    pub fn parse(text: &str) -> Result<Self, SourceError> {
        let invalid = |reason: &str| SourceError::InvalidUrl {
            url: redact(text),
            reason: reason.to_owned(),
        };
        let text = check_text(text).map_err(invalid)?;
        let parsed = match text.split_once("://") {
            Some((scheme, rest)) => match scheme.to_ascii_lowercase().as_str() {
                "https" => Self::http(true, rest),
                "http" => Self::http(false, rest),
                "oci" => Self::oci(rest),
                _ => Err("charts come from https://, http:// or oci://"),
            },
            None if text.starts_with('/') => Err("charts come from https://, http:// or oci://"),
            None => Self::oci(text),
        };
        parsed.map_err(invalid)
    }

    fn http(tls: bool, rest: &str) -> Result<Self, &'static str> {
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let host = without_user(authority)?;
        let (host, port) = split_port(host)?;
        check_host(&host)?;
        check_path(path)?;
        let path = path.trim_matches('/').to_owned();
        Ok(Self::Http(HttpLocation {
            origin: Origin::new(tls, host, port),
            path,
        }))
    }

    fn oci(rest: &str) -> Result<Self, &'static str> {
        let (authority, name) = rest.split_once('/').unwrap_or((rest, ""));
        let host = without_user(authority)?;
        let (host, port) = split_port(host)?;
        check_host(&host)?;
        let registry = port.map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
        let name = name.trim_end_matches('/');
        if !name.is_empty() {
            check_name(name)?;
        }
        Ok(Self::Oci(OciLocation {
            registry,
            name: name.to_owned(),
        }))
    }

    /// The same place as a registry: `enableOCI` of a repository's Secret says that `https://host/name` is one.
    #[must_use]
    pub fn as_registry(&self) -> Self {
        match self {
            Self::Oci(_) => self.clone(),
            Self::Http(http) => Self::Oci(OciLocation {
                registry: http.origin.authority(),
                name: http.path.clone(),
            }),
        }
    }

    /// Host and port, for messages.
    pub fn host(&self) -> String {
        match self {
            Self::Http(http) => http.origin.authority(),
            Self::Oci(oci) => oci.registry.clone(),
        }
    }

    /// Is it a registry?
    pub fn is_registry(&self) -> bool {
        matches!(self, Self::Oci(_))
    }
}

impl fmt::Display for ChartRepository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(http) => http.fmt(f),
            Self::Oci(oci) => oci.fmt(f),
        }
    }
}

impl fmt::Display for HttpLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => write!(f, "{}", self.origin),
            path => write!(f, "{}/{path}", self.origin),
        }
    }
}

impl fmt::Display for OciLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.as_str() {
            "" => write!(f, "oci://{}", self.registry),
            name => write!(f, "oci://{}/{name}", self.registry),
        }
    }
}

impl OciLocation {
    /// The artifact of a chart below this name; the name itself when no chart is given.
    pub(crate) fn artifact(&self, chart: &str) -> Result<Self, &'static str> {
        let name = match (self.name.as_str(), chart) {
            ("", chart) => chart.to_owned(),
            (name, "") => name.to_owned(),
            (name, chart) => format!("{name}/{chart}"),
        };
        check_name(&name)?;
        Ok(Self {
            registry: self.registry.clone(),
            name,
        })
    }

    /// Does it lead to this machine only?
    pub(crate) fn is_loopback(&self) -> bool {
        let host = split_port(&self.registry).map(|(host, _)| host).unwrap_or_default();
        Origin::new(false, host, None).is_loopback()
    }

    /// Where its API is.
    pub(crate) fn origin(&self, tls: bool) -> Result<Origin, &'static str> {
        let (host, port) = split_port(&self.registry)?;
        // The name that everybody writes is not the one that answers.
        let host = match host.as_str() {
            "docker.io" => "registry-1.docker.io".to_owned(),
            _ => host,
        };
        Ok(Origin::new(tls, host, port))
    }
}

fn without_user(authority: &str) -> Result<&str, &'static str> {
    match authority.rsplit_once('@') {
        Some(_) => Err("it holds a user or password: put them into a repository secret"),
        None => Ok(authority),
    }
}

fn check_path(path: &str) -> Result<(), &'static str> {
    if path.contains(['?', '#']) {
        return Err("a repository URL has no query and no fragment");
    }
    if path.contains('\\') || path.split('/').any(|part| part == "..") {
        return Err("the path holds `..` or a backslash");
    }
    Ok(())
}

/// The distribution specification's grammar of names.
fn check_name(name: &str) -> Result<(), &'static str> {
    let part = |part: &str| {
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        part.starts_with(inner)
            && part.ends_with(inner)
            && part.chars().all(|c| inner(c) || matches!(c, '.' | '_' | '-'))
    };
    if name.len() > MAX_NAME {
        return Err("the name of the artifact has more than 255 bytes");
    }
    if !name.split('/').all(part) {
        return Err(
            "the name of an artifact is made of lower-case letters, digits, and `.`, `_`, `-`, `/` between them",
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_are_normalised() {
        for (given, shown) in [
            ("https://Charts.Example.com", "https://charts.example.com"),
            (
                "https://charts.example.com:443/stable/",
                "https://charts.example.com/stable",
            ),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("oci://Registry.example:5000/a/b", "oci://registry.example:5000/a/b"),
            (
                "registry-1.docker.io/bitnamicharts",
                "oci://registry-1.docker.io/bitnamicharts",
            ),
            ("ghcr.io", "oci://ghcr.io"),
        ] {
            assert_eq!(ChartRepository::parse(given).unwrap().to_string(), shown, "{given}");
        }
        let registry = ChartRepository::parse("https://r.example:8443/charts")
            .unwrap()
            .as_registry();
        assert_eq!(registry.to_string(), "oci://r.example:8443/charts");
        let ChartRepository::Oci(docker) = ChartRepository::parse("docker.io/library").unwrap() else {
            panic!("a registry");
        };
        assert_eq!(docker.origin(true).unwrap().to_string(), "https://registry-1.docker.io");
    }

    #[test]
    fn what_is_refused_shows_no_secret() {
        for bad in [
            "",
            "/srv/charts",
            "--x",
            "file:///srv/charts",
            "s3://bucket/charts",
            "https://user:hunter2@example.com/charts",
            "oci://user@example.com/charts",
            "https://example.com/charts?token=hunter2",
            "https://169.254.169.254/latest",
            "oci://169.254.169.254/latest",
            "oci://[fe80::1]/x",
            "oci://example.com/Upper",
            "oci://example.com/a//b",
            "oci://example.com/a/../b",
            "oci://example.com/-a",
            "https://exa mple.com",
            "oci://",
            "oci://example.com/a\nb",
            &format!("oci://example.com/{}", "a".repeat(300)),
        ] {
            let error = ChartRepository::parse(bad).unwrap_err();
            assert!(matches!(error, SourceError::InvalidUrl { .. }), "{bad}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
