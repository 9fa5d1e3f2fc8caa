//! What would go along with a Namespace or a definition.

use super::*;

fn namespace(name: &str) -> Value {
    let mut namespace = object("v1", "Namespace", "", name);
    namespace["metadata"]["annotations"] = json!({"argocd.argoproj.io/sync-options": "Prune=true"});
    namespace
}

fn foreign(mut object: Value) -> Value {
    object["metadata"]["uid"] = json!("theirs");
    object["metadata"]["resourceVersion"] = json!("1");
    object["metadata"]["generation"] = json!(1);
    object["metadata"]["managedFields"] = json!([]);
    object
}

/// A namespace of ours with an object of ours and one of somebody else in it, and the namespace leaves Git.
fn shared(settings: Settings) -> Run {
    let mut inner = config("inner", 0, "1");
    inner["metadata"]["namespace"] = json!("team");
    let mut rig = Rig::new(vec![config("a", 0, "1"), namespace("team"), inner]);
    let theirs = foreign(object("v1", "Secret", "team", "theirs"));
    rig.cluster.objects.insert(key_of(&theirs), theirs);
    pushed_with(rig, settings, vec![config("a", 0, "1")])
}

fn team() -> ResourceKey {
    ResourceKey::new("", "Namespace", "", "team")
}

#[test]
pub(crate) fn a_namespace_with_others_objects_is_held() {
    for settings in [Settings::default(), argo()] {
        let mut run = shared(settings);
        assert!(run.rig.cluster.objects.contains_key(&team()), "{}", run.journal());
        assert_eq!(count(&run), 3, "what is ours in it went");
        assert_eq!(rules(&run), ["NamespaceInUse"]);
        assert!(held(&run).contains("Secret/team/theirs"), "{}", held(&run));
        approve(&mut run, Duration::from_secs(2));
        assert!(!run.rig.cluster.objects.contains_key(&team()), "{}", run.journal());
        assert_eq!(holds(&run), []);
    }
}

/// Whoever approves that a Namespace is deleted was told nothing of what is in it.
#[test]
fn an_approval_of_the_namespace_is_none_of_what_is_in_it() {
    let mut rig = Rig::new(vec![config("a", 0, "1"), object("v1", "Namespace", "", "team")]);
    let theirs = foreign(object("v1", "Secret", "team", "theirs"));
    rig.cluster.objects.insert(key_of(&theirs), theirs);
    let mut run = pushed_with(rig, Settings::default(), vec![config("a", 0, "1")]);
    assert_eq!(rules(&run), ["ProtectedKind"]);
    approve(&mut run, Duration::from_secs(2));
    assert!(run.rig.cluster.objects.contains_key(&team()), "{}", run.journal());
    assert_eq!(rules(&run), ["ProtectedKind", "NamespaceInUse"]);
    assert!(held(&run).contains("Secret/team/theirs"), "{}", held(&run));
    approve(&mut run, Duration::from_secs(2));
    assert!(!run.rig.cluster.objects.contains_key(&team()), "{}", run.journal());
}

/// The objects of a kind of which no version is served are stored all the same, and cannot be listed.
#[test]
fn a_definition_that_serves_nothing_is_held() {
    let mut silent = definition();
    silent["spec"]["versions"][0]["served"] = json!(false);
    let mut run = pushed(vec![config("a", 0, "1"), silent], vec![config("a", 0, "1")]);
    sync_by_hand(&mut run);
    assert_eq!(count(&run), 2, "{}", run.journal());
    let held = held(&run);
    assert!(held.contains("no version of its kind is served"), "{held}");
    approve(&mut run, Duration::from_secs(2));
    assert_eq!(count(&run), 1, "{}", run.journal());
}

#[test]
pub(crate) fn it_goes_once_it_is_empty_and_somebody_looks() {
    let mut run = shared(Settings::default());
    run.delete(&ResourceKey::new("", "Secret", "team", "theirs"));
    run.settle(MINUTE);
    assert!(run.rig.cluster.objects.contains_key(&team()), "nobody looked");
    run.handle(Event::RefreshRequested { id: id(), hard: false });
    run.settle(MINUTE);
    assert_settled(&run, 1);
}

