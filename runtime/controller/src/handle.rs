//! How the rest of the program talks to the controller.

use std::collections::BTreeSet;
use std::sync::Arc;

use capstan_engine::Event;
use capstan_engine::journal::JournalEntry;
use capstan_engine::view::ApplicationView;
use capstan_model::{ApplicationId, Operation};
use tokio::sync::{broadcast, mpsc, watch};

use crate::metrics::Metrics;
use crate::read_model::{Applications, Change, ReadModel, Readiness, Snapshot};

/// The controller has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the controller has stopped")]
pub struct Stopped;

/// The controller did not take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotQueued {
    /// Too much waits already.
    #[error("the controller is busy: try again in a moment")]
    Busy,
    /// It has ended.
    #[error("the controller has stopped")]
    Stopped,
}

/// The repositories of some applications.
pub(crate) fn repositories(applications: &Applications) -> BTreeSet<String> {
    let sources = applications.values().flat_map(|view| &view.sources);
    let urls = sources.map(|source| source.repo_url.clone());
    urls.filter(|url| !url.is_empty()).collect()
}

/// Asks the controller for things and reads what it knows. Cloning shares it.
#[derive(Clone, Debug)]
pub struct ControllerHandle {
    events: mpsc::Sender<Event>,
    model: Arc<ReadModel>,
    metrics: Arc<Metrics>,
}

impl ControllerHandle {
    /// Sends to whoever owns the other end of `events`, reads `model` and `metrics`.
    pub fn new(events: mpsc::Sender<Event>, model: Arc<ReadModel>, metrics: Arc<Metrics>) -> Self {
        Self { events, model, metrics }
    }

    /// All applications, as of now. Costs nothing: a snapshot that is shared.
    pub fn applications(&self) -> Applications {
        self.model.snapshot().applications
    }

    /// One application; `None` when it does not exist or has not been seen yet.
    pub fn application(&self, id: &ApplicationId) -> Option<Arc<ApplicationView>> {
        self.applications().get(id).cloned()
    }

    /// All applications, and notice when any of them changes.
    pub fn snapshots(&self) -> watch::Receiver<Snapshot> {
        self.model.snapshots()
    }

    /// Changes from now on. Who lags behind by more than a thousand is told so, and reads everything again.
    pub fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.model.subscribe()
    }

    /// Journal entries after `sequence`, oldest first, as far as they are kept.
    pub fn journal_after(&self, sequence: u64) -> Vec<Arc<JournalEntry>> {
        self.model.journal_after(sequence)
    }

    /// Number of the newest journal entry; wakes when there is a newer one.
    pub fn journal_newest(&self) -> watch::Receiver<u64> {
        self.model.journal_newest()
    }

    /// What has been seen since the start; wakes when that grows.
    pub fn readiness(&self) -> watch::Receiver<Readiness> {
        self.model.readiness()
    }

    /// All metrics, as OpenMetrics text.
    pub fn metrics(&self) -> String {
        self.metrics.encode()
    }

    /// Compares an application with the newest revision, now; `hard` forgets cached renders.
    pub async fn refresh(&self, id: ApplicationId, hard: bool) -> Result<(), Stopped> {
        self.send(Event::RefreshRequested { id, hard }).await
    }

    /// A repository has news (a webhook): its applications resolve again.
    pub async fn source_changed(&self, repo_url: impl Into<String>) -> Result<(), Stopped> {
        let repo_url = repo_url.into();
        self.send(Event::SourceChanged { repo_url }).await
    }

    /// Syncs an application.
    pub async fn sync(&self, id: ApplicationId, operation: Operation) -> Result<(), Stopped> {
        let operation = Box::new(operation);
        self.send(Event::SyncRequested { id, operation }).await
    }

    /// Stops an application's running operation.
    pub async fn terminate(&self, id: ApplicationId, by: impl Into<String>) -> Result<(), Stopped> {
        let by = by.into();
        self.send(Event::TerminateRequested { id, by }).await
    }

    /// Any repository may have news (a webhook that does not say which): all applications resolve again.
    pub async fn sources_changed(&self) -> Result<(), Stopped> {
        for repo_url in repositories(&self.applications()) {
            self.source_changed(repo_url).await?;
        }
        Ok(())
    }

    /// As the functions that wait, for callers that cannot: asks for something if there is room for it.
    pub fn try_send(&self, event: Event) -> Result<(), NotQueued> {
        self.events.try_send(event).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => NotQueued::Busy,
            mpsc::error::TrySendError::Closed(_) => NotQueued::Stopped,
        })
    }

    async fn send(&self, event: Event) -> Result<(), Stopped> {
        self.events.send(event).await.map_err(|_| Stopped)
    }
}
