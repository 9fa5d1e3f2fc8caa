//! The small machines. Each is an enum that carries its data; what leads out of a state is said at the state.

mod refresh;
mod task;

pub(crate) use refresh::Refresh;
pub(crate) use task::{HookTask, PruneTask, TaskState, WriteTask};

use std::time::Duration;

use crate::limits::WRITE_BACKOFF_CAP_SECONDS;

/// The wait before attempt `attempt` (1 is the first repetition) of a write that failed in passing: 1 s, 2 s, 4 s, … to the cap.
pub(crate) fn write_backoff(attempt: u32) -> Duration {
    let seconds = 1u64 << attempt.saturating_sub(1).min(10);
    Duration::from_secs(seconds.min(WRITE_BACKOFF_CAP_SECONDS))
}
