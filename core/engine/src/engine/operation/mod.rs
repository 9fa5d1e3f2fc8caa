//! One operation: a sync, from the request to its end.
//!
//! The stages are `Planning → (PersistingIntent →) (Rehearsing →) Running → (Failing →) (CleaningUp →) ended`, with `Terminating` from any of
//! them and `BackingOff` before another attempt. What is pinned when it begins (commits, and with them every object) never changes while it
//! lasts; a newer commit ends it at the next safe point (no write under way, no hook running) and begins another.
//!
//! **Durable.** `operationState` in the resource's status: the request with its pinned revision, the number of the operation, the
//! digest of what it applies, and a result for each task. A hook is recorded there before it is created, so that after a crash it is
//! known which may have been; everything else is found out again from what is live.

mod advance;
mod advice;
mod approved;
mod attempted;
mod clean_up;
mod deadline;
mod finish;
mod held;
mod hook;
mod looking;
mod ordinary;
mod parity;
mod prepare;
mod previous;
mod prune;
mod record;
mod recreate;
mod refused;
mod rehearse;
mod resume;
mod start;
mod validate;
mod waiting;
pub(in crate::engine) use approved::{Approved, take_approved};
pub(in crate::engine) use attempted::last_attempt;
pub(in crate::engine) use hook::{hook_outcome, is_held};
pub(in crate::engine) use parity::Parity;
pub(in crate::engine) use prune::{home, hook_propagation};
pub(in crate::engine) use record::clipped;
pub(in crate::engine) use work::Work;
pub(in crate::engine) use write::{located, retry_at};
mod work;
mod write;

use std::collections::{BTreeMap, BTreeSet};

use capstan_model::{
    ApplicationSource, Identity, Info, ManagedNamespaceMetadata, Operation, OperationPhase, OperationState,
    ResourceKey, ResourceResult, RetryStrategy, SyncOptions, SyncPhase, Timestamp,
};
use petgraph::stable_graph::NodeIndex;

use clean_up::CleanUp;

use crate::event::ResolvedRevision;
use crate::journal::Cause;
use crate::machine::TaskState;
use crate::plan::{Plan, SyncTask};
use crate::sabotage::{self, Sabotage};
use crate::targets::Targets;

/// How the names of all entries of `operation.info` begin that are noted here.
pub(crate) const OWN_INFO: &str = "capstan.dev/";
/// Entry of `operation.info`: the number of the operation.
pub(crate) const INFO_EPOCH: &str = "capstan.dev/epoch";
/// Entry of `operation.info`: digest of the objects it applies.
pub(crate) const INFO_PLAN: &str = "capstan.dev/plan";
/// Entry of `operation.info`: it has not begun, since something kept it from that; so nothing was tried.
pub(crate) const INFO_NOT_BEGUN: &str = "capstan.dev/not-begun";
/// Entry of `operation.info` of an operation that is no sync of everything: what was synced before it as a whole, by the digest of its
/// objects, and how that ended.
pub(crate) const INFO_BEFORE: &str = "capstan.dev/before";
/// Entry of `operation.info`: when it is tried again.
pub(crate) const INFO_RETRY_AT: &str = "capstan.dev/retry-at";
/// Entry of `operation.info`: a person said which commits, and gets those in each attempt.
pub(crate) const INFO_NAMED: &str = "capstan.dev/named";

/// Entry of `operation.info`: as whom it writes, where that is not the controller. For people: it is never read.
pub(crate) const INFO_IDENTITY: &str = "capstan.dev/identity";

/// Where an operation is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Stage {
    /// Its revision, its objects or its plan are not known yet. Left when they are, or cannot be.
    Planning,
    /// The status write that makes the intent durable is to be acknowledged. Left by that.
    PersistingIntent,
    /// Everything is tried as a dry run. Left when all answers are there.
    Rehearsing,
    /// Tasks run. Left when all are done, or one failed and nothing is under way.
    Running,
    /// `SyncFail` hooks run. Left when they ended.
    Failing,
    /// Hooks are being stopped. Left when nothing is under way.
    Terminating { by: String },
    /// Another attempt follows at `until`.
    BackingOff { until: Timestamp },
    /// It came to this end, and hooks are being deleted. Left when that is done, or given up.
    CleaningUp(OperationPhase),
    /// Over.
    Ended(OperationPhase),
}

