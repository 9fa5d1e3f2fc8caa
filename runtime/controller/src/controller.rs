//! The parts, put together.

use std::sync::Arc;
use std::time::Duration;

use capstan_engine::guard::Pause;
use capstan_engine::{Engine, Event, Settings};
use capstan_kubernetes::{
    Cluster, ControlWatches, Election, ElectionSettings, Keeper, Monitor, PauseWatch, SecretWatch,
};
use capstan_source::{AUTHORITIES_MAP, SECRET_TYPE_LABEL};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::driver::Driver;
use crate::executor::{Executor, Pool, Precautions};
use crate::handle::ControllerHandle;
use crate::metrics::Metrics;
use crate::poll;
use crate::read_model::ReadModel;
use crate::renderer::Renderer;
use crate::sources::SourceProvider;

/// Where renders and comparisons run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compute {
    /// In the driver's own thread, one after the other: a run is the same every time.
    Inline,
    /// On so many threads beside it.
    Threads(usize),
}

/// Settings of a controller.
#[derive(Clone, Debug)]
pub struct ControllerSettings {
    /// The engine's.
    pub engine: Settings,
    /// How often each repository is asked for news. Default 60 s.
    pub poll_interval: Duration,
    /// Events that may wait for the engine. Default 1024.
    pub event_queue: usize,
    /// How long what is deleted is kept for `undelete`; zero keeps nothing. Default 24 h.
    pub undelete_keep: Duration,
    /// Requests of effects that may be on their way to one cluster at once. Default 32.
    pub requests_in_flight: usize,
    /// Where renders and comparisons run. Default: as many threads as the machine has.
    pub compute: Compute,
    /// Which lease to lead by. Default none: whoever runs it sees to it that it is the only one.
    pub election: Option<ElectionSettings>,
}

impl Default for ControllerSettings {
    fn default() -> Self {
        Self {
            engine: Settings::default(),
            poll_interval: Duration::from_secs(60),
            event_queue: 1024,
            undelete_keep: Duration::from_secs(24 * 3600),
            requests_in_flight: 32,
            compute: Compute::Threads(std::thread::available_parallelism().map_or(2, usize::from)),
            election: None,
        }
    }
}

/// A controller that has not been started.
pub struct Controller {
    cluster: Cluster,
    sources: Arc<dyn SourceProvider>,
    renderer: Arc<dyn Renderer>,
    settings: ControllerSettings,
    clock: Clock,
    events: mpsc::Sender<Event>,
    inbox: mpsc::Receiver<Event>,
    model: Arc<ReadModel>,
    metrics: Arc<Metrics>,
}

impl std::fmt::Debug for Controller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Controller")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Controller {
    /// A controller of the Applications in `cluster`, which go to that cluster, too.
    pub fn new(
        cluster: Cluster,
        sources: Arc<dyn SourceProvider>,
        renderer: Arc<dyn Renderer>,
        settings: ControllerSettings,
        clock: Clock,
    ) -> Self {
        let (events, inbox) = mpsc::channel(settings.event_queue.max(2));
        let model = Arc::new(ReadModel::new(settings.engine.journal_capacity));
        let metrics = Arc::new(Metrics::new(model.clone(), cluster.requests().clone()));
        Self {
            cluster,
            sources,
            renderer,
            settings,
            clock,
            events,
            inbox,
            model,
            metrics,
        }
    }

    /// How to talk to it; works before it is started.
    pub fn handle(&self) -> ControllerHandle {
        ControllerHandle::new(self.events.clone(), self.model.clone(), self.metrics.clone())
    }

    /// Runs until `shutdown`; effects on their way may then end. Everything it does is done inside this future: dropping it is a
    /// crash.
    pub async fn run(self, shutdown: CancellationToken) {
        let Self {
            cluster,
            sources,
            renderer,
            settings,
            clock,
            events,
            inbox,
            model,
            metrics,
        } = self;
        tell_first(&events, settings.election.is_none());
        let election = settings.election.clone();
        let election = election.map(|election| Election::start(&cluster, election, &events));
        let _pause = PauseWatch::start(&cluster, &settings.engine.control_namespace, &events);
        let _secrets = watch_secrets(&cluster, &*sources, &settings.engine.control_namespace);
        let precautions = Precautions {
            keeper: keeper(&cluster, &settings, clock, &events),
            leadership: election.as_ref().map(Election::leadership),
            impersonates: settings.engine.impersonation,
        };
        let keeper = precautions.keeper.clone();
        let executor = Executor::new(
            cluster.clone(),
            sources.clone(),
            renderer,
            pool(&settings.compute),
            events.clone(),
            settings.requests_in_flight,
            precautions,
        );
        let engine = Engine::new(settings.engine);
        let driver = Driver::new(engine, executor, clock, inbox, model.clone(), metrics);
        let _monitor = Monitor::start(cluster.clone(), events.clone());
        let _control = ControlWatches::start(&cluster, &events);
        tokio::select! {
            biased;
            () = driver.run(shutdown) => {}
            () = keeper.expire() => {}
            () = poll::run(model, sources, events, settings.poll_interval) => {}
        }
        if let Some(election) = election {
            election.resign().await;
        }
    }
}

/// Credentials of repositories, where the sources want any.
fn watch_secrets(cluster: &Cluster, sources: &dyn SourceProvider, namespace: &str) -> Option<SecretWatch> {
    sources.secrets().map(|secrets| {
        secrets.expect();
        let labels = format!("{SECRET_TYPE_LABEL} in (repository,repo-creds)");
        SecretWatch::start(cluster, namespace, &labels, AUTHORITIES_MAP, move |seen| {
            secrets.tell(seen);
        })
    })
}

/// Where there is no election it leads. And until it is read, it is not known whether deletes are paused, and so they are. These are the first
/// things that the engine hears, since nothing else has been started.
fn tell_first(events: &mpsc::Sender<Event>, leads: bool) {
    let unread = Event::DeletesPaused(Pause::unknown("it has not been read yet"));
    for first in [Event::LeadershipChanged { leads, fence: None }, unread] {
        if events.try_send(first).is_err() {
            tracing::error!("the event queue is full before the start");
        }
    }
}

/// Keeps what is deleted beside the Applications.
fn keeper(cluster: &Cluster, settings: &ControllerSettings, clock: Clock, events: &mpsc::Sender<Event>) -> Keeper {
    let (namespace, keep_for) = (&settings.engine.control_namespace, settings.undelete_keep);
    Keeper::new(
        cluster.clone(),
        namespace,
        keep_for,
        move || clock.now(),
        events.clone(),
    )
}

fn pool(compute: &Compute) -> Pool {
    match compute {
        Compute::Inline => Pool::Inline,
        Compute::Threads(count) => Pool::threads(*count),
    }
}
