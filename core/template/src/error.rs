//! Why a template could not be parsed or executed.

/// What a render must not exceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Steps of work: evaluated nodes, and bytes or items handled by functions.
    Fuel,
    /// Bytes of rendered text.
    Output,
    /// Templates that call each other.
    Depth,
    /// Values nested in values.
    Nesting,
    /// Time, as the owner of the render's [`Interrupt`](crate::Interrupt) measures it.
    Time,
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Fuel => "fuel",
            Self::Output => "output",
            Self::Depth => "depth",
            Self::Nesting => "nesting",
            Self::Time => "time",
        })
    }
}

/// A template that could not be parsed or executed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The text is not a template.
    #[error("{message}")]
    Parse {
        /// The name given to the text.
        name: String,
        /// Go's message: `template: name:line: …`.
        message: String,
    },
    /// Execution failed.
    #[error("{0}")]
    Exec(ExecError),
}

/// A failed execution, with the chain of errors behind it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExecError {
    /// Go's message: `template: name:line:column: executing "name" at <expression>: …`.
    pub message: String,
    /// The limit that ended the execution, if one did.
    pub limit: Option<Limit>,
    /// The error that a called function returned.
    pub cause: Option<Box<Self>>,
}

impl ExecError {
    /// An error without a cause.
    pub(crate) fn plain(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            limit: None,
            cause: None,
        }
    }

    /// An exceeded limit.
    pub(crate) fn limit(limit: Limit, message: impl std::fmt::Display) -> Self {
        Self {
            message: format!("limit {limit}: {message}"),
            limit: Some(limit),
            cause: None,
        }
    }
}

/// Marks the text of `fail` and `required` inside longer messages.
const MARK_START: &str = "HELM_ERR_START";
const MARK_END: &str = "HELM_ERR_END";

/// The message of `fail` and `required`, marked so that [`TemplateError::helm_message`] finds it.
pub(crate) fn mark(message: &str) -> String {
    format!("{MARK_START}{message}{MARK_END}")
}

impl TemplateError {
    /// The limit that ended the execution, if one did.
    #[must_use]
    pub fn limit(&self) -> Option<Limit> {
        match self {
            Self::Parse { .. } => None,
            Self::Exec(error) => error.limit,
        }
    }

    /// The message as Helm prints it.
    ///
    /// Parse errors keep their position and last part; `fail` and `required` their text; other errors become a trace of the templates
    /// that called each other, unless a function without a trace is behind them.
    #[must_use]
    pub fn helm_message(&self) -> String {
        match self {
            Self::Parse { name, message } => helm_parse_message(name, message),
            Self::Exec(error) => helm_exec_message(error),
        }
    }
}

fn helm_parse_message(name: &str, message: &str) -> String {
    let parts: Vec<&str> = message.split(": ").collect();
    match parts.as_slice() {
        [_, location, .., last] => format!("parse error at ({location}): {last}"),
        [_, only] => format!("parse error at ({only}): {only}"),
        _ => format!("parse error in ({name}): {message}"),
    }
}

fn helm_exec_message(error: &ExecError) -> String {
    let mut tokens = error.message.splitn(3, ": ");
    let (Some(_), Some(location), Some(rest)) = (tokens.next(), tokens.next(), tokens.next()) else {
        return error.message.clone();
    };
    if let Some(start) = rest.find(MARK_START)
        && let Some(end) = rest.rfind(MARK_END)
        && start + MARK_START.len() <= end
    {
        return format!(
            "execution error at ({location}): {}",
            &rest[start + MARK_START.len()..end]
        );
    }
    let mut traces: Vec<String> = Vec::new();
    let mut current = Some(error);
    while let Some(link) = current {
        let Some(trace) = trace(&link.message) else {
            return error.message.clone();
        };
        if traces.last() != Some(&trace) {
            traces.push(trace);
        }
        current = link.cause.as_deref();
    }
    traces.concat().trim().to_owned()
}

/// One link of the chain on lines of its own; `None` when it is not a template's error.
fn trace(message: &str) -> Option<String> {
    let rest = message.strip_prefix("template: ")?;
    if rest.starts_with("no template ") {
        return Some(format!("{message}\n"));
    }
    if let Some((location, after)) = rest.split_once(": executing ")
        && let Some((function, after)) = after.strip_prefix('"').and_then(|quoted| quoted.split_once('"'))
        && let Some((at, text)) = after.strip_prefix(" at <").and_then(|at| at.split_once(">: "))
    {
        let text = text.split(" template:").next().unwrap_or(text);
        return Some(format!(
            "{location}\n  executing \"{function}\" at <{at}>:\n    {text}\n"
        ));
    }
    let (location, text) = rest.rsplit_once(": ")?;
    let text = text.split(" template:").next().unwrap_or(text);
    Some(format!("{location}\n  {text}\n"))
}
