//! Approvals: when they count, that they can be taken back, and that what is deleted by one says so.

use super::*;

const APPROVED: &str = "argocd.argoproj.io/deletion-approved";

fn claim(option: &str) -> Value {
    let mut claim = object("v1", "PersistentVolumeClaim", "prod", "data");
    claim["metadata"]["annotations"] = json!({});
    if !option.is_empty() {
        claim["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] = json!(option);
    }
    claim
}

/// A claim that left Git, and what holds it.
fn held_claim(option: &str) -> Run {
    let first = vec![config("a", 0, "1"), claim(option)];
    pushed(first, vec![config("a", 0, "1")])
}

fn has_claim(run: &Run) -> bool {
    run.rig.cluster.objects.contains_key(&key_of(&claim("")))
}

fn say(run: &mut Run, at: &str) {
    run.rig.now = run.rig.now + Duration::from_secs(2);
    annotate(run, APPROVED, at);
}

/// The API server keeps who wrote it.
fn written_by(run: &mut Run, manager: &str) {
    run.rig.resource["metadata"]["managedFields"] = json!([
        {"manager": "kubectl-create", "operation": "Update", "time": "2026-03-14T09:00:00Z",
            "fieldsV1": {"f:metadata": {"f:annotations": {"f:other": {}}}}},
        {"manager": manager, "operation": "Update", "time": "2026-03-14T09:30:00Z",
            "fieldsV1": {"f:metadata": {"f:annotations": {format!("f:{APPROVED}"): {}}}}},
    ]);
}

fn deletes_said(run: &Run) -> String {
    let entries = run.engine.journal().after(0);
    let deletes = entries.filter(|entry| entry.to == "Deleting");
    deletes
        .map(|entry| entry.message.clone())
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn an_approval_from_the_future_does_not_count_and_is_told() {
    let mut run = held_claim("");
    let ahead = (run.rig.now + 60 * MINUTE).to_string();
    say(&mut run, &ahead);
    run.settle(MINUTE);
    assert!(has_claim(&run));
    assert!(
        held(&run).contains(&format!("{ahead} lies in the future, and does not count")),
        "{}",
        held(&run)
    );
    assert_eq!(holds(&run).len(), 1);

    let mut run = held_claim("Prune=confirm");
    sync_by_hand(&mut run);
    say(&mut run, &ahead);
    run.settle(MINUTE);
    assert!(has_claim(&run), "{}", run.journal());
    assert_eq!(run.rig.status("/operationState/phase"), "Running");
    let message = run.engine.view(&id()).unwrap().operation.unwrap().message;
    assert!(message.contains("lies in the future"), "{message}");
    let now = run.rig.now.to_string();
    say(&mut run, &now);
    run.settle(MINUTE);
    assert!(!has_claim(&run), "{}", run.journal());
}

#[test]
fn a_deletion_is_not_approved_by_the_future_either() {
    let mut run = Rig::new(vec![claim("Delete=confirm"), config("b", 0, "1")]).start(Vec::new());
    run.settle(MINUTE);
    run.rig.resource["metadata"]["finalizers"] = json!(["resources-finalizer.argocd.argoproj.io"]);
    run.rig.resource["metadata"]["deletionTimestamp"] = json!(run.rig.now.to_string());
    let ahead = (run.rig.now + 60 * MINUTE).to_string();
    say(&mut run, &ahead);
    run.settle(MINUTE);
    assert_eq!(count(&run), 2, "{}", run.journal());
    let conditions = run.rig.resource["status"]["conditions"].to_string();
    assert!(
        conditions.contains("lies in the future, and does not count"),
        "{conditions}"
    );
    let now = run.rig.now.to_string();
    written_by(&mut run, "kubectl-annotate");
    say(&mut run, &now);
    run.settle(MINUTE);
    assert_eq!(count(&run), 0);
    let said = deletes_said(&run);
    let word = format!("Delete=confirm by {APPROVED}: {now} (written by kubectl-annotate at 2026-03-14T09:30:00Z)");
    let (of_claim, of_map): (Vec<&str>, Vec<&str>) = said.lines().partition(|line| line.contains(&word));
    assert_eq!(
        (of_claim.len(), of_map.len()),
        (1, 1),
        "only where it was needed: {said}"
    );
    assert!(!of_map[0].contains(APPROVED), "{said}");
}

#[test]
fn what_is_no_time_is_told() {
    let mut run = held_claim("");
    say(&mut run, "yes");
    run.settle(MINUTE);
    assert!(
        has_claim(&run) && held(&run).contains("what it says, \"yes\", is no time"),
        "{}",
        held(&run)
    );
}

#[test]
fn an_approval_is_among_the_grounds_with_who_and_when() {
    let mut run = held_claim("");
    written_by(&mut run, "kubectl-annotate");
    let now = (run.rig.now + Duration::from_secs(1)).to_string();
    say(&mut run, &now);
    run.settle(MINUTE);
    let word = format!(
        "approved by {APPROVED}: {now} (written by kubectl-annotate at 2026-03-14T09:30:00Z), of ProtectedKind"
    );
    assert!(deletes_said(&run).contains(&word), "{}", deletes_said(&run));

    let mut run = held_claim("Prune=confirm");
    sync_by_hand(&mut run);
    let now = run.rig.now.to_string();
    say(&mut run, &now);
    run.settle(MINUTE);
    let said = deletes_said(&run);
    assert!(
        said.contains(&format!("asked for by a person, Prune=confirm by {APPROVED}: {now}")),
        "{said}"
    );
}

#[test]
pub(crate) fn an_approval_can_be_taken_back_until_something_is_deleted() {
    // Before the sync that it allows begins, and after its plan was made: what goes first is held by a finalizer.
    let mut late = config("late", 5, "1");
    late["metadata"]["finalizers"] = json!(["example.com/hold"]);
    for is_planned in [false, true] {
        let first = vec![config("a", 0, "1"), late.clone(), claim("")];
        let mut run = pushed(first, vec![config("a", 0, "1"), late.clone()]);
        assert_eq!(rules(&run), ["ProtectedKind"]);
        if is_planned {
            run.push(vec![config("a", 0, "2")]);
            let now = (run.rig.now + Duration::from_secs(1)).to_string();
            say(&mut run, &now);
            run.settle(MINUTE);
            assert_eq!(run.rig.status("/operationState/phase"), "Running", "{}", run.journal());
        } else {
            let now = (run.rig.now + Duration::from_secs(1)).to_string();
            run.rig.now = run.rig.now + Duration::from_secs(2);
            run.rig.resource["metadata"]["annotations"][APPROVED] = json!(now);
        }
        assert!(has_claim(&run), "{}", run.journal());
        run.rig.resource["metadata"]["annotations"]
            .as_object_mut()
            .unwrap()
            .remove(APPROVED);
        run.observe_application();
        let key = key_of(&late);
        if let Some(live) = run.rig.cluster.release(&key, "example.com/hold") {
            run.handle(Event::LiveGone {
                cluster: ClusterId::in_cluster(),
                key,
                uid: live["metadata"]["uid"].as_str().unwrap().to_owned(),
            });
        }
        run.settle(MINUTE);
        assert!(has_claim(&run), "{}", run.journal());
        assert_eq!(rules(&run), ["ProtectedKind"], "{}", run.journal());
        let now = (run.rig.now + Duration::from_secs(1)).to_string();
        say(&mut run, &now);
        run.settle(MINUTE);
        assert!(!has_claim(&run), "{}", run.journal());
    }
}
