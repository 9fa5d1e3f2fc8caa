//! Objects that others applied before: what Git does not declare any more goes, whoever applied it, and what nobody applied stays.

use std::time::Duration;

use capstan_engine::effect::{Effect, EffectKind};
use capstan_model::ResourceKey;
use serde_json::{Value, json};

use crate::cluster::Fact;
use crate::rig::{Rig, Run, config};

const MINUTE: Duration = Duration::from_secs(60);

fn map(name: &str) -> ResourceKey {
    ResourceKey::new("", "ConfigMap", "prod", name)
}

/// A ConfigMap `a` that Git declares with `v: "1"`, and that somebody wrote before with `old: "1"`, too. Tracked as Argo CD tracks it.
fn written_before(manager: &str, operation: &str) -> Value {
    let applied = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "a", "namespace": "prod"}, "data": {"v": "1", "old": "1"}});
    let mut object = applied.clone();
    object["metadata"]["uid"] = json!("before");
    object["metadata"]["generation"] = json!(1);
    object["metadata"]["resourceVersion"] = json!("0");
    object["metadata"]["annotations"] = json!({"argocd.argoproj.io/tracking-id": "shop:/ConfigMap:prod/a"});
    let mut fields = json!({"f:metadata": {"f:annotations": {"f:argocd.argoproj.io/tracking-id": {}}},
        "f:data": {"f:v": {}, "f:old": {}}});
    if operation == "Update" {
        let annotation = "kubectl.kubernetes.io/last-applied-configuration";
        object["metadata"]["annotations"][annotation] = json!(applied.to_string());
        fields["f:metadata"]["f:annotations"][format!("f:{annotation}")] = json!({});
    }
    object["metadata"]["managedFields"] = json!([
        {"manager": manager, "operation": operation, "fieldsV1": fields},
        {"manager": "operator", "operation": "Update", "fieldsV1": {"f:data": {"f:theirs": {}}}},
    ]);
    object["data"]["theirs"] = json!("1");
    object
}

/// Nobody's so far.
fn untracked(mut object: Value) -> Value {
    let annotations = object["metadata"]["annotations"].as_object_mut().unwrap();
    annotations.remove("argocd.argoproj.io/tracking-id");
    object
}

fn rig(live: Value) -> Rig {
    let mut rig = Rig::new(vec![config("a", 0, "1")]);
    rig.cluster.objects.insert(map("a"), live);
    rig
}

fn synced(rig: Rig) -> Run {
    let mut run = rig.start(Vec::new());
    run.settle(MINUTE);
    run
}

/// What is in it at the end, and how often fields were handed over.
fn outcome(run: &Run) -> (Vec<String>, usize) {
    let data = run.rig.cluster.objects[&map("a")]["data"].as_object().unwrap();
    let is_hand_over = |fact: &&Fact| matches!(fact, Fact::HandedOver { .. });
    let count = run.rig.cluster.history.iter().filter(is_hand_over).count();
    (data.keys().cloned().collect(), count)
}

fn taken() -> (Vec<String>, usize) {
    (vec!["theirs".into(), "v".into()], 1)
}

fn left() -> (Vec<String>, usize) {
    (vec!["old".into(), "theirs".into(), "v".into()], 0)
}

#[test]
fn what_others_applied_and_git_does_not_declare_goes() {
    for (manager, operation) in [
        ("kubectl-client-side-apply", "Update"),
        ("argocd-controller", "Update"),
        ("argocd-controller", "Apply"),
        ("argocd-application-controller", "Update"),
        ("capstan", "Update"),
    ] {
        let before = written_before(manager, operation);
        for live in [before.clone(), untracked(before)] {
            let run = synced(rig(live));
            assert_eq!(outcome(&run), taken(), "{manager} {operation}\n{}", run.log.join("\n"));
            assert_eq!(run.sync(), "Synced Healthy", "{manager} {operation}");
            let object = &run.rig.cluster.objects[&map("a")];
            let annotations = object["metadata"]["annotations"].as_object().unwrap();
            let names: Vec<&String> = annotations.keys().collect();
            assert_eq!(
                names,
                ["argocd.argoproj.io/sync-wave", "argocd.argoproj.io/tracking-id"],
                "{manager} {operation}"
            );
        }
    }
}

#[test]
fn what_others_wrote_otherwise_stays() {
    for (manager, operation) in [("kubectl-edit", "Update"), ("helm", "Update"), ("flux", "Apply")] {
        let run = synced(rig(untracked(written_before(manager, operation))));
        assert_eq!(outcome(&run), left(), "{manager} {operation}\n{}", run.log.join("\n"));
    }
}

