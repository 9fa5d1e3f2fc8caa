//! Knock-outs of what needs somebody's word, and of what is others': each with a case that comes to it.

use capstan_engine::sabotage::Sabotage;

use crate::generate::{Action, Bias, Case, Change, Item, Kind, Rollback};

const OF_CONSENT: &[(Sabotage, &str)] = &[
    (Sabotage::SyncsUnasked, "I-CONSENT"),
    (Sabotage::PrunesUnasked, "I-CONSENT"),
    (Sabotage::PrunesUnconfirmed, "I-CONSENT"),
    (Sabotage::DeletesUnconfirmed, "I-CONSENT"),
    // Its own scenarios see it, too.
    (Sabotage::PrunesRewrittenHistory, "I-CONSENT"),
];

const OF_OTHERS: &[(Sabotage, &str)] = &[
    (Sabotage::WritesIgnored, "I-FIELD"),
    (Sabotage::WritesShared, "I-FIELD"),
    (Sabotage::ForgetsTheRow, "I-PIN"),
];

/// Those that this file throws.
pub(super) const ALL: [&[(Sabotage, &str)]; 2] = [OF_CONSENT, OF_OTHERS];

#[test]
fn of_consent() {
    super::are_seen(Bias::Prunes, OF_CONSENT);
}

#[test]
fn of_what_is_others() {
    super::are_seen(Bias::People, OF_OTHERS);
}

fn config(name: u8) -> Item {
    Item::new(Kind::Config, name, "")
}

fn rest(minutes: u8) -> (u8, Action) {
    (200, Action::Wait(minutes))
}

/// The first commit has one object more than the second, among enough of them.
fn one_leaves(option: &'static str) -> Case {
    let leaves = Item { option, ..config(9) };
    let first = (0..4).map(config).chain([leaves]).collect();
    let mut case = Case::of(vec![first, (0..4).map(config).collect()]);
    case.script = vec![(u8::MAX, Action::Wait(2)), (0, Action::Push), rest(2)];
    case
}

pub(super) fn directed(what: Sabotage) -> Vec<Case> {
    let mut case = match what {
        Sabotage::PrunesUnconfirmed => one_leaves("Prune=confirm"),
        Sabotage::DeletesUnconfirmed => one_leaves(""),
        Sabotage::SyncsUnasked | Sabotage::PrunesUnasked => one_leaves(""),
        // Back to a commit that lacks something of the newest.
        Sabotage::PrunesRewrittenHistory => {
            let mut case = one_leaves("");
            case.revisions.swap(0, 1);
            case.script.push((0, Action::Rewrite { to: 0, anew: false }));
            case.script.push(rest(2));
            case
        }
        Sabotage::WritesIgnored => contested(),
        Sabotage::WritesShared => {
            let mut case = Case::of(vec![vec![config(0)], vec![config(0), config(1)]]);
            case.policy.options = &["FailOnSharedResource=true"];
            case.policy.heals = false;
            case.script = vec![
                (u8::MAX, Action::Wait(2)),
                (0, Action::Adopt(0)),
                (200, Action::Push),
                rest(2),
            ];
            case
        }
        Sabotage::ForgetsTheRow => rolled_back(),
        _ => return Vec::new(),
    };
    match what {
        Sabotage::SyncsUnasked => case.policy.automated = false,
        // A sync that writes something.
        Sabotage::PrunesUnasked => {
            case.policy.prune = false;
            case.revisions[1].iter_mut().for_each(|items| items.push(config(8)));
        }
        Sabotage::DeletesUnconfirmed => {
            case.policy.options = &["Delete=confirm"];
            case.script.push((0, Action::DeleteApplication));
        }
        _ => {}
    }
    vec![case]
}

/// Somebody keeps changing what is not compared, and another field changes with the second commit.
fn contested() -> Case {
    let deployment = |value| Item {
        value,
        ..Item::new(Kind::Deployment, 1, "")
    };
    let mut case = Case::of(vec![vec![deployment(0)], vec![deployment(1)]]);
    case.policy.ignores = true;
    case.policy.options = &["RespectIgnoreDifferences=true"];
    case.script = vec![(u8::MAX, Action::Wait(2)), (0, Action::Push), rest(2)];
    case
}

/// What the first commit has cannot be created again at once.
fn rolled_back() -> Case {
    let mut case = one_leaves("");
    (case.policy.retries, case.policy.refreshes) = (2, true);
    let back = Rollback {
        ago: 1,
        prune: true,
        dares: false,
    };
    case.script.extend([
        (0, Action::Change(Change::Automated(false))),
        (0, Action::Quota(true)),
        (50, Action::Rollback(back)),
        (50, Action::Quota(false)),
        rest(3),
    ]);
    case
}
