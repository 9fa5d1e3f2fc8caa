//! What has to be known of a schema beside whether values satisfy it: patterns that Go cannot compile, and references that go round in
//! circles without ever getting to another value.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::format::pattern;

/// Keywords with one schema each.
const ONE: &[&str] = &[
    "additionalItems",
    "additionalProperties",
    "contains",
    "contentSchema",
    "else",
    "if",
    "items",
    "not",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];
/// Keywords with a list of schemas.
const LISTS: &[&str] = &["allOf", "anyOf", "items", "oneOf", "prefixItems"];
/// Keywords with schemas by name.
const NAMED: &[&str] = &[
    "$defs",
    "definitions",
    "dependencies",
    "dependentSchemas",
    "patternProperties",
    "properties",
];

/// The first pattern in a schema that Go cannot compile, used or not.
pub(super) fn bad_pattern(schema: &Value) -> Option<String> {
    let Value::Object(fields) = schema else { return None };
    let own = fields.get("pattern").and_then(Value::as_str).into_iter();
    let names = fields.get("patternProperties").and_then(Value::as_object);
    let mut patterns = own.chain(names.into_iter().flat_map(|names| names.keys().map(String::as_str)));
    if let Some(bad) = patterns.find(|text| pattern(text).is_err()) {
        return Some(bad.to_owned());
    }
    fields.iter().find_map(|(keyword, value)| {
        let keyword = keyword.as_str();
        match value {
            Value::Array(items) if LISTS.contains(&keyword) => items.iter().find_map(bad_pattern),
            Value::Object(named) if NAMED.contains(&keyword) => named.values().find_map(bad_pattern),
            Value::Object(_) if ONE.contains(&keyword) => bad_pattern(value),
            _ => None,
        }
    })
}

/// Writes the patterns of a schema, which are Go's, in the words of the library's engine. Gives what they were.
pub(super) fn translate_patterns(schema: &mut Value, originals: &mut BTreeMap<String, String>) {
    let Value::Object(fields) = schema else { return };
    let mut translated = |text: &str| {
        let written = capstan_template::go_regex(text).unwrap_or_else(|_| text.to_owned());
        if written != text {
            originals.insert(written.clone(), text.to_owned());
        }
        written
    };
    if let Some(Value::String(pattern)) = fields.get_mut("pattern") {
        *pattern = translated(pattern);
    }
    if let Some(Value::Object(names)) = fields.get_mut("patternProperties") {
        let named = std::mem::take(names).into_iter();
        *names = named.map(|(name, schema)| (translated(&name), schema)).collect();
    }
    for (keyword, value) in fields {
        let keyword = keyword.as_str();
        match value {
            Value::Array(items) if LISTS.contains(&keyword) => items
                .iter_mut()
                .for_each(|schema| translate_patterns(schema, originals)),
            Value::Object(named) if NAMED.contains(&keyword) => named
                .values_mut()
                .for_each(|schema| translate_patterns(schema, originals)),
            Value::Object(_) if ONE.contains(&keyword) => translate_patterns(value, originals),
            _ => {}
        }
    }
}

/// Why a schema cannot be used on values.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Endless {
    /// A schema that leads back to itself for the same value, by its pointer.
    Cycle(String),
    /// There is more to check than [`MAX_STEPS`].
    TooMuch,
}

/// How often schemas may meet values, all branches counted.
pub(super) const MAX_STEPS: u64 = 2_000_000;
/// Schemas in schemas, references followed.
const MAX_DEPTH: usize = 600;

/// Goes through everything that a validator may have to look at: does it end, and soon?
///
/// Helm fails what is checked in a circle, and goes on with the other branches of an `anyOf`; our library lets it pass. No schema that makes
/// sense has such a circle, so it is refused wherever the values lead into it.
pub(super) fn check_ends(root: &Value, values: &Value) -> Result<(), Endless> {
    let mut names = BTreeMap::new();
    name_schemas(root, &mut names, MAX_DEPTH);
    let mut walk = Walk {
        root,
        names,
        steps: MAX_STEPS,
        depth: 0,
    };
    walk.at(root, "#", values, &[])
}

struct Walk<'a> {
    root: &'a Value,
    /// Schemas that have a name, by anchor and by the last part of their id.
    names: BTreeMap<&'a str, &'a Value>,
    steps: u64,
    depth: usize,
}

/// Keywords whose schemas are applied to the same value, as one branch among others or on a condition.
const BRANCHES: &[&str] = &[
    "anyOf",
    "dependencies",
    "dependentSchemas",
    "else",
    "if",
    "not",
    "oneOf",
    "then",
];
const REFERENCES: &[&str] = &["$ref", "$recursiveRef", "$dynamicRef"];

