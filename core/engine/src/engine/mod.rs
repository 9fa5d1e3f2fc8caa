//! The engine: told what happened, asked what to do.
//!
//! **Problem.** Many applications, clusters and requests at once, where each decision must follow from what is known and nothing
//! else. So every event changes what is known and marks the applications and the objects it concerns, and each of those is looked at
//! afresh (`step`): what is desired, what is live, what runs, what is to be done about the difference, what is to be told. Level-triggered:
//! an event that is lost costs time, never correctness.
//!
//! **Cost.** An event costs what it touches, times the logarithm of how much there is: what nothing happened to is as the last step left
//! it. So a sync of n tasks costs n log n, though it sees some events for each of them. What makes that so:
//! - `touched`: which objects a step looks at. Everything, only where everything may have changed (cluster, project, spec, a render).
//! - `assessment`: sums over the objects (verdict, health, what differs), kept as objects change.
//! - `operation::work`: which tasks a step looks at, sums over them, and their deadlines.
//! - `drift`: which objects may be put right, and from when.
//! - `telling`: the status is as long as the application is, so it is put together only for news, and the longer it is, the less often.
//! - `inventory`, `underway`: kinds and requests, counted.
//!
//! **Invariants.**
//! - What `step` decides depends on the state alone, in the order of keys: same events and times give the same effects.
//! - What is kept from step to step is what a look at everything would make it: `audit` is that look, and tests compare after every event.
//! - An effect is emitted once, and its outcome is matched by the whole [`EffectId`]; anything else is counted and ignored.
//! - Writes of two operations never overlap: a new one begins when no write of the last is under way.
//! - While this replica does not lead, nothing is written. Without an election it leads from the start.
//!
//! **Deliberately absent.** Periodic timers: the deadlines are back-offs of things that failed, and nothing else.

mod acting;
mod assess;
mod assessment;
mod audit;
mod cluster;
mod complete;
mod deletion;
mod drift;
mod events;
mod gate;
mod grounds;
mod guarding;
mod heal;
mod hold;
mod inquiry;
mod inventory;
mod journaling;
mod moved;
mod namespace;
mod operation;
mod refresh;
mod release;
mod sentence;
mod skipped;
mod state;
mod status;
mod succession;
mod take_over;
mod telling;
mod touched;
mod underway;
mod verdict;
mod view;
mod watch;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use capstan_model::{AppProject, ApplicationId, ClusterId, Identity, ResourceKey, SyncPhase, Timestamp};

use crate::effect::{Effect, EffectId, EffectKind};
use crate::event::Event;
use crate::guard::{Approval, Fence, Pause};
use crate::health::{BuiltIn, HealthRules};
use crate::journal::Journal;
use crate::policy::Unwritable;
use crate::sabotage::{self, Sabotage};
use crate::settings::Settings;
use crate::view::ApplicationView;
use cluster::Cluster;
use gate::Gate;
use state::{ApplicationState, InFlight};
use touched::Touched;

/// The engine. Plain data: no clock, no I/O, no thread.
#[derive(Debug)]
pub struct Engine {
    settings: Settings,
    health: Arc<dyn HealthRules>,
    journal: Journal,
    effects: VecDeque<Effect>,
    applications: BTreeMap<ApplicationId, ApplicationState>,
    projects: BTreeMap<String, AppProject>,
    /// What is odd about each of them: looked for when it is seen, and not with every event.
    odd_projects: BTreeMap<String, Vec<String>>,
    projects_listed: bool,
    applications_listed: bool,
    clusters: BTreeMap<ClusterId, Cluster>,
    /// Which applications speak of an object, whether they track it or not.
    claims: BTreeMap<ResourceKey, BTreeSet<ApplicationId>>,
    /// Which applications wait for one, by their annotations.
    dependents: BTreeMap<ApplicationId, BTreeSet<ApplicationId>>,
    deadlines: BTreeSet<(Timestamp, ApplicationId)>,
    dirty: BTreeSet<ApplicationId>,
    /// Objects that changed since the last step of the applications they concern.
    touched: BTreeMap<ApplicationId, BTreeSet<ResourceKey>>,
    changed: BTreeSet<ApplicationId>,
    kinds_changed: bool,
    leads: bool,
    /// The lease it leads by.
    fence: Option<Fence>,
    /// What of deletes is paused.
    pause: Pause,
    sequence: u64,
    late_completions: u64,
    exhaustive: bool,
}

