//! Running the hooks of a deletion: wave by wave, each once, and again when it failed.
//!
//! A hook carries which deletion it is of, so that what is found is told from an earlier run. One that failed is kept until it is tried
//! again, for ever but ever more slowly, with who it is, why, and the finalizer by which somebody ends it: a deletion that goes past a
//! failed backup would be worse. One that may remove itself is held by the hook finalizer until it is recorded that its phase is over, which is
//! when the phase's own finalizer is off the Application. What has no health cannot be held so: created by a process that ended, and gone
//! before the next one looked, it runs again, since nothing can tell it from one that never was.

use std::collections::BTreeMap;

use capstan_live::Node;
use capstan_model::{Backoff, Blob, HookDeletePolicy, HookType, ResourceKey, Timestamp};
use serde_json::Value;

use super::super::Engine;
use super::super::cluster::Cluster;
use super::super::gate::Gate;
use super::super::operation::retry_at;
use super::super::state::{ApplicationState, Existence, InFlight};
use super::cascade::NotDeleted;
use super::finalizer_of;
use super::found::Found;
use super::stored::DeletionHook;
use crate::effect::{ApplyMode, ApplyTask, DryRun, EffectKind};
use crate::event::{Deletion, KindLookup, Outcome, WriteError};
use crate::guard::DeleteReason;
use crate::journal::Cause;
use crate::machine::{HookTask, write_backoff};
use crate::plan::rank;
use crate::policy::{Authorized, Verb};
use crate::sabotage::{self, Sabotage};

/// One hook, as far as this process knows.
#[derive(Debug, Default)]
pub(crate) struct HookRun {
    /// The object that this process created.
    created: Option<String>,
    /// When it was created.
    begun: Option<Timestamp>,
    until: Option<Timestamp>,
    pub(super) attempts: u32,
    /// The object that failed. It goes when its turn comes again.
    failed: Option<String>,
    /// An object whose deletion was accepted, and that may not be seen going yet.
    pub(super) going: Option<String>,
    /// An object that was let go, and may still be seen held.
    released: Option<String>,
    /// When it is tried again.
    pub(super) retry_at: Option<Timestamp>,
    /// It may have been created, and could not be looked at since: the cluster did not answer.
    is_unlooked: bool,
    pub(super) failure: String,
    is_done: bool,
    /// It could not be cleaned up, and that was told.
    pub(super) is_left: bool,
}

impl HookRun {
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        let running = self.until.filter(|_| !self.is_done);
        self.retry_at.or(running)
    }
}

const IN_THE_WAY: &str = "an earlier run of the hook is in its way";

impl Engine {
    /// Runs the hooks of `phase`. Gives whether all of them have succeeded.
    pub(super) fn run_hooks(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        gate: &Gate,
        phase: HookType,
    ) -> bool {
        if sabotage::is(Sabotage::SkipsDeletionHooks) {
            return true;
        }
        for wave in waves(app, phase) {
            let mut is_done = true;
            for (key, hook) in wave {
                is_done &= self.run_hook(now, app, gate, phase, &key, &hook);
            }
            if !is_done {
                return false;
            }
        }
        true
    }

    fn run_hook(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        gate: &Gate,
        phase: HookType,
        key: &ResourceKey,
        hook: &DeletionHook,
    ) -> bool {
        let run = app.deletion.runs.entry((phase, key.clone())).or_default();
        if run.is_done {
            return true;
        }
        let (is_due, is_unlooked) = (run.retry_at.is_none_or(|at| at <= now), run.is_unlooked);
        if app.is_in_flight(|what| matches!(what, InFlight::DeletionHook(_, other) if other == key)) || !is_due {
            return false;
        }
        if is_unlooked {
            self.look_for_hook(now, app, phase, key);
            return false;
        }
        let Some(project) = gate.project() else {
            let why = format!("{phase:?} hook {key} cannot run: {}", gate_text(gate));
            app.deletion.waits.push(why);
            return false;
        };
        let by = match self.authorize_now(app, project, key, Verb::Apply) {
            Ok(by) => by,
            Err(refusal) => {
                self.hook_of_deletion_failed(now, app, phase, key, &refusal.to_string(), None);
                return false;
            }
        };
        match self.find_hook(app, key) {
            Some((_, Some(live), _)) => return self.look_at_hook(now, app, phase, key, (hook, by), live),
            Some((Existence::Missing, None, false)) => {
                let why = format!("the cluster does not serve {}", key.group_kind());
                self.hook_of_deletion_failed(now, app, phase, key, &why, None);
            }
            Some((Existence::Missing, None, true)) => self.begin_hook(now, app, phase, key, (hook, by)),
            Some(_) => await_list(app, phase, key),
            None => {}
        }
        false
    }

