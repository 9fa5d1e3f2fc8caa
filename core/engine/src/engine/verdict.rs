//! The verdict and the health of an application, as far as they may be told.
//!
//! **Invariant.** A verdict goes with the commit that it is on: while what is desired is being compared, the one before stays told, and of what
//! it was.

use capstan_model::{ComparedTo, HealthStatus, HealthStatusCode, SyncStatus, SyncStatusCode, Timestamp};

use super::gate::Gate;
use super::operation::clipped;
use super::state::ApplicationState;

/// The verdict and the health that may be told now.
pub(super) fn verdicts(app: &ApplicationState, gate: &Gate) -> (SyncStatusCode, HealthStatus) {
    match gate {
        Gate::Open(_) if app.assessment.settled => (app.assessment.sync, app.assessment.health.clone()),
        Gate::Open(_) => (app.told.0, HealthStatus::new(app.told.1, "")),
        Gate::Waiting(_) | Gate::Refused(_) => (
            SyncStatusCode::Unknown,
            HealthStatus::new(HealthStatusCode::Unknown, ""),
        ),
    }
}

/// How far a rollout is would be written with every pod; what is wrong is written once.
pub(super) fn told_health(health: &HealthStatus, app: &ApplicationState) -> HealthStatus {
    let message = match health.status {
        HealthStatusCode::Degraded => clipped(&health.message),
        _ => String::new(),
    };
    HealthStatus {
        status: health.status,
        message,
        last_transition_time: app.health_since.map(Timestamp::truncated),
    }
}

/// The verdict with what it is on; `said` is what the resource says of that.
pub(super) fn told_sync(app: &ApplicationState, gate: &Gate, status: SyncStatusCode, said: SyncStatus) -> SyncStatus {
    let is_settled = app.assessment.settled || !matches!(gate, Gate::Open(_));
    let Some(desired) = app.desired.as_ref().filter(|_| is_settled) else {
        return SyncStatus { status, ..said };
    };
    let spec = &app.application.spec;
    let is_multi = spec.sources().len() > 1;
    let shown = |revision: &str| capstan_model::shown_revision(revision).to_owned();
    let revisions: Vec<String> = desired
        .revisions
        .iter()
        .map(|revision| shown(&revision.revision))
        .collect();
    SyncStatus {
        status,
        compared_to: ComparedTo {
            source: (!is_multi).then(|| desired.sources.first().cloned()).flatten(),
            sources: if is_multi { desired.sources.clone() } else { Vec::new() },
            destination: spec.destination.clone(),
            ignore_differences: spec.ignore_differences.clone(),
        },
        revision: match is_multi {
            true => String::new(),
            false => revisions.first().cloned().unwrap_or_default(),
        },
        revisions: if is_multi { revisions } else { Vec::new() },
    }
}
