//! What a plan would change in a cluster, and why.
//!
//! **Problem.** A plan says in which order things happen, not whether anything does. Before a push or a merge people ask what it will do to
//! production: what is new, which fields change and who wrote what is there now, what is deleted, and what a guard will hold.
//!
//! **Invariants.** The answers are the controller's: the same comparison, the same rules. What could not be read is
//! [`ChangeKind::Unknown`], never new and never gone. Values of Secrets are masked by the comparison.
//!
//! **Deliberately absent.** Reading the cluster: the caller does. What admission would make of a write: only the server knows, and a sync
//! that deletes asks it first. Rules that rest on the controller's own memory (rewritten history, a replaced cluster, a second render).

use std::collections::BTreeMap;
use std::fmt;

use capstan_model::annotations::DELETION_APPROVED;
use capstan_model::{
    ApplicationId, GroupKind, ObjectMeta, PruneOption, ResourceIgnoreDifferences, ResourceKey, SyncOptions, SyncPhase,
    tracking,
};
use petgraph::stable_graph::NodeIndex;
use serde::Serialize;
use serde_json::Value;

use super::build::defined_kind;
use super::{Plan, SyncTask, TaskAction};
use crate::compare::{FieldDifference, IgnoreRules, differences};
use crate::guard::{Doomed, Facts, PruneLimits, findings};
use crate::policy::ignore_rules;
use crate::settings::Guards;
use crate::targets::{Target, Targets};

/// What a cluster has under a key.
#[derive(Clone, Debug, PartialEq)]
pub enum LiveObject {
    /// Nothing, and that is proven.
    Absent,
    /// This, managedFields included.
    Present(Box<Value>),
    /// Nothing: the cluster does not serve the kind, and that is proven.
    NotServed,
    /// It could not be read, and why.
    Unread(String),
}

/// What an outlook is made of.
#[derive(Clone, Debug)]
pub struct OutlookRequest<'a> {
    /// The plan. Its prunes are what is tracked and not declared, whether the sync deletes or not.
    pub plan: &'a Plan,
    /// The objects it was made of.
    pub targets: &'a Targets,
    /// What the cluster has of each task's object. A key that is not here was not read.
    pub live: &'a BTreeMap<ResourceKey, LiveObject>,
    /// The application.
    pub application: &'a ApplicationId,
    /// Namespace in which applications are named without it.
    pub control_namespace: &'a str,
    /// `spec.ignoreDifferences`.
    pub ignored: &'a [ResourceIgnoreDifferences],
    /// Options of the application.
    pub options: &'a SyncOptions,
    /// A person asks for this sync: fewer rules bind it.
    pub by_person: bool,
    /// Why the sync deletes nothing; `None` when it prunes.
    pub keeps: Option<&'a str>,
    /// Why deletes of the application are paused.
    pub paused: Option<&'a str>,
    /// Kinds that are protected beside the built-in ones.
    pub protected: &'a [GroupKind],
    /// Safe defaults or Argo CD's.
    pub guards: Guards,
}

/// What a task does to the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum ChangeKind {
    /// Makes an object that is not there.
    Create,
    /// Changes fields of it.
    Update,
    /// Nothing: it is as declared.
    Unchanged,
    /// Runs a hook.
    Run,
    /// Deletes an object.
    Delete,
    /// Leaves an object that is not declared.
    Keep,
    /// Would delete an object, and waits for a person.
    Hold,
    /// The sync would fail for it.
    Fail,
    /// It is not known: something could not be read.
    Unknown,
}

/// What becomes of one task's object.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// What.
    #[serde(rename = "change")]
    pub kind: ChangeKind,
    /// Why, for people. Empty where `fields` say it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// Fields that differ.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldDifference>,
    /// Fields that differ and that `ignoreDifferences` takes out of the comparison. A write changes them all the same, unless
    /// `RespectIgnoreDifferences=true` is set.
    #[serde(rename = "ignoredFields", skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<FieldDifference>,
}

/// What becomes of every task's object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outlook {
    changes: BTreeMap<NodeIndex, Change>,
}

impl Change {
    fn new(kind: ChangeKind, why: impl Into<String>) -> Self {
        Self {
            kind,
            why: why.into(),
            fields: Vec::new(),
            ignored: Vec::new(),
        }
    }
}

