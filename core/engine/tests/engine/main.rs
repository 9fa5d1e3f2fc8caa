//! The engine, driven by a small cluster and a small repository that live in this file's modules. One property a file.

#![expect(
    clippy::unwrap_used,
    reason = "the small cluster is test code: what it does not expect ends the test"
)]

mod absence;
mod approvals;
mod cascade;
mod clean_up;
mod cluster;
mod crash;
mod deletion;
mod deletion_hooks;
mod deletion_midway;
mod dependencies;
mod depends_on;
mod describe;
mod determinism;
mod finalizers;
mod fleet;
mod generate;
mod grounds;
mod guards;
mod holders;
mod hooks;
mod impersonation;
mod knockouts;
mod late;
mod moved;
mod namespace;
mod object_dependencies;
mod odd_application;
mod odd_options;
mod options;
mod outlook;
mod prunes;
mod recreate;
mod refused;
mod rehearsal;
mod resting;
mod resume;
mod retry;
mod rig;
mod rollback;
mod selective;
mod shared;
mod skipped;
mod stories;
mod succession;
mod superseded;
mod sync_options;
mod take_over;
mod touched;
mod transcripts;
mod waiting;
mod watching;
mod waves;
mod windows;
