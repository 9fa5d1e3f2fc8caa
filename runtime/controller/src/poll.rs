//! Asks every repository for news, once an interval.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use capstan_engine::Event;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use crate::handle::repositories;
use crate::read_model::ReadModel;
use crate::sources::SourceProvider;

/// Polls the repositories of all applications, each on its own, until it is dropped.
pub(crate) async fn run(
    model: Arc<ReadModel>,
    sources: Arc<dyn SourceProvider>,
    events: mpsc::Sender<Event>,
    interval: Duration,
) {
    let mut changes = model.snapshots();
    let mut tasks: JoinSet<()> = JoinSet::new();
    let mut running: BTreeMap<String, AbortHandle> = BTreeMap::new();
    loop {
        changes.mark_unchanged();
        let wanted = repositories(&model.snapshot().applications);
        sources.retain(&wanted);
        running.retain(|url, task| {
            let keep = wanted.contains(url);
            if !keep {
                task.abort();
            }
            keep
        });
        for url in wanted {
            running.entry(url.clone()).or_insert_with(|| {
                let (sources, events) = (sources.clone(), events.clone());
                tasks.spawn(async move { poll_one(&*sources, &url, &events, interval).await })
            });
        }
        tokio::select! {
            biased;
            changed = changes.changed() => if changed.is_err() { return },
            Some(_) = tasks.join_next() => {}
        }
    }
}

/// A repository that begins or ceases to answer is news, too: its applications resolve again, and say what they find.
async fn poll_one(sources: &dyn SourceProvider, url: &str, events: &mpsc::Sender<Event>, interval: Duration) {
    let mut failure: Option<String> = None;
    loop {
        tokio::time::sleep(interval).await;
        let news = match sources.poll(url).await {
            Ok(moved) => moved | failure.take().is_some(),
            Err(error) => {
                let message = Some(error.message);
                let news = failure.is_none();
                if failure != message {
                    tracing::warn!(repository = url, error = message.as_deref(), "cannot be asked for news");
                }
                failure = message;
                news
            }
        };
        let repo_url = url.to_owned();
        if news && events.send(Event::SourceChanged { repo_url }).await.is_err() {
            return;
        }
    }
}
