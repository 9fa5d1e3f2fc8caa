//! Short facts about an object, for people.

use serde_json::Value;

/// What one wants to see beside an object's name: how much of it is ready, its images. In the order to be shown.
pub(crate) fn info(group: &str, kind: &str, object: &Value) -> Vec<String> {
    let mut facts = Vec::new();
    let pod = match (group, kind) {
        ("apps", "Deployment" | "ReplicaSet" | "StatefulSet") => {
            let wanted = number(object, "/spec/replicas").unwrap_or(1);
            facts.push(format!("{}/{wanted} ready", count(object, "/status/readyReplicas")));
            "/spec/template/spec"
        }
        ("apps", "DaemonSet") => {
            let wanted = count(object, "/status/desiredNumberScheduled");
            facts.push(format!("{}/{wanted} ready", count(object, "/status/numberReady")));
            "/spec/template/spec"
        }
        ("", "Pod") => {
            pod_facts(object, &mut facts);
            "/spec"
        }
        ("batch", "Job") => {
            let wanted = number(object, "/spec/completions").unwrap_or(1);
            facts.push(format!("{}/{wanted} completed", count(object, "/status/succeeded")));
            "/spec/template/spec"
        }
        ("batch", "CronJob") => {
            facts.extend(text(object, "/spec/schedule"));
            "/spec/jobTemplate/spec/template/spec"
        }
        ("", "Service") => {
            facts.extend(text(object, "/spec/type"));
            return facts;
        }
        ("", "PersistentVolumeClaim") => {
            facts.extend(text(object, "/status/capacity/storage"));
            return facts;
        }
        ("networking.k8s.io", "Ingress") => {
            let rules = items(object, "/spec/rules");
            facts.extend(rules.iter().filter_map(|rule| text(rule, "/host")));
            return facts;
        }
        _ => return facts,
    };
    let mut images: Vec<String> = ["initContainers", "containers"]
        .iter()
        .flat_map(|list| items(object, &format!("{pod}/{list}")))
        .filter_map(|container| text(container, "/image"))
        .collect();
    images.sort();
    images.dedup();
    facts.append(&mut images);
    facts
}

fn pod_facts(object: &Value, facts: &mut Vec<String>) {
    let statuses = items(object, "/status/containerStatuses");
    let ready = statuses
        .iter()
        .filter(|status| status.get("ready") == Some(&Value::Bool(true)))
        .count();
    let wanted = items(object, "/spec/containers").len();
    facts.push(format!("{ready}/{wanted} ready"));
    match statuses.iter().map(|status| count(status, "/restartCount")).sum() {
        0 => {}
        1 => facts.push("1 restart".to_owned()),
        restarts => facts.push(format!("{restarts} restarts")),
    }
}

fn number(object: &Value, pointer: &str) -> Option<i64> {
    object.pointer(pointer).and_then(Value::as_i64)
}

fn count(object: &Value, pointer: &str) -> i64 {
    number(object, pointer).unwrap_or(0)
}

fn text(object: &Value, pointer: &str) -> Option<String> {
    object.pointer(pointer).and_then(Value::as_str).map(str::to_owned)
}

fn items<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object
        .pointer(pointer)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_deployment_tells_ready_replicas_and_images() {
        let object = json!({
            "spec": {"replicas": 3, "template": {"spec": {
                "initContainers": [{"image": "b:1"}], "containers": [{"image": "a:1"}, {"image": "a:1"}]}}},
            "status": {"readyReplicas": 2}
        });
        assert_eq!(info("apps", "Deployment", &object), ["2/3 ready", "a:1", "b:1"]);
    }

    #[test]
    fn a_pod_tells_restarts() {
        let object = json!({
            "spec": {"containers": [{"image": "a:1"}]},
            "status": {"containerStatuses": [{"ready": false, "restartCount": 4}]}
        });
        assert_eq!(info("", "Pod", &object), ["0/1 ready", "4 restarts", "a:1"]);
    }

    #[test]
    fn nonsense_is_no_panic() {
        for object in [
            json!(null),
            json!({"spec": []}),
            json!({"spec": {"containers": 3}, "status": "x"}),
        ] {
            for (group, kind) in [("apps", "Deployment"), ("", "Pod"), ("networking.k8s.io", "Ingress")] {
                info(group, kind, &object);
            }
        }
    }
}
