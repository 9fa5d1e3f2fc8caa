//! I-PHASE: PreSync before Sync before PostSync. What belongs to a later phase is written only after everything of the earlier ones is
//! settled, prunes included; a hook of SyncFail only when something failed.

use serde_json::Value;

use crate::evidence::{Attempt, Timeline, first_writes, is_delete};
use crate::history::{Answer, Ask, Fact};
use crate::identity::run_of;
use crate::objects::{
    Health, Phase, has_health, health, is_going, is_held, is_hook, is_ordinary, is_tracked, key_of, uid,
};
use crate::world::{MOMENT, OBJECT};

pub(crate) fn check(timeline: &Timeline<'_>) -> Result<usize, String> {
    let mut found = 0;
    for (at, request, attempt, object) in first_writes(timeline) {
        let steps = timeline.steps(&attempt);
        let Some(step) = timeline.step_of(&steps, object) else {
            continue;
        };
        if step.phase == Phase::OnFailure {
            found += 1;
            if !has_failed(timeline, &attempt, at) {
                return Err(format!("[{at}] {} runs, and nothing failed", request.key));
            }
            continue;
        }
        for earlier in steps.iter().filter(|earlier| earlier.phase < step.phase) {
            let name = key_of(earlier.declared);
            timeline.settled(&attempt, *earlier, at).map_err(|why| {
                let (of, before) = (step.phase, earlier.phase);
                format!(
                    "[{at}] {} of phase {of:?} was written, but {name} of phase {before:?} {why}",
                    request.key
                )
            })?;
            found += 1;
        }
        if step.phase == Phase::After {
            prunes_are_done(timeline, &attempt, at)?;
        }
    }
    Ok(found)
}

/// Whatever this attempt deletes is gone, or was left.
fn prunes_are_done(timeline: &Timeline<'_>, attempt: &Attempt, to: usize) -> Result<(), String> {
    for (at, request) in timeline
        .requests()
        .filter(|(at, request)| *at < to && is_delete(request))
    {
        let is_of = timeline
            .attempt(request)
            .is_some_and(|one| (one.number, one.attempt) == (attempt.number, attempt.attempt));
        let Some(target) = timeline
            .live(&request.key, at)
            .filter(|target| is_of && is_ordinary(target))
        else {
            continue;
        };
        let is_there = timeline
            .live(&request.key, to)
            .is_some_and(|live| uid(live) == uid(target) && is_tracked(live));
        let was_left = timeline.record.facts().take(to).any(|(_, fact)| {
            matches!(fact, Fact::Answered { request: number, answer: Answer::Left, .. } if *number == request.number)
        });
        if is_there && !was_left {
            return Err(format!("[{to}] a PostSync hook runs, and {} is not gone", request.key));
        }
    }
    Ok(())
}

/// Is there a reason in H why this attempt may count as failing?
fn has_failed(timeline: &Timeline<'_>, attempt: &Attempt, to: usize) -> bool {
    let history = &timeline.record.history;
    let since = history[attempt.begun].at;
    let own = |number: &u64| {
        let (_, request) = timeline.sent.get(number)?;
        timeline.attempt(request)
    };
    let is_own =
        |number: &u64| own(number).is_some_and(|one| (one.number, one.attempt) == (attempt.number, attempt.attempt));
    // What is somebody else's, or was no hook until now, may have to stay.
    let is_run = |live: &Value| is_tracked(live) && run_of(live).is_some();
    let is_foreign_hook = timeline.steps(attempt).iter().any(|step| {
        let live = timeline.live(&key_of(step.declared), to);
        is_hook(step.declared) && live.is_some_and(|live| !is_run(live))
    });
    let was_bad = timeline.steps(attempt).iter().any(|step| {
        let known = timeline.known(&key_of(step.declared), attempt.begun);
        known.and_then(health) == Some(Health::Bad)
    });
    let failed = |fact: &Fact| match fact {
        // A hook that was perhaps created, and perhaps has removed itself: nothing holds one without health.
        Fact::Answered {
            request,
            answer: Answer::Unknown,
            ..
        } => {
            let (_, asked) = timeline.sent[request];
            matches!(asked.ask, Ask::Create { .. }) && !has_health(&asked.key.kind) && is_own(request)
        }
        Fact::Answered { request, answer, .. } => matches!(answer, Answer::Refused | Answer::Left) && is_own(request),
        Fact::Seen { version, .. } => timeline.state(*version).is_some_and(|state| {
            let health = health(state);
            // One that is only held was deleted before it finished.
            let is_lost = is_going(state) && is_held(state) && health != Some(Health::Good);
            health == Some(Health::Bad) || is_lost
        }),
        // A hook that was under way and is gone.
        Fact::Removed { object, .. } => is_hook(object),
        _ => false,
    };
    let (from, until) = (attempt.begun, to);
    // One of which the next process cannot tell what became of it: it may have been begun by the last thing that the first one sent.
    let has_died = history[attempt.told..to].iter().any(|entry| entry.fact == Fact::Died);
    history[to].at.since(since) + MOMENT >= OBJECT
        || is_foreign_hook
        || was_bad
        || has_died
        || history[from..until].iter().any(|entry| failed(&entry.fact))
}

crate::search::law!(check, crate::generate::Bias::Hooks);
