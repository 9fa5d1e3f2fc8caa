//! Texts that do not end in a line break.

use capstan_yaml::{Mode, parse_one};
use serde_json::json;

/// What Go's YAML library reads, as `fromYaml` of the real Helm showed.
#[test]
fn block_scalars_at_the_end_of_the_text() {
    for (text, value) in [
        ("a: |\n  x", "x"),
        ("a: |+\n  x", "x"),
        ("a: |-\n  x", "x"),
        ("a: |\n  x\n  ", "x\n"),
        ("a: |+\n  x\n  ", "x\n"),
        ("a: |\n  x\n    ", "x\n  "),
        ("a: >\n  x\n  y", "x y"),
        ("a: |", ""),
        ("a: |2\n   x", " x"),
        ("a: >+\n\n  x\n\n ", "\nx\n\n"),
        ("a: |\n  x\n# comment", "x\n"),
    ] {
        assert_eq!(parse_one(text, Mode::Kube11).unwrap(), json!({"a": value}), "{text:?}");
    }
}
