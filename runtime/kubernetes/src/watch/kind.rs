//! One kind of one cluster, listed and watched for as long as it is wanted.

use std::time::Duration;

use capstan_model::{GroupKind, GroupVersionKind};
use serde_json::Value;
use tokio::time::Instant;

use super::stream::{Line, Lines};
use crate::cluster::Cluster;
use crate::list::Form;
use crate::request::{Ask, RequestError};
use crate::table::Unaddressable;
use crate::url;

/// What is seen of a kind.
#[derive(Debug)]
pub(crate) enum Seen {
    /// All there is.
    Listed(Vec<Value>),
    /// Added or modified.
    Changed(Box<Value>),
    /// Deleted, as it last was.
    Gone(Box<Value>),
    /// Cannot be listed or watched at the moment.
    Unavailable(RequestError),
}

/// Nobody listens any more.
#[derive(Debug)]
pub(crate) struct Closed;

/// Where it goes.
pub(crate) trait Sink: Send {
    /// Waits while the listener is busy: back-pressure reaches the connection.
    fn take(&mut self, seen: Seen) -> impl Future<Output = Result<(), Closed>> + Send;
}

/// Which objects of a kind are followed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    /// Those of one namespace; of all when empty.
    pub(crate) namespace: String,
    /// The resource of a kind of the core group that every cluster serves: discovery need not have told it yet.
    pub(crate) core: Option<&'static str>,
    /// A label selector; none when empty.
    pub(crate) labels: String,
    /// A field selector; none when empty.
    pub(crate) fields: String,
}

/// Lists and watches `kind` until nobody listens.
///
/// After an ordinary end it goes on at the last version seen; after 410, however it comes, it lists again; after any other failure
/// it waits and goes on where it was (a list that failed is begun again). A failure that lasts is reported, and then only a new
/// list ends the report: whoever was told "unavailable" is told the whole again.
pub(crate) async fn follow(cluster: &Cluster, kind: &GroupKind, form: Form, sink: &mut impl Sink) -> Closed {
    follow_selected(cluster, kind, form, &Selection::default(), sink).await
}

/// As [`follow`], but not of everything.
pub(crate) async fn follow_selected(
    cluster: &Cluster,
    kind: &GroupKind,
    form: Form,
    selection: &Selection,
    sink: &mut impl Sink,
) -> Closed {
    let mut state = Follower {
        backoff: Backoff::new(cluster),
        failures: 0,
        cluster,
        kind,
        form,
        selection,
        version: None,
    };
    loop {
        match state.step(sink).await {
            Ok(()) => {}
            Err(Failure::Closed) => return Closed,
            Err(Failure::Request(error)) => {
                let (wait, report) = state.failed(&error);
                tracing::debug!(cluster = %cluster.id(), %kind, %error, ?wait, "watch failed");
                if report && sink.take(Seen::Unavailable(error)).await.is_err() {
                    return Closed;
                }
                tokio::time::sleep(wait).await;
            }
        }
    }
}

enum Failure {
    Closed,
    Request(RequestError),
}

impl From<RequestError> for Failure {
    fn from(error: RequestError) -> Self {
        Self::Request(error)
    }
}

impl From<Closed> for Failure {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}

struct Follower<'a> {
    cluster: &'a Cluster,
    kind: &'a GroupKind,
    form: Form,
    selection: &'a Selection,
    /// Version to go on from; `None` when a list is needed.
    version: Option<String>,
    backoff: Backoff,
    /// In a row.
    failures: u32,
}

