//! Plans as people see them: every form of them, of one set of objects.

use std::sync::Arc;

use capstan_model::{Application, Manifest, SourceLocation, SyncOptions};
use serde_json::{Value, json};

use super::*;
use crate::plan::{PlanRequest, PruneItem};
use crate::settings::Guards;
use crate::targets::{TargetContext, Targets};

/// An object of a name, with these annotations.
fn object(name: &str, annotations: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "n", "annotations": annotations}})
}

fn hook(name: &str, types: &str, wave: &str) -> Value {
    object(
        name,
        &json!({"argocd.argoproj.io/hook": types, "argocd.argoproj.io/sync-wave": wave}),
    )
}

fn targets(objects: Vec<Value>) -> Targets {
    let manifests = objects.into_iter().zip(1..).map(|(object, line)| {
        let location = SourceLocation {
            file: "x.yaml".into(),
            line,
        };
        Manifest::parse(object, location).expect("a manifest")
    });
    let context = TargetContext {
        namespaced: Arc::default(),
        destination_namespace: "n".into(),
        ..TargetContext::default()
    };
    Targets::prepare(manifests.collect(), &context, "Directory").expect("targets")
}

fn plan_of(targets: &Targets, create_namespace: bool) -> Plan {
    Plan::new(&PlanRequest {
        targets,
        prune: &[],
        hooks: true,
        selection: &[],
        options: &SyncOptions::default(),
        destination_namespace: "n",
        create_namespace,
        hook_suffix: "",
        guards: Guards::default(),
    })
    .expect("a plan")
}

fn plan() -> Plan {
    let object = |name: &str, wave: &str, depends: &str| {
        object(
            name,
            &json!({"argocd.argoproj.io/sync-wave": wave, "capstan.dev/depends-on": depends}),
        )
    };
    let objects = vec![
        object("a<b", "0", ""),
        object("b", "0", "ConfigMap/a<b"),
        object("c", "1", ""),
    ];
    plan_of(&targets(objects), false)
}

#[test]
fn a_plan_of_nothing_says_so() {
    let targets = targets(Vec::new());
    let aside = Aside::new(&targets, &SyncOptions::default(), None);
    let text = plan_of(&targets, false).text(None, &aside);
    assert_eq!(text, "no objects are declared: nothing would be written\n");
}

/// Of every phase something, and what is never applied.
fn every_phase() -> (Plan, Aside) {
    let wave = |wave: &str| json!({"argocd.argoproj.io/sync-wave": wave});
    let mut objects = vec![
        object("b", &wave("1")),
        object("a", &wave("0")),
        object("stays", &json!({"argocd.argoproj.io/sync-options": "Delete=false"})),
        object("odd", &json!({"argocd.argoproj.io/sync-wave": "1.5"})),
    ];
    for (name, types, wave) in [
        ("before", "PreSync", "0"),
        ("after", "PostSync", "0"),
        ("alarm", "SyncFail", "0"),
        ("siren", "SyncFail", "5"),
        ("backup", "PreDelete", "1"),
        ("drain", "PreDelete", "-1"),
        ("farewell", "PostDelete", "0"),
        ("typo", "Presync", "0"),
        ("empty", "", "0"),
        ("skipped", "Skip", "0"),
    ] {
        objects.push(hook(name, types, wave));
    }
    let targets = targets(objects);
    let aside = Aside::new(&targets, &SyncOptions::default(), None);
    (plan_of(&targets, true), aside)
}

const EVERY_PHASE: &str = "\
PreSync wave 0
  create namespace Namespace/n
  PreSync hook ConfigMap/n/before (x.yaml:5) after Namespace/n (Namespace)
Sync wave 0
  apply ConfigMap/n/a (x.yaml:2) after Namespace/n (Namespace)
  apply ConfigMap/n/odd (x.yaml:4) after Namespace/n (Namespace)
  apply ConfigMap/n/stays (x.yaml:3) after Namespace/n (Namespace)
Sync wave 1
  apply ConfigMap/n/b (x.yaml:1) after Namespace/n (Namespace)
PostSync wave 0
  PostSync hook ConfigMap/n/after (x.yaml:6) after Namespace/n (Namespace)
