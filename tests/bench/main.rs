//! What Capstan costs, measured from outside on a simulated cluster: `cargo bench -p capstan --bench first_light [-- words]`.
//!
//! Words choose what is measured: `start`, `calls`, `latency`, `memory` (40 and 1,000 applications); all when none is given. The
//! simulated cluster, the controller and this program are three processes, so that memory and requests are the controller's own.
//! Nothing here is a test: numbers are printed, not judged.

#![allow(clippy::print_stdout, reason = "printing is what it is for")]

#[path = "../e2e/harness.rs"]
#[allow(dead_code)]
mod harness;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use harness::{CAPSTAN, Clone, Process, eventually, http, run};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(600);
const SAMPLES: usize = 100;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let wanted = |word: &str| words.is_empty() || words.iter().any(|other| other == word);
    if wanted("start") {
        start_to_ready();
    }
    if wanted("calls") {
        calls_per_application(1);
        calls_per_application(10);
    }
    if wanted("latency") {
        latency();
    }
    if wanted("memory") {
        memory(40);
        memory(1000);
    }
}

fn start_to_ready() {
    let mut times = Vec::new();
    for _ in 0..5 {
        let began = Instant::now();
        run(Command::new(CAPSTAN).args(["demo", "--once", "--port", "0"]));
        times.push(began.elapsed());
    }
    report("demo: start → ready, process start and end included", &mut times);
}

/// A simulated cluster, a controller and a repository with some applications.
struct Bed {
    world: Process,
    controller: Process,
    api: String,
    dashboard: String,
    clone: Clone,
    bare: PathBuf,
    folder: tempfile::TempDir,
    count: usize,
}

impl Bed {
    fn new(count: usize, manifests: impl Fn(usize) -> String) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = Command::new(CAPSTAN);
        command
            .args(["world", "--actors", "instant", "--kubeconfig"])
            .arg(folder.path().join("kubeconfig"));
        let mut world = Process::start(&mut command);
        let line = world.wait_for_line("ready", PATIENCE);
        let api = line
            .split_whitespace()
            .find(|word| word.starts_with("http"))
            .expect("a URL")
            .to_owned();
        let bare = folder.path().join("infra.git");
        run(Command::new("git")
            .args(["init", "-q", "--bare", "-b", "main"])
            .arg(&bare));
        run(Command::new("git")
            .args(["clone", "-q"])
            .arg(&bare)
            .arg(folder.path().join("infra")));
        let clone = Clone {
            path: folder.path().join("infra"),
        };
        for number in 0..count {
            clone.write(&format!("services/app-{number}/objects.yaml"), &manifests(number));
        }
        clone.push("all");
        define(&api);
        let (controller, dashboard) = controller(folder.path());
        let mut bed = Self {
            world,
            controller,
            api,
            dashboard,
            clone,
            bare,
            folder,
            count,
        };
        bed.create_applications();
        bed
    }

    fn create_applications(&mut self) {
        for number in 0..self.count {
            let application = json!({
                "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
                "metadata": {"name": format!("app-{number}"), "namespace": "argocd"},
                "spec": {
                    "project": "default",
                    "source": {
                        "repoURL": format!("file://{}", self.bare.display()), "targetRevision": "main",
                        "path": format!("services/app-{number}"),
                    },
                    "destination": {"server": "https://kubernetes.default.svc", "namespace": "default"},
                    "syncPolicy": {"automated": {"prune": true, "selfHeal": true}},
                },
            });
            let path = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications";
            http(&self.api, "POST", path, &application.to_string());
        }
    }

    fn is_settled(&self) -> bool {
        let list: Value =
            serde_json::from_str(&http(&self.dashboard, "GET", "/api/v1/applications", "")).expect("JSON");
        let items = list["items"].as_array().cloned().unwrap_or_default();
        items.len() == self.count
            && items
                .iter()
                .all(|item| item["sync"] == "Synced" && item["health"]["status"] == "Healthy")
    }

    fn settle(&self) -> Duration {
        eventually("everything is Synced and Healthy", PATIENCE, || self.is_settled())
    }

    /// Requests of the controller so far: all, and those that write.
    fn requests(&self) -> (f64, f64) {
        let text = http(&self.dashboard, "GET", "/metrics", "");
        let lines = text
            .lines()
            .filter(|line| line.starts_with("capstan_") && line.contains("verb=") && !line.starts_with('#'));
        lines.fold((0.0, 0.0), |(all, writes), line| {
            let value: f64 = line
                .rsplit(' ')
                .next()
                .and_then(|number| number.parse().ok())
                .unwrap_or(0.0);
            let verb = line
                .split("verb=\"")
                .nth(1)
                .and_then(|rest| rest.split('"').next())
                .unwrap_or_default();
            let is_write = !matches!(verb, "get" | "list" | "watch" | "discover");
            (all + value, writes + if is_write { value } else { 0.0 })
        })
    }

    fn resident_mib(&self) -> f64 {
        resident_mib(self.controller.id())
    }
}

