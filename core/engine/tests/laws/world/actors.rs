//! The cluster's own controllers: rollouts, Jobs, definitions, namespaces, finalizers. Level-triggered, with delays.

use std::time::Duration;

use capstan_model::ResourceKey;
use serde_json::{Value, json};

use super::{World, identity, late_kind};
use crate::generate::Nature;
use crate::history::Actor;
use crate::objects::{is_going, is_hook, key_of, text};

/// Something that comes due.
#[derive(Clone, Debug)]
pub(crate) enum Timer {
    /// A workload of this identity and generation gets on.
    Work {
        key: ResourceKey,
        uid: String,
        generation: i64,
        state: State,
    },
    /// A finished Job removes itself; or somebody is done with a hook that never ends.
    Vanish { key: ResourceKey, uid: String },
    /// A definition is accepted.
    Establish { key: ResourceKey, uid: String },
    /// What is defined is served from now on.
    Serve,
    /// Whoever holds an object by a finalizer lets go.
    LetGo { key: ResourceKey, uid: String },
    /// A claim is bound, because somebody mounts it.
    Bind { key: ResourceKey, uid: String },
    /// What is owned by nothing that is there any more goes.
    Collect,
    /// Somebody changes the replicas that they keep changing.
    Scale,
    /// Somebody looks whether an object is as they want it.
    Fight { key: ResourceKey },
    /// What is in a namespace goes, and it goes when it is empty; because of whom.
    Empty { key: ResourceKey, uid: String, by: Actor },
}

/// How a workload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Good,
    Bad,
    Starting,
}

fn course(nature: Nature) -> &'static [(u64, State)] {
    match nature {
        Nature::Prompt => &[(1, State::Good)],
        Nature::Slow => &[(30, State::Starting), (90, State::Good)],
        Nature::Recovers => &[(2, State::Bad), (60, State::Good)],
        Nature::Fails => &[(5, State::Bad)],
        Nature::Silent => &[],
        Nature::Flaps => &[(1, State::Good), (5, State::Bad), (20, State::Good)],
        Nature::Instant => &[(0, State::Good)],
        Nature::Lags => &[(5, State::Good)],
    }
}

impl World {
    pub(super) fn after(&mut self, wait: Duration, timer: Timer) {
        self.timer_number += 1;
        let place = self.store.place;
        self.timers
            .insert((self.store.now + wait, self.timer_number), (place, timer));
    }

    /// Somebody wrote this object: its controller takes it up.
    pub(super) fn follow(&mut self, object: &Value) {
        let (key, uid) = (key_of(object), identity(object));
        if key.kind == "Deployment" {
            self.follow_claim(&key);
        }
        match key.kind.as_str() {
            "Deployment" | "Job" => {
                let generation = object["metadata"]["generation"].as_i64().unwrap_or(0);
                let seen = object.pointer("/status/observedGeneration").and_then(Value::as_i64);
                let is_known = self.timers.values().any(|(_, timer)| {
                    matches!(timer, Timer::Work { uid: other, generation: of, .. } if *other == uid && *of == generation)
                });
                if seen == Some(generation) || is_known {
                    return;
                }
                for &(seconds, state) in course(self.case.nature(&key.name)) {
                    let timer = Timer::Work {
                        key: key.clone(),
                        uid: uid.clone(),
                        generation,
                        state,
                    };
                    self.after(Duration::from_secs(seconds), timer);
                }
            }
            // One of a hook is bound at once, whoever mounts it.
            "PersistentVolumeClaim" if is_hook(object) => {
                self.after(Duration::from_secs(2), Timer::Bind { key, uid });
            }
            "PersistentVolumeClaim" => self.follow_claim(&key),
            "Namespace" => self.furnish(&key.name),
            "ConfigMap" if !text(object, "/data/vanishes").is_empty() => {
                self.after(Duration::from_secs(1), Timer::Vanish { key, uid });
            }
            "CustomResourceDefinition" if object.get("status").is_none() => {
                self.after(Duration::from_secs(2), Timer::Establish { key, uid });
            }
            _ => {}
        }
    }

