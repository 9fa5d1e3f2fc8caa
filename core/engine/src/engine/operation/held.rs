//! An operation that has to wait before it begins, and one that a window pauses.

use std::time::Duration;

use capstan_model::{GroupKind, OperationPhase, Timestamp};
use petgraph::stable_graph::NodeIndex;

use super::{INFO_NOT_BEGUN, OperationRun, Stage, Work};
use crate::engine::Engine;
use crate::engine::gate::Gate;
use crate::engine::state::ApplicationState;
use crate::journal::Cause;

impl Engine {
    /// Does it have to wait before it begins, or is it refused? What an earlier process has begun goes on, and a dry run changes nothing.
    pub(super) fn hold_back(
        &mut self,
        now: Timestamp,
        app: &ApplicationState,
        operation: &mut OperationRun,
        gate: &Gate,
    ) -> bool {
        let may_begin = !operation.restored.is_empty() || operation.is_dry_run();
        let window = self.shut_window(now, app, operation, gate);
        let is_refused = window.is_some() && !operation.is_automated() && operation.attempt == 0 && !may_begin;
        if let Some((why, remedy)) = window.as_ref().filter(|_| is_refused) {
            operation.message = format!("refused: {why}; {remedy}");
            return self.refuse(now, app, operation);
        }
        operation.operation.info.retain(|info| info.name != INFO_NOT_BEGUN);
        operation.is_held = !may_begin && (window.is_some() || !app.hold.is_free_by_hand());
        if !operation.is_held {
            return false;
        }
        operation.set_info(INFO_NOT_BEGUN, "true".into());
        operation.carry_before(app);
        if let Some(error) = &app.hold.error {
            operation.message.clone_from(error);
            return self.refuse(now, app, operation);
        }
        let window = window.map(|(why, _)| why);
        let reasons: Vec<String> = app.hold.waits.iter().cloned().chain(window).collect();
        operation.wait(operation.started_at, &reasons.join("; "));
        true
    }

    fn refuse(&mut self, now: Timestamp, app: &ApplicationState, operation: &mut OperationRun) -> bool {
        operation.is_held = false;
        operation.set_info(INFO_NOT_BEGUN, "true".into());
        operation.carry_before(app);
        operation.is_final = true;
        self.enter(now, app, operation, Stage::Ended(OperationPhase::Error));
        true
    }

    /// Pauses an operation whose window has shut, and lets it go on when one opens.
    pub(super) fn pause(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        operation: &mut OperationRun,
        gate: &Gate,
    ) {
        let may_pause = matches!(
            operation.stage,
            Stage::PersistingIntent | Stage::Rehearsing | Stage::Running | Stage::Failing
        );
        let shut = self.shut_window(now, app, operation, gate).filter(|_| may_pause);
        let why = shut.map(|(why, _)| why);
        match (&operation.paused, why) {
            (None, Some(why)) => {
                self.note_pause(now, app, operation.stage.name(), "Paused", why.clone());
                operation.paused = Some((now, why));
            }
            (Some((since, _)), Some(why)) => operation.paused = Some((*since, why)),
            (Some((since, why)), None) => {
                let lost = now.since(*since);
                let why = format!("no longer: {why}");
                self.note_pause(now, app, "Paused", operation.stage.name(), why);
                resume(operation, lost);
            }
            (None, None) => {}
        }
        app.is_paused = operation.paused.is_some();
    }

    /// The task goes on once its kind is listed.
    pub(super) fn await_list(
        &self,
        app: &ApplicationState,
        operation: &mut OperationRun,
        node: NodeIndex,
        kind: &GroupKind,
    ) {
        let why = self.cluster(app).and_then(|cluster| cluster.unavailable.get(kind));
        let why = why.map_or_else(String::new, |why| format!(": {why}"));
        if let Some(run) = operation.tasks.get_mut(&node) {
            run.message = format!("waiting for the list of {kind}{why}");
        }
    }

    fn note_pause(&mut self, now: Timestamp, app: &ApplicationState, from: &str, to: &str, why: String) {
        self.note(now, app, None, "operation", from, to, why, Cause::Timer);
    }

    /// What a paused operation says of itself.
    pub(super) fn tell_pause(operation: &mut OperationRun) {
        let Some((since, why)) = &operation.paused else { return };
        if operation.ended().is_none() {
            let text = format!("paused since {since}: {why}");
            operation.brief.clone_from(&text);
            operation.message = text;
        }
    }
}

impl OperationRun {
    /// As a whole it waits for something, from now on if it did not before: that, since when and until when is all that it says.
    pub(super) fn wait(&mut self, now: Timestamp, what: &str) {
        let told = format!("{what}, since ");
        if !self.message.starts_with(&told) {
            let until = self.until.map_or_else(String::new, |until| format!(", until {until}"));
            self.message = format!("{told}{now}{until}");
            self.brief.clone_from(&self.message);
        }
    }
}

/// Its deadlines are later by the time that it lost.
fn resume(operation: &mut OperationRun, lost: Duration) {
    operation.paused = None;
    operation.pauses += lost;
    for run in operation.tasks.values_mut() {
        run.until = run.until.map(|until| until + lost);
    }
    for begun in operation.waves_begun.values_mut() {
        *begun = *begun + lost;
    }
    // What was looked at while it was paused was not begun: everything is looked at again, with the new deadlines.
    let work = Work::new(&operation.plan, &operation.tasks, &operation.recorded);
    operation.work = operation.work.anew(work);
}
