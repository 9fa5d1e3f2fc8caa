//! What holds others, or data, and goes with what is in it.

use capstan_engine::sabotage::Sabotage;

use super::are_seen;
use crate::generate::{Action, Bias, Case, Ground, Hook, Item, Kind, Plant, Wish};

pub(super) const ALL: &[(Sabotage, &str)] = &[
    (Sabotage::RecreatesHolders, "I-DEP"),
    (Sabotage::RecreatesProtected, "I-DEP"),
    (Sabotage::DeletesInUse, "I-DEP"),
    (Sabotage::DeletesNamespacesInUse, "I-DEP"),
    (Sabotage::DeletesDefinitionsInUse, "I-DEP"),
];

/// The case that comes first: something holds others, and leaves Git, is a hook, or is written by a sync that forces.
pub(super) fn directed(what: Sabotage) -> Option<Case> {
    Some(match what {
        Sabotage::RecreatesHolders => run_again(),
        Sabotage::RecreatesProtected => forced(),
        Sabotage::DeletesInUse | Sabotage::DeletesNamespacesInUse => leaves(Kind::Namespace, Ground::Brought),
        Sabotage::DeletesDefinitionsInUse => leaves(Kind::Definition, Ground::OfBroughtKind),
        _ => return None,
    })
}

fn settles() -> (u8, Action) {
    (u8::MAX, Action::Wait(1))
}

/// A Namespace that is a hook, in two syncs.
fn run_again() -> Case {
    let hook = Item::hook("PreSync", 0, "").hook.map(|hook| Hook {
        policy: "BeforeHookCreation",
        ..hook
    });
    let holder = Item {
        hook,
        ..Item::new(Kind::Namespace, 0, "")
    };
    let rest = Item::new(Kind::Config, 0, "");
    let changed = Item {
        value: 1,
        ..rest.clone()
    };
    Case {
        script: vec![settles(), (0, Action::Push), settles()],
        ..Case::of(vec![vec![holder.clone(), rest], vec![holder, changed]])
    }
}

/// A claim, which cannot be changed, and somebody forces.
fn forced() -> Case {
    let claim = Item::new(Kind::Claim, 0, "");
    let consumer = Item::new(Kind::Deployment, 0, "");
    let changed = Item {
        value: 1,
        ..claim.clone()
    };
    let wish = Wish {
        force: true,
        ..Wish::default()
    };
    Case {
        script: vec![
            settles(),
            (0, Action::Push),
            settles(),
            (0, Action::Sync(wish)),
            settles(),
        ],
        ..Case::of(vec![vec![claim, consumer.clone()], vec![changed, consumer]])
    }
}

/// It leaves Git, may go, and somebody has something in it.
fn leaves(kind: Kind, place: Ground) -> Case {
    let holder = Item {
        option: "Prune=true",
        ..Item::new(kind, 0, "")
    };
    let rest = Item::new(Kind::Config, 0, "");
    let plant = Action::Plant(Plant { whose: 0, place });
    Case {
        script: vec![settles(), (0, plant), (0, Action::Push), settles()],
        ..Case::of(vec![vec![holder, rest.clone()], vec![rest]])
    }
}

#[test]
fn of_holders() {
    are_seen(Bias::Prunes, ALL);
}
