//! Every guard of deletes: what it holds, how it is approved, that a person's sync passes or does not, and what `guards: argo` leaves of it.
//! What is not deleted is read off the cluster; that everything else of the sync went on, too.

pub(crate) mod approvals;
pub(crate) mod becomes_hook;
mod complete_views;
mod contended;
mod destination;
mod kill_switch;
mod knockouts;
mod mass_prune;
mod namespaces_and_definitions;
pub(crate) mod needed;
mod ownership;
mod protected_kinds;
mod rewritten_history;
mod second_render;
mod tried;
mod warm_up;

use std::time::Duration;

use capstan_engine::effect::EffectKind;
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
