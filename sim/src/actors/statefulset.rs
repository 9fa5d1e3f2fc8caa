//! StatefulSets: Pods with names and claims of their own, in order; updated from the highest ordinal down to the partition.

use capstan_model::Timestamp;
use serde_json::{Value, json};

use super::build::{CLAIMS, PODS, STATEFUL_SETS, is_ready, name_hash, number, owner_reference};
use super::controller::{Controller, Todo, View};
use crate::store::ObjectName;
use crate::{ActorRequest, GroupResource, at, is_going, meta, text};

const HASH: &str = "controller-revision-hash";

pub(crate) struct StatefulSets;

impl Controller for StatefulSets {
    fn name(&self) -> &'static str {
        "statefulset-controller"
    }

    fn primary(&self) -> GroupResource {
        STATEFUL_SETS.stored()
    }

    fn secondary(&self) -> Vec<GroupResource> {
        vec![PODS.stored()]
    }

    fn reconcile(&mut self, _: Timestamp, _: &ObjectName, object: Option<&Value>, view: &View<'_>) -> Todo {
        let Some(set) = object.filter(|object| !is_going(object)) else {
            return Todo::nothing();
        };
        let pods = view.owned(meta(set, "uid"), &PODS.stored());
        let ordinals = Ordinals::of(set, &pods);
        let mut requests = ordinals.advance(view);
        requests.extend(STATEFUL_SETS.status(set, ordinals.status()));
        requests.into()
    }
}

struct Ordinals<'a> {
    set: &'a Value,
    /// By ordinal; also those beyond the wanted number.
    pods: Vec<(i64, &'a Value)>,
    wanted: i64,
    revision: String,
}

