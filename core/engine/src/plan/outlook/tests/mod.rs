//! What a plan says of a cluster, case by case.

mod course;
mod prunes;

use std::sync::Arc;

use capstan_model::annotations::TRACKING_ID;
use capstan_model::tracking::tracking_id;
use capstan_model::{
    ApplicationCondition, ClusterId, ConditionType, GroupVersionKind, ManagedNamespaceMetadata, Manifest,
    ProjectResource, ResourceIgnoreDifferences, SourceLocation, SyncPolicyAutomated,
};
use serde_json::json;

use super::*;
use crate::event::ServedKind;
use crate::plan::{Aside, PlanRequest, PruneItem};
use crate::settings::Guards;
use crate::targets::TargetContext;

/// An application, what it declares, and what the cluster has.
struct Story {
    declared: Vec<Value>,
    live: BTreeMap<ResourceKey, LiveObject>,
    gone: Vec<ResourceKey>,
    ignored: Vec<ResourceIgnoreDifferences>,
    options: Vec<&'static str>,
    by_person: bool,
    is_automated: bool,
    prunes: bool,
    allow_empty: bool,
    metadata: Option<ManagedNamespaceMetadata>,
    annotations: BTreeMap<String, String>,
    conditions: Vec<ApplicationCondition>,
    pause: Pause,
    project: Option<Result<AppProject, &'static str>>,
    settings: Settings,
    contents: BTreeMap<ResourceKey, Result<Vec<Content>, String>>,
}

impl Default for Story {
    fn default() -> Self {
        Self {
            declared: Vec::new(),
            live: BTreeMap::new(),
            gone: Vec::new(),
            ignored: Vec::new(),
            options: Vec::new(),
            by_person: false,
            is_automated: true,
            prunes: true,
            allow_empty: false,
            metadata: None,
            annotations: BTreeMap::new(),
            conditions: Vec::new(),
            pause: Pause::default(),
            project: None,
            settings: Settings::default(),
            contents: BTreeMap::new(),
        }
    }
}

fn now() -> Timestamp {
    Timestamp::from_seconds(1_773_478_800)
}

/// What the cluster serves: a little of everything, and Widgets at v1 only where asked.
fn discovery(widgets: bool) -> Discovery {
    let mut discovery = Discovery::default();
    for (group, kind, namespaced) in [
        ("", "ConfigMap", true),
        ("", "Secret", true),
        ("", "PersistentVolumeClaim", true),
        ("", "Namespace", false),
        ("apiextensions.k8s.io", "CustomResourceDefinition", false),
        ("a.io", "Widget", true),
    ] {
        let served = ServedKind {
            version: "v1".into(),
            versions: vec!["v1".into()],
            plural: format!("{}s", kind.to_lowercase()),
            namespaced,
            watchable: true,
        };
        if widgets || kind != "Widget" {
            discovery.kinds.insert(GroupKind::new(group, kind), served);
        }
    }
    discovery
}

fn shop() -> ApplicationId {
    ApplicationId::new("argocd", "shop")
}

fn key(kind: &str, name: &str) -> ResourceKey {
    ResourceKey::new("", kind, if kind == "Namespace" { "" } else { "n" }, name)
}

fn map(name: &str, value: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "n"}, "data": {"k": value}})
}

