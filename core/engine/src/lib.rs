//! The sync engine: events in, effects out.
//!
//! The problem: decide, for every application, what to do next — and be able to say why, to survive a crash at any point, and to
//! be driven by a simulator exactly as by production. So the engine is a plain value. It is told what happened
//! (`Engine::handle`), asked what to do (`Engine::poll_effect`, until it says nothing) and when to come back
//! (`Engine::poll_timeout`).
//!
//! Invariants:
//! - Same events at the same times give the same effects, byte for byte.
//! - One API write per effect: a crash after effect *k* is a point that tests can enumerate.
//! - Absence is proven: a delete is built from a [`guard::DeletePermit`], which only a complete render and a complete live view give.
//! - Nothing else invents history: what the dashboard, the audit and the metrics say comes out of the [`journal`].
//!
//! Deliberately absent: I/O, clocks, randomness, threads, and any knowledge of how an effect is carried out.

pub mod compare;
pub mod effect;
mod engine;
pub mod event;
pub mod guard;
pub mod health;
pub mod journal;
pub mod limits;
mod machine;
pub mod plan;
pub mod policy;
#[doc(hidden)]
pub mod sabotage;
pub mod settings;
pub mod targets;
pub mod view;
pub mod writing;

pub use effect::{Effect, EffectId, EffectKind};
pub use engine::Engine;
pub use event::{Event, Outcome};
pub use settings::Settings;
