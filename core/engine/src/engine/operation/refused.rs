//! Operations of an Application that is not worked on: its spec cannot mean anything, or its project forbids it, since now or all along.
//!
//! **Problem.** Nothing may be written for it, not even what ends an operation in order. One that just stood still would pass its deadlines, could not be
//! stopped, and would go on, or begin, whenever somebody puts the project right.
//!
//! **Invariants.** What runs ends as soon as what was asked of the cluster is answered, and is not tried again; what is asked for is refused at once. Both
//! say why. Hooks that run go on by themselves: nobody may delete them.

use capstan_model::{OperationPhase, Timestamp};

use super::{OperationRun, Stage};
use crate::engine::Engine;
use crate::engine::state::ApplicationState;
use crate::policy::Unwritable;

impl Engine {
    /// Ends what runs, and refuses what is asked for.
    pub(in crate::engine) fn refuse_operations(&mut self, now: Timestamp, app: &mut ApplicationState, why: &str) {
        if matches!(self.unwritable(app), Some(Unwritable::NotLeading)) {
            return;
        }
        self.take_operation_field(now, app);
        if app.operation.is_some() && app.writes_in_flight() > 0 {
            return;
        }
        if let Some(operation) = app.operation.take() {
            let message = format!("stopped: {why}{}", operation.it_was());
            self.end_refused(now, app, operation, message);
        }
        if let Some(operation) = self.begin_requested(now, app) {
            self.end_refused(now, app, operation, why.to_owned());
        }
    }

    fn end_refused(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        mut operation: OperationRun,
        message: String,
    ) {
        if !operation.is_cleaned_up_again() && operation.ended().is_none() {
            (operation.message, operation.is_final) = (message, true);
            self.enter(now, app, &mut operation, Stage::Ended(OperationPhase::Error));
        }
        app.is_paused = false;
        self.finish(now, app, operation);
    }
}
