//! The scheduler and the kubelets: a Pod is bound, its containers start, become ready or not, and end.
//!
//! What a Pod's containers do is told by the Pod itself, see [`Behaviour`]: by the annotation `world.capstan.dev/behaviour`, by words
//! in the tag of an image, or by a command that can only end one way. A Pod that needs a ConfigMap, a Secret or a claim which is not
//! there waits for it, as a real one does.

mod behaviour;
mod needs;
mod status;

use std::collections::{BTreeMap, BTreeSet};

use capstan_model::Timestamp;
use serde_json::{Value, json};

use super::Profile;
use super::build::{CLAIMS, CONFIG_MAPS, NODES, PODS, SECRETS, name_of};
use super::controller::{Controller, Todo, View};
use crate::store::ObjectName;
use crate::{ActorRequest, GroupResource, Method, Request, at, is_going, meta, text};

pub use behaviour::Behaviour;

/// The scheduler and the kubelets of all nodes.
pub(crate) struct Pods {
    profile: Profile,
    /// When each Pod (by uid) was first seen, bound and begun to go: API times have whole seconds only.
    clocks: BTreeMap<String, Clock>,
    /// Pods that wait for an object of their namespace.
    waiting: BTreeSet<ObjectName>,
    next_node: usize,
}

#[derive(Clone, Copy, Debug)]
struct Clock {
    created: Timestamp,
    bound: Option<Timestamp>,
    /// Since when everything it needs is there.
    supplied: Option<Timestamp>,
    going: Option<Timestamp>,
}

impl Pods {
    /// With these times.
    pub(crate) fn new(profile: Profile) -> Self {
        Self {
            profile,
            clocks: BTreeMap::new(),
            waiting: BTreeSet::new(),
            next_node: 0,
        }
    }
}

impl Controller for Pods {
    fn name(&self) -> &'static str {
        "kubelet"
    }

    fn field_manager(&self) -> &'static str {
        "kubelet"
    }

    fn primary(&self) -> GroupResource {
        PODS.stored()
    }

    fn secondary(&self) -> Vec<GroupResource> {
        vec![CONFIG_MAPS.stored(), SECRETS.stored(), CLAIMS.stored(), NODES.stored()]
    }

    fn concerned(&self, _: &GroupResource, name: &ObjectName, _: &Value, _: &View<'_>) -> Vec<ObjectName> {
        let same = |pod: &&ObjectName| name.namespace.is_empty() || pod.namespace == name.namespace;
        self.waiting.iter().filter(same).cloned().collect()
    }

    fn reconcile(&mut self, now: Timestamp, name: &ObjectName, object: Option<&Value>, view: &View<'_>) -> Todo {
        self.waiting.remove(name);
        let Some(pod) = object else { return Todo::nothing() };
        let uid = meta(pod, "uid").to_owned();
        let bound = !text(pod, &["spec", "nodeName"]).is_empty();
        let clock = self.clocks.entry(uid.clone()).or_insert(Clock {
            created: now,
            bound: None,
            supplied: None,
            going: None,
        });
        if bound {
            clock.bound.get_or_insert(now);
        }
        if is_going(pod) {
            let since = *clock.going.get_or_insert(now);
            let todo = self.terminate(pod, now, since);
            if !todo.requests.is_empty() {
                self.clocks.remove(&uid);
            }
            return todo;
        }
        if matches!(text(pod, &["status", "phase"]), "Succeeded" | "Failed") {
            self.clocks.remove(&uid);
            return Todo::nothing();
        }
        if bound {
            self.run(pod, name, now, view)
        } else {
            self.schedule(pod, name, now, view)
        }
    }
}

impl Pods {
    fn schedule(&mut self, pod: &Value, name: &ObjectName, now: Timestamp, view: &View<'_>) -> Todo {
        let created = self.clocks.get(meta(pod, "uid")).map_or(now, |clock| clock.created);
        let due = created + self.profile.schedule;
        if now < due {
            return Todo::nothing().at(due);
        }
        let nodes: Vec<&ObjectName> = view
            .cluster
            .objects(&NODES.stored(), None)
            .map(|(node, _)| node)
            .collect();
        let reason = match (needs::unbound_claim(pod, view), nodes.is_empty()) {
            (Some(message), _) => Some(message),
            (None, true) => Some("no nodes available to schedule pods".to_owned()),
            (None, false) => None,
        };
        if let Some(message) = reason {
            self.waiting.insert(name.clone());
            return PODS.status(pod, status::unschedulable(pod, now, &message)).into();
        }
        let Some(node) = nodes.get(self.next_node % nodes.len().max(1)) else {
            return Todo::nothing();
        };
        self.next_node += 1;
        let binding = json!({
            "apiVersion": "v1", "kind": "Binding", "metadata": {"name": name.name},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node.name},
        });
        Todo::one(Request::json(
            Method::Post,
            &format!("{}/binding", PODS.object(name)),
            binding,
        ))
    }

    fn run(&mut self, pod: &Value, name: &ObjectName, now: Timestamp, view: &View<'_>) -> Todo {
        let missing = needs::missing(pod, view);
        let Some(clock) = self.clocks.get_mut(meta(pod, "uid")) else {
            return Todo::nothing();
        };
        let bound = clock.bound.unwrap_or(now);
        let began = bound + self.profile.start;
        if now < began {
            return Todo::from(PODS.status(pod, status::creating(pod, now))).at(began);
        }
        if let Some(missing) = missing {
            clock.supplied = None;
            self.waiting.insert(name.clone());
            return PODS
                .status(pod, status::waiting(pod, now, missing.reason, &missing.message))
                .into();
        }
        let began = (*clock.supplied.get_or_insert(now)).max(began);
        let behaviour = Behaviour::of(pod);
        let ready = began + self.profile.ready;
        let (status, again) = match behaviour {
            Behaviour::MissingImage => {
                let image = at(pod, &["spec", "containers"])
                    .and_then(|list| list.get(0))
                    .map_or("", |c| text(c, &["image"]));
                let message = format!("Back-off pulling image \"{image}\": ErrImagePull: not found");
                (status::waiting(pod, now, "ImagePullBackOff", &message), None)
            }
            Behaviour::Unready => (status::running(pod, now, began, false), None),
            Behaviour::Run if now < ready && status::has_readiness_probe(pod) => {
                (status::running(pod, now, began, false), Some(ready))
            }
            Behaviour::Run => (status::running(pod, now, began, true), None),
            Behaviour::Exit { code, after } => {
                let end = began + after.unwrap_or(self.profile.run);
                // What is going to crash is never ready before it does: the old version must keep serving.
                let crashes = code != 0 && !matches!(text(pod, &["spec", "restartPolicy"]), "Never" | "OnFailure");
                match now < end && !crashes {
                    true => (
                        status::running(pod, now, began, !status::has_readiness_probe(pod)),
                        Some(end),
                    ),
                    false => (status::exited(pod, now, began, code), None),
                }
            }
        };
        let todo = Todo::from(PODS.status(pod, status));
        match again {
            Some(time) => todo.at(time),
            None => todo,
        }
    }

    fn terminate(&self, pod: &Value, now: Timestamp, since: Timestamp) -> Todo {
        let due = since + self.profile.terminate;
        if now < due {
            return Todo::nothing().at(due);
        }
        Todo::one(finish(pod))
    }
}

/// The kubelet's last word on a Pod that was asked to go.
fn finish(pod: &Value) -> ActorRequest {
    let options = json!({
        "kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0, "preconditions": {"uid": meta(pod, "uid")},
    });
    Request::json(Method::Delete, &PODS.object(&name_of(pod)), options)
}
