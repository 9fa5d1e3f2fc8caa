//! DaemonSets: one Pod a node, updated one by one.

use capstan_model::Timestamp;
use serde_json::{Value, json};

use super::build::{DAEMON_SETS, NODES, PODS, is_active, is_ready, name_hash, number, owner_reference, share};
use super::controller::{Controller, Todo, View};
use crate::store::ObjectName;
use crate::{ActorRequest, GroupResource, at, is_going, meta, text};

const HASH: &str = "controller-revision-hash";

pub(crate) struct DaemonSets;

impl Controller for DaemonSets {
    fn name(&self) -> &'static str {
        "daemon-set-controller"
    }

    fn primary(&self) -> GroupResource {
        DAEMON_SETS.stored()
    }

    fn secondary(&self) -> Vec<GroupResource> {
        vec![PODS.stored(), NODES.stored()]
    }

    fn concerned(&self, resource: &GroupResource, _: &ObjectName, _: &Value, view: &View<'_>) -> Vec<ObjectName> {
        if *resource != NODES.stored() {
            return Vec::new();
        }
        view.cluster
            .objects(&DAEMON_SETS.stored(), None)
            .map(|(name, _)| name.clone())
            .collect()
    }

    fn reconcile(&mut self, _: Timestamp, _: &ObjectName, object: Option<&Value>, view: &View<'_>) -> Todo {
        let Some(set) = object.filter(|object| !is_going(object)) else {
            return Todo::nothing();
        };
        let pods = view.owned(meta(set, "uid"), &PODS.stored());
        let nodes: Vec<&str> = view
            .cluster
            .objects(&NODES.stored(), None)
            .map(|(name, _)| name.name.as_str())
            .collect();
        let hash = name_hash(at(set, &["spec", "template"]).unwrap_or(&Value::Null));
        let is_current = |pod: &Value| at(pod, &["metadata", "labels", HASH]).and_then(Value::as_str) == Some(&hash);
        let node_of = |pod: &Value| text(pod, &["spec", "nodeName"]).to_owned();
        let mut requests: Vec<ActorRequest> = Vec::new();
        for node in &nodes {
            if !pods.iter().any(|pod| node_of(pod) == *node && !ended(pod)) {
                requests.push(PODS.create(meta(set, "namespace"), pod_of(set, node, &hash)));
            }
        }
        let ended_or_lost = |pod: &&&Value| !is_going(pod) && (ended(pod) || !nodes.contains(&node_of(pod).as_str()));
        requests.extend(pods.iter().filter(ended_or_lost).map(|pod| PODS.delete(pod)));
        if text(set, &["spec", "updateStrategy", "type"]) != "OnDelete" {
            let limit = at(set, &["spec", "updateStrategy", "rollingUpdate", "maxUnavailable"]);
            let total = i64::try_from(nodes.len()).unwrap_or(0);
            let limit = usize::try_from(share(limit, total, "1", true).max(1)).unwrap_or(1);
            let down = nodes.len()
                - pods
                    .iter()
                    .filter(|pod| is_active(pod) && is_ready(pod))
                    .count()
                    .min(nodes.len());
            let old = pods.iter().filter(|pod| is_active(pod) && !is_current(pod));
            requests.extend(old.take(limit.saturating_sub(down)).map(|pod| PODS.delete(pod)));
        }
        let active: Vec<&&Value> = pods.iter().filter(|pod| is_active(pod)).collect();
        let ready = active.iter().filter(|pod| is_ready(pod)).count();
        let status = json!({
            "observedGeneration": number(set, &["metadata", "generation"], 0),
            "desiredNumberScheduled": nodes.len(),
            "currentNumberScheduled": active.len().min(nodes.len()),
            "numberMisscheduled": 0,
            "numberReady": ready,
            "numberAvailable": ready,
            "numberUnavailable": nodes.len() - ready.min(nodes.len()),
            "updatedNumberScheduled": active.iter().filter(|pod| is_current(pod)).count(),
        });
        requests.extend(DAEMON_SETS.status(set, status));
        requests.into()
    }
}

fn ended(pod: &Value) -> bool {
    matches!(text(pod, &["status", "phase"]), "Succeeded" | "Failed")
}

fn pod_of(set: &Value, node: &str, hash: &str) -> Value {
    let template = at(set, &["spec", "template"]).cloned().unwrap_or_default();
    let mut metadata = json!({
        "generateName": format!("{}-", meta(set, "name")),
        "labels": at(&template, &["metadata", "labels"]).cloned().unwrap_or_else(|| json!({})),
        "ownerReferences": owner_reference(set, "apps/v1", "DaemonSet"),
    });
    metadata["labels"][HASH] = json!(hash);
    if let Some(annotations) = at(&template, &["metadata", "annotations"]) {
        metadata["annotations"] = annotations.clone();
    }
    let mut spec = template["spec"].clone();
    spec["nodeName"] = json!(node);
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
}
