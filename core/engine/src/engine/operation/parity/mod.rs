//! `guards: argo`: an operation the way Argo CD carries it out.
//!
//! **Problem.** Installations that depend on what Argo CD's engine does to the letter, hazards included, can have exactly that: passes
//! over the live view, each of which makes all tasks anew, carries out at most one wave, and remembers nothing but the results in the
//! Application's status. `docs/argo-differences.md` says what the safe default does instead.
//!
//! **Shape.** [`tasks`] and [`order`] make the tasks; [`pass`] and [`run`] are the pass, a pure function of the tasks and the answers so
//! far; this file asks for what it wants, collects the answers and begins the next pass: when the cluster changed, or after a while.
//!
//! **What stays on.** Guards by type: a delete needs a permit, so only what this application tracks is deleted, whatever a pass wants. And
//! holds, but for those that Argo CD's users would not expect ([`crate::guard`]).

mod ask;
mod facts;
mod order;
mod pass;
mod run;
mod task;
mod tasks;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use capstan_model::annotations::MIGRATION_MANAGER;
use capstan_model::{
    KUBECTL_FIELD_MANAGER, OperationPhase, ResourceKey, ResourceResult, SyncOperation, SyncOptions, SyncPhase,
    Timestamp,
};
use serde_json::Value;

use self::pass::{Pass, PassSettings};
use self::task::{Answer, Call, Task, What};
use self::tasks::{World, hook_type};
use super::prune::is_approved;
use super::{OperationRun, Stage};
use crate::effect::{ApplyMode, EffectKind};
use crate::engine::Engine;
use crate::engine::gate::Gate;
use crate::engine::state::{ApplicationState, InFlight};
use crate::event::{KindLookup, Outcome};
use crate::guard::{DeletePermit, DeleteReason};
use crate::limits::MAX_WRITES_IN_FLIGHT;
use crate::view::TaskView;

/// After a pass that wrote something the next one follows so soon.
const AFTER_WRITES: Duration = Duration::from_secs(1);
/// After one that only waited, unless the cluster changes before: Argo CD's own interval.
const AFTER_WAITING: Duration = Duration::from_secs(30);

/// An operation in passes.
#[derive(Debug, Default)]
pub(crate) struct Parity {
    /// All that one pass tells the next.
    pub(crate) results: Vec<ResourceResult>,
    /// Of the last pass, for readers.
    pub(crate) tasks: Vec<Task>,
    /// When that ended.
    since: Timestamp,
    /// When the next pass begins at the latest; `None` is at once.
    pub(crate) next_at: Option<Timestamp>,
    /// How many passes there were.
    pub(crate) passes: u64,
    pass: Option<PassRun>,
    /// Whole objects that the live view keeps only the facts of, while a pass lasts.
    seen: BTreeMap<ResourceKey, Value>,
}

/// A pass under way.
#[derive(Debug)]
struct PassRun {
    settings: PassSettings,
    tasks: Vec<Task>,
    permits: Vec<Option<Box<DeletePermit>>>,
    is_termination: bool,
    answers: Vec<Vec<Answer>>,
    batch: Vec<Call>,
    arrived: Vec<Option<Answer>>,
    unsent: VecDeque<usize>,
    /// Rows whose object is being deleted to be made anew, and why it could not be changed.
    recreating: BTreeMap<usize, String>,
    wrote: bool,
}

impl PassRun {
    fn new(
        settings: PassSettings,
        tasks: Vec<Task>,
        permits: Vec<Option<Box<DeletePermit>>>,
        is_termination: bool,
    ) -> Self {
        Self {
            settings,
            tasks,
            permits,
            is_termination,
            answers: Vec::new(),
            batch: Vec::new(),
            arrived: Vec::new(),
            unsent: VecDeque::new(),
            recreating: BTreeMap::new(),
            wrote: false,
        }
    }

