//! `values.schema.json`.

use crate::odd_schemas::{CIRCLES, ODD, bytes};
use crate::oracle::{Case, Oracle, capstan, check_all};

pub(crate) fn chart(schema: &str, values: &str) -> Case {
    Case::of(&[
        ("Chart.yaml", "apiVersion: v2\nname: top\nversion: 0.1.0\n"),
        ("values.yaml", values),
        ("values.schema.json", schema),
        ("templates/a.yaml", "a: {{ toJson .Values | quote }}\n"),
    ])
}

/// Schemas, and values that do or do not satisfy them.
const CASES: &[(&str, &[&str])] = &[
    (
        r#"{"type": "object", "properties": {"a": {"type": "integer"}}}"#,
        &[
            "a: 1", "a: 1.0", "a: 1.5", "a: '1'", "a: null", "a: 1e3", "a: true", "a: [1]",
        ],
    ),
    (
        r#"{"properties": {"a": {"type": ["string", "null", "integer"]}}}"#,
        &["a: x", "a: ~", "a: 1.5", "a: {}", "b: 1"],
    ),
    (
        r#"{"required": ["a", "b", "c"], "properties": {"a": {"required": ["x"]}}}"#,
        &["a: {}", "a: {x: 1}\nb: 1\nc: 1", "{}"],
    ),
    (
        r#"{"additionalProperties": false, "properties": {"a": {}}, "patternProperties": {"^x-": {"type": "string"}}}"#,
        &["a: 1", "b: 1", "x-1: a", "x-1: 1", "b: 1\nc: 2"],
    ),
    (
        r#"{"properties": {"a": {"enum": ["x", 1, null, true, 1.5]}}}"#,
        &["a: x", "a: 1", "a: null", "a: 1.5", "a: 2", "a: [x]"],
    ),
    (
        r#"{"properties": {"a": {"enum": [["x"], {"y": 1}]}}}"#,
        &["a: [x]", "a: {y: 1}", "a: {y: 1.0}", "a: x"],
    ),
    (r#"{"properties": {"a": {"const": 3}}}"#, &["a: 3", "a: 3.0", "a: 4"]),
    (
        r#"{"properties": {"a": {"minimum": 1, "maximum": 5000, "multipleOf": 0.1}}}"#,
        &["a: 1", "a: 0.5", "a: 6000.5", "a: 0.3", "a: 1.3", "a: 2.55"],
    ),
    (
        r#"{"properties": {"a": {"exclusiveMinimum": 1, "exclusiveMaximum": 5}}}"#,
        &["a: 1", "a: 2", "a: 5"],
    ),
    (
        r#"{"$schema": "http://json-schema.org/draft-04/schema#", "properties": {"a": {"minimum": 1, "exclusiveMinimum": true, "type": "integer"}}}"#,
        &["a: 1", "a: 2", "a: 2.0"],
    ),
    (
        r#"{"properties": {"a": {"minLength": 2, "maxLength": 3, "pattern": "^[a-z]+$"}}}"#,
        &["a: ab", "a: a", "a: abcd", "a: 'A'", "a: üü", "a: \"x'\\\"y\""],
    ),
    (
        r#"{"properties": {"a": {"minItems": 1, "maxItems": 2, "uniqueItems": true, "items": {"type": "string"}}}}"#,
        &["a: []", "a: [x]", "a: [x, x]", "a: [x, 1]", "a: [x, y, z]", "a: [1, 2]"],
    ),
    (
        r#"{"properties": {"a": {"minProperties": 1, "maxProperties": 2, "propertyNames": {"pattern": "^k"}}}}"#,
        &["a: {}", "a: {k: 1}", "a: {k: 1, l: 2}", "a: {k: 1, l: 2, m: 3}"],
    ),
    (
        r#"{"allOf": [{"required": ["a"]}, {"properties": {"a": {"type": "string"}}}, {"required": ["b", "c"]}]}"#,
        &["a: x", "a: 1", "{}", "a: x\nb: 1\nc: 1"],
    ),
    (
        r#"{"anyOf": [{"required": ["a"]}, {"required": ["b"], "properties": {"b": {"type": "string"}}}]}"#,
        &["a: x", "b: 1", "b: x", "{}"],
    ),
    (
        r#"{"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}"#,
        &["a: x", "b: 1", "a: 1\nb: x", "{}"],
    ),
    (r#"{"not": {"required": ["a"]}}"#, &["a: x", "b: 1"]),
    (
        r#"{"if": {"properties": {"on": {"const": true}}, "required": ["on"]}, "then": {"required": ["host"]}, "else": {"properties": {"host": false}}}"#,
        &["on: true", "on: true\nhost: x", "on: false\nhost: x", "{}"],
    ),
    (
        r##"{"definitions": {"port": {"type": "integer", "maximum": 65535}}, "properties": {"a": {"$ref": "#/definitions/port"}, "b": {"items": {"$ref": "#/definitions/port"}}}}"##,
        &["a: 80", "a: 70000", "a: x\nb: [1, x, 90000]"],
    ),
    (
        r##"{"$schema": "http://json-schema.org/draft-07/schema#", "definitions": {"s": {"type": "string"}}, "properties": {"a": {"$ref": "#/definitions/s", "minLength": 5}}}"##,
        &["a: x", "a: 1"],
    ),
    (
        r##"{"$defs": {"s": {"type": "string"}}, "properties": {"a": {"$ref": "#/$defs/s", "minLength": 5}}}"##,
        &["a: x", "a: 1", "a: long enough"],
    ),
    (
        r##"{"$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}, "v": {"type": "integer"}}, "additionalProperties": false}}, "$ref": "#/$defs/node"}"##,
        &["v: 1", "next: {next: {v: x}}", "next: {w: 1}"],
    ),
    (
        r##"{"properties": {"a": {"$ref": "#"}}}"##,
        &["a: {a: {a: {}}}", "a: 1"],
    ),
    (
        r##"{"properties": {"a": {"$dynamicRef": "#"}}}"##,
        &["a: {a: {b: 1}}", "a: 1"],
    ),
    (
        r##"{"properties": {"a": {"items": {"$ref": "#/properties/a"}}}}"##,
        &["a: [[[]]]"],
    ),
    (
        r##"{"additionalProperties": {"$ref": "#"}}"##,
        &["a: {b: {c: {}}}", "a: 1"],
    ),
    (r##"{"propertyNames": {"$ref": "#"}}"##, &["a: 1"]),
    (r##"{"$ref": "#/definitions/none"}"##, &["a: 1"]),
    (
        r##"{"properties": {"a": {"$ref": "#/definitions/none"}}}"##,
        &["a: 1", "b: 1"],
    ),
    (r#"{"$ref": "https://127.0.0.1:1/x.json"}"#, &["a: 1"]),
    (r#"{"$ref": "file:///nonexistent/x.json"}"#, &["a: 1"]),
    (r#"{"$ref": "other.json"}"#, &["a: 1"]),
    (r#"{"$ref": "urn:example:x"}"#, &["a: 1"]),
    (r#"{"properties": {"a": {"$ref": "urn:example:x"}}}"#, &["a: 1"]),
    (
        r##"{"$id": "https://example.com/s.json", "$defs": {"x": {"$id": "x.json", "type": "string"}}, "properties": {"a": {"$ref": "x.json"}, "b": {"$ref": "https://example.com/s.json#/$defs/x"}}}"##,
        &["a: x\nb: y", "a: 1", "b: 1"],
    ),
    (
        r##"{"$defs": {"x": {"$anchor": "here", "type": "string"}}, "properties": {"a": {"$ref": "#here"}}}"##,
        &["a: x", "a: 1"],
    ),
    (
        r#"{"$schema": "https://example.com/unknown", "type": "object"}"#,
        &["a: 1"],
    ),
    (
        r#"{"$schema": "http://json-schema.org/schema#", "type": "object"}"#,
        &["a: 1"],
    ),
    (
        r#"{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "required": ["b"]}"#,
        &["a: 1"],
    ),
    (
        r#"{"$schema": "https://json-schema.org/draft/2019-09/schema", "type": "object", "required": ["b"]}"#,
        &["a: 1"],
    ),
    (
        r#"{"$schema": "http://json-schema.org/draft-06/schema#", "required": ["b"], "if": {}, "then": false}"#,
        &["b: 1", "a: 1"],
    ),
    (
        r#"{"$schema": "http://json-schema.org/draft-07/schema", "required": ["b"]}"#,
        &["b: 1", "a: 1"],
    ),
    (
        r#"{"$schema": "https://json-schema.org/draft-07/schema#", "required": ["b"]}"#,
        &["b: 1", "a: 1"],
    ),
    (r#"{"type": "nonsense"}"#, &["a: 1"]),
    (r#"{"type": 5}"#, &["a: 1"]),
    (r#"{"properties": []}"#, &["a: 1"]),
    (r#"{"required": "a"}"#, &["a: 1"]),
    (r#"{"required": ["a", "a"]}"#, &["a: 1"]),
    (r#"{"minimum": "a"}"#, &["a: 1"]),
    (r#"{"properties": {"a": {"pattern": "["}}}"#, &["a: x"]),
    (r#"{"properties": {"a": {"pattern": "(?=x)x"}}}"#, &["a: x"]),
    (r#"{"properties": {"a": {"pattern": "^.{0,2000}$"}}}"#, &["a: x"]),
    (
        r#"{"properties": {"a": {"pattern": "^\\d+\\s\\w\\/\\-$"}}}"#,
        &["a: '1 a/-'", "a: x"],
    ),
    (r#"{"properties": {"a": {"pattern": "^\\p{L}$"}}}"#, &["a: é", "a: '1'"]),
    (r#"{"$defs": {"unused": {"pattern": "(?=x)"}}}"#, &["a: x"]),
    (
        r#"{"$schema": "http://json-schema.org/draft-07/schema#", "definitions": {"unused": {"pattern": "(?=x)"}}}"#,
        &["a: x"],
    ),
    (r#"{"unknown": {"type": "nonsense"}, "title": 1}"#, &["a: x"]),
    (r#"true"#, &["a: 1"]),
    (r#"false"#, &["a: 1", "{}"]),
    (r#"{"properties": {"a": false, "b": true}}"#, &["a: 1", "b: 1"]),
    ("", &["a: 1"]),
    ("{", &["a: 1"]),
    ("[]", &["a: 1"]),
    ("null", &["a: 1"]),
    ("5", &["a: 1"]),
    ("{} {}", &["a: 1"]),
    ("{\"type\": \"array\", \"type\": \"object\"}", &["a: 1"]),
    ("\u{feff}{}", &["a: 1"]),
    (
        r#"{"properties": {"a": {"contains": {"type": "string"}, "minContains": 2, "maxContains": 2}}}"#,
        &["a: [x]", "a: [x, y]", "a: [x, y, z]", "a: []"],
    ),
    (
        r#"{"properties": {"a": {"contains": {"type": "string"}}}}"#,
        &["a: [1]", "a: [x]"],
    ),
    (
        r#"{"properties": {"a": {"prefixItems": [{"type": "string"}, {"type": "integer"}], "items": false}}}"#,
        &["a: [x, 1]", "a: [1, x]", "a: [x, 1, 2]"],
    ),
    (
        r#"{"$schema": "http://json-schema.org/draft-07/schema#", "properties": {"a": {"items": [{"type": "string"}], "additionalItems": false}}}"#,
        &["a: [x]", "a: [1]", "a: [x, 1, 2]"],
    ),
    (
        r#"{"properties": {"a": {"type": "object", "properties": {"x": {}}, "unevaluatedProperties": false}}}"#,
        &["a: {x: 1}", "a: {y: 1}"],
    ),
    (
        r#"{"dependentRequired": {"a": ["b", "c"]}, "dependentSchemas": {"d": {"required": ["e"]}}}"#,
        &["a: 1", "a: 1\nb: 1\nc: 1", "d: 1"],
    ),
    (
        r#"{"$schema": "http://json-schema.org/draft-07/schema#", "dependencies": {"a": ["b"], "c": {"required": ["d"]}}}"#,
        &["a: 1", "c: 1", "a: 1\nb: 1"],
    ),
    (
        r#"{"properties": {"a": {"type": "object", "additionalProperties": {"type": "string"}}}}"#,
        &["a: {x: y}", "a: {x: 1, y: 2}"],
    ),
    (
        r#"{"properties": {"a": {"properties": {"b": {"type": "string", "minLength": 3, "pattern": "^x"}}}}}"#,
        &["a: {b: y}", "a: {b: xyz}"],
    ),
    (
        r#"{"properties": {"a": {"type": "string", "enum": ["x"], "minLength": 3}}}"#,
        &["a: 1", "a: y", "a: x"],
    ),
    (
        r#"{"properties": {"a": {"minimum": 1.5}}}"#,
        &["a: 1", "a: 1234567.25", "a: -1234567.25"],
    ),
    (
        r#"{"properties": {"a": {"maximum": 1000000}}}"#,
        &["a: 1e9", "a: 12345678901234567890", "a: 1e25"],
    ),
];

const FORMATS: &[(&str, &[&str])] = &[
    ("date", &["2026-11-28", "2026-02-30", "x", "2026-1-1"]),
    (
        "date-time",
        &[
            "2026-11-28T10:00:00Z",
            "2026-11-28 10:00:00Z",
            "2026-11-28T10:00:60Z",
            "2026-11-28t10:00:00z",
            "2026-11-28T23:59:60Z",
        ],
    ),
    ("time", &["10:00:00Z", "10:00", "10:00:00+01:00", "24:00:00Z"]),
    (
        "email",
        &["a@b.c", "a", "a@b", "@b", "a b@c.d", "\"a b\"@c.d", "a@[127.0.0.1]"],
    ),
    (
        "hostname",
        &[
            "example.org",
            "a_b",
            "-a",
            "a-",
            "a..b",
            "1.2.3.4",
            "",
            "a.",
            "xn--nxasmq6b",
        ],
    ),
    ("ipv4", &["1.2.3.4", "1.2.3", "256.1.1.1", "01.2.3.4"]),
    ("ipv6", &["::1", "1.2.3.4", "fe80::1%eth0", "::ffff:1.2.3.4"]),
    (
        "uri",
        &[
            "https://example.org/x",
            "example.org",
            "/x",
            "a:b",
            "https://a b",
            "",
            "http://[::1]/",
            "http://%zz",
        ],
    ),
    ("uri-reference", &["/x", "a b", "https://x", "", "%zz", "\\\\x"]),
    (
        "uuid",
        &[
            "123e4567-e89b-12d3-a456-426614174000",
            "123",
            "123E4567-E89B-12D3-A456-426614174000",
        ],
    ),
    ("regex", &["^a$", "[", "(?=x)"]),
    ("json-pointer", &["/a/b", "a", "", "/~2"]),
    ("relative-json-pointer", &["0/a", "/a", "1#", "01"]),
    ("duration", &["P1D", "1d", "PT1H", "P", "P1W", "P1Y2M3DT4H5M6S", "PT"]),
    ("uri-template", &["/{a}", "/{a", "{}"]),
    ("semver", &["1.2.3", "1.2", "v1.2.3", "1.2.3-a+b"]),
    ("period", &["P1D/P2D", "x"]),
    ("iri", &["https://é", "x"]),
    ("idn-email", &["é@x.y", "x"]),
    ("idn-hostname", &["é.org", ""]),
    ("unknown", &["x"]),
];

fn all() -> Vec<(String, Case)> {
    let mut cases = Vec::new();
    for (schema, values) in CASES {
        for values in *values {
            cases.push((format!("{schema} for {values:?}"), chart(schema, values)));
        }
    }
    for schema in ODD {
        for values in ["{}", "a: 1\n", "a: é\n", "type: [x, x]\nminLength: -1\na: []\n"] {
            cases.push((format!("{schema} for {values:?}"), chart(schema, values)));
        }
    }
    for (what, schema) in bytes() {
        for values in ["{}", "a: x\n", "\"\\uFFFD\": \"\\uFFFD\"\n"] {
            let case = chart("{}", values).with("values.schema.json", &schema);
            cases.push((format!("{what} for {values:?}"), case));
        }
    }
    for (schema, values) in CIRCLES {
        cases.push((format!("{schema} for {values:?}"), chart(schema, values)));
    }
    for (format, texts) in FORMATS {
        for draft in ["", "\"$schema\": \"http://json-schema.org/draft-07/schema#\", "] {
            let schema = format!("{{{draft}\"properties\": {{\"a\": {{\"format\": \"{format}\"}}}}}}");
            for text in *texts {
                let values = serde_json::json!({ "a": text }).to_string();
                cases.push((format!("{schema} for {values}"), chart(&schema, &values)));
            }
            cases.push((format!("{schema} for 1"), chart(&schema, "a: 1")));
        }
    }
    cases
}

#[test]
fn schemas_accept_what_helm_accepts() {
    let cases = all();
    check_all(cases.iter().map(|(name, case)| (name.clone(), case)));
}

/// What is said about schemas and values, as a set of lines: Helm's come in any order, and so do names within a line.
pub(crate) fn lines(text: &str) -> Vec<String> {
    let (_, said) = text.split_once("following chart(s):\n").unwrap_or_default();
    let mut lines: Vec<String> = said
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| match line.split_once("additional properties ") {
            Some((at, names)) => {
                let mut names: Vec<&str> = names.trim_end_matches(" not allowed").split(", ").collect();
                names.sort_unstable();
                format!("{at}{names:?}")
            }
            // Which of two comes first is left to chance.
            None if line.starts_with("duplicate ") => {
                let mut words: Vec<&str> = line.split(' ').collect();
                words.sort_unstable();
                words.join(" ")
            }
            None => line.to_owned(),
        })
        .collect();
    lines.sort();
    lines
}

#[test]
fn the_words_are_helms() {
    let Some(oracle) = Oracle::start() else { return };
    let (mut equal, mut different) = (0, Vec::new());
    for (name, case) in all() {
        let (Err(theirs), Err(ours)) = (oracle.helm(&case), capstan(&case)) else {
            continue;
        };
        // Why nothing is fetched is ours to say, and what a crash is.
        if ["failing loading", "unable to validate"]
            .iter()
            .any(|words| theirs.contains(words))
        {
            continue;
        }
        match lines(&theirs) == lines(&ours) {
            true => equal += 1,
            false => different.push(format!("{name}\n--- helm\n{theirs}\n--- capstan\n{ours}")),
        }
    }
    println!(
        "{equal} messages have the lines that helm's have, {} differ",
        different.len()
    );
    assert!(different.is_empty(), "{}", different.join("\n\n"));
}

#[test]
fn subcharts_are_checked_with_their_own_section() {
    let strict = r#"{"properties": {"a": {"type": "string"}}, "additionalProperties": {"type": ["object", "string"]}}"#;
    let mut cases = Vec::new();
    for user in [
        "{}",
        "a: 1",
        "sub: {a: 1}",
        "sub: {a: 1, b: 2}\na: 2",
        "sub: {b: null}",
        "sub: null",
        "global: {x: 1}",
        "sub: {leaf: {a: 1}}",
        "sub: {enabled: false, a: 1}",
    ] {
        for (schema, below) in [(strict, strict), ("{}", strict), (strict, "{}"), (strict, "{")] {
            let case = chart(schema, "a: x\n")
                .with("Chart.yaml", "apiVersion: v2\nname: top\nversion: 0.1.0\ndependencies: [{name: sub, version: 1.0.0, condition: sub.enabled}]\n")
                .with("charts/sub/Chart.yaml", "apiVersion: v2\nname: sub\nversion: 1.0.0\n")
                .with("charts/sub/values.schema.json", below)
                .with("charts/sub/charts/leaf/Chart.yaml", "apiVersion: v2\nname: leaf\nversion: 1.0.0\n")
                .with("charts/sub/charts/leaf/values.schema.json", strict)
                .with_values(user);
            cases.push((format!("{user} {schema} {below}"), case));
        }
    }
    check_all(cases.iter().map(|(name, case)| (name.clone(), case)));
}
