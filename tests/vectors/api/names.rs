//! Values that no two servers share (ids, versions, times, allocated addresses), named by the order in which a session first shows them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::{Map, Value};

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a constant pattern is valid")
}

static UUID: LazyLock<Regex> =
    LazyLock::new(|| pattern("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"));
static TIME: LazyLock<Regex> = LazyLock::new(|| pattern(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"));
static AGE: LazyLock<Regex> = LazyLock::new(|| pattern(r"^(\d+[smhdy])+$"));
static TOKEN_VOLUME: LazyLock<Regex> = LazyLock::new(|| pattern("kube-api-access-[a-z0-9]{5}"));
static TOO_OLD: LazyLock<Regex> = LazyLock::new(|| pattern(r"too old resource version: \S+ \(\S+\)"));
static SERVICE_IP: LazyLock<Regex> = LazyLock::new(|| pattern(r"\b10\.0\.0\.\d+\b"));
static NODE_PORT: LazyLock<Regex> = LazyLock::new(|| pattern(r":(3[0-2]\d{3})/"));
static OBJECT_DUMP: LazyLock<Regex> = LazyLock::new(|| pattern(r#"(?s)Invalid value: "?\{.*\}"?: "#));

/// The names that one session has given.
#[derive(Debug, Default)]
pub(super) struct Names {
    seen: BTreeMap<(&'static str, String), String>,
    count: BTreeMap<&'static str, usize>,
    /// Generated names, in the order of their appearance.
    generated: Vec<(String, String)>,
}

impl Names {
    fn name(&mut self, kind: &'static str, value: &str) -> String {
        let key = (kind, value.to_owned());
        if let Some(name) = self.seen.get(&key) {
            return name.clone();
        }
        let count = self.count.entry(kind).or_default();
        *count += 1;
        let name = format!("<{kind} {count}>");
        self.seen.insert(key, name.clone());
        name
    }

    pub(super) fn text(&mut self, text: &str) -> String {
        let mut text = text.to_owned();
        for (generated, name) in &self.generated {
            text = text.replace(generated, name);
        }
        text = self.each("uid", &UUID, &text, 0);
        text = TIME.replace_all(&text, "<time>").into_owned();
        text = TOKEN_VOLUME.replace_all(&text, "kube-api-access-<suffix>").into_owned();
        text = TOO_OLD
            .replace_all(&text, "too old resource version: <rv> (<rv>)")
            .into_owned();
        text = OBJECT_DUMP.replace_all(&text, "Invalid value: <object>: ").into_owned();
        text = self.each("port", &NODE_PORT, &text, 1);
        self.each("ip", &SERVICE_IP, &text, 0)
    }

    /// Names what `group` of each match holds.
    fn each(&mut self, kind: &'static str, pattern: &Regex, text: &str, group: usize) -> String {
        pattern
            .replace_all(text, |found: &Captures<'_>| {
                let name = self.name(kind, &found[group]);
                found[0].replace(&found[group], &name)
            })
            .into_owned()
    }

    /// Several errors or conflicts come in no fixed order.
    fn message(&mut self, text: &str) -> String {
        let text = self.text(text);
        if let Some((head, rest)) = text.split_once(": [")
            && let Some(list) = rest.strip_suffix(']')
        {
            let mut parts: Vec<&str> = list.split(", ").collect();
            parts.sort_unstable();
            return format!("{head}: [{}]", parts.join(", "));
        }
        if !text.starts_with("Apply failed") {
            return text;
        }
        let mut lines: Vec<&str> = text.split('\n').collect();
        lines.sort_unstable();
        lines.join("\n")
    }

    /// The value with everything unshareable named.
    pub(super) fn walk(&mut self, value: &Value) -> Value {
        match value {
            Value::Object(fields) => self.object(fields),
            Value::Array(items) => items.iter().map(|item| self.walk(item)).collect(),
            Value::String(text) => self.text(text).into(),
            other => other.clone(),
        }
    }

    fn object(&mut self, fields: &Map<String, Value>) -> Value {
        self.note_generated(fields);
        let is_list = ["items", "rows"]
            .iter()
            .any(|name| fields.get(*name).is_some_and(Value::is_array));
        let mut out = Map::new();
        for (name, value) in fields {
            let (name, value) = match (name.as_str(), value) {
                ("metadata", Value::Object(metadata)) if is_list => (name.clone(), self.list_metadata(metadata)),
                _ => self.field(name, value),
            };
            out.insert(name, value);
        }
        Value::Object(out)
    }

    fn note_generated(&mut self, fields: &Map<String, Value>) {
        let text = |name: &str| fields.get("metadata")?.get(name)?.as_str();
        let (Some(prefix), Some(name)) = (text("generateName"), text("name")) else {
            return;
        };
        let is_made = name.starts_with(prefix) && name.len() == prefix.len() + 5;
        if is_made && !self.generated.iter().any(|(known, _)| known == name) {
            let shown = format!("{prefix}<suffix {}>", self.generated.len() + 1);
            self.generated.push((name.to_owned(), shown));
        }
    }

    fn list_metadata(&mut self, metadata: &Map<String, Value>) -> Value {
        let fields = metadata.iter().map(|(name, value)| {
            let value = match (name.as_str(), value) {
                ("resourceVersion", _) => "<list version>".into(),
                ("continue", Value::String(token)) if !token.is_empty() => "<token>".into(),
                (_, Value::String(text)) => self.text(text).into(),
                (_, other) => other.clone(),
            };
            (name.clone(), value)
        });
        Value::Object(fields.collect())
    }

    fn field(&mut self, name: &str, value: &Value) -> (String, Value) {
        let shown = match (name, value) {
            ("resourceVersion", Value::String(text)) if is_digits(text) => match text.as_str() {
                "0" => value.clone(),
                version => self.name("rv", version).into(),
            },
            ("message", Value::String(text)) => self.message(text).into(),
            ("columnDefinitions", Value::Array(columns)) => columns.iter().map(without_description).collect(),
            ("nodePort" | "healthCheckNodePort", Value::Number(port))
                if port.as_u64().is_some_and(|port| (30_000..=32_767).contains(&port)) =>
            {
                self.name("port", &port.to_string()).into()
            }
            ("cells", Value::Array(cells)) => cells
                .iter()
                .map(|cell| match cell.as_str().is_some_and(|text| AGE.is_match(text)) {
                    true => "<age>".into(),
                    false => self.walk(cell),
                })
                .collect(),
            ("managedFields" | "causes", Value::Array(_)) => self.walk(value),
            _ => return (self.text(name), self.walk(value)),
        };
        (name.to_owned(), shown)
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn without_description(column: &Value) -> Value {
    let mut column = column.clone();
    if let Some(fields) = column.as_object_mut() {
        fields.remove("description");
    }
    column
}

/// `managedFields` and `causes` have no fixed order: both sides are put in the same one.
pub(super) fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| {
                let mut value = sorted(value);
                if let ("managedFields" | "causes", Value::Array(items)) = (name.as_str(), &mut value) {
                    items.sort_by_cached_key(ToString::to_string);
                }
                (name.clone(), value)
            });
            Value::Object(fields.collect())
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}
