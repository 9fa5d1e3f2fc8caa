//! `Application.status`: what the controller says, and what it needs to go on after a restart.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    ApplicationDestination, ApplicationSource, ManagedNamespaceMetadata, Operation, OperationInitiator,
    ResourceIgnoreDifferences,
};
use crate::{GroupVersionKind, HookType, ResourceKey, Timestamp};

/// `status`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ApplicationStatus {
    /// Is live what Git says?
    pub sync: SyncStatus,
    /// Does it work?
    pub health: HealthStatus,
    /// The objects, the inventory of what is tracked. An entry leaves only after its object was observed gone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<ResourceStatus>,
    /// Successful syncs, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<RevisionHistory>,
    /// What is wrong or noteworthy.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<ApplicationCondition>,
    /// The running or the last operation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation_state: Option<OperationState>,
    /// When it was last compared with a fresh revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reconciled_at: Option<Timestamp>,
    /// `Helm`, `Directory`, …
    #[serde(skip_serializing_if = "String::is_empty")]
    pub source_type: String,
    /// Images and URLs.
    pub summary: ApplicationSummary,
    /// Namespace of the controller.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub controller_namespace: String,
    /// Is a verdict or a health absent in the resource? What is read there is `Unknown`, too, but people see nothing.
    #[serde(skip)]
    pub lacks_verdicts: bool,
}

/// Is live what Git says? Derived, never stored as a state of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SyncStatusCode {
    /// Not known: something could not be read.
    #[default]
    Unknown,
    /// Equal.
    Synced,
    /// Different.
    OutOfSync,
}

impl fmt::Display for SyncStatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// `status.sync`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SyncStatus {
    /// The verdict.
    pub status: SyncStatusCode,
    /// What it was compared to.
    pub compared_to: ComparedTo,
    /// Commit it was compared to.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub revision: String,
    /// Commits, one a source.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub revisions: Vec<String>,
}

/// `status.sync.comparedTo`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ComparedTo {
    /// The one source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<ApplicationSource>,
    /// Several sources.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<ApplicationSource>,
    /// Destination.
    pub destination: ApplicationDestination,
    /// Differences that did not count.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignore_differences: Vec<ResourceIgnoreDifferences>,
}

/// Does it work? Ordered from best to worst, as Argo CD aggregates: the worst wins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum HealthStatusCode {
    /// Works.
    Healthy,
    /// Paused on purpose.
    Suspended,
    /// On its way.
    Progressing,
    /// Not there, and that is proven.
    Missing,
    /// Does not work.
    Degraded,
    /// Not known.
    #[default]
    Unknown,
}

impl fmt::Display for HealthStatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// `status.health`, of an application or an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HealthStatus {
    /// The verdict.
    pub status: HealthStatusCode,
    /// Why.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<Timestamp>,
}

impl HealthStatus {
    /// A verdict with its reason.
    pub fn new(status: HealthStatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            last_transition_time: None,
        }
    }
}

/// One object of `status.resources`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceStatus {
    /// API group.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// API version.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// Kind.
    pub kind: String,
    /// Namespace.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Synced or not; absent for a hook.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<SyncStatusCode>,
    /// Health; absent for a kind without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<HealthStatus>,
    /// Is a hook.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub hook: bool,
    /// Is no longer in the source.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub requires_pruning: bool,
    /// Its wave.
    #[serde(skip_serializing_if = "is_zero")]
    pub sync_wave: i64,
    /// `Delete=confirm` or `Prune=confirm`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub requires_deletion_confirmation: bool,
}

impl ResourceStatus {
    /// The object's key.
    pub fn key(&self) -> ResourceKey {
        ResourceKey::new(&self.group, &self.kind, &self.namespace, &self.name)
    }
}

/// One successful sync.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RevisionHistory {
    /// Number, growing.
    pub id: u64,
    /// Commit.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub revision: String,
    /// Commits, one a source.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub revisions: Vec<String>,
    /// Source it was synced from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<ApplicationSource>,
    /// Sources it was synced from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<ApplicationSource>,
    /// Began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deploy_started_at: Option<Timestamp>,
    /// Ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployed_at: Option<Timestamp>,
    /// Who asked.
    pub initiated_by: OperationInitiator,
}

