//! A connection to one cluster.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use capstan_model::{ClusterId, GroupKind, GroupVersionKind, Identity, ResourceKey};
use http::Method;
use kube::client::Body;
use tokio::sync::{Mutex, OnceCell, watch};
use tokio::time::Instant;

use crate::leadership::Mandate;
use crate::request::{Answer, Ask, RequestError, fetch, open};
use crate::table::{ApiTable, Unaddressable};
use crate::telemetry::RequestCounts;

/// Times and names of a connection.
#[derive(Clone, Debug)]
pub struct ClusterSettings {
    /// How long one read or write may take.
    pub deadline: Duration,
    /// How long a watch lives before it is opened again where it was; a fixed part of up to a tenth is added by kind.
    pub watch_life: Duration,
    /// Objects a page of a list.
    pub page: usize,
    /// First wait after a failed list or watch.
    pub backoff: Duration,
    /// Longest such wait.
    pub backoff_cap: Duration,
    /// Name under which fields are owned.
    pub field_manager: String,
    /// Something will be written as somebody else: who connects must not be somebody else already.
    pub impersonation: bool,
}

impl Default for ClusterSettings {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(30),
            watch_life: Duration::from_secs(290),
            page: 500,
            backoff: Duration::from_millis(250),
            backoff_cap: Duration::from_secs(30),
            field_manager: "capstan".into(),
            impersonation: false,
        }
    }
}

/// A connection to one cluster. Cloning shares it.
#[derive(Clone)]
pub struct Cluster {
    inner: Arc<Inner>,
    /// Under which it writes. `None`: it always may.
    mandate: Option<Mandate>,
    /// As whom it writes.
    identity: Identity,
}

struct Inner {
    id: ClusterId,
    client: kube::Client,
    settings: ClusterSettings,
    table: watch::Sender<Arc<ApiTable>>,
    /// When it was last discovered again because a kind was not known: not more often than once a second.
    rediscovered: Mutex<Option<Instant>>,
    requests: RequestCounts,
    /// Users as whom requests were seen.
    proofs: std::sync::Mutex<BTreeMap<String, Arc<OnceCell<()>>>>,
}

/// An unknown kind makes us look again, but not more often than this.
const REDISCOVERY_PAUSE: Duration = Duration::from_secs(1);

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster")
            .field("id", &self.inner.id)
            .finish_non_exhaustive()
    }
}

impl Cluster {
    /// A connection through `client`, which must not retry on its own.
    pub fn new(id: ClusterId, client: kube::Client, settings: ClusterSettings) -> Self {
        Self {
            inner: Arc::new(Inner {
                id,
                client,
                settings,
                table: watch::Sender::new(Arc::new(ApiTable::default())),
                rediscovered: Mutex::new(None),
                requests: RequestCounts::default(),
                proofs: std::sync::Mutex::default(),
            }),
            mandate: None,
            identity: Identity::Controller,
        }
    }

    /// The same connection, on which nothing is written any more when the mandate does not hold.
    pub fn mandated(&self, mandate: Mandate) -> Self {
        Self {
            inner: self.inner.clone(),
            mandate: Some(mandate),
            identity: self.identity.clone(),
        }
    }

    /// The same connection, on which everything that is written is written as somebody. Reads stay our own. Of a service account the API
    /// server knows the groups (`system:serviceaccounts`, those of its namespace, `system:authenticated`) and gives it exactly those where none
    /// are sent: sending them would need the right to impersonate groups, which is the right to be anybody.
    pub fn acting_as(&self, identity: Identity) -> Self {
        Self {
            inner: self.inner.clone(),
            mandate: self.mandate.clone(),
            identity,
        }
    }

    /// A connection through any service that answers as an API server does: the simulated cluster in process. Must be called inside
    /// the tokio runtime that uses it: kube starts a worker there.
    pub fn from_service<S, B>(id: ClusterId, service: S, settings: ClusterSettings) -> Self
    where
        S: tower::Service<http::Request<Body>, Response = http::Response<B>> + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<tower::BoxError>,
        B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
        B::Error: Into<tower::BoxError>,
    {
        Self::new(id, kube::Client::new(service, "default"), settings)
    }

