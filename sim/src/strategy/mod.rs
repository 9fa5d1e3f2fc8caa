//! What each kind does on its own: which part of it may change how, and what the server sets.
//!
//! The rules of a kind are a [`Strategy`]; what cannot be said as a rule (a Job's selector, a Service's addresses) has a file of its own.

mod job;
mod namespace;
mod pod;
mod service;
mod warnings;

use serde_json::{Value, json};

use crate::fields::{as_map, at, is_going, meta, metadata_mut, set_finalizers, text, time};
use crate::registry::{GroupResource, ResourceType};
use crate::status::ApiError;
use crate::world::{Call, World};

/// The rules of a kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Strategy {
    /// Has `metadata.generation`.
    pub(crate) generation: bool,
    /// Has a status that only the status subresource writes.
    pub(crate) status: bool,
    /// May be updated without naming a version.
    pub(crate) unconditional_update: bool,
    /// An update of what is not there creates it.
    pub(crate) create_on_update: bool,
    /// Is given time to go.
    pub(crate) grace: bool,
    /// A finished deletion answers with the object instead of a `Status`.
    pub(crate) returns_deleted: bool,
    /// Dependents stay unless the deletion says otherwise.
    pub(crate) orphans_by_default: bool,
    /// A deletion mark has no `deletionGracePeriodSeconds`.
    pub(crate) graceless_mark: bool,
}

impl World {
    /// The rules of a type.
    pub(crate) fn strategy(&self, resource: &ResourceType) -> Strategy {
        let name = (resource.storage.group.as_str(), resource.storage.resource.as_str());
        if resource.custom {
            let status = resource.subresource("status").is_some();
            return Strategy {
                generation: true,
                status,
                ..Strategy::default()
            };
        }
        Strategy {
            generation: has_generation(name),
            status: resource.subresource("status").is_some(),
            unconditional_update: !matches!(
                name,
                ("coordination.k8s.io", "leases")
                    | ("apiextensions.k8s.io" | "apiregistration.k8s.io", _)
                    | ("storage.k8s.io", "volumeattachments" | "csistoragecapacities")
            ),
            create_on_update: matches!(
                name,
                ("", "endpoints" | "events" | "limitranges" | "services")
                    | ("coordination.k8s.io", "leases")
                    | ("rbac.authorization.k8s.io", _)
            ),
            grace: name == ("", "pods"),
            returns_deleted: matches!(
                name,
                (
                    "",
                    "pods" | "services" | "serviceaccounts" | "persistentvolumes" | "persistentvolumeclaims"
                ) | ("", "podtemplates" | "resourcequotas")
                    | ("storage.k8s.io", _)
            ),
            orphans_by_default: matches!(name, ("", "replicationcontrollers") | ("batch", "jobs")),
            graceless_mark: matches!(name, ("", "namespaces") | ("apiextensions.k8s.io", _)),
        }
    }

    /// A new object as the server completes it: metadata, status, what the kind sets, defaults.
    pub(crate) fn prepare_new(&mut self, call: &Call<'_>, object: &mut Value) -> Result<(), ApiError> {
        let strategy = self.strategy(&call.resource);
        self.stamp_new(call, object, strategy.generation);
        let name = call.resource.storage.clone();
        let name = (name.group.as_str(), name.resource.as_str());
        if strategy.status && name != ("", "nodes") {
            match initial_status(name) {
                Some(status) => as_map(object).insert("status".into(), status),
                None => as_map(object).remove("status"),
            };
        }
        match name {
            ("", "namespaces") => namespace::prepare(object),
            ("", "pods") => self.prepare_pod(call, object)?,
            ("batch", "jobs") => job::prepare(object),
            ("apiextensions.k8s.io", "customresourcedefinitions") => crate::crd::prepare(object),
            // The cluster's own nodes come ready.
            ("", "nodes") if !call.user.name.starts_with("system:serviceaccount:kube-system:") => not_ready(object),
            ("", "persistentvolumeclaims") => protect(object, "kubernetes.io/pvc-protection"),
            ("apps", "daemonsets") => daemon_set_template(object, "1"),
            ("", "persistentvolumes") => {
                protect(object, "kubernetes.io/pv-protection");
                object["status"]["lastPhaseTransitionTime"] = time(call.now);
            }
            _ => {}
        }
        if name == ("", "pods") {
            pod::finish(object);
        }
        Ok(())
    }