/// `object` as the cluster has it, tracked by `application`.
fn tracked(mut object: Value, application: &ApplicationId, key: &ResourceKey, options: &str) -> LiveObject {
    object["metadata"]["annotations"] = json!({TRACKING_ID: tracking_id(application, "argocd", "n", key)});
    if !options.is_empty() {
        object["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] = json!(options);
    }
    LiveObject::Present(Box::new(object))
}

impl Story {
    fn has(mut self, object: Value) -> Self {
        let key = key(
            object["kind"].as_str().expect("a kind"),
            object["metadata"]["name"].as_str().expect("a name"),
        );
        self.live.insert(key.clone(), tracked(object, &shop(), &key, ""));
        self
    }

    /// Something of the application that is no longer declared.
    fn had(mut self, kind: &str, name: &str, options: &str) -> Self {
        let key = key(kind, name);
        let object = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}});
        self.live.insert(key.clone(), tracked(object, &shop(), &key, options));
        self.gone.push(key);
        self
    }

    fn declares(mut self, object: Value) -> Self {
        self.declared.push(object);
        self
    }

    fn targets(&self) -> Targets {
        let manifests = self.declared.iter().map(|object| {
            let location = SourceLocation {
                file: "x.yaml".into(),
                line: 1,
            };
            Manifest::parse(object.clone(), location).expect("a manifest")
        });
        let context = TargetContext {
            application: shop(),
            control_namespace: "argocd".into(),
            destination_namespace: "n".into(),
            namespaced: Arc::new(BTreeMap::from([(key("Namespace", "").group_kind(), false)])),
            ..TargetContext::default()
        };
        Targets::prepare(manifests.collect(), &context, "Directory").expect("targets")
    }

    fn plan(&self, targets: &Targets, options: &SyncOptions) -> Plan {
        let prune = self.gone.iter().map(|key| PruneItem {
            key: key.clone(),
            gvk: GroupVersionKind::from_api_version("v1", &key.kind),
            wave: 0,
            last: false,
        });
        Plan::new(&PlanRequest {
            targets,
            prune: &prune.collect::<Vec<_>>(),
            hooks: true,
            selection: &[],
            options,
            destination_namespace: "n",
            create_namespace: options.create_namespace == Some(true),
            hook_suffix: "1",
            guards: Guards::default(),
        })
        .expect("a plan")
    }

    fn application(&self) -> Application {
        let mut application = Application::default();
        (application.metadata.namespace, application.metadata.name) = ("argocd".into(), "shop".into());
        application.metadata.annotations.clone_from(&self.annotations);
        application.status.conditions.clone_from(&self.conditions);
        let spec = &mut application.spec;
        spec.destination.server = ClusterId::IN_CLUSTER.into();
        spec.destination.namespace = "n".into();
        spec.ignore_differences.clone_from(&self.ignored);
        spec.sync_policy.managed_namespace_metadata.clone_from(&self.metadata);
        spec.sync_policy.automated = self.is_automated.then_some(SyncPolicyAutomated {
            prune: self.prunes,
            allow_empty: self.allow_empty,
            ..SyncPolicyAutomated::default()
        });
        application
    }

    fn course(&self) -> Course {
        self.with(|_, outlook| outlook.course().clone())
    }

    /// It is refused, and says so everywhere; no task does anything.
    fn assert_refused(&self, why: &str) {
        let Course::Refused(found) = self.course() else {
            panic!("it goes: {:?}", self.course());
        };
        assert!(found.contains(why), "{found}");
        let headline = format!("the sync would be refused: {found}; nothing would be written");
        self.with(|plan, outlook| {
            let (text, json) = (
                plan.text(Some(outlook), &Aside::default()),
                plan.json(Some(outlook), &Aside::default()),
            );
            assert!(text.starts_with(&headline), "{text}");
            assert_eq!(json["sync"], json!({"course": "refused", "why": found}));
            let quoted = headline.replace('"', "\\\"");
            assert!(
                plan.dot(Some(outlook), &Aside::default()).contains(&quoted),
                "{}",
                plan.dot(Some(outlook), &Aside::default())
            );
            assert!(
                plan.svg(Some(outlook), &Aside::default())
                    .contains("the sync would be refused: ")
            );
            let does = |kind: &ChangeKind| {
                matches!(
                    kind,
                    ChangeKind::Create | ChangeKind::Update | ChangeKind::Run | ChangeKind::Delete
                )
            };
            assert!(!outlook.counts().keys().any(does), "{text}");
        });
    }

    fn with<T>(&self, look: impl FnOnce(&Plan, &Outlook) -> T) -> T {
        let targets = self.targets();
        let options = SyncOptions::parse(self.options.iter().copied());
        let plan = self.plan(&targets, &options);
        let application = self.application();
        let widgets = self
            .live
            .keys()
            .any(|key| key.kind == "Widget" && self.live[key] != LiveObject::NotServed);
        let outlook = Outlook::new(&OutlookRequest {
            plan: &plan,
            targets: &targets,
            live: &self.live,
            contents: &self.contents,
            discovery: &discovery(widgets),
            application: &application,
            project: match &self.project {
                None => Ok(None),
                Some(Ok(project)) => Ok(Some(project)),
                Some(Err(why)) => Err(why),
            },
            options: &options,
            pause: &self.pause,
            settings: &self.settings,
            by_person: self.by_person,
            now: now(),
        });
        look(&plan, &outlook)
    }

    /// Of one object.
    fn change(&self, kind: &str, name: &str) -> Change {
        let key = key(kind, name);
        self.with(|plan, outlook| {
            let node = plan.tasks().find(|(_, task)| task.key == key).expect("a task").0;
            outlook.change(node).expect("a change").clone()
        })
    }

    fn kind(&self, kind: &str, name: &str) -> ChangeKind {
        self.change(kind, name).kind
    }
}

