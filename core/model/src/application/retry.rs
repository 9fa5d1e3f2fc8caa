//! `spec.syncPolicy.retry`: when a sync that failed is tried again.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::parse_duration;

/// `spec.syncPolicy.retry`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RetryStrategy {
    /// Attempts after the first; −1 for ever, 0 none.
    pub limit: i64,
    /// How long between them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff: Option<Backoff>,
    /// Resolve the revision again at every retry.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub refresh: bool,
}

/// `retry.backoff`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Backoff {
    /// First wait, in Go's notation; `5s` when empty.
    pub duration: String,
    /// Growth; 2 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub factor: Option<i64>,
    /// Longest wait; `3m` when empty, none when zero.
    pub max_duration: String,
}

/// No wait is longer: a year, which is long past the end of every sync.
const LONGEST_WAIT: Duration = Duration::from_secs(365 * 24 * 3600);

impl Backoff {
    /// The wait before attempt `retry` (1 is the first retry).
    pub fn wait(&self, retry: u32) -> Duration {
        let first = parse_duration(&self.duration).unwrap_or(Duration::from_secs(5));
        let longest = parse_duration(&self.max_duration).unwrap_or(Duration::from_secs(180));
        let longest = if longest.is_zero() { LONGEST_WAIT } else { longest };
        let factor = u32::try_from(self.factor.unwrap_or(2).max(1)).unwrap_or(u32::MAX);
        let growth = factor.saturating_pow(retry.saturating_sub(1).min(30));
        first.saturating_mul(growth).min(longest).min(LONGEST_WAIT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_grows_to_its_cap() {
        let waits: Vec<u64> = (1..8).map(|n| Backoff::default().wait(n).as_secs()).collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 180]);
        let endless = Backoff {
            duration: "2h".into(),
            factor: Some(i64::MAX),
            max_duration: "0".into(),
        };
        assert_eq!(
            [1, 2, u32::MAX].map(|n| endless.wait(n)),
            [Duration::from_secs(7200), LONGEST_WAIT, LONGEST_WAIT]
        );
    }
}
