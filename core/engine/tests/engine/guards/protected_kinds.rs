//! Kinds that hold others' objects, or data.

use super::*;

fn claim() -> Value {
    object("v1", "PersistentVolumeClaim", "prod", "data")
}

#[test]
fn a_claim_is_pruned_by_a_person_s_word_only() {
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
fn an_administrator_protects_more() {
    let settings = Settings {
        protected_kinds: vec![GroupKind::new("", "Secret")],
        ..Settings::default()
    };
    let first = vec![config("a", 0, "1"), object("v1", "Secret", "prod", "s")];
    let run = pushed_with(Rig::new(first), settings, vec![config("a", 0, "1")]);
    assert_eq!((count(&run), rules(&run)), (2, vec!["ProtectedKind".to_owned()]));
}
