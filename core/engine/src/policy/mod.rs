//! Decisions, as pure functions.

mod authorize;
mod auto_sync;
mod cron;
mod depends_on;
mod ignore;
mod rollback;
mod window;

pub use authorize::{Verb, authorize};
pub use auto_sync::{AutoSync, AutoSyncInput, LastAttempt, SkipReason, auto_sync};
pub use depends_on::{MalformedDependency, cycle, dependencies};
pub use ignore::ignore_rules;
pub use rollback::{RollbackRefusal, rollback};
pub use window::{Attempt, WindowDecision, decide};