    /// `Force=true`: an object that cannot be changed is deleted, and then created. Gives the answer when that is over, or not begun.
    fn or_recreate(&mut self, row: usize, answer: Answer) -> Option<Answer> {
        let call = self.batch.get_mut(row)?;
        if let Some(why) = self.recreating.get(&row).cloned() {
            if call.what != What::Delete {
                return Some(answer);
            }
            if let Some(failure) = answer.failure() {
                return Some(Answer::Failed(format!(
                    "{why}; it could not be deleted either: {failure}"
                )));
            }
            call.what = What::Write {
                mode: ApplyMode::Create,
                dry_run: false,
                migrate: false,
            };
            self.unsent.push_front(row);
            return None;
        }
        let task = self.tasks.get(call.task)?;
        let is_write = matches!(&call.what, What::Write { mode, dry_run: false, .. } if *mode != ApplyMode::Create);
        match answer {
            Answer::Invalid(why) | Answer::Conflict(why)
                if is_write && task.manner.force && self.permits[call.task].is_some() =>
            {
                self.recreating.insert(row, why);
                call.what = What::Delete;
                self.unsent.push_front(row);
                None
            }
            answer => Some(answer),
        }
    }

    fn is_waiting(&self) -> bool {
        self.arrived.iter().any(Option::is_none)
    }
}

impl Engine {
    pub(super) fn step_parity(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        operation: &mut OperationRun,
        gate: &Gate,
    ) {
        // A window pauses it between two passes.
        if app.is_paused {
            return;
        }
        let mut parity = operation.parity.take().unwrap_or_default();
        let is_termination = matches!(operation.stage, Stage::Terminating { .. });
        loop {
            if parity.pass.is_none() {
                let is_due = is_termination || app.live_changed || parity.next_at.is_none_or(|at| at <= now);
                if !is_due || !self.may_write(app) || app.in_flight.is_telling() {
                    break;
                }
                parity.pass = self.begin_pass(app, operation, &mut parity, gate);
            }
            let Some(run) = &mut parity.pass else { break };
            self.send(now, app, operation, run);
            if run.is_waiting() {
                break;
            }
            if !run.batch.is_empty() {
                run.batch.clear();
                let answers = std::mem::take(&mut run.arrived).into_iter().flatten().collect();
                run.answers.push(answers);
            }
            if !self.go_on(now, app, operation, &mut parity) {
                continue;
            }
            break;
        }
        operation.parity = Some(parity);
    }

    /// Runs the pass as far as its answers reach. Gives whether it is over.
    fn go_on(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        operation: &mut OperationRun,
        parity: &mut Parity,
    ) -> bool {
        let Some(run) = &mut parity.pass else { return true };
        let rules = self.health.clone();
        let mut pass = Pass::new(
            &run.settings,
            &*rules,
            run.tasks.clone(),
            parity.results.clone(),
            &run.answers,
        );
        let step = if run.is_termination {
            pass.terminate()
        } else {
            pass.sync()
        };
        if let Err(calls) = step {
            run.unsent = (0..calls.len()).collect();
            run.arrived = vec![None; calls.len()];
            run.wrote |= calls.iter().any(|call| !matches!(call.what, What::Look));
            run.batch = calls;
            return false;
        }
        let (phase, message) = (pass.phase, std::mem::take(&mut pass.message));
        parity.results = std::mem::take(&mut pass.results);
        parity.tasks = std::mem::take(&mut pass.tasks);
        let wait = if run.wrote { AFTER_WRITES } else { AFTER_WAITING };
        parity.since = now;
        parity.passes += 1;
        parity.next_at = Some(now + wait);
        parity.pass = None;
        parity.seen.clear();
        operation.brief.clone_from(&message);
        operation.message = message;
        if phase.is_completed() {
            operation.is_final |= matches!(operation.stage, Stage::Terminating { .. });
            self.enter(now, app, operation, Stage::Ended(phase));
        }
        true
    }

