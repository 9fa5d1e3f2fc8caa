//! Where pure computations run.

use std::sync::Arc;

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
}
