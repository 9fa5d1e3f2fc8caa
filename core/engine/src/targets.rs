//! The desired objects of one application at pinned revisions.

use std::collections::{BTreeMap, BTreeSet};

use capstan_model::{
    ApplicationId, Blob, Digest, GroupKind, GroupVersionKind, Manifest, ObjectMeta, ResourceKey, SourceLocation,
};

/// What preparing needs to know of the application and its cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TargetContext {
    /// The application.
    pub application: ApplicationId,
    /// Its project.
    pub project: String,
    /// What its annotation `capstan.dev/determinism` says; empty where it says nothing.
    pub determinism: String,
    /// Namespace in which applications are named without it.
    pub control_namespace: String,
    /// Written on every object when not empty.
    pub installation_id: String,
    /// Namespace of objects that have none.
    pub destination_namespace: String,
    /// Which kinds live in namespaces. A kind that is not here is not served, or its group could not be discovered.
    pub namespaced: std::sync::Arc<BTreeMap<GroupKind, bool>>,
}

/// One desired object, ready to be applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// Its key, with the namespace filled or removed by its scope.
    pub key: ResourceKey,
    /// Kind and version.
    pub gvk: GroupVersionKind,
    /// Its name is `metadata.generateName` plus a suffix that the operation gives: only hooks.
    pub generate_name: Option<String>,
    /// Lives in a namespace; `None` when the cluster does not (yet) serve the kind.
    pub namespaced: Option<bool>,
    /// Its annotations, parsed.
    pub meta: ObjectMeta,
    /// The object as it is applied: namespace, tracking id and installation id set.
    pub object: Blob,
    /// Where it is declared.
    pub location: SourceLocation,
}

/// The complete set: every source at an immutable commit, every file read, every template rendered, every object understood. A set
/// that is not complete does not exist: it is a [`crate::event::SourceFailure`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Targets {
    objects: std::sync::Arc<[Target]>,
    kinds: std::sync::Arc<BTreeSet<GroupKind>>,
    digest: Digest,
    source_type: String,
    warnings: Vec<String>,
}

impl Targets {
    /// Of `objects`, which are all there is. Sorted by key.
    pub(crate) fn complete(mut objects: Vec<Target>, source_type: String, warnings: Vec<String>) -> Self {
        objects.sort_by(|a, b| (&a.key, &a.generate_name).cmp(&(&b.key, &b.generate_name)));
        let digest = Digest::of_all(objects.iter().map(|target| target.object.digest()));
        let kinds = kinds(objects.iter().map(|target| &target.key));
        Self {
            objects: objects.into(),
            kinds: kinds.into(),
            digest,
            source_type,
            warnings,
        }
    }

    /// Prepares what a renderer made of the sources.
    pub fn prepare(manifests: Vec<Manifest>, context: &TargetContext, source_type: &str) -> Result<Self, TargetError> {
        prepare::prepare(manifests, context, source_type)
    }

    /// The objects, by key.
    pub fn objects(&self) -> &[Target] {
        &self.objects
    }

    /// Kinds of the objects.
    pub fn kinds(&self) -> &BTreeSet<GroupKind> {
        &self.kinds
    }

    /// Is there an ordinary object among them, not only hooks?
    pub(crate) fn declare_resources(&self) -> bool {
        self.objects.iter().any(|target| target.meta.is_resource())
    }

    /// The named object of this key.
    pub(crate) fn find(&self, key: &ResourceKey) -> Option<&Target> {
        let at = self.objects.partition_point(|target| target.key < *key);
        self.objects[at..]
            .iter()
            .take_while(|target| target.key == *key)
            .find(|target| target.generate_name.is_none())
    }

    /// Of all objects: equal digests mean equal sets.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// `Helm`, `Directory`, …
    pub fn source_type(&self) -> &str {
        &self.source_type
    }

    /// What was odd and did not matter.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

/// The kinds of these keys, of which many in a row are of one kind.
pub(crate) fn kinds<'a>(keys: impl Iterator<Item = &'a ResourceKey>) -> BTreeSet<GroupKind> {
    let mut kinds = BTreeSet::new();
    let mut last: Option<&ResourceKey> = None;
    for key in keys {
        if last.is_none_or(|last| (&last.group, &last.kind) != (&key.group, &key.kind)) {
            kinds.insert(key.group_kind());
        }
        last = Some(key);
    }
    kinds
}

/// Objects that cannot stand beside each other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// One identity, two different bodies.
    #[error(
        "{key} is declared twice with different content, at {first} and at {second}: keep one (which one would win is not defined)"
    )]
    Duplicate {
        /// Which.
        key: Box<ResourceKey>,
        /// Where.
        first: SourceLocation,
        /// Where else.
        second: SourceLocation,
    },
    /// An object without a name that is not a hook.
    #[error(
        "{location}: {kind} has generateName and no name: only hooks may, since what is synced must be found again"
    )]
    GenerateName {
        /// Where.
        location: SourceLocation,
        /// Its kind.
        kind: String,
    },
}

mod namespace;
mod prepare;

pub(crate) use namespace::{MadeNamespace, made_namespace, namespace_object, namespace_target};
