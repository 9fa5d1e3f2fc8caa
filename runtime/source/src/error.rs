//! Why a repository could not be reached, a revision not be resolved, or an object not be read.
//!
//! Every message says what failed, where, and what to do next. None holds a secret: URLs are shown without user and query.

use std::time::Duration;

/// How far a connection came before it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreachable {
    /// The host's name does not resolve.
    Dns,
    /// Nothing answers at that address.
    Connect,
    /// The connection broke before the answer was complete.
    Interrupted,
    /// The server says that it cannot answer now (5xx, 429).
    Server(u16),
}

impl std::fmt::Display for Unreachable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Dns => f.write_str("its name does not resolve; check the spelling of the URL and the cluster's DNS"),
            Self::Connect => f.write_str("nothing answers there; check the address, the port and network policies"),
            Self::Interrupted => f.write_str("the connection broke before the answer was complete"),
            Self::Server(status) => write!(f, "the server answered HTTP {status}; it is asked again later"),
        }
    }
}

/// What is wrong with an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectProblem {
    /// It is referred to, and it is not in the object database.
    Missing,
    /// It is there and cannot be what its id says; why.
    Corrupt(String),
    /// It is of another kind than needed.
    Kind {
        /// What it is.
        found: &'static str,
        /// What was needed.
        wanted: &'static str,
    },
}

impl std::fmt::Display for ObjectProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing => f.write_str("is missing from the object database"),
            Self::Corrupt(why) => write!(f, "is corrupt ({why})"),
            Self::Kind { found, wanted } => write!(f, "is a {found}, not a {wanted}"),
        }
    }
}

/// A failure of a source. Cheap to clone: everybody who waited for the same exchange gets it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The repository's URL is none that is read.
    #[error("invalid repository URL {url:?}: {reason}")]
    InvalidUrl {
        /// The URL, redacted.
        url: String,
        /// Why, and what is accepted.
        reason: String,
    },
    /// The revision is no name of a branch, a tag, a commit or a version constraint.
    #[error("invalid revision {revision:?}: {reason}")]
    InvalidRevision {
        /// The revision, shortened.
        revision: String,
        /// Why.
        reason: &'static str,
    },
    /// The host cannot be reached.
    #[error("cannot reach {host} for {url}: {cause}")]
    Unreachable {
        /// The repository, redacted.
        url: String,
        /// Host and port.
        host: String,
        /// How far it came.
        cause: Unreachable,
    },
    /// The server is too slow or stalls.
    #[error(
        "{host} did not answer for {url} within {limit:?} ({received} bytes received); it may hang or be overloaded"
    )]
    Timeout {
        /// The repository, redacted.
        url: String,
        /// Host and port.
        host: String,
        /// The limit that was exceeded.
        limit: Duration,
        /// Bytes that came until then.
        received: u64,
    },
    /// TLS could not be established.
    #[error(
        "TLS with {host} for {url} failed: {reason}; check the certificate and the certificate authorities that are trusted"
    )]
    Tls {
        /// The repository, redacted.
        url: String,
        /// Host and port.
        host: String,
        /// What TLS says.
        reason: String,
    },
    /// 401.
    #[error("{url}: authentication failed (HTTP 401): {advice}")]
    Unauthorized {
        /// The repository, redacted.
        url: String,
        /// What next; depends on whether credentials were sent.
        advice: &'static str,
    },
    /// 403, or a local folder that may not be read.
    #[error("{url}: access denied ({reason}); the credentials are known but do not allow to read this repository")]
    Forbidden {
        /// The repository, redacted.
        url: String,
        /// What the other side says.
        reason: String,
    },
    /// There is no repository at the URL.
    #[error("{url}: repository not found; check the URL, and whether it is private and needs credentials")]
    NotFound {
        /// The repository, redacted.
        url: String,
    },
    /// The other side does not speak Git as expected, or redirects where it must not.
    #[error("{url}: {reason}")]
    Protocol {
        /// The repository, redacted.
        url: String,
        /// What was unexpected.
        reason: String,
    },
    /// No ref, tag or commit of that name.
    #[error("{url}: revision {revision:?} not found: {reason}")]
    RevisionNotFound {
        /// The repository, redacted.
        url: String,
        /// What was asked for.
        revision: String,
        /// What was looked at.
        reason: String,
    },
    /// A short commit id that fits several commits.
    #[error("{url}: revision {revision:?} is ambiguous: it fits {}; use more digits", candidates.join(", "))]
    AmbiguousRevision {
        /// The repository, redacted.
        url: String,
        /// What was asked for.
        revision: String,
        /// The commits it fits.
        candidates: Vec<String>,
    },
    /// The repository has no commit (yet).
    #[error("{url}: the repository is empty: push a first commit to {head}")]
    EmptyRepository {
        /// The repository, redacted.
        url: String,
        /// The branch that HEAD names.
        head: String,
    },
    /// An object cannot be had.
    #[error("{url}: object {id} {problem}")]
    Object {
        /// The repository, redacted.
        url: String,
        /// The object, hex.
        id: String,
        /// What is wrong.
        problem: ObjectProblem,
    },
    /// A budget was exceeded.
    #[error("{url}: {what} exceeds the limit: {measured} > {limit}")]
    Limit {
        /// The repository, redacted.
        url: String,
        /// What was measured, with its unit.
        what: &'static str,
        /// How much there is, as far as it was counted.
        measured: u64,
        /// How much is allowed.
        limit: u64,
    },
    /// A repository of charts has no index, or a registry no artifact, of that name.
    #[error("{url}: {what} not found (HTTP 404); {next}")]
    ChartRepositoryNotFound {
        /// What was asked for, redacted.
        url: String,
        /// What it should have been.
        what: &'static str,
        /// What next.
        next: &'static str,
    },
    /// The index of a repository of charts cannot be read.
    #[error("{url}: invalid index of a Helm repository: {reason}")]
    InvalidIndex {
        /// The index, redacted.
        url: String,
        /// What is wrong, and where.
        reason: String,
    },
    /// The repository is there and has no chart of that name.
    #[error("{url}: it has no chart {chart:?}: {reason}")]
    ChartNotFound {
        /// The repository, redacted.
        url: String,
        /// The chart.
        chart: String,
        /// What was looked at.
        reason: String,
    },
    /// The chart is there and has no such version.
    #[error("{url}: chart {chart:?} has no version {version:?}: {reason}")]
    ChartVersionNotFound {
        /// The repository, redacted.
        url: String,
        /// The chart.
        chart: String,
        /// The version or range that was asked for.
        version: String,
        /// What there is.
        reason: String,
    },
    /// What came is not what was promised.
    #[error("{url}: {what} has digest {actual}, expected {expected}: {next}")]
    DigestMismatch {
        /// Where it came from, redacted.
        url: String,
        /// What it is.
        what: &'static str,
        /// The digest that was promised.
        expected: String,
        /// The digest of what came.
        actual: String,
        /// What it may mean and what next.
        next: &'static str,
    },
    /// An artifact is there and is no Helm chart.
    #[error("{url}: {reason}")]
    NoChart {
        /// The artifact, redacted.
        url: String,
        /// What it is instead.
        reason: String,
    },
    /// What is known of how to reach it cannot be used.
    #[error("{url}: {reason}")]
    Secret {
        /// The repository, redacted.
        url: String,
        /// Which Secret, which key and why; no value.
        reason: String,
    },
    /// The local store of the repository failed.
    #[error("{url}: local store {path}: {reason}")]
    Store {
        /// The repository, redacted.
        url: String,
        /// The folder.
        path: String,
        /// What failed.
        reason: String,
    },
}

