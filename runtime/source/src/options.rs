//! Limits and permissions of reading: everything a repository or a server could use to exhaust us has a number here.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// Which folders of this machine may be read as repositories.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LocalRepositories {
    /// None: `file://` URLs are refused.
    #[default]
    Refused,
    /// Those below one of these folders, after links are resolved.
    Under(Vec<PathBuf>),
    /// Any. For a user's own machine, not for a cluster with tenants.
    Anywhere,
}

impl LocalRepositories {
    /// May `path`, with its links resolved, be read?
    pub(crate) fn allows(&self, path: &Path) -> bool {
        match self {
            Self::Refused => false,
            Self::Anywhere => true,
            Self::Under(roots) => roots
                .iter()
                .any(|root| std::fs::canonicalize(root).is_ok_and(|root| path.starts_with(root))),
        }
    }
}

/// Limits of talking to a server and of reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Until a connection stands. Default 10 s.
    pub connect: Duration,
    /// Without a single byte. Default 20 s.
    pub idle: Duration,
    /// For listing refs, all in all, but for a last wait of `idle`. Default 40 s.
    pub listing: Duration,
    /// For receiving a pack, all in all. Default 10 min; within it the server must keep up `floor`.
    pub fetching: Duration,
    /// Bytes that have to come in every `floor_window` of a fetch. Default 1024.
    pub floor: u64,
    /// See `floor`. Default 30 s.
    pub floor_window: Duration,
    /// Bytes of a list of refs. Default 64 MiB, about 900,000 refs.
    pub listing_bytes: u64,
    /// Bytes of a pack. Default 2 GiB.
    pub pack_bytes: u64,
    /// Bytes of a file that is read. Default 10 MiB.
    pub file_bytes: u64,
    /// Bytes of a folder's entries, as Git stores them. Default 32 MiB.
    pub tree_bytes: u64,
    /// Bytes of parsed folders that are kept for each repository. Default 16 MiB.
    pub tree_cache_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(20),
            listing: Duration::from_secs(40),
            fetching: Duration::from_secs(600),
            floor: 1024,
            floor_window: Duration::from_secs(30),
            listing_bytes: 64 << 20,
            pack_bytes: 2 << 30,
            file_bytes: 10 << 20,
            tree_bytes: 32 << 20,
            tree_cache_bytes: 16 << 20,
        }
    }
}

/// Limits of fetching charts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchLimits {
    /// Until a connection stands. Default 10 s.
    pub connect: Duration,
    /// Without a single byte. Default 20 s.
    pub idle: Duration,
    /// For one exchange, all in all, but for a last wait of `idle`. Default 40 s: nothing is waited for longer than a minute.
    pub exchange: Duration,
    /// Bytes that have to come in every `floor_window` of an exchange. Default 1024.
    pub floor: u64,
    /// See `floor`. Default 15 s.
    pub floor_window: Duration,
    /// Redirects that are followed. Default 5.
    pub redirects: usize,
    /// Bytes of an index. Default 32 MiB.
    pub index_bytes: u64,
    /// How long an index is taken for the newest without asking. Default 2 s: long enough for all applications of one event.
    pub index_lifetime: Duration,
    /// Bytes of a packed chart. Default 64 MiB.
    pub archive_bytes: u64,
    /// Bytes of an answer of a registry that is no chart (manifests, lists of tags, tokens). Default 4 MiB.
    pub registry_bytes: u64,
    /// Tags of one artifact. Default 100,000.
    pub tags: usize,
    /// Bytes of charts that are kept on disk. Default 1 GiB.
    pub store_bytes: u64,
}

impl Default for FetchLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(20),
            exchange: Duration::from_secs(40),
            floor: 1024,
            floor_window: Duration::from_secs(15),
            redirects: 5,
            index_bytes: 32 << 20,
            index_lifetime: Duration::from_secs(2),
            archive_bytes: 64 << 20,
            registry_bytes: 4 << 20,
            tags: 100_000,
            store_bytes: 1 << 30,
        }
    }
}

/// How repositories are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Which local folders may be read.
    pub local: LocalRepositories,
    /// Limits.
    pub limits: Limits,
}
