//! What becomes of the sync as a whole.

use capstan_model::DestinationServiceAccount;

use super::*;

#[test]
fn a_source_that_declares_nothing_any_more_deletes_nothing() {
    let mut story = Story::default();
    for name in ["a", "b", "c"] {
        story = story.had("ConfigMap", name, "");
    }
    story.assert_refused("the source declares nothing");
    story.allow_empty = true;
    assert_eq!(
        (story.course(), story.kind("ConfigMap", "a")),
        (Course::Goes, ChangeKind::Delete)
    );
    (story.allow_empty, story.by_person) = (false, true);
    assert_eq!(
        (story.course(), story.kind("ConfigMap", "a")),
        (Course::Goes, ChangeKind::Delete)
    );
}

#[test]
fn a_project_that_cannot_be_read_is_not_one_that_permits() {
    for by_person in [false, true] {
        let mut story = Story::default()
            .declares(map("a", "2"))
            .has(map("a", "1"))
            .had("ConfigMap", "old", "");
        (story.by_person, story.project) = (by_person, Some(Err("forbidden")));
        let change = story.change("ConfigMap", "old");
        assert!(
            change.kind == ChangeKind::Hold && change.why.contains("forbidden"),
            "{change:?}"
        );
        assert_eq!(story.kind("ConfigMap", "a"), ChangeKind::Update);
        let course = story.course();
        assert!(matches!(&course, Course::Unknown(why) if why.contains("AppProject default could not be read")));
        assert!(!course.is_clear());
    }
}

#[test]
fn what_the_project_forbids_keeps_everything_from_being_written() {
    let mut project = AppProject::permissive("default");
    project.spec.namespace_resource_blacklist = vec![ProjectResource {
        kind: "Secret".into(),
        ..ProjectResource::default()
    }];
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "n"}});
    let mut story = Story::default().declares(map("a", "1")).declares(secret);
    story.live.insert(key("ConfigMap", "a"), LiveObject::Absent);
    story.live.insert(key("Secret", "s"), LiveObject::Absent);
    assert_eq!(story.course(), Course::Goes);
    story.project = Some(Ok(project.clone()));
    story.assert_refused("x.yaml:1: namespaced kind Secret is not permitted in project default");
    assert_eq!(story.kind("Secret", "s"), ChangeKind::Fail);
    let change = story.change("ConfigMap", "a");
    assert_eq!(
        (change.kind, change.why.as_str()),
        (
            ChangeKind::Withhold,
            "the sync is refused; else create: not in the cluster"
        )
    );
    // Of what is deleted, too, but only where anything is.
    let mut story = Story::default()
        .declares(map("a", "1"))
        .has(map("a", "1"))
        .had("Secret", "old", "");
    story.project = Some(Ok(project));
    story.assert_refused("Secret");
    story.prunes = false;
    assert!(matches!(story.course(), Course::Idle(_)), "{:?}", story.course());
    story.project = Some(Ok(AppProject::default()));
    story.assert_refused("is not permitted in project");
}

#[test]
fn without_an_account_to_write_as_nothing_is_written() {
    let mut story = Story::default().declares(map("a", "1"));
    story.live.insert(key("ConfigMap", "a"), LiveObject::Absent);
    story.settings.impersonation = true;
    let mut project = AppProject::permissive("default");
    story.project = Some(Ok(project.clone()));
    story.assert_refused("destinationServiceAccounts");
    project.spec.destination_service_accounts = vec![DestinationServiceAccount {
        server: "*".into(),
        namespace: "*".into(),
        default_service_account: "deployer".into(),
    }];
    story.project = Some(Ok(project));
    assert_eq!(story.course(), Course::Goes);
}

#[test]
fn where_nothing_differs_no_sync_begins() {
    let mut story = Story::default().declares(map("a", "1")).has(map("a", "1"));
    assert_eq!(story.course(), Course::Idle("it is in sync".into()));
    assert!(story.course().is_clear());
    (story.is_automated, story.by_person) = (false, true);
    assert_eq!(story.course(), Course::Goes);
}

#[test]
fn nothing_that_is_printed_moves_the_cursor() {
    let mut story = Story::default().declares(map("a", "1"));
    let why = "gone\u{1b}[2K\nunchanged";
    story.live.insert(key("ConfigMap", "a"), LiveObject::Unread(why.into()));
    story.project = Some(Err("no\u{1b}[1A"));
    let drawn = story.with(|plan, outlook| {
        let outlook = Some(outlook);
        [
            plan.text(outlook, &Aside::default()),
            plan.dot(outlook, &Aside::default()),
            plan.svg(outlook, &Aside::default()),
        ]
        .join("\n")
    });
    let is_odd = |c: char| c.is_control() && c != '\n';
    assert!(
        drawn.contains("gone [2K unchanged") && !drawn.contains(is_odd),
        "{drawn}"
    );
}
