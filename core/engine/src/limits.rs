//! Every bound of the engine in one place.

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
