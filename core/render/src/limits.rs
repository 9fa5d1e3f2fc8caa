//! What a source may hold and come to: bounds that no repository of a team reaches, and every bomb does.
//!
//! Templates have limits of their own (`capstan_template::Limits`), packed charts too; these are for the rest. Each error names the
//! file, the limit and what was found.

use capstan_model::{Manifest, SourceLocation};
use serde_json::Value;

use crate::RenderError;

/// Lists in lists are flattened so deep.
pub(crate) const LIST_DEPTH: u8 = 8;
/// Bytes of one file of a plain directory, or of a chart, as in Helm.
pub(crate) const FILE_BYTES: usize = 5 << 20;
/// Bytes of all files of a plain directory together, as in Argo CD.
pub(crate) const DIRECTORY_BYTES: usize = 10 << 20;
/// Objects of one source.
const OBJECTS: usize = 10_000;
/// Bytes of one object as JSON: what a cluster's database takes.
const OBJECT_BYTES: usize = 3 << 19;

/// Checks what a source came to.
pub(crate) fn check(manifests: &[Manifest]) -> Result<(), RenderError> {
    if let Some(first) = manifests.get(OBJECTS) {
        return Err(limit(
            &first.location,
            "objects of one source",
            OBJECTS,
            manifests.len(),
        ));
    }
    for manifest in manifests {
        let size = encoded(&manifest.value);
        if size > OBJECT_BYTES {
            return Err(limit(&manifest.location, "bytes of one object", OBJECT_BYTES, size));
        }
    }
    Ok(())
}

/// A limit at a place.
pub(crate) fn limit(place: &SourceLocation, what: &'static str, limit: usize, found: usize) -> RenderError {
    RenderError::Limit {
        place: place.to_string(),
        what,
        limit: limit as u64,
        found: found as u64,
    }
}

/// About as many bytes as the value takes as JSON; escapes are not counted.
fn encoded(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(true) => 4,
        Value::Bool(false) => 5,
        Value::Number(_) => 8,
        Value::String(text) => text.len() + 2,
        Value::Array(items) => 2 + items.iter().map(|item| encoded(item) + 1).sum::<usize>(),
        Value::Object(fields) => {
            2 + fields
                .iter()
                .map(|(name, field)| name.len() + 4 + encoded(field))
                .sum::<usize>()
        }
    }
}
