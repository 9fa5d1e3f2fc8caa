//! Why a text is not YAML that Kubernetes would read, and where.

/// A text that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct YamlError {
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
    /// What is wrong, without the position.
    pub message: String,
    /// The same in the words of Go's library, which counts lines in its own way: what `fromYaml` puts into its result.
    pub go_message: String,
    /// Which rule was broken.
    pub kind: YamlErrorKind,
}

/// Which rule was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum YamlErrorKind {
    /// The text does not follow the grammar.
    Syntax,
    /// Not UTF-8, or a character YAML forbids (NUL and other control characters).
    Encoding {
        /// Byte offset from the beginning of the text.
        offset: usize,
    },
    /// An alias without its anchor, or inside it.
    Alias,
    /// A key that cannot be a JSON key (null, a list, a mapping).
    Key,
    /// `<<` whose value is neither a mapping nor a list of mappings.
    Merge,
    /// A value that JSON cannot hold (`.inf`, `.nan`) or that contradicts its tag.
    Value,
    /// A repeated key, where that is an error.
    DuplicateKey {
        /// Line of the first entry, counted from 1.
        first_line: usize,
    },
    /// Collections nested deeper than the limit.
    DepthLimit {
        /// The limit, in levels.
        limit: usize,
    },
    /// Almost everything comes from aliases: what Go's library takes for an attack.
    AliasRatio,
    /// Aliases expand to more nodes than the limit.
    AliasLimit {
        /// The limit, in nodes.
        limit: usize,
    },
}

impl YamlError {
    /// An error at a byte offset of a text that could not be scanned.
    pub(crate) fn encoding(bytes: &[u8], offset: usize, what: &str) -> Self {
        let before = &bytes[..offset];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let line_start = before
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |newline| newline + 1);
        let column = String::from_utf8_lossy(&before[line_start..]).chars().count() + 1;
        Self {
            line,
            column,
            message: format!("{what} (byte offset {offset})"),
            go_message: what.to_owned(),
            kind: YamlErrorKind::Encoding { offset },
        }
    }
}
