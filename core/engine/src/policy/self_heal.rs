//! Is an object that drifted put right, now?
//!
//! **Problem.** What somebody changes past Git is put right at once, object by object. There are many reasons not to: each is named here, in
//! one place, so that people are told the very reason that the engine goes by.
//!
//! **Invariants.** An object is never given up: what keeps it from being put right is something that can end, and each reason says what.
//! Somebody who undoes every repair is answered ever more slowly, up to a cap; a calm while forgets that.
//!
//! **Deliberately absent.** How many objects at once: that is a queue's matter, and passes within moments.

use std::fmt;
use std::time::Duration;

use capstan_model::Timestamp;

use super::auto_sync::Unwritable;
use crate::Settings;
use crate::sabotage::{self, Sabotage};

/// A calm of so many waits forgets the attempts: a person who edits now and then is not a fight.
const CALM: u32 = 5;

/// What the decision about one object rests on.
#[derive(Clone, Debug)]
pub struct SelfHealInput<'a> {
    /// The moment of the decision.
    pub now: Timestamp,
    /// How the object stands to what is desired.
    pub standing: Standing,
    /// Nothing is done about the application: `argocd.argoproj.io/skip-reconcile`.
    pub suspended: bool,
    /// `spec.syncPolicy.automated.selfHeal`.
    pub enabled: bool,
    /// Why no sync window lets it through.
    pub window: Option<&'a str>,
    /// Why nothing can be written now.
    pub unwritable: Option<Unwritable>,
    /// The fields that differ, each with who keeps changing it back, where all of them are left to others.
    pub left_to: Vec<(String, String)>,
    /// Why the project does not let it be written.
    pub refusal: Option<String>,
    /// Why it is left to another application.
    pub rival: Option<String>,
    /// How often it was put right before.
    pub repairs: Option<Repairs<'a>>,
    /// The waits between repairs.
    pub settings: &'a Settings,
}

/// How an object stands to what is desired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// As desired.
    Synced,
    /// It could not be compared, or is not known to be there.
    Unknown,
    /// Git does not declare it.
    NotDeclared,
    /// It differs, and was not synced to what is desired yet.
    NotSynced,
    /// It differs, and a write that puts it right is under way.
    UnderWay,
    /// It drifted, and is on its way out.
    BeingDeleted,
    /// It was synced to what is desired, and differs.
    Drifted,
}

/// What is remembered of the repairs of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repairs<'a> {
    /// How many in a row, tries included.
    pub in_a_row: u32,
    /// When the last one was.
    pub last: Timestamp,
    /// Why that did not work; empty when it did.
    pub failure: &'a str,
}

/// The decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SelfHeal {
    /// Put it right now.
    Sync(Repair),
    /// Not now.
    Skip(HealSkip),
}

/// What is to be done: the object alone is applied as it is desired, without hooks and without an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repair {
    /// The how manieth in a row it is.
    pub in_a_row: u32,
}

/// Why an object is not put right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HealSkip {
    /// It is as desired.
    Synced,
    /// It is not known whether it differs.
    Unknown,
    /// Git does not declare it: only a sync deletes.
    NotDeclared,
    /// It was never as desired now: that is a sync's turn.
    NotSynced,
    /// It is being put right.
    UnderWay,
    /// The application is left alone.
    Suspended,
    /// The policy does not put drift right.
    Off,
    /// It is on its way out, and is made anew when it is gone.
    BeingDeleted,
    /// No sync window is open.
    Window(String),
    /// Nothing can be written now.
    Unwritable(Unwritable),
    /// It differs only in fields that others keep changing back: the fields, each with who.
    Contended(Vec<(String, String)>),
    /// The project does not let it be written.
    Refused(String),
    /// It is another application's, too.
    Rival(String),
    /// Somebody undoes the repairs, or they fail: it waits before the next.
    BackOff {
        /// Until when.
        until: Timestamp,
        /// Repairs in a row so far.
        in_a_row: u32,
        /// Why the last one did not work; empty when it did.
        failure: String,
    },
}

/// Decides. First reason that holds, in this order: how the object stands, what concerns every object of the application, then what concerns
/// this one.
pub fn self_heal(input: &SelfHealInput<'_>) -> SelfHeal {
    let skip = of_standing(input.standing)
        .or_else(|| of_application(input))
        .or_else(|| of_object(input));
    match (skip, turn(input.repairs, input.now, input.settings)) {
        (Some(reason), _) | (None, Err(reason)) => SelfHeal::Skip(reason),
        (None, Ok(in_a_row)) => SelfHeal::Sync(Repair { in_a_row }),
    }
}

fn of_standing(standing: Standing) -> Option<HealSkip> {
    match standing {
        Standing::Synced => Some(HealSkip::Synced),
        Standing::Unknown => Some(HealSkip::Unknown),
        Standing::NotDeclared => Some(HealSkip::NotDeclared),
        Standing::NotSynced => Some(HealSkip::NotSynced),
        Standing::UnderWay => Some(HealSkip::UnderWay),
        Standing::BeingDeleted | Standing::Drifted => None,
    }
}

