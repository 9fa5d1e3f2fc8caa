//! The live objects of the kinds that are wanted.

use std::collections::{BTreeMap, BTreeSet};

use capstan_engine::event::Event;
use capstan_model::{ClusterId, GroupKind, ResourceKey};
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};

use super::kind::{Closed, Seen, Sink, follow};
use crate::cluster::Cluster;
use crate::list::Form;

/// Watches of one cluster. Dropping it ends them.
#[derive(Debug)]
pub struct LiveWatches {
    wanted: watch::Sender<Wanted>,
    _tasks: JoinSet<()>,
}

/// Which kinds are to be watched, and since which call each is. A kind that was let go and is wanted again has another number, so that
/// it is listed anew also when nobody looked in between.
#[derive(Clone, Debug, Default)]
struct Wanted {
    kinds: BTreeMap<GroupKind, u64>,
    calls: u64,
}

impl Wanted {
    /// Whether anything changes.
    fn set(&mut self, kinds: BTreeSet<GroupKind>) -> bool {
        if self.kinds.keys().eq(&kinds) {
            return false;
        }
        self.calls += 1;
        let before = std::mem::take(&mut self.kinds);
        let since = |kind: GroupKind| {
            let call = before.get(&kind).copied().unwrap_or(self.calls);
            (kind, call)
        };
        self.kinds = kinds.into_iter().map(since).collect();
        true
    }
}

impl LiveWatches {
    /// Watches nothing yet. What is seen goes to `events`.
    pub fn start(cluster: Cluster, events: mpsc::Sender<Event>) -> Self {
        let (wanted, changes) = watch::channel(Wanted::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(run(cluster, changes, events));
        Self { wanted, _tasks: tasks }
    }

    /// From now on exactly these kinds are watched. One that was not, by the call before, is listed first.
    pub fn want(&self, kinds: BTreeSet<GroupKind>) {
        self.wanted.send_if_modified(|wanted| wanted.set(kinds));
    }
}

async fn run(cluster: Cluster, mut wanted: watch::Receiver<Wanted>, events: mpsc::Sender<Event>) {
    let mut tasks: JoinSet<()> = JoinSet::new();
    let mut running: BTreeMap<GroupKind, (u64, AbortHandle)> = BTreeMap::new();
    loop {
        let kinds = wanted.borrow_and_update().kinds.clone();
        let is_over = |kind: &GroupKind, (since, _): &mut (u64, AbortHandle)| kinds.get(kind) != Some(since);
        let over: Vec<AbortHandle> = running.extract_if(.., is_over).map(|(_, (_, handle))| handle).collect();
        over.iter().for_each(AbortHandle::abort);
        // What an old watch has to say must not come after what a new one lists.
        while over.iter().any(|handle| !handle.is_finished()) && tasks.join_next().await.is_some() {}
        for (kind, since) in kinds {
            running.entry(kind.clone()).or_insert_with(|| {
                let (cluster, events) = (cluster.clone(), events.clone());
                let handle = tasks.spawn(async move {
                    let mut sink = LiveSink {
                        cluster: cluster.id().clone(),
                        kind: kind.clone(),
                        events,
                    };
                    let Closed = follow(&cluster, &kind, Form::Whole, &mut sink).await;
                });
                (since, handle)
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
