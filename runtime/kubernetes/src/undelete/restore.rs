//! What is created when something that was deleted is to be there again.
//!
//! The manifest, less what the server wrote for the object that is gone (identity, owners, status), less what would make it go again (the
//! tracking ids), and less what names things that are gone with it (the node of a Pod, the volume of a claim, the selector that the server
//! made up for a Job). What does not come back with a manifest is said.

use capstan_model::annotations::{INSTALLATION_ID, OPERATION, TRACKING_ID};
use serde_json::{Map, Value};

/// What is created, and what does not come back with it.
#[derive(Clone, PartialEq)]
pub struct Restorable {
    /// The object.
    pub object: Value,
    /// In sentences, for people.
    pub lost: Vec<String>,
}

/// `metadata` of the object that is gone.
const OF_THE_SERVER: [&str; 9] = [
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "managedFields",
    "selfLink",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "ownerReferences",
];
/// Finalizers by which the garbage collector carries out a delete.
const OF_THE_COLLECTOR: [&str; 2] = ["foregroundDeletion", "orphan"];
/// Labels by which the server tells the Pods of a Job from those of another.
const OF_A_JOB: [&str; 4] = [
    "controller-uid",
    "batch.kubernetes.io/controller-uid",
    "job-name",
    "batch.kubernetes.io/job-name",
];

/// What is created for a kept manifest.
pub fn restorable(manifest: &Value) -> Restorable {
    let mut object = manifest.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        OF_THE_SERVER.iter().for_each(|field| drop(metadata.remove(*field)));
        without(metadata, "annotations", &[TRACKING_ID, INSTALLATION_ID, OPERATION]);
        if let Some(finalizers) = metadata.get_mut("finalizers").and_then(Value::as_array_mut) {
            finalizers.retain(|name| !OF_THE_COLLECTOR.iter().any(|of| name == of));
        }
    }
    let api_version = object.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let kind = object.get("kind").and_then(Value::as_str).unwrap_or_default();
    let lost = match (group, kind) {
        ("", "PersistentVolumeClaim") => claim(&mut object),
        ("", "PersistentVolume") => volume(&mut object),
        ("", "Namespace") => vec!["what was in the namespace does not come back with it".to_owned()],
        ("apiextensions.k8s.io", "CustomResourceDefinition") => {
            vec!["the objects of the kind do not come back with its definition".to_owned()]
        }
        ("", "Pod") => {
            remove(&mut object, "/spec", &["nodeName"]);
            Vec::new()
        }
        ("batch", "Job") => job(&mut object),
        ("argoproj.io", "Application") => {
            remove(&mut object, "", &["operation"]);
            Vec::new()
        }
        _ => Vec::new(),
    };
    Restorable { object, lost }
}

/// A claim whose volume is gone would stay unbound for ever.
fn claim(object: &mut Value) -> Vec<String> {
    let volume = object.pointer("/spec/volumeName").and_then(Value::as_str);
    let volume = volume.filter(|name| !name.is_empty()).map(str::to_owned);
    remove(object, "/spec", &["volumeName"]);
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        let bound = [
            "pv.kubernetes.io/bind-completed",
            "pv.kubernetes.io/bound-by-controller",
        ];
        without(metadata, "annotations", &bound);
    }
    let volume = match volume {
        Some(name) => format!(
            "; if PersistentVolume {name} was retained they are still on it: set spec.volumeName to that and take claimRef.uid off the volume"
        ),
        None => String::new(),
    };
    vec![format!(
        "the data of the claim does not come back: it gets a new, empty volume{volume}"
    )]
}

/// A volume that names the claim it was bound to by identity would be bound to no other.
fn volume(object: &mut Value) -> Vec<String> {
    remove(object, "/spec/claimRef", &["uid", "resourceVersion"]);
    vec!["the data comes back only if the storage behind the volume was retained".to_owned()]
}

/// The selector that the server made up names the identity of the Job that is gone.
fn job(object: &mut Value) -> Vec<String> {
    if object.pointer("/spec/manualSelector") != Some(&Value::Bool(true)) {
        remove(object, "/spec", &["selector"]);
        if let Some(metadata) = object
            .pointer_mut("/spec/template/metadata")
            .and_then(Value::as_object_mut)
        {
            without(metadata, "labels", &OF_A_JOB);
        }
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            without(metadata, "labels", &OF_A_JOB);
        }
    }
    vec!["the Job runs again, from its beginning".to_owned()]
}

