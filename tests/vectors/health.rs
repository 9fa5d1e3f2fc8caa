//! Health of built-in kinds against verdicts of Argo CD's rules.

use std::path::Path;

use capstan_engine::health::assess;
use capstan_yaml::{Mode, parse_one};
use serde_json::Value;

use super::Score;

fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    parse_one(&text, Mode::Kube11).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Assesses every object of the folder.
pub(crate) fn run(folder: &Path) -> Score {
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
    Score {
        equal: cases.len() - differences.len(),
        total: cases.len(),
        differences,
    }
}