#[test]
fn the_annotation_names_one_more_manager() {
    for (manager, expected) in [
        ("helm", taken()),
        ("kubectl-client-side-apply", taken()),
        ("terraform", left()),
    ] {
        let mut rig = rig(untracked(written_before(manager, "Update")));
        rig.resource["metadata"]["annotations"] =
            json!({"argocd.argoproj.io/client-side-apply-migration-manager": "helm"});
        assert_eq!(outcome(&synced(rig)), expected, "{manager}");
    }
}

/// It speaks of client-side apply. What Argo CD applied server-side was Git's, and is ours.
#[test]
fn client_side_apply_is_left_where_the_application_says_so() {
    for (manager, operation, expected) in [
        ("kubectl-client-side-apply", "Update", left()),
        ("argocd-controller", "Update", left()),
        ("argocd-controller", "Apply", taken()),
    ] {
        let mut rig = rig(untracked(written_before(manager, operation)));
        rig.resource["spec"]["syncPolicy"]["syncOptions"] = json!(["ClientSideApplyMigration=false"]);
        let run = synced(rig);
        assert_eq!(outcome(&run), expected, "{manager} {operation}\n{}", run.log.join("\n"));
        // What is left is no difference that nothing could put right.
        assert_eq!(
            run.sync(),
            "Synced Healthy",
            "{manager} {operation}\n{}",
            run.log.join("\n")
        );
    }
}

#[test]
fn nothing_is_handed_over_where_nobody_applied_before() {
    let mut run = synced(Rig::new(vec![config("a", 0, "1")]));
    run.push(vec![config("a", 0, "2")]);
    run.settle(MINUTE);
    run.edit(&map("a"), &["data", "v"], json!("9"), "kubectl-edit");
    run.settle(MINUTE);
    assert_eq!(run.sync(), "Synced Healthy");
    let asked = run.log.iter().find(|line| line.contains("migrate"));
    assert_eq!(asked, None);
}

#[test]
fn a_second_sync_writes_nothing() {
    let mut run = synced(rig(written_before("kubectl-client-side-apply", "Update")));
    let before = run.rig.cluster.history.len();
    run.push(vec![config("a", 0, "1")]);
    run.settle(MINUTE);
    let run = synced(run.rig);
    assert_eq!(run.rig.cluster.history.len(), before, "{}", run.log.join("\n"));
}

#[test]
fn who_writes_in_between_is_looked_at_again() {
    for live in [
        written_before("argocd-controller", "Apply"),
        untracked(written_before("argocd-controller", "Apply")),
    ] {
        let mut rig = rig(live);
        rig.cluster.busy.insert("a".into());
        let run = synced(rig);
        assert_eq!(
            outcome(&run),
            (vec!["busy".into(), "theirs".into(), "v".into()], 1),
            "{}",
            run.log.join("\n")
        );
        assert_eq!(run.rig.status("/operationState/phase"), "Succeeded");
    }
}

/// Replicas that `kubectl apply` set and an autoscaler has not changed yet are not Git's to take away, where it says so.
#[test]
fn what_is_ignored_and_respected_stays() {
    let ignored = json!([{"group": "", "kind": "ConfigMap", "jsonPointers": ["/data/old"]}]);
    let by_manager =
        json!([{"group": "", "kind": "ConfigMap", "managedFieldsManagers": ["kubectl-client-side-apply"]}]);
    let stays = (vec!["old".into(), "theirs".into(), "v".into()], 1);
    for (ignored, options, expected) in [
        (&ignored, json!([]), taken()),
        (&ignored, json!(["RespectIgnoreDifferences=true"]), stays),
        (&by_manager, json!(["RespectIgnoreDifferences=true"]), left()),
    ] {
        let mut rig = rig(untracked(written_before("kubectl-client-side-apply", "Update")));
        rig.resource["spec"]["ignoreDifferences"] = ignored.clone();
        rig.resource["spec"]["syncPolicy"]["syncOptions"] = options.clone();
        let mut run = synced(rig);
        assert_eq!(outcome(&run), expected, "{options}\n{}", run.log.join("\n"));
        assert_eq!(run.sync(), "Synced Healthy", "{options}");
        // Nothing of it is handed over a second time.
        run.push(vec![config("a", 0, "2")]);
        run.settle(MINUTE);
        assert_eq!(outcome(&run), expected, "{options}");
    }
}