/// Argo CD's types of conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ConditionType {
    /// Sources could not be read, rendered or compared.
    ComparisonError,
    /// Somebody keeps changing a field back: it is left to them.
    Contended,
    /// Objects could not be deleted.
    DeletionError,
    /// An object is excluded by settings.
    ExcludedResourceWarning,
    /// The spec cannot mean anything.
    InvalidSpecError,
    /// Something in the manifests is odd: a word that is not known, an object declared twice.
    ManifestWarning,
    /// Objects belong to nobody.
    OrphanedResourceWarning,
    /// A prune is held back by a guard.
    PruneHeld,
    /// One object is declared twice.
    RepeatedResourceWarning,
    /// An object belongs to another application too.
    SharedResourceWarning,
    /// A sync failed or is refused.
    SyncError,
    /// A sync would begin, and waits: for another Application, or for a sync window.
    SyncHeld,
    /// Anything else.
    UnknownError,
}

impl fmt::Display for ConditionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// One of `status.conditions`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationCondition {
    /// Type.
    #[serde(rename = "type")]
    pub kind: ConditionType,
    /// What, where, why, what next.
    #[serde(default)]
    pub message: String,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<Timestamp>,
}

/// Phase of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum OperationPhase {
    /// Under way.
    Running,
    /// Being stopped.
    Terminating,
    /// Ended: objects or hooks failed.
    Failed,
    /// Ended: could not be carried out.
    Error,
    /// Ended well.
    Succeeded,
}

impl OperationPhase {
    /// Is it over?
    pub fn is_completed(self) -> bool {
        matches!(self, Self::Failed | Self::Error | Self::Succeeded)
    }
}

impl fmt::Display for OperationPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// `status.operationState`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OperationState {
    /// What was asked for, with its pinned revision.
    pub operation: Operation,
    /// Where it is.
    pub phase: OperationPhase,
    /// What it waits for, or why it ended.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Began.
    pub started_at: Timestamp,
    /// Ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// Retries so far.
    #[serde(default, skip_serializing_if = "is_zero_u64")]
    pub retry_count: u64,
    /// Objects, one by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sync_result: Option<SyncOperationResult>,
}

/// `status.operationState.syncResult`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SyncOperationResult {
    /// One a task.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<ResourceResult>,
    /// Pinned commit.
    pub revision: String,
    /// Pinned commits, one a source.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub revisions: Vec<String>,
    /// Source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<ApplicationSource>,
    /// Sources.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<ApplicationSource>,
    /// What this sync, or one before it, kept of the destination namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub managed_namespace_metadata: Option<ManagedNamespaceMetadata>,
}

/// Phase of a sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SyncPhase {
    /// Hooks before.
    PreSync,
    /// Ordinary objects.
    Sync,
    /// Hooks after.
    PostSync,
    /// Hooks of a failed sync.
    SyncFail,
}

impl fmt::Display for SyncPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What became of one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ResultCode {
    /// Applied.
    Synced,
    /// Could not be applied.
    SyncFailed,
    /// Deleted.
    Pruned,
    /// Left, and the message says why.
    PruneSkipped,
}

/// One of `syncResult.resources`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceResult {
    /// API group.
    pub group: String,
    /// API version.
    pub version: String,
    /// Kind.
    pub kind: String,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// What became of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<ResultCode>,
    /// Details.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Type of a hook.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hook_type: Option<HookType>,
    /// Where a hook, or the wait for an object's health, is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hook_phase: Option<OperationPhase>,
    /// Phase it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sync_phase: Option<SyncPhase>,
    /// Images of the object.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<String>,
}

impl ResourceResult {
    /// Of an object, with nothing said yet.
    pub fn of(key: &ResourceKey, gvk: &GroupVersionKind) -> Self {
        Self {
            group: key.group.clone(),
            version: gvk.version.clone(),
            kind: key.kind.clone(),
            namespace: key.namespace.clone(),
            name: key.name.clone(),
            ..Self::default()
        }
    }

    /// The object's key.
    pub fn key(&self) -> ResourceKey {
        ResourceKey::new(&self.group, &self.kind, &self.namespace, &self.name)
    }
}

/// `status.summary`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ApplicationSummary {
    /// URLs of ingresses and load balancers.
    #[serde(rename = "externalURLs", skip_serializing_if = "Vec::is_empty")]
    pub external_urls: Vec<String>,
    /// Images that run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<String>,
}

fn is_zero(value: &i64) -> bool {
    *value == 0
}

fn is_zero_u64(value: &u64) -> bool {
    *value == 0
}
