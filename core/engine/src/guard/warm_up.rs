//! After a start, and after leadership changed, nothing is deleted automatically before the same was seen twice.
//!
//! Prevents: prunes that a controller derived from a view that was still filling up after its restart. That every list is complete is held
//! by type; this is the second line: what is to be pruned must have been the same for a while, in this process.

use std::time::Duration;

use capstan_model::{Digest, Timestamp};

/// What an application's prunes are, looked at again and again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum WarmUp {
    /// Nothing was seen completely yet.
    #[default]
    Cold,
    /// The same is to be pruned since then.
    Steady { of: Digest, since: Timestamp },
    /// Two looks so far apart agreed: over, for this process.
    Warm,
}

impl WarmUp {
    /// Another look: what is to be pruned, or that something was not seen completely.
    pub(crate) fn look(self, now: Timestamp, doomed: Option<Digest>, apart: Duration) -> Self {
        match (self, doomed) {
            (Self::Warm, _) => Self::Warm,
            (_, None) => Self::Cold,
            // Nothing happened in between, or this would have been called: it was the same all the time.
            (Self::Steady { since, .. }, _) if now.since(since) >= apart => Self::Warm,
            (Self::Steady { of, since }, Some(doomed)) if of == doomed => Self::Steady { of, since },
            (_, Some(of)) => Self::Steady { of, since: now },
        }
    }

    /// Until when deletes wait; `None` when they do not. Cold, there is no saying.
    pub(crate) fn until(self, apart: Duration) -> Option<Timestamp> {
        match self {
            Self::Steady { since, .. } => Some(since + apart),
            Self::Cold | Self::Warm => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const APART: Duration = Duration::from_secs(10);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn digest(text: &str) -> Option<Digest> {
        Some(Digest::of_bytes(text.as_bytes()))
    }

    #[test]
    fn the_same_for_a_while_and_then_for_good() {
        let steady = WarmUp::default().look(at(100), digest("a"), APART);
        assert_eq!(steady.until(APART), Some(at(110)));
        assert_eq!(steady.look(at(109), digest("a"), APART), steady);
        let warm = steady.look(at(110), digest("a"), APART);
        assert_eq!(warm, WarmUp::Warm);
        assert_eq!(warm.look(at(111), digest("b"), APART), WarmUp::Warm);
        assert_eq!(warm.look(at(111), None, APART), WarmUp::Warm);
    }

    #[test]
    fn another_sight_or_a_gap_begins_anew() {
        let steady = WarmUp::default().look(at(100), digest("a"), APART);
        assert_eq!(steady.look(at(105), digest("b"), APART).until(APART), Some(at(115)));
        assert_eq!(steady.look(at(105), None, APART), WarmUp::Cold);
    }
}
