//! Schemas that want all memory or all time, alone or a thousand times in one render: each ends in a limit that names itself and the
//! file, in bounded memory and time, and the next chart renders.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "the test says what it measured"
)]

use std::fmt::Write as _;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use capstan_model::ApplicationSource;
use capstan_render::{MemoryTree, RenderError, RenderRequest, render};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Peak memory is the whole program's: one bomb at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// What the schemas of a render may take beside the files themselves, in MiB.
const MEMORY_LIMIT: usize = 200;
/// How long on a busy machine; on a quiet one it is two seconds, and without optimisation a multiple.
const TIME_LIMIT: Duration = Duration::from_secs(if cfg!(debug_assertions) { 60 } else { 10 });

const STEPS: &str = "steps of checking values against schemas in one render: the limit is";
const BYTES: &str = "bytes of schemas, and of what they say about values, in one render: the limit is";

/// About as much as a file may hold; less where everything takes longer.
const SIZE: usize = if cfg!(debug_assertions) { 1_500_000 } else { 5_000_000 };

fn rendered(tree: &MemoryTree) -> Result<usize, RenderError> {
    let source = ApplicationSource {
        path: "bomb".into(),
        ..ApplicationSource::default()
    };
    render(&RenderRequest::new("bomb", &source), tree).map(|output| output.manifests.len())
}

fn chart(schema: &str, values: &str) -> MemoryTree {
    let mut tree = MemoryTree::from_files([
        ("bomb/Chart.yaml", "apiVersion: v2\nname: bomb\nversion: 1.0.0\n"),
        (
            "bomb/templates/a.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
        ),
    ]);
    tree.write("bomb/values.schema.json", schema);
    tree.write("bomb/values.yaml", values);
    tree
}

/// Renders a bomb: the message has to hold one of the words, and the file. Without words it may also be no more than it can be.
fn defused(name: &str, tree: &MemoryTree, words: &[&str]) {
    let guard = ONE_AT_A_TIME.lock();
    // What is compiled once is no part of it.
    assert_eq!(rendered(&chart("{}", "a: 1\n")).expect("others render"), 1);
    MEMORY.reset_peak_usage();
    let (before, start) = (MEMORY.current_usage(), Instant::now());
    let message = match rendered(tree) {
        Err(error) => error.to_string(),
        Ok(objects) if words.is_empty() => format!("values.schema.json allows {objects} objects"),
        Ok(objects) => panic!("{name} rendered to {objects} objects"),
    };
    let (took, used) = (start.elapsed(), (MEMORY.peak_usage() - before) >> 20);
    let shown: String = message.chars().take(160).collect();
    println!("{name}: {took:?}, {used} MiB: {shown}");
    assert!(
        words.is_empty() || words.iter().any(|word| message.contains(word)),
        "{name}: none of {words:?} is in {shown}"
    );
    assert!(
        message.contains("values.schema.json"),
        "{name}: {shown} names no schema"
    );
    assert!(message.len() < 4 << 20, "{name}: a message of {} bytes", message.len());
    assert!(used < MEMORY_LIMIT, "{name} took {used} MiB");
    assert!(took < TIME_LIMIT, "{name} took {took:?}");
    assert_eq!(rendered(&chart("{}", "a: 1\n")).expect("others render"), 1);
    drop(guard);
}

/// A text repeated until it is as large as a file may be, with the number of each written for `#`.
fn many(unit: &str, size: usize) -> String {
    let mut text = String::new();
    for index in 0.. {
        if text.len() + unit.len() + 8 > size {
            break;
        }
        if index > 0 {
            text.push(',');
        }
        let mut parts = unit.split('#');
        text.push_str(parts.next().unwrap_or_default());
        for part in parts {
            write!(text, "{index}{part}").expect("texts take all");
        }
    }
    text
}

/// Thirty levels of two branches each are a billion checks.
fn branching() -> String {
    let levels = (0..30).map(|level| {
        let next = format!("{{\"$ref\": \"#/$defs/{}\"}}", level + 1);
        format!("\"{level}\": {{\"anyOf\": [{next}, {next}, {{\"type\": \"string\"}}]}}")
    });
    let levels: Vec<String> = levels.collect();
    format!(
        "{{\"$ref\": \"#/$defs/0\", \"$defs\": {{{}, \"30\": {{\"type\": \"string\"}}}}}}",
        levels.join(", ")
    )
}

