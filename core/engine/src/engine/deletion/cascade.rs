//! The objects of a deletion: in reverse waves, each by a permit.

use std::collections::BTreeMap;

use capstan_model::{
    DeleteOption, HookType, ObjectMeta, RESOURCES_FINALIZER, RESOURCES_FINALIZER_BACKGROUND, ResourceKey, Timestamp,
};
use serde_json::Value;

use super::super::Engine;
use super::super::grounds::{approval, delete, word};
use super::super::operation::{hook_propagation, retry_at};
use super::super::state::{ApplicationState, Existence, InFlight};
use super::hooks::phase_of;
use crate::effect::Propagation;
use crate::event::{Deletion, KindLookup, WriteError};
use crate::guard::{Approval, CompleteLive, DeletePermit, DeleteReason, DeleteRefusal, is_looked_into, is_reserved};
use crate::journal::Cause;
use crate::limits::{MAX_WRITES_IN_FLIGHT, NAMED_IN_MESSAGE};
use crate::machine::write_backoff;
use crate::sabotage::{self, Sabotage};

/// How what is said of an object that waits for its approval begins.
pub(super) const CONFIRM: &str = "Delete=confirm: ";

pub(super) fn confirm_text(approval: &Approval, asked: Timestamp) -> String {
    format!(
        "{CONFIRM}{} to delete it; until then nothing of it is deleted",
        approval.how(asked)
    )
}

/// An object that is still to go.
pub(super) struct Left {
    wave: i64,
    pub(super) uid: String,
    pub(super) is_deleting: bool,
    /// What somebody reads who asks why it is not gone: since when, and who holds it.
    going: String,
}

/// Why an object of a hook is not deleted.
pub(super) enum NotDeleted {
    /// It is not this application's, or that is not known.
    NotOurs,
    /// It may not be deleted, or as whom is not known.
    Withheld(String),
}

impl Left {
    /// The highest wave first, and in a wave what holds others after what it holds.
    fn turn(&self, key: &ResourceKey) -> (i64, bool) {
        (self.wave, !is_looked_into(key, false))
    }
}

impl Engine {
    /// Goes on deleting the objects. Gives whether all of them are gone.
    pub(super) fn cascade(&mut self, now: Timestamp, app: &mut ApplicationState) -> bool {
        let left = match self.left_of(app) {
            Ok(left) => left,
            Err(why) => {
                app.deletion.waits.push(why);
                return false;
            }
        };
        app.deletion_errors.retain(|key, _| left.contains_key(key));
        let held = self.held_of(now, app, &left);
        // What is held does not hold up what comes after it.
        let turn = left
            .iter()
            .filter(|(key, _)| !held.contains(*key))
            .map(|(key, of)| of.turn(key))
            .max();
        let Some(turn) = turn else { return left.is_empty() };
        let mut going = Vec::new();
        for (key, of) in left
            .iter()
            .filter(|(key, of)| of.turn(key) == turn && !held.contains(*key))
        {
            if of.is_deleting {
                going.push(format!("{key} to be gone{}", of.going));
                continue;
            }
            self.cascade_one(now, app, key);
        }
        if let Some(first) = going.first() {
            let more = match going.len().saturating_sub(NAMED_IN_MESSAGE) {
                0 => String::new(),
                more => format!(", and for {more} more"),
            };
            app.deletion.waits.push(format!("waiting for {first}{more}"));
        }
        false
    }

    /// Asks for the delete of one object, unless it was asked for.
    pub(super) fn cascade_one(&mut self, now: Timestamp, app: &mut ApplicationState, key: &ResourceKey) {
        let is_asked = app.is_in_flight(|what| matches!(what, InFlight::Cascade(other) if other == key));
        if is_asked || app.writes_in_flight() >= MAX_WRITES_IN_FLIGHT {
            return;
        }
        let by = match self.authorize_deletion(app, key) {
            Ok(by) => by,
            Err(why) => return app.deletion.waits.push(why),
        };
        let Some(permit) = self.cascade_permit(app, key) else {
            let wait = self.not_listed(app, key);
            return app.deletion.waits.push(wait);
        };
        let (to, why) = ("Deleting", permit.grounds().to_string());
        self.note(now, app, Some(key), "deletion", "Present", to, why, Cause::Cluster);
        let effect = delete(app, permit, propagation(app));
        self.emit_as(app, by, effect, InFlight::Cascade(key.clone()));
    }

