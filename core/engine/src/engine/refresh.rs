//! Finding out what is desired: commits, then objects.
//!
//! A refresh that finds the same commits stops there; one whose objects have the same digest changes the revision and nothing else. A
//! refresh that fails keeps the last good objects.

use std::collections::BTreeSet;

use capstan_model::annotations::DETERMINISM;
use capstan_model::{ApplicationDestination, ApplicationSource, Digest, ResourceKey, Timestamp};
use serde_json::json;

use super::Engine;
use super::cluster::Cluster;
use super::deletion::phases;
use super::namespace::own_namespace;
use super::state::{ApplicationState, Desired, InFlight, Wanted};
use crate::effect::{EffectKind, Freshness, RenderTask};
use crate::event::{ResolvedRevision, SourceFailure};
use crate::machine::Refresh;
use crate::sabotage::{self, Sabotage};
use crate::targets::{TargetContext, Targets};

/// What was rendered: at which commits, from which sources, with which inputs, and for where.
type Rendered = (
    Vec<ResolvedRevision>,
    Vec<ApplicationSource>,
    Digest,
    ApplicationDestination,
);

impl Engine {
    pub(super) fn step_refresh(&mut self, now: Timestamp, app: &mut ApplicationState) {
        if matches!(
            app.refresh,
            Refresh::ResolvingRevision { .. } | Refresh::Rendering { .. }
        ) {
            return;
        }
        let inputs = self.inputs(app);
        if app.attempted != Some(inputs) {
            app.want_refresh(Freshness::Remote, false);
        }
        if let Refresh::Failed { until: Some(until), .. } = &app.refresh
            && *until <= now
        {
            app.want_refresh(Freshness::Remote, false);
        }
        let Some(wanted) = app.wanted.take() else { return };
        app.attempted = Some(inputs);
        app.refreshing = Some(wanted);
        let sources = app.application.spec.sources().to_vec();
        self.emit(
            app,
            EffectKind::ResolveRevision {
                sources,
                freshness: wanted.freshness,
            },
            InFlight::Resolve,
        );
        let failure = app.refresh.failure().map(str::to_owned);
        self.enter_refresh(now, app, Refresh::ResolvingRevision { failure }, String::new());
    }

    /// Of everything but the commits that the objects depend on.
    fn inputs(&self, app: &ApplicationState) -> Digest {
        let spec = &app.application.spec;
        let context = self
            .cluster(app)
            .map_or_else(Digest::default, |cluster| cluster.context);
        let determinism = app.application.annotation(DETERMINISM);
        Digest::of_json(&json!([
            spec.sources(),
            spec.destination,
            context.to_string(),
            determinism
        ]))
    }

    fn enter_refresh(&mut self, now: Timestamp, app: &mut ApplicationState, to: Refresh, message: String) {
        let from = app.refresh.name();
        let same_failure = matches!((app.refresh.failure(), to.failure()), (Some(a), Some(b)) if a == b);
        let is_news = !same_failure && matches!(to, Refresh::Failed { .. } | Refresh::Compared);
        if is_news && !(message.is_empty() && matches!(to, Refresh::Compared)) {
            let cause = self.cause_of_desired(app);
            self.note(now, app, None, "refresh", from, to.name(), message, cause);
        }
        if let Refresh::Compared = to {
            app.failed_refreshes = 0;
        }
        app.refresh = to;
    }

    pub(super) fn resolved(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        result: Result<Vec<ResolvedRevision>, SourceFailure>,
    ) {
        let revisions = match result {
            Ok(revisions) => revisions,
            Err(failure) => return self.refresh_failed(now, app, &failure),
        };
        let sources = app.application.spec.sources().to_vec();
        let inputs = self.inputs(app);
        let bypass_cache = app.refreshing.is_some_and(|wanted: Wanted| wanted.bypass_cache);
        let is_known = app.desired.as_ref().is_some_and(|desired| {
            same_commits(&desired.revisions, &revisions) && desired.sources == sources && desired.context == inputs
        });
        if is_known && !bypass_cache {
            return self.enter_refresh(now, app, Refresh::Compared, String::new());
        }
        if revisions.len() != sources.len() {
            let failure = SourceFailure {
                message: "spec.sources changed while its revisions were being resolved".into(),
                transient: true,
            };
            return self.refresh_failed(now, app, &failure);
        }
        let Some(cluster) = self.cluster(app) else {
            let failure = SourceFailure {
                message: "spec.destination changed while revisions were being resolved".into(),
                transient: true,
            };
            return self.refresh_failed(now, app, &failure);
        };
        let task = self.render_task(app, cluster, &sources, &revisions, bypass_cache);
        self.emit(
            app,
            EffectKind::Render(Box::new(task)),
            InFlight::Render(revisions, sources, inputs, app.application.spec.destination.clone()),
        );
        let failure = app.refresh.failure().map(str::to_owned);
        self.enter_refresh(now, app, Refresh::Rendering { failure }, String::new());
    }

