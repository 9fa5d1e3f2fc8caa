//! Health of built-in kinds against verdicts of Argo CD's rules.

use std::path::{Path, PathBuf};

use capstan_engine::health::assess;
use capstan_yaml::{Mode, parse_one};
use serde_json::Value;

/// Where the vectors are: `CAPSTAN_VECTORS`, or beside the checkout.
#[expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a test reads its vectors and says where it found none"
)]
fn vectors(folder: &str) -> Option<PathBuf> {
    let place = match std::env::var_os("CAPSTAN_VECTORS") {
        Some(place) => PathBuf::from(place),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors"),
    };
    let place = place.join(folder);
    if !place.is_dir() {
        println!("skipped: there is no {}", place.display());
        return None;
    }
    Some(place)
}

#[expect(clippy::disallowed_methods, reason = "a test reads its vectors")]
fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    parse_one(&text, Mode::Kube11).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Differences between the verdicts expected in `folder` and ours, and how many there are in all.
fn differences(folder: &Path) -> (Vec<String>, usize) {
    let expected = read(&folder.join("expected.yaml"));
    let cases = expected.as_array().expect("expected.yaml is a list");
    let mut differences = Vec::new();
    for case in cases {
        let input = case["input"].as_str().expect("every case has an input");
        let found = assess(&read(&folder.join(input)));
        let status = found.as_ref().map(|health| health.status.to_string());
        let message = found.map(|health| health.message);
        let same_message = case["message"]
            .as_str()
            .is_none_or(|expected| message.as_deref() == Some(expected));
        if status.as_deref() != case["status"].as_str() || !same_message {
            differences.push(format!(
                "{input}: {status:?} {message:?}, expected {} {}",
                case["status"], case["message"]
            ));
        }
    }
    (differences, cases.len())
}

#[test]
fn built_in_kinds_are_judged_as_argo_cd_does() {
    let Some(folder) = vectors("health-builtin") else {
        return;
    };
    let (differences, total) = differences(&folder);
    println!("health-builtin: {}/{total}", total - differences.len());
    assert!(total > 0 && differences.is_empty(), "{differences:#?}");
}

#[test]
fn disruption_budgets_are_judged_as_argo_cd_does() {
    let Some(folder) = vectors("health/policy__PodDisruptionBudget") else {
        return;
    };
    let (differences, _) = differences(&folder);
    assert!(differences.is_empty(), "{differences:#?}");
}
