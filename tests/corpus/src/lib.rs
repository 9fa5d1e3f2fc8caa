//! The chart renderer, held against the real Helm.
//!
//! **Problem.** A renderer that is nearly right is worse than none: one different space in a hashed text restarts workloads. So every
//! chart is rendered by both, text by text. [`Oracle`] is the real Helm in a process of its own (`tests/oracles/helm/render`), [`Case`]
//! one chart with its values, [`compare`] says where the two differ, [`Report`] adds up.
//!
//! **Invariants.** A file that Helm itself renders differently twice is not compared by bytes. Nothing of other people's charts is kept.
//!
//! **Deliberately absent.** Fetching charts: a folder of them is given (`CAPSTAN_CHARTS`).

mod case;
mod compare;
mod oracle;
mod report;
mod run;
pub mod variants;

pub use case::{Case, charts_below};
pub use compare::{Difference, Outcome, compare};
pub use oracle::{Answer, Oracle};
pub use report::Report;
pub use run::run;
