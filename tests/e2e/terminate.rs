//! `capstan app terminate`: a sync whose hook does not end is stopped.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::harness::{CAPSTAN, Clone, Kubectl, Process, eventually, has, run};
use crate::restart::{controller, job};

const PATIENCE: Duration = Duration::from_secs(30);

fn terminate(kubeconfig: &Path) -> (Option<i32>, String) {
    let mut command = Command::new(CAPSTAN);
    command
        .args(["app", "terminate", "app", "--kubeconfig"])
        .arg(kubeconfig);
    let output = command.output().expect("it starts");
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

/// A hook of an hour, and an object after it.
fn repository(folder: &Path) -> PathBuf {
    let bare = folder.join("repository.git");
    run(Command::new("git")
        .args(["init", "-q", "--bare", "-b", "main"])
        .arg(&bare));
    let clone = Clone {
        path: folder.join("clone"),
    };
    run(Command::new("git").args(["clone", "-q"]).arg(&bare).arg(&clone.path));
    let hook = job("migrate", "{argocd.argoproj.io/hook: PreSync}", 3600);
    clone.write("app/migrate.yaml", &hook);
    clone.write(
        "app/config.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: last\n",
    );
    clone.push("a hook of an hour");
    bare
}

#[test]
fn a_hook_that_does_not_end_is_stopped_and_nothing_after_it_begins() {
    if !has("kubectl") || !has("git") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let kubeconfig = folder.path().join("kubeconfig");
    let mut command = Command::new(CAPSTAN);
    command.args(["world", "--kubeconfig"]).arg(&kubeconfig);
    let mut world = Process::start(&mut command);
    world.wait_for_line("ready", PATIENCE);
    let kubectl = Kubectl::new(&kubeconfig);
    let definitions = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/crds");
    kubectl.run(&["apply", "-f", definitions.to_str().expect("text")]);
    kubectl.apply("apiVersion: v1\nkind: Namespace\nmetadata: {name: argocd}\n");

    let bare = repository(folder.path());
    let _controller = controller(folder.path());
    kubectl.apply(&format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: app, namespace: argocd}}\nspec:\n  project: default\n  \
         source: {{repoURL: 'file://{}', targetRevision: main, path: app}}\n  \
         destination: {{server: 'https://kubernetes.default.svc', namespace: team}}\n  \
         syncPolicy: {{automated: {{}}, syncOptions: [CreateNamespace=true]}}\n",
        bare.display()
    ));
    let migrates = || kubectl.object(&["-n", "team", "job", "migrate"]).is_some();
    eventually("the hook runs", PATIENCE, migrates);

    let (code, said) = terminate(&kubeconfig);
    assert_eq!(
        (code, said.lines().last()),
        (Some(0), Some("Failed: operation terminated"))
    );
    eventually("the hook is deleted", PATIENCE, || !migrates());
    assert!(kubectl.object(&["-n", "team", "configmap", "last"]).is_none());
    let (code, said) = terminate(&kubeconfig);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("no operation of argocd/app runs"), "{said}");
}
