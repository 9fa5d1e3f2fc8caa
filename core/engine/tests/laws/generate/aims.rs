//! What a case is to come to, and would too seldom by itself: an application that can be synced at all, and then the steps that lead there.
//! What comes after them, who disturbs them and what goes wrong meanwhile is left to chance.

use proptest::prelude::*;
use proptest::sample::select;

use super::people::{self, Change, Follow, Rollback};
use super::{Action, Bias, Case, Item, Kind, Nature};

/// Something to come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aim {
    /// A row of the history is gone back to; while automated sync is on, or off.
    Rollback { is_off: bool, dares: bool },
    /// The branch is rewritten so that something would be pruned, and perhaps somebody says that it may be.
    Rewritten { anew: bool, is_confirmed: bool },
    /// Something leaves that says `Prune=confirm`, or all of the application does.
    Confirmed { by_application: bool },
    /// The Application is deleted, and something says `Delete=confirm`, or all of it does.
    ConfirmedDeletion { by_application: bool },
    /// Another application takes an object, and `FailOnSharedResource=true`.
    Shared,
    /// `RespectIgnoreDifferences=true`, and somebody keeps changing what is not compared.
    Left { is_edited: bool },
    /// Somebody undoes every repair.
    Fought,
    /// A commit or a tag is followed for a while, and cannot be found, perhaps.
    Pinned { follow: Follow, is_forgotten: bool },
    /// The spec is edited while a sync is under way, and again.
    Edited { first: Change, second: Change },
    /// The branch is gone for a while.
    Gone,
    /// A quota is full.
    Full,
    /// The namespace that the application brings ends.
    Ended,
}

pub(super) fn aim(bias: Bias) -> impl Strategy<Value = Option<Aim>> {
    let flag = any::<bool>;
    let follow = select(&[Follow::Commit(0), Follow::Commit(1), Follow::Tag(0), Follow::Tag(1)][..]);
    let more = |of: Bias| if bias == of { 3 } else { 1 };
    let aim = prop_oneof![
        4 * more(Bias::People) => (flag(), prop::bool::weighted(0.8)).prop_map(|(is_off, dares)| Aim::Rollback { is_off, dares }),
        2 * more(Bias::Prunes) => (flag(), flag()).prop_map(|(anew, is_confirmed)| Aim::Rewritten { anew, is_confirmed }),
        2 * more(Bias::Prunes) => flag().prop_map(|by_application| Aim::Confirmed { by_application }),
        more(Bias::Prunes) => flag().prop_map(|by_application| Aim::ConfirmedDeletion { by_application }),
        2 => Just(Aim::Shared),
        3 => flag().prop_map(|is_edited| Aim::Left { is_edited }),
        3 => Just(Aim::Fought),
        6 => (follow, flag()).prop_map(|(follow, is_forgotten)| Aim::Pinned { follow, is_forgotten }),
        6 => (people::change(), people::change()).prop_map(|(first, second)| Aim::Edited { first, second }),
        3 => Just(Aim::Gone),
        1 => Just(Aim::Full),
        4 => Just(Aim::Ended),
    ];
    prop_oneof![3 => Just(None), 2 => aim.prop_map(Some)]
}

/// What may come in between.
pub(super) fn disturbance(bias: Bias) -> impl Strategy<Value = (u8, Action)> {
    let next = prop_oneof![
        3 => Just(Action::Wait(1)),
        1 => people::change().prop_map(Action::Change),
        1 => people::deed(bias),
        1 => Just(Action::Push),
        1 => (0u8..4).prop_map(|unheard| Action::Crash { unheard, down: 5 }),
        1 => Just(Action::Terminate),
    ];
    (0u8..40, next)
}

/// Gives a case what it needs to come to what it is about.
pub(super) fn take(case: &mut Case, aim: Aim, between: (u8, Action)) {
    make_whole(case);
    prepare(case, aim);
    let mut steps = vec![(u8::MAX, Action::Wait(1)), (0, Action::Push), (200, Action::Wait(1))];
    steps.extend(steps_to(aim, between));
    if aim == Aim::Full {
        steps.insert(1, (0, Action::Quota(true)));
    }
    case.script.splice(0..0, steps);
}

fn rest(minutes: u8) -> (u8, Action) {
    (200, Action::Wait(minutes))
}

/// What leads there from an application that was synced twice.
fn steps_to(aim: Aim, between: (u8, Action)) -> Vec<(u8, Action)> {
    match aim {
        Aim::Rewritten { anew, is_confirmed } => {
            let word = if is_confirmed { Action::Confirm } else { Action::Wait(1) };
            vec![
                (0, Action::Rewrite { to: 0, anew }),
                rest(1),
                (0, word),
                between,
                rest(1),
            ]
        }
        Aim::Confirmed { .. } => vec![between, (0, Action::Confirm), rest(1)],
        Aim::ConfirmedDeletion { .. } => {
            vec![
                (0, Action::DeleteApplication),
                between,
                rest(1),
                (0, Action::Confirm),
                rest(1),
            ]
        }
        Aim::Shared => vec![(0, Action::Adopt(0)), (0, Action::Revert(0)), between, rest(1)],
        Aim::Fought => vec![(0, Action::Fight(0)), rest(12), between],
        Aim::Gone => vec![
            (0, Action::Branch(false)),
            between,
            rest(1),
            (0, Action::Branch(true)),
            rest(1),
        ],
        Aim::Full => vec![between, rest(1), (0, Action::Quota(false)), rest(1)],
        Aim::Ended => vec![(0, Action::EndNamespace), (3, Action::Revert(0)), between, rest(1)],
        Aim::Rollback { .. } | Aim::Left { .. } | Aim::Pinned { .. } | Aim::Edited { .. } => edits_to(aim, between),
    }
}

