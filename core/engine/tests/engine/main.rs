//! The engine, driven by a small cluster and a small repository that live in this file's modules. One property a file.

#![expect(
    clippy::unwrap_used,
    reason = "the small cluster is test code: what it does not expect ends the test"
)]

mod cluster;
mod crash;
mod deletion;
mod dependencies;
mod determinism;
mod fleet;
mod generate;
mod grounds;
mod guards;
mod hooks;
mod late;
mod options;
mod outlook;
mod prunes;
mod resting;
mod rig;
mod rollback;
mod touched;
mod transcripts;
mod waves;
mod windows;
