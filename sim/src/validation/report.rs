//! Collects causes, worded as the API server words them.

use serde_json::Value;

use crate::status::Cause;

/// What is wrong with an object so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// The causes, in order of discovery.
    pub(super) causes: Vec<Cause>,
}

impl Report {
    fn add(&mut self, reason: &str, path: &str, message: String) {
        self.causes.push(Cause::field(reason, path, message));
    }

    pub(super) fn required(&mut self, path: &str, detail: &str) {
        self.add("FieldValueRequired", path, with("Required value", detail));
    }

    pub(super) fn invalid(&mut self, path: &str, value: &Value, detail: &str) {
        self.add(
            "FieldValueInvalid",
            path,
            with(&format!("Invalid value: {}", shown(value)), detail),
        );
    }

    pub(super) fn unsupported(&mut self, path: &str, value: &Value, supported: &[&str]) {
        self.unsupported_shown(path, &value.to_string(), supported);
    }

    /// As [`Report::unsupported`], with the value as it is to be shown.
    pub(super) fn unsupported_shown(&mut self, path: &str, value: &str, supported: &[&str]) {
        let list: Vec<String> = supported.iter().map(|s| format!("{s:?}")).collect();
        let text = format!("Unsupported value: {value}: supported values: {}", list.join(", "));
        self.add("FieldValueNotSupported", path, text);
    }

    pub(super) fn duplicate(&mut self, path: &str, value: &Value) {
        self.add("FieldValueDuplicate", path, format!("Duplicate value: {value}"));
    }

    pub(super) fn not_found(&mut self, path: &str, value: &Value) {
        self.add("FieldValueNotFound", path, format!("Not found: {value}"));
    }

    pub(super) fn forbidden(&mut self, path: &str, detail: &str) {
        self.add("FieldValueForbidden", path, with("Forbidden", detail));
    }
}

fn with(what: &str, detail: &str) -> String {
    if detail.is_empty() {
        what.to_owned()
    } else {
        format!("{what}: {detail}")
    }
}

fn shown(value: &Value) -> String {
    value.to_string()
}

/// Text at a key; empty when absent.
pub(super) fn word<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

/// The items of the list at a key.
pub(super) fn items<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = (usize, &'v Value)> {
    value[key].as_array().into_iter().flatten().enumerate()
}
