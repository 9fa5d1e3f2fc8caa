//! What the laws quantify over: applications, their revisions, how their workloads fare, what people and others do, and the tape that
//! decides order and faults. Everything is data, so that a failure shrinks to what it needs.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::objects::{HOME, PREFIX, key_of};

/// Kinds of generated objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Config,
    Deployment,
    Job,
    Namespace,
    Definition,
    Widget,
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
}

/// What somebody does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    /// The branch moves to the next revision.
    Push,
    /// The branch moves back to an earlier one.
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
    /// Config maps cannot be read, or can again.
    Readable(bool),
    Source(bool),
    /// Somebody edits, deletes, takes the tracking id off, or protects the n-th live object; or makes one that bears an id.
    Edit(u8),
    Delete(u8),
    Strip(u8),
    Protect(u8),
    Plant(u8),
    Wait(u8),
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
}

#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// Each is what the source declares; `None` cannot be rendered.
    pub(crate) revisions: Vec<Option<Vec<Item>>>,
    pub(crate) natures: Vec<Nature>,
    pub(crate) policy: Policy,
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
            natures: vec![Nature::Prompt],
            policy: Policy {
                automated: true,
                prune: true,
                heals: true,
                allow_empty: true,
                options: &[],
                retries: 1,
                refreshes: false,
            },
            script: Vec::new(),
            faults: 0,
            planned: Vec::new(),
            tape: Vec::new(),
        }
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
                json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": format!("{prefix}d{name}"), "namespace": namespace}, "spec": {"replicas": 1, "image": value}})
            }
            Kind::Job => {
                json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": format!("{prefix}j{name}"), "namespace": namespace}, "spec": {"image": value}})
            }
            Kind::Namespace => {
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team", "labels": {"v": value}}})
            }
            Kind::Definition => {
                json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "widgets.example.com"}, "spec": {"group": "example.com", "names": {"kind": "Widget"}}})
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
        let mut say = |name: &str, value: &str| {
            if !value.is_empty() {
                metadata["annotations"][format!("{PREFIX}{name}")] = json!(value);
            }
        };
        say("sync-wave", self.wave);
        say("sync-options", self.option);
        let Some(hook) = self.hook else {
            if self.held {
                metadata["finalizers"] = json!(["example.com/held"]);
            }
            return;
        };
        say("hook", hook.types);
        say("hook-delete-policy", hook.policy);
        if hook.unnamed {
            let name = metadata["name"].as_str().unwrap_or_default().to_owned();
            metadata["generateName"] = json!(format!("{name}-"));
            metadata.as_object_mut().map(|metadata| metadata.remove("name"));
        }
        if hook.vanishes && self.kind == Kind::Job {
            object["spec"]["ttlSecondsAfterFinished"] = json!(0);
        }
    }
}

/// The manifests of a revision: each identity once.
pub(crate) fn manifests(items: &[Item]) -> Vec<Value> {
    let mut seen = BTreeSet::new();
    let all = items.iter().map(Item::manifest);
    all.filter(|object| seen.insert((key_of(object), object["metadata"]["generateName"].to_string())))
        .collect()
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
}

const WAVES: [&str; 16] = [
    "",
    "",
    "",
    "",
    "0",
    "0",
    "1",
    "1",
    "-1",
    "2",
    "-5",
    "5",
    "+3",
    "one",
    "99999999999999999999",
    "1000000",
];
const OPTIONS: [&str; 14] = [
    "",
    "",
    "",
    "",
    "",
    "",
    "Prune=false",
    "Prune=confirm",
    "PruneLast=true",
    "Replace=true",
    "Force=true",
    "Validate=false",
    "SkipDryRunOnMissingResource=true",
    "ServerSideApply=true",
];
const HOOKS: [&str; 10] = [
    "PreSync",
    "PreSync",
    "Sync",
    "PostSync",
    "PostSync",
    "SyncFail",
    "SyncFail",
    "PreSync,PostSync",
    "Skip",
    "Nonsense",
];
const POLICIES: [&str; 5] = [
    "",
    "",
    "HookSucceeded",
    "HookFailed",
    "BeforeHookCreation,HookSucceeded",
];

