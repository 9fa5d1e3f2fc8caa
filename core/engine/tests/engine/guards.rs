//! Every guard of deletes: what it holds, how it is approved, that a person's sync passes or does not, and what `guards: argo` leaves of it.
//! What is not deleted is read off the cluster; that everything else of the sync went on, too.

use std::time::Duration;

use capstan_engine::event::{Descent, Discovery, SourceFailure};
use capstan_engine::guard::Pause;
use capstan_engine::settings::Guards;
use capstan_engine::view::HoldView;
use capstan_engine::{Event, Settings};
use capstan_model::{AppProject, ClusterId, GroupKind, ResourceKey};
use serde_json::{Value, json};

use crate::cluster::{Fact, discovery, key_of};
use crate::rig::{Rig, Run, config, hook, id};

const MINUTE: Duration = Duration::from_secs(60);

fn argo() -> Settings {
    Settings {
        guards: Guards::Argo,
        ..Settings::default()
    }
}

fn maps(names: std::ops::Range<usize>) -> Vec<Value> {
    names.map(|n| config(&format!("m{n:02}"), 0, "1")).collect()
}

fn object(api: &str, kind: &str, namespace: &str, name: &str) -> Value {
    let mut object = json!({"apiVersion": api, "kind": kind, "metadata": {"name": name}});
    if !namespace.is_empty() {
        object["metadata"]["namespace"] = json!(namespace);
    }
    object
}

