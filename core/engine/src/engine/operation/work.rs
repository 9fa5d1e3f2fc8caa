//! Which tasks of an operation are to be looked at, and what their states come to.
//!
//! **Problem.** An operation of n tasks sees some events for each of them. A pass over all tasks at every event would cost the square of n.
//! So a task is looked at when it was woken: its request was answered, its object changed, its time came, what it waits for is done, or
//! everything may have changed. What is asked of all tasks at every step (did one fail, is everything done, what is waited for first) is
//! kept in sets as the states change.
//!
//! **Invariants.**
//! - A task that is not woken would stay as it is, if it was looked at.
//! - In one step tasks are looked at in the order of the plan, each once; so what becomes possible by a task is begun in the same step.
//! - What is kept of a task is what its state says ([`Facts::of`]): whatever changes a state or a message calls [`Work::refresh`].
//! - Tasks that found no free place among the writes under way wait in the order of the plan, and are looked at again as places get free.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Unbounded};

use capstan_model::{GroupKind, ResourceKey, SyncPhase, Timestamp};
use petgraph::stable_graph::NodeIndex;

use super::TaskRun;
use crate::engine::touched::{first_of, is_of};
use crate::machine::{HookTask, PruneTask, TaskState, WriteTask};
use crate::plan::{HealthGate, Plan, SyncTask, TaskAction};

/// Position in the order of the plan.
type Position = usize;

/// What the state of one task adds to the sums.
#[derive(Clone, Debug, Default, PartialEq)]
struct Facts {
    applied: bool,
    settled: bool,
    failed: bool,
    active: bool,
    /// Part of what the operation waits for.
    told: bool,
    done: bool,
    /// A hook whose creation is to be recorded first.
    to_record: bool,
    /// When it is tried again.
    retry: Option<Timestamp>,
    /// When it has failed by waiting.
    overdue: Option<Timestamp>,
}

impl Facts {
    fn of(task: &SyncTask, run: &TaskRun, gate: HealthGate, is_recorded: bool) -> Self {
        let state = &run.state;
        let (settled, failed) = (state.is_settled(), state.failure().is_some());
        let is_milestone = task.action == TaskAction::Milestone;
        let is_written = matches!(state, TaskState::Write(WriteTask::AwaitingHealth { .. }));
        Self {
            applied: state.is_applied(),
            settled,
            failed,
            active: state.is_active(),
            told: !(is_milestone || settled || failed || state.is_blocked() && run.message.is_empty()),
            done: is_milestone
                || task.phase == SyncPhase::SyncFail
                || settled
                || gate == HealthGate::Skip && is_written,
            to_record: *state == TaskState::Hook(HookTask::Recording) && !is_recorded,
            retry: state.deadline(),
            overdue: run.until.filter(|_| run.is_waited_for()),
        }
    }
}

/// Dependencies that do not hold yet.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Unmet {
    /// Of a task: those that its turn waits for. Of a milestone: what is not applied.
    turn: usize,
    /// Of a milestone: what is not settled.
    settled: usize,
}

/// The work that an operation has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Work {
    gate: Option<HealthGate>,
    has_last_resort: bool,
    positions: Vec<Position>,
    by_key: BTreeMap<ResourceKey, BTreeSet<Position>>,
    facts: Vec<Facts>,
    unmet: Vec<Unmet>,
    woken: BTreeSet<Position>,
    /// Wait for a free place among the writes.
    queued: BTreeSet<Position>,
    failed: BTreeSet<Position>,
    active: BTreeSet<Position>,
    told: BTreeSet<Position>,
    to_record: BTreeSet<Position>,
    undone: usize,
    retries: BTreeSet<(Timestamp, Position)>,
    overdue: BTreeSet<(Timestamp, Position)>,
    /// Whose write was accepted, or is not any more, since [`Work::take_moved`].
    moved: BTreeSet<Position>,
    /// Grows with every change of a hook.
    hook_changes: u64,
    /// Grows with every change of a task.
    changes: u64,
}

impl Work {
    /// Of a plan whose tasks are in these states. Every task is woken.
    pub(crate) fn new(plan: &Plan, tasks: &BTreeMap<NodeIndex, TaskRun>, recorded: &BTreeSet<NodeIndex>) -> Self {
        let order = plan.order();
        let size = order.iter().map(|node| node.index() + 1).max().unwrap_or_default();
        let mut work = Self {
            gate: Some(plan.health_gate()),
            has_last_resort: plan.tasks().any(|(_, task)| task.phase == SyncPhase::SyncFail),
            positions: vec![usize::MAX; size],
            facts: vec![Facts::default(); order.len()],
            unmet: vec![Unmet::default(); order.len()],
            undone: order.len(),
            ..Self::default()
        };
        for (position, &node) in order.iter().enumerate() {
            work.positions[node.index()] = position;
            work.woken.insert(position);
            let key = &plan.task(node).key;
            if plan.task(node).action != TaskAction::Milestone {
                work.by_key.entry(key.clone()).or_default().insert(position);
            }
            let count = plan.dependencies(node).count();
            work.unmet[position] = Unmet {
                turn: count,
                settled: count,
            };
        }
        for (node, run) in tasks {
            work.refresh(plan, *node, run, recorded.contains(node));
        }
        work.moved.clear();
        work
    }

