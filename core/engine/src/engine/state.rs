//! What the engine holds of one application.

use std::collections::{BTreeMap, BTreeSet};

use capstan_model::{
    Application, ApplicationCondition, ApplicationDestination, ApplicationId, ApplicationSource, ApplicationStatus,
    ClusterId, Digest, GroupKind, GroupVersionKind, HealthStatus, HealthStatusCode, HookType, ObjectMeta, Operation,
    OperationPhase, OperationState, ResourceKey, RevisionHistory, SyncStatusCode, Timestamp,
};
use petgraph::stable_graph::NodeIndex;
use serde_json::Value;

use crate::compare::{FieldDifference, Verdict};
use crate::effect::Freshness;
use crate::event::ResolvedRevision;
use crate::machine::Refresh;
use crate::targets::{Target, Targets};

use super::assessment::Assessment;
use super::deletion::DeletionRun;
use super::drift::{Drift, Fights, Heals};
use super::guarding::Guarding;
use super::hold::Hold;
use super::inventory::Inventory;
use super::operation::{OperationRun, Stage};
use super::release::Releases;
use super::skipped::ReasonsTold;
use super::succession::running;
use super::telling::{SaidVersion, StatusFailure, Telling, said};
use super::touched::Touched;
use super::underway::Underway;

/// The desired objects and where they come from.
#[derive(Debug)]
pub(crate) struct Desired {
    pub(crate) targets: Targets,
    pub(crate) revisions: Vec<ResolvedRevision>,
    pub(crate) sources: Vec<ApplicationSource>,
    /// For where they were rendered.
    pub(crate) destination: ApplicationDestination,
    /// Of what else went into the render: destination, what the cluster serves.
    pub(crate) context: Digest,
    /// Phases of a deletion for which it has hooks.
    pub(crate) deletion_phases: BTreeSet<HookType>,
    /// Images that the objects name.
    pub(crate) images: Vec<String>,
}

impl Desired {
    /// The commit of the first source; empty when there is none.
    pub(crate) fn revision(&self) -> &str {
        self.revisions.first().map_or("", |revision| &revision.revision)
    }

    /// The ordinary object of this key.
    pub(crate) fn resource(&self, key: &ResourceKey) -> Option<&Target> {
        self.targets.find(key).filter(|target| target.meta.is_resource())
    }

    /// The ordinary objects, by key.
    pub(crate) fn resources(&self) -> impl Iterator<Item = &Target> {
        self.targets.objects().iter().filter(|target| target.meta.is_resource())
    }
}

/// A verdict and what it was passed on.
#[derive(Debug)]
pub(crate) struct Compared {
    pub(crate) of: PairDigests,
    pub(crate) verdict: Verdict,
}

/// Names one comparison: equal digests have equal verdicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PairDigests {
    pub(crate) desired: Digest,
    pub(crate) live: Digest,
    pub(crate) rules: Digest,
}

/// What one object of the application is, derived anew whenever it was touched.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ObjectState {
    pub(crate) gvk: GroupVersionKind,
    pub(crate) wave: i64,
    pub(crate) existence: Existence,
    /// `None` while a comparison is under way, or what it needs was not listed yet.
    pub(crate) sync: Option<SyncStatusCode>,
    /// `None` for a kind without, and while nothing is known.
    pub(crate) health: Option<HealthStatus>,
    /// Tracked, and not in the complete render.
    pub(crate) requires_pruning: bool,
    /// Is in the source (not only tracked).
    pub(crate) declared: bool,
    /// Does not count in the application's verdict.
    pub(crate) extraneous: bool,
    /// Does not count in the application's health.
    pub(crate) ignore_health: bool,
    pub(crate) needs_confirmation: bool,
    /// The verdict waits for a comparison, and for nothing else.
    pub(crate) is_uncompared: bool,
}

impl ObjectState {
    /// What the status says of it.
    pub(crate) fn row(&self) -> impl PartialEq + '_ {
        let version = self.gvk.version.as_str();
        (
            version,
            self.wave,
            self.sync,
            self.requires_pruning,
            self.needs_confirmation,
        )
    }
}

/// Is an object there? Three answers: "not known" is not "no".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existence {
    Present,
    /// Proven absent.
    Missing,
    /// Its kind is not listed completely yet, and will be.
    Unlisted,
    /// Its kind cannot be read.
    Unavailable,
}

/// What a refresh is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) freshness: Freshness,
    pub(crate) bypass_cache: bool,
}

