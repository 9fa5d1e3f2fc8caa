//! One task of a pass, and what a pass asks for.

use std::collections::{BTreeMap, BTreeSet};

use capstan_model::{
    GroupVersionKind, HookDeletePolicy, OperationPhase, PruneOption, ResourceKey, ResourceResult, ResultCode, SyncPhase,
};
use serde_json::Value;

use crate::effect::ApplyMode;
use crate::health::HealthVerdict;

/// What a task is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// A desired object: its index in the targets.
    Target(usize),
    /// The destination namespace.
    Namespace,
    /// A live object that nothing declares.
    Live,
}

/// What a pass knows of a live object.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    pub(crate) uid: String,
    pub(crate) resource_version: String,
    pub(crate) is_deleting: bool,
    /// Has Argo CD's hook finalizer.
    pub(crate) is_held: bool,
    pub(crate) health: HealthVerdict,
    /// Fields of it belong to client-side apply.
    pub(crate) is_client_side: bool,
}

/// How a task's object is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Manner {
    pub(crate) replace: bool,
    pub(crate) force: bool,
    pub(crate) server_side: bool,
    pub(crate) migrate: bool,
    pub(crate) validate: bool,
}

/// One object of a pass.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    /// As the cluster has it.
    pub(crate) key: ResourceKey,
    /// As it is reported: an object without a namespace has the application's, whatever its scope.
    pub(crate) reported: ResourceKey,
    pub(crate) gvk: GroupVersionKind,
    pub(crate) phase: SyncPhase,
    pub(crate) wave: i64,
    pub(crate) body: Body,
    /// Runs and ends: not an ordinary object.
    pub(crate) is_hook: bool,
    pub(crate) policies: BTreeSet<HookDeletePolicy>,
    pub(crate) live: Option<Live>,
    pub(crate) manner: Manner,
    /// Its own annotation says `Force=true`.
    pub(crate) forces_itself: bool,
    pub(crate) prune: Option<PruneOption>,
    pub(crate) prune_last: bool,
    /// Its kind is not served yet.
    pub(crate) skip_dry_run: bool,
    /// Why nothing may be done at all.
    pub(crate) invalid: Option<String>,
    /// There and as desired.
    pub(crate) is_unmodified: bool,
    pub(crate) status: Option<ResultCode>,
    /// `None`: has not begun.
    pub(crate) state: Option<OperationPhase>,
    pub(crate) message: String,
}

impl Task {
    pub(crate) fn is_prune(&self) -> bool {
        self.body == Body::Live
    }

    pub(crate) fn is_pending(&self) -> bool {
        self.state.is_none()
    }

    pub(crate) fn is_running(&self) -> bool {
        self.state == Some(OperationPhase::Running)
    }

    pub(crate) fn is_completed(&self) -> bool {
        self.state.is_some_and(OperationPhase::is_completed)
    }

    pub(crate) fn is_failed(&self) -> bool {
        self.is_completed() && self.state != Some(OperationPhase::Succeeded)
    }

    /// Has a policy, and something to delete.
    pub(crate) fn is_deleted_by(&self, policy: HookDeletePolicy) -> bool {
        self.is_hook && self.live.is_some() && self.policies.contains(&policy)
    }

    /// An earlier run of it has to go first.
    pub(crate) fn is_in_the_way(&self) -> bool {
        self.is_pending() && self.is_deleted_by(HookDeletePolicy::BeforeHookCreation)
    }

    pub(crate) fn needs_confirmation(&self) -> bool {
        self.prune == Some(PruneOption::Confirm)
    }

    /// As messages name it.
    pub(crate) fn title(&self) -> String {
        format!("{}/{}/{}", self.key.group, self.key.kind, self.key.name)
    }

    /// Under what its result is kept.
    pub(crate) fn result_key(&self) -> (ResourceKey, SyncPhase) {
        (self.reported.clone(), self.phase)
    }
}

/// Where each result is.
pub(crate) fn index(results: &[ResourceResult]) -> BTreeMap<(ResourceKey, SyncPhase), usize> {
    let key = |result: &ResourceResult| (result.key(), result.sync_phase.unwrap_or(SyncPhase::Sync));
    results
        .iter()
        .enumerate()
        .map(|(at, result)| (key(result), at))
        .collect()
}

/// One thing a pass wants done.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    /// Index of the task.
    pub(crate) task: usize,
    pub(crate) what: What,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum What {
    /// Of a server-side apply, fields of client-side apply may be taken over first.
    Write {
        mode: ApplyMode,
        dry_run: bool,
        migrate: bool,
    },
    Delete,
    Release,
    Look,
    /// The pause after a wave.
    Pause {
        phase: SyncPhase,
        wave: i64,
        last: bool,
    },
}

/// What came of it.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Done,
    /// Of a look: the object, or its absence.
    Seen(Option<Box<Value>>),
    NotFound,
    /// Somebody wrote between.
    Conflict(String),
    /// The object cannot be changed so.
    Invalid(String),
    Failed(String),
    /// A guard keeps it from being deleted; why.
    Held(String),
}

impl Answer {
    /// The failure, if it is one.
    pub(crate) fn failure(&self) -> Option<&str> {
        match self {
            Self::Done | Self::Seen(_) | Self::Held(_) => None,
            Self::NotFound => Some("not found"),
            Self::Conflict(why) | Self::Invalid(why) | Self::Failed(why) => Some(why),
        }
    }
}
