//! What is deleted by a sync was ours and is no longer declared; it goes in reverse waves, after everything else was written.
//!
//! The oracle knows nothing of plans or permits: it has the two commits, the objects that somebody else owns, and the cluster's own
//! history. Foreign objects bear the names of ours, with another application's tracking id or with none.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use capstan_model::ResourceKey;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::cluster::{Fact, key_of};
use crate::generate::{Item, items, objects, tape};
use crate::rig::{Rig, config};

/// Objects of nobody and of another application, beside ours.
fn foreign() -> Vec<Value> {
    let object = |name: &str, id: Option<&str>| {
        let mut object = config(name, 0, "theirs");
        object["metadata"]["uid"] = json!(format!("uid-of-{name}"));
        object["metadata"]["resourceVersion"] = json!("1");
        object["metadata"]["generation"] = json!(1);
        object["metadata"]["managedFields"] = json!([]);
        if let Some(id) = id {
            object["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"] = json!(id);
        }
        object
    };
    vec![
        object("foreign-1", None),
        object("foreign-2", Some("other:/ConfigMap:prod/foreign-2")),
        // A copy of our id on an object that it does not name.
        object("foreign-3", Some("shop:/ConfigMap:prod/n0")),
    ]
}

fn is_hook(object: &Value) -> bool {
    object["metadata"]["annotations"]["argocd.argoproj.io/hook"].is_string()
}

fn wave(object: &Value) -> i64 {
    let text = object["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"].as_str();
    text.map_or(0, |text| text.parse().unwrap())
}

/// The deletes of ordinary objects in `history`, which began at the second commit.
fn check(history: &[Fact], first: &[Value], second: &[Value]) -> Result<usize, String> {
    let ordinary = |objects: &[Value]| -> BTreeMap<ResourceKey, i64> {
        let ordinary = objects.iter().filter(|object| !is_hook(object));
        ordinary.map(|object| (key_of(object), wave(object))).collect()
    };
    let (ours, declared) = (ordinary(first), ordinary(second));
    let hooks: BTreeSet<ResourceKey> = first
        .iter()
        .chain(second)
        .filter(|object| is_hook(object))
        .map(key_of)
        .collect();
    let (mut deletes, mut last) = (0, i64::MAX);
    for (at, fact) in history.iter().enumerate() {
        let Fact::Deleted { key } = fact else { continue };
        if hooks.contains(key) {
            continue;
        }
        let Some(&wave) = ours.get(key) else {
            return Err(format!("{key} was deleted and never was ours"));
        };
        if declared.contains_key(key) {
            return Err(format!("{key} was deleted and is declared"));
        }
        if wave > last {
            return Err(format!("{key} of wave {wave} was deleted after one of wave {last}"));
        }
        let is_later_write = |fact: &Fact| matches!(fact, Fact::Written { key, .. } if declared.contains_key(key));
        if history[at..].iter().any(is_later_write) {
            return Err(format!("{key} was deleted before everything was written"));
        }
        (deletes, last) = (deletes + 1, wave);
    }
    Ok(deletes)
}

