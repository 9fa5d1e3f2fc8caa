//! What becomes of what is not declared.

use super::*;
use crate::guard::Approval;

#[test]
fn what_is_not_declared_goes_unless_something_keeps_it() {
    let story = Story::default()
        .declares(map("stays", "1"))
        .has(map("stays", "1"))
        .had("ConfigMap", "old", "")
        .had("ConfigMap", "kept", "Prune=false")
        .had("ConfigMap", "asked", "Prune=confirm")
        .had("PersistentVolumeClaim", "data", "")
        .had("PersistentVolumeClaim", "cache", "Prune=true");
    assert_eq!(story.kind("ConfigMap", "old"), ChangeKind::Delete);
    assert_eq!(story.kind("ConfigMap", "kept"), ChangeKind::Keep);
    assert_eq!(story.kind("ConfigMap", "asked"), ChangeKind::Hold);
    let data = story.change("PersistentVolumeClaim", "data");
    assert_eq!(data.kind, ChangeKind::Hold);
    assert!(data.why.starts_with("ProtectedKind"), "{}", data.why);
    assert_eq!(story.kind("PersistentVolumeClaim", "cache"), ChangeKind::Delete);
}

#[test]
fn a_sync_that_does_not_prune_and_a_pause_delete_nothing() {
    let mut story = Story::default().declares(map("a", "1")).had("ConfigMap", "old", "");
    story.prunes = false;
    let kept = story.change("ConfigMap", "old");
    assert!(
        kept.kind == ChangeKind::Keep && kept.why.contains("automated.prune"),
        "{kept:?}"
    );
    story.is_automated = false;
    let kept = story.change("ConfigMap", "old");
    assert!(
        kept.kind == ChangeKind::Keep && kept.why.contains("not synced automatically"),
        "{kept:?}"
    );
    (story.is_automated, story.prunes) = (true, true);
    story.pause.all = Some("an incident".into());
    let change = story.change("ConfigMap", "old");
    assert_eq!(
        (change.kind, change.why.as_str()),
        (
            ChangeKind::Hold,
            "DeletesPaused: deletes are paused everywhere: an incident"
        )
    );
}

#[test]
fn what_somebody_else_tracks_now_is_kept_and_what_cannot_be_read_is_unknown() {
    let mut story = Story::default().had("ConfigMap", "old", "");
    let key = key("ConfigMap", "old");
    let other = ApplicationId::new("team", "blog");
    story
        .live
        .insert(key.clone(), tracked(map("old", "1"), &other, &key, ""));
    assert_eq!(story.kind("ConfigMap", "old"), ChangeKind::Keep);
    story.live.insert(key.clone(), LiveObject::Unread("forbidden".into()));
    assert_eq!(story.kind("ConfigMap", "old"), ChangeKind::Unknown);
    story.live.insert(key, LiveObject::Absent);
    assert_eq!(story.kind("ConfigMap", "old"), ChangeKind::Unchanged);
}

#[test]
fn many_deletes_at_once_are_held() {
    let mut story = Story::default().declares(map("a", "1")).has(map("a", "1"));
    for n in 0..10 {
        story = story.had("ConfigMap", &format!("old{n}"), "");
    }
    let change = story.change("ConfigMap", "old3");
    assert_eq!(change.kind, ChangeKind::Hold);
    assert!(change.why.contains("10 of 11 objects"), "{}", change.why);
    story.by_person = true;
    assert_eq!(story.kind("ConfigMap", "old3"), ChangeKind::Delete, "a person's word");
    story.by_person = false;
    story.options.push("MaxPrunePercentage=100");
    assert_eq!(story.kind("ConfigMap", "old3"), ChangeKind::Delete);
}

#[test]
fn what_waits_for_a_confirmation_counts_among_the_many() {
    let mut story = Story::default();
    for n in 0..8 {
        story = story
            .declares(map(&format!("a{n}"), "1"))
            .has(map(&format!("a{n}"), "1"));
    }
    for n in 0..12 {
        let option = if n < 3 { "Prune=confirm" } else { "" };
        story = story.had("ConfigMap", &format!("old{n}"), option);
    }
    let change = story.change("ConfigMap", "old5");
    assert_eq!(change.kind, ChangeKind::Hold, "{}", change.why);
    assert!(change.why.contains("12 of 20 objects"), "{}", change.why);
}

#[test]
fn namespaces_that_nobody_deletes_stay() {
    let mut story = Story::default().declares(map("a", "1"));
    story.by_person = true;
    for name in ["argocd", "kube-public", "default", "team"] {
        story = story.had("Namespace", name, "");
    }
    for name in ["argocd", "kube-public", "default"] {
        assert_eq!(story.kind("Namespace", name), ChangeKind::Keep, "{name}");
    }
    assert_eq!(story.kind("Namespace", "team"), ChangeKind::Delete);
}

