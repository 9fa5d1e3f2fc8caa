//! Sync windows of an AppProject: may an application be synced now?
//!
//! As Argo CD decides: without a window that speaks of the application it may; an active `deny` window forbids, whatever else is active;
//! an active `allow` window allows; and when there are `allow` windows and none is active, it may not. `manualSync` of all windows that
//! forbid lets a person through, `syncOverrun` of all of them a sync that began when it was allowed.
//!
//! Other than Argo CD: a window by a cluster's URL also speaks of applications that write its name, time zones keep their summer time, a
//! window begins with its first instant. A window that cannot be understood forbids, and says what is wrong with it.

use capstan_model::{AppProject, Application, SyncWindow, Timestamp, parse_duration};
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::cron::Schedule;
use super::window_scope::speaks_of;
use crate::sabotage::{self, Sabotage};

/// So many openings of a window are looked at for its end; one that is open for longer counts as open for good.
const OPENINGS: usize = 64;

/// The sync that is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// One that would begin by itself: an automated sync, a repair of drift.
    Automated,
    /// One that a person asks for.
    Manual,
    /// One that runs, since then.
    Running {
        /// A person asked for it.
        manual: bool,
        /// When it began.
        since: Timestamp,
    },
}

/// The decision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WindowDecision {
    /// Why not; `None` when it may be synced.
    pub refusal: Option<String>,
    /// What somebody can do about that.
    pub remedy: &'static str,
    /// When a window that speaks of the application opens or closes next.
    pub next_change: Option<Timestamp>,
}

/// May `application` be synced at `now`, as far as the windows of `project` go?
pub fn decide(project: &AppProject, application: &Application, now: Timestamp, attempt: Attempt) -> WindowDecision {
    let windows = project.spec.sync_windows.iter().enumerate();
    let speaking: Vec<Known> = windows
        .filter_map(|(index, window)| match speaks_of(window, application) {
            Ok(false) => None,
            Ok(true) => Some(Known::of(project, index, window, now)),
            Err(unreadable) => Some(Known::unreadable(project, index, window, unreadable)),
        })
        .collect();
    let next_change = speaking.iter().filter_map(|known| known.next_change).min();
    let forbidding = forbidding(&speaking);
    let is_lifted = match attempt {
        Attempt::Automated => false,
        Attempt::Manual => all(&forbidding, |window| window.manual_sync),
        Attempt::Running { manual, since } => {
            let by_hand = manual && all(&forbidding, |window| window.manual_sync);
            let overrun = all(&forbidding, |window| window.sync_overrun);
            let at_start = || if manual { Attempt::Manual } else { Attempt::Automated };
            let goes_on = sabotage::is(Sabotage::OverrunsWindows);
            by_hand || goes_on || overrun && decide(project, application, since, at_start()).refusal.is_none()
        }
    };
    let refusal = forbidding
        .first()
        .filter(|_| !is_lifted && !sabotage::is(Sabotage::IgnoresWindows))
        .map(|known| known.text(forbidding.len() - 1));
    WindowDecision {
        remedy: refusal.as_ref().map_or("", |_| remedy(&forbidding)),
        refusal,
        next_change,
    }
}