/// What an effect was emitted for.
#[derive(Debug)]
pub(crate) enum InFlight {
    Resolve,
    Render(
        Vec<ResolvedRevision>,
        Vec<ApplicationSource>,
        Digest,
        ApplicationDestination,
    ),
    Compare(BTreeMap<ResourceKey, PairDigests>),
    /// The own revision of the operation of this number is being resolved.
    OperationResolve(u64),
    /// The pinned revision of the operation of this number is being rendered.
    OperationRender(u64),
    /// A write (or a look) of one task of the operation.
    Task(NodeIndex),
    /// One task of the operation is tried as a dry run.
    Rehearsal(NodeIndex),
    /// One row of what a pass asked for (`guards: argo`).
    Pass(usize),
    /// A whole object that a pass needs is read.
    Seen(ResourceKey),
    /// Drift of this object is being reverted.
    Heal(ResourceKey),
    /// Before that, what others applied of it is handed over to us.
    HealTakeOver(ResourceKey),
    /// What is desired is rendered a second time.
    SecondRender(Digest),
    /// Whether commits follow those that were synced is being found out.
    Descent(Digest),
    /// A finished hook is being cleaned up.
    Cleanup(ResourceKey),
    /// A finished hook is being let go.
    Release(ResourceKey),
    /// An object is being deleted with its application.
    Cascade(ResourceKey),
    Status(StatusPatch),
    RefreshAnnotation,
    OperationField,
    /// Finalizers are being taken off the Application.
    Finalizer,
    /// The hooks of a deletion, and its finalizers, are being put on the Application.
    KeptHooks,
    /// The commits of a deletion's hooks are being resolved.
    DeletionResolve,
    /// The hooks of a deletion are being rendered.
    DeletionRender,
    /// A write (or a look) of one hook of a deletion.
    DeletionHook(HookType, ResourceKey),
    /// Something was asked of a cluster that the application left since; its answer may show an object that is live there.
    Elsewhere {
        cluster: ClusterId,
        shows: bool,
    },
}

impl InFlight {
    /// Writes to the destination cluster: a new operation begins only when none is under way.
    pub(crate) fn is_write(&self) -> bool {
        matches!(
            self,
            Self::Task(_)
                | Self::Rehearsal(_)
                | Self::Pass(_)
                | Self::Heal(_)
                | Self::HealTakeOver(_)
                | Self::Cleanup(_)
                | Self::Release(_)
                | Self::Cascade(_)
                | Self::DeletionHook(..)
                | Self::Elsewhere { .. }
        )
    }
}

/// A status write that is under way.
#[derive(Debug)]
pub(crate) struct StatusPatch {
    /// The whole status after it.
    pub(crate) status: Value,
    /// Hooks whose intended creation it records.
    pub(crate) hooks: Vec<NodeIndex>,
    /// It records the intent of the operation that runs.
    pub(crate) intent: bool,
    /// It insisted on the version before.
    pub(crate) insists: bool,
    /// The operation that ran, and its attempt: what is recorded is of that one, and says nothing of another that took its place meanwhile.
    pub(crate) of: Option<(u64, u64)>,
}

