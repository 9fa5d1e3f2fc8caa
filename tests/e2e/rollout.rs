//! Waves, hooks, and versions that do not work.

use std::time::Duration;

use serde_json::Value;

use crate::harness::{Demo, eventually};

const PATIENCE: Duration = Duration::from_secs(30);

fn image(demo: &Demo, deployment: &str) -> String {
    let object = demo
        .kubectl
        .object(&["-n", "production", "deployment", deployment])
        .unwrap_or_default();
    object["spec"]["template"]["spec"]["containers"][0]["image"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn a_failing_migration_stops_the_rollout_and_is_named() {
    let Some(demo) = Demo::start() else { return };
    demo.clone
        .replace("services/billing/values-prod.yaml", "5.1.4", "5.2.0");
    demo.clone.replace(
        "services/billing/values-prod.yaml",
        r#"["/app/migrate", "--to", "latest"]"#,
        r#"["sh", "-c", "exit 3"]"#,
    );
    demo.clone.push("billing 5.2.0");
    eventually("the failed Job is named", PATIENCE, || {
        demo.kubectl.words("billing").contains("billing-migrate-5-2-0")
    });
    eventually("the operation failed", PATIENCE, || {
        let object = demo
            .kubectl
            .object(&["-n", "argocd", "applications.argoproj.io", "billing"])
            .unwrap_or_default();
        object["status"]["operationState"]["phase"] == "Failed"
            || object["status"]["operationState"]["retryCount"].as_u64() > Some(0)
    });
    assert!(
        image(&demo, "billing").ends_with(":5.1.4"),
        "the new version must not be started: {}",
        image(&demo, "billing")
    );
    let deployment = demo
        .kubectl
        .object(&["-n", "production", "deployment", "billing"])
        .expect("is there");
    assert_eq!(
        deployment["status"]["availableReplicas"], 2,
        "the old version keeps serving"
    );

    demo.clone.git(&["revert", "--no-edit", "HEAD"]);
    demo.clone.git(&["push", "-q"]);
    eventually("the revert restores it", PATIENCE, || {
        demo.kubectl.is_settled("billing")
    });
}

#[test]
fn a_migration_runs_to_its_end_before_the_deployment_is_touched() {
    let Some(demo) = Demo::start() else { return };
    demo.clone
        .replace("services/billing/values-prod.yaml", "5.1.4", "5.3.0");
    demo.clone.push("billing 5.3.0");
    let job = ["-n", "production", "job", "billing-migrate-5-3-0"];
    eventually("the Deployment has the new version", PATIENCE, || {
        let complete = demo
            .kubectl
            .object(&job)
            .is_some_and(|job| job["status"]["succeeded"] == 1);
        // Looked at after the Job: if the Deployment is new, the Job was complete before.
        let new = image(&demo, "billing").ends_with(":5.3.0");
        assert!(
            !new || complete
                || demo
                    .kubectl
                    .object(&job)
                    .is_some_and(|job| job["status"]["succeeded"] == 1)
        );
        new
    });
}

#[test]
fn pods_that_fail_stall_the_rollout_and_a_revert_restores_it() {
    let Some(demo) = Demo::start() else { return };
    demo.clone
        .replace("services/patient-portal/values-prod.yaml", "3.2.0", "3.3.0-broken");
    demo.clone.push("patient-portal 3.3.0-broken");
    eventually("health is Degraded with the reason", PATIENCE, || {
        let (_, health) = demo.kubectl.state("patient-portal");
        let words = demo.kubectl.words("patient-portal");
        health == "Degraded"
            && (words.contains("CrashLoopBackOff") || words.contains("back-off") || words.contains("progress"))
    });
    let deployment = demo
        .kubectl
        .object(&["-n", "production", "deployment", "patient-portal"])
        .expect("is there");
    assert_eq!(
        deployment["status"]["availableReplicas"], 3,
        "the old ReplicaSet keeps serving: {}",
        deployment["status"]
    );
    demo.clone.git(&["revert", "--no-edit", "HEAD"]);
    demo.clone.git(&["push", "-q"]);
    eventually("the revert restores it", PATIENCE, || {
        demo.kubectl.is_settled("patient-portal")
    });
}

#[test]
fn hooks_run_once_a_sync() {
    let Some(demo) = Demo::start() else { return };
    let uid = |name: &str| -> Option<Value> {
        demo.kubectl
            .object(&["-n", "production", "job", name])
            .map(|job| job["metadata"]["uid"].clone())
    };
    let before = (uid("notifications-presync"), uid("notifications-postsync"));
    assert!(before.0.is_some() && before.1.is_some(), "both hooks ran: {before:?}");
    demo.clone
        .replace("services/notifications/values-prod.yaml", "2.0.1", "2.1.0");
    demo.clone.push("notifications 2.1.0");
    eventually("both hooks ran again", PATIENCE, || {
        let now = (uid("notifications-presync"), uid("notifications-postsync"));
        now.0.is_some()
            && now.1.is_some()
            && now.0 != before.0
            && now.1 != before.1
            && demo.kubectl.is_settled("notifications")
    });
}
