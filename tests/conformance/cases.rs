//! Hand-picked sessions: what a GitOps controller does to a cluster, and what people do to it in between.

use serde_json::{Value, json};

use crate::{Session, Step};

pub(crate) const APPLY: &str = "application/apply-patch+yaml";
pub(crate) const JSON: &str = "application/json";
pub(crate) const MERGE: &str = "application/merge-patch+json";
pub(crate) const JSON_PATCH: &str = "application/json-patch+json";
pub(crate) const STRATEGIC: &str = "application/strategic-merge-patch+json";

pub(crate) fn step(method: &'static str, path: impl Into<String>, content_type: &'static str, body: Value) -> Step {
    Step {
        method,
        path: path.into(),
        content_type,
        body: Some(body),
    }
}

pub(crate) fn get(path: impl Into<String>) -> Step {
    Step {
        method: "GET",
        path: path.into(),
        content_type: JSON,
        body: None,
    }
}

fn delete(path: impl Into<String>) -> Step {
    Step {
        method: "DELETE",
        ..get(path)
    }
}

fn session(name: &str, steps: Vec<Step>) -> Session {
    Session {
        name: name.to_owned(),
        steps,
    }
}

/// All of them.
pub(crate) fn all() -> Vec<Session> {
    vec![
        controller_and_hand(),
        adoption(),
        prune_of_fields(),
        headless_and_back(),
        jobs(),
        namespaces(),
        immutable(),
        refused(),
        strategic(),
        words(),
        finalizers(),
        dry_runs(),
        kinds(),
    ]
}

fn deployment(replicas: Option<u32>, image: &str) -> Value {
    let mut object = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "labels": {"app": "web"}},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [
                {"name": "web", "image": image, "ports": [{"containerPort": 80}], "env": [{"name": "A", "value": "1"}],
                 "resources": {"requests": {"cpu": "0.25"}}}]}},
        },
    });
    if let Some(replicas) = replicas {
        object["spec"]["replicas"] = json!(replicas);
    }
    object
}

const WEB: &str = "/apis/apps/v1/namespaces/{ns}/deployments/web";

fn controller_and_hand() -> Session {
    let ours = format!("{WEB}?fieldManager=controller");
    let forced = format!("{WEB}?fieldManager=controller&force=true");
    let scaled = json!({"spec": {"replicas": 5}});
    session(
        "hand",
        vec![
            step("PATCH", &ours, APPLY, deployment(Some(2), "web:1")),
            step("PATCH", &ours, APPLY, deployment(Some(2), "web:1")),
            step("PATCH", format!("{WEB}?fieldManager=kubectl-scale"), MERGE, scaled),
            step("PATCH", &ours, APPLY, deployment(Some(2), "web:2")),
            step("PATCH", &ours, APPLY, deployment(None, "web:2")),
            step("PATCH", &forced, APPLY, deployment(Some(3), "web:3")),
            get(WEB),
            step(
                "PATCH",
                format!("{WEB}?fieldManager=other"),
                APPLY,
                deployment(Some(3), "web:3"),
            ),
            step(
                "PATCH",
                format!("{WEB}/status?fieldManager=actor"),
                MERGE,
                json!({"status": {"replicas": 3, "observedGeneration": 1}}),
            ),
            step("PATCH", &forced, APPLY, deployment(Some(3), "web:3")),
            delete(WEB),
            get(WEB),
        ],
    )
}

fn adoption() -> Session {
    let mut annotated = deployment(Some(1), "web:1");
    annotated["metadata"]["annotations"] = json!({"owner": "shop"});
    session(
        "adoption",
        vec![
            step(
                "POST",
                "/apis/apps/v1/namespaces/{ns}/deployments",
                JSON,
                deployment(Some(1), "web:1"),
            ),
            step(
                "PATCH",
                format!("{WEB}?fieldManager=controller"),
                APPLY,
                annotated.clone(),
            ),
            step(
                "PATCH",
                format!("{WEB}?fieldManager=controller"),
                APPLY,
                deployment(Some(1), "web:1"),
            ),
            step("PATCH", WEB, MERGE, json!({"metadata": {"managedFields": [{}]}})),
            step("PATCH", format!("{WEB}?fieldManager=controller"), APPLY, annotated),
            get(WEB),
        ],
    )
}