    /// Adds the warnings of a new or changed object to the answer.
    pub(crate) fn warn(&self, call: &mut Call<'_>, old: Option<&Value>, object: &Value) {
        let storage = call.resource.storage.clone();
        for warning in warnings::of((&storage.group, &storage.resource), old, object) {
            call.warn(&warning);
        }
    }

    /// What a change may do: the part it is about, the generation it bumps.
    pub(crate) fn prepare_change(&mut self, call: &Call<'_>, old: &Value, object: &mut Value) -> Result<(), ApiError> {
        let strategy = self.strategy(&call.resource);
        let name = (
            call.resource.storage.group.as_str(),
            call.resource.storage.resource.as_str(),
        );
        if call.subresource == "status" {
            self.keep_all_but_status(call, old, object);
            return Ok(());
        }
        if strategy.status {
            keep(old, object, "status");
        }
        if call.subresource == "scale" && call.verb == "apply" {
            forget_times(object);
        }
        match name {
            ("", "namespaces") if call.subresource != "finalize" => namespace::keep(old, object),
            ("", "services") => service::keep(old, object),
            ("", "pods") => pod::tolerate(object),
            _ => {}
        }
        if strategy.generation && generation_moves(call, old, object) {
            let generation = old["metadata"]["generation"].as_i64().unwrap_or(0) + 1;
            metadata_mut(object).insert("generation".into(), json!(generation));
        }
        Ok(())
    }

    /// A write of the status changes nothing else.
    fn keep_all_but_status(&self, call: &Call<'_>, old: &Value, object: &mut Value) {
        let status = object.get("status").cloned();
        let managers = object["metadata"].get("managedFields").cloned();
        let annotations = object["metadata"].get("annotations").cloned();
        let sent_finalizers = object["metadata"].get("finalizers").cloned();
        let (version, labels) = (
            object["metadata"]["resourceVersion"].clone(),
            object["metadata"].get("labels").cloned(),
        );
        *object = old.clone();
        let map = as_map(object);
        match status {
            Some(status) => map.insert("status".into(), status),
            None => map.remove("status"),
        };
        let metadata = metadata_mut(object);
        metadata.insert("resourceVersion".into(), version);
        let mut put = |field: &str, value: Option<Value>| match value {
            Some(value) => {
                metadata.insert(field.into(), value);
            }
            None => {
                metadata.remove(field);
            }
        };
        put("managedFields", managers);
        if call.resource.custom {
            return;
        }
        put("annotations", annotations);
        put("finalizers", sent_finalizers);
        if !matches!(
            (call.resource.group.as_str(), call.resource.plural.as_str()),
            ("apps", "deployments") | ("autoscaling", _)
        ) {
            put("labels", labels);
        }
    }

    /// What the server allocates just before a new object is stored.
    pub(crate) fn allocate(&mut self, call: &Call<'_>, object: &mut Value) -> Result<(), ApiError> {
        match (
            call.resource.storage.group.as_str(),
            call.resource.storage.resource.as_str(),
        ) {
            ("", "services") => self.allocate_service(object),
            _ => Ok(()),
        }
    }

    /// Deletions the server refuses.
    pub(crate) fn admit_delete(&self, call: &Call<'_>, old: &Value) -> Result<(), ApiError> {
        let system = ["default", "kube-system", "kube-public"];
        if call.resource.storage == GroupResource::new("", "namespaces") && system.contains(&meta(old, "name")) {
            return Err(ApiError::forbidden(
                "",
                "namespaces",
                &call.name,
                "this namespace may not be deleted",
            ));
        }
        Ok(())
    }