fn of_application(input: &SelfHealInput<'_>) -> Option<HealSkip> {
    if input.suspended {
        return Some(HealSkip::Suspended);
    }
    if !input.enabled {
        return Some(HealSkip::Off);
    }
    let window = input.window.map(|why| HealSkip::Window(why.to_owned()));
    window.or_else(|| input.unwritable.map(HealSkip::Unwritable))
}

fn of_object(input: &SelfHealInput<'_>) -> Option<HealSkip> {
    if input.standing == Standing::BeingDeleted {
        return Some(HealSkip::BeingDeleted);
    }
    if !input.left_to.is_empty() {
        return Some(HealSkip::Contended(input.left_to.clone()));
    }
    let refused = input.refusal.clone().map(HealSkip::Refused);
    refused.or_else(|| input.rival.clone().map(HealSkip::Rival))
}

/// The how manieth repair in a row one at `now` is, or that it has to wait.
pub(crate) fn turn(repairs: Option<Repairs<'_>>, now: Timestamp, settings: &Settings) -> Result<u32, HealSkip> {
    let Some(before) = repairs else { return Ok(1) };
    let wait = repair_wait(before.in_a_row, settings);
    let calm = now.since(before.last);
    if calm >= wait.max(settings.self_heal_backoff).saturating_mul(CALM) {
        Ok(1)
    } else if calm >= wait {
        Ok(before.in_a_row.saturating_add(1))
    } else {
        Err(HealSkip::BackOff {
            until: before.last + wait,
            in_a_row: before.in_a_row,
            failure: before.failure.to_owned(),
        })
    }
}

/// The wait after so many repairs of an object in a row.
pub fn repair_wait(in_a_row: u32, settings: &Settings) -> Duration {
    let waits = in_a_row.checked_sub(settings.self_heal_free);
    let Some(waits) = waits.filter(|_| !sabotage::is(Sabotage::HealsAtOnce)) else {
        return Duration::ZERO;
    };
    settings
        .self_heal_backoff
        .saturating_mul(settings.self_heal_factor.saturating_pow(waits.min(20)))
        .min(settings.self_heal_cap)
}

impl HealSkip {
    /// Its name, for the journal.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Synced => "Synced",
            Self::Unknown => "Unknown",
            Self::NotDeclared => "NotDeclared",
            Self::NotSynced => "NotSynced",
            Self::UnderWay => "UnderWay",
            Self::Suspended => "Suspended",
            Self::Off => "Off",
            Self::BeingDeleted => "BeingDeleted",
            Self::Window(_) => "Window",
            Self::Unwritable(why) => why.name(),
            Self::Contended(_) => "Contended",
            Self::Refused(_) => "Refused",
            Self::Rival(_) => "Rival",
            Self::BackOff { .. } => "BackOff",
        }
    }

    /// Does it say why something that drifted stays as it is? The others say that nothing drifted, or that it is being put right.
    pub fn keeps_drift(&self) -> bool {
        !matches!(
            self,
            Self::Synced | Self::Unknown | Self::NotDeclared | Self::NotSynced | Self::UnderWay
        )
    }
}

impl fmt::Display for HealSkip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Synced => f.write_str("it is in sync"),
            Self::Unknown => f.write_str("it is not known whether it differs"),
            Self::NotDeclared => f.write_str("Git does not declare it, and only a sync deletes"),
            Self::NotSynced => f.write_str("it was not synced to what Git says yet, which is for a sync to do"),
            Self::UnderWay => f.write_str("it is being put right"),
            Self::Suspended => f.write_str("the application is left alone (argocd.argoproj.io/skip-reconcile)"),
            Self::Off => f.write_str("self-heal is off (spec.syncPolicy.automated.selfHeal)"),
            Self::BeingDeleted => f.write_str("it is being deleted, and made anew when it is gone"),
            Self::Window(why) | Self::Refused(why) | Self::Rival(why) => f.write_str(why),
            Self::Unwritable(why) => why.fmt(f),
            Self::Contended(fields) => {
                for (n, (path, manager)) in fields.iter().enumerate() {
                    let (comma, who) = (if n > 0 { "; " } else { "" }, named(manager));
                    write!(f, "{comma}{path} is left to {who}, who keeps changing it back")?;
                }
                Ok(())
            }
            Self::BackOff {
                until,
                in_a_row,
                failure,
            } if failure.is_empty() => write!(
                f,
                "it was put right {in_a_row} times in a row and changed again each time; it is put right again at {until}"
            ),
            Self::BackOff { until, failure, .. } => {
                write!(f, "the last try failed ({failure}); the next is at {until}")
            }
        }
    }
}

