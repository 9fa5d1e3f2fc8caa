//! Finalizers of Applications: which of them are ours, and what is said of the others.

use std::time::Duration;

use serde_json::json;

use crate::deletion::{finalizers, story};
use crate::fleet::{Fleet, application};
use crate::rig::config;

const MINUTE: Duration = Duration::from_secs(60);

/// An Application with these finalizers, synced and then deleted; and what was created and deleted by that.
fn deleted(held_by: &[&str]) -> (Fleet, Vec<String>) {
    let mut fleet = Fleet::new();
    let mut resource = application("shop");
    resource["metadata"]["finalizers"] = json!(held_by);
    fleet.create(resource, vec![config("a", 0, "1")]);
    fleet.settle(MINUTE);
    assert_eq!(fleet.sync("shop"), "Synced Healthy", "{}", fleet.tail());
    let from = fleet.cluster.history.len();
    fleet.delete("shop");
    fleet.settle(10 * MINUTE);
    let story = story(&fleet, from);
    (fleet, story)
}

#[test]
fn the_three_of_argo_cd_cascade() {
    for name in ["", "/foreground", "/background"] {
        let (fleet, story) = deleted(&[&format!("resources-finalizer.argocd.argoproj.io{name}")]);
        assert_eq!(story, ["-a"], "{name}");
        assert!(!fleet.resources.contains_key("shop"), "{name}: {}", fleet.tail());
    }
}

#[test]
fn one_that_only_begins_like_them_deletes_nothing_and_is_left_to_whoever_wrote_it() {
    for odd in [
        "resources-finalizer.argocd.argoproj.io/orphan",
        "resources-finalizer.argocd.argoproj.io/Foreground",
        "resources-finalizer.argocd.argoproj.io.example.com",
        "post-delete-finalizer.argocd.argoproj.io/mine",
    ] {
        let (fleet, story) = deleted(&[odd]);
        assert!(story.is_empty(), "{odd}: {story:?}");
        assert_eq!(finalizers(&fleet, "shop"), [odd]);
        let conditions = fleet.conditions("shop");
        let expected = format!("held by finalizer {odd}, which is not this controller's to take off");
        assert!(conditions.contains(&expected), "{odd}: {conditions}");
    }
}

#[test]
fn one_that_only_begins_like_them_stays_when_ours_comes_off() {
    let ours = "resources-finalizer.argocd.argoproj.io";
    let odd = "resources-finalizer.argocd.argoproj.io/orphan";
    let (fleet, story) = deleted(&[ours, odd]);
    assert_eq!(story, ["-a"]);
    assert_eq!(finalizers(&fleet, "shop"), [odd], "{}", fleet.tail());
}

#[test]
fn one_that_only_begins_like_them_is_told_before_it_matters() {
    let mut fleet = Fleet::new();
    let mut resource = application("shop");
    resource["metadata"]["finalizers"] = json!(["resources-finalizer.argocd.argoproj.io/orphan", "example.com/mine"]);
    fleet.create(resource, vec![config("a", 0, "1")]);
    fleet.settle(MINUTE);
    let conditions = fleet.conditions("shop");
    assert_eq!(
        conditions,
        "ManifestWarning since 2026-03-14T09:00:00Z: metadata.finalizers: \
         \"resources-finalizer.argocd.argoproj.io/orphan\" is not known and deletes no objects: write \
         resources-finalizer.argocd.argoproj.io, or that with /foreground or /background"
    );
}
