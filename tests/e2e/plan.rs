//! What a plan says before anything is pushed, and what then happens.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::harness::{CAPSTAN, Demo, eventually, run};

/// `capstan plan` of an Application.
fn plan(demo: &Demo, words: &[&str]) -> String {
    let mut command = Command::new(CAPSTAN);
    command
        .arg("plan")
        .arg("--kubeconfig")
        .arg(demo.folder.path().join("kubeconfig"));
    run(command.args(words))
}

fn tasks(plan: &str) -> Vec<Value> {
    let plan: Value = serde_json::from_str(plan).expect("JSON");
    plan["tasks"].as_array().expect("tasks").clone()
}

fn of<'t>(tasks: &'t [Value], kind: &str, name: &str) -> &'t Value {
    let is = |task: &&Value| task["key"]["kind"] == kind && task["key"]["name"] == name;
    tasks
        .iter()
        .find(is)
        .unwrap_or_else(|| panic!("no {kind} {name}: {tasks:#?}"))
}

#[test]
fn a_plan_of_a_working_copy_is_what_a_push_then_does() {
    let Some(demo) = Demo::start() else { return };
    let text = plan(&demo, &["--app", "platform-config"]);
    assert!(text.ends_with("unchanged\n") && !text.contains("update"), "{text}");

    let values = "services/platform-config/values-prod.yaml";
    demo.clone.replace(values, "LOG_LEVEL: info", "LOG_LEVEL: debug");
    let more = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: platform-extra\ndata:\n  a: b\n";
    let extra = "services/platform-config/templates/extra.yaml";
    demo.clone.write(extra, more);
    let local = demo.clone.path.to_str().expect("text").to_owned();
    let ours = ["--app", "platform-config", "--local", &local, "-o", "json"];
    let planned = tasks(&plan(&demo, &ours));
    let changed = of(&planned, "ConfigMap", "platform-config");
    assert_eq!(changed["change"], "Update", "{changed:#}");
    assert_eq!(changed["fields"][0]["path"], "data.LOG_LEVEL", "{changed:#}");
    assert_eq!(changed["fields"][0]["writer"]["manager"], "capstan", "{changed:#}");
    assert_eq!(of(&planned, "ConfigMap", "platform-extra")["change"], "Create");

    demo.clone.push("debug, and an extra");
    eventually("it is done", Duration::from_secs(30), || {
        let extra = demo
            .kubectl
            .object(&["-n", "production", "configmap", "platform-extra"]);
        let map = demo
            .kubectl
            .object(&["-n", "production", "configmap", "platform-config"]);
        extra.is_some() && map.is_some_and(|map| map["data"]["LOG_LEVEL"] == "debug")
    });
    eventually("nothing is left to do", Duration::from_secs(30), || {
        tasks(&plan(&demo, &ours))
            .iter()
            .all(|task| task["change"] == "Unchanged")
    });

    demo.clone.git(&["rm", "-q", "-f", extra]);
    let planned = tasks(&plan(&demo, &ours));
    let gone = of(&planned, "ConfigMap", "platform-extra");
    assert_eq!(
        (&gone["change"], &gone["action"]),
        (&"Delete".into(), &"prune".into()),
        "{gone:#}"
    );
    demo.clone.push("no extra");
    eventually("it is deleted", Duration::from_secs(30), || {
        demo.kubectl
            .object(&["-n", "production", "configmap", "platform-extra"])
            .is_none()
    });
}

#[test]
fn hooks_and_a_folder_beside_the_cluster() {
    let Some(demo) = Demo::start() else { return };
    let text = plan(&demo, &["--app", "notifications"]);
    assert!(text.contains("run PreSync hook Job"), "{text}");
    assert!(text.contains("the object of the last run is deleted first"), "{text}");

    let folder = demo.clone.path.join("services/billing");
    let values = folder.join("values-prod.yaml");
    let paths = [folder.to_str().expect("text"), values.to_str().expect("text")];
    let words = [paths[0], "-f", paths[1], "--name", "billing", "-n", "production"];
    let text = plan(&demo, &words);
    assert!(
        text.ends_with("unchanged\n"),
        "what runs is what the folder says: {text}"
    );
}

#[test]
fn applications_that_wait_for_each_other_have_no_plan() {
    let Some(demo) = Demo::start() else { return };
    for (name, other) in [
        ("billing", "notifications"),
        ("notifications", "status-page"),
        ("status-page", "billing"),
        ("appointments", "billing"),
    ] {
        let annotation = format!("capstan.dev/depends-on={other}");
        let words = [
            "-n",
            "argocd",
            "annotate",
            "applications.argoproj.io",
            name,
            &annotation,
        ];
        demo.kubectl.run(&words);
    }
    let kubeconfig = demo.folder.path().join("kubeconfig");
    let planned = |name: &str| {
        let mut command = Command::new(CAPSTAN);
        command.args(["plan", "--app", name, "--kubeconfig"]).arg(&kubeconfig);
        command.output().expect("it runs")
    };
    let refused = planned("billing");
    let told = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{told}");
    for member in ["argocd/billing", "argocd/notifications", "argocd/status-page"] {
        let words = told.replace(['\n', '│', ' '], "");
        assert!(words.contains(member), "{told}");
    }
    // It waits for one of them, and is none.
    let outside = planned("appointments");
    assert_eq!(
        outside.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&outside.stderr)
    );
}