    /// Is there an object of a hook's name, and does the cluster serve its kind?
    fn find_hook(&self, app: &ApplicationState, key: &ResourceKey) -> Option<(Existence, Option<Found>, bool)> {
        let cluster = self.cluster(app)?;
        let (existence, live) = cluster.existence(key);
        let is_served = matches!(cluster.kind(&key.group_kind()), KindLookup::Served(_));
        Some((existence, live.map(Found::of), is_served))
    }

    /// There is an object of its name.
    fn look_at_hook(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        phase: HookType,
        key: &ResourceKey,
        (hook, by): (&DeletionHook, Authorized),
        live: Found,
    ) -> bool {
        let run = app.deletion.runs.entry((phase, key.clone())).or_default();
        // One that was given up, and has succeeded since, has succeeded.
        let is_failed = run.failed.as_ref() == Some(&live.uid) && live.outcome != Some(HookTask::Succeeded);
        let is_ours_going = run.going.as_ref() == Some(&live.uid);
        let is_going = live.is_deleting || is_ours_going;
        let is_held = live.is_held && run.released.as_ref() != Some(&live.uid);
        // What is held has finished before it removed itself, or was deleted before.
        let has_ended = live.is_held && live.outcome.is_some() && !is_ours_going;
        if live.operation == identity(app, phase) && !is_failed && (!is_going || has_ended) {
            return self.watch_hook_of_deletion(now, app, phase, key, hook, live);
        }
        // Whose it is, is known only of what is listed.
        let is_listed = |cluster: &Cluster| cluster.live.is_complete(&key.group_kind());
        if !self.cluster(app).is_some_and(is_listed) {
            await_list(app, phase, key);
            return false;
        }
        if live.is_ordinary && !is_going {
            let why = format!("{key} exists as an ordinary object, which no hook replaces: delete it");
            self.hook_of_deletion_failed(now, app, phase, key, &why, None);
            return false;
        }
        if is_held && self.is_of_deletion(app, key, &live.uid) {
            self.let_go(app, phase, key, (hook, by), live.uid);
        } else if is_going {
            app.deletion.waits.push(format!(
                "waiting for an earlier {key} to be gone, before {phase:?} hook {key}"
            ));
        } else if let Err(why) = self.delete_hook(now, app, phase, key, &live.uid, IN_THE_WAY) {
            let why = match why {
                NotDeleted::NotOurs => format!("{key} exists and does not belong to this application: delete it"),
                NotDeleted::Withheld(why) => why,
            };
            self.hook_of_deletion_failed(now, app, phase, key, &why, None);
        }
        false
    }

    /// Takes the hook finalizer off an earlier run.
    fn let_go(
        &mut self,
        app: &mut ApplicationState,
        phase: HookType,
        key: &ResourceKey,
        (hook, by): (&DeletionHook, Authorized),
        uid: String,
    ) {
        let cluster = app.application.spec.destination.cluster();
        let effect = EffectKind::let_go(cluster, key.clone(), hook.gvk.clone(), uid);
        self.emit_as(app, by, effect, InFlight::DeletionHook(phase, key.clone()));
    }

    /// May it be deleted by this deletion?
    fn is_of_deletion(&self, app: &ApplicationState, key: &ResourceKey, uid: &str) -> bool {
        let grounds = Self::deletion_grounds(app, DeleteReason::Hook, IN_THE_WAY.to_owned());
        self.identity_permit(app, key, uid, grounds).is_some()
    }

    fn watch_hook_of_deletion(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        phase: HookType,
        key: &ResourceKey,
        hook: &DeletionHook,
        live: Found,
    ) -> bool {
        let limit = hook.timeout.unwrap_or(self.settings.object_timeout);
        let Some(run) = app.deletion.runs.get_mut(&(phase, key.clone())) else {
            return false;
        };
        let since = *run.begun.get_or_insert(live.created_at.unwrap_or(now));
        let until = since + limit;
        run.until = Some(until);
        run.created.get_or_insert(live.uid.clone());
        match live.outcome {
            Some(HookTask::Succeeded) => {
                run.is_done = true;
                (run.attempts, run.retry_at) = (0, None);
                run.failure.clear();
                app.deletion_errors.remove(key);
                self.note_hook(now, app, key, "Running", "Succeeded", String::new());
                return true;
            }
            Some(HookTask::Failed(why)) => self.hook_of_deletion_failed(now, app, phase, key, &why, Some(live.uid)),
            _ if until <= now => {
                let why = format!("not done since {since}");
                self.hook_of_deletion_failed(now, app, phase, key, &why, Some(live.uid));
            }
            _ => {
                let why = if live.message.is_empty() {
                    String::new()
                } else {
                    format!(" ({})", live.message)
                };
                let text = format!("waiting for {phase:?} hook {key}{why}, since {since}, until {until}");
                app.deletion.waits.push(text);
            }
        }
        false
    }

