//! When a sync that failed is tried again (`syncPolicy.retry`).

use std::time::Duration;

use capstan_engine::Settings;
use capstan_engine::settings::Guards;
use capstan_model::Timestamp;
use serde_json::{Value, json};

use crate::rig::{Rig, config};

const MINUTE: Duration = Duration::from_secs(60);

/// Seconds that a sync which always fails waits before each of its retries, within so long.
fn waits(retry: &Value, by_hand: bool, guards: Guards, within: Duration) -> Vec<u64> {
    let mut rig = Rig::new(vec![config("a", 0, "1")]);
    rig.cluster.refused.insert("a".into());
    rig.resource["spec"]["syncPolicy"]["retry"] = retry.clone();
    if by_hand {
        rig.resource["spec"]["syncPolicy"] = json!({});
        rig.resource["operation"] = json!({"initiatedBy": {"username": "ada"}, "sync": {}, "retry": retry});
    }
    let settings = Settings {
        guards,
        // Only what belongs to one sync.
        resume_backoff: Duration::ZERO,
        ..Settings::default()
    };
    let mut run = rig.start_with(settings, Vec::new());
    run.settle(within);
    let mut since: Option<Timestamp> = None;
    let mut waits = Vec::new();
    for entry in run
        .engine
        .journal()
        .after(0)
        .filter(|entry| entry.machine == "operation")
    {
        match (entry.from.as_str(), entry.to.as_str()) {
            (_, "BackingOff") => since = Some(entry.time),
            (_, "Running") => waits.extend(since.take().map(|since| entry.time.since(since).as_secs())),
            _ => {}
        }
    }
    waits
}

#[test]
fn retry() {
    let hours = |n: u32| 60 * n * MINUTE;
    for (retry, expected) in [
        // An automated sync is tried five times more.
        (json!(null), vec![5, 10, 20, 40, 80]),
        (json!({"limit": 3}), vec![5, 10, 20]),
        (json!({"limit": 0}), vec![]),
        (json!({}), vec![]),
        (json!({"limit": 2, "backoff": {"duration": "20s"}}), vec![20, 40]),
        (json!({"limit": 2, "backoff": {"duration": "7"}}), vec![7, 14]),
        (
            json!({"limit": 3, "backoff": {"duration": "1m", "factor": 3}}),
            vec![60, 180, 180],
        ),
        (json!({"limit": 3, "backoff": {"factor": 1}}), vec![5, 5, 5]),
        (json!({"limit": 3, "backoff": {"maxDuration": "8s"}}), vec![5, 8, 8]),
        // Without an end of its own.
        (
            json!({"limit": 3, "backoff": {"duration": "2m", "maxDuration": "0"}}),
            vec![120, 240, 480],
        ),
    ] {
        assert_eq!(waits(&retry, false, Guards::Capstan, hours(2)), expected, "{retry}");
    }
    // For ever, as long as a sync may last: a day.
    let for_ever = json!({"limit": -1, "backoff": {"duration": "10m", "maxDuration": "1h"}});
    let waited = waits(&for_ever, false, Guards::Capstan, hours(30));
    assert_eq!((waited.len(), waited[..4].to_vec()), (25, vec![600, 1200, 2400, 3600]));
    // Somebody's sync is tried once, unless it asks for more.
    assert_eq!(waits(&json!(null), true, Guards::Capstan, hours(1)), Vec::<u64>::new());
    assert_eq!(waits(&json!({"limit": 1}), true, Guards::Capstan, hours(1)), [5]);
}

/// Argo CD writes that it waits so long, and waits for the next step of the back-off.
#[test]
fn retry_with_argo_cd_s_guards() {
    let waited = waits(&json!({"limit": 3}), false, Guards::Argo, 60 * MINUTE);
    assert_eq!(waited, [10, 20, 40]);
}

/// What dies meanwhile does not begin to wait anew, and does not try at once.
#[test]
fn a_restart_neither_shortens_nor_repeats_the_wait() {
    let mut rig = Rig::new(vec![config("a", 0, "1")]);
    rig.cluster.refused.insert("a".into());
    rig.resource["spec"]["syncPolicy"]["retry"] =
        json!({"limit": 2, "backoff": {"duration": "10m", "maxDuration": "1h"}});
    let mut run = rig.start(Vec::new());
    run.settle(MINUTE);
    let first = run.rig.status("/operationState/message").to_owned();
    assert!(first.contains("attempt 2 of 3 at "), "{first}");
    let begun = run.rig.now;
    run.rig.now = begun + 5 * MINUTE;
    let mut run = run.rig.start(Vec::new());
    run.settle(4 * MINUTE);
    assert_eq!(run.rig.status("/operationState/message"), first, "it waits");
    run.rig.now = begun + 9 * MINUTE;
    run.settle(2 * MINUTE);
    let second = run.rig.status("/operationState/message");
    assert!(second.contains("attempt 3 of 3 at "), "{second}");
}
