//! What is deployed is deployed with the rights of the account that the project names: over a server that knows who may do what.
//!
//! The controller's own account may read, write Applications and what is kept of deletes, and impersonate one account. So whatever it sent as
//! itself to a destination would be refused; and every request that is no read is looked at, those that are refused included.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use capstan_controller::{Clock, ControllerSettings};
use capstan_engine::Settings;
use capstan_kubernetes::{Cluster, ClusterSettings};
use capstan_model::{ClusterId, Timestamp};
use capstan_sim::front_ends::{Cluster as WorldCluster, WorldService};
use capstan_sim::{Faults, Method, Options, Request, User, Verdict, World, actors};
use serde_json::{Value, json};

use crate::support::{EPOCH, application, apply, install, map};
use crate::{Bench, Running};

const CONTROLLER: &str = "system:serviceaccount:argocd:capstan";
const DEPLOYER: &str = "system:serviceaccount:shop:deployer";

/// Requests of the controller that are no reads: path, and as whom.
type Sent = Arc<Mutex<Vec<(String, Option<String>)>>>;

struct Listening(Sent);

impl Faults for Listening {
    fn before(&mut self, _: Timestamp, request: &Request) -> Verdict {
        let is_ours = request.authorization.as_deref() == Some("Bearer controller");
        if is_ours && request.method != Some(Method::Get) {
            assert!(request.impersonate_groups.is_empty(), "the server knows the groups");
            let sent = (request.path.clone(), request.impersonate_user.clone());
            self.0.lock().unwrap().push(sent);
        }
        Verdict::Pass
    }
}

/// The server, a connection of its administrator, and a bench whose controller has its own account.
fn server() -> (WorldCluster, Cluster, Bench, Sent) {
    let mut options = Options::default();
    let account = User::service_account("argocd", "capstan");
    options.tokens.insert("controller".into(), account);
    let mut world = World::new(EPOCH, options);
    for actor in actors::all(actors::Profile::REALISTIC) {
        world.add_actor(actor);
    }
    let sent = Sent::default();
    world.set_faults(Box::new(Listening(sent.clone())));
    let world = WorldCluster::new(world, EPOCH);
    let connect = |service| Cluster::from_service(ClusterId::in_cluster(), service, ClusterSettings::default());
    let admin = connect(WorldService::new(world.clone()));
    let own = connect(WorldService::with_token(world.clone(), "controller"));
    (world, admin, Bench::new(own, || Clock::starting_at(EPOCH)), sent)
}

fn role(kind: &str, name: &str, namespace: &str, rules: &Value) -> Value {
    let mut metadata = json!({"name": name});
    if !namespace.is_empty() {
        metadata["namespace"] = json!(namespace);
    }
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata, "rules": rules})
}

async fn grant(admin: &Cluster, name: &str, namespace: &str, account: (&str, &str), rules: &Value) {
    let prefix = if namespace.is_empty() { "Cluster" } else { "" };
    let (role_kind, binding) = (format!("{prefix}Role"), format!("{prefix}RoleBinding"));
    apply(admin, &role(&role_kind, name, namespace, rules)).await;
    let mut binding = role(&binding, name, namespace, &Value::Null);
    binding.as_object_mut().unwrap().remove("rules");
    binding["roleRef"] = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": role_kind, "name": name});
    binding["subjects"] = json!([{"kind": "ServiceAccount", "namespace": account.0, "name": account.1}]);
    apply(admin, &binding).await;
}

/// What docs/impersonation.md gives the controller, and no more.
async fn grant_controller(admin: &Cluster) {
    let capstan = ("argocd", "capstan");
    let rules = json!([
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]},
        {"nonResourceURLs": ["*"], "verbs": ["get"]},
        {"apiGroups": ["argoproj.io"], "resources": ["applications", "applications/status"], "verbs": ["patch"]},
        {"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["impersonate"], "resourceNames": ["deployer"]},
    ]);
    grant(admin, "capstan", "", capstan, &rules).await;
    let rules = json!([{"apiGroups": [""], "resources": ["secrets"], "verbs": ["create", "patch", "delete"]}]);
    grant(admin, "capstan", "argocd", capstan, &rules).await;
}

async fn grant_deployer(admin: &Cluster) {
    let all = ["create", "patch", "update", "delete"];
    let rules = json!([
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": all},
        {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": all},
    ]);
    grant(admin, "deployer", "shop", ("shop", "deployer"), &rules).await;
}

fn hook(name: &str, of: &str) -> Value {
    let spec = json!({"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}});
    json!({"apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": name, "annotations": {"argocd.argoproj.io/hook": of}}, "spec": spec})
}

/// `shop`, which goes with its objects, with three maps and three hooks.
async fn prepare(admin: &Cluster, bench: &Bench, account: &str) -> Running {
    install(admin).await;
    apply(
        admin,
        &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}),
    )
    .await;
    grant_controller(admin).await;
    let accounts = json!([{"server": "*", "namespace": "shop", "defaultServiceAccount": account}]);
    let project = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject",
        "metadata": {"name": "default", "namespace": "argocd"},
        "spec": {"sourceRepos": ["*"], "destinations": [{"server": "*", "namespace": "*"}],
            "clusterResourceWhitelist": [{"group": "*", "kind": "*"}], "destinationServiceAccounts": accounts}});
    apply(admin, &project).await;
    bench.repository.commit(|files| {
        for number in 0..3 {
            let object = map(&format!("map-{number}"), "1");
            files.insert(format!("shop/{number}.json"), object.to_string().into_bytes());
        }
        for of in ["PreSync", "PreDelete", "PostDelete"] {
            let object = hook(&of.to_lowercase(), of);
            files.insert(format!("shop/{of}.json"), object.to_string().into_bytes());
        }
    });
    let settings = ControllerSettings {
        engine: Settings {
            impersonation: true,
            ..Settings::default()
        },
        ..ControllerSettings::default()
    };
    let running = bench.start_with(settings);
    let mut shop = application("shop", "shop");
    shop["metadata"]["finalizers"] = json!(["resources-finalizer.argocd.argoproj.io"]);
    apply(admin, &shop).await;
    running
}

