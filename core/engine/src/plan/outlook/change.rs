//! What becomes of one task's object.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::compare::FieldDifference;

/// What a cluster has under a key.
#[derive(Clone, Debug, PartialEq)]
pub enum LiveObject {
    /// Nothing, and that is proven.
    Absent,
    /// This, managedFields included.
    Present(Box<Value>),
    /// Nothing: the cluster does not serve the kind, and that is proven.
    NotServed,
    /// It could not be read, and why.
    Unread(String),
}

/// What a task does to the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum ChangeKind {
    /// Makes an object that is not there.
    Create,
    /// Changes fields of it.
    Update,
    /// Nothing: it is as declared.
    Unchanged,
    /// Runs a hook.
    Run,
    /// Waits for somebody: for its kind to be brought, for what is in its way to be deleted.
    Wait,
    /// Deletes an object.
    Delete,
    /// Leaves an object that is not declared.
    Keep,
    /// Would delete an object, and waits for a person.
    Hold,
    /// Nothing, since the sync is refused as a whole.
    Withhold,
    /// It is what the sync is refused for, or fails at.
    Fail,
    /// It is not known: something could not be read.
    Unknown,
}

/// What becomes of one task's object.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// What.
    #[serde(rename = "change")]
    pub kind: ChangeKind,
    /// Why, for people. Empty where `fields` say it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// Fields that differ.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldDifference>,
    /// Fields that differ and that `ignoreDifferences` takes out of the comparison. A write changes them all the same, unless
    /// `RespectIgnoreDifferences=true` is set.
    #[serde(rename = "ignoredFields", skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<FieldDifference>,
}

impl Change {
    pub(super) fn new(kind: ChangeKind, why: impl Into<String>) -> Self {
        Self {
            kind,
            why: why.into(),
            fields: Vec::new(),
            ignored: Vec::new(),
        }
    }

    /// The same, where the sync writes nothing.
    pub(super) fn withheld(&mut self) {
        let does_something = matches!(
            self.kind,
            ChangeKind::Create | ChangeKind::Update | ChangeKind::Run | ChangeKind::Wait | ChangeKind::Delete
        );
        if does_something {
            let why = match self.why.as_str() {
                "" => format!("the sync is refused; else {}", self.kind),
                why => format!("the sync is refused; else {}: {why}", self.kind),
            };
            (self.kind, self.why) = (ChangeKind::Withhold, why);
        }
    }
}

impl fmt::Display for ChangeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Unchanged => "unchanged",
            Self::Run => "run",
            Self::Wait => "wait",
            Self::Delete => "delete",
            Self::Keep => "keep",
            Self::Hold => "hold",
            Self::Withhold => "withhold",
            Self::Fail => "fail",
            Self::Unknown => "unknown",
        })
    }
}
