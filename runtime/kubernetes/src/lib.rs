//! Kubernetes, as the controller needs it: what a cluster serves, what is in it, and one function for each write.
//!
//! The problem: the engine wants facts (`Event`s) that are complete or say that they are not, and writes whose result is one of
//! seven named outcomes. An API server gives neither for nothing: watches end in silence, lists expire half-way, an answer may get
//! lost after the write was done. This crate turns the one into the other, and decides nothing.
//!
//! Invariants:
//! - A list that is delivered is complete: all pages of one snapshot. A list that could not be completed is `KindUnavailable`.
//! - No request is sent twice on its own: the client's retries are off. A write without an answer is `OutcomeUnknown`.
//! - A delete is sent only after its permit was held against a fresh read, and what was read is kept, with the UID and resourceVersion of that
//!   read.
//! - Only the API's word about an object itself proves that it is not there; a 404 about anything else is an error.
//! - A connection that writes under a [`Mandate`] asks it right before every request that writes.
//! - Every request has a deadline; every watch has a longest life, set by us, and a longest silence.
//! - Nothing parsed is kept: a watched object is decoded, handed over and forgotten.
//! - No child process: kubeconfigs with exec plugins are refused with a message.
//!
//! Deliberately absent: caches (the engine's live index is the one), retries (the engine's), kube's `Controller` and `watcher`.

mod applications;
mod apply;
mod cluster;
mod connect;
mod contents;
pub mod crds;
mod delete;
mod discovery;
mod impersonate;
mod leadership;
mod lease;
mod list;
mod mask;
mod observe;
mod patch;
mod request;
mod table;
mod telemetry;
mod undelete;
mod url;
mod watch;

pub use applications::{application_key, application_kind};
pub use cluster::{Cluster, ClusterSettings};
pub use connect::{ConnectError, KubeconfigSource};
pub use leadership::{Leadership, Mandate};
pub use lease::{Election, ElectionSettings};
pub use request::{ApiStatus, RequestError};
pub use table::ApiTable;
pub use telemetry::{RequestCounts, RequestLabels};
pub use undelete::{Keeper, KeptObject, Restorable, restorable};
pub use watch::{ControlWatches, LiveWatches, Monitor, PauseWatch, SecretWatch, SeenSecrets};
