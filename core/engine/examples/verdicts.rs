//! Compares pairs from standard input, one JSON object `{"desired": …, "live": …}` a line, and prints one verdict a line:
//! `cargo run --release -p capstan-engine --example verdicts [rounds] < pairs.jsonl`. With rounds, every pair is compared that often and
//! the mean cost of a comparison is printed instead, parsing left out.
#![expect(clippy::print_stdout, reason = "printing is what this program is for")]
#![expect(
    clippy::disallowed_methods,
    reason = "a measurement, not a part of the core: reads a clock and its arguments"
)]
#![expect(clippy::disallowed_types, reason = "as above")]

use std::io::BufRead;
use std::time::Instant;

use capstan_engine::compare::{IgnoreRules, differences};
use capstan_model::{GroupVersionKind, ResourceKey};
use serde_json::{Value, json};

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn key(live: &Value) -> ResourceKey {
    let gvk = GroupVersionKind::from_api_version(text(live, "/apiVersion"), text(live, "/kind"));
    let (namespace, name) = (text(live, "/metadata/namespace"), text(live, "/metadata/name"));
    ResourceKey::new(gvk.group, gvk.kind, namespace, name)
}

fn main() {
    let rounds: u32 = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
    let rules = IgnoreRules::default();
    let pairs: Vec<(ResourceKey, Value)> = std::io::stdin()
        .lock()
        .lines()
        .map_while(Result::ok)
        .filter_map(|line| serde_json::from_str::<Value>(&line).ok())
        .map(|pair| (key(&pair["live"]), pair))
        .collect();
    if rounds == 0 {
        for (key, pair) in &pairs {
            let found = differences(key, &pair["desired"], &pair["live"], &rules);
            println!("{}", json!({"key": key.to_string(), "differences": found}));
        }
        return;
    }
    let start = Instant::now();
    let mut found = 0;
    for _ in 0..rounds {
        for (key, pair) in &pairs {
            found += differences(key, &pair["desired"], &pair["live"], &rules).len();
        }
    }
    let each = start.elapsed() / rounds / u32::try_from(pairs.len()).unwrap_or(1).max(1);
    println!(
        "{} pairs, {rounds} rounds, {found} differences: {each:?} a pair",
        pairs.len()
    );
}
