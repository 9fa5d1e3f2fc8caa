//! `values.schema.json`: are the values what the chart says they are?
//!
//! A chart's schema sees all of its values, those of its subcharts included; then each subchart's schema sees its own section. The draft
//! is the one `$schema` names, else 2020-12. What is accepted, and what is said about what is not, is what Helm's library says
//! (`tests/charts` asks both), from the JSON of the file on: [`reader`] reads it, [`document`] finds what has a name in it, [`compile`]
//! makes [`rules`] of what the root leads to, once it is a schema of its draft ([`meta`]), and [`validate`] holds values against those.
//!
//! Nothing is fetched: a schema that needs another document is refused by name, but for those of json-schema.org, which are here, and `urn:`
//! references, which Helm takes to allow anything. What all schemas of a render cost together is counted ([`budget`]); Go's regular
//! expressions are the dialect of patterns, so none of them can blow up.

mod address;
mod branches;
mod budget;
mod compile;
mod dialect;
mod document;
mod failure;
mod format;
mod json;
mod keywords;
mod meta;
mod number;
mod place;
mod reader;
mod rules;
mod types;
mod url;
mod validate;
mod words;

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value};

use super::chart::Chart;
use crate::RenderError;
use budget::{Budget, Exceeded, Refused};
use compile::Compiler;
use document::{Library, OWN};
use failure::{CUT, MAX_TEXT};
use json::Json;
use rules::{Id, Program};
use validate::{Problem, Run};

/// Checks the values of a chart and its subcharts.
pub(super) fn check(chart: &Chart, values: &Map<String, Value>) -> Result<(), RenderError> {
    let mut check = Check {
        budget: Budget::FULL,
        paid: BTreeSet::new(),
        text: String::new(),
        file: None,
    };
    check.chart(chart, values, None)?;
    let Some(file) = check.file else { return Ok(()) };
    Err(RenderError::Chart {
        file,
        reason: format!(
            "values don't meet the specifications of the schema(s) in the following chart(s):\n{}",
            check.text
        ),
    })
}

/// All schemas of a render, and what was found so far.
struct Check {
    budget: Budget,
    /// The schemas that are paid for: a chart under several names has one.
    paid: BTreeSet<*const Schema>,
    /// What is wrong, in Helm's form, and the first file that says so.
    text: String,
    file: Option<String>,
}

impl Check {
    /// A chart and those below it; `read` is what its values are as JSON, once a chart around it needed that.
    fn chart(&mut self, chart: &Chart, values: &Map<String, Value>, read: Option<&Json>) -> Result<(), RenderError> {
        let file = chart.file("values.schema.json");
        let over = |exceeded: Exceeded| RenderError::Limit {
            place: file.clone(),
            what: exceeded.what(),
            limit: exceeded.limit(),
            found: exceeded.limit() + 1,
        };
        let own;
        let read = match (read, &chart.schema) {
            (None, Some(_)) => {
                own = Json::of_fields(values, &mut self.budget).map_err(over)?;
                Some(&own)
            }
            (read, _) => read,
        };
        if let (Some(schema), Some(read)) = (&chart.schema, read)
            && let Some(message) = self.schema(schema, read).map_err(over)?
        {
            self.add(&file, &format!("{}:\n{message}\n", chart.metadata.name));
        }
        for subchart in &chart.subcharts {
            let name = &subchart.metadata.name;
            let other = match values.get(name) {
                None | Some(Value::Null) => continue,
                Some(Value::Object(section)) => {
                    let read = read.and_then(|read| read.as_object()?.get(name));
                    self.chart(subchart, section, read)?;
                    continue;
                }
                Some(Value::Bool(_)) => "bool",
                Some(Value::Number(_)) => "float64",
                Some(Value::String(_)) => "string",
                Some(Value::Array(_)) => "[]interface {}",
            };
            let text = format!("{name}:\ninvalid type for values: expected object (map), got {other}\n");
            self.add(&file, &text);
        }
        Ok(())
    }

    fn add(&mut self, file: &str, text: &str) {
        self.file.get_or_insert_with(|| file.to_owned());
        let room = (3 * MAX_TEXT).saturating_sub(self.text.len());
        if text.len() <= room {
            self.text.push_str(text);
            return;
        }
        self.text.push_str(&text[..text.floor_char_boundary(room)]);
        if !self.text.ends_with(CUT) {
            self.text.push_str(CUT);
        }
    }

    /// What a schema says about the values of its chart; nothing if they are fine.
    fn schema(&mut self, schema: &Arc<Schema>, values: &Json) -> Result<Option<String>, Exceeded> {
        if self.paid.insert(Arc::as_ptr(schema)) {
            self.budget.pay(schema.prepare(self.budget)?)?;
        }
        let Some(prepared) = schema.prepared.get() else {
            return Ok(None);
        };
        let (program, root) = match &prepared.compiled {
            Ok((program, root)) => (program, *root),
            Err(reason) => {
                self.budget.take(2 * reason.len())?;
                return Ok(Some(reason.clone()));
            }
        };
        match Run::new(program, &mut self.budget).start(root, values) {
            Ok(()) => Ok(None),
            Err(Problem::Invalid(failure)) => Ok(Some(failure.text())),
            Err(Problem::Limit(exceeded)) => Err(exceeded),
            Err(problem @ Problem::NoNumber) => Ok(Some(problem.to_string())),
        }
    }
}

/// A schema, compiled when it is first used and then kept: charts are shared between renders.
#[derive(Debug)]
pub(crate) struct Schema {
    text: Arc<[u8]>,
    prepared: OnceLock<Prepared>,
}

#[derive(Debug)]
struct Prepared {
    compiled: Result<(Program, Id), String>,
    cost: Budget,
}

impl Schema {
    pub(super) const fn new(text: Arc<[u8]>) -> Self {
        Self {
            text,
            prepared: OnceLock::new(),
        }
    }

    /// Bytes it may come to once it is compiled, for a cache.
    pub(super) fn weight(&self) -> usize {
        self.text.len().saturating_mul(16)
    }

    /// Compiles it, unless that is done; what it costs. What does not fit into the budget is not kept: another render may have more left.
    fn prepare(&self, budget: Budget) -> Result<Budget, Exceeded> {
        if let Some(prepared) = self.prepared.get() {
            return Ok(prepared.cost);
        }
        let mut left = budget;
        let compiled = match compile(&self.text, &mut left) {
            Ok(compiled) => Ok(compiled),
            Err(Refused::Because(reason)) => Err(reason),
            Err(Refused::Limit(exceeded)) => return Err(exceeded),
        };
        let cost = budget.used(left);
        Ok(self.prepared.get_or_init(|| Prepared { compiled, cost }).cost)
    }
}

fn compile(text: &[u8], budget: &mut Budget) -> Result<(Program, Id), Refused> {
    let library = Library {
        own: Json::read(text, budget)?,
    };
    let mut compiler = Compiler::new(&library, budget);
    let root = compiler.add(OWN)?;
    Ok((compiler.finish(), root))
}
