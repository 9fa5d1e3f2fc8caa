//! Where pure computations run.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

/// Runs computations beside the runtime's own threads, a bounded number at once; or on the spot.
#[derive(Clone, Debug)]
pub(crate) enum Pool {
    /// On the spot: the order of a run is the same every time.
    Inline,
    /// On tokio's blocking threads.
    Threads(Arc<Semaphore>),
}

impl Pool {
    pub(crate) fn threads(count: usize) -> Self {
        Self::Threads(Arc::new(Semaphore::new(count.max(1))))
    }

    /// Runs `compute`; on the spot when it is `tiny`, so that it costs no thread. A panic in it goes on here.
    pub(crate) async fn run<T: Send + 'static>(&self, tiny: bool, compute: impl FnOnce() -> T + Send + 'static) -> T {
        let Self::Threads(places) = self else { return compute() };
        if tiny {
            return compute();
        }
        // Closed never: nobody closes it.
        let _place = places.clone().acquire_owned().await;
        match tokio::task::spawn_blocking(compute).await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime shuts down: nobody will look at the result.
                Err(_) => std::future::pending().await,
            },
        }
    }

    /// Runs `compute`, and `stop` when it takes longer than `limit`: it is to end soon after. On the spot nothing stops it, since the time
    /// of a simulation stands still meanwhile.
    pub(crate) async fn run_within<T: Send + 'static>(
        &self,
        limit: Duration,
        compute: impl FnOnce() -> T + Send + 'static,
        stop: impl FnOnce(),
    ) -> T {
        let mut running = pin!(self.run(false, compute));
        if matches!(self, Self::Inline) {
            return running.await;
        }
        match tokio::time::timeout(limit, &mut running).await {
            Ok(done) => done,
            Err(_) => {
                stop();
                running.await
            }
        }
    }
}
