//! Each guard and each law is broken on purpose, and its law turns red within a bounded number of cases, while the engine that is whole
//! stays green with the very same ones. A knock-out that nobody sees is a law that is not tested.

mod holders;
mod people;

use std::collections::BTreeSet;

use capstan_engine::sabotage::{Sabotage, SeenBy, set};

use crate::generate::{Action, Bias, Case, Hook, Item, Kind, Nature, Opening, Speaks, Window, Wish};
use crate::restore;
use crate::search::{self, Check};
use crate::world;

/// Cases in which a knock-out must be seen.
const CASES: usize = 250;
const SEED: u64 = 7;

fn law(name: &str) -> Check {
    search::LAWS
        .iter()
        .find(|(law, _)| *law == name)
        .map_or_else(|| panic!("no law {name}"), |(_, check)| *check)
}

/// Whole again, whatever happens.
struct Broken;

impl Broken {
    fn so(what: Sabotage) -> Self {
        set(Some(what));
        Self
    }
}

impl Drop for Broken {
    fn drop(&mut self) {
        set(None);
    }
}

/// A namespace leaves Git, an object stays declared in it, and somebody syncs with prune.
fn forgotten_namespace() -> Case {
    let mut away = Item::new(Kind::Config, 0, "");
    away.away = true;
    let mut case = Case::of(vec![vec![Item::new(Kind::Namespace, 0, ""), away.clone()], vec![away]]);
    let wish = Wish {
        prune: true,
        ..Wish::default()
    };
    let rest = || (u8::MAX, Action::Wait(2));
    case.script = vec![rest(), (0, Action::Push), rest(), (0, Action::Sync(wish)), rest()];
    case
}

/// Cases that come first: what it takes to see some of them is rare at random.
fn directed(what: Sabotage) -> Vec<Case> {
    let config = |name, wave| Item::new(Kind::Config, name, wave);
    let two = |first: Vec<Item>, second: Vec<Item>| {
        let mut case = Case::of(vec![first, second]);
        case.script = vec![(u8::MAX, Action::Wait(2)), (0, Action::Push)];
        case
    };
    match what {
        Sabotage::PrunesLastFirst => {
            let mut last = config(0, "");
            last.option = "PruneLast=true";
            vec![two(vec![last, config(1, "")], vec![config(2, "")])]
        }
        Sabotage::ForgetsNeeded => vec![forgotten_namespace()],
        Sabotage::PrunesInOrder | Sabotage::DoesNotAwaitPrunes => {
            let held = |name, wave| Item {
                held: true,
                ..config(name, wave)
            };
            vec![two(
                vec![held(0, "0"), held(1, "1"), config(2, "")],
                vec![config(2, "")],
            )]
        }
        // A child of the third carries an id of its own; replicas of the first are changed all the time.
        Sabotage::CountsOwned => vec![Case::of(vec![vec![Item::new(Kind::Deployment, 3, "")]])],
        Sabotage::ComparesIgnored => {
            let mut case = Case::of(vec![vec![Item::new(Kind::Deployment, 1, "")]]);
            case.policy.ignores = true;
            case.script = vec![(u8::MAX, Action::Wait(3))];
            vec![case]
        }
        Sabotage::DeletesUntracked => {
            let mut case = two(vec![config(0, ""), config(1, "")], vec![config(1, "")]);
            case.policy.heals = false;
            case.script.insert(1, (0, Action::Strip(0)));
            vec![case]
        }
        Sabotage::LeavesNamespacesLate => {
            let mut away = config(0, "0");
            away.away = true;
            vec![Case::of(vec![vec![away, Item::new(Kind::Namespace, 0, "1")]])]
        }
        Sabotage::WipesWhenEmpty => {
            let mut case = two(vec![config(0, "")], Vec::new());
            case.policy.allow_empty = false;
            vec![case]
        }
        Sabotage::NeverExpires => {
            let mut case = Case::of(vec![vec![Item::new(Kind::Deployment, 0, ""), config(0, "1")]]);
            case.natures = vec![Nature::Silent];
            vec![case]
        }
        Sabotage::DeletesKept
        | Sabotage::SkipsDeletionHooks
        | Sabotage::NeverLetsGo
        | Sabotage::CascadesDefinitions => vec![deleted()],
        _ => of_time(what),
    }
}