impl Engine {
    /// An engine that knows nothing yet.
    pub fn new(settings: Settings) -> Self {
        Self::with_health(settings, Arc::new(BuiltIn))
    }

    /// The same, with health rules of one's own before the built-in ones.
    pub fn with_health(settings: Settings, health: Arc<dyn HealthRules>) -> Self {
        Self {
            health,
            journal: Journal::new(settings.journal_capacity),
            settings,
            effects: VecDeque::new(),
            applications: BTreeMap::new(),
            projects: BTreeMap::new(),
            odd_projects: BTreeMap::new(),
            projects_listed: false,
            applications_listed: false,
            clusters: BTreeMap::new(),
            claims: BTreeMap::new(),
            dependents: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            dirty: BTreeSet::new(),
            touched: BTreeMap::new(),
            changed: BTreeSet::new(),
            kinds_changed: false,
            leads: true,
            fence: None,
            pause: Pause::default(),
            sequence: 0,
            late_completions: 0,
            exhaustive: false,
        }
    }

    /// Takes in one event at `now`. Then [`Engine::poll_effect`] until it says nothing, and [`Engine::poll_timeout`].
    pub fn handle(&mut self, now: Timestamp, event: Event) {
        self.take_in(now, event);
        self.run(now);
    }

    /// Takes in several events of one moment, and looks at what they concern once: what changed together is seen together.
    pub fn handle_all(&mut self, now: Timestamp, events: impl IntoIterator<Item = Event>) {
        for event in events {
            self.take_in(now, event);
        }
        self.handle_timeout(now);
    }

