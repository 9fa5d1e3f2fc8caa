//! Deleting an application: with its finalizer its objects go first, in reverse waves, each by a permit; without it they stay.
//!
//! Definitions of kinds are never deleted with an application: that would delete every object of the kind, whoever's it is.

use std::collections::BTreeMap;

use capstan_model::annotations::DELETION_APPROVED;
use capstan_model::{
    DeleteOption, ObjectMeta, RESOURCES_FINALIZER, RESOURCES_FINALIZER_BACKGROUND, ResourceKey, Timestamp,
};
use serde_json::json;

use super::Engine;
use super::operation::{delete, retry_at};
use super::state::{ApplicationState, Existence, InFlight};
use crate::effect::{EffectKind, Propagation};
use crate::event::{Deletion, WriteError};
use crate::guard::{CompleteLive, DeletePermit, is_reserved};
use crate::journal::Cause;
use crate::limits::MAX_WRITES_IN_FLIGHT;
use crate::machine::write_backoff;

impl Engine {
    pub(super) fn step_deletion(&mut self, now: Timestamp, app: &mut ApplicationState) {
        app.operation = None;
        if !app.application.cascades() || !self.leads || app.is_in_flight(|what| matches!(what, InFlight::Finalizer)) {
            return;
        }
        if app.deletion_retry.is_some_and(|(_, until)| until > now) || !self.may_write(app) {
            return;
        }
        app.deletion_retry = None;
        if let Some(why) = self.paused(app) {
            let id = app.id();
            let itself = ResourceKey::new("argoproj.io", "Application", id.namespace, id.name);
            app.deletion_errors.insert(itself, why);
            return;
        }
        let Some(left) = self.left_of(app) else { return };
        let Some(wave) = left.values().map(|(wave, _)| *wave).max() else {
            return self.remove_finalizer(now, app);
        };
        let is_in_flight = |app: &ApplicationState, key: &ResourceKey| {
            app.is_in_flight(|what| matches!(what, InFlight::Cascade(other) if other == key))
        };
        let propagation = propagation(app);
        app.deletion_errors.retain(|key, _| left.contains_key(key));
        for (key, (of, is_deleting)) in left {
            if of == wave && !is_deleting && self.is_held(app, &key) {
                let why =
                    format!("Delete=confirm: annotate the Application with {DELETION_APPROVED}: <time> to delete it");
                app.deletion_errors.insert(key, why);
                continue;
            }
            if of != wave || is_deleting || is_in_flight(app, &key) || app.writes_in_flight() >= MAX_WRITES_IN_FLIGHT {
                continue;
            }
            let Some(permit) = self.cascade_permit(app, &key) else {
                continue;
            };
            self.note(
                now,
                app,
                Some(&key),
                "deletion",
                "Present",
                "Deleting",
                String::new(),
                Cause::Cluster,
            );
            self.emit(app, delete(app, permit, propagation), InFlight::Cascade(key));
        }
    }

    fn cascade_permit(&self, app: &ApplicationState, key: &ResourceKey) -> Option<Box<DeletePermit>> {
        let live = CompleteLive::of(&self.cluster(app)?.live, [&key.group_kind()]).ok()?;
        let permit = DeletePermit::cascade(live, key, &app.id(), &self.settings.installation_id)?;
        Some(Box::new(permit))
    }

    /// Does it wait for an approval, given since the deletion was asked for?
    fn is_held(&self, app: &ApplicationState, key: &ResourceKey) -> bool {
        let metadata = &app.application.metadata;
        let approved = metadata
            .annotations
            .get(DELETION_APPROVED)
            .and_then(|text| text.parse::<Timestamp>().ok());
        let is_approved = approved
            .zip(metadata.deletion_timestamp)
            .is_some_and(|(at, asked)| at >= asked.truncated());
        let object = self
            .cluster(app)
            .and_then(|cluster| cluster.node(key)?.manifest()?.value().ok())
            .unwrap_or_default();
        let own = ObjectMeta::of(&object).sync_options.delete;
        let option = own.or(app.application.spec.sync_policy.options().delete);
        option == Some(DeleteOption::Confirm) && !is_approved
    }

