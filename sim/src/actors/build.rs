//! Requests and pieces of objects that controllers make.

use capstan_model::{Digest, Timestamp};
use serde_json::{Map, Value, json};

use crate::store::ObjectName;
use crate::{ActorRequest, GroupResource, Method, Request, at, meta, text, time};

/// Letters of hashes in names: those of name suffixes.
const SAFE: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// Where a built-in resource is served.
pub(crate) struct Api {
    group: &'static str,
    version: &'static str,
    resource: &'static str,
}

pub(crate) const PODS: Api = Api {
    group: "",
    version: "v1",
    resource: "pods",
};
pub(crate) const NAMESPACES: Api = Api {
    group: "",
    version: "v1",
    resource: "namespaces",
};
pub(crate) const NODES: Api = Api {
    group: "",
    version: "v1",
    resource: "nodes",
};
pub(crate) const SERVICES: Api = Api {
    group: "",
    version: "v1",
    resource: "services",
};
pub(crate) const CLAIMS: Api = Api {
    group: "",
    version: "v1",
    resource: "persistentvolumeclaims",
};
pub(crate) const VOLUMES: Api = Api {
    group: "",
    version: "v1",
    resource: "persistentvolumes",
};
pub(crate) const CONFIG_MAPS: Api = Api {
    group: "",
    version: "v1",
    resource: "configmaps",
};
pub(crate) const SECRETS: Api = Api {
    group: "",
    version: "v1",
    resource: "secrets",
};
pub(crate) const SERVICE_ACCOUNTS: Api = Api {
    group: "",
    version: "v1",
    resource: "serviceaccounts",
};
pub(crate) const DEPLOYMENTS: Api = Api {
    group: "apps",
    version: "v1",
    resource: "deployments",
};
pub(crate) const REPLICA_SETS: Api = Api {
    group: "apps",
    version: "v1",
    resource: "replicasets",
};
pub(crate) const STATEFUL_SETS: Api = Api {
    group: "apps",
    version: "v1",
    resource: "statefulsets",
};
pub(crate) const DAEMON_SETS: Api = Api {
    group: "apps",
    version: "v1",
    resource: "daemonsets",
};
pub(crate) const JOBS: Api = Api {
    group: "batch",
    version: "v1",
    resource: "jobs",
};
pub(crate) const CRON_JOBS: Api = Api {
    group: "batch",
    version: "v1",
    resource: "cronjobs",
};
pub(crate) const INGRESSES: Api = Api {
    group: "networking.k8s.io",
    version: "v1",
    resource: "ingresses",
};
pub(crate) const ENDPOINT_SLICES: Api = Api {
    group: "discovery.k8s.io",
    version: "v1",
    resource: "endpointslices",
};
pub(crate) const AUTOSCALERS: Api = Api {
    group: "autoscaling",
    version: "v2",
    resource: "horizontalpodautoscalers",
};
pub(crate) const BUDGETS: Api = Api {
    group: "policy",
    version: "v1",
    resource: "poddisruptionbudgets",
};

impl Api {
    /// As the store knows it.
    pub(crate) fn stored(&self) -> GroupResource {
        GroupResource::new(self.group, self.resource)
    }

    /// The collection in a namespace; of a cluster-scoped resource with an empty one.
    pub(crate) fn collection(&self, namespace: &str) -> String {
        let root = match self.group {
            "" => format!("/api/{}", self.version),
            group => format!("/apis/{group}/{}", self.version),
        };
        match namespace {
            "" => format!("{root}/{}", self.resource),
            namespace => format!("{root}/namespaces/{namespace}/{}", self.resource),
        }
    }

    /// One object.
    pub(crate) fn object(&self, name: &ObjectName) -> String {
        format!("{}/{}", self.collection(&name.namespace), name.name)
    }

    /// Creates an object.
    pub(crate) fn create(&self, namespace: &str, object: Value) -> ActorRequest {
        Request::json(Method::Post, &self.collection(namespace), object)
    }

    /// Changes an object by a merge patch.
    pub(crate) fn patch(&self, name: &ObjectName, patch: Value) -> ActorRequest {
        Request::typed(Method::Patch, &self.object(name), "application/merge-patch+json", patch)
    }

    /// Deletes an object if it still has this uid.
    pub(crate) fn delete(&self, object: &Value) -> ActorRequest {
        let options =
            json!({"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": meta(object, "uid")}});
        Request::json(Method::Delete, &self.object(&name_of(object)), options)
    }

    /// Makes the status of `object` this one; nothing when it is so already.
    #[expect(clippy::needless_pass_by_value, reason = "callers build it for this call")]
    pub(crate) fn status(&self, object: &Value, status: Value) -> Option<ActorRequest> {
        let none = Value::Null;
        let patch = difference(object.get("status").unwrap_or(&none), &status)?;
        let path = format!("{}/status", self.object(&name_of(object)));
        Some(Request::typed(
            Method::Patch,
            &path,
            "application/merge-patch+json",
            json!({"status": patch}),
        ))
    }
}

/// Namespace and name of an object.
pub(crate) fn name_of(object: &Value) -> ObjectName {
    ObjectName::new(meta(object, "namespace"), meta(object, "name"))
}