    /// There is none: it is created, unless it was and has vanished.
    fn begin_hook(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        phase: HookType,
        key: &ResourceKey,
        (hook, by): (&DeletionHook, Authorized),
    ) {
        let run = app.deletion.runs.entry((phase, key.clone())).or_default();
        if run.created.take().is_some() && run.failed.take().is_none() {
            let why = "it was deleted before it was seen to finish";
            return self.hook_of_deletion_failed(now, app, phase, key, why, None);
        }
        run.retry_at = None;
        let object = hook.object.clone();
        let is_held = has_cleanup(app, phase) && self.is_to_be_held(key, &object);
        let object = self.made(app, object, key, &identity(app, phase), is_held);
        let task = ApplyTask {
            cluster: app.application.spec.destination.cluster(),
            key: key.clone(),
            gvk: hook.gvk.clone(),
            object: Blob::new(&object),
            mode: ApplyMode::Create,
            dry_run: DryRun::No,
            validate: hook.validate,
            recreate: false,
        };
        self.note_hook(now, app, key, "Blocked", "Creating", String::new());
        let what = InFlight::DeletionHook(phase, key.clone());
        self.emit_as(app, by, EffectKind::Apply(Box::new(task)), what);
    }

    /// The answer to a request about a hook, in its phase or when it is cleaned up.
    pub(in crate::engine) fn hook_of_deletion_answered(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        phase: HookType,
        key: &ResourceKey,
        outcome: Outcome,
    ) {
        let failure = match outcome {
            Outcome::Deleted(Ok(Deletion::Refused(refusal))) => WriteError::Conflict(refusal.to_string()),
            // It may be ours: look before anything else.
            Outcome::Applied(Err(WriteError::Conflict(_) | WriteError::OutcomeUnknown(_))) => {
                return self.look_for_hook(now, app, phase, key);
            }
            Outcome::Deleted(Err(WriteError::NotFound(_))) => {
                return self.hook_of_deletion_told(now, app, phase, key, Outcome::Deleted(Ok(Deletion::Gone)));
            }
            Outcome::Applied(Err(error))
            | Outcome::Deleted(Err(error))
            | Outcome::Observed(Err(error))
            | Outcome::Patched(Err(error)) => error,
            outcome => return self.hook_of_deletion_told(now, app, phase, key, outcome),
        };
        let attempts = app.deletion.runs.entry((phase, key.clone())).or_default().attempts;
        match retry_at(now, attempts + 1, &failure) {
            Some((attempts, until)) => {
                let run = app.deletion.runs.entry((phase, key.clone())).or_default();
                (run.attempts, run.retry_at, run.failure) = (attempts, Some(until), failure.to_string());
                let text = format!("{phase:?} hook: {failure}; again at {until}");
                app.deletion_errors.insert(key.clone(), text);
            }
            None => self.hook_of_deletion_failed(now, app, phase, key, &failure.to_string(), None),
        }
    }

    /// A cluster that does not answer is not asked, nor is another one at its address.
    fn look_for_hook(&mut self, now: Timestamp, app: &mut ApplicationState, phase: HookType, key: &ResourceKey) {
        if !self.cluster(app).is_some_and(Cluster::is_reachable) {
            let run = app.deletion.runs.entry((phase, key.clone())).or_default();
            (run.is_unlooked, run.retry_at) = (true, Some(now + write_backoff(1)));
            return;
        }
        let mut hooks = app.deletion.hooks.iter().flatten();
        let hook = hooks.find(|hook| hook.key.group_kind() == key.group_kind());
        let Some(gvk) = hook.map(|hook| hook.gvk.clone()) else {
            return;
        };
        if let Some(run) = app.deletion.runs.get_mut(&(phase, key.clone())) {
            run.is_unlooked = false;
        }
        let (cluster, key) = (app.application.spec.destination.cluster(), key.clone());
        let what = InFlight::DeletionHook(phase, key.clone());
        self.emit(app, EffectKind::Observe { cluster, key, gvk }, what);
    }

