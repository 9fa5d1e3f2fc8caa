//! Is an application synced without being asked?

use std::fmt;

use capstan_model::{SyncPolicyAutomated, SyncStatusCode};

use crate::sabotage::{self, Sabotage};

/// What the decision rests on.
#[derive(Clone, Copy, Debug)]
pub struct AutoSyncInput<'a> {
    /// Nothing is done about the application: `argocd.argoproj.io/skip-reconcile`.
    pub suspended: bool,
    /// `spec.syncPolicy.automated`, when it is switched on.
    pub automated: Option<&'a SyncPolicyAutomated>,
    /// An operation runs or is asked for.
    pub operation_pending: bool,
    /// The application is being deleted.
    pub deleting: bool,
    /// The verdict on the newest revision.
    pub sync: SyncStatusCode,
    /// Everything that differs only waits to be pruned.
    pub only_prunes: bool,
    /// The source declares nothing, and there is something to prune.
    pub would_wipe: bool,
    /// What keeps syncs from beginning.
    pub held: Option<HeldBy>,
    /// One that failed, or of which nothing is left, is due to be begun anew.
    pub resumes: bool,
    /// What became of the last operation, if it was for these very objects.
    pub last: LastAttempt,
    /// Why nothing can be written now.
    pub unwritable: Option<Unwritable>,
    /// The newest commit is being looked at.
    pub refreshing: bool,
    /// Writes of before are under way: the last operation's, or repairs of drift.
    pub writing: bool,
}

/// What keeps syncs from beginning; of several the first one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldBy {
    /// Its dependencies cannot be followed: they name no Application, or a ring of them.
    Dependencies,
    /// Another Application is not there yet.
    Application,
    /// No window of the project lets an automated sync through.
    Window,
}

/// Why nothing can be written to a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unwritable {
    /// Another replica writes.
    NotLeading,
    /// The cluster does not answer, or another one does in its place.
    Unreachable,
}

/// The last operation, seen from what is desired now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastAttempt {
    /// It was for other objects, or there was none.
    Other,
    /// It was for these, and ended well.
    Succeeded,
    /// It was for these and ended well, and what it held back from being deleted may be deleted now.
    Released,
    /// It was for these, and did not end well.
    Failed,
    /// It was for these and ended well, and nothing of them is there any more, nor could be put back.
    Lost,
}

/// The decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AutoSync {
    /// Sync now, pruning or not.
    Sync {
        /// Delete what is no longer in the source.
        prune: bool,
        /// Run hooks. Not where only deletes are left of a sync that ran them.
        hooks: bool,
    },
    /// Not now.
    Skip(SkipReason),
}

/// Why an application is not synced by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipReason {
    /// The application is left alone.
    Suspended,
    /// There is no automated policy, or it is paused.
    NotAutomated,
    /// An operation runs or is asked for.
    OperationPending,
    /// It is being deleted.
    Deleting,
    /// It is not known whether it is out of sync.
    Unknown,
    /// Nothing to do.
    Synced,
    /// Only prunes are left, and the policy does not prune.
    PruneNotAllowed,
    /// Synced once already: what differs now is drift, and self-heal's turn.
    Drifted,
    /// Failed for these very objects, retries included, or came to nothing: what it made is gone again. It is begun anew after a while; a new
    /// commit, a changed application or a person does not wait for that.
    AlreadyFailed,
    /// The source is empty, and `allowEmpty` is not set.
    WouldWipe,
    /// It would be synced, and has to wait.
    Held(HeldBy),
    /// It would be synced, and nothing can be written now.
    Unwritable(Unwritable),
    /// A newer commit is on its way: what it brings is synced, not what is about to be old.
    Refreshing,
    /// The writes of before come first: those of two operations never overlap.
    Writing,
}

/// Is an automated sync that prunes refused, where it `empties` the application: the source declares nothing, and there is something to
/// prune?
pub(crate) fn would_wipe(automated: Option<&SyncPolicyAutomated>, empties: bool) -> bool {
    let is_meant = automated.is_some_and(|automated| automated.allow_empty);
    empties && !is_meant && !sabotage::is(Sabotage::WipesWhenEmpty)
}

/// Decides. First reason that holds, in this order.
pub fn auto_sync(input: &AutoSyncInput<'_>) -> AutoSync {
    match (wanted(input), not_now(input)) {
        (Err(reason), _) | (Ok(_), Some(reason)) => AutoSync::Skip(reason),
        (Ok(sync), None) => sync,
    }
}

