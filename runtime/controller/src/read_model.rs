//! What the engine knows, for those who ask: snapshots that are brought up to date as it changes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use capstan_engine::Event;
use capstan_engine::journal::{Journal, JournalEntry};
use capstan_engine::view::ApplicationView;
use capstan_model::ApplicationId;
use serde::Serialize;
use tokio::sync::{broadcast, watch};

/// All applications, as of one moment.
pub type Applications = Arc<BTreeMap<ApplicationId, Arc<ApplicationView>>>;

/// All applications, and the number of the newest change.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Grows by one with every change.
    pub revision: u64,
    /// As of then.
    pub applications: Applications,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its number.
    pub revision: u64,
    /// Of which application; it is gone when it is not among the applications any more.
    pub application: ApplicationId,
}

/// What has been seen once since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Readiness {
    /// The first complete list of Applications.
    pub applications_listed: bool,
    /// The first complete list of projects.
    pub projects_listed: bool,
    /// The control cluster answered.
    pub cluster_connected: bool,
}

impl Readiness {
    /// Is everything there that decisions are made on?
    pub fn is_ready(self) -> bool {
        self.applications_listed && self.projects_listed && self.cluster_connected
    }
}

/// Changes a slow subscriber may be behind before it is told that it missed some.
const CHANGES_KEPT: usize = 1024;

/// The snapshots. Written by the driver (or by a test of what reads them), read by everybody.
#[derive(Debug)]
pub struct ReadModel {
    snapshot: watch::Sender<Snapshot>,
    journal: Mutex<VecDeque<Arc<JournalEntry>>>,
    journal_newest: watch::Sender<u64>,
    journal_capacity: usize,
    changes: broadcast::Sender<Change>,
    readiness: watch::Sender<Readiness>,
}

impl ReadModel {
    /// Nothing is known yet. Keeps at most `journal_capacity` entries.
    pub fn new(journal_capacity: usize) -> Self {
        Self {
            snapshot: watch::Sender::default(),
            journal: Mutex::default(),
            journal_newest: watch::Sender::new(0),
            journal_capacity: journal_capacity.max(1),
            changes: broadcast::Sender::new(CHANGES_KEPT),
            readiness: watch::Sender::new(Readiness::default()),
        }
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.snapshot.borrow().clone()
    }

    pub(crate) fn snapshots(&self) -> watch::Receiver<Snapshot> {
        self.snapshot.subscribe()
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    pub(crate) fn readiness(&self) -> watch::Receiver<Readiness> {
        self.readiness.subscribe()
    }

    pub(crate) fn journal_newest(&self) -> watch::Receiver<u64> {
        self.journal_newest.subscribe()
    }

    pub(crate) fn journal_after(&self, sequence: u64) -> Vec<Arc<JournalEntry>> {
        let entries = lock(&self.journal);
        let skip = entries.partition_point(|entry| entry.sequence <= sequence);
        entries.iter().skip(skip).cloned().collect()
    }

    /// Replaces the views of the applications that changed. Copies the map only when somebody still reads the last snapshot.
    pub fn publish(&self, changed: impl IntoIterator<Item = (ApplicationId, Option<ApplicationView>)>) {
        self.snapshot.send_if_modified(|snapshot| {
            let before = snapshot.revision;
            for (application, view) in changed {
                if replace(&mut snapshot.applications, &application, view) {
                    snapshot.revision += 1;
                    let revision = snapshot.revision;
                    // Nobody listening is no failure.
                    let _ = self.changes.send(Change { revision, application });
                }
            }
            snapshot.revision != before
        });
    }

    /// Takes over what the engine appended, and calls `each` for every entry.
    pub fn append_journal(&self, journal: &Journal, mut each: impl FnMut(&JournalEntry)) {
        let last = *self.journal_newest.borrow();
        if journal.newest() == last {
            return;
        }
        let mut entries = lock(&self.journal);
        for entry in journal.after(last) {
            each(entry);
            if entries.len() == self.journal_capacity {
                entries.pop_front();
            }
            entries.push_back(Arc::new(entry.clone()));
        }
        drop(entries);
        self.journal_newest.send_replace(journal.newest());
    }

    /// Notes the events that say that something is there for the first time.
    pub fn note(&self, event: &Event) {
        let change: fn(&mut Readiness) -> &mut bool = match event {
            Event::ApplicationsListed => |ready| &mut ready.applications_listed,
            Event::ProjectsListed => |ready| &mut ready.projects_listed,
            Event::ClusterConnected(..) => |ready| &mut ready.cluster_connected,
            _ => return,
        };
        self.readiness
            .send_if_modified(|ready| !std::mem::replace(change(ready), true));
    }
}

/// Whether that changed anything. The map is copied only when it has to be.
fn replace(all: &mut Applications, application: &ApplicationId, view: Option<ApplicationView>) -> bool {
    let known = all.get(application);
    match view {
        Some(view) if known.is_some_and(|known| **known == view) => false,
        None if known.is_none() => false,
        Some(view) => {
            Arc::make_mut(all).insert(application.clone(), Arc::new(view));
            true
        }
        None => Arc::make_mut(all).remove(application).is_some(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while it was held leaves whole entries: each is replaced at once.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