fn item(bias: Bias) -> impl Strategy<Value = Item> {
    let hooks = if bias == Bias::Hooks { 4 } else { 2 };
    let hook = (
        select(&HOOKS[..]),
        select(&POLICIES[..]),
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.3),
    )
        .prop_map(|(types, policy, unnamed, vanishes)| Hook {
            types,
            policy,
            unnamed,
            vanishes,
        });
    let hook = prop_oneof![8 => Just(None), hooks => hook.prop_map(Some)];
    let kind = prop_oneof![
        5 => Just(Kind::Config), 5 => Just(Kind::Deployment), 2 => Just(Kind::Job), 2 => Just(Kind::Namespace),
        1 => Just(Kind::Definition), 2 => Just(Kind::Widget),
    ];
    let away = prop::bool::weighted(if bias == Bias::Order { 0.35 } else { 0.15 });
    let option = prop_oneof![2 => select(&OPTIONS[..]), u32::from(bias == Bias::Prunes) => Just("PruneLast=true")];
    let held = prop::bool::weighted(if bias == Bias::Prunes { 0.3 } else { 0.1 });
    (kind, 0u8..4, select(&WAVES[..]), 0u8..3, option, hook, away, held).prop_map(
        |(kind, name, wave, value, option, hook, away, held)| {
            let kind = match (kind, hook) {
                (Kind::Namespace | Kind::Definition | Kind::Widget | Kind::Deployment, Some(_)) => Kind::Job,
                (kind, _) => kind,
            };
            Item {
                kind,
                name,
                wave,
                value,
                option,
                hook,
                away,
                held,
            }
        },
    )
}