    /// The same, made anew by a look at every task.
    pub(crate) fn anew(&self, fresh: Self) -> Self {
        Self {
            moved: (0..fresh.facts.len()).collect(),
            hook_changes: self.hook_changes,
            changes: self.changes,
            ..fresh
        }
    }

    fn position(&self, node: NodeIndex) -> Option<Position> {
        let position = self.positions.get(node.index()).copied();
        position.filter(|position| *position < self.facts.len())
    }

    pub(crate) fn wake(&mut self, node: NodeIndex) {
        self.woken.extend(self.position(node));
    }

    pub(crate) fn wake_key(&mut self, key: &ResourceKey) {
        self.woken.extend(self.by_key.get(key).into_iter().flatten());
    }

    pub(crate) fn wake_kind(&mut self, kind: &GroupKind) {
        let tasks = self.by_key.range(first_of(kind)..);
        let tasks = tasks.take_while(|(key, _)| is_of(key, kind));
        self.woken.extend(tasks.flat_map(|(_, positions)| positions));
    }

    pub(crate) fn wake_all(&mut self) {
        self.woken.extend(0..self.facts.len());
    }

    /// Wakes the tasks that are to be tried again.
    pub(crate) fn wake_due(&mut self, now: Timestamp) {
        while let Some(&(at, position)) = self.retries.first().filter(|(at, _)| *at <= now) {
            self.retries.remove(&(at, position));
            self.woken.insert(position);
        }
    }

    /// The tasks whose time is over, each told once.
    pub(crate) fn take_overdue(&mut self, plan: &Plan, now: Timestamp) -> BTreeSet<NodeIndex> {
        let mut nodes = BTreeSet::new();
        while let Some(&(at, position)) = self.overdue.first().filter(|(at, _)| *at <= now) {
            self.overdue.remove(&(at, position));
            nodes.insert(plan.order()[position]);
        }
        nodes
    }

    /// When the next task wants to be looked at.
    pub(crate) fn deadline(&self, now: Timestamp) -> Option<Timestamp> {
        let next = |set: &BTreeSet<(Timestamp, Position)>| {
            let mut later = set.range((Excluded((now, usize::MAX)), Unbounded));
            later.next().map(|(at, _)| *at)
        };
        [next(&self.retries), next(&self.overdue)].into_iter().flatten().min()
    }

    /// The next task to look at after `after`: one that was woken, or with a free place one that waits for that.
    pub(crate) fn next(&mut self, after: Option<Position>, has_place: bool) -> Option<Position> {
        let from = (after.map_or(Unbounded, Excluded), Unbounded);
        let woken = self.woken.range(from).next();
        let queued = self.queued.range(from).next().filter(|_| has_place);
        let next = woken.into_iter().chain(queued).min().copied()?;
        self.woken.remove(&next);
        self.queued.remove(&next);
        Some(next)
    }

    /// There was no free place for this task.
    pub(crate) fn queue(&mut self, position: Position) {
        self.queued.insert(position);
    }

    /// Does everything that a task waits for hold?
    pub(crate) fn is_its_turn(&self, position: Position) -> bool {
        self.unmet[position].turn == 0
    }

    /// What a milestone stands for: is everything before it applied, settled?
    pub(crate) fn milestone(&self, position: Position) -> TaskState {
        let Unmet { turn, settled } = self.unmet[position];
        TaskState::Milestone {
            applied: turn == 0,
            settled: settled == 0,
        }
    }

    /// Takes in what a task is now.
    pub(crate) fn refresh(&mut self, plan: &Plan, node: NodeIndex, run: &TaskRun, is_recorded: bool) {
        let (Some(position), Some(gate)) = (self.position(node), self.gate) else {
            return;
        };
        let new = Facts::of(plan.task(node), run, gate, is_recorded);
        let old = std::mem::replace(&mut self.facts[position], new.clone());
        if old == new {
            return;
        }
        let keep = |set: &mut BTreeSet<Position>, holds: bool| match holds {
            true => drop(set.insert(position)),
            false => drop(set.remove(&position)),
        };
        keep(&mut self.failed, new.failed);
        keep(&mut self.active, new.active);
        keep(&mut self.told, new.told);
        keep(&mut self.to_record, new.to_record);
        for (set, old, new) in [
            (&mut self.retries, old.retry, new.retry),
            (&mut self.overdue, old.overdue, new.overdue),
        ] {
            if old != new {
                old.map(|at| set.remove(&(at, position)));
                new.map(|at| set.insert((at, position)));
            }
        }
        match (old.done, new.done) {
            (false, true) => self.undone -= 1,
            (true, false) => self.undone += 1,
            _ => {}
        }
        if old.applied != new.applied {
            self.moved.insert(position);
        }
        self.tell_dependents(plan, node, &old, &new);
    }