    /// The same connection with other settings, such as another field manager. Discovers and counts on its own.
    pub fn under(&self, settings: ClusterSettings) -> Self {
        let other = Self::new(self.inner.id.clone(), self.inner.client.clone(), settings);
        other.set_table((*self.table()).clone());
        other
    }

    /// Which cluster.
    pub fn id(&self) -> &ClusterId {
        &self.inner.id
    }

    /// Its settings.
    pub fn settings(&self) -> &ClusterSettings {
        &self.inner.settings
    }

    /// Requests made so far.
    pub fn requests(&self) -> &RequestCounts {
        &self.inner.requests
    }

    /// What the cluster serves, as last discovered; empty before the first time.
    pub fn table(&self) -> Arc<ApiTable> {
        self.inner.table.borrow().clone()
    }

    pub(crate) fn table_changes(&self) -> watch::Receiver<Arc<ApiTable>> {
        self.inner.table.subscribe()
    }

    /// Replaces the table; tells the listeners only when it differs.
    pub(crate) fn set_table(&self, table: ApiTable) {
        self.inner.table.send_if_modified(|current| {
            let differs = **current != table;
            if differs {
                *current = Arc::new(table);
            }
            differs
        });
    }

    pub(crate) async fn fetch(&self, verb: &'static str, kind: &GroupKind, ask: Ask) -> Result<Answer, RequestError> {
        match &self.identity {
            Identity::ServiceAccount(account) if ask.method != Method::GET => {
                self.prove(account).await?;
                self.send(verb, kind, ask.acting_as(account)).await
            }
            _ => self.send(verb, kind, ask).await,
        }
    }

    /// Sends it as it is.
    pub(crate) async fn send(&self, verb: &'static str, kind: &GroupKind, ask: Ask) -> Result<Answer, RequestError> {
        let done = match self.withheld(&ask) {
            Some(error) => Err(error),
            None => fetch(&self.inner.client, ask, self.inner.settings.deadline).await,
        };
        let outcome = match &done {
            Ok(answer) => answer.code.as_u16().to_string(),
            Err(error) => error.label(),
        };
        self.inner.requests.add(verb, kind, outcome);
        done
    }

    /// Whether requests as this user were seen as that.
    pub(crate) fn proof(&self, user: &str) -> Arc<OnceCell<()>> {
        let mut proofs = self.inner.proofs.lock().unwrap_or_else(PoisonError::into_inner);
        proofs.entry(user.to_owned()).or_default().clone()
    }

    /// Why it is not sent, if it would write and must not.
    fn withheld(&self, ask: &Ask) -> Option<RequestError> {
        let is_over = self.mandate.as_ref().is_some_and(|mandate| !mandate.holds());
        (is_over && ask.method != Method::GET).then_some(RequestError::Withheld)
    }

    pub(crate) async fn open(&self, verb: &'static str, kind: &GroupKind, ask: Ask) -> Result<Body, RequestError> {
        let done = open(&self.inner.client, ask, self.inner.settings.deadline).await;
        let outcome = match &done {
            Ok(_) => "200".to_owned(),
            Err(error) => error.label(),
        };
        self.inner.requests.add(verb, kind, outcome);
        done
    }

    /// URL of one object. A kind that is not known makes the cluster be discovered again, once.
    pub(crate) async fn object_url(&self, key: &ResourceKey, gvk: &GroupVersionKind) -> Result<String, Unaddressable> {
        match self.table().object(key, gvk) {
            Err(Unaddressable::NotServed(_) | Unaddressable::Unknown(_)) if self.rediscover().await => {
                self.table().object(key, gvk)
            }
            found => found,
        }
    }

    /// Discovers again because something was not found; `false` when that was done a moment ago, or failed.
    pub(crate) async fn rediscover(&self) -> bool {
        let mut last = self.inner.rediscovered.lock().await;
        if last.is_some_and(|last| last.elapsed() < REDISCOVERY_PAUSE) {
            return false;
        }
        let done = self.discover().await;
        *last = Some(Instant::now());
        if let Err(error) = &done {
            tracing::warn!(cluster = %self.inner.id, %error, "discovery failed");
        }
        done.is_ok()
    }
}
