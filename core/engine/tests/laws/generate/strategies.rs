//! The strategies: what is drawn how often.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::{Action, Bias, Case, Ground, Hook, Item, Kind, Nature, Plant, Policy, Wish};
use super::{aims, holders, people, places, windows};

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
const OPTIONS: [&str; 17] = [
    "",
    "",
    "",
    "",
    "",
    "",
    "Prune=false",
    "Delete=false",
    "Delete=confirm",
    "Prune=confirm",
    "Prune=true",
    "PruneLast=true",
    "Replace=true",
    "Force=true",
    "Validate=false",
    "SkipDryRunOnMissingResource=true",
    "ServerSideApply=true",
];
const HOOKS: [&str; 13] = [
    "PreSync",
    "PreSync",
    "Sync",
    "Sync",
    "PostSync",
    "PostSync",
    "SyncFail",
    "SyncFail",
    "PreSync,PostSync",
    "PreDelete",
    "PostDelete",
    "Skip",
    "Nonsense",
];
const POLICIES: [&str; 6] = [
    "",
    "",
    "BeforeHookCreation",
    "HookSucceeded",
    "HookFailed",
    "BeforeHookCreation,HookSucceeded",
];

/// What makes an object a hook, if it is one.
fn hook(bias: Bias) -> impl Strategy<Value = Option<Hook>> {
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
    prop_oneof![8 => Just(None), hooks => hook.prop_map(Some)]
}

fn item(bias: Bias) -> impl Strategy<Value = Item> {
    let kind = prop_oneof![
        5 => Just(Kind::Config), 5 => Just(Kind::Deployment), 2 => Just(Kind::Job), 2 => Just(Kind::Namespace),
        1 => Just(Kind::Definition), 2 => Just(Kind::Widget), 2 => Just(Kind::Claim),
    ];
    let away = prop::bool::weighted(if bias == Bias::Order { 0.35 } else { 0.15 });
    let option = prop_oneof![2 => select(&OPTIONS[..]), u32::from(bias == Bias::Prunes) => select(&["PruneLast=true", "Prune=confirm"][..])];
    let odd = (
        prop::bool::weighted(if bias == Bias::Prunes { 0.3 } else { 0.1 }),
        prop::bool::weighted(0.03),
    );
    (kind, 0u8..4, select(&WAVES[..]), 0u8..3, option, hook(bias), away, odd).prop_map(
        |(kind, name, wave, value, option, hook, away, (held, invalid))| {
            let kind = match (kind, hook) {
                (Kind::Config | Kind::Namespace | Kind::Definition | Kind::Claim, _) | (_, None) => kind,
                (_, Some(_)) => Kind::Job,
            };
            // These have the names that they need.
            let is_named = matches!(kind, Kind::Namespace | Kind::Definition);
            let hook = hook.map(|hook| Hook {
                unnamed: hook.unnamed && !is_named,
                ..hook
            });
            Item {
                kind,
                name,
                wave,
                value,
                option,
                hook,
                away,
                held,
                invalid,
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
    /// Another name, another kind, another namespace.
    Rename(usize, u8),
    Turn(usize, Kind),
    Relocate(usize),
    /// Of what cannot be changed: Jobs and claims.
    Alter(u8),
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
        1 => (0usize..60, 0u8..4).prop_map(|(at, name)| Edit::Rename(at, name)),
        1 => (0usize..60, select(&[Kind::Config, Kind::Deployment, Kind::Widget][..])).prop_map(|(at, kind)| Edit::Turn(at, kind)),
        1 => (0usize..60).prop_map(Edit::Relocate),
        4 => (0u8..3).prop_map(Edit::Alter),
        u32::from(bias == Bias::Prunes) + 1 => Just(Edit::Empty),
        1 => Just(Edit::Break),
    ]
}

pub(super) fn revisions(bias: Bias) -> impl Strategy<Value = Vec<Option<Vec<Item>>>> {
    let first = prop_oneof![40 => vec(item(bias), 1..8), 1 => vec(item(bias), 8..60)];
    let twins = prop::bool::weighted(if bias == Bias::Hooks { 0.2 } else { 0.08 });
    let first = (first, prop::bool::weighted(0.75), twins).prop_map(|(mut items, is_whole, has_twins)| {
        if has_twins {
            let twin = twin(&mut items);
            items.extend(twin);
        }
        match is_whole {
            true => whole(items),
            false => items,
        }
    });
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
                    Edit::Rename(at, name) if !now.is_empty() => now[at % length].name = name,
                    Edit::Turn(at, kind) if !now.is_empty() => turn(&mut now[at % length], kind),
                    Edit::Relocate(at) if !now.is_empty() => now[at % length].away ^= true,
                    Edit::Alter(value) => {
                        let fixed = now
                            .iter_mut()
                            .filter(|item| matches!(item.kind, Kind::Job | Kind::Claim));
                        fixed.for_each(|item| item.value = value);
                    }
                    Edit::Empty => now.clear(),
                    _ => {}
                }
            }
            revisions.push((!is_broken).then(|| now.clone()));
        }
        revisions
    })
}