    /// Finalizers the server adds to an object that is to go.
    pub(crate) fn hold(&self, call: &Call<'_>, object: &mut Value, finalizers: &mut Vec<String>) {
        const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";
        let is_definition =
            call.resource.storage == GroupResource::new("apiextensions.k8s.io", "customresourcedefinitions");
        if is_definition && !is_going(object) && !finalizers.iter().any(|f| f == CLEANUP) {
            finalizers.push(CLEANUP.into());
        }
        set_finalizers(object, finalizers);
    }

    /// Whether a marked object without finalizers goes: a namespace has finalizers of its own, a pod may still have time.
    pub(crate) fn may_go(&self, object: &Value) -> bool {
        let namespace_held = object["kind"] == "Namespace"
            && at(object, &["spec", "finalizers"])
                .and_then(Value::as_array)
                .is_some_and(|list| !list.is_empty());
        let waiting = object["kind"] == "Pod"
            && object["metadata"]["deletionGracePeriodSeconds"]
                .as_i64()
                .is_some_and(|g| g > 0);
        !namespace_held && !waiting
    }

    /// What the mark of deletion does to a kind.
    pub(crate) fn marked(&self, call: &Call<'_>, object: &mut Value) {
        match (
            call.resource.storage.group.as_str(),
            call.resource.storage.resource.as_str(),
        ) {
            ("", "namespaces") => object["status"]["phase"] = json!("Terminating"),
            ("apiextensions.k8s.io", "customresourcedefinitions") => crate::crd::mark_terminating(object, call.now),
            _ => {}
        }
    }
}

fn has_generation(name: (&str, &str)) -> bool {
    matches!(
        name,
        ("", "pods" | "replicationcontrollers")
            | ("apps", "daemonsets" | "deployments" | "replicasets" | "statefulsets")
            | ("batch", _)
            | ("networking.k8s.io", "ingresses" | "ingressclasses" | "networkpolicies")
            | ("policy", _)
            | ("scheduling.k8s.io", "priorityclasses")
            | ("discovery.k8s.io", _)
            | (
                "admissionregistration.k8s.io" | "apiextensions.k8s.io" | "flowcontrol.apiserver.k8s.io",
                _
            )
    )
}

/// A new node is not ready until something says it is: nothing is scheduled to it.
fn not_ready(object: &mut Value) {
    const NOT_READY: &str = "node.kubernetes.io/not-ready";
    let taints = crate::fields::child_mut(object, "spec")
        .entry("taints")
        .or_insert_with(|| json!([]));
    if let Some(taints) = taints.as_array_mut()
        && !taints
            .iter()
            .any(|t| t["key"] == NOT_READY && t["effect"] == "NoSchedule")
    {
        taints.push(json!({"key": NOT_READY, "effect": "NoSchedule"}));
    }
}

