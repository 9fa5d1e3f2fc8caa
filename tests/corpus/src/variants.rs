//! Values that a chart was not written for: booleans flipped, keys nulled, numbers and strings swapped.

use std::fs;
use std::path::Path;

use capstan_yaml::{Mode, parse_one, to_go_yaml};
use serde_json::{Map, Value, json};

use crate::Case;

/// A source of numbers that is the same for the same seed (SplitMix64).
#[derive(Clone, Debug)]
pub struct Seeded(u64);

impl Seeded {
    /// From a text, such as a chart's path.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self(text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        }))
    }

    /// A number below `bound`, 0 where the bound is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % (bound.max(1) as u64)).unwrap_or(0)
    }
}

/// The case with so many values files that each change something of its chart's values; they are written to a folder.
///
/// # Panics
/// When the folder cannot be written.
#[must_use]
pub fn changed(case: &Case, folder: &Path, count: usize) -> Vec<Case> {
    let chart = case.chart.display().to_string();
    let values = fs::read_to_string(case.chart.join("values.yaml")).unwrap_or_default();
    let Ok(Value::Object(values)) = parse_one(&values, Mode::Kube11) else {
        return Vec::new();
    };
    let mut seeded = Seeded::of(&chart);
    let mut cases = Vec::new();
    for number in 0..count {
        let text = to_go_yaml(&variant(&values, &mut seeded));
        let file = folder.join(format!("{}-{number}.yaml", seeded.below(usize::MAX)));
        fs::write(&file, &text).expect("the folder can be written");
        let mut changed = case.with_values(&file);
        changed.name_in_report = format!("{chart} with {}", text.trim().replace('\n', " | "));
        cases.push(changed);
    }
    cases
}

/// A values file that changes one to four things of a chart's values; empty values give an empty one.
#[must_use]
pub fn variant(values: &Map<String, Value>, seeded: &mut Seeded) -> Value {
    let mut paths = Vec::new();
    collect(values, &mut Vec::new(), &mut paths);
    let mut changed = json!({});
    if paths.is_empty() {
        return changed;
    }
    for _ in 0..=seeded.below(4) {
        let (path, value) = &paths[seeded.below(paths.len())];
        let new = change(value, seeded);
        put(&mut changed, path, new);
    }
    changed
}

fn collect<'a>(values: &'a Map<String, Value>, path: &mut Vec<String>, paths: &mut Vec<(Vec<String>, &'a Value)>) {
    for (name, value) in values {
        path.push(name.clone());
        paths.push((path.clone(), value));
        if let Value::Object(below) = value {
            collect(below, path, paths);
        }
        path.pop();
    }
}

fn change(value: &Value, seeded: &mut Seeded) -> Value {
    let other = [
        json!(null),
        json!(""),
        json!({}),
        json!([]),
        json!(0),
        json!("x: {{ .Release.Name }}"),
    ];
    if seeded.below(5) == 0 {
        return other[seeded.below(other.len())].clone();
    }
    match value {
        Value::Bool(flag) => json!(!flag),
        Value::Number(number) => json!(number.to_string()),
        Value::String(text) if text.is_empty() => [json!("set"), json!(7), json!(1_000_000)][seeded.below(3)].clone(),
        Value::String(text) => match text.parse::<i64>() {
            Ok(number) => json!(number),
            Err(_) => [json!(format!("{text}-x")), json!(null), json!(1.5)][seeded.below(3)].clone(),
        },
        Value::Null => [json!("set"), json!(true), json!({"a": "b"}), json!(["a"])][seeded.below(4)].clone(),
        Value::Array(_) => {
            [json!([]), json!(["a", 1, true]), json!([{"name": "a", "value": "b"}])][seeded.below(3)].clone()
        }
        Value::Object(fields) if fields.is_empty() => {
            [json!({"a": "b"}), json!({"a": {"b": 1}, "on": "yes"})][seeded.below(2)].clone()
        }
        Value::Object(_) => json!(null),
    }
}

fn put(into: &mut Value, path: &[String], value: Value) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    let Some(fields) = into.as_object_mut() else { return };
    if rest.is_empty() {
        fields.insert(first.clone(), value);
    } else {
        put(fields.entry(first.clone()).or_insert_with(|| json!({})), rest, value);
    }
}
