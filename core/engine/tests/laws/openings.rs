//! Whether windows forbid, reckoned from what they are meant to be: minute by minute, on the clocks of their zones, and without any
//! schedule's text.

use capstan_model::Timestamp;

use crate::generate::{Opening, Window};

/// What the windows say at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Free,
    /// Nothing may be written, but for a person's sync where `manual`, and for one that began while it was free where `overrun`.
    Shut {
        manual: bool,
        overrun: bool,
    },
}

/// Minutes that clocks are ahead of Greenwich, at a minute of Unix time. True for the weeks in which this world lives.
fn ahead(zone: &str, minute: i64) -> i64 {
    const SUMMER_IN_BERLIN: i64 = 1_774_746_000 / 60;
    match zone {
        "" => 0,
        "Asia/Kolkata" => 330,
        "America/New_York" => -240,
        "Europe/Berlin" if minute < SUMMER_IN_BERLIN => 60,
        "Europe/Berlin" => 120,
        other => panic!("clocks of {other:?} are not known"),
    }
}

/// Does it open at this minute?
fn opens(window: &Window, minute: i64) -> bool {
    let local = minute + ahead(window.zone, minute);
    let (day, of_day) = (local.div_euclid(1440), local.rem_euclid(1440));
    let at = |hour: u8, minute: u8| of_day == i64::from(hour) * 60 + i64::from(minute);
    match window.opens {
        Opening::Hourly(minute) => of_day % 60 == i64::from(minute),
        Opening::Every(minutes) => of_day % 60 % i64::from(minutes) == 0,
        Opening::Daily { hour, minute } => at(hour, minute),
        // The first day of Unix time was a Thursday.
        Opening::Weekly {
            day: wanted,
            hour,
            minute,
        } => at(hour, minute) && (day + 4).rem_euclid(7) == i64::from(wanted),
    }
}

fn is_active(window: &Window, at: Timestamp) -> bool {
    let now = at.as_millis().div_euclid(60_000);
    (0..i64::from(window.minutes)).any(|ago| opens(window, now - ago))
}

/// The word of these windows. A deny window has it before all allow windows; where there are allow windows one has to be open.
pub(crate) fn word(windows: &[Window], at: Timestamp) -> Word {
    let ours = || windows.iter().filter(|window| window.speaks_of_us());
    let denying: Vec<&Window> = ours()
        .filter(|window| !window.allows && is_active(window, at))
        .collect();
    let allowing: Vec<&Window> = ours().filter(|window| window.allows).collect();
    let shut_by = match () {
        () if !denying.is_empty() => denying,
        () if allowing.iter().any(|window| is_active(window, at)) => Vec::new(),
        () => allowing,
    };
    match shut_by.is_empty() {
        true => Word::Free,
        false => Word::Shut {
            manual: shut_by.iter().all(|window| window.manual),
            overrun: shut_by.iter().all(|window| window.overrun),
        },
    }
}

/// May a sync begin?
pub(crate) fn may_begin(word: Word, by_hand: bool) -> bool {
    match word {
        Word::Free => true,
        Word::Shut { manual, .. } => by_hand && manual,
    }
}