fn controller(folder: &Path) -> (Process, String) {
    let mut command = Command::new(CAPSTAN);
    command
        .args([
            "controller",
            "--port",
            "0",
            "--identity",
            "bench",
            "--poll-interval",
            "60s",
            "--kubeconfig",
        ])
        .arg(folder.join("kubeconfig"));
    command.arg("--dir").arg(folder.join("cache")).env("RUST_LOG", "warn");
    let mut controller = Process::start(&mut command);
    let line = controller.wait_for_line("dashboard", PATIENCE);
    let dashboard = line.split_whitespace().last().expect("a URL").to_owned();
    (controller, dashboard)
}

fn define(api: &str) {
    for definition in capstan_kubernetes::crds::definitions() {
        let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        http(api, "POST", path, &definition.value.to_string());
    }
    http(
        api,
        "POST",
        "/api/v1/namespaces",
        &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argocd"}}).to_string(),
    );
}

fn config_map(name: &str, value: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{key: '{value}'}}\n")
}

/// What a service usually is: Deployment, Service, ConfigMap, ServiceAccount, Ingress, autoscaler.
fn service(number: usize) -> String {
    format!(
        "{}---
apiVersion: v1
kind: ServiceAccount
metadata: {{name: app-{number}}}
---
apiVersion: v1
kind: Service
metadata: {{name: app-{number}}}
spec: {{selector: {{app: app-{number}}}, ports: [{{name: http, port: 80, targetPort: 8080}}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: app-{number}}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: app-{number}}}}}
  template:
    metadata: {{labels: {{app: app-{number}}}}}
    spec: {{containers: [{{name: app, image: 'registry.example/app:1', ports: [{{containerPort: 8080}}]}}]}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: app-{number}}}
spec:
  rules: [{{host: app-{number}.example, http: {{paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: app-{number}, port: {{number: 80}}}}}}}}]}}}}]
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {{name: app-{number}}}
spec:
  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: app-{number}}}
  minReplicas: 2
  maxReplicas: 4
  metrics: [{{type: Resource, resource: {{name: cpu, target: {{type: Utilization, averageUtilization: 80}}}}}}]
",
        config_map(&format!("app-{number}"), "1")
    )
}

/// API requests for each application that is synced for the first time, with so many ConfigMaps.
fn calls_per_application(objects: usize) {
    let count = 40;
    let bed = Bed::new(count, |number| {
        let maps = (0..objects).map(|object| config_map(&format!("app-{number}-{object}"), "1"));
        maps.collect::<Vec<_>>().join("---\n")
    });
    bed.settle();
    let ((all, writes), count) = (bed.requests(), count as f64);
    println!(
        "first sync of an application of {objects} object(s): {:.1} requests, {:.1} of them writes (40 applications, start included)",
        all / count,
        writes / count
    );
}