    fn tell_dependents(&mut self, plan: &Plan, node: NodeIndex, old: &Facts, new: &Facts) {
        if (old.applied, old.settled) == (new.applied, new.settled) {
            return;
        }
        let count = |count: &mut usize, old: bool, new: bool| match (old, new) {
            (false, true) => *count -= 1,
            (true, false) => *count += 1,
            _ => {}
        };
        for (dependent, why) in plan.dependents(node) {
            let Some(position) = self.position(dependent) else {
                continue;
            };
            let unmet = &mut self.unmet[position];
            let before = *unmet;
            if plan.task(dependent).action == TaskAction::Milestone {
                count(&mut unmet.turn, old.applied, new.applied);
                count(&mut unmet.settled, old.settled, new.settled);
            } else if why.needs_settled() {
                count(&mut unmet.turn, old.settled, new.settled);
            } else {
                count(&mut unmet.turn, old.applied, new.applied);
            }
            let holds = |unmet: Unmet| (unmet.turn == 0, unmet.settled == 0);
            if holds(before) != holds(*unmet) {
                self.woken.insert(position);
            }
        }
    }

    /// The task has another key now.
    pub(crate) fn rename(&mut self, node: NodeIndex, key: &ResourceKey) {
        if let Some(position) = self.position(node) {
            self.by_key.entry(key.clone()).or_default().insert(position);
        }
    }

    /// Notes that the state of a task changed.
    pub(crate) fn note_change(&mut self, action: TaskAction) {
        self.changes += 1;
        self.hook_changes += u64::from(matches!(action, TaskAction::Hook(_)));
    }

    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    pub(crate) fn hook_changes(&self) -> u64 {
        self.hook_changes
    }

    pub(crate) fn has_failed(&self) -> bool {
        !self.failed.is_empty()
    }

    pub(crate) fn is_active(&self) -> bool {
        !self.active.is_empty()
    }

    pub(crate) fn is_done(&self) -> bool {
        self.undone == 0
    }

    pub(crate) fn has_last_resort(&self) -> bool {
        self.has_last_resort
    }

    /// What failed, in order.
    pub(crate) fn failed(&self) -> impl Iterator<Item = Position> {
        self.failed.iter().copied()
    }

    /// What has begun and not ended, in order.
    pub(crate) fn active(&self) -> impl Iterator<Item = Position> {
        self.active.iter().copied()
    }

    /// What is waited for: the first, and how many there are.
    pub(crate) fn told(&self) -> Option<(Position, usize)> {
        Some((*self.told.first()?, self.told.len()))
    }

    /// Hooks whose creation is to be recorded.
    pub(crate) fn to_record(&self) -> impl Iterator<Item = Position> {
        self.to_record.iter().copied()
    }

    /// The tasks of an object.
    pub(crate) fn of_key(&self, key: &ResourceKey) -> impl Iterator<Item = Position> {
        self.by_key.get(key).into_iter().flatten().copied()
    }

    pub(crate) fn is_applied(&self, position: Position) -> bool {
        self.facts[position].applied
    }

    /// Tasks whose write was accepted, or is not any more, since this was last asked.
    pub(crate) fn take_moved(&mut self) -> BTreeSet<Position> {
        std::mem::take(&mut self.moved)
    }

    /// What differs from the work of these tasks as it would be made anew; only the sums, not who is woken.
    pub(crate) fn differs_from(&self, other: &Self) -> Option<&'static str> {
        let pairs = [
            ("facts of tasks", self.facts == other.facts),
            ("unmet dependencies", self.unmet == other.unmet),
            ("failed tasks", self.failed == other.failed),
            ("active tasks", self.active == other.active),
            ("tasks that are told", self.told == other.told),
            ("hooks to record", self.to_record == other.to_record),
            ("undone tasks", self.undone == other.undone),
            ("retries", self.retries.is_subset(&other.retries)),
            ("overdue tasks", self.overdue.is_subset(&other.overdue)),
        ];
        pairs.iter().find(|(_, is_same)| !is_same).map(|(name, _)| *name)
    }
}

/// Is a task in a state in which it would begin a write if there was a place for it?
pub(super) fn wants_place(state: &TaskState, now: Timestamp) -> bool {
    let is_due = state.deadline().is_none_or(|until| until <= now);
    match state {
        TaskState::Write(
            WriteTask::Blocked | WriteTask::TakenOver | WriteTask::Unchangeable { .. } | WriteTask::Recreating { .. },
        )
        | TaskState::Hook(
            HookTask::Blocked | HookTask::Recording | HookTask::Released { .. } | HookTask::PreviousFinalizing { .. },
        )
        | TaskState::Prune(PruneTask::Blocked | PruneTask::AwaitingConfirmation) => true,
        TaskState::Write(WriteTask::BackingOff { .. })
        | TaskState::Hook(HookTask::BackingOff { .. })
        | TaskState::Prune(PruneTask::BackingOff { .. }) => is_due,
        _ => false,
    }
}
