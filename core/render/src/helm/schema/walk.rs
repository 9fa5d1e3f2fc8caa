//! What has to be known of a schema beside whether values satisfy it: patterns that Go cannot compile, and references that go round in
//! circles without ever getting to another value.

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

/// Where a value is checked against a schema that leads back to itself for the same value: the pointer of that schema.
///
/// Only what is always looked at counts: references within the document, `allOf`, and the schemas of what the values hold.
pub(super) fn cycle(root: &Value, values: &Value) -> Option<String> {
    Walk { root, steps: STEPS }.at(root, "#", values, &[])
}

/// Schemas looked at before the search is given up: what is left is for the validator to find.
const STEPS: usize = 100_000;

struct Walk<'a> {
    root: &'a Value,
    steps: usize,
}

impl<'a> Walk<'a> {
    /// `above` are the schemas that the same value is being checked against.
    fn at(&mut self, schema: &'a Value, name: &str, value: &Value, above: &[*const Value]) -> Option<String> {
        let Value::Object(fields) = schema else { return None };
        let here: *const Value = schema;
        if above.contains(&here) {
            return Some(name.to_owned());
        }
        self.steps = self.steps.checked_sub(1)?;
        let above: Vec<*const Value> = above.iter().copied().chain([here]).collect();
        if let Some(reference) = fields.get("$ref").and_then(Value::as_str)
            && let Some(target) = reference
                .strip_prefix('#')
                .and_then(|pointer| self.root.pointer(pointer))
            && let Some(found) = self.at(target, reference, value, &above)
        {
            return Some(found);
        }
        for (index, part) in fields
            .get("allOf")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .enumerate()
        {
            if let Some(found) = self.at(part, &format!("{name}/allOf/{index}"), value, &above) {
                return Some(found);
            }
        }
        match value {
            Value::Object(values) => self.properties(fields, name, values),
            Value::Array(items) => {
                let schema = fields.get("items").filter(|schema| schema.is_object())?;
                items
                    .iter()
                    .find_map(|item| self.at(schema, &format!("{name}/items"), item, &[]))
            }
            _ => None,
        }
    }

    fn properties(
        &mut self,
        fields: &'a Map<String, Value>,
        name: &str,
        values: &Map<String, Value>,
    ) -> Option<String> {
        let properties = fields.get("properties").and_then(Value::as_object);
        values.iter().find_map(|(key, value)| {
            let named = properties.and_then(|properties| properties.get(key));
            let schema = named.or_else(|| fields.get("additionalProperties"))?;
            self.at(schema, &format!("{name}/properties/{key}"), value, &[])
        })
    }
}
