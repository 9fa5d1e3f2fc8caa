//! Making the graph.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use capstan_model::{GroupKind, GroupVersionKind, HookType, ResourceKey, SyncPhase};
use petgraph::stable_graph::{NodeIndex, StableDiGraph};
use petgraph::visit::NodeIndexable;

use super::claims::consumed_later;
use super::cycle::Cycle;
use super::names::Selection;
use super::order::tier;
use super::undeclared::{namespace_task, prune_tasks};
use super::{Dependency, Plan, PlanError, PlanRequest, SyncTask, TaskAction, declared};
use crate::sabotage::{self, Sabotage};
use crate::targets::Target;

/// Room for so many milestones; there may be more.
const MILESTONES: usize = 64;

/// Phase and wave: what is waited for as one.
type Group = (SyncPhase, i64);

struct Builder<'a> {
    request: &'a PlanRequest<'a>,
    graph: StableDiGraph<SyncTask, Dependency>,
    nodes: Vec<NodeIndex>,
}

pub(super) fn build(request: &PlanRequest<'_>) -> Result<Plan, PlanError> {
    let mut tasks = tasks(request);
    pull_forward(&mut tasks, request);
    let tasks = sorted(tasks, request);
    let mut builder = Builder {
        request,
        graph: StableDiGraph::with_capacity(tasks.len() + MILESTONES, 3 * tasks.len()),
        nodes: Vec::new(),
    };
    builder.nodes = tasks.into_iter().map(|task| builder.graph.add_node(task)).collect();
    let groups = builder.tie_groups();
    builder.tie_prerequisites();
    builder.tie_declared()?;
    builder.finish(groups)
}

/// The tasks in the order of the plan: phases, waves, tiers, keys. Prunes stand after applies, whatever their waves are.
///
/// Keys are four texts each, somewhere in memory: comparing them is most of what planning many tasks costs. So what is no text is
/// compared first, and then the keys of those that share a place, which come in their order as a rule.
fn sorted(tasks: Vec<SyncTask>, request: &PlanRequest<'_>) -> Vec<SyncTask> {
    let place = |task: &SyncTask| {
        let tier = tier(&task.key, request.guards);
        match task.action {
            TaskAction::Prune => (task.phase, i64::MAX, TaskAction::Prune, tier),
            _ => (task.phase, task.wave, TaskAction::Apply, tier),
        }
    };
    let mut order: Vec<_> = tasks.iter().map(place).zip(0..).collect();
    order.sort_unstable();
    for alike in order.chunk_by_mut(|(one, _), (other, _)| one == other) {
        alike.sort_by(|&(_, one), &(_, other)| tasks[one].key.cmp(&tasks[other].key));
    }
    let mut tasks: Vec<_> = tasks.into_iter().map(Some).collect();
    order
        .into_iter()
        .filter_map(|(_, index): (_, usize)| tasks[index].take())
        .collect()
}

/// The tasks, in no order.
fn tasks(request: &PlanRequest<'_>) -> Vec<SyncTask> {
    let mut tasks = Vec::new();
    let mut unnamed = BTreeMap::new();
    let selection = Selection::of(request.selection);
    for (index, target) in request.targets.objects().iter().enumerate() {
        if !selection.has(&target.key) {
            continue;
        }
        let task = |phase, action, key: ResourceKey| SyncTask {
            key,
            gvk: target.gvk.clone(),
            phase,
            wave: target.meta.wave,
            action,
            location: Some(target.location.clone()),
            target: Some(index),
        };
        if target.meta.is_resource() {
            tasks.push(task(SyncPhase::Sync, TaskAction::Apply, target.key.clone()));
            continue;
        }
        if !request.hooks {
            continue;
        }
        for hook in &target.meta.hooks {
            if let Some(phase) = phase_of(*hook) {
                tasks.push(task(
                    phase,
                    TaskAction::Hook(*hook),
                    hook_key(target, phase, request, &mut unnamed),
                ));
            }
        }
    }
    let namespace = namespace_task(request, &tasks);
    tasks.extend(prune_tasks(request, &selection, namespace.as_ref()));
    tasks.extend(namespace);
    tasks
}

/// The phase of a sync in which a hook of this type runs.
pub(crate) fn phase_of(hook: HookType) -> Option<SyncPhase> {
    match hook {
        HookType::PreSync => Some(SyncPhase::PreSync),
        HookType::Sync => Some(SyncPhase::Sync),
        HookType::PostSync => Some(SyncPhase::PostSync),
        HookType::SyncFail => Some(SyncPhase::SyncFail),
        HookType::PreDelete | HookType::PostDelete | HookType::Skip => None,
    }
}

