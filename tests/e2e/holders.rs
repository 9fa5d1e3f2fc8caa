//! Hooks that are a Namespace, a definition or a claim: what somebody has in them outlives the next sync.

use std::time::Duration;

use serde_json::Value;

use crate::harness::{Kubectl, eventually, has};
use crate::restart::{application, controller, repository, world};

const PATIENCE: Duration = Duration::from_secs(30);

const HELD: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: shared, annotations: {argocd.argoproj.io/hook: PreSync}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.a.io, annotations: {helm.sh/hook: 'pre-install,pre-upgrade'}}
spec:
  group: a.io
  names: {kind: Thing, plural: things}
  scope: Namespaced
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, annotations: {argocd.argoproj.io/hook: PreSync}}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
";

const THEIRS: &str = "
apiVersion: v1
kind: Secret
metadata: {name: precious, namespace: shared}
---
apiVersion: a.io/v1
kind: Thing
metadata: {name: precious, namespace: shared}
";

/// Of what hooks made, and of what somebody has in it.
fn uids(kubectl: &Kubectl) -> Vec<Value> {
    let all = [
        &["namespace", "shared"][..],
        &["crd", "things.a.io"],
        &["-n", "team", "pvc", "data"],
        &["-n", "shared", "secret", "precious"],
        &["-n", "shared", "things.a.io", "precious"],
    ];
    let uid = |words: &&[&str]| kubectl.object(words).expect("it is there")["metadata"]["uid"].clone();
    all.iter().map(uid).collect()
}

#[test]
fn what_is_in_them_stays() {
    if !has("kubectl") || !has("git") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (_world, kubectl) = world(folder.path());
    let (bare, clone) = repository(folder.path());
    let settings = |value: &str| {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings}}\ndata: {{v: '{value}'}}\n")
    };
    clone.write("app/held.yaml", HELD);
    clone.write("app/settings.yaml", &settings("1"));
    clone.push("hooks that hold things");
    let _controller = controller(folder.path());
    kubectl.apply(&application(&bare));
    let value = || {
        kubectl
            .object(&["-n", "team", "configmap", "settings"])
            .unwrap_or_default()["data"]["v"]
            .clone()
    };
    eventually("the first sync is done", PATIENCE, || {
        value() == "1" && kubectl.is_settled("app")
    });
    kubectl.apply(THEIRS);
    let before = uids(&kubectl);
    clone.write("app/settings.yaml", &settings("2"));
    clone.push("a change");
    let ended = || {
        let words = ["-n", "argocd", "applications.argoproj.io", "app"];
        let state = kubectl.object(&words).unwrap_or_default()["status"]["operationState"].clone();
        (state["phase"].clone(), state["syncResult"]["revision"].clone())
    };
    let head = clone.git(&["rev-parse", "HEAD"]);
    eventually("the second sync is done", PATIENCE, || {
        ended() == (Value::from("Succeeded"), Value::from(head.trim()))
    });
    assert_eq!(value(), "2");
    assert_eq!(uids(&kubectl), before, "{}", kubectl.words("app"));
}
