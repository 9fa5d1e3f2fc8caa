//! The garbage collector: objects whose owners are gone, and the two finalizers of deletion propagation.
//!
//! Works on uids, never on names: an owner that was replaced by another of its name is gone.

use std::collections::{BTreeMap, BTreeSet};

use capstan_model::Timestamp;
use serde_json::{Value, json};

use crate::store::{Change, ObjectName};
use crate::{
    Actor, ActorRequest, GroupResource, Method, Request, ResourceType, Snapshot, at, finalizers, is_going, meta, text,
};

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

type Place = (GroupResource, ObjectName);

/// Knows every object by uid, and who depends on whom.
pub(crate) struct GarbageCollector {
    seen: BTreeMap<GroupResource, u64>,
    places: BTreeMap<String, Place>,
    /// Owner's uid → dependents.
    dependents: BTreeMap<String, BTreeSet<Place>>,
    /// To be looked at.
    queue: BTreeSet<Place>,
}

impl GarbageCollector {
    /// That has seen nothing.
    pub(crate) fn new() -> Self {
        Self {
            seen: BTreeMap::new(),
            places: BTreeMap::new(),
            dependents: BTreeMap::new(),
            queue: BTreeSet::new(),
        }
    }

    fn catch_up(&mut self, cluster: &Snapshot<'_>) {
        let mut resources: BTreeSet<GroupResource> = cluster.resources().cloned().collect();
        resources.extend(self.seen.keys().cloned());
        for resource in resources {
            let seen = self.seen.get(&resource).copied().unwrap_or(0);
            let newest = cluster.resource_revision(&resource);
            if newest <= seen {
                continue;
            }
            self.seen.insert(resource.clone(), newest);
            match cluster.changes(&resource, seen) {
                Ok(events) if seen > 0 => {
                    let events: Vec<_> = events.cloned().collect();
                    for event in events {
                        self.note(&resource, &event.name, &event.object, event.change == Change::Deleted);
                    }
                }
                _ => {
                    for (name, object) in cluster.objects(&resource, None) {
                        self.note(&resource, name, object, false);
                    }
                }
            }
        }
    }

    fn note(&mut self, resource: &GroupResource, name: &ObjectName, object: &Value, gone: bool) {
        let place = (resource.clone(), name.clone());
        let uid = meta(object, "uid").to_owned();
        for owner in owners(object) {
            let set = self.dependents.entry(text(owner, &["uid"]).to_owned()).or_default();
            match gone {
                true => drop(set.remove(&place)),
                false => drop(set.insert(place.clone())),
            }
            // An owner that waits for its dependents may go on now.
            if let Some(place) = gone.then(|| self.places.get(text(owner, &["uid"]))).flatten() {
                self.queue.insert(place.clone());
            }
        }
        if gone {
            self.places.remove(&uid);
            self.queue
                .extend(self.dependents.get(&uid).into_iter().flatten().cloned());
        } else {
            self.places.insert(uid, place.clone());
            if !owners(object).is_empty() || is_going(object) {
                self.queue.insert(place);
            }
        }
    }

    fn attend(&self, place: &Place, cluster: &Snapshot<'_>) -> Vec<ActorRequest> {
        let Some(object) = cluster.object(&place.0, &place.1.namespace, &place.1.name) else {
            return Vec::new();
        };
        let Some(kind) = cluster.registry().of_storage(&place.0) else {
            return Vec::new();
        };
        if is_going(object) {
            let waits = finalizers(object);
            if waits.iter().any(|finalizer| finalizer == ORPHAN) {
                return self.orphan(object, kind, &place.1, cluster);
            }
            if waits.iter().any(|finalizer| finalizer == FOREGROUND) {
                return self.foreground(object, kind, &place.1, cluster);
            }
            return Vec::new();
        }
        let owners = owners(object);
        let alive = owners
            .iter()
            .any(|owner| self.places.contains_key(text(owner, &["uid"])));
        if owners.is_empty() || alive {
            return Vec::new();
        }
        vec![delete(object, kind, &place.1, "Background")]
    }