impl Follower<'_> {
    /// One list, or one watch from its opening to its end.
    async fn step(&mut self, sink: &mut impl Sink) -> Result<(), Failure> {
        let (collection, gvk) = self.address()?;
        let Some(version) = self.version.clone() else {
            let listed = self.cluster.list(&collection, &gvk, self.form).await?;
            sink.take(Seen::Listed(listed.objects)).await?;
            self.failures = 0;
            self.version = Some(listed.resource_version);
            return Ok(());
        };
        let life = self.life();
        let mut url = collection;
        for (name, value) in [
            ("watch", "true"),
            ("allowWatchBookmarks", "true"),
            ("resourceVersion", &version),
            ("timeoutSeconds", &life.as_secs().to_string()),
        ] {
            url::push_query(&mut url, name, value);
        }
        let mut ask = Ask::read(url.clone());
        ask.accept = self.form.accept(false);
        let opened = Instant::now();
        let body = self.cluster.open("watch", self.kind, ask).await?;
        // The server ends the watch when its life is over. A little later nothing can come any more.
        let mut lines = Lines::new(body, url, life + SILENCE_MARGIN);
        let mut seen_any = false;
        while let Some(line) = lines.next().await? {
            seen_any = true;
            self.succeeded();
            self.deliver(line, sink).await?;
        }
        // A server that ends every watch at once must not be asked in a loop.
        match !seen_any && opened.elapsed() < SHORT_WATCH {
            true => tokio::time::sleep(self.backoff.next()).await,
            false => self.succeeded(),
        }
        Ok(())
    }

    async fn deliver(&mut self, line: Line, sink: &mut impl Sink) -> Result<(), Failure> {
        let (object, seen): (_, fn(Box<Value>) -> Seen) = match line {
            Line::Bookmark(object) => {
                self.advance(&object);
                return Ok(());
            }
            Line::Changed(object) => (object, Seen::Changed),
            Line::Gone(object) => (object, Seen::Gone),
        };
        let version = version(&object);
        sink.take(seen(object)).await?;
        if version.is_some() {
            self.version = version;
        }
        Ok(())
    }

    fn advance(&mut self, object: &Value) {
        if let Some(version) = version(object) {
            self.version = Some(version);
        }
    }

    /// URL and version at which the kind is watched now.
    fn address(&self) -> Result<(String, GroupVersionKind), RequestError> {
        let (mut collection, version) = match self.selection.core {
            Some(resource) => (self.core_collection(resource)?, "v1".to_owned()),
            None => self.discovered_collection()?,
        };
        for (parameter, selector) in [
            ("labelSelector", &self.selection.labels),
            ("fieldSelector", &self.selection.fields),
        ] {
            if !selector.is_empty() {
                url::push_query(&mut collection, parameter, selector);
            }
        }
        let gvk = GroupVersionKind {
            group: self.kind.group.clone(),
            version,
            kind: self.kind.kind.clone(),
        };
        Ok((collection, gvk))
    }

    fn core_collection(&self, resource: &str) -> Result<String, RequestError> {
        let mut collection = format!("{}/namespaces", url::group_version("", "v1"));
        url::push_segment(&mut collection, &self.selection.namespace).map_err(|error| RequestError::Impossible {
            reason: error.to_string(),
        })?;
        Ok(format!("{collection}/{resource}"))
    }

    fn discovered_collection(&self) -> Result<(String, String), RequestError> {
        let table = self.cluster.table();
        let version = match table.discovery.kinds.get(self.kind) {
            Some(served) => served.version.clone(),
            None => String::new(),
        };
        let impossible = |reason| RequestError::Impossible { reason };
        let collection = table.collection(self.kind, &version, &self.selection.namespace);
        let collection = collection.map_err(|error| match error {
            Unaddressable::NotServed(reason) | Unaddressable::Unknown(reason) | Unaddressable::Impossible(reason) => {
                impossible(reason)
            }
        })?;
        Ok((collection, version))
    }

    fn succeeded(&mut self) {
        self.failures = 0;
        self.backoff.reset();
    }

    /// What to do after a failure: how long to wait, and whether it is to be reported. Forgets the version when only a list helps.
    fn failed(&mut self, error: &RequestError) -> (Duration, bool) {
        self.failures = self.failures.saturating_add(1);
        let mut wait = self.backoff.next();
        if let RequestError::Status(status) = error {
            wait = status.retry_after.map_or(wait, |asked| asked.max(wait));
        }
        if error.is_expired() {
            self.version = None;
            return (wait, false);
        }
        // A list that failed leaves nothing to go on with; a watch is tried a few times before anybody is alarmed.
        let hopeless = matches!(error, RequestError::Impossible { .. })
            || matches!(error, RequestError::Status(status) if matches!(status.code, 400 | 401 | 403 | 404));
        let report = self.version.is_none() || hopeless || self.failures >= REPORTED_FAILURE;
        if report {
            self.version = None;
        }
        (wait, report)
    }

    /// How long this watch may live: kinds differ, so that they do not all come back at once.
    fn life(&self) -> Duration {
        let base = self.cluster.settings().watch_life;
        let spread = (base / 10).as_secs().max(1);
        let name = self.kind.to_string();
        let sum: u64 = name
            .bytes()
            .fold(7, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
        base + Duration::from_secs(sum % spread)
    }
}

const SILENCE_MARGIN: Duration = Duration::from_secs(10);
const SHORT_WATCH: Duration = Duration::from_secs(1);
/// A watch that cannot go on is reported at this failure in a row.
const REPORTED_FAILURE: u32 = 3;

fn version(object: &Value) -> Option<String> {
    let version = object.pointer("/metadata/resourceVersion")?.as_str()?;
    (!version.is_empty()).then(|| version.to_owned())
}

/// Doubling waits, without jitter: the same run has the same waits, and kinds are spread by their watches' lives.
struct Backoff {
    first: Duration,
    cap: Duration,
    next: Duration,
}

impl Backoff {
    fn new(cluster: &Cluster) -> Self {
        let settings = cluster.settings();
        Self {
            first: settings.backoff,
            cap: settings.backoff_cap,
            next: settings.backoff,
        }
    }

    fn next(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(self.cap);
        wait
    }

    fn reset(&mut self) {
        self.next = self.first;
    }
}
