//! The live objects of the kinds that are wanted.

use std::collections::{BTreeMap, BTreeSet};

use capstan_engine::event::Event;
use capstan_model::{ClusterId, GroupKind, ResourceKey};
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::kind::{Closed, Seen, Sink, follow};
use crate::cluster::Cluster;
use crate::list::Form;

/// Watches of one cluster. Dropping it ends them.
#[derive(Debug)]
pub struct LiveWatches {
    wanted: watch::Sender<BTreeSet<GroupKind>>,
    _tasks: JoinSet<()>,
}

impl LiveWatches {
    /// Watches nothing yet. What is seen goes to `events`.
    pub fn start(cluster: Cluster, events: mpsc::Sender<Event>) -> Self {
        let (wanted, changes) = watch::channel(BTreeSet::new());
        let mut tasks = JoinSet::new();
        tasks.spawn(run(cluster, changes, events));
        Self { wanted, _tasks: tasks }
    }

    /// From now on exactly these kinds are watched.
    pub fn want(&self, kinds: BTreeSet<GroupKind>) {
        self.wanted.send_if_modified(|current| {
            let differs = *current != kinds;
            *current = kinds;
            differs
        });
    }
}

async fn run(cluster: Cluster, mut wanted: watch::Receiver<BTreeSet<GroupKind>>, events: mpsc::Sender<Event>) {
    let mut tasks: JoinSet<()> = JoinSet::new();
    let mut running = BTreeMap::new();
    loop {
        let kinds = wanted.borrow_and_update().clone();
        running.retain(|kind, handle: &mut tokio::task::AbortHandle| {
            let keep = kinds.contains(kind);
            if !keep {
                handle.abort();
            }
            keep
        });
        for kind in kinds {
            running.entry(kind.clone()).or_insert_with(|| {
                let (cluster, events) = (cluster.clone(), events.clone());
                tasks.spawn(async move {
                    let mut sink = LiveSink {
                        cluster: cluster.id().clone(),
                        kind: kind.clone(),
                        events,
                    };
                    let Closed = follow(&cluster, &kind, Form::Whole, &mut sink).await;
                })
            });
        }
        tokio::select! {
            biased;
            changed = wanted.changed() => if changed.is_err() { return },
            // Ended ones are taken off, so that the set does not grow.
            Some(_) = tasks.join_next() => {}
        }
    }
}

struct LiveSink {
    cluster: ClusterId,
    kind: GroupKind,
    events: mpsc::Sender<Event>,
}

impl Sink for LiveSink {
    async fn take(&mut self, seen: Seen) -> Result<(), Closed> {
        let cluster = self.cluster.clone();
        let kind = self.kind.clone();
        let event = match seen {
            Seen::Listed(objects) => Event::Relisted { cluster, kind, objects },
            Seen::Changed(object) => Event::LiveObserved(cluster, object),
            Seen::Gone(object) => Event::LiveGone {
                cluster,
                key: key_of(&kind, &object),
                uid: text(&object, "/metadata/uid"),
            },
            Seen::Unavailable(error) => Event::KindUnavailable {
                cluster,
                kind,
                reason: error.to_string(),
            },
        };
        self.events.send(event).await.map_err(|_| Closed)
    }
}

pub(crate) fn key_of(kind: &GroupKind, object: &Value) -> ResourceKey {
    let (namespace, name) = (text(object, "/metadata/namespace"), text(object, "/metadata/name"));
    ResourceKey::new(&kind.group, &kind.kind, namespace, name)
}

pub(crate) fn text(object: &Value, pointer: &str) -> String {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}