#[test]
fn what_is_going_already_is_not_deleted_again() {
    let mut story = Story::default().declares(map("a", "1")).had("ConfigMap", "old", "");
    let Some(LiveObject::Present(live)) = story.live.get_mut(&key("ConfigMap", "old")) else {
        panic!("it is there")
    };
    live["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    assert_eq!(story.kind("ConfigMap", "old"), ChangeKind::Unchanged);
}

#[test]
fn what_the_controller_protects_and_how_it_is_called() {
    let mut story = Story::default()
        .declares(map("a", "1"))
        .has(map("a", "1"))
        .had("Secret", "old", "")
        .had("PersistentVolumeClaim", "data", "");
    assert_eq!(story.kind("Secret", "old"), ChangeKind::Delete);
    story.settings.protected_kinds = vec![GroupKind::new("", "Secret")];
    assert_eq!(story.kind("Secret", "old"), ChangeKind::Hold);
    story.settings.guards = Guards::Argo;
    assert_eq!(story.kind("PersistentVolumeClaim", "data"), ChangeKind::Delete);
    // What another installation on the same cluster made is not deleted.
    story.settings.installation_id = "blue".into();
    let change = story.change("PersistentVolumeClaim", "data");
    assert!(
        change.kind == ChangeKind::Keep && change.why.contains("installation-id"),
        "{change:?}"
    );
}

#[test]
fn what_is_in_a_namespace_or_of_a_kind_goes_only_with_ours() {
    let within = |name: &str| {
        let object = json!({"metadata": {"namespace": "team", "name": name, "uid": name}});
        Content::of(&GroupKind::new("", "ConfigMap"), &object)
    };
    let team = key("Namespace", "team");
    let mut story = Story::default()
        .declares(map("a", "1"))
        .has(map("a", "1"))
        .had("Namespace", "team", "Prune=true");
    let change = story.change("Namespace", "team");
    assert!(
        change.kind == ChangeKind::Hold && change.why.contains("it was not read"),
        "{change:?}"
    );
    story.contents.insert(team.clone(), Err("lists are forbidden".into()));
    let change = story.change("Namespace", "team");
    assert!(
        change.kind == ChangeKind::Hold && change.why.contains("lists are forbidden"),
        "{change:?}"
    );
    story.contents.insert(team.clone(), Ok(vec![within("theirs")]));
    let change = story.change("Namespace", "team");
    assert_eq!(change.kind, ChangeKind::Hold);
    assert!(change.why.starts_with("NamespaceInUse: 1 object"), "{}", change.why);
    assert!(change.why.contains("ConfigMap/team/theirs"), "{}", change.why);
    // A person's word is enough for a namespace.
    story.by_person = true;
    assert_eq!(story.kind("Namespace", "team"), ChangeKind::Delete);
    story.by_person = false;
    // What the application tracks there and does not declare goes along, unless it is kept.
    story.contents.insert(team, Ok(vec![within("mine")]));
    let mine = ResourceKey::new("", "ConfigMap", "team", "mine");
    for (options, kind) in [("", ChangeKind::Delete), ("Prune=false", ChangeKind::Hold)] {
        let object =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mine", "namespace": "team"}});
        story
            .live
            .insert(mine.clone(), tracked(object, &shop(), &mine, options));
        story.gone.push(mine.clone());
        assert_eq!(story.kind("Namespace", "team"), kind, "{options}");
    }
}

#[test]
fn what_is_held_stays_so_until_it_is_approved_and_is_deleted_then() {
    let mut story =
        Story::default()
            .declares(map("a", "1"))
            .has(map("a", "1"))
            .had("PersistentVolumeClaim", "data", "");
    let data = key("PersistentVolumeClaim", "data");
    let finding = crate::guard::Finding {
        reason: DeleteReason::Prune,
        rule: crate::guard::Rule::ProtectedKind,
        keys: vec![data.clone()],
        why: "what holds others' objects, or data, is deleted by a person's word only".into(),
    };
    let since = Timestamp::from_seconds(1_773_478_000);
    let uids = BTreeMap::from([(data, String::new())]);
    let hold = crate::guard::Hold::of(finding, &uids, &BTreeMap::new(), &Approval::default(), since);
    story.conditions.push(ApplicationCondition {
        kind: ConditionType::PruneHeld,
        message: hold.message(),
        last_transition_time: Some(since),
    });
    assert_eq!(story.kind("PersistentVolumeClaim", "data"), ChangeKind::Hold);
    let approve = |story: &mut Story, seconds| {
        let time = Timestamp::from_seconds(seconds).to_string();
        story
            .annotations
            .insert("argocd.argoproj.io/deletion-approved".into(), time);
        story.kind("PersistentVolumeClaim", "data")
    };
    assert_eq!(approve(&mut story, 1_773_477_999), ChangeKind::Hold, "given before");
    assert_eq!(approve(&mut story, 1_773_478_100), ChangeKind::Delete);
}

#[test]
fn what_the_sync_writes_into_a_namespace_keeps_it() {
    let team = key("Namespace", "team");
    let new = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "new", "namespace": "team"}});
    let mut story = Story::default()
        .had("Namespace", "team", "Prune=true")
        .declares(map("a", "1"));
    story.contents.insert(team, Ok(Vec::new()));
    assert_eq!(story.kind("Namespace", "team"), ChangeKind::Delete);
    story = story.declares(new);
    let new = ResourceKey::new("", "ConfigMap", "team", "new");
    story.live.insert(new, LiveObject::Absent);
    for by_person in [false, true] {
        story.by_person = by_person;
        let change = story.change("Namespace", "team");
        assert_eq!(change.kind, ChangeKind::Keep);
        assert_eq!(change.why, "left as it is: ConfigMap/team/new is declared in it");
    }
}
