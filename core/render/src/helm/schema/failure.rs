//! What is wrong with a value, as a tree: what fails within one schema is a group; `allOf`, `anyOf` and references have what is below them.

use super::words::quote;

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
        let headline = format!("jsonschema validation failed with {}", quote(schema));
        [headline]
            .into_iter()
            .chain(self.lines())
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// Its lines, each after the next.
    pub(super) fn lines(self) -> Vec<String> {
        let mut lines = Vec::new();
        for failure in self.opened() {
            failure.print(0, &mut lines);
        }
        lines
    }

    fn print(&self, depth: usize, lines: &mut Vec<String>) {
        let is_shown = self.kind != Kind::Reference || self.causes.len() != 1;
        if is_shown {
            lines.push(format!("{}- at {}: {}", "  ".repeat(depth), quote(&self.at), self.text));
        }
        for cause in &self.causes {
            capstan_template::grow(|| cause.print(depth + usize::from(is_shown), lines));
        }
    }
}
