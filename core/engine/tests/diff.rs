//! Comparison of pairs of desired and live objects, against reasoned verdicts on objects of a real API server.

use std::path::{Path, PathBuf};

use capstan_engine::compare::{ComparePair, CompareTask, IgnoreRules, Verdict, compare};
use capstan_model::{Blob, GroupVersionKind, ResourceKey};
use serde_json::Value;

/// Where the vectors are: `CAPSTAN_VECTORS`, or beside the checkout.
#[expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a test reads its vectors and says where it found none"
)]
fn vectors(folder: &str) -> Option<PathBuf> {
    let place = match std::env::var_os("CAPSTAN_VECTORS") {
        Some(place) => PathBuf::from(place),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors"),
    };
    let place = place.join(folder);
    if !place.is_dir() {
        println!("skipped: there is no {}", place.display());
        return None;
    }
    Some(place)
}

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

#[test]
#[expect(clippy::disallowed_methods, reason = "a meter reads its vectors")]
fn verdicts_are_those_of_a_careful_engineer() {
    let Some(folder) = vectors("diff") else { return };
    let text = std::fs::read_to_string(folder.join("cases.jsonl")).expect("the cases are readable");
    let (mut equal, mut total, mut jq, mut wrong) = (0, 0, 0, Vec::new());
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
        let found = match &verdict {
            Verdict::Equal => false,
            Verdict::Different(_) => true,
            Verdict::Failed(reason) => panic!("{}: {reason}", case["id"]),
        };
        if case["truth"]["different"] == found {
            equal += 1;
        } else {
            let paths: Vec<&str> = match &verdict {
                Verdict::Different(differences) => differences.iter().map(|found| found.path.as_str()).collect(),
                _ => Vec::new(),
            };
            wrong.push(format!(
                "{} {}: {} {} but {paths:?}",
                case["id"], case["class"], case["truth"]["paths"], case["truth"]["reason"]
            ));
        }
    }
    for line in &wrong {
        println!("{line}");
    }
    println!("{NEEDS_JQ}: {jq} cases are not compared here");
    println!("diff: {equal}/{total}");
    assert!(equal * 100 >= total * 98, "{equal} of {total} verdicts agree");
}
