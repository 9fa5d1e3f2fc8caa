//! Values that no two servers share, named by the order in which a session first shows them.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::{Map, Value, json};

/// The names given so far.
pub(crate) struct Names {
    seen: BTreeMap<(&'static str, String), usize>,
    patterns: Vec<(&'static str, Regex)>,
    dump: Regex,
}

impl Default for Names {
    fn default() -> Self {
        let pattern = |text: &str| Regex::new(text).expect("the pattern is written here");
        Self {
            seen: BTreeMap::new(),
            patterns: vec![
                (
                    "uid",
                    pattern("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
                ),
                ("time", pattern(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")),
                ("volume", pattern("kube-api-access-[a-z0-9]{5}")),
                ("ip", pattern(r"\b10\.0\.0\.\d+\b")),
            ],
            dump: pattern(r#"(?s)Invalid value: "?\{.*\}"?: "#),
        }
    }
}

impl Names {
    fn name(&mut self, kind: &'static str, value: &str) -> String {
        if kind == "time" {
            return "<time>".into();
        }
        let next = self.seen.keys().filter(|(k, _)| *k == kind).count() + 1;
        let number = *self.seen.entry((kind, value.to_owned())).or_insert(next);
        format!("<{kind} {number}>")
    }

    /// Forgets addresses and ports: what a deleted object had may be given again, or not.
    pub(crate) fn release(&mut self) {
        self.seen.retain(|(kind, _), _| !matches!(*kind, "ip" | "port"));
    }

    /// Text with its values named. Several causes come in no fixed order, so they are sorted.
    pub(crate) fn text(&mut self, text: &str) -> String {
        let mut out = self.dump.replace_all(text, "Invalid value: <object>: ").into_owned();
        for i in 0..self.patterns.len() {
            let kind = self.patterns[i].0;
            let found: Vec<String> = self.patterns[i]
                .1
                .find_iter(&out)
                .map(|m| m.as_str().to_owned())
                .collect();
            for value in found {
                let name = self.name(kind, &value);
                out = out.replace(&value, &name);
            }
        }
        out
    }

    fn message(&mut self, text: &str) -> String {
        let text = self.text(text);
        if let Some((head, rest)) = text.split_once(": [")
            && let Some(list) = rest.strip_suffix(']')
        {
            let mut parts: Vec<&str> = list.split(", ").collect();
            parts.sort_unstable();
            return format!("{head}: [{}]", parts.join(", "));
        }
        if text.starts_with("Apply failed") {
            let mut lines: Vec<&str> = text.lines().collect();
            lines.sort_unstable();
            return lines.join("\n");
        }
        text
    }

    /// A value with everything named.
    pub(crate) fn walk(&mut self, value: &Value) -> Value {
        match value {
            Value::Object(map) => Value::Object(self.walk_map(map)),
            Value::Array(items) => Value::Array(items.iter().map(|v| self.walk(v)).collect()),
            Value::String(text) => json!(self.text(text)),
            other => other.clone(),
        }
    }

    fn walk_map(&mut self, map: &Map<String, Value>) -> Map<String, Value> {
        let list = map.get("items").is_some_and(Value::is_array);
        let mut out = Map::new();
        for (key, value) in map {
            let named = match (key.as_str(), value) {
                ("metadata", Value::Object(_)) if list => json!("<list>"),
                ("resourceVersion", Value::String(version)) => json!(self.name("version", version)),
                ("nodePort" | "healthCheckNodePort", Value::Number(port)) => {
                    json!(self.name("port", &port.to_string()))
                }
                ("message", Value::String(text)) => json!(self.message(text)),
                ("managedFields" | "causes", Value::Array(items)) => {
                    let mut items: Vec<Value> = items.iter().map(|v| self.walk(v)).collect();
                    items.sort_by_key(Value::to_string);
                    Value::Array(items)
                }
                _ => self.walk(value),
            };
            out.insert(key.clone(), named);
        }
        out
    }
}