fn remove(object: &mut Value, at: &str, fields: &[&str]) {
    if let Some(map) = object.pointer_mut(at).and_then(Value::as_object_mut) {
        fields.iter().for_each(|field| drop(map.remove(*field)));
    }
}

/// Takes keys out of a map within `metadata`, and the map with the last of them.
fn without(metadata: &mut Map<String, Value>, field: &str, keys: &[&str]) {
    let Some(map) = metadata.get_mut(field).and_then(Value::as_object_mut) else {
        return;
    };
    keys.iter().for_each(|key| drop(map.remove(*key)));
    if map.is_empty() {
        metadata.remove(field);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_makes_it_the_same_object_goes() {
        let manifest = json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 2}, "status": {"replicas": 2},
            "metadata": {"name": "web", "namespace": "prod", "uid": "u", "resourceVersion": "7", "generation": 3,
                "creationTimestamp": "2026-01-01T00:00:00Z", "deletionTimestamp": "2026-01-02T00:00:00Z",
                "deletionGracePeriodSeconds": 30, "ownerReferences": [{"uid": "x"}], "managedFields": [{}],
                "labels": {"app": "web"}, "finalizers": ["foregroundDeletion", "example.org/mine"],
                "annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:prod/web", "note": "kept",
                    "argocd.argoproj.io/installation-id": "i"}}});
        let Restorable { object, lost } = restorable(&manifest);
        let expected = json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 2},
            "metadata": {"name": "web", "namespace": "prod", "labels": {"app": "web"}, "finalizers": ["example.org/mine"],
                "annotations": {"note": "kept"}}});
        assert_eq!((object, lost), (expected, Vec::new()));
    }

    #[test]
    fn what_names_things_that_are_gone_goes_and_what_is_lost_is_said() {
        let of = |api: &str, kind: &str, spec: Value| {
            let metadata = json!({"name": "x", "annotations": {"pv.kubernetes.io/bind-completed": "yes"}});
            restorable(&json!({"apiVersion": api, "kind": kind, "metadata": metadata, "spec": spec}))
        };
        let claim = of(
            "v1",
            "PersistentVolumeClaim",
            json!({"volumeName": "pvc-7", "accessModes": []}),
        );
        assert_eq!(claim.object["spec"], json!({"accessModes": []}));
        assert_eq!(claim.object["metadata"], json!({"name": "x"}));
        assert!(
            claim.lost[0].contains("pvc-7") && claim.lost[0].contains("empty"),
            "{:?}",
            claim.lost
        );
        let volume = of(
            "v1",
            "PersistentVolume",
            json!({"claimRef": {"name": "c", "uid": "u", "resourceVersion": "1"}}),
        );
        assert_eq!(volume.object["spec"], json!({"claimRef": {"name": "c"}}));
        assert_eq!(of("v1", "Pod", json!({"nodeName": "n"})).object["spec"], json!({}));
        for (api, kind) in [
            ("v1", "Namespace"),
            ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
        ] {
            assert_eq!(of(api, kind, json!({})).lost.len(), 1, "{kind}");
        }
        // Of another group it is something else.
        assert!(of("example.org/v1", "Namespace", json!({})).lost.is_empty());
        let labels = json!({"controller-uid": "u", "job-name": "x", "mine": "1"});
        let template = json!({"metadata": {"labels": labels}});
        let made_up = of("batch/v1", "Job", json!({"selector": {}, "template": template}));
        assert_eq!(
            made_up.object["spec"],
            json!({"template": {"metadata": {"labels": {"mine": "1"}}}})
        );
        let own = json!({"selector": {}, "manualSelector": true, "template": template});
        assert_eq!(of("batch/v1", "Job", own.clone()).object["spec"], own);
        let application =
            json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "operation": {"sync": {}}, "spec": {}});
        assert_eq!(restorable(&application).object.get("operation"), None);
    }

    #[test]
    fn what_is_no_object_is_left_as_it_is() {
        for odd in [json!(null), json!([]), json!({"metadata": 7, "kind": []})] {
            assert_eq!(restorable(&odd).object, odd);
        }
    }
}