impl fmt::Display for ChangeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Unchanged => "unchanged",
            Self::Run => "run",
            Self::Delete => "delete",
            Self::Keep => "keep",
            Self::Hold => "hold",
            Self::Fail => "fail",
            Self::Unknown => "unknown",
        })
    }
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
                (TaskAction::Prune, _, live) => request.prune(task, live),
                (_, target, live) => request.written(task, target, live),
            };
            changes.insert(node, change);
        }
        request.hold(&mut changes);
        Self { changes }
    }

    /// What becomes of a task's object.
    pub fn change(&self, node: NodeIndex) -> Option<&Change> {
        self.changes.get(&node)
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

    /// An object that is there and is declared.
    fn applied(&self, target: &Target, live: &Value) -> Change {
        let desired = match target.object.value() {
            Ok(desired) if desired.is_object() && live.is_object() => desired,
            Ok(_) => return Change::new(ChangeKind::Unknown, "it cannot be compared: it is not an object"),
            Err(error) => return Change::new(ChangeKind::Unknown, format!("it cannot be compared: {error}")),
        };
        let rules = ignore_rules(self.ignored, &target.key);
        let fields = differences(&target.key, &desired, live, &rules);
        let mut ignored = Vec::new();
        if !rules.is_empty() {
            ignored = differences(&target.key, &desired, live, &IgnoreRules::default());
            ignored.retain(|field| !fields.contains(field));
        }
        let (kind, why) = match self.other_owner(target, live) {
            Some(owner) if self.options.fail_on_shared_resource == Some(true) => {
                let why = format!("application {owner} tracks it, and FailOnSharedResource=true");
                (ChangeKind::Fail, why)
            }
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

    /// A task that writes, where there is nothing to compare.
    fn written(&self, task: &SyncTask, target: Option<&Target>, live: &LiveObject) -> Change {
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
            TaskAction::Hook(_) if is_there => {
                let why = "hooks run in every sync; the object of the last run is deleted first";
                Change::new(ChangeKind::Run, why)
            }
            TaskAction::Hook(_) => Change::new(ChangeKind::Run, "hooks run in every sync"),
            TaskAction::CreateNamespace if is_there => Change::new(ChangeKind::Unchanged, "it exists"),
            _ if is_there => Change::new(ChangeKind::Create, "what is there is being deleted; it is made anew"),
            _ => Change::new(ChangeKind::Create, "not in the cluster"),
        }
    }

    fn not_served(&self, kind: &GroupKind) -> Change {
        let mut declared = self.targets.objects().iter().filter_map(defined_kind);
        match declared.any(|defined| defined == *kind) {
            true => Change::new(
                ChangeKind::Create,
                format!("not in the cluster: {kind} is defined by this sync"),
            ),
            false => Change::new(
                ChangeKind::Fail,
                format!(
                    "the cluster does not serve {kind}, and nothing here defines it: the sync waits for it until its deadline"
                ),
            ),
        }
    }

    /// The other application that tracks a live object.
    fn other_owner(&self, target: &Target, live: &Value) -> Option<ApplicationId> {
        tracking::owner(live, &target.key, self.control_namespace).filter(|owner| owner != self.application)
    }

    /// What becomes of an object that is not declared, before the guards look at all of them.
    fn prune(&self, task: &SyncTask, live: &LiveObject) -> Change {
        let object = match live {
            LiveObject::Absent | LiveObject::NotServed => {
                return Change::new(ChangeKind::Unchanged, "it is gone already");
            }
            LiveObject::Unread(why) => return Change::new(ChangeKind::Unknown, why),
            LiveObject::Present(object) => object,
        };
        if tracking::owner(object, &task.key, self.control_namespace).as_ref() != Some(self.application) {
            return Change::new(ChangeKind::Keep, "it is not tracked by this application any more");
        }
        let own = ObjectMeta::of(object).sync_options.prune;
        match own.or(self.options.prune) {
            Some(PruneOption::Never) => Change::new(ChangeKind::Keep, "Prune=false"),
            _ if self.keeps.is_some() => Change::new(ChangeKind::Keep, self.keeps.unwrap_or_default()),
            Some(PruneOption::Confirm) => {
                let why = format!("Prune=confirm: it waits for {DELETION_APPROVED} on the Application");
                Change::new(ChangeKind::Hold, why)
            }
            _ => Change::new(ChangeKind::Delete, "the application tracks it, and nothing declares it"),
        }
    }

    /// What an automated sync would not delete by itself.
    fn hold(&self, changes: &mut BTreeMap<NodeIndex, Change>) {
        let doomed: BTreeMap<ResourceKey, Doomed> = self
            .plan
            .tasks()
            .filter(|(node, _)| {
                changes
                    .get(node)
                    .is_some_and(|change| change.kind == ChangeKind::Delete)
            })
            .map(|(_, task)| (task.key.clone(), self.doomed(&task.key)))
            .collect();
        let found = findings(&Facts {
            doomed: &doomed,
            tracked: self.tracked(),
            by_person: self.by_person,
            as_argo: self.guards == Guards::Argo,
            limits: PruneLimits::of(self.options),
            protected: self.protected,
            second: None,
            diverged: None,
            replaced: None,
            paused: self.paused.map(ToOwned::to_owned),
            in_use: &BTreeMap::new(),
            standing: &BTreeMap::new(),
        });
        let nodes: BTreeMap<&ResourceKey, NodeIndex> = self
            .plan
            .tasks()
            .filter(|(_, task)| task.action == TaskAction::Prune)
            .map(|(node, task)| (&task.key, node))
            .collect();
        for finding in found.iter().rev() {
            for node in finding.keys.iter().filter_map(|key| nodes.get(key)) {
                let why = format!("{}: {}", finding.rule, finding.why);
                changes.insert(*node, Change::new(ChangeKind::Hold, why));
            }
        }
    }

    fn doomed(&self, key: &ResourceKey) -> Doomed {
        let own = match self.live(key) {
            LiveObject::Present(object) => ObjectMeta::of(object).sync_options.prune,
            _ => None,
        };
        Doomed {
            uid: String::new(),
            is_released: own == Some(PruneOption::Allow),
        }
    }

    /// Live objects that the application tracks.
    fn tracked(&self) -> usize {
        let is_ours = |(key, live): &(&ResourceKey, &LiveObject)| match live {
            LiveObject::Present(object) => {
                tracking::owner(object, key, self.control_namespace).as_ref() == Some(self.application)
            }
            _ => false,
        };
        self.live.iter().filter(is_ours).count()
    }
}

/// Is an object being deleted? Who applies to it waits until it is gone and makes it anew.
fn is_going(live: &Value) -> bool {
    live.pointer("/metadata/deletionTimestamp").is_some()
}

#[cfg(test)]
mod tests;