impl Stage {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Planning => "Planning",
            Self::PersistingIntent => "PersistingIntent",
            Self::Rehearsing => "Rehearsing",
            Self::Running => "Running",
            Self::Failing => "Failing",
            Self::Terminating { .. } => "Terminating",
            Self::BackingOff { .. } => "BackingOff",
            Self::CleaningUp(_) => "CleaningUp",
            Self::Ended(OperationPhase::Succeeded) => "Succeeded",
            Self::Ended(OperationPhase::Error) => "Error",
            Self::Ended(_) => "Failed",
        }
    }
}

/// A task and where it is.
#[derive(Clone, Debug)]
pub(crate) struct TaskRun {
    pub(crate) state: TaskState,
    pub(crate) since: Timestamp,
    /// What it waits for, or what became of it.
    pub(crate) message: String,
    /// Times it was put off in a row.
    pub(crate) attempts: u32,
    /// When its turn came.
    pub(crate) begun: Option<Timestamp>,
    /// Until when it is waited for, once its turn came.
    pub(crate) until: Option<Timestamp>,
}

impl TaskRun {
    /// It has begun, and is not over.
    pub(crate) fn is_waited_for(&self) -> bool {
        self.begun.is_some() && !self.state.is_settled() && self.state.failure().is_none()
    }
}

/// An operation.
#[derive(Debug)]
pub(crate) struct OperationRun {
    /// Distinguishes it from every other of this application: part of what identifies its hooks.
    pub(crate) number: u64,
    /// Attempts before this one.
    pub(crate) attempt: u64,
    pub(crate) operation: Operation,
    /// The application goes elsewhere since it began.
    pub(crate) is_left: bool,
    /// Asked for by the resource's `operation` field, which is to be emptied.
    pub(crate) from_field: bool,
    pub(crate) started_at: Timestamp,
    pub(crate) stage: Stage,
    pub(crate) cause: Cause,
    /// As whom it writes. `None` until that is decided: nothing is written before.
    pub(crate) identity: Option<Identity>,
    pub(crate) sources: Vec<ApplicationSource>,
    /// Empty until they are resolved.
    pub(crate) revisions: Vec<ResolvedRevision>,
    pub(crate) targets: Option<Targets>,
    pub(crate) plan: Plan,
    pub(crate) tasks: BTreeMap<NodeIndex, TaskRun>,
    /// Which of them are to be looked at, and what they come to.
    pub(crate) work: Work,
    /// Hooks whose intended creation is durable.
    pub(crate) recorded: BTreeSet<NodeIndex>,
    /// What an earlier process recorded, until the plan is made again.
    pub(crate) restored: Vec<ResourceResult>,
    /// Hooks that an earlier process may have created, or that this one may have.
    pub(crate) maybe_created: BTreeSet<NodeIndex>,
    /// Hooks of which it is not known whether they were created, and that could not be looked at: they are before anything else.
    pub(crate) unlooked: BTreeSet<NodeIndex>,
    /// Hooks that are deleted before it ends.
    clean_up: CleanUp,
    /// Hooks whose earlier run, of another phase of this attempt, ended, which is not recorded yet.
    pub(crate) unrecorded: BTreeSet<NodeIndex>,
    /// It was told to stop, by a person or its deadline; in an earlier process, perhaps.
    pub(crate) is_stopping: bool,
    /// What it had failed by when it was told to stop.
    pub(crate) stopped_in: String,
    /// A newer commit supersedes it: nothing of it begins, and it ends when what is under way has.
    pub(crate) yields: bool,
    /// It goes on when the status says what it is.
    pub(crate) awaits_record: bool,
    /// With `guards: argo`: the operation as Argo CD carries it out.
    pub(crate) parity: Option<Parity>,
    /// What is tried before anything is written.
    pub(crate) rehearsal: Option<rehearse::Rehearsal>,
    /// The intent is durable.
    pub(crate) is_durable: bool,
    /// When the first task of a wave began.
    pub(crate) waves_begun: BTreeMap<(SyncPhase, i64), Timestamp>,
    /// When it ends at the latest.
    pub(crate) until: Option<Timestamp>,
    /// A window pauses it: since when, and why.
    pub(crate) paused: Option<(Timestamp, String)>,
    /// How long it was paused before.
    pub(crate) pauses: std::time::Duration,
    /// It waits for what keeps syncs from beginning.
    pub(crate) is_held: bool,
    /// Not tried again, however it ended.
    pub(crate) is_final: bool,
    /// Objects whose holds were approved before it began.
    pub(crate) approved: BTreeMap<ResourceKey, Approved>,
    /// What the syncs before it kept of the namespace; once it has ended, what it kept.
    pub(crate) namespace: Option<ManagedNamespaceMetadata>,
    /// What it may not delete, and why.
    pub(crate) held: BTreeMap<ResourceKey, String>,
    /// Results of what did not become a task, and what was said of tasks when they were tried out.
    pub(crate) refused: Vec<ResourceResult>,
    /// What it waits for, or why it ended.
    pub(crate) message: String,
    /// The same without what changes from one observation to the next: what the resource's status says.
    pub(crate) brief: String,
}

