//! Cleaning up after the hooks of a deletion.
//!
//! **Invariants.** What is held by the hook finalizer is let go, which [`release`](super::super::release) does once the phase is recorded as
//! over; what the policy says is deleted. An object of a kind that is not listed is not taken for gone. What could not be cleaned up within
//! the deadline of an object, or after some attempts, is left and named: the deletion does not hang on a hook that has done its work.

use capstan_model::{HookDeletePolicy, HookType, ResourceKey, Timestamp};

use super::super::Engine;
use super::super::state::{ApplicationState, Existence, InFlight};
use super::cascade::NotDeleted;
use super::found::Found;
use super::hooks::{await_list, has_cleanup, identity, waves};
use super::stored::DeletionHook;

/// Deletes of a hook that is cleaned up, before it is left where it is.
const CLEAN_UP_ATTEMPTS: u32 = 5;

impl Engine {
    /// Cleans up after the hooks of `phase`. Gives whether nothing of that is left to do.
    pub(super) fn clean_up(&mut self, now: Timestamp, app: &mut ApplicationState, phase: HookType) -> bool {
        let since = app.deletion.stage.as_ref().map_or(now, |(_, since)| *since);
        let until = since + self.settings.object_timeout;
        let mut is_done = true;
        for (key, hook) in waves(app, phase).into_iter().flatten() {
            is_done &= self.clean_up_one(now, app, phase, (since, until), &key, &hook);
        }
        is_done
    }

    fn clean_up_one(
        &mut self,
        now: Timestamp,
        app: &mut ApplicationState,
        phase: HookType,
        (since, until): (Timestamp, Timestamp),
        key: &ResourceKey,
        hook: &DeletionHook,
    ) -> bool {
        let found = self.cluster(app).map(|cluster| cluster.existence(key));
        let (existence, live) = found.unwrap_or((Existence::Unlisted, None));
        let is_deleted = hook.policies.contains(&HookDeletePolicy::HookSucceeded);
        let live = live
            .map(Found::of)
            .filter(|live| live.operation == identity(app, phase));
        let is_concerned = is_deleted || has_cleanup(app, phase) && self.is_to_be_held(key, &hook.object);
        let is_unknown = is_concerned && matches!(existence, Existence::Unlisted | Existence::Unavailable);
        if live.as_ref().map_or(!is_unknown, |live| !live.is_held && !is_deleted) {
            return true;
        }
        let run = app.deletion.runs.entry((phase, key.clone())).or_default();
        if run.attempts >= CLEAN_UP_ATTEMPTS || until <= now {
            if !std::mem::replace(&mut run.is_left, true) {
                let why = format!("not cleaned up since {since}; {}", run.failure);
                self.note_hook(now, app, key, "Succeeded", "Left", why);
            }
            return true;
        }
        let is_due = run.retry_at.is_none_or(|at| at <= now);
        let Some(live) = live else {
            await_list(app, phase, key);
            return false;
        };
        let is_going = live.is_deleting || run.going.as_ref() == Some(&live.uid);
        let is_asked = |what: &InFlight| matches!(what, InFlight::DeletionHook(_, other) if *other == *key);
        if live.is_held || is_going {
            let what = if live.is_held { "let go" } else { "gone" };
            let text = format!("waiting for hook {key} to be {what}, since {since}, until {until}");
            app.deletion.waits.push(text);
        } else if is_due
            && !app.is_in_flight(is_asked)
            && let Err(why) = self.delete_hook(now, app, phase, key, &live.uid, "hook-delete-policy HookSucceeded")
        {
            app.deletion.waits.push(match why {
                NotDeleted::NotOurs => format!("waiting for the list of {}", key.group_kind()),
                NotDeleted::Withheld(why) => why,
            });
        }
        false
    }
}