    /// A deadline of [`Engine::poll_timeout`] has come. Too early or too often does no harm.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        while let Some((at, id)) = self.deadlines.first().cloned() {
            if at > now {
                break;
            }
            self.deadlines.pop_first();
            self.dirty.insert(id);
        }
        self.run(now);
    }

    /// The next thing to do, oldest first.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When to call [`Engine::handle_timeout`], if nothing happens before.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// An application whose view may have changed since it was last given here; of one that is gone there is no view.
    pub fn poll_changed(&mut self) -> Option<ApplicationId> {
        self.changed.pop_first()
    }

    /// What is known of an application.
    pub fn view(&self, id: &ApplicationId) -> Option<ApplicationView> {
        self.applications.get(id).map(|app| self.view_of(app))
    }

    /// The applications, in order.
    pub fn applications(&self) -> impl Iterator<Item = &ApplicationId> {
        self.applications.keys()
    }

    /// What happened.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// To which phase and wave of the operation that runs a request belongs that is under way, and to which batch of it: what is asked
    /// for together has one number (in a pass of `guards: argo`).
    pub fn place_of(&self, id: &EffectId) -> Option<(SyncPhase, i64, usize)> {
        let app = self.applications.get(&id.application)?;
        let operation = app.operation.as_ref()?;
        match app.in_flight.get(id)? {
            InFlight::Task(node) => {
                let task = operation.plan.task(*node);
                Some((task.phase, task.wave, 0))
            }
            InFlight::Pass(row) => operation.parity.as_ref()?.place_of(*row),
            _ => None,
        }
    }

    /// The settings it was made with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Outcomes that came after what they belonged to was over.
    pub fn late_completions(&self) -> u64 {
        self.late_completions
    }

    /// Looks at every application that something happened to.
    fn run(&mut self, now: Timestamp) {
        while let Some(id) = self.dirty.pop_first() {
            let touched = self.touched.remove(&id);
            let Some(mut app) = self.applications.remove(&id) else {
                continue;
            };
            app.touched.keys.extend(touched.into_iter().flatten());
            self.step(now, &mut app);
            self.schedule(now, &id, &mut app);
            self.wake_dependents(&id, &mut app);
            self.changed.insert(id.clone());
            self.applications.insert(id, app);
        }
        if std::mem::take(&mut self.kinds_changed) {
            self.watch_kinds();
        }
    }

    fn step(&mut self, now: Timestamp, app: &mut ApplicationState) {
        if self.is_suspended(app) {
            self.tell_skip(now, app);
            return;
        }
        let gate = self.gate(app);
        if app.application.metadata.deletion_timestamp.is_none() {
            self.step_moved(now, app);
        }
        app.guarding.approval = Approval::of(&app.application, now);
        if app.application.metadata.deletion_timestamp.is_some() {
            self.step_deletion(now, app, &gate);
            self.step_release(now, app, &Touched::everything());
        } else if let Gate::Open(_) = gate {
            self.step_refresh(now, app);
            let touched = self.step_assess(app);
            wake(app, &touched);
            self.step_hold(now, app, &gate);
            self.step_guard(now, app, &touched);
            self.step_operation(now, app, &gate);
            self.step_release(now, app, &touched);
            self.step_heal(now, app, &gate, touched);
            self.tell_hold(now, app);
            self.step_keep_hooks(now, app);
        } else if let Gate::Refused(why) = &gate {
            self.refuse_operations(now, app, why);
        }
        self.step_watch(app);
        self.step_status(now, app, &gate);
        if matches!(gate, Gate::Open(_)) && self.is_quiet(app, &gate) {
            self.tell_skip(now, app);
        }
    }

    fn schedule(&mut self, now: Timestamp, id: &ApplicationId, app: &mut ApplicationState) {
        let operation = app.operation.as_ref().and_then(|operation| operation.deadline(now));
        let refresh = match &app.refresh {
            crate::machine::Refresh::Failed { until, .. } => *until,
            _ => None,
        };
        let status = app.status_failure.as_ref().map(|failure| failure.until);
        let deletion = app.deletion_retry.map(|(_, until)| until);
        let next = [
            operation,
            refresh,
            app.drift.deadline(now),
            app.telling.due(),
            self.deletion_deadline(app),
            app.hold.next_change,
            app.guarding.deadline(&self.settings),
            self.resume_deadline(app),
            app.releases.deadline(),
            status,
            deletion,
        ]
        .into_iter()
        .flatten()
        // What is due was just looked at; what keeps it from being done will be an event.
        .filter(|at| *at > now)
        .min();
        if app.deadline != next
            && let Some(old) = app.deadline
        {
            self.deadlines.remove(&(old, id.clone()));
        }
        if let Some(next) = next {
            self.deadlines.insert((next, id.clone()));
        }
        app.deadline = next;
    }

    /// Emits an effect for an application that changes nothing in its cluster.
    fn emit(&mut self, app: &mut ApplicationState, kind: EffectKind, what: InFlight) {
        self.emit_by(app, None, kind, what);
    }

    fn emit_by(
        &mut self,
        app: &mut ApplicationState,
        identity: Option<Identity>,
        mut kind: EffectKind,
        what: InFlight,
    ) {
        if let EffectKind::Delete { permit, .. } = &mut kind {
            permit.fenced(self.fence.clone());
        }
        self.sequence += 1;
        let id = EffectId {
            application: app.id(),
            epoch: app.epoch,
            sequence: self.sequence,
        };
        app.in_flight.insert(id.clone(), what);
        self.effects.push_back(Effect { id, identity, kind });
    }

    fn cluster(&self, app: &ApplicationState) -> Option<&Cluster> {
        self.clusters.get(&app.application.spec.destination.cluster())
    }

    /// Is it left alone, as its annotation says?
    fn is_suspended(&self, app: &ApplicationState) -> bool {
        app.application.skips_reconcile() && !sabotage::is(Sabotage::WritesSuspended)
    }

    /// Why nothing can be written to the application's cluster now.
    fn unwritable(&self, app: &ApplicationState) -> Option<Unwritable> {
        let leads = self.leads || sabotage::is(Sabotage::WritesWithoutLead);
        let is_reachable = self.cluster(app).is_some_and(Cluster::is_reachable);
        match (leads, is_reachable) {
            (false, _) => Some(Unwritable::NotLeading),
            (true, false) => Some(Unwritable::Unreachable),
            (true, true) => None,
        }
    }

    /// May anything be written to the application's cluster now?
    fn may_write(&self, app: &ApplicationState) -> bool {
        !app.is_paused && self.unwritable(app).is_none() && !app.in_flight.is_left()
    }
}

/// What happened to an object is news for the tasks of it.
fn wake(app: &mut ApplicationState, touched: &Touched) {
    let Some(operation) = &mut app.operation else { return };
    if touched.all {
        return operation.work.wake_all();
    }
    for key in &touched.keys {
        operation.work.wake_key(key);
    }
    for kind in &touched.kinds {
        operation.work.wake_kind(kind);
    }
}
