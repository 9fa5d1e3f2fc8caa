//! What the engine wants done. One API write per effect.

use std::collections::BTreeSet;
use std::fmt;

use capstan_model::annotations::HOOK_FINALIZER;
use capstan_model::{
    AppProject, ApplicationId, ApplicationSource, Blob, ClusterId, GroupKind, GroupVersionKind, Identity, ResourceKey,
    SyncPhase,
};
use serde_json::Value;

use crate::compare::CompareTask;
use crate::guard::DeletePermit;
use crate::targets::TargetContext;
use crate::writing::FormerFields;

/// Names one effect. A new operation, a restart or lost leadership begins a new epoch; what completes late is recognised by it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EffectId {
    /// For which application.
    pub application: ApplicationId,
    /// Of which epoch of it.
    pub epoch: u64,
    /// Number within the engine's life, growing.
    pub sequence: u64,
}

impl fmt::Display for EffectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}.{}", self.application, self.epoch, self.sequence)
    }
}

/// Something to be done.
#[derive(Clone, Debug)]
pub struct Effect {
    /// Comes back in `Event::Completed`.
    pub id: EffectId,
    /// As whom, of what changes something in a destination ([`EffectKind::is_deployment`]): without one it must not be done. `None` of
    /// everything else, which is the controller's own.
    pub identity: Option<Identity>,
    /// What.
    pub kind: EffectKind,
}

impl EffectKind {
    /// Does it change something in the cluster that an application goes to, or ask whether that could be changed?
    pub fn is_deployment(&self) -> bool {
        matches!(
            self,
            Self::Apply(_) | Self::Delete { .. } | Self::RemoveFinalizer { .. } | Self::MigrateFields { .. }
        )
    }

    /// The cluster that it goes to; `None` of what goes to none.
    pub fn cluster(&self) -> Option<&ClusterId> {
        match self {
            Self::Apply(task) => Some(&task.cluster),
            Self::Delete { cluster, .. }
            | Self::Observe { cluster, .. }
            | Self::RemoveFinalizer { cluster, .. }
            | Self::MigrateFields { cluster, .. }
            | Self::WatchKinds { cluster, .. } => Some(cluster),
            _ => None,
        }
    }

    /// Lets a hook go that Argo CD's hook finalizer holds.
    pub(crate) fn let_go(cluster: ClusterId, key: ResourceKey, gvk: GroupVersionKind, uid: String) -> Self {
        Self::RemoveFinalizer {
            cluster,
            key,
            gvk,
            uid,
            finalizer: HOOK_FINALIZER.to_owned(),
        }
    }
}

