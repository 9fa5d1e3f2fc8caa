//! The one YAML scanner and emitter of the project.
//!
//! **Problem.** Kubernetes reads YAML the way Go's `sigs.k8s.io/yaml` does: YAML 1.1 scalars (`yes` is `true`, `0644` is 420), merge keys,
//! the last of two equal keys wins, everything ends up as JSON. Every other reader disagrees somewhere, and each disagreement is a wrong
//! object in a cluster. So all YAML (manifests, chart values, rendered templates) passes through [`parse_documents`], and all YAML that
//! Helm would have written through [`to_go_yaml`].
//!
//! **Invariants.** Nothing panics on any input. Integers keep all 64 bits. Nesting and alias expansion are bounded ([`MAX_DEPTH`],
//! [`MAX_ALIAS_NODES`], and Go's own rule about aliases). Every document and every error carries its line and column.
//!
//! **Deliberately absent.** Comments and key order are not kept; typed decoding is serde's business; files are read by the caller.

mod compose;
mod emit;
mod error;
mod letter;
mod locate;
mod merge;
mod natural;
mod node;
mod number;
mod problem;
mod reader;
mod repair;
mod scalar;
mod tag;
mod tag_commas;
mod timestamp;
mod unwritable;
mod visits;

pub use compose::{MAX_ALIAS_NODES, MAX_DEPTH, parse_documents, parse_one, parse_one_with_floats};
pub use emit::{Layout, to_go_yaml, to_go_yaml_within};
pub use error::{YamlError, YamlErrorKind};
pub use letter::{Characters, is_digit, is_letter};
pub use locate::{Step, line_of};
pub use number::go_float_key;

use std::borrow::Cow;

use serde_json::Value;

/// Whose rules decide what a plain scalar means and what a duplicate key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// As kubectl, Helm and Argo CD read: YAML 1.1 booleans and octals (also as keys), the last duplicate key wins with a [`Warning`].
    Kube11,
    /// As kustomize reads: `yes`, `no`, `on`, `off`, `y` and `n` stay strings, a duplicate key is an error.
    Kustomize,
}

/// One document of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// The content; `Null` for an empty document.
    pub value: Value,
    /// Line of the first node of the document (of its `---` when it is empty), counted from 1.
    pub line: usize,
    /// What was accepted although it is probably a mistake.
    pub warnings: Vec<Warning>,
}

/// Something accepted although it is probably a mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// The same key stands twice in one mapping; the later one was taken.
    DuplicateKey {
        /// The key, as the JSON key it became.
        key: String,
        /// Line of the overridden entry, counted from 1.
        first_line: usize,
        /// Line of the entry that won, counted from 1.
        line: usize,
    },
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::DuplicateKey { key, first_line, line } => {
                write!(
                    f,
                    "key {key:?} on line {first_line} is repeated on line {line}: the later one is used"
                )
            }
        }
    }
}

/// The text of a file as Go's YAML library reads it: UTF-8, or UTF-16 with a byte order mark.
///
/// # Errors
/// [`YamlErrorKind::Encoding`] with the byte offset of what cannot be read.
pub fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, YamlError> {
    let readable = reader::Readable::of(bytes);
    match readable.end {
        None => Ok(readable.text),
        Some(error) => Err(error),
    }
}

/// The text of a file: UTF-8 with or without a byte order mark.
///
/// # Errors
/// [`YamlErrorKind::Encoding`] with the byte offset of the first byte that is not UTF-8 (UTF-16 is named as such).
pub fn text_from_bytes(bytes: &[u8]) -> Result<&str, YamlError> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(YamlError::encoding(bytes, 0, "the file is UTF-16; save it as UTF-8"));
    }
    let text =
        std::str::from_utf8(bytes).map_err(|error| YamlError::encoding(bytes, error.valid_up_to(), "invalid UTF-8"))?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}
