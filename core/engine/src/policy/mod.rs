//! Decisions, as pure functions.

mod authorize;
mod auto_sync;
mod ignore;

pub use authorize::{Verb, authorize};
pub use auto_sync::{AutoSync, AutoSyncInput, LastAttempt, SkipReason, auto_sync};
pub(crate) use ignore::ignore_rules;
