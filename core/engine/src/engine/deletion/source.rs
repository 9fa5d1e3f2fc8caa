//! Finding the hooks of a deletion: what is kept on the Application, else what is known, else the recorded commit.

use capstan_model::annotations::DELETION_HOOKS;
use capstan_model::{ApplicationSource, OperationPhase, Timestamp};

use super::super::Engine;
use super::super::operation::last_attempt;
use super::super::state::{ApplicationState, InFlight};
use super::stored::{of_targets, read};
use crate::effect::{EffectKind, Freshness};
use crate::event::{ResolvedRevision, SourceFailure};
use crate::journal::Cause;
use crate::machine::Refresh;
use crate::policy::LastAttempt;
use crate::targets::Targets;

impl Engine {
    /// Are the hooks known? Asks for them where they are not.
    pub(super) fn know_hooks(&mut self, now: Timestamp, app: &mut ApplicationState) -> bool {
        if app.deletion.hooks.is_some() {
            return true;
        }
        if let Some(text) = app.application.metadata.annotations.get(DELETION_HOOKS) {
            match read(text) {
                Ok(hooks) => {
                    app.deletion.hooks = Some(hooks);
                    return true;
                }
                Err(_) if app.deletion.unread.is_some() || self.is_reading(app) => {}
                Err(why) => {
                    let why =
                        format!("{DELETION_HOOKS} cannot be understood ({why}): the hooks are read from the source");
                    self.note(now, app, None, "deletion", "", "Reading", why, Cause::Cluster);
                }
            }
        }
        if let Some(desired) = app.desired.as_ref().filter(|_| last_attempt(app) != LastAttempt::Other) {
            app.deletion.hooks = Some(of_targets(&desired.targets));
            return true;
        }
        self.read_hooks(now, app);
        false
    }

    fn is_reading(&self, app: &ApplicationState) -> bool {
        app.is_in_flight(|what| matches!(what, InFlight::DeletionResolve | InFlight::DeletionRender))
    }

    fn read_hooks(&mut self, now: Timestamp, app: &mut ApplicationState) {
        app.deletion
            .waits
            .push("reading the hooks of the deletion from the source".into());
        let is_due = app.deletion.unread.as_ref().is_none_or(|(_, until, _)| *until <= now);
        if self.is_reading(app) || !is_due {
            return;
        }
        let (sources, recorded) = recorded(app);
        let revisions = if recorded.is_empty() {
            app.deletion.revisions.clone()
        } else {
            recorded
        };
        if revisions.len() != sources.len() {
            let freshness = Freshness::Remote;
            let resolve = EffectKind::ResolveRevision { sources, freshness };
            return self.emit(app, resolve, InFlight::DeletionResolve);
        }
        let Some(cluster) = self.cluster(app) else { return };
        let task = self.render_task(app, cluster, &sources, &revisions, false);
        self.emit(app, EffectKind::Render(Box::new(task)), InFlight::DeletionRender);
    }

    /// The answer to the resolution of the sources, where no commit was recorded.
    pub(in crate::engine) fn deletion_resolved(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        result: Result<Vec<ResolvedRevision>, SourceFailure>,
    ) {
        match result {
            Ok(revisions) => app.deletion.revisions = revisions,
            Err(failure) => self.hooks_unread(now, app, &failure),
        }
    }

    /// The answer to the render of the recorded commit.
    pub(in crate::engine) fn deletion_rendered(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        result: Result<Targets, SourceFailure>,
    ) {
        match result {
            Ok(targets) => {
                app.deletion.unread = None;
                app.deletion.hooks = Some(of_targets(&targets));
            }
            Err(failure) => self.hooks_unread(now, app, &failure),
        }
    }

    fn hooks_unread(&self, now: Timestamp, app: &mut ApplicationState, failure: &SourceFailure) {
        let attempts = app.deletion.unread.as_ref().map_or(0, |(attempts, ..)| *attempts);
        let (first, cap) = (self.settings.refresh_backoff, self.settings.refresh_backoff_cap);
        // A commit that cannot be rendered will not be by itself either, but what it needs may be put right without a new one.
        let failure = SourceFailure {
            transient: true,
            ..failure.clone()
        };
        let Refresh::Failed { until: Some(until), .. } = Refresh::failed(attempts, &failure, now, first, cap) else {
            return;
        };
        let finalizers = app.application.metadata.finalizers.iter();
        let names: Vec<&str> = finalizers
            .filter(|name| name.contains("-delete-finalizer"))
            .map(String::as_str)
            .collect();
        let text = format!(
            "the hooks of the deletion are not kept on the Application and cannot be read: {}; again at {until}; to delete without \
             them take off the Application its finalizers {}",
            failure.message,
            names.join(", ")
        );
        app.deletion.unread = Some((attempts + 1, until, text));
    }
}

/// Sources and commits of what is deployed: of the last sync that succeeded.
pub(in crate::engine) fn recorded(app: &ApplicationState) -> (Vec<ApplicationSource>, Vec<ResolvedRevision>) {
    let of = |revision: &String, revisions: &[String]| -> Vec<ResolvedRevision> {
        let all = if revisions.is_empty() {
            std::slice::from_ref(revision)
        } else {
            revisions
        };
        let known = all.iter().filter(|revision| !revision.is_empty());
        known
            .map(|revision| ResolvedRevision {
                revision: revision.clone(),
                ..ResolvedRevision::default()
            })
            .collect()
    };
    let last = app
        .last_operation
        .as_ref()
        .filter(|state| state.phase == OperationPhase::Succeeded);
    if let Some(result) = last.and_then(|state| state.sync_result.as_ref()) {
        let sources = result
            .source
            .iter()
            .cloned()
            .chain(result.sources.iter().cloned())
            .collect();
        return (sources, of(&result.revision, &result.revisions));
    }
    match app.history.last() {
        Some(row) => {
            let sources = row.source.iter().cloned().chain(row.sources.iter().cloned()).collect();
            (sources, of(&row.revision, &row.revisions))
        }
        None => (app.application.spec.sources().to_vec(), Vec::new()),
    }
}
