//! Is a live object what is desired? And if not: which field, and who wrote it?

use capstan_model::{Blob, Digest, ResourceKey, Timestamp};
use serde::Serialize;
use serde_json::Value;

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

/// One field that differs.
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
