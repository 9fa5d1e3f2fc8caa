//! Watches, as events.

mod control;
mod kind;
mod live;
mod monitor;
mod stream;

pub use control::ControlWatches;
pub use live::LiveWatches;
pub use monitor::Monitor;