/// Is it a hook that runs in a sync?
pub(crate) fn runs_in_a_sync(target: &Target) -> bool {
    target.meta.is_hook && target.meta.hooks.iter().any(|hook| phase_of(*hook).is_some())
}

/// Does a sync of everything write it: an ordinary object, or a hook that runs in it?
pub(crate) fn is_written(target: &Target) -> bool {
    target.meta.is_resource() || runs_in_a_sync(target)
}

/// Why a hook fails in whose way an object is that is no earlier run of it.
pub(crate) fn foreign_hook(key: &ResourceKey) -> String {
    format!("{key} exists and does not belong to this application: delete it or rename the hook")
}

/// A hook without a name gets one that is the same whenever this attempt is looked at again. Of several whose names begin alike, each has its
/// own: `unnamed` counts them.
fn hook_key(
    target: &Target,
    phase: SyncPhase,
    request: &PlanRequest<'_>,
    unnamed: &mut BTreeMap<ResourceKey, usize>,
) -> ResourceKey {
    let mut key = target.key.clone();
    if let Some(prefix) = &target.generate_name {
        key.name = format!("{prefix}{}-{}", phase.to_string().to_lowercase(), request.hook_suffix);
        let count = unnamed.entry(key.clone()).or_insert(0);
        *count += 1;
        key.name = nth_name(key.name, *count);
    }
    key
}

/// What is made for the `nth` hook without a name, from 1, of several that would be called alike.
pub(crate) fn nth_name(name: String, nth: usize) -> String {
    match nth {
        0 | 1 => name,
        nth => format!("{name}-{nth}"),
    }
}

pub(super) fn is_namespace(key: &ResourceKey) -> bool {
    key.group.is_empty() && key.kind == "Namespace"
}

pub(super) fn is_definition(key: &ResourceKey) -> bool {
    key.group == "apiextensions.k8s.io" && key.kind == "CustomResourceDefinition"
}

/// Prunes run from the highest wave to the lowest.
fn turn(wave: i64) -> i64 {
    match sabotage::is(Sabotage::PrunesInOrder) {
        true => wave.saturating_neg(),
        false => wave,
    }
}

/// The kind that a definition defines.
pub(crate) fn defined_kind(target: &Target) -> Option<GroupKind> {
    let object = is_definition(&target.key).then(|| target.object.value().ok())??;
    let text = |pointer| object.pointer(pointer).and_then(serde_json::Value::as_str);
    Some(GroupKind::new(text("/spec/group")?, text("/spec/names/kind")?))
}

/// A namespace that comes later than the first object in it, and a definition that comes later than the first object of its kind,
/// take the place of that object.
fn pull_forward(tasks: &mut [SyncTask], request: &PlanRequest<'_>) {
    if sabotage::is(Sabotage::LeavesNamespacesLate) {
        return;
    }
    let needed: Vec<(usize, Group)> = {
        let firsts = Firsts::of(tasks);
        let needed = |task: &SyncTask| match task.action {
            TaskAction::Apply | TaskAction::Hook(_) if is_namespace(&task.key) => firsts.inside(&task.key.name),
            // Whether the sync fails or not.
            TaskAction::CreateNamespace => firsts
                .inside(&task.key.name)
                .filter(|(phase, _)| *phase != SyncPhase::SyncFail),
            TaskAction::Apply => {
                let target = task.target.map(|index| &request.targets.objects()[index])?;
                firsts.of_kind(&defined_kind(target)?)
            }
            _ => None,
        };
        let numbered = tasks.iter().enumerate();
        numbered
            .filter_map(|(index, task)| Some((index, needed(task)?)))
            .collect()
    };
    for (index, group) in needed {
        let task = &mut tasks[index];
        if group < (task.phase, task.wave) || task.action == TaskAction::CreateNamespace {
            (task.phase, task.wave) = group;
        }
    }
}

/// Where the first object of each namespace and kind is written.
struct Firsts<'a> {
    in_namespace: BTreeMap<&'a str, Group>,
    of_kind: BTreeMap<(&'a str, &'a str), Group>,
}

impl<'a> Firsts<'a> {
    fn of(tasks: &'a [SyncTask]) -> Self {
        let (mut in_namespace, mut of_kind) = (BTreeMap::new(), BTreeMap::new());
        for task in tasks.iter().filter(|task| task.action != TaskAction::Prune) {
            let group = (task.phase, task.wave);
            let earliest = |slot: &mut Group| *slot = (*slot).min(group);
            if !task.key.namespace.is_empty() {
                earliest(in_namespace.entry(&*task.key.namespace).or_insert(group));
            }
            earliest(of_kind.entry((&*task.key.group, &*task.key.kind)).or_insert(group));
        }
        Self { in_namespace, of_kind }
    }