SyncFail, only if the sync fails
  SyncFail hook ConfigMap/n/alarm (x.yaml:7) after Namespace/n (Namespace)
  SyncFail hook ConfigMap/n/siren (x.yaml:8) after Namespace/n (Namespace)
PreDelete wave -1, only if the application is deleted
  PreDelete hook ConfigMap/n/drain (x.yaml:10)
PreDelete wave 1, only if the application is deleted
  PreDelete hook ConfigMap/n/backup (x.yaml:9)
objects of wave 1, only if the application is deleted
  delete ConfigMap/n/b (x.yaml:1)
objects of wave 0, only if the application is deleted
  delete ConfigMap/n/a (x.yaml:2)
  delete ConfigMap/n/odd (x.yaml:4)
  keep ConfigMap/n/stays (x.yaml:3)
      Delete=false
PostDelete wave 0, only if the application is deleted
  PostDelete hook ConfigMap/n/farewell (x.yaml:11)
never applied
  nothing ConfigMap/n/empty (x.yaml:13)
      its hook annotation names no type that is run (Helm's test and rollback hooks are not), so it is never written
  nothing ConfigMap/n/skipped (x.yaml:14)
      its hook type is Skip, so it is never written
  nothing ConfigMap/n/typo (x.yaml:12)
      its hook annotation names no type that is run (Helm's test and rollback hooks are not), so it is never written

warning: x.yaml:4: argocd.argoproj.io/sync-wave: \"1.5\" is not an integer and does not count
warning: x.yaml:12: argocd.argoproj.io/hook: unknown hook type \"Presync\"
";

#[test]
fn every_phase_has_its_place() {
    let (plan, aside) = every_phase();
    assert_eq!(plan.text(None, &aside), EVERY_PHASE);
    let json = plan.json(None, &aside);
    let names = |list: &Value| -> Vec<String> {
        let list = list.as_array().expect("a list").iter();
        let name = |object: &Value| object["key"]["name"].as_str().expect("a name").to_owned();
        list.map(name).collect()
    };
    let order = ["drain", "backup", "b", "a", "odd", "stays", "farewell"];
    assert_eq!(names(&json["deletion"]), order, "{json:#}");
    assert_eq!(names(&json["neverApplied"]), ["empty", "skipped", "typo"], "{json:#}");
    assert_eq!(json["warnings"].as_array().map(Vec::len), Some(2), "{json:#}");
    assert_eq!(
        names(&json["tasks"]).last().map(String::as_str),
        Some("siren"),
        "{json:#}"
    );
}

/// What runs only if the sync fails comes after nothing, and neither does a deletion.
#[test]
fn arrows_are_between_what_comes_after_each_other() {
    let (plan, aside) = every_phase();
    let dot = plan.dot(None, &aside);
    // Three in the sync, four in the deletion.
    assert_eq!(dot.matches("[shape=point").count(), 7, "{dot}");
    assert_eq!(dot.matches("subgraph").count(), 11, "{dot}");
    let of = |name: &str| {
        let line = dot
            .lines()
            .find(|line| line.contains(&format!("/{name}\"")))
            .expect("it is drawn");
        line.split_whitespace().next().expect("a node").to_owned()
    };
    for name in ["alarm", "siren", "drain"] {
        let arrows = dot
            .lines()
            .filter(|line| line.contains("bold") && line.contains(&format!("-> {} ", of(name))));
        assert_eq!(arrows.count(), 0, "{name}: {dot}");
    }
    let svg = plan.svg(None, &aside);
    assert_eq!(svg.matches("class=\"wave\"").count(), 7, "{svg}");
    assert_eq!(svg.matches("<rect ").count(), 19, "{svg}");
    // Of the namespace's lines only the one within its lane.
    assert_eq!(svg.matches("class=\"own\"").count(), 1, "{svg}");
}

/// Without hooks of it a deletion is the sync's waves the other way round: only programs are told.
#[test]
fn a_deletion_without_hooks_is_for_programs() {
    let targets = targets(vec![object("a", &json!({}))]);
    let mut application = Application::default();
    let of = |application: Option<&Application>| Aside::new(&targets, &SyncOptions::default(), application);
    let plan = plan_of(&targets, false);
    assert!(!plan.text(None, &of(None)).contains("deleted"));
    let stays = |aside: &Aside| plan.json(None, aside)["deletion"][0]["stays"].clone();
    assert_eq!(stays(&of(None)), false);
    assert_eq!(
        stays(&of(Some(&application))),
        true,
        "it has no finalizer that takes its objects along"
    );
    for name in [
        capstan_model::RESOURCES_FINALIZER_FOREGROUND,
        capstan_model::RESOURCES_FINALIZER_BACKGROUND,
        capstan_model::RESOURCES_FINALIZER,
    ] {
        application.metadata.finalizers = vec![name.into()];
        assert_eq!(stays(&of(Some(&application))), false, "{name}");
    }
    application.spec.sync_policy.sync_options.push("Frobnicate=true".into());
    let aside = of(Some(&application));
    assert_eq!(stays(&aside), false);
    assert!(
        aside.warnings()[0].starts_with("spec.syncPolicy.syncOptions: "),
        "{:?}",
        aside.warnings()
    );
}

/// The graph grows with the number of tasks, not with the square of it, and so does the work of making it.
#[test]
fn a_plan_of_many_tasks_is_made_of_few_edges() {
    for count in [10, 1_000, 20_000] {
        let manifests = (0..count).map(|n| {
            let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("c{n}"), "namespace": "n",
                "annotations": {"argocd.argoproj.io/sync-wave": (n % 50).to_string()}}});
            Manifest::parse(object, SourceLocation::default()).expect("a manifest")
        });
        let targets = Targets::prepare(manifests.collect(), &TargetContext::default(), "Directory").expect("targets");
        let prune: Vec<PruneItem> = (0..count)
            .map(|n| PruneItem {
                key: capstan_model::ResourceKey::new("", "ConfigMap", "n", format!("old{n}")),
                gvk: capstan_model::GroupVersionKind::from_api_version("v1", "ConfigMap"),
                wave: n % 50,
                last: n % 7 == 0,
            })
            .collect();
        let plan = Plan::new(&PlanRequest {
            targets: &targets,
            prune: &prune,
            hooks: true,
            selection: &[],
            options: &SyncOptions::default(),
            destination_namespace: "n",
            create_namespace: false,
            hook_suffix: "",
            guards: Guards::default(),
        })
        .expect("a plan");
        let tasks = plan.tasks().count();
        assert_eq!(tasks, 2 * usize::try_from(count).expect("small"));
        assert!(
            plan.graph().edge_count() < 4 * tasks + 400,
            "{} edges",
            plan.graph().edge_count()
        );
    }
}

