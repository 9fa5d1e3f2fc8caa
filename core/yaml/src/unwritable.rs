//! What Go's decoder reads and JSON cannot say: infinite numbers, mappings with a key that is null.
//!
//! Kubernetes reads YAML whole and then writes it as JSON, so what a later key of the same name takes the place of is never written, and
//! is no error. Such a value is kept as a text that stands for its error, and the error is raised for those that are left at the end of
//! the document. A text of the document could look the same (`"\0"` is an escape of YAML); the worst of that is that the error which there
//! is names another place.

use serde_json::Value;

use crate::YamlError;

const MARK: &str = "\0unwritable ";

/// The errors of one document, in order.
#[derive(Default)]
pub(crate) struct Unwritable(Vec<YamlError>);

impl Unwritable {
    /// What stands for the value until then.
    pub(crate) fn put(&mut self, error: YamlError) -> Value {
        self.0.push(error);
        Value::String(format!("{MARK}{}", self.0.len() - 1))
    }

    /// The value, if everything in it can be written.
    pub(crate) fn check(&self, value: Value) -> Result<Value, YamlError> {
        if self.0.is_empty() {
            return Ok(value);
        }
        let mut first: Option<usize> = None;
        let mut open = vec![&value];
        while let Some(value) = open.pop() {
            match value {
                Value::String(text) => {
                    let number = text.strip_prefix(MARK).and_then(|number| number.parse().ok());
                    let known = number.filter(|number| *number < self.0.len());
                    first = known.into_iter().chain(first).min();
                }
                Value::Array(items) => open.extend(items),
                Value::Object(entries) => open.extend(entries.values()),
                _ => {}
            }
        }
        match first.and_then(|first| self.0.get(first)) {
            Some(error) => Err(error.clone()),
            None => Ok(value),
        }
    }
}
