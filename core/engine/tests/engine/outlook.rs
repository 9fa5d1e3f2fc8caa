//! What a plan says of a cluster before a push, held against what the engine then does: everything that is written or deleted was foreseen,
//! and everything that was foreseen happens. What happened is read off the cluster's own history; nothing of the outlook's code is asked.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use capstan_engine::event::KindLookup;
use capstan_engine::guard::{Content, Pause, Survey, survey};
use capstan_engine::plan::{
    Change, ChangeKind, Course, LiveObject, Outlook, OutlookRequest, Plan, PlanRequest, PruneItem, SyncTask, TaskAction,
};
use capstan_engine::settings::Guards;
use capstan_engine::targets::{TargetContext, Targets};
use capstan_engine::{Event, Settings};
use capstan_model::{AppProject, Application, GroupKind, GroupVersionKind, ObjectMeta, ProjectResource, ResourceKey};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{TestCaseError, TestRunner};
use serde_json::{Value, json};

use crate::cluster::{Fact, discovery, key_of};
use crate::rig::{Rig, Run, id, targets};

const MINUTE: Duration = Duration::from_secs(60);

/// One declared object.
#[derive(Clone, Copy, Debug)]
struct Item {
    kind: &'static str,
    name: u8,
    value: u8,
    option: &'static str,
}

/// What somebody else does to the n-th live object before the push.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Edit(u8),
    Remove(u8),
    /// Another application tracks it now.
    Steal(u8),
    /// It is being deleted, and something holds it.
    Doom(u8),
    /// It has an owner.
    Own(u8),
    /// Somebody's object in the namespace that the application may have.
    Squat,
    /// The destination namespace exists, with this label.
    Found(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Project {
    Permissive,
    ForbidsSecrets,
    ForbidsNamespaces,
    ForbidsDestination,
    Absent,
}

#[derive(Clone, Debug)]
struct Case {
    /// So many maps more before, and so many of them after.
    bulk: (u8, u8),
    first: Vec<Item>,
    second: Vec<Item>,
    deeds: Vec<Deed>,
    automated: bool,
    prune: bool,
    allow_empty: bool,
    by_person: bool,
    options: Vec<&'static str>,
    /// Labels of the namespace.
    metadata: bool,
    project: Project,
    pause: bool,
    protects_secrets: bool,
    /// The installation got a name.
    is_named: bool,
}

const KINDS: [&str; 12] = [
    "ConfigMap",
    "ConfigMap",
    "ConfigMap",
    "Secret",
    "PersistentVolumeClaim",
    "Namespace",
    "Namespace",
    "Definition",
    "Thing",
    "Away",
    "Deployment",
    "Hook",
];
const OBJECT_OPTIONS: [&str; 8] = [
    "",
    "",
    "",
    "",
    "Prune=false",
    "Prune=confirm",
    "Prune=true",
    "Prune=true",
];
const OPTIONS: [&str; 9] = [
    "Prune=false",
    "Prune=confirm",
    "FailOnSharedResource=true",
    "FailOnSharedResource=true",
    "CreateNamespace=true",
    "CreateNamespace=true",
    "MaxPruneCount=1",
    "MaxPrunePercentage=100",
    "MaxPrunePercentage=100",
];

fn item() -> impl Strategy<Value = Item> {
    (select(&KINDS[..]), 0u8..3, 0u8..3, select(&OBJECT_OPTIONS[..])).prop_map(|(kind, name, value, option)| Item {
        kind,
        name,
        value,
        option,
    })
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        2 => any::<u8>().prop_map(Deed::Edit),
        2 => any::<u8>().prop_map(Deed::Remove),
        2 => any::<u8>().prop_map(Deed::Steal),
        1 => any::<u8>().prop_map(Deed::Doom),
        1 => any::<u8>().prop_map(Deed::Own),
        1 => Just(Deed::Squat),
        1 => (0u8..2).prop_map(Deed::Found),
    ]
}