/// `Force=true` is for objects that cannot be changed, not for fields that cannot be handed over.
#[test]
fn an_object_is_not_made_anew_for_its_fields() {
    let mut rig = rig(written_before("argocd-controller", "Apply"));
    rig.commits.clear();
    let mut object = config("a", 0, "1");
    object["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] = json!("Force=true");
    rig.commit(vec![object]);
    rig.cluster.immutable.insert("a".into());
    let run = synced(rig);
    assert_eq!(outcome(&run), left());
    assert_eq!(run.rig.cluster.history, []);
    let message = run.rig.status("/operationState/message");
    assert!(
        message.contains("shop/all.yaml:1: the fields that others applied cannot be handed over"),
        "{message}"
    );
}

/// What somebody applies over a synced object is drift, with all that comes with it.
#[test]
fn kubectl_apply_over_a_synced_object_is_put_right() {
    let mut run = synced(Rig::new(vec![config("a", 0, "1")]));
    let last = json!({"kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"v": "1", "hotfix": "1"}});
    let annotation = "kubectl.kubernetes.io/last-applied-configuration";
    let manager = "kubectl-client-side-apply";
    run.rig.cluster.edit(
        &map("a"),
        &["metadata", "annotations", annotation],
        json!(last.to_string()),
        manager,
    );
    run.edit(&map("a"), &["data", "hotfix"], json!("1"), manager);
    run.settle(MINUTE);
    assert_eq!(run.sync(), "Synced Healthy", "{}", run.log.join("\n"));
    assert_eq!(outcome(&run), (vec!["v".into()], 1));
    assert!(
        run.journal()
            .contains("kubectl-client-side-apply changed data.hotfix; put right"),
        "{}",
        run.journal()
    );
}

/// Who is left alone since the hand-over is not written to: it would be drift put right.
#[test]
fn drift_of_an_application_that_is_left_alone_since_the_hand_over_stays() {
    let mut run = synced(Rig::new(vec![config("a", 0, "1")]));
    let last = json!({"kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"v": "9", "hotfix": "1"}});
    let path = [
        "metadata",
        "annotations",
        "kubectl.kubernetes.io/last-applied-configuration",
    ];
    let manager = "kubectl-client-side-apply";
    run.rig.cluster.edit(&map("a"), &path, json!(last.to_string()), manager);
    run.rig.cluster.edit(&map("a"), &["data", "v"], json!("9"), manager);
    run.edit(&map("a"), &["data", "hotfix"], json!("1"), manager);
    let is_hand_over = |effect: &Effect| matches!(effect.kind, EffectKind::MigrateFields { .. });
    let hand_over = loop {
        if let Some(at) = run.pending.iter().position(is_hand_over) {
            break run.pending.remove(at).unwrap();
        }
        assert!(!run.drive(1), "{}", run.journal());
    };
    run.rig.resource["metadata"]["annotations"] = json!({"argocd.argoproj.io/skip-reconcile": "true"});
    run.observe_application();
    run.perform(&hand_over);
    run.settle(MINUTE);
    assert_eq!(
        run.rig.cluster.objects[&map("a")]["data"]["v"],
        "9",
        "{}",
        run.journal()
    );
    run.rig.resource["metadata"]["annotations"] = json!({});
    run.observe_application();
    run.settle(MINUTE);
    assert_eq!(
        run.rig.cluster.objects[&map("a")]["data"]["v"],
        "1",
        "{}",
        run.journal()
    );
}

/// Who only changes what Git declares is reverted at once, by the one write that this takes.
#[test]
fn a_changed_value_is_put_right_without_a_hand_over() {
    let mut run = synced(Rig::new(vec![config("a", 0, "1")]));
    run.edit(&map("a"), &["data", "v"], json!("9"), "kubectl-client-side-apply");
    run.settle(MINUTE);
    assert_eq!(run.sync(), "Synced Healthy", "{}", run.log.join("\n"));
    assert_eq!(outcome(&run), (vec!["v".into()], 0));
}

/// Replaced once and applied from then on: what the replace wrote is ours.
#[test]
fn what_was_replaced_is_applied_from_then_on() {
    let mut run = synced({
        let mut rig = rig(written_before("kubectl-client-side-apply", "Update"));
        rig.resource["spec"]["syncPolicy"]["syncOptions"] = json!(["Replace=true"]);
        rig
    });
    assert_eq!(outcome(&run).1, 0, "a replace takes everything away by itself");
    run.rig.resource["spec"]["syncPolicy"]["syncOptions"] = json!([]);
    run.observe_application();
    run.push(vec![config("a", 0, "2")]);
    run.settle(MINUTE);
    assert_eq!(run.sync(), "Synced Healthy", "{}", run.log.join("\n"));
    assert_eq!(outcome(&run).0, ["v"]);
}

#[test]
fn the_process_may_die_between_the_hand_over_and_the_apply() {
    for steps in 0..30 {
        let mut run = rig(written_before("argocd-controller", "Apply")).start(Vec::new());
        run.drive(steps);
        let run = synced(run.rig);
        assert_eq!(outcome(&run), taken(), "after {steps}\n{}", run.log.join("\n"));
    }
}
