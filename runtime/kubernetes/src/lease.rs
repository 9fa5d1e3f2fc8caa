//! Who leads: an election over a Lease of the control cluster, as client-go's.
//!
//! **Problem.** Several replicas may run, on purpose or while one is replaced by the next, and only one may write.
//!
//! **Invariants.**
//! - Whoever leads knows until when for sure: a time of this machine's own clock, counted from *before* the last renewal was sent, and shorter than
//!   the lease. When it passes, nothing is written any more ([`Leadership::holds`]), whether anybody said so or not.
//! - A lease is taken from another only after it was seen unchanged for as long as it says, by our clock: no two clocks are compared.
//! - Every time somebody begins to lead, `leaseTransitions` grows, also for the same name: a [`Fence`] of an earlier term never holds again.
//!   That of a Lease that somebody deleted does not either: the next one has another UID.
//!
//! **Deliberately absent.** Shards: one lease, one leader.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use capstan_engine::Event;
use capstan_engine::effect::{ApplyMode, ApplyTask, DryRun};
use capstan_engine::event::WriteError;
use capstan_engine::guard::{DeletePermit, Fence};
use capstan_model::{Blob, GroupVersionKind, ResourceKey, Timestamp};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::cluster::Cluster;
use crate::leadership::{Leadership, Term};

/// Which lease, and how patiently.
#[derive(Clone, Debug)]
pub struct ElectionSettings {
    /// Namespace of the Lease.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What this replica is called in it: no two processes that run at once may have the same. Not empty: that is how a Lease that nobody
    /// holds is spelt.
    pub identity: String,
    /// How long a lease is good that is not renewed.
    pub duration: Duration,
    /// How long whoever leads goes on without having renewed it. Shorter than `duration`.
    pub renew_deadline: Duration,
    /// How often it is renewed, and looked at.
    pub retry: Duration,
}

impl ElectionSettings {
    /// client-go's times: 15 s, 10 s, 2 s.
    pub fn new(namespace: &str, identity: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: "capstan".to_owned(),
            identity: identity.to_owned(),
            duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry: Duration::from_secs(2),
        }
    }
}

/// A candidate at work. Dropping it ends it, and the lease runs out; [`Election::resign`] gives it back.
#[derive(Debug)]
pub struct Election {
    tasks: JoinSet<()>,
    cluster: Cluster,
    settings: ElectionSettings,
    leadership: Leadership,
}

impl Election {
    /// Runs for the lease; what comes of it goes to `events`, and to the [`Leadership`].
    pub fn start(cluster: &Cluster, settings: ElectionSettings, events: &mpsc::Sender<Event>) -> Self {
        let leadership = Leadership::default();
        let candidate = Candidate {
            cluster: cluster.clone(),
            settings: settings.clone(),
            leadership: leadership.clone(),
            events: events.clone(),
            seen: None,
            term: None,
            last: 0,
            failure: String::new(),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(candidate.run());
        Self {
            tasks,
            cluster: cluster.clone(),
            settings,
            leadership,
        }
    }

    /// Whether this replica leads.
    pub fn leadership(&self) -> Leadership {
        self.leadership.clone()
    }

    /// Ends, and gives the lease back if it is ours, so that the next one need not wait. Call it when nothing is on its way any more.
    pub async fn resign(mut self) {
        self.tasks.shutdown().await;
        if !self.leadership.holds() {
            return;
        }
        self.leadership.set(None);
        let given_back = timeout(self.settings.retry, give_back(&self.cluster, &self.settings)).await;
        match given_back {
            Ok(Ok(())) => tracing::info!(lease = self.settings.name, "gave the lease back"),
            Ok(Err(error)) => tracing::warn!(%error, "the lease could not be given back and runs out"),
            Err(_) => tracing::warn!("the lease could not be given back in time and runs out"),
        }
    }
}

async fn give_back(cluster: &Cluster, settings: &ElectionSettings) -> Result<(), WriteError> {
    let (key, kind) = lease(&settings.namespace, &settings.name);
    let Some(mut live) = cluster.observe(&key, &kind).await? else {
        return Ok(());
    };
    if Known::of(&live).holder != settings.identity {
        return Ok(());
    }
    live["spec"]["holderIdentity"] = json!("");
    write(cluster, *live).await.map(drop)
}

/// The Lease as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    holder: String,
    term: Term,
    version: String,
    /// How long it is good after it was seen to change.
    duration: Duration,
}

