//! Objects that wait for each other: the shortest way around, why each waits for the next, and what would end it.
//!
//! **Problem.** One wrong edge ties whole waves together: who waits for whom is then true of hundreds of objects, and names none of them.
//! Every cycle has an edge of two tasks' own (an annotation, a namespace, a definition), since milestones only go forward; so the shortest
//! way back is looked for from those.
//!
//! **Invariants.** The same graph, the same cycle. Of a large graph not every edge is tried: the shortest ring that was found until then is told.

use std::collections::VecDeque;
use std::fmt;

use capstan_model::ResourceKey;
use capstan_model::annotations::DEPENDS_ON;
use petgraph::algo::kosaraju_scc;
use petgraph::stable_graph::{NodeIndex, StableDiGraph};
use petgraph::visit::{EdgeRef, IntoEdgeReferences, NodeIndexable};

use super::{Dependency, SyncTask, TaskAction};

/// Nodes and edges that are looked at, all searches together; the first search is never cut short.
const WORK: usize = 4_000_000;
/// Members of a cycle that are named.
const NAMED: usize = 20;

type Graph = StableDiGraph<SyncTask, Dependency>;

/// Objects that wait for each other, in a ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cycle {
    members: Vec<Member>,
    advice: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Member {
    key: ResourceKey,
    /// Why it waits for the next one, and where it is declared.
    why: String,
}

impl Cycle {
    /// Of a graph that has one.
    pub(super) fn of(graph: &Graph) -> Self {
        let nodes = shortest(graph);
        let next = nodes.iter().cycle().skip(1);
        let edges: Vec<Edge<'_>> = nodes
            .iter()
            .zip(next)
            .map(|(&at, &to)| Edge::of(graph, at, to))
            .collect();
        let members = edges.iter().map(|edge| Member {
            key: edge.waiting.key.clone(),
            why: edge.to_string(),
        });
        Self {
            members: members.collect(),
            advice: advice(&edges),
        }
    }

    /// Who they are: each waits for the next one, the last for the first.
    pub fn members(&self) -> impl Iterator<Item = &ResourceKey> {
        self.members.iter().map(|member| &member.key)
    }
}

impl fmt::Display for Cycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.members.first() else {
            return Ok(());
        };
        write!(f, "{}", first.key)?;
        let next = self.members.iter().skip(1).chain([first]);
        let more = self.members.len().saturating_sub(NAMED);
        let left_out = NAMED - 1..NAMED - 1 + more;
        for (at, (member, next)) in self.members.iter().zip(next).enumerate() {
            if !left_out.contains(&at) {
                write!(f, " → {} ({})", next.key, member.why)?;
            } else if at == left_out.start {
                write!(f, " → … {more} more …")?;
            }
        }
        write!(f, "; {}", self.advice)
    }
}

/// One waits for the other.
struct Edge<'g> {
    waiting: &'g SyncTask,
    before: &'g SyncTask,
    why: Dependency,
}

impl<'g> Edge<'g> {
    fn of(graph: &'g Graph, waiting: NodeIndex, before: NodeIndex) -> Self {
        let own = graph.edges_connecting(before, waiting).map(|edge| *edge.weight()).max();
        let (waiting, before) = (&graph[waiting], &graph[before]);
        let by_place = || match (waiting.action, before.action) {
            (TaskAction::Prune, _) => Dependency::Prune,
            _ if waiting.phase != before.phase => Dependency::Phase,
            _ if waiting.wave != before.wave => Dependency::Wave,
            _ => Dependency::KindOrder,
        };
        Self {
            waiting,
            before,
            why: own.unwrap_or_else(by_place),
        }
    }
}

impl fmt::Display for Edge<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (waiting, before) = (self.waiting, self.before);
        match self.why {
            Dependency::DependsOn => f.write_str("depends-on"),
            Dependency::Namespace => f.write_str("lives in it"),
            Dependency::CustomResourceDefinition => f.write_str("is of the kind that it defines"),
            Dependency::Phase => write!(f, "{} comes after {}", waiting.phase, before.phase),
            Dependency::Wave => write!(f, "{} wave {} comes after {}", waiting.phase, waiting.wave, before.wave),
            Dependency::KindOrder => write!(
                f,
                "kind order: within {} wave {} a {} comes after a {}",
                waiting.phase, waiting.wave, waiting.key.kind, before.key.kind
            ),
            Dependency::Prune | Dependency::PruneLast => f.write_str("prunes come after applies"),
        }?;
        let location = waiting.location.as_ref().filter(|place| !place.file.is_empty());
        location.map_or(Ok(()), |location| write!(f, ", {location}"))
    }
}

