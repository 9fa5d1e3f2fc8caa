//! Applications that are not worked on, since their spec cannot mean anything or their project forbids it: what runs ends, what is asked for is refused,
//! what is deleted goes. And requests that are taken back.

use std::time::Duration;

use capstan_engine::Event;
use capstan_model::{Application, InvalidApplication};
use serde_json::{Value, json};

use crate::rig::{Rig, Run, config, hook};

const MINUTE: Duration = Duration::from_secs(60);

fn project(run: &mut Run, repositories: &str) {
    let project = json!({"metadata": {"name": "default"}, "spec": {"sourceRepos": [repositories],
        "destinations": [{"server": "*", "namespace": "*"}]}});
    run.handle(Event::ProjectObserved(Box::new(
        serde_json::from_value(project).unwrap(),
    )));
}

fn phase(run: &Run) -> (&str, &str) {
    (
        run.rig.status("/operationState/phase"),
        run.rig.status("/operationState/message"),
    )
}

fn ask(run: &mut Run, operation: &Value) {
    run.rig.resource["operation"] = operation.clone();
    run.observe_application();
}

fn invalid(run: &mut Run) {
    let error = InvalidApplication::Malformed {
        field: "spec.source.path".into(),
        reason: "it leaves the repository".into(),
    };
    run.handle(Event::ApplicationInvalid {
        application: Box::new(Application::readable(&run.rig.resource)),
        error,
    });
}

/// Two objects, of which the second comes after a hook that runs for as long as nobody looks at it.
fn at_the_hook() -> Run {
    let mut run = Rig::new(vec![hook("migrate", "PreSync"), config("a", 0, "1")]).start(Vec::new());
    while !run.rig.cluster.objects.keys().any(|key| key.name == "migrate") {
        assert!(!run.drive(1), "{}", run.journal());
    }
    run
}

#[test]
fn what_runs_ends_when_the_project_forbids_it() {
    let mut run = at_the_hook();
    project(&mut run, "https://elsewhere/*");
    run.settle(MINUTE);
    let (ended, message) = phase(&run);
    assert_eq!(ended, "Error", "{}", run.journal());
    assert!(
        message.starts_with("stopped: ") && message.contains("may not use") || message.contains("is not permitted"),
        "{message}"
    );
    assert!(!run.rig.cluster.objects.keys().any(|key| key.name == "a"));
    // As soon as it may be worked on it is synced anew.
    project(&mut run, "*");
    run.settle(10 * MINUTE);
    assert_eq!(run.sync(), "Synced Healthy", "{}", run.journal());
}

#[test]
fn what_runs_ends_when_the_spec_cannot_be_understood() {
    let mut run = at_the_hook();
    invalid(&mut run);
    run.settle(MINUTE);
    assert_eq!(phase(&run).0, "Error", "{}", run.journal());
    assert!(phase(&run).1.contains("it leaves the repository"), "{}", phase(&run).1);
}

#[test]
fn what_is_asked_for_is_refused_at_once_and_not_done_later() {
    let mut run = Rig::new(vec![config("a", 0, "1")]);
    run.resource["spec"]["syncPolicy"] = json!({});
    let mut run = run.start(Vec::new());
    project(&mut run, "https://elsewhere/*");
    ask(
        &mut run,
        &json!({"initiatedBy": {"username": "ada"}, "sync": {"prune": true}}),
    );
    run.settle(MINUTE);
    assert_eq!(phase(&run).0, "Error", "{}", run.journal());
    assert_eq!(run.rig.resource["operation"], Value::Null);
    project(&mut run, "*");
    run.settle(MINUTE);
    assert!(run.rig.cluster.objects.is_empty(), "{}", run.journal());
}

/// The field is the request: who empties it before it is taken up has asked for nothing.
#[test]
fn what_is_taken_back_is_not_done() {
    let mut run = at_the_hook();
    ask(
        &mut run,
        &json!({"initiatedBy": {"username": "ada"}, "sync": {"prune": true}}),
    );
    run.rig.resource.as_object_mut().unwrap().remove("operation");
    run.observe_application();
    run.settle(10 * MINUTE);
    assert_eq!(run.sync(), "Synced Healthy", "{}", run.journal());
    assert!(run.journal().contains("Withdrawn"), "{}", run.journal());
    assert_ne!(run.rig.status("/operationState/operation/initiatedBy/username"), "ada");
}

/// A spec that cannot be understood is no reason to keep what is deleted: where it was is known.
#[test]
fn an_invalid_application_goes_with_its_objects() {
    let mut run = Rig::new(vec![config("a", 0, "1")]).start(Vec::new());
    run.settle(MINUTE);
    run.rig.resource["metadata"]["finalizers"] = json!(["resources-finalizer.argocd.argoproj.io"]);
    invalid(&mut run);
    run.settle(MINUTE);
    assert_eq!(run.rig.cluster.objects.len(), 1, "{}", run.journal());
    run.rig.resource["metadata"]["deletionTimestamp"] = json!(run.rig.now.to_string());
    invalid(&mut run);
    run.settle(MINUTE);
    assert!(run.rig.cluster.objects.is_empty(), "{}", run.journal());
}