fn prune_of_fields() -> Session {
    let path = "/api/v1/namespaces/{ns}/configmaps/settings";
    let config =
        |data: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": data});
    let by = |manager: &str| format!("{path}?fieldManager={manager}");
    session(
        "prune",
        vec![
            step("PATCH", by("a"), APPLY, config(json!({"x": "1", "y": "1"}))),
            step("PATCH", by("b"), APPLY, config(json!({"y": "1", "z": "1"}))),
            step("PATCH", by("a"), APPLY, config(json!({"x": "1"}))),
            step("PATCH", by("b"), APPLY, config(json!({}))),
            step(
                "PATCH",
                by("a"),
                APPLY,
                json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}}),
            ),
            step("PATCH", by("a"), APPLY, config(json!({"x": null}))),
            step("PATCH", by("a"), APPLY, config(json!({"x": 5}))),
            get(path),
        ],
    )
}

fn headless_and_back() -> Session {
    let path = "/api/v1/namespaces/{ns}/services";
    let one = format!("{path}/db");
    let service =
        |spec: Value| json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "db"}, "spec": spec});
    session(
        "services",
        vec![
            step(
                "POST",
                path,
                JSON,
                service(json!({"clusterIP": "None", "selector": {"app": "db"}, "ports": [{"port": 5432}]})),
            ),
            step("PATCH", &one, MERGE, json!({"spec": {"clusterIP": "10.0.0.9"}})),
            step(
                "PATCH",
                &one,
                STRATEGIC,
                json!({"spec": {"ports": [{"port": 5433, "name": "b"}]}}),
            ),
            step(
                "PATCH",
                &one,
                STRATEGIC,
                json!({"spec": {"ports": [{"port": 5432, "name": "a"}, {"port": 5433, "name": "b"}]}}),
            ),
            delete(&one),
            step(
                "POST",
                path,
                JSON,
                service(json!({"type": "NodePort", "ports": [{"port": 80, "targetPort": "http"}]})),
            ),
            step(
                "PATCH",
                &one,
                MERGE,
                json!({"spec": {"type": "ClusterIP", "ports": [{"port": 80, "targetPort": "http"}]}}),
            ),
            step(
                "POST",
                path,
                JSON,
                service(json!({"type": "ExternalName", "externalName": "a.example.org"})),
            ),
        ],
    )
}

fn jobs() -> Session {
    let path = "/apis/batch/v1/namespaces/{ns}/jobs";
    let job =
        |spec: Value| json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "migrate"}, "spec": spec});
    let pods = |image: &str| json!({"spec": {"restartPolicy": "Never", "containers": [{"name": "m", "image": image}]}});
    let one = format!("{path}/migrate");
    session(
        "jobs",
        vec![
            step(
                "POST",
                path,
                JSON,
                job(json!({"template": pods("m:1"), "backoffLimit": 2})),
            ),
            step(
                "PATCH",
                format!("{one}?fieldManager=c"),
                APPLY,
                job(json!({"template": pods("m:1"), "backoffLimit": 2})),
            ),
            step(
                "PATCH",
                format!("{one}?fieldManager=c&force=true"),
                APPLY,
                job(json!({"template": pods("m:2")})),
            ),
            step("PATCH", &one, MERGE, json!({"spec": {"parallelism": 3}})),
            step("PATCH", &one, MERGE, json!({"spec": {"completions": 3}})),
            step("PATCH", &one, MERGE, json!({"spec": {"suspend": true}})),
            step(
                "POST",
                path,
                JSON,
                job(json!({"template": {"spec": {"containers": [{"name": "m", "image": "m"}]}}})),
            ),
            step(
                "POST",
                path,
                JSON,
                json!({"metadata": {"name": "x"}, "spec": {"parallelism": -1, "template": pods("m:1")}}),
            ),
        ],
    )
}