/// A hook that somebody removes. Nothing tells how one ended that has no health, so nothing holds it.
fn fleeting() -> Item {
    let mut item = Item::hook("PreSync", 0, "");
    item.kind = Kind::Config;
    item.hook = item.hook.map(|hook| Hook { vanishes: true, ..hook });
    item
}

/// An Application that brings everything is deleted: what is kept, a definition, hooks before and after.
fn deleted() -> Case {
    let kept = Item {
        option: "Delete=false",
        ..Item::new(Kind::Config, 1, "")
    };
    let mut case = Case::of(vec![vec![
        Item::new(Kind::Config, 0, ""),
        kept,
        Item::new(Kind::Definition, 0, ""),
        Item::hook("PreDelete", 2, ""),
        Item::hook("PostDelete", 3, ""),
    ]]);
    case.script = vec![(u8::MAX, Action::Wait(2)), (0, Action::DeleteApplication)];
    case
}

/// Those that depend on when something happens.
fn of_time(what: Sabotage) -> Vec<Case> {
    let config = |name, wave| Item::new(Kind::Config, name, wave);
    match what {
        Sabotage::CreatesUnrecorded => {
            let hook = fleeting();
            let crash = |steps, unheard| {
                let mut case = Case::of(vec![vec![hook.clone(), config(0, "")]]);
                case.script = vec![(steps, Action::Crash { unheard, down: 5 })];
                case
            };
            (5..40)
                .flat_map(|steps| (1..4).map(move |unheard| (steps, unheard)))
                .map(|(steps, unheard)| crash(steps, unheard))
                .collect()
        }
        Sabotage::WritesWithoutLead => (0..40)
            .map(|steps| {
                let mut case = restore::full_case();
                case.script.push((steps, Action::Leads(false)));
                case.script.push((200, Action::Wait(2)));
                case
            })
            .collect(),
        Sabotage::DeletesUnfenced => (0..40)
            .map(|steps| {
                let mut case = Case::of(vec![vec![config(0, ""), config(1, "")], vec![config(1, "")]]);
                case.script = vec![
                    (u8::MAX, Action::Wait(2)),
                    (0, Action::Push),
                    (steps, Action::Leads(false)),
                ];
                case.script.push((200, Action::Wait(2)));
                case
            })
            .collect(),
        Sabotage::IgnoresWindows => vec![windowed(Window {
            minutes: 900,
            ..at_nine()
        })],
        // Two minutes after nine a window shuts while a rollout is waited for.
        Sabotage::OverrunsWindows => vec![windowed(Window {
            opens: Opening::Daily { hour: 9, minute: 1 },
            ..at_nine()
        })],
        Sabotage::WritesSuspended => (0..40)
            .map(|steps| {
                let mut case = restore::full_case();
                case.script.push((steps, Action::Suspend(true)));
                case.script.push((200, Action::Wait(2)));
                case
            })
            .collect(),
        _ => of_luck(what),
    }
}