impl Known {
    fn of(lease: &Value) -> Self {
        let text = |pointer: &str| lease.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let number = |pointer: &str| lease.pointer(pointer).and_then(Value::as_i64).unwrap_or_default();
        Self {
            holder: text("/spec/holderIdentity").to_owned(),
            term: Term {
                lease: text("/metadata/uid").to_owned(),
                number: number("/spec/leaseTransitions"),
            },
            version: text("/metadata/resourceVersion").to_owned(),
            duration: Duration::from_secs(u64::try_from(number("/spec/leaseDurationSeconds")).unwrap_or(0)),
        }
    }
}

struct Candidate {
    cluster: Cluster,
    settings: ElectionSettings,
    leadership: Leadership,
    events: mpsc::Sender<Event>,
    /// Another's lease, and since when it is seen unchanged.
    seen: Option<(Known, Instant)>,
    /// The term in which we lead.
    term: Option<Term>,
    /// The highest number of a term that was seen: the next one is higher, also when somebody deletes the Lease.
    last: i64,
    /// What was said to be wrong last.
    failure: String,
}

impl Candidate {
    async fn run(mut self) {
        loop {
            let begun = Instant::now();
            // Short enough that one request that hangs does not cost the lead.
            let patience = (self.settings.renew_deadline / 3).max(self.settings.retry);
            let outcome = match timeout(patience, self.attempt(begun)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(WriteError::OutcomeUnknown(format!(
                    "nothing within {} s",
                    patience.as_secs_f32()
                ))),
            };
            let term = match outcome {
                Ok(term) => {
                    self.failure.clear();
                    term
                }
                Err(error) => {
                    let failure = error.to_string();
                    if failure != self.failure {
                        tracing::warn!(lease = self.settings.name, error = failure, "cannot be read or written");
                        self.failure = failure;
                    }
                    // Until its time is over it is still ours.
                    self.term.clone().filter(|_| self.leadership.holds())
                }
            };
            if !self.lead(term).await {
                return;
            }
            sleep(self.settings.retry).await;
        }
    }

    /// Looks at the lease, renews or takes it. Gives the term in which we lead.
    async fn attempt(&mut self, begun: Instant) -> Result<Option<Term>, WriteError> {
        let (key, kind) = lease(&self.settings.namespace, &self.settings.name);
        let live = self.cluster.observe(&key, &kind).await?;
        let Some(live) = live else {
            return self.take(begun, json!({"metadata": {}, "spec": {}})).await;
        };
        let known = Known::of(&live);
        self.last = self.last.max(known.term.number);
        if known.holder == self.settings.identity && self.term.as_ref() == Some(&known.term) {
            return self.renew(begun, *live).await;
        }
        // Of our own name, and not of this process: nobody else has that name, so that one is gone.
        if known.holder.is_empty() || known.holder == self.settings.identity || self.has_expired(&known, begun) {
            return self.take(begun, *live).await;
        }
        Ok(None)
    }

    /// Was it seen unchanged for as long as it is good?
    fn has_expired(&mut self, known: &Known, now: Instant) -> bool {
        match &self.seen {
            Some((seen, since)) if seen == known => now.duration_since(*since) >= known.duration,
            _ => {
                self.seen = Some((known.clone(), now));
                false
            }
        }
    }

    /// Begins a term of our own.
    async fn take(&mut self, begun: Instant, mut object: Value) -> Result<Option<Term>, WriteError> {
        object["spec"]["acquireTime"] = json!(micro_time());
        object["spec"]["leaseTransitions"] = json!(self.last + 1);
        self.renew(begun, object).await
    }

