//! A branch that was moved elsewhere.

use super::*;

fn diverged(settings: Settings, descent: Descent) -> Run {
    let mut rig = Rig::new(maps(0..3));
    rig.descent = descent;
    pushed_with(rig, settings, maps(0..2))
}

#[test]
pub(crate) fn a_branch_that_was_moved_elsewhere_prunes_nothing() {
    let mut run = diverged(Settings::default(), Descent::Diverged);
    assert_eq!(
        (count(&run), rules(&run)),
        (3, vec!["RewrittenHistory".to_owned()]),
        "{}",
        run.journal()
    );
    assert!(
        held(&run).contains("was moved to 00002cc, which does not follow 00001cc"),
        "{}",
        held(&run)
    );
    // The rewritten commit is the last that was synced now, and what follows it does follow.
    run.rig.descent = Descent::Follows;
    run.push([maps(0..2), vec![config("new", 0, "1")]].concat());
    run.settle(MINUTE);
    assert_eq!((count(&run), rules(&run).len()), (4, 1), "{}", run.journal());
    approve(&mut run, Duration::from_secs(2));
    assert_settled(&run, 3);
}

#[test]
pub(crate) fn not_known_is_held_and_where_there_is_no_branch_nothing_is() {
    let run = diverged(Settings::default(), Descent::Unknown("a shallow clone".into()));
    assert_eq!(count(&run), 3);
    assert!(held(&run).contains("a shallow clone"), "{}", held(&run));
    assert_settled(&diverged(Settings::default(), Descent::NotABranch), 2);
}

#[test]
fn a_person_and_argo_cd_s_guards_pass() {
    let mut run = diverged(Settings::default(), Descent::Diverged);
    sync_by_hand(&mut run);
    assert_settled(&run, 2);
    assert_settled(&diverged(argo(), Descent::Diverged), 2);
}

#[test]
fn another_branch_is_a_choice_and_not_a_rewrite() {
    let mut run = Rig::new(maps(0..3)).start(Vec::new());
    run.settle(MINUTE);
    run.rig.descent = Descent::Diverged;
    run.rig.resource["spec"]["source"]["targetRevision"] = json!("release");
    run.rig.commit(maps(0..2));
    run.observe_application();
    run.settle(MINUTE);
    assert_settled(&run, 2);
}