    /// A request about a hook was carried out.
    fn hook_of_deletion_told(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        phase: HookType,
        key: &ResourceKey,
        outcome: Outcome,
    ) {
        let cluster = app.application.spec.destination.cluster();
        let uid = self.cluster(app).and_then(|cluster| cluster.node(key)).map(Node::uid);
        let run = app.deletion.runs.entry((phase, key.clone())).or_default();
        match outcome {
            Outcome::Applied(Ok(object)) => {
                let uid = object.pointer("/metadata/uid").and_then(Value::as_str);
                (run.created, run.begun) = (uid.map(str::to_owned), Some(now));
                self.observed(&cluster, &object);
                self.note_hook(now, app, key, "Creating", "Running", String::new());
            }
            Outcome::Observed(Ok(Some(object))) => self.observed(&cluster, &object),
            // What was in the way is gone already.
            Outcome::Observed(Ok(None)) => run.retry_at = Some(now + write_backoff(1)),
            Outcome::Deleted(Ok(Deletion::Gone)) => self.gone(&cluster, key, &uid.unwrap_or_default()),
            Outcome::Deleted(Ok(Deletion::Accepted)) => run.going = uid,
            Outcome::Patched(Ok(_)) => run.released = uid,
            _ => self.late_completions += 1,
        }
    }

    fn hook_of_deletion_failed(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        phase: HookType,
        key: &ResourceKey,
        why: &str,
        failed: Option<String>,
    ) {
        let run = app.deletion.runs.entry((phase, key.clone())).or_default();
        run.attempts += 1;
        let at = now + Backoff::default().wait(run.attempts);
        run.retry_at = Some(at);
        run.failure = why.to_owned();
        (run.created, run.begun, run.until) = (None, None, None);
        let finalizer = finalizer_of(phase);
        let text = format!(
            "{phase:?} hook failed: {why}; attempt {} at {at}; to delete without it take the finalizer {finalizer} off the Application",
            run.attempts + 1
        );
        let first = run.failed != failed || failed.is_none();
        run.failed.clone_from(&failed);
        app.deletion_errors.insert(key.clone(), text);
        if first {
            self.note_hook(now, app, key, "Running", "Failed", why.to_owned());
        }
        let hooks = app.deletion.hooks.iter().flatten();
        let policies = hooks.filter(|hook| hook.key == *key).flat_map(|hook| &hook.policies);
        let goes_at_once = policies
            .into_iter()
            .any(|policy| *policy == HookDeletePolicy::HookFailed);
        if let Some(uid) = failed.filter(|_| goes_at_once) {
            // One that may not be deleted is in the way of its next run, which says so.
            let _ = self.delete_hook(now, app, phase, key, &uid, "hook-delete-policy HookFailed");
        }
    }

    pub(super) fn note_hook(
        &mut self,
        now: Timestamp,
        app: &ApplicationState,
        key: &ResourceKey,
        from: &str,
        to: &str,
        message: String,
    ) {
        self.note(now, app, Some(key), "hook", from, to, message, Cause::Cluster);
    }
}

/// The hooks of a phase with the names that they have in it, wave by wave, in the order of kinds.
pub(super) fn waves(app: &ApplicationState, phase: HookType) -> Vec<Vec<(ResourceKey, DeletionHook)>> {
    let asked = app.application.metadata.deletion_timestamp.unwrap_or_default();
    let mut waves: BTreeMap<i64, Vec<(ResourceKey, DeletionHook)>> = BTreeMap::new();
    for hook in app
        .deletion
        .hooks
        .iter()
        .flatten()
        .filter(|hook| hook.types.contains(&phase))
    {
        waves
            .entry(hook.wave)
            .or_default()
            .push((hook.key_in(phase, asked), hook.clone()));
    }
    for wave in waves.values_mut() {
        wave.sort_by_key(|(key, _)| (rank(&key.kind), key.clone()));
    }
    waves.into_values().collect()
}

/// Which deletion a hook is of.
pub(super) fn identity(app: &ApplicationState, phase: HookType) -> String {
    format!("{}:delete:{phase:?}", app.application.metadata.uid)
}

/// The phase of this deletion that a live object is a hook of, if it is one.
pub(in crate::engine) fn phase_of(app: &ApplicationState, live: &Node) -> Option<HookType> {
    let of = live.operation()?;
    let phases = [HookType::PreDelete, HookType::PostDelete];
    phases.into_iter().find(|phase| of == identity(app, *phase))
}

/// Does the Application stay until the hooks of a phase are cleaned up? Where it does not, nobody would let go of them.
pub(super) fn has_cleanup(app: &ApplicationState, phase: HookType) -> bool {
    let name = format!("{}/cleanup", finalizer_of(phase));
    app.application.metadata.finalizers.contains(&name)
}

fn gate_text(gate: &Gate) -> &str {
    match gate {
        Gate::Waiting(why) | Gate::Refused(why) => why,
        Gate::Open(_) => "",
    }
}

/// Nothing can be said of it before its kind is listed, and what failed before is over.
pub(super) fn await_list(app: &mut ApplicationState, phase: HookType, key: &ResourceKey) {
    app.deletion_errors.remove(key);
    let kind = key.group_kind();
    app.deletion
        .waits
        .push(format!("waiting for the list of {kind}, for {phase:?} hook {key}"));
}
