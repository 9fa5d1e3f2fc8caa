//! Charts from Helm repositories and OCI registries.
//!
//! [`Charts::resolve`] turns a version or a range into one immutable version: its name and the digest of what it is made of.
//! [`Charts::fetch`] brings that very thing, or says that it is no longer there: a version that was published again with other content
//! is another version.
//!
//! **Invariants.** Bytes are handed out only if their digest is the promised one, also those from the cache. Credentials go to one scheme,
//! host and port, and a registry's also to where it gives out tokens. Every exchange is bounded in time, pace, bytes and redirects. No
//! message holds a credential, nor the query of a URL.
//!
//! **Deliberately absent.** Unpacking (the renderer's), signatures (`.prov`), plugins for other schemes, what is no chart.

mod access;
mod blobs;
mod challenge;
mod client;
mod digest;
mod flights;
mod index;
mod location;
mod registry;
mod repository;
mod version;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr as _;
use std::sync::Arc;

use capstan_model::Timestamp;
use reqwest::Url;

pub use self::access::{Access, ClientCertificate, Login, Proxy};
pub use self::digest::Digest;
pub use self::location::{ChartRepository, HttpLocation, OciLocation};
pub use self::version::{is_exact as is_exact_version, is_range as is_version_range, is_same_version};

use self::blobs::Blobs;
use self::client::Wire;
pub(crate) use self::client::configure;
use self::flights::Flights;
use self::index::Entry;
use self::registry::{Registry, Tokens};
use self::repository::{Indexes, Repository};
use crate::{FetchLimits, FetchPolicy, SourceError};

const INVALID_DIGEST: &str = "a digest is sha256: and 64 hex digits";
const CLEAR_TEXT: &str =
    "credentials are not sent in clear text over http://; use https://, or set insecure in the repository's secret";

/// Which chart, and how it is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chart {
    /// Where it is.
    pub repository: ChartRepository,
    /// Its name below the repository; empty when a registry's URL names the chart itself.
    pub name: String,
    /// Who asks, and how.
    pub access: Access,
}

/// One immutable version of a chart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChartVersion {
    /// As the repository spells it. Empty when a digest was asked for.
    pub version: String,
    /// Of the packed chart in a Helm repository, of the manifest in a registry.
    pub digest: Digest,
    /// When it was published, if the repository says so.
    pub created: Option<Timestamp>,
    /// What the user should know: the chart is deprecated, or another version than the one asked for was taken.
    pub note: Option<String>,
}

impl ChartVersion {
    /// Reads what its `Display` writes.
    pub fn parse(revision: &str) -> Option<Self> {
        let (version, digest) = revision.rsplit_once('@').unwrap_or(("", revision));
        let digest = Digest::parse(digest).ok().filter(|_| digest.starts_with("sha256:"))?;
        Some(Self {
            version: version.to_owned(),
            digest,
            created: None,
            note: None,
        })
    }
}

/// `1.2.3@sha256:…`: what a revision of a chart is.
impl fmt::Display for ChartVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.version.as_str() {
            "" => self.digest.fmt(f),
            version => write!(f, "{version}@{}", self.digest),
        }
    }
}

/// A packed chart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChartArchive {
    /// The bytes of the `.tgz`.
    pub bytes: Arc<[u8]>,
    /// Their digest.
    pub digest: Digest,
}

/// All repositories of charts. Blocking: call it from a thread that may wait. Safe to use from many at once.
#[derive(Debug)]
pub struct Charts {
    wire: Wire,
    blobs: Blobs,
    tokens: Tokens,
    indexes: Indexes,
    resolving: Flights<Result<ChartVersion, SourceError>>,
    fetching: Flights<Result<ChartArchive, SourceError>>,
}

impl Charts {
    /// `cache` is a folder of this process alone, made when needed.
    pub fn new(cache: impl Into<PathBuf>, limits: FetchLimits) -> Self {
        Self {
            blobs: Blobs::new(cache.into(), limits.store_bytes),
            wire: Wire::new(limits),
            tokens: Tokens::default(),
            indexes: Indexes::default(),
            resolving: Flights::default(),
            fetching: Flights::default(),
        }
    }

