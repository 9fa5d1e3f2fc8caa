//! What the server shows and whom it asks.

use std::collections::BTreeMap;
use std::sync::Arc;

use capstan_engine::journal::JournalEntry;
use capstan_engine::view::ApplicationView;
use capstan_model::{ApplicationId, Operation};
use tokio::sync::watch;

/// All applications as of one moment. Cloning is cheap.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Grows with every change.
    pub revision: u64,
    /// By identity.
    pub applications: Arc<BTreeMap<ApplicationId, Arc<ApplicationView>>>,
}

/// The controller, as the server sees it. Never blocks: reads are snapshots, actions are queued.
pub trait Backend: Send + Sync {
    /// The newest snapshot, and notice of newer ones.
    fn subscribe(&self) -> watch::Receiver<Snapshot>;
    /// Journal entries after `sequence`, oldest first.
    fn journal_after(&self, sequence: u64) -> Vec<Arc<JournalEntry>>;
    /// Have the first complete lists been read?
    fn is_ready(&self) -> bool;
    /// Metrics in OpenMetrics text.
    fn metrics(&self) -> String;
    /// Compare with the newest revision, now.
    fn refresh(&self, id: &ApplicationId, hard: bool);
    /// A repository has news; `None` means any may have.
    fn source_changed(&self, repo_url: Option<&str>);
    /// Sync.
    fn sync(&self, id: &ApplicationId, operation: Operation);
    /// Stop the running operation.
    fn terminate(&self, id: &ApplicationId, by: &str);
}
