//! A cluster of maps: enough of a Kubernetes API to sync against, and its history, which is what the properties read.

use std::collections::{BTreeMap, BTreeSet};

use capstan_engine::effect::{ApplyMode, ApplyTask, DryRun, Propagation};
use capstan_engine::event::{Deletion, Discovery, ServedKind, WriteError};
use capstan_engine::guard::{Content, DeletePermit, Survey};
use capstan_engine::writing::{FormerFields, take_over_fields};
use capstan_model::{ClusterId, GroupKind, ResourceKey};
use serde_json::{Map, Value, json};

/// What happened to an object, in order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fact {
    /// Written by the engine; at this generation. `create` by a create, not an apply.
    Written {
        key: ResourceKey,
        uid: String,
        generation: i64,
        create: bool,
        operation: String,
    },
    /// Fields of others became the engine's.
    HandedOver { key: ResourceKey },
    /// Deleted by the engine.
    Deleted { key: ResourceKey },
    /// Its controller has seen this generation, and it works (or does not).
    Observed {
        key: ResourceKey,
        uid: String,
        generation: i64,
        healthy: bool,
    },
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Cluster {
    /// Where it answers; empty is where the controller runs.
    pub(crate) address: String,
    pub(crate) objects: BTreeMap<ResourceKey, Value>,
    pub(crate) history: Vec<Fact>,
    pub(crate) watched: BTreeSet<GroupKind>,
    /// Workloads and Jobs that end badly, by name.
    pub(crate) broken: BTreeSet<String>,
    /// Workloads and Jobs whose controller does nothing, by name.
    pub(crate) silent: BTreeSet<String>,
    /// Nobody may take a finalizer off.
    pub(crate) keeps_finalizers: bool,
    /// Whoever takes a finalizer off is told that it is off, and it is put back at once.
    pub(crate) restores_finalizers: bool,
    /// Objects that the server refuses to write, by name.
    pub(crate) refused: BTreeSet<String>,
    /// Objects that the server would write, and refuses when it comes to that, by name.
    pub(crate) refused_late: BTreeSet<String>,
    /// Objects that cannot be changed once they are there, by name.
    pub(crate) immutable: BTreeSet<String>,
    /// Claims that bind when something mounts them, by name.
    pub(crate) lazy: BTreeSet<String>,
    /// The last write of each object, as it was asked for.
    pub(crate) asked: BTreeMap<ResourceKey, ApplyTask>,
    /// How each deleted object was.
    pub(crate) propagation: BTreeMap<ResourceKey, Propagation>,
    /// Nothing may be listed.
    pub(crate) forbids_lists: bool,
    /// Somebody writes these, by name, right before their fields are handed over; once each.
    pub(crate) busy: BTreeSet<String>,
    /// Deletes go to a proxy that has no server behind it: it answers 404.
    pub(crate) loses_deletes: bool,
    version: u64,
    identities: u64,
}

pub(crate) fn key_of(object: &Value) -> ResourceKey {
    let text = |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let group = text("/apiVersion").split_once('/').map_or("", |(group, _)| group);
    ResourceKey::new(
        group,
        text("/kind"),
        text("/metadata/namespace"),
        text("/metadata/name"),
    )
}

pub(crate) fn discovery() -> Discovery {
    let mut discovery = Discovery {
        cluster_uid: "cluster".into(),
        version: "v1.36.3".into(),
        ..Discovery::default()
    };
    for (group, kind, namespaced) in [
        ("", "ConfigMap", true),
        ("", "Pod", true),
        ("", "Service", true),
        ("", "Secret", true),
        ("", "Namespace", false),
        ("", "Secret", true),
        ("", "PersistentVolumeClaim", true),
        ("apiextensions.k8s.io", "CustomResourceDefinition", false),
        ("a.io", "Thing", true),
        ("apps", "Deployment", true),
        ("apps", "ReplicaSet", true),
        ("batch", "Job", true),
        ("rbac.authorization.k8s.io", "ClusterRole", false),
    ] {
        let served = ServedKind {
            version: "v1".into(),
            versions: vec!["v1".into()],
            plural: format!("{}s", kind.to_lowercase()),
            namespaced,
            watchable: true,
        };
        discovery.kinds.insert(GroupKind::new(group, kind), served);
    }
    discovery
}

impl Cluster {
    pub(crate) fn id(&self) -> ClusterId {
        match self.address.as_str() {
            "" => ClusterId::in_cluster(),
            address => ClusterId(address.to_owned()),
        }
    }

    fn stamp(&mut self, object: &mut Value) {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
    }

