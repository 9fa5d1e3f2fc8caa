//! The scalar table and documents answered by real Helm, and kubectl run beside us where it is installed.
#![expect(clippy::disallowed_methods, reason = "the oracles are files and programs")]

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use capstan_yaml::{Mode, YamlErrorKind, parse_documents, parse_one, to_go_yaml};
use serde_json::{Value, json};

fn vectors() -> Option<PathBuf> {
    let given = std::env::var_os("CAPSTAN_VECTORS").map(PathBuf::from);
    let beside = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors"));
    given
        .or(Some(beside))
        .filter(|folder| folder.join("helm/yaml-scalars.txt").exists())
}

/// The text between the quotes of a Python string literal.
fn unescape(literal: &str) -> String {
    literal.replace("\\'", "'").replace("\\\\", "\\")
}

/// What Helm does to values: every number becomes a float64.
fn as_values(value: Value) -> Value {
    match value {
        Value::Number(number) => Value::from(number.as_f64().unwrap_or_default()),
        other => other,
    }
}

#[test]
fn scalars_are_read_and_written_as_helm_does() {
    let Some(folder) = vectors() else {
        println!("skipped: no vectors (set CAPSTAN_VECTORS)");
        return;
    };
    let table = std::fs::read_to_string(folder.join("helm/yaml-scalars.txt")).unwrap();
    let (mut equal, mut wrong) = (0, Vec::new());
    for line in table.lines().filter(|line| line.starts_with('\'')) {
        let end = line[1..].find("' ").unwrap() + 1;
        let text = unescape(&line[1..end]);
        let expected = line[end + 1..].trim_start();
        let actual = match parse_one(&format!("v: {text}\n"), Mode::Kube11) {
            Ok(root) => to_go_yaml(&as_values(root["v"].clone())).trim_end().to_owned(),
            Err(error) if error.kind == YamlErrorKind::Value => "ERR".to_owned(),
            Err(error) => format!("unexpected: {error}"),
        };
        let expected = if expected.starts_with("ERR") {
            "ERR"
        } else {
            expected.split(" | ").nth(1).unwrap()
        };
        if actual == expected {
            equal += 1;
        } else {
            wrong.push(format!("{text}: {actual} instead of {expected}"));
        }
    }
    println!("yaml scalars: {equal}/{}", equal + wrong.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(equal >= 40, "the table was not read");
}

/// What kubectl makes of a document, as JSON; `None` when it refuses it.
fn kubectl(document: &str) -> Option<Value> {
    let mut child = Command::new("kubectl")
        .args([
            "label",
            "--local",
            "--overwrite",
            "-o",
            "json",
            "-f",
            "-",
            "probe=x",
            "--kubeconfig",
            "/dev/null",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    child.stdin.take()?.write_all(document.as_bytes()).ok()?;
    let output = child.wait_with_output().ok()?;
    if !output.status.success() {
        return None;
    }
    serde_json::from_slice(&output.stdout).ok()
}

const HEAD: &str = "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: x, namespace: ns}\n";

const DOCUMENTS: &[&str] = &[
    "a: yes\nb: off\nc: y\nd: 'yes'\non: 1\n",
    "a: 0644\nb: 0o644\nc: 0888\nd: 08\ne: 1_000\nf: 1.0\ng: 0x1F\nh: 0b101\ni: -0b11\n",
    "a: 12:30:45\nb: 2020-01-01\nc: 2020-01-01T00:00:00Z\nd: 1e3\ne: 1.5\nf: .5\ng: 1e400\nh: +7\n",
    "a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}\nc: {q: 3, <<: *x}\nd:\n  <<: [{p: 8}, *x]\n  r: 1\n",
    "a: 1\na: 2\n",
    "1: a\n1.5: b\nyes: c\n0x10: d\n",
    "a: !!str 12\nb: !!int \"3\"\nc: !!float 2\nd: !!binary aGVsbG8=\ne: !foo x\nf: !!bool \"yes\"\n",
    "a: |\n  x\n\n  y\nb: >\n  x\n  y\n\n  z\nc: |-\n  x\nd: |+\n  x\n\ne: |2\n    x\n",
    "a: \"\\x41\\u00e9\\n\"\nb: 'it''s'\nc: plain # comment\nd: a#b\ne: \"a\n  b\"\n",
    "a:\tb\n",
    "a: {{ x }}\n",
    "a: [1, 2,]\nb: {c: d,}\n",
    "a: \"\\/\"\n",
    "a: *nope\n",
    "a: &a [*a]\n",
    "? [1]\n: x\n",
    "~: x\n",
    "a: .inf\n",
    "a: <<\nb: =\nc: '<<'\n",
    "a: @x\n",
    "a: %x\n",
    "a: b: c\n",
    "a:\n- b\n-c\n",
    "a:\n  b: 1\n c: 2\n",
    "a: 18446744073709551616\nb: 9223372036854775807\nc: -9223372036854775808\nd: 1e20\ne: 1.0e+15\n",
    "a: -\n",
    "a: ''\nb: \"\"\nc:\nd: ~\n",
];

/// Numbers compared as kubectl prints them.
fn normal(value: &Value) -> Value {
    match value {
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), normal(value))).collect(),
        Value::Array(items) => items.iter().map(normal).collect(),
        Value::Number(number) if number.is_f64() => Value::from(number.as_f64().unwrap_or_default()),
        other => other.clone(),
    }
}

