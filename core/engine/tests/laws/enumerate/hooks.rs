//! Every hook, completely: of each type, with each delete policy and each pair of them, however its Job fares, with a name and without; and
//! each of those that run in a sync with each request of the second one going wrong once.

use super::{FAULTS, hold, requests};
use crate::generate::{Action, Case, Hook, Item, Kind, Nature};
use crate::search;

const TYPES: [&str; 7] = [
    "PreSync",
    "Sync",
    "PostSync",
    "SyncFail",
    "PreDelete",
    "PostDelete",
    "Skip",
];
/// Of a sync.
const RUN: usize = 4;

const POLICIES: [&str; 7] = [
    "",
    "BeforeHookCreation",
    "HookSucceeded",
    "HookFailed",
    "BeforeHookCreation,HookSucceeded",
    "BeforeHookCreation,HookFailed",
    "HookSucceeded,HookFailed",
];
/// None and each of the three.
const SINGLE: usize = 4;

/// How its Job fares.
#[derive(Clone, Copy, Debug)]
enum End {
    Succeeds,
    Fails,
    /// It succeeds and removes itself.
    Vanishes,
}

/// All hooks of these types and policies.
fn hooks(types: &'static [&str], policies: &'static [&str]) -> impl Iterator<Item = (Hook, End)> {
    let of_type = move |types: &'static str| {
        let of_policy = move |policy: &'static str| {
            [End::Succeeds, End::Fails, End::Vanishes]
                .into_iter()
                .flat_map(move |end| {
                    [false, true].map(|unnamed| {
                        let vanishes = matches!(end, End::Vanishes);
                        (
                            Hook {
                                types,
                                policy,
                                unnamed,
                                vanishes,
                            },
                            end,
                        )
                    })
                })
        };
        policies.iter().copied().flat_map(of_policy)
    };
    types.iter().copied().flat_map(of_type)
}

/// Two commits with this hook and an object, both of which change.
fn case(hook: Hook, end: End) -> Case {
    let revision = |value| {
        let changed = |item: Item| Item { value, ..item };
        let mut items = vec![
            changed(Item::new(Kind::Config, 0, "")),
            changed(Item {
                hook: Some(hook),
                ..Item::new(Kind::Job, 1, "")
            }),
        ];
        // Something has to fail.
        items.extend((hook.types == "SyncFail").then(|| Item {
            invalid: true,
            ..Item::new(Kind::Config, 2, "")
        }));
        items
    };
    let mut case = Case::of(vec![revision(0), revision(1)]);
    case.policy.retries = 0;
    let of_hook = match end {
        End::Fails => Nature::Fails,
        End::Succeeds | End::Vanishes => Nature::Prompt,
    };
    case.natures = vec![Nature::Prompt, of_hook];
    case.script = vec![(u8::MAX, Action::Wait(1)), (0, Action::Push)];
    case
}

#[test]
fn every_hook() {
    let mut held = [0; search::LAWS.len()];
    let mut cases = 0;
    for (hook, end) in hooks(&TYPES, &POLICIES) {
        let mut case = case(hook, end);
        case.script
            .extend([(u8::MAX, Action::Wait(1)), (0, Action::DeleteApplication)]);
        hold(&case, &mut held);
        cases += 1;
    }
    // Seven types, seven policies, three ends, with a name and without.
    assert_eq!(cases, 294);
    for name in ["I-PHASE", "I-TRACK", "I-HOOK1", "I-HOOKEV", "I-PIN", "L-DEL"] {
        let law = search::LAWS.iter().position(|(law, _)| *law == name);
        assert!(law.is_some_and(|law| held[law] > 100), "{name}: {held:?}");
    }
}

/// Searches of so many cases a law take the time for every fault of every request, and others for two, in turn.
const THOROUGH: u32 = 100;

/// The pairs of policies are left out, which say nothing that a request could disturb beyond what each says.
#[test]
fn every_hook_with_one_request_that_goes_wrong() {
    let mut held = [0; search::LAWS.len()];
    let is_thorough = search::config().cases >= THOROUGH;
    let (mut cases, mut turn) = (0, 0);
    for (hook, end) in hooks(&TYPES[..RUN], &POLICIES[..SINGLE]) {
        let calm = case(hook, end);
        for number in requests(&calm) {
            turn += 1;
            for (n, fault) in FAULTS.into_iter().enumerate() {
                if !is_thorough && n % 3 != turn % 3 {
                    continue;
                }
                let mut case = calm.clone();
                (case.faults, case.planned) = (1, vec![(number, fault)]);
                hold(&case, &mut held);
                cases += 1;
            }
        }
    }
    // 662 requests of 96 hooks.
    assert_eq!(cases, 662 * if is_thorough { FAULTS.len() } else { 2 });
}
