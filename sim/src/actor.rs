//! What acts in the cluster besides clients: controllers, the scheduler, the kubelets, the garbage collector.
//!
//! An actor is a pure function of what it sees: given the time and a [`Snapshot`] it returns requests. The world executes them
//! as the actor's user through the same path as everybody's, so that admission, conflicts, history and faults apply to actors too.
//! An actor keeps no clock: it names its [`Actor::next_deadline`] and is stepped then, and after every change it may care about.

use std::sync::Arc;

use capstan_model::Timestamp;
use serde_json::Value;

use crate::registry::{GroupResource, Registry};
use crate::request::{Request, Response, User};
use crate::store::{Compacted, ObjectName, Store, StoreEvent};

/// A request of an actor. Its `user`, `user_agent` and `id` are set by the world.
pub type ActorRequest = Request;

/// A read-only view of the cluster at one revision.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot<'a> {
    store: &'a Store,
    registry: &'a Registry,
}

impl<'a> Snapshot<'a> {
    /// Over a store and its types.
    pub fn new(store: &'a Store, registry: &'a Registry) -> Self {
        Self { store, registry }
    }

    /// The newest revision.
    pub fn revision(&self) -> u64 {
        self.store.revision()
    }

    /// The object now, in its stored version.
    pub fn object(&self, resource: &GroupResource, namespace: &str, name: &str) -> Option<&'a Arc<Value>> {
        self.store.object(resource, &ObjectName::new(namespace, name))
    }

    /// Objects of a resource in order; of one namespace or of all.
    pub fn objects(
        &self,
        resource: &GroupResource,
        namespace: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a ObjectName, &'a Arc<Value>)> + use<'a> {
        self.store.objects(resource, namespace)
    }

    /// What changed after `revision`, oldest first: lets an actor look only at what is new.
    ///
    /// # Errors
    /// [`Compacted`] when that is too long ago; list instead.
    pub fn changes(
        &self,
        resource: &GroupResource,
        revision: u64,
    ) -> Result<impl Iterator<Item = &'a StoreEvent> + use<'a>, Compacted> {
        self.store.events_since(resource, revision)
    }

    /// The revision of the newest change of a resource; 0 when it never changed.
    pub fn resource_revision(&self, resource: &GroupResource) -> u64 {
        self.store.resource_revision(resource)
    }

    /// Resources that have objects, in order.
    pub fn resources(&self) -> impl Iterator<Item = &'a GroupResource> + use<'a> {
        self.store.resources()
    }

    /// The served types, for paths of kinds known only at run time.
    pub fn registry(&self) -> &'a Registry {
        self.registry
    }
}

/// Something that acts on the cluster.
pub trait Actor: Send {
    /// The service account in `kube-system` it acts as, e.g. `deployment-controller`; also its name in the history.
    fn name(&self) -> &str;

    /// Who it acts as.
    fn user(&self) -> User {
        User::controller(self.name())
    }

    /// Its default field manager, as the real component's user agent gives it.
    fn field_manager(&self) -> &str {
        "kube-controller-manager"
    }

    /// Resources whose changes wake it; empty means every change.
    fn watches(&self) -> &[GroupResource] {
        &[]
    }

    /// What it does now. Called again until it returns nothing.
    fn step(&mut self, now: Timestamp, cluster: &Snapshot<'_>) -> Vec<ActorRequest>;

    /// The answer to one of its requests, in order.
    fn answered(&mut self, _now: Timestamp, _request: &ActorRequest, _response: &Response) {}

    /// When it wants to be stepped although nothing changed.
    fn next_deadline(&self) -> Option<Timestamp> {
        None
    }
}
