//! Scenarios: a story in a file, told to a simulated cluster, and what must come of it.
//!
//! **Problem.** The same story must run over the engine alone and over the complete runtime, with the same verdicts. So a scenario is
//! data ([`Scenario`]), what happens in it is done through one small trait ([`Stage`]), and whether it went well is judged afterwards
//! from the history of the cluster and the journal of the controller ([`judge`]), never from inside the thing under test.
//!
//! **Invariants.** A field that is not known is an error with its line. What is judged is what the cluster committed. The same record
//! gives the same verdicts and the same [`transcript`].
//!
//! **Deliberately absent.** Files, clocks and the controller: the harness of each layer has them.

mod duration;
mod expect;
mod file;
mod judge;
mod object;
mod transcript;
mod verbs;

pub use duration::Span;
pub use expect::Expectation;
pub use file::{Entry, Repository, Revision, Scenario, ScenarioError, WorldSettings};
pub use judge::{Mark, Note, Record, Verdict, judge};
pub use object::ObjectRef;
pub use transcript::{end_state, transcript};
pub use verbs::{Action, ActionError, Crash, Files, KubectlApply, KubectlDelete, KubectlScale, Push, Stage};