    pub(super) fn render_task(
        &self,
        app: &ApplicationState,
        cluster: &Cluster,
        sources: &[ApplicationSource],
        revisions: &[ResolvedRevision],
        bypass_cache: bool,
    ) -> RenderTask {
        let pinned = revisions.iter().map(|revision| revision.revision.clone());
        RenderTask {
            sources: sources.iter().cloned().zip(pinned).collect(),
            kube_version: cluster
                .discovery
                .as_ref()
                .map_or_else(String::new, |d| d.version.clone()),
            api_versions: cluster
                .discovery
                .as_ref()
                .map_or_else(Vec::new, super::super::event::Discovery::api_versions),
            bypass_cache,
            project: self.gate(app).project().cloned().unwrap_or_default(),
            context: TargetContext {
                application: app.id(),
                project: app.application.spec.project.clone(),
                determinism: app.application.annotation(DETERMINISM).to_owned(),
                control_namespace: self.settings.control_namespace.clone(),
                installation_id: self.settings.installation_id.clone(),
                destination_namespace: app.application.spec.destination.namespace.clone(),
                namespaced: cluster.namespaced.clone(),
            },
        }
    }

    pub(super) fn rendered(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        (revisions, sources, context, destination): Rendered,
        result: Result<Targets, SourceFailure>,
    ) {
        let targets = match result {
            Ok(targets) => targets,
            Err(_) if sabotage::is(Sabotage::EmptiesBrokenRender) => Targets::default(),
            Err(failure) => return self.refresh_failed(now, app, &failure),
        };
        let before = app.desired.as_ref();
        let same_revision = before.is_some_and(|before| same_commits(&before.revisions, &revisions));
        let same_objects = before.is_some_and(|before| before.targets.digest() == targets.digest());
        let old_claims = claims(app);
        app.desired = Some(Desired {
            images: images(&targets),
            deletion_phases: phases(&targets),
            targets,
            revisions,
            sources,
            destination,
            context,
        });
        app.touched.all = true;
        app.telling.forget();
        if !same_revision {
            app.reconciled_at = Some(now);
        }
        if !same_objects {
            let desired = app.desired.as_ref();
            let namespace = own_namespace(app);
            app.compared.retain(|key, _| {
                desired.is_some_and(|desired| desired.resource(key).is_some()) || namespace.as_ref() == Some(key)
            });
            let compared = &app.compared;
            app.incomparable.retain(|key| compared.contains_key(key));
            let id = app.id();
            self.claim(&id, &claims(app), &old_claims);
        }
        let message = match (same_revision, same_objects) {
            (true, true) => String::new(),
            (false, true) => "the commit changes nothing here".to_owned(),
            (_, false) => "the desired objects changed".to_owned(),
        };
        self.enter_refresh(now, app, Refresh::Compared, message);
    }

    fn refresh_failed(&mut self, now: Timestamp, app: &mut ApplicationState, failure: &SourceFailure) {
        let attempts = app.failed_refreshes;
        let (first, cap) = (self.settings.refresh_backoff, self.settings.refresh_backoff_cap);
        app.failed_refreshes = attempts + 1;
        let to = Refresh::failed(attempts, failure, now, first, cap);
        self.enter_refresh(now, app, to, failure.message.clone());
    }
}

/// Keys that the application speaks of, tracked or not.
pub(super) fn claims(app: &ApplicationState) -> BTreeSet<ResourceKey> {
    let Some(desired) = &app.desired else {
        return BTreeSet::new();
    };
    let mut keys: BTreeSet<ResourceKey> = desired
        .targets
        .objects()
        .iter()
        .map(|target| target.key.clone())
        .collect();
    // Whether it is made is asked where it matters: the option may change without a new render.
    let namespace = &app.application.spec.destination.namespace;
    keys.insert(ResourceKey::new("", "Namespace", "", namespace));
    keys
}

/// Equal commits: their authors and subjects follow from that.
pub(super) fn same_commits(a: &[ResolvedRevision], b: &[ResolvedRevision]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.revision == b.revision)
}

/// Images that the objects' pods are to run, each once, in order.
fn images(targets: &Targets) -> Vec<String> {
    let mut images = BTreeSet::new();
    for target in targets.objects() {
        let pod = match target.key.kind.as_str() {
            "Pod" => "/spec",
            "CronJob" => "/spec/jobTemplate/spec/template/spec",
            "DaemonSet" | "Deployment" | "Job" | "ReplicaSet" | "StatefulSet" => "/spec/template/spec",
            _ => continue,
        };
        let Ok(object) = target.object.value() else { continue };
        for list in ["initContainers", "containers"] {
            let containers = object
                .pointer(&format!("{pod}/{list}"))
                .and_then(serde_json::Value::as_array);
            let names = containers
                .into_iter()
                .flatten()
                .filter_map(|container| container.get("image")?.as_str());
            images.extend(names.map(str::to_owned));
        }
    }
    images.into_iter().collect()
}
