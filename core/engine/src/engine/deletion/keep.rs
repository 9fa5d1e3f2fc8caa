//! Keeping the hooks of a deletion, and the finalizers by which it waits for them, in line with what is synced.

use std::collections::BTreeSet;

use capstan_model::annotations::DELETION_HOOKS;
use capstan_model::{HookType, POST_DELETE_FINALIZER, PRE_DELETE_FINALIZER, Timestamp, is_hook_finalizer};
use serde_json::json;

use super::super::Engine;
use super::super::operation::last_attempt;
use super::super::state::{ApplicationState, InFlight};
use super::stored::{keep, of_targets, phases};
use crate::effect::EffectKind;
use crate::event::WriteError;
use crate::machine::write_backoff;
use crate::policy::LastAttempt;
use crate::targets::Targets;

impl Engine {
    /// Once a sync to what is desired runs, or has ended: its hooks are those of the deletion from now on.
    pub(in crate::engine) fn step_keep_hooks(&mut self, now: Timestamp, app: &mut ApplicationState) {
        let metadata = &app.application.metadata;
        let is_ours = |name: &String| is_hook_finalizer(name);
        let has_any = metadata.finalizers.iter().any(is_ours) || metadata.annotations.contains_key(DELETION_HOOKS);
        let Some((targets, phases)) = synced(app) else { return };
        let has_hooks = !phases.is_empty();
        if !has_any && !has_hooks || !self.leads || app.is_in_flight(|what| matches!(what, InFlight::KeptHooks)) {
            return;
        }
        // A version that is not the newest would only be refused: wait for the newest, it is on its way.
        let is_newest = metadata.resource_version == app.said_version.newest();
        let is_writing = app.is_in_flight(|what| matches!(what, InFlight::Status(_)));
        let is_due = app.deletion_retry.is_none_or(|(_, until)| until <= now);
        if !is_newest || is_writing || !is_due {
            return;
        }
        let text = if has_hooks { keep(&of_targets(&targets)) } else { None };
        let mut finalizers: Vec<String> = metadata
            .finalizers
            .iter()
            .filter(|name| !is_ours(name))
            .cloned()
            .collect();
        finalizers.extend(wanted(&phases));
        let as_set = |names: &[String]| names.iter().cloned().collect::<BTreeSet<_>>();
        let same_finalizers = as_set(&finalizers) == as_set(&metadata.finalizers);
        if same_finalizers && text.as_ref() == metadata.annotations.get(DELETION_HOOKS) {
            return;
        }
        let patch = json!({"metadata": {
            "finalizers": finalizers,
            "annotations": {DELETION_HOOKS: text},
            "resourceVersion": metadata.resource_version,
        }});
        let uid = metadata.uid.clone();
        app.deletion_retry = None;
        self.emit(app, EffectKind::PatchApplication { uid, patch }, InFlight::KeptHooks);
    }

    /// The answer.
    pub(in crate::engine) fn hooks_kept(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        result: Result<String, WriteError>,
    ) {
        match result {
            Ok(version) => {
                app.said_version.wrote(version, false);
            }
            // Another version of it, or its end, is about to be observed.
            Err(WriteError::Conflict(_) | WriteError::NotFound(_)) => {}
            Err(_) => app.deletion_retry = Some((1, now + write_backoff(5))),
        }
    }
}

/// What was synced last, or is being synced, and for which phases of a deletion it has hooks.
fn synced(app: &ApplicationState) -> Option<(Targets, BTreeSet<HookType>)> {
    let running = app.operation.as_ref();
    if let Some(targets) = running
        .filter(|running| !running.is_dry_run() && !running.is_selective())
        .and_then(|running| running.targets.as_ref())
    {
        let same = app
            .desired
            .as_ref()
            .filter(|desired| desired.targets.digest() == targets.digest());
        let phases = same.map_or_else(|| phases(targets), |desired| desired.deletion_phases.clone());
        return Some((targets.clone(), phases));
    }
    let desired = app
        .desired
        .as_ref()
        .filter(|_| running.is_none() && last_attempt(app) != LastAttempt::Other)?;
    Some((desired.targets.clone(), desired.deletion_phases.clone()))
}

/// The finalizers for hooks of these phases; each has a second one, which stands until the hooks are cleaned up.
fn wanted(phases: &BTreeSet<HookType>) -> Vec<String> {
    let named = [
        (HookType::PreDelete, PRE_DELETE_FINALIZER),
        (HookType::PostDelete, POST_DELETE_FINALIZER),
    ];
    let of_phase = named.into_iter().filter(|(phase, _)| phases.contains(phase));
    of_phase
        .flat_map(|(_, name)| [name.to_owned(), format!("{name}/cleanup")])
        .collect()
}
