//! Several sources and several clusters: which there are, and what happens to them. Most cases have one of each.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::strategies::revisions;
use super::{Action, Bias, Case, Change, Item, Kind, Speaks};

/// What a case has besides one source and one cluster.
#[derive(Clone, Debug)]
pub(super) struct Several {
    further: Vec<Vec<Option<Vec<Item>>>>,
    clusters: u8,
    /// What happens to them, each group somewhere in the script.
    stories: Vec<(u8, Vec<(u8, Action)>)>,
    aim: Aim,
}

/// What a case is to come to, and would too seldom by itself.
#[derive(Clone, Copy, Debug)]
enum Aim {
    Any,
    /// The first thing that a new process is to do is to prune, and another cluster answers.
    Rebuild,
    /// The first sync is under way when the destination moves.
    MoveEarly(u8),
    /// The Application is being deleted when the destination moves, and perhaps moves back.
    MoveInDeletion {
        after: u8,
        back: Option<u8>,
    },
    /// Something leaves a source after the first.
    Prune,
    /// Something leaves the source after the destination moved.
    PruneElsewhere,
}

fn aim(of_sources: bool, of_clusters: bool) -> impl Strategy<Value = Aim> {
    let (sources, clusters) = (u32::from(of_sources), u32::from(of_clusters));
    prop_oneof![
        7 => Just(Aim::Any),
        2 * clusters => Just(Aim::Rebuild),
        clusters => Just(Aim::PruneElsewhere),
        2 * clusters => (6u8..30).prop_map(Aim::MoveEarly),
        clusters => (0u8..30, option::of(0u8..30)).prop_map(|(after, back)| Aim::MoveInDeletion { after, back }),
        sources => Just(Aim::Prune),
    ]
}

pub(super) fn several(bias: Bias) -> impl Strategy<Value = Several> {
    let (single, many) = if bias == Bias::Places { (1, 5) } else { (12, 1) };
    let further = prop_oneof![single => Just(Vec::new()), many => vec(further(bias), 1..4)];
    let clusters = prop_oneof![single => Just(1u8), many => 2u8..4];
    (further, clusters).prop_flat_map(|(further, clusters)| {
        let (of_sources, of_clusters) = (!further.is_empty(), clusters > 1);
        let count = if of_sources || of_clusters { 1..5 } else { 0..1 };
        let stories = vec((any::<u8>(), story(of_sources, of_clusters)), count);
        let aim = aim(of_sources, of_clusters);
        (Just(further), Just(clusters), stories, aim).prop_map(|(further, clusters, stories, aim)| Several {
            further,
            clusters,
            stories,
            aim,
        })
    })
}

/// The history of a source beside the first: a few commits of a few objects, with names of their own and some that others have, too.
fn further(bias: Bias) -> impl Strategy<Value = Vec<Option<Vec<Item>>>> {
    revisions(bias).prop_map(|mut revisions| {
        revisions.truncate(3);
        for items in revisions.iter_mut().flatten() {
            items.truncate(4);
            for item in items {
                // One in twelve has a name that the first source may have, too: what they say differently cannot be rendered.
                if (item.value, item.name) != (2, 0) {
                    item.name += 4;
                }
            }
        }
        revisions
    })
}

type Story = Vec<(u8, Action)>;

fn story(of_sources: bool, of_clusters: bool) -> impl Strategy<Value = Story> {
    // Weights of what there is not are nothing; something has a weight always.
    prop_oneof![
        1 => Just(Vec::new()),
        11 * u32::from(of_sources) => of_a_source(),
        17 * u32::from(of_clusters) => of_a_cluster(),
    ]
}

fn of_a_source() -> impl Strategy<Value = Story> {
    let source = 0u8..3;
    let pushed = (source.clone(), 0u8..40).prop_map(|(source, after)| vec![(after, Action::PushOf(source))]);
    let reverted = (source.clone(), 0u8..3).prop_map(|(source, to)| vec![(10, Action::RevertOf(source, to))]);
    let blinded = (source, 0u8..30).prop_map(|(source, after)| {
        vec![
            (200, Action::SourceOf(source, false)),
            (after, Action::Push),
            (40, Action::Wait(1)),
            (0, Action::SourceOf(source, true)),
        ]
    });
    prop_oneof![6 => pushed, 2 => reverted, 3 => blinded]
}

fn of_a_cluster() -> impl Strategy<Value = Story> {
    let step = || select(&[0u8, 3, 8, 15, 25, 40, 200][..]);
    let moved = (step(), 0u8..3).prop_map(|(after, to)| vec![(after, Action::Move(to))]);
    let there_and_back = (step(), 0u8..3, step(), 0u8..3).prop_map(|(after, to, later, back)| {
        vec![
            (after, Action::Move(to)),
            (later, Action::Push),
            (later, Action::Move(back)),
        ]
    });
    // Between a request and its answer.
    let disturbed = (any::<bool>(), 4u8..30, 1u8..3).prop_map(|(is_first, after, to)| match is_first {
        true => vec![(after, Action::Move(to))],
        false => vec![(200, Action::Push), (after, Action::Move(to))],
    });
    let cut = (step(), 0u8..3, 0u8..3).prop_map(|(after, of, to)| {
        vec![
            (after, Action::ReachableAt(of, false)),
            (of * 10, Action::Move(to)),
            (200, Action::ReachableAt(of, true)),
        ]
    });
    let replaced = (step(), any::<bool>(), step()).prop_map(|(after, restarts, later)| {
        let crash = Action::Crash { unheard: 0, down: 5 };
        let then = if restarts { crash } else { Action::Replace };
        vec![
            (after, Action::Replace),
            (later, then),
            (10, Action::Push),
            (100, Action::Wait(1)),
        ]
    });
    prop_oneof![5 => moved, 4 => there_and_back, 3 => disturbed, 2 => cut, 3 => replaced]
}

