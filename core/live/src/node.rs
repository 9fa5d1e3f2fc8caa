//! What is kept of one object.

use std::sync::Arc;

use capstan_model::{
    ApplicationId, Blob, Digest, GroupVersionKind, HealthStatus, HealthStatusCode, ResourceKey, Timestamp,
};

use crate::identity::{ResourceVersion, Uid};

/// One object, its facts worked out. A few hundred bytes; everything that many objects have in common is shared.
#[derive(Debug)]
pub struct Node {
    pub(crate) gvk: Arc<GroupVersionKind>,
    pub(crate) namespace: Arc<str>,
    pub(crate) name: Arc<str>,
    pub(crate) uid: Uid,
    pub(crate) resource_version: ResourceVersion,
    pub(crate) generation: i64,
    pub(crate) observed_generation: Option<i64>,
    pub(crate) created_at: Option<Timestamp>,
    /// UIDs of the owners, the controlling one first.
    pub(crate) owners: Box<[Uid]>,
    pub(crate) tracked_by: Option<Arc<ApplicationId>>,
    pub(crate) operation: Option<Box<str>>,
    pub(crate) health: Option<Health>,
    pub(crate) content: Digest,
    pub(crate) status: Digest,
    pub(crate) manifest: Option<Box<Blob>>,
    pub(crate) info: Box<[Arc<str>]>,
    pub(crate) deleting: bool,
}

/// A verdict of health, small where it needs no words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Health {
    code: HealthStatusCode,
    message: Option<Box<str>>,
}

impl Health {
    pub(crate) fn new(status: &HealthStatus) -> Self {
        Self {
            code: status.status,
            message: (!status.message.is_empty()).then(|| status.message.as_str().into()),
        }
    }
}

impl Node {
    /// Its key.
    pub fn key(&self) -> ResourceKey {
        ResourceKey {
            group: self.gvk.group.clone(),
            kind: self.gvk.kind.clone(),
            namespace: (*self.namespace).to_owned(),
            name: (*self.name).to_owned(),
        }
    }

    /// Its kind, at the version in which it was observed.
    pub fn gvk(&self) -> &GroupVersionKind {
        &self.gvk
    }

    /// Version in which it was observed, such as `v1`.
    pub fn version(&self) -> &str {
        &self.gvk.version
    }

    /// Its namespace; empty for a cluster-scoped object.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its identity: no other object, earlier or later, has it.
    pub fn uid(&self) -> String {
        self.uid.to_string()
    }

    /// Its version in the store.
    pub fn resource_version(&self) -> String {
        self.resource_version.to_string()
    }

    /// Counts changes of what is wanted of it; 0 for a kind that does not count.
    pub fn generation(&self) -> i64 {
        self.generation
    }

    /// The generation its controller has seen; `None` where it does not say.
    pub fn observed_generation(&self) -> Option<i64> {
        self.observed_generation
    }

    /// Being deleted: finalizers are still to be dealt with.
    pub fn is_deleting(&self) -> bool {
        self.deleting
    }

    /// When it was created.
    pub fn created_at(&self) -> Option<Timestamp> {
        self.created_at
    }

    /// UIDs of its owners, the controlling one first.
    pub fn owner_uids(&self) -> impl Iterator<Item = String> {
        self.owners.iter().map(ToString::to_string)
    }

    /// Does another object own it?
    pub fn is_owned(&self) -> bool {
        !self.owners.is_empty()
    }

    /// The application it says it belongs to.
    pub fn tracked_by(&self) -> Option<&ApplicationId> {
        self.tracked_by.as_deref()
    }

    /// Its [`OPERATION`](capstan_model::annotations::OPERATION) annotation: which operation created it.
    pub fn operation(&self) -> Option<&str> {
        self.operation.as_deref()
    }

    /// Its health; `None` for a kind that has none.
    pub fn health(&self) -> Option<HealthStatus> {
        let Health { code, message } = self.health.as_ref()?;
        Some(HealthStatus::new(*code, message.as_deref().unwrap_or_default()))
    }

    /// Its health without the reason; `None` for a kind that has none.
    pub fn health_code(&self) -> Option<HealthStatusCode> {
        self.health.as_ref().map(|health| health.code)
    }

    /// Digest of what comparisons look at: see [`content_digest`](crate::content_digest).
    pub fn content(&self) -> Digest {
        self.content
    }

    /// The whole object, managedFields included; only of a tracked object, a hook, or a namespace of which we applied something.
    pub fn manifest(&self) -> Option<&Blob> {
        self.manifest.as_deref()
    }

    /// Facts for people: `3/3 ready`, images.
    pub fn info(&self) -> impl Iterator<Item = &str> {
        self.info.iter().map(|text| &**text)
    }
}