fn definition() -> Value {
    let mut definition = object("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "things.a.io");
    definition["spec"] = json!({"group": "a.io", "names": {"kind": "Thing", "plural": "things"},
        "versions": [{"name": "v1", "served": true}]});
    definition
}

/// Synced to `first`, warmed up, then pushed `second` and come to rest.
fn pushed_with(rig: Rig, settings: Settings, second: Vec<Value>) -> Run {
    let mut run = rig.start_with(settings, Vec::new());
    run.settle(MINUTE);
    assert_eq!(run.sync(), "Synced Healthy", "{}", run.log.join("\n"));
    run.push(second);
    run.settle(MINUTE);
    run
}

fn pushed(first: Vec<Value>, second: Vec<Value>) -> Run {
    pushed_with(Rig::new(first), Settings::default(), second)
}

fn count(run: &Run) -> usize {
    run.rig.cluster.objects.len()
}

fn deletes(run: &Run) -> usize {
    let facts = run.rig.cluster.history.iter();
    facts.filter(|fact| matches!(fact, Fact::Deleted { .. })).count()
}

fn holds(run: &Run) -> Vec<HoldView> {
    run.engine.view(&id()).unwrap().holds
}

fn rules(run: &Run) -> Vec<String> {
    holds(run).into_iter().map(|hold| hold.rule).collect()
}

/// The conditions that the resource tells, as text.
fn held(run: &Run) -> String {
    let conditions = run.rig.resource["status"]["conditions"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let held = conditions.iter().filter(|condition| condition["type"] == "PruneHeld");
    held.map(|condition| condition["message"].as_str().unwrap().to_owned())
        .collect::<Vec<_>>()
        .join("\n")
}

fn annotate(run: &mut Run, name: &str, value: &str) {
    run.rig.resource["metadata"]["annotations"][name] = json!(value);
    run.observe_application();
}

/// A person approves, so much later.
fn approve(run: &mut Run, after: Duration) {
    run.rig.now = run.rig.now + after;
    let time = run.rig.now.to_string();
    annotate(run, "argocd.argoproj.io/deletion-approved", &time);
    run.settle(MINUTE);
}

/// A person syncs, with prune.
fn sync_by_hand(run: &mut Run) {
    run.rig.resource["operation"] = json!({"initiatedBy": {"username": "ada"}, "sync": {"prune": true}});
    run.observe_application();
    run.settle(MINUTE);
}

fn assert_settled(run: &Run, objects: usize) {
    assert_eq!(
        (count(run), run.sync().as_str()),
        (objects, "Synced Healthy"),
        "{}",
        run.journal()
    );
    assert_eq!((held(run), holds(run)), (String::new(), Vec::new()));
    assert!(run.engine.poll_timeout().is_none(), "nothing ticks once it is over");
}

mod mass_prune {
    use super::*;

    #[test]
    fn much_at_once_is_held_and_everything_else_goes_on() {
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
    fn what_is_held_stays_held_until_it_is_approved() {
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
    fn more_that_is_to_go_needs_another_approval() {
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
    fn an_application_sets_its_own_limits() {
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
}

mod protected_kinds {
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
}

mod namespaces_and_definitions {
    use super::*;

    fn namespace(name: &str) -> Value {
        let mut namespace = object("v1", "Namespace", "", name);
        namespace["metadata"]["annotations"] = json!({"argocd.argoproj.io/sync-options": "Prune=true"});
        namespace
    }

    fn foreign(mut object: Value) -> Value {
        object["metadata"]["uid"] = json!("theirs");
        object["metadata"]["resourceVersion"] = json!("1");
        object["metadata"]["generation"] = json!(1);
        object["metadata"]["managedFields"] = json!([]);
        object
    }

    /// A namespace of ours with an object of ours and one of somebody else in it, and the namespace leaves Git.
    fn shared(settings: Settings) -> Run {
        let mut inner = config("inner", 0, "1");
        inner["metadata"]["namespace"] = json!("team");
        let mut rig = Rig::new(vec![config("a", 0, "1"), namespace("team"), inner]);
        let theirs = foreign(object("v1", "Secret", "team", "theirs"));
        rig.cluster.objects.insert(key_of(&theirs), theirs);
        pushed_with(rig, settings, vec![config("a", 0, "1")])
    }

    fn team() -> ResourceKey {
        ResourceKey::new("", "Namespace", "", "team")
    }

    #[test]
    fn a_namespace_with_others_objects_is_held() {
        for settings in [Settings::default(), argo()] {
            let mut run = shared(settings);
            assert!(run.rig.cluster.objects.contains_key(&team()), "{}", run.journal());
            assert_eq!(count(&run), 3, "what is ours in it went");
            assert_eq!(rules(&run), ["NamespaceInUse"]);
            assert!(held(&run).contains("Secret/team/theirs"), "{}", held(&run));
            approve(&mut run, Duration::from_secs(2));
            assert!(!run.rig.cluster.objects.contains_key(&team()), "{}", run.journal());
            assert_eq!(holds(&run), []);
        }
    }

    #[test]
    fn it_goes_once_it_is_empty_and_somebody_looks() {
        let mut run = shared(Settings::default());
        run.delete(&ResourceKey::new("", "Secret", "team", "theirs"));
        run.settle(MINUTE);
        assert!(run.rig.cluster.objects.contains_key(&team()), "nobody looked");
        run.handle(Event::RefreshRequested { id: id(), hard: false });
        run.settle(MINUTE);
        assert_settled(&run, 1);
    }

    #[test]
    fn a_person_s_word_is_enough() {
        let mut run = shared(Settings::default());
        sync_by_hand(&mut run);
        assert!(!run.rig.cluster.objects.contains_key(&team()), "{}", run.journal());
    }

    #[test]
    fn what_cannot_be_listed_is_not_empty() {
        let mut rig = Rig::new(vec![config("a", 0, "1"), namespace("team")]);
        rig.cluster.forbids_lists = true;
        let run = pushed_with(rig, Settings::default(), vec![config("a", 0, "1")]);
        assert!(run.rig.cluster.objects.contains_key(&team()));
        assert!(
            held(&run).contains("it is not known what would go along with Namespace/team"),
            "{}",
            held(&run)
        );
    }

    #[test]
    fn namespaces_of_kubernetes_and_of_the_controller_are_never_deleted() {
        for settings in [Settings::default(), argo()] {
            for name in ["kube-system", "default", "argocd"] {
                let first = vec![config("a", 0, "1"), namespace(name)];
                let mut run = pushed_with(Rig::new(first), settings.clone(), vec![config("a", 0, "1")]);
                sync_by_hand(&mut run);
                assert_eq!((count(&run), deletes(&run)), (2, 0), "{name}\n{}", run.journal());
                let results = run.rig.resource["status"]["operationState"]["syncResult"]["resources"].to_string();
                assert!(results.contains("are never deleted"), "{results}");
            }
        }
    }

    #[test]
    fn a_cascade_leaves_reserved_namespaces() {
        let mut run = Rig::new(vec![config("a", 0, "1"), namespace("default")]).start(Vec::new());
        run.settle(MINUTE);
        run.rig.resource["metadata"]["finalizers"] = json!(["resources-finalizer.argocd.argoproj.io"]);
        run.rig.resource["metadata"]["deletionTimestamp"] = json!("2026-03-14T10:00:00Z");
        run.observe_application();
        run.settle(MINUTE);
        let left: Vec<String> = run.rig.cluster.objects.keys().map(ToString::to_string).collect();
        assert_eq!(left, ["Namespace/default"]);
        assert_eq!(
            run.rig.resource["metadata"]["finalizers"],
            json!([]),
            "{}",
            run.journal()
        );
    }

    #[test]
    fn a_definition_with_objects_of_others_is_held_whoever_asks() {
        for settings in [Settings::default(), argo()] {
            let mut rig = Rig::new(vec![config("a", 0, "1"), definition()]);
            let theirs = foreign(object("a.io/v1", "Thing", "elsewhere", "t"));
            rig.cluster.objects.insert(key_of(&theirs), theirs);
            let mut run = pushed_with(rig, settings, vec![config("a", 0, "1")]);
            sync_by_hand(&mut run);
            assert_eq!(count(&run), 3, "{}", run.journal());
            assert!(rules(&run).contains(&"DefinitionInUse".to_owned()), "{:?}", rules(&run));
            approve(&mut run, Duration::from_secs(2));
            assert_eq!((count(&run), holds(&run).len()), (2, 0), "{}", run.journal());
        }
    }

    #[test]
    fn a_definition_goes_with_its_own_objects() {
        let first = vec![
            config("a", 0, "1"),
            definition(),
            object("a.io/v1", "Thing", "prod", "t"),
        ];
        let mut run = pushed(first, vec![config("a", 0, "1")]);
        assert_eq!(rules(&run), ["ProtectedKind"]);
        approve(&mut run, Duration::from_secs(2));
        assert_settled(&run, 1);
    }
}

mod second_render {
    use super::*;

    fn run(second: Result<Vec<Value>, SourceFailure>, settings: Settings) -> Run {
        let mut rig = Rig::new(maps(0..3));
        rig.second_render = Some(second);
        pushed_with(rig, settings, maps(0..2))
    }

    #[test]
    fn two_renders_that_disagree_are_held() {
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
    fn a_second_render_that_fails_is_tried_again() {
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
}

mod rewritten_history {
    use super::*;

    fn diverged(settings: Settings, descent: Descent) -> Run {
        let mut rig = Rig::new(maps(0..3));
        rig.descent = descent;
        pushed_with(rig, settings, maps(0..2))
    }

    #[test]
    fn a_branch_that_was_moved_elsewhere_prunes_nothing() {
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
    fn not_known_is_held_and_where_there_is_no_branch_nothing_is() {
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
}

mod warm_up {
    use super::*;

    #[test]
    fn after_a_start_deletes_wait_until_the_same_was_seen_twice() {
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
    fn who_leads_anew_warms_up_anew() {
        let mut run = pushed(maps(0..3), maps(0..3));
        run.handle(Event::LeadershipChanged { leads: false });
        run.handle(Event::LeadershipChanged { leads: true });
        run.push(maps(0..2));
        assert!(run.drive(5000));
        assert_eq!(deletes(&run), 0, "{}", run.journal());
        run.settle(MINUTE);
        assert_eq!(count(&run), 2, "{}", run.journal());
    }
}

mod destination {
    use super::*;

    fn as_cluster(uid: &str) -> Discovery {
        Discovery {
            cluster_uid: uid.into(),
            ..discovery()
        }
    }

    /// The next process finds another cluster under the same address, with our objects in it.
    fn moved(settings: Settings) -> Run {
        let mut run = Rig::new(maps(0..3)).start(Vec::new());
        run.settle(MINUTE);
        let mut rig = run.rig;
        rig.commit([maps(0..2), vec![config("new", 0, "1")]].concat());
        rig.cluster_uid = "another".into();
        let mut run = rig.start_with(settings, Vec::new());
        run.settle(MINUTE);
        run
    }

    #[test]
    fn nothing_is_deleted_in_another_cluster_than_the_one_that_was_synced_to() {
        for settings in [Settings::default(), argo()] {
            let mut run = moved(settings);
            assert_eq!(
                (count(&run), rules(&run)),
                (4, vec!["DestinationReplaced".to_owned()]),
                "{}",
                run.journal()
            );
            assert!(
                held(&run).contains("has UID another, and the one that was synced to has cluster"),
                "{}",
                held(&run)
            );
            sync_by_hand(&mut run);
            assert_eq!(count(&run), 4, "a person's word is not enough\n{}", run.journal());
            approve(&mut run, Duration::from_secs(2));
            assert_settled(&run, 3);
        }
    }

    #[test]
    fn a_cluster_that_was_built_anew_is_taken_over_when_nothing_is_to_be_deleted() {
        let mut run = Rig::new(maps(0..3)).start(Vec::new());
        run.settle(MINUTE);
        let mut rig = run.rig;
        rig.cluster.objects.clear();
        rig.cluster_uid = "another".into();
        rig.commit(maps(0..4));
        let mut run = rig.start(Vec::new());
        run.settle(MINUTE);
        assert_settled(&run, 4);
        run.push(maps(0..3));
        run.settle(MINUTE);
        assert_settled(&run, 3);
    }

    /// In one process, another cluster behind the address is a mistake or an attack: nothing is written there, and nothing it says counts.
    #[test]
    fn a_stranger_is_not_spoken_to() {
        let mut run = Rig::new(maps(0..3)).start(Vec::new());
        run.settle(MINUTE);
        let writes = run.rig.cluster.history.len();
        run.handle(Event::ClusterConnected(ClusterId::in_cluster(), as_cluster("another")));
        let kind = GroupKind::new("", "ConfigMap");
        let cluster = ClusterId::in_cluster();
        run.handle(Event::Relisted {
            cluster,
            kind,
            objects: Vec::new(),
        });
        run.push(maps(0..2));
        run.settle(MINUTE);
        assert_eq!(run.rig.cluster.history.len(), writes, "{}", run.log.join("\n"));
        let sentence = run.rig.resource["status"]["conditions"].to_string();
        assert!(
            sentence.contains("another cluster answers at its address"),
            "{sentence}"
        );
        run.handle(Event::ClusterConnected(ClusterId::in_cluster(), as_cluster("cluster")));
        run.settle(MINUTE);
        assert_settled(&run, 2);
    }
}

mod kill_switch {
    use super::*;

    fn everywhere() -> Pause {
        Pause {
            all: Some("incident 7".into()),
            ..Pause::default()
        }
    }

    #[test]
    fn a_pause_holds_and_its_end_lets_go() {
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
    fn a_project_and_an_application_are_paused_by_annotation() {
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
    fn a_pause_holds_at_once() {
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
    fn a_person_s_sync_passes_and_a_cascade_waits() {
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

    /// Every delete says by which commit, of which objects, and why no rule holds it.
    #[test]
    fn every_delete_has_its_grounds_in_the_journal() {
        let run = pushed(maps(0..3), maps(0..2));
        let line = "prune ConfigMap/prod/m02: Blocked → Deleting — 00002cc → objects ";
        assert!(run.journal().contains(line), "{}", run.journal());
        assert!(run.journal().contains("→ no rule holds it"), "{}", run.journal());
    }
}

mod contended {
    use super::*;

    fn fight(run: &mut Run, times: usize) {
        let key = ResourceKey::new("", "ConfigMap", "prod", "a");
        for n in 0..times {
            run.edit(&key, &["data", "v"], json!(format!("theirs {n}")), "operator");
            run.settle(Duration::from_secs(1));
            run.rig.now = run.rig.now + Duration::from_secs(301);
            run.handle_timeout();
            run.settle(Duration::from_secs(1));
        }
    }

    fn repairs(run: &Run) -> usize {
        run.journal()
            .matches("drift ConfigMap/prod/a: OutOfSync → Applying")
            .count()
    }

    #[test]
    fn a_field_that_somebody_keeps_changing_is_left_to_them_and_they_are_named() {
        for settings in [Settings::default(), argo()] {
            let mut run = Rig::new(vec![config("a", 0, "1")]).start_with(settings, Vec::new());
            run.settle(MINUTE);
            fight(&mut run, 14);
            assert_eq!(repairs(&run), 10, "{}", run.journal());
            let conditions = run.rig.resource["status"]["conditions"].to_string();
            assert!(
                conditions.contains("Contended") && conditions.contains("data.v is left to operator"),
                "{conditions}"
            );
            sync_by_hand(&mut run);
            assert_settled(&run, 1);
            assert_eq!(run.rig.cluster.objects.values().next().unwrap()["data"]["v"], "1");
        }
    }
}
