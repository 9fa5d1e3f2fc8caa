//! Recursion that cannot overflow the thread's stack: it continues on a fresh piece when little is left.
//!
//! How deep anything may nest is decided elsewhere, by counting, so that the answer is the same on every machine.

/// Bytes that must be left before a call, above what the largest chain of calls between two checks needs.
const RED_ZONE: usize = 256 * 1024;

/// Bytes of a fresh piece.
const PIECE: usize = 2 * 1024 * 1024;

/// Calls a function with enough stack.
pub fn grow<T>(body: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(RED_ZONE, PIECE, body)
}
