//! Other cases than the recorded ones: recorded cases, mixed and changed within what they vary.
//!
//! Nobody recorded what Argo CD's engine does with them, so they are held to what needs no recorded answer: with the safe defaults no
//! case ends worse than with `guards: argo`, every object that ends otherwise is explained by a rule, what runs on says what it waits for,
//! and tasks are begun in their order; `guards: argo` does the same each time, and goes through the phases in theirs, as Argo CD does.

use std::collections::BTreeSet;

use capstan_engine::settings::Guards;
use capstan_model::SyncPhase;
use serde_json::{Map, Value, json};

use super::Verdict;
use super::case::{Case, Round, key_of};
use super::course::phase_of;
use super::replay::play;
use super::trouble::{Trouble, has, homes};

/// Numbers that look random and are the same every time (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let sides = u64::try_from(sides.max(1)).unwrap_or(1);
        usize::try_from((mixed ^ (mixed >> 31)) % sides).unwrap_or(0)
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.roll(from.len()))
    }
}

/// A number that the environment gives.
fn given(name: &str, otherwise: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// Makes and plays `CAPSTAN_SYNC_CASES` cases (60) from `CAPSTAN_SYNC_SEED` on (1); each case is made from one number alone, and shown if it is asked for alone. Gives how many
/// there were, and what is wrong.
pub(crate) fn run(lines: &[&str]) -> (usize, Vec<String>) {
    let recorded = parse(lines);
    let (first, count) = (given("CAPSTAN_SYNC_SEED", 1), given("CAPSTAN_SYNC_CASES", 60));
    let mut faults = Vec::new();
    for seed in first..first + count {
        let made = other(&recorded, seed);
        let case: Case = serde_json::from_value(made.clone()).expect("it has the shape of a case");
        let Some(why) = wrong_with(&case) else { continue };
        let text = if count == 1 { made.to_string() } else { String::new() };
        faults.push(format!("other case {seed} (of {}): {why}\n{text}", case.id));
    }
    (usize::try_from(count).unwrap_or(0), faults)
}

pub(crate) fn parse(lines: &[&str]) -> Vec<Value> {
    let case = |line: &&str| serde_json::from_str(line).expect("every line is a case");
    lines.iter().map(case).collect()
}

fn wrong_with(case: &Case) -> Option<String> {
    match Verdict::of(case) {
        Verdict::Worse(why) => return Some(format!("WORSE: {why}")),
        Verdict::Otherwise { unexplained, .. } if !unexplained.is_empty() => {
            return Some(format!("UNEXPLAINED: {unexplained}"));
        }
        Verdict::Same | Verdict::Otherwise { .. } => {}
    }
    let [one, again] = [(); 2].map(|()| play(case, Guards::Argo).rounds);
    if one != again {
        return Some("guards: argo does not do the same twice".to_owned());
    }
    backwards(case, &one)
}

/// The law of phases for `guards: argo`. Argo CD makes its tasks anew in each pass, so that it goes back in two cases, and only in them: for
/// the application's Namespace, which it makes before everything, and again when it is gone; and with `ApplyOutOfSyncOnly`, which passes
/// over what is as declared, for such an object that somebody has deleted since.
fn backwards(case: &Case, rounds: &[Round]) -> Option<String> {
    let home = format!("/Namespace//{}", case.app.namespace);
    let skips = case
        .op
        .sync_options
        .iter()
        .any(|option| option == "ApplyOutOfSyncOnly=true");
    let is_live = |key: &str| case.live.iter().any(|live| key_of(&live.obj) == key);
    let comes_back = |key: &str| key == home || skips && is_live(key) && has(case, key, &[Trouble::Taken]);
    let mut last: Option<(SyncPhase, &str)> = None;
    for row in rounds.iter().flat_map(|round| round.ops.iter().flatten()) {
        let is_step = row.is_real() && !row.has("hook") && row.op != "migrate" && row.phase != "SyncFail";
        if !is_step || comes_back(&row.key) {
            continue;
        }
        let phase = phase_of(&row.phase);
        if let Some((before, key)) = last.filter(|(before, _)| *before > phase) {
            return Some(format!("guards: argo: {} in {phase} after {key} in {before}", row.key));
        }
        last = Some((phase, &row.key));
    }
    None
}

/// The case that a number makes.
pub(crate) fn other(recorded: &[Value], seed: u64) -> Value {
    let mut dice = Dice(seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
    let mut case = dice.pick(recorded).expect("there are recorded cases").clone();
    for _ in 0..=dice.roll(4) {
        let donor = dice.pick(recorded).expect("there are recorded cases").clone();
        match dice.roll(9) {
            0 | 1 => splice(&mut dice, &mut case, &donor),
            2 => undeclare(&mut dice, &mut case),
            3 => case["op"] = donor["op"].clone(),
            4 => rearrange(&mut dice, &mut case, &donor),
            5 => sicken(&mut dice, &mut case, &donor),
            6 => refuse(&mut dice, &mut case),
            7 => disturb(&mut dice, &mut case, &donor),
            _ => age(&mut dice, &mut case),
        }
    }
    house(&mut case, recorded);
    case
}

/// What is live lives in a namespace that is there, and is of a kind that is defined.
fn house(case: &mut Value, recorded: &[Value]) {
    let live: BTreeSet<String> = list(case, "live").iter().map(|live| key_of(&live["obj"])).collect();
    let homes: BTreeSet<String> = live.iter().flat_map(|key| homes(key)).collect();
    for home in homes.difference(&live) {
        let all = recorded
            .iter()
            .flat_map(|other| other["live"].as_array().into_iter().flatten());
        let found = all
            .map(|live| &live["obj"])
            .find(|object| key_of(object) == *home)
            .cloned();
        let name = home.rsplit('/').next().unwrap_or_default();
        let made = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"rev": "1"}}});
        list(case, "live").push(json!({"obj": found.unwrap_or(made), "unmanaged": true}));
    }
}