/// Each task of a lane is waited for by each of the next one: there is a way between them.
#[test]
fn every_task_of_a_lane_leads_to_every_task_of_the_next() {
    let (plan, aside) = every_phase();
    let dot = plan.dot(None, &aside);
    let arrows: Vec<(&str, &str)> = dot
        .lines()
        .filter(|line| line.contains("style=bold"))
        .filter_map(|line| line.trim().split(" [").next()?.split_once(" -> "))
        .collect();
    let lanes = plan.lanes(None, &aside);
    for pair in lanes.windows(2).filter(|pair| pair[1].follows) {
        for (from, to) in pair[0]
            .items
            .iter()
            .flat_map(|from| pair[1].items.iter().map(move |to| (from, to)))
        {
            let (Some(from), Some(to)) = (from.node, to.node) else {
                continue;
            };
            let (from, to) = (format!("n{}", from.index()), format!("n{}", to.index()));
            let is_way = |at: &&(&str, &str)| at.0 == from && arrows.contains(&(at.1, &to));
            assert!(arrows.iter().any(|arrow| is_way(&arrow)), "{from} -> {to}: {dot}");
        }
    }
}

#[test]
fn every_task_and_every_dependency_of_its_own_is_drawn() {
    let dot = plan().dot(None, &Aside::default());
    assert_eq!(dot.matches("subgraph").count(), 2, "{dot}");
    assert_eq!(dot.matches("[label=\"apply").count(), 3, "{dot}");
    assert_eq!(dot.matches("label=\"DependsOn\"").count(), 1, "{dot}");
    let svg = plan().svg(None, &Aside::default());
    assert_eq!(
        (svg.matches("<rect ").count(), svg.matches("class=\"own\"").count()),
        (3, 1),
        "{svg}"
    );
    assert!(svg.contains("a&lt;b") && !svg.contains("a<b"), "{svg}");
}
