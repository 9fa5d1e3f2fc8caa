//! What the laws quantify over: applications, their revisions, how their workloads fare, what people and others do, and the tape that
//! decides order and faults. Everything is data, so that a failure shrinks to what it needs.

mod aims;
mod holders;
mod people;
mod places;
mod strategies;
mod windows;

use std::collections::BTreeSet;

use capstan_model::ResourceKey;
use serde_json::{Value, json};

use crate::objects::{HOME, INVALID, PREFIX, key_of};
pub(crate) use people::{Change, Follow, Rollback, Spec};
pub(crate) use strategies::case;
pub(crate) use windows::{Opening, Speaks, Window};

/// Kinds of generated objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Config,
    Deployment,
    Job,
    Namespace,
    Definition,
    Widget,
    /// A claim that binds when a Deployment of its number mounts it.
    Claim,
}

/// What makes an object a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hook {
    pub(crate) types: &'static str,
    pub(crate) policy: &'static str,
    /// `generateName` instead of a name.
    pub(crate) unnamed: bool,
    /// It removes itself when it has finished.
    pub(crate) vanishes: bool,
}

/// One declared object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Item {
    pub(crate) kind: Kind,
    pub(crate) name: u8,
    pub(crate) wave: &'static str,
    pub(crate) value: u8,
    pub(crate) option: &'static str,
    pub(crate) hook: Option<Hook>,
    /// It lives in a namespace of its own instead of the application's.
    pub(crate) away: bool,
    /// It has a finalizer, which somebody takes off later.
    pub(crate) held: bool,
    /// The API never takes it.
    pub(crate) invalid: bool,
}

/// How a workload fares after each change of it, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nature {
    Prompt,
    Slow,
    Recovers,
    Fails,
    Silent,
    Flaps,
    /// At once, and after what a status of before says for as long as controllers take.
    Instant,
    Lags,
}

/// What somebody does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    /// The branch moves to the next revision.
    Push,
    /// What an earlier revision held is pushed again.
    Revert(u8),
    Sync(Wish),
    Terminate,
    Refresh {
        hard: bool,
    },
    Suspend(bool),
    /// The pending prunes are confirmed.
    Confirm,
    /// The process dies; so many of the requests that it sent are carried out all the same. Another begins after some seconds.
    Crash {
        unheard: u8,
        down: u8,
    },
    Leads(bool),
    Reachable(bool),
    /// The project gets its windows, or loses them.
    Windows(bool),
    /// Config maps cannot be read, or can again.
    Readable(bool),
    Source(bool),
    /// Somebody edits, deletes, takes the tracking id off, or protects the n-th live object; or makes one.
    Edit(u8),
    Delete(u8),
    Strip(u8),
    Protect(u8),
    Plant(Plant),
    DeleteApplication,
    Wait(u8),
    /// The Application's spec is edited, or it is rolled back.
    Change(Change),
    Rollback(Rollback),
    /// The branch is moved to what does not follow it: to an earlier commit, or to one beside it.
    Rewrite {
        to: u8,
        anew: bool,
    },
    /// The branch is there, or not.
    Branch(bool),
    /// A commit, and the tag that names it, cannot be found any more.
    Forget(u8),
    /// Nothing more may be created in a namespace, or may again.
    Quota(bool),
    /// Somebody always undoes what is done to the n-th live object.
    Fight(u8),
    /// The n-th live object becomes another application's.
    Adopt(u8),
    /// The namespace that the application brings is deleted.
    EndNamespace,
    /// The branch of a source after the first moves to its next commit, or back; it cannot be read, or can again, while the others can.
    PushOf(u8),
    RevertOf(u8, u8),
    SourceOf(u8, bool),
    /// The Application goes to this cluster from here on.
    Move(u8),
    ReachableAt(u8, bool),
    /// Another cluster answers at the destination's address, or again the one before.
    Replace,
}

