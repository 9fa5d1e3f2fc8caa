//! The same binary against a real etcd, kube-apiserver and controller-manager. What differs from the simulated cluster here is a bug
//! in the simulated cluster.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{CAPSTAN, Clone, Kubectl, Process, eventually, has, nothing_may_be_missing, run};

const PATIENCE: Duration = Duration::from_secs(60);

fn oracle(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("CAPSTAN_ORACLES").map(PathBuf::from).or_else(|| {
        let home = std::env::var_os("HOME").map(PathBuf::from)?;
        Some(home.join(".cache/capstan/oracles"))
    })?;
    let path = folder.join(name);
    path.exists().then_some(path)
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a port")
        .port()
}

/// A real control plane. Nodes are played by a thread that says of every Pod that it is ready.
struct RealCluster {
    kubectl: Kubectl,
    kubeconfig: PathBuf,
    stop: Arc<AtomicBool>,
    kubelet: Option<std::thread::JoinHandle<()>>,
    _processes: Vec<Process>,
}

impl RealCluster {
    fn start(folder: &Path) -> Option<Self> {
        let programs = (
            oracle("etcd"),
            oracle("kube-apiserver"),
            oracle("kube-controller-manager"),
        );
        let (Some(etcd), Some(api_server), Some(manager)) = programs else {
            assert!(
                !nothing_may_be_missing(),
                "the real programs are not built: tests/oracles/build.sh"
            );
            println!(
                "skipped: etcd, kube-apiserver and kube-controller-manager are not there (tests/oracles/build.sh builds them)"
            );
            return None;
        };
        let (client, peer, port) = (free_port(), free_port(), free_port());
        let etcd = start_etcd(&etcd, folder, client, peer);
        let server = start_api_server(&api_server, folder, client, port);
        let kubeconfig = folder.join("kubeconfig");
        std::fs::write(&kubeconfig, kubeconfig_text(port)).expect("written");
        let kubectl = Kubectl::new(&kubeconfig);
        eventually("the API server is ready", PATIENCE, || {
            kubectl
                .command(&["get", "--raw", "/readyz"])
                .output()
                .is_ok_and(|output| output.status.success())
        });
        let mut command = Command::new(manager);
        command.arg("--kubeconfig").arg(&kubeconfig).args([
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            "--secure-port=0",
        ]);
        command.arg("--use-service-account-credentials=false");
        command.arg(format!(
            "--service-account-private-key-file={}",
            folder.join("sa.key").display()
        ));
        let manager = Process::start(&mut command);
        let stop = Arc::new(AtomicBool::new(false));
        let kubelet = std::thread::spawn({
            let (kubectl, stop) = (kubectl.clone(), stop.clone());
            move || {
                while !stop.load(Ordering::Relaxed) {
                    make_pods_ready(&kubectl);
                    std::thread::sleep(Duration::from_millis(300));
                }
            }
        });
        Some(Self {
            kubectl,
            kubeconfig,
            stop,
            kubelet: Some(kubelet),
            _processes: vec![etcd, server, manager],
        })
    }
}

impl Drop for RealCluster {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(kubelet) = self.kubelet.take() {
            let _ = kubelet.join();
        }
    }
}

fn start_etcd(program: &Path, folder: &Path, client: u16, peer: u16) -> Process {
    let (client, peer) = (format!("http://127.0.0.1:{client}"), format!("http://127.0.0.1:{peer}"));
    let mut command = Command::new(program);
    command.arg("--data-dir").arg(folder.join("etcd"));
    for (flag, value) in [
        ("--listen-client-urls", client.clone()),
        ("--advertise-client-urls", client),
        ("--listen-peer-urls", peer.clone()),
        ("--initial-advertise-peer-urls", peer.clone()),
        ("--initial-cluster", format!("default={peer}")),
    ] {
        command.args([flag, &value]);
    }
    command.arg("--unsafe-no-fsync");
    Process::start(&mut command)
}

fn start_api_server(program: &Path, folder: &Path, etcd: u16, port: u16) -> Process {
    let (key, public) = (folder.join("sa.key"), folder.join("sa.pub"));
    run(Command::new("openssl").args(["genrsa", "-out"]).arg(&key).arg("2048"));
    run(Command::new("openssl")
        .args(["rsa", "-pubout", "-in"])
        .arg(&key)
        .arg("-out")
        .arg(&public));
    std::fs::write(folder.join("tokens.csv"), "admintoken,admin,admin,system:masters\n").expect("written");
    let mut command = Command::new(program);
    for flag in [
        format!("--etcd-servers=http://127.0.0.1:{etcd}"),
        format!("--secure-port={port}"),
        "--bind-address=127.0.0.1".into(),
        format!("--cert-dir={}", folder.join("certs").display()),
        format!("--service-account-key-file={}", public.display()),
        format!("--service-account-signing-key-file={}", key.display()),
        "--service-account-issuer=https://kubernetes.default.svc".into(),
        format!("--token-auth-file={}", folder.join("tokens.csv").display()),
        "--authorization-mode=RBAC".into(),
        "--service-cluster-ip-range=10.0.0.0/24".into(),
        "--allow-privileged".into(),
    ] {
        command.arg(flag);
    }
    Process::start(&mut command)
}

