//! The cluster's objects, with versions, identities, field ownership, finalizers, and the writing of H.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use capstan_engine::event::WriteError;
use capstan_model::{GroupKind, ResourceKey, Timestamp};
use serde_json::{Map, Value, json};

use crate::history::{Actor, Answer, Entry, Fact};
use crate::objects::{HOME, INVALID, is_going, key_of, text};

/// What a watch has to tell.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Changed(Value),
    Gone(ResourceKey, String),
}

#[derive(Clone, Debug)]
pub(crate) struct Store {
    pub(crate) now: Timestamp,
    /// Which cluster this is.
    pub(crate) place: usize,
    pub(crate) objects: BTreeMap<ResourceKey, Value>,
    pub(crate) history: Vec<Entry>,
    /// Kinds that are watched, and what their watches have not told yet.
    pub(crate) watches: BTreeMap<GroupKind, VecDeque<Change>>,
    /// Kinds of which a complete list is still to be given.
    pub(crate) unlisted: BTreeSet<GroupKind>,
    /// Nothing more may be created in a namespace.
    pub(crate) is_full: bool,
    /// Widgets are served.
    pub(crate) serves_widgets: bool,
    version: u64,
    identities: u64,
}

pub(crate) fn widgets() -> GroupKind {
    GroupKind::new("example.com", "Widget")
}

impl Store {
    pub(crate) fn new(now: Timestamp) -> Self {
        let mut store = Self {
            now,
            place: 0,
            objects: BTreeMap::new(),
            history: Vec::new(),
            watches: BTreeMap::new(),
            unlisted: BTreeSet::new(),
            is_full: false,
            serves_widgets: false,
            version: 100,
            identities: 0,
        };
        store.make_home();
        store
    }

    /// The namespace that the application goes to.
    pub(crate) fn make_home(&mut self) {
        let home =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": HOME}, "status": {"phase": "Active"}});
        self.plant(home, Actor::Somebody);
    }

    pub(crate) fn note(&mut self, fact: Fact) {
        let place = fact.is_of_cluster().then_some(self.place);
        self.history.push(Entry {
            at: self.now,
            place,
            fact,
        });
    }

    /// A request was answered: one of the cluster, or of the Application.
    pub(crate) fn note_answered(&mut self, request: u64, answer: Answer, version: u64, is_of_cluster: bool) {
        let fact = Fact::Answered {
            request,
            answer,
            version,
        };
        self.history.push(Entry {
            at: self.now,
            place: is_of_cluster.then_some(self.place),
            fact,
        });
    }

    /// An object that is there, or that others make.
    pub(crate) fn plant(&mut self, mut object: Value, by: Actor) -> Value {
        self.identities += 1;
        object["metadata"]["uid"] = json!(format!("uid-{}", self.identities));
        object["metadata"]["generation"] = json!(1);
        self.commit(object, by, None)
    }

