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
pub(super) fn directed(what: Sabotage) -> Case {
    let kind = match what {
        Sabotage::DeletesDefinitionsInUse => Kind::Definition,
        Sabotage::RecreatesProtected => Kind::Claim,
        _ => Kind::Namespace,
    };
    let mut holder = Item::new(kind, 0, "");
    let rest = Item::new(Kind::Config, 0, "");
    let settles = || (u8::MAX, Action::Wait(1));
    let mut script = vec![settles(), (0, Action::Push), settles()];
    let second = match what {
        Sabotage::RecreatesHolders => {
            holder.hook = Item::hook("PreSync", 0, "").hook.map(|hook| Hook {
                policy: "BeforeHookCreation",
                ..hook
            });
            let changed = Item {
                value: 1,
                ..rest.clone()
            };
            vec![holder.clone(), changed]
        }
        // A claim cannot be changed.
        Sabotage::RecreatesProtected => {
            let wish = Wish {
                force: true,
                ..Wish::default()
            };
            script.extend([(0, Action::Sync(wish)), settles()]);
            let consumer = Item::new(Kind::Deployment, 0, "");
            return Case {
                script,
                ..Case::of(vec![
                    vec![holder.clone(), consumer.clone()],
                    vec![Item { value: 1, ..holder }, consumer],
                ])
            };
        }
        _ => {
            holder.option = "Prune=true";
            let place = match kind {
                Kind::Definition => Ground::OfBroughtKind,
                _ => Ground::Brought,
            };
            script.insert(1, (0, Action::Plant(Plant { whose: 0, place })));
            vec![rest.clone()]
        }
    };
    Case {
        script,
        ..Case::of(vec![vec![holder, rest], second])
    }
}

#[test]
fn of_holders() {
    are_seen(Bias::Prunes, ALL);
}
