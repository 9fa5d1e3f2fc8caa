//! Sync windows of the project, as data: what is written into the project is made of it, and the oracle reads it, not that text.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::Bias;

/// A Saturday, nine o'clock in Greenwich.
pub(crate) const MORNING: i64 = 1_773_478_800;
/// The same day, twenty minutes to eleven in the evening: windows go over midnight.
const EVENING: i64 = MORNING + 49_200;
/// Half an hour before clocks go on in Berlin.
const SPRING: i64 = 1_774_744_200;

/// When a window opens, on the clocks of its zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// Each hour at this minute.
    Hourly(u8),
    /// Each so many minutes of an hour.
    Every(u8),
    Daily {
        hour: u8,
        minute: u8,
    },
    /// On this day of the week; 0 is Sunday.
    Weekly {
        day: u8,
        hour: u8,
        minute: u8,
    },
}

/// By which list a window speaks of applications.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    Us,
    OurNamespace,
    OurCluster,
    /// Of the application, and of another namespace: of both or, with `andOperator`, of neither.
    Both {
        and: bool,
    },
    Others,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) allows: bool,
    pub(crate) opens: Opening,
    pub(crate) minutes: u16,
    pub(crate) zone: &'static str,
    pub(crate) speaks: Speaks,
    pub(crate) manual: bool,
    pub(crate) overrun: bool,
}

impl Window {
    /// As it stands in the project.
    pub(crate) fn written(&self) -> Value {
        let schedule = match self.opens {
            Opening::Hourly(minute) => format!("{minute} * * * *"),
            Opening::Every(minutes) => format!("*/{minutes} * * * *"),
            Opening::Daily { hour, minute } => format!("{minute} {hour} * * *"),
            Opening::Weekly { day, hour, minute } => format!("{minute} {hour} * * {day}"),
        };
        let mut window = json!({"kind": if self.allows { "allow" } else { "deny" }, "schedule": schedule,
            "duration": format!("{}m", self.minutes), "manualSync": self.manual, "syncOverrun": self.overrun});
        if !self.zone.is_empty() {
            window["timeZone"] = json!(self.zone);
        }
        match self.speaks {
            Speaks::Us => window["applications"] = json!(["sh*"]),
            Speaks::OurNamespace => window["namespaces"] = json!(["dev", "prod"]),
            Speaks::OurCluster => window["clusters"] = json!(["in-cluster"]),
            Speaks::Both { and } => {
                window["applications"] = json!(["shop"]);
                window["namespaces"] = json!(["dev"]);
                window["andOperator"] = json!(and);
            }
            Speaks::Others => window["applications"] = json!(["web", "shop?"]),
        }
        window
    }

    /// Does it speak of the one application of this world?
    pub(crate) fn speaks_of_us(&self) -> bool {
        !matches!(self.speaks, Speaks::Others | Speaks::Both { and: true })
    }

    /// The same window, where a fixed hour is one of the hours around this moment: others are never met.
    pub(super) fn near(mut self, begins: i64) -> Self {
        let zones_east = match self.zone {
            "Asia/Kolkata" => 5,
            "Europe/Berlin" => 1,
            "America/New_York" => -4,
            _ => 0,
        };
        let now = begins / 3600 + zones_east;
        let move_to = |hour: u8| {
            let hour = u8::try_from((now - 3 + i64::from(hour % 7)).rem_euclid(24)).unwrap_or(0);
            // An hour that some night lacks is another matter.
            if hour == 2 { 3 } else { hour }
        };
        self.opens = match self.opens {
            Opening::Daily { hour, minute } => Opening::Daily {
                hour: move_to(hour),
                minute,
            },
            Opening::Weekly { day, hour, minute } => Opening::Weekly {
                // Today, yesterday or tomorrow, on most clocks.
                day: u8::try_from((begins / 86_400 + 3 + i64::from(day % 3)).rem_euclid(7)).unwrap_or(0),
                hour: move_to(hour),
                minute,
            },
            other => other,
        };
        self
    }
}

pub(super) fn begins() -> impl Strategy<Value = i64> {
    prop_oneof![6 => Just(MORNING), 2 => Just(EVENING), 1 => Just(SPRING)]
}

fn window() -> impl Strategy<Value = Window> {
    let minute = || select(&[0u8, 5, 15, 30, 45, 59][..]);
    let opens = prop_oneof![
        2 => minute().prop_map(Opening::Hourly),
        3 => select(&[10u8, 15, 20, 30][..]).prop_map(Opening::Every),
        4 => (any::<u8>(), minute()).prop_map(|(hour, minute)| Opening::Daily { hour, minute }),
        2 => (any::<u8>(), any::<u8>(), minute()).prop_map(|(day, hour, minute)| Opening::Weekly { day, hour, minute }),
    ];
    let speaks = prop_oneof![
        5 => Just(Speaks::Us), 1 => Just(Speaks::OurNamespace), 1 => Just(Speaks::OurCluster),
        1 => any::<bool>().prop_map(|and| Speaks::Both { and }), 1 => Just(Speaks::Others),
    ];
    let zone = select(&["", "", "Europe/Berlin", "America/New_York", "Asia/Kolkata"][..]);
    let minutes = select(&[1u16, 5, 5, 20, 45, 60, 90, 240, 900][..]);
    let flag = || prop::bool::weighted(0.3);
    (prop::bool::weighted(0.4), opens, minutes, zone, speaks, flag(), flag()).prop_map(
        |(allows, opens, minutes, zone, speaks, manual, overrun)| Window {
            allows,
            opens,
            minutes,
            zone,
            speaks,
            manual,
            overrun,
        },
    )
}

pub(super) fn windows(bias: Bias) -> impl Strategy<Value = Vec<Window>> {
    let some = if bias == Bias::People { 10 } else { 1 };
    prop_oneof![12 => Just(Vec::new()), some => vec(window(), 1..4)]
}
