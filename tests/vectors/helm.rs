//! Templates answered by real Helm.

use std::path::Path;

use serde_json::Value;

use super::{Score, support};

/// Renders every template, each with the chart to itself: templates change values.
pub(crate) fn run(folder: &Path) -> Score {
    let path = folder.join("templates.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let vectors: Value = serde_json::from_str(&text).expect("templates.json is JSON");
    let cases = vectors["cases"].as_array().expect("there are cases");
    let mut differences = Vec::new();
    for case in cases {
        let template = case["template"].as_str().expect("a case has a template");
        let root = support::root(&vectors["chart"]);
        let result = support::render(template, &root).map_err(|error| error.helm_message());
        let expected = match case["ok"] == true {
            true => Ok(&case["output"]),
            false => Err(&case["error"]),
        };
        let same = match (&result, expected) {
            (Ok(text), Ok(output)) => output == text.as_str(),
            (Err(message), Err(error)) => error == message.as_str(),
            _ => false,
        };
        if !same {
            differences.push(format!(
                "{}: {template}\n  got      {result:?}\n  expected {expected:?}",
                case["id"]
            ));
        }
    }
    Score {
        equal: cases.len() - differences.len(),
        total: cases.len(),
        differences,
    }
}
