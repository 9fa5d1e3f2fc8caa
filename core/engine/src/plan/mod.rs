//! The plan of a sync: a graph of tasks, and what each waits for.
//!
//! Waves are edges, not a sort: what does not depend on each other runs in parallel, and a contradiction is an error that names its
//! members. Groups of tasks are tied by [`TaskAction::Milestone`] nodes, so that the graph grows with the number of tasks and not
//! with the square of it.
//!
//! Order: phases; waves in a phase; tiers of kinds in a wave ([`order`](self)); a namespace and a definition before what needs them;
//! prunes after the applies of phase Sync, in reverse waves; `PruneLast` after those and after everything is settled. What runs only if the
//! sync fails stands at the end, and nothing waits for it but its own.
//!
//! Deliberately absent: whether a task has anything to do. That is found out when its turn comes.

mod aside;
mod build;
mod claims;
mod cycle;
mod declared;
mod draw;
mod lanes;
mod names;
mod order;
mod outlook;
mod undeclared;
mod validate;
pub use aside::{Aside, DeletionPhase, Going, NeverApplied};
pub(crate) use build::{defined_kind, foreign_hook, is_written, nth_name, phase_of, runs_in_a_sync};
pub use cycle::Cycle;
pub(crate) use names::Selection;
mod render;
pub(crate) use order::rank;
pub use outlook::{Change, ChangeKind, Course, LiveObject, Outlook, OutlookRequest};
pub(crate) use validate::{InvalidTask, Validation, reasons};

use std::collections::BTreeSet;
use std::fmt;

use capstan_model::{GroupKind, GroupVersionKind, HookType, ResourceKey, SourceLocation, SyncOptions, SyncPhase};
use petgraph::Direction;
use petgraph::stable_graph::{NodeIndex, StableDiGraph};
use petgraph::visit::EdgeRef;
use serde::Serialize;

use crate::sabotage::{self, Sabotage};
use crate::settings::Guards;
use crate::targets::Targets;

/// One thing that a sync does.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SyncTask {
    /// Its object. Of a milestone: empty.
    pub key: ResourceKey,
    /// At which version. Of a milestone: empty.
    pub gvk: GroupVersionKind,
    /// Phase.
    pub phase: SyncPhase,
    /// Wave in which it runs: an earlier one than declared where something earlier needs it.
    pub wave: i64,
    /// What it does.
    pub action: TaskAction,
    /// Where its object is declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<SourceLocation>,
    /// Its index in [`Targets::objects`].
    #[serde(skip)]
    pub target: Option<usize>,
}

/// What a task does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum TaskAction {
    /// Makes the destination namespace (`CreateNamespace=true`).
    CreateNamespace,
    /// Writes an object.
    Apply,
    /// Runs a hook.
    Hook(HookType),
    /// Deletes an object that is no longer in the source.
    Prune,
    /// Nothing: everything before it is done when it is reached.
    Milestone,
}

/// Why one task waits for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Dependency {
    /// The phase before.
    Phase,
    /// The wave before (of prunes: the higher one).
    Wave,
    /// It lives in that namespace.
    Namespace,
    /// It is of the kind which that defines.
    CustomResourceDefinition,
    /// Its kind comes later within the wave.
    KindOrder,
    /// Prunes come after applies.
    Prune,
    /// `PruneLast`.
    PruneLast,
    /// Annotation `capstan.dev/depends-on`.
    DependsOn,
}

impl Dependency {
    /// Must the other be settled (written, and then observed healthy; deleted, and then observed gone)? Otherwise it is enough that
    /// its write was accepted.
    pub fn needs_settled(self) -> bool {
        let overlaps = self == Self::Phase && sabotage::is(Sabotage::OverlapsPhases);
        let hurries = self == Self::CustomResourceDefinition && sabotage::is(Sabotage::DoesNotAwaitDefinitions);
        !matches!(self, Self::KindOrder | Self::Prune) && !overlaps && !hurries
    }
}

/// Does a sync end only when the last objects that it wrote are healthy?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum HealthGate {
    /// It does: it has several phases or waves.
    Wait,
    /// It does not: it has one wave and no hook, and the application's health tells the rest. Argo CD's silent exception, named.
    Skip,
}

/// An object that would be deleted.
#[derive(Clone, Debug, PartialEq)]
pub struct PruneItem {
    /// Which.
    pub key: ResourceKey,
    /// At which version.
    pub gvk: GroupVersionKind,
    /// Its wave, by its own annotation.
    pub wave: i64,
    /// Its own or the application's `PruneLast`.
    pub last: bool,
}

