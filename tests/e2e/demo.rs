//! The README's first command, and what it promises of a push.

use std::process::Command;
use std::time::Duration;

use crate::harness::{CAPSTAN, Demo, Process, eventually, http};

const SECONDS: fn(u64) -> Duration = Duration::from_secs;

#[test]
fn demo_once_ends_well() {
    let output = Command::new(CAPSTAN)
        .args(["demo", "--once", "--port", "0"])
        .output()
        .expect("starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    assert!(text.lines().any(|line| line.contains("ready")), "{text}");
}

#[test]
fn a_push_deploys_a_removal_prunes_and_a_revert_restores() {
    let Some(demo) = Demo::start() else { return };
    let image = |demo: &Demo| {
        let object = demo
            .kubectl
            .object(&["-n", "production", "deployment", "patient-portal"])
            .expect("is there");
        object["spec"]["template"]["spec"]["containers"][0]["image"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    demo.clone
        .replace("services/patient-portal/values-prod.yaml", "3.2.0", "3.3.0");
    demo.clone.push("patient-portal 3.3.0");
    let took = eventually("the new image is in the cluster", SECONDS(5), || {
        image(&demo).ends_with(":3.3.0")
    });
    println!("push → live {} ms (poll interval 1 s)", took.as_millis());
    eventually("the rollout is complete", SECONDS(20), || {
        demo.kubectl.is_settled("patient-portal")
    });

    std::fs::remove_file(demo.clone.path.join("services/status-page/service.yaml")).expect("removed");
    demo.clone.push("no service");
    // A controller that has just started makes sure first.
    eventually("the Service is gone", SECONDS(30), || {
        demo.kubectl
            .object(&["-n", "production", "service", "status-page"])
            .is_none()
    });
    assert!(
        demo.kubectl.object(&["namespace", "production"]).is_some(),
        "the namespace stays"
    );

    demo.clone.git(&["revert", "--no-edit", "HEAD~1"]);
    demo.clone.git(&["push", "-q"]);
    eventually("the old image is back", SECONDS(10), || {
        image(&demo).ends_with(":3.2.0")
    });
    eventually("all is well", SECONDS(20), || demo.kubectl.is_settled("patient-portal"));
}

#[test]
fn a_webhook_makes_it_instant_and_the_dashboard_shows_it() {
    let Some(demo) = Demo::start() else { return };
    assert!(demo.get("/").contains("patient-portal"));
    assert_eq!(demo.get("/livez"), "ok\n");
    assert_eq!(demo.get("/readyz"), "ok\n");
    assert!(demo.get("/metrics").contains("capstan"), "{}", demo.get("/metrics"));
    demo.clone
        .replace("services/status-page/config.yaml", "operational", "fine");
    demo.clone.push("wording");
    let url = format!("file://{}", demo.folder.path().join("infra.git").display());
    http(
        &demo.url,
        "POST",
        "/api/webhook",
        &format!(r#"{{"ref": "refs/heads/main", "repository": {{"clone_url": "{url}"}}}}"#),
    );
    let took = eventually("the new text is in the cluster", SECONDS(2), || {
        let map = demo
            .kubectl
            .object(&["-n", "production", "configmap", "status-page"])
            .expect("is there");
        map["data"]["index.html"]
            .as_str()
            .is_some_and(|text| text.contains("fine"))
    });
    println!("webhook → live {} ms", took.as_millis());
    let page = demo.get("/applications/argocd/status-page");
    assert!(page.contains("wording"), "the commit's subject is on the page: {page}");
}

#[test]
fn a_given_folder_holds_what_the_readme_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(CAPSTAN);
    command.args(["demo", "--port", "0", "--dir"]).arg(folder.path());
    let mut process = Process::start(&mut command);
    process.wait_for_line("ready", SECONDS(60));
    for name in [
        "kubeconfig",
        "infra.git/HEAD",
        "infra/services/billing/values-staging.yaml",
    ] {
        assert!(folder.path().join(name).exists(), "{name} is missing");
    }
}