#[test]
fn what_is_declared_is_made_changed_or_left() {
    let mut story = Story::default()
        .declares(map("new", "1"))
        .declares(map("same", "1"))
        .has(map("same", "1"))
        .declares(map("other", "2"))
        .has(map("other", "1"))
        .declares(map("unread", "1"));
    story.live.insert(key("ConfigMap", "new"), LiveObject::Absent);
    assert_eq!(story.kind("ConfigMap", "new"), ChangeKind::Create);
    assert_eq!(story.kind("ConfigMap", "same"), ChangeKind::Unchanged);
    let change = story.change("ConfigMap", "other");
    assert_eq!(
        (change.kind, change.fields[0].path.as_str()),
        (ChangeKind::Update, "data.k")
    );
    assert_eq!(
        story.kind("ConfigMap", "unread"),
        ChangeKind::Unknown,
        "not read is not absent"
    );
    let why = LiveObject::Unread("forbidden".into());
    story.live.insert(key("ConfigMap", "new"), why);
    assert_eq!(
        story.change("ConfigMap", "new"),
        Change::new(ChangeKind::Unknown, "forbidden")
    );
}

#[test]
fn an_object_of_another_application_is_said_to_be_taken_over() {
    let mut story = Story::default().declares(map("a", "1"));
    let key = key("ConfigMap", "a");
    let other = ApplicationId::new("team", "blog");
    story.live.insert(key.clone(), tracked(map("a", "1"), &other, &key, ""));
    let change = story.change("ConfigMap", "a");
    assert_eq!(change.kind, ChangeKind::Update, "its tracking id differs");
    assert!(change.why.contains("team/blog"), "{}", change.why);
    story.options.push("FailOnSharedResource=true");
    story = story.declares(map("new", "1"));
    story.live.insert(self::key("ConfigMap", "new"), LiveObject::Absent);
    assert_eq!(story.kind("ConfigMap", "a"), ChangeKind::Fail);
    story.assert_refused("ConfigMap/n/a belongs to application team/blog");
    story.live.insert(key, LiveObject::Unread("forbidden".into()));
    assert!(matches!(story.course(), Course::Unknown(why) if why.contains("FailOnSharedResource")));
}

#[test]
fn a_kind_that_is_not_served_comes_with_its_definition_or_not_at_all() {
    let widget = json!({"apiVersion": "a.io/v1", "kind": "Widget", "metadata": {"name": "w", "namespace": "n"}});
    let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "widgets.a.io"},
        "spec": {"group": "a.io", "names": {"kind": "Widget", "plural": "widgets"}}});
    let mut story = Story::default().declares(widget);
    let key = ResourceKey::new("a.io", "Widget", "n", "w");
    story.live.insert(key.clone(), LiveObject::NotServed);
    let of_widget = |story: &Story| {
        story.with(|plan, outlook| {
            let node = plan.tasks().find(|(_, task)| task.key == key).expect("a task").0;
            outlook.change(node).expect("a change").kind
        })
    };
    assert_eq!(of_widget(&story), ChangeKind::Fail);
    story.assert_refused("no matches for kind \"Widget\" in version \"a.io/v1\"");
    story.options.push("SkipDryRunOnMissingResource=true");
    assert_eq!((of_widget(&story), story.course()), (ChangeKind::Wait, Course::Goes));
    story = story.declares(definition);
    assert_eq!((of_widget(&story), story.course()), (ChangeKind::Create, Course::Goes));
}