/// Another hook whose name begins as that of the first that has none, from now on.
fn twin(items: &mut [Item]) -> Option<Item> {
    let may_be = |item: &&mut Item| item.hook.is_some() && !matches!(item.kind, Kind::Namespace | Kind::Definition);
    let first = items.iter_mut().find(may_be)?;
    first.hook = first.hook.map(|hook| Hook { unnamed: true, ..hook });
    Some(Item {
        value: first.value + 1,
        ..first.clone()
    })
}

/// It is of another kind from now on; a hook stays what runs to its end.
fn turn(item: &mut Item, kind: Kind) {
    if item.hook.is_none() {
        item.kind = kind;
    }
}

/// With the namespace and the definition that its objects need: most applications bring what they live in.
fn whole(mut items: Vec<Item>) -> Vec<Item> {
    let needs = |kind: Kind| match kind {
        Kind::Namespace => items.iter().any(|item| item.away),
        _ => items.iter().any(|item| item.kind == Kind::Widget),
    };
    let brought: Vec<Kind> = [Kind::Namespace, Kind::Definition]
        .into_iter()
        .filter(|kind| needs(*kind) && !items.iter().any(|item| item.kind == *kind))
        .collect();
    items.extend(brought.into_iter().map(|kind| Item::new(kind, 0, "")));
    // A claim without a consumer is bound by nobody.
    let claims = items
        .iter()
        .filter(|item| item.kind == Kind::Claim && item.hook.is_none());
    let consumers: Vec<Item> = claims
        .map(|claim| Item {
            away: claim.away,
            ..Item::new(Kind::Deployment, claim.name, "3")
        })
        .collect();
    items.extend(consumers);
    items
}

