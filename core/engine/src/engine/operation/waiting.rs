//! What a running operation waits for, in a sentence.
//!
//! It is told twice: in full on the page, and briefly in the status. How far a rollout is changes with every pod, and every change would be a
//! write of the resource: the brief sentence leaves that out. It keeps what changes seldom and what somebody can act on: what the cluster
//! refused, an approval that is missing, who holds an object, why containers do not start.

use capstan_live::Node;
use serde_json::Value;

use super::OperationRun;
use crate::limits::NAMED_IN_MESSAGE;
use crate::machine::{HookTask, PruneTask, TaskState, WriteTask};

/// How what is said of whoever holds an object begins.
const HELD: &str = "held by finalizer ";
/// Put on by the API server for a while, as the deletion was asked for.
const PROPAGATION: [&str; 2] = ["foregroundDeletion", "orphan"];

/// What an operation waits for, why, since when and until when.
pub(super) fn waiting_message(operation: &OperationRun, with_progress: bool) -> String {
    let Some((first, count)) = operation.work.told() else {
        return String::new();
    };
    let Some((_, task, run)) = operation.at(first) else {
        return String::new();
    };
    let first = format!("{} {}", what(&run.state), task.key);
    let has_failed = run.state.attempts().is_some_and(|attempts| attempts > 0);
    let why = match with_progress || has_failed {
        true => run.message.as_str(),
        false => news(&run.state, &run.message),
    };
    let why = if why.is_empty() {
        String::new()
    } else {
        format!(" ({why})")
    };
    let times = match (run.begun, run.until) {
        (Some(since), Some(until)) => format!(", since {since}, until {until}"),
        _ => String::new(),
    };
    match count - NAMED_IN_MESSAGE {
        0 => format!("waiting for {first}{why}{times}"),
        more => format!("waiting for {first}{why}{times}, and for {more} more"),
    }
}

fn what(state: &TaskState) -> &'static str {
    match state {
        TaskState::Write(WriteTask::AwaitingHealth { .. }) => "healthy state of",
        TaskState::Write(_) => "write of",
        TaskState::Hook(
            HookTask::Releasing { .. }
            | HookTask::Released { .. }
            | HookTask::DeletingPrevious { .. }
            | HookTask::PreviousFinalizing { .. },
        ) => "deletion of the earlier hook",
        TaskState::Hook(_) => "completion of hook",
        TaskState::Prune(PruneTask::AwaitingConfirmation) => "confirmation to prune",
        // Nothing was asked for.
        TaskState::Prune(PruneTask::Blocked) => "a safe moment to delete",
        TaskState::Prune(_) | TaskState::Milestone { .. } => "deletion of",
    }
}

/// What of a reason does not change from one observation to the next.
fn news<'a>(state: &TaskState, why: &'a str) -> &'a str {
    let is_to_begin = matches!(
        state,
        TaskState::Prune(PruneTask::AwaitingConfirmation | PruneTask::Blocked)
    );
    let begins = ["Degraded", "waiting for the list of", HELD];
    match is_to_begin || begins.iter().any(|begin| why.starts_with(begin)) {
        true => why,
        false => start_failure(why).unwrap_or_default(),
    }
}

/// The word that says why containers do not start, if there is one: `CrashLoopBackOff`, `ErrImagePull`, `CreateContainerConfigError`.
fn start_failure(why: &str) -> Option<&str> {
    let is_inside = |letter: char| letter.is_ascii_alphanumeric();
    let mut words = why.split(|letter| !is_inside(letter));
    words.find(|word| {
        let is_kind = |end: &str| word.len() > end.len() && word.ends_with(end);
        let is_error = word.strip_prefix("Err");
        let is_error = is_error.is_some_and(|rest| rest.starts_with(|letter: char| letter.is_ascii_uppercase()));
        is_kind("BackOff") || is_kind("Error") || is_error
    })
}

/// Who holds an object that is on its way out, and since when.
pub(super) fn held_by(live: &Node) -> Option<String> {
    let object = live.manifest()?.value().ok()?;
    let finalizers = object.pointer("/metadata/finalizers").and_then(Value::as_array)?;
    let names = finalizers.iter().filter_map(Value::as_str);
    let names: Vec<&str> = names.filter(|name| !PROPAGATION.contains(name)).collect();
    let since = object.pointer("/metadata/deletionTimestamp").and_then(Value::as_str);
    let since = since.map_or_else(String::new, |since| format!(", since {since}"));
    (!names.is_empty()).then(|| format!("{HELD}{}{since}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_state_that_changes_with_every_pod_only_the_reason_is_told() {
        let state = TaskState::Write(WriteTask::Blocked);
        for (why, told) in [
            (
                "Progressing: 1 of 3 updated, CrashLoopBackOff (restarted 17 times)",
                "CrashLoopBackOff",
            ),
            ("Progressing: pod web-7f: ErrImagePull", "ErrImagePull"),
            ("Progressing: CreateContainerConfigError", "CreateContainerConfigError"),
            ("Degraded: back-off 5m0s", "Degraded: back-off 5m0s"),
            ("Progressing: 1 of 3 updated", ""),
            ("Progressing: Error and BackOff alone, and Erratic", ""),
        ] {
            assert_eq!(news(&state, why), told, "{why}");
        }
    }
}
