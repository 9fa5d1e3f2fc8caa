//! What the actors make of workloads, seen as a client sees it.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::time::Duration;

use capstan_model::Timestamp;
use capstan_sim::actors::{self, Profile};
use capstan_sim::{Method, Options, Request, World, at, text};
use serde_json::{Value, json};

struct Cluster {
    world: World,
    now: Timestamp,
}

impl Cluster {
    fn new(profile: Profile) -> Self {
        let now = Timestamp::from_seconds(1_773_478_800);
        let mut world = World::new(now, Options::default());
        actors::all(profile)
            .into_iter()
            .for_each(|actor| world.add_actor(actor));
        let mut cluster = Self { world, now };
        cluster.settle();
        cluster
    }

    fn send(&mut self, method: Method, path: &str, body: Value) -> Value {
        let request = match method {
            Method::Patch => Request::typed(method, path, "application/merge-patch+json", body),
            _ => Request::json(method, path, body),
        };
        let response = self.world.handle(self.now, request);
        assert!(response.is_success(), "{path}: {:?}", response.body);
        let value = response.value().clone();
        self.settle();
        value
    }

    fn settle(&mut self) {
        self.world.step(self.now);
    }

    /// Lets time pass, stopping at every deadline.
    fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(next) = self.world.next_deadline().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.world.step(self.now);
        }
        self.now = end;
        self.settle();
    }

    fn get(&mut self, path: &str) -> Option<Value> {
        let response = self.world.handle(self.now, Request::new(Method::Get, path));
        response.is_success().then(|| response.value().clone())
    }

    fn names(&mut self, path: &str) -> Vec<String> {
        let list = self.get(path).unwrap();
        list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| text(item, &["metadata", "name"]).to_owned())
            .collect()
    }
}

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";
const PODS: &str = "/api/v1/namespaces/default/pods";

fn deployment(image: &str, replicas: u32) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas,
            "progressDeadlineSeconds": 30,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": image, "readinessProbe": {"httpGet": {"path": "/", "port": 80}}}]},
            },
        },
    })
}

fn condition<'a>(object: &'a Value, kind: &str) -> &'a Value {
    let list = at(object, &["status", "conditions"])
        .and_then(Value::as_array)
        .expect("conditions");
    list.iter().find(|condition| condition["type"] == kind).expect(kind)
}

#[test]
fn a_deployment_becomes_available_and_rolls_over() {
    let mut cluster = Cluster::new(Profile::REALISTIC);
    cluster.send(Method::Post, DEPLOYMENTS, deployment("web:1", 3));
    cluster.pass(Duration::from_secs(3));
    let web = cluster.get(&format!("{DEPLOYMENTS}/web")).unwrap();
    assert_eq!(web["status"]["availableReplicas"], 3, "{}", web["status"]);
    assert_eq!(condition(&web, "Progressing")["reason"], "NewReplicaSetAvailable");
    let before = cluster.names(PODS);

    let patch = json!({"spec": {"template": {"spec": {"containers": [
        {"name": "web", "image": "web:2", "readinessProbe": {"httpGet": {"path": "/", "port": 80}}}]}}}});
    cluster.send(Method::Patch, &format!("{DEPLOYMENTS}/web"), patch);
    cluster.pass(Duration::from_secs(6));
    let web = cluster.get(&format!("{DEPLOYMENTS}/web")).unwrap();
    assert_eq!(
        (&web["status"]["updatedReplicas"], &web["status"]["replicas"]),
        (&json!(3), &json!(3)),
        "{}",
        web["status"]
    );
    let after = cluster.names(PODS);
    assert!(
        after.len() == 3 && after.iter().all(|name| !before.contains(name)),
        "{before:?} {after:?}"
    );
}