#[test]
fn documents_are_read_as_kubectl_reads_them() {
    if kubectl(HEAD).is_none() {
        println!("skipped: no kubectl");
        return;
    }
    let mut wrong = Vec::new();
    for body in DOCUMENTS {
        for (newline, mark) in [("\n", ""), ("\r\n", "\u{feff}")] {
            let text =
                format!("{mark}{HEAD}spec:\n  {}\n", body.trim_end().replace('\n', "\n  ")).replace('\n', newline);
            let expected = kubectl(&text).map(|value| normal(&value["spec"]));
            let actual = parse_one(&text, Mode::Kube11).map(|value| normal(&value["spec"]));
            match (&expected, &actual) {
                (Some(expected), Ok(actual)) if expected == actual => {}
                (None, Err(_)) => {}
                _ => wrong.push(format!("{body:?} ({newline:?}): {actual:?} instead of {expected:?}")),
            }
        }
    }
    println!(
        "kubectl: {}/{} equal",
        2 * DOCUMENTS.len() - wrong.len(),
        2 * DOCUMENTS.len()
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn streams_know_their_lines() {
    let text = "# head\n---\n# only a comment\n---\na: 1\n---\n\n# x\nb: 2\na: 1\na: 2\n...\n";
    let documents = parse_documents(text, Mode::Kube11).unwrap();
    let lines: Vec<(usize, bool)> = documents
        .iter()
        .map(|document| (document.line, document.value.is_null()))
        .collect();
    assert_eq!(lines, [(2, true), (5, false), (9, false)]);
    assert_eq!(
        documents[2].warnings[0].to_string(),
        "key \"a\" on line 10 is repeated on line 11: the later one is used"
    );
    assert_eq!(documents[2].value["a"], 2);
    for empty in ["", "\n", "# x\n", "\u{feff}"] {
        assert_eq!(parse_documents(empty, Mode::Kube11).unwrap(), [], "{empty:?}");
        assert_eq!(parse_one(empty, Mode::Kube11).unwrap(), Value::Null);
    }
}

/// The most copies that Go's library lets each of these texts have.
#[test]
fn aliases_are_counted_as_go_counts_them() {
    let flow = |item: &str, count: usize| vec![item; count].join(",");
    let fields = |value: &str| {
        let entries: Vec<String> = (0..500).map(|i| format!("k{i}: {value}")).collect();
        entries.join(",")
    };
    let long = flow("x", 998);
    type Text<'t> = (usize, &'t dyn Fn(usize) -> String);
    let texts: [Text<'_>; 7] = [
        (110, &|copies| format!("a: &a [{long}]\nb: [{}]\n", flow("*a", copies))),
        (124, &|copies| {
            format!("a: &a {{{}}}\nb:\n{}", fields("v"), "- <<: *a\n".repeat(copies))
        }),
        (58, &|copies| {
            format!("a: &a {{{}}}\nb:\n{}", fields("v"), "- <<: [*a, *a]\n".repeat(copies))
        }),
        (11, &|copies| {
            let short = flow("x", 200);
            format!(
                "a: &a [{short}]\nb: &b [{}]\nc: [{}]\n",
                flow("*a", 9),
                flow("*b", copies)
            )
        }),
        (70, &|copies| {
            format!("z: &z yy\na: &a {{{}}}\nb: [{}]\n", fields("*z"), flow("*a", copies))
        }),
        (504, &|copies| {
            let filler = flow("y", 20_000);
            format!("f: [{filler}]\na: &a [{long}]\nb: [{}]\n", flow("*a", copies))
        }),
        (998, &|copies| {
            let filler = flow("y", 300_000);
            format!("f: [{filler}]\na: &a [{long}]\nb: [{}]\n", flow("*a", copies))
        }),
    ];
    for (most, text) in texts {
        assert!(parse_documents(&text(most), Mode::Kube11).is_ok(), "{most}");
        let error = parse_documents(&text(most + 1), Mode::Kube11).unwrap_err();
        assert_eq!(error.kind, YamlErrorKind::AliasRatio, "{most}");
        // What is wrong further down comes first, as with every error of meaning.
        let broken = parse_documents(&format!("{}c: [\n", text(most + 1)), Mode::Kube11).unwrap_err();
        assert_eq!(broken.kind, YamlErrorKind::Syntax, "{most}");
    }
}

#[test]
fn utf_16_is_read_with_its_mark() {
    let both = |text: &str| {
        let little = [0xfeff]
            .into_iter()
            .chain(text.encode_utf16())
            .flat_map(u16::to_le_bytes);
        let big = [0xfeff]
            .into_iter()
            .chain(text.encode_utf16())
            .flat_map(u16::to_be_bytes);
        [little.collect::<Vec<u8>>(), big.collect()]
    };
    for bytes in both("a: é\n# \u{1f600}\n") {
        assert_eq!(capstan_yaml::decode(&bytes).unwrap(), "a: é\n# \u{1f600}\n");
        let offset = |bytes: &[u8]| match capstan_yaml::decode(bytes).unwrap_err().kind {
            YamlErrorKind::Encoding { offset } => offset,
            other => panic!("{other:?}"),
        };
        assert_eq!(offset(&bytes[..bytes.len() - 1]), bytes.len() - 2);
        // The first half of a pair alone.
        assert_eq!(offset(&bytes[..bytes.len() - 4]), bytes.len() - 6);
    }
    assert_eq!(capstan_yaml::decode("\u{feff}a".as_bytes()).unwrap(), "a");
    assert!(capstan_yaml::decode(b"\xffa").is_err());
}

#[test]
fn bad_input_ends_in_a_named_rule_and_place() {
    let error = |text: &str| parse_documents(text, Mode::Kube11).unwrap_err();
    let bomb: String = (0..10)
        .map(|level| {
            let inner = if level == 0 {
                "x".to_owned()
            } else {
                format!("*a{}", level - 1)
            };
            format!("a{level}: &a{level} [{}]\n", vec![inner; 10].join(","))
        })
        .collect();
    let found = error(&bomb);
    assert_eq!((found.line, found.kind), (4, YamlErrorKind::AliasRatio));
    assert_eq!(found.go_message, "document contains excessive aliasing");
    let found = parse_documents(&bomb, Mode::Kustomize).unwrap_err();
    assert_eq!(found.kind, YamlErrorKind::AliasLimit { limit: 1_000_000 });
    assert!(
        found
            .to_string()
            .contains("alias expansion limit (1000000 nodes) exceeded"),
        "{found}"
    );
    for deep in ["[".repeat(10_000), "- ".repeat(10_000), "{a: ".repeat(10_000)] {
        assert_eq!(error(&deep).kind, YamlErrorKind::DepthLimit { limit: 100 });
    }
    let found = error("a: 1\nb: \"x\u{0}\"\n");
    assert_eq!(
        (found.line, found.column, found.kind),
        (2, 6, YamlErrorKind::Encoding { offset: 10 })
    );
    let found = error("a: 1\nb: [1\nc: 2\n");
    assert_eq!(found.kind, YamlErrorKind::Syntax);
    assert_eq!(found.line, 3, "{found}");
    let found = capstan_yaml::text_from_bytes(b"a: \xff").unwrap_err();
    assert_eq!(found.kind, YamlErrorKind::Encoding { offset: 3 });
    let found = parse_documents("a: 1\nb: 2\na: 3\n", Mode::Kustomize).unwrap_err();
    assert_eq!(found.kind, YamlErrorKind::DuplicateKey { first_line: 1 });
}

proptest::proptest! {
    #[test]
    fn what_is_written_is_read_back(text in "[ -~\n\t\u{e9}\u{1f600}\u{85}\u{2028}]{0,200}", key in "[ -~\n]{0,150}") {
        let value = json!({ key: [text.clone(), {"k": text}] });
        let written = to_go_yaml(&value);
        // Text that Go's emitter itself cannot carry: it breaks lines at NEL, LS and PS without escaping them.
        if !written.contains(['\u{85}', '\u{2028}', '\u{2029}']) {
            proptest::prop_assert_eq!(parse_one(&written, Mode::Kube11).unwrap(), value, "{}", written);
        }
    }

    #[test]
    fn no_input_panics(text in "[-:,?{}\\[\\]&*!|>'\"%@`#<= \n\ta1.~]{0,60}") {
        let _ = parse_documents(&text, Mode::Kube11);
        let _ = parse_documents(&text, Mode::Kustomize);
    }
}

/// What Helm says of each.
#[test]
fn what_go_s_scanner_reads() {
    let read = |text: &str| parse_one(text, Mode::Kube11).map_err(|error| error.go_message);
    for (text, wanted) in [
        ("\"it\\'s\": \"a\\'b\"", json!({"it's": "a'b"})),
        ("a: [a:, b]", json!({"a": ["a:", "b"]})),
        ("{a:}", json!({"a:": null})),
        ("a: {b: !x,c: d}", json!({"a": {"b": "d"}})),
        ("a: {!,b: c}", json!({"a": {"c": null}})),
        ("a: [it's:, !x,y 'q,']", json!({"a": ["it's:", "q,"]})),
    ] {
        assert_eq!(read(text), Ok(wanted), "{text}");
    }
    for (text, wanted) in [
        ("a: [a?b]", "did not find expected ',' or ']'"),
        ("'", "found unexpected end of stream"),
        ("\"\\", "found unknown escape character"),
        ("- a\nb", "line 3: could not find expected ':'"),
        ("a: &x [*x]\n]", "line 1: did not find expected key"),
    ] {
        assert_eq!(read(text).unwrap_err(), wanted, "{text}");
    }
    assert!(read("a: [!!str,b]").is_err());
    // Nobody reads so far, but for who reads all.
    let far = format!("a: 1\n...\n# {}\n\u{1}", " ".repeat(600)).into_bytes();
    assert_eq!(parse_one(&far, Mode::Kube11).unwrap(), json!({"a": 1}));
    assert!(parse_documents(&far, Mode::Kube11).is_err());
    assert_eq!(
        read("a: 1\n...\n\u{1}"),
        Err("control characters are not allowed".to_owned())
    );
}
