//! Syncs recorded from Argo CD's own engine, replayed over ours.

mod answer;
pub(crate) mod case;
pub(crate) mod course;
pub(crate) mod end;
mod laws;
mod others;
mod replay;
mod sabotage;
mod setup;
pub(crate) mod trouble;
pub(crate) mod undone;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use capstan_engine::settings::Guards;

use super::{Score, differences};
use case::{Case, Round, Row};
use course::{Course, Difference};
use end::Way;
pub(crate) use replay::Played;
use replay::{play, play_closely};
pub(crate) use sabotage::run as run_sabotage;
use trouble::Trouble;

/// Of so many cases one is what the rules are tried on.
const EVERY: usize = 60;

/// The recorded cases, one a line.
fn read(folder: &Path) -> String {
    let path = folder.join("cases.jsonl");
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Replays every case with `guards: argo`. What differs and falls under no named rule is printed as such, and fails.
pub(crate) fn run(folder: &Path) -> Score {
    let text = read(folder);
    let mut score = Score::default();
    let mut soft = [0; 3];
    let mut by_rule: BTreeMap<&str, usize> = BTreeMap::new();
    for line in text.lines() {
        let case: Case = serde_json::from_str(line).expect("every line is a case");
        score.total += 1;
        let played = play(&case, Guards::Argo);
        let expected = case.expect.all_rounds();
        if let Some(difference) = difference(&case, &expected, &played) {
            let rule = differences::ARGO.iter().find(|rule| (rule.explains)(&case, &played));
            let name = rule.map_or("UNEXPLAINED", |rule| rule.name);
            *by_rule.entry(name).or_default() += 1;
            score.differences.push(format!("{}: {name}: {difference}", case.id));
            continue;
        }
        score.equal += 1;
        let same =
            |of: fn(&Round) -> serde_json::Value| usize::from(expected.iter().map(of).eq(played.rounds.iter().map(of)));
        soft[0] += same(|round| serde_json::json!(round.ops.iter().flatten().map(text_of).collect::<Vec<_>>()));
        soft[1] += same(|round| serde_json::json!(round.waves));
        soft[2] += same(|round| serde_json::json!(round.message));
    }
    println!(
        "sync_order: of {} equal cases, dry runs and finalizers are equal too in {}, wave hooks in {}, messages in {}",
        score.equal, soft[0], soft[1], soft[2]
    );
    differences::tell("sync_order", &by_rule, score.total);
    let unexplained: Vec<_> = score
        .differences
        .iter()
        .filter(|why| why.contains("UNEXPLAINED"))
        .collect();
    for difference in &unexplained {
        println!("{difference}");
    }
    assert!(
        unexplained.is_empty(),
        "{} cases differ for a reason that nobody gave",
        unexplained.len()
    );
    score
}

/// Replays every case with the safe defaults, and holds the end of each against the end with `guards: argo`: the same cluster, or one that
/// differs in objects of which each is explained by a rule, and in no case a worse one.
pub(crate) fn run_default(folder: &Path) -> Score {
    let text = read(folder);
    let mut score = Score::default();
    let mut by_rule: BTreeMap<&str, usize> = BTreeMap::new();
    for line in text.lines() {
        let case: Case = serde_json::from_str(line).expect("every line is a case");
        score.total += 1;
        match Verdict::of(&case) {
            Verdict::Same => score.equal += 1,
            Verdict::Worse(fault) => {
                *by_rule.entry("WORSE").or_default() += 1;
                score.differences.push(format!("{}: WORSE: {fault}", case.id));
            }
            Verdict::Otherwise { rules, unexplained } => {
                for rule in rules {
                    *by_rule.entry(rule).or_default() += 1;
                }
                match unexplained.is_empty() {
                    true => score.equal += 1,
                    false => score
                        .differences
                        .push(format!("{}: UNEXPLAINED: {unexplained}", case.id)),
                }
            }
        }
    }
    differences::tell("sync_order_default", &by_rule, score.total);
    for difference in &score.differences {
        println!("{difference}");
    }
    assert!(
        score.differences.is_empty(),
        "{} cases end worse, or otherwise for a reason that nobody gave",
        score.differences.len()
    );
    score
}

/// Plays cases that nobody recorded, made of those that were.
pub(crate) fn run_others(folder: &Path) -> Score {
    let text = read(folder);
    let (total, differences) = others::run(&text.lines().collect::<Vec<_>>());
    let worse: Vec<_> = differences.iter().filter(|why| !why.contains("UNEXPLAINED")).collect();
    assert!(worse.is_empty(), "worse, or out of order: {worse:?}");
    Score {
        equal: total - differences.len(),
        total,
        differences,
    }
}

/// The rules can be hurt: of recorded syncs that come to the same good end both ways, no rule explains an object that one of them would have
/// left out. Gives how many such objects there were, and those that are explained.
pub(crate) fn run_rules(folder: &Path) -> Score {
    let text = read(folder);
    let mut score = Score::default();
    for line in text.lines().step_by(EVERY) {
        let case: Case = serde_json::from_str(line).expect("every line is a case");
        let played = [Guards::Argo, Guards::Capstan].map(|guards| play_closely(&case, guards));
        let is_good = played.iter().all(|played| played.phase == "Succeeded");
        if !is_good || !end::End::of(&case, &played[0], &played[1]).is_same() {
            continue;
        }
        let [argo, ours] = [&played[0], &played[1]].map(|played| Course::of(&case, played));
        // What somebody takes away is not there afterwards, which is not pretended.
        let settled = played[1].world.settled().into_iter();
        for key in settled.filter(|key| !trouble::has(&case, key, &[Trouble::Taken])) {
            for way in [Way::NotMade, Way::Unchanged, Way::Made, Way::Changed, Way::Deleted] {
                let difference = Difference {
                    case: &case,
                    argo: &argo,
                    ours: &ours,
                    key: &key,
                    way,
                };
                score.total += 1;
                match differences::of_end(&difference) {
                    None => score.equal += 1,
                    Some(rule) => score
                        .differences
                        .push(format!("{}: {key} {way:?}: {}", case.id, rule.name)),
                }
            }
        }
    }
    score
}

/// How a case ends with the safe defaults, beside how it ends with `guards: argo`.
enum Verdict {
    Same,
    Worse(String),
    /// By these rules, and these objects by none.
    Otherwise {
        rules: BTreeSet<&'static str>,
        unexplained: String,
    },
}

impl Verdict {
    fn of(case: &Case) -> Self {
        let ours = play(case, Guards::Capstan);
        let end = end::End::of(case, &play(case, Guards::Argo), &ours);
        if let Some(fault) = end.fault().or_else(|| laws::fault(case, &ours)) {
            return Self::Worse(fault);
        }
        if end.is_same() {
            return Self::Same;
        }
        let [argo, ours] = [Guards::Argo, Guards::Capstan].map(|guards| Course::of(case, &play_closely(case, guards)));
        let (mut rules, mut unexplained) = (BTreeSet::new(), String::new());
        for (key, way) in &end.ways {
            let difference = Difference {
                case,
                argo: &argo,
                ours: &ours,
                key,
                way: *way,
            };
            match differences::of_end(&difference) {
                Some(rule) => _ = rules.insert(rule.name),
                None => unexplained = format!("{unexplained}\n{difference}\n   {end}"),
            }
        }
        if !unexplained.is_empty() {
            rules.insert("UNEXPLAINED");
        }
        Self::Otherwise { rules, unexplained }
    }
}

fn text_of(row: &Row) -> String {
    format!("{} {} {} {} {}", row.op, row.phase, row.wave, row.key, row.flags)
}

/// Requests that change something, batch by batch.
fn real(round: &Round) -> Vec<Vec<String>> {
    let real = |rows: &Vec<Row>| rows.iter().filter(|row| row.is_real()).map(text_of).collect::<Vec<_>>();
    round.ops.iter().map(real).filter(|rows| !rows.is_empty()).collect()
}

/// Does a case go as it was recorded, or as another was whose answers it has?
pub(crate) fn is_as_recorded(case: &Case) -> bool {
    difference(case, &case.expect.all_rounds(), &play(case, Guards::Argo)).is_none()
}

/// Was every request recorded, and made, but for those of `other`?
pub(crate) fn is_as_recorded_but_for(case: &Case, played: &Played, other: &dyn Fn(&Row) -> bool) -> bool {
    let rows = |rounds: &[Round]| -> Vec<Row> {
        let all = rounds.iter().flat_map(|round| round.ops.iter().flatten());
        all.filter(|row| row.is_real() && !other(row)).cloned().collect()
    };
    rows(&case.expect.all_rounds()) == rows(&played.rounds)
}

fn difference(case: &Case, expected: &[Round], played: &Played) -> Option<String> {
    for (number, (wanted, found)) in expected.iter().zip(&played.rounds).enumerate() {
        let (ops, found_ops) = (real(wanted), real(found));
        if ops != found_ops {
            return Some(format!(
                "round {}: {ops:?}\n   but {found_ops:?}\n   saying {:?} for {:?}",
                number + 1,
                found.message,
                wanted.message
            ));
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
    (!ends).then(|| {
        format!(
            "{} rounds ({}), but {}",
            expected.len(),
            case.expect.end,
            played.rounds.len()
        )
    })
}
