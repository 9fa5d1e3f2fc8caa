//! The objects and their history: one revision counter, current objects in order, and a ring of events per stored resource.
//!
//! Invariants: every change takes the next revision and writes it into `metadata.resourceVersion`; events of a resource are in
//! revision order; a past state is the present one with the newer events undone, so a paged list is one consistent snapshot.
//! What a ring has dropped cannot be watched or listed any more ([`Compacted`]). There are no transactions over several objects,
//! as in the real store.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::registry::GroupResource;

/// Namespace and name; the namespace is empty for cluster-scoped objects. Ordered as lists are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName {
    /// Namespace, empty when cluster-scoped.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl ObjectName {
    /// From its parts.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }
}

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It came.
    Added,
    /// It changed.
    Modified,
    /// It went.
    Deleted,
}

/// One change of one object.
#[derive(Clone, Debug)]
pub struct StoreEvent {
    /// The revision the change took.
    pub revision: u64,
    /// What happened.
    pub change: Change,
    /// Which object.
    pub name: ObjectName,
    /// The object after the change; for [`Change::Deleted`] its last state, at the revision of the deletion.
    pub object: Arc<Value>,
    /// The object before the change; `None` when it came.
    pub previous: Option<Arc<Value>>,
}

/// The asked revision is older than what is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("revision {asked} is compacted, the oldest kept is {oldest}")]
pub struct Compacted {
    /// What was asked.
    pub asked: u64,
    /// The oldest revision that can be asked.
    pub oldest: u64,
}

#[derive(Clone, Debug, Default)]
struct Shelf {
    objects: BTreeMap<ObjectName, Arc<Value>>,
    events: VecDeque<StoreEvent>,
    /// Revision of the newest dropped event: history is complete from here on.
    compacted: u64,
}

/// All objects of the simulated cluster.
#[derive(Clone, Debug)]
pub struct Store {
    revision: u64,
    ring: usize,
    shelves: BTreeMap<GroupResource, Shelf>,
}

impl Store {
    /// An empty store that keeps the last `ring` events of every resource.
    pub fn new(ring: usize) -> Self {
        Self {
            revision: 1,
            ring: ring.max(1),
            shelves: BTreeMap::new(),
        }
    }

    /// The newest revision.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The object now.
    pub fn object(&self, resource: &GroupResource, name: &ObjectName) -> Option<&Arc<Value>> {
        self.shelves.get(resource)?.objects.get(name)
    }

    /// Objects now, in order of namespace and name; of one namespace or of all.
    pub fn objects<'a>(
        &'a self,
        resource: &GroupResource,
        namespace: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a ObjectName, &'a Arc<Value>)> + use<'a> {
        let start = match namespace {
            Some(namespace) => Bound::Included(ObjectName::new(namespace, "")),
            None => Bound::Unbounded,
        };
        let shelf = self.shelves.get(resource);
        shelf
            .into_iter()
            .flat_map(move |s| s.objects.range((start.clone(), Bound::Unbounded)))
            .take_while(move |(name, _)| namespace.is_none_or(|n| name.namespace == n))
    }

    /// How many objects of a resource there are.
    pub fn count(&self, resource: &GroupResource) -> usize {
        self.shelves.get(resource).map_or(0, |s| s.objects.len())
    }

    /// Resources that have objects, in order.
    pub fn resources(&self) -> impl Iterator<Item = &GroupResource> {
        self.shelves
            .iter()
            .filter(|(_, s)| !s.objects.is_empty())
            .map(|(r, _)| r)
    }

    /// Objects as they were at `revision`, in order; of one namespace or of all.
    ///
    /// # Errors
    /// [`Compacted`] when events since then are no longer all kept.
    pub fn objects_at(
        &self,
        resource: &GroupResource,
        namespace: Option<&str>,
        revision: u64,
    ) -> Result<Vec<(ObjectName, Arc<Value>)>, Compacted> {
        let Some(shelf) = self.shelves.get(resource) else {
            return Ok(Vec::new());
        };
        shelf.reaches(revision)?;
        let now = self.objects(resource, namespace).map(|(n, o)| (n.clone(), o.clone()));
        if shelf.events.back().is_none_or(|e| e.revision <= revision) {
            return Ok(now.collect());
        }
        let mut objects: BTreeMap<ObjectName, Arc<Value>> = now.collect();
        for event in shelf.events.iter().rev().take_while(|e| e.revision > revision) {
            if namespace.is_some_and(|n| n != event.name.namespace) {
                continue;
            }
            match &event.previous {
                Some(previous) => objects.insert(event.name.clone(), previous.clone()),
                None => objects.remove(&event.name),
            };
        }
        Ok(objects.into_iter().collect())
    }

