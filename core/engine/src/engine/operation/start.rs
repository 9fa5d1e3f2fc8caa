//! Beginning and superseding operations.

use capstan_model::annotations::SUPERSEDE;
use capstan_model::{
    Application, Operation, OperationInitiator, OperationPhase, SyncOperation, SyncStrategy, SyncStrategyForce,
    Timestamp,
};

use super::resume::INFO_RESUMED;
use super::{INFO_EPOCH, INFO_NAMED, OperationRun, Stage, info, last_attempt, short};
use crate::engine::Engine;
use crate::engine::gate::Gate;
use crate::engine::journaling::commit_cause;
use crate::engine::state::{ApplicationState, Desired};
use crate::event::ResolvedRevision;
use crate::journal::Cause;
use crate::machine::Refresh;
use crate::policy::{AutoSync, AutoSyncInput, SkipReason, Unwritable, auto_sync, named};
use crate::settings::Guards;

impl Engine {
    /// Moves the operation on, ends it, begins the next: until there is nothing to do before something happens.
    pub(in crate::engine) fn step_operation(&mut self, now: Timestamp, app: &mut ApplicationState, gate: &Gate) {
        if matches!(self.unwritable(app), Some(Unwritable::NotLeading)) {
            return;
        }
        self.take_operation_field(now, app);
        app.resumes = self.resumes(now, app);
        // One round for the operation that runs, one for the next: an operation never begins a third by itself.
        for _ in 0..2 {
            match app.operation.take() {
                Some(mut operation) => {
                    self.supersede(now, app, &mut operation);
                    self.advance(now, app, &mut operation, gate);
                    Self::tell_pause(&mut operation);
                    if operation.ended().is_none() {
                        app.operation = Some(operation);
                        return;
                    }
                    app.is_paused = false;
                    self.finish(now, app, operation);
                }
                None => match self.next_operation(now, app) {
                    Some(mut operation) => {
                        self.advance(now, app, &mut operation, gate);
                        if operation.ended().is_some() {
                            self.finish(now, app, operation);
                        } else {
                            app.operation = Some(operation);
                        }
                        return;
                    }
                    None => return,
                },
            }
        }
    }

    /// The request of the resource's field. Where it is taken back before it has begun, it is not carried out.
    pub(super) fn take_operation_field(&mut self, now: Timestamp, app: &mut ApplicationState) {
        let field = &app.application.operation;
        if field.is_none() && app.requested_by_field && app.requested.take().is_some() {
            app.requested_by_field = false;
            let text = "the operation that was asked for was taken back before it had begun".to_owned();
            return self.note(now, app, None, "operation", "", "Withdrawn", text, Cause::Cluster);
        }
        if field.is_some() && *field != app.taken {
            app.taken.clone_from(field);
            app.requested.clone_from(field);
            app.requested_by_field = true;
        }
    }

    fn next_operation(&mut self, now: Timestamp, app: &mut ApplicationState) -> Option<OperationRun> {
        if self.may_write(app) && app.writes_in_flight() == 0 {
            let requested = self.begin_requested(now, app);
            if requested.is_some() {
                return requested;
            }
        }
        match auto_sync(&self.auto_sync_input(app)) {
            AutoSync::Sync { prune, hooks } => {
                let operation = automated(app, prune, hooks)?;
                Some(self.begin(now, app, operation, false))
            }
            AutoSync::Skip(_) => None,
        }
    }

    /// The one that somebody asked for. Who stopped something before has not stopped that.
    pub(super) fn begin_requested(&mut self, now: Timestamp, app: &mut ApplicationState) -> Option<OperationRun> {
        app.terminate_by = None;
        let operation = app.requested.take()?;
        let from_field = std::mem::take(&mut app.requested_by_field);
        Some(self.begin(now, app, operation, from_field))
    }

