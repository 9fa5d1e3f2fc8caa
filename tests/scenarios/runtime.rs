//! The complete runtime over a world: watches, driver, executor and kube's client as in production, on a paused clock.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use capstan_controller::{Clock, Compute, Controller, ControllerHandle, ControllerSettings};
use capstan_kubernetes::{Cluster, ClusterSettings};
use capstan_model::ClusterId;
use capstan_sim::front_ends::{AnswerBody, Cluster as WorldCluster, WorldService};
use capstan_sim::scenario::{Mark, Note, Record, Stage};
use capstan_sim::{Registry, Request, Response};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::play::{BEFORE, Story, note, record};
use crate::sources::{Plain, Repositories};

/// A service whose answers take a while.
#[derive(Clone)]
struct Latency<S> {
    service: S,
    latency: Duration,
}

impl<S, B> tower::Service<http::Request<B>> for Latency<S>
where
    S: tower::Service<http::Request<B>, Response = http::Response<AnswerBody>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
    B: Send + 'static,
{
    type Response = http::Response<AnswerBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let (mut service, latency) = (self.service.clone(), self.latency);
        Box::pin(async move {
            tokio::time::sleep(latency).await;
            service.call(request).await
        })
    }
}

struct RuntimeStage<'a> {
    story: &'a Story,
    world: WorldCluster,
    repositories: Repositories,
    clock: Clock,
    running: Option<Running>,
    journal: Vec<Note>,
}

/// A controller that runs. Dropping it is a crash: every task of it ends where it waits.
struct Running {
    handle: ControllerHandle,
    _tasks: JoinSet<()>,
}

/// Plays a story to its end.
pub(crate) fn play(story: &Story) -> Record {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime can be made");
    runtime.block_on(run(story))
}

async fn run(story: &Story) -> Record {
    let epoch = story.scenario.world.epoch;
    let world = WorldCluster::new(story.world(), epoch - BEFORE);
    let mut actors = JoinSet::new();
    let driven = world.clone();
    actors.spawn(async move { driven.drive().await });
    let mut stage = RuntimeStage {
        story,
        world: world.clone(),
        repositories: Repositories::new(&story.scenario, &story.files),
        clock: Clock::starting_at(epoch - BEFORE),
        running: None,
        journal: Vec::new(),
    };
    story.install(&mut stage);
    tokio::time::sleep(BEFORE / 2).await;
    story.furnish(&mut stage);
    stage.sleep_until(epoch).await;
    stage.start();
    let mut marks = BTreeMap::from([("start".to_owned(), stage.mark("the controller starts".into()))]);
    for (index, (time, id, action)) in story.scenario.schedule().into_iter().enumerate() {
        stage.sleep_until(epoch + time.0).await;
        action
            .perform(&mut stage, &story.files)
            .unwrap_or_else(|error| panic!("timeline[{index}]: {error}"));
        let mark = stage.mark(action.to_string());
        marks.insert(id.unwrap_or_else(|| format!("timeline[{index}]")), mark);
    }
    stage.sleep_until(epoch + story.scenario.end.0).await;
    stage.note();
    drop(stage.running.take());
    let commits = stage.repositories.commits();
    world.with(|world| record(world, std::mem::take(&mut stage.journal), marks, commits))
}

impl RuntimeStage<'_> {
    async fn sleep_until(&self, time: capstan_model::Timestamp) {
        tokio::time::sleep_until(self.clock.instant(time)).await;
    }

    fn mark(&self, what: String) -> Mark {
        Mark {
            time: self.world.now(),
            position: self.world.with(|world| world.history().len()),
            what,
        }
    }

    /// A new process: over a new connection, with nothing known.
    fn start(&mut self) {
        let service = Latency {
            service: WorldService::new(self.world.clone()),
            latency: self.story.scenario.world.latency.0,
        };
        let cluster = Cluster::from_service(ClusterId::in_cluster(), service, ClusterSettings::default());
        let settings = ControllerSettings {
            poll_interval: self.story.scenario.world.poll.0,
            compute: Compute::Inline,
            ..ControllerSettings::default()
        };
        let sources = Arc::new(self.repositories.clone());
        let controller = Controller::new(cluster, sources, Arc::new(Plain), settings, self.clock);
        let handle = controller.handle();
        let mut tasks = JoinSet::new();
        tasks.spawn(controller.run(CancellationToken::new()));
        self.running = Some(Running { handle, _tasks: tasks });
    }

    fn note(&mut self) {
        if let Some(running) = &self.running {
            let entries = running.handle.journal_after(0);
            self.journal.extend(entries.iter().map(|entry| note(entry)));
        }
    }
}

impl Stage for RuntimeStage<'_> {
    fn request(&mut self, request: Request) -> Response {
        self.world.handle(request)
    }

    fn registry<T>(&self, look: impl FnOnce(&Registry) -> T) -> T {
        self.world.with(|world| look(world.snapshot().registry()))
    }

    fn push(&mut self, repository: &str, revision: &str) {
        self.repositories.push(repository, revision);
    }

    fn crash_controller(&mut self) {
        self.note();
        drop(self.running.take());
        self.start();
    }
}
