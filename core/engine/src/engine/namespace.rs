//! The namespace that is made for an application (`CreateNamespace=true`), and what is kept of it (`managedNamespaceMetadata`).
//!
//! **Problem.** It is nobody's object: no commit declares it, it has no tracking id, and it outlives the application. But its labels decide
//! what may run in it, and an application that says them wants them kept like its objects.
//!
//! **Invariants.**
//! - Labels and annotations that the application does not say are never touched; those that it said once and does not say any more go.
//! - A manifest counts, whoever declares it: this application's or another one's. Then nothing is kept.
//! - It is never pruned, not even where a manifest of it left Git.
//! - Applications that say different things of one namespace do not fight: the first by name keeps it, and the others fail and say so.

use std::borrow::Cow;

use capstan_live::Node;
use capstan_model::{ApplicationId, Blob, ManagedNamespaceMetadata, OperationPhase, ResourceKey};

use super::Engine;
use super::cluster::Cluster;
use super::operation::OperationRun;
use super::state::{ApplicationState, Existence};
use crate::effect::{ApplyMode, ApplyTask, DryRun};
use crate::plan::{SyncTask, TaskAction};
use crate::settings::Guards;
use crate::targets::{MadeNamespace, Target, made_namespace, namespace_object, namespace_target};

/// What the application says of its namespace.
pub(super) fn namespace_metadata(app: &ApplicationState) -> Option<&ManagedNamespaceMetadata> {
    app.application.spec.sync_policy.managed_namespace_metadata.as_ref()
}

/// The namespace that the application makes, by its own options.
pub(super) fn own_namespace(app: &ApplicationState) -> Option<ResourceKey> {
    let spec = &app.application.spec;
    let targets = &app.desired.as_ref()?.targets;
    made_namespace(targets, &spec.destination.namespace, &spec.sync_policy.options())
}

/// The object under `key`, where it is the namespace that the application makes and keeps.
pub(super) fn kept_namespace(
    app: &ApplicationState,
    cluster: &Cluster,
    key: &ResourceKey,
    guards: Guards,
) -> Option<Target> {
    // Asked of every object: what is cheap comes first.
    let is_destination = key.kind == "Namespace" && key.name == app.application.spec.destination.namespace;
    if !is_destination || own_namespace(app).as_ref() != Some(key) {
        return None;
    }
    kept(app, cluster, key, guards, app.kept_metadata().is_some())
}

fn kept(
    app: &ApplicationState,
    cluster: &Cluster,
    key: &ResourceKey,
    guards: Guards,
    was_kept: bool,
) -> Option<Target> {
    let (existence, node) = cluster.existence(key);
    let made = MadeNamespace {
        metadata: namespace_metadata(app),
        was_kept,
        is_gone: existence == Existence::Missing && !app.history.is_empty(),
        // Else its document is not kept.
        is_applied: node.is_some_and(|node| node.manifest().is_some()),
        guards,
        owner: node.and_then(Node::tracked_by),
    };
    made.is_kept_by(&app.id())
        .then(|| namespace_target(key, Some(made.wanted())))
}

/// The write that makes it, or keeps it.
pub(super) fn namespace_write(app: &ApplicationState, task: &SyncTask) -> ApplyTask {
    ApplyTask {
        cluster: app.application.spec.destination.cluster(),
        key: task.key.clone(),
        gvk: task.gvk.clone(),
        object: Blob::new(&namespace_object(&task.key.name, namespace_metadata(app))),
        mode: ApplyMode::ServerSide { force: true },
        dry_run: DryRun::No,
        validate: true,
        recreate: false,
    }
}

impl Engine {
    /// What is wanted under `key`: the declared object, or the namespace that is kept.
    pub(super) fn wanted<'a>(&self, app: &'a ApplicationState, key: &ResourceKey) -> Option<Cow<'a, Target>> {
        let declared = app.desired.as_ref().and_then(|desired| desired.resource(key));
        declared
            .map(Cow::Borrowed)
            .or_else(|| kept_namespace(app, self.cluster(app)?, key, self.settings.guards).map(Cow::Owned))
    }

    /// What an operation keeps of the namespace that it makes; `None` where it is enough that it is there.
    pub(super) fn kept_in(
        &self,
        app: &ApplicationState,
        operation: &OperationRun,
        key: &ResourceKey,
    ) -> Option<Target> {
        let is_silent = namespace_metadata(app).is_none();
        if is_silent && self.other_keeper(app, key).is_some() {
            return None;
        }
        kept(
            app,
            self.cluster(app)?,
            key,
            self.settings.guards,
            operation.namespace.is_some(),
        )
    }

    /// Another application that says something else of the namespace that this one makes, and comes first.
    pub(super) fn other_keeper(&self, app: &ApplicationState, key: &ResourceKey) -> Option<&ApplicationId> {
        let wanted = namespace_metadata(app);
        let (id, cluster) = (app.id(), app.application.spec.destination.cluster());
        let says_otherwise = |other: &&ApplicationId| {
            let Some(other) = self.applications.get(*other) else {
                return false;
            };
            let said = namespace_metadata(other);
            let is_same_place = other.application.spec.destination.cluster() == cluster;
            is_same_place && said.is_some() && said != wanted && own_namespace(other).as_ref() == Some(key)
        };
        let claimants = self.claims.get(key).into_iter().flatten();
        // Who says nothing leaves it to whoever says something.
        let mut before = claimants.filter(|other| **other != id && (wanted.is_none() || **other < id));
        before.find(says_otherwise)
    }

    /// Why the namespace must be left to another application.
    pub(super) fn other_namespace_keeper(&self, app: &ApplicationState, key: &ResourceKey) -> Option<String> {
        let is_silent = key.kind != "Namespace" || namespace_metadata(app).is_none();
        if is_silent || own_namespace(app).as_ref() != Some(key) {
            return None;
        }
        let other = self.other_keeper(app, key)?;
        Some(format!(
            "application {other} keeps other labels and annotations of it: say the same in managedNamespaceMetadata of both, or keep \
             them in one of the two"
        ))
    }

    /// An operation is over: what it kept of its namespace is remembered with it, so that what it does not say any more is found.
    pub(super) fn remember_namespace(
        &mut self,
        app: &mut ApplicationState,
        operation: &mut OperationRun,
        phase: OperationPhase,
    ) {
        let made = operation
            .plan
            .tasks()
            .find(|(_, task)| task.action == TaskAction::CreateNamespace);
        let is_done = match (made, &operation.parity) {
            (Some((node, _)), _) => operation.tasks.get(&node).is_some_and(|run| run.state.is_applied()),
            (None, parity) => parity.is_some() && phase == OperationPhase::Succeeded,
        };
        let kept = namespace_metadata(app).filter(|_| is_done);
        if is_done && operation.namespace.as_ref() != kept {
            operation.namespace = kept.cloned();
            app.touched.keys.extend(own_namespace(app));
            self.dirty.insert(app.id());
        }
    }
}
