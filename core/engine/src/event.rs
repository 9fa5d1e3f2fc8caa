//! What the engine is told.

use std::collections::BTreeMap;
use std::time::Duration;

use capstan_model::{
    AppProject, Application, ApplicationId, ClusterId, GroupKind, GroupVersionKind, InvalidApplication, Operation,
    ResourceKey, Timestamp,
};
use serde_json::Value;

use crate::compare::PairVerdict;
use crate::effect::EffectId;
use crate::targets::Targets;

/// Something that was observed, asked for, or came back.
#[derive(Clone, Debug)]
pub enum Event {
    /// An Application exists and reads so. Comes again at every change, our own status writes included.
    ApplicationObserved(Box<Application>),
    /// An Application exists and cannot be understood. It keeps the spec that it had; nothing of it is deleted, unless it is deleted itself.
    ApplicationInvalid {
        /// What can be read of it ([`Application::readable`]).
        application: Box<Application>,
        /// What is wrong with it.
        error: InvalidApplication,
    },
    /// An Application is proven gone from the control cluster (a DELETED event, or absent from a complete list).
    ApplicationGone(ApplicationId),
    /// The first complete list of Applications has been delivered.
    ApplicationsListed,
    /// A project exists and reads so.
    ProjectObserved(Box<AppProject>),
    /// A project is proven gone.
    ProjectGone(String),
    /// The first complete list of projects has been delivered.
    ProjectsListed,
    /// A cluster answers and has told what it serves. Comes again when that changes.
    ClusterConnected(ClusterId, Discovery),
    /// A cluster does not answer. What was known of it is stale: Unknown, never Missing.
    ClusterLost(ClusterId, String),
    /// A complete list of one kind. Objects of that kind which are not in it are proven gone.
    Relisted {
        /// Where.
        cluster: ClusterId,
        /// Kind.
        kind: GroupKind,
        /// All of them, whole.
        objects: Vec<Value>,
    },
    /// An object was added or changed.
    LiveObserved(ClusterId, Box<Value>),
    /// An object is proven gone.
    LiveGone {
        /// Where.
        cluster: ClusterId,
        /// Which.
        key: ResourceKey,
        /// The identity that is gone: one of the same name may exist already.
        uid: String,
    },
    /// A kind cannot be listed or watched: what was known of it is stale.
    KindUnavailable {
        /// Where.
        cluster: ClusterId,
        /// Kind.
        kind: GroupKind,
        /// What the API said.
        reason: String,
    },
    /// A repository has news (a webhook, or the poller saw a reference move). Applications of it resolve again.
    SourceChanged {
        /// URL as applications write it, up to normalisation.
        repo_url: String,
    },
    /// Somebody wants an application compared with the newest revision, now.
    RefreshRequested {
        /// Which.
        id: ApplicationId,
        /// Also forget cached renders.
        hard: bool,
    },
    /// Somebody asks for a sync by the API (by the resource's `operation` field it comes with `ApplicationObserved`).
    SyncRequested {
        /// Which.
        id: ApplicationId,
        /// What.
        operation: Box<Operation>,
    },
    /// What of deletes is paused, as the control namespace's ConfigMap says. Until this comes nothing is.
    DeletesPaused(crate::guard::Pause),
    /// What is about to be deleted was kept for `undelete`, or was not. Told before the DELETE is sent.
    Kept {
        /// Whose it is.
        id: ApplicationId,
        /// Which.
        key: ResourceKey,
        /// How.
        keeping: Keeping,
    },
    /// Somebody wants the running operation stopped.
    TerminateRequested {
        /// Which.
        id: ApplicationId,
        /// Who.
        by: String,
    },
    /// This replica leads, or no longer does. While it does not, the engine emits no writes.
    LeadershipChanged {
        /// Leads.
        leads: bool,
        /// The lease it leads by; `None` where there is no election.
        fence: Option<crate::guard::Fence>,
    },
    /// An effect was carried out, or not.
    Completed(EffectId, Outcome),
}

/// What a cluster serves.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Discovery {
    /// UID of the namespace `kube-system`: the identity of the cluster behind its URL.
    pub cluster_uid: String,
    /// Such as `v1.36.3`.
    pub version: String,
    /// Every kind, at its preferred version and the others.
    pub kinds: BTreeMap<GroupKind, ServedKind>,
    /// Groups that could not be discovered: their kinds are unknown, not absent.
    pub incomplete_groups: Vec<String>,
}

/// One kind that a cluster serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedKind {
    /// Preferred version.
    pub version: String,
    /// All served versions.
    pub versions: Vec<String>,
    /// Plural name in URLs.
    pub plural: String,
    /// Lives in namespaces.
    pub namespaced: bool,
    /// Can be listed and watched.
    pub watchable: bool,
}

/// Whether a cluster serves a kind: "not known" is not "no".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KindLookup<'a> {
    /// It does.
    Served(&'a ServedKind),
    /// It does not, and that is proven.
    NotServed,
    /// Discovery of the group failed.
    Unknown,
}

