//! Taking in what happened.

use std::collections::BTreeSet;

use capstan_live::Change;
use capstan_model::annotations::REFRESH;
use capstan_model::{
    AppProject, Application, ApplicationId, ClusterId, GroupKind, ResourceKey, Timestamp, odd_in_project,
    repository_url,
};
use serde_json::{Value, json};

use super::Engine;
use super::cluster::Cluster;
use super::refresh::claims;
use super::state::{ApplicationState, InFlight};
use crate::effect::{EffectKind, Freshness};
use crate::event::Event;
use crate::health::assess_with;
use crate::journal::Cause;
use crate::policy::dependencies;

impl Engine {
    pub(super) fn take_in(&mut self, now: Timestamp, event: Event) {
        match event {
            Event::ApplicationObserved(application) => self.application_observed(now, *application),
            Event::ApplicationInvalid { application, error } => {
                self.application_invalid(now, *application, error.to_string());
            }
            Event::ApplicationGone(id) => self.application_gone(now, &id),
            Event::ApplicationsListed => {
                self.applications_listed = true;
                self.dirty.extend(self.dependents.values().flatten().cloned());
            }
            Event::ProjectObserved(project) => self.project_observed(*project),
            Event::ProjectGone(name) => {
                self.projects.remove(&name);
                self.odd_projects.remove(&name);
                self.mark_project(&name);
            }
            Event::ProjectsListed => {
                self.projects_listed = true;
                self.touch_all(|_| true);
            }
            Event::SourceChanged { repo_url } => self.source_changed(&repo_url),
            Event::RefreshRequested { id, hard } => self.wish(&id, |app| {
                app.want_refresh(Freshness::Remote, hard);
                app.look_again();
            }),
            Event::DeletesPaused(pause) => {
                self.pause = pause;
                self.touch_all(|_| true);
            }
            Event::Kept { id, key, keeping } => self.note_keeping(now, &id, &key, &keeping),
            Event::SyncRequested { id, operation } => self.wish(&id, |app| {
                (app.requested, app.requested_by_field) = (Some(*operation), false);
            }),
            Event::TerminateRequested { id, by } => self.wish(&id, |app| app.terminate_by = Some(by)),
            Event::LeadershipChanged { leads, fence } => self.leadership_changed(leads, fence),
            Event::Completed(id, outcome) => self.completed(now, &id, outcome),
            event => self.cluster_event(event),
        }
    }

    fn cluster_event(&mut self, event: Event) {
        let rules = self.health.clone();
        match event {
            Event::ClusterConnected(id, discovery) => {
                let cluster = self.cluster_mut(&id);
                let was_lost = cluster.lost.is_some();
                cluster.connect(discovery);
                self.kinds_changed = true;
                if was_lost {
                    self.list_anew(&id);
                }
                self.mark_cluster(&id);
            }
            Event::ClusterLost(id, reason) => {
                let cluster = self.cluster_mut(&id);
                cluster.lost = Some(reason);
                cluster.live.mark_all_stale();
                self.mark_cluster(&id);
            }
            Event::Relisted {
                cluster: id,
                kind,
                objects,
            } => self.relisted(&id, &kind, objects),
            Event::LiveObserved(id, _) | Event::LiveGone { cluster: id, .. } if self.cluster_mut(&id).is_stranger => {}
            Event::LiveObserved(id, object) => {
                let live = &mut self.cluster_mut(&id).live;
                let change = live.apply(&object, &|object| assess_with(&*rules, object));
                self.mark_change(&change, true);
            }
            Event::LiveGone { cluster, key, uid } => {
                let change = self.cluster_mut(&cluster).live.remove(&key, &uid);
                self.mark_change(&change, true);
            }
            Event::KindUnavailable {
                cluster: id,
                kind,
                reason,
            } => {
                let cluster = self.cluster_mut(&id);
                cluster.live.mark_stale(&kind);
                cluster.unavailable.insert(kind.clone(), reason);
                self.mark_kind(&id, &kind);
            }
            _ => {}
        }
    }