fn holds(before: &[Item], after: &[Item], tape: Vec<u8>) -> Result<usize, TestCaseError> {
    let (first, second) = (objects(before, "v1"), objects(after, "v1"));
    let mut rig = Rig::new(first.clone());
    for object in foreign() {
        rig.cluster.objects.insert(key_of(&object), object);
    }
    rig.resource["spec"]["syncPolicy"]["automated"]["allowEmpty"] = json!(true);
    let mut run = rig.start(tape);
    run.settle(Duration::from_secs(60));
    let at = run.rig.cluster.history.len();
    run.push(second.clone());
    run.settle(Duration::from_secs(60));
    let fail = |why: String| TestCaseError::fail(format!("{why}\n{}", run.log.join("\n")));
    let deletes = check(&run.rig.cluster.history[at..], &first, &second).map_err(fail)?;
    for object in foreign() {
        prop_assert!(
            run.rig.cluster.objects.contains_key(&key_of(&object)),
            "{}",
            run.log.join("\n")
        );
    }
    let hooks: BTreeSet<ResourceKey> = second.iter().filter(|object| is_hook(object)).map(key_of).collect();
    for object in first
        .iter()
        .filter(|object| !is_hook(object) && !hooks.contains(&key_of(object)))
    {
        let key = key_of(object);
        let stays = second.iter().any(|other| key_of(other) == key);
        prop_assert_eq!(
            run.rig.cluster.objects.contains_key(&key),
            stays,
            "{}\n{}",
            key,
            run.log.join("\n")
        );
    }
    Ok(deletes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn only_what_was_ours_goes_and_in_reverse(before in items(), after in items(), tape in tape()) {
        holds(&before, &after, tape)?;
    }
}

/// Every pair of applications of up to two objects in two waves, completely; and they do delete something.
#[test]
fn small_applications_completely() {
    let all: Vec<Item> = (0..2)
        .flat_map(|kind| (0..2).flat_map(move |name| (0..2).map(move |wave| Item { kind, name, wave })))
        .collect();
    let mut sets: Vec<Vec<Item>> = vec![Vec::new()];
    sets.extend(all.iter().map(|item| vec![item.clone()]));
    for (at, a) in all.iter().enumerate() {
        sets.extend(all[at + 1..].iter().map(|b| vec![a.clone(), b.clone()]));
    }
    let mut deletes = 0;
    for before in sets.iter().filter(|set| !set.is_empty()) {
        for after in &sets {
            deletes += holds(before, after, Vec::new()).unwrap();
        }
    }
    assert!(deletes > 500, "only {deletes} objects were deleted in all these cases");
}

/// What is left opens no way for what is deleted: a wave of prunes of which nothing goes is over from the beginning, and the next one still
/// comes after everything that is written.
#[test]
fn a_wave_that_stays_does_not_let_the_next_one_go_early() {
    let mut stays = config("stays", 2, "1");
    stays["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] = json!("Prune=false");
    let first = vec![config("a", 0, "1"), config("b", 1, "1"), stays];
    let second = vec![config("new", 0, "1"), config("newer", 1, "1")];
    let mut run = Rig::new(first.clone()).start(Vec::new());
    run.settle(Duration::from_secs(60));
    // Deletes do not wait for the start any more.
    run.rig.now = run.rig.now + Duration::from_secs(600);
    run.handle_timeout();
    let at = run.rig.cluster.history.len();
    run.push(second.clone());
    run.settle(Duration::from_secs(60));
    let deletes = check(&run.rig.cluster.history[at..], &first, &second);
    assert_eq!(deletes, Ok(2), "{}", run.log.join("\n"));
    let stays = ResourceKey::new("", "ConfigMap", "prod", "stays");
    assert!(run.rig.cluster.objects.contains_key(&stays));
}

/// A history that breaks each law is seen.
#[test]
fn the_oracle_sees_every_violation() {
    let (first, second) = (
        vec![config("a", 0, "1"), config("b", 1, "1"), config("c", 0, "1")],
        vec![config("c", 0, "2")],
    );
    let deleted = |name: &str| Fact::Deleted {
        key: ResourceKey::new("", "ConfigMap", "prod", name),
    };
    let written = Fact::Written {
        key: ResourceKey::new("", "ConfigMap", "prod", "c"),
        uid: "u".into(),
        generation: 1,
        create: false,
        operation: String::new(),
    };
    assert_eq!(
        check(&[written.clone(), deleted("b"), deleted("a")], &first, &second),
        Ok(2)
    );
    for (history, why) in [
        (vec![deleted("a"), deleted("b")], "was deleted after one of wave 0"),
        (vec![deleted("c")], "is declared"),
        (vec![deleted("foreign-1")], "never was ours"),
        (vec![deleted("a"), written], "before everything was written"),
    ] {
        let found = check(&history, &first, &second).unwrap_err();
        assert!(found.contains(why), "{found}");
    }
}
