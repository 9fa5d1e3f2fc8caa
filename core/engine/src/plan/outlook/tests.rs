//! What a plan says of a cluster, case by case.

use std::sync::Arc;

use capstan_model::annotations::TRACKING_ID;
use capstan_model::tracking::tracking_id;
use capstan_model::{GroupVersionKind, Manifest, SourceLocation};
use serde_json::json;

use super::*;
use crate::plan::{PlanRequest, PruneItem};
use crate::targets::TargetContext;

/// An application, what it declares, and what the cluster has.
#[derive(Default)]
struct Story {
    declared: Vec<Value>,
    live: BTreeMap<ResourceKey, LiveObject>,
    gone: Vec<ResourceKey>,
    ignored: Vec<ResourceIgnoreDifferences>,
    options: Vec<&'static str>,
    by_person: bool,
    keeps: Option<&'static str>,
    paused: Option<&'static str>,
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

    fn with<T>(&self, look: impl FnOnce(&Plan, &Outlook) -> T) -> T {
        let targets = self.targets();
        let options = SyncOptions::parse(self.options.iter().copied());
        let plan = self.plan(&targets, &options);
        let outlook = Outlook::new(&OutlookRequest {
            plan: &plan,
            targets: &targets,
            live: &self.live,
            application: &shop(),
            control_namespace: "argocd",
            ignored: &self.ignored,
            options: &options,
            by_person: self.by_person,
            keeps: self.keeps,
            paused: self.paused,
            protected: &[],
            guards: Guards::default(),
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
    assert_eq!(story.kind("ConfigMap", "a"), ChangeKind::Fail);
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
    story = story.declares(definition);
    assert_eq!(of_widget(&story), ChangeKind::Create);
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
    assert!(
        story
            .change("ConfigMap", "presync")
            .why
            .contains("last run is deleted first")
    );
    assert!(
        story
            .change("ConfigMap", "syncfail")
            .why
            .contains("only when the sync fails")
    );
}

#[test]
fn what_is_not_declared_goes_unless_something_keeps_it() {
    let story = Story::default()
        .declares(map("stays", "1"))
        .has(map("stays", "1"))
        .had("ConfigMap", "old", "")
        .had("ConfigMap", "kept", "Prune=false")
        .had("ConfigMap", "asked", "Prune=confirm")
        .had("PersistentVolumeClaim", "data", "")
        .had("PersistentVolumeClaim", "cache", "Prune=true");
    assert_eq!(story.kind("ConfigMap", "old"), ChangeKind::Delete);
    assert_eq!(story.kind("ConfigMap", "kept"), ChangeKind::Keep);
    assert_eq!(story.kind("ConfigMap", "asked"), ChangeKind::Hold);
    let data = story.change("PersistentVolumeClaim", "data");
    assert_eq!(data.kind, ChangeKind::Hold);
    assert!(data.why.starts_with("ProtectedKind"), "{}", data.why);
    assert_eq!(story.kind("PersistentVolumeClaim", "cache"), ChangeKind::Delete);
}

#[test]
fn a_sync_that_does_not_prune_and_a_pause_delete_nothing() {
    let mut story = Story::default().declares(map("a", "1")).had("ConfigMap", "old", "");
    story.keeps = Some("no pruning");
    assert_eq!(
        story.change("ConfigMap", "old"),
        Change::new(ChangeKind::Keep, "no pruning")
    );
    (story.keeps, story.paused) = (None, Some("an incident"));
    let change = story.change("ConfigMap", "old");
    assert_eq!(
        (change.kind, change.why.as_str()),
        (ChangeKind::Hold, "DeletesPaused: an incident")
    );
}

#[test]
fn what_somebody_else_tracks_now_is_kept_and_what_cannot_be_read_is_unknown() {
    let mut story = Story::default().had("ConfigMap", "old", "");
    let key = key("ConfigMap", "old");
    let other = ApplicationId::new("team", "blog");
    story
        .live
        .insert(key.clone(), tracked(map("old", "1"), &other, &key, ""));
    assert_eq!(story.kind("ConfigMap", "old"), ChangeKind::Keep);
    story.live.insert(key.clone(), LiveObject::Unread("forbidden".into()));
    assert_eq!(story.kind("ConfigMap", "old"), ChangeKind::Unknown);
    story.live.insert(key, LiveObject::Absent);
    assert_eq!(story.kind("ConfigMap", "old"), ChangeKind::Unchanged);
}

#[test]
fn many_deletes_at_once_are_held() {
    let mut story = Story::default().declares(map("a", "1")).has(map("a", "1"));
    for n in 0..10 {
        story = story.had("ConfigMap", &format!("old{n}"), "");
    }
    let change = story.change("ConfigMap", "old3");
    assert_eq!(change.kind, ChangeKind::Hold);
    assert!(change.why.contains("10 of 11 objects"), "{}", change.why);
    story.by_person = true;
    assert_eq!(story.kind("ConfigMap", "old3"), ChangeKind::Delete, "a person's word");
    story.by_person = false;
    story.options.push("MaxPrunePercentage=100");
    assert_eq!(story.kind("ConfigMap", "old3"), ChangeKind::Delete);
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
    let (text, json) = story.with(|plan, outlook| (plan.text(Some(outlook)), plan.json(Some(outlook))));
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
