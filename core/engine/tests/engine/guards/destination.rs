//! Another cluster behind the address.

use super::*;

fn as_cluster(uid: &str) -> Discovery {
    Discovery {
        cluster_uid: uid.into(),
        ..discovery()
    }
}

/// The next process finds another cluster under the same address, with our objects in it.
fn moved(settings: Settings) -> Run {
    let mut run = Rig::new(maps(0..3)).start(Vec::new());
    run.settle(MINUTE);
    let mut rig = run.rig;
    rig.commit([maps(0..2), vec![config("new", 0, "1")]].concat());
    rig.cluster_uid = "another".into();
    let mut run = rig.start_with(settings, Vec::new());
    run.settle(MINUTE);
    run
}

#[test]
pub(crate) fn nothing_is_deleted_in_another_cluster_than_the_one_that_was_synced_to() {
    for settings in [Settings::default(), argo()] {
        let mut run = moved(settings);
        assert_eq!(
            (count(&run), rules(&run)),
            (4, vec!["DestinationReplaced".to_owned()]),
            "{}",
            run.journal()
        );
        assert!(
            held(&run).contains("has UID another, and the one that was synced to has cluster"),
            "{}",
            held(&run)
        );
        sync_by_hand(&mut run);
        assert_eq!(count(&run), 4, "a person's word is not enough\n{}", run.journal());
        approve(&mut run, Duration::from_secs(2));
        assert_settled(&run, 3);
    }
}

#[test]
fn a_cluster_that_was_built_anew_is_taken_over_when_nothing_is_to_be_deleted() {
    let mut run = Rig::new(maps(0..3)).start(Vec::new());
    run.settle(MINUTE);
    let mut rig = run.rig;
    rig.cluster.objects.clear();
    rig.cluster_uid = "another".into();
    rig.commit(maps(0..4));
    let mut run = rig.start(Vec::new());
    run.settle(MINUTE);
    assert_settled(&run, 4);
    run.push(maps(0..3));
    run.settle(MINUTE);
    assert_settled(&run, 3);
}

/// In one process, another cluster behind the address is a mistake or an attack: nothing is written there, and nothing it says counts.
#[test]
pub(crate) fn a_stranger_is_not_spoken_to() {
    let mut run = Rig::new(maps(0..3)).start(Vec::new());
    run.settle(MINUTE);
    let writes = run.rig.cluster.history.len();
    run.handle(Event::ClusterConnected(ClusterId::in_cluster(), as_cluster("another")));
    let kind = GroupKind::new("", "ConfigMap");
    let cluster = ClusterId::in_cluster();
    run.handle(Event::Relisted {
        cluster,
        kind,
        objects: Vec::new(),
    });
    run.push(maps(0..2));
    run.settle(MINUTE);
    assert_eq!(run.rig.cluster.history.len(), writes, "{}", run.log.join("\n"));
    let sentence = run.rig.resource["status"]["conditions"].to_string();
    assert!(
        sentence.contains("another cluster answers at its address"),
        "{sentence}"
    );
    run.handle(Event::ClusterConnected(ClusterId::in_cluster(), as_cluster("cluster")));
    run.settle(MINUTE);
    assert_settled(&run, 2);
}
