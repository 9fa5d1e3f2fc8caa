//! The controller, as the server wants to see it.

use std::sync::Arc;

use capstan_controller::ControllerHandle;
use capstan_engine::journal::JournalEntry;
use capstan_model::{ApplicationId, Operation};
use capstan_server::{Backend, Snapshot};
use tokio::runtime::Handle;
use tokio::sync::watch;

/// Reads snapshots off a [`ControllerHandle`] and passes actions to it.
pub(crate) struct ControllerBackend {
    controller: ControllerHandle,
    snapshots: watch::Receiver<Snapshot>,
    runtime: Handle,
}

impl ControllerBackend {
    /// Must be called inside the runtime: keeps the snapshot up to date there until the controller is gone.
    pub(crate) fn new(controller: ControllerHandle) -> Self {
        let mut source = controller.snapshots();
        let (sender, snapshots) = watch::channel(shown(&source.borrow_and_update()));
        let runtime = Handle::current();
        runtime.spawn(async move {
            while source.changed().await.is_ok() {
                let newest = shown(&source.borrow_and_update());
                if sender.send(newest).is_err() {
                    return;
                }
            }
        });
        Self {
            controller,
            snapshots,
            runtime,
        }
    }

    /// Actions are queued: the channel to the controller is bounded, and a handler must not wait for it.
    fn ask<F>(&self, ask: impl FnOnce(ControllerHandle) -> F)
    where
        F: Future<Output = Result<(), capstan_controller::Stopped>> + Send + 'static,
    {
        let asked = ask(self.controller.clone());
        self.runtime.spawn(async move {
            if let Err(stopped) = asked.await {
                tracing::warn!(%stopped, "an action was not taken");
            }
        });
    }
}

fn shown(snapshot: &capstan_controller::Snapshot) -> Snapshot {
    Snapshot {
        revision: snapshot.revision,
        applications: snapshot.applications.clone(),
    }
}

impl Backend for ControllerBackend {
    fn subscribe(&self) -> watch::Receiver<Snapshot> {
        self.snapshots.clone()
    }

    fn journal_after(&self, sequence: u64) -> Vec<Arc<JournalEntry>> {
        self.controller.journal_after(sequence)
    }

    fn is_ready(&self) -> bool {
        self.controller.readiness().borrow().is_ready()
    }

    fn metrics(&self) -> String {
        self.controller.metrics()
    }

    fn refresh(&self, id: &ApplicationId, hard: bool) {
        let id = id.clone();
        self.ask(move |controller| async move { controller.refresh(id, hard).await });
    }

    fn source_changed(&self, repo_url: Option<&str>) {
        match repo_url.map(str::to_owned) {
            Some(url) => self.ask(move |controller| async move { controller.source_changed(url).await }),
            None => self.ask(|controller| async move { controller.sources_changed().await }),
        }
    }

    fn sync(&self, id: &ApplicationId, operation: Operation) {
        let id = id.clone();
        self.ask(move |controller| async move { controller.sync(id, operation).await });
    }

    fn terminate(&self, id: &ApplicationId, by: &str) {
        let (id, by) = (id.clone(), by.to_owned());
        self.ask(move |controller| async move { controller.terminate(id, by).await });
    }
}