fn wish() -> impl Strategy<Value = Wish> {
    let flag = |share| prop::bool::weighted(share);
    (
        flag(0.7),
        flag(0.25),
        flag(0.2),
        flag(0.4),
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

pub(super) fn plant() -> impl Strategy<Value = Plant> {
    let place = prop_oneof![
        2 => Just(Ground::Home),
        1 => Just(Ground::Brought),
        1 => Just(Ground::OfBroughtKind),
    ];
    (0u8..3, place).prop_map(|(whose, place)| Plant { whose, place })
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
        1 => any::<bool>().prop_map(Action::Windows),
        1 => any::<bool>().prop_map(Action::Reachable),
        more(Bias::Prunes) => any::<bool>().prop_map(Action::Readable),
        1 => any::<bool>().prop_map(Action::Source),
        3 => (0u8..8).prop_map(Action::Edit),
        1 => (0u8..8).prop_map(Action::Delete),
        more(Bias::Prunes) => (0u8..8).prop_map(Action::Strip),
        more(Bias::Prunes) => (0u8..8).prop_map(Action::Protect),
        more(Bias::Prunes) => plant().prop_map(Action::Plant),
        1 => Just(Action::DeleteApplication),
        1 => (1u8..20).prop_map(Action::Wait),
        5 => people::deed(bias),
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
    let deleted = (
        any::<bool>().prop_map(|is_synced| if is_synced { 200 } else { 20 }),
        0u8..30,
        action(bias),
    );
    let deleted = deleted
        .prop_map(|(first, after, then)| vec![(first, Action::Wait(1)), (0, Action::DeleteApplication), (after, then)]);
    let settled = vec![(u8::MAX, Action::Wait(2)), (0, Action::Push), (200, Action::Wait(2))];
    prop_oneof![
        if bias == Bias::Prunes { 6 } else { 2 } => Just(settled),
        1 => deleted,
        8 => (0u8..40, action(bias)).prop_map(|one| vec![one]),
        4 => disturbed.prop_map(|after| vec![(200, Action::Push), after]),
        2 => (0u8..5, blinded).prop_map(|(after, blinded)| vec![(200, blinded), (after, Action::Push), (40, Action::Wait(1))]),
    ]
}

fn policy() -> impl Strategy<Value = Policy> {
    let flag = |share| prop::bool::weighted(share);
    (
        flag(0.75),
        flag(0.8),
        flag(0.6),
        flag(0.5),
        select(&people::OPTIONS[..]),
        0u8..3,
        (flag(0.2), flag(0.6), flag(0.7)),
    )
        .prop_map(
            |(automated, prune, heals, allow_empty, options, retries, (refreshes, ignores, cascades))| Policy {
                automated,
                prune,
                heals,
                allow_empty,
                options,
                retries,
                refreshes,
                ignores,
                cascades,
            },
        )
}

const NATURES: [Nature; 12] = [
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
    Nature::Instant,
    Nature::Lags,
];

/// What a case is to come to, and would too seldom by itself.
fn aim(bias: Bias) -> impl Strategy<Value = (bool, &'static str)> {
    let confirms = prop::bool::weighted(if bias == Bias::Prunes { 0.2 } else { 0.02 });
    (
        confirms,
        select(&["", "PreDelete", "PostDelete", "PreDelete,PostDelete"][..]),
    )
}

/// Any case.
pub(crate) fn case(bias: Bias) -> impl Strategy<Value = Case> {
    let tape = prop_oneof![1 => Just(Vec::new()), 4 => vec(prop_oneof![2 => Just(0), 3 => any::<u32>()], 0..300)];
    let world = (windows::begins(), prop_oneof![2 => Just(0u8), 3 => 1u8..5], tape);
    let cases = (
        revisions(bias),
        vec(select(&NATURES[..]), 4),
        policy(),
        vec(story(bias), 0..5).prop_map(|stories| stories.concat()),
        windows::windows(bias),
        world,
    );
    let cases = cases.prop_map(
        |(revisions, natures, policy, script, windows, (begins, faults, tape))| Case {
            revisions,
            further: Vec::new(),
            clusters: 1,
            natures,
            policy,
            windows: windows.iter().map(|window| window.near(begins)).collect(),
            begins,
            script,
            faults,
            planned: Vec::new(),
            tape,
        },
    );
    let aims = (aims::aim(bias), aims::disturbance(bias));
    let aims = (aims, holders::holder(bias));
    (cases, aim(bias), aims, places::several(bias)).prop_map(
        |(mut case, (confirms, farewell), ((aim, between), holder), several)| {
            direct(&mut case, confirms, farewell);
            match (case.windows.is_empty(), holder, aim) {
                (true, Some(holder), _) => holder.put_into(&mut case, between),
                (true, None, Some(aim)) => aims::take(&mut case, aim, between),
                _ => {}
            }
            several.put_into(&mut case);
            case
        },
    )
}

/// Gives a case what it needs to come to what it is about.
fn direct(case: &mut Case, confirms: bool, farewell: &'static str) {
    let Case {
        revisions,
        natures,
        policy,
        script,
        ..
    } = case;
    if confirms {
        // Something leaves a source that was synced, and somebody is to confirm that.
        (policy.automated, policy.prune) = (true, true);
        policy.options = &["Prune=confirm"];
        let settles = [(u8::MAX, Action::Wait(2)), (0, Action::Push), (200, Action::Wait(2))];
        script.splice(0..0, settles);
    }
    let is_deleted = script.iter().any(|(_, action)| *action == Action::DeleteApplication);
    if is_deleted && !farewell.is_empty() {
        // Whichever commit is synced by then has it.
        let hook = Item::hook(farewell, 3, "");
        revisions
            .iter_mut()
            .flatten()
            .for_each(|items| items.push(hook.clone()));
    }
    if !case.windows.is_empty() {
        // Long enough for one of them to open or to shut, with something that is waited for meanwhile.
        natures[0] = Nature::Silent;
        let waited_for = Item::new(Kind::Deployment, 0, "-1");
        let items = revisions.iter_mut().flatten();
        items.for_each(|items| items.insert(0, waited_for.clone()));
        script.insert(0, (u8::MAX, Action::Wait(30)));
        script.push((u8::MAX, Action::Wait(45)));
    }
}
