//! The cluster of the recordings, by the rules that came with them. It knows nothing of the engine.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::case::{Case, Script, key_of, name_in_script};

const MIGRATED: &str = "kubectl-client-side-apply";
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Kinds that are served while their definition is live: definition, group, version, kind, namespaced.
const CUSTOM: [(&str, &str, &str, &str, bool); 3] = [
    ("widgets.example.com", "example.com", "v1", "Widget", true),
    ("zones.example.com", "example.com", "v1", "Zone", false),
    ("gadgets.acme.io", "acme.io", "v1alpha1", "Gadget", true),
];

/// Is it the group of a custom resource?
pub(crate) fn is_custom(group: &str) -> bool {
    CUSTOM.iter().any(|custom| custom.1 == group)
}

/// Is it a custom resource without a namespace?
pub(crate) fn is_cluster_scoped(group: &str, kind: &str) -> bool {
    CUSTOM
        .iter()
        .any(|custom| custom.1 == group && custom.3 == kind && !custom.4)
}

/// The definition of a custom resource.
pub(crate) fn definition_of(group: &str, kind: &str) -> Option<&'static str> {
    let mut all = CUSTOM.into_iter();
    all.find(|custom| custom.1 == group && custom.3 == kind)
        .map(|custom| custom.0)
}

/// Kinds that are healthy unless the script says otherwise.
const HEALTHY: [&str; 9] = [
    "Service",
    "Pod",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "Job",
    "Ingress",
    "Gadget",
];

/// An object and what happens to it.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) value: Value,
    uid: u64,
    version: u64,
    /// Round in which it was first deleted; 0 is before the first.
    deleted: Option<u32>,
    linger: u32,
    client_side: bool,
    /// Round of its last real apply in this operation.
    applied: Option<u32>,
    /// It was healthy at some time since.
    was_ready: bool,
}

/// Why a request was refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    NotFound,
    Because(String),
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) objects: BTreeMap<String, Object>,
    script: Script,
    /// Hooks without a name: how ours begins, and the recordings'.
    generated: Vec<(String, String)>,
    pub(crate) round: u32,
    /// What somebody else deleted: itself, what it lived in, or what defined its kind.
    pub(crate) taken: BTreeSet<String>,
    uids: u64,
    versions: u64,
}

impl World {
    pub(crate) fn new(case: &Case, script: Script) -> Self {
        let mut world = Self {
            objects: BTreeMap::new(),
            script,
            generated: case.generated_names(),
            round: 1,
            taken: BTreeSet::new(),
            uids: 0,
            versions: 100,
        };
        for live in &case.live {
            let key = key_of(&live.obj);
            let deleted = live.deleting.then_some(0);
            world.uids += 1;
            if live.deleting {
                world.taken.insert(key.clone());
            }
            let object = Object {
                value: live.obj.clone(),
                uid: world.uids,
                version: 1,
                deleted,
                linger: world.script.linger.get(&key).copied().unwrap_or(0),
                client_side: live.csa,
                applied: None,
                was_ready: false,
            };
            world.objects.insert(key, object);
        }
        world
    }

    /// Kinds of custom resources that are served now: group, version, kind, namespaced.
    pub(crate) fn custom_kinds(&self) -> Vec<(&'static str, &'static str, &'static str, bool)> {
        CUSTOM
            .into_iter()
            .filter(|(name, ..)| self.is_defined(name))
            .map(|(_, group, version, kind, namespaced)| (group, version, kind, namespaced))
            .collect()
    }

    fn is_defined(&self, definition: &str) -> bool {
        let key = format!("apiextensions.k8s.io/CustomResourceDefinition//{definition}");
        self.objects.contains_key(&key)
    }