fn namespaces() -> Session {
    session(
        "namespaces",
        vec![
            get("/api/v1/namespaces/{ns}"),
            step(
                "PATCH",
                "/api/v1/namespaces/{ns}?fieldManager=c",
                APPLY,
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "conformance-namespaces", "labels": {"team": "a"}}}),
            ),
            step(
                "PATCH",
                "/api/v1/namespaces/{ns}",
                MERGE,
                json!({"metadata": {"labels": {"kubernetes.io/metadata.name": null}}}),
            ),
            step(
                "PATCH",
                "/api/v1/namespaces/{ns}",
                MERGE,
                json!({"spec": {"finalizers": null}}),
            ),
            get("/api/v1/namespaces/missing-for-sure"),
        ],
    )
}

fn immutable() -> Session {
    let secrets = "/api/v1/namespaces/{ns}/secrets";
    let one = format!("{secrets}/s");
    let bindings = "/apis/rbac.authorization.k8s.io/v1/namespaces/{ns}/rolebindings";
    let binding = |role: &str| {
        json!({"metadata": {"name": "b"}, "roleRef": {"kind": "Role", "name": role},
               "subjects": [{"kind": "ServiceAccount", "name": "default"}, {"kind": "User", "name": "u"}]})
    };
    session(
        "immutable",
        vec![
            step(
                "POST",
                secrets,
                JSON,
                json!({"metadata": {"name": "s"}, "immutable": true, "stringData": {"a": "b"}}),
            ),
            step("PATCH", &one, MERGE, json!({"stringData": {"a": "c"}})),
            step("PATCH", &one, MERGE, json!({"immutable": false})),
            step("PATCH", &one, MERGE, json!({"type": "x"})),
            step("PATCH", &one, MERGE, json!({"metadata": {"labels": {"a": "b"}}})),
            step("POST", bindings, JSON, binding("a")),
            step("PUT", format!("{bindings}/b"), JSON, binding("c")),
            step("PUT", format!("{bindings}/b"), JSON, binding("a")),
        ],
    )
}

fn refused() -> Session {
    let deployments = "/apis/apps/v1/namespaces/{ns}/deployments";
    let broken = |change: fn(&mut Value)| {
        let mut object = deployment(Some(1), "web:1");
        change(&mut object);
        step("POST", deployments, JSON, object)
    };
    session(
        "refused",
        vec![
            broken(|o| o["metadata"]["name"] = json!("No")),
            broken(|o| o["spec"]["replicas"] = json!("1")),
            broken(|o| o["spec"]["selector"] = json!({})),
            broken(|o| o["spec"]["selector"]["matchLabels"]["app"] = json!("other")),
            broken(|o| o["spec"]["template"]["spec"]["containers"][0]["image"] = json!("")),
            broken(|o| {
                o["spec"]["template"]["spec"]["containers"][0]["resources"] = json!({"requests": {"cpu": "lots"}});
            }),
            broken(|o| {
                o["spec"]["template"]["spec"]["containers"][0]["resources"] =
                    json!({"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}});
            }),
            broken(|o| {
                o["spec"]["template"]["spec"]["containers"][0]["volumeMounts"] =
                    json!([{"name": "v", "mountPath": "/v"}]);
            }),
            broken(|o| o["spec"]["template"]["spec"]["restartPolicy"] = json!("Never")),
            broken(|o| o["spec"]["template"]["spec"]["containers"][0]["ports"] = json!([{"containerPort": 70000}])),
            broken(|o| o["spec"]["strategy"] = json!({"type": "Sideways"})),
            broken(|o| o["spec"]["unknown"] = json!(1)),
            broken(|o| o["metadata"]["labels"] = json!({"a b": "c", "d": "e f"})),
            step(
                "POST",
                format!("{deployments}?fieldValidation=Strict"),
                JSON,
                json!({"metadata": {"name": "a"}, "spec": {"extra": true}}),
            ),
            step(
                "PATCH",
                format!("{WEB}?fieldManager=c"),
                APPLY,
                json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"nope": 1}}),
            ),
            step("PATCH", WEB, APPLY, deployment(None, "web:1")),
            step(
                "PATCH",
                format!("{WEB}?fieldManager=c"),
                APPLY,
                json!({"apiVersion": "apps/v2", "kind": "Deployment", "metadata": {"name": "web"}}),
            ),
        ],
    )
}

