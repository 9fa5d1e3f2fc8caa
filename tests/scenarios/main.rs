//! Scenarios, played over the engine alone and over the complete runtime.
//!
//! A folder of `scenarios/` is a story: `scenario.yaml` (read by `capstan_sim::scenario`), the files of its repositories and of the
//! people in it, and the golden `timeline.txt`. `CAPSTAN_GOLDEN=write` writes the timelines anew. `scenarios/skipped` holds one for each
//! reason not to sync.

mod discovery;
mod engine;
mod execute;
mod play;
mod runtime;
mod skipped;
mod sources;
mod tests;
mod watches;
