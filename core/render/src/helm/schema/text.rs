//! What a schema has to say about values, in the words and the shape of the library Helm uses.
//!
//! Our library gives a flat list of what failed, each with the path through the schema. Helm's gives a tree: what failed within one
//! schema is a group, `allOf` and references are groups of their own. The tree is rebuilt from the paths. What the flat list does not hold
//! is not said: why each element fails `contains`, how many would have to match, and which property asks for one that is missing.

use std::collections::BTreeMap;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{JsonType, ValidationError};
use serde_json::Value;

use super::format::check;

/// A line, and the lines below it.
#[derive(Clone, Debug)]
struct Item {
    /// JSON pointer into the values.
    at: String,
    text: String,
    below: Vec<Self>,
    /// What failed within one schema: taken apart where a schema stands alone.
    is_group: bool,
}

/// The lines for the errors of one schema.
pub(super) fn describe<'e>(errors: impl Iterator<Item = ValidationError<'e>>) -> Vec<String> {
    let mut schema = Schema::default();
    for error in errors {
        let path = segments(error.evaluation_path().as_str());
        schema.add(&path, String::new(), &error);
    }
    let mut lines = Vec::new();
    for item in schema.opened() {
        item.print(0, &mut lines);
    }
    lines
}

/// What failed in one schema.
#[derive(Default)]
struct Schema {
    /// Where in the values it was applied.
    at: String,
    /// Its own keywords.
    own: BTreeMap<String, Vec<Item>>,
    /// Schemas in it, by keyword and what follows it.
    inner: BTreeMap<(String, String), Self>,
}

/// Keywords that end the check of a schema when they fail, in the order in which they are looked at.
const FIRST: &[&str] = &["falseSchema", "type", "const", "enum", "format"];
/// Keywords with a schema that is applied to the same value.
const IN_PLACE: &[&str] = &["if", "then", "else", "not"];
const REFERENCES: &[&str] = &["$ref", "$dynamicRef", "$recursiveRef"];

impl Schema {
    fn add(&mut self, path: &[String], at: String, error: &ValidationError<'_>) {
        self.at.clone_from(&at);
        let instance = segments(error.instance_path().as_str());
        let Some((keyword, rest)) = path.split_first() else {
            self.put("falseSchema", leaf(error));
            return;
        };
        let next_value = || {
            let depth = at.matches('/').count();
            instance
                .get(depth)
                .map_or_else(|| at.clone(), |name| format!("{at}/{name}"))
        };
        let (key, used, at) = match (keyword.as_str(), rest.first()) {
            (word, _) if IN_PLACE.contains(&word) || REFERENCES.contains(&word) => (String::new(), 0, at),
            ("allOf" | "anyOf" | "oneOf" | "dependentSchemas" | "dependencies", Some(key)) if rest.len() > 1 => {
                (key.clone(), 1, at)
            }
            ("properties" | "patternProperties" | "prefixItems", Some(key)) => (key.clone(), 1, next_value()),
            (
                "items" | "additionalItems" | "additionalProperties" | "unevaluatedItems" | "unevaluatedProperties",
                Some(key),
            ) => {
                let is_index = keyword == "items" && key.bytes().all(|byte| byte.is_ascii_digit());
                (key.clone(), usize::from(is_index), next_value())
            }
            ("items" | "additionalItems" | "additionalProperties", None)
                if matches!(error.kind(), ValidationErrorKind::FalseSchema) =>
            {
                (String::new(), 0, next_value())
            }
            _ => {
                self.put(keyword, leaf(error));
                return;
            }
        };
        // One schema for many values: each is a place of its own.
        let place = if used == 0 { at.clone() } else { format!("{key} {at}") };
        let inner = self.inner.entry((keyword.clone(), place)).or_default();
        inner.add(&rest[used..], at, error);
    }