/// One application.
#[derive(Debug)]
pub(crate) struct ApplicationState {
    pub(crate) application: Application,
    /// Why its newest version cannot be understood.
    pub(crate) invalid: Option<String>,
    pub(crate) epoch: u64,
    pub(crate) in_flight: Underway,
    /// What the next step has to look at.
    pub(crate) touched: Touched,
    pub(crate) refresh: Refresh,
    pub(crate) wanted: Option<Wanted>,
    /// What the refresh that is under way was asked for.
    pub(crate) refreshing: Option<Wanted>,
    /// Failures in a row.
    pub(crate) failed_refreshes: u32,
    /// Of the inputs of the last refresh.
    pub(crate) attempted: Option<Digest>,
    pub(crate) desired: Option<Desired>,
    pub(crate) compared: BTreeMap<ResourceKey, Compared>,
    /// Those of them that could not be.
    pub(crate) incomparable: BTreeSet<ResourceKey>,
    pub(crate) assessment: Assessment,
    /// Annotations of live objects that are not in the source, by the content they were read from.
    pub(crate) extra: BTreeMap<ResourceKey, (Digest, ObjectMeta)>,
    pub(crate) inventory: Inventory,
    pub(crate) operation: Option<OperationRun>,
    /// The last operation that ended, or the running one as it was last told.
    pub(crate) last_operation: Option<OperationState>,
    /// An operation that somebody asked for and that has not begun.
    pub(crate) requested: Option<Operation>,
    /// It came by the resource's `operation` field.
    pub(crate) requested_by_field: bool,
    /// The resource's `operation` field as it was last taken up.
    pub(crate) taken: Option<Operation>,
    pub(crate) terminate_by: Option<String>,
    /// Something of it was seen changing since the last pass began.
    pub(crate) live_changed: bool,
    pub(crate) history: Vec<RevisionHistory>,
    /// What keeps its syncs from beginning, as of this step.
    pub(crate) hold: Hold,
    /// Its operation is paused by a window.
    pub(crate) is_paused: bool,
    /// What keeps it as it is, as the journal last told it.
    pub(crate) reasons_told: ReasonsTold,
    /// Why it does not count as there for those that wait for it, as they were last told.
    pub(crate) readiness: Option<Option<String>>,
    pub(crate) heal: Heals,
    pub(crate) drift: Drift,
    /// Hooks that are held until it is recorded how they ended.
    pub(crate) releases: Releases,
    /// Fields that others keep changing.
    pub(crate) contention: Fights,
    /// What is held of what would be deleted.
    pub(crate) guarding: Guarding,
    /// Conditions of the last step, with their times.
    pub(crate) conditions: Vec<ApplicationCondition>,
    /// When the revision last changed.
    pub(crate) reconciled_at: Option<Timestamp>,
    /// When the health last changed.
    pub(crate) health_since: Option<Timestamp>,
    /// Verdict and health as the journal last told them.
    pub(crate) told: (SyncStatusCode, HealthStatusCode),
    /// The status as the resource has it, as far as is known.
    pub(crate) said: Value,
    /// Version of the resource that `said` is of.
    pub(crate) said_version: SaidVersion,
    /// Is there anything new to say?
    pub(crate) telling: Telling,
    /// The status could not be written last time.
    pub(crate) status_failure: Option<StatusFailure>,
    /// The sync that failed is due to be begun anew.
    pub(crate) resumes: bool,
    pub(crate) deletion: DeletionRun,
    pub(crate) deletion_retry: Option<(u32, Timestamp)>,
    pub(crate) deletion_errors: BTreeMap<ResourceKey, String>,
    /// Objects that may not be deleted with it, as the last look showed.
    pub(crate) deletion_left: BTreeSet<ResourceKey>,
    pub(crate) deadline: Option<Timestamp>,
    /// Kinds it needs to be watched.
    pub(crate) kinds: BTreeSet<GroupKind>,
}

impl ApplicationState {
    /// What a refresh was asked for is asked for again.
    pub(crate) fn refresh_anew(&mut self) {
        (self.refresh, self.attempted) = (Refresh::Fresh, None);
        self.wanted = self.wanted.take().or(self.refreshing.take());
    }

    pub(crate) fn id(&self) -> ApplicationId {
        self.application.id()
    }

    pub(crate) fn writes_in_flight(&self) -> usize {
        self.in_flight.writes()
    }

    pub(crate) fn is_in_flight(&self, test: impl Fn(&InFlight) -> bool) -> bool {
        self.in_flight.values().any(test)
    }

    /// Fields of a compared object that differ.
    pub(crate) fn differences(&self, key: &ResourceKey) -> &[FieldDifference] {
        match self.compared.get(key).map(|compared| &compared.verdict) {
            Some(Verdict::Different(differences)) => differences,
            _ => &[],
        }
    }

    /// Is its drift put right?
    pub(crate) fn heals(&self) -> bool {
        let automated = self.application.spec.sync_policy.automation();
        automated.is_some_and(|automated| automated.self_heal)
    }

    /// Executors are to look again at what was in use: the next sync asks them, or the deletion at once.
    pub(crate) fn look_again(&mut self) {
        match self.application.metadata.deletion_timestamp {
            Some(_) => self.deletion.look_again(),
            None => self.guarding.look_again(),
        }
    }

    /// An operation ended, or is told as it is.
    pub(crate) fn remember(&mut self, state: OperationState) {
        self.releases.remember(Some(&state));
        self.last_operation = Some(state);
    }

    /// Asks for a refresh; the most demanding wish counts.
    pub(crate) fn want_refresh(&mut self, freshness: Freshness, bypass_cache: bool) {
        let wanted = self.wanted.get_or_insert(Wanted {
            freshness,
            bypass_cache,
        });
        wanted.bypass_cache |= bypass_cache;
        if freshness == Freshness::Remote {
            wanted.freshness = Freshness::Remote;
        }
    }
}

