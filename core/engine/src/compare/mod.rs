//! Is a live object what is desired? And if not: which field, and who wrote it?
//!
//! **Problem.** A live object is never the one in Git: the server writes defaults, controllers write what is theirs, quantities come back
//! in another spelling. Comparing everything makes noise, and noise gets ignored. So only fields that Git owns are compared: what it
//! declares must be live ([`walk`]), and what it declared before must not be, unless it is the default ([`removed`]).
//!
//! **Invariants.**
//! - What the server made of what we applied compares equal to it.
//! - A field that Git never declared is no difference, whoever sets it.
//! - Values of Secrets never leave this module.
//! - A pair that is equal copies nothing of either tree.
//!
//! **Deliberately absent.** The API: no dry-run is asked for. Schemas of custom resources: what kind of list a field is comes from the
//! object's own managedFields, and their defaults are not known.

mod defaults;
mod fields;
mod path;
mod quantity;
mod removed;
mod schema;
mod walk;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use capstan_model::{Blob, Digest, ResourceKey, Timestamp};
use serde::Serialize;
use serde_json::Value;

use fields::ManagedFields;
use walk::Walk;

/// Compares every pair. Pure: the same task gives the same verdicts, in the order of the pairs.
pub fn compare(task: &CompareTask) -> Vec<PairVerdict> {
    task.pairs
        .iter()
        .map(|pair| PairVerdict {
            key: pair.key.clone(),
            desired: pair.desired.digest(),
            live: pair.live.digest(),
            verdict: verdict(pair),
        })
        .collect()
}

fn verdict(pair: &ComparePair) -> Verdict {
    let (desired, live) = match (pair.desired.value(), pair.live.value()) {
        (Ok(desired), Ok(live)) => (desired, live),
        (Err(error), _) | (_, Err(error)) => return Verdict::Failed(error.to_string()),
    };
    if !desired.is_object() || !live.is_object() {
        return Verdict::Failed(format!("{}: not an object", pair.key));
    }
    match differences(&pair.key, &desired, &live, &pair.rules) {
        differences if differences.is_empty() => Verdict::Equal,
        differences => Verdict::Different(differences),
    }
}

/// The fields in which `live` is not what `desired` says; empty when there are none.
pub fn differences(key: &ResourceKey, desired: &Value, live: &Value, rules: &IgnoreRules) -> Vec<FieldDifference> {
    let managed = ManagedFields::of(live);
    let plain = secret_data(key, desired);
    let applied = match managed.ours("Apply").next() {
        Some(_) => None,
        None => removed::last_applied(live),
    };
    let mut walk = Walk::new(&key.group, &key.kind, managed, rules);
    let desired = plain.as_ref().unwrap_or(desired);
    walk.declared(desired, Some(live));
    if let Some(applied) = &applied {
        walk.applied_before(applied, Some(desired), live, None);
    } else {
        let by_apply = managed.ours("Apply");
        // Who creates an object owns its defaults too, and those of a custom resource are not known.
        let counts = schema::is_built_in(&key.group) && managed.ours("Apply").next().is_none();
        let by_update = managed.ours("Update").filter(|_| counts);
        for owned in by_apply.chain(by_update) {
            walk.owned(owned, Some(desired), live);
        }
    }
    walk.differences
}

/// A Secret whose `stringData` was folded into `data`, as the server does it; `None` where there is nothing to fold.
fn secret_data(key: &ResourceKey, desired: &Value) -> Option<Value> {
    if !key.group.is_empty() || key.kind != "Secret" {
        return None;
    }
    let texts = desired.get("stringData")?.as_object()?;
    let mut folded = desired.clone();
    let object = folded.as_object_mut()?;
    object.remove("stringData");
    let data = object
        .entry("data")
        .or_insert_with(|| Value::Object(serde_json::Map::new()));
    if data.is_null() {
        *data = Value::Object(serde_json::Map::new());
    }
    for (name, text) in texts {
        let text = text.as_str().unwrap_or_default();
        data.as_object_mut()?
            .insert(name.clone(), BASE64_STANDARD.encode(text).into());
    }
    Some(folded)
}

/// Pairs to compare. Only pairs whose verdict is not known yet are in it.
#[derive(Clone, Debug, Default)]
pub struct CompareTask {
    /// The pairs.
    pub pairs: Vec<ComparePair>,
}

/// One desired object and the live one of the same key.
#[derive(Clone, Debug)]
pub struct ComparePair {
    /// Their key.
    pub key: ResourceKey,
    /// As it would be applied.
    pub desired: Blob,
    /// As the server has it, managedFields included.
    pub live: Blob,
    /// Fields that do not count.
    pub rules: IgnoreRules,
}

/// Fields that do not count in a comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IgnoreRules {
    /// As JSON pointers.
    pub json_pointers: Vec<String>,
    /// Fields that these managers own.
    pub managers: Vec<String>,
}

impl IgnoreRules {
    /// Equal rules have equal digests.
    pub fn digest(&self) -> Digest {
        Digest::of_json(&serde_json::json!([self.json_pointers, self.managers]))
    }
}

/// The verdict on one pair.
#[derive(Clone, Debug, PartialEq)]
pub struct PairVerdict {
    /// Their key.
    pub key: ResourceKey,
    /// Of the desired object that was compared.
    pub desired: Digest,
    /// Of the live object that was compared.
    pub live: Digest,
    /// Equal, or not.
    pub verdict: Verdict,
}

/// Equal, or not.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Every declared field is live, and we own nothing that is not declared.
    Equal,
    /// These fields differ. Never empty.
    Different(Vec<FieldDifference>),
    /// Could not be compared, and why. Counts as neither.
    Failed(String),
}

/// One field that differs. Values of a Secret are masked: that they differ is told, never what they are.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldDifference {
    /// Such as `spec.template.spec.containers[name="web"].image`.
    pub path: String,
    /// What Git says; `None` when the field is not declared any more.
    pub desired: Option<Value>,
    /// What is live; `None` when it is absent.
    pub live: Option<Value>,
    /// Who wrote the live field last, by `managedFields`.
    pub writer: Option<FieldWriter>,
}

/// A field manager.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldWriter {
    /// Its name, such as `kubectl-edit`.
    pub manager: String,
    /// `Apply` or `Update`.
    pub operation: String,
    /// Such as `scale`; empty for the object itself.
    pub subresource: String,
    /// When.
    pub time: Option<Timestamp>,
}