    /// The version that `wanted` means: a version, a range (the newest that fits), a tag, a digest, what this wrote earlier, or nothing
    /// (the newest that is no pre-release). With [`FetchPolicy::Cached`] an index is taken as it came last; a registry is always asked.
    ///
    /// # Errors
    /// Every [`SourceError`] but those of Git.
    pub fn resolve(&self, chart: &Chart, wanted: &str, policy: FetchPolicy) -> Result<ChartVersion, SourceError> {
        let wanted = wanted.trim();
        if wanted.contains('@')
            && let Some(pinned) = ChartVersion::parse(wanted)
        {
            return Ok(pinned);
        }
        match &chart.repository {
            ChartRepository::Http(location) => {
                let repository = self.repository(location, &chart.access);
                let known = repository.index(policy)?;
                let entry = repository.choose(&known, &chart.name, wanted)?;
                let digest = match self.promised(location, &entry)? {
                    Some(digest) => digest,
                    None => self.fetch_entry(&repository, chart, &entry, None)?.digest,
                };
                Ok(ChartVersion {
                    note: note(chart, &entry, wanted),
                    created: Timestamp::from_str(&entry.created).ok(),
                    version: entry.version,
                    digest,
                })
            }
            ChartRepository::Oci(location) => {
                let key = key(chart, wanted);
                self.resolving.share(&key, || {
                    let (version, digest) = self.registry(location, &chart.name, &chart.access)?.resolve(wanted)?;
                    Ok(ChartVersion {
                        version,
                        digest,
                        created: None,
                        note: None,
                    })
                })
            }
        }
    }

    /// The packed chart of a version that was resolved, now or earlier: from the cache, or from where it was.
    ///
    /// # Errors
    /// [`SourceError::DigestMismatch`] when the version was published again with other content; those of reaching the server.
    pub fn fetch(&self, chart: &Chart, version: &ChartVersion) -> Result<ChartArchive, SourceError> {
        self.fetching
            .share(&key(chart, &version.to_string()), || match &chart.repository {
                ChartRepository::Http(location) => match self.blobs.find(&version.digest) {
                    Some(bytes) => Ok(archive(bytes, version.digest.clone())),
                    None => self.fetch_pinned(location, chart, version),
                },
                ChartRepository::Oci(location) => {
                    let registry = self.registry(location, &chart.name, &chart.access)?;
                    let (bytes, digest) = registry.chart(&version.digest)?;
                    Ok(archive(bytes, digest))
                }
            })
    }

    fn fetch_pinned(
        &self,
        location: &HttpLocation,
        chart: &Chart,
        version: &ChartVersion,
    ) -> Result<ChartArchive, SourceError> {
        let repository = self.repository(location, &chart.access);
        let mut entry = None;
        // What is known of the index may be older than the version.
        for policy in [FetchPolicy::Cached, FetchPolicy::Fetch] {
            let found = repository
                .index(policy)
                .and_then(|known| repository.choose(&known, &chart.name, &version.version));
            let found = match (found, policy) {
                (Err(error), FetchPolicy::Fetch) => return Err(error),
                (found, _) => found.ok().filter(|entry| entry.version == version.version),
            };
            if let Some(found) = found {
                let promised = self.promised(location, &found)?;
                let fits = promised.as_ref().is_none_or(|promised| *promised == version.digest);
                entry = Some(found);
                if fits {
                    break;
                }
            }
        }
        let entry = entry.ok_or_else(|| SourceError::ChartVersionNotFound {
            url: location.to_string(),
            chart: chart.name.clone(),
            version: version.version.clone(),
            reason: "it was there and is there no more".to_owned(),
        })?;
        self.fetch_entry(&repository, chart, &entry, Some(&version.digest))
    }