/// What is to be done. Every kind but `WatchKinds` completes with exactly one outcome.
#[derive(Clone, Debug)]
pub enum EffectKind {
    /// Find the commits that the sources' revisions name.
    ResolveRevision {
        /// The sources, in order.
        sources: Vec<ApplicationSource>,
        /// How fresh the answer must be.
        freshness: Freshness,
    },
    /// Render the sources at pinned commits and prepare the objects. Pure compute over immutable input.
    Render(Box<RenderTask>),
    /// Tell whether commits follow those that were synced before.
    TraceDescent {
        /// A source, the commit that was synced, and the one that is desired.
        steps: Vec<(ApplicationSource, String, String)>,
    },
    /// Compare pairs of desired and live objects. Pure compute: [`crate::compare::compare`].
    Compare(Box<CompareTask>),
    /// Write one object.
    Apply(Box<ApplyTask>),
    /// Delete one object: GET it, ask [`DeletePermit::check`], then DELETE with the preconditions that gives. Where
    /// [`DeletePermit::survey`] wants something listed, it is listed between the two, completely, and held against
    /// [`DeletePermit::check_contents`]. Last of all the Lease of [`DeletePermit::fence`] is read and held against
    /// [`DeletePermit::check_lease`]; a lease that is lost is a `Transient` failure.
    Delete {
        /// Where.
        cluster: ClusterId,
        /// The right to do so.
        permit: Box<DeletePermit>,
        /// What happens to what it owns.
        propagation: Propagation,
    },
    /// Read one object from the API, not from a cache.
    Observe {
        /// Where.
        cluster: ClusterId,
        /// Which.
        key: ResourceKey,
        /// At which version.
        gvk: GroupVersionKind,
    },
    /// Take one finalizer off an object, if its UID and resourceVersion are still these.
    RemoveFinalizer {
        /// Where.
        cluster: ClusterId,
        /// Which.
        key: ResourceKey,
        /// At which version.
        gvk: GroupVersionKind,
        /// Its identity.
        uid: String,
        /// The finalizer.
        finalizer: String,
    },
    /// Change `metadata` or `operation` of the Application itself: a JSON merge patch.
    PatchApplication {
        /// Its identity: a new one of the same name must not be touched.
        uid: String,
        /// The patch of the whole object.
        patch: Value,
    },
    /// Hand the fields that others applied before us over to us, so that what is not declared any more goes with the next apply:
    /// [`crate::writing::take_over_fields`]. Nothing is written where there is nothing to hand over.
    MigrateFields {
        /// Where.
        cluster: ClusterId,
        /// Which.
        key: ResourceKey,
        /// At which version.
        gvk: GroupVersionKind,
        /// Which.
        from: FormerFields,
    },
    /// Let the time between two waves pass (only with `guards: argo`).
    Pause {
        /// The phase that ended a wave.
        phase: SyncPhase,
        /// The wave.
        wave: i64,
        /// Nothing comes after it.
        is_last: bool,
    },
    /// Write the Application's status: a JSON merge patch of `status`. A barrier where the engine says so by emitting nothing that
    /// depends on it before it completes.
    PatchStatus {
        /// Its identity.
        uid: String,
        /// The patch of the `status` field, without the field's name.
        patch: Value,
        /// The Application's `resourceVersion` that it rests on, of what others' operations must not slip in between: the intent of an
        /// operation, and of creating hooks. Another version is a `Conflict`. `None`: whatever it is.
        version: Option<String>,
    },
    /// From now on exactly these kinds are to be watched. Has no outcome. A kind that was not, by the effect before, is listed first, also
    /// where both effects come at once: the engine lets a kind go to have it listed anew.
    WatchKinds {
        /// Where.
        cluster: ClusterId,
        /// All of them.
        kinds: BTreeSet<GroupKind>,
    },
}

/// How fresh a resolved revision must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// What the last poll saw will do.
    Cached,
    /// Ask the repository.
    Remote,
}

/// What happens to objects that the deleted one owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// They go first.
    Foreground,
    /// They go later.
    Background,
    /// They stay.
    Orphan,
}

/// Render an application's sources.
#[derive(Clone, Debug)]
pub struct RenderTask {
    /// The sources and the commits they are pinned to, in order.
    pub sources: Vec<(ApplicationSource, String)>,
    /// `.Capabilities.KubeVersion`, such as `v1.36.3`.
    pub kube_version: String,
    /// `.Capabilities.APIVersions`.
    pub api_versions: Vec<String>,
    /// Do not use a cached render.
    pub bypass_cache: bool,
    /// How the objects are prepared.
    pub context: TargetContext,
    /// The application's project: its `sourceRepos` say where a chart's dependencies may come from. Without one, nowhere.
    pub project: AppProject,
}

/// Write one object.
#[derive(Clone, Debug)]
pub struct ApplyTask {
    /// Where.
    pub cluster: ClusterId,
    /// Which.
    pub key: ResourceKey,
    /// At which version.
    pub gvk: GroupVersionKind,
    /// The object, complete.
    pub object: Blob,
    /// How.
    pub mode: ApplyMode,
    /// Change nothing.
    pub dry_run: DryRun,
    /// Refuse unknown fields.
    pub validate: bool,
    /// The object may be deleted and created anew where it cannot be changed in place (`Force=true`).
    pub recreate: bool,
}

/// A write that is not one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DryRun {
    /// It is one.
    #[default]
    No,
    /// The server says what it would do: admission and immutable fields included.
    Server,
    /// As `kubectl --dry-run=client`: is the kind served, can the object be put together? The server is not asked to write, so that
    /// a namespace which is about to be created need not be there (only with `guards: argo`).
    Client,
}

/// How an object is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApplyMode {
    /// Server-side apply as our field manager.
    ServerSide {
        /// Take fields from other managers.
        force: bool,
    },
    /// As `kubectl apply` without `--server-side`: what was applied last time and is not declared any more goes, by the annotation that
    /// keeps it (only with `guards: argo`).
    ClientSide,
    /// Create; it must not exist. Hooks are made so: a second creation is a conflict, never a second run.
    Create,
    /// Replace, if the version is still this.
    Replace {
        /// resourceVersion of the read it is based on.
        resource_version: String,
    },
}