/// What a plan is made of.
#[derive(Clone, Debug)]
pub struct PlanRequest<'a> {
    /// The desired objects.
    pub targets: &'a Targets,
    /// Objects to delete.
    pub prune: &'a [PruneItem],
    /// Are hooks run? Not by `syncStrategy: apply`, and not when only some objects are synced.
    pub hooks: bool,
    /// Only these objects; empty is all.
    pub selection: &'a [capstan_model::SyncOperationResource],
    /// Options of the application and the operation.
    pub options: &'a SyncOptions,
    /// Where objects go that have no namespace.
    pub destination_namespace: &'a str,
    /// Make the destination namespace.
    pub create_namespace: bool,
    /// What tells this attempt from every other: the suffix of hooks without a name.
    pub hook_suffix: &'a str,
    /// Safe defaults or Argo CD's.
    pub guards: Guards,
}

/// The graph of a sync.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    graph: StableDiGraph<SyncTask, Dependency>,
    order: Vec<NodeIndex>,
    groups: usize,
    kinds: BTreeSet<GroupKind>,
    consumed_later: BTreeSet<NodeIndex>,
}

/// Objects that cannot be put in an order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// They wait for each other.
    #[error("these objects wait for each other: {0}")]
    Cycle(Box<Cycle>),
    /// An annotation names an object that is not in the application.
    #[error(
        "{}{key} depends on {dependency:?}, which is not in this application (write [group/]Kind/[namespace/]name)",
        declared::place(.location)
    )]
    UnknownDependency {
        /// Where.
        location: SourceLocation,
        /// Which object.
        key: Box<ResourceKey>,
        /// What it names.
        dependency: String,
    },
    /// An annotation names an object that no sync brings.
    #[error("{}{key} depends on {dependency:?}: {why}", declared::place(.location))]
    EndlessDependency {
        /// Where.
        location: SourceLocation,
        /// Which object.
        key: Box<ResourceKey>,
        /// What it names.
        dependency: String,
        /// Why it would be waited for without end.
        why: &'static str,
    },
}

impl Plan {
    /// The plan for `request`. Same request, same plan.
    pub fn new(request: &PlanRequest<'_>) -> Result<Self, PlanError> {
        build::build(request)
    }

    /// The graph.
    pub fn graph(&self) -> &StableDiGraph<SyncTask, Dependency> {
        &self.graph
    }

    /// The tasks, milestones included, in an order in which they could run one by one.
    pub fn order(&self) -> &[NodeIndex] {
        &self.order
    }

    /// The tasks that do something, in that order.
    pub fn tasks(&self) -> impl Iterator<Item = (NodeIndex, &SyncTask)> {
        self.order
            .iter()
            .map(|&node| (node, &self.graph[node]))
            .filter(|(_, task)| task.action != TaskAction::Milestone)
    }

    /// Kinds of their objects.
    pub fn kinds(&self) -> &BTreeSet<GroupKind> {
        &self.kinds
    }

    /// The task of a node.
    pub fn task(&self, node: NodeIndex) -> &SyncTask {
        &self.graph[node]
    }

    /// Is it a claim that something later in the sync mounts? It may stay `Pending` until then.
    pub(crate) fn is_consumed_later(&self, node: NodeIndex) -> bool {
        self.consumed_later.contains(&node)
    }

    /// The scope of a task's kind became known only now: its object has no namespace.
    pub(crate) fn drop_namespace(&mut self, node: NodeIndex) {
        if let Some(task) = self.graph.node_weight_mut(node) {
            task.key.namespace.clear();
        }
    }

    /// What a task waits for, and why.
    pub fn dependencies(&self, node: NodeIndex) -> impl Iterator<Item = (NodeIndex, Dependency)> {
        self.graph
            .edges_directed(node, Direction::Incoming)
            .map(|edge| (edge.source(), *edge.weight()))
    }

    /// What waits for a task, and why.
    pub fn dependents(&self, node: NodeIndex) -> impl Iterator<Item = (NodeIndex, Dependency)> {
        self.graph
            .edges_directed(node, Direction::Outgoing)
            .map(|edge| (edge.target(), *edge.weight()))
    }

    /// Does the sync wait for the health of what it wrote last?
    pub fn health_gate(&self) -> HealthGate {
        let hooks = self.tasks().any(|(_, task)| matches!(task.action, TaskAction::Hook(_)));
        if self.groups > 1 || hooks {
            HealthGate::Wait
        } else {
            HealthGate::Skip
        }
    }

    /// May it be carried out without making the intent durable first? One wave of applies can: they are idempotent, so that after a
    /// crash at any point the comparison finds what is left to do and the same plan again. Hooks and prunes cannot be told from what
    /// somebody else did, and waves must go on from where they were.
    pub fn is_idempotent(&self) -> bool {
        let repeatable = |task: &SyncTask| matches!(task.action, TaskAction::Apply | TaskAction::CreateNamespace);
        self.groups <= 1 && self.tasks().all(|(_, task)| repeatable(task))
    }
}

impl fmt::Display for TaskAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateNamespace => f.write_str("create namespace"),
            Self::Apply => f.write_str("apply"),
            Self::Hook(hook) => write!(f, "{hook:?} hook"),
            Self::Prune => f.write_str("prune"),
            Self::Milestone => f.write_str("milestone"),
        }
    }
}
