//! H: what happened in the world, in the order in which it happened. The oracles read this and what was put in, and nothing else.

use std::collections::BTreeSet;

use capstan_model::{GroupKind, ResourceKey, Timestamp};
use serde_json::Value;

use crate::generate::{Case, Spec};

/// Who wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Actor {
    /// The controller under test.
    Us,
    /// The cluster's own controllers.
    Cluster,
    /// A person, or another operator.
    Somebody,
}

/// What a request asks for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Ask {
    Create {
        object: Value,
    },
    Apply {
        object: Value,
        dry: bool,
    },
    Replace {
        object: Value,
        dry: bool,
        version: String,
    },
    Delete,
    /// A finalizer is taken off, or fields are taken over.
    Release,
    /// Fields that others applied become the engine's: the object itself stays as it is.
    HandOver,
    Read,
    /// Of the Application: its status, or another field.
    Status,
    Application,
}

impl Ask {
    /// May it change the destination cluster?
    pub(crate) fn is_mutating(&self) -> bool {
        match self {
            Self::Create { .. } | Self::Delete | Self::Release | Self::HandOver => true,
            Self::Apply { dry, .. } | Self::Replace { dry, .. } => !dry,
            Self::Read | Self::Status | Self::Application => false,
        }
    }

    /// The object that it would write, if it is no dry run.
    pub(crate) fn written(&self) -> Option<&Value> {
        match self {
            Self::Create { object } | Self::Apply { object, dry: false } | Self::Replace { object, dry: false, .. } => {
                Some(object)
            }
            _ => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Request {
    pub(crate) number: u64,
    /// Which process, and which epoch of it: a new operation, a restart or lost leadership begins another.
    pub(crate) process: usize,
    pub(crate) epoch: u64,
    pub(crate) key: ResourceKey,
    pub(crate) ask: Ask,
}

/// What the API said to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Done,
    /// The live object is not what the permit was given for: nothing was sent.
    Left,
    /// Will not work until something changes: 403, 404, 422.
    Refused,
    /// 409, 429, 5xx.
    Passing,
    /// Timeout, reset: nobody knows.
    Unknown,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fact {
    /// A process begins; its resource says that this operation and attempt runs. One that only gets the lead knows what it was told.
    Started {
        process: usize,
        running: Option<(u64, u64)>,
        is_new: bool,
    },
    /// The process is gone, with all that it had asked for.
    Died,
    /// A request left the controller.
    Sent(Request),
    /// By what such a request writes of an operation, that is not planned yet.
    Unplanned {
        request: u64,
    },
    /// What it was answered; 0 is no version.
    Answered {
        request: u64,
        answer: Answer,
        version: u64,
    },
    /// The live object was read for this delete, and this is what the DELETE insists on.
    Deleting {
        request: u64,
        read: (String, String),
        insists: (String, String),
    },
    /// An object was written: its state after that. Versions are of the whole cluster and grow.
    Written {
        by: Actor,
        request: Option<u64>,
        object: Value,
        created: bool,
    },
    /// An object is gone: its last state.
    Removed {
        by: Actor,
        object: Value,
    },
    /// The controller was told of this object at this version.
    Seen {
        key: ResourceKey,
        version: u64,
    },
    /// The controller was told that the object of this identity is gone.
    SeenGone {
        key: ResourceKey,
        uid: String,
    },
    /// The controller was given a complete list.
    Listed {
        kind: GroupKind,
        keys: BTreeSet<ResourceKey>,
    },
    /// The controller was told that a kind cannot be read.
    Unreadable {
        kind: GroupKind,
    },
    /// The controller was told whether the cluster answers.
    Reachable(bool),
    /// The controller was answered about a source: it was read, or not.
    Source {
        ok: bool,
    },
    /// The Application's status was written by the controller.
    Status {
        request: u64,
        before: Value,
        after: Value,
    },
    /// The controller was told that it leads, or does not.
    Leads(bool),
    /// The controller was told to leave the application alone, or no longer.
    Suspended(bool),
    /// The controller was told of the project: with its windows, or without.
    Windows(bool),
    /// The controller was told to stop the operation.
    Terminated,
    /// Somebody deletes the Application, which is this.
    DeletionAsked {
        application: Value,
    },
    /// The controller was told so.
    DeletionTold,
    /// These finalizers hold the Application on its way out, from now on.
    HeldBy(Vec<String>),
    /// The Application is gone.
    ApplicationGone,
    /// The application's sources moved to this commit.
    Moved {
        head: usize,
    },
    /// The controller was told of the Application: of its spec, and when somebody approved of deletes.
    Spec {
        spec: Spec,
        approved: Option<Timestamp>,
    },
    /// Somebody who asked to roll back was refused, or asks for this commit.
    RollbackRefused,
    RolledBack {
        revision: String,
    },
    /// The branch is gone, or there again.
    BranchGone(bool),
    /// This commit cannot be found any more.
    Forgotten {
        commit: usize,
    },
    /// A namespace is full, or not any more.
    Full(bool),
    /// A source said what it was before, or had not yet what it had said.
    Lagged,
    /// The controller was told that the Application goes to this cluster; or it takes this one for the one at that address.
    Destined {
        place: usize,
    },
    /// Nothing is under way any more, but for waiting.
    Resting,
    /// No fault, no change and no third party from here on.
    Quiet,
}

impl Fact {
    /// Is it of a cluster, and not of the Application, the sources or the controller?
    pub(crate) fn is_of_cluster(&self) -> bool {
        match self {
            Self::Sent(request) => !matches!(request.ask, Ask::Status | Ask::Application),
            Self::Answered { .. }
            | Self::Deleting { .. }
            | Self::Written { .. }
            | Self::Removed { .. }
            | Self::Seen { .. }
            | Self::SeenGone { .. }
            | Self::Listed { .. }
            | Self::Unreadable { .. }
            | Self::Reachable(_) => true,
            _ => false,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) at: Timestamp,
    /// The cluster that it is of; `None` for what is of the Application, the sources, the controller.
    pub(crate) place: Option<usize>,
    pub(crate) fact: Fact,
}

/// One run: what was put in, and what happened.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) case: Case,
    /// Id and objects of each commit, `None` for one that cannot be rendered.
    pub(crate) commits: Vec<(String, Option<Vec<Value>>)>,
    /// The commit before each; nothing of several sources, whose branches of this world all follow.
    pub(crate) parents: Vec<Option<usize>>,
    pub(crate) history: Vec<Entry>,
    /// The Application at the end.
    pub(crate) resource: Value,
    /// The cluster at the end.
    pub(crate) objects: Vec<Value>,
    /// Which one that is.
    pub(crate) place: usize,
    /// Every cluster at the end, by its number.
    pub(crate) elsewhere: Vec<Vec<Value>>,
    pub(crate) end: Timestamp,
}

impl Record {
    pub(crate) fn facts(&self) -> impl Iterator<Item = (usize, &Fact)> {
        self.history.iter().map(|entry| &entry.fact).enumerate()
    }

    /// The clusters that anything was asked of, or that the Application went to.
    pub(crate) fn places(&self) -> BTreeSet<usize> {
        let place = |entry: &Entry| match (&entry.fact, entry.place) {
            (Fact::Sent(_), place) => place,
            (Fact::Destined { place }, _) => Some(*place),
            _ => None,
        };
        let places = self.history.iter().filter_map(place);
        places.chain([0]).collect()
    }

    /// What happened in one cluster, and everything that is of none: to the laws it is a world of its own.
    pub(crate) fn within(&self, place: usize) -> Self {
        let is_of = |entry: &&Entry| entry.place.is_none_or(|other| other == place);
        Self {
            history: self.history.iter().filter(is_of).cloned().collect(),
            objects: self.elsewhere[place].clone(),
            place,
            ..self.clone()
        }
    }

    /// The objects of a commit.
    pub(crate) fn objects_of(&self, revision: &str) -> Option<&[Value]> {
        let (_, objects) = self.commits.iter().find(|(id, _)| id == revision)?;
        objects.as_deref()
    }

    /// The history, a line a fact: what a failure shows.
    pub(crate) fn story(&self) -> String {
        let several = self.history.iter().any(|entry| entry.place > Some(0));
        let line = |(at, entry): (usize, &Entry)| {
            let place = match entry.place.filter(|_| several) {
                Some(place) => format!(" @{place}"),
                None => String::new(),
            };
            format!("{at:4} {}{place} {}", entry.at, brief(&entry.fact))
        };
        self.history.iter().enumerate().map(line).collect::<Vec<_>>().join("\n")
    }
}

/// Is one commit the other, or among those before it? Without parents there is one line only.
pub(crate) fn follows(parents: &[Option<usize>], from: usize, to: usize) -> bool {
    let mut at = Some(to);
    while let Some(now) = at.filter(|_| !parents.is_empty()) {
        if now == from {
            return true;
        }
        at = parents[now];
    }
    parents.is_empty()
}

fn brief(fact: &Fact) -> String {
    let name = |object: &Value| crate::objects::key_of(object).to_string();
    let number = crate::objects::version;
    match fact {
        Fact::Sent(request) => {
            let ask = match &request.ask {
                Ask::Create { .. } => "create",
                Ask::Apply { dry: true, .. } | Ask::Replace { dry: true, .. } => "try",
                Ask::Apply { .. } => "apply",
                Ask::Replace { .. } => "replace",
                Ask::Delete => "delete",
                Ask::Release => "release",
                Ask::HandOver => "hand over",
                Ask::Read => "read",
                Ask::Status => "status",
                Ask::Application => "application",
            };
            let Request {
                number, process, epoch, ..
            } = request;
            format!("-> {ask} {} (request {number} of {process}.{epoch})", request.key)
        }
        Fact::Written {
            by, object, created, ..
        } => {
            let verb = if *created { "created" } else { "written" };
            format!("{verb} by {by:?}: {} at {}", name(object), number(object))
        }
        Fact::Removed { by, object } => format!("removed by {by:?}: {}", name(object)),
        Fact::Seen { key, version } => format!("<- {key} at {version}"),
        Fact::SeenGone { key, .. } => format!("<- {key} gone"),
        Fact::Listed { kind, keys } => format!("<- list of {kind}: {}", keys.len()),
        Fact::Status { after, .. } => {
            let text = |pointer| crate::objects::text(after, pointer).to_owned();
            format!(
                "status: {} {}, operation {} of {:.5} {} {}",
                text("/sync/status"),
                text("/health/status"),
                crate::world::number(after),
                text("/operationState/syncResult/revision"),
                text("/operationState/phase"),
                text("/operationState/message"),
            )
        }
        Fact::Spec { spec, approved } => format!("<- spec: {spec:?}, deletes approved at {approved:?}"),
        Fact::DeletionAsked { application } => format!("deletion asked for: {}", application["metadata"]["finalizers"]),
        other => format!("{other:?}"),
    }
}
