//! The engine is broken on purpose, and the recorded cases, or others made of them, have to show it: what they are held to says nothing until it is known to fail.

use std::path::Path;

use capstan_engine::sabotage::{Sabotage, set};
use capstan_engine::settings::Guards;

use serde_json::{Value, json};

use super::case::{Case, key_of};
use super::replay::play;
use super::{Score, end, laws, others, read};

/// Cases of either sort that are tried at most.
const TRIED: u64 = 700;

/// What a single sync of a new process can show. The rest is of restarts, policies, several syncs, or of deletions of applications.
const SEEN: &[Sabotage] = &[
    Sabotage::SkipsHealth,
    Sabotage::OverlapsPhases,
    Sabotage::AlwaysRunsSyncFail,
    Sabotage::LeavesNamespacesLate,
    Sabotage::PrunesInOrder,
    Sabotage::DoesNotAwaitPrunes,
    Sabotage::PrunesLastFirst,
    Sabotage::DeletesProtected,
    Sabotage::PrunesDeclared,
    Sabotage::PrunesUnconfirmed,
    Sabotage::DryRunWrites,
    Sabotage::WritesAfterStop,
    Sabotage::PrunesAfterFailure,
];

/// Puts something into a case, where it can.
type Aim = fn(&mut Value) -> bool;

/// What is too rare to be waited for, with what puts it into a case.
const AIMED: &[(Sabotage, Aim)] = &[(Sabotage::RunsOverOrdinary, put_an_ordinary_object_in_the_way)];

/// A sync that may not prune has a hook, and an ordinary object of its name is live.
fn put_an_ordinary_object_in_the_way(case: &mut Value) -> bool {
    let is_free = |hook: &&Value| hook["metadata"]["name"].is_string() && end::is_hook(hook);
    let mut desired = case["desired"].as_array().into_iter().flatten();
    let Some(mut object) = desired.find(is_free).filter(|_| case["op"]["prune"] != true).cloned() else {
        return false;
    };
    object["metadata"]["annotations"] = json!({});
    let key = key_of(&object);
    let live = case["live"].as_array_mut();
    let free = live.filter(|live| live.iter().all(|live| key_of(&live["obj"]) != key));
    free.map(|live| live.push(json!({"obj": object}))).is_some()
}

/// Breaks the engine in each way, and looks for a case that ends worse, or breaks a law. Only ours is played: that it ends otherwise than
/// Argo CD's is not enough.
pub(crate) fn run(folder: &Path) -> Score {
    let recorded: Vec<Value> = others::parse(&read(folder).lines().collect::<Vec<_>>());
    let mut score = Score::default();
    let all = SEEN.iter().map(|broken| (broken, None));
    let aimed = AIMED.iter().map(|(broken, aim)| (broken, Some(aim)));
    for (broken, aim) in all.chain(aimed) {
        let both = (1..=TRIED).zip(&recorded);
        let mut cases = both.flat_map(|(seed, case)| [case.clone(), others::other(&recorded, seed)]);
        let mut tried = 0;
        let seen = cases.find_map(|mut case| {
            if aim.is_some_and(|aim| !aim(&mut case)) {
                return None;
            }
            tried += 1;
            let case: Case = serde_json::from_value(case).expect("it has the shape of a case");
            let why = fault(&case, Some(*broken))?;
            assert_eq!(fault(&case, None), None, "{}: nothing was broken", case.id);
            Some((case.id, why))
        });
        score.total += 1;
        match seen {
            Some((id, why)) => {
                score.equal += 1;
                println!("{broken:?}: seen by case {tried}, of {id}: {why}");
            }
            None => score.differences.push(format!("{broken:?} is not seen")),
        }
    }
    score
}

fn fault(case: &Case, broken: Option<Sabotage>) -> Option<String> {
    set(broken);
    // The player ends the test where the engine asks for things without end.
    let ours = std::panic::catch_unwind(|| play(case, Guards::Capstan));
    set(None);
    let Ok(ours) = ours else {
        return Some("the player gave up".to_owned());
    };
    let end = end::End::of(case, &ours, &ours);
    end.fault().or_else(|| laws::fault(case, &ours))
}
