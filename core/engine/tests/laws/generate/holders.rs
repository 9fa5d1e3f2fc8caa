//! What holds others, or data, and how it is to go: pruned, by a policy of hooks, with its Application, made anew. With somebody else's in it, and
//! with ours, or with nothing.

use proptest::prelude::*;
use proptest::sample::select;

use super::{Action, Bias, Case, Ground, Hook, Item, Kind, Nature, Plant, Wish};

/// How it is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// It leaves Git and says `Prune=true`; perhaps somebody approves.
    Prune {
        is_approved: bool,
    },
    /// It leaves Git, nothing says that it may go, and somebody approves of that.
    Held,
    /// It leaves Git, and somebody syncs with prune: everything, or one object.
    ByHand {
        selective: bool,
    },
    /// It is a hook of this policy, and the sync succeeds or fails.
    Hook {
        types: &'static str,
        policy: &'static str,
        fails: bool,
    },
    /// It is declared as a hook from the second commit on.
    Convert,
    /// A sync that forces cannot change it.
    Force {
        itself: bool,
    },
    Cascade {
        is_approved: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    kind: Kind,
    way: Way,
    /// Something of ours is declared in it.
    has_ours: bool,
    /// Somebody else's; and how many steps after everything is settled, or begins.
    foreign: Option<(u8, u8)>,
}

pub(super) fn holder(bias: Bias) -> impl Strategy<Value = Option<Holder>> {
    let share = match bias {
        Bias::Hooks => 0.35,
        Bias::Prunes => 0.25,
        Bias::Any | Bias::Order => 0.1,
        Bias::People | Bias::Places => 0.03,
    };
    prop::option::weighted(share, any_holder())
}

fn any_holder() -> impl Strategy<Value = Holder> {
    let kinds = [
        Kind::Namespace,
        Kind::Namespace,
        Kind::Definition,
        Kind::Definition,
        Kind::Claim,
    ];
    let kind = select(kinds.to_vec());
    let flag = any::<bool>;
    let policies = [
        "",
        "BeforeHookCreation",
        "HookSucceeded",
        "HookSucceeded",
        "HookFailed",
        "HookFailed",
    ];
    let policy = select(policies.to_vec());
    let types = [
        "PreSync",
        "PreSync",
        "Sync",
        "PostSync",
        "PreSync,PostSync",
        "PreDelete",
        "PostDelete",
    ];
    let types = select(types.to_vec());
    let way = prop_oneof![
        3 => flag().prop_map(|is_approved| Way::Prune { is_approved }),
        2 => Just(Way::Held),
        2 => flag().prop_map(|selective| Way::ByHand { selective }),
        8 => (types, policy, prop::bool::weighted(0.25)).prop_map(|(types, policy, fails)| {
            let fails = fails != (policy == "HookFailed");
            Way::Hook { types, policy, fails }
        }),
        2 => Just(Way::Convert),
        1 => flag().prop_map(|itself| Way::Force { itself }),
        4 => flag().prop_map(|is_approved| Way::Cascade { is_approved }),
    ];
    let foreign = prop::option::weighted(0.8, (0u8..3, select(&[0u8, 0, 4, 9, 15, 25][..])));
    (kind, way, prop::bool::weighted(0.6), foreign).prop_map(|(kind, way, has_ours, foreign)| Holder {
        kind,
        way,
        has_ours,
        foreign,
    })
}

impl Holder {
    /// Two commits of the application, and what happens to it.
    pub(super) fn put_into(self, case: &mut Case, between: (u8, Action)) {
        super::aims::make_whole(case);
        let settles = (u8::MAX, Action::Wait(1));
        let rest = (200, Action::Wait(1));
        for (n, items) in case.revisions.iter_mut().take(2).enumerate() {
            let items = items.get_or_insert_default();
            items.retain(|item| item.kind != self.kind && !item.away && item.kind != Kind::Widget);
            items.extend(self.items(n > 0));
        }
        let (by_hand, selective) = match self.way {
            Way::ByHand { selective } => (true, selective),
            Way::Force { .. } => (true, false),
            _ => (false, false),
        };
        if let Way::Hook { fails: true, .. } = self.way {
            // Whatever else there is of this number.
            case.natures[3] = Nature::Fails;
        }
        case.policy.automated = !by_hand;
        case.policy.cascades |= matches!(self.way, Way::Cascade { .. });
        let wish = Wish {
            prune: true,
            force: matches!(self.way, Way::Force { .. }),
            selective,
            ..Wish::default()
        };
        let asked = || by_hand.then_some((0, Action::Sync(wish)));
        let mut steps = Vec::new();
        steps.extend(asked());
        let (planted, early) = match self.foreign {
            Some((whose, after)) => (Some(self.ground().map(|place| Plant { whose, place })).flatten(), after),
            None => (None, 0),
        };
        // While the first sync runs, or after it.
        steps.extend(planted.filter(|_| early > 0).map(|plant| (early, Action::Plant(plant))));
        steps.push(settles.clone());
        steps.extend(planted.map(|plant| (0, Action::Plant(plant))));
        steps.push((0, Action::Push));
        steps.extend(asked());
        steps.extend([between, rest.clone()]);
        steps.extend(self.end().into_iter().flat_map(|action| [(0, action), rest.clone()]));
        case.script.splice(0..0, steps);
    }

    fn ground(self) -> Option<Ground> {
        match self.kind {
            Kind::Namespace => Some(Ground::Brought),
            Kind::Definition => Some(Ground::OfBroughtKind),
            _ => None,
        }
    }

    fn end(self) -> Vec<Action> {
        match self.way {
            Way::Prune { is_approved: true } | Way::Held => vec![Action::Confirm, Action::Confirm],
            Way::Cascade { is_approved } => {
                let word = if is_approved { Action::Confirm } else { Action::Wait(1) };
                vec![Action::DeleteApplication, word]
            }
            Way::Hook { .. } => vec![Action::Sync(Wish::default()), Action::DeleteApplication],
            _ => Vec::new(),
        }
    }

    fn items(self, is_second: bool) -> Vec<Item> {
        let mut holder = Item::new(self.kind, 5, "");
        let hook = |types, policy| Hook {
            types,
            policy,
            unnamed: false,
            vanishes: false,
        };
        let mut items = Vec::new();
        match self.way {
            Way::Prune { .. } => holder.option = "Prune=true",
            Way::Hook { types, policy, fails } => {
                holder.hook = Some(hook(types, policy));
                if fails {
                    items.push(Item::hook("PostSync", 3, "1"));
                }
            }
            Way::Convert => {
                holder.option = "Prune=true";
                holder.hook = is_second.then(|| hook("PreSync", ""));
            }
            Way::Force { itself } => {
                holder.option = if itself { "Force=true" } else { "" };
                // A claim cannot be changed anyway.
                holder.invalid = is_second && self.kind != Kind::Claim;
                holder.value = u8::from(is_second);
            }
            Way::Held | Way::ByHand { .. } | Way::Cascade { .. } => {}
        }
        let leaves = matches!(self.way, Way::Prune { .. } | Way::Held | Way::ByHand { .. });
        if !leaves || !is_second {
            items.push(holder);
            items.extend(self.ours().filter(|_| self.has_ours));
        }
        items
    }

    /// Something of ours in it.
    fn ours(self) -> Option<Item> {
        match self.kind {
            Kind::Namespace => Some(Item {
                away: true,
                ..Item::new(Kind::Config, 6, "")
            }),
            Kind::Definition => Some(Item::new(Kind::Widget, 6, "")),
            _ => None,
        }
    }
}
