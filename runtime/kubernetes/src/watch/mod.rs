//! Watches, as events.

mod control;
mod kind;
mod live;
mod monitor;
mod pause;
mod secrets;
mod stream;

pub use control::ControlWatches;
pub use live::LiveWatches;
pub use monitor::Monitor;
pub use pause::PauseWatch;
pub use secrets::{SecretWatch, SeenSecrets};