    /// The dependents lose their reference, then the owner may go.
    fn orphan(
        &self,
        object: &Value,
        kind: &ResourceType,
        name: &ObjectName,
        cluster: &Snapshot<'_>,
    ) -> Vec<ActorRequest> {
        let uid = meta(object, "uid");
        let mut requests = Vec::new();
        for (resource, dependent_name) in self.dependents.get(uid).into_iter().flatten() {
            let found = cluster.object(resource, &dependent_name.namespace, &dependent_name.name);
            let (Some(dependent), Some(kind)) = (found, cluster.registry().of_storage(resource)) else {
                continue;
            };
            let rest: Vec<&Value> = owners(dependent)
                .into_iter()
                .filter(|owner| text(owner, &["uid"]) != uid)
                .collect();
            if rest.len() < owners(dependent).len() {
                requests.push(patch(
                    kind,
                    dependent_name,
                    json!({"metadata": {"ownerReferences": rest}}),
                ));
            }
        }
        requests.push(without_finalizer(object, kind, name, ORPHAN));
        requests
    }

    /// The dependents go first; those that block are waited for.
    fn foreground(
        &self,
        object: &Value,
        kind: &ResourceType,
        name: &ObjectName,
        cluster: &Snapshot<'_>,
    ) -> Vec<ActorRequest> {
        let uid = meta(object, "uid");
        let (mut requests, mut blocked) = (Vec::new(), false);
        for (resource, dependent_name) in self.dependents.get(uid).into_iter().flatten() {
            let found = cluster.object(resource, &dependent_name.namespace, &dependent_name.name);
            let (Some(dependent), Some(kind)) = (found, cluster.registry().of_storage(resource)) else {
                continue;
            };
            let Some(reference) = owners(dependent).into_iter().find(|owner| text(owner, &["uid"]) == uid) else {
                continue;
            };
            blocked |= reference.get("blockOwnerDeletion").and_then(Value::as_bool) == Some(true);
            if !is_going(dependent) {
                requests.push(delete(dependent, kind, dependent_name, "Foreground"));
            }
        }
        if !blocked && requests.is_empty() {
            requests.push(without_finalizer(object, kind, name, FOREGROUND));
        }
        requests
    }
}

impl Actor for GarbageCollector {
    fn name(&self) -> &str {
        "generic-garbage-collector"
    }

    fn step(&mut self, _: Timestamp, cluster: &Snapshot<'_>) -> Vec<ActorRequest> {
        self.catch_up(cluster);
        let queue = std::mem::take(&mut self.queue);
        queue.iter().flat_map(|place| self.attend(place, cluster)).collect()
    }
}

fn owners(object: &Value) -> Vec<&Value> {
    at(object, &["metadata", "ownerReferences"])
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .collect()
}

fn path(kind: &ResourceType, name: &ObjectName) -> String {
    let root = match kind.group.as_str() {
        "" => format!("/api/{}", kind.version),
        group => format!("/apis/{group}/{}", kind.version),
    };
    match name.namespace.as_str() {
        "" => format!("{root}/{}/{}", kind.plural, name.name),
        namespace => format!("{root}/namespaces/{namespace}/{}/{}", kind.plural, name.name),
    }
}

fn patch(kind: &ResourceType, name: &ObjectName, body: Value) -> ActorRequest {
    Request::typed(Method::Patch, &path(kind, name), "application/merge-patch+json", body)
}

fn delete(object: &Value, kind: &ResourceType, name: &ObjectName, propagation: &str) -> ActorRequest {
    let options = json!({
        "kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": propagation,
        "preconditions": {"uid": meta(object, "uid")},
    });
    Request::json(Method::Delete, &path(kind, name), options)
}

fn without_finalizer(object: &Value, kind: &ResourceType, name: &ObjectName, finalizer: &str) -> ActorRequest {
    let rest: Vec<String> = finalizers(object)
        .into_iter()
        .filter(|other| other != finalizer)
        .collect();
    patch(
        kind,
        name,
        json!({"metadata": {"finalizers": rest, "uid": meta(object, "uid")}}),
    )
}