    /// Looks at the cluster and makes the tasks; `None` while something of it is not known.
    fn begin_pass(
        &mut self,
        app: &mut ApplicationState,
        operation: &mut OperationRun,
        parity: &mut Parity,
        gate: &Gate,
    ) -> Option<PassRun> {
        let project = gate.project()?.clone();
        let targets = operation.targets.clone()?;
        let options = operation.options(&app.application.spec);
        if let Some(why) = self.blind_spot(app, &targets) {
            operation.message = why;
            return None;
        }
        if options.apply_out_of_sync_only == Some(true) && !app.assessment.settled {
            return None;
        }
        let sync = operation.operation.sync.clone().unwrap_or_default();
        let manager = app.application.metadata.annotations.get(MIGRATION_MANAGER);
        let rules = self.health.clone();
        let world = World {
            app,
            cluster: self.cluster(app)?,
            rules: &*rules,
            project: &project,
            operation,
            targets: &targets,
            options: &options,
            sync: &sync,
            is_forced: operation.is_forced(),
            seen: &parity.seen,
            name_parts: (operation.revision(), operation.started_at.as_seconds()),
            migration_manager: manager.map_or(KUBECTL_FIELD_MANAGER, String::as_str),
        };
        let unseen = world.unseen();
        if !unseen.is_empty() {
            self.look_at(app, unseen);
            return None;
        }
        let tasks = world.tasks(&parity.results);
        let permits = tasks
            .iter()
            .map(|task| self.parity_permit(app, operation, &targets, task))
            .collect();
        app.live_changed = false;
        let mut settings = pass_settings(app, operation, &sync, &options);
        settings.held.extend(self.held_since(app, operation, &tasks));
        let is_termination = matches!(operation.stage, Stage::Terminating { .. });
        Some(PassRun::new(settings, tasks, permits, is_termination))
    }

    /// Prunes that are held since the operation began: by a pause, or since their approval was taken back.
    fn held_since(
        &self,
        app: &ApplicationState,
        operation: &OperationRun,
        tasks: &[Task],
    ) -> BTreeMap<ResourceKey, String> {
        let paused = self.paused(app).filter(|_| operation.is_automated());
        let paused = paused.map(|why| app.guarding.pause_result(&why));
        let prunes = tasks.iter().filter(|task| task.is_prune());
        let held = prunes.filter_map(|task| {
            let why = operation
                .taken_back(&task.key, &app.guarding.approval)
                .or(paused.clone())?;
            Some((task.key.clone(), why))
        });
        held.collect()
    }

    fn look_at(&mut self, app: &mut ApplicationState, unseen: Vec<(ResourceKey, capstan_model::GroupVersionKind)>) {
        for (key, gvk) in unseen {
            if !app.is_in_flight(|what| matches!(what, InFlight::Seen(other) if *other == key)) {
                let cluster = app.application.spec.destination.cluster();
                let effect = EffectKind::Observe {
                    cluster,
                    key: key.clone(),
                    gvk,
                };
                self.emit(app, effect, InFlight::Seen(key));
            }
        }
    }

    /// A kind that is not known well enough to make tasks.
    fn blind_spot(&self, app: &ApplicationState, targets: &crate::targets::Targets) -> Option<String> {
        let cluster = self.cluster(app)?;
        let desired = targets.kinds().iter();
        let kinds: std::collections::BTreeSet<_> = desired.chain(app.inventory.kinds()).chain(&app.kinds).collect();
        kinds.into_iter().find_map(|kind| match cluster.kind(kind) {
            KindLookup::Unknown => Some(format!(
                "it is not known whether the cluster serves {kind}: discovery of its group failed"
            )),
            KindLookup::Served(served) if served.watchable && !cluster.live.is_complete(kind) => {
                Some(format!("waiting for the list of {kind}"))
            }
            KindLookup::Served(_) | KindLookup::NotServed => None,
        })
    }

    /// Asks for what the pass wants, so many at a time.
    fn send(&mut self, now: Timestamp, app: &mut ApplicationState, operation: &OperationRun, run: &mut PassRun) {
        while app.writes_in_flight() < MAX_WRITES_IN_FLIGHT && self.may_write(app) {
            let Some(row) = run.unsent.pop_front() else { return };
            let call = run.batch[row].clone();
            match self.effect_of(app, operation, run, &call) {
                Ok((effect, by)) => {
                    self.note_parity_delete(now, app, operation, &effect);
                    match by {
                        Some(by) => self.emit_as(app, by, effect, InFlight::Pass(row)),
                        None => self.emit(app, effect, InFlight::Pass(row)),
                    }
                }
                Err(why) => run.arrived[row] = Some(Answer::Failed(why)),
            }
        }
    }

    /// What is deleted is in the journal before it is, with why.
    fn note_parity_delete(
        &mut self,
        now: Timestamp,
        app: &ApplicationState,
        operation: &OperationRun,
        effect: &EffectKind,
    ) {
        let EffectKind::Delete { permit, .. } = effect else {
            return;
        };
        let machine = match permit.grounds().reason {
            DeleteReason::Prune => "prune",
            DeleteReason::Hook | DeleteReason::Convert => "hook",
            DeleteReason::Recreate | DeleteReason::Cascade => "task",
        };
        let (message, cause) = (permit.grounds().to_string(), operation.cause.clone());
        self.note(now, app, Some(permit.key()), machine, "", "Deleting", message, cause);
    }