fn latency() {
    let bed = Bed::new(40, service);
    bed.settle();
    let url = format!("file://{}", bed.bare.display());
    let event = json!({"ref": "refs/heads/main", "repository": {"clone_url": url}}).to_string();
    let mut pushes = Vec::new();
    for sample in 0..SAMPLES {
        let number = sample % bed.count;
        let path = format!("services/app-{number}/objects.yaml");
        let text =
            bed.clone
                .read(&path)
                .replacen(&service_value(&bed.clone.read(&path)), &format!("key: 'v{sample}'"), 1);
        bed.clone.write(&path, &text);
        bed.clone.push("change");
        let began = Instant::now();
        http(&bed.dashboard, "POST", "/api/webhook", &event);
        let map = format!("/api/v1/namespaces/default/configmaps/app-{number}");
        wait_until(|| parse(&http(&bed.api, "GET", &map, ""))["data"]["key"] == format!("v{sample}"));
        pushes.push(began.elapsed());
    }
    report("push → live, by webhook, 40 applications", &mut pushes);
    bed.settle();
    let mut drifts = Vec::new();
    for sample in 0..SAMPLES {
        let path = format!("/api/v1/namespaces/default/configmaps/app-{}", sample % bed.count);
        let mut map = parse(&http(&bed.api, "GET", &path, ""));
        let wanted = map["data"]["key"].clone();
        map["data"]["key"] = json!("drift");
        http(&bed.api, "PUT", &path, &map.to_string());
        let began = Instant::now();
        wait_until(|| parse(&http(&bed.api, "GET", &path, ""))["data"]["key"] == wanted);
        drifts.push(began.elapsed());
    }
    report(
        "drift → reverted, 40 applications, each object at most three times",
        &mut drifts,
    );
}

fn service_value(text: &str) -> String {
    text.lines()
        .find_map(|line| line.strip_prefix("data: {"))
        .map(|rest| rest.trim_end_matches('}').to_owned())
        .expect("has data")
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn wait_until(mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < PATIENCE, "not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn memory(count: usize) {
    let began = Instant::now();
    let mut bed = Bed::new(count, service);
    bed.settle();
    let cold = began.elapsed();
    std::thread::sleep(Duration::from_secs(3));
    let (requests, writes) = bed.requests();
    let (resident, cpu) = (bed.resident_mib(), cpu_seconds(bed.controller.id()));
    std::thread::sleep(Duration::from_secs(10));
    let idle = cpu_seconds(bed.controller.id()) - cpu;
    let (later, later_writes) = bed.requests();
    println!(
        "{count} applications of 6 objects: all Synced and Healthy after {:.1} s ({cpu:.2} CPU-s), {:.1} requests an application \
         ({:.1} writes), {resident:.0} MiB resident, idle {:.2} CPU-s a minute, {} requests and {} writes in 10 s",
        cold.as_secs_f64(),
        requests / count as f64,
        writes / count as f64,
        idle * 6.0,
        later - requests,
        later_writes - writes,
    );
    bed.controller.kill();
    let began = Instant::now();
    let (controller, dashboard) = controller(bed.folder.path());
    (bed.controller, bed.dashboard) = (controller, dashboard);
    bed.settle();
    println!(
        "{count} applications: killed and started again, all Synced and Healthy after {:.1} s",
        began.elapsed().as_secs_f64()
    );
    bed.world.kill();
}

fn report(what: &str, times: &mut [Duration]) {
    times.sort();
    let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)].as_secs_f64() * 1000.0;
    println!(
        "{what}: p50 {:.1} ms, p99 {:.1} ms (n = {})",
        at(50),
        at(99),
        times.len()
    );
}

fn resident_mib(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse::<f64>().ok())
        .unwrap_or(0.0)
        / 1024.0
}

/// User and system time, by the kernel's hundredths.
fn cpu_seconds(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |at: usize| {
        fields
            .get(at)
            .and_then(|field| field.parse::<f64>().ok())
            .unwrap_or(0.0)
    };
    (ticks(11) + ticks(12)) / 100.0
}
