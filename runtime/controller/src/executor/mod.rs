//! Effects, carried out: one file each.

mod access;
mod apply;
mod compare;
mod delete;
mod descent;
mod finalizer;
mod observe;
mod patch;
mod pool;
mod render;
mod render_cache;
mod resolve;

use std::collections::BTreeMap;
use std::sync::Arc;

use capstan_engine::compare::{PairVerdict, Verdict};
use capstan_engine::effect::{DryRun, EffectKind, Propagation};
use capstan_engine::event::{SourceFailure, WriteError};
use capstan_engine::guard::DeletePermit;
use capstan_engine::{Event, Outcome};
use capstan_kubernetes::{Cluster, Keeper, Leadership, LiveWatches};
use capstan_model::{ApplicationId, ClusterId, Identity};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::{Semaphore, mpsc};

use self::access::Access;
pub(crate) use self::pool::Pool;
use self::render_cache::RenderCache;
use crate::driver::Execute;
use crate::renderer::Renderer;
use crate::sources::SourceProvider;

/// Between two waves with `guards: argo`: Argo CD's own pause.
const WAVE_PAUSE: std::time::Duration = std::time::Duration::from_secs(2);

/// One cluster that is written to.
struct Destination {
    cluster: Cluster,
    watches: LiveWatches,
    /// Requests that may be on their way at once.
    requests: Arc<Semaphore>,
}

/// What stands between a write and the cluster.
pub(crate) struct Precautions {
    /// Keeps what is deleted.
    pub(crate) keeper: Keeper,
    /// Whether this replica leads. `None`: there is no election.
    pub(crate) leadership: Option<Leadership>,
    /// Nothing is deployed with the controller's own rights.
    pub(crate) impersonates: bool,
}

/// Carries effects out on real clusters and sources.
pub(crate) struct Executor {
    destinations: BTreeMap<ClusterId, Destination>,
    control: Cluster,
    precautions: Precautions,
    shared: Arc<Shared>,
}

/// What effects on their way have in common.
struct Shared {
    sources: Arc<dyn SourceProvider>,
    renderer: Arc<dyn Renderer>,
    pool: Pool,
    renders: RenderCache,
}

impl Executor {
    /// `control` is the cluster with the Applications, and for now the only destination.
    pub(crate) fn new(
        control: Cluster,
        sources: Arc<dyn SourceProvider>,
        renderer: Arc<dyn Renderer>,
        pool: Pool,
        events: mpsc::Sender<Event>,
        requests_in_flight: usize,
        precautions: Precautions,
    ) -> Self {
        let destination = Destination {
            watches: LiveWatches::start(control.clone(), events),
            cluster: control.clone(),
            requests: Arc::new(Semaphore::new(requests_in_flight.max(1))),
        };
        Self {
            destinations: BTreeMap::from([(control.id().clone(), destination)]),
            control,
            precautions,
            shared: Arc::new(Shared {
                sources,
                renderer,
                pool,
                renders: RenderCache::default(),
            }),
        }
    }

    /// The cluster, and a place among its requests.
    fn destination(&self, id: &ClusterId) -> Result<(Cluster, Arc<Semaphore>), WriteError> {
        match self.destinations.get(id) {
            Some(destination) => Ok((destination.cluster.clone(), destination.requests.clone())),
            None => Err(WriteError::Invalid(format!(
                "cluster {id} is not known to this controller: it manages {} only",
                self.control.id()
            ))),
        }
    }

    fn deploy(&self, identity: Option<Identity>) -> Access {
        Access::deploy(identity, self.precautions.impersonates)
    }

    fn on_cluster<T, F, R>(
        &self,
        id: &ClusterId,
        access: Access,
        outcome: fn(Result<T, WriteError>) -> Outcome,
        request: R,
    ) -> BoxFuture<'static, Outcome>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, WriteError>> + Send + 'static,
        R: FnOnce(Cluster) -> F + Send + 'static,
    {
        let (cluster, requests) = match self.destination(id) {
            Ok(found) => found,
            Err(error) => return futures::future::ready(outcome(Err(error))).boxed(),
        };
        // Of the term in which it is asked for: it may come to its turn in another.
        let leadership = self.precautions.leadership.as_ref().filter(|_| access != Access::Read);
        let cluster = match leadership {
            Some(leadership) => cluster.mandated(leadership.mandate()),
            None => cluster,
        };
        let cluster = match access {
            Access::Read | Access::Record => cluster,
            Access::Deploy(Ok(identity)) => cluster.acting_as(identity),
            Access::Deploy(Err(error)) => return futures::future::ready(outcome(Err(error))).boxed(),
        };
        async move {
            // Closed never: the executor does not close it.
            let _place = requests.acquire_owned().await;
            outcome(request(cluster).await)
        }
        .boxed()
    }
}