/// What somebody makes: whose it says that it is, and where it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plant {
    /// Nobody's; copied from one of ours, id and all; or another application's.
    pub(crate) whose: u8,
    pub(crate) place: Ground,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ground {
    Home,
    /// The namespace that the application brings.
    Brought,
    /// Of the kind that the application brings.
    OfBroughtKind,
}

/// A sync that somebody asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) prune: bool,
    pub(crate) dry: bool,
    pub(crate) force: bool,
    /// Only the first object, by kind and name.
    pub(crate) selective: bool,
    /// A revision of its own, not the branch's.
    pub(crate) revision: Option<u8>,
    /// By the API instead of the resource's field.
    pub(crate) by_request: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) automated: bool,
    pub(crate) prune: bool,
    pub(crate) heals: bool,
    pub(crate) allow_empty: bool,
    pub(crate) options: &'static [&'static str],
    pub(crate) retries: u8,
    pub(crate) refreshes: bool,
    /// The replicas of [`crate::objects::is_contested`] are not compared, and somebody keeps changing them.
    pub(crate) ignores: bool,
    /// The Application has the resources finalizer: its objects go with it.
    pub(crate) cascades: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// Each is what the source declares; `None` cannot be rendered.
    pub(crate) revisions: Vec<Option<Vec<Item>>>,
    /// The same of every source after the first.
    pub(crate) further: Vec<Vec<Option<Vec<Item>>>>,
    /// Clusters to which the Application may go; it begins at the first.
    pub(crate) clusters: u8,
    pub(crate) natures: Vec<Nature>,
    pub(crate) policy: Policy,
    /// Windows of the project, from the beginning on.
    pub(crate) windows: Vec<Window>,
    /// When it all begins, in seconds of Unix time.
    pub(crate) begins: i64,
    /// What is done, and after how many steps since the last, or when nothing is left to do before.
    pub(crate) script: Vec<(u8, Action)>,
    /// How many requests go wrong at most.
    pub(crate) faults: u8,
    /// Faults of certain requests, by their numbers, instead of the tape's.
    pub(crate) planned: Vec<(u64, u32)>,
    /// Every choice; 0, and what is beyond the end, is the ordinary one.
    pub(crate) tape: Vec<u32>,
}

impl Case {
    /// An automated application of one revision, without anything that goes wrong.
    pub(crate) fn of(revisions: Vec<Vec<Item>>) -> Self {
        Self {
            revisions: revisions.into_iter().map(Some).collect(),
            further: Vec::new(),
            clusters: 1,
            natures: vec![Nature::Prompt],
            policy: Policy {
                automated: true,
                prune: true,
                heals: true,
                allow_empty: true,
                options: &[],
                retries: 1,
                refreshes: false,
                ignores: false,
                cascades: true,
            },
            windows: Vec::new(),
            begins: windows::MORNING,
            script: Vec::new(),
            faults: 0,
            planned: Vec::new(),
            tape: Vec::new(),
        }
    }
}

impl Case {
    /// How the workload of a name fares: by its first digit.
    pub(crate) fn nature(&self, name: &str) -> Nature {
        let digit = name.bytes().find(u8::is_ascii_digit).unwrap_or(b'0') - b'0';
        let nature = self.natures.get(usize::from(digit) % self.natures.len().max(1));
        nature.copied().unwrap_or(Nature::Prompt)
    }
}

impl Item {
    pub(crate) fn new(kind: Kind, name: u8, wave: &'static str) -> Self {
        Self {
            kind,
            name,
            wave,
            value: 0,
            option: "",
            hook: None,
            away: false,
            held: false,
            invalid: false,
        }
    }

    pub(crate) fn hook(types: &'static str, name: u8, wave: &'static str) -> Self {
        let hook = Hook {
            types,
            policy: "",
            unnamed: false,
            vanishes: false,
        };
        Self {
            hook: Some(hook),
            ..Self::new(Kind::Job, name, wave)
        }
    }