impl<'a> Ordinals<'a> {
    fn of(set: &'a Value, pods: &[&'a Value]) -> Self {
        let prefix = format!("{}-", meta(set, "name"));
        let ordinal = |pod: &Value| {
            meta(pod, "name")
                .strip_prefix(&prefix)
                .and_then(|number| number.parse::<i64>().ok())
        };
        let mut pods: Vec<(i64, &Value)> = pods.iter().filter_map(|pod| Some((ordinal(pod)?, *pod))).collect();
        pods.sort_by_key(|(number, _)| *number);
        let template = at(set, &["spec", "template"]).cloned().unwrap_or_default();
        let revision = format!("{prefix}{}", name_hash(&template));
        Self {
            set,
            pods,
            wanted: number(set, &["spec", "replicas"], 1),
            revision,
        }
    }

    fn pod(&self, ordinal: i64) -> Option<&'a Value> {
        self.pods
            .iter()
            .find(|(number, _)| *number == ordinal)
            .map(|(_, pod)| *pod)
    }

    fn is_current(&self, pod: &Value) -> bool {
        at(pod, &["metadata", "labels", HASH]).and_then(Value::as_str) == Some(&self.revision)
    }

    fn advance(&self, view: &View<'_>) -> Vec<ActorRequest> {
        let parallel = text(self.set, &["spec", "podManagementPolicy"]) == "Parallel";
        let mut requests = Vec::new();
        for ordinal in 0..self.wanted {
            match self.pod(ordinal) {
                None => requests.extend(self.create(ordinal, view)),
                Some(pod) if is_going(pod) => {}
                Some(pod) if matches!(text(pod, &["status", "phase"]), "Failed" | "Succeeded") => {
                    requests.push(PODS.delete(pod));
                }
                Some(pod) if is_ready(pod) || self.replaceable(ordinal, pod) => continue,
                Some(_) => {}
            }
            if !parallel {
                return if requests.is_empty() { self.update() } else { requests };
            }
        }
        if !requests.is_empty() {
            return requests;
        }
        let excess = self.pods.iter().rev().find(|(ordinal, _)| *ordinal >= self.wanted);
        match excess {
            Some((_, pod)) if is_going(pod) => Vec::new(),
            Some((_, pod)) => vec![PODS.delete(pod)],
            None => self.update(),
        }
    }

    /// A Pod of an old revision that does not work must not hold up its own replacement.
    fn replaceable(&self, ordinal: i64, pod: &Value) -> bool {
        ordinal >= self.partition() && !self.is_current(pod)
    }

    fn partition(&self) -> i64 {
        number(self.set, &["spec", "updateStrategy", "rollingUpdate", "partition"], 0)
    }

    fn update(&self) -> Vec<ActorRequest> {
        if text(self.set, &["spec", "updateStrategy", "type"]) == "OnDelete" {
            return Vec::new();
        }
        for ordinal in (self.partition()..self.wanted).rev() {
            match self.pod(ordinal) {
                Some(pod) if is_going(pod) => return Vec::new(),
                Some(pod) if !self.is_current(pod) => return vec![PODS.delete(pod)],
                Some(pod) if is_ready(pod) => {}
                _ => return Vec::new(),
            }
        }
        Vec::new()
    }

    fn create(&self, ordinal: i64, view: &View<'_>) -> Vec<ActorRequest> {
        let (set, namespace) = (self.set, meta(self.set, "namespace"));
        let name = format!("{}-{ordinal}", meta(set, "name"));
        let mut template = at(set, &["spec", "template"]).cloned().unwrap_or_default();
        let mut requests = Vec::new();
        let mut volumes = at(&template, &["spec", "volumes"])
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let claims = at(set, &["spec", "volumeClaimTemplates"]).and_then(Value::as_array);
        for claim in claims.into_iter().flatten() {
            let claim_name = format!("{}-{name}", meta(claim, "name"));
            if view
                .object(&CLAIMS.stored(), &ObjectName::new(namespace, &claim_name))
                .is_none()
            {
                let labels = at(set, &["spec", "selector", "matchLabels"])
                    .cloned()
                    .unwrap_or_default();
                let object = json!({
                    "apiVersion": "v1", "kind": "PersistentVolumeClaim",
                    "metadata": {"name": claim_name, "labels": labels}, "spec": claim["spec"],
                });
                requests.push(CLAIMS.create(namespace, object));
            }
            let volume = meta(claim, "name");
            volumes.retain(|other| text(other, &["name"]) != volume);
            volumes.push(json!({"name": volume, "persistentVolumeClaim": {"claimName": claim_name}}));
        }
        if !volumes.is_empty() {
            template["spec"]["volumes"] = json!(volumes);
        }
        template["spec"]["hostname"] = json!(name);
        template["spec"]["subdomain"] = json!(text(set, &["spec", "serviceName"]));
        let mut metadata = json!({"name": name, "ownerReferences": owner_reference(set, "apps/v1", "StatefulSet")});
        metadata["labels"] = template["metadata"]["labels"].clone();
        metadata["labels"][HASH] = json!(self.revision);
        metadata["labels"]["statefulset.kubernetes.io/pod-name"] = json!(name);
        metadata["labels"]["apps.kubernetes.io/pod-index"] = json!(ordinal.to_string());
        if let Some(annotations) = at(&template, &["metadata", "annotations"]) {
            metadata["annotations"] = annotations.clone();
        }
        requests.push(PODS.create(
            namespace,
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}),
        ));
        requests
    }

    fn status(&self) -> Value {
        let pods: Vec<&Value> = self
            .pods
            .iter()
            .map(|(_, pod)| *pod)
            .filter(|pod| !is_going(pod))
            .collect();
        let ready = pods.iter().filter(|pod| is_ready(pod)).count();
        let updated = pods.iter().filter(|pod| self.is_current(pod)).count();
        let wanted = usize::try_from(self.wanted).unwrap_or(0);
        let before = text(self.set, &["status", "currentRevision"]);
        let done = updated == wanted && ready == wanted && pods.len() == wanted;
        let current = if done || before.is_empty() {
            self.revision.as_str()
        } else {
            before
        };
        let of_current = pods
            .iter()
            .filter(|pod| at(pod, &["metadata", "labels", HASH]).and_then(Value::as_str) == Some(current));
        let mut status = json!({
            "observedGeneration": number(self.set, &["metadata", "generation"], 0),
            "replicas": pods.len(),
            "availableReplicas": ready,
            "currentRevision": current,
            "updateRevision": self.revision,
            "collisionCount": 0,
        });
        for (field, value) in [
            ("readyReplicas", ready),
            ("updatedReplicas", updated),
            ("currentReplicas", of_current.count()),
        ] {
            if value > 0 {
                status[field] = json!(value);
            }
        }
        status
    }
}