#[test]
fn a_person_s_word_is_enough() {
    let mut run = shared(Settings::default());
    sync_by_hand(&mut run);
    assert!(!run.rig.cluster.objects.contains_key(&team()), "{}", run.journal());
}

#[test]
pub(crate) fn what_cannot_be_listed_is_not_empty() {
    let mut rig = Rig::new(vec![config("a", 0, "1"), namespace("team")]);
    rig.cluster.forbids_lists = true;
    let run = pushed_with(rig, Settings::default(), vec![config("a", 0, "1")]);
    assert!(run.rig.cluster.objects.contains_key(&team()));
    assert!(
        held(&run).contains("it is not known what would go along with Namespace/team"),
        "{}",
        held(&run)
    );
}

#[test]
pub(crate) fn namespaces_of_kubernetes_and_of_the_controller_are_never_deleted() {
    for settings in [Settings::default(), argo()] {
        for name in ["kube-system", "default", "argocd"] {
            let first = vec![config("a", 0, "1"), namespace(name)];
            let mut run = pushed_with(Rig::new(first), settings.clone(), vec![config("a", 0, "1")]);
            sync_by_hand(&mut run);
            assert_eq!((count(&run), deletes(&run)), (2, 0), "{name}\n{}", run.journal());
            let results = run.rig.resource["status"]["operationState"]["syncResult"]["resources"].to_string();
            assert!(results.contains("are never deleted"), "{results}");
        }
    }
}

#[test]
pub(crate) fn a_cascade_leaves_reserved_namespaces() {
    let mut run = Rig::new(vec![config("a", 0, "1"), namespace("default")]).start(Vec::new());
    run.settle(MINUTE);
    run.rig.resource["metadata"]["finalizers"] = json!(["resources-finalizer.argocd.argoproj.io"]);
    run.rig.resource["metadata"]["deletionTimestamp"] = json!("2026-03-14T10:00:00Z");
    run.observe_application();
    run.settle(MINUTE);
    let left: Vec<String> = run.rig.cluster.objects.keys().map(ToString::to_string).collect();
    assert_eq!(left, ["Namespace/default"]);
    assert_eq!(
        run.rig.resource["metadata"]["finalizers"],
        json!([]),
        "{}",
        run.journal()
    );
}

#[test]
pub(crate) fn a_cascade_leaves_definitions() {
    let mut run = Rig::new(vec![config("a", 0, "1"), definition()]).start(Vec::new());
    run.settle(MINUTE);
    run.rig.resource["metadata"]["finalizers"] = json!(["resources-finalizer.argocd.argoproj.io"]);
    run.rig.resource["metadata"]["deletionTimestamp"] = json!("2026-03-14T10:00:00Z");
    run.observe_application();
    run.settle(MINUTE);
    let left: Vec<&str> = run.rig.cluster.objects.keys().map(|key| key.kind.as_str()).collect();
    assert_eq!(left, ["CustomResourceDefinition"], "{}", run.journal());
}

#[test]
pub(crate) fn a_definition_with_objects_of_others_is_held_whoever_asks() {
    for settings in [Settings::default(), argo()] {
        let mut rig = Rig::new(vec![config("a", 0, "1"), definition()]);
        let theirs = foreign(object("a.io/v1", "Thing", "elsewhere", "t"));
        rig.cluster.objects.insert(key_of(&theirs), theirs);
        let mut run = pushed_with(rig, settings, vec![config("a", 0, "1")]);
        sync_by_hand(&mut run);
        assert_eq!(count(&run), 3, "{}", run.journal());
        assert!(rules(&run).contains(&"DefinitionInUse".to_owned()), "{:?}", rules(&run));
        approve(&mut run, Duration::from_secs(2));
        assert_eq!((count(&run), holds(&run).len()), (2, 0), "{}", run.journal());
    }
}

#[test]
pub(crate) fn a_definition_goes_with_its_own_objects() {
    let first = vec![
        config("a", 0, "1"),
        definition(),
        object("a.io/v1", "Thing", "prod", "t"),
    ];
    let mut run = pushed(first, vec![config("a", 0, "1")]);
    assert_eq!(rules(&run), ["ProtectedKind"]);
    approve(&mut run, Duration::from_secs(2));
    assert_settled(&run, 1);
}