#[test]
fn an_object_that_is_being_deleted_is_made_anew() {
    let mut dying = map("a", "1");
    dying["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    let story = Story::default().declares(map("a", "1")).has(dying);
    assert_eq!(story.kind("ConfigMap", "a"), ChangeKind::Create);
}

#[test]
fn fields_that_do_not_count_are_told_apart() {
    let mut story = Story::default().declares(map("a", "2")).has(map("a", "1"));
    story.ignored.push(ResourceIgnoreDifferences {
        kind: "ConfigMap".into(),
        json_pointers: vec!["/data/k".into()],
        ..ResourceIgnoreDifferences::default()
    });
    let change = story.change("ConfigMap", "a");
    assert_eq!(
        (change.kind, change.fields.len(), change.ignored.len()),
        (ChangeKind::Unchanged, 0, 1)
    );
}

#[test]
fn hooks_run_and_say_what_becomes_of_the_last_run() {
    let hook = |phase: &str| {
        let mut job = map(&phase.to_lowercase(), "1");
        job["metadata"]["annotations"] = json!({"argocd.argoproj.io/hook": phase});
        job
    };
    let mut story = Story::default()
        .declares(hook("PreSync"))
        .declares(hook("SyncFail"))
        .has(map("presync", "1"));
    story.live.insert(key("ConfigMap", "syncfail"), LiveObject::Absent);
    let ordinary = story.change("ConfigMap", "presync");
    assert_eq!(ordinary.kind, ChangeKind::Run);
    assert!(
        ordinary.why.contains("an ordinary object, which is deleted first"),
        "{}",
        ordinary.why
    );
    story.prunes = false;
    let kept = story.change("ConfigMap", "presync");
    assert!(
        kept.kind == ChangeKind::Fail && kept.why.contains("sync with prune"),
        "{kept:?}"
    );
    let Some(LiveObject::Present(live)) = story.live.get_mut(&key("ConfigMap", "presync")) else {
        panic!("it is there")
    };
    live["metadata"]["annotations"]["argocd.argoproj.io/hook"] = json!("PreSync");
    let run = story.change("ConfigMap", "presync");
    assert!(
        run.kind == ChangeKind::Run && run.why.contains("last run is deleted first"),
        "{run:?}"
    );
    assert!(
        story
            .change("ConfigMap", "syncfail")
            .why
            .contains("only when the sync fails")
    );
}

#[test]
fn a_hook_that_holds_things_is_said_to_be_written_over() {
    let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "n",
        "annotations": {"argocd.argoproj.io/hook": "PreSync"}}});
    let mut story = Story::default().declares(claim.clone()).has(claim);
    let Some(LiveObject::Present(live)) = story.live.get_mut(&key("PersistentVolumeClaim", "data")) else {
        panic!("it is there")
    };
    live["metadata"]["annotations"]["argocd.argoproj.io/hook"] = json!("PreSync");
    let change = story.change("PersistentVolumeClaim", "data");
    assert!(
        change.kind == ChangeKind::Run && change.why.contains("it is written over"),
        "{change:?}"
    );
}

#[test]
fn text_and_json_say_it() {
    let mut secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "n"}, "data": {"k": "b2xk"}});
    let live = secret.clone();
    secret["data"]["k"] = json!("bmV3");
    let mut story = Story::default()
        .declares(secret)
        .has(live)
        .declares(map("new", "1"))
        .had("ConfigMap", "old", "");
    story.options.push("CreateNamespace=true");
    story.live.insert(key("ConfigMap", "new"), LiveObject::Absent);
    story.live.insert(key("Namespace", "n"), LiveObject::Absent);
    let (text, json) = story.with(|plan, outlook| {
        (
            plan.text(Some(outlook), &Aside::default()),
            plan.json(Some(outlook), &Aside::default()),
        )
    });
    insta::assert_snapshot!(text, @r#"
    Sync wave 0
      create Namespace/n
          not in the cluster
      create ConfigMap/n/new (x.yaml:1) after Namespace/n (Namespace)
          not in the cluster
      update Secret/n/s (x.yaml:1) after Namespace/n (Namespace)
          data.k: Git "++++++++" live "++++++++ (another value)"
    Sync wave 0, prune
      delete ConfigMap/n/old
          the application tracks it, and nothing declares it

    2 create, 1 update, 1 delete
    "#);
    assert_eq!(json["counts"], json!({"create": 2, "update": 1, "delete": 1}));
    assert_eq!(json["tasks"][3]["change"], "Delete");
    assert_eq!(json["tasks"][2]["fields"][0]["path"], "data.k");
    assert!(!json.to_string().contains("bmV3"), "a Secret's value");
}

#[test]
fn a_namespace_whose_labels_differ_is_written() {
    let mut live = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n", "labels": {"team": "a"}}});
    let mut story = Story::default();
    story.options.push("CreateNamespace=true");
    let change = |story: &mut Story, live: &Value| {
        story
            .live
            .insert(key("Namespace", "n"), LiveObject::Present(Box::new(live.clone())));
        story.kind("Namespace", "n")
    };
    assert_eq!(change(&mut story, &live), ChangeKind::Unchanged);
    story.metadata = Some(ManagedNamespaceMetadata {
        labels: BTreeMap::from([("team".into(), "b".into())]),
        ..ManagedNamespaceMetadata::default()
    });
    assert_eq!(change(&mut story, &live), ChangeKind::Update);
    live["metadata"]["labels"]["team"] = json!("b");
    // Somebody else's label: it becomes ours.
    assert_eq!(change(&mut story, &live), ChangeKind::Update);
    live["metadata"]["managedFields"] =
        json!([{"manager": "capstan", "operation": "Apply", "fieldsV1": {"f:metadata": {"f:labels": {"f:team": {}}}}}]);
    assert_eq!(change(&mut story, &live), ChangeKind::Unchanged);
    story.metadata = None;
    assert_eq!(
        change(&mut story, &live),
        ChangeKind::Unchanged,
        "another application may keep it"
    );
}
