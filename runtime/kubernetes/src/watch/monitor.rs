//! Is the cluster there, and what does it serve?

use std::time::Duration;

use capstan_engine::event::Event;
use capstan_model::{ClusterId, GroupKind};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::kind::{Closed, Seen, Sink, follow};
use crate::cluster::Cluster;
use crate::list::Form;
use crate::table::ApiTable;

/// Discovers a cluster, again whenever its definitions change, and tells when it is lost. Dropping it ends that.
#[derive(Debug)]
pub struct Monitor {
    _tasks: JoinSet<()>,
}

/// What the watches of definitions tell the monitor.
#[derive(Debug)]
enum Signal {
    /// A definition or an API service changed.
    Changed,
    /// A watch broke: is the server still there?
    Silent,
}

/// What a server serves follows its definitions with a delay of its own: after a change it is asked again after these waits.
const SETTLING: [Duration; 5] = [
    Duration::from_millis(20),
    Duration::from_millis(100),
    Duration::from_millis(400),
    Duration::from_millis(1500),
    Duration::from_secs(4),
];

impl Monitor {
    /// Sends `ClusterConnected` as soon as the cluster answers, and whenever what it serves changes; `ClusterLost` when it stops
    /// answering.
    pub fn start(cluster: Cluster, events: mpsc::Sender<Event>) -> Self {
        let mut tasks = JoinSet::new();
        tasks.spawn(run(cluster, events));
        Self { _tasks: tasks }
    }
}

async fn run(cluster: Cluster, events: mpsc::Sender<Event>) {
    let mut reporter = Reporter {
        id: cluster.id().clone(),
        events,
        lost: None,
    };
    if connect(&cluster, &mut reporter, None).await.is_err() {
        return;
    }
    let (signals, mut inbox) = mpsc::channel(16);
    let mut watches = JoinSet::new();
    for kind in definitions(&cluster) {
        let (cluster, signals) = (cluster.clone(), signals.clone());
        watches.spawn(async move {
            let mut sink = SignalSink { signals };
            let Closed = follow(&cluster, &kind, Form::Metadata, &mut sink).await;
        });
    }
    drop(signals);
    let mut tables = cluster.table_changes();
    tables.mark_unchanged();
    let mut settling: &[Duration] = &[];
    let mut wake = Instant::now();
    loop {
        let outcome = tokio::select! {
            biased;
            signal = inbox.recv() => match signal {
                Some(Signal::Changed) => {
                    settling = &SETTLING;
                    wake = Instant::now() + SETTLING[0];
                    Ok(())
                }
                Some(Signal::Silent) => {
                    let known = tables.borrow().clone();
                    let connected = connect(&cluster, &mut reporter, Some(&known)).await;
                    tables.mark_unchanged();
                    connected
                }
                None => return,
            },
            changed = tables.changed() => match changed {
                Ok(()) => reporter.connected(&cluster).await,
                Err(_) => return,
            },
            () = tokio::time::sleep_until(wake), if !settling.is_empty() => {
                settling = &settling[1..];
                wake = Instant::now() + settling.first().copied().unwrap_or_default();
                if let Err(error) = cluster.discover().await {
                    tracing::warn!(cluster = %cluster.id(), %error, "discovery failed");
                }
                Ok(())
            }
        };
        if outcome.is_err() {
            return;
        }
    }
}

/// Kinds that say what else is served, as far as they are served themselves.
fn definitions(cluster: &Cluster) -> Vec<GroupKind> {
    let table = cluster.table();
    [
        GroupKind::new("apiextensions.k8s.io", "CustomResourceDefinition"),
        GroupKind::new("apiregistration.k8s.io", "APIService"),
    ]
    .into_iter()
    .filter(|kind| table.discovery.kinds.get(kind).is_some_and(|served| served.watchable))
    .collect()
}

/// Discovers until it works. Says `ClusterConnected` then, unless the answer is what is `known` and there was no failure.
async fn connect(cluster: &Cluster, reporter: &mut Reporter, known: Option<&ApiTable>) -> Result<(), Closed> {
    let mut wait = cluster.settings().backoff;
    loop {
        // Whoever was away may come back as somebody else: its identity is asked for again.
        match cluster.discover_anew().await {
            Ok(table) if reporter.lost.is_none() && known == Some(&*table) => return Ok(()),
            Ok(_) => return reporter.connected(cluster).await,
            Err(error) => {
                reporter.lost(error.to_string()).await?;
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(cluster.settings().backoff_cap);
            }
        }
    }
}

struct Reporter {
    id: ClusterId,
    events: mpsc::Sender<Event>,
    /// Why, when it was last reported lost.
    lost: Option<String>,
}

impl Reporter {
    async fn connected(&mut self, cluster: &Cluster) -> Result<(), Closed> {
        if self.lost.take().is_some() {
            tracing::info!(cluster = %self.id, "answers again");
        }
        let discovery = cluster.table().discovery.clone();
        self.send(Event::ClusterConnected(self.id.clone(), discovery)).await
    }

    async fn lost(&mut self, reason: String) -> Result<(), Closed> {
        if self.lost.as_ref() == Some(&reason) {
            return Ok(());
        }
        tracing::warn!(cluster = %self.id, reason, "does not answer");
        self.lost = Some(reason.clone());
        self.send(Event::ClusterLost(self.id.clone(), reason)).await
    }

    async fn send(&self, event: Event) -> Result<(), Closed> {
        self.events.send(event).await.map_err(|_| Closed)
    }
}

struct SignalSink {
    signals: mpsc::Sender<Signal>,
}

impl Sink for SignalSink {
    async fn take(&mut self, seen: Seen) -> Result<(), Closed> {
        let signal = match seen {
            Seen::Changed(_) | Seen::Gone(_) => Signal::Changed,
            // Of a list after a gap: definitions may have come and gone. The first one finds nothing new.
            Seen::Listed(_) => Signal::Changed,
            Seen::Unavailable(error) if error.is_connection() => Signal::Silent,
            Seen::Unavailable(_) => return Ok(()),
        };
        self.signals.send(signal).await.map_err(|_| Closed)
    }
}