    /// Events after `revision`, oldest first.
    ///
    /// # Errors
    /// [`Compacted`] when some of them are no longer kept.
    pub fn events_since(
        &self,
        resource: &GroupResource,
        revision: u64,
    ) -> Result<impl Iterator<Item = &StoreEvent> + use<'_>, Compacted> {
        let shelf = self.shelves.get(resource);
        if let Some(shelf) = shelf {
            shelf.reaches(revision)?;
        }
        let events = shelf.map(|s| s.events.range(s.events.partition_point(|e| e.revision <= revision)..));
        Ok(events.into_iter().flatten())
    }

    /// The revision of the newest event of a resource; 0 when there was none.
    pub fn resource_revision(&self, resource: &GroupResource) -> u64 {
        self.shelves
            .get(resource)
            .map_or(0, |s| s.events.back().map_or(s.compacted, |e| e.revision))
    }

    /// Writes an object, new or changed, at the next revision.
    pub fn put(&mut self, resource: &GroupResource, name: ObjectName, mut object: Value) -> Arc<Value> {
        self.revision += 1;
        stamp(&mut object, self.revision);
        let object = Arc::new(object);
        let revision = self.revision;
        let shelf = self.shelves.entry(resource.clone()).or_default();
        let previous = shelf.objects.insert(name.clone(), object.clone());
        let change = if previous.is_some() {
            Change::Modified
        } else {
            Change::Added
        };
        shelf.push(
            StoreEvent {
                revision,
                change,
                name,
                object: object.clone(),
                previous,
            },
            self.ring,
        );
        object
    }

    /// Removes an object at the next revision; returns its last state at that revision, `None` when it was not there.
    pub fn remove(&mut self, resource: &GroupResource, name: &ObjectName) -> Option<Arc<Value>> {
        let shelf = self.shelves.get_mut(resource)?;
        let previous = shelf.objects.remove(name)?;
        self.revision += 1;
        let mut last = Value::clone(&previous);
        stamp(&mut last, self.revision);
        let object = Arc::new(last);
        let event = StoreEvent {
            revision: self.revision,
            change: Change::Deleted,
            name: name.clone(),
            object: object.clone(),
            previous: Some(previous),
        };
        shelf.push(event, self.ring);
        Some(object)
    }

    /// Forgets the events up to `revision`, as the real store's compaction does.
    pub fn compact(&mut self, revision: u64) {
        for shelf in self.shelves.values_mut() {
            while shelf.events.front().is_some_and(|e| e.revision <= revision) {
                shelf.drop_oldest();
            }
            shelf.compacted = shelf.compacted.max(revision.min(self.revision));
        }
    }
}

impl Shelf {
    fn reaches(&self, revision: u64) -> Result<(), Compacted> {
        if revision < self.compacted {
            return Err(Compacted {
                asked: revision,
                oldest: self.compacted,
            });
        }
        Ok(())
    }

    fn push(&mut self, event: StoreEvent, ring: usize) {
        self.events.push_back(event);
        while self.events.len() > ring {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(event) = self.events.pop_front() {
            self.compacted = event.revision;
        }
    }
}

fn stamp(object: &mut Value, revision: u64) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("resourceVersion".into(), json!(revision.to_string()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> Value {
        json!({"metadata": {"name": "a"}, "data": text})
    }

    #[test]
    fn the_past_is_listed_until_it_is_compacted() {
        let maps = GroupResource::new("", "configmaps");
        let (a, b) = (ObjectName::new("x", "a"), ObjectName::new("x", "b"));
        let mut store = Store::new(3);
        store.put(&maps, a.clone(), object("1"));
        let first = store.revision();
        store.put(&maps, a.clone(), object("2"));
        store.put(&maps, b.clone(), object("3"));
        store.remove(&maps, &a);
        assert_eq!(store.objects(&maps, Some("x")).count(), 1);
        let past = store.objects_at(&maps, Some("x"), first).unwrap();
        assert_eq!((past.len(), &past[0].0, &past[0].1["data"]), (1, &a, &json!("1")));
        assert!(store.objects_at(&maps, Some("y"), first).unwrap().is_empty());
        assert_eq!(store.events_since(&maps, first).unwrap().count(), 3);
        store.put(&maps, b, object("4"));
        assert_eq!(store.objects_at(&maps, None, first).unwrap_err().oldest, first + 1);
        assert!(store.events_since(&maps, first).is_err());
    }

    #[test]
    fn revisions_are_stamped_and_only_move_with_changes() {
        let maps = GroupResource::new("", "configmaps");
        let mut store = Store::new(10);
        assert!(store.remove(&maps, &ObjectName::new("x", "a")).is_none());
        assert_eq!(store.revision(), 1);
        let put = store.put(&maps, ObjectName::new("x", "a"), object("1"));
        assert_eq!(put["metadata"]["resourceVersion"], "2");
        let gone = store.remove(&maps, &ObjectName::new("x", "a")).unwrap();
        assert_eq!(gone["metadata"]["resourceVersion"], "3");
    }
}
