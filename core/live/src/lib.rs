//! The live-state index: what one cluster holds, small enough to hold all of it.
//!
//! **Problem.** Deciding what to do needs every object an application owns, at once, by key, by identity, by owner and by
//! application. Keeping the objects as parsed trees costs tens of kilobytes each. So an object becomes a [`Node`] of a few hundred
//! bytes the moment it is observed, its facts already worked out; the document itself stays only where somebody will compare it (a
//! tracked object, a hook), compressed.
//!
//! **Invariants.**
//! - Absence is proven: [`Lookup::Missing`] only follows from a complete list of the kind, or from a deletion seen; otherwise the
//!   answer is [`Lookup::Unknown`].
//! - An index never goes backwards: an observation older than what is known is dropped, and a UID that was seen going never returns.
//! - Every secondary index (application → roots, UID → node, owner → children) is kept on write; no read scans.
//! - Same observations in the same order give the same index and the same answers in the same order.
//!
//! **Deliberately absent.** Watching (the runtime's business), deciding (the engine's), judging health (the caller gives a function).

mod change;
mod content;
mod identity;
mod index;
mod info;
mod intern;
mod node;
mod tree;

pub use change::{Change, ChangeKind, TrackedBy};
pub use content::{content_digest, is_applied};
pub use index::{LiveIndex, Lookup};
pub use node::Node;
pub use tree::TreeNode;
