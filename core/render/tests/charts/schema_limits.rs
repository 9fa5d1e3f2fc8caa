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

/// Small files that ask for much: pointers to their parts, patterns, messages, digits.
#[test]
fn schemas_that_cost_too_much_are_refused() {
    let names: Vec<String> = (0..20_000)
        .map(|index| format!("\"k{index}\": {{\"not\": {{}}}}"))
        .collect();
    let nested = format!(
        "{}{{\"properties\": {{{}}}}}{}",
        "{\"not\": ".repeat(490),
        names.join(", "),
        "}".repeat(490)
    );
    let patterns: Vec<String> = (0..120)
        .map(|index| format!("\"a{index}\": {{\"pattern\": \"^\\\\pL{{{}}}$\"}}", 200 + index))
        .collect();
    let patterns = format!("{{\"properties\": {{{}}}}}", patterns.join(", "));
    let options: Vec<String> = (0..1000).map(|index| format!("\"{index:0100}\"")).collect();
    let options = format!(
        "{{\"additionalProperties\": {{\"items\": {{\"enum\": [{}]}}}}}}",
        options.join(", ")
    );
    let items = format!("a: [{}]", vec!["1"; 5000].join(", "));
    let digits = r#"{"additionalProperties": {"items": {"multipleOf": 1e-999999}}}"#;
    for (schema, values, expected) in [
        (nested.as_str(), "a: 1", "in one render"),
        (&patterns, "a: 1", "in one render"),
        (&options, &items, "in one render"),
        (digits, &items, "in one render"),
    ] {
        let error = capstan(&chart(schema, values)).unwrap_err();
        assert!(
            error.contains(expected),
            "{}",
            error.chars().take(500).collect::<String>()
        );
    }
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