/// What a broken engine goes by.
const UNASKED: SyncPolicyAutomated = SyncPolicyAutomated {
    prune: false,
    self_heal: false,
    allow_empty: false,
    enabled: None,
};

/// What passes by itself.
fn not_now(input: &AutoSyncInput<'_>) -> Option<SkipReason> {
    let unwritable = input.unwritable.map(SkipReason::Unwritable);
    unwritable
        .or_else(|| input.refreshing.then_some(SkipReason::Refreshing))
        .or_else(|| input.writing.then_some(SkipReason::Writing))
}

/// The sync that is to be, as soon as it can.
fn wanted(input: &AutoSyncInput<'_>) -> Result<AutoSync, SkipReason> {
    if input.suspended {
        return Err(SkipReason::Suspended);
    }
    let unasked = sabotage::is(Sabotage::SyncsUnasked).then_some(&UNASKED);
    let Some(automated) = input.automated.or(unasked) else {
        return Err(SkipReason::NotAutomated);
    };
    let reason = if input.operation_pending {
        SkipReason::OperationPending
    } else if input.deleting {
        SkipReason::Deleting
    } else if input.sync == SyncStatusCode::Unknown {
        SkipReason::Unknown
    } else if input.sync == SyncStatusCode::Synced {
        SkipReason::Synced
    } else if input.only_prunes && !automated.prune {
        SkipReason::PruneNotAllowed
    } else if automated.prune && would_wipe(Some(automated), input.would_wipe) {
        SkipReason::WouldWipe
    } else {
        match (input.last, input.held) {
            (LastAttempt::Failed | LastAttempt::Lost, _) if !input.resumes => SkipReason::AlreadyFailed,
            (LastAttempt::Other | LastAttempt::Released | LastAttempt::Failed | LastAttempt::Lost, Some(by)) => {
                SkipReason::Held(by)
            }
            (LastAttempt::Other | LastAttempt::Failed | LastAttempt::Lost, None) => {
                return Ok(AutoSync::Sync {
                    prune: automated.prune || sabotage::is(Sabotage::PrunesUnasked),
                    hooks: true,
                });
            }
            (LastAttempt::Released, None) if automated.prune => {
                return Ok(AutoSync::Sync {
                    prune: true,
                    hooks: false,
                });
            }
            (LastAttempt::Succeeded, _) | (LastAttempt::Released, None) => SkipReason::Drifted,
        }
    };
    Err(reason)
}

impl Unwritable {
    /// Its name, for the journal.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotLeading => "NotLeading",
            Self::Unreachable => "Unreachable",
        }
    }
}

impl fmt::Display for Unwritable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotLeading => "another replica leads, and only that one writes",
            Self::Unreachable => "the cluster does not answer",
        })
    }
}

impl HeldBy {
    /// Its name, for the journal.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dependencies => "HeldByDependencies",
            Self::Application => "HeldByApplication",
            Self::Window => "HeldByWindow",
        }
    }
}

impl fmt::Display for HeldBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dependencies => "what it depends on cannot be followed",
            Self::Application => "it waits for another Application",
            Self::Window => "no sync window lets it through",
        })
    }
}