#[test]
fn large_schemas() {
    for (name, before, unit, after) in [
        ("small lists", "{\"default\": [", "[]", "]}"),
        ("small objects", "{\"default\": [", "{\"\":0}", "]}"),
        ("numbers", "{\"enum\": [", "#", "]}"),
        ("properties", "{\"properties\": {", "\"#\":{}", "}}"),
        ("branches", "{\"allOf\": [", "{\"not\":{}}", "]}"),
        (
            "typed properties",
            "{\"properties\": {",
            "\"#\":{\"type\":\"string\"}",
            "}}",
        ),
        (
            "resources",
            "{\"$defs\": {",
            "\"#\":{\"$id\":\"#\",\"$anchor\":\"a\"}",
            "}}",
        ),
        ("references", "{\"allOf\": [", "{\"$ref\":\"#/allOf/+0\"}", "]}"),
        ("patterns", "{\"patternProperties\": {", "\"^a#(b|c)*$\":{}", "}}"),
        (
            "large patterns",
            "{\"patternProperties\": {",
            "\"^\\\\pL{25}#$\":{}",
            "}}",
        ),
        (
            "larger patterns",
            "{\"patternProperties\": {",
            "\"^(\\\\pL\\\\p{Greek}{200}){2}#$\":{}",
            "}}",
        ),
        (
            "required",
            "{\"additionalProperties\": {\"dependencies\": {",
            "\"a#\":[\"b\"]",
            "}}}",
        ),
    ] {
        let unit = unit.replace("\"#/", "\"\u{1}/");
        let schema = format!("{before}{}{after}", many(&unit, SIZE)).replace('\u{1}', "#");
        let values = format!("a: [{}]\nb: {{{}}}\n", many("x", 2000), many("k#: {}", 200_000));
        defused(name, &chart(&schema, &values), &[]);
    }
}

#[test]
fn parts_that_are_looked_at_again_and_again() {
    // Each place that no keyword has is held against the meta schema by itself.
    let nested = format!("{}{}{}", "{\"x\":".repeat(400), "{}", "}".repeat(400));
    let references = (0..400).map(|depth| format!("{{\"$ref\": \"#/y{}\"}}", "/x".repeat(depth)));
    let references: Vec<String> = references.collect();
    let filled = nested.replace("{}", &format!("{{\"properties\": {{{}}}}}", many("\"#\":{}", 500_000)));
    let overlapping = format!("{{\"allOf\": [{}], \"y\": {filled}}}", references.join(", "));
    // One constant under many pointers.
    let aliases: Vec<String> = (1..2000)
        .map(|zeros| format!("{{\"$ref\": \"#/y/{}\"}}", "0".repeat(zeros)))
        .collect();
    let constant = format!(
        "{{\"allOf\": [{}], \"y\": [{{\"const\": [{}]}}]}}",
        aliases.join(", "),
        many("1", 1_000_000)
    );
    let long = "x".repeat(1_000_000);
    let base = format!(
        "{{\"$id\": \"https://127.0.0.1/{long}\", \"allOf\": [{}]}}",
        many("{\"$ref\":\"\u{1}\"}", 2_000_000)
    );
    for (name, schema) in [
        ("overlapping", overlapping),
        ("aliases of a constant", constant),
        ("a long base", base.replace('\u{1}', "#/$defs")),
    ] {
        defused(name, &chart(&schema, "a: 1\n"), &[]);
    }
}

/// A schema for each item of a list.
fn each(inner: &str) -> String {
    format!("{{\"additionalProperties\": {{\"items\": {inner}}}}}")
}

fn items() -> String {
    format!("a: [{}]\n", many("x#", 500_000))
}

#[test]
fn names_and_options_that_are_looked_at_again_and_again() {
    let objects = format!("a: [{}]\n", many("{a: 1}", 200_000));
    let chain: Vec<String> = (0..4900)
        .map(|link| format!("\"{link}\": {{\"$ref\": \"\u{1}/$defs/{}\"}}", link + 1))
        .collect();
    let chain = format!(
        "{{\"additionalProperties\": {{\"items\": {{\"$ref\": \"\u{1}/$defs/0\"}}}}, \"$defs\": {{{}, \"4900\": true}}}}",
        chain.join(", ")
    );
    let required = format!("{{\"required\": [{}]}}", many("\"#\"", 1_000_000));
    let dependent = format!("{{\"dependentRequired\": {{{}}}}}", many("\"b#\":[]", 1_000_000));
    let options = format!("{{\"enum\": [{}]}}", many("\"#\"", 500_000));
    for (name, schema, values) in [
        ("a chain of references", chain.replace('\u{1}', "#"), items()),
        ("required names", each(&required), objects.clone()),
        ("dependent names", each(&dependent), objects),
        ("options", each(&options), items()),
        ("many branches", branching(), "a: 1\n".to_owned()),
    ] {
        defused(name, &chart(&schema, &values), &[STEPS, BYTES]);
    }
}