    /// Writes one state down: a new version, H, and the watches.
    pub(crate) fn commit(&mut self, mut object: Value, by: Actor, request: Option<u64>) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let key = key_of(&object);
        let created = self.objects.insert(key.clone(), object.clone()).is_none();
        self.note(Fact::Written {
            by,
            request,
            object: object.clone(),
            created,
        });
        if let Some(watch) = self.watches.get_mut(&key.group_kind()) {
            watch.push_back(Change::Changed(object.clone()));
        }
        object
    }

    /// Takes an object away.
    pub(crate) fn remove(&mut self, key: &ResourceKey, by: Actor) {
        let Some(object) = self.objects.remove(key) else { return };
        self.version += 1;
        let uid = text(&object, "/metadata/uid").to_owned();
        self.note(Fact::Removed { by, object });
        if let Some(watch) = self.watches.get_mut(&key.group_kind()) {
            watch.push_back(Change::Gone(key.clone(), uid));
        }
    }

    /// Is there a place for it? As the API says it.
    pub(crate) fn admit(&self, key: &ResourceKey, exists: bool) -> Result<(), WriteError> {
        if key.group_kind() == widgets() && !self.serves_widgets {
            return Err(WriteError::PathNotFound(format!(
                "the server does not serve {}",
                widgets()
            )));
        }
        if key.namespace.is_empty() {
            return Ok(());
        }
        let namespace = ResourceKey::new("", "Namespace", "", &key.namespace);
        match self.objects.get(&namespace) {
            None => Err(WriteError::PathNotFound(format!(
                "namespace {:?} not found",
                key.namespace
            ))),
            Some(found) if is_going(found) && !exists => Err(WriteError::Forbidden(format!(
                "namespace {:?} is being terminated",
                key.namespace
            ))),
            Some(_) if self.is_full && !exists => Err(WriteError::Forbidden(format!(
                "{:?} is forbidden: exceeded quota: objects, used: 9, limited: 9",
                key.name
            ))),
            Some(_) => Ok(()),
        }
    }

    /// Server-side apply by the controller. What it owned and no longer says goes; what changes nothing commits nothing.
    pub(crate) fn apply(&mut self, desired: &Value, dry: bool, request: u64) -> Result<Value, WriteError> {
        let key = key_of(desired);
        let old = self.objects.get(&key).cloned();
        self.admit(&key, old.is_some())?;
        let mut new = old.clone().unwrap_or_else(|| json!({"metadata": {}}));
        if let Some(owned) = new.pointer("/metadata/managedFields/0/fieldsV1").cloned() {
            disown(&mut new, &owned, desired);
        }
        merge(&mut new, desired);
        self.finish(old.as_ref(), new, desired, dry, request)
    }

    /// A PUT: everything that is not said goes, but for what the server writes.
    pub(crate) fn replace(
        &mut self,
        desired: &Value,
        version: &str,
        dry: bool,
        request: u64,
    ) -> Result<Value, WriteError> {
        let key = key_of(desired);
        let Some(old) = self.objects.get(&key).cloned() else {
            return Err(WriteError::NotFound(format!("{key} not found")));
        };
        if !version.is_empty() && text(&old, "/metadata/resourceVersion") != version {
            return Err(WriteError::Conflict(format!("{key} has been modified")));
        }
        let mut new = desired.clone();
        for field in [
            "uid",
            "generation",
            "resourceVersion",
            "deletionTimestamp",
            "managedFields",
        ] {
            if let Some(value) = old["metadata"].get(field) {
                new["metadata"][field] = value.clone();
            }
        }
        if let Some(status) = old.get("status") {
            new["status"] = status.clone();
        }
        self.finish(Some(&old), new, desired, dry, request)
    }

    pub(crate) fn create(&mut self, desired: &Value, dry: bool, request: u64) -> Result<Value, WriteError> {
        let key = key_of(desired);
        if self.objects.contains_key(&key) {
            return Err(WriteError::Conflict(format!("{key} already exists")));
        }
        self.apply(desired, dry, request)
    }

    fn finish(
        &mut self,
        old: Option<&Value>,
        mut new: Value,
        desired: &Value,
        dry: bool,
        request: u64,
    ) -> Result<Value, WriteError> {
        let key = key_of(desired);
        let is_changed = old.is_none_or(|old| old["spec"] != new["spec"]);
        let labels = new.pointer("/metadata/labels").and_then(Value::as_object);
        if labels.is_some_and(|labels| labels.values().any(|value| value == INVALID)) {
            return Err(WriteError::Invalid(format!(
                "{key} is invalid: metadata.labels: Invalid value: {INVALID:?}"
            )));
        }
        if matches!(key.kind.as_str(), "Job" | "PersistentVolumeClaim") && old.is_some() && is_changed {
            return Err(WriteError::Invalid(format!(
                "{key} is invalid: spec: field is immutable"
            )));
        }
        let theirs = old.and_then(|old| old.pointer("/metadata/managedFields")?.as_array());
        let theirs = theirs
            .into_iter()
            .flatten()
            .filter(|entry| text(entry, "/manager") != "capstan");
        let ours = json!({"manager": "capstan", "operation": "Apply", "fieldsV1": fields(desired)});
        new["metadata"]["managedFields"] = std::iter::once(ours).chain(theirs.cloned()).collect();
        let generation = old.map_or(0, |old| old["metadata"]["generation"].as_i64().unwrap_or(0));
        new["metadata"]["generation"] = json!(generation + i64::from(is_changed));
        if old == Some(&new) || dry {
            return Ok(new);
        }
        if old.is_none() {
            self.identities += 1;
            new["metadata"]["uid"] = json!(format!("uid-{}", self.identities));
            match key.kind.as_str() {
                "Namespace" => new["status"] = json!({"phase": "Active"}),
                "PersistentVolumeClaim" => new["status"] = json!({"phase": "Pending"}),
                _ => {}
            }
        }
        Ok(self.commit(new, Actor::Us, Some(request)))
    }

    /// A DELETE with preconditions. Gives whether the object is gone by that.
    pub(crate) fn delete(&mut self, key: &ResourceKey, insists: &(String, String)) -> Result<bool, WriteError> {
        let Some(live) = self.objects.get(key).cloned() else {
            return Err(WriteError::NotFound(format!("{key} not found")));
        };
        let differs = |wanted: &str, pointer| !wanted.is_empty() && wanted != text(&live, pointer);
        if differs(&insists.0, "/metadata/uid") || differs(&insists.1, "/metadata/resourceVersion") {
            return Err(WriteError::Conflict(format!("{key} is not what was read")));
        }
        Ok(self.delete_by(key, Actor::Us))
    }

    pub(crate) fn delete_by(&mut self, key: &ResourceKey, by: Actor) -> bool {
        let Some(mut live) = self.objects.get(key).cloned() else {
            return true;
        };
        let is_held = live.pointer("/metadata/finalizers").and_then(Value::as_array);
        let is_held = is_held.is_some_and(|all| !all.is_empty());
        if !is_held && key.kind != "Namespace" {
            self.remove(key, by);
            return true;
        }
        if !is_going(&live) {
            live["metadata"]["deletionTimestamp"] = json!(self.now.to_string());
            self.commit(live, by, None);
        }
        false
    }
}

/// Maps are merged, everything else is replaced.
fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

/// Takes away what was owned and is no longer said.
fn disown(live: &mut Value, owned: &Value, desired: &Value) {
    let (Value::Object(live), Value::Object(owned)) = (live, owned) else {
        return;
    };
    for (name, inner) in owned {
        let Some(name) = name.strip_prefix("f:") else { continue };
        match (live.get_mut(name), desired.get(name)) {
            (Some(_), None) => drop(live.remove(name)),
            (Some(value), Some(said)) => disown(value, inner, said),
            (None, _) => {}
        }
    }
}

fn fields(value: &Value) -> Value {
    let Value::Object(map) = value else { return json!({}) };
    let mut owned = Map::new();
    for (name, value) in map {
        if !matches!(name.as_str(), "apiVersion" | "kind" | "name" | "namespace") {
            owned.insert(format!("f:{name}"), fields(value));
        }
    }
    Value::Object(owned)
}
