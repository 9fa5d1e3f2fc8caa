//! Logs: JSON in a cluster, text on a terminal.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Starts logging to standard error at `default`, or as `RUST_LOG` says.
pub(crate) fn start(default: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // Fails only when logging runs already.
    let _ = match std::io::stderr().is_terminal() {
        true => subscriber.try_init(),
        false => subscriber.json().try_init(),
    };
}
