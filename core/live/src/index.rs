//! The index itself: one writer, everything kept on write.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use capstan_model::annotations::{HELM_HOOK, HOOK, OPERATION};
use capstan_model::{ApplicationId, Blob, Digest, GroupKind, GroupVersionKind, HealthStatus, ResourceKey, tracking};
use serde_json::Value;

use crate::change::{Above, Change, ChangeKind, TrackedBy};
use crate::content::{content_digest, is_applied};
use crate::identity::{ResourceVersion, Uid};
use crate::info::info;
use crate::intern::Interner;
use crate::node::{Health, Node};

/// How many UIDs that were seen going are remembered, so that an answer which was under way meanwhile does not bring one back.
const GRAVES: usize = 4096;

/// Longest chain of owners that is walked: deeper than any real one, and a bound on hostile ones.
const MAX_OWNER_DEPTH: usize = 64;

/// The answer to "is there this object?".
#[derive(Clone, Copy, Debug)]
pub enum Lookup<'a> {
    /// It was there when its kind was last seen.
    Present(&'a Node),
    /// It is not there, and that is proven: the kind's list is complete and up to date, and it is not in it.
    Missing,
    /// Not known: the kind was never listed, or what is known of it is stale.
    Unknown,
}

/// What one cluster holds. One writer; readers borrow.
#[derive(Debug, Default)]
pub struct LiveIndex {
    control_namespace: String,
    slots: Vec<Option<Node>>,
    free: Vec<u32>,
    kinds: BTreeMap<GroupKind, Kind>,
    by_uid: BTreeMap<Uid, u32>,
    children: BTreeMap<Uid, Vec<u32>>,
    roots: BTreeMap<Arc<ApplicationId>, BTreeSet<ResourceKey>>,
    graves: BTreeSet<Uid>,
    grave_order: VecDeque<Uid>,
    shared: Shared,
}

/// What nodes have in common.
#[derive(Debug, Default)]
struct Shared {
    kinds: Interner<GroupVersionKind>,
    applications: Interner<ApplicationId>,
    texts: Interner<str>,
}

#[derive(Debug, Default)]
struct Kind {
    complete: bool,
    /// By namespace, then name.
    names: BTreeMap<Arc<str>, BTreeMap<Arc<str>, u32>>,
}

impl Kind {
    fn slot(&self, namespace: &str, name: &str) -> Option<u32> {
        self.names.get(namespace)?.get(name).copied()
    }
}

impl LiveIndex {
    /// An empty index: everything is Unknown. Applications of `control_namespace` are named without it in tracking ids.
    pub fn new(control_namespace: impl Into<String>) -> Self {
        Self {
            control_namespace: control_namespace.into(),
            ..Self::default()
        }
    }

    /// Namespace whose applications are named without it.
    pub fn control_namespace(&self) -> &str {
        &self.control_namespace
    }

    /// Takes in one observed object: added, changed, or the answer to a write. `assess` gives its health, `None` for a kind that has
    /// none. Something that is not an object (no kind, no name) changes nothing.
    pub fn apply(&mut self, object: &Value, assess: &dyn Fn(&Value) -> Option<HealthStatus>) -> Change {
        let gvk = GroupVersionKind::from_api_version(text(object, "apiVersion"), text(object, "kind"));
        self.apply_as(&gvk, object, assess)
    }

    /// Takes in a complete list of one kind. What is not in it is proven gone. Gives only what changed: removals last, in the order of
    /// their keys.
    pub fn relist(
        &mut self,
        kind: &GroupKind,
        objects: Vec<Value>,
        assess: &dyn Fn(&Value) -> Option<HealthStatus>,
    ) -> Vec<Change> {
        let mut listed = BTreeSet::new();
        let mut changes = Vec::new();
        for object in objects {
            // Items of a list carry no kind of their own on the wire.
            let (_, version) = split_api_version(text(&object, "apiVersion"));
            let gvk = GroupVersionKind {
                group: kind.group.clone(),
                version: version.to_owned(),
                kind: kind.kind.clone(),
            };
            let change = self.apply_as(&gvk, &object, assess);
            listed.extend(self.slot(&change.key));
            if change.is_change() {
                changes.push(change);
            }
        }
        let known = self.kinds.entry(kind.clone()).or_default();
        known.complete = true;
        let gone: Vec<u32> = known
            .names
            .values()
            .flat_map(BTreeMap::values)
            .copied()
            .filter(|slot| !listed.contains(slot))
            .collect();
        changes.extend(gone.into_iter().filter_map(|slot| self.bury(slot)));
        changes
    }

