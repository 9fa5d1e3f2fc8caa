//! Decisions, as pure functions.

mod admit;
mod authorize;
mod auto_sync;
mod cron;
mod depends_on;
mod ignore;
mod rollback;
mod shared;
mod window;

pub use admit::admit;
pub use authorize::{Authorized, Verb, authorize};
pub(crate) use auto_sync::would_wipe;
pub use auto_sync::{AutoSync, AutoSyncInput, LastAttempt, SkipReason, auto_sync};
pub use depends_on::{MalformedDependency, cycle, dependencies};
pub use ignore::ignore_rules;
pub use rollback::{RollbackRefusal, rollback};
pub(crate) use shared::shared_resource;
pub use window::{Attempt, WindowDecision, decide};
