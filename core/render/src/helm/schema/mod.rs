//! `values.schema.json`: are the values what the chart says they are?
//!
//! A chart's schema sees all of its values, those of its subcharts included; then each subchart's schema sees its own section. The draft
//! is the one `$schema` names, else 2020-12. Nothing is fetched: a schema that refers to another document is refused by name, but for `urn:`
//! references, which Helm takes to allow anything. Go's regular expressions are the dialect of patterns, so none of them can blow up.

mod format;
mod text;
mod url;
mod walk;

use std::sync::{Arc, OnceLock};

use jsonschema::{PatternOptions, Retrieve, Uri, Validator};
use serde_json::{Map, Number, Value};

use super::chart::Chart;
use crate::RenderError;
use format::{FORMATS, UNKNOWN};
use text::describe;
use walk::{Endless, MAX_STEPS, bad_pattern, check_ends};
/// Bytes a compiled pattern may take.
const PATTERN_SIZE: usize = 1 << 20;

/// Checks the values of a chart and its subcharts.
pub(super) fn check(chart: &Chart, values: &Map<String, Value>) -> Result<(), RenderError> {
    let mut found = Findings::default();
    check_chart(chart, values, &mut found);
    let Some(file) = found.file else { return Ok(()) };
    Err(RenderError::Chart {
        file,
        reason: format!(
            "values don't meet the specifications of the schema(s) in the following chart(s):\n{}",
            found.text
        ),
    })
}

/// What is wrong, in Helm's form, and the first file that says so.
#[derive(Default)]
struct Findings {
    text: String,
    file: Option<String>,
}

impl Findings {
    fn add(&mut self, file: String, text: &str) {
        self.file.get_or_insert(file);
        self.text.push_str(text);
    }
}

fn check_chart(chart: &Chart, values: &Map<String, Value>, found: &mut Findings) {
    let file = chart.file("values.schema.json");
    if let Some(schema) = &chart.schema
        && let Err(message) = schema.check(values)
    {
        found.add(file.clone(), &format!("{}:\n{message}\n", chart.metadata.name));
    }
    for subchart in &chart.subcharts {
        let name = &subchart.metadata.name;
        match values.get(name) {
            None | Some(Value::Null) => {}
            Some(Value::Object(section)) => check_chart(subchart, section, found),
            Some(_) => {
                let text = format!("{name}:\ninvalid type for values: expected object (map)\n");
                found.add(file.clone(), &text);
            }
        }
    }
}

/// A schema, compiled when it is first used and then kept: charts are shared between renders.
#[derive(Debug)]
pub(crate) struct Schema {
    text: Arc<[u8]>,
    compiled: OnceLock<Result<Compiled, String>>,
}

#[derive(Debug)]
struct Compiled {
    schema: Value,
    validator: Validator,
}

impl Schema {
    pub(super) fn new(text: Arc<[u8]>) -> Self {
        Self {
            text,
            compiled: OnceLock::new(),
        }
    }

    /// What it says about the values.
    fn check(&self, values: &Map<String, Value>) -> Result<(), String> {
        let compiled = self.compiled.get_or_init(|| compile(&self.text));
        let Compiled { schema, validator } = compiled.as_ref().map_err(Clone::clone)?;
        let instance = as_instance(&Value::Object(values.clone()));
        check_ends(schema, &instance).map_err(|why| match why {
            Endless::Cycle(place) => format!("- at '': {place} resolves to itself, causing reference cycle"),
            Endless::TooMuch => format!("the schema branches too much: more than {MAX_STEPS} checks for these values"),
        })?;
        let lines = describe(validator.iter_errors(&instance));
        if lines.is_empty() {
            Ok(())
        } else {
            Err(lines.join("\n"))
        }
    }
}

fn compile(text: &[u8]) -> Result<Compiled, String> {
    let mut schema: Value = serde_json::from_slice(text).map_err(|error| format!("the schema is not JSON: {error}"))?;
    // A fragment, `draft-07/schema#/`, names no other draft.
    if let Some(Value::String(draft)) = schema.get_mut("$schema")
        && let Some(fragment) = draft.find('#')
    {
        draft.truncate(fragment);
    }
    if let Some(pattern) = bad_pattern(&schema) {
        return Err(format!("the schema is not valid: {pattern:?} is not valid regex"));
    }
    let mut options = jsonschema::options()
        .with_base_uri("file:///values.schema.json")
        .with_retriever(Offline)
        .with_pattern_options(
            PatternOptions::regex()
                .size_limit(PATTERN_SIZE)
                .dfa_size_limit(PATTERN_SIZE),
        );
    for name in FORMATS {
        options = options.with_format(*name, |text: &str| format::check(name, text).is_ok());
    }
    for name in UNKNOWN {
        options = options.with_format(*name, |_: &str| true);
    }
    let validator = options
        .build(&schema)
        .map_err(|error| format!("the schema is not valid: at '{}': {error}", error.instance_path()))?;
    Ok(Compiled { schema, validator })
}

/// Whole floats are integers, in every draft.
fn as_instance(value: &Value) -> Value {
    match value {
        Value::Number(number) => Value::Number(as_integer(number).unwrap_or_else(|| number.clone())),
        Value::Array(items) => items.iter().map(as_instance).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), as_instance(value)))
            .collect(),
        other => other.clone(),
    }
}

fn as_integer(number: &Number) -> Option<Number> {
    /// Above it floats hold even numbers only, and printing them as integers would add digits.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let value = number.as_f64().filter(|_| number.is_f64())?;
    #[expect(clippy::cast_possible_truncation, reason = "it is whole, and less than 2^53")]
    let whole = (value == value.trunc() && value.abs() <= EXACT).then_some(value as i64);
    whole.map(Number::from)
}

/// Fetches nothing.
struct Offline;

impl Retrieve for Offline {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        if uri.as_str().starts_with("urn:") {
            return Ok(Value::Bool(true));
        }
        Err(
            format!("{uri} is another document, and none is fetched: put its definitions into values.schema.json")
                .into(),
        )
    }
}
