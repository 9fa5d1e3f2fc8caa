//! Which kinds are watched: a kind that is let go is listed anew before anything is concluded from what is not in it.

use std::collections::BTreeSet;
use std::time::Duration;

use capstan_engine::Event;
use capstan_engine::effect::EffectKind;
use capstan_model::{ClusterId, GroupKind};
use serde_json::json;

use crate::cluster::discovery;
use crate::rig::{Rig, Run, config, workload};

const MINUTE: Duration = Duration::from_secs(60);

fn config_map() -> GroupKind {
    GroupKind::new("", "ConfigMap")
}

/// What is asked to be watched and was not carried out yet, in order.
fn asked(run: &Run) -> Vec<&BTreeSet<GroupKind>> {
    let kinds = run.pending.iter().filter_map(|effect| match &effect.kind {
        EffectKind::WatchKinds { kinds, .. } => Some(kinds),
        _ => None,
    });
    kinds.collect()
}

/// Its status names an object that is not there: its sync was cut off before it was created.
fn cut_off() -> Rig {
    let mut rig = Rig::new(vec![config("a", 0, "1")]);
    rig.resource["status"] = json!({
        "sync": {"status": "OutOfSync"}, "health": {"status": "Missing"},
        "resources": [{"version": "v1", "kind": "ConfigMap", "namespace": "prod", "name": "a", "status": "OutOfSync"}],
    });
    rig
}

#[test]
fn what_its_status_names_is_watched_until_the_sources_say_what_it_has() {
    let mut run = cut_off().start(Vec::new());
    assert!(asked(&run).last().unwrap().contains(&config_map()));
    // The list comes before anything is known of the sources: what the status names is proven not to be there.
    run.watch(&BTreeSet::from([config_map()]));
    assert!(asked(&run).last().unwrap().contains(&config_map()), "{:?}", asked(&run));
    run.settle(MINUTE);
    assert_eq!(run.sync(), "Synced Healthy");
    let let_go = run
        .log
        .iter()
        .filter(|line| line.contains(" watch ") && !line.contains("ConfigMap"));
    assert_eq!(let_go.collect::<Vec<_>>(), Vec::<&String>::new());
}

/// Its watch outlived that the cluster did not answer, and has nothing to say.
#[test]
fn what_a_cluster_has_is_listed_anew_when_it_answers_again() {
    let mut run = Rig::new(vec![config("a", 0, "1")]).start(Vec::new());
    run.settle(MINUTE);
    let watched = run.rig.cluster.watched.clone();
    for listed in [false, true] {
        run.handle(Event::ClusterLost(ClusterId::in_cluster(), "no route".into()));
        if listed {
            run.list_all();
        }
        run.handle(Event::ClusterConnected(ClusterId::in_cluster(), discovery()));
        let expected = match listed {
            false => vec![BTreeSet::new(), watched.clone()],
            true => Vec::new(),
        };
        assert_eq!(asked(&run), expected.iter().collect::<Vec<_>>());
        run.push(vec![config("a", 0, if listed { "2" } else { "3" })]);
        run.settle(MINUTE);
        assert_eq!(run.sync(), "Synced Healthy", "{}", run.journal());
    }
}

#[test]
fn a_list_of_a_kind_that_was_let_go_proves_nothing_later() {
    let mut run = Rig::new(vec![config("a", 0, "1"), workload("Deployment", "b", 0, "1")]).start(Vec::new());
    run.settle(MINUTE);
    run.push(vec![workload("Deployment", "b", 0, "1")]);
    run.settle(MINUTE);
    assert!(
        !run.rig.cluster.watched.contains(&config_map()),
        "nothing is of that kind"
    );
    // It was on its way when the watch ended.
    let cluster = run.rig.cluster.id();
    run.handle(Event::Relisted {
        cluster,
        kind: config_map(),
        objects: Vec::new(),
    });
    run.push(vec![config("c", 0, "1"), workload("Deployment", "b", 0, "1")]);
    while !asked(&run).iter().any(|kinds| kinds.contains(&config_map())) {
        let effect = run.pending.pop_front().expect("the kind is watched again");
        run.perform(&effect);
    }
    // The new list is not there yet.
    let at = run
        .pending
        .iter()
        .position(|effect| matches!(effect.kind, EffectKind::WatchKinds { .. }));
    let held = run.pending.remove(at.unwrap()).unwrap();
    run.settle(MINUTE);
    assert!(!run.journal().contains("sync to 00003cc"), "{}", run.journal());
    run.perform(&held);
    run.settle(MINUTE);
    assert!(run.journal().contains("sync to 00003cc"), "{}", run.journal());
    assert_eq!(run.sync(), "Synced Healthy");
}