/// Who wrote what, as `user resource`; of what somebody else than the administrator and the actors wrote.
fn writers(world: &WorldCluster) -> BTreeSet<String> {
    let history = world.with(|world| world.history().to_vec());
    let ours = history
        .iter()
        .filter(|write| [CONTROLLER, DEPLOYER].contains(&write.user.as_str()));
    ours.map(|write| format!("{} {}/{}", write.user, write.name.namespace, write.resource.resource))
        .collect()
}

/// Every request that is no read of the Applications or of what is kept is the deployer's.
fn nothing_is_sent_as_ourselves(sent: &Sent) {
    for (path, user) in sent.lock().unwrap().iter() {
        let is_own = path.contains("/argocd/applications/") || path.contains("/argocd/secrets");
        let expected = if is_own { None } else { Some(DEPLOYER) };
        assert_eq!(user.as_deref(), expected, "{path}");
    }
}

async fn over(story: impl AsyncFnOnce(&WorldCluster, &Cluster, &Bench, &Sent)) {
    let (world, admin, bench, sent) = server();
    let driven = world.clone();
    tokio::select! {
        biased;
        () = story(&world, &admin, &bench, &sent) => {}
        () = driven.drive() => panic!("the world stopped"),
    }
    nothing_is_sent_as_ourselves(&sent);
}

#[tokio::test(start_paused = true)]
async fn an_account_without_rights_is_refused_and_with_rights_does_everything() {
    over(async |world, admin, bench, _| {
        let running = prepare(admin, bench, "deployer").await;
        running
            .until("told who may not do what", |view| {
                let told = view.operation.as_ref().map(|operation| operation.message.clone());
                told.is_some_and(|told| {
                    told.contains(&format!("User {DEPLOYER:?} cannot create resource \"jobs\""))
                        && told.contains("in the namespace \"shop\"")
                })
            })
            .await;
        assert!(
            writers(world)
                .iter()
                .all(|writer| writer == &format!("{CONTROLLER} argocd/applications"))
        );
        grant_deployer(admin).await;
        running.synced(1).await;
        bench.repository.commit(|files| {
            files.remove("shop/2.json");
            files.insert("shop/0.json".into(), map("map-0", "2").to_string().into_bytes());
        });
        running.synced(2).await;
        assert!(bench.live("shop", "map-2").await.is_none(), "what left Git is pruned");
        let mut edited = map("map-1", "edited");
        edited["metadata"]["namespace"] = json!("shop");
        apply(admin, &edited).await;
        for _ in 0..100 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(
            bench.live("shop", "map-1").await.unwrap()["data"]["k"],
            "1",
            "drift is put right"
        );
        delete_shop(world, &running).await;
        let expected = [
            format!("{CONTROLLER} argocd/applications"),
            format!("{CONTROLLER} argocd/secrets"),
            format!("{DEPLOYER} shop/configmaps"),
            format!("{DEPLOYER} shop/jobs"),
        ];
        assert_eq!(writers(world), BTreeSet::from(expected));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_account_that_may_not_be_impersonated_writes_nothing() {
    over(async |world, admin, bench, sent| {
        let running = prepare(admin, bench, "ops:admin").await;
        running
            .until("told whom it may not impersonate", |view| {
                let told = view.operation.as_ref().map(|operation| operation.message.clone());
                told.is_some_and(|told| {
                    told.contains(&format!(
                        "User {CONTROLLER:?} cannot impersonate resource \"serviceaccounts\""
                    )) && told.contains("in the namespace \"ops\"")
                })
            })
            .await;
        let mut sent = sent.lock().unwrap();
        let as_admin =
            |(_, user): &(String, Option<String>)| user.as_deref() == Some("system:serviceaccount:ops:admin");
        assert!(sent.iter().any(as_admin) && sent.iter().all(|(path, _)| !path.contains("/shop/")));
        sent.retain(|one| !as_admin(one));
        drop(sent);
        assert!(
            writers(world)
                .iter()
                .all(|writer| writer == &format!("{CONTROLLER} argocd/applications"))
        );
    })
    .await;
}

/// Somebody deletes the Application, and it goes with its objects and after its hooks.
async fn delete_shop(world: &WorldCluster, running: &Running) {
    let path = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/shop";
    assert!(world.handle(Request::new(Method::Delete, path)).is_success());
    for _ in 0..1200 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        if !has_shop(world) {
            return;
        }
    }
    panic!("{:#?}", running.handle.journal_after(0));
}

fn has_shop(world: &WorldCluster) -> bool {
    let history = world.with(|world| world.history().to_vec());
    let last = history
        .iter()
        .rfind(|write| write.resource.resource == "applications")
        .expect("it was created");
    last.change != capstan_sim::Change::Deleted
}
