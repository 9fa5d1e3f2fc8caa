//! Deleting an application: hooks before, its objects in reverse waves, each by a permit, hooks after.
//!
//! What is to be done is in the finalizers, Argo CD's, in this order; each is taken off when its part is over, so that a crash goes on
//! where it was: `pre-delete-finalizer` (hooks run) and its `/cleanup` (those whose policy says so are deleted), `resources-finalizer` (the
//! objects go; without it they stay), `post-delete-finalizer` and its `/cleanup`. No source is read: the hooks are those that were synced
//! last and are kept on the Application ([`stored`]); only what could not be kept is rendered, from the recorded commit.
//!
//! Invariants:
//! - As long as one object waits for its approval (`Delete=confirm`), nothing of the application is deleted and no hook runs.
//! - Definitions of kinds are never deleted with an application: that would delete every object of the kind, whoever's it is.
//! - A Namespace goes only with what goes with the application anyway, or by an approval ([`held`]). What is held holds up nothing but the
//!   end of the deletion.
//! - An Application whose dependents (`capstan.dev/depends-on`) are being deleted, too, goes after them; but not later than the deadline of
//!   one object: a deletion that was asked for is not held up for ever by another one.
//! - Whatever it waits for is named with since when and, where there is an end, until when: in the view at once, in a condition and the
//!   journal when it takes longer than a moment.

mod cascade;
mod clean_up;
mod found;
mod held;
mod hooks;
mod keep;
mod source;
mod stored;

use std::collections::BTreeMap;

use capstan_model::{
    ApplicationId, HookType, POST_DELETE_FINALIZER, PRE_DELETE_FINALIZER, ResourceKey, Timestamp,
    is_resources_finalizer,
};
use serde_json::json;

use super::Engine;
use super::gate::Gate;
use super::state::{ApplicationState, InFlight};
use crate::effect::EffectKind;
use crate::event::{ResolvedRevision, WriteError};
use crate::journal::Cause;
use crate::machine::write_backoff;
use crate::sabotage::{self, Sabotage};
use crate::view::DeletionView;
pub(in crate::engine) use hooks::{HookRun, phase_of};
pub(in crate::engine) use source::recorded;
pub(in crate::engine) use stored::{DeletionHook, phases};

/// A wait that is longer than this is told in the resource's status, too.
const A_MOMENT: std::time::Duration = std::time::Duration::from_secs(10);

/// What is known of a deletion that is under way.
#[derive(Debug, Default)]
pub(crate) struct DeletionRun {
    /// Its part, and since when.
    pub(super) stage: Option<(Stage, Timestamp)>,
    /// What it waits for, as of this step.
    pub(super) waits: Vec<String>,
    /// Since when it waits for that.
    waiting: Option<(String, Timestamp)>,
    /// It waits for longer than a moment.
    pub(super) is_overdue: bool,
    /// Its hooks, once they are known.
    pub(super) hooks: Option<Vec<DeletionHook>>,
    /// Commits at which they are read, where they are not kept.
    pub(super) revisions: Vec<ResolvedRevision>,
    pub(super) runs: BTreeMap<(HookType, ResourceKey), HookRun>,
    /// Why they could not be read, and when that is tried again.
    pub(super) unread: Option<(u32, Timestamp, String)>,
    /// Objects whose deletion was accepted, by identity.
    pub(super) going: BTreeMap<ResourceKey, String>,
    /// Namespaces that hold what is not to go: how often they were looked at, and when they are again.
    pub(super) looks: BTreeMap<ResourceKey, (u32, Timestamp)>,
    /// It no longer waits for the Applications that depend on this one.
    past_dependents: bool,
    next: Option<Timestamp>,
}

/// The parts of a deletion, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    PreDelete,
    PreDeleteCleanup,
    Objects,
    PostDelete,
    PostDeleteCleanup,
}

