//! What a plan would change in a cluster, and why.
//!
//! **Problem.** A plan says in which order things happen, not whether anything does. Before a push or a merge people ask what it will do to
//! production: what is new, which fields change and who wrote what is there now, what is deleted, what a guard will hold, and whether the
//! sync would be refused as a whole.
//!
//! **Invariants.** The answers are the controller's: what it decides by is a function here, too. What could not be read is
//! [`ChangeKind::Unknown`], never new and never gone, and nothing is said to be deleted on the strength of it. Values of Secrets are masked
//! by the comparison.
//!
//! **Deliberately absent.** Reading the cluster: the caller does. What admission would make of a write: only the server knows, and a sync
//! that deletes asks it first. When a sync begins: windows, other Applications, a sync of the same objects that failed. Rules that rest on
//! the controller's own memory (rewritten history, a replaced cluster, a second render). The passes of `guards: argo`: its order and its
//! guards are foreseen, not what each pass makes of the cluster.

mod change;
mod course;
mod prunes;

use std::collections::BTreeMap;

use capstan_live::is_applied;
use capstan_model::{
    AppProject, Application, ApplicationId, GroupKind, ResourceKey, SyncOptions, SyncPhase, Timestamp, tracking,
};
use petgraph::stable_graph::NodeIndex;
use serde_json::Value;

use super::build::{defined_kind, foreign_hook};
use super::{Plan, SyncTask, TaskAction};
use crate::compare::{IgnoreRules, differences};
use crate::event::Discovery;
use crate::guard::{Content, DeleteReason, DeleteRefusal, Pause, is_reserved, stays_between_runs};
use crate::policy::ignore_rules;
use crate::settings::Settings;
use crate::targets::{MadeNamespace, Target, Targets, namespace_object};

pub use change::{Change, ChangeKind, LiveObject};
pub use course::Course;

/// What an outlook is made of.
#[derive(Clone, Debug)]
pub struct OutlookRequest<'a> {
    /// The plan. Its prunes are what is tracked and not declared, whether the sync deletes or not.
    pub plan: &'a Plan,
    /// The objects it was made of.
    pub targets: &'a Targets,
    /// What the cluster has of each task's object. A key that is not here was not read.
    pub live: &'a BTreeMap<ResourceKey, LiveObject>,
    /// What is in the namespaces and of the kinds that the plan would delete, as [`survey`](crate::guard::survey) names it; or why that could
    /// not be read. A key that is not here was not read.
    pub contents: &'a BTreeMap<ResourceKey, Result<Vec<Content>, String>>,
    /// What the cluster serves.
    pub discovery: &'a Discovery,
    /// The application.
    pub application: &'a Application,
    /// Its project, `None` where there is none of the name; or why it could not be read.
    pub project: Result<Option<&'a AppProject>, &'a str>,
    /// Options of the application.
    pub options: &'a SyncOptions,
    /// What of deletes is paused, by the control namespace's ConfigMap.
    pub pause: &'a Pause,
    /// What the controller is configured with.
    pub settings: &'a Settings,
    /// A person asks for this sync, with prune: fewer rules bind it. Else it is the sync that begins by itself.
    pub by_person: bool,
    /// Now: approvals are given in time.
    pub now: Timestamp,
}

/// What becomes of every task's object, and of the sync as a whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outlook {
    changes: BTreeMap<NodeIndex, Change>,
    course: Course,
}

impl Outlook {
    /// Of a plan and what the cluster has. Same request, same outlook.
    pub fn new(request: &OutlookRequest<'_>) -> Self {
        let mut changes = BTreeMap::new();
        for (node, task) in request.plan.tasks() {
            let target = task.target.and_then(|index| request.targets.objects().get(index));
            let change = match (task.action, target, request.live(&task.key)) {
                (TaskAction::Apply, Some(target), LiveObject::Present(live)) if !is_going(live) => {
                    request.applied(target, live)
                }
                (TaskAction::CreateNamespace, _, LiveObject::Present(live)) if !is_going(live) => {
                    request.namespace(&task.key, live)
                }
                (TaskAction::Prune, _, live) => request.prune(&task.key, live),
                (_, target, live) => request.written(task, target, live),
            };
            changes.insert(node, change);
        }
        request.hold(&mut changes);
        let course = request.course(&mut changes);
        Self { changes, course }
    }