impl Executor {
    fn delete(
        &self,
        id: &ClusterId,
        access: Access,
        permit: Box<DeletePermit>,
        propagation: Propagation,
    ) -> BoxFuture<'static, Outcome> {
        let (keeper, control) = (self.precautions.keeper.clone(), self.control.clone());
        self.on_cluster(id, access, Outcome::Deleted, move |cluster| {
            delete::delete(cluster, permit, propagation, keeper, control)
        })
    }

    /// What is seldom asked for: fields that are handed over, Argo CD's finalizers, and what only `guards: argo` wants.
    fn execute_rare(&self, identity: Option<Identity>, kind: EffectKind) -> BoxFuture<'static, Outcome> {
        match kind {
            EffectKind::MigrateFields {
                cluster,
                key,
                gvk,
                from,
            } => self.on_cluster(&cluster, self.deploy(identity), Outcome::Patched, |cluster| {
                apply::migrate_fields(cluster, key, gvk, from)
            }),
            EffectKind::RemoveFinalizer {
                cluster,
                key,
                gvk,
                uid,
                finalizer,
            } => self.on_cluster(&cluster, self.deploy(identity), Outcome::Patched, |cluster| {
                finalizer::remove(cluster, key, gvk, uid, finalizer)
            }),
            EffectKind::Pause { is_last, .. } => pause(is_last).boxed(),
            // Configured, not executed: the driver never asks.
            _ => futures::future::pending().boxed(),
        }
    }
}

impl Execute for Executor {
    fn execute(
        &self,
        application: ApplicationId,
        identity: Option<Identity>,
        kind: EffectKind,
    ) -> BoxFuture<'static, Outcome> {
        let shared = self.shared.clone();
        let control = self.control.id();
        match kind {
            EffectKind::ResolveRevision { sources, freshness } => {
                async move { Outcome::Resolved(resolve::resolve(&*shared.sources, &sources, freshness).await) }.boxed()
            }
            EffectKind::TraceDescent { steps } => {
                async move { Outcome::Descent(descent::trace(&*shared.sources, &steps).await) }.boxed()
            }
            EffectKind::Render(task) => {
                async move { Outcome::Rendered(render::render(&shared, application, *task).await) }.boxed()
            }
            EffectKind::Compare(task) => {
                async move { Outcome::Compared(compare::compare(&shared.pool, *task).await) }.boxed()
            }
            EffectKind::Apply(task) => {
                let cluster = task.cluster.clone();
                self.on_cluster(&cluster, self.deploy(identity), Outcome::Applied, |cluster| {
                    apply::apply(cluster, task)
                })
            }
            EffectKind::Delete {
                cluster,
                permit,
                propagation,
            } => self.delete(&cluster, self.deploy(identity), permit, propagation),
            EffectKind::Observe { cluster, key, gvk } => {
                self.on_cluster(&cluster, Access::Read, Outcome::Observed, |cluster| {
                    observe::observe(cluster, key, gvk)
                })
            }
            EffectKind::PatchApplication { uid, patch } => {
                self.on_cluster(control, Access::Record, Outcome::Patched, |cluster| {
                    patch::application(cluster, application, uid, patch)
                })
            }
            EffectKind::PatchStatus { uid, patch, version } => {
                self.on_cluster(control, Access::Record, Outcome::Patched, |cluster| {
                    patch::status(cluster, application, uid, patch, version)
                })
            }
            kind => self.execute_rare(identity, kind),
        }
    }

    fn configure(&mut self, kind: EffectKind) {
        let EffectKind::WatchKinds { cluster, kinds } = kind else {
            return;
        };
        match self.destinations.get(&cluster) {
            Some(destination) => destination.watches.want(kinds),
            None => tracing::warn!(%cluster, "is not known, and not watched"),
        }
    }

    fn lead(&self, leads: bool) {
        self.precautions.keeper.lead(leads);
    }

    fn forget(&self, application: &ApplicationId) {
        self.shared.renders.forget(application);
    }
}

/// Between two waves; what comes after the last one waits for nobody.
async fn pause(is_last: bool) -> Outcome {
    if !is_last {
        tokio::time::sleep(WAVE_PAUSE).await;
    }
    Outcome::Paused(Ok(()))
}

