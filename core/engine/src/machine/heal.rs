//! Self-heal of one object: at once a few times, then with growing waits against somebody who keeps undoing it, and never given up.

use std::time::Duration;

use capstan_model::Timestamp;

use crate::Settings;
use crate::sabotage::{self, Sabotage};

/// A calm of so many waits forgets the attempts: a person who edits now and then is not a fight.
const CALM: u32 = 5;

/// What is remembered of the drift of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heal {
    /// Times it was put right in a row.
    pub(crate) attempts: u32,
    /// When it was last put right, or tried to.
    pub(crate) last: Timestamp,
    /// Why the last try did not work; empty when it did.
    pub(crate) failure: String,
}

/// Put right now, or when?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HealDecision {
    /// Now: it is the n-th time in a row.
    Now(u32),
    /// Not before.
    Wait(Timestamp),
}

impl Heal {
    /// The wait after `attempts` in a row.
    pub(crate) fn wait(attempts: u32, settings: &Settings) -> Duration {
        let waits = attempts.checked_sub(settings.self_heal_free);
        let Some(waits) = waits.filter(|_| !sabotage::is(Sabotage::HealsAtOnce)) else {
            return Duration::ZERO;
        };
        settings
            .self_heal_backoff
            .saturating_mul(settings.self_heal_factor.saturating_pow(waits.min(20)))
            .min(settings.self_heal_cap)
    }

    /// What to do about a drift seen at `now`.
    pub(crate) fn decide(before: Option<&Self>, now: Timestamp, settings: &Settings) -> HealDecision {
        let Some(before) = before else {
            return HealDecision::Now(1);
        };
        let wait = Self::wait(before.attempts, settings);
        let calm = now.since(before.last);
        if calm >= wait.max(settings.self_heal_backoff).saturating_mul(CALM) {
            HealDecision::Now(1)
        } else if calm >= wait {
            HealDecision::Now(before.attempts.saturating_add(1))
        } else {
            HealDecision::Wait(before.last + wait)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Somebody undoes every repair at once.
    #[test]
    fn a_fight_is_slowed_to_the_cap_and_never_given_up() {
        let settings = Settings::default();
        let mut now = Timestamp::from_seconds(1000);
        let mut heal: Option<Heal> = None;
        let mut waits = Vec::new();
        for _ in 0..10 {
            let begun = now;
            let attempts = loop {
                match Heal::decide(heal.as_ref(), now, &settings) {
                    HealDecision::Now(attempts) => break attempts,
                    HealDecision::Wait(until) => now = until,
                }
            };
            waits.push(now.since(begun).as_secs());
            heal = Some(Heal {
                attempts,
                last: now,
                failure: String::new(),
            });
        }
        assert_eq!(waits, [0, 0, 0, 2, 6, 18, 54, 162, 300, 300]);
    }

    #[test]
    fn a_calm_while_forgets() {
        let settings = Settings::default();
        let last = Timestamp::from_seconds(1000);
        let heal = Heal {
            attempts: 4,
            last,
            failure: String::new(),
        };
        let after = |seconds| Heal::decide(Some(&heal), last + Duration::from_secs(seconds), &settings);
        assert_eq!(after(1), HealDecision::Wait(last + Duration::from_secs(6)));
        assert_eq!(after(7), HealDecision::Now(5));
        assert_eq!(after(30), HealDecision::Now(1));
    }
}