impl Stage {
    fn of(app: &ApplicationState) -> Option<Self> {
        let finalizers = &app.application.metadata.finalizers;
        let has = |name: &str| finalizers.iter().any(|other| other == name);
        let has_cleanup = |name: &str| has(&format!("{name}/cleanup"));
        Some(match () {
            () if has(PRE_DELETE_FINALIZER) => Self::PreDelete,
            () if has_cleanup(PRE_DELETE_FINALIZER) => Self::PreDeleteCleanup,
            () if app.application.cascades() => Self::Objects,
            () if has(POST_DELETE_FINALIZER) => Self::PostDelete,
            () if has_cleanup(POST_DELETE_FINALIZER) => Self::PostDeleteCleanup,
            () => return None,
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::PreDelete => "PreDelete",
            Self::PreDeleteCleanup => "PreDeleteCleanup",
            Self::Objects => "Objects",
            Self::PostDelete => "PostDelete",
            Self::PostDeleteCleanup => "PostDeleteCleanup",
        }
    }
}

/// The finalizer that stands for the hooks of a phase.
pub(in crate::engine) fn finalizer_of(phase: HookType) -> &'static str {
    match phase {
        HookType::PreDelete => PRE_DELETE_FINALIZER,
        _ => POST_DELETE_FINALIZER,
    }
}

impl Engine {
    pub(super) fn step_deletion(&mut self, now: Timestamp, app: &mut ApplicationState, gate: &Gate) {
        app.is_paused = false;
        app.deletion.waits.clear();
        app.deletion.next = None;
        if !self.leads || app.is_in_flight(|what| matches!(what, InFlight::Finalizer)) {
            return;
        }
        let Some(stage) = Stage::of(app) else {
            if self.may_write(app) && self.stops_sync(now, app, gate) {
                return self.tell_waits(now, app);
            }
            self.wait_for_others(now, app);
            return;
        };
        self.enter_deletion(now, app, stage);
        self.leave_withheld(now, app);
        let is_due = app.deletion_retry.is_none_or(|(_, until)| until <= now);
        if let (Gate::Refused(why), false) = (gate, self.may_write(app)) {
            let way = "to delete it without its objects, take the finalizers off";
            app.deletion
                .waits
                .push(format!("it is not known where its objects are: {why}; {way}"));
        } else if !self.may_write(app) {
            let cluster = app.application.spec.destination.cluster();
            app.deletion
                .waits
                .push(format!("waiting for cluster {cluster} to answer"));
        } else if let Some(why) = self.paused(app) {
            app.deletion.waits.push(why);
        } else if self.stops_sync(now, app, gate) {
            // Nothing of the deletion begins beside a hook of the sync.
        } else if is_due && !self.waits_for_dependents(now, app, stage) && !self.waits_for_approval(now, app, stage) {
            app.deletion_retry = None;
            self.go_on_deleting(now, app, gate, stage);
        }
        self.tell_waits(now, app);
    }

    /// Is the sync that ran still being stopped?
    fn stops_sync(&mut self, now: Timestamp, app: &mut ApplicationState, gate: &Gate) -> bool {
        let wait = self.stop_for_deletion(now, app, gate);
        let is_stopping = wait.is_some();
        app.deletion.waits.extend(wait);
        is_stopping
    }

    fn go_on_deleting(&mut self, now: Timestamp, app: &mut ApplicationState, gate: &Gate, stage: Stage) {
        match stage {
            Stage::PreDelete | Stage::PostDelete => {
                let phase = if stage == Stage::PreDelete {
                    HookType::PreDelete
                } else {
                    HookType::PostDelete
                };
                let finalizer = finalizer_of(phase);
                if self.know_hooks(now, app) && self.run_hooks(now, app, gate, phase) {
                    self.take_off(now, app, |name| name == finalizer, "its hooks succeeded");
                }
            }
            Stage::PreDeleteCleanup | Stage::PostDeleteCleanup => {
                let is_before = stage == Stage::PreDeleteCleanup;
                let phase = if is_before {
                    HookType::PreDelete
                } else {
                    HookType::PostDelete
                };
                let finalizer = format!("{}/cleanup", finalizer_of(phase));
                if self.know_hooks(now, app) && self.clean_up(now, app, phase) {
                    self.take_off(now, app, |name| name == finalizer, "its hooks are cleaned up");
                }
            }
            Stage::Objects => {
                let is_gone = self.cascade(now, app);
                if is_gone && app.writes_in_flight() > 0 {
                    // What the sync that was stopped had asked for may still be made, and nobody would delete it then.
                    let wait = "waiting for the answers to what was asked of the cluster before";
                    app.deletion.waits.push(wait.to_owned());
                } else if is_gone && !sabotage::is(Sabotage::NeverLetsGo) {
                    self.take_off(now, app, is_resources_finalizer, "every object is gone");
                }
            }
        }
    }

