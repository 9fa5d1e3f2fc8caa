//! The controller: one engine, told what happens, and whatever it wants done, done.
//!
//! The problem: the engine decides everything and does nothing. Somebody must carry events to it in order, carry out its effects
//! side by side, give it the time, and show what it knows to those who ask, without ever deciding something themselves.
//!
//! Invariants:
//! - One task owns the engine. Events reach it through one bounded channel: whoever is too fast waits.
//! - Every effect but `WatchKinds` comes back exactly once, a panic included.
//! - Writes to one Application resource are sent in the order the engine asked for them.
//! - Dropping [`Controller::run`]'s future is a crash: nothing goes on without it. What is needed afterwards is in the cluster.
//! - Time comes from a [`Clock`] that is given; with tokio's clock paused, a run takes no time and is the same every time.
//!
//! Deliberately absent: child processes, files, decisions, and persistence other than the Application's status.

mod clock;
mod controller;
mod driver;
mod executor;
mod handle;
mod machine;
mod metrics;
mod poll;
mod publishing;
mod read_model;
mod renderer;
mod sources;

pub use capstan_render::RenderInputs;
pub use clock::Clock;
pub use controller::{Compute, Controller, ControllerSettings};
pub use handle::{ControllerHandle, NotQueued, Stopped};
pub use metrics::Metrics;
pub use read_model::{Applications, Change, ReadModel, Readiness, Snapshot};
pub use renderer::{Fresh, RenderedSource, Renderer, SourceToRender, TreeRenderer};
pub use sources::{Secrets, SourceProvider, Sources};
