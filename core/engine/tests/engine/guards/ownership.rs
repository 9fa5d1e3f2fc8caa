//! Whose an object is: by its tracking id and by the installation that made it, as it was read right before the DELETE.

use super::*;

fn named() -> Settings {
    Settings {
        installation_id: "blue".into(),
        ..Settings::default()
    }
}

/// Before the delete is carried out somebody writes this annotation of the object that goes.
fn rewritten(annotation: &str, value: &str) -> Run {
    edited(&["metadata", "annotations", annotation], &json!(value))
}

/// The same of any field.
fn edited(path: &[&str], value: &Value) -> Run {
    let mut run = Rig::new(maps(0..3)).start_with(named(), Vec::new());
    run.settle(MINUTE);
    run.push(maps(0..2));
    let key = ResourceKey::new("", "ConfigMap", "prod", "m02");
    while !run
        .pending
        .iter()
        .any(|effect| matches!(effect.kind, EffectKind::Delete { .. }))
    {
        match run.pending.pop_front() {
            Some(effect) => run.perform(&effect),
            None => {
                run.rig.now = run.engine.poll_timeout().expect("it waits for the end of the warm-up");
                run.handle_timeout();
            }
        }
    }
    run.rig.cluster.edit(&key, path, value.clone(), "somebody");
    run.settle(MINUTE);
    run
}

#[test]
pub(crate) fn what_another_installation_took_over_stays() {
    let run = rewritten("argocd.argoproj.io/installation-id", "green");
    assert_eq!((count(&run), deletes(&run)), (3, 0), "{}", run.journal());
    assert_eq!(deletes(&rewritten("example.com/note", "mine")), 1);
}

#[test]
pub(crate) fn what_another_application_took_over_stays() {
    let run = rewritten("argocd.argoproj.io/tracking-id", "other:/ConfigMap:prod/m02");
    assert_eq!((count(&run), deletes(&run)), (3, 0), "{}", run.journal());
}

#[test]
pub(crate) fn what_says_at_the_last_moment_that_it_stays_stays() {
    let run = rewritten("argocd.argoproj.io/sync-options", "Prune=false");
    assert_eq!((count(&run), deletes(&run)), (3, 0), "{}", run.journal());
}

#[test]
pub(crate) fn what_another_controller_took_over_stays() {
    let owner = |controls: bool| json!([{"apiVersion": "a.io/v1", "kind": "Thing", "name": "boss", "uid": "boss-1", "controller": controls}]);
    let run = edited(&["metadata", "ownerReferences"], &owner(true));
    assert_eq!((count(&run), deletes(&run)), (3, 0), "{}", run.journal());
    assert_eq!(deletes(&edited(&["metadata", "ownerReferences"], &owner(false))), 1);
}