#[test]
fn a_broken_version_stalls_and_the_old_one_serves() {
    let mut cluster = Cluster::new(Profile::REALISTIC);
    cluster.send(Method::Post, DEPLOYMENTS, deployment("web:1", 2));
    cluster.pass(Duration::from_secs(3));
    let patch = json!({"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "web:2-broken"}]}}}});
    cluster.send(Method::Patch, &format!("{DEPLOYMENTS}/web"), patch);
    cluster.pass(Duration::from_secs(40));
    let web = cluster.get(&format!("{DEPLOYMENTS}/web")).unwrap();
    assert_eq!(web["status"]["availableReplicas"], 2, "{}", web["status"]);
    assert_eq!(condition(&web, "Progressing")["reason"], "ProgressDeadlineExceeded");
    let pods = cluster.get(PODS).unwrap();
    let waiting: Vec<&str> = pods["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pod| {
            at(pod, &["status", "containerStatuses"]).map_or("", |list| text(&list[0], &["state", "waiting", "reason"]))
        })
        .collect();
    assert_eq!(
        waiting.iter().filter(|reason| **reason == "CrashLoopBackOff").count(),
        1,
        "{waiting:?}"
    );

    let patch = json!({"spec": {"template": {"spec": {"containers": [
        {"name": "web", "image": "web:1", "readinessProbe": {"httpGet": {"path": "/", "port": 80}}}]}}}});
    cluster.send(Method::Patch, &format!("{DEPLOYMENTS}/web"), patch);
    cluster.pass(Duration::from_secs(5));
    let web = cluster.get(&format!("{DEPLOYMENTS}/web")).unwrap();
    assert_eq!(
        condition(&web, "Progressing")["reason"],
        "NewReplicaSetAvailable",
        "{}",
        web["status"]
    );
    assert_eq!(cluster.names(PODS).len(), 2);
}

#[test]
fn jobs_complete_or_fail_and_say_so() {
    let mut cluster = Cluster::new(Profile::INSTANT);
    for (name, command) in [
        ("good", json!(["/app/migrate"])),
        ("bad", json!(["sh", "-c", "exit 2"])),
    ] {
        let job = json!({
            "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name},
            "spec": {"backoffLimit": 0, "template": {"spec": {
                "restartPolicy": "Never", "containers": [{"name": "c", "image": "m:1", "command": command}]}}},
        });
        cluster.send(Method::Post, "/apis/batch/v1/namespaces/default/jobs", job);
    }
    let good = cluster.get("/apis/batch/v1/namespaces/default/jobs/good").unwrap();
    assert_eq!(
        (
            condition(&good, "Complete")["status"].as_str(),
            &good["status"]["succeeded"]
        ),
        (Some("True"), &json!(1))
    );
    let bad = cluster.get("/apis/batch/v1/namespaces/default/jobs/bad").unwrap();
    assert_eq!(
        condition(&bad, "Failed")["reason"],
        "BackoffLimitExceeded",
        "{}",
        bad["status"]
    );
}

#[test]
fn what_is_owned_goes_with_its_owner() {
    let mut cluster = Cluster::new(Profile::INSTANT);
    cluster.send(Method::Post, DEPLOYMENTS, deployment("web:1", 2));
    assert_eq!(cluster.names(PODS).len(), 2);
    let foreground = json!({"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Foreground"});
    cluster.send(Method::Delete, &format!("{DEPLOYMENTS}/web"), foreground);
    cluster.pass(Duration::from_secs(2));
    assert_eq!(cluster.names(PODS), Vec::<String>::new());
    assert_eq!(
        cluster.names("/apis/apps/v1/namespaces/default/replicasets"),
        Vec::<String>::new()
    );
    assert!(cluster.get(&format!("{DEPLOYMENTS}/web")).is_none());
}

#[test]
fn a_stateful_set_starts_in_order_with_claims() {
    let mut cluster = Cluster::new(Profile::REALISTIC);
    let set = json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"},
        "spec": {
            "replicas": 2, "serviceName": "db", "selector": {"matchLabels": {"app": "db"}},
            "template": {
                "metadata": {"labels": {"app": "db"}},
                "spec": {"containers": [{"name": "db", "image": "db:1", "volumeMounts": [{"name": "data", "mountPath": "/d"}]}]},
            },
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {
                "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}],
        },
    });
    cluster.send(Method::Post, "/apis/apps/v1/namespaces/default/statefulsets", set);
    cluster.pass(Duration::from_millis(200));
    assert_eq!(cluster.names(PODS), ["db-0"]);
    cluster.pass(Duration::from_secs(3));
    let first = cluster.get(&format!("{PODS}/db-0")).unwrap();
    assert_eq!(cluster.names(PODS), ["db-0", "db-1"], "{}", first["status"]);
    let db = cluster.get("/apis/apps/v1/namespaces/default/statefulsets/db").unwrap();
    assert_eq!(
        (&db["status"]["readyReplicas"], &db["status"]["updatedReplicas"]),
        (&json!(2), &json!(2)),
        "{}",
        db["status"]
    );
    assert_eq!(
        cluster.names("/api/v1/namespaces/default/persistentvolumeclaims"),
        ["data-db-0", "data-db-1"]
    );
}

#[test]
fn a_namespace_takes_everything_in_it_along() {
    let mut cluster = Cluster::new(Profile::INSTANT);
    cluster.send(
        Method::Post,
        "/api/v1/namespaces",
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}}),
    );
    assert!(cluster.get("/api/v1/namespaces/team/serviceaccounts/default").is_some());
    let mut web = deployment("web:1", 1);
    web["metadata"]["namespace"] = json!("team");
    cluster.send(Method::Post, "/apis/apps/v1/namespaces/team/deployments", web);
    cluster.send(Method::Delete, "/api/v1/namespaces/team", Value::Null);
    cluster.pass(Duration::from_secs(3));
    assert!(
        cluster.get("/api/v1/namespaces/team").is_none(),
        "{:?}",
        cluster.get("/api/v1/namespaces/team")
    );
    assert_eq!(cluster.names("/api/v1/pods"), Vec::<String>::new());
}

#[test]
fn a_pod_waits_for_its_config_map() {
    let mut cluster = Cluster::new(Profile::INSTANT);
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "c", "image": "a:1", "envFrom": [{"configMapRef": {"name": "shared"}}]}]},
    });
    cluster.send(Method::Post, PODS, pod);
    let status = cluster.get(&format!("{PODS}/p")).unwrap()["status"].clone();
    assert_eq!(
        status["containerStatuses"][0]["state"]["waiting"]["reason"], "CreateContainerConfigError",
        "{status}"
    );
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "shared"}});
    cluster.send(Method::Post, "/api/v1/namespaces/default/configmaps", map);
    let status = cluster.get(&format!("{PODS}/p")).unwrap()["status"].clone();
    assert_eq!(status["phase"], "Running", "{status}");
}

#[test]
fn a_settled_cluster_is_still() {
    let mut cluster = Cluster::new(Profile::REALISTIC);
    cluster.send(Method::Post, DEPLOYMENTS, deployment("web:1", 3));
    cluster.pass(Duration::from_secs(60));
    let revision = cluster.get(PODS).unwrap()["metadata"]["resourceVersion"].clone();
    cluster.pass(Duration::from_secs(3600));
    assert_eq!(cluster.get(PODS).unwrap()["metadata"]["resourceVersion"], revision);
}