#[rustfmt::skip]
fn strategic() -> Session {
    let pods = |patch: Value| json!({"spec": {"template": {"spec": patch}}});
    session(
        "strategic",
        vec![
            step("POST", "/apis/apps/v1/namespaces/{ns}/deployments", JSON, deployment(Some(1), "web:1")),
            step("PATCH", WEB, STRATEGIC, pods(json!({"containers": [{"name": "side", "image": "side:1"}]}))),
            step("PATCH", WEB, STRATEGIC, pods(json!({"$setElementOrder/containers": [{"name": "web"}, {"name": "side"}]}))),
            step("PATCH", WEB, STRATEGIC, pods(json!({"containers": [{"name": "web", "env": [{"name": "A", "$patch": "delete"}, {"name": "B", "value": "2"}]}]}))),
            step("PATCH", WEB, STRATEGIC, pods(json!({"containers": [{"name": "side", "$patch": "delete"}]}))),
            step("PATCH", WEB, STRATEGIC, json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}})),
        ],
    )
}

/// Lists of words, refusals, and JSON patches.
fn words() -> Session {
    session(
        "words",
        vec![
            step(
                "POST",
                "/apis/apps/v1/namespaces/{ns}/deployments",
                JSON,
                deployment(Some(1), "web:1"),
            ),
            step(
                "PATCH",
                WEB,
                STRATEGIC,
                json!({"metadata": {"finalizers": ["example.org/a", "example.org/b"]}}),
            ),
            step(
                "PATCH",
                WEB,
                STRATEGIC,
                json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["example.org/a"]}}),
            ),
            step(
                "PATCH",
                WEB,
                STRATEGIC,
                json!({"spec": {"template": {"spec": {"containers": [{"image": "x"}]}}}}),
            ),
            step("PATCH", WEB, STRATEGIC, json!({"spec": {"replicas": "many"}})),
            step(
                "PATCH",
                WEB,
                JSON_PATCH,
                json!([{"op": "test", "path": "/spec/replicas", "value": 9}]),
            ),
            step(
                "PATCH",
                WEB,
                JSON_PATCH,
                json!([{"op": "remove", "path": "/metadata/finalizers"}, {"op": "add", "path": "/metadata/labels/x", "value": "y"}]),
            ),
            get(WEB),
        ],
    )
}

fn finalizers() -> Session {
    let path = "/api/v1/namespaces/{ns}/configmaps";
    let one = format!("{path}/held");
    session(
        "finalizers",
        vec![
            step(
                "POST",
                path,
                JSON,
                json!({"metadata": {"name": "held", "finalizers": ["example.org/hold"]}}),
            ),
            delete(&one),
            step(
                "PATCH",
                &one,
                MERGE,
                json!({"metadata": {"finalizers": ["example.org/hold", "example.org/more"]}}),
            ),
            step(
                "PATCH",
                format!("{one}?fieldManager=c"),
                APPLY,
                json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "held"}, "data": {"a": "b"}}),
            ),
            step("PATCH", &one, MERGE, json!({"metadata": {"finalizers": null}})),
            get(&one),
        ],
    )
}