/// What lives in a namespace, or is defined, comes from the first source: others bring what it has a place for.
fn fit(case: &mut Case) {
    let has = |kind: Kind| {
        let mut revisions = case.revisions.iter().flatten();
        revisions.all(|items| items.iter().any(|item| item.kind == kind))
    };
    let (has_namespace, has_definition) = (has(Kind::Namespace), has(Kind::Definition));
    for item in case.further.iter_mut().flatten().flatten().flatten() {
        item.away &= has_namespace;
        let fits = match item.kind {
            Kind::Namespace | Kind::Definition => false,
            Kind::Widget => has_definition,
            _ => true,
        };
        if !fits {
            item.kind = Kind::Config;
        }
    }
}

fn is_of_one_history(action: &Action) -> bool {
    matches!(
        action,
        Action::Rewrite { .. }
            | Action::Branch(_)
            | Action::Forget(_)
            | Action::Rollback(_)
            | Action::Change(Change::Follows(_))
    )
}

impl Several {
    /// The case, with these as well.
    pub(super) fn put_into(self, case: &mut Case) {
        (case.further, case.clusters) = (self.further, self.clusters);
        fit(case);
        if !case.further.is_empty() {
            // Those of one source are searched without others.
            case.script.retain(|(_, action)| !is_of_one_history(action));
        }
        if case.clusters > 1 {
            // Which windows speak of an application is another matter, and another suite's.
            let of_cluster = case
                .windows
                .iter_mut()
                .filter(|window| window.speaks == Speaks::OurCluster);
            of_cluster.for_each(|window| window.speaks = Speaks::Us);
        }
        for (at, story) in self.stories {
            let at = usize::from(at) % (case.script.len() + 1);
            case.script.splice(at..at, story);
        }
        match self.aim {
            Aim::Any => {}
            Aim::Rebuild => rebuild(case),
            Aim::MoveEarly(after) => {
                case.policy.automated = true;
                case.script.insert(0, (after, Action::Move(1)));
            }
            Aim::MoveInDeletion { after, back } => move_in_deletion(case, after, back),
            Aim::Prune => prune(case),
            Aim::PruneElsewhere => prune_elsewhere(case),
        }
    }
}

/// Something leaves a source after the first, and everything was synced before.
fn prune(case: &mut Case) {
    (case.policy.automated, case.policy.prune, case.policy.options) = (true, true, &[]);
    if let Some(Some(first)) = case.further.first_mut().and_then(|history| history.first_mut()) {
        let rest = first.clone();
        first.push(Item::new(Kind::Config, 8, ""));
        case.further[0].insert(1, Some(rest));
    }
    let story = [
        (u8::MAX, Action::Wait(3)),
        (0, Action::PushOf(0)),
        (200, Action::Wait(1)),
    ];
    case.script.splice(0..0, story);
}

/// Everything was synced before.
fn move_in_deletion(case: &mut Case, after: u8, back: Option<u8>) {
    case.policy.automated = true;
    let deleted = [
        (u8::MAX, Action::Wait(1)),
        (0, Action::DeleteApplication),
        (after, Action::Move(1)),
    ];
    let back = back.map(|later| (later, Action::Move(0)));
    case.script.splice(0..0, deleted.into_iter().chain(back));
}

fn prune_elsewhere(case: &mut Case) {
    leave(case);
    let story = [
        (u8::MAX, Action::Wait(1)),
        (0, Action::Move(1)),
        (u8::MAX, Action::Wait(3)),
        (0, Action::Push),
        (200, Action::Wait(1)),
    ];
    case.script.splice(0..0, story);
}

/// The second commit of the first source lacks an object of the first one.
fn leave(case: &mut Case) {
    (case.policy.automated, case.policy.prune, case.policy.options) = (true, true, &[]);
    if let Some(Some(first)) = case.revisions.first_mut() {
        let rest = first.clone();
        first.push(Item::new(Kind::Config, 3, "1"));
        case.revisions.insert(1, Some(rest));
    }
}

/// Something leaves the source when another cluster answers at the destination, and a new process begins with that.
fn rebuild(case: &mut Case) {
    leave(case);
    let crash = Action::Crash { unheard: 0, down: 5 };
    let story = [
        (u8::MAX, Action::Wait(1)),
        (0, Action::Replace),
        (0, Action::Push),
        (0, crash),
        (200, Action::Wait(1)),
    ];
    case.script.splice(0..0, story);
}