/// The merge patch from one value to the other; `None` when they are equal.
fn difference(old: &Value, new: &Value) -> Option<Value> {
    if old == new {
        return None;
    }
    let (Some(from), Some(to)) = (old.as_object(), new.as_object()) else {
        return Some(new.clone());
    };
    let mut patch = Map::new();
    for (field, value) in to {
        match from.get(field) {
            Some(before) => drop(difference(before, value).map(|change| patch.insert(field.clone(), change))),
            None => drop(patch.insert(field.clone(), value.clone())),
        }
    }
    for field in from.keys().filter(|field| !to.contains_key(*field)) {
        patch.insert(field.clone(), Value::Null);
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}

/// The owner reference of a controller to what it makes.
pub(crate) fn owner_reference(owner: &Value, api_version: &str, kind: &str) -> Value {
    json!([{
        "apiVersion": api_version, "kind": kind, "name": meta(owner, "name"), "uid": meta(owner, "uid"),
        "controller": true, "blockOwnerDeletion": true,
    }])
}

/// A number at a path, or `otherwise`.
pub(crate) fn number(object: &Value, path: &[&str], otherwise: i64) -> i64 {
    at(object, path).and_then(Value::as_i64).unwrap_or(otherwise)
}

/// An `IntOrString` share of `total`: a number, or a percentage rounded up or down.
pub(crate) fn share(value: Option<&Value>, total: i64, otherwise: &str, round_up: bool) -> i64 {
    let text = match value {
        Some(Value::Number(number)) => return number.as_i64().unwrap_or(0),
        Some(Value::String(text)) => text.as_str(),
        _ => otherwise,
    };
    let Some(percent) = text.strip_suffix('%').and_then(|digits| digits.parse::<i64>().ok()) else {
        return text.parse().unwrap_or(0);
    };
    if round_up {
        (total * percent + 99) / 100
    } else {
        total * percent / 100
    }
}

/// A hash for names, of a value.
pub(crate) fn name_hash(value: &Value) -> String {
    let text = Digest::of_json(value).to_string();
    let digits = text.bytes().take(20).collect::<Vec<_>>();
    digits
        .chunks(2)
        .map(|pair| {
            let number = pair
                .iter()
                .fold(0_usize, |sum, digit| sum * 16 + usize::from(*digit & 0x1f));
            char::from(SAFE[number % SAFE.len()])
        })
        .collect()
}

/// `list` with the condition of this type set; its transition time moves only when its status changes. `extra` fields are kept as given.
pub(crate) fn set_condition(
    list: &mut Vec<Value>,
    now: Timestamp,
    kind: &str,
    status: &str,
    reason: &str,
    message: &str,
) {
    let old = list.iter().position(|condition| text(condition, &["type"]) == kind);
    let since = old
        .and_then(|at| list.get(at))
        .filter(|condition| text(condition, &["status"]) == status)
        .and_then(|condition| condition.get("lastTransitionTime").cloned())
        .unwrap_or_else(|| time(now));
    let mut condition = json!({"type": kind, "status": status, "lastTransitionTime": since});
    if !reason.is_empty() {
        condition["reason"] = json!(reason);
    }
    if !message.is_empty() {
        condition["message"] = json!(message);
    }
    match old.and_then(|at| list.get_mut(at)) {
        Some(slot) => *slot = condition,
        None => list.push(condition),
    }
}

/// The conditions of an object's status.
pub(crate) fn conditions(object: &Value) -> Vec<Value> {
    at(object, &["status", "conditions"])
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default()
}

/// Does the object have this condition with status `True`?
pub(crate) fn is_true(object: &Value, kind: &str) -> bool {
    let list = at(object, &["status", "conditions"]).and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .any(|c| text(c, &["type"]) == kind && text(c, &["status"]) == "True")
}

/// Does a label selector (`matchLabels`, `matchExpressions`) match these labels? An absent one matches nothing.
pub(crate) fn selects(selector: Option<&Value>, labels: Option<&Value>) -> bool {
    let Some(selector) = selector else { return false };
    let label = |key: &str| labels.and_then(|labels| labels.get(key)).and_then(Value::as_str);
    let equal = selector.get("matchLabels").and_then(Value::as_object);
    if !equal
        .into_iter()
        .flatten()
        .all(|(key, value)| label(key) == value.as_str())
    {
        return false;
    }
    let expressions = selector.get("matchExpressions").and_then(Value::as_array);
    expressions.into_iter().flatten().all(|expression| {
        let found = label(text(expression, &["key"]));
        let values = expression.get("values").and_then(Value::as_array);
        let listed = values
            .into_iter()
            .flatten()
            .any(|value| value.as_str() == found && found.is_some());
        match text(expression, &["operator"]) {
            "In" => listed,
            "NotIn" => !listed,
            "Exists" => found.is_some(),
            "DoesNotExist" => found.is_none(),
            _ => false,
        }
    })
}

/// Is a Pod ready?
pub(crate) fn is_ready(pod: &Value) -> bool {
    is_true(pod, "Ready")
}

/// Does a Pod still count for its controller: neither ended nor going?
pub(crate) fn is_active(pod: &Value) -> bool {
    !crate::is_going(pod) && !matches!(text(pod, &["status", "phase"]), "Succeeded" | "Failed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_round_as_rollouts_want() {
        assert_eq!(share(None, 3, "25%", true), 1);
        assert_eq!(share(None, 3, "25%", false), 0);
        assert_eq!(share(Some(&json!(2)), 3, "25%", true), 2);
        assert_eq!(share(Some(&json!("50%")), 5, "25%", false), 2);
    }

    #[test]
    fn a_patch_removes_what_is_gone() {
        let patch = difference(&json!({"a": 1, "b": {"c": 1, "d": 2}}), &json!({"b": {"c": 1}})).unwrap();
        assert_eq!(patch, json!({"a": null, "b": {"d": null}}));
        assert_eq!(difference(&json!([1]), &json!([1])), None);
    }
}