/// Those for which one has to be lucky otherwise: a crash, a lost answer or a stop at the right moment.
fn of_luck(what: Sabotage) -> Vec<Case> {
    let config = |name, wave| Item::new(Kind::Config, name, wave);
    match what {
        Sabotage::RenamesHooks => {
            let mut hook = Item::hook("PreSync", 0, "");
            hook.hook = hook.hook.map(|hook| Hook { unnamed: true, ..hook });
            let crash = |steps| {
                let mut case = Case::of(vec![vec![hook.clone(), config(0, "")]]);
                case.script = vec![(steps, Action::Crash { unheard: 0, down: 0 })];
                case
            };
            (5..40).map(crash).collect()
        }
        // Each request of a sync with a hook is lost once, carried out or not.
        Sabotage::CreatesAgain | Sabotage::AssumesFailure => (1..30)
            .flat_map(|number| [4, 6].map(|fault| (number, fault)))
            .map(|planned| {
                let mut case = Case::of(vec![vec![Item::hook("PreSync", 0, ""), config(0, "")]]);
                (case.faults, case.planned) = (1, vec![planned]);
                case.script = vec![(u8::MAX, Action::Wait(9))];
                case
            })
            .collect(),
        Sabotage::WritesAfterStop => (0..60)
            .map(|steps| {
                let waves = ["0", "1", "2", "5"].into_iter().zip(0..);
                let mut case = Case::of(vec![waves.map(|(wave, name)| config(name, wave)).collect()]);
                case.script = vec![(steps, Action::Terminate)];
                case
            })
            .collect(),
        Sabotage::PrunesUnlisted => {
            let rollout = Item::new(Kind::Deployment, 0, "");
            let mut case = Case::of(vec![vec![rollout, config(0, "")], vec![config(0, "")]]);
            case.script = vec![
                (u8::MAX, Action::Wait(2)),
                (0, Action::Readable(false)),
                (0, Action::Push),
            ];
            case.script.push((200, Action::Wait(2)));
            vec![case]
        }
        Sabotage::WritesUntoldKinds => (5..40).map(untold).collect(),
        _ => of_place(what),
    }
}

/// Those that depend on where something happens.
fn of_place(what: Sabotage) -> Vec<Case> {
    let config = |name| Item::new(Kind::Config, name, "");
    let settles = || (u8::MAX, Action::Wait(1));
    let mut case = Case::of(vec![vec![config(0), config(1)], vec![config(1)]]);
    case.script = match what {
        // A sync waits for a rollout, and its application goes elsewhere.
        Sabotage::GoesOnElsewhere => {
            let waves = vec![Item::new(Kind::Deployment, 0, "0"), Item::new(Kind::Config, 0, "1")];
            (case.revisions, case.natures) = (vec![Some(waves)], vec![Nature::Slow]);
            vec![(200, Action::Move(1)), (200, Action::Wait(3))]
        }
        Sabotage::SpeaksToStrangers => vec![settles(), (0, Action::Replace), (0, Action::Push), settles()],
        Sabotage::DeletesInAnotherCluster => {
            let crash = Action::Crash { unheard: 0, down: 5 };
            vec![
                settles(),
                (0, Action::Replace),
                (0, Action::Push),
                (0, crash),
                settles(),
            ]
        }
        _ => return holders::directed(what).map_or_else(|| people::directed(what), |case| vec![case]),
    };
    case.clusters = 2;
    vec![case]
}

/// The only object of its kind is written, nobody is told, and the next process finds a source without it.
fn untold(steps: u8) -> Case {
    let rollout = Item::new(Kind::Deployment, 0, "");
    let mut case = Case::of(vec![vec![rollout], vec![Item::new(Kind::Config, 0, "")]]);
    case.script = vec![
        (steps, Action::Push),
        (0, Action::Crash { unheard: 5, down: 2 }),
        (u8::MAX, Action::Wait(2)),
        (0, Action::DeleteApplication),
    ];
    case
}

/// Nothing may be synced for an hour from nine on, which is when a case begins.
fn at_nine() -> Window {
    Window {
        allows: false,
        opens: Opening::Daily { hour: 9, minute: 0 },
        minutes: 60,
        zone: "",
        speaks: Speaks::Us,
        manual: false,
        overrun: false,
    }
}