impl<'a> Walk<'a> {
    /// `above` are the schemas that the same value is being checked against.
    fn at(&mut self, schema: &'a Value, name: &str, value: &Value, above: &[*const Value]) -> Result<(), Endless> {
        let Value::Object(fields) = schema else { return Ok(()) };
        let here: *const Value = schema;
        if above.contains(&here) {
            return Err(Endless::Cycle(name.to_owned()));
        }
        self.steps = self.steps.checked_sub(1).ok_or(Endless::TooMuch)?;
        if self.depth > MAX_DEPTH {
            return Err(Endless::TooMuch);
        }
        self.depth += 1;
        let above: Vec<*const Value> = above.iter().copied().chain([here]).collect();
        let result = self
            .same_value(fields, name, value, &above)
            .and_then(|()| self.inner_values(fields, name, value));
        self.depth -= 1;
        result
    }

    /// What a reference within the document means, as far as names tell.
    fn target(&self, reference: &str) -> Option<&'a Value> {
        let (document, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let document = match last_part(document) {
            "" | "values.schema.json" => self.root,
            name => self.names.get(name).copied()?,
        };
        match fragment {
            "" => Some(document),
            pointer if pointer.starts_with('/') => document.pointer(pointer).or_else(|| self.root.pointer(pointer)),
            anchor => self.names.get(anchor).copied(),
        }
    }

    fn same_value(
        &mut self,
        fields: &'a Map<String, Value>,
        name: &str,
        value: &Value,
        above: &[*const Value],
    ) -> Result<(), Endless> {
        for keyword in REFERENCES {
            if let Some(reference) = fields.get(*keyword).and_then(Value::as_str)
                && let Some(target) = self.target(reference)
            {
                self.at(target, reference, value, above)?;
            }
        }
        for (index, part) in list(fields, "allOf").enumerate() {
            self.at(part, &format!("{name}/allOf/{index}"), value, above)?;
        }
        for keyword in BRANCHES {
            let schemas: Vec<&'a Value> = match fields.get(*keyword) {
                Some(Value::Array(items)) => items.iter().collect(),
                Some(Value::Object(named)) if keyword.starts_with("depend") => named.values().collect(),
                Some(schema) => vec![schema],
                None => continue,
            };
            for schema in schemas {
                self.at(schema, &format!("{name}/{keyword}"), value, above)?;
            }
        }
        Ok(())
    }

    fn inner_values(&mut self, fields: &'a Map<String, Value>, name: &str, value: &Value) -> Result<(), Endless> {
        match value {
            Value::Object(values) => {
                let properties = fields.get("properties").and_then(Value::as_object);
                let patterns: Vec<&'a Value> = named(fields, "patternProperties").collect();
                for (key, value) in values {
                    let own = properties.and_then(|properties| properties.get(key));
                    let rest = ["additionalProperties", "unevaluatedProperties"];
                    let rest = rest.iter().filter_map(|keyword| fields.get(*keyword));
                    let others = rest.filter(|_| own.is_none()).chain(patterns.iter().copied());
                    for schema in own.into_iter().chain(others) {
                        self.at(schema, &format!("{name}/properties/{key}"), value, &[])?;
                    }
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    for keyword in ["items", "contains", "additionalItems", "unevaluatedItems"] {
                        if let Some(schema) = fields.get(keyword).filter(|schema| schema.is_object()) {
                            self.at(schema, &format!("{name}/{keyword}"), item, &[])?;
                        }
                    }
                    for keyword in ["items", "prefixItems"] {
                        if let Some(schema) = list(fields, keyword).nth(index) {
                            self.at(schema, &format!("{name}/{keyword}/{index}"), item, &[])?;
                        }
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }
}

fn last_part(id: &str) -> &str {
    id.trim_end_matches('#').rsplit(['/', ':']).next().unwrap_or(id)
}

/// Everything that has a name, wherever it stands.
fn name_schemas<'a>(value: &'a Value, names: &mut BTreeMap<&'a str, &'a Value>, depth: usize) {
    let Some(depth) = depth.checked_sub(1) else { return };
    match value {
        Value::Object(fields) => {
            for keyword in ["$anchor", "$dynamicAnchor", "$id", "id"] {
                if let Some(name) = fields.get(keyword).and_then(Value::as_str) {
                    names.insert(last_part(name), value);
                }
            }
            fields.values().for_each(|value| name_schemas(value, names, depth));
        }
        Value::Array(items) => items.iter().for_each(|value| name_schemas(value, names, depth)),
        _ => {}
    }
}

fn list<'a>(fields: &'a Map<String, Value>, keyword: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    fields.get(keyword).and_then(Value::as_array).into_iter().flatten()
}

fn named<'a>(fields: &'a Map<String, Value>, keyword: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    let named = fields.get(keyword).and_then(Value::as_object);
    named.into_iter().flat_map(Map::values)
}
