//! Namespaces: a default ServiceAccount and the cluster's certificate for new ones; the end of those that go.

use capstan_model::Timestamp;
use serde_json::{Value, json};

use super::build::{CONFIG_MAPS, NAMESPACES, SERVICE_ACCOUNTS};
use super::controller::{Controller, Todo, View};
use crate::store::ObjectName;
use crate::{ActorRequest, GroupResource, Method, Request, at, is_going, meta};

pub(crate) struct Namespaces;

impl Controller for Namespaces {
    fn name(&self) -> &'static str {
        "namespace-controller"
    }

    fn primary(&self) -> GroupResource {
        NAMESPACES.stored()
    }

    fn reconcile(&mut self, now: Timestamp, name: &ObjectName, object: Option<&Value>, view: &View<'_>) -> Todo {
        let Some(namespace) = object else {
            return Todo::nothing();
        };
        if !is_going(namespace) {
            return furnish(&name.name, view).into();
        }
        let contents = contents(&name.name, view);
        if contents.is_empty() {
            let kept = at(namespace, &["spec", "finalizers"])
                .and_then(Value::as_array)
                .into_iter()
                .flatten();
            let kept: Vec<&Value> = kept
                .filter(|finalizer| finalizer.as_str() != Some("kubernetes"))
                .collect();
            let mut body = namespace.clone();
            body["spec"]["finalizers"] = json!(kept);
            return Todo::one(Request::json(
                Method::Put,
                &format!("{}/finalize", NAMESPACES.object(name)),
                body,
            ));
        }
        // What has finalizers of its own is waited for.
        let again = now + std::time::Duration::from_millis(200);
        let requests: Vec<ActorRequest> = contents
            .into_iter()
            .filter(|(_, object)| !is_going(object))
            .map(|(request, _)| request)
            .collect();
        Todo::from(requests).at(again)
    }
}

/// What every namespace has.
fn furnish(namespace: &str, view: &View<'_>) -> Vec<ActorRequest> {
    let mut requests = Vec::new();
    if view
        .object(&SERVICE_ACCOUNTS.stored(), &ObjectName::new(namespace, "default"))
        .is_none()
    {
        let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}});
        requests.push(SERVICE_ACCOUNTS.create(namespace, account));
    }
    if view
        .object(&CONFIG_MAPS.stored(), &ObjectName::new(namespace, "kube-root-ca.crt"))
        .is_none()
    {
        let map = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kube-root-ca.crt"},
            "data": {"ca.crt": "the simulated cluster speaks plain HTTP\n"},
        });
        requests.push(CONFIG_MAPS.create(namespace, map));
    }
    requests
}

/// Every object in the namespace, with the request that deletes it.
fn contents<'a>(namespace: &str, view: &'a View<'_>) -> Vec<(ActorRequest, &'a Value)> {
    let mut found = Vec::new();
    for resource in view.cluster.resources() {
        let Some(kind) = view
            .cluster
            .registry()
            .of_storage(resource)
            .filter(|kind| kind.namespaced)
        else {
            continue;
        };
        let objects = view
            .cluster
            .objects(resource, None)
            .filter(|(name, _)| name.namespace == namespace);
        for (name, object) in objects {
            let root = match kind.group.as_str() {
                "" => format!("/api/{}", kind.version),
                group => format!("/apis/{group}/{}", kind.version),
            };
            let path = format!("{root}/namespaces/{namespace}/{}/{}", kind.plural, name.name);
            let options = json!({
                "kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background",
                "preconditions": {"uid": meta(object, "uid")},
            });
            found.push((Request::json(Method::Delete, &path, options), &**object));
        }
    }
    found
}
