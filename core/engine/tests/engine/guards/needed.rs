//! Namespaces and definitions that nothing declares any more, and that what is declared needs.

use super::*;

/// One that its own annotation lets go: no other rule holds it.
fn released(mut object: Value) -> Value {
    object["metadata"]["annotations"] = json!({"argocd.argoproj.io/sync-options": "Prune=true"});
    object
}

fn namespace(name: &str) -> Value {
    released(object("v1", "Namespace", "", name))
}

fn inside(name: &str) -> Value {
    let mut inside = config(name, 0, "1");
    inside["metadata"]["namespace"] = json!("team");
    inside
}

fn thing() -> Value {
    object("a.io/v1", "Thing", "prod", "t")
}

fn has(run: &Run, object: &Value) -> bool {
    run.rig.cluster.objects.contains_key(&key_of(object))
}

/// What the last sync said of an object.
fn result(run: &Run, kind: &str, name: &str) -> String {
    let results = &run.rig.resource["status"]["operationState"]["syncResult"]["resources"];
    let of = results.as_array().unwrap().iter();
    let mut of = of.filter(|result| result["kind"] == kind && result["name"] == name);
    of.next()
        .map(|result| format!("{}: {}", result["status"], result["message"]))
        .unwrap_or_default()
}

fn assert_kept(run: &Run, object: &Value, why: &str) {
    assert!(has(run, object), "{}", run.journal());
    let (kind, name) = (
        object["kind"].as_str().unwrap(),
        object["metadata"]["name"].as_str().unwrap(),
    );
    let result = result(run, kind, name);
    assert!(
        result.starts_with("\"PruneSkipped\"") && result.contains(why),
        "{result}"
    );
    assert_eq!(holds(run), [], "there is nothing to approve");
}

#[test]
pub(crate) fn a_namespace_that_objects_are_declared_in_stays_whoever_asks() {
    for settings in [Settings::default(), argo()] {
        let first = vec![config("a", 0, "1"), namespace("team"), inside("b"), inside("c")];
        let second = vec![config("a", 0, "1"), inside("b")];
        let mut run = pushed_with(Rig::new(first), settings, second);
        let why = "left as it is: ConfigMap/team/b is declared in it";
        assert_kept(&run, &namespace("team"), why);
        assert!(
            !has(&run, &inside("c")),
            "what is undeclared in it goes: {}",
            run.journal()
        );
        sync_by_hand(&mut run);
        assert_kept(&run, &namespace("team"), why);
        assert!(has(&run, &inside("b")));
        // Once nothing is declared in it, it goes with the last of them.
        run.push(vec![config("a", 0, "1")]);
        run.settle(MINUTE);
        assert!(
            !has(&run, &namespace("team")) && !has(&run, &inside("b")),
            "{}",
            run.journal()
        );
    }
}

#[test]
fn a_namespace_that_moves_to_an_option_stays() {
    let first = || vec![namespace("prod"), config("a", 0, "1")];
    for settings in [Settings::default(), argo()] {
        for (by_person, second) in [(false, vec![config("a", 0, "1")]), (true, Vec::new())] {
            let mut run = Rig::new(first()).start_with(settings.clone(), Vec::new());
            run.settle(MINUTE);
            run.rig.resource["spec"]["syncPolicy"] = json!({"syncOptions": ["CreateNamespace=true"],
                "automated": {"prune": true, "allowEmpty": true}});
            run.push(second.clone());
            run.observe_application();
            run.settle(MINUTE);
            if by_person {
                sync_by_hand(&mut run);
            }
            assert!(has(&run, &namespace("prod")), "{}", run.journal());
            assert!(!by_person || !has(&run, &config("a", 0, "1")), "everything else goes");
            assert_eq!(
                (run.sync().as_str(), held(&run).as_str()),
                ("Synced Healthy", ""),
                "the option declares it"
            );
        }
    }
}

#[test]
fn a_definition_whose_objects_are_declared_stays_whoever_asks() {
    for settings in [Settings::default(), argo()] {
        let first = vec![config("a", 0, "1"), released(definition()), thing()];
        let mut run = pushed_with(Rig::new(first), settings, vec![config("a", 0, "1"), thing()]);
        let why = "left as it is: Thing.a.io/prod/t of its kind is declared";
        assert_kept(&run, &definition(), why);
        sync_by_hand(&mut run);
        assert_kept(&run, &definition(), why);
        run.push(vec![config("a", 0, "1")]);
        run.settle(MINUTE);
        assert_settled(&run, 1);
    }
}

#[test]
fn a_sync_of_some_objects_keeps_it_too() {
    let first = vec![config("a", 0, "1"), namespace("team"), inside("b")];
    let mut rig = Rig::new(first);
    rig.resource["spec"]["syncPolicy"] = json!({});
    let mut run = rig.start(Vec::new());
    run.settle(MINUTE);
    sync_by_hand(&mut run);
    run.push(vec![config("a", 0, "1"), inside("b")]);
    run.settle(MINUTE);
    run.rig.resource["operation"] = json!({"initiatedBy": {"username": "ada"},
        "sync": {"prune": true, "resources": [{"kind": "Namespace", "name": "team"}]}});
    run.observe_application();
    run.settle(MINUTE);
    assert_kept(&run, &namespace("team"), "ConfigMap/team/b is declared in it");
}

#[test]
fn what_is_needed_does_not_count_among_the_many() {
    let mut first = maps(0..10);
    first.extend([namespace("team"), inside("b")]);
    let mut second = maps(9..10);
    second.push(inside("b"));
    // Nine of twelve would be pruned, which is one too few to be held.
    let run = pushed(first, second);
    assert_eq!(rules(&run), Vec::<String>::new());
    assert_eq!(count(&run), 3, "{}", run.journal());
}

#[test]
fn what_waits_for_its_confirmation_does_not_go_with_its_namespace() {
    let mut asked = inside("b");
    asked["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] = json!("Prune=confirm");
    // A higher wave: it would go first.
    let mut team = namespace("team");
    team["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"] = json!("5");
    let run = pushed(
        vec![config("a", 0, "1"), team.clone(), asked.clone()],
        vec![config("a", 0, "1")],
    );
    assert!(has(&run, &asked) && has(&run, &team), "{}", run.journal());
}

#[test]
fn what_the_application_s_option_keeps_does_not_go_with_its_namespace() {
    let mut rig = Rig::new(vec![config("a", 0, "1"), namespace("team"), inside("b")]);
    rig.resource["spec"]["syncPolicy"]["syncOptions"] = json!(["Prune=false"]);
    let run = pushed_with(rig, Settings::default(), vec![config("a", 0, "1")]);
    assert!(
        has(&run, &inside("b")) && has(&run, &namespace("team")),
        "{}",
        run.journal()
    );
    assert_eq!(rules(&run), ["NamespaceInUse"]);
}
