//! The world for programs that speak HTTP: as a tower service in the same process, and on a TCP port.
//!
//! One [`Cluster`] owns the world behind a lock. Time is the runtime's own clock counted from a given epoch, so a paused runtime gives
//! virtual time and a running one real time. Watches are streams that wait for the next commit or deadline; actors are driven by one
//! task. Nothing here decides anything: requests are translated, answers are written out.

mod body;
mod kubeconfig;
mod server;
mod service;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use capstan_model::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::request::{Request, Response};
use crate::world::{WatchPoll, World};

pub use body::AnswerBody;
pub use kubeconfig::{kubeconfig, write_kubeconfig};
pub use server::{ServeOptions, WorldServer};
pub use service::WorldService;

/// A world that is shared by connections, watches and the driver of its actors. Clones share it.
#[derive(Clone)]
pub struct Cluster {
    shared: Arc<Shared>,
}

struct Shared {
    world: Mutex<World>,
    /// The newest revision; moves with every commit.
    revision: watch::Sender<u64>,
    epoch: Timestamp,
    start: Instant,
}

impl Cluster {
    /// Shares `world`; the time now is `epoch`. Must be called inside a tokio runtime.
    pub fn new(world: World, epoch: Timestamp) -> Self {
        let (revision, _) = watch::channel(world.revision());
        Self {
            shared: Arc::new(Shared {
                world: Mutex::new(world),
                revision,
                epoch,
                start: Instant::now(),
            }),
        }
    }

    /// The time in the cluster.
    pub fn now(&self) -> Timestamp {
        self.shared.epoch + self.shared.start.elapsed()
    }

    /// The world itself, for what has no request: checkers, faults, actors. Other users wait meanwhile.
    pub fn with<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.world();
        let before = world.revision();
        let seen = look(&mut world);
        let after = world.revision();
        drop(world);
        if after != before {
            self.shared.revision.send_replace(after);
        }
        seen
    }

    /// Handles one request now.
    pub fn handle(&self, request: Request) -> Response {
        let now = self.now();
        self.with(|world| world.handle(now, request))
    }

    /// Drives the actors until the future is dropped: after every commit and at every deadline.
    pub async fn drive(&self) {
        let mut changed = self.shared.revision.subscribe();
        loop {
            changed.mark_unchanged();
            let now = self.now();
            let deadline = self.with(|world| {
                world.step(now);
                world.next_deadline()
            });
            let unsettled = self.with(|world| world.is_unsettled());
            if unsettled {
                tokio::task::yield_now().await;
                continue;
            }
            tokio::select! {
                biased;
                seen = changed.changed() => if seen.is_err() { return },
                () = self.sleep_until(deadline) => {}
            }
        }
    }

    async fn sleep_until(&self, deadline: Option<Timestamp>) {
        match deadline {
            Some(at) => tokio::time::sleep(at.since(self.now())).await,
            None => std::future::pending().await,
        }
    }

    /// A lock poisoned by a panic elsewhere still guards a world that is whole between requests.
    fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll_watch(&self, id: u64) -> WatchPoll {
        let now = self.now();
        self.world().watch_poll(now, id)
    }

    fn close_watch(&self, id: u64) {
        self.world().watch_close(id);
    }

    fn subscribe(&self) -> watch::Receiver<u64> {
        self.shared.revision.subscribe()
    }
}
