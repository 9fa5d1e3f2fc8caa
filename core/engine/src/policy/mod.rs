//! Decisions, as pure functions.

mod authorize;
mod auto_sync;
mod depends_on;
mod ignore;

pub use authorize::{Verb, authorize};
pub use auto_sync::{AutoSync, AutoSyncInput, LastAttempt, SkipReason, auto_sync};
pub use depends_on::{MalformedDependency, cycle, dependencies};
pub(crate) use ignore::ignore_rules;
