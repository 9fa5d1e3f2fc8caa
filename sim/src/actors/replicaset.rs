//! ReplicaSets: as many Pods as asked for.

use capstan_model::Timestamp;
use serde_json::{Value, json};

use super::build::{PODS, REPLICA_SETS, is_active, is_ready, number, owner_reference, selects};
use super::controller::{Controller, Todo, View};
use crate::store::ObjectName;
use crate::{ActorRequest, GroupResource, at, is_going, meta};

pub(crate) struct ReplicaSets;

impl Controller for ReplicaSets {
    fn name(&self) -> &'static str {
        "replicaset-controller"
    }

    fn primary(&self) -> GroupResource {
        REPLICA_SETS.stored()
    }

    fn secondary(&self) -> Vec<GroupResource> {
        vec![PODS.stored()]
    }

    fn reconcile(&mut self, _: Timestamp, _: &ObjectName, object: Option<&Value>, view: &View<'_>) -> Todo {
        let Some(set) = object.filter(|object| !is_going(object)) else {
            return Todo::nothing();
        };
        let pods: Vec<&Value> = view
            .owned(meta(set, "uid"), &PODS.stored())
            .into_iter()
            .filter(|pod| is_active(pod) && selects(at(set, &["spec", "selector"]), at(pod, &["metadata", "labels"])))
            .collect();
        let mut requests = resize(set, &pods);
        requests.extend(REPLICA_SETS.status(set, status(set, &pods)));
        requests.into()
    }
}

fn resize(set: &Value, pods: &[&Value]) -> Vec<ActorRequest> {
    let wanted = usize::try_from(number(set, &["spec", "replicas"], 1)).unwrap_or(0);
    let missing = wanted.saturating_sub(pods.len());
    let mut requests: Vec<ActorRequest> = (0..missing)
        .map(|_| PODS.create(meta(set, "namespace"), pod_of(set)))
        .collect();
    let mut excess: Vec<&Value> = pods.to_vec();
    // What does not work goes first, then what is youngest.
    excess.sort_by_key(|pod| {
        (
            is_ready(pod),
            std::cmp::Reverse((meta(pod, "creationTimestamp").to_owned(), meta(pod, "name").to_owned())),
        )
    });
    requests.extend(
        excess
            .iter()
            .take(pods.len().saturating_sub(wanted))
            .map(|pod| PODS.delete(pod)),
    );
    requests
}

fn pod_of(set: &Value) -> Value {
    let template = at(set, &["spec", "template"]).cloned().unwrap_or_default();
    let mut metadata = json!({
        "generateName": format!("{}-", meta(set, "name")),
        "ownerReferences": owner_reference(set, "apps/v1", "ReplicaSet"),
    });
    for field in ["labels", "annotations"] {
        if let Some(value) = at(&template, &["metadata", field]) {
            metadata[field] = value.clone();
        }
    }
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]})
}

fn status(set: &Value, pods: &[&Value]) -> Value {
    let labels = at(set, &["spec", "template", "metadata", "labels"]).and_then(Value::as_object);
    let labelled = |pod: &&&Value| {
        labels
            .into_iter()
            .flatten()
            .all(|(key, value)| at(pod, &["metadata", "labels", key]) == Some(value))
    };
    let ready = pods.iter().filter(|pod| is_ready(pod)).count();
    let mut status = json!({
        "replicas": pods.len(),
        "observedGeneration": number(set, &["metadata", "generation"], 0),
    });
    for (field, value) in [
        ("fullyLabeledReplicas", pods.iter().filter(labelled).count()),
        ("readyReplicas", ready),
        ("availableReplicas", ready),
    ] {
        if value > 0 {
            status[field] = json!(value);
        }
    }
    status
}
