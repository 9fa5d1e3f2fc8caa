//! No object of a later phase or wave is written before every object of an earlier one is settled.
//!
//! The oracle knows nothing of plans: it reads the cluster's own history, in which a write of a later group must come after, for each
//! object of an earlier group, either an observation of it at the generation of its last write and healthy, or (for a kind without
//! health) its write; an object that was as desired already counts by its state at that moment.

use std::collections::BTreeMap;
use std::time::Duration;

use capstan_model::ResourceKey;
use proptest::prelude::*;
use serde_json::Value;

use crate::cluster::{Fact, key_of};
use crate::generate::{Item, items, objects, tape};
use crate::rig::Rig;

/// Phase and wave, read off the object by hand.
fn group(object: &Value) -> (i32, i32) {
    let annotations = &object["metadata"]["annotations"];
    let wave = annotations["argocd.argoproj.io/sync-wave"]
        .as_str()
        .map_or(0, |text| text.parse().unwrap());
    let phase = match annotations["argocd.argoproj.io/hook"].as_str() {
        Some("PreSync") => -1,
        Some("PostSync") => 1,
        _ => 0,
    };
    (phase, wave)
}

#[derive(Default)]
struct Seen {
    written: Option<(String, i64)>,
    settled: bool,
}

/// Checks the part of the history that belongs to one commit. `unchanged` is what is settled at its beginning and needs no write.
fn check(history: &[Fact], declared: &[Value], unchanged: &[ResourceKey]) -> Result<usize, String> {
    let groups: BTreeMap<ResourceKey, (i32, i32)> =
        declared.iter().map(|object| (key_of(object), group(object))).collect();
    let mut seen: BTreeMap<ResourceKey, Seen> = BTreeMap::new();
    for key in groups.keys() {
        seen.entry(key.clone()).or_default().settled = unchanged.contains(key);
    }
    let mut later_writes = 0;
    for fact in history {
        match fact {
            Fact::Written {
                key, uid, generation, ..
            } => {
                let Some(of) = groups.get(key) else { continue };
                for (other, earlier) in groups.iter().filter(|(_, other)| *other < of) {
                    if !seen[other].settled {
                        return Err(format!(
                            "{key} {of:?} was written before {other} {earlier:?} was settled"
                        ));
                    }
                    later_writes += 1;
                }
                let has_health = matches!(key.kind.as_str(), "Deployment" | "Job");
                let seen = seen.get_mut(key).unwrap();
                let is_same = seen.written.as_ref() == Some(&(uid.clone(), *generation));
                seen.settled = !has_health || is_same && seen.settled;
                seen.written = Some((uid.clone(), *generation));
            }
            Fact::Observed {
                key,
                uid,
                generation,
                healthy,
            } => {
                if let Some(seen) = seen.get_mut(key)
                    && seen
                        .written
                        .as_ref()
                        .is_some_and(|(written, at)| written == uid && generation >= at)
                {
                    seen.settled = *healthy;
                }
            }
            Fact::Deleted { .. } | Fact::HandedOver { .. } => {}
        }
    }
    Ok(later_writes)
}

fn holds(items: &[Item], tape: Vec<u8>) -> Result<usize, TestCaseError> {
    let first = objects(items, "v1");
    let mut run = Rig::new(first.clone()).start(tape);
    run.settle(Duration::from_secs(60));
    prop_assert_eq!(run.sync(), "Synced Healthy", "{}", run.log.join("\n"));
    let at = run.rig.cluster.history.len();
    let mut found = check(&run.rig.cluster.history, &first, &[])
        .map_err(|why| TestCaseError::fail(format!("{why}\n{}", run.log.join("\n"))))?;
    let second = objects(items, "v2");
    run.push(second.clone());
    run.settle(Duration::from_secs(60));
    let unchanged: Vec<ResourceKey> = second
        .iter()
        .filter(|object| first.contains(object))
        .map(key_of)
        .filter(|key| key.kind != "Job")
        .collect();
    prop_assert_eq!(run.sync(), "Synced Healthy", "{}", run.log.join("\n"));
    found += check(&run.rig.cluster.history[at..], &second, &unchanged)
        .map_err(|why| TestCaseError::fail(format!("{why}\n{}", run.log.join("\n"))))?;
    Ok(found)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]
    #[test]
    fn a_later_wave_waits(items in items(), tape in tape()) {
        holds(&items, tape)?;
    }
}

/// Two objects of every kind in every pair of waves, in the ordinary order and with the cluster's controllers first: completely.
#[test]
fn small_applications_completely() {
    let mut found = 0;
    for (a, b) in (0..5u8).flat_map(|a| (0..5u8).map(move |b| (a, b))) {
        for (x, y) in (-1..2).flat_map(|x| (-1..2).map(move |y| (x, y))) {
            for tape in [Vec::new(), vec![u8::MAX; 100]] {
                let items = [
                    Item {
                        kind: a,
                        name: 0,
                        wave: x,
                    },
                    Item {
                        kind: b,
                        name: 1,
                        wave: y,
                    },
                ];
                found += holds(&items, tape).unwrap();
            }
        }
    }
    assert!(found > 300, "the oracle had something to look at: {found}");
}

#[test]
fn the_oracle_sees_a_violation() {
    let declared = objects(
        &[
            Item {
                kind: 1,
                name: 0,
                wave: 0,
            },
            Item {
                kind: 0,
                name: 1,
                wave: 1,
            },
        ],
        "v1",
    );
    let write = |object: &Value| Fact::Written {
        key: key_of(object),
        uid: "u".into(),
        generation: 2,
        create: false,
        operation: String::new(),
    };
    let observed = |generation| Fact::Observed {
        key: key_of(&declared[0]),
        uid: "u".into(),
        generation,
        healthy: true,
    };
    let stale = [write(&declared[0]), observed(1), write(&declared[1])];
    assert!(check(&stale, &declared, &[]).is_err());
    let good = [write(&declared[0]), observed(2), write(&declared[1])];
    assert_eq!(check(&good, &declared, &[]), Ok(1));
}