    fn begin(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        operation: Operation,
        from_field: bool,
    ) -> OperationRun {
        let last = app.last_operation.as_ref().map_or(0, super::recorded_number);
        app.epoch = app.epoch.max(last) + 1;
        // By what was tried to be put right, too.
        let attempted = last_attempt(app);
        app.heal.clear();
        app.contention.clear();
        let sync = operation.sync.clone().unwrap_or_default();
        let sources = match (&sync.source, &sync.sources[..]) {
            (Some(source), _) => vec![source.clone()],
            (None, []) => app.application.spec.sources().to_vec(),
            (None, sources) => sources.to_vec(),
        };
        let mut run = OperationRun::new(app.epoch, operation, sources, now);
        run.from_field = from_field;
        run.namespace = app.kept_metadata().cloned();
        run.approved = app.guarding.begin(!run.is_automated());
        run.set_info(INFO_EPOCH, run.number.to_string());
        run.remember_destinations(app);
        run.note_named(&sync);
        self.count_on(app, attempted, &mut run);
        if run.is_selective() || run.is_dry_run() {
            run.carry_before(app);
        }
        // Without a revision of its own it is for what is desired now, which needs no second look at the source.
        let is_for = |desired: &&Desired| is_for(&app.application, &sync, &run, desired);
        if let Some(desired) = app.desired.as_ref().filter(is_for) {
            run.revisions.clone_from(&desired.revisions);
            run.targets = Some(desired.targets.clone());
        }
        if run.revisions.is_empty() {
            run.revisions = pinned(&sync, run.sources.len());
        }
        run.cause = cause_of(app, &run.operation.initiated_by);
        let (intent, cause) = (run.intent(), run.cause.clone());
        self.note(now, app, None, "operation", "", "Planning", intent, cause);
        run
    }

    /// Is there a newer set of desired objects, which ends it?
    fn is_outdated(&self, app: &ApplicationState, operation: &OperationRun) -> bool {
        // Argo CD holds on to the old commit, and so does an Application that says so.
        let may_supersede = self.settings.guards == Guards::Capstan && app.application.annotation(SUPERSEDE) != "false";
        let supersedes = may_supersede && app.refresh == Refresh::Compared && operation.is_automated();
        let Some(desired) = app.desired.as_ref().filter(|_| supersedes) else {
            return false;
        };
        let targets = operation.targets.as_ref();
        targets.is_some_and(|targets| targets.digest() != desired.targets.digest())
    }

    /// From now on nothing of an operation begins that is superseded, or everything may again.
    pub(super) fn yield_to_newer(&self, app: &ApplicationState, operation: &mut OperationRun) {
        let yields = self.is_outdated(app, operation);
        if std::mem::replace(&mut operation.yields, yields) && !yields {
            operation.work.wake_all();
        }
    }

    /// A newer set of desired objects ends an automated operation at the next safe point. So a revert restores a stalled rollout.
    pub(super) fn supersede(&mut self, now: Timestamp, app: &mut ApplicationState, operation: &mut OperationRun) {
        let may_end = !matches!(
            operation.stage,
            Stage::CleaningUp(_) | Stage::Ended(_) | Stage::Terminating { .. }
        );
        let is_safe = app.writes_in_flight() == 0 && !operation.is_active();
        let ends = may_end && is_safe && self.is_outdated(app, operation);
        let Some(desired) = app.desired.as_ref().filter(|_| ends) else {
            return;
        };
        let by = short(desired.revision()).to_owned();
        let cause = self.cause_of_desired(app);
        operation.message = format!("superseded by {by}{}", operation.it_was());
        let (from, message) = (operation.stage.name(), operation.message.clone());
        operation.stage = Stage::Ended(OperationPhase::Failed);
        operation.is_final = true;
        self.note(now, app, None, "operation", from, "Failed", message, cause);
    }

    /// Why the application is not synced by itself.
    pub(in crate::engine) fn skip_reason(&self, app: &ApplicationState) -> Option<SkipReason> {
        match auto_sync(&self.auto_sync_input(app)) {
            AutoSync::Skip(reason) => Some(reason),
            AutoSync::Sync { .. } => None,
        }
    }

    fn auto_sync_input<'a>(&self, app: &'a ApplicationState) -> AutoSyncInput<'a> {
        let is_empty = |desired: &Desired| desired.resources().next().is_none();
        AutoSyncInput {
            suspended: self.is_suspended(app),
            automated: app.application.spec.sync_policy.automation(),
            operation_pending: app.operation.is_some() || app.requested.is_some(),
            deleting: app.application.metadata.deletion_timestamp.is_some(),
            // Unknown as long as an object is not compared.
            sync: app.assessment.sync,
            only_prunes: app.assessment.only_prunes(),
            would_wipe: app.desired.as_ref().is_some_and(is_empty) && app.assessment.has_prunes(),
            held: app.hold.by(),
            resumes: app.resumes,
            last: last_attempt(app),
            unwritable: self.unwritable(app),
            refreshing: app.refresh != Refresh::Compared,
            writing: app.writes_in_flight() > 0,
        }
    }
}

impl OperationRun {
    /// What it did when it was ended from outside, behind why it was.
    pub(super) fn it_was(&self) -> String {
        match self.message.as_str() {
            "" => String::new(),
            message => format!("; it was {message}"),
        }
    }

    /// That a person said which revisions: what is recorded names commits in any case.
    fn note_named(&mut self, sync: &SyncOperation) {
        let names = !sync.revision.is_empty() || !sync.revisions.is_empty();
        if names && !self.is_automated() {
            self.set_info(INFO_NAMED, true.to_string());
        }
    }

