//! Types that every layer of Capstan speaks.
//!
//! The problem: the controller, the simulator, the renderer and the command line must mean the same thing by "an object", "an
//! application", "a revision" and "now". This crate is that vocabulary and nothing else.
//!
//! Invariants:
//! - Text is parsed once, here, into types: annotations ([`ObjectMeta`]), options ([`SyncOptions`]), Argo CD's resources
//!   ([`Application`], [`AppProject`]). Later code matches on enums, never on strings.
//! - Everything is ordered (`BTreeMap`, `Ord` keys), so that iteration is the same on every machine and in every run.
//! - No clock: [`Timestamp`] is a value that enters as an argument.
//!
//! Deliberately absent: I/O, Kubernetes client types, decisions.

pub mod annotations;
mod application;
mod blob;
mod digest;
mod field_manager;
mod glob;
mod identity;
mod key;
mod manifest;
mod odd_application;
mod odd_options;
mod odd_project;
pub mod pattern;
mod project;
mod repository;
mod revision;
pub mod schema;
mod secret;
mod timestamp;
pub mod tracking;

pub use annotations::{DeleteOption, HookDeletePolicy, HookType, ObjectMeta, PruneOption, SyncOptions};
pub use application::*;
pub use blob::{Blob, BlobError};
pub use digest::Digest;
pub use field_manager::{
    ARGO_FIELD_MANAGER, CLIENT_SIDE_MANAGERS, FIELD_MANAGER, FIELD_MANAGERS, FormerManager, KUBECTL_FIELD_MANAGER,
};
pub use glob::{Glob, InvalidGlob, MAX_ALTERNATIVES};
pub use identity::{Identity, InvalidIdentity, ServiceAccount};
pub use key::{ApplicationId, ClusterId, GroupKind, GroupVersionKind, ResourceKey, UnparsableKey};
pub use manifest::{Manifest, ManifestError, SourceLocation};
pub use odd_application::{is_json_pointer, odd_in_application, odd_retry};
pub use odd_options::{OptionPlace, odd_compare_options, odd_sync_options};
pub use odd_project::odd_in_project;
pub use project::{
    AppProject, AppProjectSpec, DestinationServiceAccount, ProjectDestination, ProjectResource, RefusedByProject,
    SyncWindow,
};
pub use repository::repository_url;
pub use revision::{short_revision, shown_revision};
pub use secret::SecretBytes;
pub use timestamp::{Timestamp, UnparsableTimestamp};
