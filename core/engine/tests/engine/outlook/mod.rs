//! What a plan says of a cluster before a push, held against what the engine then does: everything that is written or deleted was foreseen,
//! and everything that was foreseen happens. What happened is read off the cluster's own history; nothing of the outlook's code is asked.

mod generate;
mod prepare;
mod read;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use capstan_engine::plan::{Aside, Change, ChangeKind, Course, Outlook, OutlookRequest, Plan, SyncTask, TaskAction};
use capstan_engine::{Event, Settings};
use capstan_model::{AppProject, ResourceKey};
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestRunner};
use serde_json::Value;

use self::generate::{Case, case};
use self::read::{Reads, read};
use crate::cluster::{Fact, discovery};
use crate::rig::{Rig, Run};

const MINUTE: Duration = Duration::from_secs(60);

/// What was done to which object.
#[derive(Debug, Default)]
struct Done {
    written: BTreeSet<ResourceKey>,
    deleted: BTreeSet<ResourceKey>,
}

fn done(run: &Run, since: usize) -> Done {
    let mut done = Done::default();
    for fact in &run.rig.cluster.history[since..] {
        match fact {
            Fact::Written { key, .. } => drop(done.written.insert(key.clone())),
            Fact::Deleted { key } => drop(done.deleted.insert(key.clone())),
            Fact::Observed { .. } | Fact::HandedOver { .. } => {}
        }
    }
    done
}

/// What a person sees of an object: all but what the server and its controllers keep.
fn shown(object: Option<&Value>) -> Option<Value> {
    let mut object = object?.clone();
    object.as_object_mut()?.remove("status");
    let metadata = object["metadata"].as_object_mut()?;
    metadata.retain(|field, _| !matches!(field.as_str(), "resourceVersion" | "managedFields" | "generation"));
    Some(object)
}

/// What was seen over all cases.
type Seen = RefCell<BTreeMap<String, usize>>;

fn foresee(case: &Case, rig: &Rig, reads: &Reads) -> Outlook {
    Outlook::new(&OutlookRequest {
        plan: &reads.plan,
        targets: &reads.targets,
        live: &reads.live,
        contents: &reads.contents,
        discovery: &discovery(),
        application: &reads.application,
        project: Ok(case.project().as_ref()),
        options: &reads.application.spec.sync_policy.options(),
        pause: &case.pause(),
        settings: &case.settings(),
        by_person: case.by_person,
        now: rig.now,
    })
}

fn check(case: &Case, seen: &Seen) -> Result<(), TestCaseError> {
    let rig = case.prepare();
    let reads = read(&rig, case);
    let (project, settings, pause) = (case.project(), case.settings(), case.pause());
    let outlook = foresee(case, &rig, &reads);
    // The same objects again are no sync, but drift.
    prop_assume!(is_news(&rig, &reads) || case.by_person);
    let (before, since) = (rig.cluster.objects.clone(), rig.cluster.history.len());
    let mut run = started(rig, settings, project);
    run.handle(Event::DeletesPaused(pause));
    run.settle(MINUTE);
    let done = done(&run, since);
    let story = || {
        format!(
            "{}\n{done:#?}\n{}\n{}",
            reads.plan.text(Some(&outlook), &Aside::default()),
            run.rig.status("/operationState/message"),
            run.journal()
        )
    };
    let note = |what: String| *seen.borrow_mut().entry(what).or_default() += 1;
    note(course(outlook.course()).to_owned());
    if !matches!(outlook.course(), Course::Goes | Course::Fails(_)) {
        prop_assert!(
            done.written.is_empty() && done.deleted.is_empty(),
            "something was done: {}",
            story()
        );
        return Ok(());
    }
    let mut foreseen = BTreeSet::new();
    for (node, task) in reads.plan.tasks() {
        let change = outlook.change(node).unwrap();
        rule_of(change)
            .into_iter()
            .chain([change.kind.to_string()])
            .for_each(note);
        foreseen.insert(&task.key);
        let (was, is) = (before.get(&task.key), run.rig.cluster.objects.get(&task.key));
        let holds = happened(case, &outlook, &reads.plan, (task, change), &done, (was, is));
        prop_assert!(holds, "{} {}: {}", change.kind, task.key, story());
    }
    for key in done.written.iter().chain(&done.deleted) {
        prop_assert!(foreseen.contains(key), "{key} was not foreseen: {}", story());
    }
    Ok(())
}

/// A new process, of which a sync is asked for when it knows the projects.
fn started(mut rig: Rig, settings: Settings, project: Option<AppProject>) -> Run {
    let operation = rig.resource["operation"].take();
    let mut run = rig.start_with(settings, Vec::new());
    if let Some(project) = project {
        run.handle(Event::ProjectObserved(Box::new(project)));
    }
    run.rig.resource["operation"] = operation;
    run.observe_application();
    run
}

