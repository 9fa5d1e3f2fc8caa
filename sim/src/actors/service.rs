//! Services: their endpoints, and an address for load balancers.

use capstan_model::Timestamp;
use serde_json::{Value, json};

use super::Profile;
use super::build::{ENDPOINT_SLICES, PODS, SERVICES, is_ready, name_of, owner_reference};
use super::controller::{Controller, Todo, View};
use crate::store::ObjectName;
use crate::{ActorRequest, GroupResource, at, is_going, meta, text};

pub(crate) struct Services {
    profile: Profile,
}

impl Services {
    pub(crate) fn new(profile: Profile) -> Self {
        Self { profile }
    }
}

impl Controller for Services {
    fn name(&self) -> &'static str {
        "endpointslice-controller"
    }

    fn primary(&self) -> GroupResource {
        SERVICES.stored()
    }

    fn secondary(&self) -> Vec<GroupResource> {
        vec![PODS.stored()]
    }

    fn concerned(&self, _: &GroupResource, name: &ObjectName, pod: &Value, view: &View<'_>) -> Vec<ObjectName> {
        let services = view
            .cluster
            .objects(&SERVICES.stored(), None)
            .filter(|(service, _)| service.namespace == name.namespace);
        let of_it = services.filter(|(_, service)| selects(service, pod));
        of_it.map(|(service, _)| service.clone()).collect()
    }

    fn reconcile(&mut self, now: Timestamp, name: &ObjectName, object: Option<&Value>, view: &View<'_>) -> Todo {
        let Some(service) = object.filter(|object| !is_going(object)) else {
            return Todo::nothing();
        };
        let mut requests: Vec<ActorRequest> = Vec::new();
        let mut again = None;
        if text(service, &["spec", "type"]) == "LoadBalancer"
            && at(service, &["status", "loadBalancer", "ingress"]).is_none()
        {
            let created: Timestamp = meta(service, "creationTimestamp").parse().unwrap_or(now);
            let due = created + self.profile.address;
            match now < due {
                true => again = Some(due),
                false => {
                    let status = json!({"loadBalancer": {"ingress": [{"ip": "198.51.100.2", "ipMode": "VIP"}]}});
                    requests.extend(SERVICES.status(service, status));
                }
            }
        }
        if at(service, &["spec", "selector"])
            .and_then(Value::as_object)
            .is_some_and(|selector| !selector.is_empty())
        {
            requests.extend(slice_request(service, name, view));
        }
        let todo = Todo::from(requests);
        match again {
            Some(time) => todo.at(time),
            None => todo,
        }
    }
}

fn selects(service: &Value, pod: &Value) -> bool {
    let Some(selector) = at(service, &["spec", "selector"]).and_then(Value::as_object) else {
        return false;
    };
    !selector.is_empty()
        && selector
            .iter()
            .all(|(key, value)| at(pod, &["metadata", "labels", key]) == Some(value))
}

/// One slice a Service: there are never a hundred Pods behind one here.
fn slice_request(service: &Value, name: &ObjectName, view: &View<'_>) -> Option<ActorRequest> {
    let all = view
        .cluster
        .objects(&PODS.stored(), None)
        .filter(|(pod, _)| pod.namespace == name.namespace);
    let pods: Vec<&Value> = all.map(|(_, pod)| &**pod).filter(|pod| selects(service, pod)).collect();
    let endpoints: Vec<Value> = pods.iter().filter_map(|pod| endpoint(pod)).collect();
    let ports = at(service, &["spec", "ports"])
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let ports: Vec<Value> = ports
        .map(|port| {
            json!({"name": text(port, &["name"]), "protocol": port.get("protocol").cloned().unwrap_or_else(|| json!("TCP")),
                   "port": target_port(port, pods.first().copied())})
        })
        .collect();
    let existing = view
        .owned(meta(service, "uid"), &ENDPOINT_SLICES.stored())
        .into_iter()
        .next();
    let slice_name = ObjectName::new(&name.namespace, &format!("{}-{}", name.name, suffix(service)));
    match existing.or_else(|| view.object(&ENDPOINT_SLICES.stored(), &slice_name)) {
        None => {
            let slice = json!({
                "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
                "metadata": {
                    "name": slice_name.name,
                    "labels": {
                        "kubernetes.io/service-name": name.name,
                        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
                    },
                    "ownerReferences": owner_reference(service, "v1", "Service"),
                },
                "endpoints": endpoints, "ports": ports,
            });
            Some(ENDPOINT_SLICES.create(&name.namespace, slice))
        }
        Some(slice) => {
            let same =
                slice.get("endpoints").is_some_and(|old| *old == json!(endpoints)) && slice["ports"] == json!(ports);
            (!same).then(|| ENDPOINT_SLICES.patch(&name_of(slice), json!({"endpoints": endpoints, "ports": ports})))
        }
    }
}

fn suffix(service: &Value) -> String {
    meta(service, "uid")
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(5)
        .collect()
}

fn endpoint(pod: &Value) -> Option<Value> {
    let address = at(pod, &["status", "podIP"])?;
    if matches!(text(pod, &["status", "phase"]), "Succeeded" | "Failed") {
        return None;
    }
    let (ready, going) = (is_ready(pod), is_going(pod));
    Some(json!({
        "addresses": [address],
        "conditions": {"ready": ready && !going, "serving": ready, "terminating": going},
        "nodeName": text(pod, &["spec", "nodeName"]),
        "targetRef": {"kind": "Pod", "namespace": meta(pod, "namespace"), "name": meta(pod, "name"), "uid": meta(pod, "uid")},
    }))
}

fn target_port(port: &Value, pod: Option<&Value>) -> Value {
    match port.get("targetPort") {
        Some(Value::String(name)) => {
            let containers = pod.and_then(|pod| at(pod, &["spec", "containers"])?.as_array());
            let mut ports = containers
                .into_iter()
                .flatten()
                .filter_map(|c| c.get("ports")?.as_array())
                .flatten();
            ports
                .find(|port| text(port, &["name"]) == name)
                .and_then(|port| port.get("containerPort").cloned())
                .unwrap_or(Value::Null)
        }
        Some(number) => number.clone(),
        None => port.get("port").cloned().unwrap_or(Value::Null),
    }
}
