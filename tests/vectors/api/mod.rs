//! Sessions of requests that a real API server answered, played to the world in process. No actors: the API server alone.
//!
//! Answers are compared after what no two servers share has been named by first appearance ([`names`]). Which of two comes first depends
//! on the order of an object's fields, which JSON does not fix: so answers are equal when one renaming makes the names of the whole
//! session equal ([`Renaming`]).

mod names;
mod player;
mod renaming;

use std::path::Path;

use capstan_model::Timestamp;
use capstan_sim::{Options, World};
use serde_json::Value;

use super::Score;
use player::Player;
use renaming::Renaming;

/// Plays every session to one world, as they were played to one server.
pub(crate) fn run(folder: &Path) -> Score {
    let path = folder.join("sessions.jsonl");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let start = Timestamp::from_seconds(1_780_000_000);
    let mut player = Player::new(start, World::new(start, Options::default()));
    let mut score = Score {
        equal: 0,
        total: 0,
        differences: Vec::new(),
    };
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let session: Value = serde_json::from_str(line).expect("every line is a session");
        let steps = session["steps"].as_array().expect("a session has steps");
        let mut renaming = Renaming::default();
        for (number, (step, found)) in steps.iter().zip(player.play(&session)).enumerate() {
            let (Some(found), expected) = (found, &step["answer"]) else {
                continue;
            };
            if expected.is_null() {
                continue;
            }
            score.total += 1;
            let mut differences = Vec::new();
            let (expected, found) = (names::sorted(expected), names::sorted(&found));
            compare(&expected, &found, "", &mut renaming, &mut differences);
            if differences.is_empty() {
                score.equal += 1;
                continue;
            }
            differences.truncate(3);
            score.differences.push(format!(
                "{} step {} {} {}: {}",
                session["id"],
                number + 1,
                step["do"],
                step["path"],
                differences.join("; ")
            ));
        }
    }
    score
}

/// The places where two answers differ.
fn compare(expected: &Value, found: &Value, path: &str, renaming: &mut Renaming, out: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            for (name, value) in expected {
                match found.get(name) {
                    Some(other) => compare(value, other, &format!("{path}.{name}"), renaming, out),
                    None => out.push(format!("{path}.{name}: missing {}", brief(value))),
                }
            }
            for (name, value) in found.iter().filter(|(name, _)| !expected.contains_key(*name)) {
                out.push(format!("{path}.{name}: unexpected {}", brief(value)));
            }
        }
        (Value::Array(expected), Value::Array(found)) => {
            if expected.len() != found.len() {
                out.push(format!(
                    "{path}: expected {} items, got {}",
                    expected.len(),
                    found.len()
                ));
            }
            for (index, (expected, found)) in expected.iter().zip(found).enumerate() {
                compare(expected, found, &format!("{path}[{index}]"), renaming, out);
            }
        }
        (Value::Number(expected), Value::Number(found)) if expected.as_f64() == found.as_f64() => {}
        (Value::String(expected), Value::String(found)) if renaming.makes_equal(expected, found) => {}
        _ if expected == found => {}
        _ => out.push(format!("{path}: expected {}, got {}", brief(expected), brief(found))),
    }
}

fn brief(value: &Value) -> String {
    value.to_string().chars().take(200).collect()
}
