//! Where manifests come from: Git repositories, and charts of Helm repositories and OCI registries.
//!
//! Git goes through gix, straight from the object database: no work tree, no lock on what is read, no child process, no `git` binary.
//! Charts are the business of [`Charts`]; [`RepositorySecrets`] say how either is reached.
//!
//! [`Repositories`] holds one repository for each URL. [`Repositories::resolve`] turns a `targetRevision` into a commit, [`Repositories::tree`]
//! gives that commit's files as a [`capstan_render::FileTree`], whose ids are content addresses: a commit that touches one of a thousand
//! folders leaves the ids of all others as they are. [`Poller`] tells what moved, once for all applications of a repository.
//!
//! **Invariants.** What is read hashes to its id. Could-not-read is never is-not-there: missing and corrupt objects are errors that name the
//! object. Every exchange is bounded in time, pace and bytes. Credentials live in memory and go to their host only; no message holds one.
//!
//! **Deliberately absent.** SSH (Git's needs a child process), `git://`, SHA-256 repositories, submodules, LFS, Git's configuration of users
//! and machines, credential helpers. Everything blocks: callers run it on threads that may wait. The TLS provider is installed by the
//! program's `main`.

mod ancestry;
mod charts;
mod classify;
mod constraint;
mod credentials;
mod error;
mod guard;
mod local;
mod meter;
mod mirror;
mod objects;
mod options;
mod refs;
mod remote;
mod repositories;
mod revision;
mod secrets;
mod store;
mod tree;
mod tree_cache;
mod url;

pub use ancestry::Ancestry;
pub use charts::{
    Access, Chart, ChartArchive, ChartRepository, ChartVersion, Charts, ClientCertificate, Digest, HttpLocation, Login,
    OciLocation, Proxy, is_exact_version, is_same_version, is_version_range,
};
pub use credentials::Credentials;
pub use error::{ObjectProblem, SourceError, Unreachable};
pub use options::{FetchLimits, Limits, LocalRepositories, Options};
pub use refs::{RefChange, RefTable};
pub use repositories::{FetchPolicy, Poll, Poller, Repositories, Resolved};
pub use revision::Reference;
pub use secrets::{AUTHORITIES_MAP, ChartSource, RepositorySecrets, SECRET_TYPE_LABEL};
pub use tree::GitTree;
pub use url::RepoUrl;