impl ApplicationState {
    /// An application seen for the first time in this process: what it was is what its status says.
    pub(crate) fn restore(application: Application) -> Self {
        let (status, running, said) = known(&application);
        Self {
            invalid: None,
            epoch: recorded_number(status).saturating_add(1),
            in_flight: Underway::default(),
            touched: Touched::everything(),
            refresh: Refresh::Fresh,
            wanted: None,
            refreshing: None,
            failed_refreshes: 0,
            attempted: None,
            desired: None,
            compared: BTreeMap::new(),
            incomparable: BTreeSet::new(),
            assessment: Assessment::default(),
            extra: BTreeMap::new(),
            inventory: Inventory::of(&application),
            taken: running.as_ref().and(application.operation.clone()),
            // Stopped once it is known again which hooks run.
            terminate_by: stopping(status),
            operation: running,
            last_operation: status.operation_state.clone(),
            requested: None,
            requested_by_field: false,
            live_changed: false,
            history: status.history.clone(),
            hold: Hold::default(),
            is_paused: false,
            reasons_told: ReasonsTold::default(),
            readiness: None,
            heal: Heals::default(),
            drift: Drift::default(),
            releases: Releases::of(status.operation_state.as_ref(), &said),
            contention: Fights::default(),
            guarding: Guarding::of(&application),
            conditions: status.conditions.clone(),
            reconciled_at: status.reconciled_at,
            health_since: status.health.last_transition_time,
            told: (status.sync.status, status.health.status),
            said,
            telling: Telling::default(),
            said_version: SaidVersion::of(&application.metadata.resource_version),
            status_failure: None,
            resumes: false,
            deletion: DeletionRun::default(),
            deletion_retry: None,
            deletion_errors: BTreeMap::new(),
            deletion_left: BTreeSet::new(),
            deadline: None,
            kinds: BTreeSet::new(),
            application,
        }
    }

    /// Its resource was read again. What a read from before our own last status write says about the status is old.
    pub(crate) fn observe(&mut self, application: Application) {
        self.invalid = None;
        let before = self.said_version.newest().to_owned();
        if self.said_version.read(&application.metadata.resource_version) {
            // What was in the way of a write is known now.
            let is_newer = before != self.said_version.newest();
            self.status_failure.take_if(|failure| failure.is_passing && is_newer);
            let said = said(&application.status);
            if said != self.said {
                self.said = said;
                self.releases.read(&self.said);
                self.telling.forget();
            }
        }
        let (old, new) = (&self.application, &application);
        let is_same = old.spec == new.spec
            && old.metadata.annotations == new.metadata.annotations
            && old.metadata.deletion_timestamp == new.metadata.deletion_timestamp
            && (new.metadata.deletion_timestamp.is_none() || old.metadata.finalizers == new.metadata.finalizers);
        self.touched.all |= !is_same;
        if application.operation.is_none() {
            self.taken = None;
        }
        self.take_termination(&application.status);
        let from = self.application.spec.destination.cluster();
        self.application = application;
        if self.application.spec.destination.cluster() != from {
            self.leave(&from);
        }
    }

    /// Somebody ends the operation that runs as Argo CD is asked to: by the phase of its state.
    fn take_termination(&mut self, status: &ApplicationStatus) {
        let Some(running) = &self.operation else { return };
        let is_under_way = !matches!(
            running.stage,
            Stage::Terminating { .. } | Stage::CleaningUp(_) | Stage::Ended(_)
        );
        if is_under_way
            && recorded_number(status) == running.number
            && let Some(by) = stopping(status)
        {
            self.terminate_by.get_or_insert(by);
        }
    }
}

/// What a resource says: its status, the operation that runs, and the status as it is written.
fn known(application: &Application) -> (&ApplicationStatus, Option<OperationRun>, Value) {
    let status = &application.status;
    (status, running(application), said(status))
}

/// The number of the last operation.
fn recorded_number(status: &ApplicationStatus) -> u64 {
    let state = status.operation_state.as_ref();
    state.map_or(0, super::operation::recorded_number)
}

/// An operation is being stopped; by whom is not recorded.
fn stopping(status: &ApplicationStatus) -> Option<String> {
    let state = status.operation_state.as_ref()?;
    (state.phase == OperationPhase::Terminating).then(String::new)
}
