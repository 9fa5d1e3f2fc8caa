//! What is wrong with a value, as a tree: what fails within one schema is a group; `allOf`, `anyOf` and references have what is below them.

use super::words::quote;

/// Bytes of what is said; the rest is cut off.
pub(super) const MAX_TEXT: usize = 1 << 20;
/// What is put where something was.
pub(super) const CUT: &str = "\n… and more\n";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Plain,
    /// What failed within one schema: taken apart where a schema stands alone.
    Group,
    /// What a reference leads to: not shown where it holds one thing.
    Reference,
}

/// A line, and the lines below it.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    /// JSON pointer into the values.
    at: String,
    text: String,
    kind: Kind,
    causes: Vec<Self>,
}

/// Not by recursion: causes may be thousands deep.
impl Drop for Failure {
    fn drop(&mut self) {
        let mut rest = std::mem::take(&mut self.causes);
        while let Some(mut failure) = rest.pop() {
            rest.append(&mut failure.causes);
        }
    }
}

impl Failure {
    pub(super) fn new(at: String, text: String) -> Self {
        Self {
            at,
            text,
            kind: Kind::Plain,
            causes: Vec::new(),
        }
    }

    pub(super) fn with(mut self, causes: Vec<Self>) -> Self {
        self.causes = causes;
        self
    }

    /// Several as one.
    pub(super) fn group(at: String, causes: Vec<Self>) -> Self {
        Self {
            at,
            text: "validation failed".to_owned(),
            kind: Kind::Group,
            causes,
        }
    }

    /// What a reference says about the value.
    pub(super) fn reference(at: String, cause: Self) -> Self {
        let mut reference = Self::group(at, cause.opened());
        reference.kind = Kind::Reference;
        reference
    }

    /// What stands alone, without its group.
    pub(super) fn opened(mut self) -> Vec<Self> {
        match self.kind {
            Kind::Group => std::mem::take(&mut self.causes),
            _ => vec![self],
        }
    }

    /// All of it, below a headline that names the schema.
    pub(super) fn report(self, schema: &str) -> String {
        self.written(format!("jsonschema validation failed with {}\n", quote(schema)))
    }

    /// All of it.
    pub(super) fn text(self) -> String {
        self.written(String::new())
    }

    /// Its lines behind others. Indentation multiplies, so what is too long is cut, down to where it leads.
    fn written(self, mut text: String) -> String {
        let failures = self.opened();
        for failure in &failures {
            failure.print(0, &mut text);
        }
        text.truncate(text.trim_end_matches('\n').len());
        if text.len() > MAX_TEXT {
            text.truncate(text.floor_char_boundary(MAX_TEXT));
            let mut last = failures.last();
            while let Some(inner) = last.and_then(|failure| failure.causes.last()) {
                last = Some(inner);
            }
            let line: String = last.map(Self::line).unwrap_or_default();
            text.push_str(CUT);
            text.push_str(&line[..line.floor_char_boundary(MAX_TEXT)]);
        }
        text
    }

    fn line(&self) -> String {
        format!("- at {}: {}", quote(&self.at), self.text)
    }

    fn print(&self, depth: usize, text: &mut String) {
        if text.len() > MAX_TEXT {
            return;
        }
        let is_shown = self.kind != Kind::Reference || self.causes.len() != 1;
        if is_shown {
            text.push_str(&"  ".repeat(depth));
            text.push_str(&self.line());
            text.push('\n');
        }
        for cause in &self.causes {
            capstan_template::grow(|| cause.print(depth + usize::from(is_shown), text));
        }
    }
}
