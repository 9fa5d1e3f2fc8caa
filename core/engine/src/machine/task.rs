//! Where one task of an operation is.

use capstan_model::Timestamp;

use crate::sabotage::{self, Sabotage};
/// The state of a task, by what the task does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TaskState {
    /// Writes an object.
    Write(WriteTask),
    /// Runs a hook.
    Hook(HookTask),
    /// Deletes an object.
    Prune(PruneTask),
    /// Marks that everything before it is done: derived from what it depends on.
    Milestone { applied: bool, settled: bool },
}

/// Writing one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WriteTask {
    /// What it depends on is not done. Left when that is.
    Blocked,
    /// What others applied is being handed over to us. Left by the answer.
    TakingOver,
    /// It is ours; the write follows. Left when that is sent.
    TakenOver,
    /// The write is under way. Left by its outcome.
    Applying,
    /// The write failed in passing, or the kind is not served yet. Left at `until`.
    BackingOff {
        attempts: u32,
        until: Timestamp,
        why: String,
    },
    /// Written (or found as desired); not settled until an observation of at least this generation is healthy.
    AwaitingHealth { uid: String, generation: i64 },
    /// It cannot be changed in place, and may be made anew (`Force=true`); the delete follows. Left when that is sent.
    Unchangeable { why: String },
    /// It cannot be changed in place and is being deleted to be created anew (`Force=true`). Left when it is observed gone, or when a look
    /// shows that the delete did not happen. `look`: how often, and when, it is looked at, where the outcome of the delete is not known.
    Recreating {
        uid: String,
        why: String,
        look: Option<(u32, Timestamp)>,
    },
    /// Settled.
    Synced,
    /// Will not work until the object changes.
    SyncFailed(String),
}

/// Running one hook. Its outcome is taken only from the object with the UID that this attempt created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HookTask {
    /// What it depends on is not done. Left when that is.
    Blocked,
    /// The intent to create it is being made durable. Left when the status write is acknowledged.
    Recording,
    /// An earlier one of its name is held by Argo CD's hook finalizer, which is being taken off. Left by its outcome.
    Releasing { uid: String },
    /// That earlier one is let go; its delete follows. Left when that is sent.
    Released { uid: String },
    /// The DELETE of an earlier one of its name is under way. Left by its outcome.
    DeletingPrevious { uid: String },
    /// An earlier one of its name has finalizers. Left when it is observed gone.
    PreviousFinalizing { uid: String },
    /// The create is under way. Left by its outcome.
    Creating,
    /// The outcome of the create is not known: it is looked at. Left by the answer.
    Looking,
    /// A request failed in passing. Left at `until`.
    BackingOff {
        attempts: u32,
        until: Timestamp,
        why: String,
    },
    /// It runs. Left when it is observed finished, or gone.
    Running { uid: String },
    /// Finished well.
    Succeeded,
    /// Finished badly, or could not be run.
    Failed(String),
}

/// Deleting one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PruneTask {
    /// What it depends on is not done. Left when that is.
    Blocked,
    /// `Prune=confirm`. Left when the application is annotated with an approval.
    AwaitingConfirmation,
    /// The delete is under way. Left by its outcome.
    Deleting { uid: String },
    /// The request failed in passing. Left at `until`.
    BackingOff {
        attempts: u32,
        until: Timestamp,
        why: String,
    },
    /// Accepted: finalizers or children are being dealt with. Left when it is observed gone.
    Finalizing { uid: String },
    /// Observed gone.
    Pruned,
    /// Left, and why.
    PruneSkipped(String),
    /// Could not be deleted: it stays in the inventory.
    PruneFailed(String),
}

impl TaskState {
    /// Its write was accepted: enough for what only comes after it in kind order.
    pub(crate) fn is_applied(&self) -> bool {
        match self {
            Self::Write(state) => matches!(state, WriteTask::AwaitingHealth { .. } | WriteTask::Synced),
            Self::Hook(state) => matches!(state, HookTask::Running { .. } | HookTask::Succeeded),
            Self::Prune(state) => matches!(
                state,
                PruneTask::Finalizing { .. } | PruneTask::Pruned | PruneTask::PruneSkipped(_)
            ),
            Self::Milestone { applied, .. } => *applied,
        }
    }

