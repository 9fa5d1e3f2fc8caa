//! What time it is.

use std::time::{Duration, SystemTime};

use capstan_model::Timestamp;
use tokio::time::Instant;

/// Wall-clock time that follows tokio's clock from a given start: it stands still when that is paused, and never jumps back.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    wall: Timestamp,
    start: Instant,
}

impl Clock {
    /// Now is what the machine says it is.
    pub fn system() -> Self {
        let since_epoch = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Self::starting_at(Timestamp::from_millis(
            i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX),
        ))
    }

    /// Now is `wall`.
    pub fn starting_at(wall: Timestamp) -> Self {
        Self {
            wall,
            start: Instant::now(),
        }
    }

    /// The time, in whole milliseconds.
    pub fn now(&self) -> Timestamp {
        self.wall + self.start.elapsed()
    }

    /// When tokio's clock shows `time`; a time before the start is the start.
    pub fn instant(&self, time: Timestamp) -> Instant {
        // Farther away than tokio's timers reach is as good as never.
        let distance = time.since(self.wall).min(Duration::from_secs(366 * 24 * 3600));
        self.start + distance
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn follows_the_paused_clock() {
        let clock = Clock::starting_at(Timestamp::from_seconds(1000));
        let noon = Timestamp::from_millis(1_002_500);
        tokio::time::sleep_until(clock.instant(noon)).await;
        assert_eq!(clock.now(), noon);
        assert!(clock.instant(Timestamp::from_seconds(1)) <= Instant::now());
    }
}