/// A sync of two waves, the first of which takes a minute and a half, in a project with this window.
fn windowed(window: Window) -> Case {
    let rollout = Item::new(Kind::Deployment, 0, "");
    let mut case = Case::of(vec![vec![rollout, Item::new(Kind::Config, 0, "1")]]);
    (case.natures, case.windows) = (vec![Nature::Slow], vec![window]);
    case.script = vec![(u8::MAX, Action::Wait(9))];
    case
}

#[expect(clippy::print_stdout, reason = "what `--nocapture` shows")]
/// How many cases it takes until each of these is seen by its law.
fn are_seen(bias: Bias, knockouts: &[(Sabotage, &str)]) {
    let cases: Vec<_> = search::cases(bias, SEED).take(CASES).collect();
    let (mut whole, mut unseen) = (0, Vec::new());
    for (what, name) in knockouts {
        let check = law(name);
        let first = directed(*what);
        let cases: Vec<&Case> = first.iter().chain(&cases).collect();
        let red = cases.iter().position(|case| {
            let _broken = Broken::so(*what);
            search::held(&world::run(case), check).is_err()
        });
        let Some(red) = red else {
            unseen.push(format!("{what:?} is not seen by {name} in {CASES} cases"));
            continue;
        };
        println!("{what:?}: {name} turns red at case {red}");
        for case in cases
            .iter()
            .take(red + 1)
            .skip(if first.is_empty() { whole.min(red) } else { 0 })
        {
            let record = world::run(case);
            search::all(&record).unwrap_or_else(|why| panic!("whole, and {why}\n{case:?}\n{}", record.story()));
        }
        whole = whole.max((red + 1).saturating_sub(first.len()));
    }
    assert!(unseen.is_empty(), "{}", unseen.join("\n"));
}

const OF_ORDER: &[(Sabotage, &str)] = &[
    (Sabotage::SkipsHealth, "I-WAVE"),
    (Sabotage::OverlapsPhases, "I-PHASE"),
    (Sabotage::AlwaysRunsSyncFail, "I-PHASE"),
    (Sabotage::LeavesNamespacesLate, "I-DEP"),
    (Sabotage::DoesNotAwaitDefinitions, "I-DEP"),
    (Sabotage::ForgetsNeeded, "I-DEP"),
];

#[test]
fn of_order() {
    are_seen(Bias::Order, OF_ORDER);
}

const OF_PRUNES: &[(Sabotage, &str)] = &[
    (Sabotage::PrunesInOrder, "I-PRUNEORD"),
    (Sabotage::DoesNotAwaitPrunes, "I-PRUNEORD"),
    (Sabotage::PrunesLastFirst, "I-PRUNEORD"),
    (Sabotage::DeletesUntracked, "I-TRACK"),
    (Sabotage::DeletesProtected, "I-TRACK"),
    (Sabotage::PrunesDeclared, "I-TRACK"),
    (Sabotage::CountsOwned, "I-TRACK"),
    (Sabotage::NoPreconditions, "I-CAS"),
    (Sabotage::DeletesUnfenced, "I-CAS"),
    (Sabotage::BlindReplace, "I-CAS"),
];

#[test]
fn of_prunes() {
    are_seen(Bias::Prunes, OF_PRUNES);
}

const OF_WHAT_IS_NOT_KNOWN: &[(Sabotage, &str)] = &[
    (Sabotage::PrunesUnlisted, "I-UNK"),
    (Sabotage::CallsUnreadableMissing, "I-UNK"),
    (Sabotage::EmptiesBrokenRender, "I-UNK"),
    (Sabotage::WipesWhenEmpty, "I-UNK"),
    (Sabotage::ForgetsFailure, "I-UNK"),
];

#[test]
fn of_what_is_not_known() {
    are_seen(Bias::Prunes, OF_WHAT_IS_NOT_KNOWN);
}