/// Nobody is told to ask again when nothing will be different then. One that cannot be understood is lifted by nothing.
fn remedy(forbidding: &[&Known<'_>]) -> &'static str {
    let is_allow = forbidding.iter().all(|known| known.window.kind == "allow");
    let waits = forbidding.iter().filter(|known| known.next_change.is_some()).count();
    let opens = if is_allow { waits > 0 } else { waits == forbidding.len() };
    match opens {
        _ if forbidding.iter().any(|known| known.error.is_some()) => "correct the window",
        true => "ask again then, or set manualSync of the window",
        false => "change the window, or set its manualSync",
    }
}

fn all(windows: &[&Known<'_>], test: impl Fn(&SyncWindow) -> bool) -> bool {
    windows.iter().all(|known| known.error.is_none() && test(known.window))
}

/// The windows that forbid: what cannot be understood; else the active `deny` ones; else, when no `allow` is active, all of those.
fn forbidding<'k, 'p>(windows: &'k [Known<'p>]) -> Vec<&'k Known<'p>> {
    let (allows, denies): (Vec<&Known>, Vec<&Known>) = windows.iter().partition(|known| known.window.kind == "allow");
    let wrong: Vec<&Known> = windows.iter().filter(|known| known.error.is_some()).collect();
    let denying: Vec<&Known> = denies.into_iter().filter(|known| known.is_active).collect();
    match () {
        () if !wrong.is_empty() => wrong,
        () if !denying.is_empty() => denying,
        () if allows.iter().any(|known| known.is_active) => Vec::new(),
        () => {
            let mut allows = allows;
            allows.sort_by_key(|known| known.next_change.map_or((1, None), |at| (0, Some(at))));
            allows
        }
    }
}

/// A window at one moment.
struct Known<'p> {
    project: &'p str,
    index: usize,
    window: &'p SyncWindow,
    is_active: bool,
    /// When that changes; `None` when it does not.
    next_change: Option<Timestamp>,
    error: Option<String>,
}

impl<'p> Known<'p> {
    fn of(project: &'p AppProject, index: usize, window: &'p SyncWindow, now: Timestamp) -> Self {
        let (is_active, next_change, error) = match state(window, now) {
            Ok((is_active, next_change)) => (is_active, next_change, None),
            Err(error) => (false, None, Some(error)),
        };
        Self {
            project: &project.metadata.name,
            index,
            window,
            is_active,
            next_change,
            error,
        }
    }

    /// One that may speak of the application.
    fn unreadable(project: &'p AppProject, index: usize, window: &'p SyncWindow, error: String) -> Self {
        Self {
            project: &project.metadata.name,
            index,
            window,
            is_active: false,
            next_change: None,
            error: Some(error),
        }
    }

    /// Why it forbids.
    fn text(&self, more: usize) -> String {
        let window = self.window;
        let zone = if window.time_zone.is_empty() {
            "UTC"
        } else {
            &window.time_zone
        };
        let name = format!("spec.syncWindows[{}] of AppProject {}", self.index, self.project);
        let times = format!("({}, {}, {zone})", window.schedule, window.duration);
        let more = match more {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        match (&self.error, window.kind.as_str(), self.next_change) {
            (Some(error), ..) => format!("{name} cannot be understood: {error}"),
            (None, "allow", Some(at)) => format!("no allow window is open: the next is {name} {times}, at {at}{more}"),
            (None, "allow", None) => format!("no allow window is open, and {name} {times} never is{more}"),
            (None, _, Some(at)) => format!("deny window {name} {times} is active, until {at}{more}"),
            (None, _, None) => format!("deny window {name} {times} is always active{more}"),
        }
    }
}

/// Is it active, and when does that change?
fn state(window: &SyncWindow, now: Timestamp) -> Result<(bool, Option<Timestamp>), String> {
    if !matches!(window.kind.as_str(), "allow" | "deny") {
        return Err(format!("kind: {:?} is neither allow nor deny", window.kind));
    }
    let schedule =
        Schedule::parse(&window.schedule).map_err(|why| format!("schedule: {:?}: {why}", window.schedule))?;
    let duration = parse_duration(&window.duration).filter(|duration| !duration.is_zero());
    let duration = duration.ok_or_else(|| {
        format!(
            "duration: {:?} is no duration above zero such as 30m or 8h",
            window.duration
        )
    })?;
    let zone = match window.time_zone.as_str() {
        "" => TimeZone::UTC,
        name => TimeZoneDatabase::bundled()
            .get(name)
            .map_err(|_| format!("timeZone: {name:?} is no time zone such as Europe/Berlin"))?,
    };
    let at = jiff::Timestamp::from_millisecond(now.as_millis()).map_err(|error| error.to_string())?;
    let ours = |time: jiff::Timestamp| Timestamp::from_millis(time.as_millisecond());
    let begun = schedule
        .previous(at, &zone)
        .filter(|begun| ours(*begun) + duration > now);
    let Some(mut begun) = begun else {
        return Ok((false, schedule.next(at, &zone).map(ours)));
    };
    // It may open again before it closes.
    for _ in 0..OPENINGS {
        let end = ours(begun) + duration;
        match schedule.next(begun, &zone).filter(|next| ours(*next) <= end) {
            Some(next) => begun = next,
            None => return Ok((true, Some(end))),
        }
    }
    Ok((true, None))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use capstan_model::ClusterId;
    use serde_json::{Value, json};

    use super::*;

    fn application() -> Application {
        let mut application = Application::default();
        application.metadata.name = "shop".into();
        application.spec.destination.server = ClusterId::IN_CLUSTER.into();
        application.spec.destination.namespace = "prod".into();
        application
    }

    /// A window of every application, at 8 o'clock for an hour, with these fields.
    fn window(fields: &Value) -> Value {
        let mut window = json!({"kind": "deny", "schedule": "0 8 * * *", "duration": "1h", "applications": ["*"]});
        let fields = fields.as_object().unwrap();
        window.as_object_mut().unwrap().extend(fields.clone());
        window
    }

    fn project(windows: &[Value]) -> AppProject {
        serde_json::from_value(json!({"metadata": {"name": "p"}, "spec": {"syncWindows": windows}})).unwrap()
    }

    fn at(time: &str) -> Timestamp {
        format!("2026-03-14T{time}:00Z").parse().unwrap()
    }

    fn decided(windows: &[Value], time: &str, attempt: Attempt) -> Option<String> {
        decide(&project(windows), &application(), at(time), attempt).refusal
    }

    fn allows(windows: &[Value], time: &str, attempt: Attempt) -> bool {
        decided(windows, time, attempt).is_none()
    }

    #[test]
    fn denies_win_and_allows_forbid_while_they_are_shut() {
        let deny = window(&json!({}));
        let allow = window(&json!({"kind": "allow", "schedule": "30 7 * * *", "duration": "2h"}));
        let foreign = window(&json!({"applications": ["other"]}));
        let cases: &[(&[&Value], &str, bool)] = &[
            (&[], "08:30", true),
            (&[&foreign], "08:30", true),
            (&[&deny], "07:59", true),
            (&[&deny], "08:00", false),
            (&[&deny], "08:59", false),
            (&[&deny], "09:00", true),
            (&[&allow], "07:29", false),
            (&[&allow], "07:30", true),
            (&[&allow], "09:30", false),
            (&[&allow, &deny], "07:45", true),
            (&[&allow, &deny], "08:30", false),
            (&[&allow, &deny], "09:15", true),
            (&[&allow, &deny], "10:00", false),
        ];
        for (windows, time, expected) in cases {
            let windows: Vec<Value> = windows.iter().map(|window| (*window).clone()).collect();
            assert_eq!(
                allows(&windows, time, Attempt::Automated),
                *expected,
                "{windows:?} at {time}"
            );
        }
    }

    #[test]
    fn a_person_passes_where_every_window_that_forbids_says_so() {
        let strict = window(&json!({}));
        let lenient = window(&json!({"manualSync": true}));
        let closed = |manual| window(&json!({"kind": "allow", "schedule": "0 20 * * *", "manualSync": manual}));
        for (windows, manual) in [
            (vec![strict.clone()], false),
            (vec![lenient.clone()], true),
            (vec![lenient.clone(), strict], false),
            (vec![closed(true)], true),
            (vec![closed(true), closed(false)], false),
            // The one that is shut does not matter while a deny is active.
            (vec![lenient, closed(false)], true),
        ] {
            assert!(!allows(&windows, "08:30", Attempt::Automated), "{windows:?}");
            assert_eq!(allows(&windows, "08:30", Attempt::Manual), manual, "{windows:?}");
        }
    }

    #[test]
    fn a_sync_that_began_when_it_was_allowed_may_overrun() {
        let running = |since: &str, manual| Attempt::Running {
            manual,
            since: at(since),
        };
        let overrun = window(&json!({"syncOverrun": true}));
        let strict = window(&json!({}));
        assert!(allows(std::slice::from_ref(&overrun), "08:30", running("07:50", false)));
        assert!(!allows(
            std::slice::from_ref(&overrun),
            "08:30",
            running("08:10", false)
        ));
        assert!(!allows(std::slice::from_ref(&strict), "08:30", running("07:50", false)));
        assert!(!allows(&[overrun, strict], "08:30", running("07:50", false)));
        let allow = window(&json!({"kind": "allow", "syncOverrun": true}));
        assert!(allows(std::slice::from_ref(&allow), "09:30", running("08:50", false)));
        assert!(!allows(&[allow], "09:30", running("07:50", false)));
        let by_hand = window(&json!({"manualSync": true}));
        assert!(allows(std::slice::from_ref(&by_hand), "08:30", running("08:10", true)));
        assert!(!allows(&[by_hand], "08:30", running("07:10", false)));
    }

    #[test]
    fn a_window_speaks_of_what_its_lists_name() {
        let by = |fields: Value| {
            let mut all = json!({"applications": []});
            all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            !allows(&[window(&all)], "08:30", Attempt::Automated)
        };
        assert!(!by(json!({})));
        assert!(by(json!({"namespaces": ["pr*"]})) && !by(json!({"namespaces": ["dev"]})));
        assert!(by(json!({"clusters": [ClusterId::IN_CLUSTER]})) && by(json!({"clusters": ["in-cluster"]})));
        assert!(by(json!({"applications": ["sh?p"], "namespaces": ["dev"]})));
        assert!(!by(
            json!({"applications": ["shop"], "namespaces": ["dev"], "andOperator": true})
        ));
        assert!(by(
            json!({"applications": ["shop"], "namespaces": ["prod"], "andOperator": true})
        ));
        assert!(!by(json!({"andOperator": true})));
        // One that writes the name is the same cluster.
        let mut named = application();
        named.spec.destination.server.clear();
        named.spec.destination.name = "in-cluster".into();
        let windows = [window(
            &json!({"applications": [], "clusters": [ClusterId::IN_CLUSTER]}),
        )];
        assert!(
            decide(&project(&windows), &named, at("08:30"), Attempt::Automated)
                .refusal
                .is_some()
        );
    }

    #[test]
    fn nobody_is_told_to_ask_again_when_nothing_will_be_different_then() {
        let remedy_of = |windows: &[Value]| {
            let windows: Vec<Value> = windows.iter().map(window).collect();
            decide(&project(&windows), &application(), at("08:30"), Attempt::Manual).remedy
        };
        let again = json!({"schedule": "30 8 * * *"});
        let always = json!({"schedule": "0 * * * *", "duration": "2h"});
        let never = json!({"kind": "allow", "schedule": "0 0 30 2 *"});
        let later = json!({"kind": "allow", "schedule": "0 20 * * *"});
        let wrong = json!({"duration": "soon"});
        for (windows, remedy) in [
            (vec![again.clone()], "ask again then, or set manualSync of the window"),
            (vec![later.clone()], "ask again then, or set manualSync of the window"),
            (
                vec![never.clone(), later],
                "ask again then, or set manualSync of the window",
            ),
            (vec![never], "change the window, or set its manualSync"),
            (vec![again, always], "change the window, or set its manualSync"),
            (vec![wrong], "correct the window"),
        ] {
            assert_eq!(remedy_of(&windows), remedy, "{windows:?}");
        }
    }

    #[test]
    fn it_says_which_window_and_until_when() {
        let berlin = window(&json!({"timeZone": "Europe/Berlin", "schedule": "0 9 * * *"}));
        assert_eq!(
            decided(
                &[window(&json!({"kind": "allow"})), berlin.clone()],
                "08:30",
                Attempt::Automated
            )
            .unwrap(),
            "deny window spec.syncWindows[1] of AppProject p (0 9 * * *, 1h, Europe/Berlin) is active, until 2026-03-14T09:00:00Z"
        );
        let allows = [
            window(&json!({"kind": "allow", "schedule": "0 20 * * *"})),
            window(&json!({"kind": "allow", "schedule": "0 12 * * *"})),
        ];
        assert_eq!(
            decided(&allows, "08:30", Attempt::Automated).unwrap(),
            "no allow window is open: the next is spec.syncWindows[1] of AppProject p (0 12 * * *, 1h, UTC), at 2026-03-14T12:00:00Z, and 1 more"
        );
        // In summer the clock is an hour on.
        let summer: Timestamp = "2026-06-01T07:30:00Z".parse().unwrap();
        assert!(
            decide(&project(&[berlin]), &application(), summer, Attempt::Automated)
                .refusal
                .is_some()
        );
        let next = decide(&project(&allows), &application(), at("08:30"), Attempt::Automated).next_change;
        assert_eq!(next, Some(at("12:00")));
        let always = decided(
            &[window(&json!({"schedule": "0 * * * *", "duration": "2h"}))],
            "08:30",
            Attempt::Automated,
        );
        assert!(always.unwrap().ends_with("is always active"));
    }

    #[test]
    fn what_cannot_be_understood_forbids_and_is_named() {
        for (fields, why) in [
            (json!({"kind": "Deny"}), "kind: \"Deny\" is neither allow nor deny"),
            (json!({"schedule": "0 25 * * *"}), "hour: \"25\" is not within 0-23"),
            (json!({"duration": "1d"}), "duration: \"1d\""),
            (json!({"timeZone": "Mars/Olympus"}), "timeZone: \"Mars/Olympus\""),
        ] {
            let mut fields = fields;
            fields["manualSync"] = json!(true);
            let text = decided(&[window(&fields)], "12:00", Attempt::Manual).unwrap();
            assert!(
                text.contains("spec.syncWindows[0] of AppProject p cannot be understood") && text.contains(why),
                "{text}"
            );
        }
    }

    fn opens_at(schedule: &Schedule, moment: Timestamp) -> bool {
        let at = jiff::Timestamp::from_millisecond(moment.as_millis()).unwrap();
        schedule.next(at - jiff::SignedDuration::from_secs(1), &TimeZone::UTC) == Some(at)
    }

    /// Against the definition: some opening is at most the duration ago. Around every opening and end, for windows that overlap
    /// themselves, too.
    #[test]
    fn active_is_what_the_definition_says() {
        let schedules = ["0 8 * * *", "*/45 6-9 * * *", "0 */7 * * 1-5", "30 23 13 * 5"];
        let start: Timestamp = "2026-03-10T00:00:00Z".parse().unwrap();
        let moment = |minute: u64| start + Duration::from_secs(minute * 60);
        let mut active = [0, 0];
        for (schedule, minutes) in schedules
            .iter()
            .flat_map(|schedule| [10u64, 60, 900].map(|d| (schedule, d)))
        {
            let windows = [window(
                &json!({"schedule": schedule, "duration": format!("{minutes}m")}),
            )];
            let parsed = Schedule::parse(schedule).unwrap();
            let opens = |minute: &u64| opens_at(&parsed, moment(*minute));
            let openings: Vec<u64> = (0..6 * 24 * 60).filter(opens).collect();
            let is_open = |minute: u64| {
                openings
                    .iter()
                    .any(|opening| (*opening..opening + minutes).contains(&minute))
            };
            let around = openings.iter().flat_map(|opening| [*opening, opening + minutes]);
            // What opened before is not known to this reckoning.
            for minute in around
                .flat_map(|m| [m.max(1) - 1, m, m + 1])
                .filter(|m| (minutes..5 * 24 * 60).contains(m))
            {
                let decision = decide(&project(&windows), &application(), moment(minute), Attempt::Automated);
                let is_active = is_open(minute);
                assert_eq!(
                    decision.refusal.is_some(),
                    is_active,
                    "{schedule} {minutes} at {}",
                    moment(minute)
                );
                active[usize::from(is_active)] += 1;
                let change = (minute..6 * 24 * 60 - minutes).find(|later| is_open(*later) != is_active);
                if let Some(change) = change {
                    assert_eq!(
                        decision.next_change,
                        Some(moment(change)),
                        "{schedule} {minutes} at {}",
                        moment(minute)
                    );
                }
            }
        }
        assert!(active[0] > 50 && active[1] > 50, "{active:?}");
    }
}
