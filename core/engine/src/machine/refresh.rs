//! Where an application's desired objects are in being found out.

use capstan_model::Timestamp;

use crate::event::SourceFailure;
use crate::sabotage::{self, Sabotage};

/// The refresh of one application.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Refresh {
    /// Nothing was asked for yet. Left by the first refresh.
    Fresh,
    /// The commits are asked for. Left by the answer. What failed last time holds until then: asking again is no news.
    ResolvingRevision { failure: Option<String> },
    /// The objects are being made. Left by the answer.
    Rendering { failure: Option<String> },
    /// The objects are known. Left when something changes.
    Compared,
    /// Could not be done: the last good objects stay. Left when something changes, or at `until` where waiting may help.
    Failed {
        message: String,
        attempts: u32,
        until: Option<Timestamp>,
    },
}

impl Refresh {
    /// The name of the state, for the journal.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Fresh => "Fresh",
            Self::ResolvingRevision { .. } => "ResolvingRevision",
            Self::Rendering { .. } => "Rendering",
            Self::Compared => "Compared",
            Self::Failed { .. } => "Failed",
        }
    }

    /// After a failure. `previous` tells how often before.
    pub(crate) fn failed(
        previous: u32,
        failure: &SourceFailure,
        now: Timestamp,
        first: std::time::Duration,
        cap: std::time::Duration,
    ) -> Self {
        let attempts = previous + 1;
        let wait = first.saturating_mul(1 << previous.min(16)).min(cap);
        Self::Failed {
            message: failure.message.clone(),
            attempts,
            // A broken template does not mend by itself: only a change of the source or of the application helps.
            until: failure.transient.then(|| now + wait),
        }
    }

    pub(crate) fn failure(&self) -> Option<&str> {
        match self {
            Self::Failed { message, .. } => Some(message),
            Self::ResolvingRevision { failure } | Self::Rendering { failure } => {
                failure.as_deref().filter(|_| !sabotage::is(Sabotage::ForgetsFailure))
            }
            Self::Fresh | Self::Compared => None,
        }
    }
}