/// What stays of the first objects, some of it changed, and what is new. Of a kind that nobody serves now and then.
fn second(first: Vec<Item>) -> impl Strategy<Value = Vec<Item>> {
    let kept = vec(
        prop_oneof![4 => Just(None), 2 => Just(Some(true)), 3 => Just(Some(false))],
        first.len(),
    );
    let new = vec(item(), 0..4);
    let widget = prop_oneof![8 => Just(None), 1 => Just(Some("")), 1 => Just(Some("SkipDryRunOnMissingResource=true"))];
    (kept, new, widget).prop_map(move |(kept, new, widget)| {
        let stays = first.iter().zip(kept).filter_map(|(item, change)| match change {
            None => Some(*item),
            Some(true) => Some(Item {
                value: (item.value + 1) % 3,
                ..*item
            }),
            Some(false) => None,
        });
        let widget = widget.map(|option| Item {
            kind: "Widget",
            name: 0,
            value: 0,
            option,
        });
        stays.chain(new).chain(widget).collect()
    })
}

fn case() -> impl Strategy<Value = Case> {
    let bulk = prop_oneof![
        3 => Just((0, 0)), 1 => (10u8..13).prop_map(|n| (n, 0)), 1 => (20u8..23, 8u8..11), 1 => (1u8..6).prop_map(|n| (n, n)),
    ];
    let objects = prop_oneof![
        9 => vec(item(), 0..7).prop_flat_map(|first| (Just(first.clone()), second(first))),
        1 => vec(item(), 1..5).prop_map(|first| (first, Vec::new())),
    ];
    let project = prop_oneof![
        12 => Just(Project::Permissive), 2 => Just(Project::ForbidsSecrets), 1 => Just(Project::ForbidsNamespaces),
        1 => Just(Project::ForbidsDestination), 1 => Just(Project::Absent),
    ];
    let often = prop::bool::weighted;
    let policy = (
        often(0.85),
        often(0.8),
        any::<bool>(),
        often(0.25),
        vec(select(&OPTIONS[..]), 0..3),
        any::<bool>(),
    );
    let rest = (project, often(0.1), often(0.2), often(0.1));
    (bulk, objects, vec(deed(), 0..5), policy, rest).prop_map(|(bulk, (first, second), deeds, policy, rest)| {
        let (automated, prune, allow_empty, by_person, options, metadata) = policy;
        let (project, pause, protects_secrets, is_named) = rest;
        Case {
            bulk,
            first,
            second,
            deeds,
            automated,
            prune,
            allow_empty,
            by_person,
            options,
            metadata,
            project,
            pause,
            protects_secrets,
            is_named,
        }
    })
}

impl Item {
    fn object(self) -> Value {
        let Self {
            kind,
            name,
            value,
            option,
        } = self;
        let (api, kind, namespace, name) = match kind {
            "Namespace" => (
                "v1",
                kind,
                "",
                ["team", "kube-public", "other"][usize::from(name)].to_owned(),
            ),
            "Definition" => (
                "apiextensions.k8s.io/v1",
                "CustomResourceDefinition",
                "",
                "things.a.io".to_owned(),
            ),
            "Thing" => ("a.io/v1", kind, "prod", format!("t{name}")),
            "Widget" => ("b.io/v1", kind, "prod", format!("w{name}")),
            "Away" => ("v1", "ConfigMap", "team", format!("a{name}")),
            "Deployment" => ("apps/v1", kind, "prod", format!("d{name}")),
            "Hook" => ("batch/v1", "Job", "prod", format!("h{name}")),
            kind => ("v1", kind, "prod", format!("n{name}")),
        };
        let mut object = json!({"apiVersion": api, "kind": kind, "metadata": {"name": name}, "spec": {"value": value}});
        if !namespace.is_empty() {
            object["metadata"]["namespace"] = json!(namespace);
        }
        if !option.is_empty() {
            object["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] = json!(option);
        }
        if self.kind == "Hook" {
            object["metadata"]["annotations"]["argocd.argoproj.io/hook"] = json!("PreSync");
        }
        if self.kind == "Definition" {
            object["spec"] = json!({"value": value, "group": "a.io", "names": {"kind": "Thing", "plural": "things"},
                "versions": [{"name": "v1", "served": true}]});
        }
        object
    }
}

impl Case {
    /// Each identity once.
    fn objects(items: &[Item], bulk: u8) -> Vec<Value> {
        let mut seen = BTreeSet::new();
        let bulk = (0..bulk).map(|n| {
            // Some of the many wait for a confirmation.
            let option = if n % 5 == 0 { "Prune=confirm" } else { "" };
            let mut object = Item {
                kind: "ConfigMap",
                name: 0,
                value: 0,
                option,
            }
            .object();
            object["metadata"]["name"] = json!(format!("bulk{n:02}"));
            object
        });
        let objects = items.iter().map(|item| item.object()).chain(bulk);
        objects.filter(|object| seen.insert(key_of(object))).collect()
    }

