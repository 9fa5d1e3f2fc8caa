//! What becomes of a sync as a whole: a sync that is refused writes nothing, whatever its tasks would do.

use std::collections::BTreeMap;

use capstan_model::{ManagedNamespaceMetadata, ObjectMeta, ResourceKey, SyncStatusCode};
use petgraph::stable_graph::NodeIndex;
use serde::Serialize;

use super::{Change, ChangeKind, LiveObject, OutlookRequest};
use crate::plan::{SyncTask, TaskAction, Validation, reasons};
use crate::policy::{
    AutoSync, AutoSyncInput, LastAttempt, SkipReason, admit, auto_sync, identity, shared_resource, would_wipe,
};

/// What becomes of a sync as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(tag = "course", content = "why", rename_all = "camelCase")]
pub enum Course {
    /// It is carried out.
    #[default]
    Goes,
    /// None begins by itself, and why. One that a person asks for would go.
    Idle(String),
    /// It is not known whether it is refused: something could not be read. It would not begin before that is known.
    Unknown(String),
    /// It begins and fails, and why. What comes after that is not done.
    Fails(String),
    /// It is refused, and why. Nothing is written.
    Refused(String),
}

impl Course {
    /// For people, on one line; `None` where there is nothing to say.
    pub fn headline(&self) -> Option<String> {
        match self {
            Self::Goes => None,
            Self::Idle(why) => Some(format!("no sync would begin by itself: {why}")),
            Self::Unknown(why) => Some(format!("it is not known whether the sync would be refused: {why}")),
            Self::Fails(why) => Some(format!(
                "the sync would fail: {why}; what comes after that would not be done"
            )),
            Self::Refused(why) => Some(format!("the sync would be refused: {why}; nothing would be written")),
        }
    }

    /// Would it be carried out, or is there nothing to carry out?
    pub fn is_clear(&self) -> bool {
        matches!(self, Self::Goes | Self::Idle(_))
    }
}

/// What keeps a sync from being carried out.
enum Obstacle {
    Unknown(String),
    /// Why, and the tasks that are the reason.
    Refused(String, BTreeMap<NodeIndex, String>),
}

impl Obstacle {
    fn refused(why: impl Into<String>) -> Self {
        Self::Refused(why.into(), BTreeMap::new())
    }
}