    /// Fetches what an entry of the index names, and holds it against the digest that is known.
    fn fetch_entry(
        &self,
        repository: &Repository<'_>,
        chart: &Chart,
        entry: &Entry,
        pinned: Option<&Digest>,
    ) -> Result<ChartArchive, SourceError> {
        let promised = self.promised(repository.location, entry)?;
        if let (Some(promised), Some(pinned)) = (&promised, pinned)
            && promised != pinned
        {
            return Err(SourceError::DigestMismatch {
                url: repository.location.to_string(),
                what: "the index's entry of this version",
                expected: pinned.to_string(),
                actual: promised.to_string(),
                next: "the version was published again with other content; refresh the application to take that",
            });
        }
        let url = repository.chart_url(entry)?;
        let bytes = match url.scheme() {
            "oci" => self.fetch_linked(&chart.repository, &url)?,
            _ => repository.archive(&url)?,
        };
        let digest = Digest::of(&bytes);
        if let Some(expected) = pinned.or(promised.as_ref()) {
            verify(&client::shown(&url), "the packed chart", &bytes, expected)?;
        }
        self.blobs.keep(&digest, &bytes);
        Ok(archive(bytes, digest))
    }

    /// An index may name an artifact of a registry, `oci://host/name:tag`. It is another server: nothing of ours goes there.
    fn fetch_linked(&self, repository: &ChartRepository, url: &Url) -> Result<Vec<u8>, SourceError> {
        let invalid = || SourceError::InvalidIndex {
            url: repository.to_string(),
            reason: "it names a registry without artifact or tag".to_owned(),
        };
        let text = url.as_str();
        let (name, tag) = text
            .rsplit_once(':')
            .filter(|(_, tag)| !tag.contains('/'))
            .ok_or_else(invalid)?;
        let ChartRepository::Oci(location) = ChartRepository::parse(name)? else {
            return Err(invalid());
        };
        let anonymous = Access::default();
        let registry = self.registry(&location, "", &anonymous)?;
        let (_, manifest) = registry.resolve(tag)?;
        Ok(registry.chart(&manifest)?.0)
    }

    /// The digest that the index promises, if it does.
    fn promised(&self, location: &HttpLocation, entry: &Entry) -> Result<Option<Digest>, SourceError> {
        if entry.digest.is_empty() {
            return Ok(None);
        }
        Digest::parse(&entry.digest)
            .map(Some)
            .map_err(|reason| SourceError::InvalidIndex {
                url: location.to_string(),
                reason: format!("the digest of version {}: {reason}", entry.version),
            })
    }

    fn repository<'a>(&'a self, location: &'a HttpLocation, access: &'a Access) -> Repository<'a> {
        Repository {
            wire: &self.wire,
            indexes: &self.indexes,
            location,
            access,
        }
    }

    fn registry<'a>(
        &'a self,
        location: &OciLocation,
        chart: &str,
        access: &'a Access,
    ) -> Result<Registry<'a>, SourceError> {
        Registry::new((&self.wire, &self.blobs, &self.tokens), location, chart, access)
    }
}

/// Are these the bytes of that digest?
fn verify(url: &str, what: &'static str, bytes: &[u8], expected: &Digest) -> Result<(), SourceError> {
    let actual = Digest::of(bytes);
    if actual == *expected {
        return Ok(());
    }
    Err(SourceError::DigestMismatch {
        url: url.to_owned(),
        what,
        expected: expected.to_string(),
        actual: actual.to_string(),
        next: "it was published again without the index, cut off, or changed on the way; nothing of it is used",
    })
}

fn archive(bytes: Vec<u8>, digest: Digest) -> ChartArchive {
    ChartArchive {
        bytes: bytes.into(),
        digest,
    }
}

fn key(chart: &Chart, version: &str) -> String {
    format!(
        "{} {} {version} {:x?}",
        chart.repository,
        chart.name,
        chart.access.fingerprint()
    )
}

fn note(chart: &Chart, entry: &Entry, wanted: &str) -> Option<String> {
    let (name, version) = (&chart.name, &entry.version);
    if is_exact_version(wanted) && wanted != version {
        return Some(format!("chart {name} has no version {wanted}; {version} was taken"));
    }
    entry
        .deprecated
        .then(|| format!("version {version} of chart {name} is deprecated"))
}