impl SkipReason {
    /// Its name, for the journal.
    pub fn name(self) -> &'static str {
        match self {
            Self::Suspended => "Suspended",
            Self::NotAutomated => "NotAutomated",
            Self::OperationPending => "OperationPending",
            Self::Deleting => "Deleting",
            Self::Unknown => "Unknown",
            Self::Synced => "Synced",
            Self::PruneNotAllowed => "PruneNotAllowed",
            Self::Drifted => "Drifted",
            Self::AlreadyFailed => "AlreadyFailed",
            Self::WouldWipe => "WouldWipe",
            Self::Held(by) => by.name(),
            Self::Unwritable(why) => why.name(),
            Self::Refreshing => "Refreshing",
            Self::Writing => "Writing",
        }
    }
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Suspended => "the application is left alone (argocd.argoproj.io/skip-reconcile)",
            Self::NotAutomated => "automated sync is off (spec.syncPolicy.automated)",
            Self::OperationPending => "an operation runs or is asked for",
            Self::Deleting => "the application is being deleted",
            Self::Unknown => "it is not known whether it is out of sync",
            Self::Synced => "it is in sync",
            Self::PruneNotAllowed => "only prunes are left, and spec.syncPolicy.automated.prune is off",
            Self::Drifted => "it was synced already: what differs now is drift",
            Self::AlreadyFailed => "the last sync of these objects failed, or nothing is left of it; it is begun anew after a while, at once with a commit or by hand",
            Self::Held(by) => return by.fmt(f),
            Self::Unwritable(why) => return why.fmt(f),
            Self::Refreshing => "the newest commit is being looked at",
            Self::Writing => "writes of before are under way",
            Self::WouldWipe => {
                "the source declares nothing, and a sync would delete every object; set syncPolicy.automated.allowEmpty if that is meant"
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ON: SyncPolicyAutomated = SyncPolicyAutomated {
        prune: true,
        self_heal: true,
        allow_empty: false,
        enabled: None,
    };

    fn input() -> AutoSyncInput<'static> {
        AutoSyncInput {
            suspended: false,
            automated: Some(&ON),
            operation_pending: false,
            deleting: false,
            sync: SyncStatusCode::OutOfSync,
            only_prunes: false,
            would_wipe: false,
            held: None,
            resumes: false,
            last: LastAttempt::Other,
            unwritable: None,
            refreshing: false,
            writing: false,
        }
    }

    #[test]
    fn every_reason_holds_by_itself() {
        let sync = |hooks| AutoSync::Sync { prune: true, hooks };
        assert_eq!(auto_sync(&input()), sync(true));
        let released = AutoSyncInput {
            last: LastAttempt::Released,
            ..input()
        };
        assert_eq!(auto_sync(&released), sync(false));
        let resumed = AutoSyncInput {
            last: LastAttempt::Failed,
            resumes: true,
            ..input()
        };
        assert_eq!(auto_sync(&resumed), sync(true));
        let off = SyncPolicyAutomated::default();
        #[rustfmt::skip]
        let cases = [
            (AutoSyncInput { suspended: true, ..input() }, SkipReason::Suspended),
            (AutoSyncInput { automated: None, ..input() }, SkipReason::NotAutomated),
            (AutoSyncInput { operation_pending: true, ..input() }, SkipReason::OperationPending),
            (AutoSyncInput { deleting: true, ..input() }, SkipReason::Deleting),
            (AutoSyncInput { sync: SyncStatusCode::Unknown, ..input() }, SkipReason::Unknown),
            (AutoSyncInput { sync: SyncStatusCode::Synced, ..input() }, SkipReason::Synced),
            (AutoSyncInput { automated: Some(&off), only_prunes: true, ..input() }, SkipReason::PruneNotAllowed),
            (AutoSyncInput { would_wipe: true, ..input() }, SkipReason::WouldWipe),
            (AutoSyncInput { held: Some(HeldBy::Dependencies), ..input() }, SkipReason::Held(HeldBy::Dependencies)),
            (AutoSyncInput { held: Some(HeldBy::Application), ..input() }, SkipReason::Held(HeldBy::Application)),
            (AutoSyncInput { held: Some(HeldBy::Window), ..input() }, SkipReason::Held(HeldBy::Window)),
            // Nothing would begin anyway: that it has to wait is no reason.
            (AutoSyncInput { held: Some(HeldBy::Window), last: LastAttempt::Failed, ..input() }, SkipReason::AlreadyFailed),
            (AutoSyncInput { held: Some(HeldBy::Window), ..resumed }, SkipReason::Held(HeldBy::Window)),
            (AutoSyncInput { last: LastAttempt::Succeeded, ..input() }, SkipReason::Drifted),
            (AutoSyncInput { automated: Some(&off), last: LastAttempt::Released, ..input() }, SkipReason::Drifted),
            (AutoSyncInput { last: LastAttempt::Failed, ..input() }, SkipReason::AlreadyFailed),
            (AutoSyncInput { unwritable: Some(Unwritable::NotLeading), ..input() }, SkipReason::Unwritable(Unwritable::NotLeading)),
            (AutoSyncInput { unwritable: Some(Unwritable::Unreachable), ..input() }, SkipReason::Unwritable(Unwritable::Unreachable)),
            (AutoSyncInput { refreshing: true, ..input() }, SkipReason::Refreshing),
            (AutoSyncInput { writing: true, ..input() }, SkipReason::Writing),
            // What passes by itself is said only of what would be synced then.
            (AutoSyncInput { refreshing: true, writing: true, sync: SyncStatusCode::Synced, ..input() }, SkipReason::Synced),
        ];
        for (input, reason) in cases {
            assert_eq!(auto_sync(&input), AutoSync::Skip(reason));
        }
    }
}