    /// Deletes an object of a hook; or says why it may not be.
    pub(super) fn delete_hook(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        phase: HookType,
        key: &ResourceKey,
        uid: &str,
        why: &str,
    ) -> Result<(), NotDeleted> {
        let by = self.authorize_deletion(app, key).map_err(NotDeleted::Withheld)?;
        let grounds = Self::deletion_grounds(app, DeleteReason::Hook, why.to_owned());
        let message = grounds.to_string();
        let permit = self
            .identity_permit(app, key, uid, grounds)
            .ok_or(NotDeleted::NotOurs)?;
        self.note_hook(now, app, key, "", "Deleting", message);
        let what = InFlight::DeletionHook(phase, key.clone());
        let propagation = hook_propagation(&app.application.spec.sync_policy.options());
        self.emit_as(app, by, delete(app, permit, propagation), what);
        Ok(())
    }

    /// A deletion goes by what was seen: as long as a kind is not, it waits.
    fn not_listed(&self, app: &ApplicationState, key: &ResourceKey) -> String {
        let kind = key.group_kind();
        let unavailable = self.cluster(app).and_then(|cluster| cluster.unavailable.get(&kind));
        let why = unavailable.map(|why| format!(": {why}")).unwrap_or_default();
        format!("waiting for the list of {kind}, to know whether {key} is gone{why}")
    }

    fn cascade_permit(&self, app: &ApplicationState, key: &ResourceKey) -> Option<Box<DeletePermit>> {
        let live = CompleteLive::of(&self.cluster(app)?.live, [&key.group_kind()]).ok()?;
        let is_approved = app.guarding.is_approved(key);
        let mut decision = decision(app);
        if self.needs_approval(app, key) {
            decision.push_str(&format!("; Delete=confirm{}", word(app)));
        }
        if is_approved {
            decision.push_str(&format!("; {}", approval(app, key)));
        }
        let grounds = Self::deletion_grounds(app, DeleteReason::Cascade, decision);
        let permit = DeletePermit::cascade(live, key, grounds, &self.settings.installation_id)?;
        let permit = permit.with_approval(is_approved_by_person(app) || self.is_run_of_deletion(app, key));
        Some(Box::new(match is_looked_into(key, false) && !is_approved {
            true => permit.with_contents(self.goes_along(app)),
            false => permit,
        }))
    }

    /// Does it wait for an approval, given since the deletion was asked for? What the deletion itself runs does not: it would wait for its own hooks.
    pub(super) fn awaits_approval(&self, app: &ApplicationState, key: &ResourceKey) -> bool {
        self.needs_approval(app, key) && !is_approved_by_person(app) && !self.is_run_of_deletion(app, key)
    }

    fn is_run_of_deletion(&self, app: &ApplicationState, key: &ResourceKey) -> bool {
        let node = self.cluster(app).and_then(|cluster| cluster.node(key));
        node.is_some_and(|node| phase_of(app, node).is_some())
    }

    fn needs_approval(&self, app: &ApplicationState, key: &ResourceKey) -> bool {
        let object = self
            .cluster(app)
            .and_then(|cluster| cluster.node(key)?.manifest()?.value().ok())
            .unwrap_or_default();
        let own = ObjectMeta::of(&object).sync_options.delete;
        own.or(app.application.spec.sync_policy.options().delete) == Some(DeleteOption::Confirm)
    }

    /// What is still to go; or why that is not known.
    pub(super) fn left_of(&self, app: &ApplicationState) -> Result<BTreeMap<ResourceKey, Left>, String> {
        let destination = app.application.spec.destination.cluster();
        let cluster = self
            .cluster(app)
            .ok_or_else(|| format!("waiting for cluster {destination}"))?;
        let id = app.id();
        let of_application = app.application.spec.sync_policy.options().delete;
        let mut left = BTreeMap::new();
        for key in app.inventory.keys().chain(cluster.live.tracked(&id)) {
            let node = match cluster.existence(key) {
                // With its definition everything of a kind is gone, and nobody follows it any more who would tell.
                (_, Some(_)) if matches!(cluster.kind(&key.group_kind()), KindLookup::NotServed) => continue,
                (_, Some(node)) => node,
                (Existence::Missing, None) => continue,
                // Not there, or not seen? As long as that is not known, the application stays.
                _ => return Err(self.not_listed(app, key)),
            };
            let is_definition = key.kind == "CustomResourceDefinition" && key.group == "apiextensions.k8s.io";
            let is_definition = is_definition && !sabotage::is(Sabotage::CascadesDefinitions);
            let is_kept = is_definition || is_reserved(key, &self.settings.control_namespace);
            // What another installation made, and deletes, is its own to wait for.
            let is_theirs = node.is_deleting() && !self.is_of_installation(node);
            let is_left = is_kept || is_theirs || app.deletion_left.contains(key);
            if node.tracked_by() != Some(&id) || node.is_owned() || is_left {
                continue;
            }
            let object = node.manifest().and_then(|blob| blob.value().ok()).unwrap_or_default();
            let meta = ObjectMeta::of(&object);
            let stays = meta.sync_options.delete.or(of_application) == Some(DeleteOption::Never);
            if !stays || sabotage::is(Sabotage::DeletesKept) {
                let entry = Left {
                    wave: meta.wave,
                    uid: node.uid(),
                    is_deleting: node.is_deleting() || app.deletion.going.get(key) == Some(&node.uid()),
                    going: going(&object),
                };
                left.insert(key.clone(), entry);
            }
        }
        Ok(left)
    }