    fn relisted(&mut self, id: &ClusterId, kind: &GroupKind, objects: Vec<Value>) {
        let rules = self.health.clone();
        let cluster = self.cluster_mut(id);
        if cluster.is_stranger {
            return;
        }
        let was_complete = cluster.live.is_complete(kind);
        cluster.unavailable.remove(kind);
        let changes = cluster
            .live
            .relist(kind, objects, &|object| assess_with(&*rules, object));
        // It was on its way when its watch ended: nothing tells what happens after it.
        if !cluster.watched.contains(kind) {
            cluster.live.mark_stale(kind);
        }
        for change in &changes {
            self.mark_change(change, true);
        }
        if !was_complete {
            self.mark_kind(id, kind);
        }
    }

    /// One object as a cluster now has it, as the answer to a request.
    pub(super) fn observed(&mut self, id: &ClusterId, object: &Value) {
        let rules = self.health.clone();
        let live = &mut self.cluster_mut(id).live;
        let change = live.apply(object, &|object| assess_with(&*rules, object));
        self.mark_change(&change, false);
    }

    /// One object that a cluster no longer has.
    pub(super) fn gone(&mut self, id: &ClusterId, key: &ResourceKey, uid: &str) {
        let change = self.cluster_mut(id).live.remove(key, uid);
        self.mark_change(&change, false);
    }

    fn cluster_mut(&mut self, id: &ClusterId) -> &mut Cluster {
        let control_namespace = &self.settings.control_namespace;
        self.clusters
            .entry(id.clone())
            .or_insert_with(|| Cluster::new(control_namespace))
    }

    /// `is_watched`: it was seen, and not brought about by ourselves.
    fn mark_change(&mut self, change: &Change, is_watched: bool) {
        if !change.is_change() {
            return;
        }
        let keys: Vec<&ResourceKey> = std::iter::once(&change.key).chain(&change.owners).collect();
        let claimants = keys.iter().filter_map(|key| self.claims.get(*key)).flatten();
        let concerned: BTreeSet<&ApplicationId> = change.applications.iter().chain(claimants).collect();
        for id in concerned {
            if let Some(app) = self.applications.get_mut(id) {
                app.live_changed |= is_watched;
            }
            let touched = self.touched.entry(id.clone()).or_default();
            touched.extend(keys.iter().copied().cloned());
            self.dirty.insert(id.clone());
        }
    }

    /// Something changed that any object of these applications may rest on.
    pub(super) fn touch_all(&mut self, is_concerned: impl Fn(&ApplicationState) -> bool) {
        for (id, app) in &mut self.applications {
            if is_concerned(app) {
                app.touched.all = true;
                self.dirty.insert(id.clone());
            }
        }
    }

    fn mark_cluster(&mut self, id: &ClusterId) {
        self.touch_all(|app| app.application.spec.destination.cluster() == *id);
    }

    /// What it means that an object of this kind is not known changed.
    fn mark_kind(&mut self, cluster: &ClusterId, kind: &GroupKind) {
        for (id, app) in &mut self.applications {
            if app.application.spec.destination.cluster() == *cluster {
                app.touched.kinds.insert(kind.clone());
                self.dirty.insert(id.clone());
            }
        }
    }

    fn project_observed(&mut self, project: AppProject) {
        let name = project.metadata.name.clone();
        self.odd_projects.insert(name.clone(), odd_in_project(&project));
        self.projects.insert(name.clone(), project);
        self.mark_project(&name);
    }

    fn mark_project(&mut self, name: &str) {
        self.touch_all(|app| app.application.spec.project() == name);
    }

    fn wish(&mut self, id: &ApplicationId, change: impl FnOnce(&mut ApplicationState)) {
        if let Some(app) = self.applications.get_mut(id) {
            change(app);
            self.dirty.insert(id.clone());
        }
    }

    fn source_changed(&mut self, repo_url: &str) {
        let wanted = repository_url(repo_url);
        for (id, app) in &mut self.applications {
            let sources = app.application.spec.sources();
            if sources.iter().any(|source| repository_url(&source.repo_url) == wanted) {
                app.want_refresh(Freshness::Remote, false);
                self.dirty.insert(id.clone());
            }
        }
    }