/// A field manager, for people.
pub(crate) fn named(manager: &str) -> &str {
    match manager {
        "" => "somebody",
        manager => manager,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(settings: &Settings) -> SelfHealInput<'_> {
        SelfHealInput {
            now: Timestamp::from_seconds(1000),
            standing: Standing::Drifted,
            suspended: false,
            enabled: true,
            window: None,
            unwritable: None,
            left_to: Vec::new(),
            refusal: None,
            rival: None,
            repairs: None,
            settings,
        }
    }

    #[test]
    fn every_reason_holds_by_itself() {
        let settings = Settings::default();
        let input = || input(&settings);
        assert_eq!(self_heal(&input()), SelfHeal::Sync(Repair { in_a_row: 1 }));
        let standing = |standing| SelfHealInput { standing, ..input() };
        let left = vec![("spec.replicas".to_owned(), "scaler".to_owned())];
        let tried = Repairs {
            in_a_row: 4,
            last: Timestamp::from_seconds(999),
            failure: "no",
        };
        let wait = HealSkip::BackOff {
            until: Timestamp::from_seconds(1005),
            in_a_row: 4,
            failure: "no".into(),
        };
        #[rustfmt::skip]
        let cases = [
            (standing(Standing::Synced), HealSkip::Synced),
            (standing(Standing::Unknown), HealSkip::Unknown),
            (standing(Standing::NotDeclared), HealSkip::NotDeclared),
            (standing(Standing::NotSynced), HealSkip::NotSynced),
            (standing(Standing::UnderWay), HealSkip::UnderWay),
            (standing(Standing::BeingDeleted), HealSkip::BeingDeleted),
            (SelfHealInput { suspended: true, ..input() }, HealSkip::Suspended),
            (SelfHealInput { enabled: false, ..input() }, HealSkip::Off),
            (SelfHealInput { window: Some("shut"), ..input() }, HealSkip::Window("shut".into())),
            (SelfHealInput { unwritable: Some(Unwritable::NotLeading), ..input() }, HealSkip::Unwritable(Unwritable::NotLeading)),
            (SelfHealInput { unwritable: Some(Unwritable::Unreachable), ..input() }, HealSkip::Unwritable(Unwritable::Unreachable)),
            (SelfHealInput { left_to: left.clone(), ..input() }, HealSkip::Contended(left)),
            (SelfHealInput { refusal: Some("no".into()), ..input() }, HealSkip::Refused("no".into())),
            (SelfHealInput { rival: Some("theirs".into()), ..input() }, HealSkip::Rival("theirs".into())),
            (SelfHealInput { repairs: Some(tried), ..input() }, wait),
            // It is told what is wrong, not only that it waits.
            (SelfHealInput { repairs: Some(tried), refusal: Some("no".into()), ..input() }, HealSkip::Refused("no".into())),
            // What did not drift is not kept by anything.
            (SelfHealInput { enabled: false, ..standing(Standing::NotSynced) }, HealSkip::NotSynced),
        ];
        for (input, reason) in cases {
            assert_eq!(self_heal(&input), SelfHeal::Skip(reason));
        }
    }

    /// Somebody undoes every repair at once.
    #[test]
    fn a_fight_is_slowed_to_the_cap_and_never_given_up() {
        let settings = Settings::default();
        let mut now = Timestamp::from_seconds(1000);
        let mut repairs: Option<Repairs<'_>> = None;
        let mut waits = Vec::new();
        for _ in 0..10 {
            let begun = now;
            let in_a_row = loop {
                match self_heal(&SelfHealInput {
                    now,
                    repairs,
                    ..input(&settings)
                }) {
                    SelfHeal::Sync(repair) => break repair.in_a_row,
                    SelfHeal::Skip(HealSkip::BackOff { until, .. }) => now = until,
                    SelfHeal::Skip(other) => panic!("{other}"),
                }
            };
            waits.push(now.since(begun).as_secs());
            repairs = Some(Repairs {
                in_a_row,
                last: now,
                failure: "",
            });
        }
        assert_eq!(waits, [0, 0, 0, 2, 6, 18, 54, 162, 300, 300]);
    }

    #[test]
    fn a_calm_while_forgets() {
        let settings = Settings::default();
        let last = Timestamp::from_seconds(1000);
        let repairs = Repairs {
            in_a_row: 4,
            last,
            failure: "",
        };
        let after = |seconds| {
            self_heal(&SelfHealInput {
                now: last + Duration::from_secs(seconds),
                repairs: Some(repairs),
                ..input(&settings)
            })
        };
        let SelfHeal::Skip(waits) = after(1) else {
            panic!("it waits")
        };
        assert_eq!(
            waits.to_string(),
            "it was put right 4 times in a row and changed again each time; it is put right again at 1970-01-01T00:16:46Z"
        );
        assert_eq!(after(7), SelfHeal::Sync(Repair { in_a_row: 5 }));
        assert_eq!(after(30), SelfHeal::Sync(Repair { in_a_row: 1 }));
    }
}
