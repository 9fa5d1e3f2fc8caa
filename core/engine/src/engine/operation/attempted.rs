//! Was what is desired now synced, and how did that end? By that an automated sync begins, or does not.
//!
//! **Problem.** Only a sync of everything answers it. One of some objects, a dry run, an operation that was not begun say nothing: neither
//! that the commit was tried, nor that it was not, so that somebody who syncs one object would set off a sync of all of them.
//!
//! **Invariant.** Such an operation carries what was known before it, in its own record: it is all that the resource's status keeps.

use capstan_model::{ApplicationSource, OperationPhase, OperationState, ResourceKey, RevisionHistory};

use super::{INFO_BEFORE, INFO_NOT_BEGUN, INFO_PLAN, OperationRun, info};
use crate::engine::Engine;
use crate::engine::state::{ApplicationState, Desired};
use crate::policy::LastAttempt;
use crate::sabotage::{self, Sabotage};

/// Where nothing was synced as a whole before: no digest, and no phase.
const NOTHING: &str = "- -";

/// Was the last sync of everything for what is desired now? By the digest of the objects where we recorded it, else as Argo CD tells: by
/// commits and sources.
pub(in crate::engine) fn last_attempt(app: &ApplicationState) -> LastAttempt {
    let (Some(state), Some(desired)) = (app.last_tried_here(), &app.desired) else {
        return LastAttempt::Other;
    };
    if !state.phase.is_completed() {
        return LastAttempt::Other;
    }
    let is_desired = |digest: &str| digest == desired.targets.digest().to_string();
    let is_whole = is_whole(state);
    if !is_whole && sabotage::is(Sabotage::ForgetsWholeSyncs) {
        return LastAttempt::Other;
    }
    let (is_same, is_success) = match (is_whole, before(state), info(&state.operation, INFO_PLAN)) {
        (false, Some((digest, phase)), _) => (is_desired(digest), phase == OperationPhase::Succeeded.to_string()),
        // What was deployed before it counts.
        (false, None, _) => (app.history.last().is_some_and(|row| is_deployed(row, desired)), true),
        (true, _, Some(digest)) => (is_desired(digest), state.phase == OperationPhase::Succeeded),
        (true, _, None) => (
            is_same_by_commit(state, desired),
            state.phase == OperationPhase::Succeeded,
        ),
    };
    let is_released = || match is_whole {
        true => Engine::is_released(app),
        false => app.guarding.has_approval(),
    };
    match (is_same, is_success) {
        (false, _) => LastAttempt::Other,
        // Not drift of single objects: the namespace was deleted, say. Only a whole sync makes everything anew, in its order.
        (true, true) if nothing_is_left(app) => LastAttempt::Lost,
        (true, true) if is_released() => LastAttempt::Released,
        (true, true) => LastAttempt::Succeeded,
        (true, false) => LastAttempt::Failed,
    }
}

/// Was it a sync of everything, and begun?
pub(super) fn is_whole(state: &OperationState) -> bool {
    let sync = state.operation.sync.as_ref();
    let is_part = sync.is_some_and(|sync| sync.dry_run || !sync.resources.is_empty());
    !is_part && info(&state.operation, INFO_NOT_BEGUN).is_none()
}

/// What was synced as a whole before this operation, and how it ended.
fn before(state: &OperationState) -> Option<(&str, &str)> {
    info(&state.operation, INFO_BEFORE)?.split_once(' ')
}

impl OperationRun {
    /// It will say nothing of what was synced as a whole: what is known of that is kept in it.
    pub(super) fn carry_before(&mut self, app: &ApplicationState) {
        let Some(state) = app.last_tried_here() else {
            // What was deployed elsewhere says nothing of here.
            if app.last_operation.is_some() {
                self.set_info(INFO_BEFORE, NOTHING.to_owned());
            }
            return;
        };
        let is_known = info(&self.operation, INFO_BEFORE).is_some() || !state.phase.is_completed();
        let before = match is_whole(state) {
            true => info(&state.operation, INFO_PLAN).map(|digest| format!("{digest} {}", state.phase)),
            false => info(&state.operation, INFO_BEFORE).map(str::to_owned),
        };
        if let Some(before) = before.filter(|_| !is_known) {
            self.set_info(INFO_BEFORE, before);
        }
    }
}

/// Is every declared object proven absent, and was tried to be put back in vain?
fn nothing_is_left(app: &ApplicationState) -> bool {
    let is_lost = |key: &ResourceKey| app.heal.get(key).is_some_and(|heal| !heal.failure.is_empty());
    // Each of them differs, so that is where they are found; with fewer failures than objects nothing has to be looked at.
    app.assessment.is_nothing_there()
        && app.heal.failed().len() >= app.assessment.declared()
        && app.assessment.tally.differing.iter().all(is_lost)
}

fn is_same_by_commit(state: &OperationState, desired: &Desired) -> bool {
    let Some(result) = &state.sync_result else { return false };
    is_of(
        (&result.revision, &result.revisions),
        (result.source.as_ref(), &result.sources),
        desired,
    )
}

fn is_deployed(row: &RevisionHistory, desired: &Desired) -> bool {
    is_of(
        (&row.revision, &row.revisions),
        (row.source.as_ref(), &row.sources),
        desired,
    )
}

/// Are these the commits and the sources of what is desired? One alone is kept in a field of its own.
fn is_of(
    (revision, revisions): (&String, &Vec<String>),
    (source, sources): (Option<&ApplicationSource>, &Vec<ApplicationSource>),
    desired: &Desired,
) -> bool {
    let revisions = match &revisions[..] {
        [] => std::slice::from_ref(revision),
        revisions => revisions,
    };
    let sources = match source {
        Some(source) => std::slice::from_ref(source),
        None => sources,
    };
    let commits = desired.revisions.iter().map(|known| &known.revision);
    revisions.iter().eq(commits) && sources == desired.sources
}
