//! The controller is killed in the middle of a wave and started again.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::harness::{CAPSTAN, Clone, Kubectl, Process, eventually, has, run};

const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn controller(folder: &Path) -> Process {
    Process::start(&mut controller_command(folder))
}

/// What starts a controller over the world of a folder.
pub(crate) fn controller_command(folder: &Path) -> Command {
    let mut command = Command::new(CAPSTAN);
    command
        .args([
            "controller",
            "--port",
            "0",
            "--identity",
            "test",
            "--poll-interval",
            "500ms",
            "--kubeconfig",
        ])
        .arg(folder.join("kubeconfig"));
    command.arg("--dir").arg(folder.join("cache"));
    command
}

/// A cluster with Capstan's definitions and the namespace of its Applications.
pub(crate) fn world(folder: &Path) -> (Process, Kubectl) {
    let kubeconfig = folder.join("kubeconfig");
    let mut command = Command::new(CAPSTAN);
    command.args(["world", "--kubeconfig"]).arg(&kubeconfig);
    let mut world = Process::start(&mut command);
    world.wait_for_line("ready", PATIENCE);
    let kubectl = Kubectl::new(&kubeconfig);
    let definitions = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/crds");
    kubectl.run(&["apply", "-f", definitions.to_str().expect("text")]);
    kubectl.apply("apiVersion: v1\nkind: Namespace\nmetadata: {name: argocd}\n");
    (world, kubectl)
}

/// An automated Application of the folder `app` of a repository.
pub(crate) fn application(repository: &Path) -> String {
    format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: app, namespace: argocd}}\nspec:\n  project: default\n  \
         source: {{repoURL: 'file://{}', targetRevision: main, path: app}}\n  \
         destination: {{server: 'https://kubernetes.default.svc', namespace: team}}\n  \
         syncPolicy: {{automated: {{}}, syncOptions: [CreateNamespace=true]}}\n",
        repository.display()
    )
}

/// An empty repository, and a clone of it.
pub(crate) fn repository(folder: &Path) -> (PathBuf, Clone) {
    let bare = folder.join("repository.git");
    run(Command::new("git")
        .args(["init", "-q", "--bare", "-b", "main"])
        .arg(&bare));
    let clone = Clone {
        path: folder.join("clone"),
    };
    run(Command::new("git").args(["clone", "-q"]).arg(&bare).arg(&clone.path));
    (bare, clone)
}

pub(crate) fn job(name: &str, annotations: &str, seconds: u32) -> String {
    format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: {name}\n  annotations: {annotations}\nspec:\n  backoffLimit: 0\n  \
         template:\n    spec:\n      restartPolicy: Never\n      containers:\n        - {{name: c, image: 'tool:1', command: [sleep, '{seconds}']}}\n"
    )
}

/// A hook, a Job of four seconds in wave 1, a ConfigMap in wave 2.
fn three_waves(folder: &Path) -> PathBuf {
    let (bare, clone) = repository(folder);
    clone.write(
        "app/before.yaml",
        &job("before", "{argocd.argoproj.io/hook: PreSync}", 1),
    );
    clone.write(
        "app/migrate.yaml",
        &job("migrate", "{argocd.argoproj.io/sync-wave: '1'}", 4),
    );
    clone.write(
        "app/config.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: last\n  annotations: {argocd.argoproj.io/sync-wave: '2'}\n",
    );
    clone.push("three waves");
    bare
}

#[test]
fn an_operation_goes_on_where_it_was_and_hooks_run_once() {
    if !has("kubectl") || !has("git") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (_world, kubectl) = world(folder.path());
    let bare = three_waves(folder.path());
    let first = controller(folder.path());
    kubectl.apply(&application(&bare));
    let uid = |name: &str| {
        kubectl
            .object(&["-n", "team", "job", name])
            .map(|job| job["metadata"]["uid"].clone())
    };
    eventually("wave 1 has begun", PATIENCE, || uid("migrate").is_some());
    let hook = uid("before");
    assert!(hook.is_some(), "the hook ran before");
    drop(first);
    assert!(
        kubectl.object(&["-n", "team", "configmap", "last"]).is_none(),
        "wave 2 waits for wave 1"
    );

    let mut second = controller(folder.path());
    second.wait_for_line("dashboard", PATIENCE);
    eventually("the operation ends well", PATIENCE, || {
        let object = kubectl
            .object(&["-n", "argocd", "applications.argoproj.io", "app"])
            .unwrap_or_default();
        object["status"]["operationState"]["phase"] == "Succeeded"
    });
    assert!(kubectl.object(&["-n", "team", "configmap", "last"]).is_some());
    assert_eq!(uid("before"), hook, "the hook was not run twice");
    let migrate = kubectl.object(&["-n", "team", "job", "migrate"]).expect("is there");
    assert_eq!(migrate["status"]["succeeded"], 1);
}

/// A hook finishes and would remove itself while no controller is there: the next one knows that it succeeded, and lets it go.
#[test]
fn a_hook_that_removes_itself_is_known_to_have_succeeded() {
    if !has("kubectl") || !has("git") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (_world, kubectl) = world(folder.path());
    let (bare, clone) = repository(folder.path());
    let hook = job("before", "{argocd.argoproj.io/hook: PreSync}", 2);
    let hook = hook.replace("backoffLimit: 0\n", "backoffLimit: 0\n  ttlSecondsAfterFinished: 0\n");
    clone.write("app/before.yaml", &hook);
    clone.write(
        "app/config.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: last\n",
    );
    clone.push("a hook without a trace");
    let first = controller(folder.path());
    kubectl.apply(&application(&bare));
    let before = || kubectl.object(&["-n", "team", "job", "before"]);
    eventually("the hook runs", PATIENCE, || before().is_some());
    drop(first);
    eventually("the hook is on its way out", PATIENCE, || {
        let job = before().expect("it is held");
        job["metadata"]["deletionTimestamp"].is_string()
    });

    let _second = controller(folder.path());
    let state = || {
        let object = kubectl.object(&["-n", "argocd", "applications.argoproj.io", "app"]);
        object.unwrap_or_default()["status"]["operationState"].clone()
    };
    eventually("the operation ends well", PATIENCE, || state()["phase"] == "Succeeded");
    assert!(state().get("retryCount").is_none(), "{}", state());
    eventually("the hook is gone", PATIENCE, || before().is_none());
}
