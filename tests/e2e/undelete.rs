//! Something leaves Git by mistake: it is pruned, and had back; and a revert takes it over.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::harness::{CAPSTAN, Demo, eventually, run};

const SECONDS: fn(u64) -> Duration = Duration::from_secs;
const TRACKING: &str = "argocd.argoproj.io/tracking-id";

fn capstan(demo: &Demo, words: &[&str]) -> Command {
    let mut command = Command::new(CAPSTAN);
    command
        .arg("undelete")
        .args(words)
        .arg("--kubeconfig")
        .arg(demo.folder.path().join("kubeconfig"));
    command
}

fn kept(demo: &Demo) -> Vec<Value> {
    let answer: Value = serde_json::from_str(&run(&mut capstan(demo, &["-o", "json"]))).expect("JSON");
    answer["items"].as_array().cloned().unwrap_or_default()
}

fn map(demo: &Demo) -> Option<Value> {
    demo.kubectl.object(&["-n", "production", "configmap", "notes"])
}

const NOTES: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: notes}\ndata: {opening: \"nine\"}\n";

#[test]
fn what_was_pruned_by_mistake_is_had_back_and_stays() {
    let Some(demo) = Demo::start() else { return };
    demo.clone.write("services/status-page/notes.yaml", NOTES);
    demo.clone.push("notes");
    eventually("the notes are there", SECONDS(20), || map(&demo).is_some());
    // What somebody added beside Git is had back, too: a revert alone would not bring it.
    demo.kubectl
        .run(&["-n", "production", "label", "configmap", "notes", "added=by-hand"]);
    std::fs::remove_file(demo.clone.path.join("services/status-page/notes.yaml")).expect("removed");
    demo.clone.push("oh no");
    let oops = demo.clone.git(&["rev-parse", "HEAD"]).trim().to_owned();
    eventually("the notes are pruned", SECONDS(60), || map(&demo).is_none());

    is_listed(&demo, &oops);
    is_had_back(&demo);
    let restored = map(&demo).expect("is there");
    stays(&demo, &restored);
    demo.clone.git(&["revert", "--no-edit", &oops]);
    demo.clone.git(&["push", "-q", "origin", "HEAD:main"]);
    eventually("the revert takes it over", SECONDS(30), || {
        map(&demo).is_some_and(|object| object["metadata"]["annotations"].get(TRACKING).is_some())
    });
    let adopted = map(&demo).expect("is there");
    assert_eq!(
        adopted["metadata"]["uid"], restored["metadata"]["uid"],
        "it is the same object"
    );
    eventually("all is well", SECONDS(20), || demo.kubectl.is_settled("status-page"));
}

/// The list, its forms, and the journal say what was deleted by which commit.
fn is_listed(demo: &Demo, oops: &str) {
    let all = kept(demo);
    let [one] = all.as_slice() else { panic!("{all:#?}") };
    assert_eq!(one["object"], "ConfigMap/production/notes");
    assert_eq!(
        (&one["application"], &one["reason"]),
        (&"argocd/status-page".into(), &"Prune".into())
    );
    assert_eq!(one["commit"], oops);
    let table = run(&mut capstan(demo, &["--app", "status-page"]));
    assert!(
        table.contains("ConfigMap/production/notes") && table.contains(&oops[..8]),
        "{table}"
    );
    let none = run(&mut capstan(demo, &["--app", "billing", "-o", "name"]));
    assert_eq!(none, "");
    let journal = format!("{:?}", demo.journal());
    for word in [
        "which do not declare it",
        "no rule holds it",
        "kept as Secret argocd/undelete-",
    ] {
        assert!(journal.contains(word), "{word}: {journal}");
    }
}

/// A dry run prints it, and creates nothing; then it is there, untracked; and a second time it is refused.
fn is_had_back(demo: &Demo) {
    let printed = run(&mut capstan(demo, &["ConfigMap/production/notes", "--dry-run"]));
    assert!(
        printed.contains("opening: nine") && !printed.contains(TRACKING),
        "{printed}"
    );
    assert!(map(demo).is_none(), "a dry run creates nothing");
    let told = run(&mut capstan(demo, &["ConfigMap/production/notes"]));
    assert!(told.contains("is there again"), "{told}");
    let restored = map(demo).expect("is there");
    assert_eq!(restored["data"]["opening"], "nine");
    assert_eq!(restored["metadata"]["labels"]["added"], "by-hand");
    assert!(
        restored["metadata"]["annotations"].get(TRACKING).is_none(),
        "{restored:#}"
    );
    let again = capstan(demo, &["ConfigMap/production/notes"]).output().expect("starts");
    assert_eq!(again.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&again.stderr).contains("is not touched"));
}

/// Another commit is synced, and what was had back is still there.
fn stays(demo: &Demo, restored: &Value) {
    demo.clone
        .replace("services/status-page/config.yaml", "operational", "fine");
    demo.clone.push("wording");
    eventually("the next commit is in the cluster", SECONDS(20), || {
        let page = demo.kubectl.object(&["-n", "production", "configmap", "status-page"]);
        page.is_some_and(|page| page["data"].to_string().contains("fine"))
    });
    eventually("all is well", SECONDS(20), || demo.kubectl.is_settled("status-page"));
    let there = map(demo).expect("it is not pruned again");
    assert_eq!(there["metadata"]["uid"], restored["metadata"]["uid"]);
}
