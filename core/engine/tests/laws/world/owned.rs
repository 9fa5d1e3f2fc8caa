//! What belongs to a workload: the ReplicaSet and the Pod of a Deployment, the claim that it mounts, and who else writes it.

use std::time::Duration;

use capstan_model::ResourceKey;
use serde_json::{Value, json};

use super::actors::Timer;
use super::{World, identity};
use crate::history::Actor;
use crate::objects::{HOME, PREFIX, is_contested, is_going, is_owned, key_of, text, tracking_id};

impl World {
    /// A Deployment of its ReplicaSet, and that of its Pod: what the controllers of the cluster make. A ReplicaSet gets its Deployment's
    /// annotations, and with them its tracking id; and some of the children carry an id that says that they are the application's.
    pub(super) fn make_children(&mut self, deployment: &Value) {
        let key = key_of(deployment);
        let is_there = |world: &Self, key: &ResourceKey| world.store.objects.contains_key(key);
        let namespace = ResourceKey::new("", "Namespace", "", &key.namespace);
        if self.store.objects.get(&namespace).is_none_or(is_going) {
            return;
        }
        let set = self.child("apps/v1", "ReplicaSet", deployment);
        if !is_there(self, &key_of(&set)) {
            self.store.plant(set.clone(), Actor::Cluster);
        }
        let Some(set) = self.store.objects.get(&key_of(&set)).cloned() else {
            return;
        };
        let pod = self.child("v1", "Pod", &set);
        if !is_there(self, &key_of(&pod)) {
            self.store.plant(pod, Actor::Cluster);
        }
    }

    fn child(&self, version: &str, kind: &str, owner: &Value) -> Value {
        let of = key_of(owner);
        let reference = json!([{"apiVersion": owner["apiVersion"], "kind": of.kind, "name": of.name, "uid": identity(owner), "controller": true}]);
        let name = format!("{}-{}", of.name, kind.to_lowercase());
        let mut child = json!({"apiVersion": version, "kind": kind,
            "metadata": {"name": name, "namespace": of.namespace, "ownerReferences": reference}});
        let number = of.name.bytes().find(u8::is_ascii_digit).unwrap_or(b'0') - b'0';
        match number {
            3 => {
                let id = tracking_id(&key_of(&child));
                child["metadata"]["annotations"] = json!({format!("{PREFIX}tracking-id"): id});
            }
            0 | 2 if kind == "ReplicaSet" => {
                child["metadata"]["annotations"] = owner["metadata"]["annotations"].clone();
            }
            _ => {}
        }
        child
    }

    /// What is owned by nothing that is there goes, and what is owned by that.
    pub(super) fn collect_owned(&mut self) {
        loop {
            let uids: Vec<String> = self.store.objects.values().map(identity).collect();
            let is_orphan = |object: &Value| {
                is_owned(object)
                    && !uids
                        .iter()
                        .any(|uid| uid == text(object, "/metadata/ownerReferences/0/uid"))
            };
            let orphans = self.store.objects.iter().filter(|(_, object)| is_orphan(object));
            let orphans: Vec<ResourceKey> = orphans.map(|(key, _)| key.clone()).collect();
            if orphans.is_empty() {
                return;
            }
            for key in orphans {
                self.store.remove(&key, Actor::Cluster);
            }
        }
    }

    /// A claim, or a Deployment, was written: they may find each other by their numbers.
    pub(super) fn follow_claim(&mut self, key: &ResourceKey) {
        let number = key.name.trim_start_matches(|letter: char| !letter.is_ascii_digit());
        let claim = ResourceKey::new("", "PersistentVolumeClaim", &key.namespace, format!("p{number}"));
        let consumer = ResourceKey::new("apps", "Deployment", &key.namespace, format!("d{number}"));
        let objects = &self.store.objects;
        let Some(object) = objects.get(&claim).filter(|_| objects.contains_key(&consumer)) else {
            return;
        };
        if text(object, "/status/phase") == "Pending" {
            let uid = identity(object);
            self.after(Duration::from_secs(2), Timer::Bind { key: claim, uid });
        }
    }

    pub(super) fn bind(&mut self, mut claim: Value) {
        if text(&claim, "/status/phase") == "Pending" {
            claim["status"] = json!({"phase": "Bound"});
            self.store.commit(claim, Actor::Cluster, None);
        }
    }

    /// Somebody changes replicas, for as long as anybody does anything.
    pub(super) fn scale(&mut self) {
        if self.is_quiet {
            return;
        }
        let key = ResourceKey::new("apps", "Deployment", HOME, "d1");
        if let Some(mut object) = self.store.objects.get(&key).cloned()
            && is_contested(&object)
        {
            let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
            let (replicas, generation) = (number("/spec/replicas"), number("/metadata/generation"));
            object["spec"]["replicas"] = json!(replicas % 4 + 1);
            object["metadata"]["generation"] = json!(generation + 1);
            let object = self.store.commit(object, Actor::Somebody, None);
            self.follow(&object);
        }
        self.after(Duration::from_secs(20), Timer::Scale);
    }
}