    fn application_observed(&mut self, now: Timestamp, application: Application) {
        let id = application.id();
        let is_other = |app: &ApplicationState| app.application.metadata.uid != application.metadata.uid;
        if self.applications.get(&id).is_some_and(is_other) {
            self.application_gone(now, &id);
        }
        let named = dependencies(&application).unwrap_or_default();
        let before = self.applications.get(&id);
        let before = before
            .and_then(|app| dependencies(&app.application).ok())
            .unwrap_or_default();
        self.index_dependencies(&id, &before, &named);
        let mut left = BTreeSet::new();
        match self.applications.get_mut(&id) {
            Some(app) => {
                let (is_behind, told) = (app.is_behind(&application.status), app.releases.told());
                if app.application.spec.destination.cluster() != application.spec.destination.cluster() {
                    left = claims(app);
                    self.kinds_changed = true;
                }
                app.observe(application);
                if !self.leads {
                    app.follow_leader();
                } else if is_behind {
                    self.catch_up(now, &id, told);
                }
            }
            None => {
                let app = ApplicationState::restore(application);
                self.journal_restored(now, &app);
                self.applications.insert(id.clone(), app);
                self.kinds_changed = true;
            }
        }
        self.claim(&id, &BTreeSet::new(), &left);
        self.take_refresh_annotation(&id);
        self.dirty.insert(id);
    }

    /// The spec that it had last still says where its objects are.
    fn application_invalid(&mut self, now: Timestamp, mut application: Application, error: String) {
        let id = application.id();
        let known = self.applications.get(&id).map(|app| &app.application);
        if let Some(known) = known.filter(|known| known.metadata.uid == application.metadata.uid) {
            application.spec = known.spec.clone();
        }
        self.application_observed(now, application);
        if let Some(app) = self.applications.get_mut(&id) {
            app.invalid = Some(error);
        }
    }

    /// `argocd.argoproj.io/refresh` is a wish: done, and taken off.
    fn take_refresh_annotation(&mut self, id: &ApplicationId) {
        let Some(mut app) = self.applications.remove(id) else {
            return;
        };
        let wish = app.application.metadata.annotations.get(REFRESH).cloned();
        if let Some(wish) = wish
            && self.leads
            && !app.is_in_flight(|what| matches!(what, InFlight::RefreshAnnotation))
        {
            app.want_refresh(Freshness::Remote, wish == "hard");
            app.look_again();
            let patch = json!({"metadata": {"annotations": {REFRESH: null}}});
            let uid = app.application.metadata.uid.clone();
            self.emit(
                &mut app,
                EffectKind::PatchApplication { uid, patch },
                InFlight::RefreshAnnotation,
            );
        }
        self.applications.insert(id.clone(), app);
    }

    fn application_gone(&mut self, now: Timestamp, id: &ApplicationId) {
        let Some(app) = self.applications.remove(id) else {
            return;
        };
        if let Some(deadline) = app.deadline {
            self.deadlines.remove(&(deadline, id.clone()));
        }
        let named = dependencies(&app.application).unwrap_or_default();
        self.index_dependencies(id, &named, &BTreeSet::new());
        self.dirty
            .extend(self.dependents.get(id).into_iter().flatten().cloned());
        // What it waited for may be deleted, too, and wait for its end.
        self.dirty.extend(named);
        self.claims.retain(|_, claimants| {
            claimants.remove(id);
            !claimants.is_empty()
        });
        self.dirty.remove(id);
        self.changed.insert(id.clone());
        self.kinds_changed = true;
        self.note(
            now,
            &app,
            None,
            "application",
            "Active",
            "Gone",
            "the Application is gone".into(),
            Cause::Cluster,
        );
    }

    /// Replaces what an application claims.
    pub(super) fn claim(&mut self, id: &ApplicationId, keys: &BTreeSet<ResourceKey>, before: &BTreeSet<ResourceKey>) {
        for key in before.difference(keys) {
            if let Some(claimants) = self.claims.get_mut(key) {
                claimants.remove(id);
                if claimants.is_empty() {
                    self.claims.remove(key);
                }
            }
        }
        for key in keys.difference(before) {
            self.claims.entry(key.clone()).or_default().insert(id.clone());
        }
    }
}
