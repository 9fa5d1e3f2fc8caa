//! The controller dies at any moment of its first sync, and another one begins at once: it takes up what was begun, and its hook runs once.

use std::time::Duration;

use capstan_controller::Clock;
use serde_json::{Value, json};

use crate::Bench;
use crate::support::{EPOCH, application, apply, install, map, world};

fn hook() -> Value {
    json!({"apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": "migrate", "annotations": {"argocd.argoproj.io/hook": "PreSync"}},
        "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "tool:1"}]}}}})
}

fn later(name: &str) -> Value {
    let mut object = map(name, "1");
    object["metadata"]["annotations"] = json!({"argocd.argoproj.io/sync-wave": "2"});
    object
}

/// How many hooks were created, when the first controller lived so long and the second one twice as long.
async fn crashes(after: Duration) -> u64 {
    let (world, cluster) = world();
    let bench = Bench::new(cluster, || Clock::starting_at(EPOCH));
    let body = async {
        install(&bench.cluster).await;
        bench.repository.commit(|files| {
            for (name, object) in [("hook", hook()), ("a", map("a", "1")), ("b", later("b"))] {
                files.insert(format!("shop/{name}.json"), object.to_string().into_bytes());
            }
        });
        apply(&bench.cluster, &application("shop", "shop")).await;
        for lives in [after, after * 2] {
            let running = bench.start();
            tokio::time::sleep(lives).await;
            drop(running);
        }
        bench.start().synced(1).await;
        assert!(bench.live("shop", "b").await.is_some());
        let requests = bench.cluster.requests().snapshot().into_iter();
        let hooks = requests.filter(|(labels, _)| labels.kind.kind == "Job" && labels.verb == "create");
        hooks.map(|(_, count)| count).sum()
    };
    tokio::select! {
        biased;
        created = body => created,
        () = world.drive() => panic!("the world stopped"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_controller_that_dies_at_any_moment_is_followed_by_one_that_ends_its_sync() {
    for millis in (0..24).chain((25..4000).step_by(333)) {
        println!("after {millis} ms");
        assert_eq!(crashes(Duration::from_millis(millis)).await, 1, "after {millis} ms");
    }
}