fn kubeconfig_text(port: u16) -> String {
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "real",
        "clusters": [{"name": "real", "cluster": {"server": format!("https://127.0.0.1:{port}"), "insecure-skip-tls-verify": true}}],
        "users": [{"name": "admin", "user": {"token": "admintoken"}}],
        "contexts": [{"name": "real", "context": {"cluster": "real", "user": "admin"}}],
    })
    .to_string()
}

/// Says of every Pod that its containers run and are ready.
fn make_pods_ready(kubectl: &Kubectl) {
    let Some(pods) = kubectl.object(&["pods", "-A"]) else {
        return;
    };
    for pod in pods["items"].as_array().into_iter().flatten() {
        if pod["status"]["phase"] == "Running" || !pod["metadata"]["deletionTimestamp"].is_null() {
            continue;
        }
        let containers: Vec<Value> = pod["spec"]["containers"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|container| {
                json!({"name": container["name"], "image": container["image"], "imageID": "", "ready": true, "restartCount": 0,
                       "started": true, "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}})
            })
            .collect();
        let conditions: Vec<Value> = ["PodScheduled", "Initialized", "ContainersReady", "Ready"]
            .iter()
            .map(|kind| json!({"type": kind, "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}))
            .collect();
        let patch = json!({"status": {"phase": "Running", "conditions": conditions, "containerStatuses": containers}});
        let text = |field: &str| pod["metadata"][field].as_str().unwrap_or_default().to_owned();
        let (namespace, name) = (text("namespace"), text("name"));
        let words = [
            "-n",
            &namespace,
            "patch",
            "pod",
            &name,
            "--subresource=status",
            "--type=merge",
            "-p",
            &patch.to_string(),
        ];
        let _ = kubectl.command(&words).output();
    }
}

/// The demo's chart of patient-portal and the ConfigMap it needs, in a repository of its own.
fn repository(folder: &Path) -> (PathBuf, Clone) {
    let bare = folder.join("infra.git");
    run(Command::new("git")
        .args(["init", "-q", "--bare", "-b", "main"])
        .arg(&bare));
    run(Command::new("git")
        .args(["clone", "-q"])
        .arg(&bare)
        .arg(folder.join("infra")));
    let clone = Clone {
        path: folder.join("infra"),
    };
    let services = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/services");
    std::fs::create_dir_all(clone.path.join("services")).expect("made");
    run(Command::new("cp")
        .arg("-r")
        .arg(services.join("patient-portal"))
        .arg(clone.path.join("services")));
    clone.push("patient-portal");
    (bare, clone)
}

fn application(bare: &Path) -> String {
    format!(
        "apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: patient-portal, namespace: argocd}}
spec:
  project: healthcare
  source:
    repoURL: file://{}
    targetRevision: main
    path: services/patient-portal
    helm: {{valueFiles: [values-prod.yaml]}}
  destination: {{server: https://kubernetes.default.svc, namespace: production}}
  syncPolicy:
    automated: {{prune: true, selfHeal: true}}
    syncOptions: [CreateNamespace=true]
",
        bare.display()
    )
}

/// Argo CD's resources, the controller's namespace, the project.
fn prepare(kubectl: &Kubectl) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    kubectl.run(&["apply", "-f", root.join("../../deploy/crds").to_str().expect("text")]);
    kubectl.run(&["create", "namespace", "argocd"]);
    kubectl.run(&[
        "wait",
        "--for=condition=Established",
        "crd/applications.argoproj.io",
        "crd/appprojects.argoproj.io",
    ]);
    kubectl.run(&[
        "apply",
        "-f",
        root.join("demo/argocd/project.yaml").to_str().expect("text"),
    ]);
}

#[test]
fn patient_portal_is_deployed_healed_pruned_and_reverted() {
    if !has("kubectl") || !has("git") || !has("openssl") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let Some(cluster) = RealCluster::start(folder.path()) else {
        return;
    };
    let kubectl = &cluster.kubectl;
    prepare(kubectl);
    let (bare, clone) = repository(folder.path());
    let mut command = controller_of(&cluster, folder.path());
    let controller = Process::start(&mut command);
    kubectl.apply(&application(&bare));

    let get = |kind: &str, name: &str| kubectl.object(&["-n", "production", kind, name]);
    let replicas = || get("deployment", "patient-portal").map(|object| object["spec"]["replicas"].clone());
    let report = || format!("{}\n{}", kubectl.words("patient-portal"), controller.output());
    eventually("patient-portal is deployed", PATIENCE, || replicas() == Some(json!(3)));
    // Without an ingress controller its Ingress never gets an address: everything but that is healthy.
    eventually(&format!("it is Synced: {}", report()), PATIENCE, || {
        kubectl.state("patient-portal").0 == "Synced"
    });

    scale_is_reverted(kubectl, &replicas);
    std::fs::remove_file(clone.path.join("services/patient-portal/templates/serviceaccount.yaml")).expect("removed");
    clone.push("no service account");
    eventually("the ServiceAccount is pruned", PATIENCE, || {
        get("serviceaccount", "patient-portal").is_none()
    });
    is_had_back(&cluster, &controller.output());

    clone.git(&["revert", "--no-edit", "HEAD"]);
    clone.git(&["push", "-q", "origin", "HEAD:main"]);
    eventually("the revert takes it over", PATIENCE, || {
        get("serviceaccount", "patient-portal").is_some_and(|object| object.to_string().contains("tracking-id"))
    });
    eventually("it is Synced again", PATIENCE, || {
        kubectl.state("patient-portal").0 == "Synced"
    });
    drop(controller);
    expires(&cluster, &mut command);
}

fn controller_of(cluster: &RealCluster, folder: &Path) -> Command {
    let mut command = Command::new(CAPSTAN);
    command.args(["controller", "--port", "0", "--identity", "test", "--poll-interval"]);
    command.args(["500ms", "--kubeconfig"]).arg(&cluster.kubeconfig);
    command.arg("--dir").arg(folder.join("cache"));
    command
}

/// Somebody scales it: that is put right at once.
fn scale_is_reverted(kubectl: &Kubectl, replicas: &dyn Fn() -> Option<Value>) {
    kubectl.run(&[
        "-n",
        "production",
        "scale",
        "deployment",
        "patient-portal",
        "--replicas",
        "5",
    ]);
    let took = eventually("the scale is reverted", Duration::from_secs(5), || {
        replicas() == Some(json!(3))
    });
    println!(
        "drift → reverted {} ms on a real API server, kubectl's own start included",
        took.as_millis()
    );
}

/// What was pruned is kept, and created again without belonging to anybody. The log says why it went.
fn is_had_back(cluster: &RealCluster, log: &str) {
    let is_namespace_there = cluster.kubectl.object(&["namespace", "production"]).is_some();
    assert!(is_namespace_there, "the namespace stays");
    let line = log
        .lines()
        .find(|line| line.contains("deleting") && line.contains("ServiceAccount/production/patient-portal"));
    let line = line.unwrap_or_else(|| panic!("the log does not say that it is deleted:\n{log}"));
    for part in ["automated sync", "no rule holds it (looked at by", "Prune", "digest"] {
        assert!(line.contains(part), "{part}: {line}");
    }
    let undelete = |words: &[&str]| {
        let mut command = Command::new(CAPSTAN);
        run(command
            .arg("undelete")
            .args(words)
            .arg("--kubeconfig")
            .arg(&cluster.kubeconfig))
    };
    assert_eq!(undelete(&["-o", "name"]), "ServiceAccount/production/patient-portal\n");
    let told = undelete(&["ServiceAccount/production/patient-portal"]);
    assert!(told.contains("is there again"), "{told}");
    let words = ["-n", "production", "serviceaccount", "patient-portal"];
    let restored = cluster.kubectl.object(&words).expect("is there");
    assert!(!restored.to_string().contains("tracking-id"), "{restored:#}");
}

/// What was kept goes at its time, by a controller that starts after it.
fn expires(cluster: &RealCluster, controller: &mut Command) {
    let kept = |more: &[&str]| {
        let mut words = vec!["-n", "argocd", "secrets", "-l", "capstan.dev/undelete=true"];
        words.extend(more);
        let list = cluster.kubectl.object(&words).expect("a list");
        list["items"].as_array().cloned().unwrap_or_default()
    };
    let all = kept(&["--field-selector", "type=capstan.dev/deleted-object"]);
    let name = all[0]["metadata"]["name"].as_str().expect("a name");
    let past = "capstan.dev/expires-at=2026-01-01T00:00:00Z";
    let annotate = ["-n", "argocd", "annotate", "secret", name, "--overwrite", past];
    cluster.kubectl.run(&annotate);
    let _again = Process::start(controller);
    eventually("what has expired goes", PATIENCE, || kept(&[]).is_empty());
}
