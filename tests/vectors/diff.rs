//! Comparison of pairs of desired and live objects, against reasoned verdicts on objects of a real API server.

use std::path::Path;

use capstan_engine::compare::{ComparePair, CompareTask, IgnoreRules, Verdict, compare};
use capstan_model::{Blob, GroupVersionKind, ResourceKey};
use serde_json::Value;

use super::Score;

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn key(live: &Value) -> ResourceKey {
    let gvk = GroupVersionKind::from_api_version(text(live, "/apiVersion"), text(live, "/kind"));
    ResourceKey::new(
        gvk.group,
        gvk.kind,
        text(live, "/metadata/namespace"),
        text(live, "/metadata/name"),
    )
}

/// `*` for any text.
fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => text
            .strip_prefix(head)
            .is_some_and(|rest| (0..=rest.len()).any(|at| rest.is_char_boundary(at) && glob(tail, &rest[at..]))),
    }
}

fn words(entry: &Value, name: &str) -> Vec<String> {
    let words = entry[name].as_array().into_iter().flatten();
    words.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The rules of `ignoreDifferences` that are for `key`; `None` where one is a jq expression.
fn rules(case: &Value, key: &ResourceKey) -> Option<IgnoreRules> {
    let mut rules = IgnoreRules::default();
    for entry in case["ignore"].as_array().into_iter().flatten() {
        let named = |name: &str, actual: &str| entry[name].as_str().is_none_or(|wanted| wanted == actual);
        let is_for_it = glob(text(entry, "/group"), &key.group)
            && glob(text(entry, "/kind"), &key.kind)
            && named("name", &key.name)
            && named("namespace", &key.namespace);
        if !is_for_it {
            continue;
        }
        if entry.get("jqPathExpressions").is_some() {
            return None;
        }
        rules.json_pointers.extend(words(entry, "jsonPointers"));
        rules.managers.extend(words(entry, "managedFieldsManagers"));
    }
    Some(rules)
}

/// jq expressions are no rule of a comparison: whoever makes the task turns them into pointers.
const NEEDS_JQ: &str = "ignored by jq expressions";

/// Compares every pair on which careful people agree.
pub(crate) fn run(folder: &Path) -> Score {
    let path = folder.join("cases.jsonl");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (mut jq, mut total, mut differences) = (0, 0, Vec::new());
    for line in text.lines() {
        let case: Value = serde_json::from_str(line).expect("every line is a case");
        if case["truth"]["debatable"] == true {
            continue;
        }
        let key = key(&case["live"]);
        let Some(rules) = rules(&case, &key) else {
            jq += 1;
            continue;
        };
        total += 1;
        let pair = ComparePair {
            key,
            desired: Blob::new(&case["desired"]),
            live: Blob::new(&case["live"]),
            rules,
        };
        let verdict = compare(&CompareTask { pairs: vec![pair] }).remove(0).verdict;
        differences.extend(difference(&case, &verdict));
    }
    println!("{NEEDS_JQ}: {jq} cases are not compared here");
    Score {
        equal: total - differences.len(),
        total,
        differences,
    }
}

/// How a verdict differs from the expected one, if it does.
fn difference(case: &Value, verdict: &Verdict) -> Option<String> {
    let (found, paths): (bool, Vec<&str>) = match verdict {
        Verdict::Equal => (false, Vec::new()),
        Verdict::Different(differences) => (true, differences.iter().map(|found| found.path.as_str()).collect()),
        Verdict::Failed(reason) => return Some(format!("{}: {reason}", case["id"])),
    };
    (case["truth"]["different"] != found).then(|| {
        format!(
            "{} {}: {} {} but {paths:?}",
            case["id"], case["class"], case["truth"]["paths"], case["truth"]["reason"]
        )
    })
}
