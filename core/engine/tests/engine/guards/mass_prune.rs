//! Much of an application at once.

use super::*;

#[test]
pub(crate) fn much_at_once_is_held_and_everything_else_goes_on() {
    let mut second = maps(12..20);
    second.push(config("new", 0, "1"));
    let run = pushed(maps(0..20), second);
    assert_eq!((count(&run), deletes(&run)), (21, 0), "{}", run.journal());
    assert_eq!(run.rig.status("/operationState/phase"), "Succeeded");
    assert_eq!(run.sync(), "OutOfSync Healthy");
    let told = held(&run);
    assert!(
        told.starts_with("MassPrune (over 50 %, 10 or more) [plan ") && told.contains("]: 12 of 21 objects"),
        "{told}"
    );
    assert!(
        told.contains("ConfigMap/prod/m00, ") && told.contains(", and 2 more."),
        "{told}"
    );
    assert!(
        told.contains("annotate the Application with argocd.argoproj.io/deletion-approved"),
        "{told}"
    );
    let results = run.rig.resource["status"]["operationState"]["syncResult"]["resources"].to_string();
    assert_eq!(results.matches("PruneSkipped").count(), 12, "{results}");
    assert!(run.engine.poll_timeout().is_none(), "nothing ticks while it is held");
}

/// What the sync that held them wrote makes them less than half: they are held all the same, by the next process, too.
#[test]
pub(crate) fn what_is_held_stays_held_until_it_is_approved() {
    let second: Vec<Value> = (50..90).map(|n| config(&format!("m{n}"), 0, "1")).collect();
    let mut run = pushed(maps(0..12), second.clone());
    assert_eq!((count(&run), rules(&run).len()), (52, 1), "{}", run.journal());
    run.push([second, vec![config("more", 0, "1")]].concat());
    run.settle(MINUTE);
    assert_eq!((count(&run), deletes(&run)), (53, 0));
    let since = holds(&run)[0].since;
    run.rig.now = run.rig.now + 10 * MINUTE;
    let mut run = run.rig.start(Vec::new());
    run.settle(MINUTE);
    assert_eq!(
        (count(&run), deletes(&run), holds(&run)[0].since),
        (53, 0, since),
        "{}",
        run.journal()
    );
    approve(&mut run, MINUTE);
    assert_settled(&run, 41);
}

#[test]
fn an_approval_counts_for_the_objects_that_were_held_and_runs_no_hook_again() {
    let with_hook = |mut objects: Vec<Value>| {
        objects.push(hook("before", "PreSync"));
        objects
    };
    let mut run = pushed(with_hook(maps(0..20)), with_hook(maps(12..20)));
    let hooks = |run: &Run| {
        let facts = run.rig.cluster.history.iter();
        facts
            .filter(|fact| matches!(fact, Fact::Written { create: true, .. }))
            .count()
    };
    let (ran, deleted) = (hooks(&run), deletes(&run));
    annotate(&mut run, "argocd.argoproj.io/deletion-approved", "2020-01-01T00:00:00Z");
    run.settle(MINUTE);
    assert_eq!(deletes(&run), deleted, "it was given before\n{}", run.journal());
    approve(&mut run, Duration::from_secs(2));
    assert_settled(&run, 9);
    assert_eq!(hooks(&run), ran, "{}", run.journal());
    assert!(run.journal().contains("guard: Held → Approved"), "{}", run.journal());
    assert!(run.journal().contains("→ approved"), "{}", run.journal());
}

#[test]
pub(crate) fn more_that_is_to_go_needs_another_approval() {
    let mut run = pushed(maps(0..30), maps(12..30));
    assert_eq!(
        (count(&run), rules(&run).len()),
        (18, 0),
        "12 of 30 are not much\n{}",
        run.journal()
    );
    run.push(maps(24..30));
    run.settle(MINUTE);
    assert_eq!((count(&run), rules(&run).len()), (18, 1));
    run.rig.now = run.rig.now + Duration::from_secs(2);
    let approved = run.rig.now.to_string();
    run.rig.now = run.rig.now + Duration::from_secs(2);
    run.push(maps(25..30));
    run.settle(MINUTE);
    annotate(&mut run, "argocd.argoproj.io/deletion-approved", &approved);
    run.settle(MINUTE);
    assert_eq!(
        count(&run),
        18,
        "it was given before the last one was to go\n{}",
        run.journal()
    );
    approve(&mut run, Duration::from_secs(2));
    assert_settled(&run, 5);
}

#[test]
fn a_revert_in_git_ends_it() {
    let mut run = pushed(maps(0..20), maps(12..20));
    run.push(maps(0..20));
    run.settle(MINUTE);
    assert_settled(&run, 20);
}

#[test]
fn a_person_and_argo_cd_s_guards_pass() {
    let mut run = pushed(maps(0..20), maps(12..20));
    sync_by_hand(&mut run);
    assert_settled(&run, 8);
    let run = pushed_with(Rig::new(maps(0..20)), argo(), maps(12..20));
    assert_settled(&run, 8);
}

#[test]
pub(crate) fn an_application_sets_its_own_limits() {
    let limited = |options: Value| {
        let mut rig = Rig::new(maps(0..20));
        rig.resource["spec"]["syncPolicy"]["syncOptions"] = options;
        pushed_with(rig, Settings::default(), maps(12..20))
    };
    assert_settled(&limited(json!(["MaxPrunePercentage=100"])), 8);
    assert_eq!(count(&limited(json!(["MaxPruneCount=3"]))), 20);
    let mut run = limited(json!(["MaxPrunePercentage=10"]));
    assert_eq!(rules(&run), ["MassPrune (over 10 %)"]);
    run.rig.resource["spec"]["syncPolicy"]["syncOptions"] = json!(["MaxPrunePercentage=60"]);
    run.observe_application();
    run.settle(MINUTE);
    assert_settled(&run, 8);
}

#[test]
fn what_is_never_pruned_does_not_count() {
    let kept = |n: usize| {
        let mut object = config(&format!("m{n:02}"), 0, "1");
        object["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] = json!("Prune=false");
        object
    };
    let run = pushed((0..20).map(kept).collect(), maps(20..21));
    assert_eq!((count(&run), rules(&run).len()), (21, 0), "{}", run.journal());
}
