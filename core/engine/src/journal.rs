//! The one stream of what happened. The dashboard, the audit, `explain`, notifications and metrics are views over it.

use std::collections::VecDeque;

use capstan_model::{ApplicationId, ResourceKey, Timestamp};
use serde::Serialize;

/// One transition.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JournalEntry {
    /// Number within the engine's life, growing by one.
    pub sequence: u64,
    /// When.
    pub time: Timestamp,
    /// Of which application.
    pub application: ApplicationId,
    /// Of which object; `None` for the application itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<ResourceKey>,
    /// What changes: `sync`, `health`, `operation`, `task`, `drift`, `condition`, `refresh`, `prune`, …: the name of the machine.
    pub machine: &'static str,
    /// State before; empty when there was none.
    pub from: String,
    /// State after.
    pub to: String,
    /// Why, in a sentence for people.
    pub message: String,
    /// Who or what made it so.
    pub cause: Cause,
}

/// Who or what made something happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum Cause {
    /// A commit.
    Commit {
        /// Its id.
        revision: String,
        /// Its author.
        author: String,
        /// Its first line.
        subject: String,
    },
    /// A person, by the API or by the resource.
    User {
        /// Who.
        name: String,
        /// What they did.
        action: String,
    },
    /// Somebody wrote to the cluster past Git.
    Drift {
        /// Field manager; empty when it could not be told.
        manager: String,
        /// `Update` or `Apply`; `Delete` when the object is gone.
        operation: String,
    },
    /// The cluster's own doing: a rollout goes on, a Job ends.
    Cluster,
    /// A deadline.
    Timer,
    /// The controller started, or took over.
    Start,
}

/// The newest entries, bounded.
#[derive(Clone, Debug)]
pub struct Journal {
    entries: VecDeque<JournalEntry>,
    next: u64,
    capacity: usize,
}

impl Journal {
    /// Keeps at most `capacity` entries.
    pub fn new(capacity: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            next: 1,
            capacity: capacity.max(1),
        }
    }

    /// Appends an entry and gives it its number.
    pub(crate) fn append(&mut self, mut entry: JournalEntry) {
        entry.sequence = self.next;
        self.next += 1;
        if self.entries.len() == self.capacity {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
    }

    /// Entries after `sequence`, oldest first.
    pub fn after(&self, sequence: u64) -> impl Iterator<Item = &JournalEntry> {
        let skip = self.entries.partition_point(|entry| entry.sequence <= sequence);
        self.entries.iter().skip(skip)
    }

    /// Number of the newest entry; 0 when there is none.
    pub fn newest(&self) -> u64 {
        self.next - 1
    }
}
