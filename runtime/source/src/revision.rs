//! What a `targetRevision` names, with Argo CD's precedence: a full commit id; nothing or `HEAD`; a version constraint over tags; a branch;
//! a tag; a full ref name; a commit id of at least seven digits.

use gix::ObjectId;

use crate::constraint::Constraint;
use crate::refs::{HEADS, Head, RefTable, TAGS};
use crate::{RepoUrl, SourceError};

/// The longest revision that is looked at, in bytes.
const MAX_REVISION: usize = 255;
/// The fewest digits of a short commit id.
const MIN_SHORT: usize = 7;

/// By which kind of name a revision was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// HEAD, with the branch it names.
    Head(Option<String>),
    /// A branch, without `refs/heads/`.
    Branch(String),
    /// A tag, without `refs/tags/`; also what a version constraint chose.
    Tag(String),
    /// Another ref, by its full name.
    Other(String),
    /// A commit id: it never moves.
    Commit,
}

/// A checked `targetRevision`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Revision {
    Head,
    Commit(ObjectId),
    Constraint(Constraint, String),
    Name(String),
}

/// What a table of refs says about a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// It points at this object: a commit, or a tag that is still to be peeled.
    Found {
        id: ObjectId,
        reference: Reference,
        note: Option<String>,
    },
    /// No ref; it may be the beginning of a commit id.
    MaybeShort(String),
    /// It is not there.
    Absent(String),
    /// There is nothing at all; the branch that HEAD names.
    Empty(String),
}

impl Revision {
    /// Checks the text.
    pub(crate) fn parse(text: &str) -> Result<Self, SourceError> {
        let invalid = |reason| SourceError::InvalidRevision {
            revision: text
                .chars()
                .take(64)
                .map(|c| if c.is_control() { '·' } else { c })
                .collect(),
            reason,
        };
        let text = text.trim();
        if text.len() > MAX_REVISION {
            return Err(invalid("it has more than 255 bytes"));
        }
        if text.starts_with('-') {
            return Err(invalid("it starts with `-`, like an option"));
        }
        if text.chars().any(char::is_control) {
            return Err(invalid("it holds control characters"));
        }
        if text.is_empty() || text == "HEAD" {
            return Ok(Self::Head);
        }
        if text.len() == 40 && is_hex(text) {
            let id = ObjectId::from_hex(text.to_ascii_lowercase().as_bytes());
            return id.map(Self::Commit).map_err(|_| invalid("it is no commit id"));
        }
        if let Some(constraint) = Constraint::parse(text) {
            return Ok(Self::Constraint(constraint, text.to_owned()));
        }
        match gix::validate::reference::name_partial(text.into()) {
            Ok(_) => Ok(Self::Name(text.to_owned())),
            Err(_) => Err(invalid(
                "use a branch, a tag, a commit id, a version constraint or HEAD",
            )),
        }
    }

    /// Looks it up.
    pub(crate) fn lookup(&self, table: &RefTable) -> Lookup {
        match self {
            Self::Commit(id) => Lookup::Found {
                id: *id,
                reference: Reference::Commit,
                note: None,
            },
            _ if table.is_empty() => Lookup::Empty(match &table.head {
                Head::Symbolic(name) => name.strip_prefix(HEADS).unwrap_or(name).to_owned(),
                Head::Detached(_) | Head::Unknown => "main".to_owned(),
            }),
            Self::Head => match (table.target("HEAD"), &table.head) {
                (Some(id), _) => {
                    let reference = Reference::Head(table.default_branch().map(str::to_owned));
                    Lookup::Found {
                        id,
                        reference,
                        note: None,
                    }
                }
                (None, Head::Symbolic(name)) => Lookup::Absent(format!(
                    "HEAD names {name}, which does not exist; name a branch as targetRevision"
                )),
                (None, _) => {
                    Lookup::Absent("the server does not say what HEAD is; name a branch as targetRevision".to_owned())
                }
            },
            Self::Constraint(constraint, text) => match constraint.newest(table.tags()) {
                Some(tag) => found(table, &format!("{TAGS}{tag}"), Reference::Tag(tag.to_owned()), None),
                // What reads as a constraint may still be the name of a branch, such as `x`.
                None => match named(table, text) {
                    Some(lookup) => lookup,
                    None => Lookup::Absent(format!(
                        "none of the {} tags is a version that fits",
                        table.tags().count()
                    )),
                },
            },
            Self::Name(name) => named(table, name).unwrap_or_else(|| {
                if (MIN_SHORT..40).contains(&name.len()) && is_hex(name) {
                    return Lookup::MaybeShort(name.to_ascii_lowercase());
                }
                let (branches, tags) = (table.branches().count(), table.tags().count());
                Lookup::Absent(format!(
                    "it is none of the {branches} branches and {tags} tags, and no commit id{}",
                    similar(table, name)
                ))
            }),
        }
    }
}