    fn put(&mut self, keyword: &str, items: Vec<Item>) {
        let own = self.own.entry(keyword.to_owned()).or_default();
        match (keyword, own.first_mut(), items.first()) {
            ("required" | "dependentRequired" | "dependencies", Some(known), Some(more)) => {
                merge_required(known, &more.text);
            }
            _ => own.extend(items),
        }
    }

    /// What it says: what fails early hides the rest.
    fn items(&self) -> Vec<Item> {
        if let Some(first) = FIRST.iter().find_map(|keyword| self.own.get(*keyword)) {
            return first.clone();
        }
        let mut items: Vec<Item> = self.own.values().flatten().cloned().collect();
        let mut all_of = Vec::new();
        for ((keyword, _), inner) in &self.inner {
            match keyword.as_str() {
                "allOf" => all_of.extend(inner.collapsed()),
                word if REFERENCES.contains(&word) => {
                    let below = inner.opened();
                    match below.len() {
                        0 | 1 => items.extend(below),
                        _ => items.push(self.group("validation failed", below, false)),
                    }
                }
                _ => items.extend(inner.collapsed()),
            }
        }
        if !all_of.is_empty() {
            items.push(self.group("'allOf' failed", all_of, false));
        }
        items
    }

    /// What it says where it stands alone.
    fn opened(&self) -> Vec<Item> {
        let items = self.items();
        match items.as_slice() {
            [group] if group.is_group => group.below.clone(),
            _ => items,
        }
    }

    fn group(&self, text: &str, below: Vec<Item>, is_group: bool) -> Item {
        Item {
            at: self.at.clone(),
            text: text.to_owned(),
            below,
            is_group,
        }
    }

    /// As part of another schema: one item, or a group.
    fn collapsed(&self) -> Option<Item> {
        let mut items = self.items();
        match items.len() {
            0 | 1 => items.pop(),
            _ => Some(self.group("validation failed", items, true)),
        }
    }
}

/// `missing property 'a'` and `missing property 'b'` are one line.
fn merge_required(known: &mut Item, more: &str) {
    let name = more.split_once('\'').map_or(more, |(_, name)| name);
    let names = known
        .text
        .split_once('\'')
        .map_or(known.text.as_str(), |(_, names)| names);
    known.text = format!("missing properties '{names}, '{name}");
}

impl Item {
    fn print(&self, depth: usize, lines: &mut Vec<String>) {
        lines.push(format!("{}- at {}: {}", "  ".repeat(depth), quote(&self.at), self.text));
        self.below.iter().for_each(|item| item.print(depth + 1, lines));
    }
}

/// Parts of a JSON pointer, still escaped.
fn segments(pointer: &str) -> Vec<String> {
    pointer.split('/').skip(1).map(str::to_owned).collect()
}

/// The lines of one error.
fn leaf(error: &ValidationError<'_>) -> Vec<Item> {
    let at = error.instance_path().as_str();
    let item = |text: String, below: Vec<Item>| {
        vec![Item {
            at: at.to_owned(),
            text,
            below,
            is_group: false,
        }]
    };
    match error.kind() {
        ValidationErrorKind::AnyOf { context } => item("'anyOf' failed".into(), branches(error, context)),
        ValidationErrorKind::OneOfNotValid { context } => {
            item("'oneOf' failed, none matched".into(), branches(error, context))
        }
        ValidationErrorKind::OneOfMultipleValid { context } => {
            let matched: Vec<String> = context
                .iter()
                .enumerate()
                .filter(|(_, errors)| errors.is_empty())
                .map(|(index, _)| index.to_string())
                .take(2)
                .collect();
            let text = format!("'oneOf' failed, subschemas {} matched", matched.join(", "));
            item(text, Vec::new())
        }
        ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            unexpected.iter().map(|name| unevaluated(at, name)).collect()
        }
        ValidationErrorKind::PropertyNames { error: inner } => vec![property_name(inner)],
        _ => item(text(error), Vec::new()),
    }
}

