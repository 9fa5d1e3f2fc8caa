//! `capstan app sync`: what is tried, and what of it is carried out.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::harness::{CAPSTAN, eventually, has};
use crate::restart::{application, controller, job, repository, world};

const PATIENCE: Duration = Duration::from_secs(30);

/// Exit code, and all that was said.
fn sync(folder: &Path, words: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(CAPSTAN);
    command.args(["app", "sync", "app", "--kubeconfig"]);
    command.arg(folder.join("kubeconfig")).args(words);
    let output = command.output().expect("it starts");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

fn two_maps_and_a_hook(folder: &Path) -> PathBuf {
    let (bare, clone) = repository(folder);
    let map = |name: &str, value: &str| {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{v: '{value}'}}\n")
    };
    clone.write(
        "app/before.yaml",
        &job("before", "{argocd.argoproj.io/hook: PreSync}", 1),
    );
    clone.write("app/one.yaml", &map("one", "1"));
    clone.write("app/two.yaml", &map("two", "1"));
    clone.push("two maps and a hook");
    bare
}

#[test]
fn a_dry_run_tells_of_every_object_and_a_selection_is_all_that_is_written() {
    if !has("kubectl") || !has("git") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let (_world, kubectl) = world(folder);
    let bare = two_maps_and_a_hook(folder);
    let _controller = controller(folder);
    kubectl.apply(&application(&bare).replace("automated: {}, ", ""));
    eventually("it is compared", PATIENCE, || kubectl.state("app").0 == "OutOfSync");

    let (code, said) = sync(folder, &["--dry-run"]);
    assert_eq!(code, Some(0), "{said}");
    for (object, why) in [
        (
            "Job/team/before",
            "could not be tried: namespace team is made by this sync (dry run)",
        ),
        (
            "ConfigMap/team/one",
            "could not be tried: namespace team is made by this sync (dry run)",
        ),
        ("Namespace/team", "would be made where it is not there (dry run)"),
    ] {
        let is_told = said.lines().any(|line| line.contains(object) && line.contains(why));
        assert!(is_told, "{object}: {said}");
    }
    assert!(kubectl.object(&["namespace", "team"]).is_none(), "nothing was written");

    let (code, said) = sync(folder, &["--resource", ":ConfigMap:one"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(kubectl.object(&["-n", "team", "configmap", "one"]).is_some());
    assert!(kubectl.object(&["-n", "team", "configmap", "two"]).is_none());
    assert!(kubectl.object(&["-n", "team", "job", "before"]).is_none(), "no hooks");

    let (code, said) = sync(
        folder,
        &["--strategy", "apply", "--sync-option", "ApplyOutOfSyncOnly=true"],
    );
    assert_eq!(code, Some(0), "{said}");
    assert!(kubectl.object(&["-n", "team", "configmap", "two"]).is_some());
    assert!(kubectl.object(&["-n", "team", "job", "before"]).is_none(), "no hooks");

    let (code, said) = sync(folder, &["--resource", "one"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("GROUP:KIND:NAME"), "{said}");
}