    /// The answer to the delete of one object.
    pub(in crate::engine) fn cascaded(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        key: &ResourceKey,
        result: Result<Deletion, WriteError>,
    ) {
        app.deletion_errors.remove(key);
        match result {
            Ok(Deletion::Gone) | Err(WriteError::NotFound(_)) => {
                let node = self.cluster(app).and_then(|cluster| cluster.node(key));
                let uid = node.map(capstan_live::Node::uid).unwrap_or_default();
                let cluster = app.application.spec.destination.cluster();
                self.gone(&cluster, key, &uid);
            }
            // It may be seen going only later: it is not asked for again.
            Ok(Deletion::Accepted) => {
                if let Some(uid) = self
                    .cluster(app)
                    .and_then(|cluster| cluster.node(key))
                    .map(capstan_live::Node::uid)
                {
                    app.deletion.going.insert(key.clone(), uid);
                }
            }
            // It has come to say so: it waits for a person, as soon as that is seen.
            Ok(Deletion::Refused(refusal @ DeleteRefusal::Unapproved { .. })) => {
                app.deletion_retry = Some((1, now + write_backoff(1)));
                app.deletion_errors.insert(key.clone(), refusal.to_string());
            }
            Ok(Deletion::Refused(refusal)) => {
                if let Some(rule) = refusal.rule() {
                    return self.hold_in_deletion(now, app, key, (rule, &refusal));
                }
                let (why, cause) = (refusal.to_string(), Cause::Cluster);
                self.note(now, app, Some(key), "deletion", "Deleting", "Left", why, cause);
                app.deletion_left.insert(key.clone());
            }
            Err(error) => {
                let attempts = app.deletion_retry.map_or(0, |(attempts, _)| attempts) + 1;
                let (attempts, until) = retry_at(now, attempts, &error).unwrap_or((attempts, now + write_backoff(10)));
                app.deletion_retry = Some((attempts, until));
                app.deletion_errors.insert(key.clone(), error.to_string());
            }
        }
    }
}

/// Has a person approved what is deleted, since the deletion was asked for?
fn is_approved_by_person(app: &ApplicationState) -> bool {
    let asked = app.application.metadata.deletion_timestamp;
    asked.is_some_and(|asked| app.guarding.approval.is_since(asked))
}

/// Since when an object is being deleted, and whose finalizers hold it.
fn going(object: &Value) -> String {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let since = text("/metadata/deletionTimestamp").map(|since| format!(", since {since}"));
    let finalizers = object.pointer("/metadata/finalizers").and_then(Value::as_array);
    let names: Vec<&str> = finalizers.into_iter().flatten().filter_map(Value::as_str).collect();
    let held = match names[..] {
        [] => String::new(),
        _ => format!(", held by finalizer {}", names.join(", ")),
    };
    format!("{}{held}", since.unwrap_or_default())
}

/// By whose word an object goes with its application.
fn decision(app: &ApplicationState) -> String {
    let metadata = &app.application.metadata;
    let mut finalizers = metadata.finalizers.iter();
    let finalizer = finalizers.find(|name| *name == RESOURCES_FINALIZER || *name == RESOURCES_FINALIZER_BACKGROUND);
    format!(
        "asked for by finalizer {}",
        finalizer.map_or(RESOURCES_FINALIZER, String::as_str)
    )
}

/// Foreground, unless the finalizer asks for background.
fn propagation(app: &ApplicationState) -> Propagation {
    let finalizers = &app.application.metadata.finalizers;
    match finalizers.iter().any(|name| name == RESOURCES_FINALIZER_BACKGROUND) {
        true => Propagation::Background,
        false => Propagation::Foreground,
    }
}