fn unevaluated(at: &str, name: &str) -> Item {
    Item {
        at: format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")),
        text: "false schema".into(),
        below: Vec::new(),
        is_group: false,
    }
}

/// A name is a value of its own, which stands nowhere.
fn property_name(inner: &ValidationError<'_>) -> Item {
    let nowhere = |mut item: Item| {
        item.at.clear();
        item
    };
    Item {
        at: String::new(),
        text: format!("invalid propertyName {}", error_name(inner.instance())),
        below: leaf(inner).into_iter().map(nowhere).collect(),
        is_group: false,
    }
}

fn error_name(name: &Value) -> String {
    quote(name.as_str().unwrap_or_default())
}

/// What each branch of `anyOf` or `oneOf` has against the value.
fn branches(error: &ValidationError<'_>, context: &[Vec<ValidationError<'static>>]) -> Vec<Item> {
    let outer = segments(error.evaluation_path().as_str()).len();
    let at = error.instance_path().as_str();
    context
        .iter()
        .filter_map(|errors| {
            let mut schema = Schema::default();
            for error in errors {
                let path = segments(error.evaluation_path().as_str());
                // The keyword is in the path already; then comes the number of the branch.
                schema.add(path.get(outer + 1..).unwrap_or_default(), at.to_owned(), error);
            }
            schema.collapsed()
        })
        .collect()
}

fn text(error: &ValidationError<'_>) -> String {
    let value = error.instance();
    let compared = |word: &str, limit: &Value| format!("{word}: got {}, want {}", number(value), number(limit));
    match error.kind() {
        ValidationErrorKind::Type { kind } => format!("got {}, want {}", type_of(value), wanted(kind)),
        ValidationErrorKind::Required { property } => format!("missing property {}", error_name(property)),
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let names: Vec<String> = unexpected.iter().map(|name| quote(name)).collect();
            format!("additional properties {} not allowed", names.join(", "))
        }
        ValidationErrorKind::AdditionalItems { limit } => {
            format!(
                "last {} additionalItem(s) not allowed",
                size(value).saturating_sub(*limit)
            )
        }
        ValidationErrorKind::Constant { expected_value } => match expected_value.as_ref() {
            Value::Array(_) | Value::Object(_) => "'const' failed".to_owned(),
            value => format!("value must be {}", display(value)),
        },
        ValidationErrorKind::Enum { options } => enumeration(options),
        ValidationErrorKind::Minimum { limit } => compared("minimum", limit),
        ValidationErrorKind::Maximum { limit } => compared("maximum", limit),
        ValidationErrorKind::ExclusiveMinimum { limit } => compared("exclusiveMinimum", limit),
        ValidationErrorKind::ExclusiveMaximum { limit } => compared("exclusiveMaximum", limit),
        ValidationErrorKind::MultipleOf { multiple_of } => compared("multipleOf", &Value::from(*multiple_of)),
        ValidationErrorKind::Pattern { pattern } => {
            format!("{} does not match pattern {}", display(value), quote(pattern))
        }
        ValidationErrorKind::Format { format } => {
            let reason = check(format, value.as_str().unwrap_or_default())
                .err()
                .unwrap_or_default();
            format!("{} is not valid {format}: {reason}", display(value))
        }
        ValidationErrorKind::FalseSchema => "false schema".to_owned(),
        ValidationErrorKind::Contains => "no items match contains schema".to_owned(),
        ValidationErrorKind::Not { .. } => "'not' failed".to_owned(),
        ValidationErrorKind::UniqueItems => equal_items(value),
        other => sized(value, other).unwrap_or_else(|| error.to_string()),
    }
}

fn size(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.len(),
        Value::Object(fields) => fields.len(),
        Value::String(text) => text.chars().count(),
        _ => 0,
    }
}