    fn definition_of(key: &str) -> Option<&'static str> {
        let mut parts = key.split('/');
        definition_of(parts.next()?, parts.next()?)
    }

    /// A round begins.
    pub(crate) fn tick(&mut self) {
        self.round += 1;
        let round = self.round;
        for object in self.objects.values_mut() {
            if object.deleted.is_some_and(|deleted| deleted + 2 <= round) {
                object.linger = object.linger.saturating_sub(1);
            }
        }
        self.objects.retain(|_, object| !is_over(object));
        let orphans: Vec<String> = self.objects.keys().filter(|key| self.is_orphan(key)).cloned().collect();
        for key in orphans {
            if super::trouble::homes(&key).iter().any(|home| self.taken.contains(home)) {
                self.taken.insert(key.clone());
            }
            self.objects.remove(&key);
        }
        let due: Vec<(String, bool)> = self
            .script
            .vanish
            .iter()
            .filter(|vanish| vanish.before_round == round)
            .map(|vanish| (vanish.key.clone(), vanish.force))
            .collect();
        for (key, force) in due {
            let is_it = |other: &&String| name_in_script(&self.generated, other) == key;
            let Some(key) = self.objects.keys().find(is_it).cloned() else {
                continue;
            };
            let Some(object) = self.objects.get_mut(&key) else {
                continue;
            };
            if force && let Some(metadata) = object.value["metadata"].as_object_mut() {
                metadata.remove("finalizers");
            }
            if object.deleted.is_none() {
                self.taken.insert(key.clone());
            }
            object.deleted.get_or_insert(round - 1);
            if is_over(object) {
                self.objects.remove(&key);
            }
        }
        self.look();
    }

    /// Notes what is healthy now.
    fn look(&mut self) {
        let is_ready =
            |(key, object): &(&String, &Object)| matches!(self.health(key, object).as_str(), "Healthy" | "none");
        let ready: Vec<String> = self
            .objects
            .iter()
            .filter(is_ready)
            .map(|(key, _)| key.clone())
            .collect();
        for key in ready {
            self.objects.entry(key).and_modify(|object| object.was_ready = true);
        }
    }

    /// What is there, and whether it says that it is a hook.
    pub(crate) fn there(&self) -> BTreeMap<String, bool> {
        let all = self.objects.iter();
        all.map(|(key, object)| (key.clone(), super::end::is_hook(&object.value)))
            .collect()
    }

    /// What was written in this operation and was at no time healthy since.
    pub(crate) fn unready(&self) -> BTreeSet<String> {
        let unready = |object: &Object| object.applied.is_some() && !object.was_ready && object.deleted.is_none();
        let all = self.objects.iter().filter(|(_, object)| unready(object));
        all.map(|(key, _)| key.clone()).collect()
    }

    fn is_orphan(&self, key: &str) -> bool {
        let namespace = key.split('/').nth(2).unwrap_or_default();
        let is_homeless = !namespace.is_empty() && !self.objects.contains_key(&format!("/Namespace//{namespace}"));
        is_homeless || Self::definition_of(key).is_some_and(|name| !self.is_defined(name))
    }

    fn failure(&self, op: &str, key: &str) -> Option<&str> {
        let key = name_in_script(&self.generated, key);
        let fail = self.script.fail.iter().find(|fail| fail.op == op && fail.key == key)?;
        Some(&fail.message)
    }

    /// Objects that the permission check refuses; a hook without a name under both its names, ours as a glob.
    pub(crate) fn denials(&self) -> impl Iterator<Item = String> {
        // Without a name it is nobody's, and a project's rule without one would be everybody's.
        let is_denial = |fail: &&super::case::Fail| fail.op == "deny" && !fail.key.ends_with('/');
        let denials = self.script.fail.iter().filter(is_denial);
        denials.flat_map(|fail| {
            let generated = self.generated.iter().filter(|(_, theirs)| *theirs == fail.key);
            let ours = generated.map(|(ours, _)| format!("{ours}*"));
            ours.chain([fail.key.clone()]).collect::<Vec<_>>()
        })
    }

    /// Would a write be refused?
    pub(crate) fn rehearse(&self, key: &str, dry_run: bool) -> Result<(), Refusal> {
        let op = if dry_run { "dry-run" } else { "apply" };
        if let Some(message) = self.failure(op, key) {
            return Err(Refusal::Because(message.to_owned()));
        }
        if Self::definition_of(key).is_some_and(|name| !self.is_defined(name)) {
            return Err(Refusal::Because(format!("no matches for kind of {key}")));
        }
        let namespace = key.split('/').nth(2).unwrap_or_default();
        if !dry_run && !namespace.is_empty() && !self.objects.contains_key(&format!("/Namespace//{namespace}")) {
            return Err(Refusal::Because(format!("namespaces {namespace:?} not found")));
        }
        Ok(())
    }

    /// A real write: the target replaces what is there.
    pub(crate) fn write(&mut self, key: &str, target: &Value) -> Result<(), Refusal> {
        self.rehearse(key, false)?;
        let round = self.round;
        let named = name_in_script(&self.generated, key);
        let linger = self.script.linger.get(named).copied().unwrap_or(0);
        self.versions += 1;
        let versions = self.versions;
        let object = self.objects.entry(key.to_owned()).or_insert_with(|| {
            self.uids += 1;
            Object {
                value: Value::Null,
                uid: self.uids,
                version: 0,
                deleted: None,
                linger,
                client_side: false,
                applied: None,
                was_ready: false,
            }
        });
        let mut target = target.clone();
        if let Some(target) = target.as_object_mut() {
            target.remove("status");
        }
        object.value = target;
        (object.client_side, object.applied, object.version) = (false, Some(round), versions);
        object.was_ready = false;
        self.look();
        Ok(())
    }

    pub(crate) fn migrate(&mut self, key: &str) -> Result<(), Refusal> {
        let object = self.objects.get_mut(key).ok_or(Refusal::NotFound)?;
        object.client_side = false;
        Ok(())
    }

    pub(crate) fn release(&mut self, key: &str, finalizer: &str) -> Result<(), Refusal> {
        if let Some(message) = self.failure("finalizer", key) {
            return Err(Refusal::Because(message.to_owned()));
        }
        let object = self.objects.get_mut(key).ok_or(Refusal::NotFound)?;
        if let Some(finalizers) = object.value["metadata"]["finalizers"].as_array_mut() {
            finalizers.retain(|other| other != finalizer);
        }
        if is_over(object) {
            self.objects.remove(key);
        }
        Ok(())
    }

    /// Gives whether it is gone at once.
    pub(crate) fn delete(&mut self, key: &str) -> Result<bool, Refusal> {
        if let Some(message) = self.failure("delete", key) {
            return Err(Refusal::Because(message.to_owned()));
        }
        let round = self.round;
        let object = self.objects.get_mut(key).ok_or(Refusal::NotFound)?;
        object.deleted.get_or_insert(round);
        let is_gone = is_over(object);
        if is_gone {
            self.objects.remove(key);
        }
        Ok(is_gone)
    }

    fn health(&self, key: &str, object: &Object) -> String {
        let kind = key.split('/').nth(1).unwrap_or_default();
        let default = if HEALTHY.contains(&kind) { "Healthy" } else { "none" };
        let key = name_in_script(&self.generated, key);
        let scripted = match object.applied {
            Some(applied) => self.script.health.get(key).and_then(|statuses| {
                let at = (self.round - applied).max(1) as usize - 1;
                statuses.get(at).or(statuses.last())
            }),
            None => self.script.live_health.get(key),
        };
        scripted.map_or(default, String::as_str).to_owned()
    }

    /// Everything as it is to be seen now.
    pub(crate) fn view(&self) -> BTreeMap<String, Value> {
        let seen = |(key, object): (&String, &Object)| (key.clone(), self.seen(key, object));
        self.objects.iter().map(seen).collect()
    }

    fn seen(&self, key: &str, object: &Object) -> Value {
        let mut value = object.value.clone();
        let health = self.health(key, object);
        value["status"] = json!({"scripted": health, "message": message(&health, key)});
        let owned = owned_fields(&value);
        let metadata = &mut value["metadata"];
        metadata["uid"] = json!(format!("uid-{}", object.uid));
        if object.client_side {
            // As `kubectl apply` leaves it: what is not in it was not applied.
            metadata["annotations"][LAST_APPLIED] = json!(object.value.to_string());
        }
        if object.deleted.is_some() {
            metadata["deletionTimestamp"] = json!("2026-01-02T03:04:05Z");
        }
        let (manager, operation) = match object.client_side {
            true => (MIGRATED, "Update"),
            false => ("argocd-controller", "Apply"),
        };
        metadata["managedFields"] =
            json!([{"manager": manager, "operation": operation, "fieldsType": "FieldsV1", "fieldsV1": owned}]);
        value
    }

    /// Keys of everything that is there and not on its way out.
    pub(crate) fn settled(&self) -> BTreeSet<String> {
        let stays = self.objects.iter().filter(|(_, object)| object.deleted.is_none());
        stays.map(|(key, _)| key.clone()).collect()
    }
}

