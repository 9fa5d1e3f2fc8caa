//! Pods: what admission gives every pod — service account, token volume, tolerations, priority — and its quality of service.

use serde_json::{Map, Value, json};

use super::word;
use crate::fields::{as_map, at, child_mut, meta};
use crate::registry::GroupResource;
use crate::status::ApiError;
use crate::store::ObjectName;
use crate::world::{Call, World};

const TOKEN_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

impl World {
    /// Admission of a new pod: its service account must be there, and gives it a token unless one of the two says no.
    pub(super) fn prepare_pod(&mut self, call: &Call<'_>, object: &mut Value) -> Result<(), ApiError> {
        self.priority(object)?;
        tolerate(object);
        let account = match word(object, &["spec", "serviceAccountName"]) {
            "" => "default".to_owned(),
            name => name.to_owned(),
        };
        let accounts = GroupResource::new("", "serviceaccounts");
        let found = self
            .store
            .object(&accounts, &ObjectName::new(&call.namespace, &account))
            .cloned();
        let Some(found) = found else {
            let why = format!(
                "error looking up service account {}/{account}: serviceaccount {account:?} not found",
                call.namespace
            );
            return Err(ApiError::forbidden("", "pods", meta(object, "name"), &why));
        };
        let spec = child_mut(object, "spec");
        for field in ["serviceAccountName", "serviceAccount"] {
            spec.insert(field.into(), json!(account));
        }
        let own = spec.get("automountServiceAccountToken").and_then(Value::as_bool);
        let mounts = own.or(found["automountServiceAccountToken"].as_bool()).unwrap_or(true);
        if let Some(secrets) = found
            .get("imagePullSecrets")
            .filter(|_| !spec.contains_key("imagePullSecrets"))
        {
            spec.insert("imagePullSecrets".into(), secrets.clone());
        }
        if mounts {
            let volume = format!("kube-api-access-{}", self.random.suffix());
            mount_token(spec, &volume);
        }
        Ok(())
    }

    fn priority(&self, object: &mut Value) -> Result<(), ApiError> {
        let class = word(object, &["spec", "priorityClassName"]).to_owned();
        let classes = GroupResource::new("scheduling.k8s.io", "priorityclasses");
        let found = if class.is_empty() {
            let mut all = self.store.objects(&classes, None);
            all.find(|(_, c)| c["globalDefault"] == true).map(|(_, c)| c.clone())
        } else {
            let found = self.store.object(&classes, &ObjectName::new("", &class)).cloned();
            if found.is_none() {
                let why = format!("no PriorityClass with name {class} was found");
                return Err(ApiError::forbidden("", "pods", meta(object, "name"), &why));
            }
            found
        };
        let spec = child_mut(object, "spec");
        let (value, policy) = match &found {
            Some(class) => (class["value"].clone(), class["preemptionPolicy"].clone()),
            None => (json!(0), json!("PreemptLowerPriority")),
        };
        spec.insert("priority".into(), value);
        if let Some(name) = found
            .as_ref()
            .map(|c| c["metadata"]["name"].clone())
            .filter(|_| class.is_empty())
        {
            spec.insert("priorityClassName".into(), name);
        }
        let policy = if policy.is_null() {
            json!("PreemptLowerPriority")
        } else {
            policy
        };
        spec.entry("preemptionPolicy").or_insert(policy);
        Ok(())
    }
}

/// Every pod tolerates a node that is not ready or unreachable for five minutes.
pub(super) fn tolerate(object: &mut Value) {
    let spec = child_mut(object, "spec");
    let list = spec.entry("tolerations").or_insert_with(|| json!([]));
    let Some(list) = list.as_array_mut() else { return };
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let covered = list.iter().any(|t| {
            let keyed = t["key"] == key || (t["key"].as_str().unwrap_or("").is_empty() && t["operator"] == "Exists");
            keyed && matches!(t["effect"].as_str().unwrap_or(""), "" | "NoExecute")
        });
        if !covered {
            list.push(json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}));
        }
    }
}

fn mount_token(spec: &mut Map<String, Value>, volume: &str) {
    let mut mounted = false;
    for list in ["initContainers", "containers"] {
        let containers = spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten();
        for container in containers {
            let mounts = as_map(container).entry("volumeMounts").or_insert_with(|| json!([]));
            let Some(mounts) = mounts.as_array_mut() else { continue };
            if !mounts.iter().any(|m| m["mountPath"] == TOKEN_PATH) {
                mounts.push(json!({"name": volume, "readOnly": true, "mountPath": TOKEN_PATH}));
                mounted = true;
            }
        }
    }
    let volumes = spec.entry("volumes").or_insert_with(|| json!([]));
    if let Some(volumes) = volumes.as_array_mut().filter(|_| mounted) {
        volumes.push(json!({"name": volume, "projected": {"defaultMode": 420, "sources": [
            {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}},
        ]}}));
    }
}

/// The one address and the list of addresses say the same.
pub(super) fn pair_addresses(object: &mut Value) {
    let Some(status) = object.get_mut("status").and_then(Value::as_object_mut) else {
        return;
    };
    match (status.get("podIP").cloned(), status.contains_key("podIPs")) {
        (Some(ip), false) => status.insert("podIPs".into(), json!([{"ip": ip}])),
        (None, true) => {
            let first = status["podIPs"][0]["ip"].clone();
            status.insert("podIP".into(), first)
        }
        _ => None,
    };
}

/// After defaulting: the quality of service follows from requests and limits.
pub(super) fn finish(object: &mut Value) {
    let class = quality(object);
    child_mut(object, "status").insert("qosClass".into(), json!(class));
}

fn quality(object: &Value) -> &'static str {
    let mut any = false;
    let mut guaranteed = true;
    for list in ["initContainers", "containers"] {
        for container in at(object, &["spec", list])
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            for resource in ["cpu", "memory"] {
                let amount = |side: &str| {
                    at(container, &["resources", side, resource])
                        .filter(|v| !is_zero(v))
                        .cloned()
                };
                let (limit, request) = (amount("limits"), amount("requests"));
                any |= limit.is_some() || request.is_some();
                guaranteed &= limit.is_some() && (request.is_none() || request == limit);
            }
        }
    }
    match (any, guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

fn is_zero(value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    !text.is_empty() && text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).parse() == Ok(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quality_follows_requests_and_limits() {
        let pod = |resources: Value| json!({"spec": {"containers": [{"resources": resources}]}});
        assert_eq!(quality(&pod(json!({}))), "BestEffort");
        assert_eq!(quality(&pod(json!({"requests": {"cpu": "1"}}))), "Burstable");
        let full = json!({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1", "memory": "1Gi"}});
        assert_eq!(quality(&pod(full)), "Guaranteed");
    }
}
