//! Claims: each gets a volume of its own at once. `WaitForFirstConsumer` is not modelled.

use capstan_model::Timestamp;
use serde_json::{Value, json};

use super::build::{CLAIMS, VOLUMES};
use super::controller::{Controller, Todo, View};
use crate::store::ObjectName;
use crate::{GroupResource, at, is_going, meta, text};

pub(crate) struct Claims;

impl Controller for Claims {
    fn name(&self) -> &'static str {
        "persistent-volume-binder"
    }

    fn primary(&self) -> GroupResource {
        CLAIMS.stored()
    }

    fn secondary(&self) -> Vec<GroupResource> {
        vec![VOLUMES.stored()]
    }

    fn concerned(&self, _: &GroupResource, _: &ObjectName, volume: &Value, _: &View<'_>) -> Vec<ObjectName> {
        let claim = |field| text(volume, &["spec", "claimRef", field]);
        vec![ObjectName::new(claim("namespace"), claim("name"))]
    }

    fn reconcile(&mut self, _: Timestamp, _: &ObjectName, object: Option<&Value>, view: &View<'_>) -> Todo {
        let Some(claim) = object else { return Todo::nothing() };
        if is_going(claim) {
            let protected = crate::finalizers(claim)
                .iter()
                .any(|finalizer| finalizer == "kubernetes.io/pvc-protection");
            let rest: Vec<String> = crate::finalizers(claim)
                .into_iter()
                .filter(|finalizer| finalizer != "kubernetes.io/pvc-protection")
                .collect();
            let patch = json!({"metadata": {"finalizers": rest}});
            return protected
                .then(|| CLAIMS.patch(&super::build::name_of(claim), patch))
                .into();
        }
        if text(claim, &["status", "phase"]) == "Bound" {
            return Todo::nothing();
        }
        let name = format!("pvc-{}", meta(claim, "uid"));
        let capacity = at(claim, &["spec", "resources", "requests"])
            .cloned()
            .unwrap_or_else(|| json!({"storage": "1Gi"}));
        let modes = at(claim, &["spec", "accessModes"])
            .cloned()
            .unwrap_or_else(|| json!(["ReadWriteOnce"]));
        if view.object(&VOLUMES.stored(), &ObjectName::new("", &name)).is_none() {
            let volume = json!({
                "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name},
                "spec": {
                    "capacity": capacity, "accessModes": modes, "persistentVolumeReclaimPolicy": "Delete",
                    "storageClassName": text(claim, &["spec", "storageClassName"]),
                    "hostPath": {"path": format!("/volumes/{name}")},
                    "claimRef": {
                        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": meta(claim, "namespace"),
                        "name": meta(claim, "name"), "uid": meta(claim, "uid"),
                    },
                },
            });
            return Todo::one(VOLUMES.create("", volume));
        }
        let mut requests = Vec::new();
        if text(claim, &["spec", "volumeName"]) != name {
            requests.push(CLAIMS.patch(&super::build::name_of(claim), json!({"spec": {"volumeName": name}})));
        }
        requests.extend(CLAIMS.status(
            claim,
            json!({"phase": "Bound", "accessModes": modes, "capacity": capacity}),
        ));
        requests.into()
    }
}