/// The status of a new object, as its empty Go struct prints.
fn initial_status(name: (&str, &str)) -> Option<Value> {
    Some(match name {
        ("", "namespaces") => json!({"phase": "Active"}),
        ("", "persistentvolumeclaims" | "persistentvolumes") => json!({"phase": "Pending"}),
        ("", "pods") => json!({"phase": "Pending"}),
        ("", "services") | ("networking.k8s.io", "ingresses") => json!({"loadBalancer": {}}),
        ("", "replicationcontrollers") | ("apps", "replicasets") => json!({"replicas": 0}),
        ("apps", "statefulsets") => json!({"replicas": 0, "availableReplicas": 0}),
        ("apps", "daemonsets") => json!({
            "currentNumberScheduled": 0, "numberMisscheduled": 0, "desiredNumberScheduled": 0, "numberReady": 0,
        }),
        ("autoscaling", _) => json!({"desiredReplicas": 0, "currentMetrics": null}),
        ("policy", _) => json!({"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0}),
        ("apps", "deployments") | ("batch", "jobs" | "cronjobs") | ("", "resourcequotas") => json!({}),
        ("apiregistration.k8s.io" | "certificates.k8s.io" | "flowcontrol.apiserver.k8s.io", _) => json!({}),
        ("admissionregistration.k8s.io" | "resource.k8s.io", _) => json!({}),
        ("networking.k8s.io", "servicecidrs") => json!({}),
        ("apiextensions.k8s.io", _) => json!({"conditions": null, "acceptedNames": {"plural": "", "kind": ""}}),
        _ => return None,
    })
}

/// Whether a change bumps the generation: one of the specification does, one of metadata or status does not.
fn generation_moves(call: &Call<'_>, old: &Value, object: &Value) -> bool {
    if call.resource.custom {
        let bare = |o: &Value| {
            let mut o = o.clone();
            let map = as_map(&mut o);
            map.remove("metadata");
            if call.resource.subresource("status").is_some() {
                map.remove("status");
            }
            o
        };
        return bare(old) != bare(object);
    }
    let parts: &[&str] = match (call.resource.group.as_str(), call.resource.plural.as_str()) {
        // A Deployment's annotations go down to its ReplicaSets.
        ("apps", "deployments") if old["metadata"]["annotations"] != object["metadata"]["annotations"] => return true,
        ("admissionregistration.k8s.io", _) => &["webhooks", "spec"],
        ("apps", "deployments") => {
            return old["spec"] != object["spec"]
                || old["metadata"]["annotations"] != object["metadata"]["annotations"];
        }
        ("discovery.k8s.io", _) => {
            return old["endpoints"] != object["endpoints"]
                || old["ports"] != object["ports"]
                || old["metadata"]["labels"] != object["metadata"]["labels"]
                || old["addressType"] != object["addressType"];
        }
        ("scheduling.k8s.io", _) => &["value", "globalDefault", "description", "preemptionPolicy"],
        _ => &["spec"],
    };
    parts.iter().any(|part| old[*part] != object[*part])
}

/// A part of the object that a change does not touch.
fn keep(old: &Value, object: &mut Value, part: &str) {
    match old.get(part) {
        Some(value) => as_map(object).insert(part.into(), value.clone()),
        None => as_map(object).remove(part),
    };
}

/// `stringData` becomes `data`.
pub(crate) fn encode_string_data(object: &mut Value) {
    use base64::Engine as _;
    let Some(Value::Object(plain)) = as_map(object).remove("stringData") else {
        return;
    };
    let data = crate::fields::child_mut(object, "data");
    for (key, value) in plain {
        let encoded = base64::engine::general_purpose::STANDARD.encode(value.as_str().unwrap_or_default());
        data.insert(key, json!(encoded));
    }
}

/// A finalizer the server gives every object of a kind.
fn protect(object: &mut Value, finalizer: &str) {
    let mut all = crate::fields::finalizers(object);
    if !all.iter().any(|f| f == finalizer) {
        all.push(finalizer.to_owned());
    }
    set_finalizers(object, &all);
}

/// Whoever applies a scale owns the number without a time.
fn forget_times(object: &mut Value) {
    let entries = object
        .pointer_mut("/metadata/managedFields")
        .and_then(Value::as_array_mut);
    for entry in entries
        .into_iter()
        .flatten()
        .filter(|e| e["subresource"] == "scale" && e["operation"] == "Apply")
    {
        as_map(entry).remove("time");
    }
}

/// What decoding adds to some kinds beside the defaults of their types.
pub(crate) fn complete(resource: &ResourceType, object: &mut Value) {
    match (resource.storage.group.as_str(), resource.storage.resource.as_str()) {
        ("", "pods") => pod::pair_addresses(object),
        ("apiextensions.k8s.io", "customresourcedefinitions") => crate::crd::complete(object),
        _ => {}
    }
}

/// DaemonSets count the changes of their template in an annotation that is long deprecated.
fn daemon_set_template(object: &mut Value, generation: &str) {
    let annotations = metadata_mut(object).entry("annotations").or_insert_with(|| json!({}));
    annotations["deprecated.daemonset.template.generation"] = json!(generation);
}

/// The text at a path, for kinds' rules.
fn word<'a>(object: &'a Value, path: &[&str]) -> &'a str {
    text(object, path)
}
