//! Read models: what the engine knows of one application, for the dashboard, the API, the command line and metrics.

use capstan_model::{
    ApplicationCondition, ApplicationDestination, ApplicationId, ApplicationSource, HealthStatus, HookType,
    OperationPhase, ResourceKey, RevisionHistory, SyncPhase, SyncStatusCode, Timestamp,
};
use serde::Serialize;

use crate::compare::FieldDifference;

/// One application, as of one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationView {
    /// Which.
    pub id: ApplicationId,
    /// Its project.
    pub project: String,
    /// Its sources.
    pub sources: Vec<ApplicationSource>,
    /// Where it goes.
    pub destination: ApplicationDestination,
    /// Is it synced without being asked, and how: `prune`, `selfHeal`.
    pub automated: Option<AutomatedView>,
    /// Verdict.
    pub sync: SyncStatusCode,
    /// Health.
    pub health: HealthStatus,
    /// Commit it is compared with; empty when none was resolved yet.
    pub revision: String,
    /// Author of that commit.
    pub author: String,
    /// First line of its message.
    pub subject: String,
    /// One sentence: what is the state, and why.
    pub sentence: String,
    /// Why it stays as it is, where it differs from Git and no sync is under way, or where it is left alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// The running or the last operation.
    pub operation: Option<OperationView>,
    /// The deletion that is under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion: Option<DeletionView>,
    /// Managed objects and what they own, parents before children.
    pub resources: Vec<ResourceView>,
    /// What is wrong or noteworthy.
    pub conditions: Vec<ApplicationCondition>,
    /// What is not deleted until somebody approves or its reason goes away.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<HoldView>,
    /// Successful syncs, oldest first.
    pub history: Vec<RevisionHistory>,
}

/// Deletes that are held.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HoldView {
    /// By which rule, with what it is set to.
    pub rule: String,
    /// Why.
    pub why: String,
    /// How to go on.
    pub next: String,
    /// Names the rule and the objects: an approval counts for these only.
    pub plan: String,
    /// Since when.
    pub since: Timestamp,
    /// It was approved, and what it held is about to be deleted.
    pub approved: bool,
    /// How many objects.
    pub count: usize,
    /// Which; the first hundred.
    pub objects: Vec<ResourceKey>,
}

/// The automated policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AutomatedView {
    /// Deletes what is no longer in the source.
    pub prune: bool,
    /// Puts drift right.
    pub self_heal: bool,
}

/// An operation.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OperationView {
    /// Phase.
    pub phase: OperationPhase,
    /// What it waits for, since when; or why it ended.
    pub message: String,
    /// Who asked.
    pub initiated_by: String,
    /// Pinned commit.
    pub revision: String,
    /// Began.
    pub started_at: Timestamp,
    /// Ended.
    pub finished_at: Option<Timestamp>,
    /// Retries so far.
    pub retry_count: u64,
    /// Its tasks, in the order of the plan.
    pub tasks: Vec<TaskView>,
}

/// A deletion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeletionView {
    /// Its part: `PreDelete`, `PreDeleteCleanup`, `Objects`, `PostDelete`, `PostDeleteCleanup`.
    pub stage: String,
    /// In this part since.
    pub since: Timestamp,
    /// What it waits for, with since when and until when.
    pub waits: Vec<String>,
}

/// One task of an operation.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskView {
    /// Its object.
    pub key: ResourceKey,
    /// Phase.
    pub phase: SyncPhase,
    /// Wave.
    pub wave: i64,
    /// Type of the hook, if it is one.
    pub hook: Option<HookType>,
    /// Deletes its object.
    pub prune: bool,
    /// State, as the machine names it: `Blocked`, `Ready`, `Applying`, `AwaitingHealth`, `Synced`, `SyncFailed`, `Skipped`, …
    pub state: String,
    /// What it waits for, or what became of it.
    pub message: String,
    /// In this state since.
    pub since: Timestamp,
    /// Until when it is waited for at the latest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// One object.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceView {
    /// Which.
    pub key: ResourceKey,
    /// Its version, such as `v1`.
    pub version: String,
    /// The object that owns it; `None` for one that the application manages itself.
    pub parent: Option<ResourceKey>,
    /// Verdict; `None` for an object that is not compared (owned, a hook).
    pub sync: Option<SyncStatusCode>,
    /// Health; `None` for a kind without.
    pub health: Option<HealthStatus>,
    /// Wave.
    pub wave: i64,
    /// Is a hook.
    pub hook: bool,
    /// Is no longer in the source.
    pub requires_pruning: bool,
    /// Why it is not put right, where it drifted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// Exists; `None` when that is not known.
    pub live: Option<bool>,
    /// When it was created.
    pub created_at: Option<Timestamp>,
    /// Fields that differ.
    pub differences: Vec<FieldDifference>,
    /// Extra facts for people: `3/3 ready`, images.
    pub info: Vec<String>,
}