fn named(table: &RefTable, name: &str) -> Option<Lookup> {
    let (branch, tag) = (format!("{HEADS}{name}"), format!("{TAGS}{name}"));
    let has = |name: &str| table.tips.contains_key(name);
    if has(&branch) {
        let note = has(&tag).then(|| {
            format!("{name:?} is both a branch and a tag: the branch is used; write refs/tags/{name} for the tag")
        });
        return Some(found(table, &branch, Reference::Branch(name.to_owned()), note));
    }
    if has(&tag) {
        return Some(found(table, &tag, Reference::Tag(name.to_owned()), None));
    }
    let reference = match (name.strip_prefix(HEADS), name.strip_prefix(TAGS)) {
        (Some(branch), _) => Reference::Branch(branch.to_owned()),
        (None, Some(tag)) => Reference::Tag(tag.to_owned()),
        (None, None) => Reference::Other(name.to_owned()),
    };
    has(name).then(|| found(table, name, reference, None))
}

fn found(table: &RefTable, full: &str, reference: Reference, note: Option<String>) -> Lookup {
    match table.target(full) {
        Some(id) => Lookup::Found { id, reference, note },
        None => Lookup::Absent(format!("{full} does not exist")),
    }
}

/// Names that differ only in case or by a prefix, as a hint.
fn similar(table: &RefTable, name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or(name).to_lowercase();
    let near = table.branches().chain(table.tags()).find(|known| {
        let known = known.to_lowercase();
        known == name.to_lowercase()
            || known.rsplit('/').next() == Some(last.as_str())
            || known.trim_start_matches('v') == last
    });
    near.map(|near| format!("; did you mean {near:?}?")).unwrap_or_default()
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The error for a revision that a table does not know.
pub(crate) fn absent(url: &RepoUrl, revision: &str, reason: String) -> SourceError {
    let revision = if revision.is_empty() { "HEAD" } else { revision };
    SourceError::RevisionNotFound {
        url: url.to_string(),
        revision: revision.to_owned(),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> RefTable {
        let id = |digit: &str| ObjectId::from_hex(digit.repeat(40).as_bytes()).unwrap();
        let tips = [
            ("refs/heads/main", "1"),
            ("refs/heads/both", "2"),
            ("refs/tags/both", "3"),
            ("refs/tags/v1.2.0", "4"),
            ("refs/tags/v1.3.0", "5"),
            ("refs/heads/deadbeef", "6"),
        ];
        let tips = tips
            .into_iter()
            .map(|(name, digit)| (name.to_owned(), id(digit)))
            .collect();
        RefTable {
            head: Head::Symbolic("refs/heads/main".to_owned()),
            tips,
        }
    }

    #[test]
    fn precedence() {
        for (revision, digit) in [
            ("", "1"),
            ("HEAD", "1"),
            ("main", "1"),
            ("refs/heads/main", "1"),
            ("both", "2"),
            ("refs/tags/both", "3"),
            ("v1.2.0", "4"),
            ("1.x", "5"),
            ("~1.2", "4"),
            ("deadbeef", "6"),
            (&"7".repeat(40), "7"),
        ] {
            let Lookup::Found { id, .. } = Revision::parse(revision).unwrap().lookup(&table()) else {
                panic!("{revision} was not found");
            };
            assert_eq!(id.to_string(), digit.repeat(40), "{revision}");
        }
        assert!(matches!(
            Revision::parse("both").unwrap().lookup(&table()),
            Lookup::Found { note: Some(_), .. }
        ));
        assert!(matches!(
            Revision::parse("abcdef1").unwrap().lookup(&table()),
            Lookup::MaybeShort(_)
        ));
        assert!(
            matches!(Revision::parse("Main").unwrap().lookup(&table()), Lookup::Absent(why) if why.contains("main"))
        );
        assert!(matches!(
            Revision::parse("^9").unwrap().lookup(&table()),
            Lookup::Absent(_)
        ));
    }

    #[test]
    fn what_is_refused() {
        for bad in [
            "-x",
            "--all",
            "HEAD~1;id",
            "a b c",
            "a..b",
            "main^",
            "x\ny",
            "a:b",
            &"r".repeat(1000),
        ] {
            assert!(
                matches!(Revision::parse(bad), Err(SourceError::InvalidRevision { .. })),
                "{bad}"
            );
        }
    }
}