    /// Nothing is left to do here, and finalizers that are not ours hold the Application.
    fn wait_for_others(&mut self, now: Timestamp, app: &mut ApplicationState) {
        let others = app.application.metadata.finalizers.join(", ");
        if !others.is_empty() {
            app.deletion.waits.push(format!(
                "held by finalizer {others}, which is not this controller's to take off"
            ));
        }
        self.tell_waits(now, app);
    }

    fn enter_deletion(&mut self, now: Timestamp, app: &mut ApplicationState, stage: Stage) {
        let before = app.deletion.stage.map(|(stage, _)| stage);
        if before == Some(stage) {
            return;
        }
        if before.is_none() {
            app.guarding.begin_deletion();
        }
        app.deletion.stage = Some((stage, now));
        let from = before.map_or("", Stage::name);
        self.note(
            now,
            app,
            None,
            "deletion",
            from,
            stage.name(),
            String::new(),
            Cause::Cluster,
        );
    }

    /// Those that depend on it and are being deleted go first.
    fn waits_for_dependents(&mut self, now: Timestamp, app: &mut ApplicationState, stage: Stage) -> bool {
        let is_first = matches!(stage, Stage::PreDelete | Stage::PreDeleteCleanup | Stage::Objects);
        let Some(since) = app.application.metadata.deletion_timestamp.filter(|_| is_first) else {
            return false;
        };
        let id = app.id();
        let is_going = |other: &&ApplicationId| {
            let other = self.applications.get(*other);
            other.is_some_and(|other| other.application.metadata.deletion_timestamp.is_some())
        };
        let going: Vec<ApplicationId> = self
            .dependents
            .get(&id)
            .into_iter()
            .flatten()
            .filter(is_going)
            .cloned()
            .collect();
        if going.is_empty() || app.deletion.past_dependents || self.is_in_cycle(app) {
            return false;
        }
        let until = since + self.settings.object_timeout;
        let names: Vec<String> = going.iter().map(ToString::to_string).collect();
        let names = names.join(", ");
        if until <= now {
            app.deletion.past_dependents = true;
            let why = format!(
                "{names}, which depend on it, are still being deleted since {since}: not waited for any longer"
            );
            let name = stage.name();
            self.note(now, app, None, "deletion", name, name, why, Cause::Timer);
            return false;
        }
        app.deletion.waits.push(format!(
            "waiting for Applications that depend on it and are being deleted, too: {names}, since {since}, until {until}"
        ));
        app.deletion.next = Some(until);
        true
    }

    /// Does one of its objects wait for an approval, or may it, as far as is known? Then nothing begins: half of an application is worse than all or none of it.
    fn waits_for_approval(&self, now: Timestamp, app: &mut ApplicationState, stage: Stage) -> bool {
        let is_asked = app.application.cascades() && matches!(stage, Stage::PreDelete | Stage::Objects);
        if !is_asked || sabotage::is(Sabotage::DeletesUnconfirmed) {
            return false;
        }
        let left = match self.left_of(app) {
            Ok(left) => left,
            // What is not known yet may be what waits.
            Err(why) => {
                app.deletion.waits.push(why);
                return true;
            }
        };
        app.deletion_errors.retain(|_, why| !why.starts_with(cascade::CONFIRM));
        let awaits = |(key, of): &(ResourceKey, cascade::Left)| !of.is_deleting && self.awaits_approval(app, key);
        let held: Vec<ResourceKey> = left.into_iter().filter(awaits).map(|(key, _)| key).collect();
        let is_held = !held.is_empty();
        let asked = app.application.metadata.deletion_timestamp.unwrap_or(now);
        let text = cascade::confirm_text(&app.guarding.approval, asked);
        app.deletion_errors
            .extend(held.into_iter().map(|key| (key, text.clone())));
        is_held
    }