impl OutlookRequest<'_> {
    /// What becomes of the sync; where it is refused, no change of a task is one.
    pub(super) fn course(&self, changes: &mut BTreeMap<NodeIndex, Change>) -> Course {
        match self.obstacle() {
            Some(Obstacle::Refused(why, tasks)) => {
                changes.values_mut().for_each(Change::withheld);
                for (node, why) in tasks {
                    changes.insert(node, Change::new(ChangeKind::Fail, why));
                }
                Course::Refused(why)
            }
            Some(Obstacle::Unknown(why)) => {
                for change in changes.values_mut().filter(|change| change.kind == ChangeKind::Delete) {
                    *change = Change::new(ChangeKind::Hold, why.clone());
                }
                Course::Unknown(why)
            }
            None => self.undisturbed(changes),
        }
    }

    /// What becomes of a sync that nothing keeps from beginning.
    fn undisturbed(&self, changes: &BTreeMap<NodeIndex, Change>) -> Course {
        if let Some(why) = self.idle(changes) {
            return Course::Idle(why);
        }
        let mut tasks = self.plan.tasks().filter_map(|(node, _)| changes.get(&node));
        match tasks.find(|change| change.kind == ChangeKind::Fail) {
            Some(change) => Course::Fails(change.why.clone()),
            None => Course::Goes,
        }
    }

    /// The first that stands in the way, in the order in which the engine comes upon it.
    fn obstacle(&self) -> Option<Obstacle> {
        let spec = &self.application.spec;
        let found = match self.project {
            Ok(found) => found,
            Err(why) => {
                let why = format!("AppProject {} could not be read: {why}", spec.project());
                return Some(Obstacle::Unknown(why));
            }
        };
        let project = match admit(spec, found, &self.settings.control_namespace) {
            Ok(project) => project,
            Err(refusal) => return Some(Obstacle::refused(refusal)),
        };
        let identity = match identity(self.settings, &project, self.application) {
            Ok(identity) => identity,
            Err(refusal) => return Some(Obstacle::refused(refusal.to_string())),
        };
        if let Some(obstacle) = self.shared() {
            return Some(obstacle);
        }
        let empties = self.prunes() && self.has_prunes() && !self.targets.declare_resources();
        if !self.by_person && would_wipe(spec.sync_policy.automation(), empties) {
            return Some(Obstacle::refused(SkipReason::WouldWipe.to_string()));
        }
        let validation = Validation {
            plan: self.plan,
            targets: self.targets,
            options: self.options,
            project: &project,
            identity: &identity,
            destination: &spec.destination,
        };
        let counts = |task: &SyncTask| task.action != TaskAction::Prune || self.prunes() && self.is_prunable(&task.key);
        match validation.invalid(|kind| self.discovery.lookup(kind), counts) {
            Err(unknown) => Some(Obstacle::Unknown(unknown.to_string())),
            Ok(invalid) if invalid.is_empty() => None,
            Ok(invalid) => {
                let why = reasons(&invalid);
                let tasks = invalid.into_iter().map(|invalid| (invalid.node, invalid.why));
                Some(Obstacle::Refused(why, tasks.collect()))
            }
        }
    }

    /// `FailOnSharedResource=true`.
    fn shared(&self) -> Option<Obstacle> {
        let owner = |key: &ResourceKey| self.owner(key);
        if let Some(shared) = shared_resource(self.targets, self.options, &self.application.id(), owner) {
            let why = shared.to_string();
            let nodes = self.plan.tasks().filter(|(_, task)| task.key == shared.key);
            let tasks = nodes.map(|(node, _)| (node, why.clone())).collect();
            return Some(Obstacle::Refused(why, tasks));
        }
        if self.options.fail_on_shared_resource != Some(true) {
            return None;
        }
        let named = self
            .targets
            .objects()
            .iter()
            .filter(|target| target.generate_name.is_none());
        let mut keys = named.map(|target| &target.key);
        let unread = keys.find(|key| matches!(self.live(key), LiveObject::Unread(_)))?;
        let why =
            format!("{unread} could not be read, which another application may track, and FailOnSharedResource=true");
        Some(Obstacle::Unknown(why))
    }

    fn is_never_synced(&self) -> bool {
        let metadata = self.application.spec.sync_policy.managed_namespace_metadata.as_ref();
        let is_silent = metadata.is_none_or(ManagedNamespaceMetadata::is_empty);
        is_silent && self.application.status.history.is_empty()
    }

    /// Is there anything in the plan that the engine would prune?
    fn has_prunes(&self) -> bool {
        let mut tasks = self.plan.tasks();
        tasks.any(|(_, task)| task.action == TaskAction::Prune && self.is_prunable(&task.key))
    }

    /// Why no sync begins by itself.
    fn idle(&self, changes: &BTreeMap<NodeIndex, Change>) -> Option<String> {
        if self.by_person {
            return None;
        }
        let (mut writes, mut prunes, mut unknown) = (false, false, false);
        for (node, task) in self.plan.tasks() {
            let kind = changes.get(&node).map(|change| change.kind);
            match (task.action, self.live(&task.key)) {
                // Before the first sync nobody misses it.
                (TaskAction::CreateNamespace, LiveObject::Absent) if self.is_never_synced() => {}
                (TaskAction::Apply | TaskAction::CreateNamespace, _) => {
                    writes |= !matches!(kind, Some(ChangeKind::Unchanged | ChangeKind::Unknown));
                    unknown |= kind == Some(ChangeKind::Unknown);
                }
                (TaskAction::Prune, LiveObject::Present(live)) => {
                    prunes |= self.is_prunable(&task.key) && !ObjectMeta::of(live).ignore_extraneous;
                }
                (TaskAction::Prune, LiveObject::Unread(_)) => unknown = true,
                _ => {}
            }
        }
        let decision = auto_sync(&AutoSyncInput {
            suspended: self.application.skips_reconcile(),
            automated: self.application.spec.sync_policy.automation(),
            operation_pending: false,
            deleting: self.application.metadata.deletion_timestamp.is_some(),
            sync: match (writes || prunes, unknown) {
                (false, false) => SyncStatusCode::Synced,
                _ => SyncStatusCode::OutOfSync,
            },
            only_prunes: !writes && !unknown,
            would_wipe: false,
            held: None,
            resumes: false,
            last: LastAttempt::Other,
            unwritable: None,
            refreshing: false,
            writing: false,
        });
        match decision {
            AutoSync::Skip(why) => Some(why.to_string()),
            AutoSync::Sync { .. } => None,
        }
    }
}
