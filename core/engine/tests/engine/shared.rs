//! Objects that another application takes, where `FailOnSharedResource=true` says that they are its own then.

use std::time::Duration;

use capstan_engine::Event;
use capstan_model::{ClusterId, ResourceKey};
use serde_json::json;

use crate::fleet::{Fleet, application};
use crate::rig::config;

const MINUTE: Duration = Duration::from_secs(60);

/// A repair is no sync, and would take it back all the same.
#[test]
fn what_became_another_s_is_not_put_right() {
    for (option, is_left) in [("Validate=false", false), ("FailOnSharedResource=true", true)] {
        let mut fleet = Fleet::new();
        let mut resource = application("shop");
        resource["spec"]["syncPolicy"]["syncOptions"] = json!([option]);
        fleet.create(resource, vec![config("a", 0, "1"), config("b", 0, "1")]);
        fleet.settle(MINUTE);
        assert_eq!(fleet.sync("shop"), "Synced Healthy", "{}", fleet.tail());
        let key = ResourceKey::new("", "ConfigMap", "prod", "b");
        let id = "argocd.argoproj.io/tracking-id";
        let theirs = json!("other:/ConfigMap:prod/b");
        fleet
            .cluster
            .edit(&key, &["metadata", "annotations", id], theirs.clone(), "other");
        let object = fleet.cluster.objects[&key].clone();
        fleet.handle(Event::LiveObserved(ClusterId::in_cluster(), Box::new(object)));
        fleet.settle(MINUTE);
        let found = &fleet.cluster.objects[&key]["metadata"]["annotations"][id];
        assert_eq!(*found == theirs, is_left, "{option}: {}", fleet.tail());
        assert_eq!(fleet.sync("shop") == "Synced Healthy", !is_left, "{option}");
    }
}
