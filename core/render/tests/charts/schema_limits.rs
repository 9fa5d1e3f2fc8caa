//! Schemas that ask for more than is given.

use crate::oracle::capstan;
use crate::schemas::chart;

/// Thirty levels of two branches each are a billion checks.
#[test]
fn schemas_that_branch_without_end_are_refused() {
    let mut definitions = serde_json::Map::new();
    for level in 0..30 {
        let next = serde_json::json!({ "$ref": format!("#/$defs/{}", level + 1) });
        let both = serde_json::json!({ "anyOf": [next, next, { "type": "string" }] });
        definitions.insert(level.to_string(), both);
    }
    definitions.insert("30".into(), serde_json::json!({ "type": "string" }));
    let schema = serde_json::json!({ "$defs": definitions, "$ref": "#/$defs/0" });
    let error = capstan(&chart(&schema.to_string(), "a: 1\n")).unwrap_err();
    assert!(error.contains("in one render"), "{error}");
}

/// References one behind the other: what fails at the end fails in each.
#[test]
fn long_ways_to_a_failure_do_not_overflow() {
    let links = (0..2000).map(|index| {
        format!(
            "\"{index}\": {{\"allOf\": [{{\"$ref\": \"#/$defs/{}\"}}, {{}}]}}",
            index + 1
        )
    });
    let links: Vec<String> = links.collect();
    for (last, expected) in [
        ("true", None),
        ("false", Some("false schema")),
        ("{\"$ref\": \"#/$defs/0\"}", Some("reference cycle")),
    ] {
        let schema = format!(
            "{{\"$ref\": \"#/$defs/0\", \"$defs\": {{{}, \"2000\": {last}}}}}",
            links.join(", ")
        );
        let rendered = capstan(&chart(&schema, "a: 1"));
        match expected {
            None => assert!(rendered.is_ok()),
            Some(words) => assert!(rendered.unwrap_err().contains(words), "{last}"),
        }
    }
}
