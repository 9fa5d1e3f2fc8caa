//! One sentence of an application: what is the state, and why.

use capstan_model::{ConditionType, SyncStatusCode};

use super::gate::Gate;
use super::state::ApplicationState;
use crate::machine::Refresh;
use crate::policy::SkipReason;
use crate::sabotage::{self, Sabotage};

/// The sentence. `skipped`: why what differs stays as it is.
pub(super) fn sentence(app: &ApplicationState, gate: &Gate, skipped: Option<&String>) -> String {
    if app.application.skips_reconcile() && !sabotage::is(Sabotage::WritesSuspended) {
        return sentence_of_suspension(app);
    }
    if app.application.metadata.deletion_timestamp.is_some() {
        return sentence_of_deletion(app);
    }
    match gate {
        Gate::Refused(why) | Gate::Waiting(why) => return why.clone(),
        Gate::Open(_) => {}
    }
    if let Some(operation) = &app.operation {
        let to = operation.revision_text();
        return match operation.message.as_str() {
            "" => format!("syncing to {to}"),
            message => format!("syncing to {to}: {message}"),
        };
    }
    if let Refresh::Failed { message, .. } = &app.refresh {
        return message.clone();
    }
    sentence_of_condition(app).unwrap_or_else(|| sentence_of_verdict(app, skipped))
}

/// That it is left alone, and what stands still for it.
fn sentence_of_suspension(app: &ApplicationState) -> String {
    let suspended = SkipReason::Suspended;
    let is_deleted = app.application.metadata.deletion_timestamp.is_some();
    match &app.operation {
        _ if is_deleted => format!("being deleted: nothing goes on, since {suspended}"),
        Some(operation) => format!("{suspended}: its sync to {} stands still", operation.revision_text()),
        None => suspended.to_string(),
    }
}

fn sentence_of_condition(app: &ApplicationState) -> Option<String> {
    let mut conditions = app.conditions.iter();
    let condition = conditions.find(|condition| condition.kind != ConditionType::ManifestWarning)?;
    Some(match (condition.kind, condition.last_transition_time) {
        (ConditionType::SyncHeld, Some(since)) => format!("{}, since {since}", condition.message),
        _ => condition.message.clone(),
    })
}

fn sentence_of_verdict(app: &ApplicationState, skipped: Option<&String>) -> String {
    let health = &app.assessment.health;
    match (app.assessment.settled, app.assessment.sync) {
        (false, _) => "being compared".to_owned(),
        (true, SyncStatusCode::Synced) if health.message.is_empty() => format!("in sync, {}", health.status),
        (true, SyncStatusCode::Synced) => format!("in sync, {}: {}", health.status, health.message),
        (true, SyncStatusCode::OutOfSync) => {
            let objects = app.assessment.objects.values();
            let differing = objects.filter(|object| object.sync == Some(SyncStatusCode::OutOfSync));
            let what = match differing.count() {
                1 => "1 object differs from Git".to_owned(),
                many => format!("{many} objects differ from Git"),
            };
            match skipped {
                Some(why) => format!("{what}: {why}"),
                None => what,
            }
        }
        (true, SyncStatusCode::Unknown) => "not known".to_owned(),
    }
}

/// What a deletion waits for, or who is in its way.
fn sentence_of_deletion(app: &ApplicationState) -> String {
    let errors = app.deletion_errors.iter().map(|(key, why)| format!("{key}: {why}"));
    let unread = app.deletion.unread.iter().map(|(_, _, why)| why.clone());
    let waits = app.deletion.waits.iter().cloned().chain(app.guarding.messages());
    let all: Vec<String> = errors.chain(unread).chain(waits).collect();
    match all.first() {
        None => "being deleted".to_owned(),
        Some(first) => match all.len() - 1 {
            0 => format!("being deleted: {first}"),
            more => format!("being deleted: {first}; and {more} more"),
        },
    }
}

/// Some of them by name, and how many more there are.
pub(super) fn some_of(all: impl ExactSizeIterator<Item = String>) -> String {
    const NAMED: usize = 5;
    let more = all.len().saturating_sub(NAMED);
    let named = all.take(NAMED).collect::<Vec<_>>().join(", ");
    match more {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}
