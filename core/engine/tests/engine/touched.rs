//! A step that looks at what was touched gives what one that looks at everything gives: the same effects, journal and status, byte for byte,
//! whatever happens meanwhile. (What is kept between steps is held against a look at everything after every event of every test: see
//! [`crate::rig::Run`].)

use std::time::Duration;

use capstan_engine::Event;
use capstan_engine::guard::Pause;
use capstan_model::{AppProject, ClusterId, ResourceKey};
use proptest::prelude::*;
use serde_json::json;

use crate::cluster::discovery;
use crate::generate::{Item, items, many_items, objects, tape};
use crate::rig::{Rig, Run};

/// What somebody does to the cluster while a sync runs, or after it.
#[derive(Clone, Debug)]
enum Deed {
    Edit(u8),
    Delete(u8),
    /// A workload or a Job ends badly from now on.
    Break(u8),
    /// The server refuses an object.
    Refuse(u8),
    /// Another commit, without the first so many objects.
    Commit(usize),
    /// The cluster does not answer for a while.
    Lose,
    Terminate,
    /// Deletes are paused, or no longer.
    Pause(bool),
    /// Somebody approves what is to be deleted.
    Approve,
    /// A window shuts, or none is shut any more.
    Window(bool),
    /// Nobody does anything for so many seconds.
    Wait(u64),
}

fn deeds() -> impl Strategy<Value = Vec<(Deed, usize)>> {
    let deed = prop_oneof![
        any::<u8>().prop_map(Deed::Edit),
        any::<u8>().prop_map(Deed::Delete),
        any::<u8>().prop_map(Deed::Break),
        any::<u8>().prop_map(Deed::Refuse),
        (0usize..4).prop_map(Deed::Commit),
        Just(Deed::Lose),
        Just(Deed::Terminate),
        any::<bool>().prop_map(Deed::Pause),
        Just(Deed::Approve),
        any::<bool>().prop_map(Deed::Window),
        (1u64..100).prop_map(Deed::Wait),
    ];
    proptest::collection::vec((deed, 0usize..60), 0..5)
}

fn any_key(run: &Run, choice: u8) -> Option<ResourceKey> {
    let keys: Vec<&ResourceKey> = run.rig.cluster.objects.keys().collect();
    let at = usize::from(choice).checked_rem(keys.len())?;
    Some(keys[at].clone())
}

fn act(run: &mut Run, items: &[Item], deed: &Deed, version: usize) {
    match deed {
        Deed::Edit(choice) => {
            if let Some(key) = any_key(run, *choice) {
                let field = if key.kind == "ConfigMap" { "data" } else { "spec" };
                run.edit(&key, &[field, "v"], json!(version), "kubectl-edit");
            }
        }
        Deed::Delete(choice) => {
            if let Some(key) = any_key(run, *choice) {
                run.delete(&key);
            }
        }
        Deed::Break(choice) => drop(run.rig.cluster.broken.insert(format!("n{}", choice % 8))),
        Deed::Refuse(choice) => drop(run.rig.cluster.refused.insert(format!("n{}", choice % 8))),
        Deed::Commit(without) => {
            let left = &items[(*without).min(items.len() - 1)..];
            run.push(objects(left, &format!("v{version}")));
        }
        Deed::Lose => {
            run.handle(Event::ClusterLost(ClusterId::in_cluster(), "no route".into()));
            run.handle(Event::ClusterConnected(ClusterId::in_cluster(), discovery()));
        }
        Deed::Terminate => run.handle(Event::TerminateRequested {
            id: crate::rig::id(),
            by: "Ada".into(),
        }),
        Deed::Pause(is_paused) => run.handle(Event::DeletesPaused(Pause {
            all: is_paused.then(|| "incident".to_owned()),
            ..Pause::default()
        })),
        Deed::Approve => {
            let now = run.rig.now.truncated().to_string();
            run.rig.resource["metadata"]["annotations"] = json!({"argocd.argoproj.io/deletion-approved": now});
            run.observe_application();
        }
        Deed::Window(is_shut) => {
            let window = json!({"kind": "deny", "schedule": "0 0 * * *", "duration": "24h", "applications": ["*"]});
            let windows = is_shut.then_some(window).into_iter().collect::<Vec<_>>();
            let project = json!({"metadata": {"name": "default"}, "spec": {
                "sourceRepos": ["*"], "destinations": [{"server": "*", "namespace": "*"}], "syncWindows": windows}});
            let project: AppProject = serde_json::from_value(project).unwrap();
            run.handle(Event::ProjectObserved(Box::new(project)));
        }
        Deed::Wait(seconds) => run.settle(Duration::from_secs(*seconds)),
    }
}

fn story(items: &[Item], tape: &[u8], deeds: &[(Deed, usize)], everything: bool) -> (String, String, String) {
    let mut run = Rig::new(objects(items, "v1")).start(tape.to_vec());
    if everything {
        run.engine.look_at_everything();
    }
    run.drive(30);
    for (version, (deed, steps)) in deeds.iter().enumerate() {
        act(&mut run, items, deed, version + 2);
        run.drive(*steps);
    }
    run.settle(Duration::from_secs(120));
    (run.log.join("\n"), run.journal(), run.rig.resource.to_string())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn touched_is_everything(items in items(), tape in tape(), deeds in deeds()) {
        prop_assert_eq!(story(&items, &tape, &deeds, false), story(&items, &tape, &deeds, true));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
    #[test]
    fn touched_is_everything_of_many(items in many_items(), tape in tape(), deeds in deeds()) {
        prop_assert_eq!(story(&items, &tape, &deeds, false), story(&items, &tape, &deeds, true));
    }
}