    pub(crate) fn apply(&mut self, task: &ApplyTask) -> Result<Value, WriteError> {
        let desired = task.object.value().unwrap();
        let key = key_of(&desired);
        self.asked.insert(key.clone(), task.clone());
        let create = task.mode == ApplyMode::Create;
        let old = self.objects.get(&key).cloned();
        let is_late = task.dry_run == DryRun::No && self.refused_late.contains(&key.name);
        // Without being asked the server cannot say so.
        let is_fixed = task.dry_run != DryRun::Client && self.immutable.contains(&key.name) && old.is_some();
        if is_late || is_fixed || self.refused.contains(&key.name) {
            return Err(WriteError::Invalid(format!(
                "{key} is invalid: spec: field is immutable"
            )));
        }
        if create && old.is_some() {
            return Err(WriteError::Conflict(format!("{key} already exists")));
        }
        let mut new = self.base(old.as_ref(), &task.mode);
        merge(&mut new, &desired);
        own(old.as_ref(), &mut new, &fields(&desired));
        if old.as_ref().is_some_and(|old| old["spec"] != new["spec"]) {
            new["metadata"]["generation"] = json!(new["metadata"]["generation"].as_i64().unwrap() + 1);
        }
        if task.dry_run != DryRun::No {
            return Ok(new);
        }
        // What changes nothing commits nothing.
        if old.as_ref().is_none_or(|old| *old != new) {
            self.stamp(&mut new);
        }
        let text = |pointer| {
            new.pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        self.history.push(Fact::Written {
            key: key.clone(),
            uid: text("/metadata/uid"),
            generation: new["metadata"]["generation"].as_i64().unwrap(),
            create,
            operation: text("/metadata/annotations/capstan.dev~1operation"),
        });
        self.objects.insert(key, new.clone());
        Ok(new)
    }

    /// What a write is put into.
    fn base(&mut self, old: Option<&Value>, mode: &ApplyMode) -> Value {
        match (old, mode) {
            (Some(old), ApplyMode::Replace { .. }) => {
                let metadata = &old["metadata"];
                json!({"metadata": {"uid": metadata["uid"], "generation": metadata["generation"],
                    "resourceVersion": metadata["resourceVersion"]}, "status": old["status"]})
            }
            (Some(old), _) => old.clone(),
            (None, _) => {
                self.identities += 1;
                json!({"metadata": {"uid": format!("uid-{}", self.identities), "generation": 1}})
            }
        }
    }

    /// Hands the fields of others over, as an executor does.
    pub(crate) fn hand_over(&mut self, key: &ResourceKey, from: &FormerFields) -> Result<Value, WriteError> {
        let Some(live) = self.objects.get(key).cloned() else {
            return Err(WriteError::NotFound(format!("{key} not found")));
        };
        if self.immutable.contains(&key.name) {
            return Err(WriteError::Invalid(format!("{key} is invalid: metadata.managedFields")));
        }
        if self.busy.remove(&key.name) {
            self.edit(key, &["data", "busy"], json!("1"), "somebody");
            return Err(WriteError::Conflict(format!("{key} has been modified")));
        }
        let Some(patch) = take_over_fields(&live, from) else {
            return Ok(live);
        };
        assert_eq!(patch[1]["value"], live["metadata"]["resourceVersion"]);
        let mut new = live;
        new["metadata"]["managedFields"] = patch[0]["value"].clone();
        self.stamp(&mut new);
        self.history.push(Fact::HandedOver { key: key.clone() });
        self.objects.insert(key.clone(), new.clone());
        Ok(new)
    }

    pub(crate) fn delete(&mut self, permit: &DeletePermit) -> Result<Deletion, WriteError> {
        let key = permit.key().clone();
        if self.loses_deletes {
            return Err(WriteError::PathNotFound("404 page not found".into()));
        }
        let Some(live) = self.objects.get(&key) else {
            return Err(WriteError::NotFound(format!("{key} not found")));
        };
        if let Err(refusal) = permit.check(live) {
            return Ok(Deletion::Refused(refusal));
        }
        if let Some(survey) = permit.survey(live) {
            if self.forbids_lists {
                return Ok(Deletion::Refused(permit.not_surveyed("lists are forbidden")));
            }
            if let Err(refusal) = permit.check_contents(&self.contents(&survey)) {
                return Ok(Deletion::Refused(refusal));
            }
        }
        let is_held = live["metadata"]["finalizers"]
            .as_array()
            .is_some_and(|all| !all.is_empty());
        self.history.push(Fact::Deleted { key: key.clone() });
        if is_held {
            self.version += 1;
            let version = json!(self.version.to_string());
            let live = self.objects.get_mut(&key).unwrap();
            live["metadata"]["deletionTimestamp"] = json!("2026-03-14T09:00:00Z");
            live["metadata"]["resourceVersion"] = version;
            return Ok(Deletion::Accepted);
        }
        self.objects.remove(&key);
        Ok(Deletion::Gone)
    }

    fn contents(&self, survey: &Survey) -> Vec<Content> {
        let within = |key: &ResourceKey| match survey {
            Survey::Namespace(name) => key.namespace == *name,
            Survey::Definition { kind, .. } => key.group_kind() == *kind,
        };
        let objects = self.objects.iter().filter(|(key, _)| within(key));
        objects
            .map(|(key, object)| Content::of(&key.group_kind(), object))
            .collect()
    }

    /// Takes a finalizer off. Gives the object as it was, when it is gone by that.
    pub(crate) fn release(&mut self, key: &ResourceKey, finalizer: &str) -> Option<Value> {
        let restores = self.restores_finalizers;
        let live = self.objects.get_mut(key)?;
        let finalizers = live["metadata"]["finalizers"].as_array_mut()?;
        finalizers.retain(|other| other != finalizer || restores);
        let is_over = finalizers.is_empty() && live["metadata"]["deletionTimestamp"].is_string();
        let mut object = live.clone();
        self.stamp(&mut object);
        self.objects.insert(key.clone(), object);
        is_over.then(|| self.objects.remove(key)).flatten()
    }

    /// Somebody else deletes it, or it removes itself.
    pub(crate) fn expire(&mut self, key: &ResourceKey) {
        let mut object = self.objects[key].clone();
        let finalizers = object["metadata"]["finalizers"].as_array();
        if finalizers.is_none_or(Vec::is_empty) {
            self.objects.remove(key);
            return;
        }
        object["metadata"]["deletionTimestamp"] = json!("2026-03-14T09:00:00Z");
        self.stamp(&mut object);
        self.objects.insert(key.clone(), object);
    }

    /// Somebody else writes one field.
    pub(crate) fn edit(&mut self, key: &ResourceKey, path: &[&str], value: Value, manager: &str) {
        let mut object = self.objects[key].clone();
        let mut at = &mut object;
        let mut owned = json!({});
        for name in path.iter().rev() {
            owned = json!({format!("f:{name}"): owned});
        }
        for name in path {
            at = &mut at[*name];
        }
        *at = value;
        let generation = object["metadata"]["generation"].as_i64().unwrap();
        object["metadata"]["generation"] = json!(generation + 1);
        let entry =
            json!({"manager": manager, "operation": "Update", "time": "2026-01-01T00:00:00Z", "fieldsV1": owned});
        object["metadata"]["managedFields"].as_array_mut().unwrap().push(entry);
        self.stamp(&mut object);
        self.objects.insert(key.clone(), object);
    }

    /// Workloads whose controller has something to do: behind their generation, or Jobs that have not ended.
    pub(crate) fn behind(&self) -> Vec<ResourceKey> {
        let is_behind = |(key, object): &(&ResourceKey, &Value)| match key.kind.as_str() {
            "Deployment" => object["status"]["observedGeneration"] != object["metadata"]["generation"],
            "Job" | "CustomResourceDefinition" => object["status"]["conditions"].is_null(),
            "PersistentVolumeClaim" => match object["status"]["phase"].as_str() {
                Some("Pending") => self.binds(key),
                phase => phase.is_none(),
            },
            _ => false,
        };
        self.objects
            .iter()
            .filter(|(key, _)| !self.silent.contains(&key.name))
            .filter(is_behind)
            .map(|(key, _)| key.clone())
            .collect()
    }

    fn binds(&self, claim: &ResourceKey) -> bool {
        let mounts = |object: &Value| {
            let volumes = object.pointer("/spec/template/spec/volumes").and_then(Value::as_array);
            volumes.is_some_and(|all| {
                all.iter()
                    .any(|volume| volume["persistentVolumeClaim"]["claimName"] == json!(claim.name))
            })
        };
        !self.lazy.contains(&claim.name) || self.objects.values().any(mounts)
    }

    /// Its controller does its work.
    pub(crate) fn work(&mut self, key: &ResourceKey) -> Value {
        let mut object = self.objects[key].clone();
        let healthy = !self.broken.contains(&key.name) && !object["spec"]["broken"].as_bool().unwrap_or(false);
        let generation = object["metadata"]["generation"].clone();
        let replicas = object["spec"]["replicas"].as_i64().unwrap_or(1);
        let condition = |kind: &str, status: &str, reason: &str| json!({"type": kind, "status": status, "reason": reason, "message": format!("{} {reason}", key.name)});
        object["status"] = match (key.kind.as_str(), healthy) {
            ("Job", true) => json!({"succeeded": 1, "conditions": [condition("Complete", "True", "Done")]}),
            ("CustomResourceDefinition", _) => {
                json!({"conditions": [condition("Established", "True", "InitialNamesAccepted"), condition("NamesAccepted", "True", "NoConflicts")]})
            }
            ("PersistentVolumeClaim", _) => json!({"phase": if self.binds(key) { "Bound" } else { "Pending" }}),
            ("Job", false) => json!({"failed": 1, "conditions": [condition("Failed", "True", "BackoffLimitExceeded")]}),
            (_, true) => {
                json!({"observedGeneration": generation, "replicas": replicas, "updatedReplicas": replicas, "availableReplicas": replicas, "readyReplicas": replicas, "conditions": [condition("Available", "True", "MinimumReplicasAvailable")]})
            }
            (_, false) => {
                json!({"observedGeneration": generation, "replicas": replicas, "updatedReplicas": 1, "availableReplicas": 0, "conditions": [condition("Progressing", "False", "ProgressDeadlineExceeded")]})
            }
        };
        self.stamp(&mut object);
        self.history.push(Fact::Observed {
            key: key.clone(),
            uid: object["metadata"]["uid"].as_str().unwrap().to_owned(),
            generation: object["metadata"]["generation"].as_i64().unwrap(),
            healthy,
        });
        self.objects.insert(key.clone(), object.clone());
        object
    }
}

/// A merge patch: what is null goes.
pub(crate) fn merge_patch(into: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    for (name, value) in fields {
        if value.is_null() {
            into.as_object_mut().unwrap().remove(name);
        } else {
            merge_patch(&mut into[name.as_str()], value);
        }
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

/// Ownership after we applied `owned`: what we owned before, nobody else owns and is not applied any more goes; whose fields we changed loses
/// them.
fn own(old: Option<&Value>, new: &mut Value, owned: &Value) {
    let entries = old.and_then(|old| old["metadata"]["managedFields"].as_array());
    let is_ours = |entry: &&Value| entry["manager"] == "capstan" && entry["operation"] == "Apply";
    let (ours, mut others): (Vec<Value>, Vec<Value>) = entries
        .into_iter()
        .flatten()
        .cloned()
        .partition(|entry| is_ours(&entry));
    for path in ours.iter().flat_map(|entry| leaves(&entry["fieldsV1"])) {
        let is_owned = |fields: &Value| {
            path.iter()
                .try_fold(fields, |at, name| at.get(format!("f:{name}")))
                .is_some()
        };
        if !is_owned(owned) && !others.iter().any(|entry| is_owned(&entry["fieldsV1"])) {
            remove(new, &path, "");
        }
    }
    for path in leaves(owned) {
        let at = |object: &Value| path.iter().try_fold(object, |at, name| at.get(name)).cloned();
        if old.and_then(at) != at(new) {
            for entry in &mut others {
                remove(&mut entry["fieldsV1"], &path, "f:");
            }
        }
    }
    others.retain(|entry| entry["fieldsV1"].as_object().is_some_and(|fields| !fields.is_empty()));
    others.push(json!({"manager": "capstan", "operation": "Apply", "fieldsV1": owned}));
    new["metadata"]["managedFields"] = json!(others);
}

/// Paths of a set of fields, without what they are inside of.
fn leaves(fields: &Value) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for (name, inner) in fields.as_object().into_iter().flatten() {
        let name = name.trim_start_matches("f:").to_owned();
        match leaves(inner) {
            below if below.is_empty() => all.push(vec![name]),
            below => all.extend(below.into_iter().map(|rest| [vec![name.clone()], rest].concat())),
        }
    }
    all
}

/// Takes a path out, and the maps that are empty then.
fn remove(from: &mut Value, path: &[String], prefix: &str) {
    let [name, rest @ ..] = path else { return };
    let Some(map) = from.as_object_mut() else { return };
    let name = format!("{prefix}{name}");
    if let (Some(inner), false) = (map.get_mut(&name), rest.is_empty()) {
        remove(inner, rest, prefix);
    }
    if rest.is_empty() || map.get(&name).and_then(Value::as_object).is_some_and(Map::is_empty) {
        map.remove(&name);
    }
}

fn fields(value: &Value) -> Value {
    let Value::Object(map) = value else { return json!({}) };
    let mut owned = Map::new();
    for (name, value) in map {
        let inner = fields(value);
        let is_identity = |value: &Value| value.get("name").is_some() && inner == json!({});
        if !matches!(name.as_str(), "apiVersion" | "kind" | "name" | "namespace") && !is_identity(value) {
            owned.insert(format!("f:{name}"), inner);
        }
    }
    Value::Object(owned)
}
