//! What all controllers share: a queue of names, filled by changes and deadlines; an index of who owns what.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use capstan_model::Timestamp;
use serde_json::Value;

use crate::store::{Change, ObjectName};
use crate::{Actor, ActorRequest, GroupResource, Response, Snapshot, at, text};

/// How long a controller waits after a request of its was refused.
const AFTER_FAILURE: Duration = Duration::from_millis(500);

/// A level-triggered controller over the objects of one resource.
pub(crate) trait Controller: Send {
    /// Service account and name in the history.
    fn name(&self) -> &'static str;

    /// Field manager of its writes.
    fn field_manager(&self) -> &'static str {
        "kube-controller-manager"
    }

    /// What it looks after.
    fn primary(&self) -> GroupResource;

    /// What else wakes it.
    fn secondary(&self) -> Vec<GroupResource> {
        Vec::new()
    }

    /// Which primaries a changed secondary concerns. Its controller is always concerned.
    fn concerned(
        &self,
        _resource: &GroupResource,
        _name: &ObjectName,
        _object: &Value,
        _view: &View<'_>,
    ) -> Vec<ObjectName> {
        Vec::new()
    }

    /// What to do about one primary; `object` is `None` when it is gone.
    fn reconcile(&mut self, now: Timestamp, name: &ObjectName, object: Option<&Value>, view: &View<'_>) -> Todo;
}

/// What a reconciliation wants.
#[derive(Debug, Default)]
pub(crate) struct Todo {
    /// Requests, in order.
    pub(crate) requests: Vec<ActorRequest>,
    /// When to look again although nothing changed.
    pub(crate) again: Option<Timestamp>,
}

impl Todo {
    /// Nothing.
    pub(crate) fn nothing() -> Self {
        Self::default()
    }

    /// One request.
    pub(crate) fn one(request: ActorRequest) -> Self {
        Self {
            requests: vec![request],
            again: None,
        }
    }

    /// Look again at `time`, if that is sooner than what was asked before.
    pub(crate) fn at(mut self, time: Timestamp) -> Self {
        self.again = Some(self.again.map_or(time, |earlier| earlier.min(time)));
        self
    }
}

impl From<Vec<ActorRequest>> for Todo {
    fn from(requests: Vec<ActorRequest>) -> Self {
        Self { requests, again: None }
    }
}

impl From<Option<ActorRequest>> for Todo {
    fn from(request: Option<ActorRequest>) -> Self {
        request.into_iter().collect::<Vec<_>>().into()
    }
}

/// The cluster, and who owns what in it.
pub(crate) struct View<'a> {
    /// The cluster.
    pub(crate) cluster: Snapshot<'a>,
    owned: &'a Owned,
}

type Owned = BTreeMap<String, BTreeSet<(GroupResource, ObjectName)>>;

impl View<'_> {
    /// Objects of `resource` whose controller has this uid, by name.
    pub(crate) fn owned(&self, uid: &str, resource: &GroupResource) -> Vec<&Value> {
        let names = self
            .owned
            .get(uid)
            .into_iter()
            .flatten()
            .filter(|(owned, _)| owned == resource);
        names.filter_map(|(owned, name)| self.object(owned, name)).collect()
    }

    /// An object.
    pub(crate) fn object(&self, resource: &GroupResource, name: &ObjectName) -> Option<&Value> {
        self.cluster
            .object(resource, &name.namespace, &name.name)
            .map(|object| &**object)
    }
}

/// The owner reference with `controller: true`.
pub(crate) fn controller_of(object: &Value) -> Option<&Value> {
    let owners = at(object, &["metadata", "ownerReferences"])?.as_array()?;
    owners
        .iter()
        .find(|owner| owner.get("controller") == Some(&Value::Bool(true)))
}

/// Drives a [`Controller`] as an actor.
pub(crate) struct ControllerActor<C> {
    controller: C,
    primary: GroupResource,
    watches: Vec<GroupResource>,
    seen: BTreeMap<GroupResource, u64>,
    owned: Owned,
    queue: BTreeSet<ObjectName>,
    timers: BTreeMap<ObjectName, Timestamp>,
    /// Whose requests are under way, in their order.
    asked: VecDeque<ObjectName>,
}