/// What is too large or too small.
fn sized(value: &Value, kind: &ValidationErrorKind) -> Option<String> {
    let got = |word: &str, limit: &u64| {
        let (size, limit) = (grouped(&size(value).to_string()), grouped(&limit.to_string()));
        format!("{word}: got {size}, want {limit}")
    };
    Some(match kind {
        ValidationErrorKind::MinLength { limit } => got("minLength", limit),
        ValidationErrorKind::MaxLength { limit } => got("maxLength", limit),
        ValidationErrorKind::MinItems { limit } => got("minItems", limit),
        ValidationErrorKind::MaxItems { limit } => got("maxItems", limit),
        ValidationErrorKind::MinProperties { limit } => got("minProperties", limit),
        ValidationErrorKind::MaxProperties { limit } => got("maxProperties", limit),
        _ => return None,
    })
}

fn enumeration(options: &Value) -> String {
    let options = options.as_array().map(Vec::as_slice).unwrap_or_default();
    if options.iter().any(|value| value.is_array() || value.is_object()) {
        return "'enum' failed".to_owned();
    }
    let shown: Vec<String> = options.iter().map(display).collect();
    match shown.as_slice() {
        [one] => format!("value must be {one}"),
        all => format!("value must be one of {}", all.join(", ")),
    }
}

fn equal_items(value: &Value) -> String {
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let found = (0..items.len())
        .find_map(|second| Some((items[..second].iter().position(|item| *item == items[second])?, second)));
    let (first, second) = found.unwrap_or_default();
    format!("items at {first} and {second} are equal")
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn wanted(kind: &TypeKind) -> String {
    let all = [
        (JsonType::Null, "null"),
        (JsonType::Boolean, "boolean"),
        (JsonType::Number, "number"),
        (JsonType::Integer, "integer"),
        (JsonType::String, "string"),
        (JsonType::Array, "array"),
        (JsonType::Object, "object"),
    ];
    let is_wanted = |wanted: JsonType| match kind {
        TypeKind::Single(one) => *one == wanted,
        TypeKind::Multiple(set) => set.contains(wanted),
    };
    let names: Vec<&str> = all
        .into_iter()
        .filter(|(wanted, _)| is_wanted(*wanted))
        .map(|(_, name)| name)
        .collect();
    names.join(" or ")
}

fn display(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => quote(text),
        Value::Array(_) | Value::Object(_) => "value".to_owned(),
        other => other.to_string(),
    }
}

/// A number as the English message printer shows it: with an exponent below 1e-4 and from 1e6.
fn number(value: &Value) -> String {
    let Some(number) = value.as_f64() else {
        return value.to_string();
    };
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let power: i32 = exponent.parse().unwrap_or_default();
    if number == 0.0 || (-4..6).contains(&power) {
        return grouped(&number.to_string());
    }
    let sign = if power < 0 { "⁻" } else { "" };
    let raised: String = format!("{:02}", power.unsigned_abs())
        .bytes()
        .filter_map(|digit| "⁰¹²³⁴⁵⁶⁷⁸⁹".chars().nth(usize::from(digit - b'0')))
        .collect();
    format!("{digits}×10{sign}{raised}")
}

/// `1234567.5` as `1,234,567.5`.
fn grouped(digits: &str) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |digits| ("-", digits));
    let (whole, fraction) = digits
        .split_once('.')
        .map_or((digits, String::new()), |(whole, rest)| (whole, format!(".{rest}")));
    let mut text = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    format!("{sign}{text}{fraction}")
}

/// Go's `%q`.
pub(super) fn quote_go(text: &str) -> String {
    let quoted = quote(text);
    let inside = quoted.get(1..quoted.len() - 1).unwrap_or_default();
    format!("\"{}\"", inside.replace('"', "\\\"").replace("\\'", "'"))
}

/// Go's `%q`, with single quotes.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::from("'");
    for c in text.chars() {
        match c {
            '\'' => quoted.push_str("\\'"),
            '"' => quoted.push('"'),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c if c.is_control() => quoted.extend(format!("\\x{:02x}", u32::from(c)).chars()),
            c => quoted.push(c),
        }
    }
    quoted.push('\'');
    quoted
}