impl SourceError {
    /// May it go away by itself, so that trying again helps though nobody changed the source?
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::Store { .. } => true,
            Self::InvalidUrl { .. }
            | Self::InvalidRevision { .. }
            | Self::Tls { .. }
            | Self::Unauthorized { .. }
            | Self::Forbidden { .. }
            | Self::NotFound { .. }
            | Self::Protocol { .. }
            | Self::RevisionNotFound { .. }
            | Self::AmbiguousRevision { .. }
            | Self::EmptyRepository { .. }
            | Self::Object { .. }
            | Self::ChartRepositoryNotFound { .. }
            | Self::InvalidIndex { .. }
            | Self::ChartNotFound { .. }
            | Self::ChartVersionNotFound { .. }
            | Self::DigestMismatch { .. }
            | Self::NoChart { .. }
            | Self::Secret { .. }
            | Self::Limit { .. } => false,
        }
    }

    /// A stable name: a label of metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::InvalidUrl { .. } => "InvalidUrl",
            Self::InvalidRevision { .. } => "InvalidRevision",
            Self::Unreachable { .. } => "Unreachable",
            Self::Timeout { .. } => "Timeout",
            Self::Tls { .. } => "Tls",
            Self::Unauthorized { .. } => "Unauthorized",
            Self::Forbidden { .. } => "Forbidden",
            Self::NotFound { .. } => "NotFound",
            Self::Protocol { .. } => "Protocol",
            Self::RevisionNotFound { .. } => "RevisionNotFound",
            Self::AmbiguousRevision { .. } => "AmbiguousRevision",
            Self::EmptyRepository { .. } => "EmptyRepository",
            Self::Object { .. } => "Object",
            Self::Limit { .. } => "Limit",
            Self::ChartRepositoryNotFound { .. } => "ChartRepositoryNotFound",
            Self::InvalidIndex { .. } => "InvalidIndex",
            Self::ChartNotFound { .. } => "ChartNotFound",
            Self::ChartVersionNotFound { .. } => "ChartVersionNotFound",
            Self::DigestMismatch { .. } => "DigestMismatch",
            Self::NoChart { .. } => "NoChart",
            Self::Secret { .. } => "Secret",
            Self::Store { .. } => "Store",
        }
    }
}
