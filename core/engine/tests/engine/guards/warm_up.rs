//! After a start.

use super::*;

#[test]
pub(crate) fn after_a_start_deletes_wait_until_the_same_was_seen_twice() {
    for settings in [Settings::default(), argo()] {
        let mut run = Rig::new(maps(0..3)).start(Vec::new());
        run.settle(MINUTE);
        let mut rig = run.rig;
        rig.commit(maps(0..2));
        let started = rig.now;
        let mut run = rig.start_with(settings, Vec::new());
        assert!(run.drive(5000));
        assert_eq!(deletes(&run), 0, "{}", run.journal());
        let until = run.engine.poll_timeout().unwrap();
        assert!(until.since(started) <= Duration::from_secs(12), "{until}");
        run.settle(MINUTE);
        assert_eq!(count(&run), 2, "{}", run.journal());
        assert!(run.rig.now.since(started) >= Duration::from_secs(10));
    }
}

#[test]
fn a_person_s_sync_does_not_wait() {
    let mut run = Rig::new(maps(0..3)).start(Vec::new());
    run.settle(MINUTE);
    let mut rig = run.rig;
    rig.commit(maps(0..2));
    rig.resource["spec"]["syncPolicy"] = json!({});
    rig.resource["operation"] = json!({"initiatedBy": {"username": "ada"}, "sync": {"prune": true}});
    let mut run = rig.start(Vec::new());
    assert!(run.drive(5000));
    assert_eq!(count(&run), 2, "{}", run.journal());
}

#[test]
pub(crate) fn who_leads_anew_warms_up_anew() {
    let mut run = pushed(maps(0..3), maps(0..3));
    run.handle(Event::LeadershipChanged {
        leads: false,
        fence: None,
    });
    run.handle(Event::LeadershipChanged {
        leads: true,
        fence: None,
    });
    run.push(maps(0..2));
    assert!(run.drive(5000));
    assert_eq!(deletes(&run), 0, "{}", run.journal());
    run.settle(MINUTE);
    assert_eq!(count(&run), 2, "{}", run.journal());
}