fn message(health: &str, key: &str) -> String {
    let name = key.rsplit('/').next().unwrap_or_default();
    match health {
        "Healthy" | "" | "none" => String::new(),
        health => format!("{name} is {health}"),
    }
}

/// Deleted, and nothing holds it.
fn is_over(object: &Object) -> bool {
    let finalizers = object.value.pointer("/metadata/finalizers").and_then(Value::as_array);
    object.deleted.is_some() && object.linger == 0 && finalizers.is_none_or(Vec::is_empty)
}

/// Everything that a desired object may say, as owned by whoever wrote it.
fn owned_fields(value: &Value) -> Value {
    let mut owned = Map::new();
    for name in ["data", "spec"] {
        if let Some(part) = value.get(name) {
            owned.insert(format!("f:{name}"), fields(part));
        }
    }
    let mut metadata = Map::new();
    for name in ["labels", "annotations"] {
        if let Some(part) = value["metadata"].get(name) {
            metadata.insert(format!("f:{name}"), fields(part));
        }
    }
    owned.insert("f:metadata".into(), Value::Object(metadata));
    Value::Object(owned)
}

fn fields(value: &Value) -> Value {
    let entries = value.as_object().into_iter().flatten();
    Value::Object(
        entries
            .map(|(name, value)| (format!("f:{name}"), fields(value)))
            .collect(),
    )
}