    /// What is still to go: wave, and whether it is going. `None` while that is not known.
    fn left_of(&self, app: &ApplicationState) -> Option<BTreeMap<ResourceKey, (i64, bool)>> {
        let cluster = self.cluster(app)?;
        let id = app.id();
        let mut left = BTreeMap::new();
        for key in app.inventory.keys().chain(cluster.live.tracked(&id)) {
            let node = match cluster.existence(key) {
                (_, Some(node)) => node,
                (Existence::Missing, None) => continue,
                // Not there, or not seen? As long as that is not known, the application stays.
                _ => return None,
            };
            let is_definition = key.kind == "CustomResourceDefinition" && key.group == "apiextensions.k8s.io";
            let is_kept = is_definition || is_reserved(key, &self.settings.control_namespace);
            if node.tracked_by() != Some(&id) || node.is_owned() || is_kept || app.deletion_left.contains(key) {
                continue;
            }
            let meta = node
                .manifest()
                .and_then(|blob| blob.value().ok())
                .map(|object| ObjectMeta::of(&object))
                .unwrap_or_default();
            let of_application = app.application.spec.sync_policy.options().delete;
            if meta.sync_options.delete.or(of_application) != Some(DeleteOption::Never) {
                left.insert(key.clone(), (meta.wave, node.is_deleting()));
            }
        }
        Some(left)
    }

    fn remove_finalizer(&mut self, now: Timestamp, app: &mut ApplicationState) {
        let metadata = &app.application.metadata;
        let kept: Vec<&String> = metadata
            .finalizers
            .iter()
            .filter(|name| !name.starts_with(RESOURCES_FINALIZER))
            .collect();
        // The version: a finalizer that somebody adds meanwhile must not be lost.
        let patch = json!({"metadata": {"finalizers": kept, "resourceVersion": metadata.resource_version}});
        let uid = metadata.uid.clone();
        self.note(
            now,
            app,
            None,
            "deletion",
            "Deleting",
            "RemovingFinalizer",
            "every object is gone".into(),
            Cause::Cluster,
        );
        self.emit(app, EffectKind::PatchApplication { uid, patch }, InFlight::Finalizer);
    }

    /// The answer to the delete of one object.
    pub(super) fn cascaded(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        key: &ResourceKey,
        result: Result<Deletion, WriteError>,
    ) {
        app.deletion_errors.remove(key);
        match result {
            Ok(Deletion::Gone) | Err(WriteError::NotFound(_)) => {
                let uid = self
                    .cluster(app)
                    .and_then(|cluster| cluster.node(key))
                    .map(capstan_live::Node::uid)
                    .unwrap_or_default();
                let cluster = app.application.spec.destination.cluster();
                self.gone(&cluster, key, &uid);
            }
            Ok(Deletion::Accepted) => {}
            Ok(Deletion::Refused(refusal)) => {
                self.note(
                    now,
                    app,
                    Some(key),
                    "deletion",
                    "Deleting",
                    "Left",
                    refusal.to_string(),
                    Cause::Cluster,
                );
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

    /// The answer to the removal of our finalizer.
    pub(super) fn finalizer_removed(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        result: Result<String, WriteError>,
    ) {
        if let Err(error) = result
            && !matches!(error, WriteError::NotFound(_))
        {
            app.deletion_retry = Some((1, now + write_backoff(1)));
        }
    }
}

/// Foreground, unless the finalizer asks for background.
fn propagation(app: &ApplicationState) -> Propagation {
    let finalizers = &app.application.metadata.finalizers;
    match finalizers.iter().any(|name| name == RESOURCES_FINALIZER_BACKGROUND) {
        true => Propagation::Background,
        false => Propagation::Foreground,
    }
}