    /// A whole object that a pass needs came back.
    pub(in crate::engine) fn pass_seen(&mut self, app: &mut ApplicationState, key: ResourceKey, outcome: Outcome) {
        let cluster = app.application.spec.destination.cluster();
        match outcome {
            Outcome::Observed(Ok(Some(object))) => {
                self.observed(&cluster, &object);
                if let Some(parity) = app.operation.as_mut().and_then(|operation| operation.parity.as_mut()) {
                    parity.seen.insert(key, *object);
                }
            }
            Outcome::Observed(Ok(None)) => {
                let uid = self
                    .cluster(app)
                    .and_then(|cluster| cluster.node(&key))
                    .map(capstan_live::Node::uid);
                self.gone(&cluster, &key, &uid.unwrap_or_default());
            }
            // Asked again with the next pass.
            _ => {}
        }
    }
}

impl Parity {
    /// What was recorded before a restart.
    pub(super) fn restore(results: Vec<ResourceResult>) -> Self {
        Self {
            results,
            ..Self::default()
        }
    }

    /// The tasks as of the last pass, for readers.
    pub(in crate::engine) fn views(&self) -> impl Iterator<Item = TaskView> {
        self.tasks.iter().map(|task| TaskView {
            key: task.key.clone(),
            phase: task.phase,
            wave: task.wave,
            hook: task.is_hook.then(|| hook_type(task.phase)),
            prune: task.is_prune(),
            state: match (task.state, task.status) {
                (None, _) => "Blocked".to_owned(),
                (Some(OperationPhase::Running), _) => "Running".to_owned(),
                (Some(_), Some(status)) => format!("{status:?}"),
                (Some(state), None) => state.to_string(),
            },
            message: task.message.clone(),
            since: self.since,
            until: None,
        })
    }

    fn task_of(&self, row: usize) -> Option<(&Task, &Call)> {
        let run = self.pass.as_ref()?;
        let call = run.batch.get(row)?;
        Some((run.tasks.get(call.task)?, call))
    }

    fn is_rehearsal(&self, row: usize) -> bool {
        self.task_of(row)
            .is_some_and(|(_, call)| matches!(call.what, What::Write { dry_run: true, .. }))
    }

    fn live_of(&self, row: usize) -> Option<(ResourceKey, String)> {
        let (task, _) = self.task_of(row)?;
        Some((task.key.clone(), task.live.as_ref()?.uid.clone()))
    }

    /// Phase, wave and batch of a request that is under way.
    pub(in crate::engine) fn place_of(&self, row: usize) -> Option<(SyncPhase, i64, usize)> {
        let (task, _) = self.task_of(row)?;
        Some((task.phase, task.wave, self.pass.as_ref()?.answers.len()))
    }

    /// An answer. Where fields were only taken over, the write itself follows.
    fn take(&mut self, row: usize, answer: Answer) {
        let Some(run) = &mut self.pass else { return };
        let Some(call) = run.batch.get_mut(row) else { return };
        let key = &run.tasks[call.task].key;
        if let What::Write { migrate, .. } = &mut call.what
            && std::mem::take(migrate)
        {
            match answer.failure() {
                None => return run.unsent.push_front(row),
                Some(why) => {
                    let why = format!("Failed to perform client-side apply migration for {key}: {why}");
                    run.arrived[row] = Some(Answer::Failed(why));
                    return;
                }
            }
        }
        let Some(answer) = run.or_recreate(row, answer) else {
            return;
        };
        if let Some(slot) = run.arrived.get_mut(row) {
            *slot = Some(answer);
        }
    }
}

fn pass_settings(
    app: &ApplicationState,
    operation: &OperationRun,
    sync: &SyncOperation,
    options: &SyncOptions,
) -> PassSettings {
    PassSettings {
        dry_run: sync.dry_run,
        prune: sync.prune,
        held: operation.held.clone(),
        is_confirmed: is_approved(app, operation),
        out_of_sync_only: options.apply_out_of_sync_only == Some(true),
        namespace: app.application.spec.destination.namespace.clone(),
    }
}