    /// The cluster and the resource after the first sync, and what others did since, with the second commit pushed.
    fn prepare(&self) -> Rig {
        let rig = Rig::new(Self::objects(&self.first, self.bulk.0));
        let mut run = rig.start(Vec::new());
        run.settle(MINUTE);
        assert!(run.sync().starts_with("Synced"), "{}\n{}", run.sync(), run.journal());
        let mut rig = run.rig;
        let second = Self::objects(&self.second, self.bulk.1);
        let declared: BTreeSet<ResourceKey> = second.iter().map(key_of).collect();
        for deed in &self.deeds {
            act(&mut rig, *deed, &declared);
        }
        let spec = &mut rig.resource["spec"];
        spec["syncPolicy"] = json!({"syncOptions": self.options, "retry": {"limit": 0}});
        if self.automated {
            spec["syncPolicy"]["automated"] = json!({"prune": self.prune, "allowEmpty": self.allow_empty});
        }
        if self.metadata {
            spec["syncPolicy"]["managedNamespaceMetadata"] = json!({"labels": {"v": "1"}});
        }
        spec["project"] = json!("shops");
        if self.by_person {
            rig.resource["operation"] =
                json!({"initiatedBy": {"username": "ada"}, "sync": {"prune": true, "syncOptions": self.options}});
        }
        rig.commit(second);
        rig
    }

    fn project(&self) -> Option<AppProject> {
        let mut project = AppProject::permissive("shops");
        let kind = |kind: &str| ProjectResource {
            kind: kind.into(),
            ..ProjectResource::default()
        };
        match self.project {
            Project::Absent => return None,
            Project::Permissive => {}
            Project::ForbidsSecrets => project.spec.namespace_resource_blacklist = vec![kind("Secret")],
            Project::ForbidsNamespaces => project.spec.cluster_resource_blacklist = vec![kind("Namespace")],
            Project::ForbidsDestination => project.spec.destinations.clear(),
        }
        Some(project)
    }

    fn pause(&self) -> Pause {
        Pause {
            projects: self
                .pause
                .then(|| ("shops".to_owned(), "an incident".to_owned()))
                .into_iter()
                .collect(),
            ..Pause::default()
        }
    }