/// The same, of those that edit the spec.
fn edits_to(aim: Aim, between: (u8, Action)) -> Vec<(u8, Action)> {
    match aim {
        Aim::Rollback { is_off, dares } => rollback_to(is_off, dares, between),
        Aim::Left { is_edited } => {
            let edited = if is_edited {
                Action::Change(Change::Ignores(false))
            } else {
                Action::Wait(1)
            };
            vec![
                (0, edited),
                rest(1),
                (0, Action::Change(Change::Ignores(true))),
                (0, Action::Revert(0)),
                between,
                rest(1),
            ]
        }
        Aim::Pinned { follow, is_forgotten } => {
            let n = match follow {
                Follow::Commit(n) | Follow::Tag(n) => n,
                Follow::Branch => 0,
            };
            let gone = if is_forgotten {
                Action::Forget(n)
            } else {
                Action::Wait(1)
            };
            let back = Action::Change(Change::Follows(Follow::Branch));
            vec![
                (0, Action::Change(Change::Follows(follow))),
                between,
                (5, gone),
                rest(1),
                (0, back),
                rest(1),
            ]
        }
        Aim::Edited { first, second } => vec![
            (0, Action::Revert(0)),
            (6, Action::Change(first)),
            between,
            (10, Action::Change(second)),
            rest(1),
        ],
        _ => Vec::new(),
    }
}

/// It can be synced, and something changes with the second commit, which brings one object and takes another.
pub(super) fn make_whole(case: &mut Case) {
    let good = [Nature::Prompt, Nature::Lags, Nature::Instant, Nature::Prompt];
    case.natures = good.to_vec();
    (case.policy.automated, case.policy.prune, case.policy.heals) = (true, true, true);
    let mut first = case.revisions[0].clone().unwrap_or_default();
    for item in &mut first {
        item.invalid = false;
    }
    // So much that one of them is not much of it.
    first.extend([0, 1, 2, 3].map(|name| Item::new(Kind::Config, name, "")));
    let mut second = first.clone();
    second.pop();
    first.pop();
    first.extend([Item::new(Kind::Config, 9, ""), Item::new(Kind::Deployment, 1, "")]);
    second.extend([
        Item::new(Kind::Config, 8, ""),
        Item {
            value: 2,
            ..Item::new(Kind::Deployment, 1, "")
        },
    ]);
    let rest = case.revisions.split_off(case.revisions.len().min(2));
    case.revisions = [vec![Some(first), Some(second)], rest].concat();
}

fn prepare(case: &mut Case, aim: Aim) {
    let leaves = |item: &Item| item.kind == Kind::Config && item.name == 9;
    let mut say = |option: &'static str| {
        let items = case.revisions.iter_mut().flatten().flatten();
        items.filter(|item| leaves(item)).for_each(|item| item.option = option);
    };
    match aim {
        Aim::Confirmed { by_application: false } => say("Prune=confirm"),
        Aim::Confirmed { by_application: true } => case.policy.options = &["Prune=confirm"],
        Aim::ConfirmedDeletion { by_application: false } => {
            say("Delete=confirm");
            // It is the one that would leave.
            case.revisions.truncate(1);
        }
        Aim::ConfirmedDeletion { by_application: true } => case.policy.options = &["Delete=confirm"],
        Aim::Shared => case.policy.options = &["FailOnSharedResource=true"],
        Aim::Left { .. } => {
            case.policy.options = &["RespectIgnoreDifferences=true"];
            case.policy.ignores = true;
        }
        Aim::Ended => {
            let away = |name| Item {
                away: true,
                held: name == 0,
                ..Item::new(Kind::Config, name, "")
            };
            let more = [Item::new(Kind::Namespace, 0, ""), away(0)];
            let items = case.revisions.iter_mut().flatten();
            items.for_each(|items| items.extend(more.clone()));
            if let Some(first) = &mut case.revisions[0] {
                first.push(away(2));
            }
        }
        _ => {}
    }
}

fn rollback_to(is_off: bool, dares: bool, between: (u8, Action)) -> Vec<(u8, Action)> {
    let first = if is_off {
        Change::Automated(false)
    } else {
        Change::Heals(true)
    };
    let back = Rollback {
        ago: 1,
        prune: true,
        dares,
    };
    vec![
        (0, Action::Change(first)),
        (5, Action::Rollback(back)),
        between,
        rest(1),
        (0, Action::Change(Change::Automated(true))),
        rest(1),
    ]
}