    /// The manifest, as it stands in Git.
    pub(crate) fn manifest(&self) -> Value {
        let (name, value) = (self.name, format!("v{}", self.value));
        let namespace = if self.away { "team" } else { HOME };
        let prefix = if self.hook.is_some() { "hook-" } else { "" };
        let mut object = match self.kind {
            Kind::Config => {
                json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("{prefix}c{name}"), "namespace": namespace}, "data": {"v": value}})
            }
            Kind::Deployment => {
                json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": format!("{prefix}d{name}"), "namespace": namespace}, "spec": {"replicas": 1, "image": value, "template": mounting(name)}})
            }
            Kind::Job => {
                json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": format!("{prefix}j{name}"), "namespace": namespace}, "spec": {"image": value}})
            }
            Kind::Namespace => {
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team", "labels": {"v": value}}})
            }
            Kind::Definition => {
                json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "widgets.example.com"}, "spec": {"group": "example.com", "names": {"kind": "Widget", "plural": "widgets"}, "versions": [{"name": "v1", "served": true, "storage": true}]}})
            }
            Kind::Claim => {
                json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": format!("{prefix}p{name}"), "namespace": namespace}, "spec": {"storageClassName": value}})
            }
            Kind::Widget => {
                json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": format!("{prefix}w{name}"), "namespace": namespace}, "spec": {"size": value}})
            }
        };
        self.annotate(&mut object);
        object
    }

    fn annotate(&self, object: &mut Value) {
        let metadata = &mut object["metadata"];
        let say = |metadata: &mut Value, name: &str, value: &str| {
            if !value.is_empty() {
                metadata["annotations"][format!("{PREFIX}{name}")] = json!(value);
            }
        };
        say(metadata, "sync-wave", self.wave);
        say(metadata, "sync-options", self.option);
        if self.invalid {
            metadata["labels"] = json!({"app": INVALID});
        }
        let Some(hook) = self.hook else {
            if self.held {
                metadata["finalizers"] = json!(["example.com/held"]);
            }
            return;
        };
        say(metadata, "hook", hook.types);
        say(metadata, "hook-delete-policy", hook.policy);
        if hook.unnamed {
            let name = metadata["name"].as_str().unwrap_or_default().to_owned();
            metadata["generateName"] = json!(format!("{name}-"));
            metadata.as_object_mut().map(|metadata| metadata.remove("name"));
        }
        match self.kind {
            Kind::Job if hook.vanishes => object["spec"]["ttlSecondsAfterFinished"] = json!(0),
            // Somebody consumes it, and removes it.
            Kind::Config if hook.vanishes => object["data"]["vanishes"] = json!("soon"),
            _ => {}
        }
    }
}

/// What a Deployment's Pods mount: the claim of its number, whether there is one or not.
fn mounting(name: u8) -> Value {
    json!({"spec": {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": format!("p{name}")}}]}})
}

/// By what a source knows an object: those without a name are several, as long as they are not alike.
pub(crate) fn identity(object: &Value) -> (ResourceKey, String) {
    let is_unnamed = object["metadata"]["generateName"].is_string();
    let content = is_unnamed.then(|| object.to_string());
    (key_of(object), content.unwrap_or_default())
}

/// The manifests of a revision: each identity once.
pub(crate) fn manifests(items: &[Item]) -> Vec<Value> {
    let mut seen = BTreeSet::new();
    let all = items.iter().map(Item::manifest);
    all.filter(|object| seen.insert(identity(object))).collect()
}

/// What a search dwells on. Everything else is there too, less often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bias {
    Any,
    /// Waves, phases and what comes first.
    Order,
    /// Prunes and whose they are.
    Prunes,
    /// Hooks, crashes and unknown outcomes.
    Hooks,
    /// People, windows and deadlines.
    People,
    /// Several sources and several clusters.
    Places,
}