fn dry_runs() -> Session {
    session(
        "dry",
        vec![
            step(
                "PATCH",
                format!("{WEB}?fieldManager=c&dryRun=All"),
                APPLY,
                deployment(Some(2), "web:1"),
            ),
            get(WEB),
            step(
                "PATCH",
                format!("{WEB}?fieldManager=c"),
                APPLY,
                deployment(Some(2), "web:1"),
            ),
            step(
                "PATCH",
                format!("{WEB}?fieldManager=c&dryRun=All"),
                APPLY,
                deployment(Some(7), "web:1"),
            ),
            step(
                "PATCH",
                format!("{WEB}?fieldManager=d&dryRun=All"),
                APPLY,
                deployment(Some(7), "web:1"),
            ),
            get(WEB),
        ],
    )
}

/// An object of many kinds: where, of which version and kind, and what.
fn samples() -> [(&'static str, &'static str, &'static str, Value); 10] {
    let pods = json!({"metadata": {"labels": {"app": "k"}}, "spec": {"containers": [{"name": "k", "image": "k"}]}});
    [
        (
            "/apis/apps/v1/namespaces/{ns}/statefulsets",
            "apps/v1",
            "StatefulSet",
            json!({"spec": {"serviceName": "k", "selector": {"matchLabels": {"app": "k"}}, "template": pods, "volumeClaimTemplates": [{"metadata": {"name": "d"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}]}}),
        ),
        (
            "/apis/apps/v1/namespaces/{ns}/daemonsets",
            "apps/v1",
            "DaemonSet",
            json!({"spec": {"selector": {"matchLabels": {"app": "k"}}, "template": pods}}),
        ),
        (
            "/api/v1/namespaces/{ns}/serviceaccounts",
            "v1",
            "ServiceAccount",
            json!({"imagePullSecrets": [{"name": "a"}]}),
        ),
        (
            "/api/v1/namespaces/{ns}/persistentvolumeclaims",
            "v1",
            "PersistentVolumeClaim",
            json!({"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1024Mi"}}}}),
        ),
        (
            "/apis/networking.k8s.io/v1/namespaces/{ns}/ingresses",
            "networking.k8s.io/v1",
            "Ingress",
            json!({"spec": {"rules": [{"host": "k.example.org", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "k", "port": {"number": 80}}}}]}}]}}),
        ),
        (
            "/apis/networking.k8s.io/v1/namespaces/{ns}/networkpolicies",
            "networking.k8s.io/v1",
            "NetworkPolicy",
            json!({"spec": {"podSelector": {}, "egress": [{"ports": [{"port": 53}]}]}}),
        ),
        (
            "/apis/autoscaling/v2/namespaces/{ns}/horizontalpodautoscalers",
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            json!({"spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "k"}, "maxReplicas": 4}}),
        ),
        (
            "/apis/policy/v1/namespaces/{ns}/poddisruptionbudgets",
            "policy/v1",
            "PodDisruptionBudget",
            json!({"spec": {"minAvailable": "50%", "selector": {"matchLabels": {"app": "k"}}}}),
        ),
        (
            "/apis/batch/v1/namespaces/{ns}/cronjobs",
            "batch/v1",
            "CronJob",
            json!({"spec": {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": {"spec": {"restartPolicy": "OnFailure", "containers": [{"name": "k", "image": "k:1"}]}}}}}}),
        ),
        (
            "/apis/rbac.authorization.k8s.io/v1/namespaces/{ns}/roles",
            "rbac.authorization.k8s.io/v1",
            "Role",
            json!({"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}),
        ),
    ]
}

/// Each of them, applied twice.
fn kinds() -> Session {
    let mut steps = Vec::new();
    for (path, version, kind, mut object) in samples() {
        object["apiVersion"] = json!(version);
        object["kind"] = json!(kind);
        object["metadata"] = json!({"name": "k", "labels": {"app.kubernetes.io/part-of": "shop"}});
        let one = format!("{path}/k?fieldManager=controller");
        steps.push(step("PATCH", &one, APPLY, object.clone()));
        // The real server writes a claim once more, without a visible change (sim/FIDELITY.md).
        if kind != "PersistentVolumeClaim" {
            steps.push(step("PATCH", &one, APPLY, object));
        }
        steps.push(get(format!("{path}/k")));
    }
    session("kinds", steps)
}
