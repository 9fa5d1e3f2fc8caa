//! Small scopes, completely: before anything is drawn at random, every application of up to four objects and one hook in two waves, with
//! the prune of one of them; every hook of a sync ([`hooks`]); and every way in which one or two requests of a sync that has everything can go
//! wrong.

mod hooks;

use crate::generate::{Action, Case, Change, Follow, Item, Kind, Nature, Opening, Speaks, Spec, Window, Wish};
use crate::history::{Actor, Entry, Fact};
use crate::restore::full_case;
use crate::search;
use crate::world;

/// Every set of up to so many objects of two kinds in two waves.
fn sets(of: usize) -> Vec<Vec<Item>> {
    let choices: Vec<(Kind, &'static str)> = [Kind::Config, Kind::Deployment]
        .into_iter()
        .flat_map(|kind| ["0", "1"].map(|wave| (kind, wave)))
        .collect();
    let mut sets: Vec<Vec<usize>> = vec![Vec::new()];
    let mut all = Vec::new();
    for _ in 0..of {
        let longer = |set: &Vec<usize>| {
            let from = set.last().copied().unwrap_or(0);
            let set = set.clone();
            (from..choices.len())
                .map(move |next| [set.clone(), vec![next]].concat())
                .collect::<Vec<_>>()
        };
        sets = sets.iter().flat_map(longer).collect();
        all.extend(sets.clone());
    }
    let item = |(name, choice): (usize, &usize)| {
        let (kind, wave) = choices[*choice];
        Item::new(kind, u8::try_from(name).unwrap_or(0), wave)
    };
    all.iter()
        .map(|set| set.iter().enumerate().map(item).collect())
        .collect()
}

fn hold(case: &Case, held: &mut [usize; search::LAWS.len()]) {
    let record = world::run(case);
    let found = search::all(&record).unwrap_or_else(|why| panic!("{why}\n{case:?}\n{}", record.story()));
    for (held, found) in held.iter_mut().zip(found) {
        *held += found;
    }
}

#[test]
fn small_applications() {
    let mut held = [0; search::LAWS.len()];
    let mut cases = 0;
    for objects in sets(4) {
        for hook in [
            None,
            Some(("PreSync", "")),
            Some(("Sync", "1")),
            Some(("PostSync", "")),
            Some(("SyncFail", "")),
        ] {
            let hook = hook.map(|(types, wave)| Item::hook(types, 9, wave));
            let first: Vec<Item> = objects.iter().cloned().chain(hook.clone()).collect();
            let second: Vec<Item> = objects.iter().skip(1).cloned().chain(hook).collect();
            let mut case = Case::of(vec![first, second]);
            case.script = vec![(u8::MAX, Action::Wait(2)), (0, Action::Push)];
            hold(&case, &mut held);
            cases += 1;
        }
    }
    assert_eq!(cases, 345);
    let law = |name: &str| {
        search::LAWS
            .iter()
            .position(|(law, _)| *law == name)
            .map_or(0, |at| held[at])
    };
    for name in ["I-WAVE", "I-PHASE", "I-TRACK", "I-HOOK1", "I-HOOKEV", "I-CAS", "I-PIN"] {
        assert!(law(name) > 100, "{name} had something to hold {} times only", law(name));
    }
}

/// Choices of the tape that are faults: in passing, a conflict, too many requests, lost before and after, somebody in between.
const FAULTS: [u32; 6] = [1, 2, 3, 4, 6, 9];
const LOST: [u32; 2] = [4, 6];

/// Requests of the sync that is disturbed: all since the branch moved.
fn requests(case: &Case) -> Vec<u64> {
    let record = world::run(case);
    let moved = record
        .history
        .iter()
        .position(|entry| matches!(entry.fact, Fact::Moved { .. }));
    let numbers = record.history[moved.unwrap_or(0)..]
        .iter()
        .filter_map(|entry| match &entry.fact {
            Fact::Sent(request) => Some(request.number),
            _ => None,
        });
    numbers.collect()
}

/// The first and the last request of a second sync with hooks, a rollout, a prune.
fn ends() -> (u64, u64) {
    let numbers = requests(&full_case());
    (numbers[0], numbers[numbers.len() - 1])
}

fn disturbed(faults: &[(u64, u32)]) -> Case {
    let mut case = full_case();
    case.faults = 2;
    case.planned = faults.to_vec();
    case
}

#[test]
fn one_request_goes_wrong() {
    let (first, last) = ends();
    let mut held = [0; search::LAWS.len()];
    for number in first..=last {
        for fault in FAULTS {
            hold(&disturbed(&[(number, fault)]), &mut held);
        }
    }
}

#[test]
fn two_answers_are_lost() {
    let (first, last) = ends();
    let mut held = [0; search::LAWS.len()];
    for one in first..last {
        for other in one + 1..=last.min(one + 3) {
            for (a, b) in LOST.into_iter().flat_map(|a| LOST.map(|b| (a, b))) {
                hold(&disturbed(&[(one, a), (other, b)]), &mut held);
            }
        }
    }
}

/// Two sources of an object each, of every kind and wave: either moves on while the other stays, or cannot be read meanwhile.
#[test]
fn two_sources() {
    let objects = |name| {
        let kinds = [Kind::Config, Kind::Deployment].into_iter();
        kinds.flat_map(move |kind| ["0", "1"].map(|wave| Item::new(kind, name, wave)))
    };
    let mut held = [0; search::LAWS.len()];
    for (first, second) in objects(0).flat_map(|first| objects(1).map(move |second| (first.clone(), second))) {
        for script in [
            vec![(0, Action::Push)],
            vec![(0, Action::PushOf(0))],
            vec![(0, Action::Push), (7, Action::PushOf(0))],
            vec![
                (0, Action::SourceOf(0, false)),
                (0, Action::Push),
                (200, Action::Wait(1)),
            ],
        ] {
            let mut case = Case::of(vec![vec![first.clone()], Vec::new()]);
            case.further = vec![vec![Some(vec![second.clone()]), Some(Vec::new())]];
            case.script = [vec![(u8::MAX, Action::Wait(2))], script].concat();
            hold(&case, &mut held);
        }
    }
    for name in ["I-TRACK", "I-PIN", "I-STAT"] {
        let law = search::LAWS.iter().position(|(law, _)| *law == name);
        assert!(law.is_some_and(|law| held[law] > 30), "{name}: {held:?}");
    }
}

/// At every step of a sync that has everything, its application goes elsewhere; and comes back after a few more.
#[test]
fn a_move_at_every_step() {
    let mut held = [0; search::LAWS.len()];
    for steps in (0..60).step_by(2) {
        for back in [0, 5, 200] {
            let mut case = full_case();
            case.clusters = 2;
            case.script.extend([(steps, Action::Move(1)), (back, Action::Move(0))]);
            hold(&case, &mut held);
        }
    }
}

/// A window that is shut, opens or shuts while a sync of two waves is under way, or is held: of each kind, for people and for nobody, with
/// what lifts it. The windows stay; what they allow is done while they do, and nothing else.
#[test]
fn one_window() {
    let mut held = [0; search::LAWS.len()];
    let mut done = [0, 0];
    for (allows, opens) in [false, true]
        .into_iter()
        .flat_map(|allows| [(8, 30), (9, 1), (9, 30)].map(|at| (allows, at)))
    {
        for flags in 0..8u8 {
            let [manual, overrun, by_hand] = [1, 2, 4].map(|flag| flags & flag != 0);
            let window = Window {
                allows,
                opens: Opening::Daily {
                    hour: opens.0,
                    minute: opens.1,
                },
                minutes: 60,
                zone: "",
                speaks: Speaks::Us,
                manual,
                overrun,
            };
            let mut case = Case::of(vec![vec![
                Item::new(Kind::Deployment, 0, ""),
                Item::new(Kind::Config, 0, "1"),
            ]]);
            (case.windows, case.natures, case.policy.automated) = (vec![window], vec![Nature::Slow], !by_hand);
            if by_hand {
                case.script.push((0, Action::Sync(Wish::default())));
            }
            case.script.push((u8::MAX, Action::Wait(150)));
            hold(&case, &mut held);
            let record = world::run(&case);
            let before_quiet = record.history.iter().take_while(|entry| entry.fact != Fact::Quiet);
            let is_late = |entry: &&Entry| matches!(&entry.fact, Fact::Written { by: Actor::Us, object, .. } if object["kind"] == "ConfigMap");
            done[usize::from(before_quiet.filter(is_late).count() > 0)] += 1;
        }
    }
    // Those that a person asked for while it was shut are refused, and not done later.
    assert_eq!(done, [6, 42]);
}

/// Each field of the spec is edited, at one moment or another of a sync that has everything: what runs goes on as it began, or ends, and every law
/// holds.
#[test]
fn one_edit() {
    let changes = [
        Change::Automated(false),
        Change::Prune(false),
        Change::Heals(false),
        Change::AllowsEmpty(false),
        Change::Ignores(true),
        Change::Options(&["PruneLast=true"]),
        Change::Retry {
            limit: 2,
            refreshes: true,
        },
        Change::Follows(Follow::Commit(0)),
        Change::Follows(Follow::Tag(0)),
    ];
    let mut held = [0; search::LAWS.len()];
    for (change, steps) in changes
        .into_iter()
        .flat_map(|change| (0..110).step_by(9).map(move |steps| (change, steps)))
    {
        let mut case = full_case();
        case.script.push((steps, Action::Change(change)));
        hold(&case, &mut held);
        let record = world::run(&case);
        let told =
            |entry: &&Entry| matches!(&entry.fact, Fact::Spec { spec, .. } if *spec == Spec::of(&case).changed(change));
        assert!(
            record.history.iter().any(|entry| told(&entry)),
            "{change:?} was not told"
        );
    }
}
