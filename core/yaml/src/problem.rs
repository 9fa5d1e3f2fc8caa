//! Errors at their places, in our words and in those of Go's library.

use libyaml_safer::Mark;
use serde_json::Value;

use crate::{YamlError, YamlErrorKind};

/// What the scanner complains about. Where it was given a line break behind a text of that length, because the last line has none, the
/// complaint is of that line if it is about a quoted text that is not closed, or about a key above blanks.
pub(crate) fn syntax_error(error: &libyaml_safer::Error, unfinished: Option<(&str, u64)>) -> YamlError {
    let in_text = |mut mark: Mark| {
        let is_of_last = unfinished.is_some_and(|(last, length)| {
            mark.index > length
                && match error.problem() {
                    "found unexpected end of stream" => true,
                    "could not find expected ':'" => !last.is_empty() && last.trim().is_empty(),
                    _ => false,
                }
        });
        mark.line -= u64::from(is_of_last && mark.line > 0);
        mark
    };
    let problem_mark = error.problem_mark().map(in_text);
    let mark = problem_mark.or_else(|| error.context_mark()).unwrap_or_default();
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
        go_message: go_syntax_message(error, problem_mark, unfinished.map_or("", |(last, _)| last)),
        ..error_at(mark, YamlErrorKind::Syntax, message)
    }
}

/// A syntax error as go-yaml reports it: the line counts from 0 for the parser and from 1 for the scanner, and 0 is not shown.
fn go_syntax_message(error: &libyaml_safer::Error, problem_mark: Option<Mark>, last_line: &str) -> String {
    let at = |mark: Option<Mark>| mark.map_or(0, |mark| mark.line);
    let scanner = error.kind() == libyaml_safer::ErrorKind::Scanner;
    let shown = match (at(problem_mark), at(error.context_mark())) {
        (0, context) => context,
        (problem, _) => problem + u64::from(scanner),
    };
    // Behind a backslash the end is no character that could be meant.
    let problem = match error.problem() {
        "found unexpected end of stream" if last_line.ends_with('\\') => "found unknown escape character",
        problem => problem,
    };
    match shown {
        0 => problem.to_owned(),
        shown => format!("line {shown}: {problem}"),
    }
}

/// In a flow collection a question mark ends a text for Go, and nothing good comes after it.
pub(crate) fn check_flow_text(text: &str, mark: Mark, close: Option<&char>) -> Result<(), YamlError> {
    if !text.contains('?') {
        return Ok(());
    }
    let message = format!("did not find expected ',' or '{}'", close.unwrap_or(&']'));
    let shown = match mark.line {
        0 => message.clone(),
        line => format!("line {line}: {message}"),
    };
    Err(YamlError {
        go_message: shown,
        ..error_at(
            mark,
            YamlErrorKind::Syntax,
            format!("{message} before '?' (quote the text)"),
        )
    })
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

/// A key that JSON has no form for; Go's complaint ends with the value, which is not known yet.
pub(crate) fn unsupported_key(mark: Mark, what: &str, go: &str) -> YamlError {
    YamlError {
        go_message: format!("unsupported map key of type: {go}, value: "),
        ..error_at(mark, YamlErrorKind::Key, format!("unsupported map key: {what}"))
    }
}

pub(crate) fn alias_key(mark: Mark) -> YamlError {
    let message = "unsupported map key: an alias of a list or a mapping".to_owned();
    error_at(mark, YamlErrorKind::Key, message)
}

/// A value as Go's `%+#v` prints it in a complaint.
pub(crate) fn go_value(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        other => go_syntax(other),
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