impl<C: Controller> ControllerActor<C> {
    /// Around a controller.
    pub(crate) fn new(controller: C) -> Self {
        let primary = controller.primary();
        let mut watches = controller.secondary();
        watches.push(primary.clone());
        Self {
            controller,
            primary,
            watches,
            seen: BTreeMap::new(),
            owned: BTreeMap::new(),
            queue: BTreeSet::new(),
            timers: BTreeMap::new(),
            asked: VecDeque::new(),
        }
    }

    /// Reads the changes of one resource since the last time; lists when they are no longer kept.
    fn catch_up(&mut self, resource: &GroupResource, cluster: &Snapshot<'_>) {
        let seen = self.seen.get(resource).copied().unwrap_or(0);
        let newest = cluster.resource_revision(resource);
        if newest <= seen {
            return;
        }
        let changed: Vec<(ObjectName, std::sync::Arc<Value>, bool)> = match cluster.changes(resource, seen) {
            Ok(events) if seen > 0 => events
                .map(|event| {
                    (
                        event.name.clone(),
                        event.object.clone(),
                        event.change == Change::Deleted,
                    )
                })
                .collect(),
            _ => cluster
                .objects(resource, None)
                .map(|(name, object)| (name.clone(), object.clone(), false))
                .collect(),
        };
        self.seen.insert(resource.clone(), newest);
        for (name, object, gone) in changed {
            self.note(resource, &name, &object, gone, cluster);
        }
    }

    fn note(
        &mut self,
        resource: &GroupResource,
        name: &ObjectName,
        object: &Value,
        gone: bool,
        cluster: &Snapshot<'_>,
    ) {
        if *resource == self.primary {
            self.queue.insert(name.clone());
        }
        if let Some(owner) = controller_of(object) {
            let entry = (resource.clone(), name.clone());
            let uid = text(owner, &["uid"]).to_owned();
            match gone {
                true => drop(self.owned.entry(uid).or_default().remove(&entry)),
                false => drop(self.owned.entry(uid).or_default().insert(entry)),
            }
            if *resource != self.primary {
                let owner_name = ObjectName::new(&name.namespace, text(owner, &["name"]));
                if cluster
                    .object(&self.primary, &owner_name.namespace, &owner_name.name)
                    .is_some()
                {
                    self.queue.insert(owner_name);
                }
            }
        }
        if *resource != self.primary {
            let view = View {
                cluster: *cluster,
                owned: &self.owned,
            };
            self.queue
                .extend(self.controller.concerned(resource, name, object, &view));
        }
    }
}

impl<C: Controller> Actor for ControllerActor<C> {
    fn name(&self) -> &str {
        self.controller.name()
    }

    fn field_manager(&self) -> &str {
        self.controller.field_manager()
    }

    fn watches(&self) -> &[GroupResource] {
        &self.watches
    }

    fn step(&mut self, now: Timestamp, cluster: &Snapshot<'_>) -> Vec<ActorRequest> {
        for resource in self.watches.clone() {
            self.catch_up(&resource, cluster);
        }
        let due: Vec<ObjectName> = self
            .timers
            .iter()
            .filter(|(_, time)| **time <= now)
            .map(|(name, _)| name.clone())
            .collect();
        for name in due {
            self.timers.remove(&name);
            self.queue.insert(name);
        }
        let mut requests = Vec::new();
        for name in std::mem::take(&mut self.queue) {
            let view = View {
                cluster: *cluster,
                owned: &self.owned,
            };
            let object = view.object(&self.primary, &name);
            let todo = self.controller.reconcile(now, &name, object, &view);
            self.timers.remove(&name);
            if let Some(time) = todo.again {
                self.timers.insert(name.clone(), time);
            }
            self.asked.extend(todo.requests.iter().map(|_| name.clone()));
            requests.extend(todo.requests);
        }
        requests
    }

    fn answered(&mut self, now: Timestamp, _request: &ActorRequest, response: &Response) {
        let Some(name) = self.asked.pop_front() else { return };
        if !response.is_success() {
            let again = now + AFTER_FAILURE;
            let timer = self.timers.entry(name).or_insert(again);
            *timer = (*timer).min(again);
        }
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        self.timers.values().min().copied()
    }
}
