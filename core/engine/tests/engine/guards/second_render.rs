//! Two renders of the same commits.

use super::*;

fn run(second: Result<Vec<Value>, SourceFailure>, settings: Settings) -> Run {
    let mut rig = Rig::new(maps(0..3));
    rig.second_render = Some(second);
    pushed_with(rig, settings, maps(0..2))
}

#[test]
pub(crate) fn two_renders_that_disagree_are_held() {
    for settings in [Settings::default(), argo()] {
        let mut run = run(Ok(maps(0..3)), settings);
        assert_eq!(
            (count(&run), rules(&run)),
            (3, vec!["NonDeterministicRender".to_owned()]),
            "{}",
            run.journal()
        );
        assert!(
            held(&run).contains("the second one declares ConfigMap/prod/m02"),
            "{}",
            held(&run)
        );
        approve(&mut run, Duration::from_secs(2));
        assert_settled(&run, 2);
    }
}

#[test]
fn a_person_is_not_asked_for_a_second_render() {
    let mut run = run(Ok(maps(0..3)), Settings::default());
    sync_by_hand(&mut run);
    assert_settled(&run, 2);
}

#[test]
pub(crate) fn a_second_render_that_fails_is_tried_again() {
    let failure = SourceFailure {
        message: "the server does not answer".into(),
        transient: true,
    };
    let run = run(Err(failure), Settings::default());
    assert_settled(&run, 2);
    assert!(
        run.journal().contains("could not be rendered a second time"),
        "{}",
        run.journal()
    );
}

#[test]
fn it_is_made_only_when_something_would_be_pruned() {
    let run = pushed(maps(0..2), maps(0..3));
    assert!(
        !run.log.iter().any(|line| line.contains("anew")),
        "{}",
        run.log.join("\n")
    );
    let run = pushed(maps(0..3), maps(0..2));
    let anew = run.log.iter().filter(|line| line.contains("anew")).count();
    assert_eq!(anew, 1, "{}", run.log.join("\n"));
}
