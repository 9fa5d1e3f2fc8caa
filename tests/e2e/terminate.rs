//! `capstan app terminate`: a sync whose hook does not end is stopped.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::harness::{CAPSTAN, eventually, has};
use crate::restart::{application, controller, job, repository, world};

const PATIENCE: Duration = Duration::from_secs(30);

fn terminate(folder: &Path) -> (Option<i32>, String) {
    let mut command = Command::new(CAPSTAN);
    command
        .args(["app", "terminate", "app", "--kubeconfig"])
        .arg(folder.join("kubeconfig"));
    let output = command.output().expect("it starts");
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

/// A hook of an hour, and an object after it.
fn slow_hook(folder: &Path) -> PathBuf {
    let (bare, clone) = repository(folder);
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
    let (_world, kubectl) = world(folder.path());
    let bare = slow_hook(folder.path());
    let _controller = controller(folder.path());
    kubectl.apply(&application(&bare));
    let migrates = || kubectl.object(&["-n", "team", "job", "migrate"]).is_some();
    eventually("the hook runs", PATIENCE, migrates);

    let (code, said) = terminate(folder.path());
    assert_eq!(
        (code, said.lines().last()),
        (Some(0), Some("Failed: operation terminated"))
    );
    eventually("the hook is deleted", PATIENCE, || !migrates());
    assert!(kubectl.object(&["-n", "team", "configmap", "last"]).is_none());
    let (code, said) = terminate(folder.path());
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("no operation of argocd/app runs"), "{said}");
}
