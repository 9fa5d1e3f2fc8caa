//! What a repository's names point at, at one moment: branches, tags and HEAD.

use std::collections::BTreeMap;
use std::fmt;

use gix::ObjectId;

/// Prefix of branches.
pub(crate) const HEADS: &str = "refs/heads/";
/// Prefix of tags.
pub(crate) const TAGS: &str = "refs/tags/";

/// What HEAD is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Head {
    /// A branch (full name), which may not exist yet.
    Symbolic(String),
    /// A commit.
    Detached(ObjectId),
    /// The server does not say.
    Unknown,
}

/// Branches and tags by their full names, and HEAD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefTable {
    pub(crate) head: Head,
    /// Full name to the object it points at: for an annotated tag the tag object.
    pub(crate) tips: BTreeMap<String, ObjectId>,
}

/// How a ref changed between two looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefChange {
    /// Full name, such as `refs/heads/main`, or `HEAD`.
    pub name: String,
    /// Object id before, hex; `None` when it is new.
    pub from: Option<String>,
    /// Object id now, hex; `None` when it is gone.
    pub to: Option<String>,
}

impl fmt::Display for RefChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |id: &Option<String>| {
            id.as_ref()
                .map_or("(none)".to_owned(), |id| id.chars().take(8).collect())
        };
        write!(f, "{} {} → {}", self.name, short(&self.from), short(&self.to))
    }
}

impl RefTable {
    /// Names of the branches, without prefix, sorted.
    pub fn branches(&self) -> impl Iterator<Item = &str> {
        self.below(HEADS)
    }

    /// Names of the tags, without prefix, sorted.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.below(TAGS)
    }

    /// The branch that HEAD names, without prefix.
    pub fn default_branch(&self) -> Option<&str> {
        match &self.head {
            Head::Symbolic(name) => name.strip_prefix(HEADS),
            Head::Detached(_) | Head::Unknown => None,
        }
    }

    /// Is there no branch and no tag at all?
    pub fn is_empty(&self) -> bool {
        self.tips.is_empty() && !matches!(self.head, Head::Detached(_))
    }

    /// What a full name (or `HEAD`) points at.
    pub(crate) fn target(&self, name: &str) -> Option<ObjectId> {
        if name != "HEAD" {
            return self.tips.get(name).copied();
        }
        match &self.head {
            Head::Symbolic(branch) => self.tips.get(branch).copied(),
            Head::Detached(id) => Some(*id),
            Head::Unknown => None,
        }
    }

    /// What changed from `before` to this table, by name.
    pub(crate) fn changes_since(&self, before: &Self) -> Vec<RefChange> {
        let names = before
            .tips
            .keys()
            .chain(self.tips.keys().filter(|name| !before.tips.contains_key(*name)));
        let mut changes: Vec<RefChange> = names
            .map(String::as_str)
            .chain(std::iter::once("HEAD"))
            .filter_map(|name| {
                let (from, to) = (before.target(name), self.target(name));
                let hex = |id: ObjectId| id.to_string();
                (from != to).then(|| RefChange {
                    name: name.to_owned(),
                    from: from.map(hex),
                    to: to.map(hex),
                })
            })
            .collect();
        changes.sort_by(|a, b| a.name.cmp(&b.name));
        changes
    }

    fn below<'a>(&'a self, prefix: &'static str) -> impl Iterator<Item = &'a str> {
        self.tips
            .range(prefix.to_owned()..)
            .map_while(move |(name, _)| name.strip_prefix(prefix))
    }
}
