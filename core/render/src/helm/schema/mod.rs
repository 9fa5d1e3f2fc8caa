//! `values.schema.json`: are the values what the chart says they are?
//!
//! A chart's schema sees all of its values, those of its subcharts included; then each subchart's schema sees its own section. The draft
//! is the one `$schema` names, else 2020-12. What is accepted, and what is said about what is not, is what Helm's library says
//! (`tests/charts/schemas.rs` asks both), from the JSON of the file on: [`json`] reads it, [`document`] finds what has a name in it, [`compile`]
//! makes [`rules`] of what the root leads to, once it is a schema of its draft ([`meta`]), and [`validate`] holds values against those.
//!
//! Nothing is fetched: a schema that needs another document is refused by name, but for those of json-schema.org, which are here, and `urn:`
//! references, which Helm takes to allow anything. What a schema may cost is counted. Go's regular expressions are the dialect of patterns, so
//! none of them can blow up. Vocabularies are not looked at: every schema that needs one of its own is another document.

mod branches;
mod compile;
mod document;
mod failure;
mod format;
mod json;
mod meta;
mod number;
mod place;
mod rules;
mod types;
mod url;
mod validate;
mod words;

use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value};

use super::chart::Chart;
use crate::RenderError;
use compile::Compiler;
use document::{Library, OWN};
use json::Json;
use rules::{Id, Program};
use validate::{Problem, Run};

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
        let other = match values.get(name) {
            None | Some(Value::Null) => continue,
            Some(Value::Object(section)) => {
                check_chart(subchart, section, found);
                continue;
            }
            Some(Value::Bool(_)) => "bool",
            Some(Value::Number(_)) => "float64",
            Some(Value::String(_)) => "string",
            Some(Value::Array(_)) => "[]interface {}",
        };
        let text = format!("{name}:\ninvalid type for values: expected object (map), got {other}\n");
        found.add(file.clone(), &text);
    }
}

/// A schema, compiled when it is first used and then kept: charts are shared between renders.
#[derive(Debug)]
pub(crate) struct Schema {
    text: Arc<[u8]>,
    compiled: OnceLock<Result<(Program, Id), String>>,
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
        let (program, root) = compiled.as_ref().map_err(Clone::clone)?;
        let fields = values.iter().map(|(name, value)| (name.clone(), Json::of(value)));
        let instance = Json::Object(fields.collect());
        Run::new(program)
            .start(*root, &instance)
            .map_err(|problem| match problem {
                Problem::Invalid(failure) => failure.lines().join("\n"),
                other => other.to_string(),
            })
    }
}

fn compile(text: &[u8]) -> Result<(Program, Id), String> {
    let library = Library { own: Json::read(text)? };
    let mut compiler = Compiler::new(&library);
    let root = compiler.add(OWN)?;
    Ok((compiler.finish(), root))
}