    fn settings(&self) -> Settings {
        Settings {
            installation_id: if self.is_named { "blue".into() } else { String::new() },
            protected_kinds: self
                .protects_secrets
                .then(|| GroupKind::new("", "Secret"))
                .into_iter()
                .collect(),
            ..Settings::default()
        }
    }
}

fn act(rig: &mut Rig, deed: Deed, declared: &BTreeSet<ResourceKey>) {
    let objects = &mut rig.cluster.objects;
    let all: Vec<ResourceKey> = objects.keys().cloned().collect();
    let keys: Vec<ResourceKey> = all.iter().filter(|key| key.kind != "Job").cloned().collect();
    let pick = |n: u8| keys.get(usize::from(n) % keys.len().max(1)).cloned();
    let undeclared = |n: u8| {
        // A sync waits until the namespace that it goes to is gone, which here it never is.
        let is_undeclared = |key: &&ResourceKey| !declared.contains(*key) && key.name != "prod";
        let keys: Vec<&ResourceKey> = keys.iter().filter(is_undeclared).collect();
        keys.get(usize::from(n) % keys.len().max(1)).map(|key| (*key).clone())
    };
    let planted = |kind: &str, metadata: Value| {
        let mut object = json!({"apiVersion": "v1", "kind": kind, "metadata": metadata});
        for (field, value) in [
            ("resourceVersion", json!("1")),
            ("generation", json!(1)),
            ("managedFields", json!([])),
        ] {
            object["metadata"][field] = value;
        }
        object
    };
    match deed {
        Deed::Edit(n) => {
            if let Some(key) = pick(n) {
                rig.cluster.edit(&key, &["spec", "value"], json!(7), "kubectl-edit");
            }
        }
        Deed::Remove(n) => drop(pick(n).and_then(|key| objects.remove(&key))),
        Deed::Steal(n) => {
            let key = all.get(usize::from(n) % all.len().max(1));
            if let Some(object) = key.and_then(|key| objects.get_mut(key)) {
                let id = object["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"]
                    .as_str()
                    .unwrap_or_default();
                let id = id.replacen("shop:", "blog:", 1);
                object["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"] = json!(id);
            }
        }
        Deed::Doom(n) => {
            if let Some(object) = undeclared(n).and_then(|key| objects.get_mut(&key)) {
                object["metadata"]["deletionTimestamp"] = json!("2026-03-14T09:00:00Z");
                object["metadata"]["finalizers"] = json!(["example.com/held"]);
            }
        }
        Deed::Own(n) => {
            if let Some(object) = undeclared(n).and_then(|key| objects.get_mut(&key)) {
                object["metadata"]["ownerReferences"] =
                    json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "owner"}]);
            }
        }
        Deed::Squat => {
            let object = planted(
                "ConfigMap",
                json!({"name": "theirs", "namespace": "team", "uid": "theirs"}),
            );
            objects.insert(key_of(&object), object);
        }
        Deed::Found(value) => {
            let labels = json!({"v": value.to_string()});
            let object = planted("Namespace", json!({"name": "prod", "uid": "prod", "labels": labels}));
            objects.insert(key_of(&object), object);
        }
    }
}

/// What a plan is made of, read off the cluster and the resource, as somebody outside does it.
struct Reads {
    application: Application,
    targets: Targets,
    plan: Plan,
    live: BTreeMap<ResourceKey, LiveObject>,
    contents: BTreeMap<ResourceKey, Result<Vec<Content>, String>>,
}

fn read(rig: &Rig, case: &Case) -> Reads {
    let application = Application::parse(&rig.resource).unwrap();
    let served = discovery();
    let context = TargetContext {
        application: id(),
        control_namespace: "argocd".into(),
        installation_id: case.settings().installation_id,
        destination_namespace: "prod".into(),
        namespaced: Arc::new(
            served
                .kinds
                .iter()
                .map(|(kind, served)| (kind.clone(), served.namespaced))
                .collect(),
        ),
        ..TargetContext::default()
    };
    let targets = targets(rig.commits.last().unwrap().1.as_ref().unwrap(), &context);
    let declared = |key: &ResourceKey| targets.objects().iter().any(|target| target.key == *key);
    let mut undeclared: Vec<(ResourceKey, String)> = Vec::new();
    for resource in &application.status.resources {
        if !resource.hook && !declared(&resource.key()) {
            undeclared.push((resource.key(), resource.version.clone()));
        }
    }
    let look = |key: &ResourceKey| match rig.cluster.objects.get(key) {
        Some(object) => LiveObject::Present(Box::new(object.clone())),
        None if served.lookup(&key.group_kind()) == KindLookup::NotServed => LiveObject::NotServed,
        None => LiveObject::Absent,
    };
    let namespace = ResourceKey::new("", "Namespace", "", "prod");
    let wanted = targets.objects().iter().map(|target| &target.key);
    let known = undeclared.iter().map(|(key, _)| key);
    let live = wanted
        .chain(known)
        .chain([&namespace])
        .map(|key| (key.clone(), look(key)))
        .collect();
    let items: Vec<PruneItem> = undeclared
        .iter()
        .map(|(key, version)| item_of(rig, key, version))
        .collect();
    let options = application.spec.sync_policy.options();
    let plan = Plan::new(&PlanRequest {
        targets: &targets,
        prune: &items,
        hooks: true,
        selection: &[],
        options: &options,
        destination_namespace: "prod",
        create_namespace: options.create_namespace == Some(true),
        hook_suffix: "1",
        guards: Guards::default(),
    })
    .unwrap();
    let contents = undeclared
        .iter()
        .filter_map(|(key, _)| Some((key.clone(), Ok(within(rig, key)?))))
        .collect();
    Reads {
        application,
        targets,
        plan,
        live,
        contents,
    }
}

