//! Syncs recorded from Argo CD's own engine, replayed over ours.

mod case;
mod replay;
mod world;

use std::path::Path;

use capstan_engine::settings::Guards;

use super::Score;
use case::{Case, Round, Row};
pub(crate) use replay::{Played, play};

/// Replays every case with `guards: argo`.
pub(crate) fn run(folder: &Path) -> Score {
    let path = folder.join("cases.jsonl");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut score = Score {
        equal: 0,
        total: 0,
        differences: Vec::new(),
    };
    let mut soft = [0; 4];
    for line in text.lines() {
        let case: Case = serde_json::from_str(line).expect("every line is a case");
        let again: Case = serde_json::from_str(line).expect("every line is a case");
        score.total += 1;
        let played = play(&case, again.script, Guards::Argo);
        let expected = case.expect.all_rounds();
        if let Some(difference) = difference(&case, &expected, &played) {
            score.differences.push(format!("{}: {difference}", case.id));
            continue;
        }
        score.equal += 1;
        let same = |of: fn(&Round) -> serde_json::Value| {
            usize::from(expected.iter().map(of).eq(played.rounds.iter().map(of)))
        };
        soft[0] += same(|round| serde_json::json!(round.ops.iter().flatten().map(text_of).collect::<Vec<_>>()));
        soft[1] += same(|round| serde_json::json!(round.waves));
        soft[2] += same(|round| serde_json::json!(round.message));
    }
    println!(
        "sync_order: of {} equal cases, dry runs and finalizers are equal too in {}, wave hooks in {}, messages in {}",
        score.equal, soft[0], soft[1], soft[2]
    );
    score
}

fn text_of(row: &Row) -> String {
    format!("{} {} {} {} {}", row.op, row.phase, row.wave, row.key, row.flags)
}

/// Requests that change something, batch by batch.
fn real(round: &Round) -> Vec<Vec<String>> {
    let real = |rows: &Vec<Row>| rows.iter().filter(|row| row.is_real()).map(text_of).collect::<Vec<_>>();
    round.ops.iter().map(real).filter(|rows| !rows.is_empty()).collect()
}

fn difference(case: &Case, expected: &[Round], played: &Played) -> Option<String> {
    for (number, (wanted, found)) in expected.iter().zip(&played.rounds).enumerate() {
        let (ops, found_ops) = (real(wanted), real(found));
        if ops != found_ops {
            return Some(format!("round {}: {ops:?}\n   but {found_ops:?}\n   saying {:?} for {:?}", number + 1, found.message, wanted.message));
        }
        if wanted.phase != found.phase {
            return Some(format!(
                "round {}: {} {:?} but {} {:?}",
                number + 1,
                wanted.phase,
                wanted.message,
                found.phase,
                found.message
            ));
        }
    }
    let ends = expected.len() == played.rounds.len();
    (!ends).then(|| format!("{} rounds ({}), but {}", expected.len(), case.expect.end, played.rounds.len()))
}

/// Development.
pub(crate) fn classify(folder: &Path) {
    let text = std::fs::read_to_string(folder.join("cases.jsonl")).unwrap();
    let mut classes: std::collections::BTreeMap<String, Vec<String>> = Default::default();
    let mut same = 0;
    for line in text.lines() {
        let case: Case = serde_json::from_str(line).unwrap();
        let mut played = Vec::new();
        for guards in [Guards::Argo, Guards::Capstan] {
            let again: Case = serde_json::from_str(line).unwrap();
            played.push(play(&case, again.script, guards));
        }
        let (argo, ours) = (&played[0], &played[1]);
        let state = |played: &Played| -> std::collections::BTreeMap<String, String> {
            played.world.objects.iter().filter(|(key, object)| played.world.settled().contains(*key) && !object.value.pointer("/metadata/annotations").is_some_and(|a| a.get("argocd.argoproj.io/hook").is_some() || a.get("helm.sh/hook").is_some()))
            .map(|(key, object)| (key.clone(), object.value.pointer("/metadata/labels/rev").map(|v| v.to_string()).unwrap_or_default())).collect()
        };
        let (a, o) = (state(argo), state(ours));
        let mut kinds = std::collections::BTreeSet::new();
        for key in a.keys().chain(o.keys()) {
            let d = match (a.get(key), o.get(key)) { (Some(x), Some(y)) if x == y => continue, (Some(_), Some(y)) => if y.contains('1') {"applied"} else {"notapplied"}, (Some(_), None) => if case.live.iter().any(|l| case::key_of(&l.obj) == *key) { "deleted" } else {"notcreated"}, (None, _) => if case.live.iter().any(|l| case::key_of(&l.obj) == *key) { "kept" } else {"created"} };
            kinds.insert(d);
        }
        if kinds.is_empty() { same += 1; }
        let class = format!("argo {} ours {} {kinds:?}{}", argo.phase, ours.phase, if case.op.dry_run {" dry"} else {""});
        classes.entry(class).or_default().push(format!("{} argo {:?}\n      ours {:?}", case.id, argo.message, ours.message));
    }
    println!("same {same}");
    for (class, cases) in classes { println!("{} {class}", cases.len()); for c in cases.iter().take(3) { println!("    {c}"); } }
}
