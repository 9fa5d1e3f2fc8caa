//! What Go's scanner reads and the one here refuses.
//!
//! In a quoted text Go takes `\'` for an apostrophe, and in a flow collection a colon right before `,`, `]` and their like for a part of the
//! text (`[a:, b]`). Where the scanner here gives up at one of these, the text is written as both take it, and read anew.

use std::borrow::Cow;

use libyaml_safer::Error;

use crate::YamlError;
use crate::tag_commas::escaped;

/// How many bytes may be read anew in all: each place takes a pass.
const MOST: usize = 64 << 20;

/// A place that Go reads.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// In the quoted text that begins here.
    Escape(usize),
    /// Of the plain text that begins here, the colon.
    Colon(usize, usize),
}

impl Place {
    pub(crate) fn of(error: &Error) -> Option<Self> {
        let index = |mark: libyaml_safer::Mark| usize::try_from(mark.index).ok();
        let start = index(error.context_mark()?)?;
        match error.problem() {
            "found unknown escape character" => Some(Self::Escape(start)),
            "found unexpected ':'" => Some(Self::Colon(start, index(error.problem_mark()?)?)),
            _ => None,
        }
    }

    /// The text as both take it, if that is what is at fault there.
    fn rewritten(self, text: &str) -> Option<String> {
        match self {
            Self::Escape(start) => {
                let quoted = text.get(start..)?.strip_prefix('"')?;
                let mut out = text.get(..=start)?.to_owned();
                let (mut rest, mut is_changed) = (quoted.chars(), false);
                while let Some(c) = rest.next() {
                    match c {
                        '\\' => match rest.next() {
                            Some('\'') => {
                                is_changed = true;
                                out.push('\'');
                            }
                            escaped => {
                                out.push('\\');
                                out.extend(escaped);
                            }
                        },
                        '"' => {
                            out.push('"');
                            break;
                        }
                        _ => out.push(c),
                    }
                }
                is_changed.then(|| out + rest.as_str())
            }
            Self::Colon(start, colon) => {
                let (before, plain, after) = (text.get(..start)?, text.get(start..colon)?, text.get(colon..)?);
                let after = after.strip_prefix(':')?;
                // With its colon it is a string, whatever it looks like.
                Some(format!("{before}'{}:'{after}", plain.replace('\'', "''")))
            }
        }
    }
}

/// Why a text cannot be read, and the place if Go reads it.
pub(crate) type Failed = (YamlError, Option<Place>);

/// Reads a text, and anew with what it is rewritten to for as long as there is such a place.
pub(crate) fn with_repairs<T>(text: &str, mut read: impl FnMut(&str) -> Result<T, Failed>) -> Result<T, YamlError> {
    let (mut rewritten, mut left) = (None::<String>, MOST);
    loop {
        let current = rewritten.as_deref().unwrap_or(text);
        let ((error, place), at) = match escaped(current) {
            Err(failed) => (failed, Cow::Borrowed(current)),
            Ok(escaped) => match read(&escaped) {
                Ok(read) => return Ok(read),
                Err(failed) => (failed, escaped),
            },
        };
        let affordable = left.checked_sub(at.len());
        match (affordable, place.and_then(|place| place.rewritten(&at))) {
            (Some(rest), Some(next)) => (left, rewritten) = (rest, Some(next)),
            _ => return Err(error),
        }
    }
}
