//! What is tried before anything is deleted, and what a failure keeps from being deleted.

use super::*;

/// Two objects, one of which leaves Git in the commit that adds `more`.
fn leaving(more: Vec<Value>, prepare: impl FnOnce(&mut Rig) -> bool) -> Run {
    let mut rig = Rig::new(maps(0..2));
    assert!(prepare(&mut rig));
    pushed_with(rig, Settings::default(), [maps(0..1), more].concat())
}

/// What comes after the deletes is tried before them, too.
#[test]
pub(crate) fn nothing_is_deleted_before_the_server_would_take_everything() {
    let refuse = |rig: &mut Rig| rig.cluster.refused.insert("late".into());
    let run = leaving(vec![hook("late", "PostSync")], refuse);
    assert_eq!((count(&run), deletes(&run)), (2, 0), "{}", run.journal());
    let message = run.rig.status("/operationState/message");
    assert!(message.contains("/late"), "{message}");
}

#[test]
pub(crate) fn nothing_is_deleted_after_something_failed() {
    let refuse = |rig: &mut Rig| rig.cluster.refused_late.insert("late".into());
    let run = leaving(vec![config("late", 0, "1")], refuse);
    assert_eq!((count(&run), deletes(&run)), (2, 0), "{}", run.journal());
    let message = run.rig.status("/operationState/message");
    assert!(message.contains("/late"), "{message}");
}