    /// Writes it as ours, over the version that was read. Somebody who was faster leads.
    async fn renew(&mut self, begun: Instant, mut object: Value) -> Result<Option<Term>, WriteError> {
        let settings = &self.settings;
        object["apiVersion"] = json!("coordination.k8s.io/v1");
        object["kind"] = json!("Lease");
        object["metadata"]["namespace"] = json!(settings.namespace);
        object["metadata"]["name"] = json!(settings.name);
        object["spec"]["holderIdentity"] = json!(settings.identity);
        object["spec"]["leaseDurationSeconds"] = json!(settings.duration.as_secs());
        object["spec"]["renewTime"] = json!(micro_time());
        match write(&self.cluster, object).await {
            Ok(written) => {
                let term = Known::of(&written).term;
                self.last = self.last.max(term.number);
                let until = begun + self.settings.renew_deadline;
                self.leadership.set(Some((term.clone(), until)));
                Ok(Some(term))
            }
            Err(WriteError::Conflict(_)) => Ok(self.term.clone().filter(|_| self.leadership.holds())),
            Err(error) => Err(error),
        }
    }

    /// Says what changed; `false` when nobody listens any more.
    async fn lead(&mut self, term: Option<Term>) -> bool {
        if self.term == term {
            return !self.events.is_closed();
        }
        self.term.clone_from(&term);
        if term.is_none() {
            self.leadership.set(None);
        }
        let number = term.as_ref().map(|term| term.number);
        let fence = term.map(|term| Fence {
            namespace: self.settings.namespace.clone(),
            name: self.settings.name.clone(),
            holder: self.settings.identity.clone(),
            lease: term.lease,
            term: term.number,
        });
        tracing::info!(
            lease = self.settings.name,
            identity = self.settings.identity,
            term = number,
            "leads: {}",
            fence.is_some()
        );
        let leads = fence.is_some();
        self.events
            .send(Event::LeadershipChanged { leads, fence })
            .await
            .is_ok()
    }
}

impl Cluster {
    /// Is the lease of a permit still held? Asked of the control cluster, right before the DELETE.
    pub async fn holds_fence(&self, permit: &DeletePermit) -> Result<(), WriteError> {
        let Some(fence) = permit.fence() else { return Ok(()) };
        let (key, kind) = lease(&fence.namespace, &fence.name);
        let live = self.observe(&key, &kind).await?;
        permit
            .check_lease(live.as_deref())
            .map_err(|lost| WriteError::Transient(lost.to_string()))
    }
}

fn lease(namespace: &str, name: &str) -> (ResourceKey, GroupVersionKind) {
    (
        ResourceKey::new("coordination.k8s.io", "Lease", namespace, name),
        GroupVersionKind::from_api_version("coordination.k8s.io/v1", "Lease"),
    )
}

/// Creates a Lease that has no version, and replaces exactly the version that it has.
async fn write(cluster: &Cluster, object: Value) -> Result<Box<Value>, WriteError> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (key, gvk) = lease(text("/metadata/namespace"), text("/metadata/name"));
    let mode = match text("/metadata/resourceVersion") {
        "" => ApplyMode::Create,
        version => ApplyMode::Replace {
            resource_version: version.to_owned(),
        },
    };
    let task = ApplyTask {
        cluster: cluster.id().clone(),
        key,
        gvk,
        object: Blob::new(&object),
        mode,
        dry_run: DryRun::No,
        validate: true,
        recreate: false,
    };
    cluster.apply(&task).await
}

/// Now, as a Lease spells it. For people: nothing is decided by it.
fn micro_time() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = Timestamp::from_seconds(i64::try_from(now.as_secs()).unwrap_or(i64::MAX)).to_string();
    format!("{}.{:06}Z", seconds.trim_end_matches('Z'), now.subsec_micros())
}