fn item_of(rig: &Rig, key: &ResourceKey, version: &str) -> PruneItem {
    let meta = rig.cluster.objects.get(key).map(ObjectMeta::of);
    PruneItem {
        key: key.clone(),
        gvk: GroupVersionKind {
            group: key.group.clone(),
            version: version.to_owned(),
            kind: key.kind.clone(),
        },
        wave: meta.map_or(0, |meta| meta.wave),
        last: false,
    }
}

fn within(rig: &Rig, key: &ResourceKey) -> Option<Vec<Content>> {
    let survey = survey(rig.cluster.objects.get(key)?)?;
    let is_within = |key: &ResourceKey| match &survey {
        Survey::Namespace(name) => key.namespace == *name,
        Survey::Definition { kind, .. } => key.group_kind() == *kind,
    };
    let found = rig.cluster.objects.iter().filter(|(key, _)| is_within(key));
    Some(
        found
            .map(|(key, object)| Content::of(&key.group_kind(), object))
            .collect(),
    )
}

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
            Fact::Observed { .. } => {}
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

fn check(case: &Case, seen: &Seen) -> Result<(), TestCaseError> {
    let rig = case.prepare();
    let reads = read(&rig, case);
    let (project, settings, pause) = (case.project(), case.settings(), case.pause());
    let options = reads.application.spec.sync_policy.options();
    let outlook = Outlook::new(&OutlookRequest {
        plan: &reads.plan,
        targets: &reads.targets,
        live: &reads.live,
        contents: &reads.contents,
        discovery: &discovery(),
        application: &reads.application,
        project: Ok(project.as_ref()),
        options: &options,
        pause: &pause,
        settings: &settings,
        by_person: case.by_person,
        now: rig.now,
    });
    let is_news = !rig.resource["status"]["operationState"]["operation"]["info"]
        .to_string()
        .contains(&reads.targets.digest().to_string());
    // The same objects again are no sync, but drift.
    prop_assume!(is_news || case.by_person);
    let (before, since) = (rig.cluster.objects.clone(), rig.cluster.history.len());
    let mut run = rig.start_with(settings, Vec::new());
    if let Some(project) = project {
        run.handle(Event::ProjectObserved(Box::new(project)));
    }
    run.handle(Event::DeletesPaused(pause));
    run.settle(MINUTE);
    let done = done(&run, since);
    let story = || {
        format!(
            "{}\n{done:#?}\n{}\n{}",
            reads.plan.text(Some(&outlook)),
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
        note(change.kind.to_string());
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
        // A person's sync writes everything, and a namespace that has labels to keep is always written.
        ChangeKind::Unchanged => {
            let is_rewritten =
                case.by_person && task.action == TaskAction::Apply || task.action == TaskAction::CreateNamespace;
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
        "fails",
        "run",
        "wait",
        "delete",
        "keep",
        "hold",
    ] {
        assert!(
            seen.get(what).is_some_and(|count| *count > 1),
            "{what} was not seen: {seen:?}"
        );
    }
}
