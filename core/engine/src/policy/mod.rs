//! Decisions, as pure functions.

mod admit;
mod authorize;
mod auto_sync;
mod cron;
mod depends_on;
mod ignore;
mod odd;
mod rollback;
mod self_heal;
mod shared;
mod window;
mod window_scope;

pub use admit::admit;
pub(crate) use authorize::identity;
pub use authorize::{Authorized, Verb, authorize};
pub(crate) use auto_sync::would_wipe;
pub use auto_sync::{AutoSync, AutoSyncInput, HeldBy, LastAttempt, SkipReason, Unwritable, auto_sync};
pub(crate) use depends_on::wait_for_each_other;
pub use depends_on::{MalformedDependency, cycle, dependencies, dependency_error};
pub use ignore::ignore_rules;
pub use odd::odd_options;
pub use rollback::{RollbackRefusal, rollback};
pub use self_heal::{HealSkip, Repair, Repairs, SelfHeal, SelfHealInput, Standing, repair_wait, self_heal};
pub(crate) use self_heal::{named, turn};
pub(crate) use shared::shared_resource;
pub use window::{Attempt, WindowDecision, decide};
