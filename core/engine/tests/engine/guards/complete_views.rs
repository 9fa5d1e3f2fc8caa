//! What could not be read is not what is not there.

use super::*;
use crate::rig::workload;

fn forbidden() -> Event {
    Event::KindUnavailable {
        cluster: ClusterId::in_cluster(),
        kind: GroupKind::new("", "ConfigMap"),
        reason: "403 Forbidden".into(),
    }
}

#[test]
pub(crate) fn a_kind_that_cannot_be_listed_is_not_pruned() {
    let mut run = Rig::new(maps(0..3)).start(Vec::new());
    run.settle(MINUTE);
    run.handle(forbidden());
    run.push(maps(0..2));
    run.settle(MINUTE);
    sync_by_hand(&mut run);
    assert_eq!(deletes(&run), 0, "{}", run.journal());
    let kind = GroupKind::new("", "ConfigMap");
    let of_kind = run
        .rig
        .cluster
        .objects
        .iter()
        .filter(|(key, _)| key.group_kind() == kind);
    let objects = of_kind.map(|(_, object)| object.clone()).collect();
    let cluster = ClusterId::in_cluster();
    run.handle(Event::Relisted { cluster, kind, objects });
    run.settle(MINUTE);
    assert_settled(&run, 2);
}

#[test]
pub(crate) fn a_source_that_cannot_be_read_declares_what_it_declared() {
    for transient in [false, true] {
        let mut rig = Rig::new(maps(0..3));
        rig.resource["spec"]["syncPolicy"]["automated"]["allowEmpty"] = json!(true);
        let mut run = rig.start(Vec::new());
        run.settle(MINUTE);
        run.rig
            .commits
            .push(("f".repeat(40), Err("path shop does not exist".into())));
        for _ in 0..3 {
            run.handle(Event::RefreshRequested {
                id: id(),
                hard: transient,
            });
            run.settle(MINUTE);
            assert_eq!(
                (count(&run), run.rig.status("/sync/status")),
                (3, "Unknown"),
                "{}",
                run.journal()
            );
        }
    }
}

#[test]
pub(crate) fn nothing_at_all_is_what_somebody_has_to_mean() {
    for means_it in [false, true] {
        let mut rig = Rig::new(maps(0..3));
        rig.resource["spec"]["syncPolicy"]["automated"]["allowEmpty"] = json!(means_it);
        let run = pushed_with(rig, Settings::default(), Vec::new());
        assert_eq!(count(&run), if means_it { 0 } else { 3 }, "{}", run.journal());
    }
}

/// Its kind cannot be read any more when its turn comes: it is neither deleted nor called somebody else's, but waited for.
#[test]
fn a_kind_that_cannot_be_listed_any_more_is_waited_for() {
    let held = |mut object: Value| {
        object["metadata"]["finalizers"] = json!(["example.com/held"]);
        object
    };
    let web = workload("Deployment", "web", 1, "1");
    let mut run = Rig::new(vec![config("stays", 0, "1"), config("goes", 0, "1"), held(web)]).start(Vec::new());
    run.settle(MINUTE);
    run.push(vec![config("stays", 0, "1")]);
    run.settle(MINUTE);
    let deployment = ResourceKey::new("apps", "Deployment", "prod", "web");
    assert!(run.rig.cluster.objects[&deployment]["metadata"]["deletionTimestamp"].is_string());
    run.handle(forbidden());
    let object = run.rig.cluster.release(&deployment, "example.com/held").unwrap();
    run.gone(&deployment, &object);
    run.settle(MINUTE);
    let message = run.rig.status("/operationState/message").to_owned();
    assert!(
        message.contains("waiting for the list of ConfigMap: 403 Forbidden"),
        "{message}"
    );
    assert_eq!(count(&run), 2, "{}", run.journal());
    run.list_all();
    run.settle(MINUTE);
    assert_settled(&run, 1);
}
