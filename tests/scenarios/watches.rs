//! Watches of a world as the engine's events.

use std::collections::{BTreeMap, BTreeSet};

use capstan_engine::Event;
use capstan_model::{
    AppProject, Application, ApplicationId, ClusterId, GroupKind, GroupVersionKind, ResourceKey, Timestamp,
};
use capstan_sim::{Answer, Method, Request, WatchPoll, World, text};
use serde_json::{Value, json};

/// The watches of one controller.
#[derive(Default)]
pub(crate) struct Watches {
    open: BTreeMap<GroupKind, Watch>,
}

struct Watch {
    gvk: GroupVersionKind,
    id: u64,
    version: String,
    /// Applications and projects are told as such, everything else as live objects.
    control: bool,
}

impl Watches {
    /// Lists and watches the controller's own resources.
    pub(crate) fn control(&mut self, now: Timestamp, world: &mut World, events: &mut Vec<Event>) {
        for (kind, listed) in [
            ("AppProject", Event::ProjectsListed),
            ("Application", Event::ApplicationsListed),
        ] {
            let gvk = GroupVersionKind::from_api_version("argoproj.io/v1alpha1", kind);
            for object in self.open(now, world, &gvk, true) {
                events.extend(control_event(kind, &object));
            }
            events.push(listed);
        }
    }

    /// From now on exactly these kinds are watched.
    pub(crate) fn want(
        &mut self,
        now: Timestamp,
        world: &mut World,
        kinds: &BTreeSet<GroupKind>,
        versions: &BTreeMap<GroupKind, String>,
        events: &mut Vec<Event>,
    ) {
        let gone: Vec<GroupKind> = self
            .open
            .iter()
            .filter(|(kind, watch)| !watch.control && !kinds.contains(kind))
            .map(|(kind, _)| kind.clone())
            .collect();
        for kind in gone {
            if let Some(watch) = self.open.remove(&kind) {
                world.watch_close(watch.id);
            }
        }
        for kind in kinds {
            if self.open.contains_key(kind) {
                continue;
            }
            let gvk = GroupVersionKind {
                group: kind.group.clone(),
                version: versions.get(kind).cloned().unwrap_or_default(),
                kind: kind.kind.clone(),
            };
            let objects = self.open(now, world, &gvk, false);
            events.push(Event::Relisted {
                cluster: ClusterId::in_cluster(),
                kind: kind.clone(),
                objects,
            });
        }
    }

    /// Lists a kind and goes on watching it. Gives what there is.
    fn open(&mut self, now: Timestamp, world: &mut World, gvk: &GroupVersionKind, control: bool) -> Vec<Value> {
        let path = path(world, gvk);
        let list = world.handle(now, Request::new(Method::Get, &path));
        assert!(list.is_success(), "{path} cannot be listed: {}", list.value());
        let items = list.value()["items"].as_array().cloned().unwrap_or_default();
        let objects = items.into_iter().map(|mut object| {
            object["apiVersion"] = json!(gvk.api_version());
            object["kind"] = json!(gvk.kind);
            object
        });
        let version = text(list.value(), &["metadata", "resourceVersion"]).to_owned();
        let watch = Watch {
            gvk: gvk.clone(),
            id: subscribe(now, world, &path, &version),
            version,
            control,
        };
        self.open.insert(gvk.group_kind(), watch);
        objects.collect()
    }

    /// Everything that was seen since the last time.
    pub(crate) fn poll(&mut self, now: Timestamp, world: &mut World, events: &mut Vec<Event>) {
        for (kind, watch) in &mut self.open {
            loop {
                match world.watch_poll(now, watch.id) {
                    WatchPoll::Event(event) => {
                        let object = &event["object"];
                        text(object, &["metadata", "resourceVersion"]).clone_into(&mut watch.version);
                        events.extend(seen(kind, watch.control, &event));
                    }
                    WatchPoll::Pending(_) => break,
                    WatchPoll::Closed => {
                        let path = path(world, &watch.gvk);
                        watch.id = subscribe(now, world, &path, &watch.version);
                    }
                }
            }
        }
    }

    /// Ends them all: their controller is gone.
    pub(crate) fn close(&mut self, world: &mut World) {
        for watch in std::mem::take(&mut self.open).into_values() {
            world.watch_close(watch.id);
        }
    }
}

fn path(world: &World, gvk: &GroupVersionKind) -> String {
    super::discovery::collection(world.snapshot().registry(), gvk, "")
        .unwrap_or_else(|| panic!("{gvk:?} is watched and not served"))
}

fn subscribe(now: Timestamp, world: &mut World, path: &str, version: &str) -> u64 {
    let path = format!("{path}?watch=true&resourceVersion={version}&timeoutSeconds=3000");
    let answer = world.handle(now, Request::new(Method::Get, &path));
    match answer.body {
        Answer::Watch(id) => id,
        other => panic!("{path} cannot be watched: {other:?}"),
    }
}

fn seen(kind: &GroupKind, control: bool, event: &Value) -> Option<Event> {
    let object = &event["object"];
    let gone = match text(event, &["type"]) {
        "DELETED" => true,
        "ADDED" | "MODIFIED" => false,
        other => panic!("a watch of {kind} says {other}: {object}"),
    };
    let (namespace, name) = (
        text(object, &["metadata", "namespace"]),
        text(object, &["metadata", "name"]),
    );
    match (control, gone) {
        (true, false) => control_event(&kind.kind, object),
        (true, true) if kind.kind == "Application" => Some(Event::ApplicationGone(ApplicationId::new(namespace, name))),
        (true, true) => Some(Event::ProjectGone(name.to_owned())),
        (false, false) => Some(Event::LiveObserved(ClusterId::in_cluster(), Box::new(object.clone()))),
        (false, true) => Some(Event::LiveGone {
            cluster: ClusterId::in_cluster(),
            key: ResourceKey::new(&kind.group, &kind.kind, namespace, name),
            uid: text(object, &["metadata", "uid"]).to_owned(),
        }),
    }
}

fn control_event(kind: &str, object: &Value) -> Option<Event> {
    if kind == "AppProject" {
        let project: AppProject = serde_json::from_value(object.clone()).expect("the scenario's projects are valid");
        return Some(Event::ProjectObserved(Box::new(project)));
    }
    let application = Application::parse(object).expect("the scenario's Applications are valid");
    Some(Event::ApplicationObserved(Box::new(application)))
}
