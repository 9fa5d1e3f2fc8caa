//! Writing the journal.

use capstan_model::{ResourceKey, Timestamp};

use super::Engine;
use super::state::ApplicationState;
use crate::event::ResolvedRevision;
use crate::journal::{Cause, JournalEntry};
use crate::sabotage::{self, Sabotage};

impl Engine {
    #[expect(
        clippy::too_many_arguments,
        reason = "one argument a field of an entry, in their order"
    )]
    pub(super) fn note(
        &mut self,
        now: Timestamp,
        app: &ApplicationState,
        object: Option<&ResourceKey>,
        machine: &'static str,
        from: &str,
        to: &str,
        message: String,
        cause: Cause,
    ) {
        if to == "Deleting" && sabotage::is(Sabotage::DeletesUntold) {
            return;
        }
        self.journal.append(JournalEntry {
            sequence: 0,
            time: now,
            application: app.id(),
            object: object.cloned(),
            machine,
            from: from.to_owned(),
            to: to.to_owned(),
            message,
            cause,
        });
    }

    pub(super) fn journal_restored(&mut self, now: Timestamp, app: &ApplicationState) {
        let running = app
            .operation
            .as_ref()
            .map(|operation| format!("operation of {} goes on", operation.revision_text()));
        self.note(
            now,
            app,
            None,
            "application",
            "",
            "Active",
            running.unwrap_or_default(),
            Cause::Start,
        );
    }

    /// The newest commit, as a cause.
    pub(super) fn cause_of_desired(&self, app: &ApplicationState) -> Cause {
        app.desired
            .as_ref()
            .and_then(|desired| desired.revisions.first())
            .map_or(Cause::Cluster, commit_cause)
    }
}

/// A commit as a cause.
pub(super) fn commit_cause(revision: &ResolvedRevision) -> Cause {
    Cause::Commit {
        revision: revision.revision.clone(),
        author: revision.author.clone(),
        subject: revision.subject.clone(),
    }
}