impl OperationRun {
    /// One that has not begun.
    pub(crate) fn new(number: u64, operation: Operation, sources: Vec<ApplicationSource>, now: Timestamp) -> Self {
        Self {
            number,
            attempt: 0,
            operation,
            is_left: false,
            from_field: false,
            started_at: now,
            stage: Stage::Planning,
            cause: Cause::Start,
            identity: None,
            sources,
            revisions: Vec::new(),
            targets: None,
            plan: Plan::default(),
            tasks: BTreeMap::new(),
            work: Work::default(),
            recorded: BTreeSet::new(),
            restored: Vec::new(),
            maybe_created: BTreeSet::new(),
            clean_up: CleanUp::default(),
            unlooked: BTreeSet::new(),
            unrecorded: BTreeSet::new(),
            is_stopping: false,
            stopped_in: String::new(),
            yields: false,
            awaits_record: false,
            parity: None,
            rehearsal: None,
            waves_begun: BTreeMap::new(),
            until: None,
            is_durable: false,
            paused: None,
            pauses: std::time::Duration::ZERO,
            is_held: false,
            is_final: false,
            approved: BTreeMap::new(),
            namespace: None,
            held: BTreeMap::new(),
            refused: Vec::new(),
            message: String::new(),
            brief: String::new(),
        }
    }

    /// Its number, and the attempt.
    pub(crate) fn run_id(&self) -> (u64, u64) {
        (self.number, self.attempt)
    }

    pub(crate) fn is_automated(&self) -> bool {
        self.operation.initiated_by.automated
    }

    /// The first pinned commit; empty when it is not resolved yet.
    pub(crate) fn revision(&self) -> &str {
        self.revisions.first().map_or("", |revision| &revision.revision)
    }

    /// For people.
    pub(crate) fn revision_text(&self) -> String {
        match self.revision() {
            "" => "an unresolved revision".to_owned(),
            revision => short(revision).to_owned(),
        }
    }

    pub(crate) fn phase(&self) -> OperationPhase {
        match &self.stage {
            Stage::Ended(phase) => *phase,
            Stage::Terminating { .. } => OperationPhase::Terminating,
            _ if self.is_stopping => OperationPhase::Terminating,
            _ => OperationPhase::Running,
        }
    }

    pub(crate) fn ended(&self) -> Option<OperationPhase> {
        match self.stage {
            Stage::Ended(phase) => Some(phase),
            _ => None,
        }
    }

    /// A hook waits until it is recorded how its earlier run ended.
    fn await_record(&mut self, node: NodeIndex) {
        if let Some(run) = self.tasks.get_mut(&node) {
            run.message = "waiting until it is recorded how its earlier run ended".into();
        }
        self.unrecorded.insert(node);
        self.awaits_record = true;
    }

    /// When it wants to be looked at next. What was due by `now` was just looked at, and does not hide what comes after it.
    pub(crate) fn deadline(&self, now: Timestamp) -> Option<Timestamp> {
        let stage = match self.stage {
            Stage::BackingOff { until } => Some(until),
            _ => None,
        };
        let pass = self.parity.as_ref().and_then(|parity| parity.next_at);
        let others = [stage, pass, self.until, self.clean_up.deadline()]
            .into_iter()
            .flatten();
        others.filter(|at| *at > now).chain(self.work.deadline(now)).min()
    }

    /// Takes in that a task changed.
    pub(crate) fn refresh(&mut self, node: NodeIndex) {
        if let Some(run) = self.tasks.get(&node) {
            self.work.refresh(&self.plan, node, run, self.recorded.contains(&node));
        }
    }

    /// Something happened to a task: it is looked at with the next step.
    pub(crate) fn wake(&mut self, node: NodeIndex) {
        self.refresh(node);
        self.work.wake(node);
    }

    /// A task and where it is, by its position in the plan.
    pub(crate) fn at(&self, position: usize) -> Option<(NodeIndex, &SyncTask, &TaskRun)> {
        let node = *self.plan.order().get(position)?;
        Some((node, self.plan.task(node), self.tasks.get(&node)?))
    }

