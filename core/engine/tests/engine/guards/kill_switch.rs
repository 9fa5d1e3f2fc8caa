//! Pauses, and what the journal says of every delete.

use super::*;

fn everywhere() -> Pause {
    Pause {
        all: Some("incident 7".into()),
        ..Pause::default()
    }
}

#[test]
pub(crate) fn a_pause_holds_and_its_end_lets_go() {
    for settings in [Settings::default(), argo()] {
        let mut run = Rig::new(maps(0..3)).start_with(settings, Vec::new());
        run.settle(MINUTE);
        run.handle(Event::DeletesPaused(everywhere()));
        run.push([maps(0..2), vec![config("new", 0, "1")]].concat());
        run.settle(MINUTE);
        assert_eq!(
            (count(&run), rules(&run)),
            (4, vec!["DeletesPaused".to_owned()]),
            "{}",
            run.journal()
        );
        assert!(held(&run).contains("paused everywhere: incident 7"), "{}", held(&run));
        approve(&mut run, Duration::from_secs(2));
        assert_eq!(count(&run), 4, "it is ended, not approved");
        run.handle(Event::DeletesPaused(Pause::default()));
        run.settle(MINUTE);
        assert_settled(&run, 3);
    }
}

#[test]
pub(crate) fn a_project_and_an_application_are_paused_by_annotation() {
    let mut run = Rig::new(maps(0..3)).start(Vec::new());
    run.settle(MINUTE);
    let project = |paused: &str| {
        let mut project = AppProject::permissive("default");
        let name = "capstan.dev/pause-deletes".to_owned();
        project.metadata.annotations.insert(name, paused.to_owned());
        Event::ProjectObserved(Box::new(project))
    };
    run.handle(project("freeze"));
    run.push(maps(0..2));
    run.settle(MINUTE);
    assert!(held(&run).contains("of the AppProject: freeze"), "{}", held(&run));
    annotate(&mut run, "capstan.dev/pause-deletes", "me too");
    run.handle(project("false"));
    run.settle(MINUTE);
    assert!(held(&run).contains("of the Application: me too"), "{}", held(&run));
    assert_eq!(count(&run), 3);
    run.rig.resource["metadata"]["annotations"] = json!({});
    run.observe_application();
    run.settle(MINUTE);
    assert_settled(&run, 2);
}

/// Paused after the plan was made, between one delete and the next.
#[test]
pub(crate) fn a_pause_holds_at_once() {
    let waves = (0..4).map(|n| config(&format!("m{n}"), n, "1"));
    let mut run = Rig::new(waves.collect()).start(Vec::new());
    run.settle(MINUTE);
    run.push(vec![config("m0", 0, "1")]);
    while deletes(&run) == 0 {
        match run.pending.pop_front() {
            Some(effect) => run.perform(&effect),
            None => {
                let at = run.engine.poll_timeout().expect("it waits for the end of the warm-up");
                run.rig.now = at;
                run.handle_timeout();
            }
        }
    }
    run.handle(Event::DeletesPaused(everywhere()));
    run.settle(MINUTE);
    // The one that had been sent already goes.
    assert_eq!((count(&run), deletes(&run)), (2, 2), "{}", run.journal());
    assert_eq!(rules(&run), ["DeletesPaused"]);
}

#[test]
pub(crate) fn a_person_s_sync_passes_and_a_cascade_waits() {
    let mut run = Rig::new(maps(0..3)).start(Vec::new());
    run.settle(MINUTE);
    run.handle(Event::DeletesPaused(everywhere()));
    run.push(maps(0..2));
    run.settle(MINUTE);
    sync_by_hand(&mut run);
    assert_eq!(count(&run), 2, "{}", run.journal());
    run.rig.resource["metadata"]["finalizers"] = json!(["resources-finalizer.argocd.argoproj.io"]);
    run.rig.resource["metadata"]["deletionTimestamp"] = json!(run.rig.now.to_string());
    run.observe_application();
    run.settle(MINUTE);
    assert_eq!(count(&run), 2);
    let conditions = run.rig.resource["status"]["conditions"].to_string();
    assert!(
        conditions.contains("DeletionError") && conditions.contains("incident 7"),
        "{conditions}"
    );
    run.handle(Event::DeletesPaused(Pause::default()));
    run.settle(MINUTE);
    assert_eq!(count(&run), 0, "{}", run.journal());
}
