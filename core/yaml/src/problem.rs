//! Errors at their places, in our words and in those of Go's library.

use libyaml_safer::Mark;
use serde_json::Value;

use crate::{YamlError, YamlErrorKind};

pub(crate) fn syntax_error(error: &libyaml_safer::Error) -> YamlError {
    let mark = error
        .problem_mark()
        .or_else(|| error.context_mark())
        .unwrap_or_default();
    let message = match (
        error.context().filter(|context| !context.is_empty()),
        error.context_mark(),
    ) {
        (Some(context), Some(start)) if start.line != mark.line => {
            format!("{} {context} that begins on line {}", error.problem(), line(start))
        }
        (Some(context), _) => format!("{} {context}", error.problem()),
        (None, _) => error.problem().to_owned(),
    };
    YamlError {
        go_message: go_syntax_message(error),
        ..error_at(mark, YamlErrorKind::Syntax, message)
    }
}

/// A syntax error as go-yaml reports it: the line counts from 0 for the parser and from 1 for the scanner, and 0 is not shown.
fn go_syntax_message(error: &libyaml_safer::Error) -> String {
    let at = |mark: Option<Mark>| mark.map_or(0, |mark| mark.line);
    let scanner = error.kind() == libyaml_safer::ErrorKind::Scanner;
    let shown = match (at(error.problem_mark()), at(error.context_mark())) {
        (0, context) => context,
        (problem, _) => problem + u64::from(scanner),
    };
    match shown {
        0 => error.problem().to_owned(),
        shown => format!("line {shown}: {}", error.problem()),
    }
}

/// A value as Go's `%#v` prints what go-yaml read.
pub(crate) fn go_syntax(value: &Value) -> String {
    match value {
        Value::Null => "interface {}(nil)".to_owned(),
        Value::String(text) => format!("{text:?}"),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(go_syntax).collect();
            format!("[]interface {{}}{{{}}}", items.join(", "))
        }
        Value::Object(map) => {
            let entries: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{key:?}:{}", go_syntax(value)))
                .collect();
            format!("map[interface {{}}]interface {{}}{{{}}}", entries.join(", "))
        }
        other => other.to_string(),
    }
}

pub(crate) fn error_at(mark: Mark, kind: YamlErrorKind, message: String) -> YamlError {
    YamlError {
        line: line(mark),
        column: position(mark.column),
        go_message: message.clone(),
        message,
        kind,
    }
}

/// The line of a mark, counted from 1.
pub(crate) fn line(mark: Mark) -> usize {
    position(mark.line)
}

pub(crate) fn position(zero_based: u64) -> usize {
    usize::try_from(zero_based).unwrap_or(usize::MAX - 1) + 1
}