const OF_DELETIONS: &[(Sabotage, &str)] = &[
    (Sabotage::DeletesKept, "L-DEL"),
    (Sabotage::SkipsDeletionHooks, "L-DEL"),
    (Sabotage::NeverLetsGo, "L-DEL"),
    (Sabotage::CascadesDefinitions, "L-DEL"),
    (Sabotage::WritesUntoldKinds, "L-DEL"),
];

#[test]
fn of_deletions() {
    are_seen(Bias::Prunes, OF_DELETIONS);
}

const OF_HOOKS: &[(Sabotage, &str)] = &[
    (Sabotage::RenamesHooks, "I-HOOK1"),
    (Sabotage::CreatesUnrecorded, "I-HOOK1"),
    (Sabotage::TrustsEarlierHook, "I-HOOKEV"),
    (Sabotage::LetsGoEarly, "I-HOOKEV"),
    (Sabotage::CreatesAgain, "I-AMB"),
    (Sabotage::AssumesFailure, "I-AMB"),
];

#[test]
fn of_hooks() {
    are_seen(Bias::Hooks, OF_HOOKS);
}

const OF_PEOPLE: &[(Sabotage, &str)] = &[
    (Sabotage::WritesAfterStop, "I-WIN"),
    (Sabotage::DryRunWrites, "I-WIN"),
    (Sabotage::WritesWithoutLead, "I-WIN"),
    (Sabotage::WritesSuspended, "I-WIN"),
    (Sabotage::IgnoresWindows, "I-WIN"),
    (Sabotage::OverrunsWindows, "I-WIN"),
    (Sabotage::NeverExpires, "L-END"),
];

#[test]
fn of_people() {
    are_seen(Bias::People, OF_PEOPLE);
}

const OF_THE_STORY: &[(Sabotage, &str)] = &[
    (Sabotage::FollowsTheBranch, "I-PIN"),
    (Sabotage::WritesUnchanged, "I-NOOP"),
    (Sabotage::ComparesIgnored, "I-NOOP"),
    (Sabotage::RepeatsStatus, "I-STAT"),
    (Sabotage::CallsEverythingSynced, "I-STAT"),
    (Sabotage::RewritesHistory, "I-STAT"),
];

#[test]
fn of_the_story() {
    are_seen(Bias::Any, OF_THE_STORY);
}

const OF_PLACES: &[(Sabotage, &str)] = &[
    (Sabotage::GoesOnElsewhere, "I-DEST"),
    (Sabotage::SpeaksToStrangers, "I-DEST"),
    (Sabotage::DeletesInAnotherCluster, "I-DEST"),
];

#[test]
fn of_places() {
    are_seen(Bias::Places, OF_PLACES);
}

const OF_RESTARTS: Sabotage = Sabotage::ForgetsOperation;

/// I-RES has a search of its own: a crash at every step.
#[test]
fn of_restarts() {
    let case = restore::full_case();
    let steps = (0..110).find(|steps| {
        let _broken = Broken::so(OF_RESTARTS);
        restore::holds_at(&case, *steps, 0).is_err()
    });
    assert!(steps.is_some(), "{OF_RESTARTS:?} is not seen by I-RES");
}

#[test]
fn every_switch_of_a_law_is_thrown() {
    let lists = [
        OF_ORDER,
        OF_PRUNES,
        OF_WHAT_IS_NOT_KNOWN,
        OF_DELETIONS,
        OF_HOOKS,
        holders::ALL,
        OF_PEOPLE,
        OF_THE_STORY,
        OF_PLACES,
    ];
    let thrown: BTreeSet<Sabotage> = lists
        .into_iter()
        .chain(people::ALL)
        .flatten()
        .map(|(switch, _)| *switch)
        .chain([OF_RESTARTS])
        .collect();
    let all = Sabotage::ALL.iter().filter(|switch| switch.seen_by() == SeenBy::Law);
    let missed: Vec<&Sabotage> = all.filter(|switch| !thrown.contains(switch)).collect();
    assert!(missed.is_empty(), "no law is held against {missed:?}");
}