    /// Which attempt of which operation a hook belongs to.
    pub(crate) fn hook_identity(&self, uid: &str, phase: SyncPhase) -> String {
        format!("{uid}:{}:{}:{phase}", self.number, self.attempt)
    }

    /// What a hook without a name is called after its prefix.
    pub(crate) fn hook_suffix(&self) -> String {
        let attempt = match sabotage::is(Sabotage::RenamesHooks) && self.is_durable {
            true => self.attempt + 1000,
            false => self.attempt,
        };
        format!("{}-{}-{attempt}", short(self.revision()).to_lowercase(), self.number)
    }

    pub(crate) fn options(&self, spec: &capstan_model::ApplicationSpec) -> SyncOptions {
        // The operation's own come first: of options with values, the first one counts.
        let own = self.operation.sync.iter().flat_map(|sync| &sync.sync_options);
        SyncOptions::parse(own.chain(&spec.sync_policy.sync_options).map(String::as_str))
    }

    pub(crate) fn prunes(&self) -> bool {
        self.operation.sync.as_ref().is_some_and(|sync| sync.prune)
    }

    /// Was it begun by an earlier process, which recorded hooks that may run, and is not planned again yet?
    pub(crate) fn has_unknown_hooks(&self) -> bool {
        self.stage == Stage::Planning && self.restored.iter().any(clean_up::may_run)
    }

    /// `force` of the strategy: what cannot be changed in place is made anew.
    pub(crate) fn is_forced(&self) -> bool {
        let strategy = self
            .operation
            .sync
            .as_ref()
            .and_then(|sync| sync.sync_strategy.as_ref());
        let strategies = strategy
            .into_iter()
            .flat_map(|strategy| [&strategy.apply, &strategy.hook]);
        strategies.flatten().any(|strategy| strategy.force)
    }

    /// Tries everything and changes nothing.
    pub(crate) fn is_dry_run(&self) -> bool {
        self.operation.sync.as_ref().is_some_and(|sync| sync.dry_run)
    }

    pub(crate) fn is_selective(&self) -> bool {
        self.operation
            .sync
            .as_ref()
            .is_some_and(|sync| !sync.resources.is_empty())
    }

    /// Any task that is under way by us, or a hook that runs.
    pub(crate) fn is_active(&self) -> bool {
        self.work.is_active()
    }

    /// Enters another attempt.
    pub(crate) fn begin_attempt(&mut self) {
        self.attempt += 1;
        self.operation.info.retain(|info| info.name != INFO_RETRY_AT);
        self.stage = Stage::Planning;
        self.plan = Plan::default();
        self.tasks.clear();
        self.work = Work::default();
        self.recorded.clear();
        self.maybe_created.clear();
        self.clean_up = CleanUp::default();
        self.unlooked.clear();
        self.unrecorded.clear();
        (self.yields, self.awaits_record) = (false, false);
        self.parity = None;
        self.rehearsal = None;
        self.waves_begun.clear();
        self.restored.clear();
        self.refused.clear();
        self.is_durable = false;
    }

    pub(crate) fn set_info(&mut self, name: &str, value: String) {
        match self.operation.info.iter_mut().find(|info| info.name == name) {
            Some(info) => info.value = value,
            None => self.operation.info.push(Info {
                name: name.to_owned(),
                value,
            }),
        }
    }

    /// The strategy for retries: the operation's, the application's, or the default.
    pub(crate) fn retry(&self, spec: &capstan_model::ApplicationSpec) -> RetryStrategy {
        let declared = self.operation.retry.clone().or_else(|| spec.sync_policy.retry.clone());
        declared.unwrap_or_else(|| RetryStrategy {
            limit: if self.is_automated() {
                crate::limits::AUTOMATED_RETRY_LIMIT
            } else {
                0
            },
            ..RetryStrategy::default()
        })
    }
}

/// The number by which an operation was recorded; 0 for one that is not ours.
pub(crate) fn recorded_number(state: &OperationState) -> u64 {
    info(&state.operation, INFO_EPOCH)
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}

/// An entry of an operation's `info`.
pub(crate) fn info<'a>(operation: &'a Operation, name: &str) -> Option<&'a str> {
    let entry = operation.info.iter().find(|info| info.name == name)?;
    Some(&entry.value)
}

/// A commit or version as people write it.
pub(crate) fn short(revision: &str) -> &str {
    capstan_model::short_revision(revision, 7)
}