/// The outcome of an effect that ended in a panic: a failure of its kind.
pub(crate) struct Fallback(fn(&Self, String) -> Outcome, Vec<PairVerdict>);

impl Fallback {
    pub(crate) fn of(kind: &EffectKind) -> Self {
        let plain: fn(&Self, String) -> Outcome = match kind {
            EffectKind::ResolveRevision { .. } => |_, message| Outcome::Resolved(Err(source_failure(message))),
            EffectKind::TraceDescent { .. } => |_, message| Outcome::Descent(Err(source_failure(message))),
            EffectKind::Render(_) => |_, message| Outcome::Rendered(Err(source_failure(message))),
            EffectKind::Compare(task) => {
                let pairs = task.pairs.iter().map(|pair| PairVerdict {
                    key: pair.key.clone(),
                    desired: pair.desired.digest(),
                    live: pair.live.digest(),
                    verdict: Verdict::Failed(String::new()),
                });
                return Self(Self::verdicts, pairs.collect());
            }
            EffectKind::Apply(_) => |_, message| Outcome::Applied(Err(WriteError::OutcomeUnknown(message))),
            EffectKind::Delete { .. } => |_, message| Outcome::Deleted(Err(WriteError::OutcomeUnknown(message))),
            EffectKind::Observe { .. } => |_, message| Outcome::Observed(Err(WriteError::Transient(message))),
            EffectKind::Pause { .. } => |_, message| Outcome::Paused(Err(message)),
            EffectKind::RemoveFinalizer { .. }
            | EffectKind::MigrateFields { .. }
            | EffectKind::PatchApplication { .. }
            | EffectKind::PatchStatus { .. }
            | EffectKind::WatchKinds { .. } => |_, message| Outcome::Patched(Err(WriteError::OutcomeUnknown(message))),
        };
        Self(plain, Vec::new())
    }

    pub(crate) fn outcome(&self, message: &str) -> Outcome {
        self.0(self, format!("internal error: {message}; please report it"))
    }

    #[expect(clippy::needless_pass_by_value, reason = "one signature for every kind of effect")]
    fn verdicts(&self, message: String) -> Outcome {
        let failed = self.1.iter().cloned().map(|mut pair| {
            pair.verdict = Verdict::Failed(message.clone());
            pair
        });
        Outcome::Compared(failed.collect())
    }
}

fn source_failure(message: String) -> SourceFailure {
    SourceFailure {
        message,
        transient: false,
    }
}

/// Label of metrics and logs.
pub(crate) fn effect_name(kind: &EffectKind) -> &'static str {
    match kind {
        EffectKind::ResolveRevision { .. } => "ResolveRevision",
        EffectKind::TraceDescent { .. } => "TraceDescent",
        EffectKind::Render(_) => "Render",
        EffectKind::Compare(_) => "Compare",
        EffectKind::Apply(task) if task.dry_run != DryRun::No => "DryRun",
        EffectKind::Apply(_) => "Apply",
        EffectKind::Delete { .. } => "Delete",
        EffectKind::Observe { .. } => "Observe",
        EffectKind::RemoveFinalizer { .. } => "RemoveFinalizer",
        EffectKind::MigrateFields { .. } => "MigrateFields",
        EffectKind::Pause { .. } => "Pause",
        EffectKind::PatchApplication { .. } => "PatchApplication",
        EffectKind::PatchStatus { .. } => "PatchStatus",
        EffectKind::WatchKinds { .. } => "WatchKinds",
    }
}

/// Label of metrics and logs.
pub(crate) fn outcome_name(outcome: &Outcome) -> &'static str {
    let written = |error: Option<&WriteError>| error.map_or("Ok", WriteError::name);
    let sourced = |error: Option<&SourceFailure>| match error {
        None => "Ok",
        Some(error) if error.transient => "Transient",
        Some(_) => "Invalid",
    };
    match outcome {
        Outcome::Resolved(result) => sourced(result.as_ref().err()),
        Outcome::Rendered(result) => sourced(result.as_ref().err()),
        Outcome::Descent(result) => sourced(result.as_ref().err()),
        Outcome::Compared(_) => "Ok",
        Outcome::Applied(result) => written(result.as_ref().err()),
        Outcome::Deleted(result) => written(result.as_ref().err()),
        Outcome::Observed(result) => written(result.as_ref().err()),
        Outcome::Patched(result) => written(result.as_ref().err()),
        Outcome::Paused(Ok(())) => "Ok",
        Outcome::Paused(Err(_)) => "Refused",
    }
}