impl Discovery {
    /// Does the cluster serve `kind`?
    pub fn lookup(&self, kind: &GroupKind) -> KindLookup<'_> {
        match self.kinds.get(kind) {
            Some(served) => KindLookup::Served(served),
            None if self.incomplete_groups.contains(&kind.group) => KindLookup::Unknown,
            None => KindLookup::NotServed,
        }
    }

    /// `group/version` and `group/version/Kind` of everything served, as Helm's `.Capabilities.APIVersions` wants them.
    pub fn api_versions(&self) -> Vec<String> {
        let mut versions = std::collections::BTreeSet::new();
        for (kind, served) in &self.kinds {
            for version in &served.versions {
                let gvk = GroupVersionKind {
                    group: kind.group.clone(),
                    version: version.clone(),
                    kind: kind.kind.clone(),
                };
                versions.insert(gvk.api_version());
                versions.insert(format!("{}/{}", gvk.api_version(), kind.kind));
            }
        }
        versions.into_iter().collect()
    }
}

/// What became of an effect. The variant matches the effect's kind.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Of `ResolveRevision`: one a source, in order.
    Resolved(Result<Vec<ResolvedRevision>, SourceFailure>),
    /// Of `Render`.
    Rendered(Result<Targets, SourceFailure>),
    /// Of `TraceDescent`: one a step, in order.
    Descent(Result<Vec<Descent>, SourceFailure>),
    /// Of `Compare`.
    Compared(Vec<PairVerdict>),
    /// Of `Apply`: the object as the server now has it.
    Applied(Result<Box<Value>, WriteError>),
    /// Of `Delete`.
    Deleted(Result<Deletion, WriteError>),
    /// Of `Observe`: the object, or its proven absence.
    Observed(Result<Option<Box<Value>>, WriteError>),
    /// Of `Pause`: it may go on, or why it must not.
    Paused(Result<(), String>),
    /// Of `RemoveFinalizer`, `MigrateFields`, `PatchApplication` and `PatchStatus`: the object's new version.
    Patched(Result<String, WriteError>),
}

/// A revision that was resolved to an immutable commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolvedRevision {
    /// Commit id, 40 hex digits.
    pub revision: String,
    /// `Name <mail>` of the commit's author.
    pub author: String,
    /// First line of its message.
    pub subject: String,
    /// When it was committed.
    pub time: Option<Timestamp>,
}

/// Does a commit follow another one?
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Descent {
    /// The other one is among its ancestors, or is the same.
    Follows,
    /// It is not, and that is proven.
    Diverged,
    /// The revision names no branch (a tag, a range of versions, a chart): there is nothing to follow.
    NotABranch,
    /// That cannot be told; why.
    Unknown(String),
}

/// A source could not be resolved, read or rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFailure {
    /// What, where (file:line), why, what next; secrets redacted.
    pub message: String,
    /// May it go away by itself (network, rate limit), so that trying again helps without a change in the source?
    pub transient: bool,
}

/// What became of the manifest of an object that is about to be deleted. Never the manifest itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Keeping {
    /// It can be created again.
    #[error("kept as Secret {secret} until {until}: `capstan undelete` creates it again")]
    Kept {
        /// `namespace/name` of the Secret.
        secret: String,
        /// When that goes.
        until: Timestamp,
    },
    /// It cannot, and is deleted all the same.
    #[error("not kept for `capstan undelete`, and deleted all the same: {why}")]
    NotKept {
        /// Why.
        why: String,
    },
}

/// What a delete did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// The object is gone, and that is proven: the API deleted it, or says that this very object is not there.
    Gone,
    /// The API accepted; finalizers or children are still being dealt with.
    Accepted,
    /// The live object is not what the permit was given for; nothing was sent.
    Refused(crate::guard::DeleteRefusal),
}

/// Why a write to the API failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// Will likely work later: connection refused, 5xx.
    #[error("{0}")]
    Transient(String),
    /// 409: somebody else wrote between, or owns the field, or the object exists already.
    #[error("{0}")]
    Conflict(String),
    /// 404 about this very object, by its name: proof that it is not there.
    #[error("{0}")]
    NotFound(String),
    /// 404 about anything else: a kind or version that is not served, a Namespace that is missing, a proxy that has no server behind
    /// it. It says nothing about the object, which may well be there.
    #[error("{0}")]
    PathNotFound(String),
    /// 401, 403.
    #[error("{0}")]
    Forbidden(String),
    /// 400, 413, 422: will not work until the object changes.
    #[error("{0}")]
    Invalid(String),
    /// 429.
    #[error("{message}")]
    RateLimited {
        /// What the API said.
        message: String,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// The request may or may not have been carried out (timeout, reset, 504): look before doing anything else.
    #[error("{0}")]
    OutcomeUnknown(String),
}

impl WriteError {
    /// The variant's name: stable, a label of metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Transient(_) => "Transient",
            Self::Conflict(_) => "Conflict",
            Self::NotFound(_) => "NotFound",
            Self::PathNotFound(_) => "PathNotFound",
            Self::Forbidden(_) => "Forbidden",
            Self::Invalid(_) => "Invalid",
            Self::RateLimited { .. } => "RateLimited",
            Self::OutcomeUnknown(_) => "OutcomeUnknown",
        }
    }
}
