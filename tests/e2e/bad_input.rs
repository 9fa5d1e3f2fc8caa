//! What people push by mistake: the application says what, where and what next; nothing is deleted; the others go on.

use std::time::Duration;

use crate::harness::{Demo, eventually};

const PATIENCE: Duration = Duration::from_secs(15);

#[test]
fn every_mistake_is_named_and_nothing_is_lost() {
    let Some(demo) = Demo::start() else { return };
    let says = |application: &str, words: &[&str]| {
        eventually(&format!("{application} says {words:?}"), PATIENCE, || {
            let text = demo.kubectl.words(application);
            words.iter().all(|word| text.contains(word))
        });
    };
    push_three_mistakes(&demo);
    says("lab-results", &["ComparisonError", "values-prod.yaml"]);
    says("platform-config", &["ComparisonError", "configmap.yaml:3"]);
    says("status-page", &["Widget"]);
    for (kind, name) in [
        ("deployment", "lab-results"),
        ("configmap", "platform-config"),
        ("deployment", "status-page"),
    ] {
        assert!(
            demo.kubectl.object(&["-n", "production", kind, name]).is_some(),
            "{kind}/{name} must not be deleted"
        );
    }
    // The others go on.
    demo.clone
        .replace("services/patient-portal/values-prod.yaml", "3.2.0", "3.2.1");
    demo.clone.push("patient-portal 3.2.1");
    eventually("another application is deployed", PATIENCE, || {
        let object = demo
            .kubectl
            .object(&["-n", "production", "deployment", "patient-portal"])
            .unwrap_or_default();
        object["spec"]["template"]["spec"]["containers"][0]["image"]
            .as_str()
            .is_some_and(|image| image.ends_with(":3.2.1"))
    });
    // An Application that makes no sense, and one whose repository is gone.
    demo.kubectl.apply(
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: odd, namespace: argocd}\nspec:\n  project: healthcare\n  \
         source: {repoURL: 'file:///nowhere.git', path: ../x}\n  destination: {server: 'https://kubernetes.default.svc', namespace: production}\n",
    );
    says("odd", &["InvalidSpecError", "spec.source.path"]);
    demo.kubectl.apply(
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: lost, namespace: argocd}\nspec:\n  project: healthcare\n  \
         source: {repoURL: 'file:///nowhere.git', path: x}\n  destination: {server: 'https://kubernetes.default.svc', namespace: production}\n",
    );
    says("lost", &["ComparisonError", "nowhere.git"]);
    // Put right, everything recovers by itself.
    demo.clone.git(&["revert", "--no-edit", "HEAD~1"]);
    demo.clone.git(&["push", "-q"]);
    for application in ["lab-results", "platform-config", "status-page"] {
        eventually(&format!("{application} recovers"), PATIENCE, || {
            demo.kubectl.is_settled(application)
        });
    }
}

/// A values file that is gone, a template that does not parse, a kind that the cluster does not serve.
fn push_three_mistakes(demo: &Demo) {
    // A values file that is gone.
    std::fs::rename(
        demo.clone.path.join("services/lab-results/values-prod.yaml"),
        demo.clone.path.join("services/lab-results/values-production.yaml"),
    )
    .expect("moved");
    // A template that does not parse, at its third line.
    demo.clone.write(
        "services/platform-config/templates/configmap.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Chart.Name }\n",
    );
    // A kind that the cluster does not serve.
    demo.clone.write(
        "services/status-page/widget.yaml",
        "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\n",
    );
    demo.clone.push("three mistakes");
}
