//! Every bound of the engine in one place.

use std::time::Duration;

/// Writes of one application that are under way at once: a large application must not starve the others.
pub const MAX_WRITES_IN_FLIGHT: usize = 16;

/// Attempts of an automated sync after the first, where the application says nothing (Argo CD's default).
pub const AUTOMATED_RETRY_LIMIT: i64 = 5;

/// Rows of `status.history` where the application says nothing.
pub const HISTORY_LIMIT: usize = 10;

/// Longest wait before a write that failed in passing is tried again, in seconds.
pub const WRITE_BACKOFF_CAP_SECONDS: u64 = 30;

/// Objects that a waiting message names before it counts the rest.
pub const NAMED_IN_MESSAGE: usize = 1;

/// Characters of a message that go into a resource's status: what a renderer says may be as long as its input.
pub const MESSAGE_LENGTH: usize = 4096;

/// Rows (objects, and results of an operation) up to which a status is written whenever it has something new to say.
pub const SMALL_STATUS: usize = 100;

/// How long a longer status waits after the last one, for each of its rows.
pub const STATUS_PER_ROW: Duration = Duration::from_micros(20);

/// The same, where only the progress of an operation or the rows are new.
pub const PROGRESS_PER_ROW: Duration = Duration::from_micros(100);

/// How long a longer status that tells only progress waits at least.
pub const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);

/// Conditions of one cause that a status names before it counts the rest.
pub const NAMED_CONDITIONS: usize = 50;

/// Clusters of earlier syncs, by address, that an operation's record keeps.
pub const REMEMBERED_DESTINATIONS: usize = 10;
