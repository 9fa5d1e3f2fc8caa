//! What is held against every scenario, and against some.

use capstan_sim::scenario::{Record, end_state, transcript};

use crate::engine::{self, CrashAfter};
use crate::play::Story;
use crate::runtime;

/// Plays a scenario on both layers: what it expects comes true on both, they end alike, and the timeline is the golden one.
pub(crate) fn both_ways(name: &str) {
    let story = Story::read(name);
    let (over_the_engine, _) = engine::play(&story, None);
    story.assert(&over_the_engine);
    let (again, _) = engine::play(&story, None);
    let timeline = transcript(&over_the_engine);
    assert_eq!(timeline, transcript(&again), "{name}: two runs differ");
    golden(&story, &timeline);

    let over_the_runtime = runtime::play(&story);
    story.assert(&over_the_runtime);
    same_end(name, &over_the_engine, &over_the_runtime);
}

/// Two runs leave the same objects, identities and times aside. What is deleted is kept by the runtime alone.
fn same_end(what: &str, one: &Record, other: &Record) {
    let end = |record| {
        let mut end = end_state(record);
        end.retain(|object, _| !object.starts_with("Secret/argocd/undelete-"));
        end
    };
    let (expected, found) = (end(one), end(other));
    assert!(
        expected.keys().eq(found.keys()),
        "{what}: one run ends with {:?}, the other with {:?}\n{}",
        expected.keys(),
        found.keys(),
        transcript(other)
    );
    for (object, expected) in &expected {
        assert_eq!(expected, &found[object], "{what}: {object}\n{}", transcript(other));
    }
}

/// Holds a timeline against the committed one. `CAPSTAN_GOLDEN=write` commits to this one.
fn golden(story: &Story, timeline: &str) {
    let path = story.folder.join("timeline.txt");
    if std::env::var("CAPSTAN_GOLDEN").is_ok_and(|mode| mode == "write") {
        std::fs::write(&path, timeline).expect("the golden timeline can be written");
        return;
    }
    let golden = story.files.get("timeline.txt").map_or("", String::as_str);
    assert!(
        golden == timeline,
        "{} is not what happens now (CAPSTAN_GOLDEN=write takes it over):\n{timeline}",
        path.display()
    );
}

#[test]
fn friday_night() {
    both_ways("friday-night");
}

#[test]
fn three_waves() {
    both_ways("three-waves");
}

/// The controller dies at every effect that reaches the cluster, before it is carried out and after, unheard: what is expected still
/// comes true (hooks run once, the order holds), and the cluster ends as if nothing had happened.
#[test]
fn a_crash_at_every_effect() {
    let story = Story::read("three-waves");
    let (calm, effects) = engine::play(&story, None);
    assert!(
        effects > 10,
        "three waves and two hooks take more than {effects} effects"
    );
    for crash in 0..effects {
        for unheard in [false, true] {
            let (record, _) = engine::play(
                &story,
                Some(CrashAfter {
                    effects: crash,
                    unheard,
                }),
            );
            let what = format!("dies at effect {crash} of {effects}, carried out: {unheard}");
            println!("{what}");
            story.assert(&record);
            same_end(&what, &calm, &record);
        }
    }
}

#[test]
fn busy_day() {
    both_ways("busy-day");
}
