//! Small applications: few names, few waves, everything mixed.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::rig::{config, hook, workload};

/// One object, by what the properties vary.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) kind: u8,
    pub(crate) name: u8,
    pub(crate) wave: i32,
}

pub(crate) fn items() -> impl Strategy<Value = Vec<Item>> {
    vec(item(4), 1..7)
}

/// More of them than are written at once.
pub(crate) fn many_items() -> impl Strategy<Value = Vec<Item>> {
    vec(item(40), 20..90)
}

fn item(names: u8) -> impl Strategy<Value = Item> {
    (0u8..5, 0..names, -1i32..3).prop_map(|(kind, name, wave)| Item { kind, name, wave })
}

pub(crate) fn tape() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..200)
}

/// The objects, each identity once; `version` makes another commit of the same shape.
pub(crate) fn objects(items: &[Item], version: &str) -> Vec<Value> {
    let mut seen = std::collections::BTreeSet::new();
    items
        .iter()
        .filter(|item| seen.insert((item.kind, item.name)))
        .map(|item| {
            let name = format!("n{}", item.name);
            match item.kind {
                0 => config(&name, item.wave, version),
                1 => workload("Deployment", &name, item.wave, version),
                2 => workload("Job", &format!("job-{name}-{version}"), item.wave, version),
                3 => {
                    let mut object = hook(&format!("hook-{name}"), if item.wave < 0 { "PreSync" } else { "Sync" });
                    object["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"] = json!(item.wave.to_string());
                    object["spec"]["image"] = json!(version);
                    object
                }
                _ => {
                    let mut object = hook(&format!("after-{name}"), "PostSync");
                    object["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"] = json!(item.wave.to_string());
                    object
                }
            }
        })
        .collect()
}