/// What would end it.
fn advice(edges: &[Edge<'_>]) -> String {
    let Some(declared) = edges.iter().find(|edge| edge.why == Dependency::DependsOn) else {
        return undeclared(edges);
    };
    let (who, other) = (&declared.waiting.key, declared.before);
    let take = format!("take {DEPENDS_ON} off {who}");
    let has = |why| edges.iter().any(|edge| edge.why == why);
    if edges.len() == 1 {
        format!("{take}: it names itself")
    } else if has(Dependency::Phase) {
        format!(
            "{take}, or let it run in phase {} or later: what is earlier cannot wait for that",
            other.phase
        )
    } else if has(Dependency::Wave) {
        format!(
            "{take}, or put it into a later wave than {}, in which {} is",
            other.wave, other.key
        )
    } else if has(Dependency::KindOrder) {
        format!("{take}, or put it into a later wave than {}", other.wave)
    } else {
        format!("take {DEPENDS_ON} off one of them")
    }
}

/// Nothing is declared: something is needed by what comes before it.
fn undeclared(edges: &[Edge<'_>]) -> String {
    let needs = |edge: &&Edge<'_>| matches!(edge.why, Dependency::Namespace | Dependency::CustomResourceDefinition);
    let needed = edges.iter().find(needs).map(|edge| edge.before);
    match needed {
        Some(task) => format!(
            "{} is needed before {} wave {}: let it be no hook, or one that runs earlier",
            task.key, task.phase, task.wave
        ),
        None => "change the wave or the phase of one of them".to_owned(),
    }
}

/// The shortest ring of tasks, each of which waits for the next one.
fn shortest(graph: &Graph) -> Vec<NodeIndex> {
    let ring = Ring::of(graph);
    let mut own: Vec<_> = graph
        .edge_references()
        .filter(|edge| ring.is_within(edge.source(), edge.target()))
        .filter(|edge| [edge.source(), edge.target()].iter().all(|&node| is_task(graph, node)))
        .map(|edge| (*edge.weight() != Dependency::DependsOn, edge.target(), edge.source()))
        .collect();
    own.sort();
    let mut work = 0;
    let mut best: Option<Vec<NodeIndex>> = None;
    for (_, waiting, before) in own {
        let limit = best.as_ref().map_or(usize::MAX, Vec::len);
        if work > WORK || limit <= 2 {
            break;
        }
        let found = ring.way(waiting, before, &mut work);
        best = found.filter(|found| found.len() < limit).or(best);
    }
    // From who comes first in the plan.
    let mut nodes = best.unwrap_or_else(|| ring.tasks());
    let first = (0..nodes.len()).min_by_key(|&at| nodes[at]);
    nodes.rotate_left(first.unwrap_or(0));
    nodes
}

fn is_task(graph: &Graph, node: NodeIndex) -> bool {
    graph[node].action != TaskAction::Milestone
}

/// The nodes that are on cycles.
struct Ring<'g> {
    graph: &'g Graph,
    /// Of each node: which of the sets it is in whose members all wait for each other.
    sets: Vec<Option<usize>>,
}

impl<'g> Ring<'g> {
    fn of(graph: &'g Graph) -> Self {
        let mut sets = vec![None; graph.node_bound()];
        for (number, members) in kosaraju_scc(graph).into_iter().enumerate() {
            let is_looped = |node: &NodeIndex| members.len() > 1 || graph.contains_edge(*node, *node);
            for node in members.iter().filter(|node| is_looped(node)) {
                sets[node.index()] = Some(number);
            }
        }
        Self { graph, sets }
    }

    fn is_within(&self, one: NodeIndex, other: NodeIndex) -> bool {
        let set = self.sets[one.index()];
        set.is_some() && set == self.sets[other.index()]
    }

    fn tasks(&self) -> Vec<NodeIndex> {
        let looped = self
            .graph
            .node_indices()
            .filter(|node| self.sets[node.index()].is_some());
        looped.filter(|&node| is_task(self.graph, node)).collect()
    }

    /// The ring that the edge from `before` to `waiting` closes, over as few tasks as possible: `waiting` first.
    fn way(&self, waiting: NodeIndex, before: NodeIndex, work: &mut usize) -> Option<Vec<NodeIndex>> {
        let mut came_from: Vec<Option<NodeIndex>> = vec![None; self.graph.node_bound()];
        let mut done = vec![false; self.graph.node_bound()];
        *work += done.len();
        let mut row = VecDeque::from([(waiting, waiting)]);
        while let Some((at, from)) = row.pop_front() {
            if std::mem::replace(&mut done[at.index()], true) {
                continue;
            }
            came_from[at.index()] = (at != waiting).then_some(from);
            if at == before {
                let back = std::iter::successors(Some(before), |node| came_from[node.index()]);
                let tasks = back.filter(|&node| node != waiting && is_task(self.graph, node));
                return Some([waiting].into_iter().chain(tasks).collect());
            }
            for edge in self.graph.edges(at) {
                *work += 1;
                let to = edge.target();
                // A milestone is no member: it costs nothing.
                match (self.is_within(at, to) && !done[to.index()], is_task(self.graph, to)) {
                    (false, _) => {}
                    (true, true) => row.push_back((to, at)),
                    (true, false) => row.push_front((to, at)),
                }
            }
        }
        None
    }
}