fn list<'a>(case: &'a mut Value, name: &str) -> &'a mut Vec<Value> {
    if !case[name].is_array() {
        case[name] = json!([]);
    }
    case[name].as_array_mut().expect("it is a list now")
}

fn keys(case: &Value) -> Vec<String> {
    let desired = case["desired"].as_array().into_iter().flatten();
    let live = case["live"].as_array().into_iter().flatten().map(|live| &live["obj"]);
    desired.chain(live).map(key_of).collect()
}

/// Some of another case's objects, with what is live of them and what its script says of them.
fn splice(dice: &mut Dice, case: &mut Value, donor: &Value) {
    let known: BTreeSet<String> = keys(case).into_iter().collect();
    let takes = |dice: &mut Dice, object: &Value| {
        object["metadata"]["name"].is_string() && !known.contains(&key_of(object)) && dice.roll(2) == 0
    };
    let mut taken = BTreeSet::new();
    for object in donor["desired"].as_array().into_iter().flatten() {
        if takes(dice, object) && taken.insert(key_of(object)) {
            list(case, "desired").push(object.clone());
        }
    }
    for live in donor["live"].as_array().into_iter().flatten() {
        let key = key_of(&live["obj"]);
        if taken.contains(&key) || takes(dice, &live["obj"]) {
            taken.insert(key);
            list(case, "live").push(live.clone());
        }
    }
    for part in ["health", "liveHealth", "linger"] {
        let said = donor["script"][part].as_object().into_iter().flatten();
        for (key, value) in said.filter(|(key, _)| taken.contains(*key)) {
            case["script"][part][key.as_str()] = value.clone();
        }
    }
}

/// An object leaves the source.
fn undeclare(dice: &mut Dice, case: &mut Value) {
    let desired = list(case, "desired");
    if !desired.is_empty() {
        desired.remove(dice.roll(desired.len()));
    }
}

/// An object gets another's annotations: wave, hook, policies, options.
fn rearrange(dice: &mut Dice, case: &mut Value, donor: &Value) {
    let others = donor["desired"].as_array().cloned().unwrap_or_default();
    let (Some(other), desired) = (dice.pick(&others), list(case, "desired")) else {
        return;
    };
    let at = dice.roll(desired.len());
    if let Some(object) = desired
        .get_mut(at)
        .filter(|object| object["metadata"]["name"].is_string())
    {
        let annotations = other["metadata"].get("annotations").cloned();
        object["metadata"]["annotations"] = annotations.unwrap_or(Value::Object(Map::new()));
    }
}

/// An object gets another's health.
fn sicken(dice: &mut Dice, case: &mut Value, donor: &Value) {
    let (name, otherwise) = match dice.roll(3) {
        0 => ("liveHealth", json!("Degraded")),
        _ => ("health", json!(["Progressing", "Degraded", "Healthy"])),
    };
    let said: Vec<Value> = donor["script"][name]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(_, value)| value.clone())
        .collect();
    let health = dice.pick(&said).cloned().unwrap_or(otherwise);
    if let Some(key) = dice.pick(&keys(case)) {
        case["script"][name][key.as_str()] = health;
    }
}

/// The cluster, or the project, refuses something.
fn refuse(dice: &mut Dice, case: &mut Value) {
    let op = dice
        .pick(&["apply", "apply", "delete", "dry-run", "finalizer", "deny"])
        .copied();
    if let Some(key) = dice.pick(&keys(case)) {
        let fail = json!({"op": op, "key": key, "message": "refused"});
        list(&mut case["script"], "fail").push(fail);
    }
}

/// Somebody deletes something, stops the sync, confirms its prunes; deletes take their time.
fn disturb(dice: &mut Dice, case: &mut Value, donor: &Value) {
    let key = dice.pick(&keys(case)).cloned();
    match (dice.roll(4), key) {
        (0, Some(key)) => {
            let vanish = json!({"beforeRound": 2 + dice.roll(4), "key": key, "force": dice.roll(2) == 0});
            list(&mut case["script"], "vanish").push(vanish);
        }
        (1, Some(key)) => case["script"]["linger"][key.as_str()] = json!(1 + dice.roll(4)),
        (2, _) => case["script"]["terminateAt"] = json!(1 + dice.roll(6)),
        _ => {
            for name in ["pruneConfirmedAt", "waveHookFails"] {
                if let Some(value) = donor["script"].get(name) {
                    case["script"][name] = value.clone();
                }
            }
        }
    }
}

/// Something live is on its way out, or nobody's, or not there.
fn age(dice: &mut Dice, case: &mut Value) {
    let live = list(case, "live");
    let at = dice.roll(live.len());
    let what = dice.roll(3);
    match (what, live.get_mut(at)) {
        (0, Some(object)) => object["deleting"] = json!(true),
        (1, Some(object)) => object["unmanaged"] = json!(true),
        (_, Some(_)) => _ = live.remove(at),
        (_, None) => {}
    }
}