/// One change that somebody makes to the source.
#[derive(Clone, Debug)]
enum Edit {
    Add(Item),
    Remove(usize),
    Change(usize, u8),
    Move(usize, &'static str),
    Empty,
    Break,
}

fn edit(bias: Bias) -> impl Strategy<Value = Edit> {
    let removes = if bias == Bias::Prunes { 8 } else { 3 };
    prop_oneof![
        3 => item(bias).prop_map(Edit::Add),
        removes => (0usize..60).prop_map(Edit::Remove),
        4 => (0usize..60, 0u8..3).prop_map(|(at, value)| Edit::Change(at, value)),
        2 => (0usize..60, select(&WAVES[..])).prop_map(|(at, wave)| Edit::Move(at, wave)),
        u32::from(bias == Bias::Prunes) + 1 => Just(Edit::Empty),
        1 => Just(Edit::Break),
    ]
}

fn revisions(bias: Bias) -> impl Strategy<Value = Vec<Option<Vec<Item>>>> {
    let first = prop_oneof![40 => vec(item(bias), 1..8), 1 => vec(item(bias), 8..60)];
    (first, vec(vec(edit(bias), 1..4), 0..4)).prop_map(|(first, edits)| {
        let mut revisions = vec![Some(first.clone())];
        let mut now = first;
        for edits in edits {
            let is_broken = edits.iter().any(|edit| matches!(edit, Edit::Break));
            for edit in edits {
                let length = now.len().max(1);
                match edit {
                    Edit::Add(item) => now.push(item),
                    Edit::Remove(at) if !now.is_empty() => drop(now.remove(at % length)),
                    Edit::Change(at, value) if !now.is_empty() => now[at % length].value = value,
                    Edit::Move(at, wave) if !now.is_empty() => now[at % length].wave = wave,
                    Edit::Empty => now.clear(),
                    _ => {}
                }
            }
            revisions.push((!is_broken).then(|| now.clone()));
        }
        revisions
    })
}

fn wish() -> impl Strategy<Value = Wish> {
    let flag = |share| prop::bool::weighted(share);
    (
        flag(0.7),
        flag(0.25),
        flag(0.2),
        flag(0.15),
        prop::option::weighted(0.2, 0u8..4),
        flag(0.5),
    )
        .prop_map(|(prune, dry, force, selective, revision, by_request)| Wish {
            prune,
            dry,
            force,
            selective,
            revision,
            by_request,
        })
}

fn action(bias: Bias) -> impl Strategy<Value = Action> {
    let more = |of: Bias| if bias == of { 4 } else { 1 };
    prop_oneof![
        6 => Just(Action::Push),
        1 => (0u8..4).prop_map(Action::Revert),
        2 + more(Bias::People) => wish().prop_map(Action::Sync),
        1 + more(Bias::People) => Just(Action::Terminate),
        1 => any::<bool>().prop_map(|hard| Action::Refresh { hard }),
        1 => any::<bool>().prop_map(Action::Suspend),
        1 + more(Bias::Prunes) / 2 => Just(Action::Confirm),
        2 + more(Bias::Hooks) => (0u8..4, select(&[0u8, 0, 5, 200][..])).prop_map(|(unheard, down)| Action::Crash { unheard, down }),
        more(Bias::People) => any::<bool>().prop_map(Action::Leads),
        1 => any::<bool>().prop_map(Action::Reachable),
        more(Bias::Prunes) => any::<bool>().prop_map(Action::Readable),
        1 => any::<bool>().prop_map(Action::Source),
        2 => (0u8..8).prop_map(Action::Edit),
        1 => (0u8..8).prop_map(Action::Delete),
        more(Bias::Prunes) => (0u8..8).prop_map(Action::Strip),
        more(Bias::Prunes) => (0u8..8).prop_map(Action::Protect),
        more(Bias::Prunes) => (0u8..3).prop_map(Action::Plant),
        1 => (1u8..20).prop_map(Action::Wait),
    ]
}

/// What belongs together: a sync, and what gets in its way.
fn story(bias: Bias) -> impl Strategy<Value = Vec<(u8, Action)>> {
    let disturbed = (
        0u8..25,
        prop_oneof![
            2 => action(bias),
            1 => (0u8..4).prop_map(|unheard| Action::Crash { unheard, down: 5 }),
            1 => Just(Action::Suspend(true)),
            1 => Just(Action::Terminate),
        ],
    );
    let blinded = prop_oneof![Just(Action::Readable(false)), Just(Action::Source(false))];
    prop_oneof![
        4 => (0u8..40, action(bias)).prop_map(|one| vec![one]),
        2 => disturbed.prop_map(|after| vec![(200, Action::Push), after]),
        1 => (0u8..5, blinded).prop_map(|(after, blinded)| vec![(200, blinded), (after, Action::Push), (40, Action::Wait(1))]),
    ]
}

fn policy() -> impl Strategy<Value = Policy> {
    const OPTIONS: [&[&str]; 6] = [
        &[],
        &[],
        &["PruneLast=true"],
        &["CreateNamespace=true"],
        &["Prune=confirm"],
        &["Replace=true"],
    ];
    let flag = |share| prop::bool::weighted(share);
    (
        flag(0.75),
        flag(0.8),
        flag(0.6),
        flag(0.5),
        select(&OPTIONS[..]),
        0u8..3,
        flag(0.2),
    )
        .prop_map(
            |(automated, prune, heals, allow_empty, options, retries, refreshes)| Policy {
                automated,
                prune,
                heals,
                allow_empty,
                options,
                retries,
                refreshes,
            },
        )
}

/// Any case.
pub(crate) fn case(bias: Bias) -> impl Strategy<Value = Case> {
    const NATURES: [Nature; 10] = [
        Nature::Prompt,
        Nature::Prompt,
        Nature::Prompt,
        Nature::Prompt,
        Nature::Prompt,
        Nature::Slow,
        Nature::Recovers,
        Nature::Fails,
        Nature::Silent,
        Nature::Flaps,
    ];
    let tape = prop_oneof![1 => Just(Vec::new()), 4 => vec(prop_oneof![2 => Just(0), 3 => any::<u32>()], 0..300)];
    (
        revisions(bias),
        vec(select(&NATURES[..]), 4),
        policy(),
        vec(story(bias), 0..5).prop_map(|stories| stories.concat()),
        prop_oneof![2 => Just(0u8), 3 => 1u8..5],
        tape,
    )
        .prop_map(|(revisions, natures, policy, script, faults, tape)| Case {
            revisions,
            natures,
            policy,
            script,
            faults,
            planned: Vec::new(),
            tape,
        })
}