    /// What becomes of a task's object.
    pub fn change(&self, node: NodeIndex) -> Option<&Change> {
        self.changes.get(&node)
    }

    /// What becomes of the sync as a whole.
    pub fn course(&self) -> &Course {
        &self.course
    }

    /// How many tasks do what.
    pub fn counts(&self) -> BTreeMap<ChangeKind, usize> {
        let mut counts = BTreeMap::new();
        for change in self.changes.values() {
            *counts.entry(change.kind).or_default() += 1;
        }
        counts
    }

    /// The counts in words, such as `2 create, 1 update, 7 unchanged`.
    pub fn summary(&self) -> String {
        let counts = self.counts();
        let words: Vec<String> = counts.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        match words.is_empty() {
            true => "nothing to do".into(),
            false => words.join(", "),
        }
    }
}

impl OutlookRequest<'_> {
    fn live(&self, key: &ResourceKey) -> &LiveObject {
        static UNREAD: std::sync::LazyLock<LiveObject> =
            std::sync::LazyLock::new(|| LiveObject::Unread("it was not read".into()));
        self.live.get(key).unwrap_or(&UNREAD)
    }

    /// The application that tracks what is live under a key.
    fn owner(&self, key: &ResourceKey) -> Option<ApplicationId> {
        match self.live.get(key)? {
            LiveObject::Present(object) => tracking::owner(object, key, &self.settings.control_namespace),
            LiveObject::Absent | LiveObject::NotServed | LiveObject::Unread(_) => None,
        }
    }

    fn is_ours(&self, key: &ResourceKey) -> bool {
        self.owner(key) == Some(self.application.id())
    }

    /// Does the sync delete what is not declared?
    fn prunes(&self) -> bool {
        let automated = self.application.spec.sync_policy.automation();
        self.by_person || automated.is_some_and(|automated| automated.prune)
    }

    /// An object that is there and is declared.
    fn applied(&self, target: &Target, live: &Value) -> Change {
        let desired = match target.object.value() {
            Ok(desired) if desired.is_object() && live.is_object() => desired,
            Ok(_) => return Change::new(ChangeKind::Unknown, "it cannot be compared: it is not an object"),
            Err(error) => return Change::new(ChangeKind::Unknown, format!("it cannot be compared: {error}")),
        };
        let rules = ignore_rules(&self.application.spec.ignore_differences, &target.key).with_options(self.options);
        let fields = differences(&target.key, &desired, live, &rules);
        let mut ignored = Vec::new();
        if !rules.is_empty() {
            ignored = differences(&target.key, &desired, live, &IgnoreRules::default());
            ignored.retain(|field| !fields.contains(field));
        }
        let other = self.owner(&target.key).filter(|owner| *owner != self.application.id());
        let (kind, why) = match other {
            Some(owner) => {
                let why = format!("application {owner} tracks it: it is taken over, unless that one declares it, too");
                (ChangeKind::Update, why)
            }
            None if fields.is_empty() => (ChangeKind::Unchanged, String::new()),
            None => (ChangeKind::Update, String::new()),
        };
        Change {
            fields,
            ignored,
            ..Change::new(kind, why)
        }
    }

    /// The namespace of `CreateNamespace=true`, which is there.
    fn namespace(&self, key: &ResourceKey, live: &Value) -> Change {
        let owner = self.owner(key);
        let last = self.application.status.operation_state.as_ref();
        let last = last.and_then(|operation| operation.sync_result.as_ref());
        let spec = &self.application.spec;
        let made = MadeNamespace {
            metadata: spec.sync_policy.managed_namespace_metadata.as_ref(),
            was_kept: last.is_some_and(|result| result.managed_namespace_metadata.is_some()),
            is_gone: false,
            is_applied: is_applied(live),
            guards: self.settings.guards,
            owner: owner.as_ref(),
        };
        if !live.is_object() || !made.is_kept_by(&self.application.id()) {
            return Change::new(ChangeKind::Unchanged, "it exists");
        }
        let desired = namespace_object(&key.name, Some(made.wanted()));
        let rules = ignore_rules(&spec.ignore_differences, key).with_options(self.options);
        let fields = differences(key, &desired, live, &rules);
        match (fields.is_empty(), is_applied(live) || owner.is_some()) {
            (true, true) => Change::new(ChangeKind::Unchanged, "it has its labels and annotations"),
            (true, false) => Change::new(
                ChangeKind::Update,
                "managedNamespaceMetadata: what it has is kept from now on",
            ),
            (false, _) => Change {
                fields,
                ..Change::new(ChangeKind::Update, "managedNamespaceMetadata")
            },
        }
    }

    /// What keeps a hook from running: what is in its way and cannot be deleted first.
    fn in_the_way(&self, task: &SyncTask, live: &LiveObject) -> Option<Change> {
        let LiveObject::Present(object) = live else { return None };
        let is_hook = matches!(task.action, TaskAction::Hook(_)) && task.phase != SyncPhase::SyncFail;
        if !is_hook || is_going(object) {
            return None;
        }
        if !self.is_ours(&task.key) || is_reserved(&task.key, &self.settings.control_namespace) {
            return Some(Change::new(ChangeKind::Fail, foreign_hook(&task.key)));
        }
        if self.is_ordinary(task, object) {
            return self.ordinary(&task.key, object);
        }
        let refusal = self.last_look(&task.key, object, DeleteReason::Hook)?;
        Some(in_its_way(&refusal))
    }

    /// A task that writes, where there is nothing to compare.
    fn written(&self, task: &SyncTask, target: Option<&Target>, live: &LiveObject) -> Change {
        if let Some(change) = self.in_the_way(task, live) {
            return change;
        }
        let is_there = match (task.action, live) {
            (TaskAction::Hook(_), _) if target.is_some_and(|target| target.generate_name.is_some()) => {
                return Change::new(ChangeKind::Run, "hooks run in every sync, this one under a new name");
            }
            (_, LiveObject::Unread(why)) => return Change::new(ChangeKind::Unknown, why),
            (_, LiveObject::NotServed) => return self.not_served(&task.key.group_kind()),
            (_, LiveObject::Present(_)) => true,
            (_, LiveObject::Absent) => false,
        };
        match task.action {
            TaskAction::Hook(_) if task.phase == SyncPhase::SyncFail => {
                Change::new(ChangeKind::Run, "only when the sync fails")
            }
            TaskAction::Hook(_) if matches!(live, LiveObject::Present(object) if self.is_ordinary(task, object)) => {
                let why = "hooks run in every sync; what is there is an ordinary object, which is deleted first";
                Change::new(ChangeKind::Run, why)
            }
            TaskAction::Hook(_) if is_there && stays_between_runs(&task.key) => {
                let why = "what hooks of this kind made holds things: it is written over, and not deleted first";
                Change::new(ChangeKind::Run, why)
            }
            TaskAction::Hook(_) if is_there => {
                let why = "hooks run in every sync; the object of the last run is deleted first";
                Change::new(ChangeKind::Run, why)
            }
            TaskAction::Hook(_) => Change::new(ChangeKind::Run, "hooks run in every sync"),
            _ if is_there => Change::new(ChangeKind::Create, "what is there is being deleted; it is made anew"),
            _ => Change::new(ChangeKind::Create, "not in the cluster"),
        }
    }

    /// Of a kind that is not served, and that the sync or somebody else may bring. What nobody brings fails the sync as a whole.
    fn not_served(&self, kind: &GroupKind) -> Change {
        let in_time = self.plan.tasks().filter(|(_, task)| task.phase != SyncPhase::SyncFail);
        let mut declared = in_time.filter_map(|(_, task)| defined_kind(self.targets.objects().get(task.target?)?));
        match declared.any(|defined| defined == *kind) {
            true => Change::new(
                ChangeKind::Create,
                format!("not in the cluster: {kind} is defined by this sync"),
            ),
            false => Change::new(
                ChangeKind::Wait,
                format!(
                    "the cluster does not serve {kind}: the sync waits until somebody defines it, or until its deadline"
                ),
            ),
        }
    }
}

/// What a refusal of what is in a hook's way comes to.
fn in_its_way(refusal: &DeleteRefusal) -> Change {
    let why = format!("what is in its way cannot be deleted, and the sync waits until its deadline: {refusal}");
    Change::new(ChangeKind::Wait, why)
}

/// Is an object being deleted? Who applies to it waits until it is gone and makes it anew.
fn is_going(live: &Value) -> bool {
    live.pointer("/metadata/deletionTimestamp").is_some()
}

#[cfg(test)]
mod tests;