    /// When the wait began, and whether it is worth being told in the status.
    fn tell_waits(&mut self, now: Timestamp, app: &mut ApplicationState) {
        let text = app.deletion.waits.join("; ");
        if text.is_empty() {
            app.deletion.waiting = None;
            app.deletion.is_overdue = false;
            return;
        }
        let since = match &app.deletion.waiting {
            Some((told, since)) if *told == text => *since,
            _ => now,
        };
        app.deletion.waiting = Some((text.clone(), since));
        let is_overdue = since + A_MOMENT <= now;
        if !is_overdue {
            let at = since + A_MOMENT;
            app.deletion.next = Some(app.deletion.next.map_or(at, |next| next.min(at)));
        } else if !app.deletion.is_overdue {
            let name = app.deletion.stage.map_or("", |(stage, _)| stage.name());
            self.note(now, app, None, "deletion", name, "Waiting", text, Cause::Timer);
        }
        app.deletion.is_overdue = is_overdue;
    }

    /// When a deletion is to be looked at again, if nothing happens before.
    pub(super) fn deletion_deadline(&self, app: &ApplicationState) -> Option<Timestamp> {
        let run = &app.deletion;
        let hooks = run.runs.values().filter_map(HookRun::deadline);
        let unread = run.unread.iter().map(|(_, until, _)| *until);
        let cleanup = run
            .stage
            .filter(|(stage, _)| matches!(stage, Stage::PreDeleteCleanup | Stage::PostDeleteCleanup));
        let cleanup = cleanup.map(|(_, since)| since + self.settings.object_timeout);
        let looks = run.looks.values().map(|(_, at)| *at);
        hooks.chain(unread).chain(cleanup).chain(looks).chain(run.next).min()
    }

    pub(super) fn deletion_view(app: &ApplicationState) -> Option<DeletionView> {
        let (stage, since) = app.deletion.stage?;
        Some(DeletionView {
            stage: stage.name().to_owned(),
            since,
            waits: app
                .deletion
                .waits
                .iter()
                .cloned()
                .chain(app.guarding.messages())
                .collect(),
        })
    }

    /// Takes finalizers off: that part of the deletion is over.
    fn take_off(&mut self, now: Timestamp, app: &mut ApplicationState, is_over: impl Fn(&str) -> bool, why: &str) {
        let metadata = &app.application.metadata;
        // A version that is not the newest would only be refused: the newest is about to be observed.
        if metadata.resource_version != app.said_version.newest() {
            return;
        }
        let kept: Vec<&String> = metadata.finalizers.iter().filter(|name| !is_over(name)).collect();
        // The version: a finalizer that somebody adds meanwhile must not be lost.
        let patch = json!({"metadata": {"finalizers": kept, "resourceVersion": metadata.resource_version}});
        let uid = metadata.uid.clone();
        let from = app.deletion.stage.map_or("Deleting", |(stage, _)| stage.name());
        self.note(
            now,
            app,
            None,
            "deletion",
            from,
            "RemovingFinalizer",
            why.into(),
            Cause::Cluster,
        );
        self.emit(app, EffectKind::PatchApplication { uid, patch }, InFlight::Finalizer);
    }

    /// The answer to the removal of our finalizers.
    pub(super) fn finalizer_removed(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        result: Result<String, WriteError>,
    ) {
        match result {
            // Until it is observed without them, it must not be looked at as if it had them.
            Ok(version) => {
                app.said_version.wrote(version, false);
            }
            Err(WriteError::NotFound(_)) => {}
            Err(_) => app.deletion_retry = Some((1, now + write_backoff(1))),
        }
    }
}