    /// Takes in that the object `key` with identity `uid` is gone. Another object of that name stays. Without a UID it is whatever is
    /// known under that name.
    pub fn remove(&mut self, key: &ResourceKey, uid: &str) -> Change {
        let gone = Uid::new(uid);
        if !gone.is_empty() {
            self.remember_gone(gone.clone());
        }
        self.slot(key)
            .filter(|&slot| gone.is_empty() || self.node(slot).is_some_and(|node| node.uid == gone))
            .and_then(|slot| self.bury(slot))
            .unwrap_or_else(|| Change::unchanged(key.clone(), uid.to_owned()))
    }

    /// What is known of `kind` may be out of date from now on: what is absent is Unknown until the next complete list.
    pub fn mark_stale(&mut self, kind: &GroupKind) {
        if let Some(known) = self.kinds.get_mut(kind) {
            known.complete = false;
        }
    }

    /// As [`LiveIndex::mark_stale`], for every kind: the cluster does not answer.
    pub fn mark_all_stale(&mut self) {
        for known in self.kinds.values_mut() {
            known.complete = false;
        }
    }

    /// Was `kind` listed completely, and followed since?
    pub fn is_complete(&self, kind: &GroupKind) -> bool {
        self.kinds.get(kind).is_some_and(|known| known.complete)
    }

