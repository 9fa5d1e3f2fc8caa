//! What the server makes of an object that parses: defaults, and refusals with every cause.
//!
//! Invariant: every refusal here is one of the real server's, in its words; what is not checked is listed in `FIDELITY.md`. Values of
//! whole structs in messages are printed as JSON, where the server prints its internal types.

mod defaults;
mod names;
mod others;
mod pods;
mod report;
mod workloads;

use serde_json::Value;

use crate::status::Cause;
use report::Report;

pub(crate) use defaults::complete;

/// Why an object of a built-in kind may not be created; empty when it may.
pub(crate) fn refuse_new(kind: &str, object: &Value) -> Vec<Cause> {
    let mut report = Report::default();
    names::metadata(&mut report, kind, object);
    check(&mut report, kind, object);
    report.causes
}

/// Why an object may not be changed so; empty when it may.
pub(crate) fn refuse_change(kind: &str, old: &Value, new: &Value) -> Vec<Cause> {
    let mut report = Report::default();
    let (before, after) = (&old["metadata"], &new["metadata"]);
    if before["labels"] != after["labels"] {
        names::labels(&mut report, "metadata.labels", &after["labels"]);
    }
    if before["annotations"] != after["annotations"] {
        names::annotations(&mut report, "metadata.annotations", &after["annotations"]);
    }
    if kind != "Pod" {
        check(&mut report, kind, new);
    }
    match kind {
        "Pod" => workloads::pod_change(&mut report, old, new),
        "PersistentVolumeClaim" => others::claim_change(&mut report, old, new),
        "ConfigMap" | "Secret" => others::config_change(&mut report, kind, old, new),
        "Service" => others::service_change(&mut report, old, new),
        "RoleBinding" | "ClusterRoleBinding" => others::binding_change(&mut report, old, new),
        "Job" => {
            // The server checks the specification by itself and again as part of the change.
            check(&mut report, kind, new);
            workloads::change(&mut report, kind, old, new);
        }
        _ => workloads::change(&mut report, kind, old, new),
    }
    report.causes
}

fn check(report: &mut Report, kind: &str, object: &Value) {
    match kind {
        "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" => workloads::workload(report, kind, object),
        "Job" => workloads::job(report, object),
        "CronJob" => workloads::cron_job(report, object),
        "Pod" => pods::spec(report, "spec", &object["spec"]),
        "PersistentVolumeClaim" => workloads::claim(report, object),
        "ConfigMap" | "Secret" => others::config(report, kind, object),
        "Service" => others::service(report, object),
        "Ingress" => others::ingress(report, object),
        "NetworkPolicy" => others::network_policy(report, object),
        "PodDisruptionBudget" => others::disruption_budget(report, object),
        "HorizontalPodAutoscaler" => others::autoscaler(report, object),
        "Role" | "ClusterRole" => others::role(report, object),
        "RoleBinding" | "ClusterRoleBinding" => others::binding(report, object),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(causes: &[Cause]) -> Vec<String> {
        causes.iter().map(|c| format!("{}: {}", c.field, c.message)).collect()
    }

    #[test]
    fn a_workload_without_anything_is_refused_with_every_cause() {
        let object = json!({"metadata": {"name": "web"}, "spec": {"strategy": {"type": "RollingUpdate"}, "template": {"spec": {
            "containers": null, "restartPolicy": "Always", "dnsPolicy": "ClusterFirst"}}}});
        let causes = fields(&refuse_new("Deployment", &object));
        assert_eq!(
            causes,
            [
                "spec.selector: Required value",
                "spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`",
                "spec.template.spec.containers: Required value",
            ]
        );
    }

    #[test]
    fn what_is_immutable_stays() {
        let old = json!({"immutable": true, "data": {"a": "1"}});
        let new = json!({"immutable": true, "data": {"a": "2"}});
        assert_eq!(
            fields(&refuse_change("ConfigMap", &old, &new)),
            ["data: Forbidden: field is immutable when `immutable` is set"]
        );
        assert!(refuse_change("ConfigMap", &old, &old).is_empty());
        let old = json!({"roleRef": {"kind": "Role", "name": "a"}});
        let new = json!({"roleRef": {"kind": "Role", "name": "b"}});
        assert_eq!(refuse_change("RoleBinding", &old, &new).len(), 1);
    }
}
