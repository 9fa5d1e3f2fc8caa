//! Kinds that hold others' objects, or data.

use super::*;

fn claim() -> Value {
    object("v1", "PersistentVolumeClaim", "prod", "data")
}

#[test]
pub(crate) fn a_claim_is_pruned_by_a_person_s_word_only() {
    let mut run = pushed(
        vec![config("a", 0, "1"), config("b", 0, "1"), claim()],
        vec![config("a", 0, "1")],
    );
    assert_eq!(
        (count(&run), rules(&run)),
        (2, vec!["ProtectedKind".to_owned()]),
        "{}",
        run.journal()
    );
    assert!(held(&run).contains("1 object is not deleted: PersistentVolumeClaim/prod/data."));
    approve(&mut run, Duration::from_secs(2));
    assert_settled(&run, 1);
    let mut run = pushed(vec![config("a", 0, "1"), claim()], vec![config("a", 0, "1")]);
    sync_by_hand(&mut run);
    assert_settled(&run, 1);
    let run = pushed_with(
        Rig::new(vec![config("a", 0, "1"), claim()]),
        argo(),
        vec![config("a", 0, "1")],
    );
    assert_settled(&run, 1);
}

#[test]
fn an_object_may_say_that_it_goes() {
    let mut claim = claim();
    claim["metadata"]["annotations"] = json!({"argocd.argoproj.io/sync-options": "Prune=true"});
    assert_settled(&pushed(vec![config("a", 0, "1"), claim], vec![config("a", 0, "1")]), 1);
}

#[test]
pub(crate) fn an_administrator_protects_more() {
    let settings = Settings {
        protected_kinds: vec![GroupKind::new("", "Secret")],
        ..Settings::default()
    };
    let first = vec![config("a", 0, "1"), object("v1", "Secret", "prod", "s")];
    let run = pushed_with(Rig::new(first), settings, vec![config("a", 0, "1")]);
    assert_eq!((count(&run), rules(&run)), (2, vec!["ProtectedKind".to_owned()]));
}

/// A person forces a sync of what holds data and cannot be changed in place. `own`: by the object's own word, too.
fn forced(object: Value, own: bool, settings: Settings) -> Run {
    let name = object["metadata"]["name"].as_str().unwrap().to_owned();
    let mut changed = object.clone();
    changed["spec"] = json!({"size": 2});
    if own {
        changed["metadata"]["annotations"] = json!({"argocd.argoproj.io/sync-options": "Force=true"});
    }
    let mut run = Rig::new(vec![config("a", 0, "1"), object]).start_with(settings, Vec::new());
    run.settle(MINUTE);
    run.rig.cluster.immutable.insert(name);
    run.rig.resource["spec"]["syncPolicy"] = json!({});
    run.observe_application();
    run.push(vec![config("a", 0, "1"), changed]);
    run.settle(MINUTE);
    run.rig.resource["operation"] = json!({"sync": {"syncStrategy": {"apply": {"force": true}}}});
    run.observe_application();
    run.settle(MINUTE);
    run
}

#[test]
pub(crate) fn only_its_own_word_makes_a_claim_anew() {
    for settings in [Settings::default(), argo()] {
        for (object, own, expected) in [
            (claim(), false, 0),
            (claim(), true, 1),
            (object("v1", "Service", "prod", "s"), false, 1),
        ] {
            let run = forced(object, own, settings.clone());
            assert_eq!(deletes(&run), expected, "{}", run.journal());
        }
    }
}