    /// Is there this object?
    pub fn lookup(&self, key: &ResourceKey) -> Lookup<'_> {
        let Some(kind) = self.kinds.get(&key.group_kind()) else {
            return Lookup::Unknown;
        };
        match kind.slot(&key.namespace, &key.name).and_then(|slot| self.node(slot)) {
            Some(node) => Lookup::Present(node),
            None if kind.complete => Lookup::Missing,
            None => Lookup::Unknown,
        }
    }

    /// Keys of the objects that say they belong to `application`, in order.
    pub fn tracked(&self, application: &ApplicationId) -> impl Iterator<Item = &ResourceKey> {
        self.roots.get(application).into_iter().flatten()
    }

    /// Applications that objects say they belong to, in order.
    pub fn applications(&self) -> impl Iterator<Item = &ApplicationId> {
        self.roots.keys().map(AsRef::as_ref)
    }

    /// The object with this identity.
    pub fn by_uid(&self, uid: &str) -> Option<&Node> {
        self.node(*self.by_uid.get(&Uid::new(uid))?)
    }

    /// The objects that name the one with this identity as an owner, in the order of their keys. The owner need not be known.
    pub fn children(&self, uid: &str) -> impl Iterator<Item = &Node> {
        let slots = self.child_slots(&Uid::new(uid));
        let mut children: Vec<&Node> = slots.iter().filter_map(|&slot| self.node(slot)).collect();
        children.sort_by_cached_key(|node| node.key());
        children.into_iter()
    }

    /// Objects of `kind`, by namespace and name.
    pub fn of_kind(&self, kind: &GroupKind) -> impl Iterator<Item = &Node> {
        let names = self.kinds.get(kind).into_iter().flat_map(|known| known.names.values());
        names.flat_map(BTreeMap::values).filter_map(|&slot| self.node(slot))
    }

    /// Objects known.
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Is nothing known?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn node(&self, slot: u32) -> Option<&Node> {
        self.slots.get(slot as usize)?.as_ref()
    }

    pub(crate) fn slot(&self, key: &ResourceKey) -> Option<u32> {
        self.kinds.get(&key.group_kind())?.slot(&key.namespace, &key.name)
    }

    pub(crate) fn child_slots(&self, uid: &Uid) -> &[u32] {
        self.children.get(uid).map(Vec::as_slice).unwrap_or_default()
    }

    pub(crate) fn owner_slots(&self, slot: u32) -> impl Iterator<Item = u32> {
        let owners = self.node(slot).map(|node| &*node.owners).unwrap_or_default();
        owners.iter().filter_map(|uid| self.by_uid.get(uid).copied())
    }

    fn apply_as(
        &mut self,
        gvk: &GroupVersionKind,
        object: &Value,
        assess: &dyn Fn(&Value) -> Option<HealthStatus>,
    ) -> Change {
        let metadata = &object["metadata"];
        let key = ResourceKey {
            group: gvk.group.clone(),
            kind: gvk.kind.clone(),
            namespace: text(metadata, "namespace").to_owned(),
            name: text(metadata, "name").to_owned(),
        };
        let uid_text = text(metadata, "uid");
        let uid = Uid::new(uid_text);
        let resource_version = ResourceVersion::new(text(metadata, "resourceVersion"));
        let slot = self.slot(&key);
        let known = slot.and_then(|slot| self.node(slot));
        let is_old = known.is_some_and(|known| is_old(known, &uid, &resource_version));
        if key.name.is_empty() || key.kind.is_empty() || is_old || self.graves.contains(&uid) {
            return Change::unchanged(key, uid_text.to_owned());
        }
        let node = self.read(gvk, &key, (uid, resource_version), object, assess);
        match slot {
            Some(slot) => self.update(slot, key, node),
            None => self.add(key, node),
        }
    }

    /// Works out the facts of `object`.
    fn read(
        &mut self,
        gvk: &GroupVersionKind,
        key: &ResourceKey,
        (uid, resource_version): (Uid, ResourceVersion),
        object: &Value,
        assess: &dyn Fn(&Value) -> Option<HealthStatus>,
    ) -> Node {
        let metadata = &object["metadata"];
        let annotations = &metadata["annotations"];
        let operation = annotations.get(OPERATION).and_then(Value::as_str);
        let is_hook = annotations.get(HOOK).or_else(|| annotations.get(HELM_HOOK)).is_some();
        let owner = tracking::owner(object, key, &self.control_namespace);
        // A namespace is kept by its labels, without a tracking id.
        let is_kept = key.group.is_empty() && key.kind == "Namespace" && is_applied(object);
        let keeps = owner.is_some() || operation.is_some() || is_hook || is_kept;
        let facts = info(&key.group, &key.kind, object);
        Node {
            namespace: self.shared.texts.intern(key.namespace.as_str()),
            name: key.name.as_str().into(),
            uid,
            resource_version,
            generation: metadata["generation"].as_i64().unwrap_or(0),
            observed_generation: object["status"]["observedGeneration"].as_i64(),
            created_at: text(metadata, "creationTimestamp").parse().ok(),
            owners: owner_uids(metadata),
            tracked_by: owner.map(|application| self.shared.applications.intern(&application)),
            operation: operation.map(Into::into),
            health: assess(object).as_ref().map(Health::new),
            content: content_digest(object),
            status: Digest::of_json(&object["status"]),
            manifest: keeps.then(|| Box::new(Blob::new(object))),
            info: facts
                .iter()
                .map(|fact| self.shared.texts.intern(fact.as_str()))
                .collect(),
            deleting: metadata["deletionTimestamp"].is_string(),
            gvk: self.shared.kinds.intern(gvk),
        }
    }

    fn add(&mut self, key: ResourceKey, node: Node) -> Change {
        let uid = node.uid.to_string();
        let after = node.tracked_by.as_deref().cloned();
        let kind = self.kinds.entry(key.group_kind()).or_default();
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.slots.push(None);
                u32::try_from(self.slots.len() - 1).expect("an index holds fewer than 2^32 objects")
            }
        };
        let names = kind.names.entry(node.namespace.clone()).or_default();
        names.insert(node.name.clone(), slot);
        self.link(slot, &key, &node);
        self.slots[slot as usize] = Some(node);
        let above = self.above(slot);
        Change {
            applications: above.applications(),
            owners: above.owners(),
            key,
            uid,
            replaced: None,
            kind: ChangeKind::Added,
            tracked_by: TrackedBy { before: None, after },
        }
    }

    fn update(&mut self, slot: u32, key: ResourceKey, mut node: Node) -> Change {
        let mut above = self.above(slot);
        let Some(old) = self.slots[slot as usize].take() else {
            return self.add(key, node);
        };
        self.unlink(slot, &key, &old);
        node.name = old.name.clone();
        self.link(slot, &key, &node);
        let is_same = old.uid == node.uid;
        let change = Change {
            uid: node.uid.to_string(),
            replaced: (!is_same).then(|| old.uid.to_string()),
            kind: ChangeKind::Updated {
                content: !is_same || old.content != node.content,
                health: old.health != node.health,
                status: !is_same || old.status != node.status || old.generation != node.generation,
            },
            tracked_by: TrackedBy {
                before: old.tracked_by.as_deref().cloned(),
                after: node.tracked_by.as_deref().cloned(),
            },
            key,
            applications: Vec::new(),
            owners: Vec::new(),
        };
        self.slots[slot as usize] = Some(node);
        above.extend(self.above(slot));
        Change {
            applications: above.applications(),
            owners: above.owners(),
            ..change
        }
    }

    /// Takes the object out.
    fn bury(&mut self, slot: u32) -> Option<Change> {
        let above = self.above(slot);
        let node = self.slots.get_mut(slot as usize)?.take()?;
        let key = node.key();
        self.unlink(slot, &key, &node);
        self.free.push(slot);
        if let Some(kind) = self.kinds.get_mut(&key.group_kind())
            && let Some(names) = kind.names.get_mut(&node.namespace)
        {
            names.remove(&node.name);
            if names.is_empty() {
                kind.names.remove(&node.namespace);
            }
        }
        Some(Change {
            key,
            uid: node.uid.to_string(),
            replaced: None,
            kind: ChangeKind::Removed,
            tracked_by: TrackedBy {
                before: node.tracked_by.as_deref().cloned(),
                after: None,
            },
            applications: above.applications(),
            owners: above.owners(),
        })
    }

    fn link(&mut self, slot: u32, key: &ResourceKey, node: &Node) {
        if !node.uid.is_empty() {
            self.by_uid.insert(node.uid.clone(), slot);
        }
        for owner in &node.owners {
            let children = self.children.entry(owner.clone()).or_default();
            if let Err(at) = children.binary_search(&slot) {
                children.insert(at, slot);
            }
        }
        if let Some(application) = &node.tracked_by {
            self.roots.entry(application.clone()).or_default().insert(key.clone());
        }
    }

    fn unlink(&mut self, slot: u32, key: &ResourceKey, node: &Node) {
        if self.by_uid.get(&node.uid) == Some(&slot) {
            self.by_uid.remove(&node.uid);
        }
        for owner in &node.owners {
            if let Some(children) = self.children.get_mut(owner) {
                children.retain(|child| *child != slot);
                if children.is_empty() {
                    self.children.remove(owner);
                }
            }
        }
        if let Some(application) = &node.tracked_by
            && let Some(roots) = self.roots.get_mut(application)
        {
            roots.remove(key);
            if roots.is_empty() {
                self.roots.remove(application);
            }
        }
    }

    /// The objects that own the object, directly or not, and the applications that track it or one of those.
    fn above(&self, slot: u32) -> Above {
        let mut found = Above::default();
        let mut seen = BTreeSet::from([slot]);
        let mut level = vec![slot];
        for _ in 0..MAX_OWNER_DEPTH {
            let mut above = Vec::new();
            for &slot in &level {
                let tracked_by = self.node(slot).and_then(|node| node.tracked_by.clone());
                found.applications.extend(tracked_by);
                above.extend(self.owner_slots(slot).filter(|owner| seen.insert(*owner)));
            }
            if above.is_empty() {
                break;
            }
            found
                .owners
                .extend(above.iter().filter_map(|&slot| Some(self.node(slot)?.key())));
            level = above;
        }
        found
    }

    fn remember_gone(&mut self, uid: Uid) {
        if !self.graves.insert(uid.clone()) {
            return;
        }
        self.grave_order.push_back(uid);
        if self.grave_order.len() > GRAVES
            && let Some(oldest) = self.grave_order.pop_front()
        {
            self.graves.remove(&oldest);
        }
    }
}

/// Is an observation of `uid` at `version` no news to somebody who knows `known`?
fn is_old(known: &Node, uid: &Uid, version: &ResourceVersion) -> bool {
    match version.compare(&known.resource_version) {
        Some(Ordering::Less) => true,
        Some(Ordering::Equal) => known.uid == *uid,
        Some(Ordering::Greater) | None => false,
    }
}

/// The controlling owner first: a tree hangs an object there.
fn owner_uids(metadata: &Value) -> Box<[Uid]> {
    let references = metadata["ownerReferences"].as_array().map(Vec::as_slice);
    let mut references: Vec<&Value> = references.unwrap_or_default().iter().collect();
    references.sort_by_key(|reference| reference["controller"] != Value::Bool(true));
    let uids = references.into_iter().map(|reference| Uid::new(text(reference, "uid")));
    uids.filter(|uid| !uid.is_empty()).collect()
}

fn split_api_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}