    /// What it is about to do and at whose word, for people.
    fn intent(&self) -> String {
        let (sync, to) = (self.operation.sync.as_ref(), self.revision_text());
        let of = match sync.map_or(0, |sync| sync.resources.len()) {
            0 => String::new(),
            1 => " of one object".into(),
            many => format!(" of {many} objects"),
        };
        let dry_run = if self.is_dry_run() { "dry run of a " } else { "" };
        let has_sources = sync.is_some_and(|sync| sync.source.is_some() || !sync.sources.is_empty());
        let sources = if has_sources {
            " of the sources that it names"
        } else {
            ""
        };
        let what = format!("{dry_run}sync{of} to {to}{sources}");
        let initiator = &self.operation.initiated_by;
        match (initiator.automated, info(&self.operation, INFO_RESUMED)) {
            (true, None) => format!("automated {what}"),
            (true, Some(times)) => format!("automated {what}, begun anew (time {times})"),
            (false, _) => format!("{what}, asked for by {}", named(&initiator.username)),
        }
    }
}

/// The commits of an operation that brings its own sources and says exactly which: a row of the history. There is nothing to resolve, and
/// where it is not Git nothing that could: the digest is part of the revision.
fn pinned(sync: &SyncOperation, sources: usize) -> Vec<ResolvedRevision> {
    let has_sources = sync.source.is_some() || !sync.sources.is_empty();
    let revisions = match &sync.revisions[..] {
        [] => std::slice::from_ref(&sync.revision),
        revisions => revisions,
    };
    if !has_sources || revisions.len() != sources || !revisions.iter().all(|revision| is_immutable(revision)) {
        return Vec::new();
    }
    let commit = |revision: &String| ResolvedRevision {
        revision: revision.clone(),
        ..ResolvedRevision::default()
    };
    revisions.iter().map(commit).collect()
}

/// Is it a commit, or a chart by its content?
fn is_immutable(revision: &str) -> bool {
    let is_commit = matches!(revision.len(), 40 | 64) && revision.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_commit || revision.contains("@sha256:")
}

/// Is what it was asked for commits, and no branch or tag that may have moved since?
pub(super) fn names_commits(operation: &OperationRun) -> bool {
    let sync = operation.operation.sync.as_ref();
    let revisions = sync
        .into_iter()
        .flat_map(|sync| sync.revisions.iter().chain([&sync.revision]));
    revisions
        .filter(|revision| !revision.is_empty())
        .all(|revision| is_immutable(revision))
}

fn is_for(application: &Application, sync: &SyncOperation, run: &OperationRun, desired: &Desired) -> bool {
    let is_of_here = desired.destination == application.spec.destination;
    let same_sources = run.sources == desired.sources && is_of_here;
    let asked: Vec<&str> = match &sync.revisions[..] {
        [] if sync.revision.is_empty() => Vec::new(),
        [] => vec![&sync.revision],
        revisions => revisions.iter().map(String::as_str).collect(),
    };
    let same_revision = asked
        .iter()
        .zip(&desired.revisions)
        .all(|(asked, known)| *asked == known.revision);
    same_sources && same_revision
}

fn automated(app: &ApplicationState, prune: bool, hooks: bool) -> Option<Operation> {
    let desired = app.desired.as_ref()?;
    let revisions: Vec<String> = desired
        .revisions
        .iter()
        .map(|revision| revision.revision.clone())
        .collect();
    let is_multi = revisions.len() > 1;
    Some(Operation {
        initiated_by: OperationInitiator {
            username: String::new(),
            automated: true,
        },
        sync: Some(SyncOperation {
            revision: if is_multi {
                String::new()
            } else {
                revisions.first().cloned().unwrap_or_default()
            },
            revisions: if is_multi { revisions } else { Vec::new() },
            prune,
            sync_strategy: (!hooks).then(|| SyncStrategy {
                apply: Some(SyncStrategyForce::default()),
                ..SyncStrategy::default()
            }),
            sync_options: app.application.spec.sync_policy.sync_options.clone(),
            ..SyncOperation::default()
        }),
        ..Operation::default()
    })
}

/// Who, or which commit, an operation is because of.
fn cause_of(app: &ApplicationState, initiator: &OperationInitiator) -> Cause {
    let desired = app.desired.as_ref().and_then(|desired| desired.revisions.first());
    match desired.filter(|_| initiator.automated) {
        Some(revision) => commit_cause(revision),
        None => Cause::User {
            name: initiator.username.clone(),
            action: "sync".into(),
        },
    }
}
