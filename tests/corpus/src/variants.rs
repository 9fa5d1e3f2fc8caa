//! Values that a chart was not written for: booleans flipped, keys nulled, numbers and strings swapped.

use serde_json::{Map, Value, json};

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