/// Letters in no order: what a search among many states gains nothing from.
fn noise(length: usize) -> String {
    let mut state = 1_u32;
    let letters = std::iter::repeat_with(move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        if state >> 31 == 0 { 'a' } else { 'b' }
    });
    letters.take(length).collect()
}

#[test]
fn patterns_and_numbers_that_cost_much() {
    let texts = format!("a: [{}]\n", many(&format!("{}#", noise(10_000)), 1_000_000));
    let patterns = many("{\"pattern\": \"(a|b)*a(a|b){300}c#\"}", 1_000);
    let long = format!("{{\"pattern\": \"^{}$\"}}", "y".repeat(10_000));
    let digits = format!("{{\"multipleOf\": {}1}}", "7".repeat(100_000));
    let numbers = format!("a: [{}]\n", many("9007199254740993", 200_000));
    for (name, schema, values) in [
        ("messages", long, items()),
        ("patterns for long texts", format!("{{\"anyOf\": [{patterns}]}}"), texts),
        (
            "a large pattern",
            "{\"pattern\": \"(\\\\pL{50}|x){20}y\"}".to_owned(),
            items(),
        ),
        ("a long divisor", digits, numbers),
        (
            "a far exponent",
            "{\"multipleOf\": 1e-999999}".to_owned(),
            items().replace('x', "1"),
        ),
    ] {
        let words = [STEPS, BYTES, "expression too large"];
        defused(name, &chart(&each(&schema), &values), &words);
    }
}

/// What a search needs is made when a pattern is first used.
#[test]
fn many_patterns_that_are_used() {
    let patterns = many("\"^(a|b|\\\\d)*[x-z]{2,30}#$\":{}", 120_000);
    let schema = format!("{{\"patternProperties\": {{{patterns}}}}}");
    let values = format!("{{{}}}", many("\"ab1xyz#\":1", 100));
    defused("used patterns", &chart(&schema, &values), &[]);
}

/// One chart under a thousand names: each would be within the limit.
#[test]
fn aliases_share_one_limit() {
    let costly = format!(
        "{{\"additionalProperties\": {{\"items\": {{\"enum\": [{}]}}}}}}",
        many("\"#\"", 20_000)
    );
    let mut tree = chart("{}", "");
    let aliases = (0..1000).map(|index| format!("- {{name: sub, version: 1.0.0, alias: sub{index}}}\n"));
    let head = "apiVersion: v2\nname: bomb\nversion: 1.0.0\ndependencies:\n";
    tree.write("bomb/Chart.yaml", format!("{head}{}", aliases.collect::<String>()));
    tree.write(
        "bomb/charts/sub/Chart.yaml",
        "apiVersion: v2\nname: sub\nversion: 1.0.0\n",
    );
    tree.write("bomb/charts/sub/values.yaml", format!("a: [{}]\n", many("\"9#\"", 500)));
    tree.write("bomb/charts/sub/values.schema.json", costly);
    defused("aliases", &tree, &[STEPS]);
}

/// What a schema costs is paid by every render, kept or not, so that a second render says the same.
#[test]
fn renders_agree_however_often_they_are_asked() {
    let schema = format!(
        "{{\"properties\": {{{}}}}}",
        many("\"#\":{\"type\":\"string\"}", 200_000)
    );
    for (schema, values) in [(schema, "'1': 1\n"), (branching(), "a: 1\n")] {
        let tree = chart(&schema, values);
        let cache = capstan_render::RenderCache::default();
        let source = ApplicationSource {
            path: "bomb".into(),
            ..ApplicationSource::default()
        };
        let render = || {
            let request = RenderRequest {
                cache: Some(&cache),
                ..RenderRequest::new("bomb", &source)
            };
            render(&request, &tree).expect_err("values do not fit").to_string()
        };
        assert_eq!(render(), render());
    }
}