/// Are these other objects than those of the last sync?
fn is_news(rig: &Rig, reads: &Reads) -> bool {
    let told = rig.resource["status"]["operationState"]["operation"]["info"].to_string();
    !told.contains(&reads.targets.digest().to_string())
}

/// What of the rules is to be seen in the cases.
fn rule_of(change: &Change) -> Option<String> {
    let mut rules = ["is declared in it", "of its kind is declared", "ordinary object"].into_iter();
    let rule = rules.find(|rule| change.why.contains(rule))?;
    Some(format!("{}: {rule}", change.kind))
}

fn course(course: &Course) -> &'static str {
    match course {
        Course::Goes => "goes",
        Course::Idle(_) => "idle",
        Course::Unknown(_) => "not known",
        Course::Fails(_) => "fails",
        Course::Refused(why) if why.contains("no matches for kind") => "refused: not served",
        Course::Refused(why) if why.contains("FailOnSharedResource") => "refused: shared",
        Course::Refused(why) if why.contains("declares nothing") => "refused: wipes",
        Course::Refused(why) if why.contains("there is no AppProject") => "refused: no project",
        Course::Refused(why) if why.contains("kind ") => "refused: kind",
        Course::Refused(_) => "refused: destination",
    }
}

/// Did just what was said happen to the object of one task?
fn happened(
    case: &Case,
    outlook: &Outlook,
    plan: &Plan,
    (task, change): (&SyncTask, &Change),
    done: &Done,
    (was, is): (Option<&Value>, Option<&Value>),
) -> bool {
    let key = &task.key;
    let (written, deleted) = (done.written.contains(key), done.deleted.contains(key));
    let is_same = shown(was) == shown(is);
    // A hook before everything else that waits or fails: nothing after it is done.
    if is_stuck(outlook, plan) && is_same && !written && !deleted {
        return true;
    }
    match change.kind {
        ChangeKind::Create => was.is_none() && written && !deleted && is.is_some(),
        ChangeKind::Update => was.is_some() && written && !deleted && is.is_some(),
        // A person's sync writes everything.
        ChangeKind::Unchanged => {
            let is_rewritten = case.by_person && matches!(task.action, TaskAction::Apply | TaskAction::CreateNamespace);
            is_same && !deleted && (!written || is_rewritten)
        }
        ChangeKind::Run => written && is.is_some(),
        ChangeKind::Wait => was.is_none() && !written && is.is_none(),
        ChangeKind::Delete => deleted && !written && is.is_none() || !deleted && is_same && waits(outlook, plan, key),
        ChangeKind::Keep | ChangeKind::Hold => is_same && !written && !deleted,
        ChangeKind::Withhold | ChangeKind::Fail | ChangeKind::Unknown => false,
    }
}

fn is_stuck(outlook: &Outlook, plan: &Plan) -> bool {
    plan.tasks().any(|(node, task)| {
        let kind = outlook.change(node).unwrap().kind;
        matches!(task.action, TaskAction::Hook(_)) && matches!(kind, ChangeKind::Wait | ChangeKind::Fail)
    })
}

/// Is something waited for that comes before the delete? Every delete comes after the applies, and what holds others after what it holds.
fn waits(outlook: &Outlook, plan: &Plan, key: &ResourceKey) -> bool {
    let holds_others = matches!(key.kind.as_str(), "Namespace" | "CustomResourceDefinition");
    plan.tasks().any(|(node, task)| {
        let change = outlook.change(node).unwrap();
        let goes = change.why.contains("being deleted already") || change.why.starts_with("Prune=confirm");
        change.kind == ChangeKind::Wait || holds_others && task.action == TaskAction::Prune && goes
    })
}

#[test]
fn what_is_foreseen_is_what_happens() {
    let seen = Seen::default();
    let config = ProptestConfig {
        // So many that every way to refuse is met.
        cases: ProptestConfig::default().cases.max(512),
        max_global_rejects: 1_000_000,
        max_shrink_iters: 300,
        ..ProptestConfig::default()
    };
    let mut runner = TestRunner::new(config);
    if let Err(failed) = runner.run(&case(), |case| check(&case, &seen)) {
        panic!("{failed}");
    }
    let seen = seen.into_inner();
    for what in [
        "goes",
        "idle",
        "refused: not served",
        "refused: shared",
        "refused: wipes",
        "refused: no project",
        "refused: kind",
        "refused: destination",
        "create",
        "update",
        "unchanged",
        "run",
        "wait",
        "delete",
        "keep",
        "hold",
        "keep: is declared in it",
        "keep: of its kind is declared",
        "run: ordinary object",
        "fail: ordinary object",
    ] {
        assert!(
            seen.get(what).is_some_and(|count| *count > 0),
            "{what} was not seen: {seen:?}"
        );
    }
}
