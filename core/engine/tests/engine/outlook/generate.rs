//! Made-up applications, their next commit, and what others do meanwhile.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

/// One declared object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    pub(super) kind: &'static str,
    pub(super) name: u8,
    pub(super) value: u8,
    pub(super) option: &'static str,
}

/// What somebody else does to the n-th live object before the push.
#[derive(Clone, Copy, Debug)]
pub(super) enum Deed {
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
pub(super) enum Project {
    Permissive,
    ForbidsSecrets,
    ForbidsNamespaces,
    ForbidsDestination,
    Absent,
}

#[derive(Clone, Debug)]
pub(super) struct Case {
    /// So many maps more before, and so many of them after.
    pub(super) bulk: (u8, u8),
    pub(super) first: Vec<Item>,
    pub(super) second: Vec<Item>,
    pub(super) deeds: Vec<Deed>,
    pub(super) automated: bool,
    pub(super) prune: bool,
    pub(super) allow_empty: bool,
    pub(super) by_person: bool,
    pub(super) options: Vec<&'static str>,
    /// Labels of the namespace.
    pub(super) metadata: bool,
    pub(super) project: Project,
    pub(super) pause: bool,
    pub(super) protects_secrets: bool,
    /// The installation got a name.
    pub(super) is_named: bool,
}

pub(super) const KINDS: [&str; 15] = [
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
    "Job",
    "Job",
    "Job",
];
pub(super) const OBJECT_OPTIONS: [&str; 8] = [
    "",
    "",
    "",
    "",
    "Prune=false",
    "Prune=confirm",
    "Prune=true",
    "Prune=true",
];
pub(super) const OPTIONS: [&str; 9] = [
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

pub(super) fn item() -> impl Strategy<Value = Item> {
    (select(&KINDS[..]), 0u8..3, 0u8..3, select(&OBJECT_OPTIONS[..])).prop_map(|(kind, name, value, option)| Item {
        kind,
        name,
        value,
        option,
    })
}

pub(super) fn deed() -> impl Strategy<Value = Deed> {
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
pub(super) fn second(first: Vec<Item>) -> impl Strategy<Value = Vec<Item>> {
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
                // What a Job can be changed to is a hook.
                kind: if item.kind == "Job" { "Hook" } else { item.kind },
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

/// The first objects, and the second.
fn objects() -> impl Strategy<Value = (Vec<Item>, Vec<Item>)> {
    prop_oneof![
        9 => vec(item(), 0..7).prop_flat_map(|first| (Just(first.clone()), second(first))),
        1 => vec(item(), 1..5).prop_map(|first| (first, Vec::new())),
        // The namespace leaves Git, and is made by an option from now on, or not.
        1 => (select(&OBJECT_OPTIONS[..]), vec(item(), 0..4)).prop_map(|(option, others)| {
            let namespace = Item { kind: "Namespace", name: 2, value: 0, option };
            (std::iter::once(namespace).chain(others.clone()).collect(), others)
        }),
        // The definition leaves Git, and an object of its kind stays.
        1 => (select(&OBJECT_OPTIONS[..]), vec(item(), 0..4)).prop_map(|(option, others)| {
            let of = |kind, option| Item { kind, name: 0, value: 0, option };
            let stays: Vec<Item> = std::iter::once(of("Thing", "")).chain(others).collect();
            (std::iter::once(of("Definition", option)).chain(stays.clone()).collect(), stays)
        }),
    ]
}

pub(super) fn case() -> impl Strategy<Value = Case> {
    let bulk = prop_oneof![
        3 => Just((0, 0)), 1 => (10u8..13).prop_map(|n| (n, 0)), 1 => (20u8..23, 8u8..11), 1 => (1u8..6).prop_map(|n| (n, n)),
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
    (bulk, objects(), vec(deed(), 0..5), policy, rest).prop_map(|(bulk, (first, second), deeds, policy, rest)| {
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
    pub(super) fn object(self) -> Value {
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
                ["team", "kube-public", "prod"][usize::from(name)].to_owned(),
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
            "Hook" | "Job" => ("batch/v1", "Job", "prod", format!("h{name}")),
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