    fn inside(&self, namespace: &str) -> Option<Group> {
        self.in_namespace.get(namespace).copied()
    }

    fn of_kind(&self, kind: &GroupKind) -> Option<Group> {
        self.of_kind.get(&(&*kind.group, &*kind.kind)).copied()
    }
}

impl Builder<'_> {
    fn milestone(&mut self, (phase, wave): Group) -> NodeIndex {
        self.graph.add_node(SyncTask {
            key: ResourceKey::default(),
            gvk: GroupVersionKind::default(),
            phase,
            wave,
            action: TaskAction::Milestone,
            location: None,
            target: None,
        })
    }

    fn last_of_all(&self) -> BTreeSet<&ResourceKey> {
        let last = self.request.prune.iter().filter(|item| item.last);
        last.map(|item| &item.key).collect()
    }

    /// Chains phases, waves, tiers and prunes by milestones. Gives the number of phases and waves that are written in.
    fn tie_groups(&mut self) -> usize {
        let mut groups: BTreeMap<Group, BTreeMap<usize, Vec<NodeIndex>>> = BTreeMap::new();
        let mut prunes: BTreeMap<(bool, Reverse<i64>, bool), Vec<NodeIndex>> = BTreeMap::new();
        let last_of_all = self.last_of_all();
        for &node in &self.nodes {
            let task = &self.graph[node];
            let tier = tier(&task.key, self.request.guards);
            match (task.action, task.phase) {
                (TaskAction::Prune, _) => {
                    let last = last_of_all.contains(&task.key) != sabotage::is(Sabotage::PrunesLastFirst);
                    // What holds others goes after what it holds.
                    let holds = is_namespace(&task.key) || is_definition(&task.key);
                    prunes
                        .entry((last, Reverse(turn(task.wave)), holds))
                        .or_default()
                        .push(node);
                }
                // Runs only when the sync fails, all at once.
                (_, SyncPhase::SyncFail) => {}
                (_, phase) => groups
                    .entry((phase, task.wave))
                    .or_default()
                    .entry(tier)
                    .or_default()
                    .push(node),
            }
        }
        let count = groups.len();
        let mut before: Option<(NodeIndex, Group)> = None;
        let mut prunes = Some(prunes);
        for (group, tiers) in groups {
            if group.0 > SyncPhase::Sync
                && let Some(prunes) = prunes.take()
            {
                before = self.tie_prunes(before, prunes).or(before);
            }
            let kind = match before {
                Some((_, (phase, _))) if phase != group.0 => Dependency::Phase,
                _ => Dependency::Wave,
            };
            for (position, (_, nodes)) in tiers.into_iter().enumerate() {
                let kind = if position == 0 { kind } else { Dependency::KindOrder };
                before = Some((self.tie(before.map(|(node, _)| (node, kind)), &nodes, group), group));
            }
        }
        if let Some(prunes) = prunes {
            self.tie_prunes(before, prunes);
        }
        count
    }

    /// Puts `nodes` after `before` and gives the milestone after them.
    fn tie(&mut self, before: Option<(NodeIndex, Dependency)>, nodes: &[NodeIndex], group: Group) -> NodeIndex {
        let after = self.milestone(group);
        for &node in nodes {
            if let Some((before, kind)) = before {
                self.graph.add_edge(before, node, kind);
            }
            self.graph.add_edge(node, after, Dependency::Wave);
        }
        if let Some((before, kind)) = before {
            self.graph.add_edge(before, after, kind);
        }
        after
    }

    fn tie_prunes(
        &mut self,
        applies: Option<(NodeIndex, Group)>,
        prunes: BTreeMap<(bool, Reverse<i64>, bool), Vec<NodeIndex>>,
    ) -> Option<(NodeIndex, Group)> {
        let mut before = applies.map(|(node, _)| (node, Dependency::Prune));
        let mut after = None;
        for ((last, Reverse(wave), _), nodes) in prunes {
            let group = (SyncPhase::Sync, wave);
            if let (true, Some((applies, _))) = (last, applies) {
                for &node in &nodes {
                    self.graph.add_edge(applies, node, Dependency::PruneLast);
                }
            }
            let milestone = self.milestone(group);
            for &node in &nodes {
                if let Some((before, kind)) = before {
                    self.graph.add_edge(before, node, kind);
                }
                // The wave before may be settled from the beginning: what is not deleted is waited for by nobody.
                if let (false, Some((applies, _))) = (last || after.is_none(), applies) {
                    self.graph.add_edge(applies, node, Dependency::Prune);
                }
                self.graph.add_edge(node, milestone, Dependency::Wave);
            }
            // Not of the applies: a prune does not wait for their health.
            if let Some((before, kind)) = before.filter(|(_, kind)| *kind == Dependency::Wave) {
                self.graph.add_edge(before, milestone, kind);
            }
            before = Some((milestone, Dependency::Wave));
            after = Some((milestone, group));
        }
        let (pruned, group) = after?;
        let both = self.milestone(group);
        for before in [Some(pruned), applies.map(|(node, _)| node)].into_iter().flatten() {
            self.graph.add_edge(before, both, Dependency::Wave);
        }
        Some((both, group))
    }

    fn tie_prerequisites(&mut self) {
        let mut edges = Vec::new();
        let (mut namespaces, mut definitions) = (BTreeMap::new(), BTreeMap::new());
        let written = || {
            let tasks = self.nodes.iter().map(|&node| (node, &self.graph[node]));
            tasks.filter(|(_, task)| task.action != TaskAction::Prune)
        };
        for (node, task) in written() {
            if is_namespace(&task.key) {
                namespaces.insert(&*task.key.name, node);
                continue;
            }
            let target = task.target.map(|index| &self.request.targets.objects()[index]);
            if let Some(kind) = target.and_then(defined_kind) {
                definitions.insert(kind, node);
            }
        }
        if sabotage::is(Sabotage::LeavesNamespacesLate) {
            namespaces.clear();
        }
        if namespaces.is_empty() && definitions.is_empty() {
            return;
        }
        for (node, task) in written() {
            // What runs only if the sync fails brings nothing for what comes before.
            let brings = |before: &NodeIndex| {
                let phase = self.graph[*before].phase;
                phase != SyncPhase::SyncFail || task.phase == SyncPhase::SyncFail
            };
            let namespace = namespaces.get(&*task.key.namespace).copied().filter(brings);
            let definition = definitions.get(&task.key.group_kind()).copied().filter(brings);
            edges.extend(namespace.map(|before| (before, node, Dependency::Namespace)));
            edges.extend(definition.map(|before| (before, node, Dependency::CustomResourceDefinition)));
        }
        for (before, node, kind) in edges {
            if before != node {
                self.graph.add_edge(before, node, kind);
            }
        }
    }

    fn tie_declared(&mut self) -> Result<(), PlanError> {
        for (before, node) in declared::edges(&self.graph, &self.nodes, self.request)? {
            self.graph.add_edge(before, node, Dependency::DependsOn);
        }
        Ok(())
    }

    fn finish(self, groups: usize) -> Result<Plan, PlanError> {
        let order = stable_order(&self.graph);
        if order.len() == self.graph.node_count() {
            return Ok(Plan {
                consumed_later: consumed_later(&self.graph, &self.nodes, self.request.targets.objects()),
                kinds: crate::targets::kinds(self.nodes.iter().map(|&node| &self.graph[node].key)),
                graph: self.graph,
                order,
                groups,
            });
        }
        Err(PlanError::Cycle(Box::new(Cycle::of(&self.graph))))
    }
}

/// Of the many orders that the edges allow, the one that takes the earliest node first: phases, waves, tiers, keys; and at the end what runs
/// only if the sync fails, for which nothing is waited. What is on a cycle, or behind one, is not in it.
fn stable_order(graph: &StableDiGraph<SyncTask, Dependency>) -> Vec<NodeIndex> {
    use petgraph::Direction::{Incoming, Outgoing};
    let mut waiting = vec![0; graph.node_bound()];
    let mut ready = BinaryHeap::new();
    let turn = |node: NodeIndex| Reverse((graph[node].phase == SyncPhase::SyncFail, node));
    for node in graph.node_indices() {
        let count = graph.edges_directed(node, Incoming).count();
        waiting[node.index()] = count;
        if count == 0 {
            ready.push(turn(node));
        }
    }
    let mut order = Vec::with_capacity(graph.node_count());
    while let Some(Reverse((_, node))) = ready.pop() {
        order.push(node);
        for next in graph.neighbors_directed(node, Outgoing) {
            let count = &mut waiting[next.index()];
            *count -= 1;
            if *count == 0 {
                ready.push(turn(next));
            }
        }
    }
    order
}
