//! Templates answered by real Helm, held against this engine.

#![expect(clippy::disallowed_methods, reason = "the vectors are files beside the project")]

mod support;

use std::path::PathBuf;

fn vectors() -> Option<serde_json::Value> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors");
    let folder = std::env::var_os("CAPSTAN_VECTORS").map_or(beside, PathBuf::from);
    let text = std::fs::read_to_string(folder.join("helm/templates.json")).ok()?;
    Some(serde_json::from_str(&text).expect("templates.json is JSON"))
}

#[test]
fn helm_templates() {
    let Some(vectors) = vectors() else {
        println!("helm: skipped, no vectors (CAPSTAN_VECTORS)");
        return;
    };
    let cases = vectors["cases"].as_array().expect("cases");
    let mut equal = 0;
    let mut differences = Vec::new();
    for case in cases {
        let template = case["template"].as_str().expect("a template");
        // Every case has the chart to itself: templates change values.
        let root = support::root(&vectors["chart"]);
        let result = support::render(template, &root).map_err(|error| error.helm_message());
        let expected = if case["ok"] == true {
            Ok(&case["output"])
        } else {
            Err(&case["error"])
        };
        let same = match (&result, expected) {
            (Ok(text), Ok(output)) => output == text.as_str(),
            (Err(message), Err(error)) => error == message.as_str(),
            _ => false,
        };
        if same {
            equal += 1;
        } else {
            differences.push(format!(
                "{}: {template}\n  got      {result:?}\n  expected {expected:?}",
                case["id"]
            ));
        }
    }
    println!("helm: {equal}/{}", cases.len());
    assert!(
        differences.is_empty(),
        "{}/{} equal\n{}",
        equal,
        cases.len(),
        differences.join("\n")
    );
}