    /// What Kubernetes puts into every namespace.
    fn furnish(&mut self, namespace: &str) {
        for (kind, name) in [("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt")] {
            let object = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}});
            let is_there = self.store.objects.contains_key(&key_of(&object));
            let holder = ResourceKey::new("", "Namespace", "", namespace);
            if !is_there && self.store.objects.get(&holder).is_some_and(|holder| !is_going(holder)) {
                self.store.plant(object, Actor::Cluster);
            }
        }
    }

    /// An object may be going: whoever has to let go of it does so later.
    pub(super) fn follow_deletion(&mut self, key: &ResourceKey, by: Actor) {
        if key.kind == "Deployment" && !self.store.objects.contains_key(key) {
            self.after(Duration::from_secs(3), Timer::Collect);
        }
        if key.kind == "CustomResourceDefinition" && !self.store.objects.contains_key(key) {
            self.stop_serving();
        }
        let Some(object) = self.store.objects.get(key).filter(|object| is_going(object)) else {
            return;
        };
        let (key, uid) = (key.clone(), identity(object));
        if key.kind == "Namespace" {
            self.after(Duration::from_secs(5), Timer::Empty { key, uid, by });
        } else {
            self.after(Duration::from_secs(20), Timer::LetGo { key, uid });
        }
    }

    fn stop_serving(&mut self) {
        self.store.serves_widgets = false;
        let widgets: Vec<ResourceKey> = self.keys(|key| key.group_kind() == late_kind());
        for key in widgets {
            self.store.remove(&key, Actor::Cluster);
        }
        self.reconnect();
    }

    pub(super) fn keys(&self, test: impl Fn(&ResourceKey) -> bool) -> Vec<ResourceKey> {
        self.store.objects.keys().filter(|key| test(key)).cloned().collect()
    }

    pub(super) fn same(&self, key: &ResourceKey, uid: &str) -> Option<Value> {
        self.store
            .objects
            .get(key)
            .filter(|object| identity(object) == uid)
            .cloned()
    }

    pub(super) fn elapse(&mut self, timer: Timer) {
        match timer {
            Timer::Work {
                key,
                uid,
                generation,
                state,
            } => {
                let Some(object) = self.same(&key, &uid) else { return };
                if object["metadata"]["generation"].as_i64() == Some(generation) {
                    self.work(&key, object, state);
                }
            }
            Timer::Vanish { key, uid } => {
                if self.same(&key, &uid).is_some() {
                    self.store.delete_by(&key, Actor::Cluster);
                }
            }
            Timer::Establish { key, uid } => {
                let Some(mut object) = self.same(&key, &uid) else {
                    return;
                };
                object["status"] = json!({"conditions": [{"type": "Established", "status": "True", "reason": "InitialNamesAccepted"}]});
                self.store.commit(object, Actor::Cluster, None);
                self.after(Duration::from_secs(3), Timer::Serve);
            }
            Timer::Serve => {
                let is_defined = |key: &ResourceKey| key.kind == "CustomResourceDefinition";
                if !self.keys(is_defined).is_empty() {
                    self.store.serves_widgets = true;
                    self.reconnect();
                }
            }
            Timer::LetGo { key, uid } => {
                if self.same(&key, &uid).is_some_and(|object| is_going(&object)) {
                    self.let_go(&key, "example.com/held", Actor::Cluster);
                }
            }
            Timer::Bind { key, uid } => self.same(&key, &uid).into_iter().for_each(|claim| self.bind(claim)),
            Timer::Collect => self.collect_owned(),
            Timer::Scale => self.scale(),
            Timer::Fight { key } => self.fight(&key),
            Timer::Empty { key, uid, by } => {
                if self.same(&key, &uid).is_some() {
                    self.empty(&key, by);
                }
            }
        }
    }

    /// Everything in a namespace goes that nobody holds; the namespace, when nothing is left.
    fn empty(&mut self, namespace: &ResourceKey, by: Actor) {
        let mut inner = self.keys(|key| key.namespace == namespace.name);
        inner.retain(|key| !is_going(&self.store.objects[key]));
        for key in inner {
            self.store.delete_by(&key, by);
            self.follow_deletion(&key, by);
        }
        if self.keys(|key| key.namespace == namespace.name).is_empty() {
            self.store.remove(namespace, by);
            return;
        }
        let (key, uid) = (namespace.clone(), identity(&self.store.objects[namespace]));
        self.after(Duration::from_secs(5), Timer::Empty { key, uid, by });
    }

    /// Its controller says how it is.
    fn work(&mut self, key: &ResourceKey, mut object: Value, state: State) {
        let is_over = object.pointer("/status/conditions").is_some();
        let generation = object["metadata"]["generation"].clone();
        let condition =
            |kind: &str, status: &str| json!({"type": kind, "status": status, "reason": "R", "message": kind});
        object["status"] = match (key.kind.as_str(), state) {
            ("Job", _) if is_over => return,
            ("Job", State::Starting) => json!({"active": 1}),
            ("Job", State::Good) => json!({"succeeded": 1, "conditions": [condition("Complete", "True")]}),
            ("Job", State::Bad) => json!({"failed": 1, "conditions": [condition("Failed", "True")]}),
            (_, State::Starting) => json!({"observedGeneration": generation, "replicas": 1, "updatedReplicas": 1}),
            (_, State::Good) => {
                json!({"observedGeneration": generation, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1, "readyReplicas": 1, "conditions": [condition("Available", "True")]})
            }
            (_, State::Bad) => {
                let stalled = json!({"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "stalled"});
                json!({"observedGeneration": generation, "replicas": 1, "updatedReplicas": 1, "conditions": [stalled]})
            }
        };
        let vanishes = key.kind == "Job" && state != State::Starting && object["spec"]["ttlSecondsAfterFinished"] == 0;
        let uid = identity(&object);
        if key.kind == "Deployment" {
            self.make_children(&object);
        }
        self.store.commit(object, Actor::Cluster, None);
        if vanishes {
            let key = key.clone();
            self.after(Duration::from_secs(1), Timer::Vanish { key, uid });
        }
    }

    /// Somebody else writes an object.
    pub(super) fn meddle(&mut self, key: &ResourceKey) {
        let Some(mut object) = self.store.objects.get(key).cloned() else {
            return;
        };
        let at = match key.kind.as_str() {
            "Deployment" => "/spec/image",
            "ConfigMap" => "/data/v",
            "Widget" => "/spec/size",
            _ => return,
        };
        if let Some(value) = object.pointer_mut(at) {
            *value = json!("theirs");
        }
        if key.kind != "ConfigMap" {
            let generation = object["metadata"]["generation"].as_i64().unwrap_or(0);
            object["metadata"]["generation"] = json!(generation + 1);
        }
        let object = self.store.commit(object, Actor::Somebody, None);
        self.follow(&object);
    }

    /// Takes a finalizer off. What was on its way out and is held by nobody any more is gone by that.
    pub(super) fn let_go(&mut self, key: &ResourceKey, finalizer: &str, by: Actor) {
        let Some(mut object) = self.store.objects.get(key).cloned() else {
            return;
        };
        let finalizers = object.pointer_mut("/metadata/finalizers").and_then(Value::as_array_mut);
        let is_free = finalizers.is_none_or(|all| {
            all.retain(|other| other != finalizer);
            all.is_empty()
        });
        if !(is_free && is_going(&object)) {
            self.store.commit(object, by, None);
            return;
        }
        self.store.remove(key, by);
        self.follow_deletion(key, by);
    }
}