    /// Done, and observed to be: enough for the next wave.
    pub(crate) fn is_settled(&self) -> bool {
        match self {
            Self::Write(state) => *state == WriteTask::Synced,
            Self::Hook(state) => *state == HookTask::Succeeded,
            Self::Prune(PruneTask::Finalizing { .. }) => sabotage::is(Sabotage::DoesNotAwaitPrunes),
            Self::Prune(state) => matches!(state, PruneTask::Pruned | PruneTask::PruneSkipped(_)),
            Self::Milestone { settled, .. } => *settled,
        }
    }

    /// Why it failed.
    pub(crate) fn failure(&self) -> Option<&str> {
        match self {
            Self::Write(WriteTask::SyncFailed(why))
            | Self::Hook(HookTask::Failed(why))
            | Self::Prune(PruneTask::PruneFailed(why)) => Some(why),
            _ => None,
        }
    }

    /// Has it begun and not ended, by itself or by somebody else's doing?
    pub(crate) fn is_active(&self) -> bool {
        match self {
            Self::Write(state) => matches!(
                state,
                WriteTask::TakingOver | WriteTask::Applying | WriteTask::Recreating { .. }
            ),
            Self::Hook(state) => !matches!(state, HookTask::Blocked | HookTask::Succeeded | HookTask::Failed(_)),
            Self::Prune(state) => matches!(state, PruneTask::Deleting { .. }),
            Self::Milestone { .. } => false,
        }
    }

    pub(crate) fn is_blocked(&self) -> bool {
        matches!(
            self,
            Self::Write(WriteTask::Blocked) | Self::Hook(HookTask::Blocked) | Self::Prune(PruneTask::Blocked)
        )
    }

    /// How often it was put off in a row; `None` where that is kept as it was.
    pub(crate) fn attempts(&self) -> Option<u32> {
        match self {
            Self::Write(WriteTask::BackingOff { attempts, .. })
            | Self::Hook(HookTask::BackingOff { attempts, .. })
            | Self::Prune(PruneTask::BackingOff { attempts, .. }) => Some(*attempts),
            Self::Write(WriteTask::Recreating { look, .. }) => look.map(|(attempts, _)| attempts),
            Self::Write(WriteTask::AwaitingHealth { .. }) | Self::Hook(HookTask::Running { .. }) => Some(0),
            _ => None,
        }
    }

    /// When it wants to be looked at again.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        match self {
            Self::Write(WriteTask::BackingOff { until, .. })
            | Self::Hook(HookTask::BackingOff { until, .. })
            | Self::Prune(PruneTask::BackingOff { until, .. }) => Some(*until),
            Self::Write(WriteTask::Recreating { look, .. }) => look.map(|(_, until)| until),
            _ => None,
        }
    }

    /// The state's name: what views and the journal show.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Write(state) => match state {
                WriteTask::Blocked => "Blocked",
                WriteTask::TakingOver | WriteTask::TakenOver => "TakingOver",
                WriteTask::Applying => "Applying",
                WriteTask::BackingOff { .. } => "BackingOff",
                WriteTask::AwaitingHealth { .. } => "AwaitingHealth",
                WriteTask::Unchangeable { .. } => "Unchangeable",
                WriteTask::Recreating { .. } => "Recreating",
                WriteTask::Synced => "Synced",
                WriteTask::SyncFailed(_) => "SyncFailed",
            },
            Self::Hook(state) => match state {
                HookTask::Blocked => "Blocked",
                HookTask::Recording => "Recording",
                HookTask::Releasing { .. } | HookTask::Released { .. } => "Releasing",
                HookTask::DeletingPrevious { .. } | HookTask::PreviousFinalizing { .. } => "DeletingPrevious",
                HookTask::Creating => "Creating",
                HookTask::Looking => "Looking",
                HookTask::BackingOff { .. } => "BackingOff",
                HookTask::Running { .. } => "Running",
                HookTask::Succeeded => "Succeeded",
                HookTask::Failed(_) => "Failed",
            },
            Self::Prune(state) => match state {
                PruneTask::Blocked => "Blocked",
                PruneTask::AwaitingConfirmation => "AwaitingConfirmation",
                PruneTask::Deleting { .. } => "Deleting",
                PruneTask::BackingOff { .. } => "BackingOff",
                PruneTask::Finalizing { .. } => "Finalizing",
                PruneTask::Pruned => "Pruned",
                PruneTask::PruneSkipped(_) => "PruneSkipped",
                PruneTask::PruneFailed(_) => "PruneFailed",
            },
            Self::Milestone { .. } => "Milestone",
        }
    }
}
